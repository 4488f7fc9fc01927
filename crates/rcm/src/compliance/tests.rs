use std::collections::BTreeSet;

use rcm_engine::model::Graph;
use serde_json::{Value, json};

use super::*;
use crate::{
    PartnerConfig,
    blueprint::{self, Surroundings},
};

const ACME: &str = include_str!("../../../../partners/acme.toml");

fn graph(more: &str) -> Graph {
    let config = PartnerConfig::parse("acme.toml", &format!("{ACME}\n{more}"), None).unwrap();
    let zones = ["us-east-1a", "us-east-1b"].map(str::to_owned).into();
    blueprint::graph(&config, &Surroundings { zones, proven_in: None }).unwrap()
}

/// What `graph` would be once it is made.
fn subjects(graph: &Graph) -> Vec<Subject> {
    let subject = |node: &rcm_engine::model::Node| Subject {
        address: node.address.clone(),
        kind: node.kind.to_owned(),
        fields: Some(node.spec.clone()),
        outputs: Value::Null,
    };
    graph.nodes().map(subject).collect()
}

fn failed(subjects: &[Subject]) -> Vec<String> {
    failing(subjects).map(|breach| format!("{}: {}", breach.control, breach.evidence)).collect()
}

#[test]
fn production_is_as_every_control_that_depends_on_it_alone_asks() {
    assert_eq!(failed(&subjects(&graph(""))), [""; 0]);
}

/// A control that nothing is judged by would pass for ever.
#[test]
fn every_control_finds_what_it_is_about() {
    let all = subjects(&graph("db_read_replicas = 1\nvpc_endpoints = true"));
    for control in controls().iter().filter(|control| control.scope == Scope::Stack && control.check.kind().is_some()) {
        let findings = control.check.judge(&all);
        assert!(!findings.is_empty(), "{} is about nothing", control.id);
        let by_output = matches!(control.check.test(), Some(Test::Output(..)));
        let expected = match control.check {
            _ if by_output => Verdict::Open,
            // The one that is chosen as it is asked for unless the file says otherwise.
            Check::Choice { .. } if control.id != "ecs-exec-disabled" => Verdict::Deviates,
            _ => Verdict::Pass,
        };
        assert!(findings.iter().all(|finding| finding.verdict == expected), "{}: {findings:?}", control.id);
    }
}

#[test]
fn controls_have_names_of_their_own_and_say_whom_they_serve() {
    let names: BTreeSet<&str> = controls().iter().map(|control| control.id).collect();
    assert_eq!(names.len(), controls().len());
    for control in controls() {
        assert!(
            control.cites.iter().all(|cite| cite.starts_with("164.3")) && !control.cites.is_empty(),
            "{}",
            control.id
        );
    }
}

/// Each a field of a resource with another value, and the control that notices.
#[test]
fn what_is_not_as_it_is_asked_for_is_noticed() {
    let deny_nothing = json!({"Statement": []});
    let for_anybody =
        json!({"Statement": [{"Sid": "All", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}]});
    let everything = json!({"p": {"Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]}});
    let trusting = json!({"Statement": {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}}});
    let cases: Vec<(&str, &str, Value, &[&str])> = vec![
        ("database/instance", "kms_key", Value::Null, &["rds-storage-encrypted"]),
        ("database/instance", "backup_retention_days", json!(7), &["db-instance-backup-enabled"]),
        ("database/instance", "log_exports", json!(["upgrade"]), &["rds-logging-enabled"]),
        ("database/instance", "master_username", json!("postgres"), &["rds-instance-default-admin-check"]),
        ("database/parameter-group", "force_ssl", json!(false), &["rds-parameter-group-force-ssl"]),
        ("storage/bucket/logs", "policy", deny_nothing, &["s3-bucket-ssl-requests-only"]),
        (
            "storage/bucket/logs",
            "policy",
            for_anybody,
            &["s3-bucket-policy-grantee-check", "s3-bucket-ssl-requests-only"],
        ),
        ("storage/bucket/logs", "kms_key", Value::Null, &["s3-default-encryption-kms"]),
        ("storage/bucket/load-balancer-logs", "kms_key", Value::Null, &[]),
        ("edge/load-balancer", "access_logs", Value::Null, &["elb-logging-enabled"]),
        ("edge/listener/http", "action", json!({"forward": "arn"}), &["alb-http-to-https-redirection-check"]),
        (
            "edge/listener/https",
            "ssl_policy",
            json!("ELBSecurityPolicy-2016-08"),
            &["elb-predefined-security-policy-ssl-check"],
        ),
        ("edge/web-acl-association", "load_balancer", json!("arn"), &["alb-waf-enabled"]),
        ("edge/web-acl", "groups", json!([]), &["wafv2-webacl-not-empty"]),
        ("edge/web-acl", "metrics", json!(false), &["wafv2-rulegroup-logging-enabled"]),
        ("edge/web-acl", "logs", Value::Null, &["wafv2-logging-enabled"]),
        (
            "edge/web-acl",
            "logs",
            json!({"group": "aws-waf-logs-a", "redacted_headers": ["cookie"]}),
            &["wafv2-logging-enabled"],
        ),
        ("security/rule/load-balancer-http", "port", json!(22), &["vpc-sg-open-only-to-authorized-ports"]),
        ("security/rule/load-balancer-http", "port", Value::Null, &["vpc-sg-open-only-to-authorized-ports"]),
        (
            "security/group/service",
            "foreign_rules",
            json!(["ingress tcp 22 from 0.0.0.0/0 (sgr-1)"]),
            &["vpc-sg-open-only-to-authorized-ports"],
        ),
        ("security/group/service", "foreign_rules", json!(["ingress tcp 22 from 10.0.0.0/8 (sgr-1)"]), &[]),
        ("security/group/service", "foreign_rules", json!(["egress tcp 22 to 0.0.0.0/0 (sgr-1)"]), &[]),
        (
            "network/route-table/database",
            "routes",
            json!([{"destination": "0.0.0.0/0", "target": {"gateway": "igw-1"}}]),
            &["private-subnets-without-a-way-in"],
        ),
        ("storage/log-group/application", "retention_days", Value::Null, &["cw-loggroup-retention-period-check"]),
        (
            "security/key",
            "enabled",
            json!("to be deleted by AWS on 2026-01-01"),
            &["kms-cmk-not-scheduled-for-deletion"],
        ),
        ("security/key", "rotation_days", Value::Null, &["cmk-backing-key-rotation-enabled"]),
        (
            "identity/task-role",
            "inline_policies",
            everything,
            &["iam-inline-policy-blocked-kms-actions", "iam-policy-no-statements-with-full-access"],
        ),
        ("identity/task-role", "assume_role_policy", trusting, &["iam-role-confused-deputy"]),
        ("backup/vault", "policy", json!({"Statement": []}), &["backup-recovery-point-manual-deletion-disabled"]),
        (
            "backup/plan",
            "rule",
            json!({"schedule": "cron(0 5 ? * SUN *)", "retention_days": 35}),
            &["backup-plan-min-frequency-and-min-retention-check"],
        ),
        (
            "watching/events/db-instance",
            "categories",
            json!(["failure"]),
            &["rds-instance-event-notifications-configured"],
        ),
    ];
    let made = subjects(&graph(""));
    for (address, field, value, noticed) in cases {
        let mut changed = made.clone();
        let subject = changed.iter_mut().find(|subject| subject.address.as_str() == address).unwrap();
        subject.fields.as_mut().unwrap()[field] = value;
        let mut found: Vec<&str> = failing(&changed).map(|breach| breach.control).collect();
        found.sort_unstable();
        assert_eq!(found, noticed, "{address} {field}");
    }
}

#[test]
fn the_firewall_is_known_by_the_address_of_what_it_is_before_or_by_what_aws_calls_that() {
    let verdict = |made: &[Subject]| {
        let judged = judged(made, &[]);
        judged.iter().find(|judged| judged.control.id == "alb-waf-enabled").unwrap().verdict
    };
    let mut made = subjects(&graph(""));
    assert_eq!(verdict(&made), Verdict::Pass);
    for subject in &mut made {
        match subject.kind.as_str() {
            "elb/load-balancer" => subject.outputs = json!({"load_balancer_arn": "arn"}),
            "wafv2/association" => subject.fields.as_mut().unwrap()["load_balancer"] = json!("arn"),
            _ => {}
        }
    }
    assert_eq!(verdict(&made), Verdict::Pass);
    made.retain(|subject| subject.kind != "wafv2/association");
    assert_eq!(verdict(&made), Verdict::Fail);
    made.retain(|subject| subject.kind != "elb/load-balancer");
    assert_eq!(verdict(&made), Verdict::NotApplicable, "App Runner");
}

#[test]
fn endpoints_that_nobody_has_chosen_are_a_deviation_and_break_nothing() {
    let verdicts = |more: &str| {
        let judged = judged(&subjects(&graph(more)), &[]);
        let of = |id: &str| judged.iter().find(|judged| judged.control.id == id).unwrap().verdict;
        ["service-vpc-endpoint-enabled", "vpc-endpoint-enabled"].map(of)
    };
    assert_eq!(verdicts(""), [Verdict::Deviates; 2]);
    assert_eq!(verdicts("vpc_endpoints = true"), [Verdict::Pass; 2]);
}

#[test]
fn a_way_into_containers_costs_their_read_only_files_and_is_said() {
    let judged = judged(&subjects(&graph("ecs_exec = true")), &[]);
    let of_ecs: Vec<_> = judged.iter().filter(|judged| judged.control.id.starts_with("ecs-")).collect();
    let verdict = |id: &str| of_ecs.iter().find(|judged| judged.control.id == id).unwrap().verdict;
    assert_eq!(verdict("ecs-containers-readonly-access"), Verdict::Fail);
    assert_eq!(verdict("ecs-exec-disabled"), Verdict::Deviates);
    let others = of_ecs.iter().filter(|judged| judged.verdict == Verdict::Pass).count();
    assert_eq!(others, of_ecs.len() - 2, "{of_ecs:?}");
}

#[test]
fn a_container_is_looked_into() {
    let mut made = subjects(&graph(""));
    let definition = made.iter_mut().find(|subject| subject.kind == "ecs/task-definition").unwrap();
    let container = &mut definition.fields.as_mut().unwrap()["container"];
    container["user"] = json!("0:0");
    container["read_only_root"] = json!(false);
    container["environment"]["DB_PASSWORD"] = json!("in clear");
    let found: Vec<&str> = failing(&made).map(|breach| breach.control).collect();
    let expected = ["ecs-containers-readonly-access", "ecs-task-definition-nonroot-user", "ecs-no-environment-secrets"];
    assert_eq!(found, expected);
    assert!(!failed(&made).concat().contains("in clear\""), "a value is no evidence");
}

#[test]
fn what_is_gone_fails_and_what_was_not_seen_is_open() {
    let mut made = subjects(&graph(""));
    made.retain(|subject| subject.kind == "rds/instance" || subject.kind == "kms/key");
    for subject in &mut made {
        match subject.kind.as_str() {
            "kms/key" => subject.fields = None,
            _ => drop(subject.fields.as_mut().unwrap().as_object_mut().unwrap().remove("multi_az")),
        }
    }
    let judged = judged(&made, &[]);
    let verdict = |id: &str| judged.iter().find(|judged| judged.control.id == id).unwrap().verdict;
    assert_eq!(verdict("kms-cmk-not-scheduled-for-deletion"), Verdict::Fail);
    assert_eq!(verdict("cmk-backing-key-rotation-enabled"), Verdict::Fail);
    assert_eq!(verdict("rds-multi-az-support"), Verdict::Open);
    assert_eq!(verdict("rds-storage-encrypted"), Verdict::Pass);
    assert_eq!(verdict("elb-logging-enabled"), Verdict::NotApplicable);
    assert_eq!(verdict("business-associate-agreement"), Verdict::Open);
}
