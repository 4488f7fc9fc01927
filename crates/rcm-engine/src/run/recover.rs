//! After a run that was cut off: whatever is in doubt is settled before anything new is planned.

use std::collections::BTreeSet;

use super::{Engine, call::Halt, step::Worker};
use crate::{
    model::{Address, EventKind, Fault},
    store::{Entry, Phase, Record},
};

/// Settles every record that an unfinished run has left in doubt, and says how many there were.
///
/// A create without an id is looked up: found, it is ours and will be completed; not found, it never happened. A delete that
/// had begun is finished, dependents first.
pub async fn recover(engine: &Engine) -> Result<usize, Fault> {
    let doubtful: Vec<Record> =
        engine.0.ledger.state().records().filter(|record| record.id.is_none()).cloned().collect();
    let mut settled = 0;
    for record in &doubtful {
        settle(engine, record).await.map_err(|halt| stopped(halt, &record.address))?;
        settled += 1;
    }
    while let Some(record) = next_delete(engine) {
        let worker = worker(engine, &record)?;
        worker.finish_delete().await.map_err(|halt| stopped(halt, &record.address))?;
        settled += 1;
    }
    if settled > 0 {
        engine.0.events.run(EventKind::Recovered { in_doubt: settled });
    }
    Ok(settled)
}

async fn settle(engine: &Engine, record: &Record) -> Result<(), Halt> {
    let worker = worker(engine, record)?;
    let (address, generation) = (record.address.clone(), record.generation);
    let entry = match worker.look_up_record().await? {
        Some(id) => Entry::Minted { address, generation, id, existed: false },
        None => Entry::Gone { address, generation },
    };
    engine.0.ledger.append(entry).await.map_err(Halt::Fault)
}

/// A begun delete that nothing else whose delete has begun depends on.
fn next_delete(engine: &Engine) -> Option<Record> {
    let state = engine.0.ledger.state();
    let deleting: Vec<&Record> = state.records().filter(|record| record.phase == Phase::Deleting).collect();
    let needed: BTreeSet<(Address, u32)> = deleting.iter().flat_map(|record| state.stands_on(record)).collect();
    let needed = |record: &Record| needed.contains(&(record.address.clone(), record.generation));
    deleting.iter().find(|record| !needed(record)).map(|record| (*record).clone())
}

fn worker<'a>(engine: &'a Engine, record: &'a Record) -> Result<Worker<'a>, Fault> {
    let resource = engine.0.registry.get(&record.kind)?.clone();
    let (address, generation, stop) = (&record.address, record.generation, &engine.0.cancel);
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
