//! A subnet: one range of the VPC's addresses in one availability zone.
//!
//! API: [CreateSubnet](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSubnet.html),
//! [ModifySubnetAttribute](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySubnetAttribute.html).
//!
//! Surprises: no client token, so a lost answer is looked up by tags. Deleting one answers `DependencyViolation` for
//! minutes after the last load balancer or task in it is gone, until AWS has released its network interfaces. A new one hands
//! out no public addresses, unless it is the default one of its zone, which is never ours.

use aws_sdk_ec2::types::{AttributeBooleanValue, ResourceType};
use rcm_engine::model::{Actions, Deployment, Fault, Id, Known, Observed, Owned, Pace, Ref, Resource};
use serde::{Deserialize, Serialize};

use super::{
    batch::in_order,
    ec2::{claim, filter, listed, of, owned, tagged},
    ec2_holders::{self, Held},
    ec2_vpc::Vpc,
};
use crate::{
    Aws,
    classify::{fault, missing},
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// What a subnet should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The VPC it is part of.
    pub vpc: Ref<Vpc>,
    /// The address range, in CIDR notation.
    pub cidr: String,
    /// The availability zone (`us-east-1a`).
    pub zone: String,
    /// Whether what starts in it gets a public address without asking.
    #[serde(default)]
    pub map_public_ip_on_launch: bool,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `subnet-…`
    pub subnet_id: String,
}

/// A subnet.
pub struct Subnet;

impl Resource for Subnet {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "ec2/subnet";
    const REPLACE_ON: &'static [&'static str] = &["vpc", "cidr", "zone"];
    const TAGGED: bool = true;
    const PACE: Pace = Pace::QUICK;

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let request = cx.cloud.ec2.create_subnet().vpc_id(cx.id(&spec.vpc)?.as_str());
        let request = request.cidr_block(&spec.cidr).availability_zone(&spec.zone);
        let request = request.tag_specifications(tagged(ResourceType::Subnet, cx.identity));
        let answer = request.send().await.map_err(fault("ec2", "CreateSubnet"))?;
        let id = answer.subnet().and_then(|subnet| subnet.subnet_id());
        id.map(Id::from).ok_or_else(|| missing("ec2", "CreateSubnet", "SubnetId"))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        if !cx.changes("map_public_ip_on_launch") || (cx.creating() && !spec.map_public_ip_on_launch) {
            return Ok(());
        }
        let value = AttributeBooleanValue::builder().value(spec.map_public_ip_on_launch).build();
        let request = cx.cloud.ec2.modify_subnet_attribute().subnet_id(id.as_str()).map_public_ip_on_launch(value);
        request.send().await.map(drop).map_err(fault("ec2", "ModifySubnetAttribute"))
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        Ok(describe(cx.cloud, &[id]).await?.remove(0))
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        let Some(first) = known.first() else { return Ok(Vec::new()) };
        describe(first.cx.cloud, &known.iter().map(|known| known.id).collect::<Vec<_>>()).await
    }

    async fn find(cx: &Cx<'_>, _: &Spec) -> Result<Option<Id>, Fault> {
        let request = cx.cloud.ec2.describe_subnets().set_filters(Some(owned(cx.identity)));
        let answer = request.send().await.map_err(fault("ec2", "DescribeSubnets"))?;
        Ok(answer.subnets().first().and_then(|subnet| subnet.subnet_id()).map(Id::from))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let request = cx.cloud.ec2.delete_subnet().subnet_id(id.as_str());
        let deleted = request.send().await.map(drop).map_err(fault("ec2", "DeleteSubnet"));
        ec2_holders::named(cx.cloud, Held::Subnet, id, deleted).await
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let request = aws.ec2.describe_subnets().set_filters(Some(of(deployment)));
        let pages = request.into_paginator().items().send();
        let all = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("ec2", "DescribeSubnets"))?;
        Ok(all.iter().filter_map(|subnet| listed(deployment, subnet.subnet_id(), subnet.tags())).collect())
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        claim(cx, id).await
    }

    fn actions() -> Actions {
        Actions {
            write: &["ec2:CreateSubnet", "ec2:CreateTags", "ec2:DescribeTags", "ec2:ModifySubnetAttribute"],
            read: &["ec2:DescribeSubnets"],
            delete: &["ec2:DeleteSubnet", "ec2:DescribeNetworkInterfaces"],
        }
    }
}

async fn describe(aws: &Aws, ids: &[&Id]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
    // By filter, not by id: one id that is gone would fail the whole call.
    let request = aws.ec2.describe_subnets().filters(filter("subnet-id", ids.iter().map(ToString::to_string)));
    let pages = request.into_paginator().items().send();
    let subnets = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("ec2", "DescribeSubnets"))?;
    Ok(in_order(ids, subnets, |subnet| subnet.subnet_id(), |subnet| {
        Observed::new(Outputs { subnet_id: subnet.subnet_id().unwrap_or_default().to_owned() })
            .see("vpc", subnet.vpc_id())
            .see("cidr", subnet.cidr_block())
            .see("zone", subnet.availability_zone())
            .see("map_public_ip_on_launch", subnet.map_public_ip_on_launch().unwrap_or(false))
    }))
}
