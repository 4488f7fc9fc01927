//! The audit log: who had what done to an environment, and what AWS answered, a line of JSON each, beside the state.
//!
//! Lines are only ever added, by whoever holds the lock. Each holds the hash of the one before, so that a line that was changed,
//! moved, or taken out from between others is found. What was cut off at the end is found by three things beside it: the head
//! (`….audit.head.json`), which says how far the log once was; the serial of the state, which each run notes when it begins; and
//! the end that each run writes. Whoever may write all of these can make all of them agree: the log shows accidents and
//! clumsiness, and proves nothing against the one who keeps it. CloudTrail has the same requests under the same ids.
//!
//! A line says what was asked of AWS and how that ended, and never what was in the request.

mod log;
mod verify;
mod writer;

use std::{collections::BTreeMap, io, path::PathBuf};

use jiff::Timestamp;
use rcm_engine::model::Address;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(crate) use log::AuditLog;
pub use log::Line;
pub use verify::{Problem, Verified};
pub(crate) use writer::Writer;

/// What a line tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case")]
pub enum Entry {
    /// Somebody has accepted that a control is not met.
    AcceptedRisk(Acceptance),
    /// A run begins.
    RunBegan(Began),
    /// A run has sent a request that changes something.
    Call(Called),
    /// A session in a container was opened.
    SessionOpened(Opened),
    /// A run has ended.
    RunEnded(Ended),
    /// What a process that died has left was found and mended.
    Mended(Mended),
    /// The log was not as its head says: something is missing before this line.
    Gap(Gap),
    /// A newer rcm's.
    #[serde(other)]
    Unknown,
}

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

/// A run begins: anything that may change the cloud, or what rcm knows of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Began {
    /// Its name in all of its lines.
    pub run: String,
    /// When.
    pub at: Timestamp,
    /// What is done (`provision`, `state mv`).
    pub verb: String,
    /// The command, as far as the next one needs it.
    pub command: String,
    /// Who, on this machine.
    pub user: String,
    /// The machine.
    pub host: String,
    /// Who, for AWS: the ARN of the user or assumed role; `None` where AWS is not asked.
    pub identity: Option<String>,
    /// The AWS account.
    pub account: String,
    /// The region.
    pub region: String,
    /// The version of rcm.
    pub version: String,
    /// The lineage of the state that it begins with; `None` where that cannot be read.
    pub lineage: Option<Uuid>,
    /// The serial of that state. A run makes at most the next one.
    pub serial: Option<u64>,
}

/// A request that changes something, or would have. Each attempt has a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Called {
    /// The run.
    pub run: String,
    /// When it was sent.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// The node that it was sent for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// The service, by the name in its signature.
    pub service: String,
    /// The API's name of the operation.
    pub operation: String,
    /// The HTTP status; `None` without an answer, and then it may have been executed or not.
    pub status: Option<u16>,
    /// The AWS error code of a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// AWS's name for the request, which CloudTrail has too.
    pub request_id: Option<String>,
}

/// A session in a container was opened. What is done in it is in the log group of sessions, and not here: a command may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// The run that has opened it, which says who.
    pub run: String,
    /// When.
    pub at: Timestamp,
    /// AWS's name for the session, which its log has too.
    pub session: String,
    /// The task.
    pub task: String,
    /// The container.
    pub container: String,
}

/// A run has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The run.
    pub run: String,
    /// When.
    pub at: Timestamp,
    /// How: `done`, `parked`, `cancelled`, `kept`, `rolled-back`, `interrupted`, `stuck`, `declined`, `refused`, `failed`.
    pub outcome: String,
    /// How many resources were to be created, updated, replaced, deleted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counts: BTreeMap<String, usize>,
    /// How many requests that change something were sent.
    pub calls: usize,
}

/// What a process that died has left was found and mended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mended {
    /// When.
    pub at: Timestamp,
    /// The run that has found it.
    pub by: String,
    /// The run that has no end, if there is one.
    pub run: Option<String>,
    /// What that run was working on when it was cut off: requests for these may have been executed that have no line.
    pub under_way: Vec<Address>,
    /// How many bytes of a line that was never finished were taken away.
    pub torn_bytes: u64,
}

/// The log was not as its head says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// When that was found.
    pub at: Timestamp,
    /// The run that has found it.
    pub by: String,
    /// What is wrong.
    pub why: String,
}

impl Entry {
    /// The run that the line is of.
    pub fn run(&self) -> Option<&str> {
        match self {
            Self::RunBegan(Began { run, .. })
            | Self::Call(Called { run, .. })
            | Self::SessionOpened(Opened { run, .. })
            | Self::RunEnded(Ended { run, .. }) => Some(run),
            Self::Mended(Mended { by, .. }) | Self::Gap(Gap { by, .. }) => Some(by),
            Self::AcceptedRisk(_) | Self::Unknown => None,
        }
    }
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
