//! A VPC connector: the network interfaces by which App Runner services reach into a VPC.
//!
//! API: [CreateVpcConnector](https://docs.aws.amazon.com/apprunner/latest/api/API_CreateVpcConnector.html),
//! [DeleteVpcConnector](https://docs.aws.amazon.com/apprunner/latest/api/API_DeleteVpcConnector.html).
//!
//! Surprises: nothing about a connector can be changed, and a name has one active connector. One that was deleted is listed as
//! `INACTIVE` for a while. One that a service uses cannot be deleted. Its network interfaces stay in the subnets for some
//! minutes after the last service has left it.

use aws_sdk_apprunner::types::{VpcConnector as Connector, VpcConnectorStatus};
use rcm_engine::model::{Actions, Deployment, Fault, Id, Known, Observed, Owned, Ref, Resource};
use serde::{Deserialize, Serialize};

use super::{
    apprunner::{claim, first_of_ours, listed, name_in, tagged},
    batch::in_order,
    ec2_security_group::SecurityGroup,
    ec2_subnet::Subnet,
};
use crate::{
    Aws,
    classify::{fault, missing},
    identity::physical_name,
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

const NAME_LIMIT: usize = 40;

/// What a VPC connector should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The name.
    pub name: String,
    /// Where its network interfaces are.
    pub subnets: Vec<Ref<Subnet>>,
    /// What they may reach, and who they are to others.
    pub security_groups: Vec<Ref<SecurityGroup>>,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `arn:aws:apprunner:…:vpcconnector/…`
    pub connector_arn: String,
}

/// A VPC connector.
pub struct VpcConnector;

impl Resource for VpcConnector {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "apprunner/vpc-connector";
    const REPLACE_ON: &'static [&'static str] = &["name", "subnets", "security_groups"];
    const TAGGED: bool = true;

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let subnets = spec.subnets.iter().map(|subnet| Ok(cx.id(subnet)?.to_string())).collect::<Result<_, Fault>>()?;
        let groups = spec.security_groups.iter();
        let groups = groups.map(|group| Ok(cx.id(group)?.to_string())).collect::<Result<_, Fault>>()?;
        let request = cx.cloud.apprunner.create_vpc_connector().vpc_connector_name(name(cx, spec));
        let request = request.set_subnets(Some(subnets)).set_security_groups(Some(groups));
        let answer = request.set_tags(Some(tagged(cx.identity))).send().await;
        let answer = answer.map_err(fault("apprunner", "CreateVpcConnector"))?;
        let arn = answer.vpc_connector().and_then(|connector| connector.vpc_connector_arn());
        arn.map(Id::from).ok_or_else(|| missing("apprunner", "CreateVpcConnector", "VpcConnectorArn"))
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let all = connectors(cx.cloud).await?;
        Ok(all.iter().find(|found| found.vpc_connector_arn() == Some(id.as_str())).map(observe))
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        let Some(first) = known.first() else { return Ok(Vec::new()) };
        let ids: Vec<_> = known.iter().map(|known| known.id).collect();
        Ok(in_order(&ids, connectors(first.cx.cloud).await?, |found| found.vpc_connector_arn(), observe))
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let wanted = name(cx, spec);
        let named = connectors(cx.cloud).await?.into_iter();
        let named = named.filter(|found| found.vpc_connector_name() == Some(&wanted));
        first_of_ours(cx, named.filter_map(|found| found.vpc_connector_arn).collect()).await
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let request = cx.cloud.apprunner.delete_vpc_connector().vpc_connector_arn(id.as_str());
        request.send().await.map(drop).map_err(fault("apprunner", "DeleteVpcConnector"))
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let all = connectors(aws).await?.into_iter();
        let named = all.filter_map(|found| Some((found.vpc_connector_name?, found.vpc_connector_arn?)));
        listed(aws, deployment, named.collect()).await
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        claim(cx, id).await
    }

    fn fits(cx: &Cx<'_>, id: &Id, spec: &Spec) -> bool {
        name_in(id) == name(cx, spec)
    }

    fn actions() -> Actions {
        Actions {
            write: &[
                "apprunner:CreateVpcConnector",
                "apprunner:TagResource",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
                // The first connector of an account makes App Runner's own role.
                "iam:CreateServiceLinkedRole",
            ],
            read: &["apprunner:ListVpcConnectors", "apprunner:ListTagsForResource"],
            delete: &["apprunner:DeleteVpcConnector"],
        }
    }
}

fn name(cx: &Cx<'_>, spec: &Spec) -> String {
    physical_name(cx.identity, &spec.name, NAME_LIMIT)
}

/// All that are not deleted.
async fn connectors(aws: &Aws) -> Result<Vec<Connector>, Fault> {
    let pages = aws.apprunner.list_vpc_connectors().into_paginator().send().collect::<Result<Vec<_>, _>>().await;
    let pages = pages.map_err(fault("apprunner", "ListVpcConnectors"))?;
    let all = pages.into_iter().flat_map(|page| page.vpc_connectors);
    Ok(all.filter(|found| found.status() != Some(&VpcConnectorStatus::Inactive)).collect())
}

fn observe(found: &Connector) -> Observed<Outputs> {
    let connector_arn = found.vpc_connector_arn().unwrap_or_default().to_owned();
    Observed::new(Outputs { connector_arn })
        .see("subnets", found.subnets())
        .see("security_groups", found.security_groups())
}
