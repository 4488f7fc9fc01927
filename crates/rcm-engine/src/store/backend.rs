//! Where documents and leases are kept: the one seam between what rcm writes down and the place that it is written to.
//!
//! What is in the documents, which journal continues which snapshot, formats and their migrations, and what is a broken line are
//! decided above it, in one place. A backend keeps bytes, in order, and says whose turn it is. [`conformance`](super::conformance)
//! holds one to what is said here.

use std::{fmt, io, path::PathBuf, sync::Arc, time::SystemTime};

use super::{Holder, Lease};

/// Whose documents: an environment of a partner. A lease is for one of these.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner {
    /// The partner's name, as the partner file's.
    pub partner: String,
    /// The environment's.
    pub environment: String,
}

impl Owner {
    /// `environment` of `partner`.
    pub fn new(partner: impl Into<String>, environment: impl Into<String>) -> Self {
        Self { partner: partner.into(), environment: environment.into() }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.partner, self.environment)
    }
}

/// Everything that is kept of one owner. As text, a name that is unlike every other's: what stands behind `prod.` in a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Document {
    /// The last snapshot of the state, some 100 KiB of JSON.
    State,
    /// What was done since: lines of JSON, there only while a run is unfinished.
    Journal,
    /// The audit log: lines of JSON, kept for ever.
    Audit,
    /// How far the audit log was when a run last began or ended.
    AuditHead,
    /// What the lease is kept in, where that is a document. rcm neither reads nor writes it, and only names it.
    Lock,
    /// A copy of what a snapshot of another format, or another state, has taken the place of.
    Backup {
        /// Of what.
        of: Copied,
        /// The serial of the state, or `damaged`.
        serial: String,
        /// From 1: which of several different ones of that serial.
        number: u32,
    },
    /// A certificate of destruction.
    Certificate {
        /// `destroyed-` and an instant.
        name: String,
        /// `json` or `txt`.
        format: &'static str,
    },
}

/// What there are copies of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Copied {
    /// [`Document::State`].
    State,
    /// [`Document::Journal`].
    Journal,
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State => f.write_str("json"),
            Self::Journal => f.write_str("journal.jsonl"),
            Self::Audit => f.write_str("audit.jsonl"),
            Self::AuditHead => f.write_str("audit.head.json"),
            Self::Lock => f.write_str("lock"),
            Self::Backup { of, serial, number } => {
                let of = match of {
                    Copied::State => Self::State,
                    Copied::Journal => Self::Journal,
                };
                write!(f, "{of}.backup-{serial}")?;
                if *number > 1 { write!(f, "-{number}") } else { Ok(()) }
            }
            Self::Certificate { name, format } => write!(f, "{name}.{format}"),
        }
    }
}

/// A place that keeps documents and leases: a directory, a database, a bucket. One is for all owners, and may be shared by any
/// number of [`Store`](super::Store)s and processes.
///
/// # Whole and durable
/// When a call that changes something returns `Ok`, the change outlives this process and this machine, and every reader sees it,
/// on whichever machine. When it returns an error, or the process dies in it, the change has happened or not, but never half,
/// unless it says otherwise below. rcm does not send a request to the cloud before the line that announces it is durable, so a
/// backend that is late with its truth loses resources.
///
/// # Fencing
/// [`State`](Document::State) and [`Journal`](Document::Journal) are changed only under a lease, while what [`Lease::hold`] has
/// returned is alive; and every change says its lease's `token`. After somebody else has taken the lease, a change of these by whoever had
/// it must not happen: not even one that was sent before and arrives late. One of two things will do. Either nobody can take a
/// lease while it is held (a row that is locked), or a change is refused whose token is smaller than the greatest that was given
/// (a condition of the write). The audit log is written without `hold`, so that only the second keeps a process that stood still from
/// leaving a line among those of others; where it does, whoever checks the log is told.
///
/// # Threads
/// Calls come from any thread, and for different owners at the same time. For one owner, reads come at any time; changes come one
/// after another for as long as the lease is kept, but for those of a process that has lost it.
///
/// Calls may block: operations of the crate `rcm` make them on threads that are made for that
/// ([`spawn_blocking`](tokio::task::spawn_blocking)), so that an asynchronous client may be waited for by
/// [`Handle::block_on`](tokio::runtime::Handle::block_on). What is not `async` there (`Environment::state`, `history`) calls on the
/// thread that it is called on. On a runtime's own threads come [`Lease::check`], which is to answer from what is known here, and the
/// drop of a lease where a run is dropped or never begins, which is to leave what takes time to somebody else. [`Lease::renew`] comes
/// on a thread of its own.
pub trait Backend: fmt::Debug + Send + Sync {
    /// All of a document as it is now; `None` if it is not there.
    fn read(&self, owner: &Owner, document: &Document) -> io::Result<Option<Vec<u8>>>;

    /// Whether a document is there.
    fn exists(&self, owner: &Owner, document: &Document) -> io::Result<bool> {
        Ok(self.read(owner, document)?.is_some())
    }

    /// Puts `bytes` in the place of a document, there or not. A reader sees all of the old or all of the new.
    fn replace(&self, owner: &Owner, document: &Document, bytes: &[u8], token: u64) -> io::Result<()>;

    /// Writes a document that is not there yet; `false` if it is, and then it stays as it is.
    ///
    /// For copies and certificates, which never change: so no token is needed. Copies are made under a lease; two that file one
    /// certificate at the same time have the same to say.
    fn create(&self, owner: &Owner, document: &Document, bytes: &[u8]) -> io::Result<bool>;

    /// Begins to add lines to a document, there or not, after its first `whole` bytes. What is behind them, half a line that a dead
    /// process has left, is gone when this returns.
    fn extend(&self, owner: &Owner, document: &Document, whole: u64, token: u64) -> io::Result<Arc<dyn Tail>>;

    /// Takes a document away. One that is not there is no error.
    fn remove(&self, owner: &Owner, document: &Document, token: u64) -> io::Result<()>;

    /// The environments of a partner that have a [`State`](Document::State), in any order.
    fn environments(&self, partner: &str) -> io::Result<Vec<String>>;

    /// Takes the lease, and writes down `holder` for others to read; or says who has it. Does not wait.
    ///
    /// It is free if nobody ever had it, if it was given back, or if a backend knows for certain that whoever had it is gone. It may
    /// be taken all the same if what there is to be seen is `silent`: the caller has watched that for [`SILENCE`](super::SILENCE)
    /// without a sign of life. Of several who take it at the same time one gets it, and the token of each is greater than that of
    /// every one before, of this owner, for ever.
    fn take(&self, owner: &Owner, holder: &Holder, silent: Option<&Sighting>) -> Result<Arc<dyn Lease>, Refused>;

    /// Who has the lease now. Neither takes it nor keeps anybody from it.
    fn holder(&self, owner: &Owner) -> io::Result<Option<Holder>>;

    /// What people are told a document is called: its path, its URL. Asks nobody.
    fn locate(&self, owner: &Owner, document: &Document) -> PathBuf;

    /// Whether [`Tail::append`] takes no longer than writing to memory, so that the line of the audit log about a request can be
    /// written on the thread that has sent it, before anything else happens. Otherwise such lines are written a moment later, beside the run,
    /// and a process that is killed loses the last ones; the end of a run waits for them either way.
    fn is_near(&self) -> bool {
        false
    }
}

/// The end of a document that lines are added to. Dropping it changes nothing.
pub trait Tail: fmt::Debug + Send + Sync {
    /// Adds `lines`, which are whole, behind all that was added before. When this returns they outlive the process, and every reader sees
    /// them. After an error nothing or a part of them is there; what is added next takes the place of that part.
    ///
    /// One call after another.
    fn append(&self, lines: &[u8]) -> io::Result<()>;

    /// Returns when all that was added before outlives the machine too. Nothing to do where `append` sees to that.
    ///
    /// May come while another thread appends.
    fn sync(&self) -> io::Result<()>;
}

/// What there is to be seen of a lease that somebody has. Two equal ones mean that there was no sign of life in between, and that
/// nobody else has taken it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// Who, if they have said so.
    pub holder: Option<Holder>,
    /// The lease's token.
    pub token: u64,
    /// The last sign of life, by the clock of the holder or of the backend: it is shown to people and compared with itself.
    pub sign: Option<SystemTime>,
}

/// How a lease could not be had.
#[derive(Debug)]
pub enum Refused {
    /// Somebody has it.
    Held(Sighting),
    /// It cannot be seen or taken.
    Io {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_document_has_the_name_that_it_always_had() {
        let backup = |of, number| Document::Backup { of, serial: "7".into(), number };
        let certificate = Document::Certificate { name: "destroyed-20260101T000000.000Z".into(), format: "txt" };
        let named = [
            (Document::State, "json"),
            (Document::Journal, "journal.jsonl"),
            (Document::Audit, "audit.jsonl"),
            (Document::AuditHead, "audit.head.json"),
            (Document::Lock, "lock"),
            (backup(Copied::State, 1), "json.backup-7"),
            (backup(Copied::State, 2), "json.backup-7-2"),
            (backup(Copied::Journal, 1), "journal.jsonl.backup-7"),
            (certificate, "destroyed-20260101T000000.000Z.txt"),
        ];
        for (document, name) in named {
            assert_eq!(document.to_string(), name);
        }
    }
}
