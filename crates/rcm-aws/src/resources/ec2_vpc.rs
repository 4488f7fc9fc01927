//! A virtual private cloud: the partner's own network.
//!
//! API: [CreateVpc](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpc.html),
//! [ModifyVpcAttribute](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVpcAttribute.html).
//!
//! Surprises: CreateVpc takes no client token, so a lost answer is looked up by tags. ModifyVpcAttribute changes one attribute a
//! call. AWS makes a default security group that lets its members talk to each other; nothing of ours is in it, and
//! Security Hub EC2.2 wants it empty.

use aws_sdk_ec2::types::{AttributeBooleanValue, ResourceType, SecurityGroup, VpcAttributeName};
use rcm_engine::model::{Actions, Deployment, Fault, Id, Observed, Owned, Resource};
use serde::{Deserialize, Serialize};

use super::{
    ec2::{claim, filter, listed, of, owned, tagged},
    ec2_holders::{self, Held},
};
use crate::{
    Aws,
    classify::{fault, missing},
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// What a VPC should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The address range, in CIDR notation.
    pub cidr: String,
    /// Whether the VPC resolves names at all.
    pub dns_support: bool,
    /// Whether instances and endpoints get DNS names.
    pub dns_hostnames: bool,
    /// Whether the security group that AWS makes with the VPC has no rules.
    pub default_group_empty: bool,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `vpc-…`
    pub vpc_id: String,
}

/// A VPC.
pub struct Vpc;

impl Resource for Vpc {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "ec2/vpc";
    const REPLACE_ON: &'static [&'static str] = &["cidr"];
    const TAGGED: bool = true;

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let request = cx.cloud.ec2.create_vpc().cidr_block(&spec.cidr);
        let request = request.tag_specifications(tagged(ResourceType::Vpc, cx.identity));
        let answer = request.send().await.map_err(fault("ec2", "CreateVpc"))?;
        let id = answer.vpc().and_then(|vpc| vpc.vpc_id());
        id.map(Id::from).ok_or_else(|| missing("ec2", "CreateVpc", "VpcId"))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        if cx.changes("dns_support") {
            set_attribute(cx, id, Attribute::Support, spec.dns_support).await?;
        }
        if cx.changes("dns_hostnames") {
            set_attribute(cx, id, Attribute::Hostnames, spec.dns_hostnames).await?;
        }
        if cx.changes("default_group_empty") && spec.default_group_empty {
            empty_default_group(cx, id).await?;
        }
        Ok(())
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let request = cx.cloud.ec2.describe_vpcs().filters(filter("vpc-id", [id.to_string()]));
        let answer = request.send().await.map_err(fault("ec2", "DescribeVpcs"))?;
        let Some(vpc) = answer.vpcs().first() else { return Ok(None) };
        let seen = Observed::new(Outputs { vpc_id: id.to_string() }).see("cidr", vpc.cidr_block());
        if !cx.reads_everything() {
            return Ok(Some(seen));
        }
        let group = default_group(cx, id).await?;
        let empty = group.is_none_or(|group| group.ip_permissions().is_empty() && group.ip_permissions_egress().is_empty());
        Ok(Some(
            seen.see("dns_support", attribute(cx, id, Attribute::Support).await?)
                .see("dns_hostnames", attribute(cx, id, Attribute::Hostnames).await?)
                .see("default_group_empty", empty),
        ))
    }

    async fn find(cx: &Cx<'_>, _: &Spec) -> Result<Option<Id>, Fault> {
        let request = cx.cloud.ec2.describe_vpcs().set_filters(Some(owned(cx.identity)));
        let answer = request.send().await.map_err(fault("ec2", "DescribeVpcs"))?;
        Ok(answer.vpcs().first().and_then(|vpc| vpc.vpc_id()).map(Id::from))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let request = cx.cloud.ec2.delete_vpc().vpc_id(id.as_str());
        let deleted = request.send().await.map(drop).map_err(fault("ec2", "DeleteVpc"));
        ec2_holders::named(cx.cloud, Held::Vpc, id, deleted).await
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let request = aws.ec2.describe_vpcs().set_filters(Some(of(deployment)));
        let pages = request.into_paginator().items().send();
        let all = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("ec2", "DescribeVpcs"))?;
        Ok(all.iter().filter_map(|vpc| listed(deployment, vpc.vpc_id(), vpc.tags())).collect())
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        claim(cx, id).await
    }

    fn actions() -> Actions {
        Actions {
            write: &[
                "ec2:CreateVpc",
                "ec2:CreateTags",
                "ec2:DescribeTags",
                "ec2:ModifyVpcAttribute",
                "ec2:RevokeSecurityGroupIngress",
                "ec2:RevokeSecurityGroupEgress",
            ],
            read: &["ec2:DescribeVpcs", "ec2:DescribeVpcAttribute", "ec2:DescribeSecurityGroups"],
            delete: &[
                "ec2:DeleteVpc",
                "ec2:DescribeInternetGateways",
                "ec2:DescribeNetworkAcls",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeRouteTables",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
                "ec2:DescribeVpcEndpoints",
            ],
        }
    }
}

#[derive(Clone, Copy)]
enum Attribute {
    Support,
    Hostnames,
}

async fn set_attribute(cx: &Cx<'_>, id: &Id, attribute: Attribute, on: bool) -> Result<(), Fault> {
    let value = AttributeBooleanValue::builder().value(on).build();
    let request = cx.cloud.ec2.modify_vpc_attribute().vpc_id(id.as_str());
    let request = match attribute {
        Attribute::Support => request.enable_dns_support(value),
        Attribute::Hostnames => request.enable_dns_hostnames(value),
    };
    request.send().await.map(drop).map_err(fault("ec2", "ModifyVpcAttribute"))
}

async fn attribute(cx: &Cx<'_>, id: &Id, attribute: Attribute) -> Result<bool, Fault> {
    let name = match attribute {
        Attribute::Support => VpcAttributeName::EnableDnsSupport,
        Attribute::Hostnames => VpcAttributeName::EnableDnsHostnames,
    };
    let request = cx.cloud.ec2.describe_vpc_attribute().vpc_id(id.as_str()).attribute(name);
    let answer = request.send().await.map_err(fault("ec2", "DescribeVpcAttribute"))?;
    let value = match attribute {
        Attribute::Support => answer.enable_dns_support(),
        Attribute::Hostnames => answer.enable_dns_hostnames(),
    };
    Ok(value.and_then(|value| value.value()).unwrap_or(false))
}

async fn default_group(cx: &Cx<'_>, id: &Id) -> Result<Option<SecurityGroup>, Fault> {
    let request = cx.cloud.ec2.describe_security_groups();
    let request = request
        .filters(filter("vpc-id", [id.to_string()]))
        .filters(filter("group-name", ["default".to_owned()]));
    let answer = request.send().await.map_err(fault("ec2", "DescribeSecurityGroups"))?;
    Ok(answer.security_groups.unwrap_or_default().into_iter().next())
}

async fn empty_default_group(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
    let Some(group) = default_group(cx, id).await? else { return Ok(()) };
    let (ingress, egress) = (group.ip_permissions(), group.ip_permissions_egress());
    if !ingress.is_empty() {
        let request = cx.cloud.ec2.revoke_security_group_ingress().set_group_id(group.group_id.clone());
        let request = request.set_ip_permissions(Some(ingress.to_vec()));
        request.send().await.map_err(fault("ec2", "RevokeSecurityGroupIngress"))?;
    }
    if !egress.is_empty() {
        let request = cx.cloud.ec2.revoke_security_group_egress().set_group_id(group.group_id.clone());
        let request = request.set_ip_permissions(Some(egress.to_vec()));
        request.send().await.map_err(fault("ec2", "RevokeSecurityGroupEgress"))?;
    }
    Ok(())
}
