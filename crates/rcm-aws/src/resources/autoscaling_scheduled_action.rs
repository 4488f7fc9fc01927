//! A scheduled action: when its time has come, a scalable target gets other bounds.
//!
//! API: [PutScheduledAction](https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PutScheduledAction.html),
//! [schedules](https://docs.aws.amazon.com/autoscaling/application/userguide/scheduled-scaling-using-cron-expressions.html).
//!
//! Surprises: putting is an upsert that leaves a time zone which it is not given as it was, so one that is not wanted any more goes
//! with its action. An action takes no tags, and its ARN has a random part which putting does not answer; so the id is what it hangs
//! on and its name.

use std::collections::BTreeSet;

use aws_sdk_applicationautoscaling::types::{
    ScalableDimension, ScalableTargetAction, ScheduledAction as Described, ServiceNamespace,
};
use rcm_engine::model::{Actions, Fault, Id, Known, Observed, Ref, Resource};
use serde::{Deserialize, Serialize};

use super::{autoscaling_target::ScalableTarget, batch::in_order};
use crate::{
    Aws,
    classify::{absent, fault},
    identity::physical_name,
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// The longest name that Application Auto Scaling takes.
const NAME_LIMIT: usize = 256;
/// What stands between the target and the name in an id.
const NAMED: &str = ":scheduledActionName/";

/// What a scheduled action should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Its name. Part of the id, so it cannot drift.
    pub name: String,
    /// What gets other bounds.
    pub target: Ref<ScalableTarget>,
    /// `at(…)`, `rate(…)` or `cron(…)`.
    pub schedule: String,
    /// The time zone of `at` and `cron`; AWS takes UTC if `None`.
    pub timezone: Option<String>,
    /// The fewest tasks from then on.
    pub min: i32,
    /// The most tasks from then on.
    pub max: i32,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `arn:aws:autoscaling:…:scheduledAction:…`
    pub scheduled_action_arn: String,
}

/// A scheduled action.
pub struct ScheduledAction;

impl Resource for ScheduledAction {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "autoscaling/scheduled-action";
    const REPLACE_ON: &'static [&'static str] = &["name", "target"];

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let (target, name) = (cx.id(&spec.target)?, physical_name(cx.identity, &spec.name, NAME_LIMIT));
        put(cx, target.as_str(), &name, spec).await?;
        Ok(id(target.as_str(), &name))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        let (target, name) = place(id)?;
        let live = actions(cx.cloud, target, Some(name)).await?.pop();
        if live.as_ref().is_some_and(|live| is_right(live, spec)) {
            return Ok(());
        }
        if spec.timezone.is_none() && live.is_some_and(|live| live.timezone.is_some()) {
            absent(delete(cx.cloud, target, name).await)?;
        }
        put(cx, target, name, spec).await
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let (target, name) = place(id)?;
        Ok(observe(&[id], actions(cx.cloud, target, Some(name)).await?).remove(0))
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        let targets = known.iter().map(|known| place(known.id).map(|(target, _)| target));
        let mut found = Vec::new();
        for target in targets.collect::<Result<BTreeSet<_>, _>>()? {
            found.extend(actions(known[0].cx.cloud, target, None).await?);
        }
        Ok(observe(&known.iter().map(|known| known.id).collect::<Vec<_>>(), found))
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let (target, name) = (cx.id(&spec.target)?, physical_name(cx.identity, &spec.name, NAME_LIMIT));
        let found = actions(cx.cloud, target.as_str(), Some(&name)).await?;
        Ok(found.first().map(|_| id(target.as_str(), &name)))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let (target, name) = place(id)?;
        delete(cx.cloud, target, name).await
    }

    fn fits(cx: &Cx<'_>, id: &Id, spec: &Spec) -> bool {
        place(id).is_ok_and(|(_, name)| name == physical_name(cx.identity, &spec.name, NAME_LIMIT))
    }

    fn actions() -> Actions {
        Actions {
            write: &[
                "application-autoscaling:DeleteScheduledAction",
                "application-autoscaling:DescribeScheduledActions",
                "application-autoscaling:PutScheduledAction",
            ],
            read: &["application-autoscaling:DescribeScheduledActions"],
            delete: &["application-autoscaling:DeleteScheduledAction"],
        }
    }
}

async fn put(cx: &Cx<'_>, target: &str, name: &str, spec: &Spec) -> Result<(), Fault> {
    let request = cx.cloud.autoscaling.put_scheduled_action().service_namespace(ServiceNamespace::Ecs);
    let request = request.scalable_dimension(ScalableDimension::EcsServiceDesiredCount).resource_id(target);
    let request = request.scheduled_action_name(name).schedule(&spec.schedule).set_timezone(spec.timezone.clone());
    let bounds = ScalableTargetAction::builder().min_capacity(spec.min).max_capacity(spec.max).build();
    let sent = request.scalable_target_action(bounds).send().await;
    sent.map(drop).map_err(fault("application-autoscaling", "PutScheduledAction"))
}

async fn delete(aws: &Aws, target: &str, name: &str) -> Result<(), Fault> {
    let request = aws.autoscaling.delete_scheduled_action().service_namespace(ServiceNamespace::Ecs);
    let request = request.scalable_dimension(ScalableDimension::EcsServiceDesiredCount).resource_id(target);
    let sent = request.scheduled_action_name(name).send().await;
    sent.map(drop).map_err(fault("application-autoscaling", "DeleteScheduledAction"))
}

async fn actions(aws: &Aws, target: &str, name: Option<&str>) -> Result<Vec<Described>, Fault> {
    let request = aws.autoscaling.describe_scheduled_actions().service_namespace(ServiceNamespace::Ecs);
    let request = request.scalable_dimension(ScalableDimension::EcsServiceDesiredCount).resource_id(target);
    let request = request.set_scheduled_action_names(name.map(|name| vec![name.to_owned()]));
    let pages = request.into_paginator().items().send();
    pages.collect::<Result<_, _>>().await.map_err(fault("application-autoscaling", "DescribeScheduledActions"))
}

fn is_right(live: &Described, spec: &Spec) -> bool {
    let bounds = live.scalable_target_action();
    live.schedule() == spec.schedule
        && live.timezone() == spec.timezone.as_deref()
        && bounds.is_some_and(|live| (live.min_capacity(), live.max_capacity()) == (Some(spec.min), Some(spec.max)))
}

fn observe(ids: &[&Id], actions: Vec<Described>) -> Vec<Option<Observed<Outputs>>> {
    let named: Vec<_> = actions.into_iter().map(|action| (id(action.resource_id(), action.scheduled_action_name()), action)).collect();
    in_order(ids, named, |(id, _)| Some(id.as_str()), |(_, action)| {
        let bounds = action.scalable_target_action();
        Observed::new(Outputs { scheduled_action_arn: action.scheduled_action_arn().to_owned() })
            .see("target", action.resource_id())
            .see("schedule", action.schedule())
            .see("timezone", action.timezone())
            .see("min", bounds.and_then(|bounds| bounds.min_capacity()))
            .see("max", bounds.and_then(|bounds| bounds.max_capacity()))
    })
}

fn id(target: &str, name: &str) -> Id {
    Id::from(format!("{target}{NAMED}{name}").as_str())
}

/// The target and the action's name in its id.
fn place(id: &Id) -> Result<(&str, &str), Fault> {
    let place = id.as_str().split_once(NAMED);
    place.ok_or_else(|| Fault::invalid("id", format!("{id} is not TARGET{NAMED}NAME of a scheduled action")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_what_the_action_changes() {
        let id = id("service/acme-rcm-prod-cluster/acme-rcm-prod-api", "acme-rcm-prod-night");
        assert_eq!(place(&id).unwrap(), ("service/acme-rcm-prod-cluster/acme-rcm-prod-api", "acme-rcm-prod-night"));
        assert!(place(&Id::from("arn:aws:autoscaling:us-east-1:123456789012:scheduledAction:1")).is_err());
    }
}
