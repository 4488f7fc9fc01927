//! A DB subnet group: the subnets that a database instance may stand in.
//!
//! API: [CreateDBSubnetGroup](https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBSubnetGroup.html).
//!
//! Surprises: RDS sees new subnets seconds later than EC2 shows them ("some input subnets are invalid"). The subnets must lie
//! in at least two availability zones, also for an instance in one. Names are kept in lower case. Describe takes one name or
//! none, no filter.

use aws_sdk_rds::types::DbSubnetGroup;
use rcm_engine::model::{Actions, Deployment, Fault, Id, Known, Observed, Owned, Pace, Ref, Resource};
use serde::{Deserialize, Serialize};

use super::{
    batch::in_order,
    ec2_subnet::Subnet,
    rds::{claim, listed_by_arn, owned, tagged},
};
use crate::{
    Aws,
    classify::{absent, fault, missing},
    identity::physical_name,
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// The longest name that RDS takes.
pub(crate) const NAME_LIMIT: usize = 255;

/// What a DB subnet group should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The name, in lower case.
    pub name: String,
    /// What it is for, in the console.
    pub description: String,
    /// The subnets, in two availability zones or more.
    pub subnets: Vec<Ref<Subnet>>,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `arn:aws:rds:…:subgrp:…`
    pub subnet_group_arn: String,
}

/// A DB subnet group.
pub struct SubnetGroup;

impl Resource for SubnetGroup {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "rds/subnet-group";
    const REPLACE_ON: &'static [&'static str] = &["name"];
    const TAGGED: bool = true;
    const PACE: Pace = Pace::QUICK.gone_within(180);

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let request = cx.cloud.rds.create_db_subnet_group();
        let request = request.db_subnet_group_name(physical_name(cx.identity, &spec.name, NAME_LIMIT));
        let request = request.db_subnet_group_description(&spec.description);
        let request = request.set_subnet_ids(Some(subnet_ids(cx, spec)?)).set_tags(Some(tagged(cx.identity)));
        let answer = request.send().await.map_err(fault("rds", "CreateDBSubnetGroup"))?;
        let name = answer.db_subnet_group().and_then(|group| group.db_subnet_group_name());
        name.map(Id::from).ok_or_else(|| missing("rds", "CreateDBSubnetGroup", "DBSubnetGroupName"))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        if cx.creating() || !(cx.changes("subnets") || cx.changes("description")) {
            return Ok(());
        }
        let request = cx.cloud.rds.modify_db_subnet_group().db_subnet_group_name(id.as_str());
        let request = request.db_subnet_group_description(&spec.description);
        let request = request.set_subnet_ids(Some(subnet_ids(cx, spec)?));
        request.send().await.map(drop).map_err(fault("rds", "ModifyDBSubnetGroup"))
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        Ok(describe(cx.cloud, id.as_str()).await?.as_ref().map(observe))
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        match known {
            [] => Ok(Vec::new()),
            [one] => Ok(vec![Self::read(&one.cx, one.id).await?]),
            [first, ..] => {
                let ids: Vec<_> = known.iter().map(|known| known.id).collect();
                let pages = first.cx.cloud.rds.describe_db_subnet_groups().into_paginator().items().send();
                let groups = pages.collect::<Result<Vec<_>, _>>().await;
                let groups = groups.map_err(fault("rds", "DescribeDBSubnetGroups"))?;
                Ok(in_order(&ids, groups, |group| group.db_subnet_group_name(), observe))
            }
        }
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let name = physical_name(cx.identity, &spec.name, NAME_LIMIT);
        let Some(group) = describe(cx.cloud, &name).await? else { return Ok(None) };
        let arn = group.db_subnet_group_arn().unwrap_or_default();
        Ok(owned(cx.cloud, cx.identity, arn).await?.then(|| Id::new(name)))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let request = cx.cloud.rds.delete_db_subnet_group().db_subnet_group_name(id.as_str());
        request.send().await.map(drop).map_err(fault("rds", "DeleteDBSubnetGroup"))
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let pages = aws.rds.describe_db_subnet_groups().into_paginator().items().send();
        let all = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("rds", "DescribeDBSubnetGroups"))?;
        let pairs = all.iter().filter_map(|group| Some((group.db_subnet_group_name()?, group.db_subnet_group_arn()?)));
        listed_by_arn(aws, deployment, pairs).await
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        claim(cx, "subgrp", id).await
    }

    fn fits(cx: &Cx<'_>, id: &Id, spec: &Spec) -> bool {
        id.as_str() == physical_name(cx.identity, &spec.name, NAME_LIMIT)
    }

    fn actions() -> Actions {
        Actions {
            write: &[
                "rds:CreateDBSubnetGroup",
                "rds:AddTagsToResource",
                "rds:ModifyDBSubnetGroup",
                "ec2:DescribeSubnets",
                "ec2:DescribeVpcs",
                // The first of an account makes RDS's own role.
                "iam:CreateServiceLinkedRole",
            ],
            read: &["rds:DescribeDBSubnetGroups", "rds:ListTagsForResource"],
            delete: &["rds:DeleteDBSubnetGroup"],
        }
    }
}

fn subnet_ids(cx: &Cx<'_>, spec: &Spec) -> Result<Vec<String>, Fault> {
    spec.subnets.iter().map(|subnet| Ok(cx.id(subnet)?.to_string())).collect()
}

async fn describe(aws: &Aws, name: &str) -> Result<Option<DbSubnetGroup>, Fault> {
    let request = aws.rds.describe_db_subnet_groups().db_subnet_group_name(name);
    let answer = absent(request.send().await.map_err(fault("rds", "DescribeDBSubnetGroups")))?;
    Ok(answer.and_then(|answer| answer.db_subnet_groups.unwrap_or_default().into_iter().next()))
}

fn observe(group: &DbSubnetGroup) -> Observed<Outputs> {
    let arn = group.db_subnet_group_arn().unwrap_or_default().to_owned();
    let subnets: Vec<_> = group.subnets().iter().filter_map(|subnet| subnet.subnet_identifier()).collect();
    Observed::new(Outputs { subnet_group_arn: arn })
        .see("description", group.db_subnet_group_description())
        .see("subnets", subnets)
}
