//! Every exit code of the table in `docs/commands.md`, had from the built command.

use std::{collections::BTreeSet, fs, time::Duration};

use rcm::engine::{
    model::Events,
    store::{Holder, Store, write_atomically},
};
use rcm_testkit::calls::{Fault, Recorder, Rule};
use rcm_testkit::{Moto, Ran};

use crate::bench::{ACME, Bench, lines};

const COMMANDS: &str = include_str!("../../../docs/commands.md");

/// A certificate for such a domain is never issued in the sandbox.
fn waits_for_ever() -> String {
    ACME.replace("rcm.acme.com", "rcm.acme.invalid")
}

/// The rows of the table: code and word.
fn documented() -> BTreeSet<(i32, String)> {
    let (_, table) = COMMANDS.split_once("## Exit codes").unwrap();
    let rows = table.lines().filter_map(|line| {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let (code, word) = (cells.next()?.parse().ok()?, cells.next()?);
        Some((code, word.trim_matches('`').to_owned()))
    });
    rows.collect()
}

type Scenario = fn() -> Ran;

const SCENARIOS: [(i32, &str, Scenario); 12] = [
    (0, "done", done),
    (1, "failed", failed),
    (2, "usage", usage),
    (2, "changes", changes),
    (3, "config", config),
    (4, "locked", locked),
    (5, "parked", parked),
    (6, "not-approved", not_approved),
    (7, "refused", refused),
    (8, "stuck", stuck),
    (9, "damaged", damaged),
    (130, "stopped", stopped),
];

#[test]
fn every_code_of_the_table_is_had_from_the_command() {
    let known = SCENARIOS.iter().map(|(code, word, _)| (*code, (*word).to_owned())).collect();
    assert_eq!(documented(), known, "a row without a scenario here, or the reverse");
    for (code, word, scenario) in SCENARIOS {
        let ran = scenario();
        assert_eq!(ran.code, Some(code), "{word}: {}", ran.transcript());
    }
}

fn done() -> Ran {
    Bench::new().run("provision --sandbox --yes")
}

/// AWS is not to be had.
fn failed() -> Ran {
    let ran = Bench::new().run("provision --yes");
    assert!(ran.stderr.contains("check the network, AWS_ENDPOINT_URL"), "{}", ran.transcript());
    ran
}

fn usage() -> Ran {
    let ran = Bench::new().rcm.run(["provision"]);
    assert!(ran.stderr.contains("give --partner NAME"), "{}", ran.transcript());
    ran
}

fn changes() -> Ran {
    Bench::new().run("plan --detailed-exitcode --sandbox")
}

fn config() -> Ran {
    let bench = Bench::new();
    bench.partner("acme", "tier = \"huge\"");
    let ran = bench.run("provision --yes --sandbox");
    assert!(ran.stderr.contains("acme.toml:1:"), "{}", ran.transcript());
    ran
}

fn locked() -> Ran {
    let bench = Bench::new();
    let store = Store::new(&bench.rcm.state_dir().join("sandbox"), "acme", "prod");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let holder = Holder::this_process("somebody", "a test");
    let lock = runtime.block_on(store.lock(&holder, Duration::ZERO, &Events::none())).unwrap();
    let ran = bench.run("provision --yes --sandbox");
    let written: Holder = serde_json::from_slice(&fs::read(store.lock_path()).unwrap()).unwrap();
    let Holder { host, pid, since, .. } = written;
    let named = format!("the state is locked by somebody@{host}, process {pid}, `a test`, since {since:.0}");
    assert!(ran.stderr.contains(&named) && ran.stderr.contains("--lock-timeout"), "{named}: {}", ran.transcript());
    assert!(pid == std::process::id() && since >= holder.since, "{named}");
    let held = bench.run("state unlock --sandbox").expect_code(4);
    assert!(held.stderr.contains(&named), "{named}: {}", held.transcript());
    drop(lock);
    let _ = bench.run("state unlock --sandbox").expect_code(0);
    ran
}

fn parked() -> Ran {
    let bench = Bench::new();
    bench.partner("acme", &waits_for_ever());
    let ran = bench.run("provision --yes --sandbox --certificate-timeout 1s --output json");
    let told = lines(&ran.stdout);
    let result = told.last().unwrap();
    assert_eq!((&result["outcome"], &result["exit_code"]), (&"parked".into(), &5.into()), "{}", ran.transcript());
    assert_eq!(result["waiting"][0]["details"][0]["type"], "CNAME", "{result:#}");
    ran
}

fn not_approved() -> Ran {
    let bench = Bench::new();
    let ran = bench.run("provision --sandbox");
    assert!(ran.stderr.contains("no terminal to ask on") && ran.stderr.contains("--yes"), "{}", ran.transcript());
    assert!(ran.stdout.contains("Plan: 53 to create."), "{}", ran.transcript());
    ran
}

/// The state is of another account than the partner file's.
fn refused() -> Ran {
    let bench = Bench::new();
    let _ = bench.run("provision --sandbox --yes").expect_code(0);
    let before = bench.state_file();
    bench.partner("acme", &ACME.replace("123456789012", "210987654321"));
    let ran = bench.run("provision --sandbox --yes");
    assert!(ran.stderr.contains("account 123456789012"), "{}", ran.transcript());
    assert_eq!(bench.state_file(), before);
    ran
}

/// A late create is refused, and so is the delete of an early one.
fn stuck() -> Ran {
    let moto = Moto::start();
    let recorder = Recorder::start(&moto.endpoint());
    let bench = Bench::at(&recorder.endpoint());
    let refuse = |status, code, operation| {
        recorder.trouble(Rule::new(Fault::refuse(status, code)).operation(operation).nth(1));
    };
    refuse(400, "AccessDeniedException", "CreateService");
    refuse(403, "UnauthorizedOperation", "DeleteVpc");
    let ran = bench.run("provision --yes");
    for text in [
        "but for these, which still exist and are known:\n  network/vpc\n      ec2:DeleteVpc: UnauthorizedOperation",
        "undo them too: rcm rollback --partner acme",
    ] {
        assert!(ran.stdout.contains(text), "does not say {text:?}: {}", ran.transcript());
    }
    let left: Vec<String> = bench.rcm_state().resources.into_keys().map(|address| address.to_string()).collect();
    assert_eq!(left, ["network/vpc"]);
    let undone = bench.run("rollback --yes").expect_code(0);
    assert!(undone.stdout.contains("AWS is as it was before that run"), "{}", undone.transcript());
    assert!(bench.rcm_state().resources.is_empty());
    let again = bench.run("rollback --yes").expect_code(0);
    assert!(again.stdout.contains("There is nothing to undo"), "{}", again.transcript());
    ran
}

fn damaged() -> Ran {
    let bench = Bench::new();
    let file = bench.state().join("prod.json");
    write_atomically(&file, b"{ not json").unwrap();
    let ran = bench.run("provision --sandbox --yes");
    assert!(ran.stderr.contains("prod.json") && ran.stderr.contains("line 1"), "{}", ran.transcript());
    assert_eq!(bench.state_file(), "{ not json", "it stays as it is");
    ran
}

fn stopped() -> Ran {
    let bench = Bench::new();
    bench.partner("acme", &waits_for_ever());
    let running = bench.start("provision --yes --sandbox");
    running.wait_until_it_says("waiting for DNS validation of rcm.acme.invalid");
    running.signal("INT");
    let ran = running.finish(Duration::from_secs(60));
    assert!(ran.stdout.contains("to go on: rcm provision --partner acme"), "{}", ran.transcript());
    ran
}
