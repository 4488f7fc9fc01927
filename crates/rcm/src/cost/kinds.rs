//! What each kind of resource costs: one function a kind, and why the others cost nothing.

use rcm_aws::resources::ecs_capacity::FARGATE_SPOT;
use serde_json::Value;

use super::{
    Quantity,
    assumptions::TASKS,
    bill::{Bill, Item},
};

/// What a kind costs, told to the bill.
pub(super) type Pricing = fn(&mut Bill<'_>, &Item<'_>);

/// The kinds that cost something.
pub(super) const PRICED: &[(&str, Pricing)] = &[
    ("apprunner/service", app_runner),
    ("backup/plan", recovery_points),
    ("cloudtrail/trail", trail),
    ("cloudwatch/account-alarm", account_alarm),
    ("cloudwatch/alarm", alarm),
    ("cloudwatch/dashboard", dashboard),
    ("config/conformance-pack", conformance_pack),
    ("config/recorder", recorder),
    ("ec2/elastic-ip", address),
    ("ec2/nat-gateway", nat_gateway),
    ("ec2/vpc-endpoint", endpoint),
    ("ecr/registry-scanning", scanning),
    ("ecr/repository", repository),
    ("ecs/cluster", cluster),
    ("ecs/service", service),
    ("elb/load-balancer", load_balancer),
    ("guardduty/detector", detector),
    ("kms/account-key", account_key),
    ("kms/key", key),
    ("logs/account-group", account_log_group),
    ("logs/group", log_group),
    ("logs/metric-filter", metric_filter),
    ("rds/instance", database),
    ("rds/replica", replica),
    ("s3/account-log-bucket", account_bucket),
    ("s3/bucket", bucket),
    ("secretsmanager/secret", secret),
    ("securityhub/hub", hub),
    ("wafv2/web-acl", web_acl),
];

const CONFIGURES: &str = "AWS asks nothing for it: it only says how others work";
const NETWORK: &str = "AWS asks nothing for it; what goes through is counted where it is paid for";
const IAM: &str = "IAM costs nothing";
const MAIL: &str = "usage only: the first 1,000 mails a month are free, and alarms do not come to that";

/// The kinds that cost nothing by being there, each with the reason.
pub(super) const FREE: &[(&str, &str)] = &[
    ("accessanalyzer/analyzer", "analyzers of external access cost nothing"),
    ("account/security-contact", CONFIGURES),
    ("acm/certificate", "public certificates cost nothing"),
    ("apprunner/auto-scaling-configuration", "what it scales is counted with the service"),
    ("apprunner/vpc-connector", "connectors cost nothing"),
    ("autoscaling/policy", "its alarms are AWS's own and cost nothing"),
    ("autoscaling/scheduled-action", "what it scales is counted with the service"),
    ("autoscaling/target", "what it scales is counted with the service"),
    ("backup/selection", "what is backed up is counted with the plan"),
    ("backup/vault", "what is in it is counted with the plan"),
    ("ec2/account-defaults", CONFIGURES),
    ("ec2/flow-log", "what it writes is counted with its log group"),
    ("ec2/internet-gateway", NETWORK),
    ("ec2/network-acl", NETWORK),
    ("ec2/route-table", NETWORK),
    ("ec2/security-group", NETWORK),
    ("ec2/security-group-rule", NETWORK),
    ("ec2/subnet", NETWORK),
    ("ec2/vpc", NETWORK),
    ("ecs/task-definition", "what runs of it is counted with the service"),
    ("elb/listener", "its rules are part of the load balancer's capacity units"),
    ("elb/target-group", "part of the load balancer"),
    ("iam/account-role", IAM),
    ("iam/password-policy", IAM),
    ("iam/role", IAM),
    ("iam/service-linked-role", IAM),
    ("rds/event-subscription", MAIL),
    ("rds/parameter-group", CONFIGURES),
    ("rds/subnet-group", CONFIGURES),
    ("route53/record", "usage only: queries for aliases cost nothing, others $0.40 a million; the zone is not rcm's"),
    ("s3/account-public-access-block", CONFIGURES),
    ("sns/account-subscription", MAIL),
    ("sns/account-topic", MAIL),
    ("sns/subscription", MAIL),
    ("sns/topic", MAIL),
    ("wafv2/association", "part of the web ACL"),
];

const COMPUTE: &str = "Compute";
const DATABASE: &str = "Database";
const NAT: &str = "NAT gateway";
const BALANCER: &str = "Load balancer";
const TRANSFER: &str = "Data transfer";
const CLOUDWATCH: &str = "CloudWatch";
const S3: &str = "S3";
const KMS: &str = "KMS";
const BASELINE: &str = "Account baseline";

/// The services, in the order in which they are told.
pub(super) const SERVICES: &[&str] = &[
    COMPUTE,
    DATABASE,
    NAT,
    BALANCER,
    "Public IPv4",
    "Interface endpoints",
    "Firewall",
    "Secrets Manager",
    KMS,
    S3,
    "ECR",
    CLOUDWATCH,
    "AWS Backup",
    TRANSFER,
    BASELINE,
];

const ONE: Quantity = Quantity::of(1);
/// AWS's own month: 8,760 hours by twelve.
const MONTH: Quantity = Quantity::of(730);
const HUNDRED: i64 = 100;

fn percent(quantity: Quantity) -> Quantity {
    quantity.times(Quantity::part(1, HUNDRED))
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_default()
}

fn length(value: &Value) -> Quantity {
    Quantity::of(value.as_array().map_or(0, Vec::len).try_into().unwrap_or(i64::MAX))
}

fn service(bill: &mut Bill<'_>, item: &Item<'_>) {
    let fewest = fewest_tasks(item);
    // Nothing runs where nothing may: no image was ever deployed.
    let Some(task) = item.refers("task_definition").filter(|_| fewest > Quantity::default()) else { return };
    let running = bill.assume_or(TASKS, fewest);
    let on_demand = on_demand(&item.spec["capacity"], running);
    if on_demand > Quantity::default() {
        fargate(bill, item, task, on_demand.times(MONTH), TASKS);
    }
    if running > on_demand {
        // So many hours on demand cost what these on Spot do.
        let hours = (running - on_demand).times(MONTH).times(percent(bill.assume("spot-percent")));
        fargate(bill, item, task, hours, "spot-percent");
    }
}

fn fargate(bill: &mut Bill<'_>, item: &Item<'_>, task: &Value, hours: Quantity, assumption: &'static str) {
    let of = |field: &str| hours.times(Quantity::part(number(&task[field]), 1024));
    bill.line(COMPUTE, item, "fargate-vcpu", of("cpu"), Some(assumption));
    bill.line(COMPUTE, item, "fargate-gb", of("memory"), Some(assumption));
}

/// The fewest tasks: autoscaling's, where there is any.
fn fewest_tasks(item: &Item<'_>) -> Quantity {
    let target = item.referred_by("autoscaling/target", "service");
    let bounds = target.map(|target| if target["min"].is_null() { &target["at_first"] } else { target });
    Quantity::of(bounds.map_or(number(&item.spec["desired_count"]), |bounds| number(&bounds["min"])))
}

/// How many of the tasks never run on Spot: all of them, where there is none.
fn on_demand(capacity: &Value, tasks: Quantity) -> Quantity {
    let shares = capacity.as_array().map(Vec::as_slice).unwrap_or_default();
    if shares.iter().all(|share| share["provider"] != FARGATE_SPOT) {
        return tasks;
    }
    let base =
        shares.iter().filter(|share| share["provider"] != FARGATE_SPOT).map(|share| number(&share["base"])).sum();
    tasks.min(Quantity::of(base))
}

fn app_runner(bill: &mut Bill<'_>, item: &Item<'_>) {
    let scaling = item.refers("auto_scaling");
    let fewest = scaling.map_or(1, |scaling| number(&scaling["min_size"]));
    let instances = bill.assume_or(TASKS, Quantity::of(fewest));
    let (cpu, memory) =
        (Quantity::part(number(&item.spec["cpu"]), 1024), Quantity::part(number(&item.spec["memory"]), 1024));
    let active = bill.assume("active-hours").min(MONTH);
    bill.line(COMPUTE, item, "apprunner-gb", instances.times(MONTH).times(memory), Some(TASKS));
    bill.line(COMPUTE, item, "apprunner-vcpu", instances.times(active).times(cpu), Some("active-hours"));
    let sent = bill.assume("data-out-gb");
    bill.line(TRANSFER, item, "data-out-gb", sent, Some("data-out-gb"));
}

fn cluster(bill: &mut Bill<'_>, item: &Item<'_>) {
    if item.spec["container_insights"] != "disabled" {
        let metrics = bill.assume("insight-metrics");
        bill.line(CLOUDWATCH, item, "metric", metrics, Some("insight-metrics"));
    }
}

fn database(bill: &mut Bill<'_>, item: &Item<'_>) {
    server(bill, item);
    let backups = bill.assume("db-backup-gb");
    if number(&item.spec["backup_retention_days"]) > 0 {
        bill.line(DATABASE, item, "rds-backup", backups, Some("db-backup-gb"));
    }
}

fn replica(bill: &mut Bill<'_>, item: &Item<'_>) {
    server(bill, item);
}

/// The server, its disk and its monitoring.
fn server(bill: &mut Bill<'_>, item: &Item<'_>) {
    let class = item.spec["instance_class"].as_str().unwrap_or_default();
    let (prefix, disk) = match item.spec["multi_az"].as_bool() {
        Some(true) => ("rds-multi-az", "rds-gp3-multi-az"),
        _ => ("rds", "rds-gp3"),
    };
    bill.line(DATABASE, item, &format!("{prefix}/{class}"), MONTH, None);
    let allocated = Quantity::of(number(&item.spec["allocated_storage"]));
    let grown = bill.assume("db-growth-gb");
    bill.line(DATABASE, item, disk, allocated + grown, Some("db-growth-gb"));
    let seconds = number(&item.spec["monitoring"]["seconds"]);
    if seconds > 0 {
        let written = bill.assume("monitoring-log-gb").times(Quantity::part(60, seconds));
        bill.line(CLOUDWATCH, item, "logs-in", written, Some("monitoring-log-gb"));
    }
}

fn nat_gateway(bill: &mut Bill<'_>, item: &Item<'_>) {
    bill.line(NAT, item, "nat-hour", MONTH, None);
    let through = bill.assume("nat-gb");
    bill.line(NAT, item, "nat-gb", through, Some("nat-gb"));
}

fn address(bill: &mut Bill<'_>, item: &Item<'_>) {
    bill.line("Public IPv4", item, "ipv4-hour", MONTH, None);
}

fn load_balancer(bill: &mut Bill<'_>, item: &Item<'_>) {
    bill.line(BALANCER, item, "alb-hour", MONTH, None);
    let units = bill.assume("lcus").times(MONTH);
    bill.line(BALANCER, item, "alb-lcu", units, Some("lcus"));
    if item.spec["scheme"] == "internet-facing" {
        // One in each subnet.
        bill.line("Public IPv4", item, "ipv4-hour", length(&item.spec["subnets"]).times(MONTH), None);
        let sent = bill.assume("data-out-gb");
        bill.line(TRANSFER, item, "data-out-gb", sent, Some("data-out-gb"));
    }
}

fn endpoint(bill: &mut Bill<'_>, item: &Item<'_>) {
    let interface = &item.spec["interface"];
    // A gateway endpoint costs nothing.
    if interface.is_null() {
        return;
    }
    bill.line("Interface endpoints", item, "endpoint-hour", length(&interface["subnets"]).times(MONTH), None);
    let through = bill.assume("endpoint-gb");
    bill.line("Interface endpoints", item, "endpoint-gb", through, Some("endpoint-gb"));
}

fn web_acl(bill: &mut Bill<'_>, item: &Item<'_>) {
    bill.line("Firewall", item, "waf-acl", ONE, None);
    // A group of AWS's rules is one rule.
    bill.line("Firewall", item, "waf-rule", length(&item.spec["groups"]), None);
    let requests = bill.assume("requests");
    bill.line("Firewall", item, "waf-requests", requests, Some("requests"));
}

fn secret(bill: &mut Bill<'_>, item: &Item<'_>) {
    bill.line("Secrets Manager", item, "secret", ONE, None);
}

fn key(bill: &mut Bill<'_>, item: &Item<'_>) {
    a_key(bill, item, KMS);
}

fn account_key(bill: &mut Bill<'_>, item: &Item<'_>) {
    a_key(bill, item, BASELINE);
}

fn a_key(bill: &mut Bill<'_>, item: &Item<'_>, service: &'static str) {
    bill.line(service, item, "kms-key", ONE, None);
    let requests = bill.assume("kms-requests");
    bill.line(service, item, "kms-requests", requests, Some("kms-requests"));
}

fn bucket(bill: &mut Bill<'_>, item: &Item<'_>) {
    a_bucket(bill, item, S3);
}

fn account_bucket(bill: &mut Bill<'_>, item: &Item<'_>) {
    a_bucket(bill, item, BASELINE);
}

fn a_bucket(bill: &mut Bill<'_>, item: &Item<'_>, service: &'static str) {
    let (kept, written) = (bill.assume("s3-gb"), bill.assume("s3-puts"));
    bill.line(service, item, "s3-gb", kept, Some("s3-gb"));
    bill.line(service, item, "s3-puts", written, Some("s3-puts"));
}

fn repository(bill: &mut Bill<'_>, item: &Item<'_>) {
    let images = bill.assume("image-gb");
    bill.line("ECR", item, "ecr-gb", images, Some("image-gb"));
}

fn log_group(bill: &mut Bill<'_>, item: &Item<'_>) {
    let (price, assumption) = match item.address.rsplit('/').next() {
        Some("application") => ("logs-in", "application-log-gb"),
        Some("flow-logs") => ("logs-vended", "flow-log-gb"),
        Some("web-acl") => ("logs-vended", "firewall-log-gb"),
        _ => ("logs-in", "other-log-gb"),
    };
    logs(bill, item, CLOUDWATCH, price, assumption);
}

fn account_log_group(bill: &mut Bill<'_>, item: &Item<'_>) {
    logs(bill, item, BASELINE, "logs-vended", "other-log-gb");
}

fn logs(bill: &mut Bill<'_>, item: &Item<'_>, service: &'static str, price: &str, assumption: &'static str) {
    let written = bill.assume(assumption);
    let kept = written.times(bill.assume("log-months"));
    bill.line(service, item, price, written, Some(assumption));
    bill.line(service, item, "logs-kept", kept, Some("log-months"));
}

fn alarm(bill: &mut Bill<'_>, item: &Item<'_>) {
    bill.line(CLOUDWATCH, item, "alarm", ONE, None);
}

fn dashboard(bill: &mut Bill<'_>, item: &Item<'_>) {
    bill.line(CLOUDWATCH, item, "dashboard", ONE, None);
}

fn recovery_points(bill: &mut Bill<'_>, item: &Item<'_>) {
    let kept = bill.assume("recovery-gb");
    bill.line("AWS Backup", item, "backup-rds", kept, Some("recovery-gb"));
}

fn account_alarm(bill: &mut Bill<'_>, item: &Item<'_>) {
    bill.line(BASELINE, item, "alarm", ONE, None);
}

fn metric_filter(bill: &mut Bill<'_>, item: &Item<'_>) {
    let counting = percent(bill.assume("filter-percent"));
    bill.line(BASELINE, item, "metric", counting, Some("filter-percent"));
}

fn trail(bill: &mut Bill<'_>, item: &Item<'_>) {
    if item.spec["s3_data_events"] == true {
        let events = bill.assume("trail-events");
        bill.line(BASELINE, item, "trail-data", events, Some("trail-events"));
    }
}

fn recorder(bill: &mut Bill<'_>, item: &Item<'_>) {
    let changes = bill.assume("config-changes");
    bill.line(BASELINE, item, "config-item", changes, Some("config-changes"));
}

fn conformance_pack(bill: &mut Bill<'_>, item: &Item<'_>) {
    let checks = bill.assume("config-checks");
    bill.line(BASELINE, item, "config-check", checks, Some("config-checks"));
}

fn detector(bill: &mut Bill<'_>, item: &Item<'_>) {
    let (events, read) = (bill.assume("guardduty-events"), bill.assume("guardduty-gb"));
    bill.line(BASELINE, item, "guardduty-events", events, Some("guardduty-events"));
    bill.line(BASELINE, item, "guardduty-gb", read, Some("guardduty-gb"));
}

fn hub(bill: &mut Bill<'_>, item: &Item<'_>) {
    let checks = bill.assume("hub-checks");
    bill.line(BASELINE, item, "hub-check", checks, Some("hub-checks"));
}

fn scanning(bill: &mut Bill<'_>, item: &Item<'_>) {
    if item.spec["enhanced"] == true {
        let images = bill.assume("scanned-images");
        bill.line(BASELINE, item, "inspector-image", images, Some("scanned-images"));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rcm_aws::{Aws, Connect};

    use super::*;

    #[tokio::test]
    async fn every_kind_is_priced_or_says_why_it_costs_nothing() {
        let aws = Aws::connect(&Connect { region: "us-east-1".into(), ..Connect::default() }).await;
        let registry = rcm_aws::resources::registry(&std::sync::Arc::new(aws));
        let kinds: BTreeSet<&str> = registry.iter().map(|resource| resource.kind()).collect();
        let priced: BTreeSet<&str> = PRICED.iter().map(|(kind, _)| *kind).collect();
        let free: BTreeSet<&str> = FREE.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(priced.len() + free.len(), PRICED.len() + FREE.len(), "a kind stands twice");
        assert_eq!(priced.intersection(&free).collect::<Vec<_>>(), Vec::<&&str>::new());
        assert_eq!(priced.union(&free).copied().collect::<BTreeSet<_>>(), kinds);
        assert!(FREE.iter().all(|(_, reason)| !reason.is_empty()));
    }
}
