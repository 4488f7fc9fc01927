//! A disk that is full from one instant of a run on: neither its journal nor its state can be written any more.
//!
//! The journal is a file in memory that is sealed at that instant
//! ([memfd_create](https://man7.org/linux/man-pages/man2/memfd_create.2.html)), and in the place of the state is a directory, which no
//! file can replace.

use std::fs;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcm::engine::run::{OnFailure, Outcome};
use rcm::{Goal, Settings};
use rcm_testkit::calls::{Fault, Moment, Rule, Wire};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

use super::canon::{difference, inventory, standing};
use super::world::{ACME, Disk, Order, change, each, journal_path, made, roll_back, run, scratch, store, told};
use crate::bench::at_any_risk;

/// A state and its journal on a disk that can fill up.
struct Small {
    journal: OwnedFd,
    link: PathBuf,
    state: PathBuf,
    aside: PathBuf,
}

impl Small {
    /// Puts `journal`, which is an unfinished one, in the place of that in `dir`.
    fn new(dir: &Path, journal: &[u8]) -> Self {
        let memory = memfd_create("journal", MemfdFlags::ALLOW_SEALING | MemfdFlags::CLOEXEC).unwrap();
        let link = journal_path(dir);
        std::os::unix::fs::symlink(format!("/proc/self/fd/{}", memory.as_raw_fd()), &link).unwrap();
        fs::OpenOptions::new().append(true).open(&link).unwrap().write_all(journal).unwrap();
        let state = store(dir).state_path();
        Self { journal: memory, link, aside: state.with_extension("aside"), state }
    }

    fn fill(&self) {
        fcntl_add_seals(&self.journal, SealFlags::GROW).unwrap();
        fs::rename(&self.state, &self.aside).unwrap();
        fs::create_dir(&self.state).unwrap();
    }

    fn is_full(&self) -> bool {
        self.aside.exists()
    }

    /// There is room again, and what was written is there.
    fn empty(&self) {
        if self.is_full() {
            fs::remove_dir(&self.state).unwrap();
            fs::rename(&self.aside, &self.state).unwrap();
        }
        let written = fs::read(&self.link).unwrap();
        fs::remove_file(&self.link).unwrap();
        fs::File::create(&self.link).unwrap().write_all(&written).unwrap();
    }
}

/// Fills the disk when the `nth` call that changes something arrives, and runs again when there is room.
fn full_at(nth: usize, start: &Disk, order: &Order<'_>, end: &[String], dir: &Path) -> Result<(), String> {
    if !filled_at(nth, start, order, dir, |_, settings| settings.on_failure = Some(OnFailure::Keep))? {
        return Ok(());
    }
    match run(dir, order, |_, _| {}).result {
        Ok(report) if matches!(report.outcome, Outcome::Done) => {}
        other => return Err(format!("the next run: {}", told(&other))),
    }
    let difference = difference(end, &inventory(&Disk::read(dir)));
    if difference.is_empty() { Ok(()) } else { Err(difference) }
}

/// Runs on a disk that is full when the `nth` call that changes something arrives, and then has room again. Whether it came to that: not
/// every run has a delete refused and sent again as often.
fn filled_at(
    nth: usize,
    start: &Disk,
    order: &Order<'_>,
    dir: &Path,
    arrange: impl FnOnce(&Wire, &mut Settings),
) -> Result<bool, String> {
    start.without_journal().write(dir);
    let small = Arc::new(Small::new(dir, start.journal()));
    let (seen, disk) = (AtomicUsize::new(0), Arc::clone(&small));
    let ran = run(dir, order, |wire, settings| {
        arrange(wire, settings);
        wire.witness(move |call, moment| {
            let counts = moment == Moment::Arrived && call.operation.mutating;
            if counts && seen.fetch_add(1, Ordering::SeqCst) + 1 == nth {
                disk.fill();
            }
        });
    });
    if !small.is_full() {
        return Ok(false);
    }
    if let Ok(report) = &ran.result {
        return Err(format!("it was not noticed: {:?}", report.outcome));
    }
    small.empty();
    Ok(true)
}

fn everywhere(what: &str, start: &Disk, order: &Order<'_>) {
    let dir = scratch();
    start.write(dir.path());
    let calls = run(dir.path(), order, |_, _| {}).calls.mutating().len();
    let end = inventory(&Disk::read(dir.path()));
    let points: Vec<usize> = (1..=calls).collect();
    each(what, &points, |nth, dir| {
        full_at(*nth, start, order, &end, dir).map_err(|why| format!("full at mutation {nth}:\n{why}"))
    });
    println!("{what}: the disk was full from each of {calls} mutations on, nothing lost, nothing double");
}

#[test]
fn a_disk_that_fills_up_anywhere_loses_nothing() {
    let nothing = made_nothing();
    everywhere("provision", &nothing.just_begun(), &Order { file: ACME, goal: Goal::provision(), polls: 1 });
    let (before, after) = change();
    everywhere("change", &made(&before).just_begun(), &Order { file: &after, goal: Goal::provision(), polls: 1 });
    everywhere("destroy", &made(ACME).just_begun(), &Order { file: ACME, goal: Goal::destroy(), polls: 1 });
}

/// A run that fails late, and a disk that is full from each of the calls of its rollback on.
#[test]
fn a_disk_that_fills_up_in_a_rollback_loses_nothing() {
    let nothing = made_nothing();
    undone(
        "provision",
        &nothing.just_begun(),
        &Order { file: ACME, goal: Goal::provision(), polls: 1 },
        "PutScalingPolicy",
    );
    let (before, after) = change();
    let order = Order { file: &after, goal: Goal::provision(), polls: 1 };
    undone("change", &made(&before).just_begun(), &order, "UpdateService");
}

fn undone(what: &str, start: &Disk, order: &Order<'_>, late: &'static str) {
    let failing = move |wire: &Wire, settings: &mut Settings| {
        settings.on_failure = Some(OnFailure::Rollback);
        wire.trouble(Rule::new(Fault::refuse(403, "AccessDeniedException")).operation(late).nth(1));
    };
    let dir = scratch();
    start.write(dir.path());
    let calls = run(dir.path(), order, failing).calls.mutating();
    let failed = calls.iter().position(|call| call.operation.name == late).unwrap() + 1;
    let points: Vec<usize> = (failed + 1..=calls.len()).collect();
    let before = standing(start);
    each(what, &points, |nth, dir| {
        let wrong = |why: String| format!("full at mutation {nth}:\n{why}");
        if !filled_at(*nth, start, order, dir, failing).map_err(wrong)? {
            return Ok(());
        }
        match roll_back(dir, order) {
            Ok(ended) if ended.left.is_empty() => {}
            other => return Err(wrong(format!("the rollback: {other:?}"))),
        }
        let difference = difference(&before, &standing(&Disk::read(dir)));
        if difference.is_empty() { Ok(()) } else { Err(wrong(difference)) }
    });
    println!("{what}: the disk was full from each of {} mutations of its rollback on, all undone", points.len());
}

/// A state with nothing in it: a provision that was declined.
fn made_nothing() -> Disk {
    let dir = scratch();
    let order = Order { file: ACME, goal: Goal::provision(), polls: 1 };
    let declined = super::world::with(
        dir.path(),
        &order,
        |_, _| {},
        async |rcm| rcm.run(&at_any_risk(&order.goal), |_| false).await,
    );
    assert!(declined.0.is_err());
    Disk::read(dir.path())
}
