//! What of a live environment can be changed by its partner file: another tier goes by an ordinary plan that loses no data, and what
//! cannot change is refused before anything is sent.

use std::collections::BTreeSet;

use rcm::aws::{Aws, Connect};
use rcm_sandbox::Sandbox;
use rcm_testkit::Ran;
use serde_json::{Value, json};

use crate::bench::{Bench, SHIPPED, lines};

const DATA: [&str; 6] =
    ["rds/instance", "s3/bucket", "secretsmanager/secret", "kms/key", "logs/group", "ecr/repository"];

fn image() -> String {
    format!("api_image = \"123456789012.dkr.ecr.us-east-1.amazonaws.com/acme-rcm-prod-api@sha256:{}\"", "0".repeat(64))
}

/// Acme's file with a tier, an image, and these lines more.
fn file(tier: &str, more: &str) -> String {
    format!("{}\n{}\n{more}\n", SHIPPED.replace("tier = \"production\"", &format!("tier = {tier:?}")), image())
}

fn provisioned(file: &str) -> Bench {
    let bench = Bench::new();
    bench.partner("acme", file);
    let _ = provision(&bench, "").expect_code(0);
    bench
}

fn provision(bench: &Bench, more: &str) -> Ran {
    bench.run(&format!("provision --sandbox --yes{more}"))
}

fn plan(bench: &Bench) -> Value {
    serde_json::from_str(&bench.run("plan --sandbox --output json").expect_code(0).stdout).unwrap()
}

#[track_caller]
fn says(ran: &Ran, text: &str) {
    assert!(ran.stdout.contains(text) || ran.stderr.contains(text), "does not say {text:?}: {}", ran.transcript());
}

/// The ids of everything with data, by address.
fn data(bench: &Bench) -> BTreeSet<(String, String)> {
    let state: Value = serde_json::from_str(&bench.state_file()).unwrap();
    let records = state["resources"].as_object().unwrap().iter();
    let data = records.filter(|(_, record)| DATA.contains(&record["kind"].as_str().unwrap()));
    data.map(|(address, record)| (address.clone(), record["id"].as_str().unwrap().to_owned())).collect()
}

/// Changes the file of a live environment and checks that this is an ordinary plan: nothing blocked, nothing with data replaced or
/// deleted, and nothing left to do after it. Gives the text of the plan.
fn change(bench: &Bench, file: &str) -> String {
    let before = data(bench);
    bench.partner("acme", file);
    let text = bench.run("plan --sandbox").expect_code(0).stdout;
    let plan = plan(bench);
    assert_eq!(plan["blocked"], json!([]), "{text}");
    for step in plan["forward"].as_array().unwrap().iter().chain(plan["cleanup"].as_array().unwrap()) {
        let harmless = ["create", "update", "adopt", "retain"].iter().any(|action| step["action"] == *action);
        assert!(harmless || !DATA.contains(&step["kind"].as_str().unwrap()), "{step}");
    }
    let _ = provision(bench, "").expect_code(0);
    // A tier with a firewall has logs of it besides, and they stay.
    assert!(data(bench).is_superset(&before), "{before:?}");
    let _ = bench.run("plan --sandbox --refresh full --detailed-exitcode").expect_code(0);
    text
}

async fn aws(bench: &Bench) -> (Sandbox, Aws) {
    let cloud = bench.rcm.state_dir().join("sandbox/cloud/123456789012-us-east-1");
    let sandbox = Sandbox::open(&cloud, "123456789012", "us-east-1").await.unwrap();
    let connect = Connect { region: "us-east-1".into(), in_process: Some(sandbox.http_client()), ..Connect::default() };
    let aws = Aws::connect(&connect).await;
    (sandbox, aws)
}

/// Class, Multi-AZ, disk, how far the disk may grow, NAT gateways, and what the tasks run on.
async fn live(bench: &Bench) -> (String, bool, i32, i32, usize, Vec<String>) {
    let (_sandbox, aws) = aws(bench).await;
    let databases = aws.rds.describe_db_instances().send().await.unwrap();
    let database = &databases.db_instances()[0];
    let nats = aws.ec2.describe_nat_gateways().send().await.unwrap();
    let nats = nats.nat_gateways().iter().filter(|nat| nat.state().unwrap().as_str() == "available").count();
    let request = aws.ecs.describe_services().cluster("acme-rcm-prod-cluster").services("acme-rcm-prod-api");
    let services = request.send().await.unwrap();
    let shares = services.services()[0].capacity_provider_strategy().iter();
    let mut shares: Vec<_> =
        shares.map(|it| format!("{} {}+{}", it.capacity_provider(), it.base(), it.weight())).collect();
    shares.sort();
    (
        database.db_instance_class().unwrap().to_owned(),
        database.multi_az().unwrap(),
        database.allocated_storage().unwrap(),
        database.max_allocated_storage().unwrap(),
        nats,
        shares,
    )
}

#[tokio::test]
async fn another_tier_is_an_ordinary_plan_up_and_down_again() {
    let spot = || vec!["FARGATE 1+0".to_owned(), "FARGATE_SPOT 0+1".to_owned()];
    let on_demand = || vec!["FARGATE 0+1".to_owned()];
    let bench = provisioned(&file("development", ""));
    assert_eq!(live(&bench).await, ("db.t3.micro".into(), false, 20, 100, 1, spot()));

    let said = change(&bench, &file("production", ""));
    for text in [
        "instance_class: \"db.t3.micro\" → \"db.t3.medium\"\n           restarts the database: it is away for some minutes",
        "allocated_storage: 20 → 50\n           the disk grows in place and never shrinks again; no second change of it for six hours",
        "multi_az: false → true\n           a standby is made from a snapshot",
    ] {
        assert!(said.contains(text), "does not say {text:?}:\n{said}");
    }
    assert_eq!(live(&bench).await, ("db.t3.medium".into(), true, 50, 500, 1, on_demand()));

    let _ = change(&bench, &file("high-availability", ""));
    assert_eq!(live(&bench).await, ("db.t3.large".into(), true, 100, 1000, 2, on_demand()));

    let said = change(&bench, &file("production", ""));
    assert!(!said.contains(" allocated_storage"), "a disk cannot shrink:\n{said}");
    assert_eq!(live(&bench).await, ("db.t3.medium".into(), true, 100, 500, 1, on_demand()));

    let said = change(&bench, &file("development", ""));
    assert!(said.contains("the standby goes"), "{said}");
    assert_eq!(live(&bench).await, ("db.t3.micro".into(), false, 100, 110, 1, spot()));
    let ran = provision(&bench, "").expect_code(0);
    says(&ran, "the database's disk cannot shrink: it stays at 100 GiB, with a limit of 110 GiB, although");
}

#[test]
fn the_effect_of_a_change_is_in_the_plans_json_too() {
    let bench = provisioned(&file("development", ""));
    bench.partner("acme", &file("development", "db_instance_class = \"db.t3.small\""));
    let plan = plan(&bench);
    let step = plan["forward"].as_array().unwrap().iter().find(|step| step["address"] == "database/instance").unwrap();
    let change = &step["changes"][0];
    assert_eq!(change["field"], "instance_class");
    assert!(change["effect"].as_str().unwrap().starts_with("restarts the database"), "{change}");
    // A saved plan with it is still the plan.
    let saved = bench.file("plan.json");
    let _ = bench.run(&format!("plan --sandbox --out {saved}")).expect_code(0);
    let _ = provision(&bench, &format!(" --plan {saved}")).expect_code(0);
}

#[test]
fn another_port_and_another_tls_policy_are_changes_in_place() {
    let bench = provisioned(&file("production", ""));
    let tls = "tls_policy = \"ELBSecurityPolicy-TLS13-1-2-Res-FIPS-PQ-2025-09\"";
    let said = change(&bench, &file("production", &format!("db_port = 5433\n{tls}")));
    for text in ["port: 5432 → 5433\n           restarts the database", "ssl_policy: ", "acl/database"] {
        assert!(said.contains(text), "does not say {text:?}:\n{said}");
    }
    let said = change(&bench, &file("production", "network_acls = false\ndb_enhanced_monitoring = 0"));
    assert!(said.contains("acl/database") && said.contains("monitoring-role"), "{said}");
}

#[test]
fn zones_and_gateways_are_added_to_a_live_environment() {
    let bench = provisioned(&file("production", ""));
    let _ = change(&bench, &file("production", "availability_zones = 3"));
    let _ = change(&bench, &file("production", "availability_zones = 3\nnat_gateways = 3"));
    let _ = change(&bench, &file("high-availability", "availability_zones = 3\nnat_gateways = 1"));
}

#[test]
fn the_domain_comes_goes_and_changes() {
    let bench = provisioned(&file("production", ""));
    let _ = change(&bench, &file("production", "").replace("rcm.acme.com", "billing.acme.com"));
    let without = file("production", "").replace("domain_name = \"rcm.acme.com\"\n", "");
    let _ = change(&bench, &without);
    let _ = change(&bench, &file("production", ""));
}

#[test]
fn what_cannot_change_is_refused_before_anything_is_sent() {
    let bench = provisioned(&file("production", "availability_zones = 3"));
    let before = bench.state_file();
    let refused = |file: &str, texts: &[&str]| {
        bench.partner("acme", file);
        for verb in ["plan", "provision --yes"] {
            let ran = bench.run(&format!("{verb} --sandbox")).expect_code(7);
            texts.iter().for_each(|text| says(&ran, text));
        }
        let told = lines(&bench.run("provision --yes --sandbox --output json").expect_code(7).stdout);
        assert_eq!(told.last().unwrap()["error"]["kind"], "refused");
        assert_eq!(bench.state_file(), before);
    };
    let three = "availability_zones = 3";
    refused(
        &file("production", &format!("{three}\nvpc_cidr = \"10.50.0.0/16\"")),
        &[
            "vpc_cidr is \"10.0.0.0/16\" in acme/prod and cannot become \"10.50.0.0/16\" while that exists",
            "put vpc_cidr = \"10.0.0.0/16\" back into the partner file, or make a second environment",
        ],
    );
    refused(&file("production", ""), &["availability_zones is 3 in acme/prod and cannot become 2"]);
    refused(
        &file("production", &format!("{three}\ndb_engine_version = \"16\"")),
        &["db_engine_version is \"17\" in acme/prod and cannot become \"16\"", "PostgreSQL only goes up"],
    );
    let other = file("production", three).replace("\"prod\"", "\"live\"");
    refused(&other, &["environment is \"prod\" in acme/prod and cannot become \"live\"", "share its secrets"]);
    let other = file("production", three).replace("acme-rcm\"", "acme\"");
    refused(&other, &["the state is of project_prefix acme-rcm, the partner file is of project_prefix acme"]);
    let other = file("production", three).replace("us-east-1\"", "us-west-2\"");
    let other = other.replace("us-east-1.amazonaws", "us-west-2.amazonaws");
    refused(&other, &["the state is of region us-east-1, the partner file is of region us-west-2"]);

    // What is gone does not stand in the way, and what cannot become anything can still go.
    bench.partner("acme", &file("production", "vpc_cidr = \"10.50.0.0/16\""));
    let _ = bench.run("destroy --sandbox --yes").expect_code(0);
    let _ = provision(&bench, "").expect_code(0);
}

#[tokio::test]
async fn tasks_scale_by_memory_by_requests_and_by_the_clock() {
    const SCALING: &str = r#"
ecs_scale_cpu = 60
ecs_scale_memory = 75
ecs_scale_requests = 1000
ecs_schedules = [
  { name = "night", schedule = "cron(0 20 * * ? *)", timezone = "America/New_York", min = 0, max = 1 },
  { name = "day", schedule = "cron(0 6 * * ? *)", min = 2, max = 10 },
]
"#;
    let bench = provisioned(&file("production", ""));
    let _ = change(&bench, &file("production", SCALING));
    let (sandbox, cloud) = aws(&bench).await;
    let policies = cloud.autoscaling.describe_scaling_policies().service_namespace("ecs".into()).send().await.unwrap();
    let mut seen: Vec<_> = policies
        .scaling_policies()
        .iter()
        .map(|policy| {
            let tracking = policy.target_tracking_scaling_policy_configuration().unwrap();
            let metric = tracking.predefined_metric_specification().unwrap();
            let label = metric.resource_label().unwrap_or_default().split('/').map(str::to_owned).collect::<Vec<_>>();
            (metric.predefined_metric_type().as_str().to_owned(), tracking.target_value(), label)
        })
        .collect();
    seen.sort_by(|a, b| a.0.cmp(&b.0));
    let [requests, cpu, memory] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!((cpu.0.as_str(), cpu.1, memory.1), ("ECSServiceAverageCPUUtilization", 60.0, 75.0));
    let named: Vec<_> = [0, 1, 3, 4].iter().map(|at| requests.2[*at].as_str()).collect();
    assert_eq!((requests.1, named), (1000.0, vec!["app", "acme-rcm-prod-alb", "targetgroup", "acme-rcm-prod-api"]));

    // Night falls: the schedule makes other bounds of the target, and autoscaling another count of the service.
    let request = cloud.autoscaling.register_scalable_target().service_namespace("ecs".into());
    let request = request.scalable_dimension("ecs:service:DesiredCount".into()).min_capacity(0).max_capacity(1);
    request.resource_id("service/acme-rcm-prod-cluster/acme-rcm-prod-api").send().await.unwrap();
    let request = cloud.ecs.update_service().cluster("acme-rcm-prod-cluster").service("acme-rcm-prod-api");
    request.desired_count(7).send().await.unwrap();
    for _ in 0..5 {
        let request = cloud.ecs.describe_services().cluster("acme-rcm-prod-cluster").services("acme-rcm-prod-api");
        request.send().await.unwrap();
    }
    drop((sandbox, cloud));
    let _ = bench.run("plan --sandbox --refresh full --detailed-exitcode").expect_code(0);
    let _ = bench.run("drift --sandbox").expect_code(0);
    let _ = change(&bench, &file("production", &SCALING.replace("min = 0", "min = 1")));
    let _ = change(&bench, &file("production", &format!("{SCALING}\necs_cpu = 2048\necs_memory = 4096")));
    let (sandbox, cloud) = aws(&bench).await;
    let request = cloud.ecs.describe_services().cluster("acme-rcm-prod-cluster").services("acme-rcm-prod-api");
    let services = request.send().await.unwrap();
    assert_eq!(services.services()[0].desired_count(), 7, "how many tasks run is autoscaling's business");
    drop((sandbox, cloud));

    // A rate has no time zone, and AWS takes none away from an action that has one.
    let rate = SCALING.replace("\"cron(0 20 * * ? *)\", timezone = \"America/New_York\"", "\"rate(12 hours)\"");
    let _ = change(&bench, &file("production", &rate));
    let (sandbox, cloud) = aws(&bench).await;
    let actions = cloud.autoscaling.describe_scheduled_actions().service_namespace("ecs".into()).send().await.unwrap();
    let mut seen: Vec<_> = actions
        .scheduled_actions()
        .iter()
        .map(|it| (it.scheduled_action_name(), it.schedule(), it.timezone()))
        .collect();
    seen.sort_unstable();
    assert_eq!(
        seen,
        [("acme-rcm-prod-day", "cron(0 6 * * ? *)", Some("UTC")), ("acme-rcm-prod-night", "rate(12 hours)", None),]
    );
    drop((sandbox, cloud));

    // Without schedules the bounds are the file's again.
    let _ = change(&bench, &file("production", ""));
    let (_sandbox, cloud) = aws(&bench).await;
    let targets = cloud.autoscaling.describe_scalable_targets().service_namespace("ecs".into()).send().await.unwrap();
    let [target] = targets.scalable_targets() else { panic!("{targets:?}") };
    assert_eq!((target.min_capacity(), target.max_capacity()), (2, 10));
    let actions = cloud.autoscaling.describe_scheduled_actions().service_namespace("ecs".into()).send().await.unwrap();
    assert!(actions.scheduled_actions().is_empty());
}
