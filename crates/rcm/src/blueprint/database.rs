//! The database, and the secret that says how to reach it.

use rcm_aws::resources::{
    rds_instance::{self, Instance},
    rds_parameter_group::{self, ParameterGroup},
    rds_subnet_group::{self, SubnetGroup},
    secrets_secret::{self, Secret, Source},
};
use rcm_engine::model::{Graph, Ref};

use super::{Blueprint, network::Network, secrets::Secrets, security::Security, storage::Storage};

/// PostgreSQL's own.
pub(super) const PORT: u16 = 5432;
const DATABASE: &str = "rcm";
const USER: &str = "rcm_admin";

/// What others need of this layer.
pub(super) struct Database {
    pub(super) url: Ref<Secret>,
    pub(super) instance: Ref<Instance>,
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
    let spec = instance(plan, security, secrets, subnet_group, parameter_group);
    let instance = graph.add::<Instance>("database/instance", spec);
    for group in &storage.database_logs {
        graph.after(&instance, group);
    }
    let url = graph.add::<Secret>("secrets/database-url", url(plan, security, secrets, &instance));
    Database { url, instance }
}

fn instance(
    plan: &Blueprint<'_>,
    security: &Security,
    secrets: &Secrets,
    subnet_group: Ref<SubnetGroup>,
    parameter_group: Ref<ParameterGroup>,
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
        port: PORT,
        backup_retention_days: 35,
        backup_window: None,
        maintenance_window: None,
        deletion_protection: true,
        publicly_accessible: false,
        copy_tags_to_snapshot: true,
        auto_minor_version_upgrade: true,
        log_exports: vec!["postgresql".into(), "upgrade".into()],
        performance_insights_key: None,
        iam_authentication: false,
        ca_certificate: None,
    }
}

fn url(plan: &Blueprint<'_>, security: &Security, secrets: &Secrets, instance: &Ref<Instance>) -> secrets_secret::Spec {
    secrets_secret::Spec {
        name: plan.secret("database-url"),
        description: "How the application reaches its database".into(),
        kms_key: security.key.clone(),
        value: Source::DatabaseUrl {
            host: instance.output("address"),
            port: instance.output("port"),
            user: USER.into(),
            database: DATABASE.into(),
            password: secrets.database_password.clone(),
        },
    }
}
