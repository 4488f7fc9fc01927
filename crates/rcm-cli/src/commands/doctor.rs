//! `rcm doctor`: what keeps the environment from working, and what mends it.

use rcm::{
    Check, Verdict,
    engine::{model::Events, run::Cancel},
};

use super::dns;
use crate::{
    args::{Format, Globals},
    error::{CommandError, Exit},
    render::{checks, json},
    session::{Needs, Session},
    signals::{self, Stake},
    terminal,
};

pub(super) async fn run(globals: &Globals) -> Result<Exit, CommandError> {
    signals::listen(Cancel::new(), Stake::new(false), |_| {})?;
    let needs = Needs { verb: "doctor", cloud: true, events: Events::none(), cancel: Cancel::new() };
    let session = Session::open(globals, needs, |_| {}).await?;
    let found = session.environment.doctor(dns::resolver(globals, &[]).as_ref()).await;
    let found = found.map_err(|error| session.error(&error))?;
    terminal::out(&match globals.output {
        Format::Json => json::line(&checks::to_json(&found)),
        Format::Human => {
            let shown = checks::checks(&found, &session.next);
            format!("{}\n{shown}{}\n", session.name(), checks::summary(&found))
        }
    })?;
    Ok(exit(&found))
}

/// As `status` ends: what is bad is what was found.
fn exit(found: &[Check]) -> Exit {
    if found.iter().any(|check| check.verdict == Verdict::Bad) { Exit::Changes } else { Exit::Done }
}
