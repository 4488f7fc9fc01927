//! The state: what rcm knows to exist.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{
    journal::{Entry, Intent},
    undo::Undo,
};
use crate::model::{Address, Deployment, Id, Identity, Reference, Remnant, readdress, references};

/// The version of the state file's format that this rcm writes.
pub const STATE_VERSION: u32 = 1;

/// Everything rcm knows to exist of one deployment. Changed by [`apply`](State::apply) alone, so that the state is always the
/// snapshot plus the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Format of the file.
    pub version: u32,
    /// Made once when the deployment began; two states of one lineage are versions of each other.
    pub lineage: Uuid,
    /// Counts the snapshots.
    pub serial: u64,
    /// Where it all is.
    pub deployment: Deployment,
    /// One record an address.
    pub resources: BTreeMap<Address, Record>,
    /// Predecessors that have been replaced and not yet deleted.
    #[serde(default)]
    pub superseded: Vec<Record>,
    /// What the last run did and is not committed to, in the order of its beginnings: what a rollback undoes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undo: Vec<Undo>,
    /// What deletes have left in the cloud on purpose, until a purge deletes it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remnants: Vec<Remnant>,
    /// What was deleted since anything was last made, in that order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub departed: Vec<Departed>,
    /// What was released and ran, the present one last: what there is to go back to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub releases: Vec<Release>,
}

/// How many releases are known.
const RELEASES: usize = 20;

/// Something that was released and ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// What: an image by its digest.
    pub what: String,
    /// When it had come to run.
    pub at: Timestamp,
}

/// Something that does not exist any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Departed {
    /// The node.
    pub address: Address,
    /// Its kind.
    pub kind: String,
    /// What the cloud called it.
    pub id: String,
    /// When it was gone.
    pub at: Timestamp,
    /// For how many days after that the cloud would still give it back.
    #[serde(default)]
    pub recoverable_days: u32,
}

/// One resource that exists, may exist, or is on its way out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The node.
    pub address: Address,
    /// The kind.
    pub kind: String,
    /// Which of the resources that replaced each other at this address.
    pub generation: u32,
    /// The client token of its create.
    pub token: String,
    /// What the cloud calls it. `None` while nobody knows whether the create was executed.
    pub id: Option<Id>,
    /// How far it has come.
    pub phase: Phase,
    /// The spec that was last applied, with references.
    pub spec: Value,
    /// The same with references replaced by what they stood for.
    pub inputs: Value,
    /// What the cloud gave.
    pub outputs: Value,
    /// What had to be there before it, and must outlive it.
    pub dependencies: Vec<Address>,
    /// While a create or an update is not done: the resources that it may need besides, because it did or was to do.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub may_need: BTreeSet<(Address, u32)>,
    /// Whether a `destroy` has left it in place.
    #[serde(default)]
    pub retained: bool,
    /// When its create, update or delete began.
    pub since: Timestamp,
}

/// How far a resource has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Its create has begun; it may not exist, not be configured, or not be ready.
    Creating,
    /// Its configuration may be half old and half new.
    Updating,
    /// As its spec says.
    Ready,
    /// Its delete has begun.
    Deleting,
}

impl State {
    /// The state of a deployment that has nothing yet.
    pub fn new(deployment: Deployment) -> Self {
        Self {
            version: STATE_VERSION,
            lineage: Uuid::new_v4(),
            serial: 0,
            deployment,
            resources: BTreeMap::new(),
            superseded: Vec::new(),
            undo: Vec::new(),
            remnants: Vec::new(),
            departed: Vec::new(),
            releases: Vec::new(),
        }
    }

    /// All records: current ones in order of address, then superseded ones.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.resources.values().chain(&self.superseded)
    }

    /// The record of one resource.
    pub fn record(&self, address: &Address, generation: u32) -> Option<&Record> {
        self.records().find(|record| record.address == *address && record.generation == generation)
    }

    fn record_mut(&mut self, address: &Address, generation: u32) -> Option<&mut Record> {
        self.resources
            .values_mut()
            .chain(&mut self.superseded)
            .find(|record| record.address == *address && record.generation == generation)
    }

    /// Whom a verb on this record works for.
    pub fn identity(&self, record: &Record) -> Identity {
        Identity {
            deployment: Arc::new(self.deployment.clone()),
            address: record.address.clone(),
            generation: record.generation,
            token: record.token.clone(),
        }
    }

    /// A client token for a create: the same for one create across processes, another for every further one. `instead_of` is
    /// the one that another create has made before, in a run that this one may go on with.
    pub fn token(&self, address: &Address, generation: u32, instead_of: Option<&Id>) -> String {
        let before = instead_of.map(|id| format!("\n{id}")).unwrap_or_default();
        let name = format!("{address}\n{generation}\n{}{before}", self.serial);
        Uuid::new_v5(&self.lineage, name.as_bytes()).simple().to_string()
    }

    /// Folds one journal entry in.
    pub fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Opened { .. } | Entry::Parked { .. } => {}
            Entry::Begin { intent, undo } => {
                if !undo {
                    self.note_undo(intent);
                }
                self.begin(intent);
            }
            Entry::Minted { address, generation, id, existed } => {
                if *existed {
                    self.note_existed(address, *generation);
                }
                if let Some(record) = self.record_mut(address, *generation) {
                    record.id = Some(id.clone());
                }
            }
            Entry::Done { address, generation, inputs, outputs } => {
                if let Some(record) = self.record_mut(address, *generation) {
                    record.phase = Phase::Ready;
                    record.retained = false;
                    record.may_need.clear();
                    record.inputs = inputs.clone();
                    record.outputs = outputs.clone();
                }
            }
            Entry::Failed { address, generation, .. } => {
                // A delete that failed may have lifted protections: the next provision configures it again.
                if let Some(record) = self.record_mut(address, *generation)
                    && record.phase == Phase::Deleting
                {
                    record.phase = Phase::Updating;
                }
            }
            Entry::Deleted { address, generation, at, recoverable_days } => {
                self.note_departed(address, *generation, *at, *recoverable_days);
                self.remove(address, *generation);
                self.forget_undo(address, *generation);
            }
            Entry::Gone { address, generation } => {
                self.remove(address, *generation);
                self.forget_undo(address, *generation);
            }
            Entry::Undone { address, generation } => self.forget_undo(address, *generation),
            Entry::Committed => self.undo.clear(),
            Entry::Retained { address, generation } => {
                if let Some(record) = self.record_mut(address, *generation) {
                    record.retained = true;
                }
            }
            Entry::Left { remnant } => {
                if !self.remnants.iter().any(|known| known.is(remnant)) {
                    self.remnants.push(remnant.clone());
                }
            }
            Entry::Discarded { remnant, at } => {
                self.remnants.retain(|known| !known.is(remnant));
                let Remnant { address, kind, id, .. } = remnant.clone();
                self.departed.push(Departed { address, kind, id, at: *at, recoverable_days: 0 });
            }
            Entry::Released { release } => self.released(release),
            Entry::Known { record } => self.know(record),
            Entry::Moved { from, to } => self.rename(from, to),
        }
    }

    fn begin(&mut self, intent: &Intent) {
        match intent {
            Intent::Create(record) | Intent::Adopt(record) => {
                self.departed.clear();
                let may_need = self.current(record.needs());
                let record = Record { may_need, ..(**record).clone() };
                let generation = record.generation;
                if let Some(predecessor) = self.resources.insert(record.address.clone(), record)
                    && predecessor.generation != generation
                {
                    self.superseded.push(predecessor);
                }
            }
            Intent::Update { address, generation, spec, dependencies, at, .. } => {
                let Some(known) = self.record(address, *generation) else { return };
                let mut record = Record {
                    phase: if known.phase == Phase::Ready { Phase::Updating } else { known.phase },
                    spec: spec.clone(),
                    dependencies: dependencies.clone(),
                    since: *at,
                    may_need: self.stands_on(known),
                    ..known.clone()
                };
                record.may_need.extend(self.current(record.needs()));
                record.may_need.extend(self.stood_on(address, *generation));
                if let Some(known) = self.record_mut(address, *generation) {
                    *known = record;
                }
            }
            Intent::Delete { address, generation, at } => {
                if let Some(record) = self.record_mut(address, *generation) {
                    record.phase = Phase::Deleting;
                    record.since = *at;
                }
            }
        }
    }

    fn note_departed(&mut self, address: &Address, generation: u32, at: Timestamp, recoverable_days: u32) {
        let Some(record) = self.record(address, generation) else { return };
        let Some(id) = record.id.as_ref().map(ToString::to_string) else { return };
        let departed = Departed { address: address.clone(), kind: record.kind.clone(), id, at, recoverable_days };
        self.departed.push(departed);
    }

    /// Removes a record. If it had a predecessor that is still there, that one is current again.
    fn remove(&mut self, address: &Address, generation: u32) {
        self.superseded.retain(|record| record.address != *address || record.generation != generation);
        if self.resources.get(address).is_some_and(|record| record.generation == generation) {
            self.resources.remove(address);
            let last = self.superseded.iter().rposition(|record| record.address == *address);
            if let Some(last) = last {
                self.resources.insert(address.clone(), self.superseded.remove(last));
            }
        }
    }

    /// Notes what runs now. What ran before is gone back to: what came after it does not count as good any more.
    fn released(&mut self, release: &Release) {
        if let Some(before) = self.releases.iter().position(|known| known.what == release.what) {
            self.releases.truncate(before);
        }
        self.releases.push(release.clone());
        let surplus = self.releases.len().saturating_sub(RELEASES);
        self.releases.drain(..surplus);
    }

    fn know(&mut self, record: &Record) {
        match self.record_mut(&record.address, record.generation) {
            Some(known) => known.clone_from(record),
            None => drop(self.resources.insert(record.address.clone(), record.clone())),
        }
    }

    /// Gives a resource another address, here and wherever others name it.
    fn rename(&mut self, from: &Address, to: &Address) {
        if let Some(record) = self.resources.remove(from) {
            self.resources.insert(to.clone(), record);
        }
        let renamed = |address: &mut Address| {
            if address == from {
                address.clone_from(to);
            }
        };
        let rename = |record: &mut Record| {
            renamed(&mut record.address);
            record.dependencies.iter_mut().for_each(renamed);
            let may_need = std::mem::take(&mut record.may_need).into_iter().map(|(mut address, generation)| {
                renamed(&mut address);
                (address, generation)
            });
            record.may_need = may_need.collect();
            record.spec = readdress(&record.spec, from, to);
            record.inputs = readdress(&record.inputs, from, to);
        };
        self.resources.values_mut().chain(&mut self.superseded).for_each(rename);
        for undo in &mut self.undo {
            match undo {
                Undo::Create { address, .. } | Undo::Adopt { address, .. } => renamed(address),
                Undo::Update { before, .. } => rename(before),
            }
        }
    }
}

impl Record {
    /// Every node that the record's spec or ordering names.
    pub fn needs(&self) -> impl Iterator<Item = Address> {
        let referred = references(&self.spec).into_iter().map(|Reference { address, .. }| address);
        referred.chain(self.dependencies.clone())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn address(text: &str) -> Address {
        Address::new(text).unwrap()
    }

    fn record(name: &str, generation: u32, needs: &str) -> Record {
        Record {
            address: address(name),
            kind: "toy/thing".into(),
            generation,
            token: String::new(),
            id: Some(Id::from(name)),
            phase: Phase::Ready,
            spec: json!({"needs": {"$ref": needs}}),
            inputs: json!({"needs": needs}),
            outputs: Value::Null,
            dependencies: vec![address(needs)],
            may_need: BTreeSet::new(),
            retained: false,
            since: Timestamp::UNIX_EPOCH,
        }
    }

    fn state(records: Vec<Record>) -> State {
        let deployment = Deployment {
            project: "acme-rcm".into(),
            partner: "acme".into(),
            environment: "prod".into(),
            account: "123456789012".into(),
            region: "us-east-1".into(),
            partition: "aws".into(),
        };
        let mut state = State::new(deployment);
        for record in records {
            state.apply(&Entry::Known { record: Box::new(record) });
        }
        state
    }

    #[test]
    fn releases_are_known_in_their_order_and_what_is_gone_back_to_is_the_last() {
        let mut state = state(Vec::new());
        let mut release = |what: &str| {
            let release = Release { what: what.to_owned(), at: Timestamp::UNIX_EPOCH };
            state.apply(&Entry::Released { release });
            state.releases.iter().map(|release| release.what.clone()).collect::<Vec<_>>()
        };
        release("a");
        release("b");
        assert_eq!(release("c"), ["a", "b", "c"]);
        assert_eq!(release("b"), ["a", "b"]);
        (0..30).for_each(|number| drop(release(&number.to_string())));
        assert_eq!(release("last").len(), RELEASES);
    }

    #[test]
    fn what_moves_is_named_by_its_new_address_by_all_that_need_it_predecessors_too() {
        let mut state = state(vec![record("a", 2, "z"), record("b", 1, "a"), record("c", 1, "b")]);
        state.superseded.push(record("a", 1, "a"));
        state.undo.push(Undo::Create { address: address("a"), generation: 2 });
        state.undo.push(Undo::Update { before: Box::new(record("b", 1, "a")), changed: None });
        state.apply(&Entry::Moved { from: address("a"), to: address("new/a") });
        let needs = |record: &Record| record.needs().map(String::from).collect::<Vec<_>>();
        assert_eq!(state.resources.keys().map(Address::as_str).collect::<Vec<_>>(), ["b", "c", "new/a"]);
        assert_eq!(state.resources[&address("new/a")].address, address("new/a"));
        assert_eq!(needs(&state.resources[&address("b")]), ["new/a", "new/a"]);
        assert_eq!(needs(&state.resources[&address("c")]), ["b", "b"]);
        assert_eq!(
            (&state.superseded[0].address, needs(&state.superseded[0])),
            (&address("new/a"), vec!["new/a".to_owned(); 2])
        );
        assert_eq!(state.undo[0].key(), (&address("new/a"), 2));
        let Undo::Update { before, .. } = &state.undo[1] else { panic!("{:?}", state.undo) };
        assert_eq!(needs(before), ["new/a", "new/a"]);
    }

    #[test]
    fn what_is_known_is_put_in_the_place_of_what_was() {
        let mut state = state(vec![record("a", 1, "b")]);
        let known = Record { inputs: json!({"needs": "other"}), ..record("a", 1, "b") };
        state.apply(&Entry::Known { record: Box::new(known.clone()) });
        assert_eq!(state.records().collect::<Vec<_>>(), [&known]);
    }
}
