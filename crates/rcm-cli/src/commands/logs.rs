//! `rcm logs`: what the application has written, and what it writes from now on.

use std::ops::ControlFlow;

use rcm::{
    LogQuery,
    engine::{model::Events, run::Cancel},
};

use crate::{
    args::{Format, Globals, LogsArgs},
    error::{CommandError, Exit},
    render::{json, logs},
    session::{Needs, Session},
    signals::{self, Stake},
    terminal,
};

pub(super) async fn run(globals: &Globals, args: &LogsArgs) -> Result<Exit, CommandError> {
    if args.follow {
        // That is how one ends it, and no failure.
        return tokio::select! {
            result = show(globals, args) => result,
            () = signals::first() => Ok(Exit::Done),
        };
    }
    signals::listen(Cancel::new(), Stake::new(false), |_| {})?;
    show(globals, args).await
}

async fn show(globals: &Globals, args: &LogsArgs) -> Result<Exit, CommandError> {
    let needs = Needs { verb: "logs", cloud: true, events: Events::none(), cancel: Cancel::new() };
    let session = Session::open(globals, needs, |_| {}).await?;
    let query = LogQuery { since: args.since, pattern: args.filter.clone(), follow: args.follow };
    let mut written = Ok(());
    let mut any = false;
    let told = session.environment.logs(&query, |event| {
        any = true;
        let fed = terminal::feed(&match globals.output {
            Format::Human => logs::event(event),
            Format::Json => json::line(event),
        });
        fed.unwrap_or_else(|error| {
            written = Err(error);
            ControlFlow::Break(())
        })
    });
    told.await.map_err(|error| session.error(&error))?;
    written?;
    if !any && globals.output == Format::Human {
        terminal::tell(&logs::none(&query, &session.name(), &session.next));
    }
    Ok(Exit::Done)
}
