//! Crashed at every call, run again: the cloud and the state are those of a run that nobody disturbed.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcm::engine::model::Events;
use rcm::engine::run::{Aftermath, OnFailure, Outcome};
use rcm::engine::store::{Entry, Holder, Ledger};
use rcm::{Goal, Settings};
use rcm_testkit::calls::{Fault, Moment, Rule, Stillborn, Wire, next, shared};
use serde_json::Value;

use super::canon::{difference, inventory, standing};
use super::world::{
    ACME, Disk, Order, change, each, keep_journal, kept_journal, log_is_whole, made, roll_back, run, scratch, store,
};

/// An instant at which the process may have died, and what it left.
struct Fork {
    at: String,
    disk: Disk,
}

/// One undisturbed run: what it began with, every instant of it, and what it left.
struct Story {
    forks: Vec<Fork>,
    moments: usize,
    /// All that its journal ever got.
    journal: Vec<u8>,
    end: Disk,
}

fn tell(start: &Disk, order: &Order<'_>) -> Story {
    tell_with(start, order, |_, _| {}, |outcome| assert!(matches!(outcome, Outcome::Done), "{outcome:?}"))
}

fn tell_with(
    start: &Disk,
    order: &Order<'_>,
    arrange: impl FnOnce(&Wire, &mut Settings),
    check: impl FnOnce(&Outcome),
) -> Story {
    let dir = scratch();
    start.write(dir.path());
    let moments: Arc<Mutex<Vec<Fork>>> = Arc::default();
    let (seen, path) = (Arc::clone(&moments), dir.path().to_owned());
    let ran = run(dir.path(), order, move |wire, settings| {
        arrange(wire, settings);
        wire.witness(move |call, moment| {
            keep_journal(&path);
            let word = if moment == Moment::Arrived { "before" } else { "after" };
            let at = format!("{word} call {} {}", call.sequence, call.operation);
            seen.lock().unwrap().push(Fork { at, disk: Disk::read(&path) });
        });
    });
    check(&ran.result.unwrap().outcome);
    let (end, journal) = (Disk::read(dir.path()), kept_journal(dir.path()));
    let moments = std::mem::take(&mut *moments.lock().unwrap());
    let count = moments.len();
    Story { forks: distinct(start, moments, &journal, &end), moments: count, journal, end }
}

/// Every different disk among `moments`, and those between two of them that no call shows: each line that the journal got
/// while the cloud stayed as it was, and each snapshot on its way: half written, written, in its place with its journal not
/// yet removed.
fn distinct(start: &Disk, moments: Vec<Fork>, journal: &[u8], end: &Disk) -> Vec<Fork> {
    let first = &moments[0].disk;
    let is_new = start.state().is_null();
    let beginning = if is_new { start.while_writing_the_state_of(first).to_vec() } else { Vec::new() };
    let snapshot = |disk: Disk| Fork { at: "while a snapshot is written".into(), disk };
    let mut all: Vec<Fork> = beginning.into_iter().map(snapshot).collect();
    for fork in moments {
        if let Some(last) = all.last()
            && last.disk.same_cloud(&fork.disk)
        {
            all.extend(lines_between(last, &fork));
        }
        all.push(fork);
    }
    let last = all.last().unwrap();
    let over = Fork { at: "after the last line of the journal".into(), disk: last.disk.with_journal(journal) };
    all.extend(lines_between(last, &over));
    all.extend(over.disk.while_writing_the_state_of(end).map(snapshot));
    all.push(Fork { at: "after the snapshot, before the journal is removed".into(), disk: end.with_journal(journal) });
    let mut known = HashSet::new();
    all.retain(|fork| known.insert(fork.disk.without_log()));
    all
}

fn lines_between(earlier: &Fork, later: &Fork) -> Vec<Fork> {
    let (from, to) = (earlier.disk.journal(), later.disk.journal());
    let Some(new) = to.strip_prefix(from) else { return Vec::new() };
    let mut forks = Vec::new();
    let mut at = from.len();
    for line in new.split_inclusive(|byte| *byte == b'\n') {
        // A torn line is as none, as `torn` sees for every line; so that not each of these has to cost a run.
        if at.is_multiple_of(5) {
            let torn = later.disk.with_journal(&to[..at + line.len() / 2]);
            forks.push(Fork { at: format!("in a journal line after {}", earlier.at), disk: torn });
        }
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
    resumed_with(fork, order, |_| {}, end, dir)
}

fn resumed_with(
    fork: &Fork,
    order: &Order<'_>,
    arrange: impl FnOnce(&Wire),
    end: &[String],
    dir: &Path,
) -> Result<(), String> {
    fork.disk.write(dir);
    let plan = match run(dir, order, |wire, _| arrange(wire)).result {
        Ok(report) if matches!(report.outcome, Outcome::Done) => report.plan,
        Ok(report) => return Err(format!("{:?}", report.outcome)),
        Err(error) => return Err(error.to_string()),
    };
    log_is_whole(dir)?;
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

/// Tears each line of the journal that `story` wrote, at its first byte, its middle and its last: what is known then is what is
/// known before that line, and the next process writes on from there as if there had never been half a line.
fn torn(what: &str, story: &Story) {
    let lines: Vec<&[u8]> = story.journal.split_inclusive(|byte| *byte == b'\n').collect();
    // A run that only forgets sends nothing any more once it has begun its journal.
    let begun = story.forks.iter().find(|fork| !fork.disk.journal().is_empty());
    let before = begun.or(story.forks.first()).unwrap().disk.state_alone();
    let points: Vec<(usize, usize)> = (0..lines.len())
        .flat_map(|line| [1, lines[line].len() / 2, lines[line].len() - 1].map(|cut| (line, cut)))
        .collect();
    each(what, &points, |(line, cut), dir| {
        let whole = lines[..*line].concat();
        let expected = before.with_journal(&whole).folded().state();
        let torn = before.with_journal(&[&whole, &lines[*line][..*cut]].concat());
        torn.write(dir);
        let (state, journal) = written_on(dir);
        let (kept, new) = journal.split_at(whole.len().min(journal.len()));
        let new = String::from_utf8_lossy(new);
        let opened = usize::from(*line == 0);
        let goes_on = new.lines().count() == 1 + opened && new.ends_with("{\"entry\":\"committed\"}\n");
        if state == expected && kept == whole && goes_on {
            return Ok(());
        }
        Err(format!("line {line} torn after {cut} bytes: {new}"))
    });
    println!("{what}: {} journal lines, each torn in three places, none of them missed", lines.len());
}

/// What the next process knows, and the journal after it has written a line.
fn written_on(dir: &Path) -> (Value, Vec<u8>) {
    let store = store(dir);
    let state = store.load().unwrap().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let holder = Holder::this_process("tester", "test");
        let lock = store.lock(&holder, Duration::ZERO, &Events::none()).await.unwrap();
        let ledger = Ledger::open(store.clone(), lock, "test", &state.deployment).unwrap();
        ledger.append(Entry::Committed).await.unwrap();
    });
    (serde_json::to_value(&state).unwrap(), std::fs::read(store.journal_path()).unwrap())
}

/// Crashes the run of `order` over `start` everywhere, and runs each again.
pub(super) fn everywhere(what: &str, start: &Disk, order: &Order<'_>) {
    let story = tell(start, order);
    torn(what, &story);
    let end = inventory(&story.end);
    each(what, &story.forks, |fork, dir| {
        resumed(fork, order, &end, dir).map_err(|why| format!("crash {}:\n{why}", fork.at))
    });
    let (moments, points) = (story.moments, story.forks.len());
    println!("{what}: {moments} instants, {points} crash points, 0 orphans, 0 duplicates, 0 missing");
}

/// Crashes the run of `order` over `start` everywhere, and goes on with `next` from every point that is `begun`: the end is that of
/// `order`.
pub(super) fn finished_by(
    what: &str,
    start: &Disk,
    order: &Order<'_>,
    next: &Order<'_>,
    begun: impl Fn(&Disk) -> bool,
) {
    let story = tell(start, order);
    let end = inventory(&story.end);
    let forks: Vec<Fork> = story.forks.into_iter().filter(|fork| begun(&fork.disk)).collect();
    assert!(forks.len() > 10, "{what}: {} points", forks.len());
    each(what, &forks, |fork, dir| resumed(fork, next, &end, dir).map_err(|why| format!("crash {}:\n{why}", fork.at)));
    println!("{what}: {} crash points, finished by another run", forks.len());
}

#[test]
fn a_provision_that_is_killed_anywhere_is_finished_by_the_next() {
    everywhere("provision", &Disk::default(), &Order { file: ACME, goal: Goal::provision(), polls: 1 });
}

#[test]
fn a_change_that_is_killed_anywhere_is_finished_by_the_next() {
    let (before, after) = change();
    everywhere("change", &made(&before), &Order { file: &after, goal: Goal::provision(), polls: 1 });
}

#[test]
fn a_destroy_that_is_killed_anywhere_is_finished_by_the_next() {
    everywhere("destroy", &made(ACME), &Order { file: ACME, goal: Goal::destroy(), polls: 1 });
}

/// A destroy that keeps, killed around the delete of the database, and gone on with as a purge: the final snapshot that nobody has
/// heard of goes too, before the key that it can be read with.
#[test]
fn a_destroy_that_is_killed_at_its_database_can_be_gone_on_with_as_a_purge() {
    let order = |goal| Order { file: ACME, goal, polls: 1 };
    let mut forks = tell(&made(ACME), &order(Goal::destroy())).forks;
    forks.retain(|fork| fork.at.contains("DBInstance"));
    let purge = order(Goal { purge: true, ..Goal::destroy() });
    each("purge", &forks, |fork, dir| {
        fork.disk.write(dir);
        let outcome = run(dir, &purge, |_, _| {}).result.map_err(|error| error.to_string())?.outcome;
        let left = standing(&Disk::read(dir));
        match (outcome, left.as_slice()) {
            (Outcome::Done, []) => Ok(()),
            (outcome, left) => Err(format!("crash {}:\n{outcome:?} {left:#?}", fork.at)),
        }
    });
    println!("purge: {} crash points, nothing left", forks.len());
}

/// A run that fails late and is rolled back, killed at every instant of either.
#[test]
fn a_run_that_is_killed_anywhere_can_be_undone_instead() {
    let (before, after) = change();
    for (what, start, file) in [("provision", Disk::default(), ACME), ("change", made(&before), after.as_str())] {
        let order = Order { file, goal: Goal::provision(), polls: 1 };
        let late = if what == "provision" { "PutScalingPolicy" } else { "UpdateService" };
        let story = tell_with(
            &start,
            &order,
            |wire, settings| {
                settings.on_failure = Some(OnFailure::Rollback);
                wire.trouble(Rule::new(Fault::refuse(403, "AccessDeniedException")).operation(late).nth(1));
            },
            |outcome| {
                assert!(matches!(outcome, Outcome::Failed { aftermath: Aftermath::RolledBack, .. }), "{outcome:?}")
            },
        );
        let clean = standing(&start);
        each(what, &story.forks, |fork, dir| {
            fork.disk.write(dir);
            let wrong = |why: String| format!("crash {}:\n{why}", fork.at);
            match roll_back(dir, &order) {
                Ok(ended) if ended.left.is_empty() => {}
                other => return Err(wrong(format!("{other:?}"))),
            }
            let difference = difference(&clean, &standing(&Disk::read(dir)));
            if difference.is_empty() { Ok(()) } else { Err(wrong(difference)) }
        });
        println!("{what}: {} crash points, each undone by a rollback", story.forks.len());
    }
}

/// What AWS has given up in one run is taken away and made anew by the next, wherever that is killed.
#[test]
fn a_run_that_makes_anew_what_has_failed_can_be_killed_anywhere() {
    let file = ACME.replace("rcm.acme.com", "app.acme.com");
    let order = Order { file: &file, goal: Goal::provision(), polls: 1 };
    let dir = scratch();
    made(ACME).write(dir.path());
    let fate = shared(Stillborn::certificate("FAILED", Some("CAA_ERROR")));
    let failed = run(dir.path(), &order, |wire, _| wire.trouble(fate.clone())).result.unwrap().outcome;
    assert!(matches!(failed, Outcome::Failed { aftermath: Aftermath::Kept, .. }), "{failed:?}");
    let (start, fate) = (Disk::read(dir.path()), fate.now());
    let fated = |wire: &Wire| wire.trouble(fate.clone());
    let done = |outcome: &Outcome| assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    let story = tell_with(&start, &order, |wire, _| fated(wire), done);
    let end = inventory(&story.end);
    each("made anew", &story.forks, |fork, dir| {
        resumed_with(fork, &order, fated, &end, dir).map_err(|why| format!("crash {}:\n{why}", fork.at))
    });
    println!("made anew: {} crash points, 0 orphans, 0 duplicates, 0 missing", story.forks.len());
}

/// Crashes the run, the run that goes on, and so on, at random instants, and lets the last one finish.
#[test]
fn runs_that_are_killed_again_and_again_end_as_one_that_was_not() {
    let (before, after) = change();
    let made_before = made(&before);
    let nothing = Disk::default();
    let provision = |file| Order { file, goal: Goal::provision(), polls: 1 };
    let destroy = Order { file: ACME, goal: Goal::destroy(), polls: 1 };
    let stories = [(&nothing, provision(ACME)), (&made_before, provision(&after)), (&made_before, destroy)];
    let ends: Vec<Vec<String>> = stories.iter().map(|(start, order)| inventory(&tell(start, order).end)).collect();
    let seeds: Vec<u64> = (0..24).collect();
    each("crash after crash", &seeds, |seed, dir| {
        let which = usize::try_from(*seed).unwrap() % stories.len();
        let (start, order) = &stories[which];
        let mut random = *seed;
        let mut at = Fork { at: format!("seed {seed}"), disk: (*start).clone() };
        for _ in 0..2 {
            let mut story = tell(&at.disk, order);
            let chosen = usize::try_from(next(&mut random)).unwrap() % story.forks.len();
            let fork = story.forks.swap_remove(chosen);
            at = Fork { at: format!("{}, {}", at.at, fork.at), disk: fork.disk };
        }
        resumed(&at, order, &ends[which], dir).map_err(|why| format!("crash {}:\n{why}", at.at))
    });
    println!("crash after crash: {} pairs of crash points, 0 orphans, 0 duplicates, 0 missing", seeds.len());
}
