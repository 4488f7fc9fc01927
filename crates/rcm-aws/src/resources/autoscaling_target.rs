//! A scalable target: between how many tasks a service may be scaled.
//!
//! API: [RegisterScalableTarget](https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html).
//!
//! Surprises: registering is an upsert, and takes tags only the first time. It refuses a service that was made a moment ago
//! ("ECS service doesn't exist"). A desired count below the minimum is raised to it, so a service that must not run yet
//! needs a minimum of 0. Deregistering takes the target's policies and their alarms along.

use std::collections::HashMap;

use aws_sdk_applicationautoscaling::types::{ScalableDimension, ScalableTarget as Described, ServiceNamespace};
use rcm_engine::model::{Actions, Deployment, Fault, Id, Known, Observed, Owned, Ref, Resource};
use serde::{Deserialize, Serialize};

use super::{
    autoscaling::{resource_id, service_arn},
    batch::in_order,
    ecs_service::Service,
};
use crate::{
    Aws,
    classify::{absent, fault, missing},
    identity,
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// What a scalable target should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// What is scaled.
    pub service: Ref<Service>,
    /// The fewest tasks.
    pub min: i32,
    /// The most tasks.
    pub max: i32,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `arn:aws:application-autoscaling:…:scalable-target/…`
    pub scalable_target_arn: String,
}

/// A scalable target.
pub struct ScalableTarget;

impl Resource for ScalableTarget {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "autoscaling/target";
    const REPLACE_ON: &'static [&'static str] = &["service"];

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let service = cx.id(&spec.service)?;
        let request = cx.cloud.autoscaling.register_scalable_target().service_namespace(ServiceNamespace::Ecs);
        let request = request.scalable_dimension(ScalableDimension::EcsServiceDesiredCount);
        let request = request.resource_id(resource_id(&service)).min_capacity(spec.min).max_capacity(spec.max);
        let sent = request.set_tags(Some(tags(cx))).send().await;
        sent.map_err(fault("application-autoscaling", "RegisterScalableTarget"))?;
        Ok(Id::from(resource_id(&service)))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        let live = targets(cx.cloud, &[id]).await?;
        if live.iter().any(|target| (target.min_capacity(), target.max_capacity()) == (spec.min, spec.max)) {
            return Ok(());
        }
        let request = cx.cloud.autoscaling.register_scalable_target().service_namespace(ServiceNamespace::Ecs);
        let request = request.scalable_dimension(ScalableDimension::EcsServiceDesiredCount);
        let request = request.resource_id(id.as_str()).min_capacity(spec.min).max_capacity(spec.max);
        request.send().await.map(drop).map_err(fault("application-autoscaling", "RegisterScalableTarget"))
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        Ok(describe(cx.cloud, &cx.identity.deployment, &[id]).await?.remove(0))
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        let Some(Known { cx, .. }) = known.first() else { return Ok(Vec::new()) };
        let ids: Vec<_> = known.iter().map(|known| known.id).collect();
        describe(cx.cloud, &cx.identity.deployment, &ids).await
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let id = Id::from(resource_id(&cx.id(&spec.service)?));
        let Some(target) = targets(cx.cloud, &[&id]).await?.pop() else { return Ok(None) };
        Ok(identity::owns(cx.identity, pairs(&tags_of(cx.cloud, &target).await?)).then_some(id))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let request = cx.cloud.autoscaling.deregister_scalable_target().service_namespace(ServiceNamespace::Ecs);
        let request = request.scalable_dimension(ScalableDimension::EcsServiceDesiredCount).resource_id(id.as_str());
        request.send().await.map(drop).map_err(fault("application-autoscaling", "DeregisterScalableTarget"))
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let stem = identity::stem(deployment);
        let mut found = Vec::new();
        for target in targets(aws, &[]).await?.iter().filter(|target| target.resource_id().contains(&stem)) {
            let tags = tags_of(aws, target).await?;
            found.extend(identity::belongs(deployment, target.resource_id(), pairs(&tags)));
        }
        Ok(found)
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let target = targets(cx.cloud, &[id]).await?.pop();
        let target = target.ok_or_else(|| missing("application-autoscaling", "DescribeScalableTargets", "target"))?;
        identity::unclaimed(cx.identity, pairs(&tags_of(cx.cloud, &target).await?))?;
        let request = cx.cloud.autoscaling.tag_resource().set_resource_arn(target.scalable_target_arn);
        let sent = request.set_tags(Some(tags(cx))).send().await;
        sent.map(drop).map_err(fault("application-autoscaling", "TagResource"))
    }

    fn actions() -> Actions {
        Actions {
            write: &[
                "application-autoscaling:RegisterScalableTarget",
                "application-autoscaling:TagResource",
                "ecs:DescribeServices",
                "ecs:UpdateService",
                "iam:CreateServiceLinkedRole",
            ],
            read: &["application-autoscaling:DescribeScalableTargets", "application-autoscaling:ListTagsForResource"],
            delete: &["application-autoscaling:DeregisterScalableTarget", "cloudwatch:DeleteAlarms"],
        }
    }
}

fn tags(cx: &Cx<'_>) -> HashMap<String, String> {
    identity::tags(cx.identity).into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

async fn tags_of(aws: &Aws, target: &Described) -> Result<HashMap<String, String>, Fault> {
    let Some(arn) = target.scalable_target_arn() else { return Ok(HashMap::new()) };
    let answer = aws.autoscaling.list_tags_for_resource().resource_arn(arn).send().await;
    let answer = absent(answer.map_err(fault("application-autoscaling", "ListTagsForResource")))?;
    Ok(answer.and_then(|answer| answer.tags).unwrap_or_default())
}

fn pairs(tags: &HashMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    tags.iter().map(|(key, value)| (key.as_str(), value.as_str()))
}

/// Those of these ids, or all if there are none.
async fn targets(aws: &Aws, ids: &[&Id]) -> Result<Vec<Described>, Fault> {
    let request = aws.autoscaling.describe_scalable_targets().service_namespace(ServiceNamespace::Ecs);
    let request = request.scalable_dimension(ScalableDimension::EcsServiceDesiredCount);
    let request = request.set_resource_ids((!ids.is_empty()).then(|| ids.iter().map(ToString::to_string).collect()));
    let pages = request.into_paginator().items().send();
    pages.collect::<Result<_, _>>().await.map_err(fault("application-autoscaling", "DescribeScalableTargets"))
}

async fn describe(aws: &Aws, at: &Deployment, ids: &[&Id]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
    let targets = targets(aws, ids).await?;
    Ok(in_order(ids, targets, |target| Some(target.resource_id()), |target| {
        let arn = target.scalable_target_arn().unwrap_or_default().to_owned();
        Observed::new(Outputs { scalable_target_arn: arn })
            .see("service", service_arn(at, target.resource_id()))
            .see("min", target.min_capacity())
            .see("max", target.max_capacity())
    }))
}
