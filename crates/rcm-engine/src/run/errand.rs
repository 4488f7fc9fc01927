//! Work on single resources beside any plan, with a run's retries, waits and journal: for what no spec says, such as a new
//! password.
//!
//! What is touched is not ready in the state until it is settled. So a run that comes after a crash brings it in line with its spec,
//! as it does with every update that was cut off.

use std::future::Future;

use jiff::Timestamp;

use super::{
    Engine,
    call::{Halt, Verb},
    execute::commit,
    step::Worker,
};
use crate::{
    model::{Address, Fault},
    store::{Entry, Intent},
};

impl Engine {
    /// Writes down that `fields` of the resource at `address` are about to change, although its spec stays.
    pub async fn touch(&self, address: &Address, fields: &[&str]) -> Result<(), Fault> {
        let intent = {
            let state = self.0.ledger.state();
            let record = state.resources.get(address).ok_or_else(|| unknown(address))?;
            Intent::Update {
                address: address.clone(),
                generation: record.generation,
                spec: record.spec.clone(),
                dependencies: record.dependencies.clone(),
                changed: Some(fields.iter().map(|field| (*field).to_owned()).collect()),
                at: Timestamp::now(),
            }
        };
        self.0.ledger.append(Entry::Begin { intent, undo: false }).await
    }

    /// Sends a change of the resource at `address`, again where that helps.
    pub async fn send<T, F>(&self, address: &Address, call: impl Fn() -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        // A call of an SDK is large, and would be part of every future around it.
        let call = || Box::pin(call());
        self.worker(address)?.sender().send(Verb::Configure, call).await.map_err(|halt| told(halt, address))
    }

    /// Returns when the resource at `address` is ready.
    pub async fn ready(&self, address: &Address) -> Result<(), Fault> {
        self.worker(address)?.ready().await.map_err(|halt| told(halt, address))
    }

    /// Brings the resource at `address` to its end: configured, ready, and so in the state.
    pub async fn settle(&self, address: &Address) -> Result<(), Fault> {
        self.worker(address)?.settle_touched().await.map_err(|halt| told(halt, address))
    }

    /// From here on nothing that was touched is undone.
    pub async fn commit(&self) -> Result<(), Fault> {
        commit(self).await
    }

    fn worker<'a>(&'a self, address: &'a Address) -> Result<Worker<'a>, Fault> {
        let (kind, generation) = {
            let state = self.0.ledger.state();
            let record = state.resources.get(address).ok_or_else(|| unknown(address))?;
            (record.kind.clone(), record.generation)
        };
        let resource = self.0.registry.get(&kind)?.clone();
        Ok(Worker { engine: self, resource, address, generation, stop: &self.0.cancel, undo: false })
    }
}

fn unknown(address: &Address) -> Fault {
    Fault::invalid("state", format!("{address} is not in the state"))
}

fn told(halt: Halt, address: &Address) -> Fault {
    match halt {
        Halt::Fault(fault) => fault,
        Halt::Interrupted => Fault::invalid("wait", format!("stopped while {address} was being changed")),
        Halt::Parked(what) => Fault::invalid("wait", format!("{address} waits for {what}")),
    }
}
