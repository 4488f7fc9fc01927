use anstream::adapter::strip_str;
use rcm::engine::{
    model::{Deployment, Id, Remnant},
    plan::Blocked,
};
use serde_json::{Value, json};

use super::*;

fn address(text: &str) -> Address {
    Address::new(text).unwrap()
}

fn planned(name: &str, kind: &str, action: Action) -> Step {
    Step {
        address: address(name),
        kind: kind.into(),
        generation: 1,
        action,
        spec: Value::Null,
        after: BTreeSet::new(),
        waits_for: BTreeMap::new(),
    }
}

fn field(name: &str, before: Value, after: Value) -> FieldChange {
    FieldChange { field: name.into(), before, after, origin: Origin::Config, forces_replacement: false, effect: None }
}

fn some_plan(forward: Vec<Step>, cleanup: Vec<Step>) -> Plan {
    Plan {
        deployment: Deployment {
            project: "acme-rcm".into(),
            partner: "acme".into(),
            environment: "prod".into(),
            account: "123456789012".into(),
            region: "us-east-1".into(),
            partition: "aws".into(),
        },
        lineage: Default::default(),
        serial: 3,
        destroy: false,
        purge: false,
        discards: Vec::new(),
        forward,
        cleanup,
        retained: Vec::new(),
        unchanged: 40,
        blocked: Vec::new(),
    }
}

fn shown(plan: &Plan) -> String {
    let holds_data = |kind: &str| ["rds/instance", "s3/bucket"].contains(&kind);
    strip_str(&super::plan(plan, &holds_data)).to_string()
}

#[test]
fn every_change_is_told_with_its_reason() {
    let forced = FieldChange { forces_replacement: true, ..field("port", json!(80), json!(8080)) };
    let drift = FieldChange { origin: Origin::Drift, ..field("dns_support", json!(false), json!(true)) };
    let policy = field(
        "policy",
        json!({"Statement": [{"Sid": "A"}], "Version": "2012-10-17"}),
        json!({"Statement": [{"Sid": "A"}, {"Sid": "B"}], "Version": "2012-10-17"}),
    );
    let group = field("group", json!("sg-1"), json!({"$ref": "network/group"}));
    let forward = vec![
        planned(
            "compute/certificate",
            "acm/certificate",
            Action::Remake { why: "the certificate is FAILED: CAA_ERROR".into() },
        ),
        planned("compute/target-group", "elb/target-group", Action::Replace { changes: vec![forced] }),
        planned("identity/role", "iam/role", Action::Update { changes: vec![policy] }),
        planned(
            "network/group",
            "ec2/security-group",
            Action::Create { again: Some("it was deleted outside rcm".into()) },
        ),
        planned("network/vpc", "ec2/vpc", Action::Update { changes: vec![drift, group] }),
        planned("storage/bucket/logs", "s3/bucket", Action::Adopt { id: Id::from("acme-logs") }),
        planned("storage/repository", "ecr/repository", Action::Complete),
    ];
    let cleanup = vec![planned("compute/target-group", "elb/target-group", Action::Delete { superseded: true })];
    insta::assert_snapshot!(shown(&some_plan(forward, cleanup)), @r#"
    Plan for acme/prod (account 123456789012, us-east-1)

    network
       + group  ec2/security-group  made again: it was deleted outside rcm
       ~ vpc    ec2/vpc
             dns_support: false → true  changed outside rcm
             group: "sg-1" → known after apply (network/group)

    identity
       ~ role  iam/role
             policy.Statement: with {"Sid":"B"}

    storage
       ^ bucket/logs  s3/bucket  exists already and is taken up again: acme-logs
       + repository   ecr/repository  an earlier run began it; this one finishes it

    compute
     -/+ certificate   acm/certificate  an earlier run began it, and it failed: the certificate is FAILED: CAA_ERROR
     -/+ target-group  elb/target-group
             port: 80 → 8080  forces replacement

    Plan: 1 to create, 1 to adopt, 1 to complete, 2 to update, 2 to replace, 40 unchanged.
    "#);
}

#[test]
fn what_cannot_be_undone_and_what_is_kept_are_named() {
    let cleanup = vec![
        planned("database/instance", "rds/instance", Action::Delete { superseded: false }),
        planned("network/vpc", "ec2/vpc", Action::Delete { superseded: false }),
        planned("storage/bucket/logs", "s3/bucket", Action::Retain),
    ];
    let plan = Plan { retained: vec![address("storage/bucket/logs")], unchanged: 0, ..some_plan(vec![], cleanup) };
    insta::assert_snapshot!(shown(&plan), @"
    Plan for acme/prod (account 123456789012, us-east-1)

    network
       - vpc  ec2/vpc

    storage
    kept bucket/logs  s3/bucket

    database
       - instance  rds/instance

    Cannot be undone
      database/instance is deleted with its data; a final snapshot is taken first, and kept

    Kept
      storage/bucket/logs

    Plan: 2 to delete, 1 kept.
    ");
    let snapshot = Remnant {
        address: address("database/instance"),
        kind: "rds/instance".into(),
        what: "final snapshot".into(),
        id: "acme-rcm-prod-db-final-abc123".into(),
        since: None,
    };
    let plan = Plan { destroy: true, purge: true, discards: vec![snapshot], ..plan };
    for line in [
        "database/instance is deleted with its data; no final snapshot is taken",
        "final snapshot acme-rcm-prod-db-final-abc123 of database/instance is deleted",
        "2 to delete, 1 remnant of earlier deletes to delete",
    ] {
        assert!(shown(&plan).contains(line), "{}", shown(&plan));
    }
}

#[test]
fn a_loss_that_nobody_allowed_says_how_to_allow_it() {
    let blocked = Blocked { address: address("database/instance"), why: "would be deleted".into() };
    let cleanup = vec![planned("database/instance", "rds/instance", Action::Delete { superseded: false })];
    let plan = Plan { blocked: vec![blocked], ..some_plan(vec![], cleanup) };
    let text = shown(&plan);
    assert!(
        text.contains("database/instance would be deleted: allow it by --allow-destroy database/instance"),
        "{text}"
    );
}

#[test]
fn nothing_to_do_is_one_line() {
    assert_eq!(shown(&some_plan(vec![], vec![])), "Nothing to do for acme/prod: 40 unchanged.\n");
}
