//! Secrets that get another value: at every instant what is current is the pair that works, or the next run makes it so.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};

use rcm::aws::secret::Secret;
use rcm::engine::model::Events;
use rcm::engine::plan::Depth;
use rcm::engine::run::Outcome;
use rcm::{Environment, Error, Goal, Renewed, Settings};
use rcm_testkit::calls::{Fault, Moment, Rule, Wire};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::stage::{acme, everything, play, provisioned};
use super::world::{Disk, Order, each, log_is_whole, roll_back, run, scratch, with, with_settings};

const PASSWORD: &str = "database-password";
const JWT: &str = "jwt-secret";

/// With an image, so that tasks run, and with a replica, so that there are two URLs.
static FILE: LazyLock<String> = LazyLock::new(|| with_settings(&acme(), "db_read_replicas = 1"));
static MADE: LazyLock<Disk> = LazyLock::new(|| provisioned(&FILE));

fn order() -> Order<'static> {
    Order { file: &FILE, goal: Goal::provision(), polls: 1 }
}

/// A value that a label of a secret is on.
fn labelled(disk: &Disk, name: &str, label: &str) -> Option<String> {
    let versions = &disk.cloud()["secretsmanager"]["secrets"][format!("acme-rcm/{name}")]["versions"];
    let has_it = |version: &&Value| version["stages"].as_array().unwrap().iter().any(|stage| stage == label);
    versions.as_object().unwrap().values().find(has_it).map(|version| version["string"].as_str().unwrap().to_owned())
}

fn current(disk: &Disk, name: &str) -> String {
    labelled(disk, name, "AWSCURRENT").unwrap()
}

/// Every value of every secret.
fn values(disk: &Disk) -> Vec<String> {
    let secrets = &disk.cloud()["secretsmanager"]["secrets"];
    let versions =
        secrets.as_object().unwrap().values().flat_map(|secret| secret["versions"].as_object().unwrap().values());
    versions.map(|version| version["string"].as_str().unwrap().to_owned()).collect()
}

fn digest(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The digest of the password that the database takes.
fn taken(disk: &Disk) -> String {
    let instance = &disk.cloud()["rds"]["instances"]["acme-rcm-prod-db"];
    instance["password_sha256"].as_str().unwrap_or_else(|| panic!("{instance}")).to_owned()
}

/// The password in a URL.
fn password_in(url: &str) -> &str {
    let (login, _) = url.strip_prefix("postgresql://").unwrap().split_once('@').unwrap();
    login.split_once(':').unwrap().1
}

/// What is current is what the database takes, everywhere.
fn fits(disk: &Disk) -> Result<(), String> {
    let password = current(disk, PASSWORD);
    if digest(&password) != taken(disk) {
        return Err("the database takes another password than the current one".into());
    }
    for url in ["database-url", "database-reader-url"] {
        if password_in(&current(disk, url)) != password {
            return Err(format!("{url} has another password than the current one"));
        }
    }
    Ok(())
}

/// How many deployments the service has had since it was made.
fn deployments(disk: &Disk) -> String {
    let services = &disk.cloud()["ecs"]["services"];
    let service = services.as_object().unwrap().values().next().unwrap();
    assert!(!service.to_string().contains("rcm:redeploy"), "nothing is still to be replaced");
    service["deployments"].to_string()
}

fn renew(dir: &Path, name: &str, arrange: impl FnOnce(&Wire, &mut Settings)) -> Result<Renewed, Error> {
    with(dir, &order(), arrange, async |rcm| rcm.rotate_secret(name).await).0
}

/// Nothing is left to do, and nobody sees a change made outside rcm.
fn nothing_to_do(dir: &Path) -> Result<(), String> {
    let work = async |rcm: &Environment| Ok((rcm.plan(&Goal::provision()).await?, rcm.drift().await?));
    let deep = |_: &Wire, settings: &mut Settings| settings.depth = Depth::Full;
    let (plan, drift) = with(dir, &order(), deep, work).0.map_err(|error| error.to_string())?;
    match (plan.is_empty(), drift.is_empty()) {
        (true, true) => Ok(()),
        _ => Err(format!("{:?} {drift:?}", plan.steps().collect::<Vec<_>>())),
    }
}

#[test]
fn a_rotated_password_is_taken_by_the_database_and_read_by_new_tasks() {
    let dir = scratch();
    MADE.write(dir.path());
    let (before, deployed) = (current(&MADE, PASSWORD), deployments(&MADE));
    let renewed = renew(dir.path(), PASSWORD, |_, _| {}).unwrap();
    let disk = Disk::read(dir.path());
    fits(&disk).unwrap();
    assert_ne!(current(&disk, PASSWORD), before);
    assert_eq!(labelled(&disk, PASSWORD, "AWSPREVIOUS"), Some(before));
    assert_eq!(labelled(&disk, PASSWORD, "AWSPENDING"), None);
    assert_ne!(deployments(&disk), deployed);
    let with: Vec<_> = renewed.with.iter().map(ToString::to_string).collect();
    assert_eq!(with, ["database/instance", "secrets/database-reader-url", "secrets/database-url"]);
    assert_eq!(renewed.redeployed.unwrap().as_str(), "compute/service");
    nothing_to_do(dir.path()).unwrap();
    log_is_whole(dir.path()).unwrap();
}

#[test]
fn a_rotated_secret_of_tokens_keeps_the_one_before() {
    let dir = scratch();
    MADE.write(dir.path());
    let (before, password, deployed) = (current(&MADE, JWT), current(&MADE, PASSWORD), deployments(&MADE));
    let renewed = renew(dir.path(), JWT, |_, _| {}).unwrap();
    let disk = Disk::read(dir.path());
    assert_ne!(current(&disk, JWT), before);
    assert_eq!(current(&disk, JWT).len(), before.len());
    assert_eq!(labelled(&disk, JWT, "AWSPREVIOUS"), Some(before));
    assert_eq!(current(&disk, PASSWORD), password);
    assert!(renewed.with.is_empty());
    assert_ne!(deployments(&disk), deployed);
    nothing_to_do(dir.path()).unwrap();
}

#[test]
fn a_value_of_ones_own_is_put_in_force_and_a_wrong_one_is_refused() {
    let dir = scratch();
    MADE.write(dir.path());
    let set = |name: &str, value: &str| {
        with(dir.path(), &order(), |_, _| {}, async |rcm| rcm.set_secret(name, Secret::new(value)).await).0
    };
    for wrong in ["", "short", "with a space in it", "a@b-and-more", "slashes/slashes"] {
        assert!(matches!(set(PASSWORD, wrong), Err(Error::NoSecret { .. })), "{wrong}");
    }
    assert!(matches!(set("database-url", "postgresql://x"), Err(Error::NoSuchSecret { derived: true, .. })));
    let Err(Error::NoSuchSecret { allowed, .. }) = set("stripe-key", "x") else { panic!("it was taken") };
    assert_eq!(allowed, [PASSWORD, JWT]);
    assert_eq!(Disk::read(dir.path()).cloud(), MADE.cloud(), "nothing was changed");

    set(PASSWORD, "Odd:pass?word#1%").unwrap();
    set("secrets/jwt-secret", "a new secret of tokens").unwrap();
    let disk = Disk::read(dir.path());
    assert_eq!(current(&disk, PASSWORD), "Odd:pass?word#1%");
    assert_eq!(digest("Odd:pass?word#1%"), taken(&disk));
    assert!(current(&disk, "database-url").contains(":Odd%3Apass%3Fword%231%25@"));
    assert_eq!(current(&disk, JWT), "a new secret of tokens");
    nothing_to_do(dir.path()).unwrap();
}

#[test]
fn secrets_are_listed_without_values() {
    let disk = MADE.clone();
    play(&disk, async |stage| {
        let listed = stage.rcm(&FILE, Depth::Quick).await.secrets().await.unwrap();
        let names: Vec<_> = listed.iter().map(|secret| (secret.name.as_str(), secret.derived)).collect();
        assert_eq!(
            names,
            [
                ("database-password", false),
                ("database-reader-url", true),
                ("database-url", true),
                ("jwt-secret", false)
            ]
        );
        assert!(listed.iter().all(|secret| secret.last_changed.is_some() && secret.version_id.is_some()));
        assert_eq!(stage.wire.calls().of("GetSecretValue").len(), 0);
        assert_eq!(stage.wire.calls().mutating().len(), 0);
    });
}

/// Every different disk that a rotation has before and after its calls.
fn instants(name: &str) -> Vec<(String, Disk)> {
    let dir = scratch();
    MADE.write(dir.path());
    let moments: Arc<Mutex<Vec<(String, Disk)>>> = Arc::default();
    let (seen, path) = (Arc::clone(&moments), dir.path().to_owned());
    renew(dir.path(), name, move |wire, _| {
        wire.witness(move |call, moment| {
            let word = if moment == Moment::Arrived { "before" } else { "after" };
            seen.lock().unwrap().push((format!("{word} {} {}", call.sequence, call.operation), Disk::read(&path)));
        });
    })
    .unwrap();
    let mut known = HashSet::new();
    let mut moments = std::mem::take(&mut *moments.lock().unwrap());
    moments.retain(|(_, disk)| known.insert(disk.without_log()));
    moments
}

/// Whatever comes next after a crash, the pair fits, the tasks that run have read it, and nothing is left to do.
fn settled(name: &str, next: &str, work: impl Fn(&Path) -> Result<(), String> + Sync) {
    let forks = instants(name);
    each(&format!("{name}, then {next}"), &forks, |(at, disk), dir| {
        let told = |why: String| format!("{name} killed {at}, then {next}:\n{why}");
        disk.write(dir);
        work(dir).map_err(told)?;
        let left = Disk::read(dir);
        fits(&left).map_err(told)?;
        let current = current(&left, name);
        deployments(&left);
        if current.is_empty() {
            return Err(told("it has no value".into()));
        }
        nothing_to_do(dir).map_err(told)?;
        log_is_whole(dir).map_err(told)
    });
    println!("{name}: killed at {} instants, then {next}", forks.len());
}

fn done(dir: &Path) -> Result<(), String> {
    match run(dir, &order(), |_, _| {}).result {
        Ok(report) if matches!(report.outcome, Outcome::Done) => Ok(()),
        Ok(report) => Err(format!("{:?}", report.outcome)),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn a_rotation_that_is_killed_anywhere_is_gone_on_with_by_the_same_command() {
    for name in [PASSWORD, JWT] {
        let before = current(&MADE, name);
        settled(name, "rotated again", |dir| {
            renew(dir, name, |_, _| {}).map_err(|error| error.to_string())?;
            let now = current(&Disk::read(dir), name);
            if now == before { Err("it has its old value".into()) } else { Ok(()) }
        });
    }
}

#[test]
fn a_rotation_that_is_killed_anywhere_is_settled_by_a_provision() {
    for name in [PASSWORD, JWT] {
        settled(name, "provisioned", done);
    }
}

#[test]
fn a_rotation_that_is_killed_anywhere_can_be_rolled_back() {
    settled(PASSWORD, "rolled back", |dir| match roll_back(dir, &order()) {
        Ok(ended) if ended.left.is_empty() => Ok(()),
        Ok(ended) => Err(format!("{ended:?}")),
        Err(error) => Err(error.to_string()),
    });
}

/// Refused for good at each call in turn: the same command, or a provision, ends well.
#[test]
fn a_rotation_that_fails_anywhere_is_gone_on_with() {
    let dir = scratch();
    MADE.write(dir.path());
    let calls = with(dir.path(), &order(), |_, _| {}, async |rcm| rcm.rotate_secret(PASSWORD).await).1.len();
    let points: Vec<(usize, bool)> = (1..=calls).flat_map(|nth| [(nth, true), (nth, false)]).collect();
    each("a rotation that fails", &points, |(nth, again), dir| {
        let told =
            |why: String| format!("call {nth} refused, then {}:\n{why}", if *again { "again" } else { "provisioned" });
        MADE.write(dir);
        let denied = Fault::Refuse { status: 403, code: "AccessDeniedException".into(), message: "no".into() };
        let failed = renew(dir, PASSWORD, |wire, _| wire.trouble(Rule::new(denied).nth(*nth)));
        if failed.is_ok() {
            return Err(told("nobody has noticed".into()));
        }
        if *again {
            renew(dir, PASSWORD, |_, _| {}).map_err(|error| told(error.to_string()))?;
        } else {
            done(dir).map_err(told)?;
        }
        fits(&Disk::read(dir)).map_err(told)?;
        nothing_to_do(dir).map_err(told)
    });
    println!("a rotation refused at each of {calls} calls, then sent again or provisioned over");
}

/// Throttled, reset, answered late or not at all, at each call in turn: nobody notices.
#[test]
fn a_rotation_shrugs_off_what_passes_by_itself() {
    let dir = scratch();
    MADE.write(dir.path());
    let calls = with(dir.path(), &order(), |_, _| {}, async |rcm| rcm.rotate_secret(PASSWORD).await).1.len();
    let points: Vec<(usize, Fault)> = (1..=calls)
        .flat_map(|nth| {
            let busy = Fault::Refuse { status: 503, code: "ServiceUnavailable".into(), message: String::new() };
            [(nth, busy), (nth, Fault::Cut), (nth, Fault::Reset)]
        })
        .collect();
    each("a rotation with trouble", &points, |(nth, fault), dir| {
        let told = |why: String| format!("call {nth} met {fault:?}:\n{why}");
        MADE.write(dir);
        renew(dir, PASSWORD, |wire, _| wire.trouble(Rule::new(fault.clone()).nth(*nth)))
            .map_err(|error| told(error.to_string()))?;
        fits(&Disk::read(dir)).map_err(told)?;
        nothing_to_do(dir).map_err(told)
    });
}

/// What an earlier run has left half done is not mixed with a rotation.
#[test]
fn a_rotation_waits_for_an_unfinished_run() {
    let dir = scratch();
    MADE.with_undo(&["network/vpc"]).write(dir.path());
    let refused = renew(dir.path(), PASSWORD, |_, _| {}).unwrap_err();
    assert!(matches!(&refused, Error::Unfinished(address) if address.as_str() == "network/vpc"), "{refused}");
    assert_eq!(Disk::read(dir.path()).cloud(), MADE.cloud());
}

/// Neither on rcm's disk nor in what it tells.
#[test]
fn no_value_gets_out() {
    let dir = scratch();
    provisioned(&everything()).write(dir.path());
    let told: Arc<Mutex<String>> = Arc::default();
    let listening = Arc::clone(&told);
    let file = everything();
    let order = Order { file: &file, goal: Goal::provision(), polls: 1 };
    let arrange = move |_: &Wire, settings: &mut Settings| {
        settings.events =
            Events::to(move |event| listening.lock().unwrap().push_str(&serde_json::to_string(event).unwrap()));
    };
    let work = async |rcm: &Environment| {
        let rotated = rcm.rotate_secret(PASSWORD).await?;
        Ok((rotated, rcm.set_secret(JWT, Secret::new("hunter2-hunter2")).await?))
    };
    let renewed = with(dir.path(), &order, arrange, work).0.unwrap();
    let values = values(&Disk::read(dir.path()));
    assert!(values.len() >= 7 && values.contains(&"hunter2-hunter2".to_owned()));
    let mut text = told.lock().unwrap().clone() + &format!("{renewed:?}") + &serde_json::to_string(&renewed).unwrap();
    for file in fs::read_dir(dir.path().join("state/acme")).unwrap() {
        text.push_str(&String::from_utf8_lossy(&fs::read(file.unwrap().path()).unwrap()));
    }
    assert!(text.contains("UpdateSecretVersionStage"), "the audit log is looked at too");
    for value in values {
        assert!(!text.contains(&value) && !text.contains(password_of(&value)), "a value is in what is told");
    }
}

fn password_of(value: &str) -> &str {
    if value.contains("://") { password_in(value) } else { value }
}
