//! A selection: what a backup plan backs up, and as whom.
//!
//! API: [CreateBackupSelection](https://docs.aws.amazon.com/aws-backup/latest/devguide/API_CreateBackupSelection.html).
//!
//! Surprises: nothing of a selection can be changed, and it carries no tags: it is ours if it is in our plan under our name. AWS
//! Backup tries the role at once, and a role that was made a moment ago cannot be assumed yet, or has not its policies yet.

use aws_sdk_backup::types::BackupSelection;
use rcm_engine::model::{Actions, Fault, Id, Observed, Ref, Resource};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{backup_plan::Plan, iam_role::Role};
use crate::{
    Aws,
    classify::{absent, fault, missing, unbuilt},
    identity,
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// The longest name.
const NAME_LIMIT: usize = 50;

/// What a selection should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The name.
    pub name: String,
    /// The plan that it belongs to.
    pub plan: Ref<Plan>,
    /// Who AWS Backup works as.
    pub role: Ref<Role>,
    /// The ARNs of what is backed up, as text or as references.
    pub resources: Vec<Value>,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// The id within its plan.
    pub selection_id: String,
}

/// A selection.
pub struct Selection;

impl Resource for Selection {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "backup/selection";
    const REPLACE_ON: &'static [&'static str] = &["name", "plan", "role", "resources"];

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let plan = cx.id(&spec.plan)?;
        let selection = BackupSelection::builder()
            .selection_name(identity::physical_name(cx.identity, &spec.name, NAME_LIMIT))
            .iam_role_arn(cx.id(&spec.role)?.as_str())
            .set_resources(Some(resources(cx, spec)?))
            .build()
            .map_err(unbuilt("backup", "CreateBackupSelection"))?;
        let request = cx.cloud.backup.create_backup_selection().backup_plan_id(plan.as_str());
        let request = request.backup_selection(selection).creator_request_id(&cx.identity.token);
        let answer = request.send().await.map_err(fault("backup", "CreateBackupSelection"))?;
        let made = answer.selection_id().map(|selection| id(&plan, selection));
        made.ok_or_else(|| missing("backup", "CreateBackupSelection", "SelectionId"))
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let (plan, selection) = parts(id);
        let request = cx.cloud.backup.get_backup_selection().backup_plan_id(plan).selection_id(selection);
        let answer = absent(request.send().await.map_err(fault("backup", "GetBackupSelection")))?;
        let Some(found) = answer.and_then(|answer| answer.backup_selection) else { return Ok(None) };
        let seen = Observed::new(Outputs { selection_id: selection.to_owned() });
        Ok(Some(seen.see("plan", plan).see("role", found.iam_role_arn()).see("resources", found.resources())))
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let plan = cx.id(&spec.plan)?;
        let name = identity::physical_name(cx.identity, &spec.name, NAME_LIMIT);
        let pages = cx.cloud.backup.list_backup_selections().backup_plan_id(plan.as_str()).into_paginator();
        let all = pages.items().send().collect::<Result<Vec<_>, _>>().await;
        let all = absent(all.map_err(fault("backup", "ListBackupSelections")))?.unwrap_or_default();
        let ours = all.iter().find(|selection| selection.selection_name() == Some(&name));
        Ok(ours.and_then(|selection| selection.selection_id()).map(|selection| id(&plan, selection)))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let (plan, selection) = parts(id);
        let request = cx.cloud.backup.delete_backup_selection().backup_plan_id(plan).selection_id(selection);
        request.send().await.map(drop).map_err(fault("backup", "DeleteBackupSelection"))
    }

    fn actions() -> Actions {
        Actions {
            // AWS Backup's own role for what it watches over is made with the first selection of an account.
            write: &["backup:CreateBackupSelection", "iam:CreateServiceLinkedRole", "iam:PassRole"],
            read: &["backup:GetBackupSelection", "backup:ListBackupSelections"],
            delete: &["backup:DeleteBackupSelection"],
        }
    }
}

/// `{plan}/{selection}`
fn id(plan: &Id, selection: &str) -> Id {
    Id::from(format!("{plan}/{selection}"))
}

fn parts(id: &Id) -> (&str, &str) {
    id.as_str().split_once('/').unwrap_or((id.as_str(), ""))
}

fn resources(cx: &Cx<'_>, spec: &Spec) -> Result<Vec<String>, Fault> {
    let arn = |value: &Value| -> Result<_, Fault> {
        let arn = cx.resolve(value)?;
        let text = arn.as_str().map(str::to_owned);
        text.ok_or_else(|| Fault::invalid("resources", format!("{arn} is no ARN")))
    };
    spec.resources.iter().map(arn).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_plan_and_a_selection() {
        let id = id(&Id::from("11111111-2222-3333-4444-555555555555"), "abc");
        assert_eq!(parts(&id), ("11111111-2222-3333-4444-555555555555", "abc"));
    }
}
