//! `rcm history`: which runs there were; `rcm history RUN`: what one of them did.

use serde_json::json;

use crate::{
    args::{Format, Globals, History},
    error::{CommandError, Exit},
    render::{history, json as lines},
    session::{Needs, Session},
    terminal,
};

pub(super) async fn run(globals: &Globals, args: &History) -> Result<Exit, CommandError> {
    let session = Session::open(globals, Needs::state_only("history"), |_| {}).await?;
    let environment = &session.environment;
    let text = match &args.run {
        None => {
            let runs = environment.history().map_err(|error| session.error(&error))?;
            match globals.output {
                Format::Human => history::runs(&runs, &session.name(), &session.next),
                Format::Json => lines::line(&runs),
            }
        }
        Some(name) => {
            let told = environment.history_of(name).map_err(|error| session.error(&error))?;
            match globals.output {
                Format::Human => history::run(&told),
                Format::Json => told.iter().map(lines::line).collect(),
            }
        }
    };
    terminal::out(&text)?;
    Ok(Exit::Done)
}

/// `rcm audit verify`: whether the log is as it was written.
pub(super) async fn verify(globals: &Globals) -> Result<Exit, CommandError> {
    let session = Session::open(globals, Needs::state_only("audit verify"), |_| {}).await?;
    let found = session.environment.verify_audit().map_err(|error| session.error(&error))?;
    let exit = if found.problems.is_empty() { Exit::Done } else { Exit::Damaged };
    terminal::out(&match globals.output {
        Format::Human => history::verified(&found, &session.name()),
        Format::Json => lines::line(&json!({ "intact": found.problems.is_empty(), "found": found })),
    })?;
    Ok(exit)
}
