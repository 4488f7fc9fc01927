//! The lease: the right to work on a deployment, for as long as nobody else has taken it.
//!
//! A process that is killed gives its lease back. One that stands still (suspended, or on a machine that sleeps) does not, and
//! does not know how long it stood when it goes on. So a lease has three parts: a sign of life now and then, which others watch;
//! a fencing token, greater with every taking, which says whose it is now; and a look at that token before anything is written
//! or sent. ([What a lease alone does not prevent](https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html).)

use std::{
    any::Any,
    fmt, io,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock, Weak, mpsc},
    thread,
    time::Duration,
};

use super::Holder;

/// How long a holder may show no sign of life before whoever waits takes its lease.
pub const SILENCE: Duration = Duration::from_secs(30);

/// How often a holder shows one.
pub const HEARTBEAT: Duration = Duration::from_secs(5);

/// A lease that this process has taken. Dropping it gives it back.
///
/// It is renewed every [`HEARTBEAT`], from a thread of its own, and others may take it after a [`SILENCE`]. So a backend that is far away has
/// to count it as lost itself, in [`check`](Self::check), once the last renewal that has succeeded was begun a silence ago.
pub trait Lease: fmt::Debug + Send + Sync {
    /// The fencing token: greater than that of every lease on this deployment before.
    fn token(&self) -> u64;

    /// Whether it is still ours. Cheap enough to be asked before everything that is sent, on a runtime's thread: whoever cannot ask
    /// so quickly says what the last renewal has shown.
    fn check(&self) -> Result<(), Lost>;

    /// Shows a sign of life, and sees whether it is still ours: if not, `check` knows it from then on. Has a time limit, since the end of a
    /// run waits for one that is under way.
    fn renew(&self) -> Result<(), Lost>;

    /// Keeps it from being taken by others for as long as what this returns lives, which is to be as short as a write. Where changes are
    /// refused by their token it need not ([`Backend`](super::Backend) says more), and is a look at whose it is.
    fn hold(&self) -> Result<Held, Lost>;

    /// Gives it back at the end of all that was done under it, on a thread that may wait: then whoever comes next finds it free.
    ///
    /// Where a run is dropped or never begins this does not come, and the drop has to do, on whichever thread it comes: where it would have
    /// to wait, it leaves that to somebody else, and the lease is free a moment later.
    fn give_back(&self) {}
}

/// A lease that nobody can take until this is dropped.
#[must_use = "what is written once it is dropped may be written over somebody else's"]
pub struct Held(#[expect(dead_code, reason = "it is kept to be dropped")] Box<dyn Any + Send>);

impl Held {
    /// For as long as `guard` is not dropped.
    pub fn by(guard: impl Any + Send) -> Self {
        Self(Box::new(guard))
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held")
    }
}

/// Why nothing more may be done under a lease.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    /// Somebody else has it.
    #[error("the lock was taken over by {by}, because this process had stood still; nothing more is sent or written")]
    Taken {
        /// Who.
        by: Holder,
    },
    /// What it is kept in is gone.
    #[error("{path}: somebody has removed the lock, and another run may have begun; nothing more is sent or written")]
    Gone {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be seen who has it.
    #[error("{path}: {source}: it cannot be seen who holds the lock, and nothing more is sent or written")]
    Unknown {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl Lost {
    /// For each of the many things that then cannot be done.
    pub(super) fn brief(&self) -> String {
        match self {
            Self::Taken { .. } | Self::Gone { .. } => "the lock is lost".to_owned(),
            Self::Unknown { .. } => self.to_string(),
        }
    }
}

/// Stops what is sent under a lease that is lost. Copies are the same fence.
#[derive(Debug, Clone, Default)]
pub struct Fence(Arc<RwLock<Option<Weak<dyn Lease>>>>);

impl Fence {
    /// From now on everything is sent under `lease`, until it is given back.
    pub(super) fn arm(&self, lease: &Arc<dyn Lease>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::downgrade(lease));
    }

    /// Whether something may be sent: yes, but under a lease that is lost.
    pub fn check(&self) -> Result<(), Lost> {
        self.lease().map_or(Ok(()), |lease| lease.check())
    }

    /// The lease, while it is not given back; and it is not for as long as somebody has it from here.
    pub fn lease(&self) -> Option<Arc<dyn Lease>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(Weak::upgrade)
    }
}

/// Shows signs of life from a thread of its own, so that nothing that a run does can hold them up. Ends when dropped.
#[derive(Debug)]
pub(super) struct Heart {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
    /// Whether a beat takes no time, so that the last one can be waited for anywhere.
    is_near: bool,
}

impl Heart {
    pub(super) fn start(lease: Arc<dyn Lease>, every: Duration, is_near: bool) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let beat = move || {
            while stopped.recv_timeout(every) == Err(mpsc::RecvTimeoutError::Timeout) {
                match lease.renew() {
                    Ok(()) => {}
                    Err(lost @ (Lost::Taken { .. } | Lost::Gone { .. })) => return tracing::warn!("{lost}"),
                    // The next beat may get through; if none does, others see silence.
                    Err(lost @ Lost::Unknown { .. }) => tracing::warn!("{lost}"),
                }
            }
        };
        let thread = thread::Builder::new().name("rcm-lease".into()).spawn(beat)?;
        Ok(Self { stop: Some(stop), thread: Some(thread), is_near })
    }

    /// Ends it, and waits for the last beat.
    pub(super) fn stop(&mut self) {
        self.stop.take();
        // It holds the lease: only when it has ended is the lease given back. It does nothing that can panic.
        self.thread.take().map(thread::JoinHandle::join);
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        if self.is_near {
            return self.stop();
        }
        // A beat that is under way may wait for just the runtime whose thread this is.
        self.stop.take();
    }
}
