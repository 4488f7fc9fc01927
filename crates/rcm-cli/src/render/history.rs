//! The audit log, for people.

use std::{fmt::Write as _, time::Duration};

use jiff::Timestamp;
use rcm::{
    Run,
    audit::{Began, Called, Entry, Line, Opened, Verified},
};

use super::{BOLD, DIM, GREEN, RED, count, duration, paint, table::table};
use crate::session::Next;

/// All runs, a line each.
pub(crate) fn runs(runs: &[Run], name: &str, next: &Next) -> String {
    if runs.is_empty() {
        return format!("The audit log of {name} tells of no run.\n");
    }
    let head = ["run", "began", "took", "who", "what", "outcome", "calls", "changes"].map(str::to_owned);
    let rows: Vec<[String; 8]> = [head].into_iter().chain(runs.iter().map(row)).collect();
    let last = runs.last().map(|run| run.began.run.as_str()).unwrap_or_default();
    let hint = next.command(&format!("history {last}"));
    format!(
        "{}{}\n",
        table("", &rows),
        paint(DIM, &format!("{} of {name}; what the last one did: {hint}", count(runs.len(), "run")))
    )
}

fn row(run: &Run) -> [String; 8] {
    let Began { run: name, at, verb, user, host, .. } = &run.began;
    let took = run.ended.as_ref().map(|ended| duration(between(*at, ended.at))).unwrap_or_default();
    let changes = run.ended.as_ref().map(|ended| {
        let counts = ended.counts.iter().map(|(word, count)| format!("{count} {word}"));
        counts.collect::<Vec<_>>().join(", ")
    });
    [
        name.clone(),
        format!("{at:.0}"),
        took,
        format!("{user}@{host}"),
        verb.clone(),
        outcome(run).to_owned(),
        run.calls.to_string(),
        changes.unwrap_or_default(),
    ]
}

fn outcome(run: &Run) -> &str {
    match (&run.ended, &run.cut_off) {
        (Some(ended), _) => &ended.outcome,
        (None, Some(_)) => "cut off",
        (None, None) => "no end yet",
    }
}

fn between(begin: Timestamp, end: Timestamp) -> Duration {
    Duration::try_from(end.duration_since(begin)).unwrap_or_default()
}

/// What one run did, a line each.
pub(crate) fn run(lines: &[Line]) -> String {
    let mut text = String::new();
    let mut rows: Vec<[String; 6]> = Vec::new();
    for line in lines {
        match &line.entry {
            Entry::RunBegan(began) => text.push_str(&beginning(began)),
            Entry::Call(call) => rows.push(self::call(call)),
            Entry::SessionOpened(opened) => text.push_str(&self::opened(opened)),
            Entry::RunEnded(ended) => {
                text.push_str(&table("  ", &std::mem::take(&mut rows)));
                let calls = count(ended.calls, "call");
                text.push_str(&format!("{:.0} {}, {calls}\n", ended.at, paint(BOLD, &ended.outcome)));
            }
            Entry::Mended(mended) => text.push_str(&self::mended(mended)),
            Entry::Gap(gap) => text.push_str(&format!("{}\n", paint(RED, &format!("the log {}", gap.why)))),
            Entry::AcceptedRisk(_) | Entry::Unknown => {}
        }
    }
    text + &table("  ", &rows)
}

fn beginning(began: &Began) -> String {
    let Began { run, at, command, user, host, identity, account, region, version, .. } = began;
    let identity = identity.as_deref().unwrap_or("nobody: AWS is not asked");
    format!(
        "{} {command}\n  by {user}@{host}, for AWS {identity}\n  in account {account}, {region}, with rcm {version}\n{at:.0} began\n",
        paint(BOLD, run)
    )
}

fn call(call: &Called) -> [String; 6] {
    let Called { at, took_ms, address, service, operation, status, code, request_id, .. } = call;
    let answer = match (status, code) {
        (Some(status), Some(code)) => format!("{status} {code}"),
        (Some(status), None) => status.to_string(),
        (None, _) => "no answer".to_owned(),
    };
    [
        format!("{at:.0}"),
        address.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
        format!("{service}:{operation}"),
        answer,
        duration(Duration::from_millis(*took_ms)),
        request_id.clone().unwrap_or_default(),
    ]
}

fn opened(opened: &Opened) -> String {
    let Opened { at, session, task, container, .. } = opened;
    format!("{at:.0} opened the session {session} in the container {container} of the task {task}\n")
}

fn mended(mended: &rcm::audit::Mended) -> String {
    let mut text = match &mended.run {
        Some(run) => format!("found that run {run} was cut off"),
        None => "found a line that was never finished".to_owned(),
    };
    if !mended.under_way.is_empty() {
        let under_way: Vec<String> = mended.under_way.iter().map(ToString::to_string).collect();
        // Writing to a string does not fail.
        let _ = write!(text, " while it worked on {}", under_way.join(", "));
    }
    text + "\n"
}

/// What a look at the whole log has shown.
pub(crate) fn verified(found: &Verified, name: &str) -> String {
    let Verified { lines, runs, head, problems, open, torn_bytes } = found;
    let what = format!("{} of {}", count(*lines, "line"), count(*runs, "run"));
    let mut text = if problems.is_empty() {
        paint(GREEN.bold(), &format!("The audit log of {name} is as it was written: {what}.")) + "\n"
    } else {
        paint(RED.bold(), &format!("The audit log of {name} is not as it was written ({what}):")) + "\n"
    };
    for problem in problems {
        let place = problem.line.map_or_else(|| "at its end".to_owned(), |line| format!("line {line}"));
        text.push_str(&format!("  {place}: {}\n", problem.what));
    }
    if let Some(run) = open {
        text.push_str(&format!(
            "  Run {run} has no end: it is under way, or its process died, which the next run notes.\n"
        ));
    }
    if *torn_bytes > 0 {
        text.push_str("  The last line was never finished, as a killed process leaves it; the next run takes it away and says so.\n");
    }
    text + &format!(
        "  = head: {head} (line {lines}); kept elsewhere, it shows later whether this line is still there\n"
    )
}
