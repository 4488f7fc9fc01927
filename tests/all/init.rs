//! `rcm init`: a new partner file from what is on the command line, which the other verbs take.

use std::fs;

use rcm_testkit::Ran;

use crate::bench::{Bench, lines};

const ANSWERS: [&str; 10] = [
    "--yes",
    "--brand-name",
    "Globex \"Health\"",
    "--support-email=help@globex.example",
    "--aws-account-id=210987654321",
    "--aws-region=eu-central-1",
    "--domain-name=rcm.globex.example",
    "--environment=staging",
    "--primary-color=#00AA77",
    "--tier=development",
];

fn init(bench: &Bench, name: &str, more: &[&str]) -> Ran {
    bench.rcm.run(["init", name].into_iter().chain(more.iter().copied()))
}

#[track_caller]
fn says(ran: &Ran, text: &str) {
    assert!(ran.stdout.contains(text) || ran.stderr.contains(text), "does not say {text:?}: {}", ran.transcript());
}

#[test]
fn a_new_partner_file_is_one_that_can_be_provisioned() {
    let bench = Bench::new();
    let ran = init(&bench, "globex", &ANSWERS).expect_code(0);
    says(&ran, "globex.toml");
    says(&ran, "rcm plan --partner globex");
    says(&ran, "--sandbox");
    let text = fs::read_to_string(bench.file("globex.toml")).unwrap();
    for line in [
        r#"project_prefix = "globex-rcm""#,
        r#"environment = "staging""#,
        r#"tier = "development""#,
        "# ecs_spot = true",
        r#"# db_instance_class = "db.t3.micro""#,
        "# The one AWS Region that everything is in.",
    ] {
        assert!(text.lines().any(|is| is == line), "no line {line:?}:\n{text}");
    }
    let ran = bench.rcm.run(["validate", "--partner", "globex"]).expect_code(0);
    says(&ran, "globex/staging");
    let ran = bench.rcm.run(["provision", "--partner", "globex", "--sandbox", "--yes"]).expect_code(0);
    says(&ran, "Provisioned globex/staging");
}

#[test]
fn a_file_that_is_there_is_never_touched() {
    let bench = Bench::new();
    let before = fs::read(bench.file("acme.toml")).unwrap();
    let ran = init(&bench, "acme", &ANSWERS).expect_code(7);
    says(&ran, "acme.toml is there already, and stays as it is");
    says(&ran, "rcm validate --partner acme");
    assert_eq!(fs::read(bench.file("acme.toml")).unwrap(), before);
}

#[test]
fn what_is_missing_or_wrong_is_named_by_its_flag_and_nothing_is_written() {
    let bench = Bench::new();
    // No terminal, and no --yes either: nobody is asked.
    let ran = init(&bench, "globex", &["--brand-name", "Globex"]).expect_code(2);
    for flag in ["--support-email", "--aws-account-id", "--aws-region"] {
        says(&ran, flag);
    }
    assert!(!ran.stderr.contains("--brand-name") && !ran.stderr.contains("--tier"), "{}", ran.transcript());

    let ran = init(&bench, "globex", &["--aws-region=us-esat-1", "--tier=huge", "--yes"]).expect_code(2);
    says(&ran, "--aws-region: `us-esat-1` is not an AWS Region (did you mean \"us-east-1\"?)");
    says(&ran, "--tier: `tier` cannot be `huge`");

    // Each is right by itself; together they make names too long.
    let long = "--project-prefix=globex-international-health";
    let ran = init(&bench, "globex", &[&ANSWERS[..], &[long]].concat()).expect_code(3);
    says(&ran, "makes names too long");
    let ran = init(&bench, "../globex", &ANSWERS).expect_code(3);
    says(&ran, "cannot be a partner's name");
    assert!(!std::path::Path::new(&bench.file("globex.toml")).exists());
}

#[test]
fn programs_are_told_the_file_and_the_next_commands() {
    let bench = Bench::new();
    let ran = init(&bench, "globex", &[&ANSWERS[..], &["--output", "json"]].concat()).expect_code(0);
    let told = lines(&ran.stdout).remove(0);
    assert_eq!((&told["partner"], &told["environment"]), (&"globex".into(), &"staging".into()));
    assert_eq!(told["file"], bench.file("globex.toml"));
    assert!(told["next"][0].as_str().unwrap().starts_with("rcm plan --partner globex "), "{told}");
}
