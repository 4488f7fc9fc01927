//! Plans that were saved, plans that are refused, and what a destroy says that it has kept.

use std::{fs, path::Path};

use rcm::aws::{Aws, Connect};
use rcm_sandbox::Sandbox;
use rcm_testkit::{Ran, Rcm};
use serde_json::Value;

use crate::bench::{ACME, Bench, lines};

/// Somebody has deleted the key, past rcm, and it cannot be saved any more: what it encrypts would have to be made anew.
fn lose_the_key(bench: &Bench) {
    let keys = bench.rcm.state_dir().join("sandbox/cloud/123456789012-us-east-1/kms.json");
    rcm::engine::store::write_atomically(&keys, br#"{"keys": {}, "aliases": {}}"#).unwrap();
}

/// Somebody schedules the key for deletion, past rcm.
async fn delete_the_key(bench: &Bench) {
    let cloud = bench.rcm.state_dir().join("sandbox/cloud/123456789012-us-east-1");
    let sandbox = Sandbox::open(&cloud, "123456789012", "us-east-1").await.unwrap();
    let connect = Connect { region: "us-east-1".into(), in_process: Some(sandbox.http_client()), ..Connect::default() };
    let kms = Aws::connect(&connect).await.kms;
    let key = kms.describe_key().key_id("alias/acme-rcm-prod").send().await.unwrap();
    let id = key.key_metadata().unwrap().key_id();
    kms.schedule_key_deletion().key_id(id).pending_window_in_days(7).send().await.unwrap();
}

#[track_caller]
fn says(ran: &Ran, text: &str) {
    assert!(ran.stderr.contains(text), "does not say {text:?}: {}", ran.transcript());
}

#[test]
fn a_missing_partners_directory_is_named_with_the_ways_to_name_another() {
    let rcm = Rcm::new("http://127.0.0.1:9", "nowhere");
    let ran = rcm.run(["validate", "--partner", "acme"]).expect_code(3);
    for text in ["nowhere", "--partners-dir", "RCM_PARTNERS_DIR"] {
        says(&ran, text);
    }
}

#[tokio::test]
async fn a_key_that_somebody_has_scheduled_for_deletion_is_saved() {
    let bench = Bench::new();
    let _ = bench.run("provision --sandbox --yes").expect_code(0);
    delete_the_key(&bench).await;
    let ran = bench.run("plan --sandbox").expect_code(0);
    for text in ["enabled: \"to be deleted by AWS on 20", "its deletion is cancelled", "1 to update"] {
        assert!(ran.stdout.contains(text), "does not show {text:?}: {}", ran.transcript());
    }
    let ran = bench.run("provision --sandbox --yes").expect_code(0);
    assert!(ran.stdout.contains("security/key: enabled"), "{}", ran.transcript());
    let ran = bench.run("drift --sandbox").expect_code(0);
    assert!(ran.stdout.contains("is as rcm left it"), "{}", ran.transcript());
}

#[test]
fn a_plan_that_loses_data_is_shown_and_then_refused() {
    let bench = Bench::new();
    let _ = bench.run("provision --sandbox --yes").expect_code(0);
    let before = bench.state_file();
    lose_the_key(&bench);
    let ran = bench.run("provision --sandbox --yes").expect_code(7);
    for text in ["Plan for acme/prod", "forces replacement", "Not allowed"] {
        assert!(ran.stdout.contains(text), "does not show {text:?}: {}", ran.transcript());
    }
    says(&ran, "database/instance would be replaced by an empty one");
    says(&ran, "--allow-destroy database/instance");

    let ran = bench.run("provision --sandbox --yes --output json").expect_code(7);
    let told = lines(&ran.stdout);
    let plan = told.iter().find(|line| line["event"] == "plan").unwrap();
    assert_eq!(plan["plan"]["blocked"][0]["address"], "database/instance");
    let result = told.last().unwrap();
    assert_eq!((&result["event"], &result["error"]["kind"]), (&"result".into(), &"refused".into()));
    assert_eq!(bench.state_file(), before);
}

#[test]
fn a_saved_plan_to_destroy_is_run_as_it_was_shown() {
    let bench = Bench::new();
    let _ = bench.run("provision --sandbox --yes").expect_code(0);
    let file = bench.file("gone.json");
    let planned = bench.run(&format!("plan --destroy --sandbox --out {file}")).expect_code(0);
    assert!(planned.stdout.contains("rcm destroy --partner acme"), "{}", planned.transcript());
    assert!(planned.stdout.contains(&format!("--plan {file}")), "{}", planned.transcript());
    let ran = bench.run(&format!("destroy --sandbox --yes --plan {file}")).expect_code(0);
    assert!(ran.stdout.contains("44 deleted, 1 left to the account, 8 kept"), "{}", ran.transcript());
    let again = bench.run(&format!("destroy --sandbox --yes --plan {file}")).expect_code(7);
    says(&again, "out of date");
    says(&again, "plan --destroy --out FILE");

    let all = bench.file("all.json");
    let _ = bench.run(&format!("plan --destroy --purge --sandbox --out {all}")).expect_code(0);
    let ran = bench.run(&format!("destroy --sandbox --yes --plan {all}")).expect_code(0);
    assert!(!ran.stdout.contains("Kept by design"), "it was a plan to purge: {}", ran.transcript());
    let _ = bench.run(&format!("destroy --sandbox --yes --purge --plan {all}")).expect_code(2);
}

#[test]
fn a_plan_to_destroy_is_refused_when_something_has_changed() {
    let bench = Bench::new();
    let _ = bench.run("provision --sandbox --yes").expect_code(0);
    let file = bench.file("gone.json");
    let _ = bench.run(&format!("plan --destroy --sandbox --out {file}")).expect_code(0);
    bench.partner("acme", &format!("{ACME}\necs_max_count = 12\n"));
    let _ = bench.run("provision --sandbox --yes").expect_code(0);
    let before = bench.state_file();
    let ran = bench.run(&format!("destroy --sandbox --yes --plan {file}")).expect_code(7);
    says(&ran, "the state is now");
    assert_eq!(bench.state_file(), before);
}

#[test]
fn a_plan_is_run_by_the_command_that_it_is_for() {
    let bench = Bench::new();
    let (make, gone) = (bench.file("make.json"), bench.file("gone.json"));
    let _ = bench.run(&format!("plan --sandbox --out {make}")).expect_code(0);
    let ran = bench.run(&format!("destroy --sandbox --yes --plan {make}")).expect_code(7);
    says(&ran, "is a plan to provision");
    says(&ran, "rcm provision --partner acme");
    let _ = bench.run("provision --sandbox --yes").expect_code(0);
    let before = bench.state_file();
    let _ = bench.run(&format!("plan --destroy --sandbox --out {gone}")).expect_code(0);
    let ran = bench.run(&format!("provision --sandbox --yes --plan {gone} --output json")).expect_code(7);
    says(&ran, "is a plan to destroy");
    assert_eq!(lines(&ran.stdout).last().unwrap()["error"]["kind"], "refused", "{}", ran.transcript());
    assert_eq!(bench.state_file(), before);
    let nothing = bench.run(&format!("destroy --sandbox --yes --plan {}", bench.file("acme.toml"))).expect_code(1);
    says(&nothing, "acme.toml is not a plan");
}

/// The final snapshots in the sandbox's cloud, as its files have them.
fn snapshots(cloud: &Path) -> Vec<String> {
    let files = fs::read_dir(cloud).unwrap().flatten().map(|entry| entry.path());
    let texts = files.filter(|path| path.is_file()).map(|path| fs::read_to_string(path).unwrap_or_default());
    let all: String = texts.collect();
    let names = all.match_indices("acme-rcm-prod-db-final-").map(|(at, _)| {
        let rest = &all[at..];
        rest[..rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(rest.len())].to_owned()
    });
    names.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

#[test]
fn the_final_snapshot_is_named_by_what_was_asked_for() {
    let bench = Bench::new();
    let _ = bench.run("provision --sandbox --yes").expect_code(0);
    let ran = bench.run("destroy --sandbox --yes").expect_code(0);
    let made = snapshots(&bench.rcm.state_dir().join("sandbox/cloud/123456789012-us-east-1"));
    assert_eq!(made.len(), 1, "{made:?}");
    let line = format!("database/instance: final snapshot {}", made[0]);
    assert!(ran.stdout.contains(&line), "{}", ran.transcript());

    let again = bench.run("destroy --sandbox --yes --output json").expect_code(0);
    let told = lines(&again.stdout);
    let result = told.last().unwrap();
    let snapshot: &Value = &result["remnants"][0];
    assert_eq!(snapshot["id"], made[0].as_str(), "{}", again.transcript());
    assert_eq!(snapshot["address"], "database/instance");
    assert_eq!(result["retained"].as_array().unwrap().len(), 8);
    assert_eq!(result["notes"], serde_json::json!([]), "what is gone needs no image");

    let (certificate, text) = certificate(result);
    let all = |list: &str| certificate[list].as_array().unwrap().clone();
    assert_eq!((all("destroyed").len(), all("retained").len()), (44, 9), "{text}");
    assert_eq!((&certificate["partner"], &certificate["account"]), (&"acme".into(), &"123456789012".into()));
    let of = |list: &str, address: &str| all(list).into_iter().find(|entry| entry["address"] == address).unwrap();
    assert!(of("destroyed", "secrets/jwt-secret")["recoverable_until"].is_string(), "{text}");
    assert!(of("destroyed", "network/vpc")["recoverable_until"].is_null(), "{text}");
    assert!(of("retained", "storage/log-group/application")["content_until"].is_string(), "{text}");
    assert!(of("retained", "security/key")["content_until"].is_null(), "{text}");
    assert_eq!(of("retained", "database/instance")["id"], made[0].as_str());
    for entry in all("destroyed").iter().chain(&all("retained")) {
        assert!(text.contains(entry["id"].as_str().unwrap()), "{entry} is not in the text: {text}");
    }

    // A purge takes none, and says nothing of one that it has not taken.
    let _ = bench.run("provision --sandbox --yes").expect_code(0);
    let purged = bench.run("destroy --purge --sandbox --yes --output json").expect_code(0);
    let told = lines(&purged.stdout);
    assert!(!told.iter().any(|line| line["event"] == "left"), "{}", purged.transcript());
    assert!(told.iter().any(|line| line["event"] == "discarded" && line["id"] == made[0].as_str()));
    let (certificate, text) = self::certificate(told.last().unwrap());
    assert_eq!(certificate["retained"], serde_json::json!([]), "{text}");
    assert!(text.contains(&made[0]) && text.contains("Destroyed (53)"), "52 resources and a snapshot: {text}");
}

/// What a destroy has certified, for programs and for people.
fn certificate(result: &Value) -> (Value, String) {
    let path = std::path::Path::new(result["certificate"].as_str().unwrap());
    let text = std::fs::read_to_string(path.with_extension("txt")).unwrap();
    (serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap(), text)
}
