//! From what is in the cloud to what the state says of it: for a state that was lost, and for what a person imports.

use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{
    diff::{FieldChange, Sides, difference, same},
    drift::{Added, Possessions, possessions},
    make::topological,
    refresh::hide,
};
use crate::{
    model::{
        Address, Deployment, DynResource, Fault, Graph, Id, Identity, Node, Owned, Readiness, Registry, Snapshot,
        Target, resolve,
    },
    store::{Facts, Phase, Record, State},
};

/// A resource that exists, as the state would know it.
#[derive(Debug, Clone)]
pub struct Found {
    /// The record.
    pub record: Record,
    /// What is not as it is wanted.
    pub differences: Vec<FieldChange>,
}

/// A state made from the cloud alone.
#[derive(Debug, Clone)]
pub struct Rebuilt {
    /// The state.
    pub state: State,
    /// What is wanted and not there.
    pub missing: Vec<Address>,
    /// What is there and not wanted: in the state, so that the next run takes it away as it would have done before.
    pub unwanted: Vec<Address>,
    /// What carries the deployment's tags and could not be placed: its tags name no node, or one that has its resource.
    pub unplaced: Vec<Added>,
}

/// Where to look, and what is not to be believed there.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The kinds.
    pub registry: &'a Registry,
    /// Fields (kind, field) that this endpoint is known not to report; they count as unseen.
    pub unreported: &'a BTreeSet<(String, String)>,
}

/// Looks at the resource `id` as what `node` wants; `None` if it does not exist. Its references are those that `state` knows.
pub async fn find_out(
    view: View<'_>,
    state: &State,
    node: &Node,
    generation: u32,
    id: &Id,
) -> Result<Option<Found>, Fault> {
    let resource = view.registry.get(node.kind)?;
    let facts = Facts::current(state, node.dependencies().into_keys());
    let identity = identity(state, &node.address, generation);
    let target = target(&identity, &facts);
    let Some(mut seen) = resource.read(target, id).await? else { return Ok(None) };
    hide(node.kind, &mut seen, view.unreported);
    let wanted = resolve(&node.spec, &facts).value;
    let sides = Sides { wanted: &node.spec, applied: &wanted, live: &seen.fields };
    let differences = difference(&sides, &facts, resource.replace_on());
    let record = Record {
        address: node.address.clone(),
        kind: node.kind.to_owned(),
        generation,
        token: identity.token.clone(),
        id: Some(id.clone()),
        phase: phase(&**resource, target, id).await?,
        spec: node.spec.clone(),
        inputs: inputs(&wanted, &seen.fields),
        outputs: seen.outputs,
        dependencies: node.after.iter().cloned().collect(),
        may_need: BTreeSet::new(),
        retained: false,
        since: Timestamp::now(),
    };
    Ok(Some(Found { record, differences }))
}

/// What was applied, by what is seen: what nobody can see counts as wanted, and what nobody wants as the cloud's own business.
fn inputs(wanted: &Value, seen: &Map<String, Value>) -> Value {
    let Value::Object(wanted) = wanted else { return wanted.clone() };
    let applied = |(field, wanted): (&String, &Value)| {
        let live = seen.get(field).filter(|live| !wanted.is_null() && !same(wanted, live));
        (field.clone(), live.unwrap_or(wanted).clone())
    };
    wanted.iter().map(applied).collect::<Map<_, _>>().into()
}

/// What is still on its way is completed by the next run.
async fn phase(resource: &dyn DynResource, target: Target<'_>, id: &Id) -> Result<Phase, Fault> {
    Ok(match resource.ready(target, id).await? {
        Readiness::Ready | Readiness::Reverted(_) | Readiness::Failed(_) => Phase::Ready,
        Readiness::Pending(_) | Readiness::Awaiting { .. } => Phase::Creating,
    })
}

fn identity(state: &State, address: &Address, generation: u32) -> Identity {
    Identity {
        deployment: Arc::new(state.deployment.clone()),
        address: address.clone(),
        generation,
        token: state.token(address, generation, None),
    }
}

fn target<'a>(identity: &'a Identity, facts: &'a Facts) -> Target<'a> {
    Target { identity, lookup: facts, changed: None, full: true, purge: false, remnants: None }
}

/// Makes the state of `deployment` again, from what carries its tags or its names. Only looks.
///
/// `graph` is walked in the order of dependencies, so that what is found by the name of something else finds it. `None` if
/// nothing in the cloud carries the deployment's tags.
pub async fn rebuild(view: View<'_>, deployment: &Deployment, graph: &Graph) -> Result<Option<Rebuilt>, Fault> {
    let owned = possessions(view.registry, deployment).await?;
    if owned.values().all(Vec::is_empty) {
        return Ok(None);
    }
    let state = State::new(deployment.clone());
    let rebuilt = Rebuilt { state, missing: Vec::new(), unwanted: Vec::new(), unplaced: Vec::new() };
    let mut builder = Builder { view, owned, rebuilt };
    let nodes = topological(graph);
    for node in &nodes {
        builder.node(node).await?;
    }
    // What stands on others of these comes after them.
    let mut kinds: Vec<&str> = Vec::new();
    for node in nodes.iter().filter(|node| builder.owned.contains_key(node.kind)) {
        if !kinds.contains(&node.kind) {
            kinds.push(node.kind);
        }
    }
    let rest: Vec<&str> = builder.owned.keys().copied().filter(|kind| !kinds.contains(kind)).collect();
    for kind in kinds.into_iter().chain(rest) {
        builder.leftovers(kind, graph).await?;
    }
    Ok(Some(builder.rebuilt))
}

struct Builder<'a> {
    view: View<'a>,
    owned: Possessions,
    rebuilt: Rebuilt,
}

impl Builder<'_> {
    /// The newest generation of a node, and the predecessors that a cut off replacement has left.
    async fn node(&mut self, node: &Node) -> Result<(), Fault> {
        for generation in self.generations(node) {
            let current = self.rebuilt.state.resources.contains_key(&node.address);
            let Some(id) = self.look_up(node, generation).await? else { continue };
            let found = find_out(self.view, &self.rebuilt.state, node, generation, &id).await?;
            let Some(Found { record, .. }) = found else { continue };
            if current {
                self.rebuilt.state.superseded.push(record);
            } else {
                self.rebuilt.state.resources.insert(node.address.clone(), record);
            }
            if !self.lists(node) {
                return Ok(());
            }
        }
        if !self.rebuilt.state.resources.contains_key(&node.address) {
            self.rebuilt.missing.push(node.address.clone());
        }
        Ok(())
    }

    /// The generations to look for, the newest first. Where tags tell none, each that anything else has, the oldest first: by
    /// its name the one that hangs on what is current is found.
    fn generations(&self, node: &Node) -> Vec<u32> {
        let of_node = |owned: &&Owned| owned.address.as_ref() == Some(&node.address);
        let tagged: BTreeSet<u32> =
            self.owned.get(node.kind).into_iter().flatten().filter(of_node).map(|owned| owned.generation).collect();
        if tagged.is_empty() {
            let newest = self.owned.values().flatten().map(|owned| owned.generation).max().unwrap_or(1);
            return (1..=newest).collect();
        }
        tagged.into_iter().rev().collect()
    }

    fn lists(&self, node: &Node) -> bool {
        let of_node = |owned: &Owned| owned.address.as_ref() == Some(&node.address);
        self.owned.get(node.kind).is_some_and(|owned| owned.iter().any(of_node))
    }

    async fn look_up(&self, node: &Node, generation: u32) -> Result<Option<Id>, Fault> {
        let state = &self.rebuilt.state;
        let facts = Facts::current(state, node.dependencies().into_keys());
        let missing = node.dependencies().into_keys().any(|needed| !state.resources.contains_key(&needed));
        let identity = identity(state, &node.address, generation);
        let found = self.view.registry.get(node.kind)?.find(target(&identity, &facts), &node.spec).await;
        match found {
            // What hangs on something that is not there cannot be looked up by it, and is not there either.
            Err(fault) if missing && fault.service == "rcm" => Ok(None),
            other => other,
        }
    }

    /// What carries our tags and no node has found.
    async fn leftovers(&mut self, kind: &str, graph: &Graph) -> Result<(), Fault> {
        let mut owned = self.owned.get(kind).cloned().unwrap_or_default();
        owned.sort_by_key(|owned| std::cmp::Reverse(owned.generation));
        for owned in owned {
            let known = |record: &Record| record.kind == kind && record.id.as_ref() == Some(&owned.id);
            if self.rebuilt.state.records().any(known) {
                continue;
            }
            match owned.address.clone().filter(|address| graph.get(address).is_none()) {
                Some(address) => self.unwanted(kind, address, &owned).await?,
                None => self.rebuilt.unplaced.push(Added { kind: kind.to_owned(), owned }),
            }
        }
        Ok(())
    }

    /// A resource of a node that is not wanted any more: nothing is known of it but what is seen.
    async fn unwanted(&mut self, kind: &str, address: Address, owned: &Owned) -> Result<(), Fault> {
        let state = &self.rebuilt.state;
        let identity = identity(state, &address, owned.generation);
        let facts = Facts::default();
        let resource = self.view.registry.get(kind)?;
        let Some(Snapshot { fields, outputs, .. }) = resource.read(target(&identity, &facts), &owned.id).await? else {
            return Ok(());
        };
        let record = Record {
            address: address.clone(),
            kind: kind.to_owned(),
            generation: owned.generation,
            token: identity.token.clone(),
            id: Some(owned.id.clone()),
            phase: Phase::Ready,
            dependencies: self.needed(&fields),
            spec: fields.clone().into(),
            inputs: fields.into(),
            outputs,
            may_need: BTreeSet::new(),
            retained: false,
            since: Timestamp::now(),
        };
        if self.rebuilt.state.resources.contains_key(&address) {
            self.rebuilt.state.superseded.push(record);
        } else {
            self.rebuilt.unwanted.push(address.clone());
            self.rebuilt.state.resources.insert(address, record);
        }
        Ok(())
    }

    /// The resources whose ids stand in these fields: they have to outlive it.
    fn needed(&self, fields: &Map<String, Value>) -> Vec<Address> {
        let mut texts = BTreeSet::new();
        fields.values().for_each(|value| collect_texts(value, &mut texts));
        let records = self.rebuilt.state.resources.values();
        let needed = records.filter(|record| record.id.as_ref().is_some_and(|id| texts.contains(id.as_str())));
        needed.map(|record| record.address.clone()).collect()
    }
}

fn collect_texts<'v>(value: &'v Value, texts: &mut BTreeSet<&'v str>) {
    match value {
        Value::String(text) => drop(texts.insert(text)),
        Value::Array(items) => items.iter().for_each(|item| collect_texts(item, texts)),
        Value::Object(map) => map.values().for_each(|item| collect_texts(item, texts)),
        _ => {}
    }
}
