//! A store of the program's own: everything that is kept of an environment is in it, and nothing on the disk.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rcm::{
    Cloud, Environment, Error, ExecQuery, Goal, Settings,
    audit::Entry,
    aws::{Aws, Connect},
    cost::Assumptions,
    engine::{
        model::{Deployment, EventKind, Events},
        plan::Depth,
        run::{Cancel, OnFailure, Outcome},
        store::{
            Backend, Document, Entry as Journaled, Holder, Lease, Ledger, Lost, Memory, Owner, Refused, Release, Store,
            StoreError, conformance, write_atomically,
        },
    },
};
use rcm_sandbox::Sandbox;
use rcm_testkit::{
    calls::{Moment, Wire},
    poll,
};
use tokio::sync::Notify;

use super::{REGION, distant::Distant, partner_with, sandbox};

/// A program with a store and a cloud, and a directory for states that nothing can be written to.
struct Program {
    home: tempfile::TempDir,
    cloud: tempfile::TempDir,
    sandbox: Sandbox,
    store: Arc<dyn Backend>,
}

const BLOCK: &[u8] = b"in the way of every file";

impl Program {
    async fn new(store: Arc<dyn Backend>) -> Self {
        let home = tempfile::tempdir().unwrap();
        write_atomically(&home.path().join("state"), BLOCK).unwrap();
        let cloud = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        Self { home, sandbox: sandbox(cloud.path()).await, cloud, store }
    }

    fn settings(&self) -> Settings {
        let cloud = Cloud::InProcess(self.sandbox.http_client());
        let lock_timeout = Duration::from_secs(20);
        Settings { cloud, lock_timeout, ..Settings::new(self.home.path().join("state")) }
            .with_store(Arc::clone(&self.store))
    }

    async fn aws(&self) -> Aws {
        let in_process = Some(self.sandbox.http_client());
        Aws::connect(&Connect { region: REGION.into(), in_process, ..Connect::default() }).await
    }

    fn no_file_came_into_being(&self) {
        let names = |dir: &Path| -> Vec<_> {
            std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        };
        assert_eq!(names(self.home.path()), ["state"]);
        assert_eq!(std::fs::read(self.home.path().join("state")).unwrap(), BLOCK);
        assert_eq!(names(self.cloud.path()), ["cloud"]);
    }
}

async fn open(settings: Settings, file: &str) -> Environment {
    Environment::open(partner_with("acme", file), settings).await.unwrap()
}

fn owner() -> Owner {
    Owner::new("acme", "dev")
}

async fn done(environment: &Environment, goal: &Goal) {
    let report = environment.run(goal, |_| true).await.unwrap();
    assert!(matches!(report.outcome, Outcome::Done), "{:?}", report.outcome);
}

/// The cloud is as the file says, the log tells all of it, and nothing is there that the state does not know.
async fn is_whole(environment: &Environment) {
    assert!(environment.plan(&Goal::provision()).await.unwrap().is_empty());
    let drift = environment.drift().await.unwrap();
    assert!(drift.is_empty(), "{drift:?}");
}

const MORE: &str = "ecs_max_count = 7\n";

#[tokio::test(start_paused = true)]
async fn an_environment_comes_changes_drifts_is_stopped_and_goes_and_no_file_came_into_being() {
    let memory = Memory::new();
    let program = Program::new(Arc::new(memory.clone())).await;
    done(&open(program.settings(), "").await, &Goal::provision()).await;
    let environment = open(program.settings(), MORE).await;
    done(&environment, &Goal::provision()).await;
    is_whole(&environment).await;

    let logs = program.aws().await.logs;
    let group = logs.describe_log_groups().send().await.unwrap().log_groups.unwrap().remove(0);
    let name = group.log_group_name.unwrap();
    logs.put_retention_policy().log_group_name(name).retention_in_days(1).send().await.unwrap();
    assert_eq!(environment.drift().await.unwrap().changed.len(), 1);
    done(&environment, &Goal::provision()).await;
    is_whole(&environment).await;

    // A destroy that is stopped after its first step is gone on with by the next.
    let cancel = Cancel::new();
    let stop = cancel.clone();
    let events = Events::to(move |event| {
        if matches!(event.kind, EventKind::StepDone { .. }) {
            stop.cancel();
        }
    });
    let stopped = open(Settings { cancel, events, ..program.settings() }, MORE).await;
    let report = stopped.run(&Goal::destroy(), |_| true).await.unwrap();
    assert!(matches!(report.outcome, Outcome::Cancelled), "{:?}", report.outcome);
    assert!(memory.read(&owner(), &Document::State).unwrap().is_some());
    done(&environment, &Goal { purge: true, ..Goal::destroy() }).await;
    assert!(environment.state().unwrap().resources.is_empty());

    let certificate = environment.certificate().unwrap().unwrap();
    let filed = environment.file(&certificate).unwrap();
    let shown = filed.map(|path| path.display().to_string());
    assert!(shown[1].starts_with("memory:acme/dev.destroyed-") && shown[1].ends_with(".txt"), "{shown:?}");
    let name = shown[1].trim_start_matches("memory:acme/dev.").trim_end_matches(".txt").to_owned();
    let kept = memory.read(&owner(), &Document::Certificate { name, format: "txt" }).unwrap().unwrap();
    assert_eq!(String::from_utf8(kept).unwrap(), certificate.to_string());

    let verified = environment.verify_audit().unwrap();
    assert!(verified.problems.is_empty() && verified.open.is_none(), "{verified:?}");
    let outcomes: Vec<String> =
        environment.history().unwrap().into_iter().map(|run| run.ended.unwrap().outcome).collect();
    assert_eq!(outcomes, ["done", "done", "done", "cancelled", "done"]);
    assert_eq!(environment.state().unwrap().serial, 5);
    assert!(memory.read(&owner(), &Document::Journal).unwrap().is_none());
    program.no_file_came_into_being();
}

#[tokio::test(start_paused = true)]
async fn what_rests_on_the_state_directory_otherwise_rests_on_the_store() {
    let memory = Memory::new();
    let program = Program::new(Arc::new(memory.clone())).await;
    let environment = open(program.settings(), "").await;
    done(&environment, &Goal::provision()).await;

    // A second environment of the partner in the same place would share its secrets.
    let file = "environment = \"test\"\n";
    let error = open(program.settings(), file).await.run(&Goal::provision(), |_| true).await.unwrap_err();
    assert!(matches!(&error, Error::Fixed { setting: "environment", .. }), "{error}");

    // A state that is made again leaves a copy of the old one.
    let error = environment.rebuild(false).await.unwrap_err();
    assert_eq!(error.to_string(), "memory:acme/dev.json is there already");
    let before = memory.read(&owner(), &Document::State).unwrap();
    let (_, backup) = environment.rebuild(true).await.unwrap();
    assert_eq!(backup.unwrap().to_str(), Some("memory:acme/dev.json.backup-1"));
    let of = rcm::engine::store::Copied::State;
    let copy = memory.read(&owner(), &Document::Backup { of, serial: "1".into(), number: 1 }).unwrap();
    assert_eq!(copy, before);

    // What is damaged is told by its name, and stays.
    memory.replace(&owner(), &Document::State, b"{", u64::MAX).unwrap();
    let error = environment.state().unwrap_err();
    assert!(error.to_string().starts_with("memory:acme/dev.json: not a state file that can be read"), "{error}");
    program.no_file_came_into_being();
}

#[tokio::test(start_paused = true)]
async fn one_run_at_a_time_has_the_store_and_whoever_is_taken_over_sends_and_writes_nothing_more() {
    let memory = Memory::new();
    let program = Program::new(Arc::new(memory.clone())).await;
    let (first, second) = (program.settings(), Settings { lock_timeout: Duration::ZERO, ..program.settings() });
    let (first, second) = (open(first, "").await, open(second, "").await);
    let goal = Goal::provision();
    let (run, refused) = tokio::join!(first.run(&goal, |_| true), second.run(&goal, |_| true));
    assert!(matches!(run.unwrap().outcome, Outcome::Done));
    assert!(matches!(refused.unwrap_err(), Error::Store(StoreError::Locked { holder: Some(_), silent: None })));

    // Somebody takes over from a run that seems to stand still, while it is at work.
    let heir: Arc<std::sync::Mutex<Option<Arc<dyn Lease>>>> = Arc::default();
    let (place, taker) = (memory.clone(), Arc::clone(&heir));
    let events = Events::to(move |event| {
        if matches!(event.kind, EventKind::RunStarted { .. }) {
            *taker.lock().unwrap() = Some(taken_over(&place));
        }
    });
    let wire = Wire::new(program.sandbox.http_client());
    let cloud = Cloud::InProcess(wire.http_client());
    let paused = open(Settings { events, cloud, ..program.settings() }, "").await;
    let before = memory.read(&owner(), &Document::State).unwrap();
    let error = paused.run(&Goal::destroy(), |_| true).await.unwrap_err();
    assert!(matches!(&error, Error::Store(StoreError::Lost(Lost::Taken { by })) if by.user == "heir"), "{error}");
    assert!(wire.calls().mutating().is_empty(), "nothing was sent");
    assert_eq!(memory.read(&owner(), &Document::State).unwrap(), before, "nothing was written");
    heir.lock().unwrap().take();
    is_whole(&first).await;
}

fn taken_over(place: &Memory) -> Arc<dyn Lease> {
    let heir = Holder::this_process("heir", "test");
    let mut silent = None;
    // It may be held just now.
    loop {
        match place.take(&owner(), &heir, silent.as_ref()) {
            Ok(lease) => return lease,
            Err(Refused::Held(seen)) => silent = Some(seen),
            Err(refused) => panic!("{refused:?}"),
        }
    }
}

/// Runs to `goal` over `wire`, and drops the run when the `nth` request that changes something has come or was answered. Whether it came to
/// that.
async fn dropped_at(nth: usize, moment: Moment, program: &Program, file: &str, goal: &Goal) -> bool {
    let wire = Wire::new(program.sandbox.http_client());
    let (there, seen) = (Arc::new(Notify::new()), AtomicUsize::new(0));
    let tell = Arc::clone(&there);
    wire.witness(move |call, at| {
        if at == moment && call.operation.mutating && seen.fetch_add(1, Ordering::SeqCst) + 1 == nth {
            tell.notify_one();
        }
    });
    let cloud = Cloud::InProcess(wire.http_client());
    let settings = Settings { cloud, on_failure: Some(OnFailure::Keep), ..program.settings() };
    let environment = open(settings, file).await;
    tokio::select! {
        biased;
        () = there.notified() => true,
        ended = environment.run(goal, |_| true) => {
            assert!(matches!(ended.unwrap().outcome, Outcome::Done));
            false
        }
    }
}

/// Waits until nobody has the lease: what is left of a run that was dropped is dropped piece by piece. In real time, as that goes.
async fn is_free(memory: &Memory) {
    let memory = memory.clone();
    let free = move || poll(Duration::from_secs(20), || memory.holder(&owner()).unwrap().is_none().then_some(()));
    assert!(tokio::task::spawn_blocking(free).await.unwrap().is_some(), "the lease is not given back");
}

/// Drops a provision, a change and a destroy at every `step`th request each, and goes on with each in the same store.
async fn dropped_at_every(step: usize, store: impl Fn(&Memory) -> Arc<dyn Backend>) {
    let mut dropped = 0;
    for nth in (1..100).step_by(step) {
        let moment = if (nth / step).is_multiple_of(2) { Moment::Arrived } else { Moment::Executed };
        let memory = Memory::new();
        let program = Program::new(store(&memory)).await;
        let change = format!("{MORE}nat_gateways = 2\nwaf = \"count\"\n");
        for (file, goal) in [("", Goal::provision()), (change.as_str(), Goal::provision()), (MORE, Goal::destroy())] {
            let came_to_it = dropped_at(nth, moment, &program, file, &goal).await;
            dropped += usize::from(came_to_it);
            is_free(&memory).await;
            let environment = Arc::new(open(program.settings(), file).await);
            done(&environment, &goal).await;
            if !goal.destroy {
                is_whole(&environment).await;
            }
            let again = environment.plan(&goal).await.unwrap();
            assert!(again.is_empty(), "{:?}", again.counts());
            let verified = tokio::task::spawn_blocking(move || environment.verify_audit()).await.unwrap().unwrap();
            assert!(verified.problems.is_empty() && verified.open.is_none(), "point {nth}: {verified:?}");
        }
        program.no_file_came_into_being();
    }
    assert!(dropped > 100 / step, "{dropped} runs were dropped");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_dropped_is_gone_on_with_from_the_same_store() {
    dropped_at_every(15, |memory| Arc::new(memory.clone())).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_dropped_is_gone_on_with_from_a_store_that_is_far_away() {
    dropped_at_every(30, |memory| Arc::new(Distant::new(memory))).await;
}

/// Whatever is awaited asks a store that is far away from threads that may wait: on a runtime's own the store would panic.
#[tokio::test(start_paused = true)]
async fn no_operation_that_is_awaited_blocks_the_runtime_for_the_store() {
    let memory = Memory::new();
    let program = Program::new(Arc::new(Distant::new(&memory))).await;
    let wire = Wire::new(program.sandbox.http_client());
    let cloud = Cloud::InProcess(wire.http_client());
    let environment = Arc::new(open(Settings { cloud, depth: Depth::Full, ..program.settings() }, "").await);
    let goal = Goal::provision();
    environment.preflight(&goal).await.unwrap();
    done(&environment, &goal).await;
    is_whole(&environment).await;
    environment.status().await.unwrap();
    environment.doctor(None).await.unwrap();
    environment.compliance().await.unwrap();
    environment.cost_live(&Assumptions::default()).await.unwrap();
    let nobody_enters = environment.place_for_session(&ExecQuery::default()).await.unwrap_err();
    assert!(matches!(nobody_enters, Error::NoSession(_)), "{nobody_enters}");
    environment.secrets().await.unwrap();
    environment.rotate_secret("jwt-secret").await.unwrap();
    environment.accept_drift().await.unwrap();
    environment.roll_back(|_| true).await.unwrap();
    environment.rebuild(true).await.unwrap();
    environment.lock_is_free().await.unwrap();
    let domainless = environment.dns(None).await.unwrap_err();
    assert!(matches!(domainless, Error::NoDomain(_)), "{domainless}");
    let group = "storage/log-group/application".parse().unwrap();
    let id = {
        let environment = Arc::clone(&environment);
        let state = tokio::task::spawn_blocking(move || environment.state()).await.unwrap().unwrap();
        state.resources[&group].id.clone().unwrap()
    };
    environment.forget(&group).await.unwrap();
    environment.import(&group, &id).await.unwrap();
    let nothing_ran = environment.last_good().await.unwrap_err();
    assert!(matches!(nothing_ran, Error::NoRelease(_)), "{nothing_ran}");
    done(&environment, &Goal { purge: true, ..Goal::destroy() }).await;

    // On a thread that may wait, what is not async may be asked too; and every request is in the log.
    let (sent, log) = (wire.calls().mutating().len(), Arc::clone(&environment));
    let told = tokio::task::spawn_blocking(move || {
        let verified = log.verify_audit().unwrap();
        assert!(verified.problems.is_empty() && verified.open.is_none(), "{verified:?}");
        let runs = log.history().unwrap();
        let calls = |run: &rcm::Run| log.history_of(&run.began.run).unwrap();
        let is_call = |line: &rcm::audit::Line| matches!(line.entry, Entry::Call(_));
        runs.iter().flat_map(calls).filter(is_call).count()
    });
    assert_eq!(told.await.unwrap(), sent);
    program.no_file_came_into_being();
}

/// Two documents are read one after the other, and a store that is far away takes its time.
#[tokio::test]
async fn whoever_looks_while_a_run_ends_sees_what_was_before_or_after_and_nothing_older() {
    let memory = Memory::new();
    let distant = Distant::new(&memory);
    let (near, far) = (Store::within(Arc::new(memory), owner()), Store::within(Arc::new(distant.clone()), owner()));
    let deployment = Deployment {
        project: "acme-rcm".into(),
        partner: "acme".into(),
        environment: "dev".into(),
        account: super::ACCOUNT.into(),
        region: REGION.into(),
        partition: "aws".into(),
    };
    let holder = Holder::this_process("somebody", "rcm");
    let lock = near.lock(&holder, Duration::ZERO, &Events::none()).await.unwrap();
    let ledger = Ledger::open(near, lock, "rcm", &deployment).unwrap();
    let release = Release { what: "an image".into(), at: jiff::Timestamp::UNIX_EPOCH };
    ledger.append(Journaled::Released { release: release.clone() }).await.unwrap();
    distant.meanwhile(move || drop(ledger.checkpoint().unwrap()));
    let seen = tokio::task::spawn_blocking(move || far.load()).await.unwrap().unwrap().unwrap();
    assert_eq!((seen.releases, seen.serial), (vec![release], 1));
}

#[tokio::test]
async fn what_is_far_away_keeps_to_the_contract_too() {
    let memory = Memory::new();
    let distant = Distant::new(&memory);
    let here = std::panic::AssertUnwindSafe(|| distant.read(&owner(), &Document::State));
    assert!(std::panic::catch_unwind(here).is_err(), "it answers on a thread of the runtime");
    let broken = tokio::task::spawn_blocking(move || conformance::check(|| Arc::new(distant.clone()))).await.unwrap();
    assert_eq!(broken, []);
}
