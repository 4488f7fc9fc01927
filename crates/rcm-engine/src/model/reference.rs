//! References between nodes: `{"$ref": "network/vpc"}` inside a spec.
//!
//! The engine finds the edges of the graph by looking for references in the serialised specs, so an edge cannot be forgotten.

use std::{fmt, marker::PhantomData};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::{Address, Id};

const REF: &str = "$ref";
const OUTPUT: &str = "output";
const EARLY: &str = "early";

/// A typed reference to the node that makes an `R`. In a spec it stands for the target's [`Id`].
///
/// It waits until the target is ready; [`early`](Ref::early) waits only until the target's id is recorded.
pub struct Ref<R: ?Sized> {
    reference: Reference,
    kind: PhantomData<fn() -> R>,
}

/// The same without a type: what a reference says in a spec.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// The node it names.
    pub address: Address,
    /// The field of the target's outputs that it stands for; the target's id when there is none.
    pub output: Option<String>,
    /// Whether the target's id is enough, ready or not.
    pub early: bool,
}

impl<R> Ref<R> {
    /// A reference to a node by its address. Graphs hand these out; use this only where the node is made elsewhere.
    pub fn to(address: Address) -> Self {
        Self { reference: Reference { address, output: None, early: false }, kind: PhantomData }
    }

    /// The same reference, satisfied as soon as the target's id is known.
    pub fn early(&self) -> Self {
        let mut early = self.clone();
        early.reference.early = true;
        early
    }

    /// The node it names.
    pub fn address(&self) -> &Address {
        &self.reference.address
    }

    /// A JSON value that stands for one of the target's outputs (`"arn"`) inside free-form JSON such as a policy document.
    pub fn output(&self, field: &str) -> Value {
        Reference { output: Some(field.to_owned()), ..self.reference.clone() }.to_value()
    }

    /// A JSON value that stands for the target's id inside free-form JSON.
    pub fn to_value(&self) -> Value {
        self.reference.to_value()
    }
}

impl Reference {
    fn to_value(&self) -> Value {
        let mut map = Map::new();
        map.insert(REF.into(), Value::from(self.address.as_str()));
        if let Some(output) = &self.output {
            map.insert(OUTPUT.into(), Value::from(output.as_str()));
        }
        if self.early {
            map.insert(EARLY.into(), Value::from(true));
        }
        Value::Object(map)
    }

    /// What it stands for.
    pub fn stands_for(&self, lookup: &dyn Lookup) -> Option<Value> {
        match &self.output {
            None => lookup.id(&self.address).map(|id| Value::from(id.as_str())),
            Some(field) => lookup.outputs(&self.address)?.get(field).cloned(),
        }
    }

    /// The reference that a JSON value is, if it is one.
    pub fn from_value(value: &Value) -> Option<Self> {
        let map = value.as_object()?;
        let address = Address::new(map.get(REF)?.as_str()?).ok()?;
        let output = map.get(OUTPUT).and_then(Value::as_str).map(str::to_owned);
        let early = map.get(EARLY).and_then(Value::as_bool).unwrap_or(false);
        Some(Self { address, output, early })
    }
}

impl<R> Clone for Ref<R> {
    fn clone(&self) -> Self {
        Self { reference: self.reference.clone(), kind: PhantomData }
    }
}

impl<R> PartialEq for Ref<R> {
    fn eq(&self, other: &Self) -> bool {
        self.reference == other.reference
    }
}

impl<R> Eq for Ref<R> {}

impl<R> PartialOrd for Ref<R> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<R> Ord for Ref<R> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.reference.cmp(&other.reference)
    }
}

impl<R> fmt::Debug for Ref<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ref({})", self.reference.address)
    }
}

impl<R> Serialize for Ref<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.reference.to_value().serialize(serializer)
    }
}

impl<'de, R> Deserialize<'de> for Ref<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let reference = Reference::from_value(&value)
            .ok_or_else(|| serde::de::Error::custom(format!("expected a reference, found {value}")))?;
        Ok(Self { reference, kind: PhantomData })
    }
}

/// Every reference inside a value, in the order of the text, repeats included.
pub fn references(value: &Value) -> Vec<Reference> {
    let mut found = Vec::new();
    collect(value, &mut found);
    found
}

fn collect(value: &Value, found: &mut Vec<Reference>) {
    if let Some(reference) = Reference::from_value(value) {
        found.push(reference);
        return;
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(map) => map.values().for_each(|item| collect(item, found)),
        _ => {}
    }
}

/// The value with every reference to `from` naming `to` instead.
pub fn readdress(value: &Value, from: &Address, to: &Address) -> Value {
    if let Some(reference) = Reference::from_value(value) {
        let moved = reference.address == *from;
        return if moved { Reference { address: to.clone(), ..reference }.to_value() } else { value.clone() };
    }
    match value {
        Value::Array(items) => items.iter().map(|item| readdress(item, from, to)).collect(),
        Value::Object(map) => {
            map.iter().map(|(key, item)| (key.clone(), readdress(item, from, to))).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

/// Every reference inside `value`, with what stands in its place in `resolved`, the same value with references replaced.
pub fn replaced<'v>(value: &Value, resolved: &'v Value) -> Vec<(Reference, &'v Value)> {
    if let Some(reference) = Reference::from_value(value) {
        return vec![(reference, resolved)];
    }
    match (value, resolved) {
        (Value::Array(items), Value::Array(resolved)) => {
            items.iter().zip(resolved).flat_map(|(item, resolved)| replaced(item, resolved)).collect()
        }
        (Value::Object(map), Value::Object(resolved)) => {
            let pairs = map.iter().filter_map(|(key, item)| Some((item, resolved.get(key)?)));
            pairs.flat_map(|(item, resolved)| replaced(item, resolved)).collect()
        }
        _ => Vec::new(),
    }
}

/// What references stand for at one moment.
pub trait Lookup {
    /// The target's id, once it is recorded.
    fn id(&self, address: &Address) -> Option<Id>;
    /// The target's outputs, once it is ready.
    fn outputs(&self, address: &Address) -> Option<Value>;
    /// Whether the state knows a resource of that id, of whichever node.
    fn knows(&self, id: &Id) -> bool;
}

/// A value with its references replaced, as far as they can be.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// The value; a reference that stands for nothing yet is left as it is.
    pub value: Value,
    /// Whether every reference was replaced.
    pub complete: bool,
}

/// Replaces every reference in `value` by what it stands for.
pub fn resolve(value: &Value, lookup: &dyn Lookup) -> Resolved {
    let mut complete = true;
    let value = replace(value, lookup, &mut complete);
    Resolved { value, complete }
}

fn replace(value: &Value, lookup: &dyn Lookup, complete: &mut bool) -> Value {
    if let Some(reference) = Reference::from_value(value) {
        let found = reference.stands_for(lookup);
        *complete &= found.is_some();
        return found.unwrap_or_else(|| value.clone());
    }
    match value {
        Value::Array(items) => items.iter().map(|item| replace(item, lookup, complete)).collect(),
        Value::Object(map) => {
            map.iter().map(|(key, item)| (key.clone(), replace(item, lookup, complete))).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    struct Vpc;
    struct World;

    impl Lookup for World {
        fn id(&self, address: &Address) -> Option<Id> {
            (address.as_str() == "network/vpc").then(|| Id::from("vpc-1"))
        }
        fn outputs(&self, address: &Address) -> Option<Value> {
            (address.as_str() == "network/vpc").then(|| json!({"arn": "arn:vpc-1"}))
        }
        fn knows(&self, id: &Id) -> bool {
            id.as_str() == "vpc-1"
        }
    }

    #[test]
    fn a_reference_survives_a_round_trip_and_is_found_wherever_it_stands() {
        let vpc = Ref::<Vpc>::to(Address::new("network/vpc").unwrap());
        let spec = json!({"vpc": vpc, "rules": [{"from": vpc.early()}], "policy": {"Resource": vpc.output("arn")}});
        let found = references(&spec);
        assert_eq!(found.len(), 3);
        assert!(found.iter().all(|reference| reference.address.as_str() == "network/vpc"));
        let back: Ref<Vpc> = serde_json::from_value(spec["vpc"].clone()).unwrap();
        assert_eq!(back, vpc);
    }

    #[test]
    fn what_has_moved_is_named_by_its_new_address_in_every_kind_of_reference() {
        let address = |text: &str| Address::new(text).unwrap();
        let vpc = |at: &str| {
            let vpc = Ref::<Vpc>::to(address(at));
            json!({"vpc": vpc, "other": Ref::<Vpc>::to(address("a")), "deep": [{"early": vpc.early(), "arn": vpc.output("arn")}]})
        };
        assert_eq!(readdress(&vpc("network/vpc"), &address("network/vpc"), &address("net/vpc")), vpc("net/vpc"));
    }

    #[test]
    fn references_resolve_to_ids_and_outputs() {
        let vpc = Ref::<Vpc>::to(Address::new("network/vpc").unwrap());
        let resolved = resolve(&json!({"vpc": vpc, "policy": {"Resource": [vpc.output("arn")]}}), &World);
        assert_eq!(resolved.value, json!({"vpc": "vpc-1", "policy": {"Resource": ["arn:vpc-1"]}}));
        assert!(resolved.complete);
    }

    #[test]
    fn what_references_stood_for_is_found_again() {
        let vpc = Ref::<Vpc>::to(Address::new("network/vpc").unwrap());
        let spec = json!({"vpc": vpc, "policy": {"Resource": ["*", vpc.output("arn")]}, "new": vpc});
        let stood = json!({"vpc": "vpc-1", "policy": {"Resource": ["*", "arn:vpc-1"]}});
        let found = replaced(&spec, &stood);
        let found: Vec<_> = found.iter().map(|(reference, value)| (reference.output.as_deref(), *value)).collect();
        assert_eq!(found, [(Some("arn"), &json!("arn:vpc-1")), (None, &json!("vpc-1"))]);
    }

    #[test]
    fn a_reference_to_what_does_not_exist_yet_stays() {
        let nat = Ref::<Vpc>::to(Address::new("network/nat").unwrap());
        let resolved = resolve(&json!({"nat": nat}), &World);
        assert!(!resolved.complete);
        assert_eq!(references(&resolved.value).len(), 1);
    }
}
