//! The verbs that look after an environment which others touch too: drift, import, state mv, rm and rebuild.

use std::fs;

use rcm::aws::Aws;
use rcm::engine::store::write_atomically;
use rcm_testkit::Ran;
use serde_json::{Value, json};

use crate::bench::{Bench, behind_its_back, lines};

const GROUP: &str = "/ecs/acme-rcm-prod";

async fn keep_logs_for_a_day(aws: Aws) {
    aws.logs.put_retention_policy().log_group_name(GROUP).retention_in_days(1).send().await.unwrap();
}

fn provisioned() -> Bench {
    let bench = Bench::new();
    let _ = bench.run("provision --sandbox --yes").expect_code(0);
    bench
}

fn one(ran: &Ran) -> Value {
    lines(&ran.stdout).remove(0)
}

#[track_caller]
fn says(ran: &Ran, text: &str) {
    assert!(ran.stdout.contains(text) || ran.stderr.contains(text), "does not say {text:?}: {}", ran.transcript());
}

#[tokio::test]
async fn drift_is_told_by_the_exit_code_field_by_field_and_put_back() {
    let bench = provisioned();
    let ran = bench.run("drift --sandbox").expect_code(0);
    says(&ran, "acme/prod is as rcm left it: 53 resources compared");
    let none = one(&bench.run("drift --sandbox --output json").expect_code(0));
    assert_eq!(
        (&none["drift"], &none["changed"], &none["account"]),
        (&json!(false), &json!([]), &json!("123456789012"))
    );

    behind_its_back(&bench, keep_logs_for_a_day).await;
    let before = bench.state_file();
    let ran = bench.run("drift --sandbox").expect_code(2);
    says(&ran, "retention_days: 2557 → 1");
    says(&ran, "rcm provision --refresh full --partner acme");
    let told = one(&bench.run("drift --sandbox --output json").expect_code(2));
    let changed = &told["changed"][0];
    assert_eq!((&changed["address"], &changed["id"]), (&json!("storage/log-group/application"), &json!(GROUP)));
    assert_eq!(changed["fields"], json!([{ "field": "retention_days", "applied": 2557, "live": 1 }]));

    let refused = bench.run("drift --sandbox --accept").expect_code(2);
    says(&refused, "storage/log-group/application: retention_days: wanted is 2557");
    assert_eq!(bench.state_file(), before, "neither looking nor a refusal writes");

    let ran = bench.run("provision --sandbox --yes").expect_code(0);
    says(&ran, "changed outside rcm");
    says(&ran, "Changed outside rcm, and put back\n  storage/log-group/application: retention_days");
    let _ = bench.run("drift --sandbox").expect_code(0);

    behind_its_back(&bench, keep_logs_for_a_day).await;
    let told = lines(&bench.run("provision --sandbox --yes --output json").expect_code(0).stdout);
    let repaired =
        json!([{ "address": "storage/log-group/application", "deleted": false, "fields": ["retention_days"] }]);
    assert_eq!(told.last().unwrap()["repaired"], repaired);
}

#[tokio::test]
async fn what_the_partner_file_has_come_to_say_is_taken_for_right() {
    let bench = provisioned();
    behind_its_back(&bench, async |aws: Aws| {
        let database = aws.rds.modify_db_instance().db_instance_identifier("acme-rcm-prod-db");
        database.db_instance_class("db.r6g.large").apply_immediately(true).send().await.unwrap();
        // It takes its time.
        for _ in 0..20 {
            aws.rds.describe_db_instances().db_instance_identifier("acme-rcm-prod-db").send().await.unwrap();
        }
    })
    .await;
    let refused = bench.run("drift --sandbox --accept").expect_code(2);
    says(&refused, "database/instance: instance_class: wanted is");
    bench.partner("acme", &format!("{}\ndb_instance_class = \"db.r6g.large\"\n", crate::bench::ACME));
    let ran = bench.run("drift --sandbox --accept --output json").expect_code(0);
    let told = one(&ran);
    assert_eq!(told["accepted"], json!([{ "address": "database/instance", "field": "instance_class" }]));
    assert_eq!(told["refused"], json!([]));
    let _ = bench.run("drift --sandbox").expect_code(0);
    let _ = bench.run("plan --sandbox --refresh full --detailed-exitcode").expect_code(0);
}

#[tokio::test]
async fn a_lost_state_is_made_again_and_one_that_is_there_is_kept() {
    let bench = provisioned();
    let refused = bench.run("state rebuild --sandbox").expect_code(7);
    says(&refused, "prod.json is there already");
    says(&refused, "rcm state rebuild --force --partner acme");
    let old = bench.state_file();
    let ran = bench.run("state rebuild --force --sandbox").expect_code(0);
    says(&ran, "53 resources found. Nothing was changed in AWS.");
    says(&ran, "prod.json.backup-1");
    assert_eq!(fs::read_to_string(bench.state().join("prod.json.backup-1")).unwrap(), old);

    fs::remove_dir_all(bench.state()).unwrap();
    let told = one(&bench.run("state rebuild --sandbox --output json").expect_code(0));
    assert_eq!((&told["resources"], &told["missing"], &told["backup"]), (&json!(53), &json!([]), &Value::Null));
    let _ = bench.run("plan --sandbox --refresh full --detailed-exitcode").expect_code(0);
    let destroyed = bench.run("destroy --sandbox --yes").expect_code(0);
    says(&destroyed, "44 deleted, 1 left to the account, 8 kept");

    let nothing = Bench::new();
    let ran = nothing.run("state rebuild --sandbox").expect_code(1);
    says(&ran, "no resource carries its tags");
    says(&ran, "rcm provision --partner acme");
}

#[tokio::test]
async fn what_was_forgotten_is_imported_again() {
    let bench = provisioned();
    let asked = bench.run("state rm storage/log-group/application --sandbox").expect_code(6);
    says(&asked, "rcm state rm storage/log-group/application --partner acme");
    says(&asked, "--sandbox --yes");
    let ran = bench.run("state rm storage/log-group/application --sandbox --yes").expect_code(0);
    says(&ran, &format!("forgot storage/log-group/application ({GROUP}); it still exists in AWS"));
    let ran = bench.run("state rm storage/log-group/application --sandbox --yes").expect_code(1);
    says(&ran, "storage/log-group/application is not in the state");

    let ran = bench.run("drift --sandbox").expect_code(2);
    says(&ran, "not in the state");
    says(&ran, "rcm import ADDRESS ID --partner acme");
    behind_its_back(&bench, keep_logs_for_a_day).await;
    let ran = bench.run("import storage/log-group/application /ecs/other --sandbox").expect_code(7);
    says(&ran, "the partner file gives it another name");
    let ran = bench.run(&format!("import storage/log-group/application {GROUP} --sandbox")).expect_code(0);
    says(&ran, "retention_days: 1 → 2557");
    let ran = bench.run(&format!("import storage/log-group/application {GROUP} --sandbox")).expect_code(7);
    says(&ran, "is in the state already");
    let ran = bench.run("provision --sandbox --yes").expect_code(0);
    says(&ran, "1 updated");

    let _ = bench.run("state rm network/subnet/private-a --sandbox --yes").expect_code(0);
    let ran = bench.run("import network/subnet/private-a subnet-1 --sandbox").expect_code(1);
    says(&ran, "there is no subnet-1 to be network/subnet/private-a");
    let state: Value = serde_json::from_str(&bench.state_file()).unwrap();
    let public = state["resources"]["network/subnet/public-a"]["id"].as_str().unwrap().to_owned();
    let _ = bench.run("state rm network/subnet/public-a --sandbox --yes").expect_code(0);
    let ran = bench.run(&format!("import network/subnet/private-a {public} --sandbox")).expect_code(7);
    says(
        &ran,
        "what cannot be changed is not as the partner file says\n  cidr: \"10.0.0.0/20\", and the partner file says",
    );
    let ran = bench.run(&format!("import network/nowhere {public} --sandbox")).expect_code(7);
    says(&ran, "the partner file describes no network/nowhere");
}

#[tokio::test]
async fn a_resource_gets_another_address() {
    let bench = provisioned();
    let _ = bench.run("state rm storage/repository/api --sandbox --yes").expect_code(0);
    let ran = bench.run("state mv storage/repository/web storage/bucket/logs --sandbox").expect_code(7);
    says(&ran, "is in the state already");
    let ran = bench.run("state mv storage/repository/web storage/repository/other --sandbox").expect_code(7);
    says(&ran, "the partner file describes no storage/repository/other");
    let ran = bench.run("state mv storage/repository/web storage/repository/api --sandbox").expect_code(0);
    says(&ran, "storage/repository/web is storage/repository/api now");
    let state: Value = serde_json::from_str(&bench.state_file()).unwrap();
    assert!(state["resources"]["storage/repository/web"].is_null());
    assert_eq!(state["resources"]["storage/repository/api"]["id"], "acme-rcm-prod-web");
}

#[test]
fn a_state_of_a_newer_rcm_is_refused_by_every_verb_and_left_alone() {
    let bench = provisioned();
    let newer = bench.state_file().replacen("\"version\": 1", "\"version\": 2", 1);
    write_atomically(&bench.state().join("prod.json"), newer.as_bytes()).unwrap();
    for verb in ["provision --yes", "destroy --yes", "plan", "drift", "drift --accept", "output", "state list"] {
        let ran = bench.run(&format!("{verb} --sandbox")).expect_code(9);
        says(&ran, "written in format 2, this rcm reads format 1 and older");
        assert_eq!(bench.state_file(), newer, "{verb}");
    }
}
