//! What a shell and a manual show of the command, and what IAM is to be told of it.

use std::fs;
use std::process::Command;

use rcm::engine::store::write_atomically;
use rcm_testkit::{Ran, Terminal};
use serde_json::Value;

use crate::bench::Bench;

/// What bash offers for the last of `words`.
fn offered(script: &str, words: &[&str]) -> Vec<String> {
    let asked = format!(
        "source {script}; COMP_WORDS=({}); COMP_CWORD={}; _rcm rcm '{}' '{}'; echo \"${{COMPREPLY[@]}}\"",
        words.join(" "),
        words.len() - 1,
        words[words.len() - 1],
        words[words.len() - 2],
    );
    let ran = Command::new("bash").args(["--noprofile", "--norc", "-c", &asked]).output().unwrap();
    assert!(ran.status.success() && ran.stderr.is_empty(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap().split_whitespace().map(str::to_owned).collect()
}

#[test]
fn bash_completes_verbs_options_and_values() {
    let bench = Bench::new();
    let script = bench.file("rcm.bash");
    write_atomically(script.as_ref(), bench.run("completions bash").expect_code(0).stdout.as_bytes()).unwrap();
    assert_eq!(offered(&script, &["rcm", "prov"]), ["provision"]);
    assert_eq!(offered(&script, &["rcm", "provision", "--on-f"]), ["--on-failure"]);
    assert_eq!(offered(&script, &["rcm", "provision", "--on-failure", "k"]), ["keep"]);
}

#[test]
fn every_shell_is_told_every_verb() {
    let bench = Bench::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = bench.run(&format!("completions {shell}")).expect_code(0).stdout;
        for verb in ["provision", "destroy", "deploy", "permissions", "completions"] {
            assert!(script.contains(verb), "{shell} does not know {verb}");
        }
    }
}

#[test]
fn there_is_a_page_for_each_verb() {
    let bench = Bench::new();
    let directory = bench.file("man");
    let said = bench.run(&format!("man --out {directory}")).expect_code(0).stdout;
    let pages = fs::read_dir(&directory).unwrap().count();
    assert_eq!(said, format!("{pages} pages in {directory}\n"));
    let page = |name: &str| fs::read_to_string(format!("{directory}/{name}.1")).unwrap();
    assert!(page("rcm-destroy").contains("\\-\\-purge") && page("rcm").contains("rcm\\-provision(1)"));
    assert_eq!(bench.run("man").expect_code(0).stdout, page("rcm"));
}

#[test]
fn policies_are_what_iam_takes_one_by_one() {
    let bench = Bench::new();
    let one = bench.run("permissions --verb logs").expect_code(0).stdout;
    let document: Value = serde_json::from_str(&one).unwrap();
    assert_eq!(document["Statement"][0]["Action"][0], "logs:FilterLogEvents");

    let directory = bench.file("policies");
    let said =
        bench.run(&format!("permissions --verb provision --verb deploy --out {directory}")).expect_code(0).stdout;
    let told = bench.run("permissions --verb provision --verb deploy --output json").expect_code(0).stdout;
    let told: Vec<Value> = serde_json::from_str(&told).unwrap();
    assert_eq!(fs::read_dir(&directory).unwrap().count(), told.len());
    for policy in &told {
        let file = format!("{directory}/{}.json", policy["name"].as_str().unwrap());
        assert!(said.contains(&format!("file://{file}")), "{said}");
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), policy["document"]);
        let length = text.chars().filter(|char| !char.is_whitespace()).count();
        assert_eq!(policy["characters"], length);
        assert!(length <= 6144, "{file} has {length} characters");
    }
    let all = bench.run("permissions").expect_code(0).stdout;
    assert!(all.starts_with("# acme-rcm-prod-rcm-1 ("), "{all}");
    assert!(bench.run("permissions --verb everything").expect_code(2).stderr.contains("possible values"));
}

/// Verbs in an order in which each finds something to tell.
const TOLD: [&str; 18] = [
    "--help",
    "validate",
    "plan --sandbox",
    "provision --sandbox --yes",
    "plan --sandbox",
    "status --sandbox",
    "drift --sandbox",
    "compliance --sandbox",
    "dns --sandbox",
    "secrets list --sandbox",
    "state list --sandbox",
    "output --sandbox",
    "history --sandbox",
    "open --sandbox",
    "cost",
    "graph",
    "man",
    "destroy --sandbox --yes",
];

/// The codes in what a terminal was sent that set a colour or a weight, as in `ESC [ 1 m`.
fn paint(shown: &str) -> Vec<&str> {
    let codes = shown.split("\u{1b}[").skip(1);
    let code = |text: &'_ str| text.find(|c: char| !c.is_ascii_digit() && c != ';');
    codes.filter_map(|text| code(text).map(|end| &text[..=end])).filter(|code| code.ends_with('m')).collect()
}

fn on_a_terminal(mut command: Command, environment: &[(&str, &str)]) -> Ran {
    command.envs(environment.iter().copied());
    Terminal::start(&command).finish()
}

#[test]
fn nothing_is_painted_for_who_wants_no_colors_and_no_pager_is_called() {
    let (by_option, by_environment) = (Bench::new(), Bench::new());
    let called = by_environment.file("pager-was-called");
    let pager = format!("touch {called}");
    let environment = [("NO_COLOR", "1"), ("PAGER", &*pager), ("MANPAGER", &pager)];
    for verb in TOLD {
        let shown = on_a_terminal(by_environment.command(verb), &environment);
        assert_eq!(paint(&shown.stdout), [""; 0], "{}", shown.transcript());
        let shown = on_a_terminal(by_option.command(&format!("{verb} --no-color")), &[]);
        assert_eq!(paint(&shown.stdout), [""; 0], "{}", shown.transcript());
    }
    assert!(fs::metadata(called).is_err());
}

#[test]
fn a_terminal_is_painted_and_a_pipe_when_it_is_told_to_be() {
    let bench = Bench::new();
    let painted = |ran: &Ran| !paint(&ran.stdout).is_empty();
    assert!(painted(&on_a_terminal(bench.command("validate"), &[])));
    assert!(!painted(&bench.run("validate")));
    assert!(!painted(&on_a_terminal(bench.command("validate"), &[("CLICOLOR", "0")])));
    let forced = Bench::new().env("CLICOLOR_FORCE", "1");
    assert!(painted(&forced.run("validate")));
    assert!(!painted(&forced.run("validate --no-color")) && !painted(&forced.run("validate --output json")));
    assert!(!painted(&Bench::new().env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1").run("validate")));
}
