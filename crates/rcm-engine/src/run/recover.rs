//! After a run that was cut off: whatever is in doubt is settled before anything new is planned.

use std::{collections::BTreeSet, time::Duration};

use futures::future::try_join_all;

use super::{
    Engine,
    call::Halt,
    execute::{Drive, Ended},
    schedule::Edge,
    step::Worker,
    stop::Cancel,
};
use crate::{
    model::{Address, EventKind, Fault},
    store::{Entry, Phase, Record, State},
};

/// Settles every record that an unfinished run has left in doubt, and says how many there were.
///
/// A create without an id is looked up: found, it is ours and will be completed; not found, it never happened. A delete that
/// had begun is finished, dependents first.
pub async fn recover(engine: &Engine) -> Result<usize, Fault> {
    let (doubtful, deleting) = {
        let state = engine.0.ledger.state();
        let doubtful: Vec<Record> = state.records().filter(|record| record.id.is_none()).cloned().collect();
        let deleting: Vec<Record> = state.records().filter(|record| record.phase == Phase::Deleting).cloned().collect();
        (doubtful, deleting)
    };
    // Side by side: what is not found is looked for again for a few seconds.
    let settles = doubtful
        .iter()
        .map(|record| async move { settle(engine, record).await.map_err(|halt| stopped(halt, &record.address)) });
    try_join_all(settles).await?;
    finish_deletes(engine, &deleting).await?;
    let settled = doubtful.len() + deleting.len();
    if settled > 0 {
        engine.0.events.run(EventKind::Recovered { in_doubt: settled });
    }
    Ok(settled)
}

/// Ends the deletes that had begun, dependents first.
async fn finish_deletes(engine: &Engine, deleting: &[Record]) -> Result<(), Fault> {
    let edges = edges(&engine.0.ledger.state(), deleting);
    let typical = vec![Duration::ZERO; deleting.len()];
    let drive = Drive::new(edges, &typical, engine.0.cancel.clone(), true);
    let stop = drive.stop.clone();
    let ended = drive
        .run(|at, _| {
            let (engine, record, stop) = (engine.clone(), deleting[at].clone(), stop.clone());
            async move {
                match finish_delete(&engine, &record, &stop).await {
                    Ok(()) => Ended::Done,
                    Err(Halt::Interrupted) => Ended::Interrupted,
                    Err(halt) => Ended::Failed(stopped(halt, &record.address)),
                }
            }
        })
        .await;
    match ended.failures.into_iter().next() {
        Some((_, fault)) => Err(fault),
        None if ended.complete => Ok(()),
        None => Err(Fault::invalid("recover", "stopped while finishing deletes that had begun")),
    }
}

/// What each delete waits for: the deletes of what stands on its resource.
fn edges(state: &State, deleting: &[Record]) -> Vec<Vec<Edge>> {
    let mut edges: Vec<Vec<Edge>> = vec![Vec::new(); deleting.len()];
    for (dependent, record) in deleting.iter().enumerate() {
        let needs: BTreeSet<(Address, u32)> = state.stands_on(record);
        let needed = |other: &Record| needs.contains(&(other.address.clone(), other.generation));
        let needed = deleting.iter().enumerate().filter(|(to, other)| *to != dependent && needed(other));
        needed.for_each(|(to, _)| edges[to].push(Edge { to: dependent, early: false }));
    }
    edges
}

async fn finish_delete(engine: &Engine, record: &Record, stop: &Cancel) -> Result<(), Halt> {
    worker(engine, record, stop)?.finish_delete().await
}

async fn settle(engine: &Engine, record: &Record) -> Result<(), Halt> {
    let worker = worker(engine, record, &engine.0.cancel)?;
    let (address, generation) = (record.address.clone(), record.generation);
    let entry = match worker.look_up_record().await? {
        Some(id) => Entry::Minted { address, generation, id, existed: false },
        None => Entry::Gone { address, generation },
    };
    engine.0.ledger.append(entry).await.map_err(Halt::Fault)
}

fn worker<'a>(engine: &'a Engine, record: &'a Record, stop: &'a Cancel) -> Result<Worker<'a>, Fault> {
    let resource = engine.0.registry.get(&record.kind)?.clone();
    let (address, generation) = (&record.address, record.generation);
    // A delete that was to undo a create ends as it began: with no last copies of what never held anything.
    let undo = engine.0.ledger.state().would_be_unmade(address, generation);
    Ok(Worker { engine, resource, address, generation, stop, undo })
}

fn stopped(halt: Halt, address: &Address) -> Fault {
    match halt {
        Halt::Fault(fault) => fault,
        Halt::Interrupted => Fault::invalid("recover", format!("stopped while settling {address}")),
        Halt::Parked(what) => Fault::invalid("recover", format!("{address} waits for {what}")),
    }
}
