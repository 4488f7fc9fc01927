//! `rcm secrets`: which there are, and giving one another value. No value is ever an argument, or printed.

use std::{
    io::{self, Read},
    sync::Arc,
};

use rcm::{
    Renewed, SecretInfo,
    aws::secret::Secret,
    engine::{model::Events, run::Cancel},
};
use serde_json::json;

use super::show::{Show, keep_telling};
use crate::{
    args::{Format, Globals, Secrets, SecretsVerb},
    error::{CommandError, Exit},
    render::{DIM, GREEN, count, json, paint, table::table},
    session::{Needs, Session},
    signals::{self, Stake},
    terminal,
};

pub(super) async fn run(globals: &Globals, args: &Secrets) -> Result<Exit, CommandError> {
    let result = match &args.verb {
        SecretsVerb::List => return list(globals).await,
        SecretsVerb::Rotate { name } => renew(globals, "secrets rotate", name, None).await,
        SecretsVerb::Set { name } => renew(globals, "secrets set", name, Some(read_value(name)?)).await,
    };
    if let Err(error) = &result
        && globals.output == Format::Json
    {
        terminal::out(&json::error(error))?;
    }
    result
}

async fn list(globals: &Globals) -> Result<Exit, CommandError> {
    signals::listen(Cancel::new(), Stake::new(false), |_| {})?;
    let needs = Needs { verb: "secrets list", cloud: true, events: Events::none(), cancel: Cancel::new() };
    let session = Session::open(globals, needs, |_| {}).await?;
    let secrets = session.environment.secrets().await.map_err(|error| session.error(&error))?;
    terminal::out(&match globals.output {
        Format::Json => json::line(&secrets),
        Format::Human => {
            let head = ["name", "version", "last changed", "", "ARN"].map(str::to_owned);
            let rows: Vec<_> = [head].into_iter().chain(secrets.iter().map(row)).collect();
            let total = format!("{} of {}; values are never shown", count(secrets.len(), "secret"), session.name());
            format!("{}{}\n", table("", &rows), paint(DIM, &total))
        }
    })?;
    Ok(Exit::Done)
}

fn row(secret: &SecretInfo) -> [String; 5] {
    let standing = match secret {
        SecretInfo { unfinished: true, .. } => "a change of it was cut off",
        SecretInfo { aws_rotation: true, .. } => "rotated by Secrets Manager",
        SecretInfo { derived: true, .. } => "changes with the password",
        _ => "",
    };
    [
        secret.name.clone(),
        secret.version_id.clone().unwrap_or_else(|| "none".to_owned()),
        secret.last_changed.map(|at| format!("{at:.0}")).unwrap_or_default(),
        standing.to_owned(),
        secret.arn.clone(),
    ]
}

async fn renew(globals: &Globals, verb: &'static str, name: &str, value: Option<Secret>) -> Result<Exit, CommandError> {
    let show = Arc::new(Show::new(globals.output));
    let cancel = Cancel::new();
    let (shown, said) = (Arc::clone(&show), Arc::clone(&show));
    signals::listen(cancel.clone(), Stake::new(true), move |line| said.say(line))?;
    let events = Events::to(move |event| shown.event(event));
    let session = Session::open(globals, Needs { verb, cloud: true, events, cancel }, |_| {}).await?;
    let next = session.next.command(&format!("{verb} {name}"));
    let rotates = value.is_none();
    if rotates && !globals.yes {
        confirm(name, &next)?;
    }
    tokio::spawn(keep_telling(Arc::clone(&show)));
    let environment = &session.environment;
    let result = match value {
        None => environment.rotate_secret(name).await,
        Some(value) => environment.set_secret(name, value).await,
    };
    show.finish();
    let renewed = result.map_err(|error| {
        let begun = matches!(error, rcm::Error::Aws(_));
        let error = session.error(&error);
        if begun && error.hint.is_none() { error.hint(unfinished(&next, &session)) } else { error }
    })?;
    terminal::out(&match globals.output {
        Format::Human => told(&renewed),
        Format::Json => json::line(&json!({ "event": "result", "outcome": "done", "exit_code": 0, "secret": renewed })),
    })?;
    Ok(Exit::Done)
}

fn unfinished(next: &str, session: &Session) -> String {
    format!(
        "what was begun is known: go on with it by the same command ({next}), or have what is current put back in force: {}",
        session.next.command("provision")
    )
}

fn told(renewed: &Renewed) -> String {
    let Renewed { name, version_id, previous_version_id, with, redeployed, .. } = renewed;
    let title = paint(GREEN.bold(), &format!("{name} has a new value: version {version_id}."));
    let mut text = format!("{title}\n");
    if let Some(previous) = previous_version_id {
        text.push_str(&format!("  The one before is AWSPREVIOUS: version {previous}\n"));
    }
    for address in with {
        text.push_str(&format!("  Changed with it: {address}\n"));
    }
    text.push_str(&match redeployed {
        Some(service) => format!("  The tasks of {service} were replaced and read it.\n"),
        None => "  There is no service whose tasks would have to read it.\n".to_owned(),
    });
    text
}

fn confirm(name: &str, next: &str) -> Result<(), CommandError> {
    if !terminal::can_ask() {
        return Err(CommandError::new(Exit::NotApproved, "there is no terminal to ask on; nothing was changed")
            .hint(format!("to go on without being asked: {next} --yes")));
    }
    terminal::tell(&format!(
        "{name} gets a new value, and the tasks are replaced that read it. Until that is done, tasks that run keep the old one.\n"
    ));
    let answer = tokio::task::block_in_place(|| terminal::ask("Go on? [y/N] "));
    if answer.is_some_and(|answer| ["y", "yes"].contains(&answer.to_lowercase().as_str())) {
        return Ok(());
    }
    Err(CommandError::new(Exit::NotApproved, "not approved; nothing was changed"))
}

/// From a terminal without showing it, or all of the standard input but for the end of its last line.
fn read_value(name: &str) -> Result<Secret, CommandError> {
    let unread = |error: io::Error| CommandError::new(Exit::Failed, format!("the value cannot be read: {error}"));
    if terminal::can_ask() {
        return terminal::ask_hidden(&format!("New value of {name} (not shown): ")).map(Secret::new).map_err(unread);
    }
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).map_err(unread)?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Secret::new(text.strip_suffix('\r').unwrap_or(text)))
}
