//! Looking at the state, and the few things that may be done to it without a run.

use std::{collections::BTreeMap, time::Duration};

use rcm_engine::{
    model::{Address, Events},
    store::{Entry, State},
};

use super::{
    Environment, Outputs,
    aside::{checkpoint, give_back},
};
use crate::Error;

impl Environment {
    /// The state as it is written down, an unfinished run included; `None` if there never was one.
    pub fn load(&self) -> Result<Option<State>, Error> {
        Ok(self.store.load()?)
    }

    /// The state, or the error that says that there is none.
    pub fn state(&self) -> Result<State, Error> {
        self.load()?.ok_or_else(|| self.no_state())
    }

    pub(super) fn no_state(&self) -> Error {
        Error::NoState { partner: self.config.partner.clone(), environment: self.config.environment.clone() }
    }

    /// What people and programs need to know of the environment, from the state alone.
    pub fn outputs(&self) -> Result<Outputs, Error> {
        Ok(Outputs::of(&self.state()?))
    }

    /// Forgets a resource: it stays in the cloud, and rcm does not know it any more.
    pub async fn forget(&self, address: &Address) -> Result<(), Error> {
        let lock = self.lock().await?;
        let state = self.state_aside().await?;
        self.check_state(&state.deployment)?;
        let record = state.resources.get(address).ok_or_else(|| Error::NotInState(address.clone()))?;
        let generation = record.generation;
        let recording = self.record("state rm", None, Some(&state)).await?;
        let ledger = self.open_ledger(lock).await?;
        ledger.append(Entry::Gone { address: address.clone(), generation }).await?;
        recording.end("done", BTreeMap::new()).await;
        checkpoint(ledger).await?;
        Ok(())
    }

    /// Whether the lock is free. A lock cannot be left behind by a dead process, so there is never one to break.
    pub async fn lock_is_free(&self) -> Result<(), Error> {
        give_back(self.store.lock(&self.holder(), Duration::ZERO, &Events::none()).await?).await
    }
}
