//! Ctrl-C and SIGTERM: the first asks the run to stop at its next safe points, the second ends the process. SIGTERM comes from
//! somebody who does not wait for long: some seconds after it, it counts as the second.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rcm::engine::{
    model::{Event, EventKind},
    run::Cancel,
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::timeout,
};

use crate::{
    error::{CommandError, Exit},
    terminal,
};

/// SIGXFSZ has this number on all that rcm is built for.
const FILE_TOO_LARGE: i32 = 25;

/// How long what is under way may take to end after SIGTERM. CI systems kill a process 7.5 seconds after it.
const GRACE: Duration = Duration::from_secs(6);

/// Whether something is under way that ought to be stopped with care.
#[derive(Debug, Clone)]
pub(crate) struct Stake(Arc<AtomicBool>);

impl Stake {
    /// `careful`: whether a signal now asks first.
    pub(crate) fn new(careful: bool) -> Self {
        Self(Arc::new(AtomicBool::new(careful)))
    }

    /// Follows a run: while it waits for a lock, reads, or asks, there is nothing to be careful about.
    pub(crate) fn follow(&self, event: &Event) {
        match event.kind {
            EventKind::LockWaiting { .. } | EventKind::RefreshStarted { .. } => self.0.store(false, Ordering::SeqCst),
            EventKind::RunStarted { .. } => self.0.store(true, Ordering::SeqCst),
            _ => {}
        }
    }

    fn is_careful(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Listens from now on. `say` prints a line without disturbing what else is on the screen.
pub(crate) fn listen(cancel: Cancel, stake: Stake, say: impl Fn(&str) + Send + 'static) -> Result<(), CommandError> {
    let failed = |error| CommandError::new(Exit::Failed, format!("cannot listen for Ctrl-C: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    // A file that may not grow any more (`ulimit -f`) then fails a write, which is told, instead of ending the process.
    drop(signal(SignalKind::from_raw(FILE_TOO_LARGE)).map_err(failed)?);
    tokio::spawn(async move {
        let first = next(&mut interrupt, &mut terminate).await;
        if !stake.is_careful() {
            terminal::tell("\nstopped; nothing was changed\n");
            std::process::exit(i32::from(Exit::Stopped.code()));
        }
        cancel.cancel();
        say(
            "stopping: nothing new is begun, what is under way is finished (Ctrl-C again to leave at once; the next run \
             settles what was under way)",
        );
        let second = next(&mut interrupt, &mut terminate);
        if first == SignalKind::interrupt() {
            second.await;
        } else if timeout(GRACE, second).await.is_err() {
            say("leaving: what is under way takes longer than one may take after SIGTERM; the next run settles it");
        }
        std::process::exit(i32::from(Exit::Stopped.code()));
    });
    Ok(())
}

/// Returns at the first Ctrl-C or SIGTERM.
pub(crate) async fn first() {
    match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
        (Ok(mut interrupt), Ok(mut terminate)) => drop(next(&mut interrupt, &mut terminate).await),
        // Then the operating system's own way ends the process.
        _ => std::future::pending().await,
    }
}

/// Which of the two came.
async fn next(interrupt: &mut Signal, terminate: &mut Signal) -> SignalKind {
    tokio::select! {
        _ = interrupt.recv() => SignalKind::interrupt(),
        _ = terminate.recv() => SignalKind::terminate(),
    }
}
