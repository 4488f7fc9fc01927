//! A target group: the tasks that a load balancer sends requests to, and how it tells which of them are healthy.
//!
//! API: [CreateTargetGroup](https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html),
//! [ModifyTargetGroup](https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyTargetGroup.html).
//!
//! Surprises: no client token; the name is unique in account and region. ECS only takes a group that a listener already
//! sends to. For two minutes after its listener is gone, deleting it may answer `ResourceInUse`.

use aws_sdk_elasticloadbalancingv2::types::{Matcher, ProtocolEnum, TargetGroup as Live, TargetGroupAttribute};
use rcm_engine::model::{Actions, Deployment, Fault, FaultKind, Id, Known, Observed, Owned, Ref, Resource};
use serde::{Deserialize, Serialize};

use super::{
    batch::{each, in_order},
    ec2_vpc::Vpc,
    elb::{claim, listed, ours, tagged},
};
use crate::{
    Aws,
    classify::{absent, fault, missing},
    identity::physical_name,
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

const SERVICE: &str = "elasticloadbalancing";
/// The longest name that Elastic Load Balancing takes.
pub(crate) const NAME_LIMIT: usize = 32;
const DEREGISTRATION_DELAY: &str = "deregistration_delay.timeout_seconds";

/// What a target group should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The name.
    pub name: String,
    /// The port that targets listen on, unless they are registered with another.
    pub port: u16,
    /// What is spoken to targets (`HTTP`).
    pub protocol: String,
    /// The VPC that targets are in.
    pub vpc: Ref<Vpc>,
    /// What a target is (`ip` for Fargate).
    pub target_type: String,
    /// How health is checked.
    pub health_check: HealthCheck,
    /// How long a target that is leaving may finish its requests, in seconds.
    pub deregistration_delay: u16,
}

/// How health is checked, over the targets' own port and protocol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthCheck {
    /// The path that is asked (`/health`).
    pub path: String,
    /// The HTTP codes that mean healthy (`200`, `200-299`).
    pub matcher: String,
    /// How often, in seconds.
    pub interval: u16,
    /// How long an answer may take, in seconds.
    pub timeout: u16,
    /// How many good answers in a row make a target healthy.
    pub healthy_threshold: u16,
    /// How many bad answers in a row make it unhealthy.
    pub unhealthy_threshold: u16,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `arn:aws:elasticloadbalancing:…:targetgroup/…`
    pub target_group_arn: String,
}

/// A target group.
pub struct TargetGroup;

impl Resource for TargetGroup {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "elb/target-group";
    const REPLACE_ON: &'static [&'static str] = &["name", "port", "protocol", "vpc", "target_type"];
    const TAGGED: bool = true;

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let check = &spec.health_check;
        let request = cx.cloud.elb.create_target_group();
        let request = request.name(physical_name(cx.identity, &spec.name, NAME_LIMIT)).port(spec.port.into());
        let request = request.protocol(spec.protocol.as_str().into()).vpc_id(cx.id(&spec.vpc)?.as_str());
        let request = request.target_type(spec.target_type.as_str().into()).health_check_enabled(true);
        let request = request.health_check_protocol(ProtocolEnum::Http).health_check_path(&check.path);
        let request = request.health_check_interval_seconds(check.interval.into());
        let request = request.health_check_timeout_seconds(check.timeout.into());
        let request = request.healthy_threshold_count(check.healthy_threshold.into());
        let request = request.unhealthy_threshold_count(check.unhealthy_threshold.into());
        let request = request.matcher(matcher(check)).set_tags(Some(tagged(cx.identity)));
        let answer = request.send().await.map_err(fault(SERVICE, "CreateTargetGroup"))?;
        let arn = answer.target_groups().first().and_then(|group| group.target_group_arn());
        arn.map(Id::from).ok_or_else(|| missing(SERVICE, "CreateTargetGroup", "TargetGroupArn"))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        if cx.changes("health_check") && !cx.creating() {
            check_health(cx, id, &spec.health_check).await?;
        }
        if !cx.changes("deregistration_delay") {
            return Ok(());
        }
        let delay = TargetGroupAttribute::builder().key(DEREGISTRATION_DELAY);
        let delay = delay.value(spec.deregistration_delay.to_string()).build();
        let request = cx.cloud.elb.modify_target_group_attributes().target_group_arn(id.as_str()).attributes(delay);
        request.send().await.map(drop).map_err(fault(SERVICE, "ModifyTargetGroupAttributes"))
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let Some(groups) = absent(describe(cx.cloud, &[id]).await)? else { return Ok(None) };
        let Some(seen) = groups.first().map(observe) else { return Ok(None) };
        if !cx.reads_everything() {
            return Ok(Some(seen));
        }
        let request = cx.cloud.elb.describe_target_group_attributes().target_group_arn(id.as_str());
        let answer = request.send().await.map_err(fault(SERVICE, "DescribeTargetGroupAttributes"))?;
        let delay = answer.attributes().iter().find(|attribute| attribute.key() == Some(DEREGISTRATION_DELAY));
        Ok(Some(match delay.and_then(|delay| delay.value()?.parse::<u16>().ok()) {
            Some(delay) => seen.see("deregistration_delay", delay),
            None => seen,
        }))
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        let Some(first) = known.first().filter(|first| !first.cx.reads_everything()) else {
            return each::<Self>(known).await;
        };
        let ids: Vec<_> = known.iter().map(|known| known.id).collect();
        match describe(first.cx.cloud, &ids).await {
            // One that is gone fails the others, and does not say which it is.
            Err(fault) if fault.kind == FaultKind::NotFound => each::<Self>(known).await,
            groups => Ok(in_order(&ids, groups?, |group| group.target_group_arn(), observe)),
        }
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let request = cx.cloud.elb.describe_target_groups().names(physical_name(cx.identity, &spec.name, NAME_LIMIT));
        let answer = absent(request.send().await.map_err(fault(SERVICE, "DescribeTargetGroups")))?;
        let groups = answer.and_then(|answer| answer.target_groups).unwrap_or_default();
        let arns = groups.into_iter().filter_map(|group| group.target_group_arn).collect();
        Ok(ours(cx.cloud, cx.identity, arns).await?.map(Id::from))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let request = cx.cloud.elb.delete_target_group().target_group_arn(id.as_str());
        request.send().await.map(drop).map_err(fault(SERVICE, "DeleteTargetGroup"))
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let pages = aws.elb.describe_target_groups().into_paginator().items().send();
        let all = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault(SERVICE, "DescribeTargetGroups"))?;
        listed(aws, deployment, all.into_iter().filter_map(|found| found.target_group_arn).collect()).await
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        claim(cx, id).await
    }

    fn fits(cx: &Cx<'_>, id: &Id, spec: &Spec) -> bool {
        let name = physical_name(cx.identity, &spec.name, NAME_LIMIT);
        id.as_str().contains(&format!(":targetgroup/{name}/"))
    }

    fn actions() -> Actions {
        Actions {
            write: &[
                "elasticloadbalancing:CreateTargetGroup",
                "elasticloadbalancing:AddTags",
                "elasticloadbalancing:ModifyTargetGroup",
                "elasticloadbalancing:ModifyTargetGroupAttributes",
                "ec2:DescribeVpcs",
            ],
            read: &[
                "elasticloadbalancing:DescribeTargetGroups",
                "elasticloadbalancing:DescribeTargetGroupAttributes",
                "elasticloadbalancing:DescribeTags",
            ],
            delete: &["elasticloadbalancing:DeleteTargetGroup"],
        }
    }
}

fn matcher(check: &HealthCheck) -> Matcher {
    Matcher::builder().http_code(&check.matcher).build()
}

async fn check_health(cx: &Cx<'_>, id: &Id, check: &HealthCheck) -> Result<(), Fault> {
    let request = cx.cloud.elb.modify_target_group().target_group_arn(id.as_str());
    let request = request.health_check_path(&check.path).matcher(matcher(check));
    let request = request.health_check_interval_seconds(check.interval.into());
    let request = request.health_check_timeout_seconds(check.timeout.into());
    let request = request.healthy_threshold_count(check.healthy_threshold.into());
    let request = request.unhealthy_threshold_count(check.unhealthy_threshold.into());
    request.send().await.map(drop).map_err(fault(SERVICE, "ModifyTargetGroup"))
}

async fn describe(aws: &Aws, ids: &[&Id]) -> Result<Vec<Live>, Fault> {
    let arns = ids.iter().map(ToString::to_string).collect();
    let pages = aws.elb.describe_target_groups().set_target_group_arns(Some(arns)).into_paginator().items().send();
    pages.collect::<Result<Vec<_>, _>>().await.map_err(fault(SERVICE, "DescribeTargetGroups"))
}

fn observe(group: &Live) -> Observed<Outputs> {
    let outputs = Outputs { target_group_arn: group.target_group_arn().unwrap_or_default().to_owned() };
    let seen = Observed::new(outputs)
        .see("port", group.port())
        .see("protocol", group.protocol().map(|protocol| protocol.as_str()))
        .see("vpc", group.vpc_id())
        .see("target_type", group.target_type().map(|kind| kind.as_str()));
    match health_check(group) {
        Some(check) => seen.see("health_check", check),
        None => seen,
    }
}

/// `None` where the answer lacks a part of it.
fn health_check(group: &Live) -> Option<HealthCheck> {
    let small = |number: Option<i32>| number.and_then(|number| u16::try_from(number).ok());
    Some(HealthCheck {
        path: group.health_check_path()?.to_owned(),
        matcher: group.matcher()?.http_code()?.to_owned(),
        interval: small(group.health_check_interval_seconds())?,
        timeout: small(group.health_check_timeout_seconds())?,
        healthy_threshold: small(group.healthy_threshold_count())?,
        unhealthy_threshold: small(group.unhealthy_threshold_count())?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_health_check_reads_as_a_spec_would_say_it() {
        let group = Live::builder()
            .health_check_path("/health")
            .matcher(Matcher::builder().http_code("200-299").build())
            .health_check_interval_seconds(30)
            .health_check_timeout_seconds(5)
            .healthy_threshold_count(2)
            .unhealthy_threshold_count(3);
        let check = health_check(&group.clone().build()).unwrap();
        assert_eq!((check.path.as_str(), check.matcher.as_str()), ("/health", "200-299"));
        assert_eq!((check.interval, check.timeout), (30, 5));
        assert_eq!((check.healthy_threshold, check.unhealthy_threshold), (2, 3));
        assert_eq!(health_check(&group.set_matcher(None).build()), None);
    }
}
