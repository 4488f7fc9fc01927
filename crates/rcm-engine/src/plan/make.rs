//! From what is wanted, known and seen to a plan. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{
    diff::{FieldChange, Origin, Sides, difference},
    drift::Untagged,
    refresh::Live,
    step::{Action, Blocked, Plan, Step, TAGS},
};
use crate::{
    model::{Address, Fault, Graph, Holds, Id, Node, OnDestroy, Registry, Remnant, Snapshot},
    store::{Facts, Phase, Record, State},
};

/// What a plan is to bring about.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// The resources that should exist.
    pub graph: Graph,
    /// Resources with data that may be replaced or deleted: somebody has said so by name.
    pub may_lose: BTreeSet<Address>,
    /// Whether all of it is to go: then data is covered by the question that a destroy asks.
    pub destroy: bool,
    /// Whether a destroy takes also what is usually kept.
    pub purge: bool,
    /// Resources of ours that were found in the cloud although the state does not know them.
    pub found: BTreeMap<Address, Id>,
    /// Resources that need their ownership tags again, as far as anybody has looked.
    pub untagged: Vec<Untagged>,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A kind that this rcm does not know, or a spec that is none.
    #[error("{address}: {fault}")]
    Spec {
        /// The node.
        address: Address,
        /// What is wrong.
        fault: Fault,
    },
}

/// Makes the plan that turns `live` into `wanted`.
pub fn make(registry: &Registry, state: &State, live: &Live, wanted: &Wanted) -> Result<Plan, PlanError> {
    let mut planner = Planner { registry, state, live, wanted, unsettled: BTreeSet::new(), plan: empty(state, wanted) };
    for node in topological(&wanted.graph) {
        planner.node(node)?;
    }
    planner.leftovers()?;
    planner.discards();
    planner.order();
    Ok(planner.plan)
}

fn empty(state: &State, wanted: &Wanted) -> Plan {
    Plan {
        deployment: state.deployment.clone(),
        lineage: state.lineage,
        serial: state.serial,
        destroy: wanted.destroy,
        purge: wanted.purge,
        forward: Vec::new(),
        cleanup: Vec::new(),
        retained: Vec::new(),
        discards: Vec::new(),
        unchanged: 0,
        blocked: Vec::new(),
    }
}

/// The nodes, each after everything it depends on; among equals in the order of addresses.
pub(super) fn topological(graph: &Graph) -> Vec<&Node> {
    fn visit<'g>(graph: &'g Graph, node: &'g Node, seen: &mut BTreeSet<&'g Address>, order: &mut Vec<&'g Node>) {
        if !seen.insert(&node.address) {
            return;
        }
        for target in node.dependencies().keys().filter_map(|address| graph.get(address)) {
            visit(graph, target, seen, order);
        }
        order.push(node);
    }
    let (mut seen, mut order) = (BTreeSet::new(), Vec::new());
    for node in graph.nodes() {
        visit(graph, node, &mut seen, &mut order);
    }
    order
}

/// What has a step of all that a node depends on, also by way of what stays as it is: if that way once led in the other direction,
/// two resources would need each other for a while.
fn awaited(graph: &Graph, address: &Address, present: &BTreeSet<Address>) -> BTreeMap<Address, bool> {
    let needs = |address: &Address| graph.get(address).map(Node::dependencies).unwrap_or_default();
    let (mut awaited, mut passed) = (BTreeMap::new(), BTreeSet::new());
    let mut open: Vec<(Address, bool)> = needs(address).into_iter().collect();
    while let Some((address, early)) = open.pop() {
        if present.contains(&address) {
            awaited.entry(address).and_modify(|known| *known &= early).or_insert(early);
        } else if passed.insert(address.clone()) {
            open.extend(needs(&address).into_keys().map(|address| (address, false)));
        }
    }
    awaited
}

/// Another ordering than before has to be written down too: deletes go by it, and an old one may run against the new.
fn reordered(node: &Node, record: &Record) -> Option<FieldChange> {
    let change = || FieldChange {
        field: "after".to_owned(),
        before: json!(record.dependencies),
        after: json!(node.after),
        origin: Origin::Config,
        forces_replacement: false,
        effect: None,
    };
    record.dependencies.iter().ne(&node.after).then(change)
}

struct Planner<'a> {
    registry: &'a Registry,
    state: &'a State,
    live: &'a Live,
    wanted: &'a Wanted,
    /// Nodes whose id and outputs will only be known after this plan has run.
    unsettled: BTreeSet<Address>,
    plan: Plan,
}

impl<'a> Planner<'a> {
    fn node(&mut self, node: &Node) -> Result<(), PlanError> {
        let broken = |fault| PlanError::Spec { address: node.address.clone(), fault };
        let resource = self.registry.get(node.kind).map_err(broken)?;
        resource.check(&node.spec).map_err(broken)?;
        match self.state.resources.get(&node.address) {
            None => self.unknown(node),
            Some(record) if record.id.is_none() => self.again(node, record, None),
            Some(record) => match self.seen(record) {
                None => self.again(node, record, Some("it was deleted outside rcm")),
                Some(snapshot) => self.existing(node, record, snapshot)?,
            },
        }
        Ok(())
    }

    fn seen(&self, record: &Record) -> Option<&'a Snapshot> {
        self.live.get(&(record.address.clone(), record.generation))?.as_ref()
    }

    fn unknown(&mut self, node: &Node) {
        let action = match self.wanted.found.get(&node.address) {
            Some(id) => Action::Adopt { id: id.clone() },
            None => Action::Create { again: None },
        };
        self.unsettled.insert(node.address.clone());
        self.forward(node, 1, action);
    }

    fn again(&mut self, node: &Node, record: &Record, why: Option<&str>) {
        self.unsettled.insert(node.address.clone());
        self.forward(node, record.generation, Action::Create { again: why.map(str::to_owned) });
    }

    fn adopt(&mut self, node: &Node, record: &Record) {
        if let Some(id) = &record.id {
            self.forward(node, record.generation, Action::Adopt { id: id.clone() });
        }
    }

    fn existing(&mut self, node: &Node, record: &Record, snapshot: &Snapshot) -> Result<(), PlanError> {
        let changes = self.changes(node, record, &snapshot.fields)?;
        if let Some(why) = &snapshot.failed {
            return self.failed(node, record, why, changes);
        }
        // A create that was cut off has fields that nobody has set yet: completing it sets them.
        let unset = |change: &&FieldChange| record.phase == Phase::Creating && change.origin == Origin::Drift;
        let replaces = changes.iter().filter(|change| !unset(change)).any(|change| change.forces_replacement);
        if replaces {
            self.guard(record, "would be replaced by an empty one")?;
            self.unsettled.insert(node.address.clone());
            self.forward(node, record.generation + 1, Action::Replace { changes });
        } else if record.retained {
            self.adopt(node, record);
        } else if record.phase != Phase::Ready {
            self.forward(node, record.generation, Action::Complete);
        } else if changes.is_empty() {
            self.plan.unchanged += 1;
        } else {
            let changes = self.with_effects(node, changes)?;
            self.forward(node, record.generation, Action::Update { changes });
        }
        Ok(())
    }

    /// What was never ready and never will be makes way for another. Where others stand on it already, that one comes first.
    fn failed(
        &mut self,
        node: &Node,
        record: &Record,
        why: &str,
        mut changes: Vec<FieldChange>,
    ) -> Result<(), PlanError> {
        // What the last run has made holds nothing yet.
        if !self.state.would_be_unmade(&record.address, record.generation) {
            self.guard(record, &format!("has failed ({why}) and would be replaced by an empty one"))?;
        }
        self.unsettled.insert(node.address.clone());
        let key = (record.address.clone(), record.generation);
        if self.state.records().any(|other| self.state.stands_on(other).contains(&key)) {
            changes.push(FieldChange {
                field: "failed".to_owned(),
                before: json!(why),
                after: Value::Null,
                origin: Origin::Config,
                forces_replacement: true,
                effect: None,
            });
            self.forward(node, record.generation + 1, Action::Replace { changes });
        } else {
            self.forward(node, record.generation, Action::Remake { why: why.to_owned() });
        }
        Ok(())
    }

    /// The same changes, each with what it does to whoever uses the resource.
    fn with_effects(&self, node: &Node, mut changes: Vec<FieldChange>) -> Result<Vec<FieldChange>, PlanError> {
        let broken = |fault| PlanError::Spec { address: node.address.clone(), fault };
        let resource = self.registry.get(node.kind).map_err(broken)?;
        for change in &mut changes {
            change.effect = resource.effect(&change.field, &change.before, &change.after).map(str::to_owned);
        }
        Ok(changes)
    }

    fn changes(&self, node: &Node, record: &Record, live: &Map<String, Value>) -> Result<Vec<FieldChange>, PlanError> {
        let broken = |fault| PlanError::Spec { address: node.address.clone(), fault };
        let resource = self.registry.get(node.kind).map_err(broken)?;
        if let Some(stranger) = live.keys().find(|field| node.spec.get(field.as_str()).is_none()) {
            let message = format!("`{}` sees a field `{stranger}` that its spec does not have", node.kind);
            return Err(broken(Fault::invalid("read", message)));
        }
        let mut facts = Facts::current(self.state, node.dependencies().into_keys());
        for address in &self.unsettled {
            facts = facts.without(address);
        }
        let sides = Sides { wanted: &node.spec, applied: &record.inputs, live };
        let mut changes = difference(&sides, &facts, resource.replace_on());
        changes.extend(reordered(node, record));
        changes.extend(self.untagged(record));
        Ok(changes)
    }

    fn untagged(&self, record: &Record) -> Option<FieldChange> {
        let is_it = |of: &&Untagged| of.address == record.address && of.generation == record.generation;
        self.wanted.untagged.iter().find(is_it).map(|untagged| FieldChange {
            field: TAGS.to_owned(),
            before: json!(untagged.says),
            after: json!(untagged.address),
            origin: Origin::Drift,
            forces_replacement: false,
            effect: None,
        })
    }

    /// Blocks the plan where it would destroy data that nobody has named.
    fn guard(&mut self, record: &Record, why: &str) -> Result<(), PlanError> {
        let Record { address, kind, .. } = record;
        let broken = |fault| PlanError::Spec { address: address.clone(), fault };
        let resource = self.registry.get(kind).map_err(broken)?;
        let seen = self.seen(record).map(|snapshot| snapshot.fields.clone()).unwrap_or_default();
        let why = match resource.holds(&record.spec, &seen) {
            Holds::Nothing => return Ok(()),
            Holds::Data => why.to_owned(),
            Holds::Since(story) => format!("{story}, and {why}"),
        };
        if !self.wanted.destroy && !self.wanted.may_lose.contains(address) {
            self.plan.blocked.push(Blocked { address: address.clone(), why });
        }
        Ok(())
    }

    fn forward(&mut self, node: &Node, generation: u32, action: Action) {
        self.plan.forward.push(Step {
            address: node.address.clone(),
            kind: node.kind.to_owned(),
            generation,
            action,
            spec: node.spec.clone(),
            after: node.after.clone(),
            waits_for: BTreeMap::new(),
        });
    }

    /// What the state knows and nobody wants any more, and predecessors.
    fn leftovers(&mut self) -> Result<(), PlanError> {
        let replaced = self.replaced();
        let unwanted = self.state.resources.values().filter(|record| self.wanted.graph.get(&record.address).is_none());
        let unwanted: Vec<&Record> = unwanted.collect();
        for record in unwanted {
            self.unwanted(record)?;
        }
        for record in self.state.superseded.iter().chain(replaced) {
            self.cleanup(record, Action::Delete { superseded: true });
        }
        Ok(())
    }

    /// What earlier deletes have left and nobody else needs. A kind that this rcm does not know leaves it to a newer one.
    fn discards(&mut self) {
        if self.wanted.destroy && self.wanted.purge {
            let discards = |remnant: &&Remnant| self.registry.get(&remnant.kind).is_ok_and(|kind| kind.discards());
            self.plan.discards = self.state.remnants.iter().filter(discards).cloned().collect();
        }
    }

    fn replaced(&self) -> Vec<&'a Record> {
        let replacing = |step: &&Step| matches!(step.action, Action::Replace { .. });
        let addresses: BTreeSet<&Address> =
            self.plan.forward.iter().filter(replacing).map(|step| &step.address).collect();
        self.state.resources.values().filter(|record| addresses.contains(&record.address)).collect()
    }

    fn unwanted(&mut self, record: &Record) -> Result<(), PlanError> {
        let broken = |fault| PlanError::Spec { address: record.address.clone(), fault };
        let resource = self.registry.get(&record.kind).map_err(broken)?;
        let gone = record.id.is_some() && self.seen(record).is_none();
        let keep = resource.on_destroy() == OnDestroy::Retain && !self.wanted.purge && !gone;
        if resource.on_destroy() == OnDestroy::Leave {
            self.cleanup(record, Action::Leave);
        } else if record.retained && keep {
            self.plan.retained.push(record.address.clone());
        } else if keep && (self.wanted.destroy || !self.wanted.may_lose.contains(&record.address)) {
            self.plan.retained.push(record.address.clone());
            self.cleanup(record, Action::Retain);
        } else {
            if !gone {
                self.guard(record, "would be deleted")?;
            }
            self.cleanup(record, Action::Delete { superseded: false });
        }
        Ok(())
    }

    fn cleanup(&mut self, record: &Record, action: Action) {
        self.plan.cleanup.push(Step {
            address: record.address.clone(),
            kind: record.kind.clone(),
            generation: record.generation,
            action,
            spec: Value::Null,
            after: BTreeSet::new(),
            waits_for: BTreeMap::new(),
        });
    }

    /// Sorts both lists and says what waits for what: dependents for what they need, and in the cleanup the other way round.
    fn order(&mut self) {
        let by_name = |a: &Step, b: &Step| (&a.address, a.generation).cmp(&(&b.address, b.generation));
        self.plan.forward.sort_by(by_name);
        self.plan.cleanup.sort_by(by_name);
        let present: BTreeSet<Address> = self.plan.forward.iter().map(|step| step.address.clone()).collect();
        for step in &mut self.plan.forward {
            step.waits_for = awaited(&self.wanted.graph, &step.address, &present);
        }
        let deleted: Vec<(Address, u32)> = self
            .plan
            .cleanup
            .iter()
            .filter(|step| matches!(step.action, Action::Delete { .. }))
            .map(|step| (step.address.clone(), step.generation))
            .collect();
        let dependents = self.dependents(&deleted);
        for step in &mut self.plan.cleanup {
            if let Some(waits_for) = dependents.get(&(step.address.clone(), step.generation)) {
                step.waits_for = waits_for.iter().map(|address| (address.clone(), false)).collect();
            }
        }
        self.plan.retained.sort();
    }

    /// For each resource, those of `deleted` that need it.
    fn dependents(&self, deleted: &[(Address, u32)]) -> BTreeMap<(Address, u32), BTreeSet<Address>> {
        let mut dependents: BTreeMap<_, BTreeSet<Address>> = BTreeMap::new();
        for (address, generation) in deleted {
            let Some(record) = self.state.record(address, *generation) else { continue };
            for needed in self.state.stands_on(record).into_iter().filter(|(needed, _)| needed != address) {
                dependents.entry(needed).or_default().insert(address.clone());
            }
        }
        dependents
    }
}
