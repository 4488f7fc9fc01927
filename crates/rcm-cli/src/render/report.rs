//! How a run went, for people.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use rcm::{
    Report,
    engine::{
        model::{Address, Fault, Remnant},
        plan::{Action, Step},
        run::{Aftermath, Outcome},
    },
};
use serde_json::Value;

use super::{
    BOLD, GREEN, RED, YELLOW, count, done, drift, duration,
    outputs::{self, Label},
    paint,
};
use crate::{
    error::{Exit, advice},
    session::Next,
};

/// What was run.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    /// `provision` or `destroy`.
    pub(crate) verb: &'static str,
    /// `acme/prod`.
    pub(crate) name: &'a str,
    /// Whether the cloud was looked at as closely as can be.
    pub(crate) full: bool,
    /// How long it took.
    pub(crate) took: Duration,
    /// What to type next.
    pub(crate) next: &'a Next,
    /// What somebody outside was asked to do, by resource.
    pub(crate) awaited: &'a BTreeMap<Address, Value>,
    /// Where it is certified that everything is gone: for programs, and for people.
    pub(crate) certificate: Option<[PathBuf; 2]>,
}

/// How the process ends after `outcome`.
pub(crate) fn exit(outcome: &Outcome) -> Exit {
    match outcome {
        Outcome::Done => Exit::Done,
        Outcome::Parked(_) => Exit::Parked,
        Outcome::Cancelled | Outcome::Failed { aftermath: Aftermath::Interrupted, .. } => Exit::Stopped,
        Outcome::Failed { aftermath: Aftermath::Stuck(_), .. } => Exit::Stuck,
        Outcome::Failed { .. } => Exit::Failed,
    }
}

/// The report as text.
pub(crate) fn report(report: &Report, run: &Run<'_>) -> String {
    let mut text = match &report.outcome {
        Outcome::Done => succeeded(report, run),
        Outcome::Parked(steps) => parked(steps, run),
        Outcome::Cancelled => cancelled(run),
        Outcome::Failed { failures, aftermath } => failed(report, failures, aftermath, run),
    };
    if !matches!(report.outcome, Outcome::Done | Outcome::Parked(_)) {
        return text;
    }
    if run.verb == "provision" && !report.outputs.0.is_empty() {
        text.push_str(&format!("\n{}\n{}", paint(BOLD, "Outputs"), outputs::outputs(&report.outputs, Label::Title)));
    }
    text.push_str(&drift::repairs(report));
    text.push_str(&retained(report, run));
    text.push_str(&remnants(report, run));
    if let Some([json, text_file]) = &run.certificate {
        let title = paint(BOLD, "Certificate of destruction");
        text.push_str(&format!("\n{title}\n  {}\n  {}\n", text_file.display(), json.display()));
    }
    if !report.notes.is_empty() {
        let notes: String = report.notes.iter().map(|note| format!("  {note}\n")).collect();
        text.push_str(&format!("\n{}\n{notes}", paint(BOLD, "Notes")));
    }
    text
}

fn succeeded(report: &Report, run: &Run<'_>) -> String {
    let Run { name, took, .. } = run;
    if report.plan.is_empty() {
        let (what, unread) = match run.verb {
            "destroy" => ("has nothing left to destroy", String::new()),
            _ => ("is as its partner file says", unread(run.full, run.next)),
        };
        return format!("{} Nothing was changed.\n{unread}", paint(GREEN.bold(), &format!("{name} {what}.")));
    }
    let words = ["create", "adopt", "complete", "update", "replace", "delete", "leave", "retain"];
    let counts = report.plan.counts();
    let mut parts: Vec<String> =
        words.iter().filter_map(|word| Some(format!("{} {}", counts.get(word)?, done(word)))).collect();
    if !report.plan.discards.is_empty() {
        parts.push(format!("{} of earlier deletes deleted", count(report.plan.discards.len(), "remnant")));
    }
    let verb = if run.verb == "destroy" { "Destroyed" } else { "Provisioned" };
    let title = paint(GREEN.bold(), &format!("{verb} {name} in {}", duration(*took)));
    let parts = if parts.is_empty() { "predecessors deleted".to_owned() } else { parts.join(", ") };
    let unchanged = match report.plan.unchanged {
        0 => String::new(),
        unchanged => format!("; {unchanged} unchanged"),
    };
    format!("{title}: {parts}{unchanged}.\n")
}

/// What "nothing to do" leaves open after a quick look, and what tells it.
pub(crate) fn unread(full: bool, next: &Next) -> String {
    match full {
        true => String::new(),
        false => format!(
            "Tags, and settings that cost a call each, were not read. To read them too: {}\n",
            next.command("drift")
        ),
    }
}

fn parked(steps: &[(Address, String)], run: &Run<'_>) -> String {
    let title = paint(YELLOW.bold(), &format!("{} waits for somebody outside.", run.name));
    let mut text = format!("{title} Everything that does not need it is done, and stays.\n");
    for (address, what) in steps {
        let records = run.awaited.get(address).and_then(outputs::dns_records);
        let records = records.map(|records| format!("  Add to DNS:\n{records}")).unwrap_or_default();
        text.push_str(&format!("  {address} waits for {what}\n{records}"));
    }
    let (again, look, wait) = (run.next.command(run.verb), run.next.command("dns"), run.next.command("dns --wait"));
    text + &format!(
        "  = next: see to it, then go on: {again}\n          whether the world sees the records: {look}\n          to wait for \
         them and go on then: {wait}\n"
    )
}

fn cancelled(run: &Run<'_>) -> String {
    let go_on = run.next.command(run.verb);
    format!("{} Nothing was lost; to go on: {go_on}\n", paint(YELLOW.bold(), &format!("Stopped {}.", run.name)))
}

fn failed(report: &Report, failures: &[(Address, Fault)], aftermath: &Aftermath, run: &Run<'_>) -> String {
    let Run { verb, name, took, next, .. } = run;
    let title = paint(RED.bold(), &format!("{verb} of {name} failed after {}", duration(*took)));
    let failures_text: String = failures.iter().map(|(address, fault)| failure(address, fault)).collect();
    let mut text = format!("{title}\n{failures_text}\n{}\n", happened(aftermath, verb));
    if let Aftermath::RolledBack = aftermath {
        text.push_str(lingering(report));
    }
    if let Aftermath::Stuck(left) = aftermath {
        left.iter().for_each(|(address, fault)| text.push_str(&failure(address, fault)));
    }
    if let Some(advice) = failures.iter().find_map(|(_, fault)| advice(fault, next)) {
        text.push_str(&format!("  = help: {advice}\n"));
    }
    text + &what_next(aftermath, verb, next)
}

pub(crate) fn failure(address: &Address, fault: &Fault) -> String {
    let Fault { service, operation, code, message, request_id, .. } = fault;
    let request = request_id.as_ref().map(|id| format!("\n      request id {id}")).unwrap_or_default();
    let call = if service == "rcm" { operation.clone() } else { format!("{service}:{operation}") };
    let message = if message.is_empty() { "AWS gave no message" } else { message };
    format!(
        "  {}\n      {call}: {code}\n      {}{request}\n",
        paint(RED, address.as_str()),
        message.replace('\n', "\n      ")
    )
}

fn happened(aftermath: &Aftermath, verb: &str) -> &'static str {
    match (aftermath, verb) {
        (Aftermath::RolledBack, _) => "Everything that this run had done was undone: AWS is as it was before.",
        (Aftermath::Kept, "destroy") => "What was deleted is gone; the rest is as it was, and known.",
        (Aftermath::Kept, _) => "What was done before that stays, and is known; the next run goes on from there.",
        (Aftermath::Stuck(_), _) => {
            "What this run had done was undone, but for these, which still exist and are known:"
        }
        (Aftermath::Interrupted, _) => {
            "It was stopped while what it had done was being undone. What is not undone stays, and is known."
        }
    }
}

/// What AWS keeps for a while of what has been deleted again.
fn lingering(report: &Report) -> &'static str {
    let made = |kind: &str| {
        let creates = |step: &&Step| step.kind == kind && matches!(step.action, Action::Create { .. });
        report.plan.forward.iter().any(|step| creates(&step))
    };
    match made("kms/key") {
        true => "(A key is deleted by AWS only after a waiting period; until then it is disabled and costs nothing.)\n",
        false => "",
    }
}

fn what_next(aftermath: &Aftermath, verb: &str, next: &Next) -> String {
    let again = next.command(verb);
    match (aftermath, verb) {
        (Aftermath::RolledBack, _) => format!("  = next: mend it, then: {again}\n"),
        (Aftermath::Kept, "destroy") => format!("  = next: mend it, then go on: {again}\n"),
        (Aftermath::Kept, _) => {
            format!("  = next: mend it, then go on: {again}\n          or take it away: {}\n", next.command("destroy"))
        }
        (Aftermath::Stuck(_), _) => {
            let rollback = next.command("rollback");
            format!("  = next: mend it, then undo them too: {rollback}\n          or go on with them: {again}\n")
        }
        (Aftermath::Interrupted, _) => {
            let rollback = next.command("rollback");
            format!("  = next: to undo the rest: {rollback}\n          or mend it and go on with it: {again}\n")
        }
    }
}

fn retained(report: &Report, run: &Run<'_>) -> String {
    if report.retained.is_empty() {
        return String::new();
    }
    let lines: String = report.retained.iter().map(|address| format!("  {address}\n")).collect();
    let note = if run.verb == "destroy" {
        format!(
            "  A later provision takes them up again; to delete them too: {} --purge\n",
            run.next.command("destroy")
        )
    } else {
        String::new()
    };
    format!("\n{}\n{lines}{note}", paint(BOLD, "Kept by design"))
}

/// What deletes have left on purpose. After a provision only where this one has replaced or deleted something.
fn remnants(report: &Report, run: &Run<'_>) -> String {
    let told = |remnant: &&Remnant| {
        run.verb == "destroy" || report.plan.cleanup.iter().any(|step| step.address == remnant.address)
    };
    let line = |remnant: &Remnant| {
        let since = remnant.since.map(|since| format!(", of {}", since.strftime("%F"))).unwrap_or_default();
        format!("  {}: {} {}{since}\n", remnant.address, remnant.what, remnant.id)
    };
    let lines: String = report.remnants.iter().filter(told).map(line).collect();
    if lines.is_empty() {
        return String::new();
    }
    let note = "  To restore from them is up to you; what nobody else needs is deleted by: ";
    format!("\n{}\n{lines}{note}{} --purge\n", paint(BOLD, "Left of what was deleted"), run.next.command("destroy"))
}

#[cfg(test)]
mod tests;
