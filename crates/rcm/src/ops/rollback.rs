//! Undoing what a run has left: after a rollback that got stuck, a failure that was kept, or a process that died.

use std::collections::BTreeMap;

use rcm_engine::{
    model::{Address, Fault},
    run::{Aftermath, OnFailure, Options, recover, rollback},
    store::Undo,
};

use super::{Environment, record::word, run::end};
use crate::Error;

/// How undoing a run went.
#[derive(Debug)]
pub struct RolledBack {
    /// What was to be undone, in the order in which the run had begun it.
    pub undone: Vec<Undo>,
    /// What could not be undone, and why: it still exists and is known, and undoing can be tried again.
    pub left: Vec<(Address, Fault)>,
    /// Whether somebody stopped it before its end: what was not undone is known, and undoing can be gone on with.
    pub interrupted: bool,
}

impl Environment {
    /// What the last run did and was not brought to an end: what [`roll_back`](Self::roll_back) would undo.
    pub fn to_undo(&self) -> Result<Vec<Undo>, Error> {
        Ok(self.load()?.map(|state| state.undo).unwrap_or_default())
    }

    /// Undoes what the last run did, if that did not come to its end, after asking `approve`. Does not plan: the partner file
    /// only says whose environment it is.
    ///
    /// # Errors
    /// What keeps a run from beginning does so here too; [`Error::Declined`] when it is not approved. What cannot be undone is
    /// no error but in [`RolledBack::left`].
    pub async fn roll_back(&self, approve: impl FnOnce(&[Undo]) -> bool) -> Result<RolledBack, Error> {
        if self.load_aside().await?.is_none_or(|state| state.undo.is_empty()) {
            return Ok(RolledBack { undone: Vec::new(), left: Vec::new(), interrupted: false });
        }
        let (ledger, caller) = self.begin().await?;
        let state = ledger.state().clone();
        let recording = self.record("rollback", Some(caller.arn), Some(&state)).await?;
        let options = Options {
            parallelism: self.settings.parallelism,
            on_failure: OnFailure::Keep,
            purge: false,
            awaiting_timeout: self.settings.certificate_timeout,
        };
        let engine = self.engine(options, &ledger);
        let result = async {
            let undone = ledger.state().undo.clone();
            if !approve(&undone) {
                return Err(Error::Declined);
            }
            // Undoes some of it already: deletes that had begun.
            recover(&engine).await?;
            let (left, interrupted) = match rollback(&engine).await {
                Aftermath::Stuck(left) => (left, false),
                aftermath => (Vec::new(), matches!(aftermath, Aftermath::Interrupted)),
            };
            Ok(RolledBack { undone, left, interrupted })
        }
        .await;
        drop(engine);
        let outcome = match &result {
            Ok(rolled_back) if rolled_back.interrupted => "interrupted",
            Ok(rolled_back) if rolled_back.left.is_empty() => "done",
            Ok(_) => "stuck",
            Err(error) => word(error),
        };
        recording.end(outcome, BTreeMap::new()).await;
        end(ledger).await?;
        result
    }
}
