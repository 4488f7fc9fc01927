//! `rcm cost`: what the environment costs in a month.

use rcm::cost::{Assumptions, Cost, Tiered};
use serde::Serialize;

use super::save;
use crate::{
    args::{CostArgs, Format, Globals},
    error::{CommandError, Exit},
    render::cost,
    session::{Needs, Session},
    terminal,
};

pub(super) async fn run(globals: &Globals, args: &CostArgs) -> Result<Exit, CommandError> {
    let needs = Needs { cloud: args.live, ..Needs::state_only("cost") };
    let session = Session::open(globals, needs, |_| {}).await?;
    let mut assumptions = Assumptions::default();
    for (name, value) in &args.assume {
        assumptions.set(name, *value).map_err(|error| session.error(&error))?;
    }
    let found = match args.live {
        true => session.environment.cost_live(&assumptions).await,
        false => session.environment.cost(&assumptions),
    };
    let found = found.map_err(|error| session.error(&error))?;
    let tiers = match args.tiers {
        true => session.environment.cost_by_tier(&assumptions).map_err(|error| session.error(&error))?,
        false => Vec::new(),
    };
    if let Some(path) = &args.html {
        save(path, cost::html(&session.name(), &found, &tiers).as_bytes())?;
    }
    terminal::out(&match globals.output {
        Format::Json => json(&found, &tiers)?,
        Format::Human if args.tiers => cost::tiers(&session.name(), &tiers),
        Format::Human => cost::report(&session.name(), &found),
    })?;
    Ok(Exit::Done)
}

fn json(cost: &Cost, tiers: &[Tiered]) -> Result<String, CommandError> {
    #[derive(Serialize)]
    struct Told<'a> {
        #[serde(flatten)]
        cost: &'a Cost,
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        tiers: &'a [Tiered],
    }
    let text = serde_json::to_string_pretty(&Told { cost, tiers });
    let text =
        text.map_err(|error| CommandError::new(Exit::Failed, format!("the costs cannot be written: {error}")))?;
    Ok(text + "\n")
}
