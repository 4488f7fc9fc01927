//! `rcm state`: what rcm knows to exist.

mod rebuild;

use rcm::engine::{
    model::Address,
    run::Cancel,
    store::{Phase, Record, State as Known},
};
use serde_json::json;

use crate::{
    args::{Format, Globals, State, StateVerb},
    error::{CommandError, Exit},
    render::{DIM, count, json as lines, paint, table::table},
    session::{Needs, Session},
    signals::{self, Stake},
    terminal,
};

pub(super) async fn run(globals: &Globals, args: &State) -> Result<Exit, CommandError> {
    let verb = match &args.verb {
        StateVerb::List => "state list",
        StateVerb::Show { .. } => "state show",
        StateVerb::Rm { .. } => "state rm",
        StateVerb::Mv { .. } => "state mv",
        StateVerb::Rebuild { .. } => "state rebuild",
        StateVerb::Unlock => "state unlock",
    };
    let cloud = matches!(args.verb, StateVerb::Mv { .. } | StateVerb::Rebuild { .. });
    signals::listen(Cancel::new(), Stake::new(cloud), |_| {})?;
    let session = Session::open(globals, Needs { cloud, ..Needs::state_only(verb) }, |_| {}).await?;
    match &args.verb {
        StateVerb::List => list(&session, globals.output),
        StateVerb::Show { address } => show(&session, address),
        StateVerb::Rm { address } => remove(&session, globals, address).await,
        StateVerb::Mv { from, to } => rename(&session, globals.output, from, to).await,
        StateVerb::Rebuild { force } => rebuild::run(&session, globals.output, *force).await,
        StateVerb::Unlock => unlock(&session).await,
    }
}

fn known(session: &Session) -> Result<Known, CommandError> {
    session.environment.state().map_err(|error| session.error(&error))
}

fn list(session: &Session, format: Format) -> Result<Exit, CommandError> {
    let state = known(session)?;
    if format == Format::Json {
        let row = |record: &Record| {
            json!({
                "address": record.address, "kind": record.kind, "id": record.id, "generation": record.generation,
                "phase": record.phase, "retained": record.retained,
            })
        };
        terminal::out(&lines::line(&state.records().map(row).collect::<Vec<_>>()))?;
        return Ok(Exit::Done);
    }
    let rows: Vec<[String; 4]> = state.records().map(|record| row(&state, record)).collect();
    let total = count(rows.len(), "resource");
    let deployment = &state.deployment;
    let place = format!("{total} of {} in account {}, {}", session.name(), deployment.account, deployment.region);
    terminal::out(&format!("{}{}\n", table("", &rows), paint(DIM, &format!("{place}; state {}", state.serial))))?;
    Ok(Exit::Done)
}

fn row(state: &Known, record: &Record) -> [String; 4] {
    let id = record.id.as_ref().map_or("(not known)".to_owned(), ToString::to_string);
    [record.address.to_string(), record.kind.clone(), id, standing(state, record).to_owned()]
}

fn standing(state: &Known, record: &Record) -> &'static str {
    let current = state.resources.get(&record.address).is_some_and(|now| now.generation == record.generation);
    match (current, record.phase) {
        (false, _) => "predecessor",
        _ if record.retained => "kept by destroy",
        (_, Phase::Creating) => "being created",
        (_, Phase::Updating) => "being updated",
        (_, Phase::Deleting) => "being deleted",
        (_, Phase::Ready) => "",
    }
}

fn show(session: &Session, address: &Address) -> Result<Exit, CommandError> {
    let state = known(session)?;
    let record = state.resources.get(address).ok_or_else(|| not_there(session, address))?;
    let text = serde_json::to_string_pretty(record)
        .map_err(|error| CommandError::new(Exit::Failed, format!("the record cannot be written: {error}")))?;
    terminal::out(&(text + "\n"))?;
    Ok(Exit::Done)
}

fn not_there(session: &Session, address: &Address) -> CommandError {
    session.error(&rcm::Error::NotInState(address.clone()))
}

async fn remove(session: &Session, globals: &Globals, address: &Address) -> Result<Exit, CommandError> {
    let state = known(session)?;
    let record = state.resources.get(address).ok_or_else(|| not_there(session, address))?;
    let id = record.id.as_ref().map_or("its id is not known".to_owned(), ToString::to_string);
    let warning = format!(
        "{address} ({id}) stays in AWS, costs what it costs, and rcm will not know it any more: \
         the next provision makes another one, or finds that its name is taken.\n"
    );
    if !globals.yes {
        confirm(session, address, &warning)?;
    }
    session.environment.forget(address).await.map_err(|error| session.error(&error))?;
    if globals.output == Format::Json {
        terminal::out(&lines::line(&json!({ "forgotten": address, "id": record.id })))?;
    } else {
        terminal::out(&format!("forgot {address} ({id}); it still exists in AWS\n"))?;
    }
    Ok(Exit::Done)
}

fn confirm(session: &Session, address: &Address, warning: &str) -> Result<(), CommandError> {
    if !terminal::can_ask() {
        return Err(CommandError::new(Exit::NotApproved, "there is no terminal to ask on; nothing was changed").hint(
            format!("to go on without being asked: {} --yes", session.next.command(&format!("state rm {address}"))),
        ));
    }
    terminal::tell(warning);
    let answer = tokio::task::block_in_place(|| terminal::ask("Forget it? [y/N] "));
    if answer.is_some_and(|answer| ["y", "yes"].contains(&answer.to_lowercase().as_str())) {
        return Ok(());
    }
    Err(CommandError::new(Exit::NotApproved, "not approved; nothing was changed"))
}

async fn rename(session: &Session, format: Format, from: &Address, to: &Address) -> Result<Exit, CommandError> {
    session.environment.rename(from, to).await.map_err(|error| session.error(&error))?;
    match format {
        Format::Json => terminal::out(&lines::line(&json!({ "from": from, "to": to })))?,
        Format::Human => terminal::out(&format!("{from} is {to} now, in the state and in its tags\n"))?,
    }
    Ok(Exit::Done)
}

async fn unlock(session: &Session) -> Result<Exit, CommandError> {
    session.environment.lock_is_free().await.map_err(|error| {
        session.error(&error).hint(
            "the operating system holds the lock for that process and frees it when the process ends, however it ends: \
             let it finish, or stop it (Ctrl-C, or kill with its process number); what it was doing is in the journal",
        )
    })?;
    terminal::out("the lock is free: it ends with the process that holds it, so there is never one to break\n")?;
    Ok(Exit::Done)
}
