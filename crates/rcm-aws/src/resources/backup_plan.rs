//! A backup plan: when AWS Backup takes what, where it puts it, and for how long it stays there.
//!
//! API: [CreateBackupPlan](https://docs.aws.amazon.com/aws-backup/latest/devguide/API_CreateBackupPlan.html),
//! [rules](https://docs.aws.amazon.com/aws-backup/latest/devguide/API_BackupRuleInput.html).
//!
//! Surprises: the id is AWS's own, and names are not unique, so a lost answer is looked up by tags. An update replaces the whole
//! document and makes another version. A plan that was deleted is still there to be read, with the date. What it has
//! made keeps the lifecycle that it was made with when the plan goes or changes. AWS Backup starts nothing within the hour before
//! RDS's own windows, and tries again as long as the start window lasts: so that is long.

use aws_sdk_backup::types::{BackupPlan, BackupPlanInput, BackupRuleInput, Lifecycle};
use rcm_engine::model::{Actions, Deployment, Fault, Id, Observed, Owned, Ref, Resource};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    backup::{pairs, tags, tags_of},
    backup_vault::Vault,
};
use crate::{
    Aws,
    classify::{absent, fault, missing, unbuilt},
    identity,
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// The longest name.
const NAME_LIMIT: usize = 50;

/// What a plan should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The name, of its rule too.
    pub name: String,
    /// Where recovery points are put.
    pub vault: Ref<Vault>,
    /// When they are taken, and when they go.
    pub rule: Rule,
}

/// The one rule of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// When a backup begins, in UTC: `cron(minute hour day-of-month month day-of-week year)`.
    pub schedule: String,
    /// For how many minutes after that it may still begin; at least 60.
    pub start_within_minutes: i64,
    /// In how many minutes it has to be done; it is given up then.
    pub complete_within_minutes: i64,
    /// After how many days a recovery point goes.
    pub retention_days: i64,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `arn:aws:backup:…:backup-plan:…`
    pub plan_arn: String,
}

/// A backup plan.
pub struct Plan;

impl Resource for Plan {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "backup/plan";
    const REPLACE_ON: &'static [&'static str] = &[];
    const TAGGED: bool = true;

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let request = cx.cloud.backup.create_backup_plan().backup_plan(document(cx, spec)?);
        let request = request.set_backup_plan_tags(Some(tags(cx))).creator_request_id(&cx.identity.token);
        let answer = request.send().await.map_err(fault("backup", "CreateBackupPlan"))?;
        answer.backup_plan_id().map(Id::from).ok_or_else(|| missing("backup", "CreateBackupPlan", "BackupPlanId"))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        // The create has said it all.
        if cx.creating() {
            return Ok(());
        }
        let request = cx.cloud.backup.update_backup_plan().backup_plan_id(id.as_str());
        let request = request.backup_plan(document(cx, spec)?);
        request.send().await.map(drop).map_err(fault("backup", "UpdateBackupPlan"))
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let answer = cx.cloud.backup.get_backup_plan().backup_plan_id(id.as_str()).send().await;
        let answer = absent(answer.map_err(fault("backup", "GetBackupPlan")))?;
        let Some(answer) = answer.filter(|answer| answer.deletion_date().is_none()) else { return Ok(None) };
        let seen = Observed::new(Outputs { plan_arn: answer.backup_plan_arn().unwrap_or_default().to_owned() });
        Ok(Some(match answer.backup_plan() {
            Some(plan) => observe(cx, plan, seen),
            None => seen,
        }))
    }

    async fn find(cx: &Cx<'_>, _: &Spec) -> Result<Option<Id>, Fault> {
        for (id, arn) in plans(cx.cloud, &identity::prefix(cx.identity)).await? {
            if identity::owns(cx.identity, pairs(&tags_of(cx.cloud, &arn).await?)) {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let request = cx.cloud.backup.delete_backup_plan().backup_plan_id(id.as_str());
        request.send().await.map(drop).map_err(fault("backup", "DeleteBackupPlan"))
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let mut found = Vec::new();
        // Whatever it is called: a plan's name can be changed.
        for (id, arn) in plans(aws, "").await? {
            found.extend(identity::belongs(deployment, id, pairs(&tags_of(aws, &arn).await?)));
        }
        Ok(found)
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let Deployment { partition, region, account, .. } = &*cx.identity.deployment;
        super::backup::claim(cx, &format!("arn:{partition}:backup:{region}:{account}:backup-plan:{id}")).await
    }

    fn actions() -> Actions {
        Actions {
            write: &["backup:CreateBackupPlan", "backup:TagResource", "backup:UpdateBackupPlan"],
            read: &["backup:GetBackupPlan", "backup:ListBackupPlans", "backup:ListTags"],
            delete: &["backup:DeleteBackupPlan"],
        }
    }
}

fn name(cx: &Cx<'_>, spec: &Spec) -> String {
    identity::physical_name(cx.identity, &spec.name, NAME_LIMIT)
}

fn document(cx: &Cx<'_>, spec: &Spec) -> Result<BackupPlanInput, Fault> {
    let Rule { schedule, start_within_minutes, complete_within_minutes, retention_days } = &spec.rule;
    let rule = BackupRuleInput::builder()
        .rule_name(name(cx, spec))
        .target_backup_vault_name(cx.id(&spec.vault)?.as_str())
        .schedule_expression(schedule)
        .start_window_minutes(*start_within_minutes)
        .completion_window_minutes(*complete_within_minutes)
        .lifecycle(Lifecycle::builder().delete_after_days(*retention_days).build())
        // A continuous backup would take the days of RDS's own backups into its own hands.
        .enable_continuous_backup(false)
        .build()
        .map_err(unbuilt("backup", "CreateBackupPlan"))?;
    let plan = BackupPlanInput::builder().backup_plan_name(name(cx, spec)).rules(rule);
    plan.build().map_err(unbuilt("backup", "CreateBackupPlan"))
}

/// A plan with another number of rules than one is none that a spec could say, and so equals none.
fn observe(cx: &Cx<'_>, plan: &BackupPlan, seen: Observed<Outputs>) -> Observed<Outputs> {
    let name = base(plan.backup_plan_name(), cx.identity.generation);
    let (vault, rule) = match plan.rules() {
        [rule] => {
            let retention = rule.lifecycle().and_then(Lifecycle::delete_after_days);
            let said = json!({
                "schedule": rule.schedule_expression(),
                "start_within_minutes": rule.start_window_minutes(),
                "complete_within_minutes": rule.completion_window_minutes(),
                "retention_days": retention,
            });
            (Value::from(rule.target_backup_vault_name()), said)
        }
        rules => (Value::Null, json!({"rules": rules.len()})),
    };
    seen.see("name", name).see("vault", vault).see("rule", rule)
}

/// The name as a spec would say it.
fn base(name: &str, generation: u32) -> &str {
    let suffix = format!("-g{generation}");
    name.strip_suffix(&suffix).filter(|_| generation > 1).unwrap_or(name)
}

/// The plans whose names begin with `stem`: id and ARN.
async fn plans(aws: &Aws, stem: &str) -> Result<Vec<(Id, String)>, Fault> {
    let pages = aws.backup.list_backup_plans().into_paginator().items().send();
    let plans = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("backup", "ListBackupPlans"))?;
    let ours = plans.into_iter().filter(|plan| {
        plan.deletion_date().is_none() && plan.backup_plan_name().is_some_and(|name| name.starts_with(stem))
    });
    Ok(ours.filter_map(|plan| Some((Id::from(plan.backup_plan_id?), plan.backup_plan_arn?))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_compared_without_its_generation() {
        assert_eq!(base("acme-rcm-prod-daily", 1), "acme-rcm-prod-daily");
        assert_eq!(base("acme-rcm-prod-daily-g2", 2), "acme-rcm-prod-daily");
        assert_eq!(base("acme-rcm-prod-daily-g2", 1), "acme-rcm-prod-daily-g2");
    }
}
