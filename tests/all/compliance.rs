//! `rcm compliance`, and the plans that production refuses.

use std::fs;

use aws_sdk_ec2::types::{Filter, IpPermission, IpRange};
use serde_json::{Value, json};

use crate::bench::{Bench, SHIPPED, behind_its_back, lines};

fn report(bench: &Bench, code: i32) -> Value {
    serde_json::from_str(&bench.run("compliance --sandbox --output json").expect_code(code).stdout).unwrap()
}

fn of<'a>(report: &'a Value, control: &str) -> &'a Value {
    report["controls"].as_array().unwrap().iter().find(|judged| judged["id"] == control).unwrap()
}

/// By live reads: what rcm made passes, and what somebody changes behind its back does not.
#[tokio::test]
async fn production_passes_every_control_until_somebody_changes_it() {
    let bench = Bench::strict();
    let baseline = "account_baseline = true\nsecurity_phone = \"+1 555 0100\"\nsecurity_hub = true";
    bench.partner("acme", &format!("{SHIPPED}\n{baseline}\ndb_read_replicas = 1\n"));
    let _ = bench.run("provision --sandbox --yes").expect_code(0);
    let found = report(&bench, 0);
    for judged in found["controls"].as_array().unwrap().iter().filter(|judged| judged["scope"] != "person") {
        assert!(["pass", "deviates"].contains(&judged["verdict"].as_str().unwrap()), "{judged:#}");
        assert!(!judged["findings"].as_array().unwrap().is_empty(), "{judged:#}");
    }
    let of_the_account = found["controls"].as_array().unwrap().iter().filter(|judged| judged["scope"] == "account");
    let verdicts: Vec<_> = of_the_account.map(|judged| judged["verdict"].as_str().unwrap()).collect();
    assert!(verdicts.len() >= 20 && verdicts.iter().all(|verdict| *verdict == "pass"), "{verdicts:?}");
    assert_eq!(of(&found, "account-alarms-confirmed")["verdict"], "open", "nobody has followed the link");
    assert_eq!(of(&found, "multi-region-cloudtrail-enabled")["verdict"], "pass");
    assert_eq!(of(&found, "rds-multi-az-support")["findings"][0]["evidence"], "multi_az = true");

    behind_its_back(&bench, async |aws| {
        let request = aws.logs.put_retention_policy().log_group_name("/ecs/acme-rcm-prod").retention_in_days(1);
        request.send().await.unwrap();
        aws.s3.delete_bucket_policy().bucket("acme-rcm-prod-logs-123456789012-us-east-1").send().await.unwrap();
        let service = Filter::builder().name("tag:rcm:address").values("security/group/service").build();
        let groups = aws.ec2.describe_security_groups().filters(service).send().await.unwrap();
        let anywhere = IpRange::builder().cidr_ip("0.0.0.0/0").build();
        let ssh = IpPermission::builder().ip_protocol("tcp").from_port(22).to_port(22).ip_ranges(anywhere).build();
        let request =
            aws.ec2.authorize_security_group_ingress().set_group_id(groups.security_groups()[0].group_id.clone());
        request.ip_permissions(ssh).send().await.unwrap();
    })
    .await;
    let found = report(&bench, 2);
    let short = of(&found, "cw-loggroup-retention-period-check");
    assert_eq!(short["verdict"], "fail");
    let failing: Vec<&Value> =
        short["findings"].as_array().unwrap().iter().filter(|finding| finding["verdict"] == "fail").collect();
    assert_eq!(failing.len(), 1);
    assert_eq!(
        (&failing[0]["resource"], &failing[0]["evidence"]),
        (&json!("storage/log-group/application"), &json!("retention_days = 1"))
    );
    assert_eq!(of(&found, "s3-bucket-ssl-requests-only")["verdict"], "fail");
    let open = of(&found, "vpc-sg-open-only-to-authorized-ports");
    let open = open["findings"].as_array().unwrap().iter().find(|finding| finding["verdict"] == "fail").unwrap();
    assert_eq!(open["resource"], "security/group/service");
    let evidence = open["evidence"].as_str().unwrap();
    assert!(evidence.starts_with("added outside rcm: ingress tcp 22 from 0.0.0.0/0 (sgr-"), "{evidence}");

    let page = bench.file("compliance.html");
    let ran = bench.run(&format!("compliance --sandbox --html {page}")).expect_code(2);
    assert!(ran.stdout.contains("storage/log-group/application: retention_days = 1"), "{}", ran.transcript());
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains("<title>Compliance of acme/prod</title>") && page.contains("retention_days = 1"));
    for outside in ["<script", "http://", "https://", "src="] {
        assert!(!page.contains(outside), "the page needs {outside}");
    }

    // A run that looks as it does by default closes the door, and says so before and after.
    let ran = bench.run("plan --sandbox").expect_code(0);
    assert!(
        ran.stdout.contains("foreign_rules: without \"ingress tcp 22 from 0.0.0.0/0 (sgr-"),
        "{}",
        ran.transcript()
    );
    let ran = bench.run("provision --sandbox --yes").expect_code(0);
    assert!(ran.stdout.contains("security/group/service: foreign_rules"), "{}", ran.transcript());
    assert_eq!(of(&report(&bench, 2), "vpc-sg-open-only-to-authorized-ports")["verdict"], "pass");
}

/// A plan that would break a control is refused before anything is sent, and goes through, once, when somebody says why.
#[test]
fn a_risk_is_accepted_by_name_and_with_a_reason_and_is_written_down() {
    let bench = Bench::strict();
    bench.partner("acme", &format!("{SHIPPED}\ndb_multi_az = false\n"));
    let ran = bench.run("provision --sandbox --yes").expect_code(7);
    assert!(ran.stderr.contains("rds-multi-az-support"), "{}", ran.transcript());
    assert!(ran.stderr.contains("--accept-risk rds-multi-az-support --reason TEXT"), "{}", ran.transcript());
    assert!(ran.stdout.contains("Not allowed in production"), "{}", ran.transcript());
    assert!(!bench.state_file().contains("database/instance"), "nothing was made");
    let ran = bench.run("plan --sandbox").expect_code(0);
    assert!(ran.stdout.contains("database/instance: multi_az = false"), "{}", ran.transcript());

    let without = bench.run("provision --sandbox --yes --accept-risk rds-multi-az-support").expect_code(2);
    assert!(without.stderr.contains("--reason"), "{}", without.transcript());
    let unknown = bench.run("provision --sandbox --yes --accept-risk rds-multi-az-suport --reason cost").expect_code(2);
    assert!(unknown.stderr.contains("is it `rds-multi-az-support`?"), "{}", unknown.transcript());
    let log = bench.state().join("prod.audit.jsonl");
    let accepted = || {
        let mut told = lines(&fs::read_to_string(&log).unwrap());
        told.retain(|line| line["entry"] == "accepted-risk");
        told
    };
    assert!(accepted().is_empty());

    let accept = "provision --sandbox --yes --accept-risk rds-multi-az-support --reason budget";
    let _ = bench.run(accept).expect_code(0);
    let line = accepted().remove(0);
    assert_eq!(
        (&line["entry"], &line["control"], &line["reason"], &line["resources"]),
        (&json!("accepted-risk"), &json!("rds-multi-az-support"), &json!("budget"), &json!(["database/instance"]))
    );
    assert!(line["identity"].as_str().unwrap().starts_with("arn:aws:"));
    // What is broken already is broken by no plan.
    let _ = bench.run("provision --sandbox --yes").expect_code(0);
    assert_eq!(accepted().len(), 1);

    let found = report(&bench, 0);
    let judged = of(&found, "rds-multi-az-support");
    assert_eq!((&judged["verdict"], &judged["accepted"]["reason"]), (&json!("fail"), &json!("budget")));
    let text = fs::read_to_string(&log).unwrap().replace("budget", "nothing");
    rcm::engine::store::write_atomically(&log, text.as_bytes()).unwrap();
    let ran = bench.run("compliance --sandbox").expect_code(9);
    assert!(ran.stderr.contains(": the audit log was changed"), "{}", ran.transcript());
}

/// Elsewhere than in production nobody is kept from trying something.
#[test]
fn what_is_not_production_is_judged_and_not_refused() {
    let bench = Bench::strict();
    let staging = SHIPPED.replace("environment = \"prod\"", "environment = \"staging\"");
    assert_ne!(staging, SHIPPED);
    bench.partner("acme", &format!("{staging}\ndb_multi_az = false\n"));
    let _ = bench.run("provision --sandbox --yes").expect_code(0);
    assert_eq!(of(&report(&bench, 2), "rds-multi-az-support")["verdict"], "fail");
}

/// What costs money or needs a person's telephone is off until somebody asks for it, and each says by which setting.
#[test]
fn what_a_setting_has_turned_off_says_by_which() {
    let bench = Bench::strict();
    bench.partner("acme", &format!("{SHIPPED}\naccount_baseline = true\nbaseline_s3_data_events = false\n"));
    let _ = bench.run("provision --sandbox --yes").expect_code(0);
    let found = report(&bench, 2);
    let off: Vec<_> = found["controls"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|judged| judged["scope"] == "account" && judged["verdict"] != "pass")
        .map(|judged| (judged["id"].as_str().unwrap(), judged["findings"][0]["evidence"].as_str().unwrap()))
        .collect();
    let [events, contact, hub] = off.as_slice() else { panic!("{off:?}") };
    assert_eq!(
        *events,
        ("cloudtrail-s3-dataevents-enabled", "nobody has asked for it: baseline_s3_data_events = false")
    );
    assert!(contact.0 == "security-account-information-provided" && contact.1.starts_with("security_phone is not set"));
    assert!(hub.0 == "securityhub-enabled" && hub.1.starts_with("security_hub = false"), "{hub:?}");
}
