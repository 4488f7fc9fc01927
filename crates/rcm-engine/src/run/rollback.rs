//! Undoing what a run did: each step in reverse, dependents first.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Aftermath, Engine,
    call::Halt,
    execute::{Drive, Ended},
    schedule::Edge,
    step::Worker,
    stop::Cancel,
};
use crate::{
    model::{Address, EventKind, Fault, UndoOf},
    store::{Entry, State, Undo},
};

/// Undoes everything that the state still knows to undo: what this run has begun, or one before it that failed or was cut off.
///
/// What was made is deleted, what was changed is put back, what was there before is left. What cannot be undone stays known,
/// so that this can be called again.
pub async fn rollback(engine: &Engine) -> Aftermath {
    let (undo, edges) = {
        let state = engine.0.ledger.state();
        (state.undo.clone(), edges(&state))
    };
    engine.0.events.run(EventKind::RollbackStarted { steps: undo.len() });
    let typical = vec![Duration::from_secs(1); undo.len()];
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

/// What each undo waits for: the undos of what needs its resource as that is now, and of its successors at the same address.
fn edges(state: &State) -> Vec<Vec<Edge>> {
    let mut at: BTreeMap<&Address, Vec<usize>> = BTreeMap::new();
    for (step, undo) in state.undo.iter().enumerate() {
        at.entry(undo.key().0).or_default().push(step);
    }
    let mut edges: Vec<Vec<Edge>> = vec![Vec::new(); state.undo.len()];
    for (dependent, undo) in state.undo.iter().enumerate() {
        let (address, generation) = undo.key();
        let needs = state.record(address, generation).into_iter().flat_map(|record| record.needs());
        let needed = needs.filter_map(|need| at.get(&need)).flatten();
        let predecessors =
            at.get(address).into_iter().flatten().filter(|other| state.undo[**other].key().1 < generation);
        for to in needed.chain(predecessors) {
            edges[*to].push(Edge { to: dependent, early: false });
        }
    }
    edges
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
    let what = if matches!(undo, Undo::Update { .. }) { UndoOf::Update } else { UndoOf::Create };
    engine.0.events.step(address, EventKind::UndoStarted { undo: what });
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
    let (address, append) = (address.clone(), |entry| engine.0.ledger.append(entry));
    // Not in the state: the create is known never to have happened.
    let Some(kind) = kind else { return append(Entry::Undone { address, generation }).await.map_err(Halt::Fault) };
    let resource = engine.0.registry.get(&kind)?.clone();
    let worker = Worker { engine, resource, address: &address, generation, stop, undo: true };
    match undo {
        Undo::Create { .. } => worker.delete().await?,
        Undo::Adopt { .. } => append(Entry::Gone { address: address.clone(), generation }).await?,
        Undo::Update { before, changed } => worker.revert(before, changed.clone()).await?,
    }
    append(Entry::Undone { address: address.clone(), generation }).await.map_err(Halt::Fault)
}
