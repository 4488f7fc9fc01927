//! `rcm dns`: the DNS records that the domain needs, and whether the world sees them.

use std::net::SocketAddr;

use rcm::{
    Dns,
    engine::{model::Events, run::Cancel},
    resolver::Resolver,
};

use super::provision;
use crate::{
    args::{DnsArgs, Format, Globals},
    error::{CommandError, Exit},
    render::{dns, json},
    session::{Needs, Session},
    signals::{self, Stake},
    terminal,
};

pub(super) async fn run(globals: &Globals, args: &DnsArgs) -> Result<Exit, CommandError> {
    if !args.wait {
        signals::listen(Cancel::new(), Stake::new(false), |_| {})?;
        let session = open(globals).await?;
        let found = session.environment.dns(resolver(globals, &args.resolver).as_ref()).await;
        let found = found.map_err(|error| session.error(&error))?;
        show(globals, &session, &found)?;
        return Ok(if found.is_settled() { Exit::Done } else { Exit::Parked });
    }
    if !globals.yes && !terminal::can_ask() {
        return Err(CommandError::new(
            Exit::NotApproved,
            "there is no terminal to ask on once the certificate is there",
        )
        .hint(format!(
            "to go on then without being asked: {} --yes",
            crate::session::Next::of(globals).command("dns --wait")
        )));
    }
    match wait(globals, args).await? {
        Some(exit) => Ok(exit),
        None => provision::go_on(globals).await,
    }
}

/// How the command ends; `None` when there is nothing to wait for any more. The session ends here: the run opens its own.
async fn wait(globals: &Globals, args: &DnsArgs) -> Result<Option<Exit>, CommandError> {
    let session = open(globals).await?;
    let resolver = resolver(globals, &args.resolver);
    let mut told = Ok(());
    let tell = |found: &Dns| {
        if told.is_ok() {
            told = show(globals, &session, found);
        }
    };
    let last = tokio::select! {
        last = session.environment.wait_for_dns(resolver.as_ref(), args.timeout, tell) => last,
        () = signals::first() => {
            let again = session.next.command("dns --wait");
            return Err(CommandError::new(Exit::Stopped, "stopped; nothing was changed").hint(format!("to go on: {again}")));
        }
    };
    let last = last.map_err(|error| session.error(&error))?;
    told?;
    Ok(last.is_pending().then_some(Exit::Parked))
}

async fn open(globals: &Globals) -> Result<Session, CommandError> {
    let needs = Needs { verb: "dns", cloud: true, events: Events::none(), cancel: Cancel::new() };
    Session::open(globals, needs, |_| {}).await
}

/// Who is asked what the world sees. The world knows nothing of a sandbox, so there nobody is asked unless he is named.
pub(super) fn resolver(globals: &Globals, named: &[SocketAddr]) -> Option<Resolver> {
    match (named.is_empty(), globals.sandbox) {
        (false, _) => Some(Resolver::new(named.iter().copied())),
        (true, true) => None,
        (true, false) => {
            Some(Resolver::from_resolv_conf(&std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default()))
        }
    }
}

fn show(globals: &Globals, session: &Session, found: &Dns) -> Result<(), CommandError> {
    match globals.output {
        Format::Json => terminal::out(&json::line(found)),
        Format::Human => terminal::out(&dns::dns(found, &session.name(), &session.next)),
    }
}
