//! Killed for real: the command over HTTP, with SIGKILL, at random moments.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rcm_testkit::calls::next;
use rcm_testkit::{Moto, inventory};
use serde_json::Value;

use crate::bench::{Bench, assert_nothing_is_double};

const KILLS: usize = 50;
const SEED: u64 = 20_261_123;
/// What a run beside three others is given to end by itself.
const PATIENCE: Duration = Duration::from_secs(300);
/// In the order of a whole life.
const VERBS: [&str; 2] = ["provision --yes", "destroy --yes"];

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

/// What each verb leaves and how long it takes, when nobody kills it.
fn undisturbed() -> Vec<(BTreeMap<String, usize>, Duration)> {
    let moto = Moto::start();
    let bench = Bench::at(&moto.endpoint());
    let run = |verb| {
        let begun = Instant::now();
        let _ = bench.run(verb).expect_code(0);
        let took = begun.elapsed();
        (counts(&moto.endpoint()), took)
    };
    VERBS.map(run).into()
}

/// One life on a server of its own, killed over and over; `kills` counts over all lives.
fn live(undisturbed: &[(BTreeMap<String, usize>, Duration)], random: &mut u64, kills: &AtomicUsize) {
    let moto = Moto::start();
    let bench = Bench::at(&moto.endpoint());
    for (verb, (expected, takes)) in VERBS.iter().zip(undisturbed) {
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
    println!("killed {kills} times in {lives} lives against moto: 0 orphans, 0 duplicates, 0 missing");
}
