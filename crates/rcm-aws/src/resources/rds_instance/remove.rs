//! Deleting an instance without losing what is in it.
//!
//! Unless the delete purges, a final snapshot stays, named after the instance and its resource id, which AWS never uses twice.
//! A final snapshot takes the instance's tags where `copy_tags_to_snapshot` is on. AWS takes none of an instance that has
//! failed or never came up; of such a one the automated backups stay, for as long as they were to be kept anyway.

use aws_sdk_rds::types::DbInstance;
use rcm_engine::model::{Fault, Id};

use super::{Cx, describe};
use crate::{classify::fault, resources::rds::filter};

/// Statuses in which AWS deletes only without a final snapshot: the documented ones, and those of instances that never came up.
const NO_SNAPSHOT: &[&str] = &[
    "failed",
    "incompatible-network",
    "incompatible-restore",
    "incompatible-create",
    "insufficient-capacity",
    "restore-error",
];

/// What stays of an instance.
#[derive(Debug, PartialEq, Eq)]
enum Legacy {
    /// A final snapshot.
    Snapshot(String),
    /// The automated backups.
    Backups,
    /// Nothing.
    Nothing,
}

/// Whether it is on its way out already.
pub(super) fn leaving(instance: &DbInstance) -> bool {
    matches!(instance.db_instance_status(), Some("deleting" | "delete-precheck"))
}

pub(super) async fn remove(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
    let found = describe(cx.cloud, &[id]).await?.into_iter().next();
    let Some(instance) = found.filter(|instance| !leaving(instance)) else { return Ok(()) };
    let legacy = legacy(cx, id, &instance).await?;
    if instance.deletion_protection().unwrap_or(false) {
        unprotect(cx, id).await?;
    }
    let request = cx.cloud.rds.delete_db_instance().db_instance_identifier(id.as_str());
    let request = request.delete_automated_backups(legacy != Legacy::Backups);
    let request = match legacy {
        Legacy::Snapshot(name) => {
            tracing::info!(instance = %id, snapshot = %name, "taking a final snapshot");
            cx.leaves("final snapshot", &name);
            request.skip_final_snapshot(false).final_db_snapshot_identifier(name)
        }
        Legacy::Backups | Legacy::Nothing => request.skip_final_snapshot(true),
    };
    request.send().await.map(drop).map_err(fault("rds", "DeleteDBInstance"))
}

async fn unprotect(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
    let request = cx.cloud.rds.modify_db_instance().db_instance_identifier(id.as_str());
    let request = request.deletion_protection(false).apply_immediately(true);
    request.send().await.map(drop).map_err(fault("rds", "ModifyDBInstance"))
}

async fn legacy(cx: &Cx<'_>, id: &Id, instance: &DbInstance) -> Result<Legacy, Fault> {
    if cx.purges() {
        return Ok(Legacy::Nothing);
    }
    if instance.db_instance_status().is_some_and(|status| NO_SNAPSHOT.contains(&status)) {
        return Ok(Legacy::Backups);
    }
    let unique = instance.dbi_resource_id().unwrap_or(&cx.identity.token);
    let request = cx.cloud.rds.describe_db_snapshots().filters(filter("dbi-resource-id", [unique.to_owned()]));
    let pages = request.into_paginator().items().send();
    let snapshots = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("rds", "DescribeDBSnapshots"))?;
    let taken: Vec<_> = snapshots.iter().filter_map(|snapshot| snapshot.db_snapshot_identifier()).collect();
    Ok(Legacy::Snapshot(snapshot_name(id.as_str(), unique, &taken)))
}

/// A name that is not taken. The first is, if an earlier delete got as far as its snapshot and no further.
fn snapshot_name(instance: &str, resource_id: &str, taken: &[&str]) -> String {
    let unique = resource_id.to_lowercase();
    let base = format!("{instance}-final-{}", unique.strip_prefix("db-").unwrap_or(&unique));
    let numbered = (2..=taken.len() + 2).map(|number| format!("{base}-{number}"));
    let free = |name: &String| !taken.contains(&name.as_str());
    std::iter::once(base.clone()).chain(numbered).find(free).unwrap_or(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_instance_has_a_snapshot_name_of_its_own_and_another_when_that_is_taken() {
        let first = snapshot_name("acme-rcm-prod-db", "db-ABC123", &[]);
        assert_eq!(first, "acme-rcm-prod-db-final-abc123");
        assert_ne!(first, snapshot_name("acme-rcm-prod-db", "db-XYZ789", &[]));
        let second = snapshot_name("acme-rcm-prod-db", "db-ABC123", &[&first]);
        assert_eq!(second, "acme-rcm-prod-db-final-abc123-2");
        assert_eq!(snapshot_name("acme-rcm-prod-db", "db-ABC123", &[&second, &first]), format!("{first}-3"));
    }

    #[test]
    fn an_instance_that_is_being_deleted_is_not_deleted_again() {
        let in_status = |status: &str| DbInstance::builder().db_instance_status(status).build();
        assert!(leaving(&in_status("deleting")));
        assert!(!leaving(&in_status("available")));
    }
}
