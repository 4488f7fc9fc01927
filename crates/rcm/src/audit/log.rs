//! The log as it is kept: lines, their hashes, and the head beside them.

use std::io;

use rcm_engine::store::{Document, Store};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Acceptance, AuditError, Entry};

/// What the first line follows.
pub(super) const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One line, as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// What it tells.
    #[serde(flatten)]
    pub entry: Entry,
    /// The hash of the line before.
    pub previous: String,
    /// The hash of this line's text without this field.
    pub hash: String,
}

/// A line before it has its hash.
#[derive(Serialize)]
struct Bare<'a> {
    #[serde(flatten)]
    entry: &'a Entry,
    previous: &'a str,
}

/// How far the log was when this was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    /// How many lines.
    pub(super) lines: usize,
    /// The hash of the last of them.
    pub(super) hash: String,
}

/// The log of one environment.
#[derive(Debug, Clone)]
pub(crate) struct AuditLog {
    pub(super) store: Store,
}

/// What stands in the log.
pub(super) struct Text {
    /// All of it, the last line finished or not.
    pub(super) bytes: Vec<u8>,
    /// How many bytes are finished lines.
    pub(super) whole: usize,
}

impl Text {
    /// The finished lines, without their ends.
    pub(super) fn lines(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.bytes[..self.whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
    }

    /// How many bytes a line has that was never finished.
    pub(super) fn torn(&self) -> u64 {
        u64::try_from(self.bytes.len() - self.whole).unwrap_or(u64::MAX)
    }
}

impl AuditLog {
    /// The log in this store, which need not be there yet.
    pub(crate) fn of(store: Store) -> Self {
        Self { store }
    }

    /// What was accepted so far, the oldest first. Every line is checked.
    pub(crate) fn acceptances(&self) -> Result<Vec<Acceptance>, AuditError> {
        let accepted = |line: Line| match line.entry {
            Entry::AcceptedRisk(acceptance) => Some(acceptance),
            _ => None,
        };
        Ok(self.checked()?.into_iter().filter_map(accepted).collect())
    }

    /// All lines, if none was changed.
    pub(super) fn checked(&self) -> Result<Vec<Line>, AuditError> {
        let text = self.text()?;
        let (mut lines, mut previous) = (Vec::new(), NOTHING.to_owned());
        for (at, text) in text.lines().enumerate() {
            let line = read(text).and_then(|line| follows(&line, &previous).map(|()| line));
            let line = line.map_err(|why| AuditError::Changed { path: self.store.audit_path(), line: at + 1, why })?;
            previous.clone_from(&line.hash);
            lines.push(line);
        }
        Ok(lines)
    }

    /// All lines that can be read, changed or not.
    pub(crate) fn readable(&self) -> Result<Vec<Line>, AuditError> {
        Ok(self.text()?.lines().filter_map(|text| serde_json::from_slice(text).ok()).collect())
    }

    /// All of it; nothing if it is not there.
    pub(super) fn text(&self) -> Result<Text, AuditError> {
        let bytes = self.read(&Document::Audit)?.unwrap_or_default();
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        Ok(Text { bytes, whole })
    }

    /// How far it was when a run last began or ended; `None` where nothing says so that can be read.
    pub(super) fn head(&self) -> Result<Option<Head>, AuditError> {
        let bytes = self.read(&Document::AuditHead)?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    pub(super) fn write_head(&self, head: &Head, token: u64) -> Result<(), AuditError> {
        let mut text = serde_json::to_vec(head).map_err(|error| self.broken(error.into()))?;
        text.push(b'\n');
        let written = self.store.backend().replace(self.store.owner(), &Document::AuditHead, &text, token);
        written.map_err(|source| self.unusable(&Document::AuditHead, source))
    }

    fn read(&self, document: &Document) -> Result<Option<Vec<u8>>, AuditError> {
        let read = self.store.backend().read(self.store.owner(), document);
        read.map_err(|source| self.unusable(document, source))
    }

    fn unusable(&self, document: &Document, source: io::Error) -> AuditError {
        AuditError::Io { path: self.store.backend().locate(self.store.owner(), document), source }
    }

    pub(super) fn broken(&self, source: io::Error) -> AuditError {
        self.unusable(&Document::Audit, source)
    }
}

/// The line of `entry`, with its end, and its hash.
pub(super) fn written(entry: &Entry, previous: &str) -> serde_json::Result<(String, String)> {
    let bare = serde_json::to_string(&Bare { entry, previous })?;
    let hash = digest(bare.as_bytes());
    let open = bare.strip_suffix('}').unwrap_or(&bare);
    Ok((format!("{open},\"hash\":\"{hash}\"}}\n"), hash))
}

/// Reads a line whose hash is that of its text. A newer rcm's line has a hash too, whatever it tells.
pub(super) fn read(text: &[u8]) -> Result<Line, String> {
    let line: Line = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let end = format!(",\"hash\":\"{}\"}}", line.hash);
    let open = text.strip_suffix(end.as_bytes()).ok_or_else(|| "it does not end with its hash".to_owned())?;
    let bare = [open, b"}"].concat();
    if digest(&bare) == line.hash { Ok(line) } else { Err("its hash is not that of what it says".to_owned()) }
}

pub(super) fn follows(line: &Line, previous: &str) -> Result<(), String> {
    if line.previous == previous {
        return Ok(());
    }
    Err("the line before it is not the one that it follows".to_owned())
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
