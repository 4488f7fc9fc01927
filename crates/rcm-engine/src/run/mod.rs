//! Doing it: steps under the journal, with retries, waits, rollback and recovery.

mod acting;
mod call;
mod errand;
mod execute;
mod recover;
mod rollback;
mod schedule;
mod step;
mod stop;

use std::{sync::Arc, time::Duration};

pub use acting::{acting_for, acts_for};
pub use execute::execute;
pub use recover::recover;
pub use rollback::rollback;
pub use stop::Cancel;

use crate::{
    model::{Address, Events, Fault, Registry},
    store::Ledger,
};

/// How a run behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many calls to the cloud may be under way at once. Waits do not count.
    pub parallelism: usize,
    /// What happens after a failure.
    pub on_failure: OnFailure,
    /// Whether deletes take content with them.
    pub purge: bool,
    /// How long a step waits for somebody outside before it is parked.
    pub awaiting_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { parallelism: 32, on_failure: OnFailure::Keep, purge: false, awaiting_timeout: Duration::from_mins(30) }
    }
}

/// What happens after a failure in the forward part of a plan. A failure in the cleanup is always kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// Undo what this run did.
    Rollback,
    /// Leave it; the next run goes on from there.
    Keep,
}

/// How a run ended.
#[derive(Debug)]
pub enum Outcome {
    /// Everything is as the plan says.
    Done,
    /// Everything that could be done is done; the rest waits for somebody outside. The next run goes on.
    Parked(Vec<(Address, String)>),
    /// Somebody stopped it; the next run goes on.
    Cancelled,
    /// Something failed.
    Failed {
        /// What and how, first the one that failed first.
        failures: Vec<(Address, Fault)>,
        /// What became of what had been done.
        aftermath: Aftermath,
    },
}

/// What became of what a failed run had done.
#[derive(Debug)]
pub enum Aftermath {
    /// Left; the next run goes on from there.
    Kept,
    /// Undone: the cloud is as it was before.
    RolledBack,
    /// Not all could be undone: what is left, and why.
    Stuck(Vec<(Address, Fault)>),
    /// Somebody stopped it while it was being undone: the rest can still be undone, or gone on with.
    Interrupted,
}

/// One run's surroundings.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    registry: Registry,
    ledger: Arc<Ledger>,
    events: Events,
    options: Options,
    cancel: Cancel,
    calls: call::Calls,
}

impl Engine {
    /// Everything a run needs. The ledger is shared so that the caller can write the snapshot afterwards.
    pub fn new(registry: Registry, ledger: Arc<Ledger>, events: Events, options: Options, cancel: Cancel) -> Self {
        let calls = call::Calls::new(options.parallelism);
        Self(Arc::new(Inner { registry, ledger, events, options, cancel, calls }))
    }
}
