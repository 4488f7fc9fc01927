//! A scaling policy: keeps the CPU or the memory of a service's tasks, or the requests that each gets, where it is wanted.
//!
//! API: [PutScalingPolicy](https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PutScalingPolicy.html),
//! [PredefinedMetricSpecification](https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PredefinedMetricSpecification.html).
//!
//! Surprises: putting is an upsert. A policy takes no tags: what hangs on our target under our name is ours. It makes two
//! CloudWatch alarms of its own, which go when it goes. Its ARN says all that deleting it asks for.

use std::collections::BTreeSet;

use aws_sdk_applicationautoscaling::types::{
    MetricType, PolicyType, PredefinedMetricSpecification, ScalableDimension, ScalingPolicy as Described,
    ServiceNamespace, TargetTrackingScalingPolicyConfiguration as Tracking,
};
use rcm_engine::model::{Actions, Deployment, Fault, Id, Known, Observed, Ref, Resource};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    autoscaling_target::ScalableTarget, batch::in_order, elb_load_balancer::LoadBalancer, elb_target_group::TargetGroup,
};
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
    /// What it measures.
    pub metric: Metric,
    /// Where it holds that: percent of CPU or memory, or requests a minute and task.
    pub target_value: u32,
    /// How long after a scale-out the next may follow, in seconds.
    pub scale_out_cooldown_seconds: i32,
    /// How long after a scale-in the next may follow, in seconds.
    pub scale_in_cooldown_seconds: i32,
}

/// What a policy measures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Metric {
    /// The average CPU of the tasks, in percent.
    Cpu,
    /// The average memory of the tasks, in percent.
    Memory,
    /// The requests a minute that the load balancer sends to each task.
    RequestsPerTarget {
        /// The load balancer.
        load_balancer: Ref<LoadBalancer>,
        /// The group that the tasks are in.
        target_group: Ref<TargetGroup>,
    },
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
        if live.as_ref() == Some(&tracking(cx, spec)?) {
            return Ok(());
        }
        put(cx, spec).await.map(drop)
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let (target, name) = place(id)?;
        Ok(observe(&cx.identity.deployment, &[id], policies(cx.cloud, target, Some(name)).await?).remove(0))
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        let Some(Known { cx, .. }) = known.first() else { return Ok(Vec::new()) };
        let targets = known.iter().map(|known| place(known.id).map(|(target, _)| target));
        let mut found = Vec::new();
        for target in targets.collect::<Result<BTreeSet<_>, _>>()? {
            found.extend(policies(cx.cloud, target, None).await?);
        }
        Ok(observe(&cx.identity.deployment, &known.iter().map(|known| known.id).collect::<Vec<_>>(), found))
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
    let sent = request.target_tracking_scaling_policy_configuration(tracking(cx, spec)?).send().await;
    let answer = sent.map_err(fault("application-autoscaling", "PutScalingPolicy"))?;
    Ok(Id::from(answer.policy_arn()))
}

fn tracking(cx: &Cx<'_>, spec: &Spec) -> Result<Tracking, Fault> {
    let (kind, label) = match &spec.metric {
        Metric::Cpu => (MetricType::EcsServiceAverageCpuUtilization, None),
        Metric::Memory => (MetricType::EcsServiceAverageMemoryUtilization, None),
        Metric::RequestsPerTarget { load_balancer, target_group } => {
            (MetricType::AlbRequestCountPerTarget, Some(label(&cx.id(load_balancer)?, &cx.id(target_group)?)?))
        }
    };
    let metric = PredefinedMetricSpecification::builder().predefined_metric_type(kind).set_resource_label(label);
    Tracking::builder()
        .predefined_metric_specification(metric.build().map_err(unbuilt("application-autoscaling", "PutScalingPolicy"))?)
        .target_value(f64::from(spec.target_value))
        .scale_out_cooldown(spec.scale_out_cooldown_seconds)
        .scale_in_cooldown(spec.scale_in_cooldown_seconds)
        .disable_scale_in(false)
        .build()
        .map_err(unbuilt("application-autoscaling", "PutScalingPolicy"))
}

/// `app/NAME/ID/targetgroup/NAME/ID`: the tails of the two ARNs.
fn label(load_balancer: &Id, target_group: &Id) -> Result<String, Fault> {
    let balancer = load_balancer.as_str().split_once(":loadbalancer/").map(|(_, name)| name);
    let group = target_group.as_str().split_once(":targetgroup/").map(|(_, name)| name);
    match (balancer, group) {
        (Some(balancer), Some(group)) => Ok(format!("{balancer}/targetgroup/{group}")),
        _ => Err(Fault::invalid("id", format!("{load_balancer} and {target_group} are no load balancer and its target group"))),
    }
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

fn observe(at: &Deployment, ids: &[&Id], policies: Vec<Described>) -> Vec<Option<Observed<Outputs>>> {
    in_order(ids, policies, |policy| Some(policy.policy_arn()), |policy| {
        let live = policy.target_tracking_scaling_policy_configuration();
        Observed::new(Outputs { policy_arn: policy.policy_arn().to_owned() })
            .see("target", policy.resource_id())
            .see("metric", live.and_then(|live| metric(at, live)))
            .see("target_value", live.map(|live| whole(live.target_value())))
            .see("scale_out_cooldown_seconds", live.and_then(|live| live.scale_out_cooldown()))
            .see("scale_in_cooldown_seconds", live.and_then(|live| live.scale_in_cooldown()))
    })
}

/// What is measured, as a [`Metric`] says it with ARNs for references; nothing where it is something else.
fn metric(at: &Deployment, live: &Tracking) -> Option<Value> {
    let live = live.predefined_metric_specification()?;
    match live.predefined_metric_type() {
        MetricType::EcsServiceAverageCpuUtilization => Some(json!("cpu")),
        MetricType::EcsServiceAverageMemoryUtilization => Some(json!("memory")),
        MetricType::AlbRequestCountPerTarget => {
            let (balancer, group) = live.resource_label()?.split_once("/targetgroup/")?;
            let Deployment { partition, region, account, .. } = at;
            let arn = |tail: String| format!("arn:{partition}:elasticloadbalancing:{region}:{account}:{tail}");
            let (balancer, group) = (arn(format!("loadbalancer/{balancer}")), arn(format!("targetgroup/{group}")));
            Some(json!({ "requests_per_target": { "load_balancer": balancer, "target_group": group } }))
        }
        _ => None,
    }
}

/// A whole number where it is one, as specs say it.
fn whole(value: f64) -> Value {
    let whole: Option<u32> = value.to_string().parse().ok();
    whole.map_or_else(|| value.into(), Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_tells_what_the_policy_scales() {
        let id = Id::from(
            "arn:aws:autoscaling:us-east-1:123456789012:scalingPolicy:6d8972f3-efc8-437c-92d1-6270f29a66e7:\
             resource/ecs/service/acme-rcm-prod-cluster/acme-rcm-prod-api:policyName/acme-rcm-prod-cpu",
        );
        assert_eq!(place(&id).unwrap(), ("service/acme-rcm-prod-cluster/acme-rcm-prod-api", "acme-rcm-prod-cpu"));
    }

    fn acme() -> Deployment {
        Deployment {
            project: "acme-rcm".into(),
            partner: "acme".into(),
            environment: "prod".into(),
            account: "123456789012".into(),
            region: "us-east-1".into(),
            partition: "aws".into(),
        }
    }

    fn live(kind: MetricType, label: Option<&str>) -> Tracking {
        let metric = PredefinedMetricSpecification::builder().predefined_metric_type(kind);
        let metric = metric.set_resource_label(label.map(str::to_owned)).build().unwrap();
        Tracking::builder().predefined_metric_specification(metric).target_value(70.0).build().unwrap()
    }

    #[test]
    fn a_label_is_made_of_two_arns_and_read_back_as_them() {
        let arn = |tail: &str| Id::from(format!("arn:aws:elasticloadbalancing:us-east-1:123456789012:{tail}").as_str());
        let balancer = arn("loadbalancer/app/acme-rcm-prod-alb/778d41231b141a0f");
        let group = arn("targetgroup/acme-rcm-prod-api/943f017f100becff");
        let label = label(&balancer, &group).unwrap();
        assert_eq!(label, "app/acme-rcm-prod-alb/778d41231b141a0f/targetgroup/acme-rcm-prod-api/943f017f100becff");
        let seen = metric(&acme(), &live(MetricType::AlbRequestCountPerTarget, Some(&label)));
        let expected = json!({ "load_balancer": balancer.as_str(), "target_group": group.as_str() });
        assert_eq!(seen, Some(json!({ "requests_per_target": expected })));
    }

    #[test]
    fn what_is_measured_reads_as_a_spec_says_it() {
        assert_eq!(metric(&acme(), &live(MetricType::EcsServiceAverageCpuUtilization, None)), Some(json!("cpu")));
        assert_eq!(metric(&acme(), &live(MetricType::EcsServiceAverageMemoryUtilization, None)), Some(json!("memory")));
        assert_eq!(metric(&acme(), &live(MetricType::SageMakerInferenceComponentInvocationsPerCopy, None)), None);
        assert_eq!((whole(70.0), whole(72.5)), (json!(70), json!(72.5)));
    }
}
