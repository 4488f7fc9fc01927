//! How what a test needs comes to its place below cargo's target directory.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::phase;

/// Where cargo builds, whoever configured it: the environment, `.cargo/config.toml` or nobody.
pub(crate) fn target_directory() -> Result<PathBuf, String> {
    let output = phase::cargo()
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(phase::root())
        .output()
        .map_err(|error| format!("cargo metadata does not start: {error}"))?;
    let metadata = String::from_utf8_lossy(&output.stdout);
    let path = metadata.split_once("\"target_directory\":\"").and_then(|(_, rest)| rest.split_once('"'));
    path.map(|(path, _)| PathBuf::from(path)).ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Puts what is finished in its place, where one that does not work any more makes way. Whoever comes second keeps the first one's.
///
/// # Errors
/// What is in the place afterwards does not work.
pub(crate) fn install(finished: &Path, home: &Path, works: fn(&Path) -> bool) -> Result<(), String> {
    if home.exists() && !works(home) {
        discard(home);
    }
    let renamed = fs::rename(finished, home);
    discard(finished);
    if works(home) { Ok(()) } else { Err(format!("{} does not work: {renamed:?}", home.display())) }
}

/// Removes a directory. What cannot be removed is in nobody's way: its name is never looked for.
pub(crate) fn discard(directory: &Path) {
    let _ = fs::remove_dir_all(directory);
}

/// Runs a program to its end.
///
/// # Errors
/// It does not start, or fails: with what it printed.
pub(crate) fn run<A: AsRef<OsStr>>(
    program: impl AsRef<OsStr>,
    arguments: impl IntoIterator<Item = A>,
) -> Result<(), String> {
    let mut command = Command::new(program);
    let output = command.args(arguments).output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!("{command:?} ended with {}\n{}", output.status, String::from_utf8_lossy(&said)))
}
