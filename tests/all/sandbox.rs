//! The whole stack in the sandbox, through the library.

use std::path::Path;

use rcm::{
    Cloud, Environment, Goal, PartnerConfig, Report, Settings,
    engine::{plan::Depth, run::Outcome},
};
use rcm_sandbox::Sandbox;
use serde_json::json;

use crate::bench::at_any_risk;

const ACME: &str = include_str!("../../partners/acme.toml");

async fn run(dir: &Path, file: &str, goal: &Goal, depth: Depth) -> Report {
    let sandbox = Sandbox::open(&dir.join("cloud"), "123456789012", "us-east-1").await.unwrap();
    let config = PartnerConfig::parse("acme.toml", file, None).unwrap();
    let cloud = Cloud::InProcess(sandbox.http_client());
    let settings = Settings { cloud, depth, ..Settings::new(dir.join("state")) };
    let report = Environment::open(config, settings).await.unwrap().run(&at_any_risk(goal), |_| true).await.unwrap();
    assert!(matches!(report.outcome, Outcome::Done), "{:?}", report.outcome);
    report
}

#[tokio::test]
async fn acme_comes_stays_goes_and_comes_again() {
    let dir = tempfile::tempdir().unwrap();
    let made = run(dir.path(), ACME, &Goal::provision(), Depth::Quick).await;
    assert_eq!(made.plan.counts().into_iter().collect::<Vec<_>>(), [("create", 78)]);
    assert!(made.notes.iter().any(|note| note.contains("support@acme.com") && note.contains("confirmed")));
    assert!(made.outputs.get("alb_dns_name").is_some() && made.outputs.get("database_endpoint").is_some());
    for depth in [Depth::Quick, Depth::Full] {
        let again = run(dir.path(), ACME, &Goal::provision(), depth).await;
        assert!(again.plan.is_empty(), "{depth:?}: {:#?}", again.plan.forward);
    }

    let gone = run(dir.path(), ACME, &Goal::destroy(), Depth::Quick).await;
    let kept: Vec<_> = gone.retained.iter().map(|address| address.as_str()).collect();
    assert_eq!(
        kept,
        [
            "backup/vault",
            "security/key",
            "storage/bucket/load-balancer-logs",
            "storage/bucket/logs",
            "storage/log-group/application",
            "storage/log-group/container-insights",
            "storage/log-group/database-postgresql",
            "storage/log-group/database-upgrade",
            "storage/log-group/flow-logs",
        ]
    );

    let back = run(dir.path(), ACME, &Goal::provision(), Depth::Quick).await;
    assert_eq!(back.plan.counts().into_iter().collect::<Vec<_>>(), [("adopt", 13), ("create", 65)]);
    assert_eq!(back.outputs.get("kms_key_arn"), made.outputs.get("kms_key_arn"));

    run(dir.path(), ACME, &Goal { purge: true, ..Goal::destroy() }, Depth::Quick).await;
    let after = run(dir.path(), ACME, &Goal { purge: true, ..Goal::destroy() }, Depth::Quick).await;
    assert!(after.plan.is_empty() && after.retained.is_empty());
}

#[tokio::test]
async fn an_image_in_the_file_starts_the_service() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), ACME, &Goal::provision(), Depth::Quick).await;
    let digest = "0".repeat(64);
    let image = format!("123456789012.dkr.ecr.us-east-1.amazonaws.com/acme-rcm-prod-api@sha256:{digest}");
    let deployed = format!("{ACME}\napi_image = \"{image}\"\n");
    let report = run(dir.path(), &deployed, &Goal::provision(), Depth::Quick).await;
    let counts = report.plan.counts();
    // The definition; the service, the bounds of its tasks, and the dashboard, which shows how many run.
    assert_eq!((counts["replace"], counts["update"]), (1, 3), "{counts:?}");
    assert!(report.notes.is_empty(), "{:?}", report.notes);
    let again = run(dir.path(), &deployed, &Goal::provision(), Depth::Full).await;
    assert!(again.plan.is_empty(), "{:#?}", again.plan.forward);
}

#[tokio::test]
async fn every_node_of_every_tier_is_of_a_kind_that_exists_and_without_a_secret() {
    for tier in ["development", "production", "high-availability"] {
        let dir = tempfile::tempdir().unwrap();
        let file = ACME.replace("tier = \"production\"", &format!("tier = \"{tier}\""));
        let report = run(dir.path(), &file, &Goal::provision(), Depth::Quick).await;
        assert!(report.plan.forward.len() >= 55, "{tier}");
        let state = std::fs::read_to_string(dir.path().join("state/acme/prod.json")).unwrap();
        let state: serde_json::Value = serde_json::from_str(&state).unwrap();
        let url = &state["resources"]["secrets/database-url"];
        assert_eq!(url["inputs"]["value"]["database_url"]["user"], json!("rcm_admin"));
        assert!(!state.to_string().contains("postgresql://"), "a secret in the state of {tier}");
    }
}
