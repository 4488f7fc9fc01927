//! What an instance is: whether it can be used, and the live values of the spec's fields.

use aws_sdk_rds::types::{DbInstance, PendingModifiedValues};
use rcm_engine::model::{Observed, Readiness};

use super::Outputs;

/// [Statuses](https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html) that do not pass by
/// themselves; every `incompatible-…` and `inaccessible-…` is another.
const STUCK: &[&str] = &["failed", "insufficient-capacity", "restore-error", "storage-full", "stopped", "deleting"];

/// Whether it can be used.
pub(super) fn readiness(instance: &DbInstance) -> Readiness {
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

/// The live values.
pub(super) fn observe(instance: &DbInstance) -> Observed<Outputs> {
    let seen = storage(instance, Observed::new(outputs(instance)));
    let seen = network(instance, seen);
    let insights = instance.performance_insights_enabled().unwrap_or(false);
    seen.see("engine", instance.engine())
        .see("major_version", instance.engine_version().map(major))
        .see("instance_class", instance.db_instance_class())
        .see("db_name", instance.db_name())
        .see("master_username", instance.master_username())
        .see("parameter_group", instance.db_parameter_groups().first().and_then(|group| group.db_parameter_group_name()))
        .see("backup_retention_days", instance.backup_retention_period())
        .see("backup_window", instance.preferred_backup_window())
        .see("maintenance_window", instance.preferred_maintenance_window())
        .see("deletion_protection", instance.deletion_protection().unwrap_or(false))
        .see("copy_tags_to_snapshot", instance.copy_tags_to_snapshot().unwrap_or(false))
        .see("auto_minor_version_upgrade", instance.auto_minor_version_upgrade().unwrap_or(false))
        .see("log_exports", instance.enabled_cloudwatch_logs_exports())
        .see("performance_insights_key", instance.performance_insights_kms_key_id().filter(|_| insights))
        .see("iam_authentication", instance.iam_database_authentication_enabled().unwrap_or(false))
        .see("ca_certificate", instance.ca_certificate_identifier())
}

fn storage(instance: &DbInstance, seen: Observed<Outputs>) -> Observed<Outputs> {
    let seen = seen
        .see("max_allocated_storage", instance.max_allocated_storage())
        .see("storage_type", instance.storage_type())
        .see("kms_key", instance.kms_key_id());
    // With autoscaling, what is there says nothing about what was asked for.
    match instance.max_allocated_storage() {
        Some(_) => seen,
        None => seen.see("allocated_storage", instance.allocated_storage()),
    }
}

fn network(instance: &DbInstance, seen: Observed<Outputs>) -> Observed<Outputs> {
    let groups = instance.vpc_security_groups().iter().filter(|group| group.status() != Some("removing"));
    let groups: Vec<_> = groups.filter_map(|group| group.vpc_security_group_id()).collect();
    let seen = seen
        .see("multi_az", instance.multi_az().unwrap_or(false))
        .see("subnet_group", instance.db_subnet_group().and_then(|group| group.db_subnet_group_name()))
        .see("security_groups", groups)
        .see("publicly_accessible", instance.publicly_accessible().unwrap_or(false));
    match instance.endpoint().and_then(|endpoint| endpoint.port()) {
        Some(port) => seen.see("port", port),
        None => seen,
    }
}

fn outputs(instance: &DbInstance) -> Outputs {
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
    use super::*;

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
    fn minor_versions_are_not_compared() {
        assert_eq!(major("17.4"), "17");
        assert_eq!(major("17"), "17");
    }
}
