//! An Elastic IP address: a public IPv4 address that stays ours while what stands behind it changes.
//!
//! API: [AllocateAddress](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AllocateAddress.html).
//!
//! Surprises: no client token, and an account gets five by default. The answers are not paged. An address costs money also
//! when nothing uses it, and cannot be released before the NAT gateway that uses it is gone.

use aws_sdk_ec2::types::{Address, DomainType, ResourceType};
use rcm_engine::model::{Actions, Deployment, Fault, Id, Known, Observed, Owned, Resource};
use serde::{Deserialize, Serialize};

use super::{
    batch::in_order,
    ec2::{claim, filter, listed, of, owned, tagged},
};
use crate::{
    Aws,
    classify::{fault, missing},
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// What an address should be: there is nothing to choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `eipalloc-…`
    pub allocation_id: String,
    /// The address itself, for others' allow-lists.
    pub public_ip: String,
}

/// An Elastic IP address.
pub struct ElasticIp;

impl Resource for ElasticIp {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "ec2/elastic-ip";
    const REPLACE_ON: &'static [&'static str] = &[];
    const TAGGED: bool = true;

    async fn create(cx: &Cx<'_>, _: &Spec) -> Result<Id, Fault> {
        let request = cx.cloud.ec2.allocate_address().domain(DomainType::Vpc);
        let request = request.tag_specifications(tagged(ResourceType::ElasticIp, cx.identity));
        let answer = request.send().await.map_err(fault("ec2", "AllocateAddress"))?;
        answer.allocation_id().map(Id::from).ok_or_else(|| missing("ec2", "AllocateAddress", "AllocationId"))
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        Ok(describe(cx.cloud, &[id]).await?.remove(0))
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        let Some(first) = known.first() else { return Ok(Vec::new()) };
        describe(first.cx.cloud, &known.iter().map(|known| known.id).collect::<Vec<_>>()).await
    }

    async fn find(cx: &Cx<'_>, _: &Spec) -> Result<Option<Id>, Fault> {
        let request = cx.cloud.ec2.describe_addresses().set_filters(Some(owned(cx.identity)));
        let answer = request.send().await.map_err(fault("ec2", "DescribeAddresses"))?;
        Ok(answer.addresses().first().and_then(|address| address.allocation_id()).map(Id::from))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let request = cx.cloud.ec2.release_address().allocation_id(id.as_str());
        request.send().await.map(drop).map_err(fault("ec2", "ReleaseAddress"))
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let answer = aws.ec2.describe_addresses().set_filters(Some(of(deployment))).send().await;
        let answer = answer.map_err(fault("ec2", "DescribeAddresses"))?;
        let listed = |address: &Address| listed(deployment, address.allocation_id(), address.tags());
        Ok(answer.addresses().iter().filter_map(listed).collect())
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        claim(cx, id).await
    }

    fn actions() -> Actions {
        Actions {
            write: &["ec2:AllocateAddress", "ec2:CreateTags", "ec2:DescribeTags"],
            read: &["ec2:DescribeAddresses"],
            delete: &["ec2:ReleaseAddress"],
        }
    }
}

async fn describe(aws: &Aws, ids: &[&Id]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
    let request = aws.ec2.describe_addresses().filters(filter("allocation-id", ids.iter().map(ToString::to_string)));
    let answer = request.send().await.map_err(fault("ec2", "DescribeAddresses"))?;
    Ok(in_order(ids, answer.addresses.unwrap_or_default(), |address| address.allocation_id(), |address| {
        Observed::new(Outputs {
            allocation_id: address.allocation_id().unwrap_or_default().to_owned(),
            public_ip: address.public_ip().unwrap_or_default().to_owned(),
        })
    }))
}
