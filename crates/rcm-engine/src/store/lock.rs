//! The lock of a deployment: a [`Lease`] that shows signs of life. And the lease that is a file on this machine's disk.
//!
//! The operating system holds the file for the process (`flock`), so a dead process cannot leave it behind. A process that lives but
//! stands still can: its file is replaced by whoever has watched it for long enough, and so it has the lock no more.

use std::{
    fmt,
    fs::{File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Backend, Document, Fence, HEARTBEAT, Held, Lease, Lost, Owner, Refused, Sighting, lease::Heart};

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

/// What stands in the lock file. Once the lock is free it means nothing but that the next token is greater.
#[derive(Serialize, Deserialize)]
struct Written {
    token: u64,
    #[serde(flatten)]
    holder: Holder,
}

/// A held lock. Free again when dropped, or when the process ends in any way.
#[derive(Debug)]
pub struct Lock {
    // Before the lease: it ends first.
    heart: Heart,
    lease: Arc<dyn Lease>,
}

impl Lock {
    /// Takes the lock of `owner` for `holder`, from `silent` too if that is all there is to be seen, or says who has it.
    pub(super) fn take(
        backend: &dyn Backend,
        owner: &Owner,
        holder: &Holder,
        silent: Option<&Sighting>,
    ) -> Result<Self, Refused> {
        // Not since it waits.
        let holder = Holder { since: Timestamp::now(), ..holder.clone() };
        let lease = backend.take(owner, &holder, silent)?;
        Self::of(lease, HEARTBEAT, backend.is_near())
            .map_err(|source| Refused::Io { path: backend.locate(owner, &Document::Lock), source })
    }

    fn of(lease: Arc<dyn Lease>, heartbeat: Duration, is_near: bool) -> io::Result<Self> {
        Ok(Self { heart: Heart::start(Arc::clone(&lease), heartbeat, is_near)?, lease })
    }

    /// Gives it back, on a thread that may wait for the backend. A drop does so too, a moment later where that is far away.
    pub fn give_back(mut self) {
        self.heart.stop();
        self.lease.give_back();
    }

    /// Lets `fence` stop everything once the lock is lost.
    pub fn arm(&self, fence: &Fence) {
        fence.arm(&self.lease);
    }

    pub(super) fn lease(&self) -> &Arc<dyn Lease> {
        &self.lease
    }
}

/// Who has the lock at `path` now, without taking it or keeping anybody from it.
pub(super) fn holder(path: &Path) -> io::Result<Option<Holder>> {
    Ok(if is_held(path)? { sighting(path).holder } else { None })
}

/// A lease that is a file.
#[derive(Debug)]
pub(super) struct FileLease {
    path: PathBuf,
    file: LockedFile,
    token: u64,
}

impl FileLease {
    /// Takes the lease at `path` for `holder`, from `silent` too if that is all there is to be seen, or says who has it.
    pub(super) fn take(path: &Path, holder: &Holder, silent: Option<&Sighting>) -> Result<Self, Refused> {
        Self::try_take(path, holder, silent)
            .map_err(|source| Refused::Io { path: path.to_owned(), source })?
            .map_err(Refused::Held)
    }

    fn try_take(path: &Path, holder: &Holder, silent: Option<&Sighting>) -> io::Result<Result<Self, Sighting>> {
        let guard = Guard::open(path)?;
        if !guard.try_take()? {
            // Its holder is writing, or somebody takes it.
            return Ok(Err(sighting(path)));
        }
        let before = sighting(path);
        if is_held(path)? && silent != Some(&before) {
            return Ok(Err(before));
        }
        // Greater than before, and where the file was deleted by hand greater than what may have stood there.
        let now = u64::try_from(Timestamp::now().as_microsecond()).unwrap_or_default();
        let token = now.max(before.token + 1);
        let file = LockedFile(replace(path, &Written { token, holder: holder.clone() })?);
        Ok(Ok(Self { path: path.to_owned(), file, token }))
    }
}

impl Lease for FileLease {
    fn token(&self) -> u64 {
        self.token
    }

    fn check(&self) -> Result<(), Lost> {
        match read(&self.path) {
            Ok(Some(written)) if written.token == self.token => Ok(()),
            Ok(Some(Written { holder: by, .. })) => Err(Lost::Taken { by }),
            Ok(None) => Err(Lost::Gone { path: self.path.clone() }),
            Err(source) => Err(Lost::Unknown { path: self.path.clone(), source }),
        }
    }

    fn renew(&self) -> Result<(), Lost> {
        self.check()?;
        let unknown = |source| Lost::Unknown { path: self.path.clone(), source };
        self.file.0.set_modified(SystemTime::now()).map_err(unknown)
    }

    fn hold(&self) -> Result<Held, Lost> {
        let unknown = |source| Lost::Unknown { path: self.path.clone(), source };
        let guard = Guard::open(&self.path).map_err(unknown)?;
        guard.take_within(GUARD_PATIENCE).map_err(unknown)?;
        self.check().map(|()| Held::by(guard))
    }
}

/// How long a write waits for whoever looks at the lock, which takes them no time.
const GUARD_PATIENCE: Duration = Duration::from_secs(10);

/// Orders writes under the lock and its taking: what is checked still holds when it is written. Free again when dropped.
#[derive(Debug)]
struct Guard(LockedFile);

impl Guard {
    fn open(lock: &Path) -> io::Result<Self> {
        let file =
            OpenOptions::new().create(true).truncate(false).write(true).open(lock.with_extension("guard.lock"))?;
        Ok(Self(LockedFile(file)))
    }

    fn try_take(&self) -> io::Result<bool> {
        match self.0.0.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn take_within(&self, patience: Duration) -> io::Result<()> {
        let deadline = Instant::now() + patience;
        while !self.try_take()? {
            if Instant::now() >= deadline {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "another process is taking it and stands still"));
            }
            #[expect(
                clippy::disallowed_methods,
                reason = "the pause between two polls of a lock that tells nobody when it is free"
            )]
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }
}

/// A file that is unlocked when dropped. To close it would not be enough: a child process that was started meanwhile has it too, until it
/// runs its own program, and the lock would stay for as long.
#[derive(Debug)]
struct LockedFile(File);

impl Drop for LockedFile {
    fn drop(&mut self) {
        // Where that cannot be done the lock goes with the last who has the file.
        let _ = self.0.unlock();
    }
}

/// What the file says; nothing where it is not there or says nothing that can be read.
fn read(path: &Path) -> io::Result<Option<Written>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn sighting(path: &Path) -> Sighting {
    let written = read(path).ok().flatten();
    let token = written.as_ref().map_or(0, |written| written.token);
    let sign = path.metadata().and_then(|metadata| metadata.modified()).ok();
    Sighting { holder: written.map(|written| written.holder), token, sign }
}

/// Whether a living process has it.
fn is_held(path: &Path) -> io::Result<bool> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// A new file in the place of the old one, locked from the moment that it is there.
fn replace(path: &Path, written: &Written) -> io::Result<File> {
    let parent = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".rcm-").tempfile_in(parent)?;
    file.as_file().lock()?;
    file.write_all(&serde_json::to_vec(written)?)?;
    file.persist(path).map_err(|error| error.error)
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc};

    use super::*;

    fn take(path: &Path, who: &str, silent: Option<&Sighting>) -> Result<Lock, Refused> {
        let lease = FileLease::take(path, &Holder::this_process(who, "test"), silent)?;
        Ok(Lock::of(Arc::new(lease), Duration::from_millis(10), true).unwrap())
    }

    fn seen(refused: Result<Lock, Refused>) -> Sighting {
        match refused {
            Err(Refused::Held(sighting)) => sighting,
            other => panic!("it should be held: {other:?}"),
        }
    }

    /// A lock whose holder has shown its last sign of life.
    fn silenced(lock: Lock) -> Arc<dyn Lease> {
        Arc::clone(lock.lease())
    }

    #[test]
    fn a_holder_that_lives_is_named_and_shows_signs_of_life_and_one_that_ends_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("prod.lock");
        let lock = take(&path, "first", None).unwrap();
        let sighting = seen(take(&path, "second", None));
        assert_eq!(sighting.holder.as_ref().unwrap().user, "first");
        assert_eq!(holder(&path).unwrap(), sighting.holder);
        let deadline = Instant::now() + Duration::from_secs(10);
        while seen(take(&path, "second", None)) == sighting {
            assert!(Instant::now() < deadline, "no sign of life");
            #[expect(clippy::disallowed_methods, reason = "the pause between two polls, which have a deadline")]
            thread::sleep(Duration::from_millis(5));
        }
        assert!(matches!(take(&path, "second", Some(&sighting)), Err(Refused::Held(_))), "it has shown one since");
        drop(lock);
        assert_eq!(holder(&path).unwrap(), None);
        take(&path, "second", None).unwrap();
    }

    #[test]
    fn what_is_silent_is_taken_over_once_and_whoever_had_it_can_do_nothing_more() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("prod.lock");
        let paused = silenced(take(&path, "paused", None).unwrap());
        let fence = Fence::default();
        fence.arm(&paused);
        fence.check().unwrap();

        let sighting = seen(take(&path, "heir", None));
        let heir = take(&path, "heir", Some(&sighting)).unwrap();
        assert_eq!(seen(take(&path, "late", Some(&sighting))).holder.unwrap().user, "heir", "only one can take it");
        assert!(heir.lease().token() > paused.token());
        drop(heir.lease().hold().unwrap());
        for lost in [paused.check(), paused.renew(), paused.hold().map(drop), fence.check()] {
            assert!(matches!(&lost, Err(Lost::Taken { by }) if by.user == "heir"), "{lost:?}");
        }
        drop(paused);
        fence.check().unwrap();
        heir.lease().check().unwrap();
    }

    #[test]
    fn it_is_free_at_once_when_a_child_process_that_is_just_being_started_has_its_files_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("prod.lock");
        let lease = FileLease::take(&path, &Holder::this_process("first", "test"), None).unwrap();
        let guard = Guard::open(&path).unwrap();
        assert!(guard.try_take().unwrap());
        // What `fork` does.
        let inherited = [&lease.file, &guard.0].map(|file| file.0.try_clone().unwrap());
        drop((lease, guard));
        assert_eq!(holder(&path).unwrap(), None);
        take(&path, "second", None).unwrap();
        drop(inherited);
    }

    #[test]
    fn nobody_takes_it_in_the_middle_of_a_write() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("prod.lock");
        let paused = silenced(take(&path, "paused", None).unwrap());
        let sighting = seen(take(&path, "heir", None));
        let write = paused.hold().unwrap();
        seen(take(&path, "heir", Some(&sighting)));
        drop(write);
        take(&path, "heir", Some(&sighting)).unwrap();
    }

    /// A lease whose sign of life takes as long as somebody makes it.
    #[derive(Debug)]
    struct Slow {
        begun: mpsc::Sender<()>,
        go_on: Mutex<mpsc::Receiver<()>>,
    }

    impl Lease for Slow {
        fn token(&self) -> u64 {
            1
        }

        fn check(&self) -> Result<(), Lost> {
            Ok(())
        }

        fn renew(&self) -> Result<(), Lost> {
            // Nobody listens to later ones.
            self.begun.send(()).ok();
            self.go_on.lock().unwrap().recv_timeout(Duration::from_secs(10)).ok();
            Ok(())
        }

        fn hold(&self) -> Result<Held, Lost> {
            Ok(Held::by(()))
        }
    }

    #[test]
    fn whoever_drops_the_lock_of_a_place_that_is_far_away_does_not_wait_for_its_sign_of_life() {
        let ((begun, begins), (go_on, goes_on)) = (mpsc::channel(), mpsc::channel());
        let lease = Arc::new(Slow { begun, go_on: Mutex::new(goes_on) });
        let left = Arc::downgrade(&lease);
        let lock = Lock::of(lease, Duration::from_millis(1), false).unwrap();
        begins.recv_timeout(Duration::from_secs(10)).unwrap();
        let dropped = Instant::now();
        drop(lock);
        assert!(dropped.elapsed() < Duration::from_secs(5), "{:?}", dropped.elapsed());
        go_on.send(()).unwrap();
        let deadline = Instant::now() + Duration::from_secs(5);
        while left.strong_count() > 0 {
            assert!(Instant::now() < deadline, "the lease is not given back");
            thread::yield_now();
        }
    }

    #[test]
    fn a_lock_file_that_was_deleted_is_a_lost_lock_and_its_token_does_not_come_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("prod.lock");
        let first = silenced(take(&path, "first", None).unwrap());
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(first.check(), Err(Lost::Gone { .. })));
        let second = take(&path, "second", None).unwrap();
        assert!(second.lease().token() > first.token());
        assert!(matches!(first.check(), Err(Lost::Taken { by }) if by.user == "second"));
    }
}
