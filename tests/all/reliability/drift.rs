//! Whatever somebody changes in whatever kind of resource, rcm says what, and puts it back.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcm::engine::{
    model::{Id, OnDestroy, Target},
    plan::{Action, Added, Deleted, Depth, Drift, Plan, TAGS, Why, possessions},
    store::{Facts, Record},
};
use rcm::{Error, Goal};
use serde_json::{Map, Value};

use super::stage::{Stage, acme, everything, on_app_runner, play, provisioned};
use super::tampering::{IMMUTABLE, Row, UNREADABLE, rows};
use super::world::{Disk, each, ground};

/// Every field of every kind's spec, from the graph of the whole stack.
async fn fields(stage: &Stage) -> BTreeMap<String, BTreeSet<String>> {
    let mut fields: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut kinds: BTreeSet<String> = BTreeSet::new();
    for file in [everything(), on_app_runner()] {
        let rcm = stage.rcm(&file, Depth::Full).await;
        kinds.extend(rcm.registry().iter().map(|resource| resource.kind().to_owned()));
        for node in rcm.graph().unwrap().nodes() {
            let of = fields.entry(node.kind.to_owned()).or_default();
            of.extend(node.spec.as_object().unwrap().keys().cloned());
        }
    }
    for kind in kinds {
        assert!(fields.contains_key(&kind), "the stack has no {kind}");
    }
    fields
}

fn listed(list: &[(&str, &str, &str)], kind: &str, field: &str) -> bool {
    list.iter().any(|(its_kind, its_field, _)| *its_kind == kind && [field, "*"].contains(its_field))
}

#[test]
fn every_field_of_every_kind_can_be_tampered_with_or_is_known_not_to_be() {
    let disk = provisioned(&acme());
    play(&disk, async |stage| {
        let fields = fields(stage).await;
        let rows: BTreeSet<_> = rows().iter().map(|row| (row.kind, row.field)).collect();
        for (kind, fields) in &fields {
            for field in fields {
                let places = [
                    rows.contains(&(kind.as_str(), field.as_str())),
                    listed(UNREADABLE, kind, field),
                    IMMUTABLE.iter().any(|(its_kind, its_field, _)| its_kind == kind && its_field == field)
                        || (listed(IMMUTABLE, kind, "*") && !rows.iter().any(|(its_kind, _)| its_kind == kind)),
                ];
                let count = places.iter().filter(|place| **place).count();
                assert_eq!(count, 1, "{kind} {field} is in {count} places of the tables, not in one");
            }
        }
        let exists = |kind: &str, field: &str| fields.get(kind).is_some_and(|of| field == "*" || of.contains(field));
        let known = IMMUTABLE.iter().chain(UNREADABLE).map(|(kind, field, _)| (*kind, *field));
        for (kind, field) in rows.iter().copied().chain(known) {
            assert!(exists(kind, field), "{kind} has no {field} any more");
        }
    });
}

/// What a drift consists of, as (address, field).
fn found(drift: &Drift) -> Vec<(String, String)> {
    let of = drift.changed.iter().flat_map(|changed| {
        changed.fields.iter().map(|deviation| (changed.address.to_string(), deviation.field.clone()))
    });
    of.collect()
}

/// What a plan repairs, in the same words.
fn repaired(plan: &Plan) -> Vec<(String, String)> {
    let of = plan
        .repairs()
        .into_iter()
        .flat_map(|repair| repair.fields.into_iter().map(move |field| (repair.address.to_string(), field)));
    of.collect()
}

/// What is wrong with how rcm takes the change of `row`.
fn tampered(disk: &Disk, row: &Row) -> Vec<String> {
    let Row { kind, field, address, also, seen, change, file } = row;
    let file = file();
    let mut expected: Vec<_> =
        also.iter().chain([field]).map(|field| ((*address).to_owned(), (*field).to_owned())).collect();
    expected.sort();
    let mut wrong = Vec::new();
    play(disk, async |stage| {
        change(stage.at().await).await;
        stage.settle();
        let drift = stage.rcm(&file, Depth::Quick).await.drift().await.unwrap();
        let quick = stage.rcm(&file, Depth::Quick).await.plan(&Goal::provision()).await.unwrap();
        let plan = stage.provision(&file).await.plan;
        let left = stage.rcm(&file, Depth::Full).await.drift().await.unwrap();
        let again = stage.plan(&file).await;
        let mut complain = |what: &str, is: String| wrong.push(format!("{kind} {field}: {what}: {is}"));
        if found(&drift) != expected || !drift.deleted.is_empty() || !drift.added.is_empty() {
            complain("the drift is", format!("{drift:?}"));
        }
        if repaired(&plan) != expected {
            complain("the run repairs", format!("{:?} of {:#?}", repaired(&plan), plan.forward));
        }
        if quick.is_empty() != (*seen == Depth::Full) {
            complain("a quick look finds", format!("{:?}", repaired(&quick)));
        }
        if !left.is_empty() || !again.is_empty() {
            complain("after the repair there is left", format!("{left:?} {:#?}", again.forward));
        }
    });
    wrong
}

#[test]
fn whatever_is_tampered_with_is_found_by_name_and_put_back() {
    let files: BTreeSet<String> = rows().iter().map(|row| (row.file)()).collect();
    let disks: BTreeMap<String, Disk> = files.into_iter().map(|file| (file.clone(), provisioned(&file))).collect();
    let next = AtomicUsize::new(0);
    let wrong: Mutex<Vec<String>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let rows = rows();
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let found = catch_unwind(AssertUnwindSafe(|| tampered(&disks[&(row.file)()], row)));
                    let found = found.unwrap_or_else(|_| vec![format!("{} {}: panicked", row.kind, row.field)]);
                    wrong.lock().unwrap().extend(found);
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_changed_partner_file_is_no_drift() {
    let disk = provisioned(&acme());
    play(&disk, async |stage| {
        let file = format!("{}\necs_cpu = 2048\necs_memory = 4096\nnat_gateways = 2\n", acme());
        assert!(!stage.plan(&file).await.is_empty());
        let drift = stage.rcm(&file, Depth::Full).await.drift().await.unwrap();
        assert!(drift.is_empty(), "{drift:?}");
    });
}

#[test]
fn what_is_deleted_is_found_and_made_again() {
    let disk = provisioned(&acme());
    play(&disk, async |stage| {
        let at = stage.at().await;
        at.aws.ecr.delete_repository().repository_name(at.id("storage/repository/web")).send().await.unwrap();
        let drift = stage.rcm(&acme(), Depth::Full).await.drift().await.unwrap();
        assert_eq!(drift.deleted[0].address.as_str(), "storage/repository/web");
        assert!(drift.changed.is_empty() && drift.added.is_empty(), "{drift:?}");
        let (_, taken) = stage.rcm(&acme(), Depth::Full).await.accept_drift().await.unwrap();
        assert_eq!(taken.refused[0].why, Why::WantsIt);
        let repairs = stage.provision(&acme()).await.plan.repairs();
        assert!(repairs[0].deleted && repairs.len() == 1, "{repairs:?}");
        assert!(stage.rcm(&acme(), Depth::Full).await.drift().await.unwrap().is_empty());
    });
}

/// Everything that carries tags, left to itself: forgotten by the state, it is found by its tags.
#[test]
fn what_nobody_knows_of_is_found_by_its_tags() {
    for file in [everything(), on_app_runner()] {
        let disk = provisioned(&file);
        play(&disk, async |stage| {
            let tagged = tagged(stage, &file).await;
            for record in &tagged {
                stage.rcm(&file, Depth::Full).await.forget(&record.address).await.unwrap();
            }
            let drift = stage.rcm(&file, Depth::Full).await.drift().await.unwrap();
            let told =
                |added: &Added| (added.owned.address.clone().unwrap(), added.kind.clone(), added.owned.id.clone());
            let found: BTreeSet<_> = drift.added.iter().map(told).collect();
            let known = |record: &Record| (record.address.clone(), record.kind.clone(), record.id.clone().unwrap());
            assert_eq!(found, tagged.iter().map(known).collect());
            assert_eq!(drift.added.len(), found.len());
            assert!(drift.deleted.is_empty() && drift.untagged.is_empty(), "{drift:?}");
        });
    }
}

/// What is in the state and carries tags. That is every kind that can tell what carries the deployment's.
async fn tagged(stage: &Stage, file: &str) -> Vec<Record> {
    let (rcm, state) = (stage.rcm(file, Depth::Full).await, stage.state().await);
    for (kind, owned) in possessions(rcm.registry(), &state.deployment).await.unwrap() {
        assert!(
            owned.is_empty() || rcm.registry().get(kind).unwrap().tagged(),
            "{kind} lists and is not said to be tagged"
        );
    }
    let tagged = |record: &&Record| rcm.registry().get(&record.kind).unwrap().tagged();
    state.records().filter(tagged).cloned().collect()
}

/// Somebody takes the ownership tags of everything away, or lets them say something else.
#[test]
fn tags_that_are_gone_or_say_something_else_are_found_and_put_back() {
    let taken_away: fn(&mut Map<String, Value>) = |tags| tags.retain(|key, _| !OWNERSHIP.contains(&key.as_str()));
    let changed: fn(&mut Map<String, Value>) = |tags| {
        tags.insert("rcm:address".into(), "network/elsewhere".into());
    };
    for file in [everything(), on_app_runner()] {
        let disk = provisioned(&file);
        for (what, change) in [("taken away", taken_away), ("changed", changed)] {
            let expected = std::cell::RefCell::new(BTreeSet::new());
            play(&disk, async |stage| {
                let addresses = tagged(stage, &file).await.into_iter().map(|record| record.address.to_string());
                expected.borrow_mut().extend(addresses);
            });
            let expected = expected.into_inner();
            play(&disk.with_tags(change), async |stage| {
                let drift = stage.rcm(&file, Depth::Full).await.drift().await.unwrap();
                let found: BTreeSet<_> = drift.untagged.iter().map(|untagged| untagged.address.to_string()).collect();
                assert_eq!(found, expected, "{what}");
                let others = (&drift.changed, &drift.deleted, &drift.added);
                assert!(others.0.is_empty() && others.1.is_empty() && others.2.is_empty(), "{what}: {others:?}");
                let plan = stage.provision(&file).await.plan;
                let repaired: BTreeSet<_> =
                    plan.repairs().into_iter().map(|repair| (repair.address.to_string(), repair.fields)).collect();
                assert_eq!(
                    repaired,
                    expected.iter().map(|address| (address.clone(), vec![TAGS.to_owned()])).collect(),
                    "{what}"
                );
                let left = stage.rcm(&file, Depth::Full).await.drift().await.unwrap();
                assert!(left.is_empty(), "{what}: {left:?}");
                assert!(stage.plan(&file).await.is_empty());
            });
        }
    }
}

/// The tags that say whose a resource is.
const OWNERSHIP: [&str; 4] = ["rcm:partner", "rcm:environment", "rcm:address", "rcm:generation"];

/// The whole stack is gone, and the state knows nothing of it.
#[test]
fn a_stack_that_is_gone_is_found_gone() {
    for file in [everything(), on_app_runner()] {
        let made = provisioned(&file);
        let purge = Goal { purge: true, ..Goal::destroy() };
        let gone = play(&made, async |stage| drop(stage.run(&file, &purge).await));
        play(&gone.with_state_of(&made), async |stage| {
            let rcm = stage.rcm(&file, Depth::Full).await;
            let drift = rcm.drift().await.unwrap();
            let found: BTreeSet<_> = drift.deleted.iter().map(|deleted| deleted.address.to_string()).collect();
            // What is the account's stays, and a key can still be saved.
            let goes = |record: &&Record| {
                let kind = rcm.registry().get(&record.kind).unwrap();
                kind.on_destroy() != OnDestroy::Leave && record.kind != "kms/key"
            };
            let state = stage.state().await;
            let expected: BTreeSet<_> = state.records().filter(goes).map(|record| record.address.to_string()).collect();
            assert_eq!(found, expected);
            assert!(found.len() > 30 && drift.added.is_empty(), "{drift:?}");
            let changed: BTreeSet<_> = drift.changed.iter().map(|changed| changed.address.as_str()).collect();
            assert_eq!(changed, BTreeSet::from(["security/key"]));
        });
    }
}

/// Nothing is there any more of what the state knows, the account's own included.
#[test]
fn an_account_that_is_empty_is_found_empty() {
    // What is on or off in every account is changed, not gone.
    let settings =
        ["ec2/account-defaults", "ecr/registry-scanning", "iam/password-policy", "s3/account-public-access-block"];
    let file = everything();
    play(&ground(&file).with_state_of(&provisioned(&file)), async |stage| {
        let drift = stage.rcm(&file, Depth::Full).await.drift().await.unwrap();
        let deleted: BTreeSet<_> = drift.deleted.iter().map(|deleted| deleted.address.clone()).collect();
        let changed: BTreeSet<_> = drift.changed.iter().map(|changed| changed.address.clone()).collect();
        for record in stage.state().await.records() {
            let is_setting = settings.contains(&record.kind.as_str()) && changed.contains(&record.address);
            assert!(deleted.contains(&record.address) || is_setting, "{}: {drift:?}", record.address);
        }
    });
}

/// Kinds of which nobody can delete one alone: others stand on it, it can be saved, AWS has no delete for it (a subscription that
/// nobody has confirmed), or it is the account's and rcm's own delete leaves it.
const NEVER_ALONE: &[&str] = &[
    "accessanalyzer/analyzer",
    "account/security-contact",
    "acm/certificate",
    "apprunner/auto-scaling-configuration",
    "apprunner/vpc-connector",
    "backup/plan",
    "cloudtrail/trail",
    "cloudwatch/account-alarm",
    "config/conformance-pack",
    "config/recorder",
    "ec2/account-defaults",
    "ec2/elastic-ip",
    "ec2/internet-gateway",
    "ec2/security-group",
    "ec2/subnet",
    "ec2/vpc",
    "ecr/registry-scanning",
    "ecs/cluster",
    "elb/target-group",
    "guardduty/detector",
    "iam/account-role",
    "iam/password-policy",
    "iam/service-linked-role",
    "kms/account-key",
    "kms/key",
    "logs/account-group",
    "logs/metric-filter",
    "rds/parameter-group",
    "rds/subnet-group",
    "s3/account-log-bucket",
    "s3/account-public-access-block",
    "securityhub/hub",
    "sns/account-subscription",
    "sns/account-topic",
    "sns/subscription",
    "wafv2/web-acl",
];

/// One of each kind is deleted behind rcm's back, where AWS allows that: found to be gone, and made again.
#[test]
fn whatever_is_deleted_alone_is_found_and_made_again() {
    let files = [everything(), on_app_runner()];
    let disks = files.each_ref().map(|file| provisioned(file));
    let mut kinds: BTreeMap<String, Vec<(usize, Record)>> = BTreeMap::new();
    for (at, disk) in disks.iter().enumerate() {
        play(disk, async |stage| {
            for record in stage.state().await.records() {
                kinds.entry(record.kind.clone()).or_default().push((at, record.clone()));
            }
        });
    }
    let kinds: Vec<_> = kinds.into_iter().collect();
    let deleted: Mutex<BTreeSet<String>> = Mutex::default();
    each("deleted alone", &kinds, |(kind, records), _| {
        for (at, record) in records {
            let gone = std::cell::Cell::new(false);
            play(&disks[*at], async |stage| gone.set(deleted_alone(stage, &files[*at], record).await));
            if gone.get() {
                deleted.lock().unwrap().insert(kind.clone());
                return Ok(());
            }
        }
        Ok(())
    });
    let deleted = deleted.into_inner().unwrap();
    let never: BTreeSet<&str> =
        kinds.iter().map(|(kind, _)| kind.as_str()).filter(|kind| !deleted.contains(*kind)).collect();
    assert_eq!(never, NEVER_ALONE.iter().copied().collect(), "of {} kinds", kinds.len());
    println!("deleted alone: one of each of {} kinds, found and made again", deleted.len());
}

/// Deletes it past rcm's state, if AWS and its kind let it go, and lets rcm find out.
async fn deleted_alone(stage: &Stage, file: &str, record: &Record) -> bool {
    let (rcm, state) = (stage.rcm(file, Depth::Full).await, stage.state().await);
    let (identity, facts) = (state.identity(record), Facts::current(&state, record.needs()));
    let target =
        Target { identity: &identity, lookup: &facts, changed: None, full: false, purge: true, remnants: None };
    let resource = rcm.registry().get(&record.kind).unwrap();
    if resource.delete(target, record.id.as_ref().unwrap()).await.is_err() {
        return false;
    }
    stage.settle();
    let drift = stage.rcm(file, Depth::Full).await.drift().await.unwrap();
    // Its replicas become databases of their own with it, see replicas.rs.
    if !drift.deleted.iter().any(|deleted| deleted.address == record.address) || !drift.changed.is_empty() {
        return false;
    }
    // What stands on it may have gone with it.
    let key = (record.address.clone(), record.generation);
    let went_along = |deleted: &Deleted| {
        let of = state.record(&deleted.address, deleted.generation).unwrap();
        of.address == record.address || state.stands_on(of).contains(&key)
    };
    assert!(drift.deleted.iter().all(went_along), "{}: {drift:?}", record.address);
    let repairs = stage.provision(file).await.plan.repairs();
    assert!(repairs.iter().any(|repair| repair.deleted && repair.address == record.address), "{repairs:?}");
    let left = stage.rcm(file, Depth::Full).await.drift().await.unwrap();
    assert!(left.is_empty(), "{}: {left:?}", record.address);
    true
}

#[test]
fn what_the_partner_file_allows_is_taken_for_right_and_nothing_else() {
    let disk = provisioned(&acme());
    play(&disk, async |stage| {
        let at = stage.at().await;
        let database = || at.aws.rds.modify_db_instance().db_instance_identifier(at.id("database/instance"));
        let request = database().db_instance_class("db.t3.large").backup_retention_period(1);
        request.apply_immediately(true).send().await.unwrap();
        stage.settle();

        // The file comes to say what somebody has made of the class; of the backups it says nothing.
        let file = format!("{}\ndb_instance_class = \"db.t3.large\"\n", acme());
        let rcm = stage.rcm(&file, Depth::Full).await;
        let before = stage.wire.calls().mutating().len();
        let (drift, taken) = rcm.accept_drift().await.unwrap();
        assert_eq!(stage.wire.calls().mutating().len(), before, "accepting changes nothing in AWS");
        assert_eq!(found(&drift).len(), 2);
        let accepted: Vec<_> =
            taken.accepted.iter().map(|(address, field)| (address.as_str(), field.as_deref())).collect();
        assert_eq!(accepted, [("database/instance", Some("instance_class"))]);
        assert_eq!(taken.refused[0].field.as_deref(), Some("backup_retention_days"));
        assert_eq!(taken.refused[0].why, Why::WantsAnother { wanted: 35.into() });

        let left = stage.rcm(&file, Depth::Full).await.drift().await.unwrap();
        assert_eq!(found(&left), [("database/instance".into(), "backup_retention_days".into())]);
        let plan = stage.provision(&file).await.plan;
        let Action::Update { changes } = &plan.forward[0].action else { panic!("{:#?}", plan.forward) };
        assert_eq!((plan.forward.len(), changes.len(), &*changes[0].field), (1, 1, "backup_retention_days"));
    });
}

#[test]
fn an_orphan_is_taken_up_by_an_import_or_stays_one() {
    let disk = provisioned(&acme());
    play(&disk, async |stage| {
        let rcm = stage.rcm(&acme(), Depth::Full).await;
        let (_, taken) = rcm.accept_drift().await.unwrap();
        assert!(taken.refused.is_empty() && taken.entries.is_empty());
        let vpc = stage.at().await.id("network/vpc");
        let address = "network/vpc".parse().unwrap();
        rcm.forget(&address).await.unwrap();
        let (_, taken) = rcm.accept_drift().await.unwrap();
        assert_eq!(taken.refused[0].why, Why::Unknown { kind: "ec2/vpc".into(), id: Id::new(vpc.as_str()) });
        assert!(rcm.import(&address, &Id::new(vpc.as_str())).await.unwrap().is_empty());
        assert!(stage.plan(&acme()).await.is_empty());
        let again = rcm.import(&address, &Id::new(vpc.as_str())).await;
        assert!(matches!(again, Err(Error::Known { .. })), "{again:?}");
    });
}
