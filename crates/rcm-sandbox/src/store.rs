//! The directory of a sandbox: who has it open, whose cloud it is, and one JSON file for each service.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::SandboxError;

/// The format of everything in the directory. A directory with a higher one belongs to a newer rcm.
const VERSION: u32 = 1;
const IDENTITY: &str = "sandbox.json";
const LOCK: &str = "sandbox.lock";
/// What the name of a file not yet whole begins with.
const UNFINISHED: &str = ".saving-";

/// What `sandbox.json` says.
#[derive(Serialize, Deserialize)]
struct Identity {
    version: u32,
    account: String,
    region: String,
}

/// An open, locked directory. The lock goes with the value, or with the process, however that ends.
pub(crate) struct Store {
    dir: PathBuf,
    _lock: Lock,
}

/// The file that only one process has locked.
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // To close it would not be enough: a child process that was started meanwhile has it too, until it runs its own program.
        // Where it cannot be unlocked the lock goes with the last who has the file.
        let _ = self.0.unlock();
    }
}

impl Store {
    /// Locks `dir`, made if it is not there, and checks that it is empty or holds the cloud of this account and region.
    pub(crate) fn open(dir: &Path, account: &str, region: &str) -> Result<Self, SandboxError> {
        if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(SandboxError::NotAnAccount(account.to_owned()));
        }
        fs::create_dir_all(dir).map_err(io_error("create", dir))?;
        let store = Self { dir: dir.to_owned(), _lock: lock(dir)? };
        sweep(dir)?;
        match store.read::<Identity>(IDENTITY)? {
            None => {
                let identity = Identity { version: VERSION, account: account.to_owned(), region: region.to_owned() };
                store.write(IDENTITY, &identity)?;
            }
            Some(saved) => check(dir, saved, account, region)?,
        }
        Ok(store)
    }

    /// Deletes the files of the cloud in `dir`, the one that marks the directory as a sandbox last: a reset that was cut
    /// short can be repeated.
    pub(crate) fn reset(dir: &Path) -> Result<(), SandboxError> {
        let identity = dir.join(IDENTITY);
        if !identity.exists() {
            return Ok(());
        }
        let _lock = lock(dir)?;
        for service in crate::services::services() {
            remove(&dir.join(file_of(service.name())))?;
        }
        remove(&identity)
    }

    /// What a service saved last, if it ever did.
    pub(crate) fn load(&self, service: &str) -> Result<Option<Value>, SandboxError> {
        self.read(&file_of(service))
    }

    /// Replaces the file of a service. No fsync: the sandbox survives its process, not the power cut.
    pub(crate) fn save(&self, service: &str, state: &Value) -> Result<(), SandboxError> {
        self.write(&file_of(service), state)
    }

    /// The path of a service's file, for messages.
    pub(crate) fn path(&self, service: &str) -> PathBuf {
        self.dir.join(file_of(service))
    }

    fn read<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<Option<T>, SandboxError> {
        let path = self.dir.join(name);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error("read", &path)(error)),
        };
        match serde_json::from_slice(&bytes) {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(SandboxError::Unreadable { path, reason: error.to_string() }),
        }
    }

    fn write(&self, name: &str, value: &impl Serialize) -> Result<(), SandboxError> {
        let path = self.dir.join(name);
        write_atomically(&self.dir, &path, value).map_err(io_error("write", &path))
    }
}

fn file_of(service: &str) -> String {
    format!("{service}.json")
}

fn write_atomically(dir: &Path, path: &Path, value: &impl Serialize) -> io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(dir)?;
    serde_json::to_writer(io::BufWriter::new(&mut file), value)?;
    file.persist(path)?;
    Ok(())
}

/// Deletes what a process left behind that died while it saved.
fn sweep(dir: &Path) -> Result<(), SandboxError> {
    for entry in fs::read_dir(dir).map_err(io_error("read", dir))? {
        let entry = entry.map_err(io_error("read", dir))?;
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

fn check(dir: &Path, saved: Identity, account: &str, region: &str) -> Result<(), SandboxError> {
    if saved.version > VERSION {
        let reason = format!("it has version {}, this rcm knows up to {VERSION}", saved.version);
        return Err(SandboxError::Unreadable { path: dir.join(IDENTITY), reason });
    }
    if saved.account != account || saved.region != region {
        return Err(SandboxError::Elsewhere {
            dir: dir.to_owned(),
            saved_account: saved.account,
            saved_region: saved.region,
            account: account.to_owned(),
            region: region.to_owned(),
        });
    }
    Ok(())
}

/// Takes the lock and leaves this process's id in the file, for the message others get. The file itself is never deleted:
/// two processes could then hold locks on two files of one name.
fn lock(dir: &Path) -> Result<Lock, SandboxError> {
    let path = dir.join(LOCK);
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(io_error("open", &path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(SandboxError::Locked { dir: dir.to_owned(), pid: pid_in(&mut file) });
        }
        Err(TryLockError::Error(error)) => return Err(io_error("lock", &path)(error)),
    }
    let mut lock = Lock(file);
    leave_pid(&mut lock.0).map_err(io_error("write", &path))?;
    Ok(lock)
}

fn leave_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "{}", std::process::id())
}

fn pid_in(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn remove(path: &Path) -> Result<(), SandboxError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error("delete", path)(error)),
        _ => Ok(()),
    }
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SandboxError {
    let path = path.to_owned();
    move |source| SandboxError::Io { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::lock;

    #[test]
    fn it_is_free_at_once_when_a_child_process_that_is_just_being_started_has_the_file_too() {
        let dir = tempfile::tempdir().unwrap();
        let held = lock(dir.path()).unwrap();
        // What `fork` does.
        let inherited = held.0.try_clone().unwrap();
        drop(held);
        lock(dir.path()).unwrap();
        drop(inherited);
    }
}
