//! Adding lines, for as long as the lock is held.
//!
//! A line is in the system's hands before what it tells of goes on, so that a killed process loses none; it is on the disk a
//! moment later, and nobody waits for that. What cannot be written now is kept and tried again with the next line: a full disk
//! stops no run that the journal does not stop.

use std::{
    fs::{File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use jiff::Timestamp;
use rcm_engine::{model::Address, store::Fence};

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
    tail: Mutex<Tail>,
    syncing: AtomicBool,
}

#[derive(Debug)]
struct Tail {
    file: File,
    /// How many bytes are whole lines.
    end: u64,
    head: Head,
    /// What could not be written yet.
    waiting: Vec<Entry>,
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
        let (text, head) = (log.text()?, log.head()?);
        let gap = gap(&text, head.as_ref());
        let mended = mended(&text, &began, under_way);
        let file = open(&log.path, text.whole).map_err(|source| log.broken(source))?;
        let tail = Tail {
            file,
            end: u64::try_from(text.whole).unwrap_or(u64::MAX),
            head: Head { lines: text.lines().count(), hash: last_hash(&text) },
            waiting: Vec::new(),
        };
        // Before the first line, so that there never is a log without one.
        if head.is_none() {
            log.write_head(&tail.head)?;
        }
        let writer = Self(Arc::new(Shared { log, fence, tail: Mutex::new(tail), syncing: AtomicBool::new(false) }));
        let notes: Vec<String> = gap.iter().map(|why| format!("the audit log {why}")).collect();
        let gap = gap.map(|why| Entry::Gap(Gap { at: Timestamp::now(), by: began.run.clone(), why }));
        let entries = gap.into_iter().chain(mended.map(Entry::Mended)).chain([Entry::RunBegan(began)]);
        entries.for_each(|entry| writer.tail().waiting.push(entry));
        writer.finish()?;
        Ok((writer, notes))
    }

    /// Adds a line, now or as soon as it can be.
    pub(crate) fn add(&self, entry: Entry) {
        let mut tail = self.tail();
        tail.waiting.push(entry);
        // It is tried again with the next line, and what is left at the end is said.
        if self.0.flush(&mut tail).is_ok() {
            drop(tail);
            self.sync_soon();
        }
    }

    /// Returns when all lines and the head are on the disk.
    pub(crate) fn finish(&self) -> Result<(), AuditError> {
        let mut tail = self.tail();
        self.0.flush(&mut tail).and_then(|()| tail.file.sync_data()).map_err(|source| self.0.log.broken(source))?;
        self.0.log.write_head(&tail.head)
    }

    /// How many lines could not be written.
    pub(crate) fn waiting(&self) -> usize {
        self.tail().waiting.len()
    }

    fn tail(&self) -> MutexGuard<'_, Tail> {
        self.0.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Against a loss of power, beside the run.
    fn sync_soon(&self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.0.syncing.swap(true, Ordering::SeqCst) {
            return;
        }
        let shared = Arc::clone(&self.0);
        runtime.spawn_blocking(move || {
            shared.syncing.store(false, Ordering::SeqCst);
            let file = shared.tail.lock().unwrap_or_else(PoisonError::into_inner).file.try_clone();
            // At the end it is done once more, and there an error counts.
            file.and_then(|file| file.sync_data()).ok();
        });
    }
}

impl Shared {
    fn flush(&self, tail: &mut Tail) -> io::Result<()> {
        while let Some(entry) = tail.waiting.first() {
            self.fence.check().map_err(io::Error::other)?;
            let (line, hash) = written(entry, &tail.head.hash)?;
            if let Err(error) =
                tail.file.seek(SeekFrom::Start(tail.end)).and_then(|_| tail.file.write_all(line.as_bytes()))
            {
                // Half a line would be in the way of the next one. If it stays all the same, the next one is written over it.
                tail.file.set_len(tail.end).ok();
                return Err(error);
            }
            tail.end += u64::try_from(line.len()).unwrap_or_default();
            tail.head = Head { lines: tail.head.lines + 1, hash };
            tail.waiting.remove(0);
        }
        Ok(())
    }
}

/// Opens the file for writing after its last whole line.
fn open(path: &Path, whole: usize) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let fresh = !path.exists();
    let file = options.open(path)?;
    let whole = u64::try_from(whole).unwrap_or(u64::MAX);
    if file.metadata()?.len() > whole {
        file.set_len(whole)?;
    }
    if let Some(parent) = path.parent().filter(|_| fresh) {
        File::open(parent)?.sync_all()?;
    }
    Ok(file)
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
