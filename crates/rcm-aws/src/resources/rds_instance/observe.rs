//! What an instance is: whether it can be used, and the live values of the spec's fields.

use aws_sdk_rds::types::{DbInstance, PendingModifiedValues};
use rcm_engine::model::{Observed, Readiness};
use serde_json::{Value, json};

use super::Outputs;

/// [Statuses](https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html) that do not pass by
/// themselves; every `incompatible-…` and `inaccessible-…` is another.
const STUCK: &[&str] = &["failed", "insufficient-capacity", "restore-error", "storage-full", "stopped", "deleting"];

/// Whether it can be used.
pub(in crate::resources) fn readiness(instance: &DbInstance) -> Readiness {
    let status = instance.db_instance_status().unwrap_or("creating");
    let stuck = STUCK.contains(&status) || status.starts_with("incompatible-") || status.starts_with("inaccessible-");
    if stuck {
        return Readiness::Failed(format!("the database is in status `{status}`"));
    }
    let nothing = PendingModifiedValues::builder().build();
    match status {
        "available" | "storage-optimization" => match instance.pending_modified_values() {
            Some(pending) if *pending != nothing => Readiness::Pending("applying modifications".into()),
            _ => Readiness::Ready,
        },
        other => Readiness::Pending(other.to_owned()),
    }
}

/// The live values, for the engine.
pub(super) fn observe(instance: &DbInstance) -> Observed<Outputs> {
    let seen = Observed::new(outputs(instance));
    fields(instance).into_iter().fold(seen, |seen, (field, value)| seen.see(field, value))
}

/// The live values of the spec's fields. What was asked for and is pending counts as there: who wants something else has to
/// ask for that.
pub(in crate::resources) fn fields(instance: &DbInstance) -> Vec<(&'static str, Value)> {
    let mut fields = current(instance);
    let pending = instance.pending_modified_values().map(pending).unwrap_or_default();
    for (field, value) in &mut fields {
        if let Some((_, pending)) = pending.iter().find(|(name, value)| name == field && !value.is_null()) {
            *value = pending.clone();
        }
    }
    fields
}

fn pending(pending: &PendingModifiedValues) -> Vec<(&'static str, Value)> {
    vec![
        ("major_version", json!(pending.engine_version().map(major))),
        ("instance_class", json!(pending.db_instance_class())),
        ("backup_retention_days", json!(pending.backup_retention_period())),
        ("iam_authentication", json!(pending.iam_database_authentication_enabled())),
        ("ca_certificate", json!(pending.ca_certificate_identifier())),
        ("storage_type", json!(pending.storage_type())),
        ("allocated_storage", json!(pending.allocated_storage())),
        ("multi_az", json!(pending.multi_az())),
        ("port", json!(pending.port())),
    ]
}

fn current(instance: &DbInstance) -> Vec<(&'static str, Value)> {
    let parameter_group = instance.db_parameter_groups().first().and_then(|group| group.db_parameter_group_name());
    let insights = instance.performance_insights_enabled().unwrap_or(false);
    let mut fields = vec![
        ("engine", json!(instance.engine())),
        ("major_version", json!(instance.engine_version().map(major))),
        ("instance_class", json!(instance.db_instance_class())),
        ("db_name", json!(instance.db_name())),
        ("master_username", json!(instance.master_username())),
        ("parameter_group", json!(parameter_group)),
        ("backup_retention_days", json!(instance.backup_retention_period())),
        ("backup_window", json!(instance.preferred_backup_window())),
        ("maintenance_window", json!(instance.preferred_maintenance_window())),
        ("deletion_protection", json!(instance.deletion_protection().unwrap_or(false))),
        ("copy_tags_to_snapshot", json!(instance.copy_tags_to_snapshot().unwrap_or(false))),
        ("auto_minor_version_upgrade", json!(instance.auto_minor_version_upgrade().unwrap_or(false))),
        ("log_exports", json!(instance.enabled_cloudwatch_logs_exports())),
        ("performance_insights_key", json!(instance.performance_insights_kms_key_id().filter(|_| insights))),
        ("iam_authentication", json!(instance.iam_database_authentication_enabled().unwrap_or(false))),
        ("ca_certificate", json!(instance.ca_certificate_identifier())),
        ("monitoring", monitoring(instance)),
    ];
    fields.extend(storage(instance));
    fields.extend(network(instance));
    fields
}

/// As a spec says it; `null` where nothing is measured.
fn monitoring(instance: &DbInstance) -> Value {
    match instance.monitoring_interval() {
        Some(seconds) if seconds > 0 => json!({"seconds": seconds, "role": instance.monitoring_role_arn()}),
        _ => Value::Null,
    }
}

fn storage(instance: &DbInstance) -> Vec<(&'static str, Value)> {
    let mut fields = vec![
        ("max_allocated_storage", json!(instance.max_allocated_storage())),
        ("storage_type", json!(instance.storage_type())),
        ("kms_key", json!(instance.kms_key_id())),
    ];
    // With autoscaling, what is there says nothing about what was asked for.
    if instance.max_allocated_storage().is_none() {
        fields.push(("allocated_storage", json!(instance.allocated_storage())));
    }
    fields
}

fn network(instance: &DbInstance) -> Vec<(&'static str, Value)> {
    let groups = instance.vpc_security_groups().iter().filter(|group| group.status() != Some("removing"));
    let groups: Vec<_> = groups.filter_map(|group| group.vpc_security_group_id()).collect();
    let mut fields = vec![
        ("multi_az", json!(instance.multi_az().unwrap_or(false))),
        ("subnet_group", json!(instance.db_subnet_group().and_then(|group| group.db_subnet_group_name()))),
        ("security_groups", json!(groups)),
        ("publicly_accessible", json!(instance.publicly_accessible().unwrap_or(false))),
    ];
    if let Some(port) = instance.endpoint().and_then(|endpoint| endpoint.port()) {
        fields.push(("port", json!(port)));
    }
    fields
}

/// What AWS gave.
pub(in crate::resources) fn outputs(instance: &DbInstance) -> Outputs {
    let endpoint = instance.endpoint();
    Outputs {
        instance_arn: instance.db_instance_arn().unwrap_or_default().to_owned(),
        resource_id: instance.dbi_resource_id().unwrap_or_default().to_owned(),
        address: endpoint.and_then(|endpoint| endpoint.address()).unwrap_or_default().to_owned(),
        port: endpoint.and_then(|endpoint| endpoint.port()).and_then(|port| port.try_into().ok()).unwrap_or_default(),
    }
}

/// The part of an engine version before the minor one. Holds for PostgreSQL since 10.
fn major(version: &str) -> &str {
    version.split('.').next().unwrap_or(version)
}

#[cfg(test)]
mod tests {
    use super::{super::tests::spec, *};

    fn in_status(status: &str) -> DbInstance {
        DbInstance::builder().db_instance_status(status).build()
    }

    #[test]
    fn a_database_is_ready_when_available_and_nothing_is_pending() {
        assert_eq!(readiness(&in_status("available")), Readiness::Ready);
        assert_eq!(readiness(&in_status("storage-optimization")), Readiness::Ready);
        let pending = PendingModifiedValues::builder().multi_az(true).build();
        let instance = DbInstance::builder().db_instance_status("available").pending_modified_values(pending).build();
        assert!(matches!(readiness(&instance), Readiness::Pending(_)));
    }

    #[test]
    fn a_database_on_its_way_says_what_it_is_doing_and_a_stuck_one_fails() {
        assert_eq!(readiness(&in_status("backing-up")), Readiness::Pending("backing-up".into()));
        for status in ["failed", "incompatible-network", "storage-full", "inaccessible-encryption-credentials"] {
            assert!(matches!(readiness(&in_status(status)), Readiness::Failed(_)), "{status}");
        }
    }

    #[test]
    fn what_is_read_are_fields_of_the_spec_and_never_the_password() {
        let spec = serde_json::to_value(spec()).unwrap();
        let fields = fields(&in_status("available"));
        for (field, _) in &fields {
            assert!(spec.get(field).is_some(), "{field}");
        }
        assert!(fields.iter().all(|(field, _)| *field != "master_password"));
    }

    #[test]
    fn storage_is_compared_only_where_it_does_not_grow_by_itself() {
        let reads_storage = |live: DbInstance| fields(&live).iter().any(|(field, _)| *field == "allocated_storage");
        assert!(reads_storage(DbInstance::builder().allocated_storage(100).build()));
        assert!(!reads_storage(DbInstance::builder().allocated_storage(150).max_allocated_storage(500).build()));
    }

    #[test]
    fn what_is_pending_counts_as_there() {
        let pending = PendingModifiedValues::builder().db_instance_class("db.t3.large").build();
        let instance = DbInstance::builder().db_instance_class("db.t3.medium").multi_az(true);
        let fields = fields(&instance.pending_modified_values(pending).build());
        let value = |name: &str| fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value.clone());
        assert_eq!((value("instance_class"), value("multi_az")), (Some(json!("db.t3.large")), Some(json!(true))));
    }

    #[test]
    fn minor_versions_are_not_compared() {
        assert_eq!(major("17.4"), "17");
        assert_eq!(major("17"), "17");
    }
}
