//! `rcm state rebuild`: makes a lost state again.

use std::path::PathBuf;

use rcm::engine::{
    model::Address,
    plan::{Added, Rebuilt},
};
use serde_json::json;

use crate::{
    args::Format,
    error::{CommandError, Exit},
    render::{BOLD, GREEN, count, json as lines, paint},
    session::Session,
    terminal,
};

pub(super) async fn run(session: &Session, format: Format, force: bool) -> Result<Exit, CommandError> {
    let (rebuilt, backup) = session.environment.rebuild(force).await.map_err(|error| session.error(&error))?;
    terminal::out(&match format {
        Format::Json => as_json(&rebuilt, backup),
        Format::Human => as_text(session, &rebuilt, backup),
    })?;
    Ok(Exit::Done)
}

fn as_json(rebuilt: &Rebuilt, backup: Option<PathBuf>) -> String {
    lines::line(&json!({
        "resources": rebuilt.state.records().count(), "missing": rebuilt.missing, "unwanted": rebuilt.unwanted,
        "unplaced": rebuilt.unplaced, "backup": backup,
    }))
}

fn as_text(session: &Session, rebuilt: &Rebuilt, backup: Option<PathBuf>) -> String {
    let found = count(rebuilt.state.records().count(), "resource");
    let title = paint(GREEN.bold(), &format!("Made the state of {} again: {found} found.", session.name()));
    let mut text = format!("{title} Nothing was changed in AWS.\n");
    if let Some(backup) = backup {
        text.push_str(&format!("The old state is now {}\n", backup.display()));
    }
    let names = |addresses: &[Address]| addresses.iter().map(|address| format!("  {address}\n")).collect::<String>();
    let unplaced = |Added { kind, owned }: &Added| {
        let address = owned.address.as_ref().map_or("no address", |address| address.as_str());
        format!("  {kind} {} ({address} in its tags)\n", owned.id)
    };
    let sections = [
        ("Not there: the next provision makes it", names(&rebuilt.missing)),
        ("Not in the partner file: the next provision takes it away", names(&rebuilt.unwanted)),
        ("With our tags, and not in the state", rebuilt.unplaced.iter().map(unplaced).collect()),
    ];
    for (title, lines) in sections.into_iter().filter(|(_, lines)| !lines.is_empty()) {
        text.push_str(&format!("\n{}\n{lines}", paint(BOLD, title)));
    }
    text + &format!("  = next: see what differs: {}\n", session.next.command("plan --refresh full"))
}
