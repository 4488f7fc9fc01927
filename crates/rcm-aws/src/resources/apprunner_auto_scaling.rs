//! An App Runner auto scaling configuration: between how many instances a service has, and how many requests one serves at once.
//!
//! API: [CreateAutoScalingConfiguration](https://docs.aws.amazon.com/apprunner/latest/api/API_CreateAutoScalingConfiguration.html),
//! [DeleteAutoScalingConfiguration](https://docs.aws.amazon.com/apprunner/latest/api/API_DeleteAutoScalingConfiguration.html).
//!
//! Surprises: nothing about one can be changed. A create under a name that is taken makes another revision of it and no error, so
//! each generation has a name of its own. One that a service uses cannot be deleted; one that was deleted is `INACTIVE` for a
//! while. The list does not tell the numbers, and nobody can change them.

use aws_sdk_apprunner::types::{AutoScalingConfigurationStatus, AutoScalingConfigurationSummary as Summary};
use rcm_engine::model::{Actions, Deployment, Fault, Id, Known, Observed, Owned, Resource};
use serde::{Deserialize, Serialize};

use super::{
    apprunner::{claim, first_of_ours, listed, name_in, tagged},
    batch::in_order,
};
use crate::{
    Aws,
    classify::{absent, fault, missing},
    identity::physical_name,
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

const NAME_LIMIT: usize = 32;

/// What an auto scaling configuration should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The name.
    pub name: String,
    /// How many requests an instance serves at once before there is another instance, 1 to 200.
    pub max_concurrency: i32,
    /// The fewest instances, 1 to 25. They cost their memory while nothing is asked of them.
    pub min_size: i32,
    /// The most instances, 1 to 25.
    pub max_size: i32,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `arn:aws:apprunner:…:autoscalingconfiguration/…/1/…`
    pub configuration_arn: String,
}

/// An auto scaling configuration.
pub struct AutoScaling;

impl Resource for AutoScaling {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "apprunner/auto-scaling-configuration";
    const REPLACE_ON: &'static [&'static str] = &["name", "max_concurrency", "min_size", "max_size"];
    const TAGGED: bool = true;

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let request = cx.cloud.apprunner.create_auto_scaling_configuration();
        let request = request.auto_scaling_configuration_name(name(cx, spec)).max_concurrency(spec.max_concurrency);
        let request = request.min_size(spec.min_size).max_size(spec.max_size).set_tags(Some(tagged(cx.identity)));
        let answer = request.send().await.map_err(fault("apprunner", "CreateAutoScalingConfiguration"))?;
        let made = answer.auto_scaling_configuration();
        let arn = made.and_then(|configuration| configuration.auto_scaling_configuration_arn());
        let unnamed = || missing("apprunner", "CreateAutoScalingConfiguration", "AutoScalingConfigurationArn");
        arn.map(Id::from).ok_or_else(unnamed)
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let request = cx.cloud.apprunner.describe_auto_scaling_configuration();
        let answer = request.auto_scaling_configuration_arn(id.as_str()).send().await;
        let answer = absent(answer.map_err(fault("apprunner", "DescribeAutoScalingConfiguration")))?;
        let found = answer.and_then(|answer| answer.auto_scaling_configuration);
        let active = found.filter(|found| found.status() != Some(&AutoScalingConfigurationStatus::Inactive));
        Ok(active.map(|found| {
            Observed::new(Outputs { configuration_arn: id.to_string() })
                .see("max_concurrency", found.max_concurrency())
                .see("min_size", found.min_size())
                .see("max_size", found.max_size())
        }))
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        let Some(first) = known.first() else { return Ok(Vec::new()) };
        let ids: Vec<_> = known.iter().map(|known| known.id).collect();
        let arn = |found: &Summary| found.auto_scaling_configuration_arn().unwrap_or_default().to_owned();
        let observe = |found: &Summary| Observed::new(Outputs { configuration_arn: arn(found) });
        let all = configurations(first.cx.cloud, None).await?;
        Ok(in_order(&ids, all, |found| found.auto_scaling_configuration_arn(), observe))
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let named = configurations(cx.cloud, Some(name(cx, spec))).await?.into_iter();
        first_of_ours(cx, named.filter_map(|found| found.auto_scaling_configuration_arn).collect()).await
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let request = cx.cloud.apprunner.delete_auto_scaling_configuration();
        let answer = request.auto_scaling_configuration_arn(id.as_str()).send().await;
        answer.map(drop).map_err(fault("apprunner", "DeleteAutoScalingConfiguration"))
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let all = configurations(aws, None).await?.into_iter();
        let named =
            all.filter_map(|found| Some((found.auto_scaling_configuration_name?, found.auto_scaling_configuration_arn?)));
        listed(aws, deployment, named.collect()).await
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        claim(cx, id).await
    }

    fn fits(cx: &Cx<'_>, id: &Id, spec: &Spec) -> bool {
        name_in(id) == name(cx, spec)
    }

    fn actions() -> Actions {
        Actions {
            write: &["apprunner:CreateAutoScalingConfiguration", "apprunner:TagResource"],
            read: &[
                "apprunner:DescribeAutoScalingConfiguration",
                "apprunner:ListAutoScalingConfigurations",
                "apprunner:ListTagsForResource",
            ],
            delete: &["apprunner:DeleteAutoScalingConfiguration"],
        }
    }
}

fn name(cx: &Cx<'_>, spec: &Spec) -> String {
    physical_name(cx.identity, &spec.name, NAME_LIMIT)
}

/// All that are not deleted, every revision of them, or those of a name.
async fn configurations(aws: &Aws, name: Option<String>) -> Result<Vec<Summary>, Fault> {
    let request = aws.apprunner.list_auto_scaling_configurations().set_auto_scaling_configuration_name(name);
    let pages = request.latest_only(false).into_paginator().send().collect::<Result<Vec<_>, _>>().await;
    let pages = pages.map_err(fault("apprunner", "ListAutoScalingConfigurations"))?;
    let all = pages.into_iter().flat_map(|page| page.auto_scaling_configuration_summary_list);
    Ok(all.filter(|found| found.status() != Some(&AutoScalingConfigurationStatus::Inactive)).collect())
}
