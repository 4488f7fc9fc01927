//! What is judged: the resources, each with the fields of its spec.

use rcm_engine::{
    model::Address,
    plan::{Action, Live, Plan},
    store::State,
};
use serde_json::{Map, Value};

/// A resource to judge.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Its address.
    pub(super) address: Address,
    /// Its kind.
    pub(super) kind: String,
    /// The fields of its spec that are known; `None` for one that should be there and is not.
    pub(super) fields: Option<Value>,
    /// What AWS gave; `null` where nobody knows yet.
    pub(super) outputs: Value,
}

impl Subject {
    /// A field of its spec, `null` if it is not known.
    pub(super) fn field(&self, name: &str) -> &Value {
        self.fields.as_ref().map_or(&Value::Null, |fields| &fields[name])
    }
}

/// What AWS says is there of what the state knows.
pub(crate) fn live(state: &State, live: &Live) -> Vec<Subject> {
    let wanted = state.resources.values().filter(|record| !record.retained);
    wanted
        .map(|record| {
            let seen = live.get(&(record.address.clone(), record.generation)).cloned().flatten();
            Subject {
                address: record.address.clone(),
                kind: record.kind.clone(),
                outputs: seen.as_ref().map(|seen| seen.outputs.clone()).unwrap_or_default(),
                fields: seen.map(|seen| seen.fields.into()),
            }
        })
        .collect()
}

/// What the state says was made.
pub(super) fn applied(state: &State) -> Vec<Subject> {
    let wanted = state.resources.values().filter(|record| !record.retained);
    wanted.map(|record| subject(&record.address, &record.kind, &record.spec)).collect()
}

/// What would be there after `plan`.
pub(super) fn planned(state: &State, plan: &Plan) -> Vec<Subject> {
    let mut all: std::collections::BTreeMap<Address, Subject> =
        applied(state).into_iter().map(|subject| (subject.address.clone(), subject)).collect();
    for step in &plan.cleanup {
        if !matches!(step.action, Action::Delete { superseded: true }) {
            all.remove(&step.address);
        }
    }
    for step in &plan.forward {
        all.insert(step.address.clone(), subject(&step.address, &step.kind, &step.spec));
    }
    all.into_values().collect()
}

fn subject(address: &Address, kind: &str, spec: &Value) -> Subject {
    let fields = if spec.is_object() { spec.clone() } else { Map::new().into() };
    Subject { address: address.clone(), kind: kind.to_owned(), fields: Some(fields), outputs: Value::Null }
}
