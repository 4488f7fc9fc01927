//! Taking up what somebody else has made, and giving what is known another address.

use std::{collections::BTreeMap, sync::Arc};

use rcm_engine::{
    model::{Address, Id, Identity, Node, Target},
    plan::{FieldChange, Found, View, find_out},
    run::acting_for,
    store::{Entry, Facts, Record, State},
};

use super::{Environment, Goal, aside::checkpoint};
use crate::Error;

impl Environment {
    /// Takes up the resource `id` as what the partner file wants at `address`, tags it as this deployment's, and gives what is
    /// not as it is wanted: the next provision changes that.
    ///
    /// Refused is what does not exist, what another deployment owns, and what could only be made right by replacing it.
    pub async fn import(&self, address: &Address, id: &Id) -> Result<Vec<FieldChange>, Error> {
        let lock = self.lock().await?;
        if let Some(state) = self.load_aside().await? {
            self.check_state(&state.deployment)?;
        }
        let caller = self.check_account().await?;
        let ledger = self.open_ledger(lock).await?;
        let state = ledger.state().clone();
        let recording = self.record("import", Some(caller.arn), Some(&state)).await?;
        let graph = self.wanted_graph(&state, &Goal::provision()).await?;
        let node = graph.get(address).ok_or_else(|| Error::NotWanted(address.clone()))?;
        let Found { record, differences } = self.importable(&state, node, id).await?;
        self.claim(&state, &record).await?;
        ledger.append(Entry::Known { record: Box::new(record) }).await?;
        recording.end("done", BTreeMap::new()).await;
        checkpoint(ledger).await?;
        Ok(differences)
    }

    async fn importable(&self, state: &State, node: &Node, id: &Id) -> Result<Found, Error> {
        let address = &node.address;
        if state.resources.contains_key(address) {
            return Err(Error::Known { what: address.to_string(), address: address.clone() });
        }
        let same = |record: &&Record| record.kind == node.kind && record.id.as_ref() == Some(id);
        if let Some(record) = state.records().find(same) {
            return Err(Error::Known { what: id.to_string(), address: record.address.clone() });
        }
        let resource = self.registry.get(node.kind)?;
        let identity = self.identity(address, 1);
        let facts = Facts::current(state, node.dependencies().into_keys());
        let unlike = |fields| Error::Unlike { address: address.clone(), id: id.clone(), fields };
        if !resource.fits(target(&identity, &facts), id, &node.spec)? {
            return Err(unlike(Vec::new()));
        }
        let found = find_out(self.view(), state, node, 1, id).await?;
        let found = found.ok_or_else(|| Error::NotThere { address: address.clone(), id: id.clone() })?;
        let forced = found.differences.iter().filter(|change| change.forces_replacement);
        let forced: Vec<FieldChange> = forced.cloned().collect();
        if forced.is_empty() { Ok(found) } else { Err(unlike(forced)) }
    }

    /// Gives a resource that the state knows another address of the partner file's graph, in the state, in what others say of
    /// it, and in its tags.
    pub async fn rename(&self, from: &Address, to: &Address) -> Result<(), Error> {
        let lock = self.lock().await?;
        let state = self.state_aside().await?;
        self.check_state(&state.deployment)?;
        let record = state.resources.get(from).ok_or_else(|| Error::NotInState(from.clone()))?;
        if state.resources.contains_key(to) {
            return Err(Error::Known { what: to.to_string(), address: to.clone() });
        }
        let graph = self.wanted_graph(&state, &Goal::provision()).await?;
        let node = graph.get(to).ok_or_else(|| Error::NotWanted(to.clone()))?;
        if node.kind != record.kind {
            let (is, wanted) = (record.kind.clone(), node.kind.to_owned());
            return Err(Error::OtherKind { address: to.clone(), is, wanted });
        }
        let caller = self.check_account().await?;
        let recording = self.record("state mv", Some(caller.arn), Some(&state)).await?;
        // The tags first: they are written once more if this does not come to its end, and the state never says what is not so.
        for record in state.records().filter(|record| record.address == *from) {
            self.claim(&state, &Record { address: to.clone(), ..record.clone() }).await?;
        }
        let ledger = self.open_ledger(lock).await?;
        ledger.append(Entry::Moved { from: from.clone(), to: to.clone() }).await?;
        recording.end("done", BTreeMap::new()).await;
        checkpoint(ledger).await?;
        Ok(())
    }

    pub(super) fn view(&self) -> View<'_> {
        View { registry: &self.registry, unreported: &self.settings.unreported }
    }

    async fn claim(&self, state: &State, record: &Record) -> Result<(), Error> {
        let Some(id) = &record.id else { return Ok(()) };
        let identity = self.identity(&record.address, record.generation);
        let facts = Facts::current(state, record.needs());
        let resource = self.registry.get(&record.kind)?;
        Ok(acting_for(&record.address, resource.claim(target(&identity, &facts), id)).await?)
    }

    fn identity(&self, address: &Address, generation: u32) -> Identity {
        let deployment = Arc::new(self.deployment.clone());
        Identity { deployment, address: address.clone(), generation, token: String::new() }
    }
}

fn target<'a>(identity: &'a Identity, facts: &'a Facts) -> Target<'a> {
    Target { identity, lookup: facts, changed: None, full: true, purge: false, remnants: None }
}
