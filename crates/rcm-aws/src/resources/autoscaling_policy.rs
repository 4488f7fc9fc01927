//! A scaling policy: keeps the average CPU of a service's tasks where it is wanted.
//!
//! API: [PutScalingPolicy](https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PutScalingPolicy.html).
//!
//! Surprises: putting is an upsert. A policy takes no tags: what hangs on our target under our name is ours. It makes two
//! CloudWatch alarms of its own, which go when it goes. Its ARN says all that deleting it asks for.

use std::collections::BTreeSet;

use aws_sdk_applicationautoscaling::types::{
    MetricType, PolicyType, PredefinedMetricSpecification, ScalableDimension, ScalingPolicy as Described,
    ServiceNamespace, TargetTrackingScalingPolicyConfiguration as Tracking,
};
use rcm_engine::model::{Actions, Fault, Id, Known, Observed, Ref, Resource};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{autoscaling_target::ScalableTarget, batch::in_order};
use crate::{
    Aws,
    classify::{fault, unbuilt},
    identity::physical_name,
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// The longest name that Application Auto Scaling takes.
const NAME_LIMIT: usize = 256;

/// What a scaling policy should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Its name. Part of the id, so it cannot drift.
    pub name: String,
    /// What it scales.
    pub target: Ref<ScalableTarget>,
    /// The average CPU of the tasks that it holds, in percent.
    pub cpu_percent: u32,
    /// How long after a scale-out the next may follow, in seconds.
    pub scale_out_cooldown_seconds: i32,
    /// How long after a scale-in the next may follow, in seconds.
    pub scale_in_cooldown_seconds: i32,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `arn:aws:autoscaling:…:scalingPolicy:…`
    pub policy_arn: String,
}

/// A scaling policy.
pub struct ScalingPolicy;

impl Resource for ScalingPolicy {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "autoscaling/policy";
    const REPLACE_ON: &'static [&'static str] = &["name", "target"];

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        put(cx, spec).await
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        let (target, name) = place(id)?;
        let live = policies(cx.cloud, target, Some(name)).await?.pop();
        let live = live.and_then(|policy| policy.target_tracking_scaling_policy_configuration);
        if live.is_some_and(|live| is_right(&live, spec)) {
            return Ok(());
        }
        put(cx, spec).await.map(drop)
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let (target, name) = place(id)?;
        Ok(observe(&[id], policies(cx.cloud, target, Some(name)).await?).remove(0))
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        let targets = known.iter().map(|known| place(known.id).map(|(target, _)| target));
        let mut found = Vec::new();
        for target in targets.collect::<Result<BTreeSet<_>, _>>()? {
            found.extend(policies(known[0].cx.cloud, target, None).await?);
        }
        Ok(observe(&known.iter().map(|known| known.id).collect::<Vec<_>>(), found))
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let name = physical_name(cx.identity, &spec.name, NAME_LIMIT);
        let found = policies(cx.cloud, cx.id(&spec.target)?.as_str(), Some(&name)).await?;
        Ok(found.first().map(|policy| Id::from(policy.policy_arn())))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let (target, name) = place(id)?;
        let request = cx.cloud.autoscaling.delete_scaling_policy().service_namespace(ServiceNamespace::Ecs);
        let request = request.scalable_dimension(ScalableDimension::EcsServiceDesiredCount);
        let sent = request.resource_id(target).policy_name(name).send().await;
        sent.map(drop).map_err(fault("application-autoscaling", "DeleteScalingPolicy"))
    }

    fn fits(cx: &Cx<'_>, id: &Id, spec: &Spec) -> bool {
        place(id).is_ok_and(|(_, name)| name == physical_name(cx.identity, &spec.name, NAME_LIMIT))
    }

    fn actions() -> Actions {
        Actions {
            write: &[
                "application-autoscaling:DescribeScalingPolicies",
                "application-autoscaling:PutScalingPolicy",
                "cloudwatch:DescribeAlarms",
                "cloudwatch:PutMetricAlarm",
            ],
            read: &["application-autoscaling:DescribeScalingPolicies"],
            delete: &["application-autoscaling:DeleteScalingPolicy", "cloudwatch:DeleteAlarms"],
        }
    }
}

async fn put(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
    let request = cx.cloud.autoscaling.put_scaling_policy().service_namespace(ServiceNamespace::Ecs);
    let request = request.scalable_dimension(ScalableDimension::EcsServiceDesiredCount);
    let request = request.resource_id(cx.id(&spec.target)?.as_str());
    let request = request.policy_name(physical_name(cx.identity, &spec.name, NAME_LIMIT));
    let request = request.policy_type(PolicyType::TargetTrackingScaling);
    let sent = request.target_tracking_scaling_policy_configuration(tracking(spec)?).send().await;
    let answer = sent.map_err(fault("application-autoscaling", "PutScalingPolicy"))?;
    Ok(Id::from(answer.policy_arn()))
}

fn tracking(spec: &Spec) -> Result<Tracking, Fault> {
    let cpu = PredefinedMetricSpecification::builder().predefined_metric_type(MetricType::EcsServiceAverageCpuUtilization);
    Tracking::builder()
        .predefined_metric_specification(cpu.build().map_err(unbuilt("application-autoscaling", "PutScalingPolicy"))?)
        .target_value(f64::from(spec.cpu_percent))
        .scale_out_cooldown(spec.scale_out_cooldown_seconds)
        .scale_in_cooldown(spec.scale_in_cooldown_seconds)
        .disable_scale_in(false)
        .build()
        .map_err(unbuilt("application-autoscaling", "PutScalingPolicy"))
}

fn is_right(live: &Tracking, spec: &Spec) -> bool {
    cpu_percent(live) == spec.cpu_percent
        && live.scale_out_cooldown() == Some(spec.scale_out_cooldown_seconds)
        && live.scale_in_cooldown() == Some(spec.scale_in_cooldown_seconds)
}

/// The target and the policy's name in its ARN: `…:resource/ecs/service/cluster/name:policyName/policy`.
fn place(id: &Id) -> Result<(&str, &str), Fault> {
    let place = id.as_str().split_once(":resource/ecs/").and_then(|(_, place)| place.split_once(":policyName/"));
    place.ok_or_else(|| Fault::invalid("id", format!("{id} is not the ARN of a scaling policy of an ECS service")))
}

async fn policies(aws: &Aws, target: &str, name: Option<&str>) -> Result<Vec<Described>, Fault> {
    let request = aws.autoscaling.describe_scaling_policies().service_namespace(ServiceNamespace::Ecs);
    let request = request.scalable_dimension(ScalableDimension::EcsServiceDesiredCount).resource_id(target);
    let request = request.set_policy_names(name.map(|name| vec![name.to_owned()]));
    let pages = request.into_paginator().items().send();
    pages.collect::<Result<_, _>>().await.map_err(fault("application-autoscaling", "DescribeScalingPolicies"))
}

fn observe(ids: &[&Id], policies: Vec<Described>) -> Vec<Option<Observed<Outputs>>> {
    in_order(ids, policies, |policy| Some(policy.policy_arn()), |policy| {
        let live = policy.target_tracking_scaling_policy_configuration();
        Observed::new(Outputs { policy_arn: policy.policy_arn().to_owned() })
            .see("target", policy.resource_id())
            .see("cpu_percent", live.map(cpu_percent))
            .see("scale_out_cooldown_seconds", live.and_then(|live| live.scale_out_cooldown()))
            .see("scale_in_cooldown_seconds", live.and_then(|live| live.scale_in_cooldown()))
    })
}

/// A whole number where it is one, as specs say it; nothing where something else than the CPU is measured.
fn cpu_percent(live: &Tracking) -> Value {
    let metric = live.predefined_metric_specification().map(|metric| metric.predefined_metric_type());
    if metric != Some(&MetricType::EcsServiceAverageCpuUtilization) {
        return Value::Null;
    }
    let whole: Option<u32> = live.target_value().to_string().parse().ok();
    whole.map_or_else(|| live.target_value().into(), Value::from)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_arn_tells_what_the_policy_scales() {
        let id = Id::from(
            "arn:aws:autoscaling:us-east-1:123456789012:scalingPolicy:6d8972f3-efc8-437c-92d1-6270f29a66e7:\
             resource/ecs/service/acme-rcm-prod-cluster/acme-rcm-prod-api:policyName/acme-rcm-prod-cpu",
        );
        assert_eq!(place(&id).unwrap(), ("service/acme-rcm-prod-cluster/acme-rcm-prod-api", "acme-rcm-prod-cpu"));
    }

    #[test]
    fn a_live_percentage_reads_as_a_spec_says_it() {
        let live = |metric: MetricType, value: f64| {
            let metric = PredefinedMetricSpecification::builder().predefined_metric_type(metric).build().unwrap();
            let live = Tracking::builder().predefined_metric_specification(metric).target_value(value);
            cpu_percent(&live.build().unwrap())
        };
        assert_eq!(live(MetricType::EcsServiceAverageCpuUtilization, 70.0), json!(70));
        assert_eq!(live(MetricType::EcsServiceAverageCpuUtilization, 72.5), json!(72.5));
        assert_eq!(live(MetricType::EcsServiceAverageMemoryUtilization, 70.0), Value::Null);
    }
}
