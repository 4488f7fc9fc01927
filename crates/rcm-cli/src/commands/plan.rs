//! `rcm plan`: what `provision` or `destroy` would do.

use rcm::{
    Goal,
    compliance::Breach,
    engine::{model::Events, plan::Plan, run::Cancel},
};

use serde::Serialize;
use serde_json::Value;

use super::{
    run::{cost, plan_text},
    save,
};
use crate::{
    args::{Format, Globals, PlanArgs, Refresh},
    error::{CommandError, Exit},
    render::{compliance, cost::of_plan_json, report},
    session::{Needs, Session},
    signals::{self, Stake},
    terminal,
};

pub(super) async fn run(globals: &Globals, args: &PlanArgs) -> Result<Exit, CommandError> {
    signals::listen(Cancel::new(), Stake::new(false), |_| {})?;
    let needs = Needs { verb: "plan", cloud: true, events: Events::none(), cancel: Cancel::new() };
    let session = Session::open(globals, needs, |_| {}).await?;
    let goal = Goal {
        destroy: args.destroy,
        purge: args.purge,
        may_lose: args.losses.allow_destroy.iter().cloned().collect(),
        ..Goal::default()
    };
    let plan = session.environment.plan(&goal).await.map_err(|error| session.error(&error))?;
    if let Some(path) = &args.out {
        save(path, json(&plan)?.as_bytes())?;
    }
    match globals.output {
        Format::Json => {
            terminal::out(&json(&Told { plan: &plan, monthly_cost: of_plan_json(cost(&session, &plan)) })?)?
        }
        Format::Human => {
            let breaches = session.environment.breaches(&plan).map_err(|error| session.error(&error))?;
            let text = plan_text(&session, &plan) + &compliance::breaches(&breaches);
            let advice =
                if breaches.is_empty() { advice(&session, globals, args, &plan) } else { refused(&session, &breaches) };
            terminal::out(&(text + &advice))?;
        }
    }
    Ok(if args.detailed_exitcode && !plan.is_empty() { Exit::Changes } else { Exit::Done })
}

/// The plan, and what it changes of what is paid. What is saved is the plan alone.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    plan: &'a Plan,
    monthly_cost: Value,
}

fn json(plan: &impl Serialize) -> Result<String, CommandError> {
    let text = serde_json::to_string_pretty(plan);
    let text = text.map_err(|error| CommandError::new(Exit::Failed, format!("the plan cannot be written: {error}")))?;
    Ok(text + "\n")
}

fn refused(session: &Session, breaches: &[Breach]) -> String {
    format!("To do it all the same, and have it recorded: {}\n", compliance::accepting(breaches, &session.next))
}

fn advice(session: &Session, globals: &Globals, args: &PlanArgs, plan: &Plan) -> String {
    let verb = if args.destroy { "destroy" } else { "provision" };
    let purge = if args.purge { " --purge" } else { "" };
    if plan.is_empty() {
        return report::unread(args.destroy || globals.refresh == Refresh::Full, &session.next);
    }
    if !plan.blocked.is_empty() {
        return String::new();
    }
    match &args.out {
        Some(path) => {
            format!("Saved. To run exactly this: {} --plan {}\n", session.next.command(verb), path.display())
        }
        None => format!("To do it: {}{purge}\n", session.next.command(verb)),
    }
}
