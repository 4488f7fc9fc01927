//! `rcm preflight`: what would stop `provision`, and what somebody should know before it.

use rcm::{
    Goal, Verdict,
    engine::{model::Events, run::Cancel},
};

use crate::{
    args::{Format, Globals},
    error::{CommandError, Exit},
    render::{BOLD, checks, json, paint},
    session::{Needs, Session},
    signals::{self, Stake},
    terminal,
};

pub(super) async fn run(globals: &Globals) -> Result<Exit, CommandError> {
    signals::listen(Cancel::new(), Stake::new(false), |_| {})?;
    let needs = Needs { verb: "preflight", cloud: true, events: Events::none(), cancel: Cancel::new() };
    let session = Session::open(globals, needs, |_| {}).await?;
    let found = session.environment.preflight(&Goal::provision()).await.map_err(|error| session.error(&error))?;
    let stopped = found.iter().any(|check| check.verdict == Verdict::Bad);
    terminal::out(&match globals.output {
        Format::Json => json::line(&checks::to_json(&found)),
        Format::Human => {
            let end = match stopped {
                true => "provision would be refused; nothing was changed.".to_owned(),
                false => format!("Nothing stands in the way of: {}", session.next.command("provision")),
            };
            let head = paint(BOLD, &session.name());
            format!("{head}\n{}\n{}: {end}\n", checks::checks(&found, &session.next), checks::summary(&found))
        }
    })?;
    Ok(if stopped { Exit::Refused } else { Exit::Done })
}
