//! What is kept of one deployment: its state, the journal that continues it, and its lock, wherever a [`Backend`] keeps them.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use super::{
    Backend, Directory, Document, Entry, Holder, Lock, Lost, Owner, Refused, SILENCE, STATE_VERSION, Sighting, State,
    journal, migrate::migrate,
};
use crate::model::{EventKind, Events};

/// How often a held lock is tried again.
const LOCK_POLL: Duration = Duration::from_millis(200);

/// What was seen of a holder, and since when it has been the same. By this process's clock: two machines' clocks may differ.
struct Watch {
    seen: Sighting,
    since: std::time::Instant,
}

impl Watch {
    fn begin(seen: Sighting) -> Self {
        Self { seen, since: std::time::Instant::now() }
    }

    fn is_over(&self) -> bool {
        self.since.elapsed() >= SILENCE
    }
}

/// Where one deployment's state is kept.
#[derive(Debug, Clone)]
pub struct Store {
    backend: Arc<dyn Backend>,
    owner: Owner,
}

/// Why the state cannot be read or written. Nothing is ever overwritten because of one of these.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The state file is not one. It is left as it is.
    #[error("{path}: not a state file that can be read: {why} (line {line}, column {column})")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
        /// Where.
        line: usize,
        /// Where.
        column: usize,
    },
    /// The journal is broken before its last line.
    #[error("{path}: line {line} of the journal cannot be read: {why}")]
    CorruptJournal {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// The journal continues another snapshot than the one that is there.
    #[error(
        "{path}: the journal continues snapshot {journal}, but the state file is snapshot {state}: was an old file put back?"
    )]
    Disagree {
        /// The journal.
        path: PathBuf,
        /// What it continues.
        journal: String,
        /// What is there.
        state: String,
    },
    /// A newer rcm wrote it.
    #[error("{path}: written in format {found}, this rcm reads format {STATE_VERSION} and older; use a newer rcm")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// An older rcm wrote it, and it cannot be brought into the new format.
    #[error(
        "{path}: written in format {found} by an older rcm, and cannot be brought into format {STATE_VERSION}: {why}"
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// Why not.
        why: String,
    },
    /// An older rcm was cut off, and only it can read its own journal.
    #[error("{path}: the journal of a run that an older rcm (state format {found}) did not finish")]
    Unfinished {
        /// The journal.
        path: PathBuf,
        /// The state's format.
        found: u32,
    },
    /// Somebody else is at work.
    #[error(
        "the state is locked by {}{}", named(.holder.as_ref()),
        .silent.map_or_else(String::new, |silent| format!(", which has shown no sign of life for {} s", silent.as_secs()))
    )]
    Locked {
        /// Who, if they said so.
        holder: Option<Holder>,
        /// For how long they have shown no sign of life, if that is longer than it should be.
        silent: Option<Duration>,
    },
    /// It was ours, and is not any more.
    #[error(transparent)]
    Lost(#[from] Lost),
}

fn named(holder: Option<&Holder>) -> String {
    holder.map_or_else(|| "somebody who has not said who they are".to_owned(), ToString::to_string)
}

/// What every format begins with.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl Store {
    /// The store of `environment` of `partner` below the directory `dir`.
    pub fn new(dir: &Path, partner: &str, environment: &str) -> Self {
        Self::within(Arc::new(Directory::new(dir)), Owner::new(partner, environment))
    }

    /// The store of `owner` in `backend`.
    pub fn within(backend: Arc<dyn Backend>, owner: Owner) -> Self {
        Self { backend, owner }
    }

    /// Where it is kept.
    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    /// Whose it is.
    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    /// What the snapshot is called, as [`Backend::locate`] has it: in a directory, the file.
    pub fn state_path(&self) -> PathBuf {
        self.locate(&Document::State)
    }

    /// What the journal is called, which is there only while a run is unfinished.
    pub fn journal_path(&self) -> PathBuf {
        self.locate(&Document::Journal)
    }

    /// What the audit log is called: what was decided and by whom.
    pub fn audit_path(&self) -> PathBuf {
        self.locate(&Document::Audit)
    }

    /// What the lock is called.
    pub fn lock_path(&self) -> PathBuf {
        self.locate(&Document::Lock)
    }

    fn locate(&self, document: &Document) -> PathBuf {
        self.backend.locate(&self.owner, document)
    }

    /// The error of a document.
    pub(super) fn io(&self, document: &Document, source: io::Error) -> StoreError {
        StoreError::Io { path: self.locate(document), source }
    }

    pub(super) fn read(&self, document: &Document) -> Result<Option<Vec<u8>>, StoreError> {
        self.backend.read(&self.owner, document).map_err(|source| self.io(document, source))
    }

    /// Whether a document is there, readable or not.
    pub fn exists(&self, document: &Document) -> Result<bool, StoreError> {
        self.backend.exists(&self.owner, document).map_err(|source| self.io(document, source))
    }

    /// Writes a document that never changes, unless it is there, and says whether it was not.
    pub fn create(&self, document: &Document, bytes: &[u8]) -> Result<bool, StoreError> {
        self.backend.create(&self.owner, document, bytes).map_err(|source| self.io(document, source))
    }

    /// Those of the partner's other environments that have a state.
    pub fn neighbours(&self) -> Result<Vec<Self>, StoreError> {
        let environments = self.backend.environments(&self.owner.partner);
        let environments = environments.map_err(|source| self.io(&Document::State, source))?;
        let others = environments.into_iter().filter(|environment| *environment != self.owner.environment);
        let of = |environment| Self::within(Arc::clone(&self.backend), Owner::new(&self.owner.partner, environment));
        Ok(others.map(of).collect())
    }

    /// Takes the lock, waiting for at most `timeout` while another process has it.
    ///
    /// Whoever is watched for half a minute without a sign of life loses it: a process that stands still, as one that ended has
    /// no lock. It finds out before it sends or writes anything more.
    pub async fn lock(&self, holder: &Holder, timeout: Duration, events: &Events) -> Result<Lock, StoreError> {
        let deadline = Instant::now() + timeout;
        let mut watch: Option<Watch> = None;
        loop {
            let silent = watch.as_ref().filter(|watch| watch.is_over()).map(|watch| watch.seen.clone());
            let seen = match self.try_lock(holder.clone(), silent).await {
                Ok(lock) => {
                    if let Some(watch) = watch.filter(Watch::is_over) {
                        let silent_ms = u64::try_from(watch.since.elapsed().as_millis()).unwrap_or(u64::MAX);
                        events.run(EventKind::LockTakenOver { holder: named(watch.seen.holder.as_ref()), silent_ms });
                    }
                    return Ok(lock);
                }
                Err(Refused::Io { path, source }) => return Err(StoreError::Io { path, source }),
                Err(Refused::Held(seen)) => seen,
            };
            if Instant::now() >= deadline {
                let silent = seen.sign.and_then(|sign| sign.elapsed().ok()).filter(|silent| *silent > SILENCE);
                return Err(StoreError::Locked { holder: seen.holder, silent });
            }
            if watch.is_none() {
                events.run(EventKind::LockWaiting { holder: named(seen.holder.as_ref()) });
            }
            watch = Some(watch.filter(|watch| watch.seen == seen).unwrap_or_else(|| Watch::begin(seen)));
            sleep_until((Instant::now() + LOCK_POLL).min(deadline)).await;
        }
    }

    /// Tries once, on a thread that may wait for the backend.
    async fn try_lock(&self, holder: Holder, silent: Option<Sighting>) -> Result<Lock, Refused> {
        let Self { backend, owner } = self.clone();
        let take = move || Lock::take(&*backend, &owner, &holder, silent.as_ref());
        match tokio::task::spawn_blocking(take).await {
            Ok(taken) => taken,
            Err(ended) => Err(Refused::Io { path: self.lock_path(), source: io::Error::other(ended) }),
        }
    }

    /// Who has the lock now, if anybody has. Neither takes it nor waits.
    pub fn holder(&self) -> Result<Option<Holder>, StoreError> {
        self.backend.holder(&self.owner).map_err(|source| self.io(&Document::Lock, source))
    }

    /// The state as it is written down: the snapshot and what an unfinished journal adds. `None` if there never was one.
    pub fn load(&self) -> Result<Option<State>, StoreError> {
        let Some((mut state, unfinished)) = self.look()? else { return Ok(None) };
        for entry in unfinished {
            state.apply(&entry);
        }
        Ok(Some(state))
    }

    /// Whether a run was cut off: its journal is there and adds to the snapshot.
    pub fn is_unfinished(&self) -> Result<bool, StoreError> {
        Ok(self.look()?.is_some_and(|(_, unfinished)| !unfinished.is_empty()))
    }

    /// The snapshot, and what the journal adds to it.
    fn look(&self) -> Result<Option<(State, Vec<Entry>)>, StoreError> {
        // The journal first: if a run ends in between, the snapshot has all that the journal says, and not the other way round.
        let journal = self.backend.read(&self.owner, &Document::Journal);
        let Some(state) = self.snapshot()? else { return Ok(None) };
        let unfinished = self.unfinished(&state, journal)?;
        Ok(Some((state, unfinished)))
    }

    fn snapshot(&self) -> Result<Option<State>, StoreError> {
        let Some(bytes) = self.read(&Document::State)? else { return Ok(None) };
        let path = self.state_path();
        let corrupt = |error: serde_json::Error| StoreError::Corrupt {
            path: path.clone(),
            why: error.to_string(),
            line: error.line(),
            column: error.column(),
        };
        let Version { version } = serde_json::from_slice(&bytes).map_err(corrupt)?;
        if version > STATE_VERSION {
            return Err(StoreError::Newer { path, found: version });
        }
        if version == STATE_VERSION {
            return serde_json::from_slice(&bytes).map(Some).map_err(corrupt);
        }
        if self.exists(&Document::Journal)? {
            return Err(StoreError::Unfinished { path: self.journal_path(), found: version });
        }
        let old: Value = serde_json::from_slice(&bytes).map_err(corrupt)?;
        let migrated =
            migrate(old, version).map_err(|why| StoreError::Older { path: path.clone(), found: version, why })?;
        serde_json::from_value(migrated).map(Some).map_err(corrupt)
    }

    /// The entries of the journal that the snapshot does not hold yet.
    fn unfinished(&self, state: &State, journal: io::Result<Option<Vec<u8>>>) -> Result<Vec<Entry>, StoreError> {
        let path = self.journal_path();
        let corrupt = |line, why| StoreError::CorruptJournal { path: path.clone(), line, why };
        let text = journal.map_err(|error| corrupt(0, error.to_string()))?.unwrap_or_default();
        let entries = journal::read(&text).map_err(|(line, why)| corrupt(line, why))?;
        match entries.first() {
            Some(Entry::Opened { lineage, serial, .. }) if *lineage == state.lineage => {
                if *serial < state.serial {
                    // The snapshot was written and the journal not yet removed when the process ended.
                    return Ok(Vec::new());
                }
                if *serial == state.serial {
                    return Ok(entries);
                }
                let (journal, state) = (serial.to_string(), state.serial.to_string());
                Err(StoreError::Disagree { path, journal, state })
            }
            Some(Entry::Opened { lineage, .. }) => {
                let (journal, state) = (format!("of lineage {lineage}"), format!("of lineage {}", state.lineage));
                Err(StoreError::Disagree { path, journal, state })
            }
            Some(_) => {
                Err(StoreError::CorruptJournal { path, line: 1, why: "it does not say what it continues".into() })
            }
            None => Ok(Vec::new()),
        }
    }

    pub(super) fn is_of_an_older_format(&self) -> bool {
        let head = self.read(&Document::State).ok().flatten();
        let head = head.and_then(|bytes| serde_json::from_slice::<Version>(&bytes).ok());
        head.is_some_and(|head| head.version < STATE_VERSION)
    }

    /// Writes a snapshot and removes the journal that it makes superfluous.
    pub(super) fn save(&self, lock: &Lock, state: &State) -> Result<(), StoreError> {
        let _held = lock.lease().hold()?;
        let token = lock.lease().token();
        let io = |source| self.io(&Document::State, source);
        if self.is_of_an_older_format() {
            self.back_up()?;
        }
        let mut text = serde_json::to_vec_pretty(state).map_err(|error| io(io::Error::other(error)))?;
        text.push(b'\n');
        self.backend.replace(&self.owner, &Document::State, &text, token).map_err(io)?;
        self.remove_journal(token)
    }

    pub(super) fn remove_journal(&self, token: u64) -> Result<(), StoreError> {
        let removed = self.backend.remove(&self.owner, &Document::Journal, token);
        removed.map_err(|source| self.io(&Document::Journal, source))
    }
}
