//! An internet gateway: the VPC's door to the internet, attached to it.
//!
//! API: [CreateInternetGateway](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateInternetGateway.html),
//! [AttachInternetGateway](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AttachInternetGateway.html).
//!
//! Surprises: no client token. A VPC takes one gateway, and detaching answers `DependencyViolation` for minutes while an
//! address of the VPC is still mapped; so another VPC means another gateway, not the same one moved.

use aws_sdk_ec2::types::{InternetGateway as Gateway, ResourceType};
use rcm_engine::model::{Actions, Deployment, Fault, Id, Known, Observed, Owned, Ref, Resource};
use serde::{Deserialize, Serialize};

use super::{
    batch::in_order,
    ec2::{claim, filter, listed, of, owned, tagged},
    ec2_vpc::Vpc,
};
use crate::{
    Aws,
    classify::{absent, fault, missing},
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// What an internet gateway should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The VPC it is attached to.
    pub vpc: Ref<Vpc>,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `igw-…`
    pub internet_gateway_id: String,
}

/// An internet gateway.
pub struct InternetGateway;

impl Resource for InternetGateway {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "ec2/internet-gateway";
    const REPLACE_ON: &'static [&'static str] = &["vpc"];
    const TAGGED: bool = true;

    async fn create(cx: &Cx<'_>, _: &Spec) -> Result<Id, Fault> {
        let request = cx.cloud.ec2.create_internet_gateway();
        let request = request.tag_specifications(tagged(ResourceType::InternetGateway, cx.identity));
        let answer = request.send().await.map_err(fault("ec2", "CreateInternetGateway"))?;
        let id = answer.internet_gateway().and_then(|gateway| gateway.internet_gateway_id());
        id.map(Id::from).ok_or_else(|| missing("ec2", "CreateInternetGateway", "InternetGatewayId"))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        let vpc = cx.id(&spec.vpc)?;
        if attached_to(cx, id).await?.iter().any(|attached| attached == vpc.as_str()) {
            return Ok(());
        }
        let request = cx.cloud.ec2.attach_internet_gateway().internet_gateway_id(id.as_str()).vpc_id(vpc.as_str());
        request.send().await.map(drop).map_err(fault("ec2", "AttachInternetGateway"))
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        Ok(describe(cx.cloud, &[id]).await?.remove(0))
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        let Some(first) = known.first() else { return Ok(Vec::new()) };
        describe(first.cx.cloud, &known.iter().map(|known| known.id).collect::<Vec<_>>()).await
    }

    async fn find(cx: &Cx<'_>, _: &Spec) -> Result<Option<Id>, Fault> {
        let request = cx.cloud.ec2.describe_internet_gateways().set_filters(Some(owned(cx.identity)));
        let answer = request.send().await.map_err(fault("ec2", "DescribeInternetGateways"))?;
        Ok(answer.internet_gateways().first().and_then(|gateway| gateway.internet_gateway_id()).map(Id::from))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        for vpc in attached_to(cx, id).await? {
            let request = cx.cloud.ec2.detach_internet_gateway().internet_gateway_id(id.as_str()).vpc_id(vpc);
            absent(request.send().await.map_err(fault("ec2", "DetachInternetGateway")))?;
        }
        let request = cx.cloud.ec2.delete_internet_gateway().internet_gateway_id(id.as_str());
        request.send().await.map(drop).map_err(fault("ec2", "DeleteInternetGateway"))
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let request = aws.ec2.describe_internet_gateways().set_filters(Some(of(deployment)));
        let pages = request.into_paginator().items().send();
        let all = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("ec2", "DescribeInternetGateways"))?;
        Ok(all.iter().filter_map(|gateway| listed(deployment, gateway.internet_gateway_id(), gateway.tags())).collect())
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        claim(cx, id).await
    }

    fn actions() -> Actions {
        Actions {
            write: &["ec2:CreateInternetGateway", "ec2:CreateTags", "ec2:DescribeTags", "ec2:AttachInternetGateway"],
            read: &["ec2:DescribeInternetGateways"],
            delete: &["ec2:DetachInternetGateway", "ec2:DeleteInternetGateway"],
        }
    }
}

/// The VPCs it is attached to: none or one.
async fn attached_to(cx: &Cx<'_>, id: &Id) -> Result<Vec<String>, Fault> {
    let request = cx.cloud.ec2.describe_internet_gateways().internet_gateway_ids(id.as_str());
    let answer = request.send().await.map_err(fault("ec2", "DescribeInternetGateways"))?;
    let attachments = answer.internet_gateways().iter().flat_map(Gateway::attachments);
    Ok(attachments.filter_map(|attachment| attachment.vpc_id().map(str::to_owned)).collect())
}

async fn describe(aws: &Aws, ids: &[&Id]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
    let by_id = filter("internet-gateway-id", ids.iter().map(ToString::to_string));
    let pages = aws.ec2.describe_internet_gateways().filters(by_id).into_paginator().items().send();
    let gateways = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("ec2", "DescribeInternetGateways"))?;
    Ok(in_order(ids, gateways, |gateway| gateway.internet_gateway_id(), |gateway| {
        let id = gateway.internet_gateway_id().unwrap_or_default().to_owned();
        let vpc = gateway.attachments().first().and_then(|attachment| attachment.vpc_id());
        Observed::new(Outputs { internet_gateway_id: id }).see("vpc", vpc)
    }))
}
