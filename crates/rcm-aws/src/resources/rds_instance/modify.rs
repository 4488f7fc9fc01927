//! Changing an instance in place: one ModifyDBInstance with nothing but what differs, applied at once.
//!
//! What differs is looked up before, because a run that was cut off may go on with another spec. Not while the instance is
//! still being made: then AWS shows it without what it is going to have, and takes no modification.

use std::collections::BTreeSet;

use aws_sdk_rds::{
    operation::modify_db_instance::builders::ModifyDBInstanceFluentBuilder as Request,
    types::{CloudwatchLogsExportConfiguration, DbInstance},
};
use rcm_engine::model::{Fault, FaultKind, Id, Resource};
use serde::Serialize;
use serde_json::Value;

use super::{Cx, Instance, Spec, describe, observe, password, security_groups};
use crate::classify::{fault, missing};

pub(super) async fn modify(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
    let live = describe(cx.cloud, &[id]).await?.into_iter().next();
    if cx.creating() && live.as_ref().is_none_or(|live| live.db_instance_status() == Some("creating")) {
        return Ok(());
    }
    let live = live.ok_or_else(|| missing("rds", "DescribeDBInstances", "DBInstance"))?;
    let change = Change { cx, spec, live: &live, fields: differing(cx, spec, &live)? };
    if change.fields.is_empty() {
        return Ok(());
    }
    let request = cx.cloud.rds.modify_db_instance().db_instance_identifier(id.as_str()).apply_immediately(true);
    let request = change.insight(change.upkeep(change.capacity(change.engine(request)?)))?;
    let request = change.access(request).await?;
    match request.send().await.map_err(fault("rds", "ModifyDBInstance")) {
        // It is what it should be already: "no modifications were requested".
        Err(refused) if refused.kind == FaultKind::Exists => Ok(()),
        other => other.map(drop),
    }
}

/// The fields to send: those that the plan changes and that are not yet as they should be.
fn differing(cx: &Cx<'_>, spec: &Spec, live: &DbInstance) -> Result<BTreeSet<&'static str>, Fault> {
    let mut fields = unlike(cx, spec, observe::fields(live))?;
    fields.retain(|field| !Instance::REPLACE_ON.contains(field));
    if cx.changes("allocated_storage") && too_small(spec.allocated_storage, live) {
        fields.insert("allocated_storage");
    }
    // Nobody can see whether this differs; after a create it is the one that was created with.
    if cx.changes("master_password") && !cx.creating() {
        fields.insert("master_password");
    }
    Ok(fields)
}

/// Of the fields that were seen, those that the plan changes and that are not as `spec` says.
pub(in crate::resources) fn unlike(
    cx: &Cx<'_>,
    spec: &impl Serialize,
    seen: Vec<(&'static str, Value)>,
) -> Result<BTreeSet<&'static str>, Fault> {
    let wanted = serde_json::to_value(spec).map_err(|error| Fault::invalid("spec", error.to_string()))?;
    let wanted = cx.resolve(&wanted)?;
    let differs = |field: &str, is: &Value| match &wanted[field] {
        // What is not wanted is AWS's to choose, unless it was wanted before.
        Value::Null => !cx.creating() && !is.is_null(),
        wanted => !same(wanted, is),
    };
    let seen = seen.into_iter().filter(|(field, is)| cx.changes(field) && differs(field, is));
    Ok(seen.map(|(field, _)| field).collect())
}

/// Whether two values are the same when the order of lists does not count.
fn same(a: &Value, b: &Value) -> bool {
    let (Value::Array(a), Value::Array(b)) = (a, b) else { return a == b };
    a.len() == b.len() && a.iter().all(|item| b.contains(item))
}

/// What goes into one request.
struct Change<'a> {
    cx: &'a Cx<'a>,
    spec: &'a Spec,
    live: &'a DbInstance,
    fields: BTreeSet<&'static str>,
}

impl Change<'_> {
    /// `value`, if this field is to be sent.
    fn of<T>(&self, field: &str, value: T) -> Option<T> {
        self.fields.contains(field).then_some(value)
    }

    fn engine(&self, request: Request) -> Result<Request, Fault> {
        let Self { cx, spec, .. } = self;
        let upgrade = self.of("major_version", spec.major_version.clone());
        let upgrades = upgrade.is_some();
        let request = request.set_engine_version(upgrade).set_allow_major_version_upgrade(upgrades.then_some(true));
        // A parameter group belongs to one major version, so they change together.
        if upgrades || self.fields.contains("parameter_group") {
            return Ok(request.db_parameter_group_name(cx.id(&spec.parameter_group)?.as_str()));
        }
        Ok(request)
    }

    fn capacity(&self, request: Request) -> Request {
        let Self { spec, live, .. } = self;
        let storage = self.of("allocated_storage", spec.allocated_storage);
        // AWS's way of saying "no further": a limit that is reached already.
        let reached = storage.or(live.allocated_storage()).unwrap_or(spec.allocated_storage);
        request
            .set_db_instance_class(self.of("instance_class", spec.instance_class.clone()))
            .set_multi_az(self.of("multi_az", spec.multi_az))
            .set_storage_type(self.of("storage_type", spec.storage_type.clone()))
            .set_allocated_storage(storage)
            .set_max_allocated_storage(self.of("max_allocated_storage", spec.max_allocated_storage.unwrap_or(reached)))
    }

    async fn access(&self, request: Request) -> Result<Request, Fault> {
        let Self { cx, spec, .. } = self;
        let request = request
            .set_vpc_security_group_ids(self.of("security_groups", security_groups(cx, spec)?))
            .set_db_port_number(self.of("port", spec.port.into()))
            .set_publicly_accessible(self.of("publicly_accessible", spec.publicly_accessible))
            .set_enable_iam_database_authentication(self.of("iam_authentication", spec.iam_authentication));
        if !self.fields.contains("master_password") {
            return Ok(request);
        }
        Ok(request.master_user_password(password(cx, spec).await?.expose()))
    }

    fn upkeep(&self, request: Request) -> Request {
        let spec = self.spec;
        let window = |field: &str, window: &Option<String>| self.of(field, window.clone()).flatten();
        request
            .set_backup_retention_period(self.of("backup_retention_days", spec.backup_retention_days.into()))
            .set_preferred_backup_window(window("backup_window", &spec.backup_window))
            .set_preferred_maintenance_window(window("maintenance_window", &spec.maintenance_window))
            .set_ca_certificate_identifier(window("ca_certificate", &spec.ca_certificate))
            .set_deletion_protection(self.of("deletion_protection", spec.deletion_protection))
            .set_copy_tags_to_snapshot(self.of("copy_tags_to_snapshot", spec.copy_tags_to_snapshot))
            .set_auto_minor_version_upgrade(self.of("auto_minor_version_upgrade", spec.auto_minor_version_upgrade))
    }

    fn insight(&self, request: Request) -> Result<Request, Fault> {
        let Self { cx, spec, live, .. } = self;
        let logs = self.of("log_exports", exports(&spec.log_exports, live.enabled_cloudwatch_logs_exports()));
        let key = spec.performance_insights_key.as_ref().map(|key| cx.id(key)).transpose()?;
        let on = self.of("performance_insights_key", key.is_some());
        let key = self.of("performance_insights_key", key.map(|key| key.to_string())).flatten();
        let request = request.set_cloudwatch_logs_export_configuration(logs);
        let request = self.monitoring(request)?;
        Ok(request.set_enable_performance_insights(on).set_performance_insights_kms_key_id(key))
    }
}

impl Change<'_> {
    fn monitoring(&self, request: Request) -> Result<Request, Fault> {
        let wanted = self.spec.monitoring.as_ref();
        let role = wanted.map(|monitoring| self.cx.id(&monitoring.role)).transpose()?;
        let seconds = self.of("monitoring", wanted.map_or(0, |monitoring| monitoring.seconds));
        let role = self.of("monitoring", role.map(|role| role.to_string())).flatten();
        Ok(request.set_monitoring_interval(seconds).set_monitoring_role_arn(role))
    }
}

/// Whether the storage has to grow. With autoscaling it may be larger than the spec says, which is no difference.
pub(in crate::resources) fn too_small(wanted: i32, live: &DbInstance) -> bool {
    live.allocated_storage().is_some_and(|live| live < wanted)
}

/// What to turn on and off so that exactly `wanted` is exported.
pub(in crate::resources) fn exports(wanted: &[String], live: &[String]) -> CloudwatchLogsExportConfiguration {
    let without = |these: &[String], those: &[String]| -> Vec<String> {
        these.iter().filter(|log| !those.contains(log)).cloned().collect()
    };
    CloudwatchLogsExportConfiguration::builder()
        .set_enable_log_types(Some(without(wanted, live)))
        .set_disable_log_types(Some(without(live, wanted)))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_storage(gib: i32) -> DbInstance {
        DbInstance::builder().allocated_storage(gib).build()
    }

    #[test]
    fn storage_that_has_grown_by_itself_is_left_alone() {
        assert!(!too_small(100, &with_storage(150)));
        assert!(!too_small(100, &with_storage(100)));
        assert!(too_small(100, &with_storage(50)));
    }

    #[test]
    fn the_order_of_a_list_is_no_difference() {
        let list = |items: &[&str]| serde_json::json!(items);
        assert!(same(&list(&["a", "b"]), &list(&["b", "a"])));
        assert!(!same(&list(&["a"]), &list(&["a", "b"])));
    }

    #[test]
    fn log_exports_change_by_their_difference() {
        let difference = exports(&["postgresql".into(), "upgrade".into()], &["upgrade".into(), "iam-db-auth-error".into()]);
        assert_eq!(difference.enable_log_types(), ["postgresql"]);
        assert_eq!(difference.disable_log_types(), ["iam-db-auth-error"]);
    }
}
