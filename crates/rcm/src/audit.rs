//! The audit log: what was decided and by whom, a line of JSON each, beside the state.
//!
//! Lines are only ever added. Each holds the hash of the one before, so that a line that was changed, or taken out from between
//! others, is found.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What the first line follows.
const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Somebody has accepted that a control is not met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acceptance {
    /// When.
    pub at: Timestamp,
    /// Who, on this machine.
    pub user: String,
    /// Who, for AWS: the ARN of the user or assumed role.
    pub identity: String,
    /// The control.
    pub control: String,
    /// Where it is not met: addresses, none where something is missing.
    pub resources: Vec<String>,
    /// Why that is accepted.
    pub reason: String,
}

/// One line.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    #[serde(flatten)]
    entry: Entry,
    /// The hash of the line before.
    previous: String,
    /// The hash of this line without this field.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    hash: String,
}

/// What a line tells.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case")]
enum Entry {
    AcceptedRisk(Acceptance),
}

/// Why the log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The disk.
    #[error("the audit log {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A line is not as it was written, or one is missing before it.
    #[error("{}:{line}: the audit log was changed: {why}", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What shows it.
        why: String,
    },
}

/// The log of one environment.
pub(crate) struct AuditLog {
    path: PathBuf,
}

impl AuditLog {
    /// The log in this file, which need not be there yet.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Adds what was accepted, and returns when it is on the disk.
    pub(crate) fn accept(&self, acceptances: Vec<Acceptance>) -> Result<(), AuditError> {
        let mut previous = self.lines()?.last().map_or_else(|| NOTHING.to_owned(), |line| line.hash.clone());
        let mut text = String::new();
        for acceptance in acceptances {
            let mut line = Line { entry: Entry::AcceptedRisk(acceptance), previous, hash: String::new() };
            line.hash = line.digest().map_err(|error| self.broken(error.into()))?;
            text.push_str(&serde_json::to_string(&line).map_err(|error| self.broken(error.into()))?);
            text.push('\n');
            previous = line.hash;
        }
        append(&self.path, text.as_bytes()).map_err(|error| self.broken(error))
    }

    /// What was accepted so far, the oldest first. Every line is checked.
    pub(crate) fn acceptances(&self) -> Result<Vec<Acceptance>, AuditError> {
        let entries = self.lines()?.into_iter().map(|line| line.entry);
        Ok(entries.map(|Entry::AcceptedRisk(acceptance)| acceptance).collect())
    }

    fn lines(&self) -> Result<Vec<Line>, AuditError> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.broken(error)),
        };
        let (mut lines, mut previous) = (Vec::new(), NOTHING.to_owned());
        // A last line without its end was being written when the process died, and what it tells did not happen.
        for (at, text) in text.split_inclusive('\n').filter(|line| line.ends_with('\n')).enumerate() {
            let line = checked(text, &previous).map_err(|why| self.changed(at + 1, why))?;
            previous.clone_from(&line.hash);
            lines.push(line);
        }
        Ok(lines)
    }

    fn broken(&self, source: io::Error) -> AuditError {
        AuditError::Io { path: self.path.clone(), source }
    }

    fn changed(&self, line: usize, why: String) -> AuditError {
        AuditError::Changed { path: self.path.clone(), line, why }
    }
}

impl Line {
    fn digest(&self) -> serde_json::Result<String> {
        let bare = Self { hash: String::new(), previous: self.previous.clone(), entry: self.entry.clone() };
        let digest = Sha256::digest(serde_json::to_vec(&bare)?);
        Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

fn checked(text: &str, previous: &str) -> Result<Line, String> {
    let line: Line = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if line.previous != previous {
        return Err("the line before it is not the one that it follows".to_owned());
    }
    let digest = line.digest().map_err(|error| error.to_string())?;
    if line.hash == digest { Ok(line) } else { Err("its hash is not that of what it says".to_owned()) }
}

/// Adds whole lines to a file, after cutting off one that was never finished, and waits for the disk.
fn append(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let whole = std::fs::read(path)?;
    let end = whole.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    if end < whole.len() {
        file.set_len(u64::try_from(end).unwrap_or(u64::MAX))?;
    }
    file.write_all(bytes)?;
    file.sync_all()?;
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(control: &str) -> Acceptance {
        Acceptance {
            at: Timestamp::UNIX_EPOCH,
            user: "tester".into(),
            identity: "arn:aws:iam::123456789012:user/tester".into(),
            control: control.into(),
            resources: vec!["database/instance".into()],
            reason: "a test".into(),
        }
    }

    fn log() -> (tempfile::TempDir, AuditLog) {
        let dir = tempfile::tempdir().unwrap();
        let log = AuditLog::at(dir.path().join("prod.audit.jsonl"));
        (dir, log)
    }

    fn rewritten(log: &AuditLog, change: impl Fn(&str) -> String) {
        let text = std::fs::read_to_string(&log.path).unwrap();
        rcm_engine::store::write_atomically(&log.path, change(&text).as_bytes()).unwrap();
    }

    #[test]
    fn what_was_accepted_is_told_in_its_order() {
        let (_dir, log) = log();
        assert!(log.acceptances().unwrap().is_empty());
        log.accept(vec![accepted("a"), accepted("b")]).unwrap();
        log.accept(vec![accepted("c")]).unwrap();
        assert_eq!(log.acceptances().unwrap(), [accepted("a"), accepted("b"), accepted("c")]);
    }

    #[test]
    fn a_line_that_was_changed_or_taken_out_is_found() {
        let three = || vec![accepted("a"), accepted("b"), accepted("c")];
        let (_dir, changed) = log();
        changed.accept(three()).unwrap();
        rewritten(&changed, |text| text.replacen("a test", "no test", 1));
        assert!(changed.acceptances().unwrap_err().to_string().contains(":1: the audit log was changed"));

        let (_dir, missing) = log();
        missing.accept(three()).unwrap();
        rewritten(&missing, |text| {
            let lines: Vec<&str> = text.lines().collect();
            format!("{}\n{}\n", lines[0], lines[2])
        });
        assert!(missing.acceptances().unwrap_err().to_string().contains(":2: the audit log was changed"));
        assert!(missing.accept(three()).is_err(), "nothing is added to a log that was changed");
    }

    #[test]
    fn a_line_that_was_never_finished_is_as_none() {
        let (_dir, log) = log();
        log.accept(vec![accepted("a")]).unwrap();
        rewritten(&log, |text| format!("{text}{}", &text[..text.len() / 2]));
        assert_eq!(log.acceptances().unwrap(), [accepted("a")]);
        log.accept(vec![accepted("b")]).unwrap();
        assert_eq!(log.acceptances().unwrap(), [accepted("a"), accepted("b")]);
    }
}
