//! An application load balancer: the one door from the internet.
//!
//! API: [CreateLoadBalancer](https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html),
//! [ModifyLoadBalancerAttributes](https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyLoadBalancerAttributes.html).
//!
//! Surprises:
//! - No client token; the name is unique in account and region.
//! - Attributes are set after the create. Turning access logs on makes AWS write a test object, so the bucket's policy has
//!   to be there first, and a fresh one may be refused for some seconds.
//! - Access logs go only to buckets encrypted with SSE-S3, never with a KMS key.
//! - An internet-facing one needs the VPC's internet gateway to be attached.
//! - After the delete its network interfaces hold on to subnets and security groups for up to five minutes.

use aws_sdk_elasticloadbalancingv2::types::{
    LoadBalancer as Live, LoadBalancerAttribute, LoadBalancerStateEnum, LoadBalancerTypeEnum,
};
use rcm_engine::model::{Actions, Deployment, Fault, FaultKind, Id, Known, Observed, Owned, Pace, Readiness, Ref, Resource};
use serde::{Deserialize, Serialize};

use super::{
    batch::{each, in_order},
    ec2_subnet::Subnet,
    elb::{claim, listed, ours, tagged},
    ec2_security_group::SecurityGroup,
    s3_bucket::Bucket,
};
use crate::{
    Aws,
    classify::{absent, fault, gone, missing},
    identity::physical_name,
};

mod attributes;

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

const SERVICE: &str = "elasticloadbalancing";
/// The longest name that Elastic Load Balancing takes.
pub(crate) const NAME_LIMIT: usize = 32;

/// What a load balancer should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The name.
    pub name: String,
    /// Who can reach it (`internet-facing`, `internal`).
    pub scheme: String,
    /// The addresses it has (`ipv4`, `dualstack`).
    pub ip_address_type: String,
    /// The subnets it stands in, in two availability zones or more.
    pub subnets: Vec<Ref<Subnet>>,
    /// What may reach it and what it may reach.
    pub security_groups: Vec<Ref<SecurityGroup>>,
    /// Where its access logs go; not logged if `None`.
    pub access_logs: Option<AccessLogs>,
    /// Whether AWS refuses to delete it. rcm lifts this itself when it is told to destroy.
    pub deletion_protection: bool,
    /// Whether header fields that HTTP does not allow are dropped.
    pub drop_invalid_headers: bool,
    /// How requests that may be read in two ways are treated (`defensive`, `strictest`, `monitor`).
    pub desync_mitigation: String,
    /// Whether clients may speak HTTP/2.
    pub http2: bool,
    /// After how many seconds a silent connection is closed.
    pub idle_timeout: u16,
}

/// Where access logs go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessLogs {
    /// The bucket, encrypted with SSE-S3, whose policy lets the load balancer's logs in.
    pub bucket: Ref<Bucket>,
    /// What object names begin with, before `/AWSLogs/`; may be empty.
    pub prefix: String,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `arn:aws:elasticloadbalancing:…:loadbalancer/app/…`
    pub load_balancer_arn: String,
    /// The name to point a domain at.
    pub dns_name: String,
    /// The Route 53 zone of `dns_name`, for alias records.
    pub hosted_zone_id: String,
}

/// An application load balancer.
pub struct LoadBalancer;

impl Resource for LoadBalancer {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "elb/load-balancer";
    const REPLACE_ON: &'static [&'static str] = &["name", "scheme"];
    const TAGGED: bool = true;
    const PACE: Pace = Pace::slow(150, 900).gone_within(600);

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let request = cx.cloud.elb.create_load_balancer().r#type(LoadBalancerTypeEnum::Application);
        let request = request.name(physical_name(cx.identity, &spec.name, NAME_LIMIT));
        let request = request.scheme(spec.scheme.as_str().into());
        let request = request.ip_address_type(spec.ip_address_type.as_str().into());
        let request = request.set_subnets(Some(ids(cx, &spec.subnets)?));
        let request = request.set_security_groups(Some(ids(cx, &spec.security_groups)?));
        let request = request.set_tags(Some(tagged(cx.identity)));
        let answer = request.send().await.map_err(fault(SERVICE, "CreateLoadBalancer"))?;
        let arn = answer.load_balancers().first().and_then(|balancer| balancer.load_balancer_arn());
        arn.map(Id::from).ok_or_else(|| missing(SERVICE, "CreateLoadBalancer", "LoadBalancerArn"))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        if !cx.creating() {
            place(cx, id, spec).await?;
        }
        set(cx.cloud, id, attributes::changed(cx, spec)?).await
    }

    async fn ready(cx: &Cx<'_>, id: &Id) -> Result<Readiness, Fault> {
        let found = absent(describe(cx.cloud, &[id]).await)?.unwrap_or_default();
        Ok(found.first().map_or_else(|| Readiness::Pending("not visible yet".into()), readiness))
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let found = absent(describe(cx.cloud, &[id]).await)?.unwrap_or_default();
        let Some(seen) = found.first().map(observe) else { return Ok(None) };
        if !cx.reads_everything() {
            return Ok(Some(seen));
        }
        let request = cx.cloud.elb.describe_load_balancer_attributes().load_balancer_arn(id.as_str());
        let answer = request.send().await.map_err(fault(SERVICE, "DescribeLoadBalancerAttributes"))?;
        Ok(Some(attributes::observe(seen, answer.attributes())))
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        let Some(first) = known.first().filter(|first| !first.cx.reads_everything()) else {
            return each::<Self>(known).await;
        };
        let ids: Vec<_> = known.iter().map(|known| known.id).collect();
        match describe(first.cx.cloud, &ids).await {
            // One that is gone fails the others, and does not say which it is.
            Err(fault) if fault.kind == FaultKind::NotFound => each::<Self>(known).await,
            balancers => Ok(in_order(&ids, balancers?, |balancer| balancer.load_balancer_arn(), observe)),
        }
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let request = cx.cloud.elb.describe_load_balancers().names(physical_name(cx.identity, &spec.name, NAME_LIMIT));
        let answer = absent(request.send().await.map_err(fault(SERVICE, "DescribeLoadBalancers")))?;
        let balancers = answer.and_then(|answer| answer.load_balancers).unwrap_or_default();
        let arns = balancers.into_iter().filter_map(|balancer| balancer.load_balancer_arn).collect();
        Ok(ours(cx.cloud, cx.identity, arns).await?.map(Id::from))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        set(cx.cloud, id, vec![attributes::unprotected()]).await.or_else(gone)?;
        let request = cx.cloud.elb.delete_load_balancer().load_balancer_arn(id.as_str());
        request.send().await.map(drop).map_err(fault(SERVICE, "DeleteLoadBalancer"))
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let pages = aws.elb.describe_load_balancers().into_paginator().items().send();
        let all = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault(SERVICE, "DescribeLoadBalancers"))?;
        listed(aws, deployment, all.into_iter().filter_map(|found| found.load_balancer_arn).collect()).await
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        claim(cx, id).await
    }

    fn fits(cx: &Cx<'_>, id: &Id, spec: &Spec) -> bool {
        let name = physical_name(cx.identity, &spec.name, NAME_LIMIT);
        id.as_str().contains(&format!(":loadbalancer/app/{name}/"))
    }

    fn actions() -> Actions {
        Actions {
            write: &[
                "elasticloadbalancing:CreateLoadBalancer",
                "elasticloadbalancing:AddTags",
                "elasticloadbalancing:ModifyLoadBalancerAttributes",
                "elasticloadbalancing:SetIpAddressType",
                "elasticloadbalancing:SetSecurityGroups",
                "elasticloadbalancing:SetSubnets",
                // The first load balancer of an account makes the service's own role.
                "iam:CreateServiceLinkedRole",
                "ec2:DescribeAccountAttributes",
                "ec2:DescribeAvailabilityZones",
                "ec2:DescribeInternetGateways",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
                "ec2:DescribeVpcs",
            ],
            read: &[
                "elasticloadbalancing:DescribeLoadBalancers",
                "elasticloadbalancing:DescribeLoadBalancerAttributes",
                "elasticloadbalancing:DescribeTags",
            ],
            delete: &["elasticloadbalancing:DeleteLoadBalancer", "elasticloadbalancing:ModifyLoadBalancerAttributes"],
        }
    }
}

fn ids<R>(cx: &Cx<'_>, targets: &[Ref<R>]) -> Result<Vec<String>, Fault> {
    targets.iter().map(|target| Ok(cx.id(target)?.to_string())).collect()
}

/// Brings what a create sends along in line on an update.
async fn place(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
    let elb = &cx.cloud.elb;
    if cx.changes("subnets") {
        let request = elb.set_subnets().load_balancer_arn(id.as_str()).set_subnets(Some(ids(cx, &spec.subnets)?));
        request.send().await.map_err(fault(SERVICE, "SetSubnets"))?;
    }
    if cx.changes("ip_address_type") {
        let request = elb.set_ip_address_type().load_balancer_arn(id.as_str());
        let request = request.ip_address_type(spec.ip_address_type.as_str().into());
        request.send().await.map_err(fault(SERVICE, "SetIpAddressType"))?;
    }
    if cx.changes("security_groups") {
        let request = elb.set_security_groups().load_balancer_arn(id.as_str());
        let request = request.set_security_groups(Some(ids(cx, &spec.security_groups)?));
        request.send().await.map_err(fault(SERVICE, "SetSecurityGroups"))?;
    }
    Ok(())
}

async fn set(aws: &Aws, id: &Id, attributes: Vec<LoadBalancerAttribute>) -> Result<(), Fault> {
    if attributes.is_empty() {
        return Ok(());
    }
    let request = aws.elb.modify_load_balancer_attributes().load_balancer_arn(id.as_str());
    let request = request.set_attributes(Some(attributes));
    request.send().await.map(drop).map_err(fault(SERVICE, "ModifyLoadBalancerAttributes"))
}

async fn describe(aws: &Aws, ids: &[&Id]) -> Result<Vec<Live>, Fault> {
    let arns = ids.iter().map(ToString::to_string).collect();
    let pages = aws.elb.describe_load_balancers().set_load_balancer_arns(Some(arns)).into_paginator().items().send();
    pages.collect::<Result<Vec<_>, _>>().await.map_err(fault(SERVICE, "DescribeLoadBalancers"))
}

fn readiness(balancer: &Live) -> Readiness {
    let state = balancer.state();
    match state.and_then(|state| state.code()) {
        // Impaired means that it has too few resources to grow further, not that it does not work.
        Some(LoadBalancerStateEnum::Active | LoadBalancerStateEnum::ActiveImpaired) => Readiness::Ready,
        Some(LoadBalancerStateEnum::Failed) => {
            let why = state.and_then(|state| state.reason()).unwrap_or("AWS gives no reason");
            Readiness::Failed(format!("the load balancer failed: {why}"))
        }
        other => Readiness::Pending(other.map_or("provisioning", |code| code.as_str()).to_owned()),
    }
}

fn observe(balancer: &Live) -> Observed<Outputs> {
    let subnets = balancer.availability_zones().iter().filter_map(|zone| zone.subnet_id());
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let outputs = Outputs {
        load_balancer_arn: text(balancer.load_balancer_arn()),
        dns_name: text(balancer.dns_name()),
        hosted_zone_id: text(balancer.canonical_hosted_zone_id()),
    };
    Observed::new(outputs)
        .see("scheme", balancer.scheme().map(|scheme| scheme.as_str()))
        .see("ip_address_type", balancer.ip_address_type().map(|kind| kind.as_str()))
        .see("subnets", subnets.collect::<Vec<_>>())
        .see("security_groups", balancer.security_groups())
}

#[cfg(test)]
mod tests {
    use aws_sdk_elasticloadbalancingv2::types::LoadBalancerState;

    use super::*;

    #[test]
    fn a_load_balancer_that_works_is_ready_also_when_it_cannot_grow() {
        let in_state = |code| {
            let state = LoadBalancerState::builder().code(code).reason("no address").build();
            readiness(&Live::builder().state(state).build())
        };
        assert_eq!(in_state(LoadBalancerStateEnum::Active), Readiness::Ready);
        assert_eq!(in_state(LoadBalancerStateEnum::ActiveImpaired), Readiness::Ready);
        assert_eq!(in_state(LoadBalancerStateEnum::Provisioning), Readiness::Pending("provisioning".into()));
        assert_eq!(in_state(LoadBalancerStateEnum::Failed), Readiness::Failed("the load balancer failed: no address".into()));
    }
}
