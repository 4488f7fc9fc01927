//! Stopping: no new step starts, waits end, calls that are under way finish.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, time::timeout};

/// A person's wish to stop. Cheap to clone; once cancelled, it stays so.
#[derive(Debug, Clone)]
pub struct Cancel(Arc<watch::Sender<bool>>);

impl Default for Cancel {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Cancel {
    /// Nobody wants to stop yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops the run at the next safe points.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }

    /// Whether somebody wants to stop.
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when somebody wants to stop.
    pub async fn cancelled(&self) {
        // The sender lives as long as `self`, so waiting can only end by the value.
        let _ = self.0.subscribe().wait_for(|stopped| *stopped).await;
    }

    /// Waits for `delay`, or until somebody wants to stop; whether the whole delay has passed.
    pub(super) async fn pause(&self, delay: Duration) -> bool {
        timeout(delay, self.cancelled()).await.is_err()
    }
}
