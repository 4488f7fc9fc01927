//! Copies of state files beside them, before something else takes their place.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{Lock, State, Store, StoreError, atomic::write_atomically};

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
        lock.lease().hold().map(|_held| self.remove_journal())??;
        self.save(lock, state)?;
        Ok(backup)
    }

    /// Copies the state file, and its journal if it has one, to `….backup-SERIAL`. A copy is never overwritten by another one.
    pub(super) fn back_up(&self) -> Result<Option<PathBuf>, StoreError> {
        let path = self.state_path();
        let Some(bytes) = read(&path)? else { return Ok(None) };
        let head: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let serial = head["serial"].as_u64().map_or_else(|| "damaged".to_owned(), |serial| serial.to_string());
        let backup = copy(&path, &serial, &bytes)?;
        if let Some(journal) = read(&self.journal_path())? {
            copy(&self.journal_path(), &serial, &journal)?;
        }
        Ok(Some(backup))
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StoreError::Io { path: path.to_owned(), source }),
    }
}

/// Writes `bytes` beside `path`, under a name that nothing else has.
fn copy(path: &Path, serial: &str, bytes: &[u8]) -> Result<PathBuf, StoreError> {
    let mut backup = path.with_added_extension(format!("backup-{serial}"));
    let mut number = 2;
    while let Some(there) = read(&backup)? {
        if there == bytes {
            return Ok(backup);
        }
        backup = path.with_added_extension(format!("backup-{serial}-{number}"));
        number += 1;
    }
    write_atomically(&backup, bytes).map_err(|source| StoreError::Io { path: backup.clone(), source })?;
    Ok(backup)
}
