//! A scalable target: between how many tasks a service may be scaled.
//!
//! API: [RegisterScalableTarget](https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html).
//!
//! Surprises: registering is an upsert, and takes tags only the first time. It refuses a service that was made a moment ago
//! ("ECS service doesn't exist"). A desired count below the minimum is raised to it, so a service that must not run yet
//! needs a minimum of 0. Deregistering takes the target's policies and their alarms along.

use aws_sdk_applicationautoscaling::types::{ScalableDimension, ScalableTarget as Described, ServiceNamespace};
use rcm_engine::model::{Actions, Deployment, Fault, Id, Known, Observed, Ref, Resource};
use serde::{Deserialize, Serialize};

use super::{
    autoscaling::{resource_id, service_arn},
    batch::in_order,
    ecs_service::Service,
};
use crate::{Aws, classify::fault, identity};

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
        let tags = identity::tags(cx.identity).into_iter().map(|(key, value)| (key.to_owned(), value));
        let request = cx.cloud.autoscaling.register_scalable_target().service_namespace(ServiceNamespace::Ecs);
        let request = request.scalable_dimension(ScalableDimension::EcsServiceDesiredCount);
        let request = request.resource_id(resource_id(&service)).min_capacity(spec.min).max_capacity(spec.max);
        let sent = request.set_tags(Some(tags.collect())).send().await;
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
        let Some(arn) = targets(cx.cloud, &[&id]).await?.pop().and_then(|target| target.scalable_target_arn) else {
            return Ok(None);
        };
        let answer = cx.cloud.autoscaling.list_tags_for_resource().resource_arn(arn).send().await;
        let answer = answer.map_err(fault("application-autoscaling", "ListTagsForResource"))?;
        let tags = answer.tags().into_iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()));
        Ok(identity::owns(cx.identity, tags).then_some(id))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let request = cx.cloud.autoscaling.deregister_scalable_target().service_namespace(ServiceNamespace::Ecs);
        let request = request.scalable_dimension(ScalableDimension::EcsServiceDesiredCount).resource_id(id.as_str());
        request.send().await.map(drop).map_err(fault("application-autoscaling", "DeregisterScalableTarget"))
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

async fn targets(aws: &Aws, ids: &[&Id]) -> Result<Vec<Described>, Fault> {
    let request = aws.autoscaling.describe_scalable_targets().service_namespace(ServiceNamespace::Ecs);
    let request = request.scalable_dimension(ScalableDimension::EcsServiceDesiredCount);
    let request = request.set_resource_ids(Some(ids.iter().map(ToString::to_string).collect()));
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
