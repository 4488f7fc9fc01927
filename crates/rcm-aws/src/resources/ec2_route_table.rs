//! A route table: where the traffic of its subnets goes, with its routes and the subnets that use it.
//!
//! API: [CreateRouteTable](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateRouteTable.html),
//! [CreateRoute](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateRoute.html),
//! [ReplaceRouteTableAssociation](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceRouteTableAssociation.html).
//!
//! Surprises: a table has routes that nobody made here (`local`, and a prefix list for each gateway endpoint), which are not
//! ours to see or delete. A subnet has exactly one table, so taking one over from another table is a replacement of the
//! association, which has no moment without a route; a subnet that is let go falls back to the VPC's main table. A route
//! may name a NAT gateway that is still pending.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{ResourceType, RouteTable as Table};
use rcm_engine::model::{Actions, Deployment, Fault, Id, Known, Observed, Owned, Ref, Resource};
use serde::{Deserialize, Serialize};

use super::{
    batch::in_order,
    ec2::{claim, filter, listed, of, owned, tagged},
    ec2_internet_gateway::InternetGateway,
    ec2_nat_gateway::NatGateway,
    ec2_route::{Hop, Next, live_routes, steps, take},
    ec2_subnet::Subnet,
    ec2_vpc::Vpc,
};
use crate::{
    Aws,
    classify::{absent, fault, missing},
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// What a route table should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The VPC it is part of.
    pub vpc: Ref<Vpc>,
    /// Every route but those that AWS makes.
    pub routes: Vec<Route>,
    /// The subnets that use it.
    pub subnets: Vec<Ref<Subnet>>,
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Which addresses, in CIDR notation.
    pub destination: String,
    /// Where to.
    pub target: Target,
}

/// Where a route leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// To an internet gateway.
    Gateway(Ref<InternetGateway>),
    /// To a NAT gateway; an early reference will do.
    Nat(Ref<NatGateway>),
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `rtb-…`
    pub route_table_id: String,
}

/// A route table.
pub struct RouteTable;

impl Resource for RouteTable {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "ec2/route-table";
    const REPLACE_ON: &'static [&'static str] = &["vpc"];
    const TAGGED: bool = true;

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let request = cx.cloud.ec2.create_route_table().vpc_id(cx.id(&spec.vpc)?.as_str());
        let request = request.client_token(&cx.identity.token);
        let request = request.tag_specifications(tagged(ResourceType::RouteTable, cx.identity));
        let answer = request.send().await.map_err(fault("ec2", "CreateRouteTable"))?;
        let id = answer.route_table().and_then(|table| table.route_table_id());
        id.map(Id::from).ok_or_else(|| missing("ec2", "CreateRouteTable", "RouteTableId"))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        let Some(table) = live_table(cx, id).await? else {
            return Err(missing("ec2", "DescribeRouteTables", "route table"));
        };
        if cx.changes("routes") {
            let wanted = spec.routes.iter().map(|route| resolved(cx, route)).collect::<Result<Vec<_>, _>>()?;
            for step in steps(&live_routes(&table), wanted) {
                take(cx.cloud, id, step).await?;
            }
        }
        if cx.changes("subnets") {
            let wanted = spec.subnets.iter().map(|subnet| cx.id(subnet)).collect::<Result<Vec<_>, _>>()?;
            associate(cx, id, &table, &wanted).await?;
            disassociate(cx, &table, &wanted).await?;
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
        let request = cx.cloud.ec2.describe_route_tables().set_filters(Some(owned(cx.identity)));
        let answer = request.send().await.map_err(fault("ec2", "DescribeRouteTables"))?;
        Ok(answer.route_tables().first().and_then(|table| table.route_table_id()).map(Id::from))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        if let Some(table) = live_table(cx, id).await? {
            disassociate(cx, &table, &[]).await?;
        }
        let request = cx.cloud.ec2.delete_route_table().route_table_id(id.as_str());
        request.send().await.map(drop).map_err(fault("ec2", "DeleteRouteTable"))
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let request = aws.ec2.describe_route_tables().set_filters(Some(of(deployment)));
        let pages = request.into_paginator().items().send();
        let all = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("ec2", "DescribeRouteTables"))?;
        Ok(all.iter().filter_map(|table| listed(deployment, table.route_table_id(), table.tags())).collect())
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        claim(cx, id).await
    }

    fn actions() -> Actions {
        Actions {
            write: &[
                "ec2:CreateRouteTable",
                "ec2:CreateTags",
                "ec2:DescribeTags",
                "ec2:CreateRoute",
                "ec2:ReplaceRoute",
                "ec2:DeleteRoute",
                "ec2:AssociateRouteTable",
                "ec2:ReplaceRouteTableAssociation",
                "ec2:DisassociateRouteTable",
            ],
            read: &["ec2:DescribeRouteTables"],
            delete: &["ec2:DisassociateRouteTable", "ec2:DeleteRouteTable"],
        }
    }
}

fn resolved(cx: &Cx<'_>, route: &Route) -> Result<Hop, Fault> {
    let target = match &route.target {
        Target::Gateway(gateway) => Next::Gateway(cx.id(gateway)?.to_string()),
        Target::Nat(nat) => Next::Nat(cx.id(nat)?.to_string()),
    };
    Ok(Hop { destination: route.destination.clone(), target })
}

/// The subnets of a table with the ids of their associations. The association of the VPC's main table has no subnet.
fn associations(table: &Table) -> impl Iterator<Item = (&str, &str)> {
    table.associations().iter().filter_map(|link| Some((link.subnet_id()?, link.route_table_association_id()?)))
}

/// Gives this table the wanted subnets that it does not have, taking them over from the tables that have them now.
async fn associate(cx: &Cx<'_>, id: &Id, table: &Table, wanted: &[Id]) -> Result<(), Fault> {
    let has = |subnet: &Id| associations(table).any(|(its_subnet, _)| its_subnet == subnet.as_str());
    let lacking: Vec<_> = wanted.iter().filter(|subnet| !has(subnet)).collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let held = filter("association.subnet-id", lacking.iter().map(ToString::to_string));
    let answer = cx.cloud.ec2.describe_route_tables().filters(held).send().await;
    let answer = answer.map_err(fault("ec2", "DescribeRouteTables"))?;
    let elsewhere: BTreeMap<_, _> = answer.route_tables().iter().flat_map(associations).collect();
    for subnet in lacking {
        if let Some(association) = elsewhere.get(subnet.as_str()) {
            let request = cx.cloud.ec2.replace_route_table_association().route_table_id(id.as_str());
            let sent = request.association_id(*association).send().await;
            sent.map_err(fault("ec2", "ReplaceRouteTableAssociation"))?;
        } else {
            let request = cx.cloud.ec2.associate_route_table().route_table_id(id.as_str());
            request.subnet_id(subnet.as_str()).send().await.map_err(fault("ec2", "AssociateRouteTable"))?;
        }
    }
    Ok(())
}

/// Lets every subnet go that is not wanted.
async fn disassociate(cx: &Cx<'_>, table: &Table, wanted: &[Id]) -> Result<(), Fault> {
    for (_, association) in associations(table).filter(|(subnet, _)| wanted.iter().all(|id| id.as_str() != *subnet)) {
        let request = cx.cloud.ec2.disassociate_route_table().association_id(association);
        absent(request.send().await.map_err(fault("ec2", "DisassociateRouteTable")))?;
    }
    Ok(())
}

async fn live_table(cx: &Cx<'_>, id: &Id) -> Result<Option<Table>, Fault> {
    let answer = cx.cloud.ec2.describe_route_tables().route_table_ids(id.as_str()).send().await;
    Ok(answer.map_err(fault("ec2", "DescribeRouteTables"))?.route_tables.unwrap_or_default().into_iter().next())
}

async fn describe(aws: &Aws, ids: &[&Id]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
    let request = aws.ec2.describe_route_tables().filters(filter("route-table-id", ids.iter().map(ToString::to_string)));
    let pages = request.into_paginator().items().send();
    let tables = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("ec2", "DescribeRouteTables"))?;
    Ok(in_order(ids, tables, |table| table.route_table_id(), |table| {
        let id = table.route_table_id().unwrap_or_default().to_owned();
        Observed::new(Outputs { route_table_id: id })
            .see("vpc", table.vpc_id())
            .see("routes", live_routes(table))
            .see("subnets", associations(table).map(|(subnet, _)| subnet).collect::<Vec<_>>())
    }))
}
