//! What waits for the store, from within what is awaited: on a thread that may wait, so that a store that is far away holds up
//! nothing else.

use rcm_engine::{
    model::Fault,
    store::{Ledger, Lock, State},
};

use super::Environment;
use crate::Error;

/// Does `work` there. It comes to its end even where nobody waits for it any more.
pub(super) async fn aside<T, W>(work: W) -> Result<T, Error>
where
    T: Send + 'static,
    W: FnOnce() -> Result<T, Error> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
        Err(_) => Err(Fault::invalid("store", "the program ends, and nothing more is read or written").into()),
    }
}

impl Environment {
    /// [`load`](Self::load), to be awaited.
    pub(super) async fn load_aside(&self) -> Result<Option<State>, Error> {
        let store = self.store.clone();
        aside(move || Ok(store.load()?)).await
    }

    /// [`state`](Self::state), to be awaited.
    pub(super) async fn state_aside(&self) -> Result<State, Error> {
        self.load_aside().await?.ok_or_else(|| self.no_state())
    }

    /// The state, to be changed under `lock`.
    pub(super) async fn open_ledger(&self, lock: Lock) -> Result<Ledger, Error> {
        let (store, command, deployment) = (self.store.clone(), self.settings.command.clone(), self.deployment.clone());
        aside(move || Ok(Ledger::open(store, lock, &command, &deployment)?)).await
    }
}

/// Gives the lock back, so that the next one who comes finds it free.
pub(super) async fn give_back(lock: Lock) -> Result<(), Error> {
    let give_back = move || {
        lock.give_back();
        Ok(())
    };
    aside(give_back).await
}

/// Writes the snapshot, and gives the lock back.
pub(super) async fn checkpoint(ledger: Ledger) -> Result<State, Error> {
    aside(move || Ok(ledger.checkpoint()?)).await
}
