//! Undoing what a run did: each step in reverse, dependents first.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

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
/// What was made is deleted, what was changed is put back, what was there before is left. What cannot be undone, or was not when
/// somebody stopped it, stays known, so that this can be called again.
pub async fn rollback(engine: &Engine) -> Aftermath {
    let (undo, edges) = {
        let state = engine.0.ledger.state();
        (state.undo.clone(), edges(&state))
    };
    engine.0.events.run(EventKind::RollbackStarted { steps: undo.len() });
    let typical = vec![Duration::from_secs(1); undo.len()];
    let drive = Drive::new(edges, &typical, engine.0.cancel.clone(), false);
    let stop = drive.stop.clone();
    let ended = drive
        .run(|step, _| {
            let (engine, undo, stop) = (engine.clone(), undo[step].clone(), stop.clone());
            async move { one(&engine, &undo, &stop).await }
        })
        .await;
    if !ended.complete && engine.0.cancel.is_cancelled() {
        return Aftermath::Interrupted;
    }
    let stuck: Vec<(Address, Fault)> = ended
        .failures
        .into_iter()
        .map(|(step, fault)| (undo[step].key().0.clone(), fault))
        .chain(blocked(&undo, &ended.blocked))
        .collect();
    if stuck.is_empty() { Aftermath::RolledBack } else { Aftermath::Stuck(stuck) }
}

/// What each undo waits for. What is deleted waits for everything that may need it. What is put back waits for what names it, and
/// for its successors; but not for predecessors, which are to need again what they needed before, and that was always there.
fn edges(state: &State) -> Vec<Vec<Edge>> {
    let keys: Vec<(&Address, u32)> = state.undo.iter().map(Undo::key).collect();
    let at: BTreeMap<(&Address, u32), usize> = keys.iter().enumerate().map(|(step, key)| (*key, step)).collect();
    let is_put_back = |step: &usize| matches!(state.undo[*step], Undo::Update { .. });
    let mut edges: Vec<Vec<Edge>> = vec![Vec::new(); keys.len()];
    for (step, (address, generation)) in keys.iter().enumerate() {
        let Some(record) = state.record(address, *generation) else { continue };
        let is_predecessor = is_put_back(&step) && !state.is_current(record);
        let (needs, names) = (state.stands_on(record), record.needs().collect::<BTreeSet<_>>());
        let needed = needs.iter().filter_map(|(address, generation)| at.get(&(address, *generation)).copied());
        let needed =
            needed.filter(|needed| !is_put_back(needed) || (!is_predecessor && names.contains(keys[*needed].0)));
        let predecessors = at.range((*address, 0)..(*address, *generation)).map(|(_, predecessor)| *predecessor);
        for to in needed.chain(predecessors.filter(is_put_back)) {
            edges[to].push(Edge { to: step, early: false });
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
