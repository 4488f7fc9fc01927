//! The alarms, and the topic by which they reach the support address.

use std::collections::BTreeMap;

use rcm_aws::resources::{
    cloudwatch_alarm::{self, Alarm, Dimension},
    sns_subscription::{self, Subscription},
    sns_topic::{self, Topic},
};
use rcm_engine::model::{Graph, Ref};
use serde_json::{Value, json};

use super::{
    super::{Blueprint, compute::Compute, edge::Edge},
    Below, SUBSCRIPTION,
};
use crate::config::PartnerConfig;

const ABOVE: &str = "GreaterThanThreshold";
const BELOW: &str = "LessThanThreshold";
const GIB: f64 = 1_073_741_824.0;

/// What an alarm is about: everything but its name and whom it tells.
pub(super) struct Watch {
    pub(super) what: String,
    description: String,
    pub(super) namespace: &'static str,
    pub(super) metric: &'static str,
    pub(super) statistic: &'static str,
    pub(super) dimensions: BTreeMap<String, Dimension>,
    comparison: &'static str,
    threshold: f64,
    /// Length in seconds, how many are looked at, and how many of them have to be beyond.
    periods: (i32, i32, i32),
    /// What it means that there is no data.
    silence: &'static str,
}

/// Everything that is watched.
pub(super) fn watches(plan: &Blueprint<'_>, below: &Below<'_>) -> Vec<Watch> {
    let mut watches = Vec::new();
    if let Some(tasks) = &below.tasks {
        watches.extend(balancer(tasks.edge));
        watches.extend(service(plan.config, tasks.compute));
    }
    watches.extend(instance(plan.config, "database", "The database", &below.database.instance.to_value()));
    for (index, replica) in below.database.replicas.iter().enumerate() {
        watches.extend(self::replica(plan.config, index + 1, &replica.to_value()));
    }
    watches
}

/// Gives the topic that they are told to.
pub(super) fn add(graph: &mut Graph, plan: &Blueprint<'_>, below: &Below<'_>, watches: Vec<Watch>) -> Ref<Topic> {
    let topic = topic(graph, plan, below);
    for watch in watches {
        let (period_seconds, periods, periods_to_alarm) = watch.periods;
        let spec = cloudwatch_alarm::Spec {
            name: plan.name(&watch.what),
            description: watch.description,
            namespace: watch.namespace.into(),
            metric: watch.metric.into(),
            statistic: watch.statistic.into(),
            dimensions: watch.dimensions,
            period_seconds,
            periods,
            periods_to_alarm,
            threshold: watch.threshold,
            comparison: watch.comparison.into(),
            missing_data: watch.silence.into(),
            topic: topic.clone(),
        };
        graph.add::<Alarm>(&format!("watching/alarm/{}", watch.what), spec);
    }
    topic
}

fn topic(graph: &mut Graph, plan: &Blueprint<'_>, below: &Below<'_>) -> Ref<Topic> {
    let name = plan.name("alarms");
    let policy = may_publish(plan, &name).into();
    let spec = sns_topic::Spec { name, kms_key: below.security.key.clone(), policy };
    let topic = graph.add::<Topic>("watching/topic", spec);
    let spec = sns_subscription::Spec { topic: topic.clone(), email: plan.config.support_email.clone() };
    graph.add::<Subscription>(SUBSCRIPTION, spec);
    topic
}

/// The alarms and the databases of this account may publish, and nobody without TLS.
pub(in super::super) fn may_publish(plan: &Blueprint<'_>, topic: &str) -> Value {
    let topic = plan.arn("sns", topic);
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "AlarmsOfThisAccount",
                "Effect": "Allow",
                "Principal": {"Service": "cloudwatch.amazonaws.com"},
                "Action": "sns:Publish",
                "Resource": topic,
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": plan.account()},
                    "ArnLike": {"aws:SourceArn": plan.arn("cloudwatch", "alarm:*")}
                }
            },
            {
                "Sid": "DatabaseEventsOfThisAccount",
                "Effect": "Allow",
                "Principal": {"Service": "events.rds.amazonaws.com"},
                "Action": "sns:Publish",
                "Resource": topic,
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": plan.account()},
                    "ArnLike": {"aws:SourceArn": plan.arn("rds", "*")}
                }
            },
            {
                "Sid": "TlsOnly",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "sns:Publish",
                "Resource": topic,
                "Condition": {"Bool": {"aws:SecureTransport": "false"}}
            }
        ]
    })
}

/// Errors, slowness, and tasks that do not answer. The load balancer tells a count only where there is something to count.
fn balancer(edge: &Edge) -> Vec<Watch> {
    let balancer = || ("LoadBalancer".to_owned(), Dimension::LoadBalancer(edge.balancer.clone()));
    let group = || ("TargetGroup".to_owned(), Dimension::TargetGroup(edge.target_group.clone()));
    let watch = |what: &str, metric, statistic, threshold, periods, description: &str| Watch {
        what: what.to_owned(),
        description: description.to_owned(),
        namespace: "AWS/ApplicationELB",
        metric,
        statistic,
        dimensions: [balancer(), group()].into(),
        comparison: ABOVE,
        threshold,
        periods,
        silence: "notBreaching",
    };
    let of_balancer = Watch {
        dimensions: [balancer()].into(),
        ..watch(
            "load-balancer-5xx",
            "HTTPCode_ELB_5XX_Count",
            "Sum",
            10.0,
            (300, 1, 1),
            "The load balancer itself has answered more than 10 requests in 5 minutes with an error: it reaches no task, or a task \
             does not answer in time.",
        )
    };
    vec![
        of_balancer,
        watch(
            "target-5xx",
            "HTTPCode_Target_5XX_Count",
            "Sum",
            10.0,
            (300, 1, 1),
            "The application has answered more than 10 requests in 5 minutes with an error: see its log.",
        ),
        watch(
            "latency",
            "TargetResponseTime",
            "p95",
            2.0,
            (60, 10, 5),
            "One request in twenty has taken longer than 2 seconds, in 5 of the last 10 minutes.",
        ),
        watch(
            "unhealthy-targets",
            "UnHealthyHostCount",
            "Maximum",
            0.0,
            (60, 5, 3),
            "A task has failed its health check in 3 of the last 5 minutes.",
        ),
    ]
}

/// Tasks that are short of something, and too few of them.
fn service(config: &PartnerConfig, compute: &Compute) -> Vec<Watch> {
    let dimensions = || {
        let (cluster, service) = (compute.cluster.output("cluster_name"), compute.service.output("service_name"));
        let named = [("ClusterName", cluster), ("ServiceName", service)];
        named.map(|(name, value)| (name.to_owned(), Dimension::Name(value))).into()
    };
    let used = |what: &str, metric, percent: u32, word: &str| Watch {
        what: what.to_owned(),
        description: format!(
            "The tasks have used more than {percent} % of their {word} for 15 minutes: autoscaling cannot help."
        ),
        namespace: "AWS/ECS",
        metric,
        statistic: "Average",
        dimensions: dimensions(),
        comparison: ABOVE,
        threshold: f64::from(percent),
        periods: (60, 15, 15),
        silence: "notBreaching",
    };
    // Autoscaling holds the average at its target: this is beyond what it manages.
    let beyond = |target: u32| (target + 15).clamp(85, 99);
    let mut watches = vec![
        used("service-cpu", "CPUUtilization", beyond(config.ecs_scale_cpu), "CPU"),
        used("service-memory", "MemoryUtilization", beyond(config.ecs_scale_memory.unwrap_or_default()), "memory"),
    ];
    // Without an image no task runs, and at times of a schedule fewer may.
    let fewest = config.ecs_schedules.iter().map(|schedule| schedule.min).chain([config.ecs_min_count]).min();
    if let Some(fewest) = fewest.filter(|fewest| *fewest > 0 && config.api_image.is_some()) {
        watches.push(Watch {
            what: "running-tasks".into(),
            description: format!("Fewer than {fewest} tasks have run for 5 minutes: see the events of the service."),
            namespace: "ECS/ContainerInsights",
            metric: "RunningTaskCount",
            statistic: "Average",
            dimensions: dimensions(),
            comparison: BELOW,
            threshold: f64::from(fewest),
            periods: (60, 5, 5),
            // Where no task runs, nothing tells how many do.
            silence: "breaching",
        });
    }
    watches
}

/// A database that is short of something. It tells every minute, so silence means nothing more than that it is being made or moved.
fn instance(config: &PartnerConfig, name: &str, subject: &str, database: &Value) -> Vec<Watch> {
    let watch = |what: &str, metric, comparison, threshold, periods, description: String| Watch {
        what: format!("{name}-{what}"),
        description,
        namespace: "AWS/RDS",
        metric,
        statistic: "Average",
        dimensions: of_instance(database),
        comparison,
        threshold,
        periods,
        silence: "missing",
    };
    let free = (config.db_allocated_storage / 10).max(2);
    let mut watches = vec![
        watch(
            "cpu",
            "CPUUtilization",
            ABOVE,
            80.0,
            (60, 15, 15),
            format!("{subject} has used more than 80 % of its CPU for 15 minutes."),
        ),
        watch(
            "storage",
            "FreeStorageSpace",
            BELOW,
            f64::from(free) * GIB,
            (300, 3, 3),
            format!("{subject} has less than {free} GiB of its disk left: it grows no more, or not fast enough."),
        ),
    ];
    if let Some(most) = connections(&config.db_instance_class) {
        watches.push(watch(
            "connections",
            "DatabaseConnections",
            ABOVE,
            f64::from(most),
            (60, 5, 5),
            format!("{subject} has had more than {most} connections for 5 minutes: 70 % of what its memory allows."),
        ));
    }
    watches
}

/// As the database, and that it is not behind: who reads there reads what was true a minute ago.
fn replica(config: &PartnerConfig, number: usize, replica: &Value) -> Vec<Watch> {
    let name = format!("replica-{number}");
    let lag = Watch {
        what: format!("{name}-lag"),
        description: "The read replica has been more than a minute behind for 5 minutes.".into(),
        namespace: "AWS/RDS",
        metric: "ReplicaLag",
        statistic: "Average",
        dimensions: of_instance(replica),
        comparison: ABOVE,
        threshold: 60.0,
        periods: (60, 5, 5),
        silence: "missing",
    };
    let mut watches = instance(config, &name, &format!("Read replica {number}"), replica);
    watches.push(lag);
    watches
}

fn of_instance(identifier: &Value) -> BTreeMap<String, Dimension> {
    [("DBInstanceIdentifier".to_owned(), Dimension::Name(identifier.clone()))].into()
}

/// 70 % of the connections that PostgreSQL allows on an instance class. RDS sets `max_connections` to
/// `LEAST(DBInstanceClassMemory / 9531392, 5000)`, and of the memory that the class is sold with takes some for itself.
fn connections(class: &str) -> Option<u32> {
    let all = (memory_gib(class)? * 1_073_741_824 / 9_531_392).min(5000);
    u32::try_from(all * 7 / 10).ok()
}

/// The memory of an [instance class](https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.DBInstanceClass.Summary.html);
/// `None` where the name does not tell.
fn memory_gib(class: &str) -> Option<u64> {
    let mut parts = class.split('.').skip(1);
    let (family, size) = (parts.next()?, parts.next()?);
    let large = match family.chars().next()? {
        't' | 'm' => 8,
        'r' => 16,
        _ => return None,
    };
    match size {
        "micro" => Some(1),
        "small" => Some(2),
        "medium" => Some(4),
        "large" => Some(large),
        "xlarge" => Some(2 * large),
        size => Some(2 * large * size.strip_suffix("xlarge")?.parse::<u64>().ok()?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blueprint::Surroundings;

    #[test]
    fn an_instance_class_tells_its_memory() {
        let classes =
            ["db.t3.micro", "db.t4g.medium", "db.m7g.large", "db.r6g.large", "db.r6i.4xlarge", "db.x2g.large"];
        assert_eq!(classes.map(memory_gib), [Some(1), Some(4), Some(8), Some(16), Some(128), None]);
    }

    #[test]
    fn connections_are_seventy_percent_of_what_postgresql_allows() {
        assert_eq!(connections("db.t3.medium"), Some(315));
        assert_eq!(connections("db.r6g.16xlarge"), Some(3500), "never more than 5000 at all");
    }

    #[test]
    fn each_replica_has_alarms_of_its_own() {
        let acme = include_str!("../../../../../partners/acme.toml");
        let config = PartnerConfig::parse("acme.toml", &format!("{acme}\ndb_read_replicas = 2\n"), None).unwrap();
        let zones = ["us-east-1a", "us-east-1b"].map(str::to_owned).into();
        let graph = crate::blueprint::graph(&config, &Surroundings { zones, proven_in: None }).unwrap();
        let of_replicas =
            graph.nodes().filter_map(|node| node.address.as_str().strip_prefix("watching/alarm/replica-"));
        let all =
            ["1", "2"].map(|number| ["connections", "cpu", "lag", "storage"].map(|what| format!("{number}-{what}")));
        assert_eq!(of_replicas.collect::<Vec<_>>(), all.concat());
    }
}
