//! `rcm status`: how each part of the environment is now.

use std::time::Duration;

use rcm::{
    Status, Verdict,
    engine::{model::Events, run::Cancel},
};

use crate::{
    args::{Format, Globals, StatusArgs},
    error::{CommandError, Exit},
    render::{json, status},
    session::{Needs, Session},
    signals::{self, Stake},
    terminal,
};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(5);

pub(super) async fn run(globals: &Globals, args: &StatusArgs) -> Result<Exit, CommandError> {
    if !args.watch {
        signals::listen(Cancel::new(), Stake::new(false), |_| {})?;
        let session = open(globals).await?;
        let found = look(&session).await?;
        terminal::out(&match globals.output {
            Format::Json => json::line(&found),
            Format::Human => status::status(&found, &session.name(), &session.next),
        })?;
        return Ok(exit(&found));
    }
    if globals.output == Format::Json || !terminal::shows_screens() {
        return Err(CommandError::new(Exit::Usage, "--watch draws a screen, and there is no terminal to draw it on")
            .hint("without --watch it is printed once, with an exit code that says whether all is well"));
    }
    // That is how one ends it, and no failure.
    tokio::select! {
        result = watch(globals) => result,
        () = signals::first() => Ok(Exit::Done),
    }
}

async fn watch(globals: &Globals) -> Result<Exit, CommandError> {
    let session = open(globals).await?;
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let screen = status::screen(&look(&session).await?, &session.name(), &session.next);
        if terminal::feed(&screen)?.is_break() {
            return Ok(Exit::Done);
        }
    }
}

async fn open(globals: &Globals) -> Result<Session, CommandError> {
    let needs = Needs { verb: "status", cloud: true, events: Events::none(), cancel: Cancel::new() };
    Session::open(globals, needs, |_| {}).await
}

async fn look(session: &Session) -> Result<Status, CommandError> {
    session.environment.status().await.map_err(|error| session.error(&error))
}

/// What could not be seen is a failure of the look; what is not well is what it has found.
fn exit(found: &Status) -> Exit {
    let any = |verdict| found.parts.iter().any(|part| part.verdict == verdict);
    match found.verdict {
        Verdict::Ok => Exit::Done,
        Verdict::Unknown if !any(Verdict::Bad) => Exit::Failed,
        _ => Exit::Changes,
    }
}
