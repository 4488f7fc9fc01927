//! Events and the end of a run as JSON, one object a line.

use std::{collections::BTreeMap, time::Duration};

use anstream::adapter::strip_str;
use jiff::Timestamp;
use rcm::{
    Deployed, Report, RolledBack,
    config::ImageRef,
    engine::{
        model::{Address, Event, Fault},
        plan::Plan,
        run::{Aftermath, Outcome},
    },
    image::{Happening, Pushed},
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{deploy::Told, drift, report::Run};
use crate::error::{CommandError, Exit};

/// One line.
pub(crate) fn line(value: &impl Serialize) -> String {
    // What is written here are plain structures with text keys, which always serialise.
    serde_json::to_string(value).map(|text| text + "\n").unwrap_or_default()
}

/// The event's line.
pub(crate) fn event(event: &Event) -> String {
    line(event)
}

/// The plan's line, before it is approved.
pub(crate) fn plan(plan: &Plan, monthly_cost: &Value) -> String {
    line(&json!({ "at": Timestamp::now(), "event": "plan", "plan": plan, "monthly_cost": monthly_cost }))
}

/// The last line of a run that began.
pub(crate) fn result(report: &Report, exit: Exit, run: &Run<'_>) -> String {
    line(&ended(report, exit, run))
}

/// The last line of a deploy.
pub(crate) fn deployed(deployed: &Deployed, exit: Exit, told: &Told<'_>, pushed: Option<&Pushed>) -> String {
    let Told { name, took, next, .. } = *told;
    let run = Run { verb: "deploy", name, full: false, took, next, awaited: &BTreeMap::new(), certificate: None };
    let mut result = ended(&deployed.report, exit, &run);
    result["image"] = json!(told.image.as_str());
    result["pushed"] = push(pushed);
    result["stopped_tasks"] = json!(deployed.stopped);
    line(&result)
}

/// The last line of a push that nothing follows.
pub(crate) fn pushed(image: &ImageRef, pushed: Option<&Pushed>, note: &str) -> String {
    line(&json!({
        "at": Timestamp::now(),
        "event": "result",
        "outcome": "done",
        "exit_code": Exit::Done.code(),
        "image": image.as_str(),
        "pushed": push(pushed),
        "notes": [strip_str(note).to_string().trim()],
    }))
}

fn push(pushed: Option<&Pushed>) -> Value {
    pushed.map_or(Value::Null, |Pushed { sent, sent_bytes, present, .. }| {
        json!({ "sent": sent, "sent_bytes": sent_bytes, "present": present })
    })
}

/// The line of what happened to a layer; none of what only moves.
pub(crate) fn layer(happening: &Happening) -> Option<String> {
    let mut event = match happening {
        Happening::Sending { .. } => return None,
        Happening::Present { digest, size } => json!({ "event": "layer-present", "digest": digest, "size": size }),
        Happening::Sent { digest, size } => json!({ "event": "layer-pushed", "digest": digest, "size": size }),
        Happening::Again { digest, why, from } => {
            json!({ "event": "layer-again", "digest": digest, "why": why, "from": from })
        }
    };
    event["at"] = json!(Timestamp::now());
    Some(line(&event))
}

fn ended(report: &Report, exit: Exit, run: &Run<'_>) -> Value {
    let (outcome, more) = match &report.outcome {
        Outcome::Done => ("done", json!({})),
        Outcome::Cancelled => ("cancelled", json!({})),
        Outcome::Parked(steps) => ("parked", json!({ "waiting": waiting(steps, run) })),
        Outcome::Failed { failures, aftermath } => {
            let (word, left): (_, &[_]) = match aftermath {
                Aftermath::Kept => ("kept", &[]),
                Aftermath::RolledBack => ("rolled-back", &[]),
                Aftermath::Stuck(left) => ("stuck", left),
                Aftermath::Interrupted => ("interrupted", &[]),
            };
            ("failed", json!({ "failures": faults(failures), "aftermath": word, "left": faults(left) }))
        }
    };
    let mut result = json!({
        "at": Timestamp::now(),
        "event": "result",
        "outcome": outcome,
        "exit_code": exit.code(),
        "duration_ms": u64::try_from(run.took.as_millis()).unwrap_or(u64::MAX),
        "counts": report.plan.counts(),
        "unchanged": report.plan.unchanged,
        "repaired": drift::repaired(report),
        "outputs": report.outputs.to_json(),
        "retained": report.retained,
        "remnants": report.remnants,
        "notes": report.notes,
    });
    if let Some([certificate, _]) = &run.certificate {
        result["certificate"] = json!(certificate);
    }
    if let (Value::Object(result), Value::Object(more)) = (&mut result, more) {
        result.extend(more);
    }
    result
}

/// The last line of a `rollback`.
pub(crate) fn rolled_back(ended: &RolledBack, exit: Exit, took: Duration) -> String {
    let outcome = match (ended.undone.is_empty(), ended.left.is_empty()) {
        (true, _) => "nothing",
        _ if ended.interrupted => "cancelled",
        (_, true) => "rolled-back",
        _ => "stuck",
    };
    line(&json!({
        "at": Timestamp::now(),
        "event": "result",
        "outcome": outcome,
        "exit_code": exit.code(),
        "duration_ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "undone": ended.undone.iter().map(|undo| undo.key().0).collect::<Vec<_>>(),
        "left": faults(&ended.left),
    }))
}

/// The last line of a run that did not begin.
pub(crate) fn error(error: &CommandError) -> String {
    line(&json!({
        "at": Timestamp::now(),
        "event": "result",
        "outcome": "error",
        "exit_code": error.exit.code(),
        "error": { "kind": error.exit.word(), "message": error.message, "causes": error.causes, "hint": error.hint },
    }))
}

fn waiting(steps: &[(Address, String)], run: &Run<'_>) -> Value {
    let step = |(address, what): &(Address, String)| json!({ "address": address, "what": what, "details": run.awaited.get(address) });
    steps.iter().map(step).collect()
}

fn faults(faults: &[(Address, Fault)]) -> Value {
    faults.iter().map(|(address, fault)| json!({ "address": address, "fault": fault })).collect()
}
