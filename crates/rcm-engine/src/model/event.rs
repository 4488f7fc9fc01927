//! What happens in a run, as one typed stream. Progress bars, plain lines, JSON lines and logs are renderings of it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures::{Stream, channel::mpsc};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::{Address, Fault, Id};

/// One thing that happened.
#[derive(Debug, Clone, Serialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// To what; `None` for the run as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// The kinds of [`Event`]. Durations are in milliseconds.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum EventKind {
    /// Another process holds the lock.
    LockWaiting {
        /// Who holds it.
        holder: String,
    },
    /// The lock is ours: who held it has shown no sign of life for as long as we have waited.
    LockTakenOver {
        /// Who held it.
        holder: String,
        /// For how long they were watched.
        silent_ms: u64,
    },
    /// An unfinished run was found; so many resources were in doubt and have been looked up.
    Recovered {
        /// How many.
        in_doubt: usize,
    },
    /// The live cloud is being read.
    RefreshStarted {
        /// How many resources the state knows.
        resources: usize,
    },
    /// The live cloud has been read.
    RefreshDone {
        /// How long it took.
        elapsed_ms: u64,
    },
    /// Something that a person should know before it begins.
    Noted {
        /// In a sentence.
        message: String,
    },
    /// Execution begins.
    RunStarted {
        /// How many steps there are.
        steps: usize,
    },
    /// A step begins.
    StepStarted {
        /// `create`, `update`, `replace`, `delete`, …
        action: &'static str,
        /// The kind of resource.
        resource: String,
    },
    /// The resource has an id.
    Minted {
        /// The id.
        id: Id,
    },
    /// The step waits for the cloud; what the cloud says.
    Progress {
        /// In a few words.
        message: String,
    },
    /// The step waits for somebody outside.
    Awaiting {
        /// What for.
        what: String,
        /// What to do, as data.
        details: Value,
    },
    /// A call failed in a way that is worth another try.
    Retry {
        /// How it failed.
        fault: Fault,
        /// When it is tried again.
        after_ms: u64,
    },
    /// The step is done.
    StepDone {
        /// What it did.
        action: &'static str,
        /// How long it took.
        elapsed_ms: u64,
    },
    /// The step failed.
    StepFailed {
        /// How.
        fault: Fault,
    },
    /// The step was left for a later run, because somebody outside has not done their part yet.
    StepParked {
        /// What it waits for.
        what: String,
    },
    /// The resource's delete leaves this in the cloud on purpose.
    Left {
        /// What it is, in a few words.
        what: String,
        /// What the cloud calls it.
        id: String,
    },
    /// What an earlier delete of the resource had left is deleted too.
    Discarded {
        /// What it is, in a few words.
        what: String,
        /// What the cloud calls it.
        id: String,
    },
    /// No new step starts; those in flight finish.
    Stopping {
        /// Why.
        reason: String,
    },
    /// The undoing of a failed run begins.
    RollbackStarted {
        /// How many steps are undone.
        steps: usize,
    },
    /// A step is being undone.
    UndoStarted {
        /// What the undoing does.
        undo: UndoOf,
    },
    /// A step has been undone.
    UndoDone,
    /// A step could not be undone.
    UndoFailed {
        /// Why.
        fault: Fault,
    },
    /// Execution is over.
    RunFinished {
        /// How long it took.
        elapsed_ms: u64,
    },
}

/// What an undo does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UndoOf {
    /// Deletes what the run created.
    Create,
    /// Puts the old configuration back.
    Update,
}

/// Where events go. Cheap to clone; must not block. [`Events::stream`] makes a stream of them.
#[derive(Clone)]
pub struct Events(Arc<dyn Fn(&Event) + Send + Sync>);

impl Events {
    /// Sends every event to `sink`.
    pub fn to(sink: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        Self(Arc::new(sink))
    }

    /// Sends every event to a stream.
    ///
    /// A run never waits for the reader of its events: what is not read yet is kept, a few hundred bytes an event and some hundreds
    /// of them a run. What comes after the stream was dropped is dropped, too.
    ///
    /// The stream ends once the last copy of the `Events` is gone, and so with the environment that was opened with them.
    ///
    /// ```
    /// use futures::StreamExt;
    /// use rcm_engine::model::{EventKind, Events};
    ///
    /// # futures::executor::block_on(async {
    /// let (events, mut stream) = Events::stream();
    /// events.run(EventKind::RunStarted { steps: 81 });
    /// drop(events);
    /// assert!(matches!(stream.next().await.unwrap().kind, EventKind::RunStarted { steps: 81 }));
    /// assert!(stream.next().await.is_none());
    /// # });
    /// ```
    pub fn stream() -> (Self, EventStream) {
        let (sender, receiver) = mpsc::unbounded();
        // It can only fail once nobody reads any more.
        let events = Self::to(move |event| drop(sender.unbounded_send(event.clone())));
        (events, EventStream(receiver))
    }

    /// Drops every event.
    pub fn none() -> Self {
        Self::to(|_| {})
    }

    /// The same sink, which gets of every event what `change` makes of it.
    #[must_use]
    pub fn through(self, change: impl Fn(&mut Event) + Send + Sync + 'static) -> Self {
        Self::to(move |event| {
            let mut event = event.clone();
            change(&mut event);
            (self.0)(&event);
        })
    }

    /// Something happened to the run.
    pub fn run(&self, kind: EventKind) {
        (self.0)(&Event { at: Timestamp::now(), address: None, kind });
    }

    /// Something happened to a resource.
    pub fn step(&self, address: &Address, kind: EventKind) {
        (self.0)(&Event { at: Timestamp::now(), address: Some(address.clone()), kind });
    }
}

/// The events of [`Events::stream`], in the order in which they happened.
#[derive(Debug)]
pub struct EventStream(mpsc::UnboundedReceiver<Event>);

impl Stream for EventStream {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        Pin::new(&mut self.0).poll_next(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, StreamExt};

    use super::*;

    #[test]
    fn a_stream_keeps_what_is_not_read_yet_and_holds_nobody_up_once_it_is_dropped() {
        let (events, mut stream) = Events::stream();
        for steps in 0..1000 {
            events.run(EventKind::RunStarted { steps });
        }
        let read: Vec<_> = std::iter::from_fn(|| stream.next().now_or_never()).flatten().collect();
        assert_eq!(read.len(), 1000);
        assert!(matches!(read[999].kind, EventKind::RunStarted { steps: 999 }));
        drop(stream);
        events.run(EventKind::UndoDone);
    }
}
