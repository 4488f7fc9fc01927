//! What RDS itself tells of the database, to the topic of the alarms: what no metric shows.
//!
//! The types of sources and their categories are those of AWS's Foundational Security Best Practices (RDS.20 to RDS.22), and of the
//! instances what else a person wants to know. Not every backup and every creation: that is mail of each day.

use rcm_aws::resources::{
    rds_event_subscription::{self, EventSubscription},
    sns_topic::Topic,
};
use rcm_engine::model::{Graph, Ref};

use super::super::{Blueprint, database::Database};

const OF_INSTANCES: &[&str] = &[
    "availability",
    "configuration change",
    "deletion",
    "failover",
    "failure",
    "low storage",
    "maintenance",
    "notification",
    "read replica",
    "recovery",
    "restoration",
];

pub(super) fn add(graph: &mut Graph, plan: &Blueprint<'_>, database: &Database, topic: &Ref<Topic>) {
    let replicas = database.replicas.iter().map(Ref::to_value);
    let instances = std::iter::once(database.instance.to_value()).chain(replicas).collect();
    let mut subscribe = |source_type: &str, sources, categories: &[&str]| {
        let spec = rds_event_subscription::Spec {
            name: plan.name(&format!("{source_type}-events")),
            topic: topic.clone(),
            source_type: source_type.to_owned(),
            sources,
            categories: categories.iter().map(|category| (*category).to_owned()).collect(),
            enabled: true,
        };
        graph.add::<EventSubscription>(&format!("watching/events/{source_type}"), spec);
    };
    subscribe("db-instance", instances, OF_INSTANCES);
    subscribe("db-parameter-group", vec![database.parameter_group.to_value()], &["configuration change"]);
    // There are none of this deployment, and none at all without EC2-Classic: it is what RDS.22 asks for.
    subscribe("db-security-group", Vec::new(), &["configuration change", "failure"]);
}
