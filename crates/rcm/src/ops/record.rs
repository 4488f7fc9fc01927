//! The audit log of an environment: runs write their lines, people read and check them.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use jiff::Timestamp;
use rcm_aws::record::{Recorder, Sent};
use rcm_engine::{
    model::{Address, Fault},
    store::{Phase, State},
};
use serde::Serialize;

use super::{Environment, aside::aside};
use crate::{
    Error,
    audit::{Acceptance, AuditLog, Began, Called, Ended, Entry, Line, Mended, Opened, Verified, Writer},
};

/// A run, as the audit log tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Run {
    /// How it began.
    pub began: Began,
    /// How it ended; `None` while it is under way, or where its process died.
    pub ended: Option<Ended>,
    /// What the run that came after has found, where the process died.
    pub cut_off: Option<Mended>,
    /// How many requests that change something it has sent.
    pub calls: usize,
}

impl Environment {
    /// The runs that the audit log tells of, the oldest first. Checks nothing: that does [`verify_audit`](Self::verify_audit).
    pub fn history(&self) -> Result<Vec<Run>, Error> {
        runs(&self.audit())
    }

    /// The lines of the run whose name begins with `name`, in their order.
    ///
    /// # Errors
    /// [`Error::NoSuchRun`] if there is none, or more than one.
    pub fn history_of(&self, name: &str) -> Result<Vec<Line>, Error> {
        let runs: Vec<String> = self.history()?.into_iter().map(|run| run.began.run).collect();
        let mut meant = runs.iter().filter(|run| run.starts_with(name));
        let (Some(run), None) = (meant.next(), meant.next()) else { return Err(Error::NoSuchRun(name.to_owned())) };
        let mut lines = self.audit().readable()?;
        lines.retain(|line| line.entry.run() == Some(run));
        Ok(lines)
    }

    /// Checks the audit log: each line by its hash, their order, the head, and that each state was made by a run that is told.
    pub fn verify_audit(&self) -> Result<Verified, Error> {
        let state = self.load()?;
        Ok(self.audit().verify(state.as_ref())?)
    }

    pub(super) fn audit(&self) -> AuditLog {
        AuditLog::of(self.store.clone())
    }

    /// Begins the record of a run, under the lock. Nothing may be sent where it cannot begin.
    pub(super) async fn record(
        &self,
        verb: &str,
        identity: Option<String>,
        state: Option<&State>,
    ) -> Result<Recording, Error> {
        let holder = self.holder();
        let run = new_name()?;
        let began = Began {
            run: run.clone(),
            at: Timestamp::now(),
            verb: verb.to_owned(),
            command: self.settings.command.clone(),
            user: holder.user,
            host: holder.host,
            identity,
            account: self.deployment.account.clone(),
            region: self.deployment.region.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            lineage: state.map(|state| state.lineage),
            serial: state.map(|state| state.serial),
        };
        let under_way = state.map(under_way).unwrap_or_default();
        let (log, fence) = (self.audit(), self.fence.clone());
        let (writer, notes) = aside(move || Ok(Writer::begin(log, fence, began, under_way)?)).await?;
        let calls = Arc::new(AtomicUsize::new(0));
        let (counted, told, name) = (Arc::clone(&calls), writer.clone(), run.clone());
        self.recorder.tell(move |sent| {
            counted.fetch_add(1, Ordering::Relaxed);
            told.add(Entry::Call(called(&name, sent)));
        });
        Ok(Recording { writer, recorder: self.recorder.clone(), run, calls, notes, over: false })
    }
}

/// The runs that `log` tells of, the oldest first.
pub(super) fn runs(log: &AuditLog) -> Result<Vec<Run>, Error> {
    let mut runs: Vec<Run> = Vec::new();
    for Line { entry, .. } in log.readable()? {
        let named = |name: &str, runs: &[Run]| runs.iter().rposition(|run| run.began.run == name);
        match entry {
            Entry::RunBegan(began) => runs.push(Run { began, ended: None, cut_off: None, calls: 0 }),
            Entry::RunEnded(ended) => {
                if let Some(at) = named(&ended.run, &runs) {
                    runs[at].ended = Some(ended);
                }
            }
            Entry::Call(Called { run, .. }) => {
                if let Some(at) = named(&run, &runs) {
                    runs[at].calls += 1;
                }
            }
            Entry::Mended(mended) => {
                if let Some(at) = mended.run.as_deref().and_then(|run| named(run, &runs)) {
                    runs[at].cut_off = Some(mended);
                }
            }
            Entry::AcceptedRisk(_) | Entry::SessionOpened(_) | Entry::Gap(_) | Entry::Unknown => {}
        }
    }
    Ok(runs)
}

/// What a run that has no end was working on.
fn under_way(state: &State) -> Vec<Address> {
    let busy = state.records().filter(|record| record.id.is_none() || record.phase != Phase::Ready);
    busy.map(|record| record.address.clone()).collect()
}

/// Twelve hexadecimal digits.
fn new_name() -> Result<String, Error> {
    let mut bytes = [0u8; 6];
    getrandom::fill(&mut bytes).map_err(|error| Fault::invalid("random", format!("no random numbers: {error}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn called(run: &str, sent: Sent) -> Called {
    Called {
        run: run.to_owned(),
        at: sent.at,
        took_ms: u64::try_from(sent.took.as_millis()).unwrap_or(u64::MAX),
        address: sent.address,
        service: sent.service,
        operation: sent.operation,
        status: sent.status,
        code: sent.code,
        request_id: sent.request_id,
    }
}

/// The record of a run that is under way. Ends as failed if nobody says how it ended.
pub(super) struct Recording {
    writer: Writer,
    recorder: Recorder,
    run: String,
    calls: Arc<AtomicUsize>,
    notes: Vec<String>,
    over: bool,
}

impl Recording {
    /// Writes down who has accepted what, and returns when it is durable.
    pub(super) async fn accept(&self, acceptances: Vec<Acceptance>) -> Result<(), Error> {
        self.write(acceptances.into_iter().map(Entry::AcceptedRisk).collect()).await
    }

    /// Writes down that a session was opened, and returns when it is durable.
    pub(super) async fn opened(&self, session: &str, task: &str, container: &str) -> Result<(), Error> {
        let opened = Opened {
            run: self.run.clone(),
            at: Timestamp::now(),
            session: session.to_owned(),
            task: task.to_owned(),
            container: container.to_owned(),
        };
        self.write(vec![Entry::SessionOpened(opened)]).await
    }

    async fn write(&self, entries: Vec<Entry>) -> Result<(), Error> {
        let (writer, lease) = (self.writer.clone(), self.writer.lease());
        aside(move || {
            let _lease = lease;
            Ok(writer.finish_with(entries)?)
        })
        .await
    }

    /// Ends it, and returns what people should know of the log.
    pub(super) async fn end(mut self, outcome: &str, counts: BTreeMap<String, usize>) -> Vec<String> {
        let (writer, last) = (self.writer.clone(), self.ended(outcome, counts));
        let lease = writer.lease();
        let closed = aside(move || {
            let _lease = lease;
            Ok(close(&writer, last))
        });
        let closed = closed.await;
        let mut notes = std::mem::take(&mut self.notes);
        notes.extend(closed.unwrap_or_else(|error| Some(error.to_string())));
        for note in &notes {
            tracing::warn!("{note}");
        }
        notes
    }

    /// The last line. From here on no request is told any more.
    fn ended(&mut self, outcome: &str, counts: BTreeMap<String, usize>) -> Entry {
        self.over = true;
        self.recorder.stop();
        Entry::RunEnded(Ended {
            run: self.run.clone(),
            at: Timestamp::now(),
            outcome: outcome.to_owned(),
            counts,
            calls: self.calls.load(Ordering::Relaxed),
        })
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let (writer, last) = (self.writer.clone(), self.ended("failed", BTreeMap::new()));
        let (lease, notes) = (writer.lease(), std::mem::take(&mut self.notes));
        let close = move || {
            let _lease = lease;
            notes.into_iter().chain(close(&writer, last)).for_each(|note| tracing::warn!("{note}"));
        };
        match tokio::runtime::Handle::try_current() {
            // Nobody is there to wait for it.
            Ok(runtime) if !self.writer.is_near() => drop(runtime.spawn_blocking(close)),
            _ => close(),
        }
    }
}

/// Writes the last line, and returns what people should know of what could not be written.
fn close(writer: &Writer, last: Entry) -> Option<String> {
    let error = writer.finish_with(vec![last]).err()?;
    Some(format!("{error}: {} lines of this run are not in it", writer.waiting()))
}

/// How a run that did not begin its steps ended.
pub(super) fn word(error: &Error) -> &'static str {
    match error {
        Error::Declined => "declined",
        Error::Blocked(_)
        | Error::Breaches { .. }
        | Error::Preflight { .. }
        | Error::Stale(_)
        | Error::Fixed { .. } => "refused",
        _ => "failed",
    }
}
