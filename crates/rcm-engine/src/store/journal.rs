//! The journal: what a run is about to do, has done, and has failed to do, each on disk before the next thing happens.

use std::{
    collections::BTreeSet,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{
    Document, Lease, Store, Tail,
    state::{Record, Release},
};
use crate::model::{Address, Fault, Id, Remnant};

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case")]
pub enum Entry {
    /// The first line: which snapshot it continues, and who writes.
    Opened {
        /// The lineage of the state.
        lineage: Uuid,
        /// The serial of the snapshot that it continues.
        serial: u64,
        /// The command that runs.
        command: String,
        /// When it began.
        at: Timestamp,
    },
    /// A mutation is about to be sent.
    Begin {
        /// What it will do.
        intent: Intent,
        /// Whether it undoes something that this run did.
        #[serde(default)]
        undo: bool,
    },
    /// The resource exists and this is its id.
    Minted {
        /// The node.
        address: Address,
        /// Its generation.
        generation: u32,
        /// The id.
        id: Id,
        /// Whether it was there before the create was sent, so that undoing the create must leave it.
        #[serde(default)]
        existed: bool,
    },
    /// The resource is as its spec says.
    Done {
        /// The node.
        address: Address,
        /// Its generation.
        generation: u32,
        /// The spec with references replaced.
        inputs: Value,
        /// What the cloud gave.
        outputs: Value,
    },
    /// The step failed.
    Failed {
        /// The node.
        address: Address,
        /// Its generation.
        generation: u32,
        /// How.
        fault: Fault,
    },
    /// The step waits for somebody outside and was left.
    Parked {
        /// The node.
        address: Address,
        /// What it waits for.
        what: String,
    },
    /// The resource was deleted for good.
    Deleted {
        /// The node.
        address: Address,
        /// Its generation.
        generation: u32,
        /// When it was gone.
        at: Timestamp,
        /// For how many days the cloud would still give it back.
        #[serde(default)]
        recoverable_days: u32,
    },
    /// The resource does not exist: undone, forgotten, or never made.
    Gone {
        /// The node.
        address: Address,
        /// Its generation.
        generation: u32,
    },
    /// `destroy` has kept the resource.
    Retained {
        /// The node.
        address: Address,
        /// Its generation.
        generation: u32,
    },
    /// A delete has left this in the cloud on purpose.
    Left {
        /// What and whose.
        remnant: Remnant,
    },
    /// That does not exist any more.
    Discarded {
        /// What and whose.
        remnant: Remnant,
        /// When.
        at: Timestamp,
    },
    /// This was released and runs.
    Released {
        /// What, and since when.
        release: Release,
    },
    /// What is known of a resource is this from now on, without a change in the cloud: it was imported, or a drift was accepted.
    Known {
        /// All that is known.
        record: Box<Record>,
    },
    /// A mutation of this run is undone.
    Undone {
        /// The node.
        address: Address,
        /// Its generation.
        generation: u32,
    },
    /// What was done so far is not to be undone any more.
    Committed,
    /// The resource is known under another address from now on.
    Moved {
        /// The old address.
        from: Address,
        /// The new one.
        to: Address,
    },
}

/// What a mutation will do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "intent", rename_all = "kebab-case")]
pub enum Intent {
    /// Make this.
    Create(Box<Record>),
    /// Take this up: it exists already.
    Adopt(Box<Record>),
    /// Bring it in line with this spec.
    Update {
        /// The node.
        address: Address,
        /// Its generation.
        generation: u32,
        /// The new spec.
        spec: Value,
        /// The new orderings.
        dependencies: Vec<Address>,
        /// The fields that may differ; all, if it does not say.
        #[serde(default)]
        changed: Option<BTreeSet<String>>,
        /// When.
        at: Timestamp,
    },
    /// Take it away.
    Delete {
        /// The node.
        address: Address,
        /// Its generation.
        generation: u32,
        /// When.
        at: Timestamp,
    },
}

/// Reads a journal. A last line that a crash has torn is left out; a broken line before it is an error that names the line.
pub(super) fn read(text: &[u8]) -> Result<Vec<Entry>, (usize, String)> {
    let lines = text[..whole(text)].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).enumerate();
    lines.map(|(at, line)| serde_json::from_slice(line).map_err(|error| (at + 1, error.to_string()))).collect()
}

/// How many bytes are finished lines.
fn whole(text: &[u8]) -> usize {
    text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)
}

/// Appends to the journal, for as long as the lock is held. Entries that come together share one write and one fsync.
#[derive(Debug)]
pub(super) struct Writer(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    lease: Arc<dyn Lease>,
    waiting: Mutex<Waiting>,
    written: Mutex<Written>,
}

/// Lines that are not in the file yet.
#[derive(Debug, Default)]
struct Waiting {
    bytes: Vec<u8>,
    /// How many lines have ever waited.
    lines: u64,
}

#[derive(Debug)]
struct Written {
    tail: Arc<dyn Tail>,
    /// How many lines are durable.
    durable: u64,
    /// Why nothing may follow any more: after a failed write the journal may end in half a line.
    broken: Option<String>,
}

impl Writer {
    /// Goes on at the end of the last whole line, or begins a journal that is `anew`.
    pub(super) fn open(store: &Store, lease: Arc<dyn Lease>, anew: bool) -> Result<Self, String> {
        let tail = {
            let _held = lease.hold().map_err(|lost| lost.brief())?;
            extend(store, lease.token(), anew).map_err(|error| error.to_string())?
        };
        let written = Written { tail, durable: 0, broken: None };
        Ok(Self(Arc::new(Shared { lease, waiting: Mutex::default(), written: Mutex::new(written) })))
    }

    /// Returns when the entry is on disk.
    pub(super) async fn append(&self, entry: &Entry) -> Result<(), String> {
        let mut line = serde_json::to_vec(entry).map_err(|error| error.to_string())?;
        line.push(b'\n');
        let mine = {
            let mut waiting = lock(&self.0.waiting);
            waiting.bytes.extend_from_slice(&line);
            waiting.lines += 1;
            waiting.lines
        };
        let shared = Arc::clone(&self.0);
        let written = tokio::task::spawn_blocking(move || shared.write(mine)).await;
        written.map_err(|error| error.to_string())?
    }
}

impl Shared {
    /// Makes everything durable that waits, unless line `mine` is so already.
    fn write(&self, mine: u64) -> Result<(), String> {
        let mut written = lock(&self.written);
        if written.durable >= mine {
            return Ok(());
        }
        if let Some(broken) = &written.broken {
            return Err(broken.clone());
        }
        let Waiting { bytes, lines } = {
            let mut waiting = lock(&self.waiting);
            Waiting { bytes: std::mem::take(&mut waiting.bytes), lines: waiting.lines }
        };
        if let Err(why) = self.put(&*written.tail, &bytes) {
            written.broken = Some(why.clone());
            return Err(why);
        }
        written.durable = lines;
        Ok(())
    }

    fn put(&self, tail: &dyn Tail, lines: &[u8]) -> Result<(), String> {
        let held = self.lease.hold().map_err(|lost| lost.brief())?;
        let added = tail.append(lines);
        drop(held);
        added.and_then(|()| tail.sync()).map_err(|error| error.to_string())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn extend(store: &Store, token: u64, anew: bool) -> io::Result<Arc<dyn Tail>> {
    let (backend, owner) = (store.backend(), store.owner());
    if anew {
        // Left over by a process that ended between its snapshot and the removal.
        backend.remove(owner, &Document::Journal, token)?;
    }
    let text = backend.read(owner, &Document::Journal)?.unwrap_or_default();
    backend.extend(owner, &Document::Journal, u64::try_from(whole(&text)).unwrap_or(u64::MAX), token)
}

#[cfg(test)]
mod tests {
    use std::{
        fs::OpenOptions,
        io::Write,
        sync::atomic::{AtomicBool, Ordering},
    };

    use super::*;
    use crate::store::{Held, Holder, Lock, Lost};

    fn lease(store: &Store) -> Arc<dyn Lease> {
        let holder = Holder::this_process("tester", "test");
        Arc::clone(Lock::take(&**store.backend(), store.owner(), &holder, None).unwrap().lease())
    }

    fn entries(store: &Store) -> Result<Vec<Entry>, (usize, String)> {
        read(&std::fs::read(store.journal_path()).unwrap())
    }

    fn gone(address: &str) -> Entry {
        Entry::Gone { address: Address::new(address).unwrap(), generation: 1 }
    }

    #[tokio::test]
    async fn what_is_appended_is_read_back_and_a_torn_line_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path(), "acme", "prod");
        let writer = Writer::open(&store, lease(&store), false).unwrap();
        writer.append(&gone("a")).await.unwrap();
        writer.append(&gone("b")).await.unwrap();
        drop(writer);
        OpenOptions::new()
            .append(true)
            .open(store.journal_path())
            .unwrap()
            .write_all(b"{\"entry\":\"gone\",\"addr")
            .unwrap();
        assert_eq!(entries(&store).unwrap(), [gone("a"), gone("b")]);
        let writer = Writer::open(&store, lease(&store), false).unwrap();
        writer.append(&gone("c")).await.unwrap();
        drop(writer);
        assert_eq!(entries(&store).unwrap(), [gone("a"), gone("b"), gone("c")]);
    }

    /// A lease of another place than this machine's disk.
    #[derive(Debug, Default)]
    struct Elsewhere {
        lost: AtomicBool,
    }

    impl Lease for Elsewhere {
        fn token(&self) -> u64 {
            1
        }

        fn check(&self) -> Result<(), Lost> {
            let lost = self.lost.load(Ordering::SeqCst);
            if lost { Err(Lost::Taken { by: Holder::this_process("heir", "test") }) } else { Ok(()) }
        }

        fn renew(&self) -> Result<(), Lost> {
            self.check()
        }

        fn hold(&self) -> Result<Held, Lost> {
            self.check().map(|()| Held::by(()))
        }
    }

    #[tokio::test]
    async fn any_lease_will_do_and_nothing_is_written_once_it_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path(), "acme", "prod");
        let lease = Arc::new(Elsewhere::default());
        let writer = Writer::open(&store, lease.clone(), false).unwrap();
        writer.append(&gone("a")).await.unwrap();
        lease.lost.store(true, Ordering::SeqCst);
        assert_eq!(writer.append(&gone("b")).await.unwrap_err(), "the lock is lost");
        assert_eq!(Writer::open(&store, lease, false).unwrap_err(), "the lock is lost");
        assert_eq!(entries(&store).unwrap(), [gone("a")]);
    }

    #[test]
    fn a_broken_line_in_the_middle_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path(), "acme", "prod");
        let text = b"{\"entry\":\"gone\",\"address\":\"a\",\"generation\":1}\nnonsense\n";
        crate::store::write_atomically(&store.journal_path(), text).unwrap();
        assert_eq!(entries(&store).unwrap_err().0, 2);
    }
}
