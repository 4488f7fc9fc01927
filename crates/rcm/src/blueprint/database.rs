//! The database, and the secret that says how to reach it.

use std::collections::{BTreeMap, BTreeSet};

use rcm_aws::resources::{
    iam_role::{self, Role},
    rds_instance::{self, Instance, Monitoring},
    rds_parameter_group::{self, ParameterGroup},
    rds_replica::{self, Replica},
    rds_subnet_group::{self, SubnetGroup},
    secrets_secret::{self, Secret, Source},
};
use rcm_engine::model::{Graph, Ref};
use serde_json::{Value, json};

use super::{Blueprint, network::Network, secrets::Secrets, security::Security, storage::Storage};

const DATABASE: &str = "rcm";
const USER: &str = "rcm_admin";

/// What others need of this layer.
pub(super) struct Database {
    pub(super) url: Ref<Secret>,
    pub(super) instance: Ref<Instance>,
    pub(super) parameter_group: Ref<ParameterGroup>,
    /// The read replicas, by whose identifiers they are watched.
    pub(super) replicas: Vec<Ref<Replica>>,
    /// How to reach the first of them.
    pub(super) reader_url: Option<Ref<Secret>>,
}

pub(super) fn add(
    graph: &mut Graph,
    plan: &Blueprint<'_>,
    network: &Network,
    security: &Security,
    storage: &Storage,
    secrets: &Secrets,
) -> Database {
    let subnet_group = graph.add::<SubnetGroup>(
        "database/subnet-group",
        rds_subnet_group::Spec {
            name: plan.name("db"),
            description: format!("Database subnets of {}", plan.prefix),
            subnets: network.database.clone(),
        },
    );
    let parameter_group = graph.add::<ParameterGroup>(
        "database/parameter-group",
        rds_parameter_group::Spec {
            name: plan.name(&format!("db-{}", plan.config.db_engine_version.family())),
            family: plan.config.db_engine_version.family(),
            description: format!("PostgreSQL of {}", plan.prefix),
            force_ssl: true,
        },
    );
    let monitoring = monitoring(graph, plan);
    let spec = instance(plan, security, secrets, subnet_group, parameter_group.clone(), monitoring);
    let replica = spec.clone();
    let instance = graph.add::<Instance>("database/instance", spec);
    for group in &storage.database_logs {
        graph.after(&instance, group);
    }
    let host = instance.output("address");
    let spec = url(plan, security, secrets, "database-url", "How the application reaches its database", host);
    let url = graph.add::<Secret>("secrets/database-url", spec);
    let mut database =
        Database { instance: instance.clone(), parameter_group, url, replicas: Vec::new(), reader_url: None };
    for (index, logs) in storage.replica_logs.iter().enumerate() {
        let spec = self::replica(plan.replica(index), &instance, &replica);
        let replica = graph.add::<Replica>(&format!("database/replica-{}", index + 1), spec);
        logs.iter().for_each(|group| graph.after(&replica, group));
        database.replicas.push(replica);
    }
    database.reader_url = database.replicas.first().map(|first| {
        let host = first.output("address");
        let description = "How the application reaches the first read replica";
        let spec = self::url(plan, security, secrets, "database-reader-url", description, host);
        graph.add::<Secret>("secrets/database-reader-url", spec)
    });
    database
}

impl Blueprint<'_> {
    /// What the read replica of that index is called.
    pub(super) fn replica(&self, index: usize) -> String {
        match index {
            0 => self.name("db-replica"),
            later => self.name(&format!("db-replica-{}", later + 1)),
        }
    }
}

fn instance(
    plan: &Blueprint<'_>,
    security: &Security,
    secrets: &Secrets,
    subnet_group: Ref<SubnetGroup>,
    parameter_group: Ref<ParameterGroup>,
    monitoring: Option<Monitoring>,
) -> rds_instance::Spec {
    let config = plan.config;
    let gib = |gib: u32| i32::try_from(gib).unwrap_or(i32::MAX);
    rds_instance::Spec {
        identifier: plan.name("db"),
        engine: "postgres".into(),
        major_version: config.db_engine_version.major().to_string(),
        instance_class: config.db_instance_class.clone(),
        allocated_storage: gib(config.db_allocated_storage),
        max_allocated_storage: Some(gib(config.db_max_allocated_storage)),
        storage_type: "gp3".into(),
        kms_key: security.key.clone(),
        db_name: DATABASE.into(),
        master_username: USER.into(),
        master_password: secrets.database_password.clone(),
        multi_az: config.db_multi_az,
        subnet_group,
        security_groups: vec![security.database.clone()],
        parameter_group,
        port: config.db_port,
        // AWS makes read replicas only of what takes backups.
        backup_retention_days: 35,
        backup_window: None,
        maintenance_window: None,
        deletion_protection: true,
        publicly_accessible: false,
        copy_tags_to_snapshot: true,
        auto_minor_version_upgrade: true,
        log_exports: vec!["postgresql".into(), "upgrade".into()],
        performance_insights_key: config.db_performance_insights.then(|| security.key.clone()),
        iam_authentication: config.db_iam_authentication,
        monitoring,
        ca_certificate: None,
    }
}

/// Measuring the server's operating system, and the role by which RDS writes what it measures to CloudWatch Logs.
///
/// The conditions are those of [RDS](https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Monitoring.OS.Enabling.html): the role
/// serves this database alone, so that RDS cannot be used as a deputy for others.
fn monitoring(graph: &mut Graph, plan: &Blueprint<'_>) -> Option<Monitoring> {
    let seconds = i32::try_from(plan.config.db_enhanced_monitoring).ok().filter(|seconds| *seconds > 0)?;
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": "monitoring.rds.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {
                "StringEquals": {"aws:SourceAccount": plan.account()},
                "ArnLike": {"aws:SourceArn": plan.arn("rds", &format!("db:{}*", plan.name("db")))}
            }
        }]
    });
    let policy = format!("arn:{}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole", plan.partition());
    let spec = iam_role::Spec {
        name: plan.name("rds-monitoring"),
        description: "RDS writes what it measures of the database's operating system to CloudWatch Logs".to_owned(),
        assume_role_policy: trust.into(),
        max_session_seconds: 3600,
        managed_policies: BTreeSet::from([policy]),
        inline_policies: BTreeMap::new(),
    };
    let role = graph.add::<Role>("database/monitoring-role", spec);
    Some(Monitoring { seconds, role })
}

/// A replica of `source`, like it in everything but the standby: there are others when one fails.
fn replica(identifier: String, source: &Ref<Instance>, like: &rds_instance::Spec) -> rds_replica::Spec {
    let like = like.clone();
    rds_replica::Spec {
        identifier,
        source: source.clone(),
        instance_class: like.instance_class,
        allocated_storage: like.allocated_storage,
        max_allocated_storage: like.max_allocated_storage,
        storage_type: like.storage_type,
        multi_az: false,
        security_groups: like.security_groups,
        parameter_group: like.parameter_group,
        port: like.port,
        deletion_protection: like.deletion_protection,
        publicly_accessible: like.publicly_accessible,
        copy_tags_to_snapshot: like.copy_tags_to_snapshot,
        auto_minor_version_upgrade: like.auto_minor_version_upgrade,
        log_exports: like.log_exports,
        performance_insights_key: like.performance_insights_key,
        iam_authentication: like.iam_authentication,
        monitoring: like.monitoring,
    }
}

/// `host`: a reference to the address.
fn url(
    plan: &Blueprint<'_>,
    security: &Security,
    secrets: &Secrets,
    name: &str,
    description: &str,
    host: Value,
) -> secrets_secret::Spec {
    secrets_secret::Spec {
        name: plan.secret(name),
        description: description.into(),
        kms_key: security.key.clone(),
        value: Source::DatabaseUrl {
            host,
            // Not the instance's own word for it, which a plan knows only after the change.
            port: plan.config.db_port.into(),
            user: USER.into(),
            database: DATABASE.into(),
            password: secrets.database_password.clone(),
        },
        policy: super::secrets::policy(plan),
        rotation: None,
    }
}
