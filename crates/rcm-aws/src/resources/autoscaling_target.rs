//! A scalable target: between how many tasks a service may be scaled.
//!
//! API: [RegisterScalableTarget](https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html).
//!
//! Surprises: registering is an upsert, and takes tags only the first time. It refuses a service that was made a moment ago
//! ("ECS service doesn't exist"). A desired count below the minimum is raised to it, so a service that must not run yet
//! needs a minimum of 0. A [scheduled action](super::autoscaling_scheduled_action) changes both bounds when its time has come, so where
//! there is one, the bounds are registered once and then left alone. Deregistering takes the target's policies and their alarms along, and its scheduled actions.

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
    /// The bounds that it is registered with where scheduled actions change them later.
    pub at_first: Option<Bounds>,
    /// The fewest tasks, at any time; `None` where scheduled actions change it.
    pub min: Option<i32>,
    /// The most tasks, at any time; `None` where scheduled actions change it.
    pub max: Option<i32>,
}

/// Between how many tasks there may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// The fewest.
    pub min: i32,
    /// The most.
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
    const TAGGED: bool = true;

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let service = cx.id(&spec.service)?;
        let request = cx.cloud.autoscaling.register_scalable_target().service_namespace(ServiceNamespace::Ecs);
        let request = request.scalable_dimension(ScalableDimension::EcsServiceDesiredCount);
        let request = request.resource_id(resource_id(&service));
        let (min, max) = wanted(spec, None, true);
        let request = request.min_capacity(min).max_capacity(max);
        let sent = request.set_tags(Some(tags(cx))).send().await;
        sent.map_err(fault("application-autoscaling", "RegisterScalableTarget"))?;
        Ok(Id::from(resource_id(&service)))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        let live = targets(cx.cloud, &[id]).await?.pop().map(|live| (live.min_capacity(), live.max_capacity()));
        let wanted = wanted(spec, live, cx.changes("at_first"));
        if live == Some(wanted) {
            return Ok(());
        }
        let request = cx.cloud.autoscaling.register_scalable_target().service_namespace(ServiceNamespace::Ecs);
        let request = request.scalable_dimension(ScalableDimension::EcsServiceDesiredCount);
        let request = request.resource_id(id.as_str()).min_capacity(wanted.0).max_capacity(wanted.1);
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

/// The bounds to register: those that are kept, and of the others the first ones where they are new, else what they have come to be.
fn wanted(spec: &Spec, live: Option<(i32, i32)>, anew: bool) -> (i32, i32) {
    let Bounds { min, max } = spec.at_first.unwrap_or_default();
    let (now_min, now_max) = live.filter(|_| !anew).unwrap_or((min, max));
    (spec.min.unwrap_or(now_min), spec.max.unwrap_or(now_max))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(min: Option<i32>, max: Option<i32>) -> Spec {
        let service = Ref::to("compute/service".parse().unwrap());
        Spec { service, at_first: min.is_none().then_some(Bounds { min: 2, max: 10 }), min, max }
    }

    #[test]
    fn what_a_schedule_has_made_of_the_bounds_stays_until_other_ones_are_wanted() {
        let scheduled = spec(None, None);
        assert_eq!(wanted(&scheduled, Some((0, 1)), false), (0, 1));
        assert_eq!(wanted(&scheduled, Some((0, 1)), true), (2, 10));
        assert_eq!(wanted(&scheduled, None, false), (2, 10));
        assert_eq!(wanted(&spec(Some(2), Some(10)), Some((0, 1)), false), (2, 10));
    }
}
