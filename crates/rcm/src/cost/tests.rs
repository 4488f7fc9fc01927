//! Sums that were worked out by hand from the published prices, in us-east-1.

use rcm_engine::model::Graph;

use super::*;
use crate::{
    PartnerConfig,
    blueprint::{self, Surroundings},
};

const IMAGE: &str =
    "api_image = \"example/api@sha256:0000000000000000000000000000000000000000000000000000000000000000\"";

/// Acme's graph in a tier, with these lines more in its file.
fn graph(tier: &str, more: &str) -> Graph {
    let shipped = include_str!("../../../../partners/acme.toml");
    // App Runner takes no domain of one's own.
    let shipped =
        if more.contains("apprunner") { shipped.replace("domain_name", "# domain_name") } else { shipped.to_owned() };
    let text = shipped.replace("tier = \"production\"", &format!("tier = {tier:?}")) + "\n" + more;
    let config = PartnerConfig::parse("partners/acme.toml", &text, None).unwrap_or_else(|error| panic!("{error}"));
    let zones = ["us-east-1a", "us-east-1b"].map(str::to_owned).to_vec();
    blueprint::graph(&config, &Surroundings { zones, proven_in: None }).unwrap()
}

fn cost(tier: &str, more: &str, set: &[(&str, &str)]) -> Cost {
    let mut assumptions = Assumptions::default();
    set.iter().for_each(|(name, value)| assumptions.set(name, value.parse().unwrap()).unwrap());
    Cost::of(&Stack::of_graph(&graph(tier, &format!("{IMAGE}\n{more}"))), "us-east-1", &assumptions).unwrap()
}

fn usd(text: &str) -> Usd {
    text.parse().unwrap()
}

#[track_caller]
fn assert_services(cost: &Cost, wanted: &[(&str, &str)], total: &str) {
    let wanted: Vec<Service> = wanted.iter().map(|(name, sum)| service(name, sum)).collect();
    assert_eq!(cost.services, wanted);
    assert_eq!(cost.monthly_usd, usd(total));
    assert_eq!(cost.lines.iter().map(|line| line.monthly_usd).sum::<Usd>(), usd(total));
    assert_eq!(cost.unpriced, []);
}

fn service(name: &str, sum: &str) -> Service {
    let name = kinds::SERVICES.iter().find(|service| **service == name).unwrap();
    Service { name, monthly_usd: usd(sum) }
}

#[test]
fn development_is_one_small_task_and_one_database() {
    let found = cost("development", "", &[]);
    let wanted = [
        // 730 h × (0.25 × 0.04048 + 0.5 × 0.004445)
        ("Compute", "9.010025"),
        // 730 h × 0.018 + 20 GB × 0.115 + 20 GB × 0.095
        ("Database", "17.34"),
        // 730 h × 0.045 + 20 GB × 0.045
        ("NAT gateway", "33.75"),
        // 730 h × (0.0225 + 0.2 × 0.008)
        ("Load balancer", "17.593"),
        // two of the load balancer, one of the NAT gateway
        ("Public IPv4", "10.95"),
        ("Secrets Manager", "1.20"),
        // the key, and 100,000 requests
        ("KMS", "1.30"),
        // two buckets of 5 GB × 0.023 and 50,000 writes
        ("S3", "0.73"),
        ("ECR", "0.40"),
        // 30 metrics × 0.30, 5 + 5 + 3 × 1 GB × 0.50, twelve months of them × 0.03
        ("CloudWatch", "20.18"),
        // 50 GB × 0.09
        ("Data transfer", "4.50"),
    ];
    assert_services(&found, &wanted, "116.953025");
}

#[test]
fn production_has_a_standby_a_firewall_and_two_tasks() {
    let found = cost("production", "", &[]);
    let wanted = [
        // 2 × 730 h × (0.04048 + 2 × 0.004445)
        ("Compute", "72.0802"),
        // 730 h × 0.145 + 50 GB × 0.23 + 20 GB × 0.095
        ("Database", "119.25"),
        ("NAT gateway", "33.75"),
        ("Load balancer", "17.593"),
        ("Public IPv4", "10.95"),
        // 5 + 4 × 1 + a million requests
        ("Firewall", "9.60"),
        ("Secrets Manager", "1.20"),
        ("KMS", "1.30"),
        ("S3", "0.73"),
        ("ECR", "0.40"),
        // development's, the firewall's log (0.50 + 0.36), monitoring (1.00), ten alarms (1.00), a dashboard (3.00)
        ("CloudWatch", "26.04"),
        // 50 GB × 0.095
        ("AWS Backup", "4.75"),
        ("Data transfer", "4.50"),
    ];
    assert_services(&found, &wanted, "302.1432");
}

#[test]
fn high_availability_has_twice_the_tasks_and_a_nat_gateway_for_each_zone() {
    let found = cost("high-availability", "", &[]);
    let wanted = [
        ("Compute", "144.1604"),
        // 730 h × 0.29 + 100 GB × 0.23 + 20 GB × 0.095
        ("Database", "236.60"),
        ("NAT gateway", "67.50"),
        ("Load balancer", "17.593"),
        ("Public IPv4", "14.60"),
        ("Firewall", "9.60"),
        ("Secrets Manager", "1.20"),
        ("KMS", "1.30"),
        ("S3", "0.73"),
        ("ECR", "0.40"),
        ("CloudWatch", "26.04"),
        ("AWS Backup", "4.75"),
        ("Data transfer", "4.50"),
    ];
    assert_services(&found, &wanted, "528.9734");
}

#[test]
fn tasks_above_the_base_are_priced_as_spot() {
    let one = cost("development", "", &[]).service("Compute");
    // The second costs 40 % of the first.
    assert_eq!(cost("development", "", &[("tasks", "2")]).service("Compute"), usd("12.614035"));
    assert_eq!(cost("development", "ecs_on_demand_base = 0", &[("spot-percent", "100")]).service("Compute"), one);
    assert_eq!(cost("production", "", &[("tasks", "2.5")]).service("Compute"), usd("90.10025"));
}

#[test]
fn schedules_do_not_hide_the_fewest_tasks() {
    let night = "ecs_schedules = [{ name = \"night\", schedule = \"cron(0 20 * * ? *)\", min = 1, max = 2 }]";
    assert_eq!(cost("production", night, &[]).service("Compute"), usd("72.0802"));
}

#[test]
fn what_is_not_deployed_runs_no_task() {
    let found = Cost::of(&Stack::of_graph(&graph("production", "")), "us-east-1", &Assumptions::default()).unwrap();
    assert_eq!(found.service("Compute"), Usd::default());
    assert!(found.assumptions.iter().all(|assumption| assumption.name != "tasks"), "what decides nothing is not told");
}

#[test]
fn app_runner_is_paid_by_memory_and_by_what_it_answers() {
    let found = cost("production", "compute = \"apprunner\"\nwaf = \"off\"", &[]);
    assert_eq!(found.service("Compute"), usd("46.04"), "2 × 730 h × 2 GB × 0.007 + 2 × 200 h × 0.064");
    assert_eq!(found.service("Load balancer"), Usd::default());
}

#[test]
fn options_are_priced_by_what_they_add() {
    let base = cost("production", "", &[]);
    let more = cost("production", "vpc_endpoints = true\ndb_read_replicas = 1", &[]);
    // Five endpoints in two zones, 5 GB each.
    assert_eq!(more.service("Interface endpoints"), usd("73.25"));
    // A replica has no standby: 730 h × 0.072 + 50 GB × 0.115.
    assert_eq!(more.service("Database") - base.service("Database"), usd("58.31"));
    let guarded = cost("production", "account_baseline = true\nsecurity_hub = true", &[]);
    let of = |address: &str| {
        guarded.lines.iter().filter(|line| line.address == address).map(|line| line.monthly_usd).sum::<Usd>()
    };
    assert_eq!(of("baseline/detector"), usd("9"), "a million events, 5 GB");
    assert_eq!(of("baseline/security-hub"), usd("15"));
    assert_eq!(of("baseline/recorder"), usd("1.50"));
    assert_eq!(of("baseline/trail"), usd("1"));
}

#[test]
fn a_server_without_a_price_is_named_and_not_guessed() {
    let found = cost("production", "db_instance_class = \"db.x2g.large\"", &[]);
    assert_eq!(found.unpriced, [Unpriced { address: "database/instance".into(), what: "db.x2g.large".into() }]);
}

#[test]
fn a_region_without_prices_is_refused_by_name() {
    let refused = Cost::of(&Stack::default(), "eu-central-1", &Assumptions::default()).unwrap_err();
    assert!(refused.to_string().starts_with("there are no prices of eu-central-1; those of us-east-1"), "{refused}");
}
