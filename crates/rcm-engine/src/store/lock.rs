//! The lock: one run at a time on a deployment.
//!
//! The operating system holds it for the process (`flock`), so a dead process cannot leave it behind. The file says who
//! holds it; what it says means nothing once the lock is free.

use std::{
    fmt,
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The user's login name.
    pub user: String,
    /// The machine.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// Since when.
    pub since: Timestamp,
    /// What it runs.
    pub command: String,
}

impl Holder {
    /// This process, about to run `command` for `user`.
    pub fn this_process(user: impl Into<String>, command: impl Into<String>) -> Self {
        let host = hostname::get().map_or_else(|_| "unknown".to_owned(), |name| name.to_string_lossy().into_owned());
        Self { user: user.into(), host, pid: std::process::id(), since: Timestamp::now(), command: command.into() }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, host, pid, since, command } = self;
        write!(f, "{user}@{host}, process {pid}, `{command}`, since {since:.0}")
    }
}

/// A held lock. Free again when dropped, or when the process ends in any way.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// How a lock could not be had.
#[derive(Debug)]
pub(super) enum Refused {
    /// Somebody holds it; who, if the file says so.
    Held(Option<Holder>),
    /// The file cannot be used.
    Io(io::Error),
}

impl Lock {
    /// Takes the lock at `path` for `holder`, or says who has it.
    pub(super) fn take(path: &Path, holder: &Holder) -> Result<Self, Refused> {
        let mut file =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path).map_err(Refused::Io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Refused::Held(read_holder(&mut file))),
            Err(TryLockError::Error(error)) => return Err(Refused::Io(error)),
        }
        write_holder(&mut file, holder).map_err(Refused::Io)?;
        Ok(Self { _file: file })
    }
}

fn read_holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn write_holder(file: &mut File, holder: &Holder) -> io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&serde_json::to_vec(holder)?)
}
