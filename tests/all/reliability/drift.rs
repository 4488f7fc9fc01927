//! Whatever somebody changes in whatever kind of resource, rcm says what, and puts it back.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_ec2::types::{IpPermission, IpRange};
use rcm::engine::{
    model::Id,
    plan::{Action, Depth, Drift, Plan, Why},
};
use rcm::{Error, Goal};

use super::stage::{Stage, acme, everything, on_app_runner, play, provisioned};
use super::tampering::{IMMUTABLE, Row, UNREADABLE, rows};
use super::world::Disk;

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

/// One resource of each kind that carries tags, left to itself: forgotten by the state, it is found by its tags.
#[test]
fn what_nobody_knows_of_is_found_by_its_tags() {
    let disk = provisioned(&acme());
    play(&disk, async |stage| {
        let state = stage.state().await;
        let untagged = ["autoscaling/policy", "iam/service-linked-role", "route53/record"];
        let tagged: Vec<_> = state.resources.values().filter(|record| !untagged.contains(&&*record.kind)).collect();
        for record in &tagged {
            stage.rcm(&acme(), Depth::Full).await.forget(&record.address).await.unwrap();
        }
        let drift = stage.rcm(&acme(), Depth::Full).await.drift().await.unwrap();
        let mut added: Vec<_> = drift.added.iter().map(|added| (&*added.kind, added.owned.clone())).collect();
        added.sort_by(|a, b| a.1.address.cmp(&b.1.address));
        let expected: Vec<_> = tagged
            .iter()
            .map(|record| (record.address.as_str(), &*record.kind, record.id.as_ref().unwrap().as_str()))
            .collect();
        let added: Vec<_> = added
            .iter()
            .map(|(kind, owned)| (owned.address.as_ref().unwrap().as_str(), *kind, owned.id.as_str()))
            .collect();
        assert_eq!(added, expected);
        assert!(drift.changed.is_empty() && drift.deleted.is_empty(), "{drift:?}");
    });
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

#[test]
fn a_door_that_somebody_opens_in_a_security_group_is_seen() {
    let disk = provisioned(&acme());
    play(&disk, async |stage| {
        let at = stage.at().await;
        let anywhere = IpRange::builder().cidr_ip("0.0.0.0/0").build();
        let ssh = IpPermission::builder().ip_protocol("tcp").from_port(22).to_port(22).ip_ranges(anywhere).build();
        let request = at.aws.ec2.authorize_security_group_ingress().group_id(at.id("security/group/service"));
        let opened = request.ip_permissions(ssh).send().await.unwrap();
        let id = opened.security_group_rules()[0].security_group_rule_id().unwrap();
        let drift = stage.rcm(&acme(), Depth::Full).await.drift().await.unwrap();
        let added: Vec<_> = drift.added.iter().map(|added| (&*added.kind, added.owned.id.as_str())).collect();
        assert_eq!(added, [("ec2/security-group-rule", id)]);
    });
}
