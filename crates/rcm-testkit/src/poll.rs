//! Waiting for something outside this process.

use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(10);

/// Asks `ready` every ten milliseconds until it has an answer; `None` once `patience` is over.
pub fn poll<T>(patience: Duration, mut ready: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(answer) = ready() {
            return Some(answer);
        }
        if Instant::now() >= deadline {
            return None;
        }
        #[expect(clippy::disallowed_methods, reason = "the pause between two polls, and the caller set the deadline")]
        std::thread::sleep(PAUSE);
    }
}
