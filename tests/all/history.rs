//! What the command tells of runs and secrets.

use std::fs;
use std::io::Write;
use std::process::{Output, Stdio};

use rcm::engine::store::write_atomically;
use serde_json::{Value, json};

use crate::bench::{Bench, lines};

#[test]
fn runs_are_listed_and_told_and_the_log_is_checked() {
    let bench = Bench::new();
    let _ = bench.run("provision --sandbox --yes").expect_code(0);
    let _ = bench.run("provision --sandbox --yes").expect_code(0);
    let runs: Value =
        serde_json::from_str(&bench.run("history --sandbox --output json").expect_code(0).stdout).unwrap();
    let told: Vec<_> =
        runs.as_array().unwrap().iter().map(|run| (&run["began"]["verb"], &run["ended"]["outcome"])).collect();
    assert_eq!(told, [(&json!("provision"), &json!("done")); 2]);
    assert!(runs[0]["calls"].as_u64().unwrap() > 100 && runs[1]["calls"] == 0, "{runs}");
    let name = runs[0]["began"]["run"].as_str().unwrap();
    let table = bench.run("history --sandbox").expect_code(0).stdout;
    assert!(table.contains(name) && table.contains("2 runs of acme/prod"), "{table}");

    let one = lines(&bench.run(&format!("history {} --sandbox --output json", &name[..6])).expect_code(0).stdout);
    assert_eq!((&one[0]["entry"], &one[one.len() - 1]["entry"]), (&json!("run-began"), &json!("run-ended")));
    let create = one.iter().find(|line| line["operation"] == "CreateVpc").unwrap();
    assert_eq!((&create["address"], &create["status"]), (&json!("network/vpc"), &json!(200)));
    let text = bench.run(&format!("history {name} --sandbox")).expect_code(0).stdout;
    assert!(text.contains("ec2:CreateVpc") && text.contains("arn:aws:"), "{text}");
    let unknown = bench.run("history nonsense --sandbox").expect_code(1);
    assert!(unknown.stderr.contains("tells of no run `nonsense`"), "{}", unknown.transcript());

    let whole = bench.run("audit verify --sandbox").expect_code(0);
    assert!(whole.stdout.contains("is as it was written"), "{}", whole.transcript());
    let log = bench.state().join("prod.audit.jsonl");
    let text = fs::read_to_string(&log).unwrap().replacen("CreateVpc", "DeleteVpc", 1);
    write_atomically(&log, text.as_bytes()).unwrap();
    let changed = bench.run("audit verify --sandbox").expect_code(9);
    assert!(changed.stdout.contains("its hash is not that of what it says"), "{}", changed.transcript());
    let json = bench.run("audit verify --sandbox --output json").expect_code(9).stdout;
    assert_eq!(lines(&json)[0]["intact"], false);
}

/// Gives `rcm` something on its standard input.
fn with_input(bench: &Bench, arguments: &str, input: &str) -> Output {
    let mut command = bench.command(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn secrets_are_listed_rotated_and_set_and_no_value_is_an_argument() {
    let bench = Bench::new();
    let _ = bench.run("provision --sandbox --yes").expect_code(0);
    let versions = || -> Vec<Value> {
        let listed = bench.run("secrets list --sandbox --output json").expect_code(0).stdout;
        let listed: Value = serde_json::from_str(&listed).unwrap();
        listed.as_array().unwrap().iter().map(|secret| json!([secret["name"], secret["version_id"]])).collect()
    };
    let before = versions();
    assert_eq!(before.len(), 3);
    let asked = bench.run("secrets rotate database-password --sandbox").expect_code(6);
    assert!(asked.stderr.contains("--yes"), "{}", asked.transcript());
    let rotated = bench.run("secrets rotate database-password --sandbox --yes").expect_code(0);
    assert!(rotated.stdout.contains("Changed with it: secrets/database-url"), "{}", rotated.transcript());
    assert!(rotated.stdout.contains("The tasks of compute/service were replaced"), "{}", rotated.transcript());
    let after = versions();
    assert_eq!(before.iter().zip(&after).filter(|(before, after)| before != after).count(), 2);

    let given = "only-on-the-standard-input";
    let set = with_input(&bench, "secrets set jwt-secret --sandbox --output json", &format!("{given}\n"));
    assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
    let told = String::from_utf8(set.stdout).unwrap() + &String::from_utf8(set.stderr).unwrap();
    assert_eq!(lines(&told).last().unwrap()["secret"]["name"], "jwt-secret");
    assert!(!told.contains(given));
    for file in fs::read_dir(bench.state()).unwrap().map(|file| file.unwrap().path()).filter(|path| path.is_file()) {
        assert!(!fs::read_to_string(&file).unwrap().contains(given), "{}", file.display());
    }
    let wrong = with_input(&bench, "secrets set database-password --sandbox", "short");
    assert_eq!(wrong.status.code(), Some(7));
    let derived = bench.run("secrets rotate database-url --sandbox --yes").expect_code(7);
    assert!(derived.stderr.contains("name database-password or jwt-secret"), "{}", derived.transcript());
    let argument = bench.run("secrets set jwt-secret hunter2 --sandbox").expect_code(2);
    assert!(argument.stderr.contains("unexpected argument"), "{}", argument.transcript());
    let plan = bench.run("plan --sandbox --detailed-exitcode --refresh full").expect_code(0);
    assert!(plan.stdout.contains("Nothing to do"), "{}", plan.transcript());
}
