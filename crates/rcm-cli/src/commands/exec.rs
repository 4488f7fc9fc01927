//! `rcm exec`: a shell, or another command, in a container of the application.
//!
//! AWS's plug-in carries the session. rcm opens it and then becomes the plug-in: the terminal, its signals and the exit code are the
//! plug-in's, with nothing between.

use std::{
    env, fmt,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rcm::{
    ExecQuery, Place,
    engine::{model::Events, run::Cancel},
};
use serde_json::json;

use crate::{
    args::{ExecArgs, Globals},
    error::{CommandError, Exit},
    session::{Needs, Session, quoted},
    signals::{self, Stake},
    terminal,
};

/// What carries the session.
const PLUGIN: &str = "session-manager-plugin";
/// From where the plug-in takes what lets its bearer join the session, if its first argument is this name: other users of the machine see
/// arguments, and no environment.
const RESPONSE: &str = "AWS_SSM_START_SESSION_RESPONSE";
/// The newest version of the plug-in that takes it from its arguments alone.
const TELLS_ALL: [u64; 4] = [1, 2, 497, 0];
/// What runs if nothing is named.
const SHELL: &str = "/bin/sh";

pub(super) async fn run(globals: &Globals, args: &ExecArgs) -> Result<Exit, CommandError> {
    signals::listen(Cancel::new(), Stake::new(false), |_| {})?;
    let needs = Needs { verb: "exec", cloud: true, events: Events::none(), cancel: Cancel::new() };
    let session = Session::open(globals, needs, |_| {}).await?;
    let query = ExecQuery { task: args.task.clone(), container: args.container.clone() };
    let place = session.environment.place_for_session(&query).await.map_err(|error| session.error(&error))?;
    let plugin = plugin()?;
    let opened = session.environment.open_session(&place, &line(&args.command)).await;
    let opened = opened.map_err(|error| session.error(&error))?;
    let region = session.environment.config().aws_region.as_str().to_owned();
    // Here ends what is rcm's.
    drop(session);
    let Place { task, container, .. } = &place;
    terminal::tell(&format!("Session {} in the container {container} of the task {task}\n", opened.id));
    let error = joining(&plugin, &opened, &place, &region).exec();
    Err(CommandError::new(Exit::Failed, format!("{} does not start: {error}", plugin.display()))
        .hint("the session was opened, and ends by itself when nobody joins it"))
}

/// The plug-in, as it joins a session.
fn joining(plugin: &Path, session: &rcm::Session, place: &Place, region: &str) -> Command {
    let response = json!({
        "SessionId": session.id, "StreamUrl": session.stream_url, "TokenValue": session.token.expose()
    });
    let target = json!({"Target": place.target}).to_string();
    let mut command = Command::new(plugin);
    // No profile: what it asks of AWS (the session's key), it asks with the credentials that have opened the session.
    command.args([RESPONSE, region, "StartSession", "", &target, &session.endpoint]);
    command.env(RESPONSE, response.to_string());
    command.env_remove("AWS_PROFILE").env_remove("AWS_DEFAULT_PROFILE").env_remove("AWS_SESSION_TOKEN");
    command.env("AWS_ACCESS_KEY_ID", &session.keys.id).env("AWS_SECRET_ACCESS_KEY", session.keys.secret.expose());
    if let Some(token) = &session.keys.token {
        command.env("AWS_SESSION_TOKEN", token.expose());
    }
    command
}

/// The command as one line: the agent in the container takes it apart as a shell would.
fn line(words: &[String]) -> String {
    if words.is_empty() {
        return SHELL.to_owned();
    }
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// The plug-in on PATH, if it is new enough to be told a secret.
fn plugin() -> Result<PathBuf, CommandError> {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).map(|dir| dir.join(PLUGIN)).find(|file| file.is_file());
    let Some(plugin) = found else {
        return Err(CommandError::new(
            Exit::Failed,
            format!("{PLUGIN} is not in PATH: a program of AWS's that carries the session"),
        )
        .hint(how_to_get_it()));
    };
    let unusable = |why: &dyn fmt::Display| CommandError::new(Exit::Failed, format!("{}: {why}", plugin.display()));
    let said = Command::new(&plugin).arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output();
    let said = said.map_err(|error| unusable(&error).hint(how_to_get_it()))?;
    let version = String::from_utf8_lossy(&said.stdout).trim().to_owned();
    match numbers(&version) {
        Some(numbers) if numbers.as_slice() > TELLS_ALL.as_slice() => Ok(plugin),
        Some(_) => Err(unusable(&format_args!(
            "version {version} would show the session's token to everybody on this machine"
        ))
        .hint(format!("update it; {}", how_to_get_it()))),
        None => Err(unusable(&format_args!("it says no version but {version:?}")).hint(how_to_get_it())),
    }
}

/// `[1, 2, 707, 0]` of `1.2.707.0`.
fn numbers(version: &str) -> Option<Vec<u64>> {
    version.split('.').map(|number| number.parse().ok()).collect()
}

fn how_to_get_it() -> String {
    const GUIDE: &str =
        "https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-install-plugin.html";
    let here = match env::consts::OS {
        "macos" => "macOS: `brew install --cask session-manager-plugin`, or AWS's own package",
        "linux" => "Linux: AWS's package for Debian and Ubuntu (.deb) or for Amazon Linux, Fedora and RHEL (.rpm)",
        _ => "AWS's package for this system",
    };
    format!("install it ({here}): {GUIDE}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_words_and_nothing_is_a_shell() {
        let words = |words: &[&str]| line(&words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
        assert_eq!(words(&[]), "/bin/sh");
        assert_eq!(words(&["ls", "-l", "/tmp"]), "ls -l /tmp");
        assert_eq!(words(&["sh", "-c", "ls | wc -l"]), "sh -c 'ls | wc -l'");
        assert_eq!(words(&["echo", "it's", ""]), r"echo 'it'\''s' ''");
    }

    #[test]
    fn versions_are_compared_by_their_numbers() {
        let tells_all = |version: &str| numbers(version).map(|numbers| numbers.as_slice() <= TELLS_ALL.as_slice());
        assert_eq!(tells_all("1.2.497.0"), Some(true));
        assert_eq!(tells_all("1.2.99.0"), Some(true), "as numbers, not as text");
        assert_eq!(tells_all("1.2.536.0"), Some(false));
        assert_eq!(tells_all("1.10.0.0"), Some(false));
        assert_eq!(tells_all("unknown"), None);
    }
}
