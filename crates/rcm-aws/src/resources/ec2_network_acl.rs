//! A network ACL: what may enter and leave its subnets, packet by packet, whatever the security groups say.
//!
//! API: [CreateNetworkAcl](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNetworkAcl.html),
//! [CreateNetworkAclEntry](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNetworkAclEntry.html),
//! [ReplaceNetworkAclAssociation](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceNetworkAclAssociation.html).
//!
//! Surprises: it knows no connections, so answers need entries of their own. A subnet always has exactly one ACL: it is moved
//! to another by replacing its association, and one that is let go is given back to the VPC's default ACL, which lets
//! everything through. A new ACL lets nothing through, so its entries come before its subnets. The entry that ends every ACL,
//! number 32767, is AWS's. Protocols are told as numbers, whatever they were given as.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{NetworkAcl as Acl, ResourceType};
use rcm_engine::model::{Actions, Deployment, Fault, Id, Known, Observed, Owned, Ref, Resource};
use serde::{Deserialize, Serialize};

use super::{
    batch::in_order,
    ec2::{claim, filter, listed, of, owned, tagged},
    ec2_network_acl_entry::{live_entries, steps, take},
    ec2_subnet::Subnet,
    ec2_vpc::Vpc,
};
use crate::{
    Aws,
    classify::{absent, fault, missing, refused},
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// What a network ACL should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The VPC it is part of.
    pub vpc: Ref<Vpc>,
    /// Every entry but the last, which is AWS's and denies what no other has allowed.
    pub entries: Vec<Entry>,
    /// The subnets whose traffic it judges.
    pub subnets: Vec<Ref<Subnet>>,
}

/// One entry. Of those that a packet fits, the one with the lowest number decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// 1 to 32766, once for each direction.
    pub number: u16,
    /// Which way.
    pub direction: Direction,
    /// Which packets.
    pub traffic: Traffic,
    /// Where they come from or go to, in CIDR notation.
    pub cidr: String,
    /// Whether they may pass.
    pub allow: bool,
}

/// Which way packets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Into the subnets.
    In,
    /// Out of the subnets.
    Out,
}

/// Which packets an entry is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Traffic {
    /// All.
    All,
    /// TCP to a port in this range, both ends included.
    Tcp {
        /// The first port.
        from: u16,
        /// The last port.
        to: u16,
    },
    /// ICMP of this type and code.
    Icmp {
        /// The type.
        kind: i32,
        /// The code.
        code: i32,
    },
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `acl-…`
    pub network_acl_id: String,
}

/// A network ACL.
pub struct NetworkAcl;

impl Resource for NetworkAcl {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "ec2/network-acl";
    const REPLACE_ON: &'static [&'static str] = &["vpc"];
    const TAGGED: bool = true;

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let request = cx.cloud.ec2.create_network_acl().vpc_id(cx.id(&spec.vpc)?.as_str());
        let request = request.client_token(&cx.identity.token);
        let request = request.tag_specifications(tagged(ResourceType::NetworkAcl, cx.identity));
        let answer = request.send().await.map_err(fault("ec2", "CreateNetworkAcl"))?;
        let id = answer.network_acl().and_then(|acl| acl.network_acl_id());
        id.map(Id::from).ok_or_else(|| missing("ec2", "CreateNetworkAcl", "NetworkAclId"))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        let Some(acl) = live_acl(cx.cloud, id).await? else {
            return Err(missing("ec2", "DescribeNetworkAcls", "network ACL"));
        };
        if cx.changes("entries") {
            for step in steps(acl.entries(), &spec.entries) {
                take(cx.cloud, id, step).await?;
            }
        }
        if cx.changes("subnets") {
            let wanted = spec.subnets.iter().map(|subnet| cx.id(subnet)).collect::<Result<Vec<_>, _>>()?;
            associate(cx.cloud, id, &acl, &wanted).await?;
            give_back(cx.cloud, &acl, &wanted).await?;
        }
        Ok(())
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        Ok(describe(cx.cloud, &[id]).await?.remove(0))
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        let Some(first) = known.first() else { return Ok(Vec::new()) };
        describe(first.cx.cloud, &known.iter().map(|known| known.id).collect::<Vec<_>>()).await
    }

    async fn find(cx: &Cx<'_>, _: &Spec) -> Result<Option<Id>, Fault> {
        let request = cx.cloud.ec2.describe_network_acls().set_filters(Some(owned(cx.identity)));
        let answer = request.send().await.map_err(fault("ec2", "DescribeNetworkAcls"))?;
        Ok(answer.network_acls().first().and_then(|acl| acl.network_acl_id()).map(Id::from))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        if let Some(acl) = live_acl(cx.cloud, id).await? {
            give_back(cx.cloud, &acl, &[]).await?;
        }
        let request = cx.cloud.ec2.delete_network_acl().network_acl_id(id.as_str());
        request.send().await.map(drop).map_err(fault("ec2", "DeleteNetworkAcl"))
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let request = aws.ec2.describe_network_acls().set_filters(Some(of(deployment)));
        let pages = request.into_paginator().items().send();
        let all = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("ec2", "DescribeNetworkAcls"))?;
        Ok(all.iter().filter_map(|acl| listed(deployment, acl.network_acl_id(), acl.tags())).collect())
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        claim(cx, id).await
    }

    fn actions() -> Actions {
        Actions {
            write: &[
                "ec2:CreateNetworkAcl",
                "ec2:CreateTags",
                "ec2:DescribeTags",
                "ec2:CreateNetworkAclEntry",
                "ec2:ReplaceNetworkAclEntry",
                "ec2:DeleteNetworkAclEntry",
                "ec2:ReplaceNetworkAclAssociation",
            ],
            read: &["ec2:DescribeNetworkAcls"],
            delete: &["ec2:ReplaceNetworkAclAssociation", "ec2:DeleteNetworkAcl"],
        }
    }
}

/// The subnets of an ACL with the ids of their associations.
fn associations(acl: &Acl) -> impl Iterator<Item = (&str, &str)> {
    acl.associations().iter().filter_map(|link| Some((link.subnet_id()?, link.network_acl_association_id()?)))
}

/// Moves the wanted subnets that this ACL does not have here, from whichever ACL has them.
async fn associate(aws: &Aws, id: &Id, acl: &Acl, wanted: &[Id]) -> Result<(), Fault> {
    let has = |subnet: &Id| associations(acl).any(|(its_subnet, _)| its_subnet == subnet.as_str());
    let lacking: Vec<_> = wanted.iter().filter(|subnet| !has(subnet)).collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let held = filter("association.subnet-id", lacking.iter().map(ToString::to_string));
    let answer = aws.ec2.describe_network_acls().filters(held).send().await;
    let answer = answer.map_err(fault("ec2", "DescribeNetworkAcls"))?;
    let links: BTreeMap<_, _> = answer.network_acls().iter().flat_map(associations).collect();
    for subnet in lacking {
        // A new subnet whose association is not shown yet: the next try sees it.
        let Some(link) = links.get(subnet.as_str()) else { return Err(unseen(subnet)) };
        replace(aws, link, id.as_str()).await?;
    }
    Ok(())
}

fn unseen(subnet: &Id) -> Fault {
    let message = format!("no network ACL shows an association with {subnet} yet");
    refused("ec2", "DescribeNetworkAcls", "InvalidAssociationID.NotFound", &message)
}

/// Gives the VPC's default ACL what this one has and is not wanted here.
async fn give_back(aws: &Aws, acl: &Acl, wanted: &[Id]) -> Result<(), Fault> {
    let is_wanted = |subnet: &str| wanted.iter().any(|wanted| wanted.as_str() == subnet);
    let surplus: Vec<_> = associations(acl).filter(|(subnet, _)| !is_wanted(subnet)).map(|(_, link)| link).collect();
    if surplus.is_empty() {
        return Ok(());
    }
    let of_vpc = filter("vpc-id", acl.vpc_id().map(str::to_owned));
    let request = aws.ec2.describe_network_acls().filters(of_vpc).filters(filter("default", ["true".to_owned()]));
    let answer = request.send().await.map_err(fault("ec2", "DescribeNetworkAcls"))?;
    let default = answer.network_acls().first().and_then(|acl| acl.network_acl_id());
    let default = default.ok_or_else(|| missing("ec2", "DescribeNetworkAcls", "default network ACL"))?;
    for link in surplus {
        // A subnet that is gone has taken its association along.
        absent(replace(aws, link, default).await)?;
    }
    Ok(())
}

async fn replace(aws: &Aws, link: &str, acl: &str) -> Result<(), Fault> {
    let request = aws.ec2.replace_network_acl_association().association_id(link).network_acl_id(acl);
    request.send().await.map(drop).map_err(fault("ec2", "ReplaceNetworkAclAssociation"))
}

async fn live_acl(aws: &Aws, id: &Id) -> Result<Option<Acl>, Fault> {
    let answer = aws.ec2.describe_network_acls().network_acl_ids(id.as_str()).send().await;
    let answer = answer.map_err(fault("ec2", "DescribeNetworkAcls"))?;
    Ok(answer.network_acls.unwrap_or_default().into_iter().next())
}

async fn describe(aws: &Aws, ids: &[&Id]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
    let request = aws.ec2.describe_network_acls().filters(filter("network-acl-id", ids.iter().map(ToString::to_string)));
    let pages = request.into_paginator().items().send();
    let acls = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("ec2", "DescribeNetworkAcls"))?;
    Ok(in_order(ids, acls, |acl| acl.network_acl_id(), |acl| {
        Observed::new(Outputs { network_acl_id: acl.network_acl_id().unwrap_or_default().to_owned() })
            .see("vpc", acl.vpc_id())
            .see("entries", live_entries(acl.entries()))
            .see("subnets", associations(acl).map(|(subnet, _)| subnet).collect::<Vec<_>>())
    }))
}
