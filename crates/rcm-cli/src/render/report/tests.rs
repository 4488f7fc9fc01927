use anstream::adapter::strip_str;
use clap::Parser;
use rcm::{
    Outputs,
    engine::{
        model::{Deployment, FaultKind},
        plan::Plan,
    },
};
use serde_json::json;

use super::*;
use crate::args::Cli;

fn address(text: &str) -> Address {
    Address::new(text).unwrap()
}

fn a_report(outcome: Outcome) -> Report {
    let deployment = Deployment {
        project: "acme-rcm".into(),
        partner: "acme".into(),
        environment: "prod".into(),
        account: "123456789012".into(),
        region: "us-east-1".into(),
        partition: "aws".into(),
    };
    let plan = Plan {
        deployment,
        lineage: Default::default(),
        serial: 0,
        destroy: false,
        purge: false,
        discards: Vec::new(),
        forward: Vec::new(),
        cleanup: Vec::new(),
        retained: Vec::new(),
        unchanged: 58,
        blocked: Vec::new(),
    };
    Report { plan, outcome, outputs: Outputs::default(), retained: Vec::new(), remnants: Vec::new(), notes: Vec::new() }
}

fn shown(verb: &'static str, report: &Report) -> String {
    let cli = Cli::parse_from(["rcm", "--partner", "acme", "--sandbox", verb]);
    let next = Next::of(&cli.globals);
    let record = json!({"domain": "a.com", "name": "_1.rcm.acme.com.", "type": "CNAME", "value": "_2.aws."});
    let awaited = BTreeMap::from([(address("edge/certificate"), json!([record]))]);
    let run = Run {
        verb,
        name: "acme/prod",
        full: false,
        took: Duration::from_secs(754),
        next: &next,
        awaited: &awaited,
        certificate: None,
    };
    strip_str(&super::report(report, &run)).to_string()
}

fn quota() -> (Address, Fault) {
    let fault = Fault {
        kind: FaultKind::Quota,
        service: "ec2".into(),
        operation: "AllocateAddress".into(),
        code: "AddressLimitExceeded".into(),
        message: "The maximum number of addresses has been reached.".into(),
        request_id: Some("3f2a9c1b-0000-4000-8000-000000000000".into()),
    };
    (address("network/nat-address"), fault)
}

#[test]
fn a_failure_says_what_failed_what_became_of_the_rest_and_what_to_type() {
    let outcome = Outcome::Failed { failures: vec![quota()], aftermath: Aftermath::RolledBack };
    assert_eq!(exit(&outcome), Exit::Failed);
    insta::assert_snapshot!(shown("provision", &a_report(outcome)), @"
    provision of acme/prod failed after 12m34s
      network/nat-address
          ec2:AllocateAddress: AddressLimitExceeded
          The maximum number of addresses has been reached.
          request id 3f2a9c1b-0000-4000-8000-000000000000

    Everything that this run had done was undone: AWS is as it was before.
      = help: a limit of the account: ask AWS to raise it (Service Quotas), then run the same command again
      = next: mend it, then: rcm provision --partner acme --sandbox
    ");
}

#[test]
fn what_could_not_be_undone_is_listed_with_the_command_that_tries_again() {
    let fault = Fault {
        kind: FaultKind::InUse,
        operation: "DeleteVpc".into(),
        code: "DependencyViolation".into(),
        message: "The vpc has dependencies and cannot be deleted.".into(),
        ..quota().1
    };
    let aftermath = Aftermath::Stuck(vec![(address("network/vpc"), fault)]);
    let outcome = Outcome::Failed { failures: vec![quota()], aftermath };
    assert_eq!(exit(&outcome), Exit::Stuck);
    insta::assert_snapshot!(shown("provision", &a_report(outcome)), @"
    provision of acme/prod failed after 12m34s
      network/nat-address
          ec2:AllocateAddress: AddressLimitExceeded
          The maximum number of addresses has been reached.
          request id 3f2a9c1b-0000-4000-8000-000000000000

    What this run had done was undone, but for these, which still exist and are known:
      network/vpc
          ec2:DeleteVpc: DependencyViolation
          The vpc has dependencies and cannot be deleted.
          request id 3f2a9c1b-0000-4000-8000-000000000000
      = help: a limit of the account: ask AWS to raise it (Service Quotas), then run the same command again
      = next: mend it, then undo them too: rcm rollback --partner acme --sandbox
              or go on with them: rcm provision --partner acme --sandbox
    ");
}

#[test]
fn a_run_that_waits_says_for_whom_and_how_to_go_on() {
    let waits = (address("edge/certificate"), "DNS validation of rcm.acme.com".to_owned());
    let outcome = Outcome::Parked(vec![waits]);
    assert_eq!(exit(&outcome), Exit::Parked);
    insta::assert_snapshot!(shown("provision", &a_report(outcome)), @"
    acme/prod waits for somebody outside. Everything that does not need it is done, and stays.
      edge/certificate waits for DNS validation of rcm.acme.com
      Add to DNS:
        type   name              value
        CNAME  _1.rcm.acme.com.  _2.aws.
      = next: see to it, then go on: rcm provision --partner acme --sandbox
              whether the world sees the records: rcm dns --partner acme --sandbox
              to wait for them and go on then: rcm dns --wait --partner acme --sandbox
    ");
}

#[test]
fn a_stopped_run_says_how_to_go_on() {
    let text = shown("destroy", &a_report(Outcome::Cancelled));
    assert_eq!(text, "Stopped acme/prod. Nothing was lost; to go on: rcm destroy --partner acme --sandbox\n");
}

#[test]
fn nothing_to_do_says_what_was_not_read() {
    let report = a_report(Outcome::Done);
    insta::assert_snapshot!(shown("provision", &report), @"
    acme/prod is as its partner file says. Nothing was changed.
    Tags, and settings that cost a call each, were not read. To read them too: rcm drift --partner acme --sandbox
    ");
    assert_eq!(unread(true, &Next::of(&Cli::parse_from(["rcm", "drift"]).globals)), "", "everything was read");
}

#[test]
fn what_a_destroy_keeps_is_listed_with_the_way_to_delete_it() {
    let snapshot = Remnant {
        address: address("database/instance"),
        kind: "rds/instance".into(),
        what: "final snapshot".into(),
        id: "acme-rcm-prod-db-final-abc123".into(),
        since: Some("2026-11-23T14:53:16Z".parse().unwrap()),
    };
    let kept = vec![address("security/key")];
    let mut report = Report { retained: kept, remnants: vec![snapshot], ..a_report(Outcome::Done) };
    assert!(!shown("provision", &report).contains("final snapshot"), "not this run's");
    insta::assert_snapshot!(shown("destroy", &report), @"
    acme/prod has nothing left to destroy. Nothing was changed.

    Kept by design
      security/key
      A later provision takes them up again; to delete them too: rcm destroy --partner acme --sandbox --purge

    Left of what was deleted
      database/instance: final snapshot acme-rcm-prod-db-final-abc123, of 2026-11-23
      To restore from them is up to you; what nobody else needs is deleted by: rcm destroy --partner acme --sandbox --purge
    ");
    report.plan.cleanup = vec![Step {
        address: address("database/instance"),
        kind: "rds/instance".into(),
        generation: 1,
        action: Action::Delete { superseded: true },
        spec: Value::Null,
        after: Default::default(),
        waits_for: Default::default(),
    }];
    assert!(shown("provision", &report).contains("final snapshot"), "of what this run has replaced");
}
