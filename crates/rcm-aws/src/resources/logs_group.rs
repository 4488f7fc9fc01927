//! A log group: where a service's logs are kept, for as long as the law asks.
//!
//! API: [CreateLogGroup](https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html),
//! [PutRetentionPolicy](https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html).
//!
//! Surprises: without a retention policy logs are kept for ever, and the days come from a list (2557 is seven years). RDS, ECS
//! and others make their log group themselves when it is missing, unencrypted: a group of that name is ours only if its
//! tags say so. The ARN has two spellings, with and without `:*`; the tagging API wants the one without. The key has to
//! allow `logs.<region>.amazonaws.com`, and a policy written seconds ago is not seen at once.

use std::collections::HashMap;

use aws_sdk_cloudwatchlogs::types::LogGroup as Group;
use rcm_engine::model::{Actions, Deployment, Fault, Id, Known, Observed, OnDestroy, Owned, Ref, Resource};
use serde::{Deserialize, Serialize};

use super::{batch::in_order, kms_key::Key};
use crate::{
    Aws,
    classify::{absent, fault},
    identity,
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// The longest name.
pub(crate) const NAME_LIMIT: usize = 512;

/// What a log group should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The name (`/ecs/acme-rcm-prod`). Part of the id, so it cannot drift.
    pub name: String,
    /// What the logs are encrypted with.
    pub kms_key: Ref<Key>,
    /// For how many days they are kept; one of the numbers that the API lists.
    pub retention_days: i32,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `arn:aws:logs:…:log-group:…`, without `:*`.
    pub log_group_arn: String,
    /// The name that it has in AWS.
    pub name: String,
}

/// A log group.
pub struct LogGroup;

impl Resource for LogGroup {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "logs/group";
    const REPLACE_ON: &'static [&'static str] = &["name"];
    const TAGGED: bool = true;
    const HOLDS_DATA: bool = true;
    const ON_DESTROY: OnDestroy = OnDestroy::Retain;

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let name = identity::physical_name(cx.identity, &spec.name, NAME_LIMIT);
        let request = cx.cloud.logs.create_log_group().log_group_name(&name).set_tags(Some(tags(cx)));
        let request = request.kms_key_id(cx.id(&spec.kms_key)?.as_str());
        request.send().await.map_err(fault("logs", "CreateLogGroup"))?;
        Ok(Id::from(name))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        let key = cx.id(&spec.kms_key)?;
        // The create has named the key already; another association would only be another call.
        if cx.changes("kms_key") && live_key(cx, id).await?.as_deref() != Some(key.as_str()) {
            let request = cx.cloud.logs.associate_kms_key().log_group_name(id.as_str());
            let request = request.kms_key_id(key.as_str());
            request.send().await.map_err(fault("logs", "AssociateKmsKey"))?;
        }
        if cx.changes("retention_days") {
            let request = cx.cloud.logs.put_retention_policy().log_group_name(id.as_str());
            let request = request.retention_in_days(spec.retention_days);
            request.send().await.map_err(fault("logs", "PutRetentionPolicy"))?;
        }
        Ok(())
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        Ok(observe(&[id], list(cx.cloud, id.as_str()).await?).remove(0))
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        let Some(Known { cx, .. }) = known.first() else { return Ok(Vec::new()) };
        let ids: Vec<_> = known.iter().map(|known| known.id).collect();
        // Names of several services' own spelling have nothing in common but the deployment's word somewhere inside.
        let request = cx.cloud.logs.describe_log_groups().log_group_name_pattern(identity::prefix(cx.identity));
        let pages = request.into_paginator().items().send();
        let groups = pages.collect::<Result<_, _>>().await.map_err(fault("logs", "DescribeLogGroups"))?;
        Ok(observe(&ids, groups))
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let name = identity::physical_name(cx.identity, &spec.name, NAME_LIMIT);
        let groups = list(cx.cloud, &name).await?;
        let Some(group) = groups.iter().find(|group| group.log_group_name() == Some(&name)) else { return Ok(None) };
        let tags = tags_of(cx.cloud, arn(group)).await?;
        Ok(identity::owns(cx.identity, pairs(&tags)).then(|| Id::from(name)))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let request = cx.cloud.logs.delete_log_group().log_group_name(id.as_str());
        request.send().await.map(drop).map_err(fault("logs", "DeleteLogGroup"))
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let request = aws.logs.describe_log_groups().log_group_name_pattern(identity::stem(deployment));
        let pages = request.into_paginator().items().send();
        let groups = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("logs", "DescribeLogGroups"))?;
        let mut found = Vec::new();
        for group in &groups {
            let tags = tags_of(aws, arn(group)).await?;
            found.extend(identity::belongs(deployment, group.log_group_name().unwrap_or_default(), pairs(&tags)));
        }
        Ok(found)
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let Deployment { partition, region, account, .. } = &*cx.identity.deployment;
        let arn = format!("arn:{partition}:logs:{region}:{account}:log-group:{id}");
        identity::unclaimed(cx.identity, pairs(&tags_of(cx.cloud, &arn).await?))?;
        let request = cx.cloud.logs.tag_resource().resource_arn(arn).set_tags(Some(tags(cx)));
        request.send().await.map(drop).map_err(fault("logs", "TagResource"))
    }

    fn fits(cx: &Cx<'_>, id: &Id, spec: &Spec) -> bool {
        id.as_str() == identity::physical_name(cx.identity, &spec.name, NAME_LIMIT)
    }

    fn expires_after_days(spec: &Spec) -> Option<u32> {
        u32::try_from(spec.retention_days).ok()
    }

    fn actions() -> Actions {
        Actions {
            write: &["logs:AssociateKmsKey", "logs:CreateLogGroup", "logs:PutRetentionPolicy", "logs:TagResource"],
            read: &["logs:DescribeLogGroups", "logs:ListTagsForResource"],
            delete: &["logs:DeleteLogGroup"],
        }
    }
}

/// All log groups whose names begin with `stem`.
async fn list(aws: &Aws, stem: &str) -> Result<Vec<Group>, Fault> {
    let pages = aws.logs.describe_log_groups().log_group_name_prefix(stem).into_paginator().items().send();
    pages.collect::<Result<_, _>>().await.map_err(fault("logs", "DescribeLogGroups"))
}

async fn live_key(cx: &Cx<'_>, id: &Id) -> Result<Option<String>, Fault> {
    let groups = list(cx.cloud, id.as_str()).await?;
    let group = groups.into_iter().find(|group| group.log_group_name() == Some(id.as_str()));
    Ok(group.and_then(|group| group.kms_key_id))
}

fn observe(ids: &[&Id], groups: Vec<Group>) -> Vec<Option<Observed<Outputs>>> {
    in_order(ids, groups, |group| group.log_group_name(), |group| {
        let name = group.log_group_name().unwrap_or_default().to_owned();
        Observed::new(Outputs { log_group_arn: arn(group).to_owned(), name })
            .see("kms_key", group.kms_key_id())
            .see("retention_days", group.retention_in_days())
    })
}

/// The ARN without `:*`. Older answers have only the other spelling.
fn arn(group: &Group) -> &str {
    let arn = group.log_group_arn().or_else(|| group.arn()).unwrap_or_default();
    arn.strip_suffix(":*").unwrap_or(arn)
}

fn tags(cx: &Cx<'_>) -> HashMap<String, String> {
    identity::tags(cx.identity).into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

async fn tags_of(aws: &Aws, arn: &str) -> Result<HashMap<String, String>, Fault> {
    let request = aws.logs.list_tags_for_resource().resource_arn(arn);
    let answer = absent(request.send().await.map_err(fault("logs", "ListTagsForResource")))?;
    Ok(answer.and_then(|answer| answer.tags).unwrap_or_default())
}

fn pairs(tags: &HashMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    tags.iter().map(|(key, value)| (key.as_str(), value.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_an_arn_are_one() {
        let group = Group::builder().arn("arn:aws:logs:us-east-1:123456789012:log-group:/ecs/a:*").build();
        assert_eq!(arn(&group), "arn:aws:logs:us-east-1:123456789012:log-group:/ecs/a");
    }
}
