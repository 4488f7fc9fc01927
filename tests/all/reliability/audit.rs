//! The audit log: every request that changes something, once, by whom and for what; and what is found when somebody changes it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rcm::audit::{Called, Entry, Line};
use rcm::engine::plan::Depth;
use rcm::engine::run::OnFailure;
use rcm::engine::store::write_atomically;
use rcm::{Environment, Goal};
use rcm_testkit::calls::{Call, Fault, Outcome, Rule};

use super::stage::{everything, play};
use super::world::{ACME, Disk, Order, ground, made, run, scratch, store, with};
use crate::bench::at_any_risk;

fn order(goal: Goal) -> Order<'static> {
    Order { file: ACME, goal, polls: 1 }
}

fn log(dir: &Path) -> PathBuf {
    store(dir).audit_path()
}

/// What the log in `dir` tells, whole.
fn told(dir: &Path) -> Vec<Line> {
    let text = fs::read_to_string(log(dir)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn calls(lines: &[Line]) -> Vec<Called> {
    let call = |line: &Line| match &line.entry {
        Entry::Call(call) => Some(call.clone()),
        _ => None,
    };
    lines.iter().filter_map(call).collect()
}

/// Service, operation, status, code and request id, as the cloud saw them.
fn seen(call: &Call) -> (String, String, Option<u16>, Option<String>, Option<String>) {
    let (status, code) = match &call.outcome {
        Outcome::Answered { status, code } => (Some(*status), code.clone()),
        Outcome::Refused { code } => (Some(403), Some(code.clone())),
        _ => (None, None),
    };
    // What the recorder calls it to tell it from that of a bucket.
    let name = call.operation.name.replace("AccountPublicAccessBlock", "PublicAccessBlock");
    (call.operation.service.clone(), name, status, code, call.request_id.clone())
}

/// The same, as the log tells them.
fn logged(call: &Called) -> (String, String, Option<u16>, Option<String>, Option<String>) {
    (call.service.clone(), call.operation.clone(), call.status, call.code.clone(), call.request_id.clone())
}

fn same_as_the_cloud_saw(lines: &[Line], cloud: &[Call]) {
    let mut logged: Vec<_> = calls(lines).iter().map(logged).collect();
    let mut seen: Vec<_> = cloud.iter().filter(|call| call.operation.mutating).map(seen).collect();
    logged.sort();
    seen.sort();
    let (only_logged, only_seen): (BTreeSet<_>, BTreeSet<_>) = (logged.iter().collect(), seen.iter().collect());
    let difference: Vec<_> = only_logged.symmetric_difference(&only_seen).collect();
    assert!(difference.is_empty(), "{difference:#?}");
    assert_eq!(logged, seen);
    assert!(seen.len() > 50);
}

/// Everything that a stack can have, made and taken away.
#[test]
fn every_request_that_changes_something_is_in_the_log_once() {
    let file = everything();
    play(&ground(&file), async |stage| {
        drop(stage.provision(&file).await);
        let lines = told(stage.dir());
        let cloud: Vec<Call> = stage.wire.calls().iter().cloned().collect();
        same_as_the_cloud_saw(&lines, &cloud);
        let ids: BTreeSet<_> = calls(&lines).into_iter().filter_map(|call| call.request_id).collect();
        assert_eq!(ids.len(), calls(&lines).len(), "each has an id of its own");
        let known: BTreeSet<_> = stage.state().await.resources.into_keys().collect();
        for call in calls(&lines) {
            assert!(call.address.as_ref().is_some_and(|address| known.contains(address)), "{call:?}");
        }
        let rcm = stage.rcm(&file, Depth::Quick).await;
        let goal = at_any_risk(&Goal { destroy: true, purge: true, ..Goal::default() });
        rcm.run(&goal, |_| true).await.unwrap();
        let cloud: Vec<Call> = stage.wire.calls().iter().cloned().collect();
        same_as_the_cloud_saw(&told(stage.dir()), &cloud);
        assert_eq!(rcm.verify_audit().unwrap().problems, []);
        let runs = rcm.history().unwrap();
        let verbs: Vec<_> =
            runs.iter().map(|run| (run.began.verb.as_str(), run.ended.as_ref().unwrap().outcome.as_str())).collect();
        assert_eq!(verbs, [("provision", "done"), ("destroy", "done")]);
        assert!(runs.iter().all(|run| run.began.identity.as_ref().unwrap().starts_with("arn:aws:")));
        assert_eq!(rcm.history_of(&runs[1].began.run[..6]).unwrap().len(), runs[1].calls + 2);
    });
}

/// Retries, refusals and lost answers have lines of their own.
#[test]
fn what_was_refused_or_not_answered_is_in_the_log_too() {
    let dir = scratch();
    let denied = Fault::Refuse { status: 403, code: "AccessDenied".into(), message: "no".into() };
    let ran = run(dir.path(), &order(Goal::provision()), |wire, settings| {
        settings.on_failure = Some(OnFailure::Keep);
        wire.trouble(Rule::new(Fault::Cut).operation("CreateKey").nth(1));
        wire.trouble(Rule::new(denied).operation("CreateDBInstance"));
        let throttled = Fault::Refuse { status: 400, code: "ThrottlingException".into(), message: String::new() };
        wire.trouble(Rule::new(throttled).operation("PutRetentionPolicy").nth(1));
    });
    let lines = told(dir.path());
    let of = |operation: &str| -> Vec<_> {
        let calls = calls(&lines).into_iter().filter(|call| call.operation == operation);
        calls.map(|call| (call.status, call.code)).collect()
    };
    assert_eq!(of("CreateKey")[0], (None, None), "executed, and the answer lost");
    assert_eq!(of("CreateDBInstance"), [(Some(403), Some("AccessDenied".to_owned()))]);
    assert!(of("PutRetentionPolicy").contains(&(Some(400), Some("ThrottlingException".to_owned()))));
    let mutating = ran.calls.iter().filter(|call| call.operation.mutating).count();
    assert_eq!(calls(&lines).len(), mutating);
    let Entry::RunEnded(ended) = &lines.last().unwrap().entry else { panic!("{lines:?}") };
    assert_eq!((ended.outcome.as_str(), ended.calls), ("kept", mutating));
}

#[test]
fn no_secret_is_in_the_log() {
    let disk = made(ACME);
    let text = String::from_utf8(disk.audit_log()).unwrap();
    let secrets: Vec<String> = disk.cloud()["secretsmanager"]["secrets"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|secret| secret["versions"].as_object().unwrap().values())
        .map(|version| version["string"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(secrets.len(), 3);
    assert!(secrets.iter().all(|secret| !text.contains(secret.as_str())));
    assert!(text.contains("CreateSecret"));
}

/// Opens rcm over a copy of `disk` whose log `change` was made to, and hands on what is wrong with it.
fn problems(disk: &Disk, change: impl FnOnce(Vec<String>) -> Vec<String>) -> Vec<String> {
    let dir = scratch();
    disk.write(dir.path());
    let text = fs::read_to_string(log(dir.path())).unwrap();
    let lines = change(text.lines().map(|line| format!("{line}\n")).collect());
    write_atomically(&log(dir.path()), lines.concat().as_bytes()).unwrap();
    verified(dir.path())
}

fn verified(dir: &Path) -> Vec<String> {
    let found =
        with(dir, &order(Goal::provision()), |_, _| {}, async |rcm: &Environment| rcm.verify_audit()).0.unwrap();
    found.problems.into_iter().map(|problem| problem.what).collect()
}

#[test]
fn a_log_that_was_changed_is_found() {
    let disk = made(ACME);
    assert_eq!(problems(&disk, |lines| lines), Vec::<String>::new());
    let found = |change: fn(Vec<String>) -> Vec<String>| problems(&disk, change);

    let changed = found(|mut lines| {
        let call = lines.iter_mut().find(|line| line.contains("\"status\":200")).unwrap();
        *call = call.replacen("\"status\":200", "\"status\":403", 1);
        lines
    });
    assert_eq!(changed, ["its hash is not that of what it says"]);
    let taken_out = found(|mut lines| {
        lines.remove(7);
        lines
    });
    assert_eq!(taken_out[0], "the line before it is not the one that it follows");
    let swapped = found(|mut lines| {
        lines.swap(7, 8);
        lines
    });
    assert_eq!(swapped.len(), 3, "{swapped:?}");
    let cut = found(|mut lines| {
        lines.truncate(lines.len() - 1);
        lines
    });
    assert!(cut[0].contains("some were taken away"), "{cut:?}");
    let emptied = found(|_| Vec::new());
    assert!(emptied[0].contains("some were taken away"), "{emptied:?}");
}

/// Whoever cuts off a whole run and makes the head agree is told by the state, which counts.
#[test]
fn a_run_that_was_taken_out_with_its_head_is_told_by_the_state() {
    let dir = scratch();
    made(ACME).write(dir.path());
    let (first, head) = (fs::read(log(dir.path())).unwrap(), log(dir.path()).with_extension("head.json"));
    let first_head = fs::read(&head).unwrap();
    let file = format!("{ACME}\necs_max_count = 12\n");
    let change = Order { file: &file, goal: Goal::provision(), polls: 1 };
    run(dir.path(), &change, |_, _| {}).result.unwrap();
    assert_eq!(verified(dir.path()), Vec::<String>::new());
    write_atomically(&log(dir.path()), &first).unwrap();
    write_atomically(&head, &first_head).unwrap();
    assert_eq!(verified(dir.path()), ["state 2 was made by runs that have no lines"]);
}

/// A process that is killed leaves half a line and no end: that is no tampering, and the next run says so.
#[test]
fn what_a_killed_run_has_left_is_mended_and_said() {
    let dir = scratch();
    made(ACME).write(dir.path());
    let text = fs::read(log(dir.path())).unwrap();
    let end = text[..text.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    // As it was before the run ended, with the head of its begin.
    let began = text.iter().position(|byte| *byte == b'\n').unwrap();
    let first: Line = serde_json::from_slice(&text[..began]).unwrap();
    write_atomically(&log(dir.path()), &text[..end + 20]).unwrap();
    let head = format!("{{\"lines\":1,\"hash\":\"{}\"}}", first.hash);
    write_atomically(&log(dir.path()).with_extension("head.json"), head.as_bytes()).unwrap();
    assert_eq!(verified(dir.path()), Vec::<String>::new());

    run(dir.path(), &order(Goal::provision()), |_, _| {}).result.unwrap();
    let Some(Entry::Mended(mended)) =
        told(dir.path()).into_iter().map(|line| line.entry).find(|entry| matches!(entry, Entry::Mended(_)))
    else {
        panic!("nothing was mended")
    };
    let Entry::RunBegan(began) = first.entry else { panic!("it begins with a run") };
    assert_eq!((mended.run, mended.torn_bytes), (Some(began.run), 20));
    assert_eq!(verified(dir.path()), Vec::<String>::new());
}

/// A log that was cut off is gone on with, and shows for ever that it was.
#[test]
fn a_run_goes_on_after_a_gap_and_says_so() {
    let dir = scratch();
    made(ACME).write(dir.path());
    fs::remove_file(log(dir.path())).unwrap();
    let report = run(dir.path(), &order(Goal::provision()), |_, _| {}).result.unwrap();
    assert!(report.notes.iter().any(|note| note.contains("some were taken away")), "{:?}", report.notes);
    assert!(verified(dir.path())[0].contains("some were taken away"));
}

/// The log cannot be begun: nothing is sent.
#[test]
fn without_a_log_nothing_is_sent() {
    let dir = scratch();
    fs::create_dir_all(log(dir.path())).unwrap();
    let ran = run(dir.path(), &order(Goal::provision()), |_, _| {});
    assert!(ran.result.is_err());
    assert_eq!(ran.calls.mutating().len(), 0);
}

/// The disk is full for the log alone, in the middle of a run: the run is none the worse and says so, and so does the next one's log.
#[cfg(target_os = "linux")]
#[test]
fn a_log_that_cannot_be_gone_on_with_stops_no_run() {
    use std::os::fd::AsRawFd;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use rcm::engine::run::Outcome;
    use rcm_testkit::calls::Moment;
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

    let dir = scratch();
    let memory = Arc::new(memfd_create("audit", MemfdFlags::ALLOW_SEALING | MemfdFlags::CLOEXEC).unwrap());
    fs::create_dir_all(log(dir.path()).parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(format!("/proc/self/fd/{}", memory.as_raw_fd()), log(dir.path())).unwrap();
    let (sealed, seen) = (Arc::clone(&memory), AtomicUsize::new(0));
    let ran = run(dir.path(), &order(Goal::provision()), move |wire, _| {
        wire.witness(move |call, moment| {
            let counts = moment == Moment::Arrived && call.operation.mutating;
            if counts && seen.fetch_add(1, Ordering::SeqCst) == 20 {
                fcntl_add_seals(&*sealed, SealFlags::GROW).unwrap();
            }
        });
    });
    let report = ran.result.unwrap();
    assert!(matches!(report.outcome, Outcome::Done), "{:?}", report.outcome);
    assert!(report.notes.iter().any(|note| note.contains("lines of this run are not in it")), "{:?}", report.notes);

    let written = fs::read(log(dir.path())).unwrap();
    fs::remove_file(log(dir.path())).unwrap();
    write_atomically(&log(dir.path()), &written).unwrap();
    let lines = written.iter().filter(|byte| **byte == b'\n').count();
    assert!(lines < ran.calls.mutating().len() && written.ends_with(b"\n"), "what was written is whole: {lines} lines");
    let next = run(dir.path(), &order(Goal::provision()), |_, _| {}).result.unwrap();
    assert!(next.plan.is_empty());
    assert_eq!(verified(dir.path()), Vec::<String>::new());
    let mended =
        told(dir.path()).iter().any(|line| matches!(&line.entry, Entry::Mended(mended) if mended.run.is_some()));
    assert!(mended, "that the run has no end is said");
}
