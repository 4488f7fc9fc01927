//! What is printed as JSON is what `docs/schemas` says: no field is missing, and none is there that nobody has written down.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use rcm::audit;
use rcm::engine::model::{Address, Event, EventKind, Fault, FaultKind, Id, UndoOf};
use rcm::{Check, Verdict};
use rcm_testkit::{disagreements, poll, root};
use serde_json::{Value, json};

use crate::bench::{Bench, behind_its_back, lines};
use crate::look::write;

/// What was printed by each schema.
#[derive(Default)]
struct Printed(BTreeMap<&'static str, Vec<Value>>);

impl Printed {
    /// One document.
    fn whole(&mut self, schema: &'static str, text: &str) {
        let value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{schema}: {error}: {text}"));
        self.0.entry(schema).or_default().push(value);
    }

    /// A document a line.
    fn lines(&mut self, schema: &'static str, text: &str) {
        let lines = lines(text);
        assert!(!lines.is_empty(), "{schema}: nothing was printed");
        self.0.entry(schema).or_default().extend(lines);
    }
}

/// Runs every verb that prints JSON, in an order in which each has something to say.
async fn printed(bench: &Bench) -> Printed {
    let mut all = Printed::default();
    let ran = |verb: &str, code: i32| bench.run(&format!("{verb} --output json")).expect_code(code).stdout;
    let saved = bench.file("acme.plan");
    let address = "storage/log-group/application";

    let answers =
        "--brand-name Globex --support-email it@globex.com --aws-account-id 123456789012 --aws-region us-east-1";
    all.whole("init", &ran(&format!("init globex --yes {answers}"), 0));
    all.whole("validate", &ran("validate", 0));
    all.whole("permissions", &ran("permissions --verb plan", 0));
    all.whole("graph", &ran("graph", 0));
    all.whole("cost", &ran("cost", 0));
    all.whole("cost", &ran("cost --tiers", 0));
    all.whole("cost", &ran("cost --live --sandbox", 0));
    all.whole("plan", &ran(&format!("plan --sandbox --out {saved}"), 0));
    all.whole("saved-plan", &fs::read_to_string(&saved).unwrap());
    all.lines("event", &ran("provision --sandbox", 6));
    all.lines("event", &ran("provision --sandbox --yes", 0));
    all.whole("plan", &ran("plan --sandbox", 0));
    all.whole("plan", &ran("plan --sandbox --destroy --purge", 0));
    all.whole("status", &bench.run("status --sandbox --output json").stdout);
    all.whole("checks", &ran("preflight --sandbox", 0));
    all.whole("checks", &bench.run("doctor --sandbox --output json").stdout);
    all.whole("drift", &ran("drift --sandbox", 0));
    behind_its_back(bench, async |aws| {
        write(&aws, [(2_000, "ERROR no database")]).await;
        let shorter = aws.logs.put_retention_policy().log_group_name("/ecs/acme-rcm-prod").retention_in_days(1);
        shorter.send().await.unwrap();
    })
    .await;
    all.lines("log-event", &ran("logs --sandbox", 0));
    all.whole("drift", &ran("drift --sandbox", 2));
    all.whole("drift", &bench.run("drift --accept --sandbox --output json").stdout);
    all.lines("event", &ran("provision --sandbox --yes", 0));
    all.whole("compliance", &bench.run("compliance --sandbox --output json").stdout);
    all.whole("dns", &ran("dns --sandbox", 0));
    all.whole("open", &ran("open --sandbox", 0));
    all.whole("output", &ran("output --sandbox", 0));
    all.whole("secrets", &ran("secrets list --sandbox", 0));
    all.lines("event", &ran("secrets rotate jwt-secret --sandbox --yes", 0));
    all.whole("state-list", &ran("state list --sandbox", 0));
    all.whole("state-show", &ran("state show network/vpc --sandbox", 0));
    all.whole("state-rm", &ran(&format!("state rm {address} --sandbox --yes"), 0));
    all.whole("import", &ran(&format!("import {address} /ecs/acme-rcm-prod --sandbox"), 0));
    let _ = ran("state rm storage/repository/api --sandbox --yes", 0);
    all.whole("state-mv", &ran("state mv storage/repository/web storage/repository/api --sandbox", 0));
    all.whole("state-rebuild", &ran("state rebuild --force --sandbox", 0));
    all.lines("event", &bench.run("rollback --sandbox --yes --output json").stdout);
    all.lines("event", &ran("destroy --sandbox --yes", 0));
    all.whole("history", &ran("history --sandbox", 0));
    all.whole("audit-verify", &ran("audit verify --sandbox", 0));
    let log = fs::read_to_string(bench.state().join("prod.audit.jsonl")).unwrap();
    all.lines("audit-line", &log);
    let serving = bench.start("sandbox serve --port 0 --output json");
    let greeting = poll(Duration::from_secs(30), || serde_json::from_str::<Value>(&serving.stdout()).ok()).unwrap();
    all.0.insert("sandbox-serve", vec![greeting]);
    drop(serving);
    all.whole("sandbox-reset", &ran("sandbox reset", 0));
    all
}

/// What a run prints that fails at a step: somebody's log group is in the place of ours.
async fn failed() -> String {
    let bench = Bench::new();
    behind_its_back(&bench, async |aws| {
        aws.logs.create_log_group().log_group_name("/ecs/acme-rcm-prod").send().await.unwrap();
    })
    .await;
    let ran = bench.run("provision --sandbox --yes --ignore-preflight name/logs/group --output json");
    assert!(ran.stdout.contains("\"event\":\"step-failed\""), "{}", ran.transcript());
    ran.stdout
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_prints_what_its_schema_says() {
    let bench = Bench::strict();
    let mut printed = printed(&bench).await;
    printed.lines("event", &failed().await);
    let Printed(all) = printed;
    let wrong = all.iter().map(|(schema, documents)| (schema, disagreements(schema, documents)));
    let wrong: Vec<_> = wrong.filter(|(_, found)| !found.is_empty()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_field_that_nobody_has_written_down_is_found_and_a_missing_one_too() {
    let right = json!([{ "name": "logs", "url": "https://example.com" }]);
    assert_eq!(disagreements("open", &[right]), [""; 0]);
    let more = json!([{ "name": "logs", "url": "https://example.com", "more": 1 }]);
    assert_eq!(disagreements("open", &[more]).len(), 1);
    assert_eq!(disagreements("open", &[json!([{ "name": "logs" }])]).len(), 1);
    let unknown = json!({ "event": "undo-done", "at": "2026-11-28T09:00:00Z", "address": "network/vpc", "more": 1 });
    assert_eq!(disagreements("event", &[unknown]).len(), 1);
}

#[test]
fn a_session_is_in_the_audit_log_as_its_schema_says() {
    let text = || "something".to_owned();
    let opened = audit::Opened {
        run: text(),
        at: "2026-11-28T09:00:00Z".parse().unwrap(),
        session: text(),
        task: text(),
        container: text(),
    };
    let mut line = json!(audit::Entry::SessionOpened(opened));
    line["previous"] = json!(text());
    line["hash"] = json!(text());
    assert_eq!(disagreements("audit-line", &[line]), [""; 0]);
}

/// The kinds of events that the engine has, by its source: a new one belongs into the list below and into the schema.
fn kinds() -> BTreeSet<String> {
    let source = fs::read_to_string(root().join("crates/rcm-engine/src/model/event.rs")).unwrap();
    let (_, kinds) = source.split_once("pub enum EventKind {\n").unwrap();
    let (kinds, _) = kinds.split_once("\n}\n").unwrap();
    let names = kinds.lines().filter_map(|line| line.strip_prefix("    ")?.split([' ', ',']).next());
    names.filter(|name| name.starts_with(char::is_uppercase)).map(str::to_owned).collect()
}

#[test]
fn every_event_and_check_is_as_its_schema_says() {
    let text = || "something".to_owned();
    let fault =
        Fault { request_id: Some(text()), ..Fault::ours(FaultKind::InUse, "DeleteVpc", "DependencyViolation", "") };
    let of_the_run = [
        EventKind::LockWaiting { holder: text() },
        EventKind::LockTakenOver { holder: text(), silent_ms: 1 },
        EventKind::Recovered { in_doubt: 1 },
        EventKind::RefreshStarted { resources: 1 },
        EventKind::RefreshDone { elapsed_ms: 1 },
        EventKind::RunStarted { steps: 1 },
        EventKind::Noted { message: text() },
        EventKind::Stopping { reason: text() },
        EventKind::RollbackStarted { steps: 1 },
        EventKind::RunFinished { elapsed_ms: 1 },
    ];
    let of_a_step = [
        EventKind::StepStarted { action: "create", resource: text() },
        EventKind::Minted { id: Id::new("vpc-1") },
        EventKind::Progress { message: text() },
        EventKind::Awaiting { what: text(), details: json!([]) },
        EventKind::Retry { fault: fault.clone(), after_ms: 1 },
        EventKind::StepDone { action: "create", elapsed_ms: 1 },
        EventKind::StepFailed { fault: Fault::invalid("create", "wrong") },
        EventKind::StepParked { what: text() },
        EventKind::Left { what: text(), id: text() },
        EventKind::Discarded { what: text(), id: text() },
        EventKind::UndoStarted { undo: UndoOf::Create },
        EventKind::UndoStarted { undo: UndoOf::Update },
        EventKind::UndoDone,
        EventKind::UndoFailed { fault },
    ];
    let name = |kind: &EventKind| format!("{kind:?}").split([' ', ',']).next().unwrap().to_owned();
    let listed: BTreeSet<String> = of_the_run.iter().chain(&of_a_step).map(name).collect();
    assert_eq!(listed, kinds());
    let vpc = Address::new("network/vpc").unwrap();
    let event = |address: Option<&Address>, kind| {
        json!(Event { at: "2026-11-28T09:00:00Z".parse().unwrap(), address: address.cloned(), kind })
    };
    let events = of_the_run.into_iter().map(|kind| event(None, kind));
    let events: Vec<Value> = events.chain(of_a_step.into_iter().map(|kind| event(Some(&vpc), kind))).collect();
    assert_eq!(disagreements("event", &events), [""; 0]);

    let checks =
        [Check::good("a", "b"), Check::found("a", Verdict::Bad, "b", "c"), Check::unseen("a", "b")].map(|it| json!(it));
    assert_eq!(disagreements("checks", &[json!({ "verdict": "bad", "checks": checks })]), [""; 0]);
}

#[test]
fn each_schema_is_named_in_the_table_of_the_documentation() {
    let documentation = fs::read_to_string(root().join("docs/commands.md")).unwrap();
    let named = documentation.split("schemas/").skip(1).filter_map(|rest| rest.split_once(".schema.json"));
    let named: BTreeSet<String> = named.map(|(name, _)| name.to_owned()).collect();
    let files = fs::read_dir(root().join("docs/schemas")).unwrap();
    let files = files.filter_map(|file| {
        file.unwrap().file_name().into_string().unwrap().strip_suffix(".schema.json").map(str::to_owned)
    });
    assert_eq!(named, files.filter(|name| name != "partner").collect());
}
