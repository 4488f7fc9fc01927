//! Changing an instance in place: one ModifyDBInstance with nothing but what differs, applied at once.

use aws_sdk_rds::{
    operation::modify_db_instance::builders::ModifyDBInstanceFluentBuilder,
    types::{CloudwatchLogsExportConfiguration, DbInstance},
};
use rcm_engine::model::{Fault, FaultKind, Id};

use super::{Cx, Spec, describe, password, security_groups};
use crate::classify::{fault, missing};

pub(super) async fn modify(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
    let live = describe(cx.cloud, &[id]).await?.into_iter().next();
    let live = live.ok_or_else(|| missing("rds", "DescribeDBInstances", "DBInstance"))?;
    let request = cx.cloud.rds.modify_db_instance().db_instance_identifier(id.as_str()).apply_immediately(true);
    let request = engine(cx, spec, request)?;
    let request = capacity(cx, spec, &live, request);
    let request = access(cx, spec, request).await?;
    let request = upkeep(cx, spec, request);
    let request = insight(cx, spec, &live, request)?;
    match request.send().await.map_err(fault("rds", "ModifyDBInstance")) {
        // It is what it should be already: "no modifications were requested".
        Err(refused) if refused.kind == FaultKind::Exists => Ok(()),
        other => other.map(drop),
    }
}

type Request = ModifyDBInstanceFluentBuilder;

fn engine(cx: &Cx<'_>, spec: &Spec, request: Request) -> Result<Request, Fault> {
    let upgrades = cx.changes("major_version");
    let request = if upgrades {
        request.engine_version(&spec.major_version).allow_major_version_upgrade(true)
    } else {
        request
    };
    // A parameter group belongs to one major version, so they change together.
    if upgrades || cx.changes("parameter_group") {
        return Ok(request.db_parameter_group_name(cx.id(&spec.parameter_group)?.as_str()));
    }
    Ok(request)
}

fn capacity(cx: &Cx<'_>, spec: &Spec, live: &DbInstance, request: Request) -> Request {
    let storage = cx.changes("allocated_storage").then(|| grown(spec, live)).flatten();
    let limit = cx.changes("max_allocated_storage").then(|| {
        // AWS's way of saying "no further": a limit that is reached already.
        spec.max_allocated_storage.or(storage).or(live.allocated_storage()).unwrap_or(spec.allocated_storage)
    });
    request
        .set_db_instance_class(cx.changes("instance_class").then(|| spec.instance_class.clone()))
        .set_multi_az(cx.changes("multi_az").then_some(spec.multi_az))
        .set_storage_type(cx.changes("storage_type").then(|| spec.storage_type.clone()))
        .set_allocated_storage(storage)
        .set_max_allocated_storage(limit)
}

/// The storage to ask for. Where autoscaling has grown it beyond the spec, there is nothing to ask for.
fn grown(spec: &Spec, live: &DbInstance) -> Option<i32> {
    let enough = live.allocated_storage().is_some_and(|live| live >= spec.allocated_storage);
    (spec.max_allocated_storage.is_none() || !enough).then_some(spec.allocated_storage)
}

async fn access(cx: &Cx<'_>, spec: &Spec, request: Request) -> Result<Request, Fault> {
    let groups = cx.changes("security_groups").then(|| security_groups(cx, spec)).transpose()?;
    let request = request
        .set_vpc_security_group_ids(groups)
        .set_db_port_number(cx.changes("port").then_some(spec.port.into()))
        .set_publicly_accessible(cx.changes("publicly_accessible").then_some(spec.publicly_accessible))
        .set_enable_iam_database_authentication(cx.changes("iam_authentication").then_some(spec.iam_authentication));
    if !cx.changes("master_password") {
        return Ok(request);
    }
    Ok(request.master_user_password(password(cx, spec).await?.expose()))
}

fn upkeep(cx: &Cx<'_>, spec: &Spec, request: Request) -> Request {
    let changed = |field: &str, value: &Option<String>| value.clone().filter(|_| cx.changes(field));
    let minor = cx.changes("auto_minor_version_upgrade").then_some(spec.auto_minor_version_upgrade);
    request
        .set_backup_retention_period(cx.changes("backup_retention_days").then_some(spec.backup_retention_days.into()))
        .set_preferred_backup_window(changed("backup_window", &spec.backup_window))
        .set_preferred_maintenance_window(changed("maintenance_window", &spec.maintenance_window))
        .set_ca_certificate_identifier(changed("ca_certificate", &spec.ca_certificate))
        .set_deletion_protection(cx.changes("deletion_protection").then_some(spec.deletion_protection))
        .set_copy_tags_to_snapshot(cx.changes("copy_tags_to_snapshot").then_some(spec.copy_tags_to_snapshot))
        .set_auto_minor_version_upgrade(minor)
}

fn insight(cx: &Cx<'_>, spec: &Spec, live: &DbInstance, request: Request) -> Result<Request, Fault> {
    let logs = cx.changes("log_exports").then(|| exports(&spec.log_exports, live.enabled_cloudwatch_logs_exports()));
    let request = request.set_cloudwatch_logs_export_configuration(logs);
    if !cx.changes("performance_insights_key") {
        return Ok(request);
    }
    let key = spec.performance_insights_key.as_ref().map(|key| cx.id(key)).transpose()?;
    let request = request.enable_performance_insights(key.is_some());
    Ok(request.set_performance_insights_kms_key_id(key.map(|key| key.to_string())))
}

/// What to turn on and off so that exactly `wanted` is exported.
fn exports(wanted: &[String], live: &[String]) -> CloudwatchLogsExportConfiguration {
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
    use crate::resources::rds_instance::tests::spec;

    fn with_storage(gib: i32) -> DbInstance {
        DbInstance::builder().allocated_storage(gib).build()
    }

    #[test]
    fn storage_that_has_grown_by_itself_is_left_alone() {
        let spec = Spec { allocated_storage: 100, max_allocated_storage: Some(500), ..spec() };
        assert_eq!(grown(&spec, &with_storage(150)), None);
        assert_eq!(grown(&spec, &with_storage(50)), Some(100));
    }

    #[test]
    fn without_autoscaling_storage_is_what_the_file_says() {
        let spec = Spec { allocated_storage: 100, max_allocated_storage: None, ..spec() };
        assert_eq!(grown(&spec, &with_storage(50)), Some(100));
        assert_eq!(grown(&spec, &with_storage(150)), Some(100), "and AWS says why that cannot be");
    }

    #[test]
    fn log_exports_change_by_their_difference() {
        let difference = exports(&["postgresql".into(), "upgrade".into()], &["upgrade".into(), "iam-db-auth-error".into()]);
        assert_eq!(difference.enable_log_types(), ["postgresql"]);
        assert_eq!(difference.disable_log_types(), ["iam-db-auth-error"]);
    }
}
