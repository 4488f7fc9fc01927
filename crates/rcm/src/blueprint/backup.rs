//! AWS Backup: a snapshot of the database every day, beside RDS's own backups, in a vault that outlives the database.
//!
//! No vault lock: one in compliance mode would let nobody delete a backup before its time, and so keep the environment from ever being
//! taken away. Instead the vault's policy denies the deletion to everybody, and a purge lifts it first.

use std::collections::{BTreeMap, BTreeSet};

use rcm_aws::resources::{
    backup_plan::{self, Plan, Rule},
    backup_selection::{self, Selection},
    backup_vault::{self, Vault},
    iam_role::{self, Role},
};
use rcm_engine::model::{Graph, Ref};
use serde_json::{Value, json};

use super::{Blueprint, database::Database, security::Security};

/// As long as RDS's own backups are kept.
const RETENTION_DAYS: i64 = 35;

pub(super) fn add(graph: &mut Graph, plan: &Blueprint<'_>, security: &Security, database: &Database) {
    let role = role(graph, plan);
    let vault = backup_vault::Spec {
        name: plan.name("backup"),
        kms_key: security.key.clone(),
        policy: nobody_deletes().into(),
    };
    let vault = graph.add::<Vault>("backup/vault", vault);
    // AWS Backup deletes as the role that it has backed up as: a purge needs it until the vault is gone.
    graph.after(&vault, &role);
    // RDS takes no snapshot in the hours of its own windows, which it chooses itself: so there are eight to begin in.
    let rule = Rule {
        schedule: "cron(0 5 * * ? *)".to_owned(),
        start_within_minutes: 480,
        complete_within_minutes: 1440,
        retention_days: RETENTION_DAYS,
    };
    let daily = graph.add::<Plan>("backup/plan", backup_plan::Spec { name: plan.name("daily"), vault, rule });
    let selection = backup_selection::Spec {
        name: plan.name("database"),
        plan: daily,
        role,
        resources: vec![database.instance.output("instance_arn")],
    };
    graph.add::<Selection>("backup/selection", selection);
}

/// What AWS Config's `backup-recovery-point-manual-deletion-disabled` asks for. It denies nobody to take the policy away: that is the
/// account's own business, and a purge's.
fn nobody_deletes() -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "NobodyDeletes",
            "Effect": "Deny",
            "Principal": "*",
            "Action": [
                "backup:DeleteRecoveryPoint",
                "backup:PutBackupVaultAccessPolicy",
                "backup:UpdateRecoveryPointLifecycle"
            ],
            "Resource": "*"
        }]
    })
}

/// AWS's own policy for backups: AWS changes it when AWS Backup comes to need something else, and a backup that fails for want of a
/// permission fails unseen. Whether AWS Backup names the account when it takes on a role is not documented, and a condition on what is
/// not sent would keep it out: where it does, it has to be this one.
fn role(graph: &mut Graph, plan: &Blueprint<'_>) -> Ref<Role> {
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": "backup.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {
                "StringEqualsIfExists": {"aws:SourceAccount": plan.account()},
                "ArnLikeIfExists": {"aws:SourceArn": plan.arn("backup", "*")}
            }
        }]
    });
    let policy = format!("arn:{}:iam::aws:policy/service-role/AWSBackupServiceRolePolicyForBackup", plan.partition());
    let spec = iam_role::Spec {
        name: plan.name("backup"),
        description: "AWS Backup takes snapshots of the database, and deletes them when their time has come".to_owned(),
        assume_role_policy: trust.into(),
        max_session_seconds: 3600,
        managed_policies: BTreeSet::from([policy]),
        inline_policies: BTreeMap::new(),
    };
    graph.add::<Role>("backup/role", spec)
}
