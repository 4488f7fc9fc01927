//! `rcm rollback`: undoes what the last run has left half done.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use rcm::{
    Error,
    engine::{model::Events, run::Cancel, store::Undo},
};

use super::{
    run::{Consent, consent},
    show::{Show, keep_telling},
};
use crate::{
    args::{Format, Globals},
    error::{CommandError, Exit},
    render::{json, rollback},
    session::{Needs, Session},
    signals::{self, Stake},
    terminal,
};

const VERB: &str = "rollback";

pub(super) async fn run(globals: &Globals) -> Result<Exit, CommandError> {
    let result = undo(globals).await;
    if let Err(error) = &result
        && globals.output == Format::Json
    {
        terminal::out(&json::error(error))?;
    }
    result
}

async fn undo(globals: &Globals) -> Result<Exit, CommandError> {
    let begun = Instant::now();
    let show = Arc::new(Show::new(globals.output));
    let (cancel, stake) = (Cancel::new(), Stake::new(true));
    let (shown, followed, said) = (Arc::clone(&show), stake.clone(), Arc::clone(&show));
    let events = Events::to(move |event| {
        followed.follow(event);
        shown.event(event);
    });
    signals::listen(cancel.clone(), stake, move |line| said.say(line))?;
    tokio::spawn(keep_telling(Arc::clone(&show)));
    let session = Session::open(globals, Needs { verb: VERB, cloud: true, events, cancel }, |_| {}).await?;
    let nobody = AtomicBool::new(false);
    let result = session.environment.roll_back(|undo| approve(globals, &session, &nobody, undo)).await;
    show.finish();
    let rolled_back = match result {
        Ok(rolled_back) => rolled_back,
        Err(Error::Declined) if nobody.load(Ordering::SeqCst) => return Err(nobody_to_ask(&session)),
        Err(error) => return Err(session.error(&error)),
    };
    let exit = match &rolled_back {
        stopped if stopped.interrupted => Exit::Stopped,
        ended if ended.left.is_empty() => Exit::Done,
        _ => Exit::Stuck,
    };
    terminal::out(&match globals.output {
        Format::Human => rollback::report(&rolled_back, &session.name(), begun.elapsed(), &session.next),
        Format::Json => json::rolled_back(&rolled_back, exit, begun.elapsed()),
    })?;
    Ok(exit)
}

fn approve(globals: &Globals, session: &Session, nobody: &AtomicBool, undo: &[Undo]) -> bool {
    let text = rollback::plan(undo, &session.name());
    match globals.output {
        // What cannot be written now cannot be written at the end either, and there it is an error.
        Format::Human => drop(terminal::out(&text)),
        Format::Json if globals.yes => {}
        Format::Json => terminal::tell(&text),
    }
    if globals.yes {
        return true;
    }
    if !terminal::can_ask() {
        nobody.store(true, Ordering::SeqCst);
        return false;
    }
    tokio::task::block_in_place(|| consent(Consent::Yes, &session.environment.config().partner))
}

fn nobody_to_ask(session: &Session) -> CommandError {
    CommandError::new(Exit::NotApproved, "there is no terminal to ask on; nothing was changed")
        .hint(format!("to go on without being asked: {} --yes", session.next.command(VERB)))
}
