//! What was changed, deleted and added in the cloud by others than us, and what of it may be taken for right.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{diff::same, refresh::Live};
use crate::{
    model::{Address, Deployment, DynResource, Fault, Graph, Id, Owned, Registry, references, resolve},
    store::{Entry, Facts, Phase, Record, State},
};

/// How the cloud differs from what was last applied to it. What a changed partner file wants is not in it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Drift {
    /// Resources that somebody has changed, in the order of addresses.
    pub changed: Vec<Changed>,
    /// Resources that the state knows and the cloud does not have any more.
    pub deleted: Vec<Deleted>,
    /// Resources with the deployment's ownership tags that the state does not know.
    pub added: Vec<Added>,
    /// Resources whose ownership tags somebody has taken away or changed: without the state nobody would find them any more.
    pub untagged: Vec<Untagged>,
    /// Resources that an unfinished run has left in the middle of something: the next run settles them, and until then nobody
    /// can say who changed what.
    pub unfinished: Vec<Address>,
}

/// A resource that somebody has changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Changed {
    /// The node.
    pub address: Address,
    /// Its kind.
    pub kind: String,
    /// Its generation.
    pub generation: u32,
    /// What the cloud calls it.
    pub id: Id,
    /// What is different, in the order of the names.
    pub fields: Vec<Deviation>,
}

/// One field that somebody has changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Deviation {
    /// The field of the spec.
    pub field: String,
    /// What was last applied.
    pub applied: Value,
    /// What is there.
    pub live: Value,
}

/// A resource that is gone.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Deleted {
    /// The node.
    pub address: Address,
    /// Its kind.
    pub kind: String,
    /// Its generation.
    pub generation: u32,
    /// What the cloud called it.
    pub id: Id,
}

/// A resource of ours that nobody knows of.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Added {
    /// Its kind.
    pub kind: String,
    /// What its tags say that it is.
    #[serde(flatten)]
    pub owned: Owned,
}

/// A resource of ours whose tags do not say so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Untagged {
    /// The node.
    pub address: Address,
    /// Its kind.
    pub kind: String,
    /// Its generation.
    pub generation: u32,
    /// What the cloud calls it.
    pub id: Id,
    /// The node that its tags name instead, if they name one of ours.
    pub says: Option<Address>,
}

/// Everything in the cloud that carries the tags of a deployment, by kind; kinds that carry tags are there also when it has none.
pub type Possessions = BTreeMap<&'static str, Vec<Owned>>;

/// Lists everything that carries the tags of `deployment`, all kinds at once.
pub async fn possessions(registry: &Registry, deployment: &Deployment) -> Result<Possessions, Fault> {
    list(deployment, registry.iter()).await
}

/// The same, but only of the kinds that `state` knows: others may be none of its account's or region's.
pub async fn possessions_like(registry: &Registry, state: &State) -> Result<Possessions, Fault> {
    let known: BTreeSet<&str> = state.records().map(|record| record.kind.as_str()).collect();
    list(&state.deployment, registry.iter().filter(|resource| known.contains(resource.kind()))).await
}

async fn list(
    deployment: &Deployment,
    kinds: impl Iterator<Item = &Arc<dyn DynResource>>,
) -> Result<Possessions, Fault> {
    let lists = kinds.map(|resource| async move {
        let mut owned = resource.list(deployment).await?;
        owned.sort();
        Ok::<_, Fault>((resource.kind(), owned, resource.tagged()))
    });
    let told = try_join_all(lists).await?.into_iter().filter(|(_, owned, tagged)| *tagged || !owned.is_empty());
    Ok(told.map(|(kind, owned, _)| (kind, owned)).collect())
}

/// What the state knows and the cloud has, and what is not listed as what it is. Pure.
pub fn untagged(state: &State, live: &Live, owned: &Possessions) -> Vec<Untagged> {
    let look = |record: &Record| {
        let Record { address, kind, generation, .. } = record;
        let id = record.id.as_ref().filter(|_| record.phase == Phase::Ready)?;
        live.get(&(address.clone(), *generation)).and_then(Option::as_ref)?;
        let listed = owned.get(kind.as_str())?.iter().find(|owned| owned.id == *id);
        let is_right = |owned: &&Owned| owned.address.as_ref() == Some(address) && owned.generation == *generation;
        if listed.filter(is_right).is_some() {
            return None;
        }
        let says = listed.and_then(|owned| owned.address.clone());
        let (address, kind, id) = (address.clone(), kind.clone(), id.clone());
        Some(Untagged { address, kind, generation: *generation, id, says })
    };
    state.records().filter_map(look).collect()
}

impl Drift {
    /// Compares what was last applied with what is there. Pure.
    pub fn of(state: &State, live: &Live, owned: &Possessions) -> Self {
        let mut drift = Self { untagged: untagged(state, live, owned), ..Self::default() };
        for record in state.records() {
            drift.look_at(state, record, live);
        }
        let known =
            |kind: &str, id: &Id| state.records().any(|record| record.kind == kind && record.id.as_ref() == Some(id));
        for (kind, owned) in owned {
            let unknown = owned.iter().filter(|owned| !known(kind, &owned.id));
            drift.added.extend(unknown.map(|owned| Added { kind: (*kind).to_owned(), owned: owned.clone() }));
        }
        drift
    }

    /// Whether nothing was changed by others.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.deleted.is_empty() && self.added.is_empty() && self.untagged.is_empty()
    }

    fn look_at(&mut self, state: &State, record: &Record, live: &Live) {
        let Record { address, kind, generation, .. } = record;
        let (Some(id), Phase::Ready) = (&record.id, record.phase) else {
            self.unfinished.push(address.clone());
            return;
        };
        let (address, kind, generation, id) = (address.clone(), kind.clone(), *generation, id.clone());
        match live.get(&(address.clone(), generation)).and_then(Option::as_ref) {
            None => self.deleted.push(Deleted { address, kind, generation, id }),
            Some(snapshot) => {
                let fields = deviations(state, record, &snapshot.fields);
                if !fields.is_empty() {
                    self.changed.push(Changed { address, kind, generation, id, fields });
                }
            }
        }
    }
}

/// The fields whose live value is not the applied one. What was never wanted (`null`) is the cloud's own business.
fn deviations(state: &State, record: &Record, live: &Map<String, Value>) -> Vec<Deviation> {
    let applied = resolve(&record.inputs, &Facts::current(state, record.needs())).value;
    let deviation = |(field, live): (&String, &Value)| {
        let applied = applied.get(field).filter(|applied| !applied.is_null() && references(applied).is_empty())?;
        (!same(applied, live)).then(|| Deviation { field: field.clone(), applied: applied.clone(), live: live.clone() })
    };
    live.iter().filter_map(deviation).collect()
}

/// What of a drift is taken for right, and what cannot be.
#[derive(Debug, Clone, Default)]
pub struct Acceptance {
    /// What to write down.
    pub entries: Vec<Entry>,
    /// What is taken for right: the resource and the field; no field where its absence is taken for right.
    pub accepted: Vec<(Address, Option<String>)>,
    /// What is not.
    pub refused: Vec<Refusal>,
}

/// A drift that cannot be taken for right.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// The resource, where its node is known.
    pub address: Option<Address>,
    /// The field, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Why not.
    #[serde(flatten)]
    pub why: Why,
}

/// Why a drift cannot be taken for right.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub enum Why {
    /// Another value is wanted: the next run would put it back.
    WantsAnother {
        /// Which.
        wanted: Value,
    },
    /// It is wanted: the next run would make it again.
    WantsIt,
    /// Its ownership tags are what rcm finds it by: the next run that looks at everything would put them back.
    WantsItsTags,
    /// Nobody knows it: it has to be imported, or deleted by hand.
    Unknown {
        /// Its kind.
        kind: String,
        /// What the cloud calls it.
        id: Id,
    },
}

/// Takes for right what `graph` wants as it is, and what it does not care about. Pure: what is to be written down is in the
/// answer.
pub fn accept(drift: &Drift, state: &State, graph: &Graph) -> Acceptance {
    let mut acceptance = Acceptance::default();
    for changed in &drift.changed {
        acceptance.change(changed, state, graph);
    }
    for Deleted { address, generation, .. } in &drift.deleted {
        // A predecessor that is gone needs nobody's wish.
        let current = state.resources.get(address).is_some_and(|record| record.generation == *generation);
        if current && graph.get(address).is_some() {
            acceptance.refused.push(Refusal { address: Some(address.clone()), field: None, why: Why::WantsIt });
        } else {
            acceptance.entries.push(Entry::Gone { address: address.clone(), generation: *generation });
            acceptance.accepted.push((address.clone(), None));
        }
    }
    let untagged =
        |untagged: &Untagged| Refusal { address: Some(untagged.address.clone()), field: None, why: Why::WantsItsTags };
    acceptance.refused.extend(drift.untagged.iter().map(untagged));
    let unknown = |Added { kind, owned }: &Added| Refusal {
        address: owned.address.clone(),
        field: None,
        why: Why::Unknown { kind: kind.clone(), id: owned.id.clone() },
    };
    acceptance.refused.extend(drift.added.iter().map(unknown));
    acceptance
}

impl Acceptance {
    fn change(&mut self, changed: &Changed, state: &State, graph: &Graph) {
        let Changed { address, generation, fields, .. } = changed;
        let Some(record) = state.record(address, *generation) else { return };
        let mut record = record.clone();
        let node = graph.get(address);
        let mut any = false;
        for Deviation { field, live, .. } in fields {
            let spec = node.and_then(|node| node.spec.get(field)).unwrap_or(&Value::Null);
            let needs = references(spec).into_iter().map(|reference| reference.address);
            let wanted = resolve(spec, &Facts::current(state, needs)).value;
            // What is not wanted is left to the cloud from now on; of what nobody describes any more, it is simply so.
            let taken = match (&wanted, node) {
                (_, None) => live.clone(),
                (Value::Null, _) => Value::Null,
                (wanted, _) if same(wanted, live) => wanted.clone(),
                _ => {
                    let (address, why) = (Some(address.clone()), Why::WantsAnother { wanted });
                    self.refused.push(Refusal { address, field: Some(field.clone()), why });
                    continue;
                }
            };
            set(&mut record.spec, field, if node.is_some() { spec.clone() } else { taken.clone() });
            set(&mut record.inputs, field, taken);
            self.accepted.push((address.clone(), Some(field.clone())));
            any = true;
        }
        if any {
            self.entries.push(Entry::Known { record: Box::new(record) });
        }
    }
}

fn set(fields: &mut Value, field: &str, value: Value) {
    if let Value::Object(fields) = fields {
        fields.insert(field.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::model::Snapshot;

    fn address(text: &str) -> Address {
        Address::new(text).unwrap()
    }

    fn record(name: &str, inputs: Value) -> Record {
        Record {
            address: address(name),
            kind: "toy/thing".into(),
            generation: 1,
            token: String::new(),
            id: Some(Id::new(format!("id-of-{name}"))),
            phase: Phase::Ready,
            spec: inputs.clone(),
            inputs,
            outputs: json!({}),
            dependencies: Vec::new(),
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
        state.resources = records.into_iter().map(|record| (record.address.clone(), record)).collect();
        state
    }

    fn live(seen: &[(&str, Option<Value>)]) -> Live {
        let snapshot =
            |fields: &Value| Snapshot { fields: fields.as_object().unwrap().clone(), outputs: json!({}), failed: None };
        seen.iter().map(|(name, seen)| ((address(name), 1), seen.as_ref().map(snapshot))).collect()
    }

    #[test]
    fn only_what_differs_from_what_was_applied_has_drifted() {
        let of = json!({"size": 1, "tags": ["a", "b"], "window": null, "vpc": {"$ref": "b"}, "hidden": 1});
        let state = state(vec![record("a", of), record("b", json!({}))]);
        let same = json!({"size": 1, "tags": ["b", "a"], "window": "sun", "vpc": "id-of-b"});
        let b = ("b", Some(json!({})));
        assert!(Drift::of(&state, &live(&[("a", Some(same)), b.clone()]), &Possessions::new()).is_empty());
        let other = json!({"size": 2, "vpc": "id-of-c"});
        let drift = Drift::of(&state, &live(&[("a", Some(other)), b]), &Possessions::new());
        let fields: Vec<_> = drift.changed[0].fields.iter().map(|change| (&*change.field, &change.live)).collect();
        assert_eq!(fields, [("size", &json!(2)), ("vpc", &json!("id-of-c"))]);
    }

    #[test]
    fn what_does_not_say_that_it_is_ours_any_more_is_untagged() {
        let half = Record { phase: Phase::Updating, ..record("half", json!({})) };
        let state = state(vec![record("a", json!({})), record("b", json!({})), record("gone", json!({})), half]);
        let there = || Some(json!({}));
        let seen = live(&[("a", there()), ("b", there()), ("gone", None), ("half", there())]);
        let says = |name: &str, id: &str| Owned { address: Some(address(name)), generation: 1, id: Id::from(id) };
        let owned = |listed: Vec<Owned>| Possessions::from([("toy/thing", listed)]);
        let found = |listed: Vec<Owned>| untagged(&state, &seen, &owned(listed));
        assert!(found(vec![says("a", "id-of-a"), says("b", "id-of-b")]).is_empty());
        let wrong = found(vec![says("b", "id-of-a"), Owned { generation: 2, ..says("b", "id-of-b") }]);
        let told: Vec<_> = wrong.iter().map(|untagged| (untagged.address.as_str(), untagged.says.clone())).collect();
        assert_eq!(told, [("a", Some(address("b"))), ("b", Some(address("b")))]);
        assert_eq!(found(Vec::new()).len(), 2, "also where nothing of the kind is tagged any more");
        assert!(untagged(&state, &seen, &Possessions::new()).is_empty(), "and nothing of a kind that carries none");
        let drift = Drift::of(&state, &seen, &owned(Vec::new()));
        assert!(!drift.is_empty() && drift.changed.is_empty() && drift.added.is_empty());
        let taken = accept(&drift, &state, &Graph::new());
        assert!(taken.refused.iter().any(|refusal| refusal.why == Why::WantsItsTags));
    }

    #[test]
    fn what_is_gone_what_is_unknown_and_what_is_in_the_middle_of_something_are_told_apart() {
        let half = Record { phase: Phase::Updating, ..record("half", json!({"size": 1})) };
        let state = state(vec![record("a", json!({})), half]);
        let seen = live(&[("a", None), ("half", Some(json!({"size": 2})))]);
        let orphan = Owned { address: None, generation: 1, id: Id::from("id-of-b") };
        let known = Owned { id: Id::from("id-of-a"), ..orphan.clone() };
        let owned = Possessions::from([("toy/thing", vec![known, orphan.clone()])]);
        let drift = Drift::of(&state, &seen, &owned);
        assert_eq!(drift.deleted[0].address, address("a"));
        assert_eq!(drift.added, [Added { kind: "toy/thing".into(), owned: orphan }]);
        assert_eq!(drift.unfinished, [address("half")]);
        assert!(drift.changed.is_empty());
    }
}
