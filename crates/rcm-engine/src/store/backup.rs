//! Copies of states beside them, before something else takes their place.

use std::path::PathBuf;

use serde_json::Value;

use super::{Copied, Document, Lock, State, Store, StoreError};

impl Store {
    /// Puts `state` in the place of whatever is there, readable or not, and says where that is now.
    ///
    /// At every instant either the old state with its journal or the new one is there.
    pub fn replace(&self, lock: &Lock, state: &State) -> Result<Option<PathBuf>, StoreError> {
        let backup = self.back_up()?;
        // A journal continues one snapshot alone: what it says goes into that one before another comes.
        if let Ok(Some(old)) = self.load() {
            self.save(lock, &State { serial: old.serial + 1, ..old })?;
        }
        lock.lease().hold().map(|_held| self.remove_journal(lock.lease().token()))??;
        self.save(lock, state)?;
        Ok(backup)
    }

    /// Copies the state, and its journal if it has one, to `….backup-SERIAL`. A copy is never overwritten by another one.
    pub(super) fn back_up(&self) -> Result<Option<PathBuf>, StoreError> {
        let Some(bytes) = self.read(&Document::State)? else { return Ok(None) };
        let head: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let serial = head["serial"].as_u64().map_or_else(|| "damaged".to_owned(), |serial| serial.to_string());
        let backup = self.copy(Copied::State, &serial, &bytes)?;
        if let Some(journal) = self.read(&Document::Journal)? {
            self.copy(Copied::Journal, &serial, &journal)?;
        }
        Ok(Some(backup))
    }

    /// Writes `bytes` under a name that nothing else has.
    fn copy(&self, of: Copied, serial: &str, bytes: &[u8]) -> Result<PathBuf, StoreError> {
        let mut number = 1;
        loop {
            let backup = Document::Backup { of, serial: serial.to_owned(), number };
            if self.create(&backup, bytes)? || self.read(&backup)?.as_deref() == Some(bytes) {
                return Ok(self.backend().locate(self.owner(), &backup));
            }
            number += 1;
        }
    }
}
