//! From events to spans.

use std::{collections::BTreeMap, fmt::Write};

use jiff::Timestamp;
use rcm::engine::model::{Address, Event, EventKind, Fault, UndoOf};
use serde_json::{Value, json};

use super::settings::Parent;
use crate::error::Exit;

/// More spans than any stack has steps. Beyond that they are counted, and not kept.
const MOST_SPANS: usize = 10_000;
/// More than a step is sent again.
const MOST_NOTES: usize = 100;

/// The spans of a run.
pub(super) struct Spans {
    trace: String,
    root: Span,
    refresh: Option<Span>,
    open: BTreeMap<Address, Span>,
    done: Vec<Span>,
    dropped: usize,
}

/// Something that took its time.
struct Span {
    id: String,
    parent: Option<String>,
    name: String,
    begun: Timestamp,
    ended: Option<Timestamp>,
    attributes: BTreeMap<&'static str, Value>,
    notes: Vec<Value>,
    /// In a few words, where it failed.
    failed: Option<String>,
}

impl Span {
    fn begin(name: String, parent: Option<String>, begun: Timestamp) -> Option<Self> {
        let (attributes, notes) = (BTreeMap::new(), Vec::new());
        Some(Self { id: random::<8>()?, parent, name, begun, ended: None, attributes, notes, failed: None })
    }

    fn set(&mut self, name: &'static str, value: impl Into<Value>) {
        self.attributes.insert(name, value.into());
    }

    fn note(&mut self, at: Timestamp, name: &str, attributes: &BTreeMap<&str, Value>) {
        if self.notes.len() < MOST_NOTES {
            self.notes.push(json!({ "timeUnixNano": nanos(at), "name": name, "attributes": listed(attributes) }));
        }
    }

    fn fail(&mut self, fault: &Fault) {
        self.set("error.type", fault.code.as_str());
        // Without AWS's message, which may repeat what was sent.
        self.failed = Some(format!("{}:{}: {}", fault.service, fault.operation, fault.code));
    }

    fn end(mut self, at: Timestamp, outcome: &str) -> Self {
        self.set("rcm.outcome", outcome);
        self.ended = Some(at);
        self
    }

    fn json(&self, trace: &str) -> Value {
        let mut span = json!({
            "traceId": trace,
            "spanId": self.id,
            "name": self.name,
            // SPAN_KIND_INTERNAL
            "kind": 1,
            "startTimeUnixNano": nanos(self.begun),
            "endTimeUnixNano": nanos(self.ended.unwrap_or(self.begun)),
            "attributes": listed(&self.attributes),
            "events": self.notes,
            // STATUS_CODE_ERROR, or unset
            "status": self.failed.as_ref().map_or(json!({}), |why| json!({ "code": 2, "message": why })),
        });
        if let Some(parent) = &self.parent {
            span["parentSpanId"] = json!(parent);
        }
        span
    }
}

impl Spans {
    /// The span of the run; `None` where this machine has no random numbers.
    pub(super) fn begin<const N: usize>(
        name: &str,
        parent: Option<&Parent>,
        attributes: [(&'static str, String); N],
    ) -> Option<Self> {
        let trace = parent.map_or_else(random::<16>, |parent| Some(parent.trace.clone()))?;
        let parent = parent.map(|parent| parent.span.clone());
        let mut root = Span::begin(name.to_owned(), parent, Timestamp::now())?;
        attributes.into_iter().for_each(|(name, value)| root.set(name, value));
        Some(Self { trace, root, refresh: None, open: BTreeMap::new(), done: Vec::new(), dropped: 0 })
    }

    /// Something happened.
    pub(super) fn event(&mut self, event: &Event) {
        match &event.address {
            None => self.run(event.at, &event.kind),
            Some(address) => self.step(event.at, address, &event.kind),
        }
    }

    fn run(&mut self, at: Timestamp, kind: &EventKind) {
        match kind {
            EventKind::RefreshStarted { resources } => {
                self.refresh = self.child("refresh".to_owned(), at);
                self.refresh.iter_mut().for_each(|span| span.set("rcm.resources", *resources));
            }
            EventKind::RefreshDone { .. } => {
                if let Some(span) = self.refresh.take() {
                    self.keep(span.end(at, "done"));
                }
            }
            EventKind::LockWaiting { .. } => self.root.note(at, "lock-waiting", &BTreeMap::new()),
            EventKind::Stopping { .. } => self.root.note(at, "stopping", &BTreeMap::new()),
            EventKind::RollbackStarted { .. } => self.root.note(at, "rollback-started", &BTreeMap::new()),
            _ => {}
        }
    }

    fn step(&mut self, at: Timestamp, address: &Address, kind: &EventKind) {
        match kind {
            EventKind::StepStarted { action, resource } => {
                self.start(at, address, &format!("{action} {resource}"), action);
                self.of(address, |span| span.set("rcm.kind", resource.as_str()));
            }
            EventKind::UndoStarted { undo } => {
                let action = match undo {
                    UndoOf::Create => "undo create",
                    UndoOf::Update => "undo update",
                };
                self.start(at, address, action, action);
            }
            EventKind::Minted { id } => self.of(address, |span| span.set("rcm.id", id.as_str())),
            EventKind::Retry { fault, after_ms } => self.of(address, |span| {
                let attributes = BTreeMap::from([
                    ("rpc.service", json!(fault.service)),
                    ("rpc.method", json!(fault.operation)),
                    ("error.type", json!(fault.code)),
                    ("rcm.after_ms", json!(after_ms)),
                ]);
                span.note(at, "retry", &attributes);
            }),
            EventKind::Awaiting { .. } => self.of(address, |span| span.note(at, "awaiting", &BTreeMap::new())),
            EventKind::StepDone { .. } | EventKind::UndoDone => self.finish_step(at, address, "done"),
            EventKind::StepParked { .. } => self.finish_step(at, address, "parked"),
            EventKind::StepFailed { fault } | EventKind::UndoFailed { fault } => {
                self.of(address, |span| span.fail(fault));
                self.finish_step(at, address, "failed");
            }
            _ => {}
        }
    }

    fn start(&mut self, at: Timestamp, address: &Address, name: &str, action: &str) {
        // One that has begun already is not done, and nobody will say so any more.
        self.finish_step(at, address, "unfinished");
        if let Some(mut span) = self.child(name.to_owned(), at) {
            span.set("rcm.address", address.as_str());
            span.set("rcm.action", action);
            self.open.insert(address.clone(), span);
        }
    }

    fn child(&self, name: String, at: Timestamp) -> Option<Span> {
        Span::begin(name, Some(self.root.id.clone()), at)
    }

    fn of(&mut self, address: &Address, change: impl FnOnce(&mut Span)) {
        if let Some(span) = self.open.get_mut(address) {
            change(span);
        }
    }

    fn finish_step(&mut self, at: Timestamp, address: &Address, outcome: &str) {
        if let Some(span) = self.open.remove(address) {
            self.keep(span.end(at, outcome));
        }
    }

    fn keep(&mut self, span: Span) {
        if self.done.len() < MOST_SPANS {
            self.done.push(span);
        } else {
            self.dropped += 1;
        }
    }

    /// All of them as OTLP has them, the run's own last. What has not ended ends now.
    pub(super) fn finish(mut self, exit: Exit) -> Vec<Value> {
        let now = Timestamp::now();
        let open = std::mem::take(&mut self.open).into_values().chain(self.refresh.take());
        open.for_each(|span| self.keep(span.end(now, "unfinished")));
        let Self { trace, mut root, done, dropped, .. } = self;
        root.set("process.exit.code", exit.code());
        if dropped > 0 {
            root.set("rcm.dropped_spans", dropped);
        }
        let went_well = matches!(exit, Exit::Done | Exit::Changes | Exit::Parked);
        root.failed = (!went_well).then(|| exit.word().to_owned());
        let root = root.end(now, exit.word());
        done.iter().chain([&root]).map(|span| span.json(&trace)).collect()
    }
}

/// Attributes as OTLP has them.
pub(super) fn listed<K: AsRef<str>>(attributes: &BTreeMap<K, Value>) -> Vec<Value> {
    let value = |value: &Value| match value {
        // 64 bits are text in protobuf's JSON.
        Value::Number(number) => json!({ "intValue": number.to_string() }),
        Value::String(text) => json!({ "stringValue": text }),
        other => json!({ "stringValue": other.to_string() }),
    };
    attributes.iter().map(|(name, it)| json!({ "key": name.as_ref(), "value": value(it) })).collect()
}

fn nanos(at: Timestamp) -> String {
    at.as_nanosecond().to_string()
}

/// So many random bytes in hexadecimal.
fn random<const BYTES: usize>() -> Option<String> {
    let mut bytes = [0_u8; BYTES];
    getrandom::fill(&mut bytes).ok()?;
    // Writing to a string does not fail.
    let hex = bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    Some(hex)
}

#[cfg(test)]
mod tests {
    use rcm::engine::model::FaultKind;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    fn attribute<'a>(span: &'a Value, name: &str) -> Option<&'a str> {
        let found = span["attributes"].as_array().unwrap().iter().find(|attribute| attribute["key"] == name)?;
        found["value"]["stringValue"].as_str()
    }

    #[test]
    fn a_step_that_fails_is_a_span_that_says_how_and_not_what_aws_said() {
        let mut spans = Spans::begin("rcm provision", None, [("rcm.partner", "acme".to_owned())]).unwrap();
        let vpc = Address::new("network/vpc").unwrap();
        let mut tell = |second, kind| spans.event(&Event { at: at(second), address: Some(vpc.clone()), kind });
        let fault = Fault {
            service: "ec2".to_owned(),
            ..Fault::ours(FaultKind::Quota, "CreateVpc", "VpcLimitExceeded", "p4ssw0rd")
        };
        tell(0, EventKind::StepStarted { action: "create", resource: "ec2/vpc".to_owned() });
        tell(1, EventKind::Retry { fault: fault.clone(), after_ms: 1000 });
        tell(3, EventKind::StepFailed { fault });
        tell(4, EventKind::UndoStarted { undo: UndoOf::Create });
        let spans = spans.finish(Exit::Failed);

        let [failed, undo, root] = spans.as_slice() else { panic!("{spans:#?}") };
        assert_eq!(failed["name"], "create ec2/vpc");
        assert_eq!(failed["parentSpanId"], root["spanId"]);
        assert_eq!(failed["startTimeUnixNano"], "1700000000000000000");
        assert_eq!(failed["endTimeUnixNano"], "1700000003000000000");
        assert_eq!(failed["status"], json!({ "code": 2, "message": "ec2:CreateVpc: VpcLimitExceeded" }));
        assert_eq!(
            (attribute(failed, "rcm.address"), attribute(failed, "rcm.outcome")),
            (Some("network/vpc"), Some("failed"))
        );
        assert_eq!(failed["events"][0]["name"], "retry");
        assert_eq!(attribute(undo, "rcm.outcome"), Some("unfinished"));
        assert_eq!((&root["status"]["code"], root.get("parentSpanId")), (&json!(2), None));
        assert!(!spans.iter().any(|span| span.to_string().contains("p4ssw0rd")));
    }
}
