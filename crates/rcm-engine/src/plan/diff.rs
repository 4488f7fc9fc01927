//! The three-way difference: what is wanted, what was last applied, what is there.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::model::{Lookup, resolve};

/// One field that has to change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// The field of the spec.
    pub field: String,
    /// What is there; `null` for nothing.
    pub before: Value,
    /// What is wanted. A reference to what does not exist yet stays a reference: known after apply.
    pub after: Value,
    /// Where the difference comes from.
    pub origin: Origin,
    /// Whether the cloud cannot change it in place.
    pub forces_replacement: bool,
    /// What the change in place does to whoever uses the resource, where its kind has something to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
}

/// Where a difference comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The partner file or the blueprint wants something else than before.
    Config,
    /// Somebody changed it outside rcm.
    Drift,
}

/// What is compared.
pub(super) struct Sides<'a> {
    /// The wanted spec, with references.
    pub(super) wanted: &'a Value,
    /// The last applied spec, references replaced.
    pub(super) applied: &'a Value,
    /// The fields that were seen, references as ids.
    pub(super) live: &'a Map<String, Value>,
}

/// The fields in which `sides` differ, in the order of their names.
///
/// A field that was seen is compared with what is wanted; one that was not seen is compared as last applied. A field that is
/// not wanted (`null`) and was not wanted before is the cloud's own business. Lists are compared without their order.
pub(super) fn difference(sides: &Sides<'_>, lookup: &dyn Lookup, replace_on: &[&str]) -> Vec<FieldChange> {
    let empty = Map::new();
    let wanted = sides.wanted.as_object().unwrap_or(&empty);
    let applied = sides.applied.as_object().unwrap_or(&empty);
    let fields: BTreeSet<&String> = wanted.keys().chain(applied.keys()).collect();
    fields
        .into_iter()
        .filter_map(|field| {
            let resolved = resolve(wanted.get(field).unwrap_or(&Value::Null), lookup);
            let applied = applied.get(field).unwrap_or(&Value::Null);
            let (before, origin) = changed(&resolved.value, applied, sides.live.get(field))?;
            let forces_replacement = replace_on.contains(&field.as_str());
            Some(FieldChange {
                field: field.clone(),
                before,
                after: resolved.value,
                origin,
                forces_replacement,
                effect: None,
            })
        })
        .collect()
}

/// What is there now and why it differs, if it does.
fn changed(wanted: &Value, applied: &Value, live: Option<&Value>) -> Option<(Value, Origin)> {
    if wanted.is_null() && applied.is_null() {
        return None;
    }
    let now = live.unwrap_or(applied);
    if same(wanted, now) {
        return None;
    }
    let origin = if same(wanted, applied) { Origin::Drift } else { Origin::Config };
    Some((now.clone(), origin))
}

/// Whether two values are the same when the order of lists does not count.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    a == b || canonical(a) == canonical(b)
}

/// The value with every list sorted by the text of its items.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(canonical).collect();
            items.sort_by_cached_key(Value::to_string);
            Value::Array(items)
        }
        Value::Object(map) => {
            map.iter().map(|(key, item)| (key.clone(), canonical(item))).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::Facts;

    fn fields(wanted: &Value, applied: &Value, live: &Value) -> Vec<(String, Origin)> {
        let live = live.as_object().unwrap();
        difference(&Sides { wanted, applied, live }, &Facts::default(), &["cidr"])
            .into_iter()
            .map(|change| (change.field, change.origin))
            .collect()
    }

    #[test]
    fn what_is_as_wanted_is_no_difference_whatever_the_order_of_lists() {
        let spec = json!({"cidr": "10.0.0.0/16", "tags": [{"k": 1}, {"k": 2}]});
        assert_eq!(fields(&spec, &spec, &json!({"cidr": "10.0.0.0/16", "tags": [{"k": 2}, {"k": 1}]})), []);
    }

    #[test]
    fn a_change_outside_is_drift_and_a_change_of_the_file_is_config() {
        let old = json!({"size": 1});
        assert_eq!(fields(&old, &old, &json!({"size": 2})), [("size".into(), Origin::Drift)]);
        assert_eq!(fields(&json!({"size": 2}), &old, &json!({"size": 1})), [("size".into(), Origin::Config)]);
        assert_eq!(fields(&json!({"size": 2}), &old, &json!({"size": 2})), []);
    }

    #[test]
    fn what_was_not_seen_is_compared_as_last_applied() {
        let old = json!({"policy": "a"});
        assert_eq!(fields(&old, &old, &json!({})), []);
        assert_eq!(fields(&json!({"policy": "b"}), &old, &json!({})), [("policy".into(), Origin::Config)]);
    }

    #[test]
    fn what_nobody_wants_is_the_clouds_own_business() {
        let spec = json!({"window": null});
        assert_eq!(fields(&spec, &spec, &json!({"window": "sun:01:00"})), []);
        assert_eq!(fields(&spec, &json!({"window": "x"}), &json!({"window": "x"})).len(), 1);
    }
}
