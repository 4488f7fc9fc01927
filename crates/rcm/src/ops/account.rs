//! What a person should know of what is the account's: what somebody else has made and rcm uses as it is.

use rcm_engine::{
    plan::Live,
    store::{Record, State},
};
use serde_json::Value;

/// What it lacks that belongs to somebody else, as it was last seen: that is not changed, so it is said.
pub(super) fn notes(state: &State, live: &Live) -> Vec<String> {
    let note = |record: &Record| {
        let seen = live.get(&(record.address.clone(), record.generation)).and_then(Option::as_ref);
        let outputs = seen.map_or(&record.outputs, |seen| &seen.outputs);
        let lacks: Vec<&str> = outputs.get("lacks")?.as_array()?.iter().filter_map(Value::as_str).collect();
        let id = record.id.as_ref()?;
        (!lacks.is_empty()).then(|| {
            format!("{} ({id}) is somebody else's and was not changed, although {}", record.address, lacks.join("; "))
        })
    };
    state.resources.values().filter_map(note).collect()
}
