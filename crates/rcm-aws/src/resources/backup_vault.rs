//! A backup vault: where AWS Backup keeps its recovery points.
//!
//! API: [CreateBackupVault](https://docs.aws.amazon.com/aws-backup/latest/devguide/API_CreateBackupVault.html),
//! [DeleteRecoveryPoint](https://docs.aws.amazon.com/aws-backup/latest/devguide/API_DeleteRecoveryPoint.html),
//! [access policies](https://docs.aws.amazon.com/aws-backup/latest/devguide/create-a-vault-access-policy.html).
//!
//! Surprises: a vault is deleted only when nothing is in it, and a recovery point goes minutes after it was told to: a purge asks
//! again until the vault is empty. One that is not there is answered with a refusal of access. The vault's key encrypts what AWS Backup keeps itself; a recovery point of an RDS instance is
//! a snapshot under the key of the instance, wherever it lies. AWS Backup takes no wildcard among the actions of an access policy.
//! No lock is ever set: one in compliance mode lets nobody delete a recovery point before its time, not even AWS.

use aws_sdk_backup::{
    operation::describe_backup_vault::DescribeBackupVaultOutput,
    types::{BackupVaultListMember, RecoveryPointByBackupVault as RecoveryPoint, RecoveryPointStatus},
};
use futures::{StreamExt, TryStreamExt, stream};
use rcm_engine::model::{
    Actions, Deployment, Fault, FaultKind, Id, Observed, OnDestroy, Owned, Pace, Ref, Resource,
};
use serde::{Deserialize, Serialize};

use super::{
    backup::{pairs, tags, tags_of},
    kms_key::Key,
    policy::Policy,
};
use crate::{
    Aws,
    classify::{absent, fault, gone, missing},
    identity,
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// The longest name.
pub(crate) const NAME_LIMIT: usize = 50;
/// How many recovery points are deleted at a time; AWS Backup has no batch for them.
const DELETES_AT_ONCE: usize = 8;

/// What a vault should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The name. It is the id, so it cannot drift.
    pub name: String,
    /// What encrypts it.
    pub kms_key: Ref<Key>,
    /// Who may do what with it, over what IAM allows. A purge lifts it first.
    pub policy: Policy,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `arn:aws:backup:…:backup-vault:…`
    pub vault_arn: String,
}

/// A backup vault.
pub struct Vault;

impl Resource for Vault {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "backup/vault";
    const REPLACE_ON: &'static [&'static str] = &["name", "kms_key"];
    const TAGGED: bool = true;
    const HOLDS_DATA: bool = true;
    const ON_DESTROY: OnDestroy = OnDestroy::Retain;
    /// How long a purge waits for recovery points to go.
    const PACE: Pace = Pace::slow(1, 3600);

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let name = identity::physical_name(cx.identity, &spec.name, NAME_LIMIT);
        let request = cx.cloud.backup.create_backup_vault().backup_vault_name(name).set_backup_vault_tags(Some(tags(cx)));
        let request = request.encryption_key_arn(cx.id(&spec.kms_key)?.as_str());
        let request = request.creator_request_id(&cx.identity.token);
        let answer = request.send().await.map_err(fault("backup", "CreateBackupVault"))?;
        answer.backup_vault_name().map(Id::from).ok_or_else(|| missing("backup", "CreateBackupVault", "BackupVaultName"))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        if !cx.changes("policy") {
            return Ok(());
        }
        // A policy that forbids to put another one has to go before the next, also where an earlier try has got as far as this.
        unprotect(cx.cloud, id).await?;
        let text = spec.policy.text(cx)?;
        let request = cx.cloud.backup.put_backup_vault_access_policy().backup_vault_name(id.as_str()).policy(&text);
        match request.send().await.map_err(fault("backup", "PutBackupVaultAccessPolicy")) {
            // The answer of the first try was lost, and what it put refuses the second.
            Err(fault) if fault.kind == FaultKind::Denied => match policy(cx.cloud, id).await? {
                Some(held) if held == Policy::parse(&text) => Ok(()),
                _ => Err(fault),
            },
            other => other.map(drop),
        }
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let Some(vault) = describe(cx.cloud, id.as_str()).await? else { return Ok(None) };
        let vault_arn = vault.backup_vault_arn().unwrap_or_default().to_owned();
        let seen = Observed::new(Outputs { vault_arn }).see("kms_key", vault.encryption_key_arn());
        Ok(Some(if cx.reads_everything() { seen.see("policy", policy(cx.cloud, id).await?) } else { seen }))
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let name = identity::physical_name(cx.identity, &spec.name, NAME_LIMIT);
        let Some(vault) = describe(cx.cloud, &name).await? else { return Ok(None) };
        let tags = tags_of(cx.cloud, vault.backup_vault_arn().unwrap_or_default()).await?;
        Ok(identity::owns(cx.identity, pairs(&tags)).then(|| Id::new(name)))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        if describe(cx.cloud, id.as_str()).await?.is_none() {
            return Ok(());
        }
        if cx.purges() {
            unprotect(cx.cloud, id).await?;
            empty(cx.cloud, id).await?;
        }
        let request = cx.cloud.backup.delete_backup_vault().backup_vault_name(id.as_str());
        request.send().await.map(drop).map_err(fault("backup", "DeleteBackupVault"))
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let stem = identity::stem(deployment);
        let mut found = Vec::new();
        for vault in all(aws).await? {
            let (name, arn) = (vault.backup_vault_name.unwrap_or_default(), vault.backup_vault_arn.unwrap_or_default());
            if name.starts_with(&stem) {
                found.extend(identity::belongs(deployment, name, pairs(&tags_of(aws, &arn).await?)));
            }
        }
        Ok(found)
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let Deployment { partition, region, account, .. } = &*cx.identity.deployment;
        super::backup::claim(cx, &format!("arn:{partition}:backup:{region}:{account}:backup-vault:{id}")).await
    }

    fn fits(cx: &Cx<'_>, id: &Id, spec: &Spec) -> bool {
        id.as_str() == identity::physical_name(cx.identity, &spec.name, NAME_LIMIT)
    }

    fn actions() -> Actions {
        Actions {
            write: &[
                "backup:CreateBackupVault",
                "backup:DeleteBackupVaultAccessPolicy",
                "backup:PutBackupVaultAccessPolicy",
                "backup:TagResource",
                "backup-storage:MountCapsule",
                // AWS Backup uses the key on the caller's behalf.
                "kms:CreateGrant",
                "kms:Decrypt",
                "kms:DescribeKey",
                "kms:GenerateDataKey",
                "kms:RetireGrant",
            ],
            read: &[
                "backup:DescribeBackupVault",
                "backup:GetBackupVaultAccessPolicy",
                "backup:ListBackupVaults",
                "backup:ListTags",
            ],
            delete: &[
                "backup:DeleteBackupVault",
                "backup:DeleteBackupVaultAccessPolicy",
                "backup:DeleteRecoveryPoint",
                "backup:DescribeBackupVault",
                "backup:ListBackupVaults",
                "backup:ListRecoveryPointsByBackupVault",
            ],
        }
    }
}

async fn describe(aws: &Aws, name: &str) -> Result<Option<DescribeBackupVaultOutput>, Fault> {
    let answer = aws.backup.describe_backup_vault().backup_vault_name(name).send().await;
    match answer.map_err(fault("backup", "DescribeBackupVault")) {
        // So AWS Backup says of one that is not there, too.
        Err(fault) if fault.kind == FaultKind::Denied && !lists(aws, name).await? => Ok(None),
        other => absent(other),
    }
}

async fn all(aws: &Aws) -> Result<Vec<BackupVaultListMember>, Fault> {
    let pages = aws.backup.list_backup_vaults().into_paginator().items().send();
    pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("backup", "ListBackupVaults"))
}

async fn lists(aws: &Aws, name: &str) -> Result<bool, Fault> {
    Ok(all(aws).await?.iter().any(|vault| vault.backup_vault_name() == Some(name)))
}

async fn policy(aws: &Aws, id: &Id) -> Result<Option<Policy>, Fault> {
    let request = aws.backup.get_backup_vault_access_policy().backup_vault_name(id.as_str());
    let answer = absent(request.send().await.map_err(fault("backup", "GetBackupVaultAccessPolicy")))?;
    Ok(answer.and_then(|answer| answer.policy).map(|text| Policy::parse(&text)))
}

/// Takes the access policy away, which says who may delete what.
async fn unprotect(aws: &Aws, id: &Id) -> Result<(), Fault> {
    let request = aws.backup.delete_backup_vault_access_policy().backup_vault_name(id.as_str());
    request.send().await.map(drop).map_err(fault("backup", "DeleteBackupVaultAccessPolicy")).or_else(gone)
}

/// Has every recovery point deleted, and is done once none is there: until then the vault is in use.
async fn empty(aws: &Aws, id: &Id) -> Result<(), Fault> {
    let pages = aws.backup.list_recovery_points_by_backup_vault().backup_vault_name(id.as_str()).into_paginator();
    let points = pages.items().send().collect::<Result<Vec<_>, _>>().await;
    let Some(points) = absent(points.map_err(fault("backup", "ListRecoveryPointsByBackupVault")))? else {
        return Ok(());
    };
    let count = points.len();
    let deletes = points.into_iter().filter(stays).filter_map(|point| point.recovery_point_arn);
    let deletes = deletes.map(|arn| async move {
        let request = aws.backup.delete_recovery_point().backup_vault_name(id.as_str()).recovery_point_arn(arn);
        request.send().await.map(drop).map_err(fault("backup", "DeleteRecoveryPoint")).or_else(gone)
    });
    stream::iter(deletes).buffer_unordered(DELETES_AT_ONCE).try_collect::<Vec<()>>().await?;
    if count == 0 {
        return Ok(());
    }
    let message = format!("{count} recovery points of {id} are being deleted");
    Err(Fault::ours(FaultKind::InUse, "DeleteBackupVault", "RecoveryPointsGoing", message))
}

/// Whether it has to be told to go: not while it is on its way out, nor while it is being made, when AWS does not listen.
fn stays(point: &RecoveryPoint) -> bool {
    !matches!(point.status(), Some(RecoveryPointStatus::Deleting | RecoveryPointStatus::Creating))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_already_and_what_is_only_coming_is_not_told_to_go() {
        let point = |status: &str| RecoveryPoint::builder().status(status.into()).build();
        let told = ["COMPLETED", "PARTIAL", "EXPIRED", "STOPPED", "AVAILABLE"];
        assert!(told.iter().all(|status| stays(&point(status))));
        assert!(["DELETING", "CREATING"].iter().all(|status| !stays(&point(status))));
    }
}
