//! `rcm open`: where a browser finds the environment.

use std::{
    env,
    process::{Command, Stdio},
};

use rcm::Link;

use crate::{
    args::{Format, Globals, OpenArgs},
    error::{CommandError, Exit},
    render::{json, table::table},
    session::{Needs, Session},
    terminal,
};

pub(super) async fn run(globals: &Globals, args: &OpenArgs) -> Result<Exit, CommandError> {
    if args.browser && !terminal::shows_screens() {
        return Err(CommandError::new(Exit::Usage, "there is no terminal, so nobody who would see a browser")
            .hint("without --browser the URLs are printed"));
    }
    let session = Session::open(globals, Needs::state_only("open"), |_| {}).await?;
    let mut links = session.environment.links().map_err(|error| session.error(&error))?;
    if let Some(place) = args.place {
        links.retain(|link| link.name == place.name());
    }
    if links.is_empty() {
        return Err(CommandError::new(Exit::Failed, format!("{} has nothing of that to open", session.name()))
            .hint(format!("what there is: {}", session.next.command("open"))));
    }
    terminal::out(&match (globals.output, args.place) {
        (Format::Json, _) => json::line(&links),
        (Format::Human, Some(_)) => links.iter().map(|link| format!("{}\n", link.url)).collect(),
        (Format::Human, None) => {
            let rows: Vec<[String; 2]> = links.iter().map(|link| [link.name.to_owned(), link.url.clone()]).collect();
            table("  ", &rows)
        }
    })?;
    match links.first() {
        Some(link) if args.browser => browse(link),
        _ => Ok(Exit::Done),
    }
}

/// Starts whatever opens URLs here, with the URL as one argument and no shell between.
fn browse(link: &Link) -> Result<Exit, CommandError> {
    let usual = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let named = env::var_os("BROWSER").filter(|named| !named.is_empty());
    let program = named.unwrap_or_else(|| usual.into());
    let failed = |why: String| {
        CommandError::new(Exit::Failed, format!("{} does not open it: {why}", program.to_string_lossy()))
            .hint("open the URL yourself, or name a browser in BROWSER")
    };
    let mut browser = Command::new(&program);
    browser.arg(&link.url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let status = browser.status().map_err(|error| failed(error.to_string()))?;
    if status.success() { Ok(Exit::Done) } else { Err(failed(status.to_string())) }
}
