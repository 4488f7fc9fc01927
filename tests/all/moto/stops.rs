//! A run that is stopped, or waits in vain, and the one after it.

use std::{
    sync::{
        Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    time::{Duration, Instant, SystemTime},
};

use rcm_testkit::calls::{Outcome, Recorder};
use rcm_testkit::{Moto, Running, inventory, poll};

use crate::bench::{Bench, assert_nothing_is_double};

const PATIENCE: Duration = Duration::from_secs(60);
/// What a process may take to end at the second signal, and what it may take on a machine that is busy with other tests.
const AT_ONCE: Duration = Duration::from_millis(100);
/// How long CI systems wait between SIGTERM and SIGKILL.
const KILLED_AFTER: Duration = Duration::from_millis(7_500);
const AT_ONCE_IF_BUSY: Duration = Duration::from_millis(500);

/// A cloud that holds the first call of one operation until it is told to go on. All other calls wait behind it.
struct Held {
    bench: Bench,
    go: Sender<()>,
    reached: Receiver<()>,
    recorder: Recorder,
    moto: Moto,
}

impl Held {
    fn at(operation: &'static str) -> Self {
        let moto = Moto::start();
        let recorder = Recorder::start(&moto.endpoint());
        let bench = Bench::at(&recorder.endpoint());
        let ((tell, reached), (go, told)) = (channel(), channel());
        let told = Mutex::new(Some(told));
        recorder.before_mutation(move |call| {
            if call.operation.name == operation
                && let Some(told) = told.lock().unwrap().take()
            {
                tell.send(()).unwrap();
                told.recv_timeout(PATIENCE).map_err(|error| error.to_string())?;
            }
            Ok(())
        });
        Self { bench, go, reached, recorder, moto }
    }

    /// A provision that has come as far as the held call.
    fn provision(&self) -> Running {
        let running = self.bench.start("provision --yes");
        self.reached.recv_timeout(PATIENCE).unwrap();
        running
    }

    /// The next run finishes what this one has begun, and makes nothing twice.
    fn completed_by_the_next_run(&self) {
        let _ = self.bench.run("provision --yes").expect_code(0);
        let _ = self.bench.run("plan --detailed-exitcode").expect_code(0);
        assert_nothing_is_double(&inventory(&self.moto.endpoint()));
    }
}

#[test]
fn one_signal_ends_the_run_at_safe_points_and_the_next_one_completes_it() {
    for signal in ["INT", "TERM"] {
        let held = Held::at("CreateNatGateway");
        let running = held.provision();
        running.signal(signal);
        running.wait_until_it_says("stopping: nothing new is begun");
        let stopped = SystemTime::now();
        held.go.send(()).unwrap();
        let ran = running.finish(PATIENCE).expect_code(130);
        assert!(
            ran.stdout.contains("Nothing was lost; to go on: rcm provision --partner acme"),
            "{}",
            ran.transcript()
        );
        assert_eq!(held.recorder.objections(), Vec::<String>::new());

        let state = held.bench.rcm_state();
        assert!((1..53).contains(&state.resources.len()), "{} resources: not the middle", state.resources.len());
        for record in state.records() {
            assert!(SystemTime::from(record.since) <= stopped, "{} was begun after SIG{signal}", record.address);
        }
        assert!(!held.bench.store().journal_path().exists(), "a stopped run ends with a snapshot");
        held.completed_by_the_next_run();
    }
}

#[test]
fn what_takes_too_long_after_sigterm_is_left_to_the_next_run() {
    let held = Held::at("CreateNatGateway");
    let running = held.provision();
    running.signal("TERM");
    let begun = Instant::now();
    running.wait_until_it_says("leaving: what is under way takes longer");
    let _ = running.finish(PATIENCE).expect_code(130);
    let took = begun.elapsed();
    assert!(took < KILLED_AFTER, "it took {took:?}, and would have been killed");
    assert!(held.bench.store().is_unfinished().unwrap(), "the journal is all there is");
    held.go.send(()).unwrap();
    held.completed_by_the_next_run();
}

#[test]
fn a_second_signal_ends_it_at_once_and_the_next_run_completes_it() {
    let mut fastest = Duration::MAX;
    for second in ["INT", "TERM"] {
        let held = Held::at("CreateNatGateway");
        let running = held.provision();
        running.signal("INT");
        running.wait_until_it_says("Ctrl-C again to leave at once");
        running.signal(second);
        let begun = Instant::now();
        let _ = running.finish(PATIENCE).expect_code(130);
        let took = begun.elapsed();
        assert!(took < AT_ONCE_IF_BUSY, "it took {took:?}");
        fastest = fastest.min(took);
        assert!(held.bench.store().is_unfinished().unwrap(), "the journal is all there is");
        assert!(held.bench.rcm_state().records().any(|record| record.id.is_none()), "nothing was under way");

        // What was under way may still be executed, with nobody left to hear the answer.
        held.go.send(()).unwrap();
        let pending = || held.recorder.calls().iter().any(|call| call.outcome == Outcome::Pending);
        let _ = poll(Duration::from_secs(5), || (!pending()).then_some(()));
        held.completed_by_the_next_run();
    }
    assert!(fastest < AT_ONCE, "at best it took {fastest:?}");
}

#[test]
fn a_run_that_stood_still_for_too_long_does_nothing_more_once_another_has_its_lock() {
    let held = Held::at("CreateNatGateway");
    let paused = held.provision();
    paused.signal("STOP");
    held.go.send(()).unwrap();

    let refused = held.bench.run("provision --yes --lock-timeout 1s").expect_code(4);
    assert!(refused.stderr.contains(&format!("process {}", paused.id())), "{}", refused.transcript());
    let heir = held.bench.run("provision --yes --lock-timeout 2m").expect_code(0);
    for text in ["waiting for the lock", "took the lock over from", "an earlier run was cut off"] {
        assert!(heir.stderr.contains(text), "does not say {text:?}: {}", heir.transcript());
    }
    let left = || {
        let store = held.bench.store();
        let changes = held.recorder.calls().iter().filter(|call| call.operation.mutating).count();
        (changes, std::fs::read(store.state_path()).unwrap(), store.journal_path().exists())
    };
    let (before, calls) = (left(), held.recorder.calls().len());

    paused.signal("CONT");
    let ran = paused.finish(PATIENCE).expect_code(4);
    assert!(ran.stderr.contains("the lock was taken over by"), "{}", ran.transcript());
    assert!(ran.stderr.contains("what is there by now: rcm plan --partner acme"), "{}", ran.transcript());
    assert_eq!((left(), before.2), (before, false), "it has changed something: {}", ran.transcript());
    // A question may have been on its way to the socket when it was stopped: docs/reliability.md says so.
    assert!(held.recorder.calls().len() <= calls + 1, "it has gone on: {}", ran.transcript());
    held.completed_by_the_next_run();
}

#[test]
fn a_certificate_that_nobody_validates_parks_the_run_and_the_next_one_goes_on() {
    let moto = Moto::start_issuing_after(25);
    let bench = Bench::at(&moto.endpoint());
    let ran = bench.run("provision --yes --certificate-timeout 1s").expect_code(5);
    let record = bench.rcm_state().resources.into_values().find(|record| record.kind == "acm/certificate").unwrap();
    assert!(record.id.is_some(), "it exists and is known");
    for line in ["waits for somebody outside", "edge/certificate waits for DNS validation of rcm.acme.com", "CNAME  _"]
    {
        assert!(ran.stdout.contains(line), "does not say {line:?}: {}", ran.transcript());
    }
    assert!(ran.stdout.contains("go on: rcm provision --partner acme"), "{}", ran.transcript());
    let seen = inventory(&moto.endpoint());
    assert_eq!(seen.pointer("/rds/instances").unwrap().as_array().unwrap().len(), 1, "what does not need it is there");
    assert_eq!(seen.pointer("/elbv2/listeners").unwrap().as_array().unwrap().len(), 1, "HTTP alone");

    let again = bench.run("provision --yes --certificate-timeout 60s").expect_code(0);
    assert!(again.stdout.contains("1 completed"), "{}", again.transcript());
    let _ = bench.run("plan --detailed-exitcode").expect_code(0);
    assert_nothing_is_double(&inventory(&moto.endpoint()));
}
