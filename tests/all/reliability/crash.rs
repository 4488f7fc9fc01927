//! Crashed at every call, run again: the cloud and the state are those of a run that nobody disturbed.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rcm::{Goal, engine::run::Outcome};
use rcm_testkit::calls::Moment;

use super::canon::{difference, inventory};
use super::world::{Disk, Order, run};

const ACME: &str = include_str!("../../../partners/acme.toml");

/// An instant at which the process may have died, and what it left.
struct Fork {
    at: String,
    disk: Disk,
}

/// One undisturbed run: what it began with, every instant of it, and what it left.
struct Story {
    forks: Vec<Fork>,
    moments: usize,
    end: Disk,
}

fn tell(start: &Disk, order: &Order<'_>) -> Story {
    let dir = tempfile::tempdir().unwrap();
    start.write(dir.path());
    let moments: Arc<Mutex<Vec<Fork>>> = Arc::default();
    let (seen, path) = (Arc::clone(&moments), dir.path().to_owned());
    let ran = run(dir.path(), order, move |wire, _| {
        wire.witness(move |call, moment| {
            let word = if moment == Moment::Arrived { "before" } else { "after" };
            let at = format!("{word} call {} {}", call.sequence, call.operation);
            seen.lock().unwrap().push(Fork { at, disk: Disk::read(&path) });
        });
    });
    let outcome = ran.result.unwrap().outcome;
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    let end = Disk::read(dir.path());
    let moments = std::mem::take(&mut *moments.lock().unwrap());
    let count = moments.len();
    Story { forks: distinct(moments, &end), moments: count, end }
}

/// Every different disk among `moments`, and those between two of them that no call shows: each line that the journal got
/// while the cloud stayed as it was, whole and torn, and the end with its journal not yet removed.
fn distinct(moments: Vec<Fork>, end: &Disk) -> Vec<Fork> {
    let mut all: Vec<Fork> = Vec::new();
    for fork in moments {
        if let Some(last) = all.last()
            && last.disk.same_cloud(&fork.disk)
        {
            all.extend(lines_between(last, &fork));
        }
        all.push(fork);
    }
    let last = all.last().unwrap();
    let journal = last.disk.journal().to_vec();
    all.push(Fork { at: "after the snapshot, before the journal is removed".into(), disk: end.with_journal(&journal) });
    let mut known = HashSet::new();
    all.retain(|fork| known.insert(fork.disk.clone()));
    all
}

fn lines_between(earlier: &Fork, later: &Fork) -> Vec<Fork> {
    let (from, to) = (earlier.disk.journal(), later.disk.journal());
    let Some(new) = to.strip_prefix(from) else { return Vec::new() };
    let mut forks = Vec::new();
    let mut at = from.len();
    for line in new.split_inclusive(|byte| *byte == b'\n') {
        let torn = later.disk.with_journal(&to[..at + line.len() / 2]);
        forks.push(Fork { at: format!("in a journal line after {}", earlier.at), disk: torn });
        at += line.len();
        forks.push(Fork {
            at: format!("after a journal line after {}", earlier.at),
            disk: later.disk.with_journal(&to[..at]),
        });
    }
    forks
}

/// What is wrong with the cloud after `fork` was run again; nothing when it is as `end`.
fn resumed(fork: &Fork, order: &Order<'_>, end: &[String], dir: &Path) -> Result<(), String> {
    fork.disk.write(dir);
    let plan = match run(dir, order, |_, _| {}).result {
        Ok(report) if matches!(report.outcome, Outcome::Done) => report.plan,
        Ok(report) => return Err(format!("{:?}", report.outcome)),
        Err(error) => return Err(error.to_string()),
    };
    let left = Disk::read(dir);
    let difference = difference(end, &inventory(&left));
    if !difference.is_empty() {
        let steps: String =
            plan.steps().map(|step| format!("\n  {} {} {:?}", step.action.word(), step.address, step.action)).collect();
        return Err(format!("{difference}the next run's plan:{steps}"));
    }
    regenerated(&fork.disk, &left)
}

/// A secret that was there before the crash and has another value after the next run.
fn regenerated(before: &Disk, after: &Disk) -> Result<(), String> {
    let values = |disk: &Disk| {
        let held = disk.cloud().remove("secretsmanager").unwrap_or_default();
        let secrets = held["secrets"].as_object().cloned().unwrap_or_default();
        secrets
            .into_iter()
            .map(|(name, secret)| (name, secret["versions"].to_string()))
            .collect::<std::collections::BTreeMap<_, _>>()
    };
    let after = values(after);
    for (name, value) in values(before) {
        if after.get(&name).is_some_and(|now| *now != value) {
            return Err(format!("secret {name} has another value"));
        }
    }
    Ok(())
}

/// Crashes the run of `order` over `start` everywhere, and runs each again.
fn everywhere(what: &str, start: &Disk, order: &Order<'_>) -> Disk {
    let story = tell(start, order);
    let end = inventory(&story.end);
    let next = AtomicUsize::new(0);
    let wrong: Mutex<Vec<String>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(fork) = story.forks.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let dir = tempfile::tempdir().unwrap();
                    if let Err(why) = resumed(fork, order, &end, dir.path()) {
                        wrong.lock().unwrap().push(format!("crash {}:\n{why}", fork.at));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(
        wrong.is_empty(),
        "{what}: {} of {} crash points:\n{}",
        wrong.len(),
        story.forks.len(),
        wrong[..wrong.len().min(8)].join("\n")
    );
    println!(
        "{what}: {} instants, {} crash points, 0 orphans, 0 duplicates, 0 missing",
        story.moments,
        story.forks.len()
    );
    story.end
}

/// Two zones with a gateway each, to become one; another size, brand and domain.
const BEFORE: &str = "nat_gateways = 2\n";
const AFTER: &str =
    "nat_gateways = 1\necs_cpu = 2048\necs_memory = 4096\necs_max_count = 12\ndb_instance_class = \"db.t3.large\"\n";

#[test]
fn a_provision_that_is_killed_anywhere_is_finished_by_the_next() {
    everywhere("provision", &Disk::default(), &Order { file: ACME, goal: Goal::provision(), polls: 1 });
}

#[test]
fn a_change_that_is_killed_anywhere_is_finished_by_the_next() {
    let before = format!("{ACME}\n{BEFORE}");
    let after = format!("{ACME}\n{AFTER}").replace("rcm.acme.com", "app.acme.com");
    let start = made(&before);
    let order = Order { file: &after, goal: Goal::provision(), polls: 1 };
    everywhere("change", &start, &order);
}

#[test]
fn a_destroy_that_is_killed_anywhere_is_finished_by_the_next() {
    let start = made(ACME);
    everywhere("destroy", &start, &Order { file: ACME, goal: Goal::destroy(), polls: 1 });
}

/// What an undisturbed provision of `file` leaves.
fn made(file: &str) -> Disk {
    let dir = tempfile::tempdir().unwrap();
    let ran = run(dir.path(), &Order { file, goal: Goal::provision(), polls: 1 }, |_, _| {});
    let outcome = ran.result.unwrap().outcome;
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    Disk::read(dir.path())
}
