//! Events as lines: what a log keeps, and what stays on a terminal once a step is over.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use jiff::{Timestamp, tz::TimeZone};
use rcm::engine::model::{Address, Event, EventKind, Fault, UndoOf};

use super::{BLUE, DIM, RED, YELLOW, action_style, count, done, duration, outputs::dns_records, paint};

/// How wide the column of addresses is.
const ADDRESS: usize = 40;

/// The lines that have been printed and need no second time.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<BTreeSet<(Address, String)>>);

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Only what is worth keeping: the terminal shows the rest as it happens.
    Lasting,
    /// Also what is waited for.
    Everything,
}

/// The line of an event, or the lines; `None` for what needs none.
pub(crate) fn line(event: &Event, detail: Detail, seen: &Seen) -> Option<String> {
    let text = match &event.address {
        None => run(&event.kind, detail)?,
        Some(address) => step(address, &event.kind, detail, seen)?,
    };
    let at = event.at.to_zoned(TimeZone::system()).strftime("%H:%M:%S").to_string();
    Some(format!("{} {text}", paint(DIM, &at)))
}

fn run(kind: &EventKind, detail: Detail) -> Option<String> {
    let everything = detail == Detail::Everything;
    Some(match kind {
        EventKind::LockWaiting { holder } => format!("waiting for the lock, held by {holder}"),
        EventKind::LockTakenOver { holder, silent_ms } => paint(
            YELLOW,
            &format!("took the lock over from {holder}, which showed no sign of life for {} s", silent_ms / 1000),
        ),
        EventKind::Recovered { in_doubt } => {
            format!("an earlier run was cut off: {} in doubt looked up and settled", count(*in_doubt, "resource"))
        }
        EventKind::RefreshStarted { resources } if everything => reading(*resources),
        EventKind::Noted { message } => paint(YELLOW, &format!("note: {message}")),
        EventKind::RunStarted { steps } if everything => format!("beginning {}", count(*steps, "step")),
        EventKind::Stopping { reason } => paint(YELLOW, &format!("stopping: {reason}")),
        EventKind::RollbackStarted { steps } => {
            paint(YELLOW, &format!("undoing what this run has done: {}", count(*steps, "step")))
        }
        _ => return None,
    })
}

fn step(address: &Address, kind: &EventKind, detail: Detail, seen: &Seen) -> Option<String> {
    let row = |text: String| format!("{address:ADDRESS$}  {text}");
    let everything = detail == Detail::Everything;
    Some(match kind {
        EventKind::StepDone { action, elapsed_ms } => {
            let took = paint(DIM, &duration(Duration::from_millis(*elapsed_ms)));
            row(format!("{}  {took}", paint(action_style(action), &format!("{:9}", done(action)))))
        }
        EventKind::StepFailed { fault } => row(format!("{}  {}", paint(RED, "failed   "), brief(fault))),
        EventKind::StepParked { what } => row(format!("{}  waits for {what}", paint(YELLOW, "left     "))),
        EventKind::Progress { message } if everything => row(paint(DIM, message)),
        EventKind::Awaiting { what, details } => {
            let mut text = row(paint(YELLOW, &format!("waiting for {what}")));
            if let Some(records) = dns_records(details).filter(|records| seen.first(address, records)) {
                text.push_str(&format!("\n  Add to DNS, and the run goes on by itself:\n{}", records.trim_end()));
            }
            text
        }
        EventKind::Retry { fault, after_ms } if everything => {
            let after = duration(Duration::from_millis(*after_ms));
            row(paint(DIM, &format!("again in {after}: {}", brief(fault))))
        }
        EventKind::Discarded { what, id } => row(format!("{}  {what} {id}", paint(RED, "deleted  "))),
        EventKind::Left { what, id } => row(format!("{}  {what} {id}", paint(BLUE, "leaves   "))),
        EventKind::UndoDone => row(paint(YELLOW, "undone")),
        EventKind::UndoFailed { fault } => row(format!("{}  {}", paint(RED, "not undone"), brief(fault))),
        _ => return None,
    })
}

/// What a refresh does.
pub(crate) fn reading(resources: usize) -> String {
    match resources {
        0 => "looking at AWS".to_owned(),
        some => format!("reading {} from AWS", count(some, "resource")),
    }
}

/// What undoing does.
pub(crate) fn undoing(undo: UndoOf) -> &'static str {
    match undo {
        UndoOf::Create => "deleting it again",
        UndoOf::Update => "putting it back",
    }
}

fn brief(fault: &Fault) -> String {
    format!("{}: {}", fault.code, fault.message)
}

/// Everything as lines, and now and then what is still under way: a log that says nothing for a quarter of an hour looks like
/// a hang.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    seen: Seen,
    running: Mutex<BTreeMap<Address, Instant>>,
}

/// How often what is still under way is told.
pub(crate) const STILL: Duration = Duration::from_mins(1);

impl Lines {
    /// The line of an event.
    pub(crate) fn event(&self, event: &Event) -> Option<String> {
        if let Some(address) = &event.address {
            let mut running = self.running();
            match event.kind {
                EventKind::StepStarted { .. } | EventKind::UndoStarted { .. } => {
                    running.insert(address.clone(), Instant::now());
                }
                EventKind::StepDone { .. }
                | EventKind::StepFailed { .. }
                | EventKind::StepParked { .. }
                | EventKind::UndoDone
                | EventKind::UndoFailed { .. } => {
                    running.remove(address);
                }
                _ => {}
            }
        }
        line(event, Detail::Everything, &self.seen)
    }

    /// What has been under way for long.
    pub(crate) fn still(&self) -> Option<String> {
        let running = self.running();
        let long = running.iter().filter(|(_, since)| since.elapsed() >= STILL);
        let long: Vec<String> =
            long.map(|(address, since)| format!("{address} ({})", duration(since.elapsed()))).collect();
        (!long.is_empty())
            .then(|| format!("{} {}", now(), paint(DIM, &format!("still under way: {}", long.join(", ")))))
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<Address, Instant>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn first(&self, address: &Address, what: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((address.clone(), what.to_owned()))
    }
}

/// The time now, as lines begin with.
pub(crate) fn now() -> String {
    paint(DIM, &Timestamp::now().to_zoned(TimeZone::system()).strftime("%H:%M:%S").to_string())
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;
    use rcm::engine::model::FaultKind;
    use serde_json::json;

    use super::*;

    fn shown(seen: &Seen, kind: EventKind) -> Option<String> {
        let event = Event { at: Timestamp::UNIX_EPOCH, address: Address::new("edge/certificate").ok(), kind };
        let line = line(&event, Detail::Everything, seen)?;
        Some(strip_str(&line).to_string().split_once(' ')?.1.to_owned())
    }

    #[test]
    fn a_step_is_a_line() {
        let seen = Seen::default();
        let done = EventKind::StepDone { action: "create", elapsed_ms: 412 };
        insta::assert_snapshot!(shown(&seen, done).unwrap(), @"edge/certificate                          created    0.4s");
        let fault = Fault::ours(FaultKind::Quota, "CreateVpc", "VpcLimitExceeded", "no more VPCs");
        insta::assert_snapshot!(shown(&seen, EventKind::StepFailed { fault }).unwrap(), @"edge/certificate                          failed     VpcLimitExceeded: no more VPCs");
    }

    #[test]
    fn the_records_to_add_are_shown_once() {
        let seen = Seen::default();
        let records = json!([{"domain": "a.com", "name": "_1.a.com.", "type": "CNAME", "value": "_2.aws."}]);
        let awaiting = || EventKind::Awaiting { what: "DNS validation of a.com".into(), details: records.clone() };
        assert!(shown(&seen, awaiting()).unwrap().contains("_1.a.com."));
        assert!(!shown(&seen, awaiting()).unwrap().contains("_1.a.com."));
    }
}
