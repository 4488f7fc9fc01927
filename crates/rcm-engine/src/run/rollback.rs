//! Undoing a failed run: each step in reverse, dependents first.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::PoisonError,
};

use super::{
    Aftermath, Engine, Inner,
    call::Halt,
    execute::{Drive, Ended},
    schedule::Edge,
    step::Worker,
    stop::Cancel,
};
use crate::{
    model::{Address, EventKind, Fault, UndoOf},
    plan::Plan,
    store::{Entry, Record},
};

/// How to undo a mutation that this run has begun.
#[derive(Debug, Clone)]
pub(super) enum Undo {
    /// This run made it: delete it, if it exists.
    Create { address: Address, generation: u32 },
    /// It was there before: forget it again.
    Adopt { address: Address, generation: u32 },
    /// Put this back.
    Update { before: Box<Record>, changed: Option<BTreeSet<String>> },
}

impl Undo {
    fn key(&self) -> (&Address, u32) {
        match self {
            Self::Create { address, generation } | Self::Adopt { address, generation } => (address, *generation),
            Self::Update { before, .. } => (&before.address, before.generation),
        }
    }

    fn what(&self) -> UndoOf {
        match self {
            Self::Create { .. } | Self::Adopt { .. } => UndoOf::Create,
            Self::Update { .. } => UndoOf::Update,
        }
    }
}

impl Inner {
    /// Remembers how to undo a mutation whose begin has just been written down.
    pub(super) fn note_undo(&self, undo: Undo) {
        self.undo.lock().unwrap_or_else(PoisonError::into_inner).push(undo);
    }

    /// What this run wanted to create was there already: undoing must not delete it.
    pub(super) fn found_existing(&self, address: &Address, generation: u32) {
        let mut undo = self.undo.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = undo.iter_mut().find(|undo| undo.key() == (address, generation)) {
            *found = Undo::Adopt { address: address.clone(), generation };
        }
    }

    fn take_undo(&self) -> Vec<Undo> {
        std::mem::take(&mut *self.undo.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Undoes everything that this run has begun in the forward part of `plan`.
pub(super) async fn rollback(engine: &Engine, plan: &Plan) -> Aftermath {
    let undo = engine.0.take_undo();
    // Not in the state: the create is known never to have happened.
    let made = |undo: &Undo| engine.0.ledger.state().record(undo.key().0, undo.key().1).is_some();
    let undo: Vec<Undo> = undo.into_iter().filter(made).collect();
    engine.0.events.run(EventKind::RollbackStarted { steps: undo.len() });
    let at: BTreeMap<&Address, usize> = undo.iter().enumerate().map(|(at, undo)| (undo.key().0, at)).collect();
    let mut edges: Vec<Vec<Edge>> = vec![Vec::new(); undo.len()];
    for step in &plan.forward {
        let Some(dependent) = at.get(&step.address) else { continue };
        for target in step.waits_for.keys().filter_map(|address| at.get(address)) {
            edges[*target].push(Edge { to: *dependent, early: false });
        }
    }
    let typical = vec![std::time::Duration::from_secs(1); undo.len()];
    // A person's wish to stop does not leave half a rollback behind; a second signal ends the process, and the journal
    // makes that safe too.
    let stop = Cancel::new();
    let drive = Drive::new(edges, &typical, stop.clone(), false);
    let ended = drive
        .run(|step, _| {
            let (engine, undo, stop) = (engine.clone(), undo[step].clone(), stop.clone());
            async move { one(&engine, &undo, &stop).await }
        })
        .await;
    let stuck: Vec<(Address, Fault)> = ended
        .failures
        .into_iter()
        .map(|(step, fault)| (undo[step].key().0.clone(), fault))
        .chain(blocked(&undo, &ended.blocked))
        .collect();
    if stuck.is_empty() { Aftermath::RolledBack } else { Aftermath::Stuck(stuck) }
}

/// Undos that could not start because what needs them could not be undone.
fn blocked(undo: &[Undo], steps: &[usize]) -> Vec<(Address, Fault)> {
    let fault = |address: &Address| {
        Fault::invalid("rollback", format!("{address} is still needed by what could not be undone"))
    };
    steps.iter().map(|step| undo[*step].key().0).map(|address| (address.clone(), fault(address))).collect()
}

async fn one(engine: &Engine, undo: &Undo, stop: &Cancel) -> Ended {
    let (address, generation) = undo.key();
    engine.0.events.step(address, EventKind::UndoStarted { undo: undo.what() });
    match reverse(engine, undo, address, generation, stop).await {
        Ok(()) => {
            engine.0.events.step(address, EventKind::UndoDone);
            Ended::Done
        }
        Err(Halt::Fault(fault)) => {
            engine.0.events.step(address, EventKind::UndoFailed { fault: fault.clone() });
            Ended::Failed(fault)
        }
        Err(Halt::Interrupted) => Ended::Interrupted,
        Err(Halt::Parked(what)) => Ended::Failed(Fault::invalid("rollback", format!("waits for {what}"))),
    }
}

async fn reverse(engine: &Engine, undo: &Undo, address: &Address, generation: u32, stop: &Cancel) -> Result<(), Halt> {
    let kind = engine.0.ledger.state().record(address, generation).map(|record| record.kind.clone());
    let Some(kind) = kind else { return Ok(()) };
    let resource = engine.0.registry.get(&kind)?.clone();
    let worker = Worker { engine, resource, address, generation, stop, undo: true };
    match undo {
        Undo::Create { .. } => worker.delete().await,
        Undo::Adopt { .. } => {
            let gone = Entry::Gone { address: address.clone(), generation };
            engine.0.ledger.append(gone).await.map_err(Halt::Fault)
        }
        Undo::Update { before, changed } => worker.revert(before, changed.clone()).await,
    }
}
