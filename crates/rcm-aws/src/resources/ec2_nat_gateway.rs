//! A NAT gateway: how what has no public address reaches the internet.
//!
//! API: [CreateNatGateway](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNatGateway.html),
//! [NatGateway](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NatGateway.html) for its states.
//!
//! Surprises: most failures are no API error but the state `failed` with a `FailureCode`, and AWS removes a failed gateway by
//! itself within the hour. The VPC's internet gateway must be attached before, or it fails with `Gateway.NotAttached`. It is
//! about 90 s `pending` and as long `deleting`, and holds its address, its subnet and the internet gateway until `deleted`.
//! A deleted one stays visible for an hour.

use aws_sdk_ec2::types::{NatGateway as Gateway, NatGatewayState as State, ResourceType};
use rcm_engine::model::{Actions, Deployment, Fault, Id, Known, Observed, Owned, Pace, Readiness, Ref, Resource};
use serde::{Deserialize, Serialize};

use super::{
    batch::in_order,
    ec2::{claim, filter, listed, of, owned, tagged},
    ec2_elastic_ip::ElasticIp,
    ec2_subnet::Subnet,
};
use crate::{
    Aws,
    classify::{fault, missing},
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// What a NAT gateway should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The public subnet that it stands in.
    pub subnet: Ref<Subnet>,
    /// The address that it speaks with.
    pub address: Ref<ElasticIp>,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `nat-…`
    pub nat_gateway_id: String,
}

/// A NAT gateway.
pub struct NatGateway;

impl Resource for NatGateway {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "ec2/nat-gateway";
    const REPLACE_ON: &'static [&'static str] = &["subnet", "address"];
    const TAGGED: bool = true;
    const PACE: Pace = Pace::slow(90, 600).gone_within(600);

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let request = cx.cloud.ec2.create_nat_gateway().client_token(&cx.identity.token);
        let request = request.subnet_id(cx.id(&spec.subnet)?.as_str()).allocation_id(cx.id(&spec.address)?.as_str());
        let request = request.tag_specifications(tagged(ResourceType::Natgateway, cx.identity));
        let answer = request.send().await.map_err(fault("ec2", "CreateNatGateway"))?;
        let id = answer.nat_gateway().and_then(|gateway| gateway.nat_gateway_id());
        id.map(Id::from).ok_or_else(|| missing("ec2", "CreateNatGateway", "NatGatewayId"))
    }

    async fn ready(cx: &Cx<'_>, id: &Id) -> Result<Readiness, Fault> {
        let request = cx.cloud.ec2.describe_nat_gateways().filter(filter("nat-gateway-id", [id.to_string()]));
        let answer = request.send().await.map_err(fault("ec2", "DescribeNatGateways"))?;
        Ok(answer.nat_gateways().first().map_or_else(|| Readiness::Pending("not visible yet".to_owned()), readiness))
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        Ok(describe(cx.cloud, &[id]).await?.remove(0))
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        let Some(first) = known.first() else { return Ok(Vec::new()) };
        describe(first.cx.cloud, &known.iter().map(|known| known.id).collect::<Vec<_>>()).await
    }

    async fn find(cx: &Cx<'_>, _: &Spec) -> Result<Option<Id>, Fault> {
        let usable = filter("state", ["pending".to_owned(), "available".to_owned()]);
        let request = cx.cloud.ec2.describe_nat_gateways().set_filter(Some(owned(cx.identity))).filter(usable);
        let answer = request.send().await.map_err(fault("ec2", "DescribeNatGateways"))?;
        Ok(answer.nat_gateways().first().and_then(|gateway| gateway.nat_gateway_id()).map(Id::from))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let request = cx.cloud.ec2.delete_nat_gateway().nat_gateway_id(id.as_str());
        request.send().await.map(drop).map_err(fault("ec2", "DeleteNatGateway"))
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let usable = filter("state", ["pending".to_owned(), "available".to_owned()]);
        let request = aws.ec2.describe_nat_gateways().set_filter(Some(of(deployment))).filter(usable);
        let pages = request.into_paginator().items().send();
        let all = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("ec2", "DescribeNatGateways"))?;
        Ok(all.iter().filter_map(|gateway| listed(deployment, gateway.nat_gateway_id(), gateway.tags())).collect())
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        claim(cx, id).await
    }

    fn actions() -> Actions {
        Actions {
            write: &["ec2:CreateNatGateway", "ec2:CreateTags", "ec2:DescribeTags"],
            read: &["ec2:DescribeNatGateways"],
            delete: &["ec2:DeleteNatGateway"],
        }
    }
}

fn readiness(gateway: &Gateway) -> Readiness {
    match gateway.state() {
        Some(State::Available) => Readiness::Ready,
        Some(State::Failed) => {
            let (code, message) = (gateway.failure_code(), gateway.failure_message());
            Readiness::Failed(format!("{}: {}", code.unwrap_or("failed"), message.unwrap_or("AWS gave no reason")))
        }
        Some(state @ (State::Deleting | State::Deleted)) => Readiness::Failed(format!("it is {state} already")),
        state => Readiness::Pending(state.map_or("pending", State::as_str).to_owned()),
    }
}

/// Whether it is, or soon will be, only a memory: a failed gateway passes no traffic and AWS removes it.
fn is_gone(gateway: &Gateway) -> bool {
    matches!(gateway.state(), Some(State::Deleted | State::Failed))
}

async fn describe(aws: &Aws, ids: &[&Id]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
    let request = aws.ec2.describe_nat_gateways().filter(filter("nat-gateway-id", ids.iter().map(ToString::to_string)));
    let pages = request.into_paginator().items().send();
    let mut gateways = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("ec2", "DescribeNatGateways"))?;
    gateways.retain(|gateway| !is_gone(gateway));
    Ok(in_order(ids, gateways, |gateway| gateway.nat_gateway_id(), |gateway| {
        let id = gateway.nat_gateway_id().unwrap_or_default().to_owned();
        // More than one only where somebody added secondary addresses.
        let addresses = gateway.nat_gateway_addresses();
        let primary = addresses.iter().find(|address| address.is_primary() == Some(true)).or(addresses.first());
        Observed::new(Outputs { nat_gateway_id: id })
            .see("subnet", gateway.subnet_id())
            .see("address", primary.and_then(|address| address.allocation_id()))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_gateway_says_why_and_counts_as_gone() {
        let gateway = Gateway::builder()
            .state(State::Failed)
            .failure_code("InsufficientFreeAddressesInSubnet")
            .failure_message("Subnet subnet-1 has insufficient free addresses to create this NAT gateway")
            .build();
        let Readiness::Failed(why) = readiness(&gateway) else { panic!("{:?}", readiness(&gateway)) };
        assert!(why.starts_with("InsufficientFreeAddressesInSubnet: Subnet subnet-1 has"), "{why}");
        assert!(is_gone(&gateway));
    }

    #[test]
    fn a_gateway_that_is_being_deleted_is_not_gone_yet() {
        let gateway = |state: State| Gateway::builder().state(state).build();
        assert!(!is_gone(&gateway(State::Deleting)));
        assert!(is_gone(&gateway(State::Deleted)));
        assert_eq!(readiness(&gateway(State::Pending)), Readiness::Pending("pending".to_owned()));
        assert_eq!(readiness(&gateway(State::Available)), Readiness::Ready);
    }
}
