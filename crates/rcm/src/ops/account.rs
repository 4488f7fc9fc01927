//! What a person should know of what is the account's: what somebody else has made and rcm uses as it is.

use rcm_aws::resources::baseline::{LOG_GROUP, NAME};
use rcm_engine::{
    plan::Live,
    store::{Record, State},
};
use serde_json::Value;

/// The kinds that have something to say besides.
const TRAIL: &str = "cloudtrail/trail";
const SUBSCRIPTION: &str = "sns/account-subscription";

/// What it lacks that belongs to somebody else, as it was last seen: that is not changed, so it is said. And whom no alarm reaches.
pub(super) fn notes(state: &State, live: &Live) -> Vec<String> {
    let notes = |record: &Record| {
        let seen = live.get(&(record.address.clone(), record.generation)).and_then(Option::as_ref);
        let outputs = seen.map_or(&record.outputs, |seen| &seen.outputs);
        [lacking(record, outputs), unheard(record, outputs)].into_iter().flatten()
    };
    state.resources.values().flat_map(notes).collect()
}

fn lacking(record: &Record, outputs: &Value) -> Option<String> {
    let lacks: Vec<&str> = outputs.get("lacks")?.as_array()?.iter().filter_map(Value::as_str).collect();
    let id = record.id.as_ref()?;
    (!lacks.is_empty()).then(|| {
        format!("{} ({id}) is somebody else's and was not changed, although {}", record.address, lacks.join("; "))
    })
}

/// That nobody hears of the account's alarms: the address was never confirmed, or the trail, somebody else's, tells them nothing.
fn unheard(record: &Record, outputs: &Value) -> Option<String> {
    let address = &record.address;
    match record.kind.as_str() {
        SUBSCRIPTION if outputs["confirmed"] == false => {
            let email = record.spec["email"].as_str()?;
            Some(format!(
                "{address}: nobody at {email} has confirmed by the link in AWS's mail, so the account's alarms reach nobody there. \
                 After 48 hours AWS forgets it, and the next provision asks again"
            ))
        }
        TRAIL if !record.id.as_ref()?.as_str().ends_with(&format!("/{NAME}")) => {
            let told = outputs["log_group"].as_str().filter(|told| *told != LOG_GROUP)?;
            Some(format!(
                "{address} writes to {told} and not to {LOG_GROUP}, where the account's alarms count: they see nothing of it"
            ))
        }
        _ => None,
    }
}
