//! The whole stack in the sandbox, through the library.

use std::path::Path;

use rcm::{Cloud, Environment, Goal, PartnerConfig, Report, Settings, engine::run::Outcome};
use rcm_sandbox::Sandbox;

const ACME: &str = include_str!("../../partners/acme.toml");

async fn environment(dir: &Path, sandbox: &Sandbox) -> Environment {
    let config = PartnerConfig::parse("acme.toml", ACME, None).expect("acme.toml is valid");
    let settings = Settings {
        cloud: Cloud::InProcess(sandbox.http_client()),
        events: rcm::engine::model::Events::to(|event| {
            eprintln!("{}", serde_json::to_string(event).expect("an event"))
        }),
        ..Settings::new(dir.join("state"))
    };
    Environment::open(config, settings).await.expect("opens")
}

async fn run(dir: &Path, goal: &Goal) -> Report {
    let sandbox = Sandbox::open(&dir.join("cloud"), "123456789012", "us-east-1").await.expect("a sandbox");
    environment(dir, &sandbox).await.run(goal, |_| true).await.expect("a run")
}

#[tokio::test]
async fn acme_comes_stays_and_goes() {
    let dir = tempfile::tempdir().expect("a directory");
    let report = run(dir.path(), &Goal::provision()).await;
    assert!(matches!(report.outcome, Outcome::Done), "{:?}", report.outcome);
    let again = run(dir.path(), &Goal::provision()).await;
    assert!(again.plan.is_empty(), "{:#?}", again.plan);
    let gone = run(dir.path(), &Goal::destroy()).await;
    assert!(matches!(gone.outcome, Outcome::Done), "{:?}", gone.outcome);
}
