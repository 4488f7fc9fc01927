//! `rcm exec`: a plug-in of the test's own writes down how it was called.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use rcm::engine::store::write_atomically;
use rcm_testkit::{Ran, Terminal};
use serde_json::Value;

use crate::bench::{ACME, Bench, behind_its_back, lines};

const VERSION: &str = "1.2.707.0";

/// Acme with an image, so that tasks run.
fn acme(more: &str) -> String {
    let digest = "0".repeat(64);
    let image = format!("123456789012.dkr.ecr.us-east-1.amazonaws.com/acme-rcm-prod-api@sha256:{digest}");
    let bare = ACME.replace("ecs_exec = false", "");
    format!("{bare}\napi_image = \"{image}\"\n{more}\n")
}

/// Where programs are found, and what the plug-in leaves behind.
struct Desk {
    bench: Bench,
    dir: tempfile::TempDir,
}

impl Desk {
    /// A partner file that was provisioned in the sandbox, and no plug-in.
    fn new(more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        // Nothing else that this machine has is found.
        let desk = Self { bench: Bench::new().env("PATH", dir.path().to_str().unwrap()), dir };
        desk.bench.partner("acme", &acme(more));
        let _ = desk.bench.run("provision --sandbox --yes").expect_code(0);
        desk
    }

    /// Installs a plug-in of that version, which does `work` once it is called to join a session.
    fn plugin(&self, version: &str, work: &str) {
        let dir = self.dir.path().to_str().unwrap();
        let script = format!(
            "#!/bin/sh\nPATH=/usr/bin:/bin\nif [ \"$1\" = --version ]; then echo {version}; exit 0; fi\n\
             for word in \"$@\"; do printf '%s\\n' \"$word\"; done > {dir}/arguments\nenv > {dir}/environment\n{work}\n"
        );
        let file = self.dir.path().join("session-manager-plugin");
        write_atomically(&file, script.as_bytes()).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The value of a variable of the plug-in's environment.
    fn variable(&self, name: &str) -> Option<String> {
        let is_it = |line: &str| line.strip_prefix(&format!("{name}=")).map(str::to_owned);
        self.read("environment").lines().find_map(is_it)
    }

    /// How often a session was opened, by the audit log.
    fn opened(&self) -> usize {
        let log = fs::read_to_string(self.bench.state().join("prod.audit.jsonl")).unwrap();
        lines(&log).iter().filter(|line| line["entry"] == "session-opened").count()
    }
}

#[track_caller]
fn says(ran: &Ran, text: &str) {
    assert!(ran.stderr.contains(text), "does not say {text:?}: {}", ran.transcript());
}

#[test]
fn the_plug_in_gets_the_session_the_token_is_no_argument_and_the_exit_code_is_its_own() {
    let desk = Desk::new("ecs_exec = true");
    desk.plugin(VERSION, "exit 23");
    let mut command = desk.bench.command("exec --sandbox");
    command.args(["--", "sh", "-c", "echo top-secret"]).env("AWS_PROFILE", "of-somebody-else");
    let ran = rcm_testkit::Running::start(&mut command).finish(std::time::Duration::from_secs(60)).expect_code(23);
    says(&ran, "container api of the task");

    let arguments = desk.read("arguments");
    let words: Vec<&str> = arguments.lines().collect();
    let [response, region, operation, profile, target, endpoint] = words[..] else { panic!("{words:?}") };
    assert_eq!((response, region, operation), ("AWS_SSM_START_SESSION_RESPONSE", "us-east-1", "StartSession"));
    assert_eq!((profile, endpoint), ("", "https://ssm.us-east-1.sandbox.invalid"));
    let target: Value = serde_json::from_str(target).unwrap();
    assert!(target["Target"].as_str().unwrap().starts_with("ecs:acme-rcm-prod-cluster_"), "{target}");

    let response: Value = serde_json::from_str(&desk.variable(response).unwrap()).unwrap();
    let text = |key: &str| response[key].as_str().unwrap().to_owned();
    assert!(text("StreamUrl").contains(&text("SessionId")), "{response}");
    assert!(!arguments.contains(&text("TokenValue")), "{arguments}");
    assert_eq!(desk.variable("AWS_ACCESS_KEY_ID").as_deref(), Some("sandbox"), "what the session was opened with");
    assert_eq!(desk.variable("AWS_PROFILE"), None);

    // Who, which task and which session; neither what was run nor what lets somebody in.
    let log = fs::read_to_string(desk.bench.state().join("prod.audit.jsonl")).unwrap();
    let opened = lines(&log).into_iter().find(|line| line["entry"] == "session-opened").unwrap();
    assert_eq!((&opened["session"], &opened["container"]), (&response["SessionId"], &"api".into()));
    assert!(lines(&log).iter().any(|line| line["operation"] == "ExecuteCommand" && line["status"] == 200), "{log}");
    assert!(!log.contains("top-secret") && !log.contains(&text("TokenValue")), "{log}");
    let _ = desk.bench.run("audit verify --sandbox").expect_code(0);
    let shown = desk.bench.run(&format!("history {} --sandbox", opened["run"].as_str().unwrap())).expect_code(0);
    assert!(shown.stdout.contains(&text("SessionId")), "{}", shown.transcript());
    // Nobody holds the lock for as long as a session lasts.
    let _ = desk.bench.run("state unlock --sandbox").expect_code(0);
}

#[test]
fn the_terminal_and_its_ctrl_c_are_the_sessions() {
    let desk = Desk::new("ecs_exec = true");
    desk.plugin(VERSION, "trap 'echo interrupted-and-here; exit 5' INT\necho at-work\nwhile true; do sleep 0.05; done");
    let mut command = desk.bench.command("exec --sandbox");
    // `script` runs it by a shell, which needs its own programs.
    command.env("PATH", format!("{}:/usr/bin:/bin", desk.dir.path().display()));
    let mut terminal = Terminal::start(&command);
    terminal.wait_until_it_shows("at-work");
    terminal.type_line("\u{3}");
    terminal.wait_until_it_shows("interrupted-and-here");
    let ran = terminal.finish().expect_code(5);
    assert!(!ran.stdout.contains("stopped; nothing was changed"), "{}", ran.transcript());
}

#[test]
fn without_the_plug_in_or_with_one_that_shows_the_token_no_session_is_opened() {
    let desk = Desk::new("ecs_exec = true");
    let ran = desk.bench.run("exec --sandbox").expect_code(1);
    says(&ran, "session-manager-plugin is not in PATH");
    says(
        &ran,
        "https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-install-plugin.html",
    );
    for (version, why) in [("1.2.497.0", "would show the session's token"), ("unknown", "it says no version")] {
        desk.plugin(version, "exit 0");
        says(&desk.bench.run("exec --sandbox").expect_code(1), why);
    }
    assert!(!desk.path("arguments").exists(), "it was not called to join anything");
    assert_eq!(desk.opened(), 0);
}

#[test]
fn who_cannot_be_let_in_is_told_what_to_do() {
    let desk = Desk::new("");
    desk.plugin(VERSION, "exit 0");
    let ran = desk.bench.run("exec --sandbox").expect_code(1);
    says(&ran, "acme-rcm-prod-api lets nobody into its containers");
    says(&ran, "set ecs_exec = true");
    says(&ran, "rcm provision --partner acme");

    desk.bench.partner("acme", &acme("ecs_exec = true"));
    let _ = desk.bench.run("provision --sandbox --yes").expect_code(0);
    let ran = desk.bench.run("exec --sandbox --task 0123").expect_code(1);
    says(&ran, "no task 0123 of the service acme-rcm-prod-api runs");
    says(&desk.bench.run("exec --sandbox --container web").expect_code(1), "no container web");
    assert_eq!(desk.opened(), 0);
    let _ = desk.bench.run("exec --sandbox").expect_code(0);
    assert_eq!(desk.opened(), 1);

    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(behind_its_back(&desk.bench, async |aws| {
        let request = aws.ecs.update_service().cluster("acme-rcm-prod-cluster").service("acme-rcm-prod-api");
        request.desired_count(0).send().await.unwrap();
        // It takes some looks until they are gone.
        for _ in 0..20 {
            let service = aws.ecs.describe_services().cluster("acme-rcm-prod-cluster").services("acme-rcm-prod-api");
            service.send().await.unwrap();
        }
    }));
    let ran = desk.bench.run("exec --sandbox").expect_code(1);
    says(&ran, "no task of the service acme-rcm-prod-api runs");
    says(&ran, "rcm status");
}

#[test]
fn tasks_of_before_and_agents_that_cannot_write_let_nobody_in() {
    let desk = Desk::new("");
    desk.plugin(VERSION, "exit 0");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let service = |forced: bool| {
        behind_its_back(&desk.bench, async move |aws| {
            let request = aws.ecs.update_service().cluster("acme-rcm-prod-cluster").service("acme-rcm-prod-api");
            request.enable_execute_command(true).force_new_deployment(forced).send().await.unwrap();
            for _ in 0..20 {
                let look = aws.ecs.describe_services().cluster("acme-rcm-prod-cluster").services("acme-rcm-prod-api");
                look.send().await.unwrap();
            }
        })
    };
    runtime.block_on(service(false));
    says(&desk.bench.run("exec --sandbox").expect_code(1), "was started when the service let nobody in");
    // The container's files are read-only, as they are where nobody is to be let in.
    runtime.block_on(service(true));
    let ran = desk.bench.run("exec --sandbox").expect_code(1);
    says(&ran, "is STOPPED");
    says(&ran, "files that can be written to");
    // What somebody has switched on is switched off again, and not for tasks of tomorrow alone.
    let _ = desk.bench.run("provision --sandbox --yes").expect_code(0);
    runtime.block_on(behind_its_back(&desk.bench, async |aws| {
        let tasks = aws.ecs.list_tasks().cluster("acme-rcm-prod-cluster").send().await.unwrap();
        let request = aws.ecs.describe_tasks().cluster("acme-rcm-prod-cluster").set_tasks(tasks.task_arns);
        let tasks = request.send().await.unwrap().tasks.unwrap();
        assert!(!tasks.is_empty() && tasks.iter().all(|task| !task.enable_execute_command()), "{tasks:?}");
    }));
}

#[test]
fn app_runner_lets_nobody_in_and_production_does_not_unasked() {
    let desk = Bench::strict();
    desk.partner("acme", &format!("{}\necs_exec = true\n", crate::bench::SHIPPED));
    let ran = desk.run("provision --sandbox --yes").expect_code(7);
    says(&ran, "ecs-containers-readonly-access");
    desk.partner("acme", &acme("compute = \"apprunner\"\necs_exec = true").replace("domain_name", "# domain_name"));
    says(&desk.run("validate").expect_code(3), "ecs_exec has no effect on App Runner");
    desk.partner("acme", &acme("compute = \"apprunner\"").replace("domain_name", "# domain_name"));
    let risks =
        crate::bench::risks().into_keys().map(|control| format!(" --accept-risk {control}")).collect::<String>();
    let _ = desk.run(&format!("provision --sandbox --yes --reason test{risks}")).expect_code(0);
    let ran = desk.run("exec --sandbox").expect_code(1);
    says(&ran, "acme-rcm-prod-api runs on App Runner");
    says(&ran, "rcm logs");
}
