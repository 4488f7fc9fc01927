//! The whole stack in the sandbox, through the library.

use std::path::Path;

use rcm::{
    Cloud, Environment, Goal, PartnerConfig, Report, Settings,
    aws::{Aws, Connect},
    engine::{plan::Depth, run::Outcome},
};
use rcm_sandbox::Sandbox;
use rcm_testkit::calls::{Calls, Wire};
use serde_json::json;

use crate::bench::{self, SHIPPED as ACME, at_any_risk};

async fn opened(dir: &Path) -> Sandbox {
    Sandbox::open(&dir.join("cloud"), "123456789012", "us-east-1").await.unwrap()
}

async fn run(dir: &Path, file: &str, goal: &Goal, depth: Depth) -> Report {
    recorded(dir, file, goal, depth).await.0
}

/// The same, with every call that was made.
async fn recorded(dir: &Path, file: &str, goal: &Goal, depth: Depth) -> (Report, Calls) {
    let sandbox = opened(dir).await;
    let wire = Wire::new(sandbox.http_client());
    let config = PartnerConfig::parse("acme.toml", file, None).unwrap();
    let cloud = Cloud::InProcess(wire.http_client());
    let settings = Settings { cloud, depth, ..Settings::new(dir.join("state")) };
    let report = Environment::open(config, settings).await.unwrap().run(&at_any_risk(goal), |_| true).await.unwrap();
    assert!(matches!(report.outcome, Outcome::Done), "{:?}", report.outcome);
    (report, wire.calls())
}

/// What AWS says, whoever asks.
async fn aws(dir: &Path) -> (Sandbox, Aws) {
    let sandbox = opened(dir).await;
    let connect = Connect { region: "us-east-1".into(), in_process: Some(sandbox.http_client()), ..Connect::default() };
    let aws = Aws::connect(&connect).await;
    (sandbox, aws)
}

#[tokio::test]
async fn acme_comes_stays_goes_and_comes_again() {
    let dir = tempfile::tempdir().unwrap();
    let made = run(dir.path(), ACME, &Goal::provision(), Depth::Quick).await;
    assert_eq!(made.plan.counts().into_iter().collect::<Vec<_>>(), [("create", 81)]);
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
            "storage/log-group/web-acl",
        ]
    );

    let back = run(dir.path(), ACME, &Goal::provision(), Depth::Quick).await;
    assert_eq!(back.plan.counts().into_iter().collect::<Vec<_>>(), [("adopt", 14), ("create", 67)]);
    assert_eq!(back.outputs.get("kms_key_arn"), made.outputs.get("kms_key_arn"));

    run(dir.path(), ACME, &Goal { purge: true, ..Goal::destroy() }, Depth::Quick).await;
    let after = run(dir.path(), ACME, &Goal { purge: true, ..Goal::destroy() }, Depth::Quick).await;
    assert!(after.plan.is_empty() && after.retained.is_empty());
}

/// A run that finds all as it should be makes few calls: one a kind, and those that say whose account it is. `docs/architecture.md` says
/// how many.
#[tokio::test]
async fn a_run_with_nothing_to_do_makes_no_more_calls_than_the_documentation_says() {
    let documented = include_str!("../../docs/architecture.md");
    for (file, calls, says) in [
        (bench::ACME, 30, "30 calls for the stack without what can be switched off"),
        (ACME, 45, "45 for the partner file as it is shipped"),
    ] {
        assert!(documented.contains(says), "docs/architecture.md does not say {says:?}");
        let dir = tempfile::tempdir().unwrap();
        run(dir.path(), file, &Goal::provision(), Depth::Quick).await;
        let (again, made) = recorded(dir.path(), file, &Goal::provision(), Depth::Quick).await;
        assert!(again.plan.is_empty() && made.mutating().is_empty(), "{made}");
        assert_eq!(made.len(), calls, "{made}");
    }
}

#[tokio::test]
async fn until_there_is_an_image_no_task_runs_and_the_report_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let report = run(dir.path(), ACME, &Goal::provision(), Depth::Quick).await;
        let note = report.notes.iter().find(|note| note.contains("no image has been deployed")).unwrap();
        for says in ["acme-rcm-prod-api runs 0 tasks", "rcm deploy --image FILE|REF"] {
            assert!(note.contains(says), "does not say {says:?}: {note}");
        }
        assert!(!report.notes.iter().any(|note| note.contains("domain_name")), "{:?}", report.notes);
    }
}

/// What moto forgets of a service.
#[tokio::test]
async fn a_release_takes_no_task_away_before_its_successor_runs_and_goes_back_if_that_never_does() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), ACME, &Goal::provision(), Depth::Quick).await;
    let (_sandbox, aws) = aws(dir.path()).await;
    let request = aws.ecs.describe_services().cluster("acme-rcm-prod-cluster").services("acme-rcm-prod-api");
    let services = request.send().await.unwrap();
    let service = &services.services()[0];
    let deployment = service.deployment_configuration().unwrap();
    assert_eq!((deployment.minimum_healthy_percent(), deployment.maximum_percent()), (Some(100), Some(200)));
    let breaker = deployment.deployment_circuit_breaker().unwrap();
    assert!(breaker.enable() && breaker.rollback(), "{breaker:?}");
    let shares: Vec<_> = service.capacity_provider_strategy().iter().map(|share| share.capacity_provider()).collect();
    assert_eq!((shares, service.platform_version()), (vec!["FARGATE"], Some("1.4.0")));
}

#[tokio::test]
async fn without_a_domain_http_reaches_the_service_and_every_run_warns_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = ACME.replace("domain_name = \"rcm.acme.com\"\n", "");
    for _ in 0..2 {
        let report = run(dir.path(), &file, &Goal::provision(), Depth::Quick).await;
        let warns = |note: &String| note.contains("the load balancer speaks plain HTTP") && note.contains("HIPAA");
        assert!(report.notes.iter().any(warns), "{:?}", report.notes);
    }
    let (_sandbox, aws) = aws(dir.path()).await;
    let groups = aws.elb.describe_target_groups().names("acme-rcm-prod-api").send().await.unwrap();
    let balancers = aws.elb.describe_load_balancers().names("acme-rcm-prod-alb").send().await.unwrap();
    let arn = balancers.load_balancers()[0].load_balancer_arn().unwrap();
    let listeners = aws.elb.describe_listeners().load_balancer_arn(arn).send().await.unwrap();
    let [listener] = listeners.listeners() else { panic!("{listeners:?}") };
    assert_eq!((listener.port(), listener.protocol().map(|protocol| protocol.as_str())), (Some(80), Some("HTTP")));
    let [action] = listener.default_actions() else { panic!("{listener:?}") };
    assert_eq!(action.target_group_arn(), groups.target_groups()[0].target_group_arn(), "{action:?}");
    assert!(aws.acm.list_certificates().send().await.unwrap().certificate_summary_list().is_empty());
    let doors = aws.ec2.describe_security_group_rules().send().await.unwrap();
    let open = doors.security_group_rules().iter().filter(|rule| rule.is_egress() == Some(false));
    let open: Vec<_> = open.filter(|rule| rule.cidr_ipv4() == Some("0.0.0.0/0")).map(|rule| rule.from_port()).collect();
    assert_eq!(open, [Some(80)], "nothing answers on 443");
}

#[tokio::test]
async fn with_a_nat_gateway_a_zone_what_runs_in_a_zone_leaves_by_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let file = ACME.replace("tier = \"production\"", "tier = \"high-availability\"");
    run(dir.path(), &file, &Goal::provision(), Depth::Quick).await;
    let (_sandbox, aws) = aws(dir.path()).await;
    let subnets = aws.ec2.describe_subnets().send().await.unwrap();
    let zone = |id: Option<&str>| {
        let subnet = subnets.subnets().iter().find(|subnet| subnet.subnet_id() == id).unwrap();
        subnet.availability_zone().unwrap().to_owned()
    };
    let nats = aws.ec2.describe_nat_gateways().send().await.unwrap();
    let tables = aws.ec2.describe_route_tables().send().await.unwrap();
    let mut ways = Vec::new();
    for table in tables.route_tables() {
        let Some(nat) = table.routes().iter().find_map(|route| route.nat_gateway_id()) else { continue };
        let nat = nats.nat_gateways().iter().find(|gateway| gateway.nat_gateway_id() == Some(nat)).unwrap();
        let inside: Vec<_> = table.associations().iter().map(|tie| zone(tie.subnet_id())).collect();
        ways.push((inside, zone(nat.subnet_id())));
    }
    ways.sort();
    let own = |zone: &str| (vec![zone.to_owned()], zone.to_owned());
    assert_eq!(ways, [own("us-east-1a"), own("us-east-1b")]);
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
