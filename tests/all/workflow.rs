//! The example of a GitHub Actions workflow is one that GitHub takes, and does what its documentation promises.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use rcm_testkit::{actionlint, root};

use crate::bench::Bench;

fn example() -> PathBuf {
    root().join("docs/examples/github-actions.yml")
}

fn text() -> String {
    fs::read_to_string(example()).unwrap()
}

/// The lines of all scripts: those below a `run: |`, and those beside a `run:`.
fn scripts(workflow: &str) -> Vec<&str> {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let (mut scripts, mut within) = (Vec::new(), None);
    for line in workflow.lines().filter(|line| !line.trim().is_empty()) {
        within = within.filter(|begun| depth(line) > *begun);
        if within.is_some() {
            scripts.push(line);
        } else if let Some(beside) = line.trim_start().trim_start_matches("- ").strip_prefix("run:") {
            if beside.trim() == "|" { within = Some(depth(line)) } else { scripts.push(beside) }
        }
    }
    scripts
}

#[test]
fn actionlint_has_nothing_to_say() {
    // The scripts are left to whoever has shellcheck: what is not there is not asked.
    let mut linter = Command::new(actionlint());
    let ran = linter.args(["-shellcheck=", "-pyflakes=", "-no-color"]).arg(example()).output().unwrap();
    assert!(ran.status.success(), "{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn actionlint_would_say_something() {
    let directory = tempfile::tempdir().unwrap();
    let broken = directory.path().join("broken.yml");
    let text = text().replace("needs: plan", "needs: plam");
    rcm::engine::store::write_atomically(&broken, text.as_bytes()).unwrap();
    let ran = Command::new(actionlint()).args(["-shellcheck=", "-pyflakes="]).arg(&broken).output().unwrap();
    assert!(!ran.status.success() && String::from_utf8_lossy(&ran.stdout).contains("plam"));
}

#[test]
fn no_script_holds_what_somebody_else_may_have_written() {
    let text = text();
    let scripts = scripts(&text);
    assert!(scripts.iter().any(|line| line.contains("rcm plan")) && scripts.iter().any(|line| line.contains("gh pr")));
    for line in scripts {
        assert!(!line.contains("${{"), "{line}");
    }
}

#[test]
fn the_plan_and_its_run_look_equally_closely() {
    let bench = Bench::strict();
    let plan = bench.file("acme.plan");
    // The commands of the two scripts, in the sandbox.
    let text = text();
    let typed = |verb: &str| {
        let script = scripts(&text).into_iter().find(|line| line.contains(&format!("rcm {verb} "))).unwrap();
        let (_, command) = script.split_once("rcm ").unwrap();
        let command = command.split(" > ").next().unwrap().replace("\"$PARTNER.plan\"", &plan);
        command.replace(" --partner \"$PARTNER\"", " --sandbox")
    };
    let _ = bench.run(&typed("plan")).expect_code(2);
    let _ = bench.run(&typed("provision")).expect_code(0);
    // The same plan once more is out of date.
    let _ = bench.run(&typed("provision")).expect_code(7);
    let _ = bench.run(&typed("plan")).expect_code(0);
}

#[test]
fn the_state_is_saved_whatever_becomes_of_the_run() {
    let text = text();
    let (_, after) = text.split_once("- name: Provision\n").unwrap();
    assert!(after.contains(
        "- name: Save the state\n        id: save\n        if: always() && steps.state.outcome == 'success'\n"
    ));
    assert!(text.contains("permissions: {}\n") && text.contains("cancel-in-progress: false\n"));
}
