//! Killed for real: the command over HTTP, with SIGKILL, at random moments.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rcm_testkit::calls::next;
use rcm_testkit::{Moto, inventory};
use serde_json::Value;

use crate::bench::{ACME, Bench, assert_nothing_is_double};

const KILLS: usize = 50;
const SEED: u64 = 20_261_123;
/// What a run beside three others is given to end by itself.
const PATIENCE: Duration = Duration::from_secs(300);
/// In the order of a whole life: what is run, and what the partner file says then.
const LIFE: [(&str, &str); 3] = [("provision --yes", FIRST), ("provision --yes", CHANGED), ("destroy --yes", CHANGED)];
const FIRST: &str = "ecs_scale_requests = 1000";
/// Replaces the task definition, updates service, database and scalable target, makes one scaling policy and deletes another.
const CHANGED: &str =
    "ecs_cpu = 2048\necs_memory = 4096\necs_max_count = 12\ndb_max_allocated_storage = 600\necs_scale_memory = 75";

/// How many of everything there are, keys that await their end left out.
fn counts(endpoint: &str) -> BTreeMap<String, usize> {
    let seen = inventory(endpoint);
    assert_nothing_is_double(&seen);
    let mut counts = BTreeMap::new();
    for (service, kinds) in seen.as_object().unwrap() {
        for (kind, entries) in kinds.as_object().unwrap() {
            let live = entries.as_array().unwrap().iter().filter(|entry| entry["KeyState"] != "PendingDeletion");
            let live = live.filter(|entry: &&Value| entry["State"] != "deleted");
            counts.insert(format!("{service}.{kind}"), live.count());
        }
    }
    counts
}

/// The partner file says this too.
fn write(bench: &Bench, settings: &str) {
    bench.partner("acme", &format!("{ACME}\n{settings}\n"));
}

/// Nothing is missing, and nothing is otherwise than the partner file says, however closely one looks.
fn assert_all_is_as_it_should_be(bench: &Bench, verb: &str) {
    let destroy = if verb.starts_with("destroy") { "--destroy" } else { "--refresh full" };
    let _ = bench.run(&format!("plan --detailed-exitcode {destroy}")).expect_code(0);
}

/// What each verb leaves and how long it takes, when nobody kills it.
fn undisturbed() -> Vec<(BTreeMap<String, usize>, Duration)> {
    let moto = Moto::start();
    let bench = Bench::at(&moto.endpoint());
    let run = |(verb, settings)| {
        write(&bench, settings);
        let begun = Instant::now();
        let _ = bench.run(verb).expect_code(0);
        let took = begun.elapsed();
        assert_all_is_as_it_should_be(&bench, verb);
        (counts(&moto.endpoint()), took)
    };
    LIFE.map(run).into()
}

/// One life on a server of its own, killed over and over; `kills` counts over all lives.
fn live(undisturbed: &[(BTreeMap<String, usize>, Duration)], random: &mut u64, kills: &AtomicUsize) {
    let moto = Moto::start();
    let bench = Bench::at(&moto.endpoint());
    for ((verb, settings), (expected, takes)) in LIFE.into_iter().zip(undisturbed) {
        write(&bench, settings);
        // A run that goes on first looks for some seconds for what it cannot know, and beside the other lives it takes longer
        // than it did alone: each run is given more time than the last, and after the last kill all of them end.
        let mut window = *takes;
        let ran = loop {
            let running = bench.start(verb);
            if kills.load(Ordering::SeqCst) >= KILLS {
                break running.finish(PATIENCE);
            }
            match running.kill_after(window.mul_f64(f64::from(u32::try_from(next(random) % 50).unwrap()) / 50.0)) {
                Some(ran) => break ran,
                None => kills.fetch_add(1, Ordering::SeqCst),
            };
            window += *takes;
        };
        let _ = ran.expect_code(0);
        assert_all_is_as_it_should_be(&bench, verb);
        assert_eq!(counts(&moto.endpoint()), *expected, "{verb}");
    }
}

#[test]
fn killed_fifty_times_it_leaves_what_it_leaves_undisturbed() {
    let undisturbed = undisturbed();
    let (kills, lives) = (AtomicUsize::new(0), AtomicUsize::new(0));
    // Most of a life is waiting.
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (undisturbed, kills, lives) = (&undisturbed, &kills, &lives);
            scope.spawn(move || {
                let mut random = SEED + thread;
                while kills.load(Ordering::SeqCst) < KILLS {
                    live(undisturbed, &mut random, kills);
                    lives.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    });
    let (kills, lives) = (kills.into_inner(), lives.into_inner());
    let told = format!("killed {kills} times in {lives} lives against moto: 0 orphans, 0 duplicates, 0 missing\n");
    // Not `println!`, which the test runner keeps to itself: how many they were is to be seen.
    std::io::stdout().lock().write_all(told.as_bytes()).unwrap();
}
