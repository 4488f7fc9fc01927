//! The state and its journal together: the one place where a run writes down what it does.

use std::sync::{
    Arc, PoisonError, RwLock, RwLockReadGuard,
    atomic::{AtomicBool, Ordering},
};

use jiff::Timestamp;
use tokio::sync::OnceCell;

use super::{Entry, Lock, Record, State, Store, StoreError, journal::Writer};
use crate::model::{Deployment, Fault};

/// The state of a deployment, held under its lock. Every change is durable in the journal before it is visible here.
#[derive(Debug)]
pub struct Ledger {
    store: Store,
    command: String,
    state: RwLock<State>,
    journal: OnceCell<Writer>,
    continues: bool,
    /// Whether an entry could not be written: then no other can.
    broken: AtomicBool,
    lock: Lock,
}

impl Ledger {
    /// Opens the state under `lock`, folding in what an unfinished journal says, or begins one for `deployment`.
    ///
    /// A state that cannot be read is an error and stays as it is. A new one is on disk when this returns, so that a
    /// directory that cannot be written to is found before the first call to the cloud.
    pub fn open(store: Store, lock: Lock, command: &str, deployment: &Deployment) -> Result<Self, StoreError> {
        let state = match store.load()? {
            Some(state) => {
                // A journal continues a snapshot of its own format alone.
                if store.is_of_an_older_format() {
                    store.save(&lock, &state)?;
                }
                state
            }
            None => {
                let state = State::new(deployment.clone());
                store.save(&lock, &state)?;
                state
            }
        };
        Ok(Self {
            continues: store.is_unfinished()?,
            store,
            command: command.to_owned(),
            state: RwLock::new(state),
            journal: OnceCell::new(),
            broken: AtomicBool::new(false),
            lock,
        })
    }

    /// The state now. Not to be held across an await.
    pub fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it goes on with a run that was cut off.
    pub fn continues(&self) -> bool {
        self.continues
    }

    /// Whether what is done can still be written down. Where it cannot, nothing more may be sent.
    pub fn is_writable(&self) -> bool {
        !self.broken.load(Ordering::Relaxed)
    }

    /// Whether nothing is there but what a first run has begun that was cut off.
    pub fn is_first(&self) -> bool {
        let state = self.state();
        let of_this_run = |record: &Record| self.continues && state.would_be_unmade(&record.address, record.generation);
        state.records().all(of_this_run)
    }

    /// Makes an entry durable, then folds it into the state. The journal file appears with the first entry.
    pub async fn append(&self, entry: Entry) -> Result<(), Fault> {
        let writer = self.journal.get_or_try_init(|| self.begin()).await.map_err(|why| self.unwritable(&why))?;
        writer.append(&entry).await.map_err(|why| self.unwritable(&why))?;
        self.state.write().unwrap_or_else(PoisonError::into_inner).apply(&entry);
        Ok(())
    }

    async fn begin(&self) -> Result<Writer, String> {
        let (store, lease, anew) = (self.store.clone(), Arc::clone(self.lock.lease()), !self.continues);
        let opened = tokio::task::spawn_blocking(move || Writer::open(&store, lease, anew)).await;
        let writer = opened.map_err(|error| error.to_string())??;
        if anew {
            let (lineage, serial) = {
                let state = self.state();
                (state.lineage, state.serial)
            };
            let opened = Entry::Opened { lineage, serial, command: self.command.clone(), at: Timestamp::now() };
            writer.append(&opened).await?;
        }
        Ok(writer)
    }

    fn unwritable(&self, why: &str) -> Fault {
        self.broken.store(true, Ordering::Relaxed);
        let path = self.store.journal_path();
        Fault::invalid("journal", format!("{}: {why}; nothing more is sent to the cloud", path.display()))
    }

    /// Writes a snapshot of everything so far, ends the journal, and gives the lock back. Writes nothing if nothing was appended.
    ///
    /// # Errors
    /// Also where the lock is lost: what another run does by now is not what this state says.
    pub fn checkpoint(mut self) -> Result<State, StoreError> {
        self.lock.lease().check()?;
        let wrote = self.journal.take().is_some();
        let mut state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        if wrote || self.continues {
            state.serial += 1;
            self.store.save(&self.lock, &state)?;
        }
        self.lock.give_back();
        Ok(state)
    }
}
