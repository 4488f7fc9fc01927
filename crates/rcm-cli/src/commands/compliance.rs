//! `rcm compliance`: how the environment stands, control by control.

use rcm::{
    compliance::Verdict,
    engine::{model::Events, run::Cancel},
};

use super::save;
use crate::{
    args::{ComplianceArgs, Format, Globals},
    error::{CommandError, Exit},
    render::compliance,
    session::{Needs, Session},
    signals::{self, Stake},
    terminal,
};

pub(super) async fn run(globals: &Globals, args: &ComplianceArgs) -> Result<Exit, CommandError> {
    signals::listen(Cancel::new(), Stake::new(false), |_| {})?;
    let needs = Needs { verb: "compliance", cloud: true, events: Events::none(), cancel: Cancel::new() };
    let session = Session::open(globals, needs, |_| {}).await?;
    let found = session.environment.compliance().await.map_err(|error| session.error(&error))?;
    if let Some(path) = &args.html {
        save(path, compliance::html(&found).as_bytes())?;
    }
    match globals.output {
        Format::Json => {
            let json = serde_json::to_string_pretty(&found)
                .map_err(|error| CommandError::new(Exit::Failed, format!("the report cannot be written: {error}")))?;
            terminal::out(&(json + "\n"))?;
        }
        Format::Human => terminal::out(&compliance::report(&found))?,
    }
    // What somebody has accepted to fail does not fail again.
    let failed = found.of(Verdict::Fail).any(|judged| judged.accepted.is_none());
    Ok(if failed { Exit::Changes } else { Exit::Done })
}
