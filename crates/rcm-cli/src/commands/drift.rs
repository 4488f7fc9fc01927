//! `rcm drift`: what was changed, deleted or added outside rcm.

use rcm::engine::{model::Events, run::Cancel};

use crate::{
    args::{DriftArgs, Format, Globals},
    error::{CommandError, Exit},
    render::drift,
    session::{Needs, Session},
    signals::{self, Stake},
    terminal,
};

pub(super) async fn run(globals: &Globals, args: &DriftArgs) -> Result<Exit, CommandError> {
    signals::listen(Cancel::new(), Stake::new(args.accept), |_| {})?;
    let needs = Needs { verb: "drift", cloud: true, events: Events::none(), cancel: Cancel::new() };
    let session = Session::open(globals, needs, |_| {}).await?;
    if args.accept { accept(&session, globals.output).await } else { show(&session, globals.output).await }
}

async fn show(session: &Session, format: Format) -> Result<Exit, CommandError> {
    let state = session.environment.state().map_err(|error| session.error(&error))?;
    let found = session.environment.drift().await.map_err(|error| session.error(&error))?;
    match format {
        Format::Json => terminal::out(&drift::to_json(&found, &state.deployment, None))?,
        Format::Human => {
            let text = drift::drift(&found, &state.deployment, state.records().count());
            terminal::out(&(text + &drift::advice(&found, &session.next)))?;
        }
    }
    Ok(if found.is_empty() { Exit::Done } else { Exit::Changes })
}

/// What is left afterwards is drift.
async fn accept(session: &Session, format: Format) -> Result<Exit, CommandError> {
    let state = session.environment.state().map_err(|error| session.error(&error))?;
    let (found, taken) = session.environment.accept_drift().await.map_err(|error| session.error(&error))?;
    match format {
        Format::Json => terminal::out(&drift::to_json(&found, &state.deployment, Some(&taken)))?,
        Format::Human => {
            let text = drift::drift(&found, &state.deployment, state.records().count());
            terminal::out(&(text + &drift::acceptance(&taken, &session.next)))?;
        }
    }
    Ok(if taken.refused.is_empty() { Exit::Done } else { Exit::Changes })
}
