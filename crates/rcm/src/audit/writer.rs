//! Adding lines, for as long as the lock is held.
//!
//! Where the store is near, a line is in the system's hands before what it tells of goes on, so that a killed process loses none; it
//! is on the disk a moment later, and nobody waits for that. Where it is far away, the line is on its way at once. What cannot be
//! written now is kept and tried again with the next line: a full disk stops no run that the journal does not stop.

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use jiff::Timestamp;
use rcm_engine::{
    model::Address,
    store::{self, Document, Fence, Lease},
};

use super::{
    AuditError, Began, Entry, Gap, Mended,
    log::{AuditLog, Head, NOTHING, Text, written},
};

/// Adds lines to one log. Copies are the same.
#[derive(Debug, Clone)]
pub(crate) struct Writer(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    log: AuditLog,
    fence: Fence,
    /// That the run is under, and its token.
    lease: Weak<dyn Lease>,
    token: u64,
    /// What is not written yet, the oldest first.
    waiting: Mutex<VecDeque<Entry>>,
    tail: Mutex<Tail>,
    syncing: AtomicBool,
}

#[derive(Debug)]
struct Tail {
    lines: Arc<dyn store::Tail>,
    head: Head,
}

impl Writer {
    /// Goes on at the end of the log with a run that begins, after a line for each thing that was not as it should be. What
    /// makes people look is returned.
    ///
    /// `under_way` is what a run that was cut off was working on.
    pub(crate) fn begin(
        log: AuditLog,
        fence: Fence,
        began: Began,
        under_way: Vec<Address>,
    ) -> Result<(Self, Vec<String>), AuditError> {
        // Kept until this is done: whoever has begun it may be gone before, and nobody else is to write meanwhile.
        let lease = fence.lease().ok_or_else(|| log.broken(io::Error::other("the lock is not held")))?;
        let (lent, token) = (Arc::downgrade(&lease), lease.token());
        let (text, head) = (log.text()?, log.head()?);
        let gap = gap(&text, head.as_ref());
        let mended = mended(&text, &began, under_way);
        let whole = u64::try_from(text.whole).unwrap_or(u64::MAX);
        let lines = log.store.backend().extend(log.store.owner(), &Document::Audit, whole, token);
        let lines = lines.map_err(|source| log.broken(source))?;
        let tail = Tail { lines, head: Head { lines: text.lines().count(), hash: last_hash(&text) } };
        // Before the first line, so that there never is a log without one.
        if head.is_none() {
            log.write_head(&tail.head, token)?;
        }
        let (waiting, tail, syncing) = (Mutex::default(), Mutex::new(tail), AtomicBool::new(false));
        let writer = Self(Arc::new(Shared { log, fence, lease: lent, token, waiting, tail, syncing }));
        let notes: Vec<String> = gap.iter().map(|why| format!("the audit log {why}")).collect();
        let gap = gap.map(|why| Entry::Gap(Gap { at: Timestamp::now(), by: began.run.clone(), why }));
        let entries = gap.into_iter().chain(mended.map(Entry::Mended)).chain([Entry::RunBegan(began)]);
        writer.finish_with(entries.collect())?;
        Ok((writer, notes))
    }

    /// Adds a line, now or as soon as it can be.
    pub(crate) fn add(&self, entry: Entry) {
        self.0.waiting().push_back(entry);
        // It is tried again with the next line, and what is left at the end is said.
        if !self.is_near() || self.0.flush(&mut self.0.tail()).is_ok() {
            self.sync_soon();
        }
    }

    /// The lease that it is all done under, while that is not given back. Nobody else writes for as long as it is kept.
    pub(crate) fn lease(&self) -> Option<Arc<dyn Lease>> {
        self.0.lease.upgrade()
    }

    /// Adds lines, and returns when these, all before them, and the head are durable. Waits for the store.
    pub(crate) fn finish_with(&self, entries: Vec<Entry>) -> Result<(), AuditError> {
        let shared = &self.0;
        shared.waiting().extend(entries);
        let mut tail = shared.tail();
        shared.flush(&mut tail).and_then(|()| tail.lines.sync()).map_err(|source| shared.log.broken(source))?;
        shared.log.write_head(&tail.head, shared.token)
    }

    /// How many lines could not be written.
    pub(crate) fn waiting(&self) -> usize {
        self.0.waiting().len()
    }

    /// Whether adding a line takes no time.
    pub(crate) fn is_near(&self) -> bool {
        self.0.log.store.backend().is_near()
    }

    /// Against a loss of power, beside the run; and where the store is far away, writes what waits.
    fn sync_soon(&self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.0.syncing.swap(true, Ordering::SeqCst) {
            return;
        }
        let writer = self.clone();
        runtime.spawn_blocking(move || {
            writer.0.syncing.store(false, Ordering::SeqCst);
            // At the end it is done once more, and there an error counts.
            writer.sync().ok();
        });
    }

    fn sync(&self) -> io::Result<()> {
        let mut tail = self.0.tail();
        if !self.is_near() && self.waiting() > 0 {
            // Without it the run is over, and what its end has not written is told.
            let Some(_lease) = self.lease() else { return Ok(()) };
            self.0.flush(&mut tail)?;
        }
        let lines = Arc::clone(&tail.lines);
        drop(tail);
        lines.sync()
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, VecDeque<Entry>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what waits. Whoever has the tail is the only one who does.
    fn flush(&self, tail: &mut Tail) -> io::Result<()> {
        loop {
            let Some(entry) = self.waiting().front().cloned() else { return Ok(()) };
            self.fence.check().map_err(io::Error::other)?;
            let (line, hash) = written(&entry, &tail.head.hash)?;
            tail.lines.append(line.as_bytes())?;
            tail.head = Head { lines: tail.head.lines + 1, hash };
            self.waiting().pop_front();
        }
    }
}

fn last_hash(text: &Text) -> String {
    let hash = |line: &[u8]| {
        let line: serde_json::Value = serde_json::from_slice(line).ok()?;
        line["hash"].as_str().map(str::to_owned)
    };
    text.lines().next_back().and_then(hash).unwrap_or_else(|| NOTHING.to_owned())
}

/// What shows that the log is not what it was when its head was written.
pub(super) fn gap(text: &Text, head: Option<&Head>) -> Option<String> {
    let Some(head) = head else {
        // An older rcm wrote what was accepted, and no head.
        let has_runs = text.lines().filter_map(entry).any(|entry| entry.run().is_some());
        return has_runs.then(|| {
            "has no head that can be read, so that it does not show whether lines are missing at its end".into()
        });
    };
    let lines = text.lines().count();
    if lines < head.lines {
        return Some(format!("has {lines} lines and had {}: some were taken away", head.lines));
    }
    let at_head = head.lines.checked_sub(1).and_then(|at| text.lines().nth(at));
    let hash = at_head.and_then(|line| serde_json::from_slice::<serde_json::Value>(line).ok());
    let same = at_head.is_none() || hash.is_some_and(|line| line["hash"] == head.hash);
    (!same).then(|| format!("has another line {} than its head says", head.lines))
}

/// What a process that died has left: half a line, or a run without an end.
fn mended(text: &Text, began: &Began, under_way: Vec<Address>) -> Option<Mended> {
    let last = text.lines().rev().filter_map(entry).find_map(|entry| match entry {
        Entry::RunBegan(began) => Some(Some(began.run)),
        Entry::RunEnded(_) => Some(None),
        _ => None,
    });
    let run = last.flatten();
    if run.is_none() && text.torn() == 0 {
        return None;
    }
    Some(Mended { at: Timestamp::now(), by: began.run.clone(), run, under_way, torn_bytes: text.torn() })
}

fn entry(line: &[u8]) -> Option<Entry> {
    serde_json::from_slice::<super::Line>(line).ok().map(|line| line.entry)
}
