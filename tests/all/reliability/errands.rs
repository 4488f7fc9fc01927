//! The short commands that change what rcm knows, killed at every instant: the state can always be read, and the same command
//! again ends as one that nobody killed, or says that it has happened already.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use aws_sdk_applicationautoscaling::types::{ScalableDimension, ServiceNamespace};
use rcm::engine::model::{Address, Id};
use rcm::engine::plan::Depth;
use rcm::{Environment, Error, Goal};
use rcm_testkit::calls::Moment;
use serde_json::json;

use super::canon::{difference, inventory};
use super::stage::play;
use super::world::{ACME, Disk, Order, each, keep_journal, kept_journal, log_is_whole, made, scratch, store, with};

const KEPT: &str = "storage/repository/web";
const FREE: &str = "storage/repository/api";
const LOGS: &str = "storage/log-group/application";

fn address(text: &str) -> Address {
    Address::new(text).unwrap()
}

#[derive(Clone)]
enum Errand {
    Forget,
    Move,
    Import(Id),
    AcceptDrift,
    Rebuild { force: bool },
}

impl Errand {
    async fn run(&self, rcm: &Environment) -> Result<(), Error> {
        match self {
            Self::Forget => rcm.forget(&address(KEPT)).await,
            Self::Move => rcm.rename(&address(KEPT), &address(FREE)).await,
            Self::Import(id) => rcm.import(&address(LOGS), id).await.map(drop),
            Self::AcceptDrift => rcm.accept_drift().await.map(drop),
            Self::Rebuild { force } => rcm.rebuild(*force).await.map(drop),
        }
    }

    /// Whether this is how a second time is refused.
    fn has_happened(&self, error: &Error) -> bool {
        match self {
            Self::Forget | Self::Move => matches!(error, Error::NotInState(gone) if *gone == address(KEPT)),
            Self::Import(_) => matches!(error, Error::Known { address: known, .. } if *known == address(LOGS)),
            Self::Rebuild { force: false } => matches!(error, Error::StateExists(_)),
            Self::AcceptDrift | Self::Rebuild { force: true } => false,
        }
    }
}

/// An instant at which the process may have died, and what it left.
struct Fork {
    at: String,
    disk: Disk,
}

fn fork(at: impl Into<String>, disk: Disk) -> Fork {
    Fork { at: at.into(), disk }
}

fn order(file: &str) -> Order<'_> {
    Order { file, goal: Goal::provision(), polls: 1 }
}

/// Does it once, with nobody in the way: the disk before and after each call, what the journal got, and the end.
fn tell(start: &Disk, file: &str, errand: &Errand) -> (Vec<Fork>, Vec<u8>, Disk) {
    let dir = scratch();
    start.write(dir.path());
    keep_journal(dir.path());
    let moments: Arc<Mutex<Vec<Fork>>> = Arc::default();
    let (seen, path) = (Arc::clone(&moments), dir.path().to_owned());
    let watch = move |wire: &rcm_testkit::calls::Wire, _: &mut rcm::Settings| {
        wire.witness(move |call, moment| {
            let word = if moment == Moment::Arrived { "before" } else { "after" };
            seen.lock().unwrap().push(fork(format!("{word} {}", call.operation), Disk::read(&path)));
        });
    };
    with(dir.path(), &order(file), watch, async |rcm| errand.run(rcm).await).0.unwrap();
    let moments = std::mem::take(&mut *moments.lock().unwrap());
    (moments, kept_journal(dir.path()), Disk::read(dir.path()))
}

/// Every instant of `errand`: at its calls, at each line of its journal, whole and torn, and while its snapshot is written.
fn instants(start: &Disk, file: &str, errand: &Errand) -> (Vec<Fork>, Disk) {
    let (mut forks, _, end) = tell(start, file, errand);
    let done = end.without_journal().with_state_of(start);
    let journal = if start.state().is_null() { Vec::new() } else { tell(&start.just_begun(), file, errand).1 };
    let mut at = 0;
    for line in journal.split_inclusive(|byte| *byte == b'\n') {
        forks.push(fork("in a line of the journal", done.with_journal(&journal[..at + line.len() / 2])));
        at += line.len();
        forks.push(fork("after a line of the journal", done.with_journal(&journal[..at])));
    }
    let written = if journal.is_empty() { done } else { done.with_journal(&journal) };
    forks.extend(written.while_writing_the_state_of(&end).map(|disk| fork("while the snapshot is written", disk)));
    if !journal.is_empty() {
        forks.push(fork("before the journal is removed", end.with_journal(&journal)));
    }
    forks.push(fork("at the end", end.clone()));
    (forks, end)
}

/// Kills `errand` at each different one of `forks` and sends it again.
fn sent_again(what: &str, file: &str, errand: &Errand, mut forks: Vec<Fork>, end: &Disk) {
    let mut known = HashSet::new();
    forks.retain(|fork| known.insert(fork.disk.without_log()));
    let end = inventory(&end.folded());
    each(what, &forks, |fork, dir| {
        again(fork, file, errand, &end, dir).map_err(|why| format!("{what}, killed {}:\n{why}", fork.at))
    });
    println!("{what}: killed at {} instants and sent again", forks.len());
}

fn again(fork: &Fork, file: &str, errand: &Errand, end: &[String], dir: &Path) -> Result<(), String> {
    fork.disk.write(dir);
    store(dir).load().map_err(|error| error.to_string())?;
    match with(dir, &order(file), |_, _| {}, async |rcm| errand.run(rcm).await).0 {
        Ok(()) => {}
        Err(error) if errand.has_happened(&error) => {}
        Err(error) => return Err(error.to_string()),
    }
    log_is_whole(dir)?;
    let difference = difference(end, &inventory(&Disk::read(dir).folded()));
    if difference.is_empty() { Ok(()) } else { Err(difference) }
}

fn everywhere(what: &str, start: &Disk, file: &str, errand: &Errand) {
    let (forks, end) = instants(start, file, errand);
    assert_ne!(inventory(start), inventory(&end), "it does something");
    sent_again(what, file, errand, forks, &end);
}

/// What is there without what was forgotten.
fn forgotten(start: &Disk, known: &str) -> Disk {
    play(start, async |stage| stage.rcm(ACME, Depth::Quick).await.forget(&address(known)).await.unwrap())
}

#[test]
fn what_is_forgotten_when_killed_is_forgotten() {
    everywhere("state rm", &made(ACME), ACME, &Errand::Forget);
}

#[test]
fn what_is_moved_when_killed_is_moved() {
    everywhere("state mv", &forgotten(&made(ACME), FREE), ACME, &Errand::Move);
}

#[test]
fn what_is_imported_when_killed_is_imported() {
    let provisioned = made(ACME);
    let id = provisioned.state()["resources"][LOGS]["id"].as_str().unwrap().to_owned();
    let name = id.clone();
    // Without tags, so that the import writes to the cloud too.
    let start = play(&forgotten(&provisioned, LOGS), async |stage| {
        let logs = stage.aws().await.logs;
        logs.delete_log_group().log_group_name(&name).send().await.unwrap();
        logs.create_log_group().log_group_name(&name).send().await.unwrap();
    });
    everywhere("import", &start, ACME, &Errand::Import(Id::new(id)));
}

/// Two resources have changed, so that one may be written down and the other not.
#[test]
fn drift_that_is_accepted_when_killed_is_accepted() {
    let file = format!("{ACME}\ndb_instance_class = \"db.r6g.large\"\necs_max_count = 12\n");
    let start = play(&made(ACME), async |stage| {
        let at = stage.at().await;
        let database = at.aws.rds.modify_db_instance().db_instance_identifier(at.id("database/instance"));
        database.db_instance_class("db.r6g.large").apply_immediately(true).send().await.unwrap();
        stage.settle();
        let target = at.aws.autoscaling.register_scalable_target().service_namespace(ServiceNamespace::Ecs);
        let target = target.scalable_dimension(ScalableDimension::EcsServiceDesiredCount).max_capacity(12);
        target.resource_id(at.id("compute/scalable-target")).send().await.unwrap();
    });
    let (_, _, end) = tell(&start, &file, &Errand::AcceptDrift);
    let accepted = |address: &str| start.state()["resources"][address] != end.state()["resources"][address];
    assert!(accepted("database/instance") && accepted("compute/scalable-target"));
    everywhere("drift --accept", &start, &file, &Errand::AcceptDrift);
}

#[test]
fn a_lost_state_that_is_made_again_when_killed_is_made_again() {
    let lost = made(ACME).without_state();
    everywhere("state rebuild", &lost, ACME, &Errand::Rebuild { force: false });
}

/// The old state with its unfinished journal gives way: it is copied, then folded, then replaced.
#[test]
fn a_state_that_is_replaced_when_killed_is_the_old_one_or_the_new_one() {
    let errand = Errand::Rebuild { force: true };
    let provisioned = made(ACME);
    let (_, journal, _) = tell(&provisioned.just_begun(), ACME, &Errand::Forget);
    let start = provisioned.with_journal(&journal);
    let (mut forks, _, end) = tell(&start, ACME, &errand);
    // The log says from the start that this errand has begun.
    let begun = start.with_log_of(&forks.last().unwrap().disk);
    let (mut copied, backups) = (begun, end.backups());
    assert_eq!(backups.len(), 2, "the state and its journal");
    for (path, bytes) in backups {
        copied = copied.with(&path, &bytes);
        forks.push(fork("after a copy", copied.clone()));
    }
    let mut folded = copied.folded().state();
    folded["serial"] = json!(folded["serial"].as_u64().unwrap() + 1);
    let folded = copied.with_state_of(&Disk::default().with_state(&folded));
    forks.extend(copied.while_writing_the_state_of(&folded).map(|disk| fork("while it is folded", disk)));
    forks.push(fork("after it is folded", folded.clone()));
    let folded = folded.without_journal();
    forks.extend(folded.while_writing_the_state_of(&end).map(|disk| fork("while the new one is written", disk)));
    forks.push(fork("before the new one is written", folded));
    forks.push(fork("at the end", end.clone()));
    sent_again("state rebuild --force", ACME, &errand, forks, &end);
}
