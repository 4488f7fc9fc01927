//! What references stand for, now or when they were applied, and so what stands on what.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Record, State, Undo};
use crate::model::{Address, Id, Lookup, Reference, replaced};

impl State {
    /// The resources, by address and generation, that `record` needs as it is now: they must outlive it.
    ///
    /// An ordering does not say which generation it meant: for a predecessor, what was there before the run that is undone.
    pub fn stands_on(&self, record: &Record) -> BTreeSet<(Address, u32)> {
        let unsaid = |need: &Address| {
            if self.is_current(record) { self.resources.get(need) } else { self.before(need) }
        };
        let needs = record.needs().filter_map(|need| {
            let needed = self.meant(record, &need).or_else(|| unsaid(&need))?;
            Some((need, needed.generation))
        });
        needs.chain(record.may_need.iter().cloned()).collect()
    }

    /// The resources that references to `addresses` stand for now.
    pub(super) fn current(&self, addresses: impl Iterator<Item = Address>) -> BTreeSet<(Address, u32)> {
        let generation = |address: &Address| self.resources.get(address).map(|record| record.generation);
        addresses.filter_map(|address| generation(&address).map(|generation| (address, generation))).collect()
    }

    /// The resources that this one needed before what would be undone.
    pub(super) fn stood_on(&self, address: &Address, generation: u32) -> BTreeSet<(Address, u32)> {
        let before = self.undo.iter().find_map(|undo| match undo {
            Undo::Update { before, .. } if undo.key() == (address, generation) => Some(before),
            _ => None,
        });
        before.map(|before| self.stands_on(before)).unwrap_or_default()
    }

    /// Which of those that replaced each other at `address` the references of `record` stood for when it was last applied.
    fn meant(&self, record: &Record, address: &Address) -> Option<&Record> {
        let mut stood = replaced(&record.spec, &record.inputs);
        stood.retain(|(reference, value)| reference.address == *address && Reference::from_value(value).is_none());
        let all =
            |facts: Facts| stood.iter().all(|(reference, value)| reference.stands_for(&facts).as_ref() == Some(*value));
        let found = || self.newest(address).find(|other| all(Facts::of(other)));
        if stood.is_empty() { None } else { found() }
    }

    /// Whether nothing has replaced it.
    pub fn is_current(&self, record: &Record) -> bool {
        self.resources.get(&record.address).is_some_and(|current| current.generation == record.generation)
    }

    /// What was current at `address` before what would be undone.
    fn before(&self, address: &Address) -> Option<&Record> {
        let stays = |record: &&Record| !self.would_be_unmade(&record.address, record.generation);
        self.newest(address).find(stays).or_else(|| self.resources.get(address))
    }

    /// Those that replaced each other at `address`, the current one first.
    fn newest(&self, address: &Address) -> impl Iterator<Item = &Record> {
        let superseded = self.superseded.iter().rev().filter(move |record| record.address == *address);
        self.resources.get(address).into_iter().chain(superseded)
    }
}

/// What a few references stand for, copied out of the state so that nobody has to hold it.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    facts: BTreeMap<Address, Fact>,
    /// Every id that the state knows.
    ids: BTreeSet<Id>,
}

/// The id and the outputs of one resource, as far as they are known.
type Fact = (Option<Id>, Option<Value>);

impl Facts {
    /// What `addresses` stand for now.
    pub fn current(state: &State, addresses: impl IntoIterator<Item = Address>) -> Self {
        let facts: Self = addresses.into_iter().filter_map(|address| state.resources.get(&address)).collect();
        facts.beside(state)
    }

    /// What the references of `record` stood for when it was last applied, although they may have successors by now. Where it
    /// does not say, because it was cut off: what was there before the run that is undone.
    pub fn applied(state: &State, record: &Record) -> Self {
        let stood_for = |need: Address| state.meant(record, &need).or_else(|| state.before(&need));
        record.needs().filter_map(stood_for).collect::<Self>().beside(state)
    }

    /// The same, knowing the ids of everything in `state`.
    fn beside(self, state: &State) -> Self {
        Self { ids: state.records().filter_map(|record| record.id.clone()).collect(), ..self }
    }

    /// Forgets what `address` stands for.
    pub fn without(mut self, address: &Address) -> Self {
        self.facts.remove(address);
        self
    }

    fn of(record: &Record) -> Self {
        std::iter::once(record).collect()
    }
}

impl<'s> FromIterator<&'s Record> for Facts {
    fn from_iter<I: IntoIterator<Item = &'s Record>>(records: I) -> Self {
        let fact = |record: &Record| {
            let outputs = (!record.outputs.is_null()).then(|| record.outputs.clone());
            (record.address.clone(), (record.id.clone(), outputs))
        };
        Self { facts: records.into_iter().map(fact).collect(), ids: BTreeSet::new() }
    }
}

impl Lookup for Facts {
    fn id(&self, address: &Address) -> Option<Id> {
        self.facts.get(address)?.0.clone()
    }
    fn outputs(&self, address: &Address) -> Option<Value> {
        self.facts.get(address)?.1.clone()
    }
    fn knows(&self, id: &Id) -> bool {
        self.ids.contains(id)
    }
}
