//! Deleting an instance without losing what is in it.
//!
//! Unless the delete purges, a final snapshot stays, named after the instance and its resource id, which AWS never uses twice.
//! A read replica has nothing of its own, and AWS takes no snapshot of it; one that was promoted is an instance like any other.
//! A final snapshot takes the instance's tags where `copy_tags_to_snapshot` is on. AWS takes none of an instance that has
//! failed or never came up; of such a one the automated backups stay, for as long as they were to be kept anyway.

use aws_sdk_rds::types::DbInstance;
use rcm_engine::model::{Fault, Id};

use super::{Cx, describe};
use crate::{Aws, classify::fault};

/// Statuses in which AWS deletes only without a final snapshot: the documented ones, and those of instances that never came up.
const NO_SNAPSHOT: &[&str] = &[
    "failed",
    "incompatible-network",
    "incompatible-restore",
    "incompatible-create",
    "insufficient-capacity",
    "restore-error",
];

/// What is between the instance and its resource id in the name of its final snapshot.
const FINAL: &str = "final";

/// What people call it.
const FINAL_SNAPSHOT: &str = "final snapshot";

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
pub(in crate::resources) fn leaving(instance: &DbInstance) -> bool {
    matches!(instance.db_instance_status(), Some("deleting" | "delete-precheck"))
}

/// Whether it only repeats what another instance has.
fn replicates(instance: &DbInstance) -> bool {
    instance.read_replica_source_db_instance_identifier().is_some_and(|source| !source.is_empty())
}

pub(in crate::resources) async fn remove(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
    let found = describe(cx.cloud, &[id]).await?.into_iter().next();
    let Some(instance) = found.filter(|instance| !leaving(instance)) else { return already_left(cx, id).await };
    let legacy = legacy(cx, id, &instance).await?;
    if instance.deletion_protection().unwrap_or(false) {
        unprotect(cx, id).await?;
    }
    let request = cx.cloud.rds.delete_db_instance().db_instance_identifier(id.as_str());
    let request = request.delete_automated_backups(legacy != Legacy::Backups);
    let request = match legacy {
        Legacy::Snapshot(name) => {
            tracing::info!(instance = %id, snapshot = %name, "taking a final snapshot");
            cx.leaves(FINAL_SNAPSHOT, &name);
            request.skip_final_snapshot(false).final_db_snapshot_identifier(name)
        }
        Legacy::Backups | Legacy::Nothing => request.skip_final_snapshot(true),
    };
    request.send().await.map(drop).map_err(fault("rds", "DeleteDBInstance"))
}

/// An earlier delete was sent, and nobody may have heard what it leaves. That one need not have been a purge if this one is.
async fn already_left(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
    let ours = format!("{id}-{FINAL}-");
    for name in snapshots(cx, id).await?.iter().filter(|name| name.starts_with(&ours)) {
        cx.leaves(FINAL_SNAPSHOT, name);
    }
    Ok(())
}

/// Deletes a final snapshot ([DeleteDBSnapshot](https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBSnapshot.html)).
pub(in crate::resources) async fn discard(aws: &Aws, snapshot: &str) -> Result<(), Fault> {
    let request = aws.rds.delete_db_snapshot().db_snapshot_identifier(snapshot);
    request.send().await.map(drop).map_err(fault("rds", "DeleteDBSnapshot"))
}

/// The identifiers of the snapshots that people or a delete have made of an instance, which need not exist any more.
async fn snapshots(cx: &Cx<'_>, id: &Id) -> Result<Vec<String>, Fault> {
    let request = cx.cloud.rds.describe_db_snapshots().db_instance_identifier(id.as_str()).snapshot_type("manual");
    let pages = request.into_paginator().items().send();
    let snapshots = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("rds", "DescribeDBSnapshots"))?;
    Ok(snapshots.into_iter().filter_map(|snapshot| snapshot.db_snapshot_identifier).collect())
}

async fn unprotect(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
    let request = cx.cloud.rds.modify_db_instance().db_instance_identifier(id.as_str());
    let request = request.deletion_protection(false).apply_immediately(true);
    request.send().await.map(drop).map_err(fault("rds", "ModifyDBInstance"))
}

async fn legacy(cx: &Cx<'_>, id: &Id, instance: &DbInstance) -> Result<Legacy, Fault> {
    if cx.purges() || replicates(instance) {
        return Ok(Legacy::Nothing);
    }
    if instance.db_instance_status().is_some_and(|status| NO_SNAPSHOT.contains(&status)) {
        return Ok(Legacy::Backups);
    }
    let unique = instance.dbi_resource_id().unwrap_or(&cx.identity.token);
    Ok(Legacy::Snapshot(snapshot_name(id.as_str(), unique, &snapshots(cx, id).await?)))
}

/// A name that is not taken. The first is, if an earlier delete got as far as its snapshot and no further.
fn snapshot_name(instance: &str, resource_id: &str, taken: &[String]) -> String {
    let unique = resource_id.to_lowercase();
    let base = format!("{instance}-{FINAL}-{}", unique.strip_prefix("db-").unwrap_or(&unique));
    let numbered = (2..=taken.len() + 2).map(|number| format!("{base}-{number}"));
    let free = |name: &String| !taken.contains(name);
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
        let second = snapshot_name("acme-rcm-prod-db", "db-ABC123", std::slice::from_ref(&first));
        assert_eq!(second, "acme-rcm-prod-db-final-abc123-2");
        assert_eq!(snapshot_name("acme-rcm-prod-db", "db-ABC123", &[second, first.clone()]), format!("{first}-3"));
    }

    #[test]
    fn a_replica_has_nothing_of_its_own_until_it_is_promoted() {
        let of = |source: &str| DbInstance::builder().read_replica_source_db_instance_identifier(source).build();
        assert!(replicates(&of("acme-rcm-prod-db")));
        assert!(!replicates(&of("")) && !replicates(&DbInstance::builder().build()));
    }

    #[test]
    fn an_instance_that_is_being_deleted_is_not_deleted_again() {
        let in_status = |status: &str| DbInstance::builder().db_instance_status(status).build();
        assert!(leaving(&in_status("deleting")));
        assert!(!leaving(&in_status("available")));
    }
}
