//! Verbs and options that no other topic runs from the built command, and what a person sees on a terminal.

use std::{
    fs,
    time::{Duration, Instant},
};

use rcm::{aws::Aws, engine::store::write_atomically};
use rcm_testkit::{Ran, Rcm, Running, Terminal};
use serde_json::{Value, json};

use crate::bench::{ACME, Bench, behind_its_back};

fn provisioned() -> Bench {
    let bench = Bench::new();
    let _ = bench.run("provision --sandbox --yes").expect_code(0);
    bench
}

#[track_caller]
fn says(ran: &Ran, text: &str) {
    assert!(ran.stdout.contains(text) || ran.stderr.contains(text), "does not say {text:?}: {}", ran.transcript());
}

fn json_of(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.transcript()))
}

#[test]
fn what_is_there_is_shown_in_every_form() {
    let bench = provisioned();
    outputs(&bench);
    drawings(&bench);
    resources(&bench);
}

fn outputs(bench: &Bench) {
    let all = json_of(&bench.run("output --sandbox --output json").expect_code(0));
    let key = all["kms_key_arn"].as_str().unwrap();
    assert!(key.starts_with("arn:aws:kms:us-east-1:123456789012:key/"), "{all:#}");
    let shown = bench.run("output --sandbox").expect_code(0);
    for (name, value) in all.as_object().unwrap() {
        let line = shown.stdout.lines().find(|line| line.trim_start().starts_with(&format!("{name} ")));
        let plain = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        assert!(value.is_array() || line.is_some_and(|line| line.ends_with(&plain)), "{name}: {}", shown.transcript());
    }
    assert_eq!(bench.run("output kms_key_arn --sandbox").expect_code(0).stdout, format!("{key}\n"));
    assert_eq!(json_of(&bench.run("output kms_key_arn --sandbox --output json").expect_code(0)), json!(key));
    let none = bench.run("output nothing --sandbox").expect_code(1);
    says(&none, "acme/prod has no output `nothing`");
    says(&none, "there are alb_dns_name, ");
}

fn drawings(bench: &Bench) {
    let known = json_of(&bench.run("graph --output json --sandbox").expect_code(0));
    assert_eq!(known["nodes"].as_array().unwrap().len(), 53);
    for (format, begins, names) in [
        ("dot", "digraph rcm {", "\"compute/service\" -> \"compute/cluster\""),
        ("mermaid", "flowchart RL", "compute__service --> compute__cluster"),
        ("json", "{", "\"address\": \"compute/service\""),
        ("svg", "<svg ", "compute/service"),
    ] {
        let drawn = bench.run(&format!("graph --format {format} --sandbox")).expect_code(0);
        assert!(drawn.stdout.starts_with(begins), "{format}: {}", drawn.transcript());
        assert!(drawn.stdout.contains(names), "{format} does not have {names}: {}", drawn.transcript());
        let file = bench.file(format);
        let filed = bench.run(&format!("graph --format {format} --out {file} --sandbox")).expect_code(0);
        assert_eq!((fs::read_to_string(&file).unwrap(), filed.stdout), (drawn.stdout, String::new()), "{format}");
    }
}

fn resources(bench: &Bench) {
    let listed = json_of(&bench.run("state list --sandbox --output json").expect_code(0));
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), 53);
    let shown = bench.run("state list --sandbox").expect_code(0);
    for record in listed {
        let words = ["address", "kind", "id"].map(|field| record[field].as_str().unwrap());
        let has = |line: &str| line.split_whitespace().take(3).eq(words);
        assert!(shown.stdout.lines().any(has), "no line for {words:?}: {}", shown.transcript());
    }
    says(&shown, "53 resources of acme/prod in account 123456789012, us-east-1; state 1");
    let vpc = listed.iter().find(|record| record["address"] == "network/vpc").unwrap();
    let one = json_of(&bench.run("state show network/vpc --sandbox").expect_code(0));
    assert_eq!((&one["id"], &one["outputs"]["vpc_id"]), (&vpc["id"], &vpc["id"]));
    assert_eq!((&one["phase"], &one["spec"]["cidr"]), (&json!("ready"), &json!("10.0.0.0/16")));
    says(&bench.run("state show network/nowhere --sandbox").expect_code(1), "network/nowhere is not in the state");

    says(&bench.run("state unlock --sandbox").expect_code(0), "the lock is free");
    let id = vpc["id"].as_str().unwrap();
    let gone = bench.run("state rm network/vpc --sandbox --yes --output json").expect_code(0);
    assert_eq!(json_of(&gone), json!({"forgotten": "network/vpc", "id": id}));
    let _ = bench.run("state show network/vpc --sandbox").expect_code(1);
}

const TWO: &str = "
[environments.prod]
aws_account_id = \"123456789012\"

[environments.staging]
aws_account_id = \"210987654321\"
domain_name = \"staging.rcm.acme.com\"
";

#[test]
fn each_environment_of_a_file_is_one_of_its_own() {
    let bench = Bench::new();
    let common = ACME.replace("environment = \"prod\"\n", "").replace("aws_account_id = \"123456789012\"\n", "");
    bench.partner("acme", &format!("{common}{TWO}"));
    let ran = bench.run("plan --sandbox").expect_code(3);
    says(&ran, "describes several environments: prod, staging");
    says(&bench.run("plan --env test --sandbox").expect_code(3), "prod, staging");

    let ran = bench.run("provision --env staging --sandbox --yes").expect_code(0);
    says(&ran, "Provisioned acme/staging");
    says(&bench.run("output --env staging --sandbox").expect_code(0), "acme-rcm-staging-alb");
    let _ = bench.run("plan --env staging --detailed-exitcode --sandbox").expect_code(0);
    let other = bench.run("plan --env prod --detailed-exitcode --sandbox").expect_code(2);
    says(&other, "Plan: 53 to create.");
    assert!(bench.state().join("staging.json").exists() && !bench.state().join("prod.json").exists());
}

fn neighbour() -> String {
    ACME.replace("acme-rcm", "beta-rcm").replace("rcm.acme.com", "rcm.beta.com") + "\nvpc_cidr = \"10.1.0.0/16\"\n"
}

#[test]
fn a_reset_leaves_what_another_partner_has_in_the_same_cloud() {
    let bench = Bench::new();
    bench.partner("beta", &neighbour());
    for partner in ["acme", "beta"] {
        let _ = bench.run_as(partner, "provision --sandbox --yes").expect_code(0);
    }
    let theirs = || fs::read(bench.rcm.state_dir().join("sandbox/beta/prod.json")).unwrap();
    let (before, own) = (theirs(), bench.state_file());
    let refused = bench.run("sandbox reset").expect_code(7);
    says(&refused, "the sandbox of account 123456789012, us-east-1 is also that of beta/prod; nothing was deleted");
    says(&refused, "rcm destroy --purge --partner acme");
    assert_eq!((theirs(), bench.state_file()), (before.clone(), own));
    for partner in ["acme", "beta"] {
        let _ = bench.run_as(partner, "plan --sandbox --detailed-exitcode").expect_code(0);
    }

    let cloud = bench.rcm.state_dir().join("sandbox/cloud/123456789012-us-east-1");
    write_atomically(&cloud.join("ec2.json"), b"{ not json").unwrap();
    says(&bench.run("plan --sandbox").expect_code(9), "rcm sandbox reset --partner NAME");
    says(&bench.run("sandbox reset").expect_code(0), "is empty");
    assert_eq!(theirs(), before, "what is known of others is theirs");
    says(&bench.run("plan --sandbox").expect_code(0), "Plan: 53 to create.");
}

#[test]
fn a_reset_takes_all_of_a_partner_that_is_alone_in_its_cloud() {
    let bench = Bench::new();
    let staging = ["environment = \"staging\"", "vpc_cidr = \"10.1.0.0/16\"", "project_prefix = \"acme-two\""];
    for file in [ACME.to_owned(), with(&staging)] {
        bench.partner("acme", &file);
        let _ = bench.run("provision --sandbox --yes").expect_code(0);
    }
    let told = json_of(&bench.run("sandbox reset --output json").expect_code(0));
    assert!(told["reset"].as_str().unwrap().ends_with("cloud/123456789012-us-east-1"), "{told}");
    assert!(!bench.state().join("prod.json").exists() && !bench.state().join("staging.json").exists());
    says(&bench.run("plan --sandbox").expect_code(0), "Plan: 53 to create.");
    let _ = bench.run("sandbox reset").expect_code(0);
}

/// Acme's file with these settings in the place of its own.
fn with(settings: &[&str]) -> String {
    let name = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    let kept = ACME.lines().filter(|line| settings.iter().all(|setting| name(setting) != name(line)));
    kept.chain(settings.iter().copied()).map(|line| format!("{line}\n")).collect()
}

#[tokio::test]
async fn a_saved_plan_is_not_run_once_the_cloud_has_changed() {
    let bench = provisioned();
    let plan = bench.file("saved.plan");
    let change = with(&["ecs_max_count = 12"]);
    bench.partner("acme", &change);
    let _ = bench.run(&format!("plan --out {plan} --sandbox")).expect_code(0);
    let before = bench.state_file();
    behind_its_back(&bench, async |aws: Aws| {
        let group = "/ecs/acme-rcm-prod";
        aws.logs.put_retention_policy().log_group_name(group).retention_in_days(1).send().await.unwrap();
    })
    .await;
    let refused = bench.run(&format!("provision --plan {plan} --sandbox --yes")).expect_code(7);
    says(&refused, "the partner file or the cloud has changed since");
    says(&refused, "nothing was changed; plan again: rcm plan --out FILE --partner acme");
    assert_eq!(bench.state_file(), before);

    let _ = bench.run(&format!("plan --out {plan} --sandbox")).expect_code(0);
    let ran = bench.run(&format!("provision --plan {plan} --sandbox --yes")).expect_code(0);
    says(&ran, "2 updated");
}

#[test]
fn who_has_no_credentials_is_told_so_before_anything_is_written() {
    let bench = Bench::new();
    let mut command = bench.command("provision --yes");
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    let ran = Running::start(&mut command).finish(Duration::from_secs(60)).expect_code(1);
    says(&ran, "NoCredentials: no AWS credentials were found");
    says(&ran, "log in (`aws sso login`)");
    says(&ran, "rcm provision --partner acme");
    assert!(!bench.store().state_path().exists(), "{}", ran.transcript());
}

#[test]
fn options_may_stand_before_the_verb() {
    let bench = Bench::new();
    let before = bench.rcm.run("--partner acme --sandbox --output json plan --detailed-exitcode".split(' '));
    let after = bench.rcm.run("plan --detailed-exitcode --partner acme --sandbox --output json".split(' '));
    let counts = |ran: &Ran| json_of(ran)["forward"].as_array().unwrap().len();
    assert_eq!((before.code, counts(&before)), (Some(2), 53), "{}", before.transcript());
    assert_eq!((after.code, counts(&after)), (Some(2), 53), "{}", after.transcript());
}

#[test]
fn the_version_is_there_at_once() {
    let rcm = Rcm::new("http://127.0.0.1:9", rcm_testkit::root());
    // At best: other tests run beside it.
    let took = || {
        let begun = Instant::now();
        let output = rcm.command(["--version"]).output().unwrap();
        let took = begun.elapsed();
        assert_eq!(String::from_utf8_lossy(&output.stdout), concat!("rcm ", env!("CARGO_PKG_VERSION"), "\n"));
        took
    };
    let best = (0..20).map(|_| took()).find(|took| *took < Duration::from_millis(50));
    assert!(best.is_some(), "twenty times it took 50 ms and more");
    assert!(!rcm.state_dir().exists(), "asking for the version writes nothing");
}

/// What a terminal draws with, between an escape and a letter.
fn drawn(shown: &str, letter: char) -> bool {
    shown
        .split("\u{1b}[")
        .skip(1)
        .any(|code| code.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with(letter))
}

#[test]
fn on_a_terminal_a_person_is_asked_and_shown_what_happens_as_it_happens() {
    let bench = Bench::new();
    let start = |arguments: &str| Terminal::start(&bench.command(&format!("{arguments} --sandbox")));
    let answer = |arguments: &str, answers: &[(&str, &str)]| {
        let mut terminal = start(arguments);
        for (question, answer) in answers {
            terminal.wait_until_it_shows(question);
            terminal.type_line(answer);
        }
        terminal.finish()
    };
    let declined = "not approved; nothing was changed";
    says(&answer("provision", &[("Proceed? [y/N]", "n")]).expect_code(6), declined);
    let mut left = start("provision");
    left.wait_until_it_shows("Proceed? [y/N]");
    left.type_end();
    says(&left.finish().expect_code(6), declined);
    assert!(!bench.state_file().contains("network/vpc"), "{}", bench.state_file());

    let ran = answer("provision", &[("Proceed? [y/N]", "y")]).expect_code(0);
    for text in ["Plan: 53 to create.", "/53 done", " waiting: ", "⠋", "Provisioned acme/prod"] {
        says(&ran, text);
    }
    assert!(
        drawn(&ran.stdout, 'K') && drawn(&ran.stdout, 'm'),
        "neither drawn over nor in colours: {}",
        ran.transcript()
    );

    says(&answer("state rm storage/repository/web", &[("Forget it? [y/N]", "n")]).expect_code(6), declined);
    let name = "type the partner's name (acme)";
    says(&answer("destroy", &[(name, "beta")]).expect_code(6), declined);
    says(&answer("destroy --purge", &[(name, "acme"), ("To go on, type purge", "yes")]).expect_code(6), declined);
    let _ = bench.run("plan --sandbox --detailed-exitcode").expect_code(0);
    says(&answer("destroy", &[(name, "acme")]).expect_code(0), "44 deleted");
}

#[test]
fn a_terminal_without_colours_has_none() {
    let bench = Bench::new();
    let plan = |more: &str| Terminal::start(&bench.command(&format!("plan --sandbox{more}"))).finish().expect_code(0);
    assert!(drawn(&plan("").stdout, 'm'));
    for plain in [plan(" --no-color"), plan_with(&bench, "NO_COLOR", "1")] {
        says(&plain, "Plan: 53 to create.");
        assert!(!drawn(&plain.stdout, 'm'), "{}", plain.transcript());
    }
}

fn plan_with(bench: &Bench, variable: &str, value: &str) -> Ran {
    let mut command = bench.command("plan --sandbox");
    Terminal::start(command.env(variable, value)).finish().expect_code(0)
}
