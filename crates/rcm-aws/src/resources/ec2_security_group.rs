//! A security group: who may talk to its members. Empty by itself; its rules are nodes of their own
//! ([`SecurityGroupRule`](super::ec2_security_group_rule::SecurityGroupRule)), so that two groups may name each other. Rules that
//! others add are its own business: they are taken away again.
//!
//! API: [CreateSecurityGroup](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html),
//! [DescribeSecurityGroupRules](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSecurityGroupRules.html).
//!
//! Surprises: AWS gives every new group a rule that lets everything out, which is taken away here. No client token, but the
//! name is unique in its VPC. Nothing of a group but its rules can be changed. A group cannot be deleted while a rule of another group
//! names it, nor until AWS has released the network interfaces of its members, minutes after they are gone.

use aws_sdk_ec2::types::{IpPermission, IpRange, ResourceType, SecurityGroup as Group};
use rcm_engine::model::{Actions, Deployment, Fault, FaultKind, Id, Known, Observed, Owned, Ref, Resource};
use serde::{Deserialize, Serialize};

use super::{
    ec2::{claim, filter, listed, of, owned, tagged},
    ec2_holders::{self, Held},
    ec2_security_group_rule::{is_foreign, of_groups, revoke, revoke_ours_that_name, told},
    ec2_vpc::Vpc,
};
use crate::{
    Aws,
    classify::{absent, fault, missing},
    identity::physical_name,
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// The longest name that EC2 takes.
const NAME_LIMIT: usize = 255;

/// What a security group should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Its name, unique in the VPC; not beginning with `sg-`.
    pub name: String,
    /// What it is for: ASCII letters, digits, spaces and `._-:/()#,@[]+=&;{}!$*`, at most 255.
    pub description: String,
    /// The VPC it is part of.
    pub vpc: Ref<Vpc>,
    /// Rules that are no nodes: none. AWS adds none by itself to a group like these.
    #[serde(default)]
    pub foreign_rules: Vec<String>,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `sg-…`
    pub group_id: String,
}

/// A security group.
pub struct SecurityGroup;

impl Resource for SecurityGroup {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "ec2/security-group";
    const REPLACE_ON: &'static [&'static str] = &["name", "description", "vpc"];
    const TAGGED: bool = true;

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let request = cx.cloud.ec2.create_security_group().vpc_id(cx.id(&spec.vpc)?.as_str());
        let request = request.group_name(physical_name(cx.identity, &spec.name, NAME_LIMIT));
        let request = request.description(&spec.description);
        let request = request.tag_specifications(tagged(ResourceType::SecurityGroup, cx.identity));
        let answer = request.send().await.map_err(fault("ec2", "CreateSecurityGroup"))?;
        answer.group_id().map(Id::from).ok_or_else(|| missing("ec2", "CreateSecurityGroup", "GroupId"))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, _: &Spec) -> Result<(), Fault> {
        if !cx.creating() {
            return if cx.changes("foreign_rules") { revoke_foreign(cx, id).await } else { Ok(()) };
        }
        // By id, so that a group that is not visible yet is an error, and not one without rules.
        let answer = cx.cloud.ec2.describe_security_groups().group_ids(id.as_str()).send().await;
        let answer = answer.map_err(fault("ec2", "DescribeSecurityGroups"))?;
        if !answer.security_groups().iter().flat_map(|group| group.ip_permissions_egress()).any(lets_everything_out) {
            return Ok(());
        }
        let request = cx.cloud.ec2.revoke_security_group_egress().group_id(id.as_str()).ip_permissions(everything());
        request.send().await.map(drop).map_err(fault("ec2", "RevokeSecurityGroupEgress"))
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        Ok(describe(cx, &[id]).await?.remove(0))
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        let Some(first) = known.first() else { return Ok(Vec::new()) };
        describe(&first.cx, &known.iter().map(|known| known.id).collect::<Vec<_>>()).await
    }

    async fn find(cx: &Cx<'_>, _: &Spec) -> Result<Option<Id>, Fault> {
        let request = cx.cloud.ec2.describe_security_groups().set_filters(Some(owned(cx.identity)));
        let answer = request.send().await.map_err(fault("ec2", "DescribeSecurityGroups"))?;
        Ok(answer.security_groups().first().and_then(|group| group.group_id()).map(Id::from))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let request = cx.cloud.ec2.delete_security_group().group_id(id.as_str());
        let deleted = request.send().await.map(drop).map_err(fault("ec2", "DeleteSecurityGroup"));
        if deleted.as_ref().is_err_and(|fault| fault.kind == FaultKind::InUse) {
            revoke_ours_that_name(cx, id).await?;
        }
        ec2_holders::named(cx.cloud, Held::SecurityGroup, id, deleted).await
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let request = aws.ec2.describe_security_groups().set_filters(Some(of(deployment)));
        let pages = request.into_paginator().items().send();
        let all = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("ec2", "DescribeSecurityGroups"))?;
        Ok(all.iter().filter_map(|group| listed(deployment, group.group_id(), group.tags())).collect())
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        claim(cx, id).await
    }

    fn actions() -> Actions {
        Actions {
            write: &[
                "ec2:CreateSecurityGroup",
                "ec2:CreateTags",
                "ec2:DescribeTags",
                "ec2:DescribeSecurityGroupRules",
                "ec2:DescribeSecurityGroups",
                "ec2:RevokeSecurityGroupEgress",
                "ec2:RevokeSecurityGroupIngress",
            ],
            read: &["ec2:DescribeSecurityGroupRules", "ec2:DescribeSecurityGroups"],
            delete: &[
                "ec2:DeleteSecurityGroup",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeSecurityGroupRules",
                "ec2:RevokeSecurityGroupEgress",
                "ec2:RevokeSecurityGroupIngress",
            ],
        }
    }
}

/// The rule that AWS gives every new group.
fn everything() -> IpPermission {
    IpPermission::builder().ip_protocol("-1").ip_ranges(IpRange::builder().cidr_ip("0.0.0.0/0").build()).build()
}

fn lets_everything_out(permission: &IpPermission) -> bool {
    let anywhere = permission.ip_ranges().iter().any(|range| range.cidr_ip() == Some("0.0.0.0/0"));
    anywhere && permission.ip_protocol() == Some("-1")
}

async fn revoke_foreign(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
    let rules = of_groups(cx.cloud, &[id]).await?;
    for rule in rules.iter().filter(|rule| is_foreign(cx, rule)) {
        absent(revoke(cx.cloud, rule).await)?;
    }
    Ok(())
}

/// One call where every group has rules: then it is there, and nothing else about it can change.
async fn describe(cx: &Cx<'_>, ids: &[&Id]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
    let rules = of_groups(cx.cloud, ids).await?;
    let has_rules = |id: &Id| rules.iter().any(|rule| rule.group_id() == Some(id.as_str()));
    let asked: Vec<&Id> = ids.iter().copied().filter(|id| cx.reads_everything() || !has_rules(id)).collect();
    let groups = if asked.is_empty() { Vec::new() } else { groups(cx.cloud, &asked).await? };
    let observe = |id: &Id| {
        let group = groups.iter().find(|group| group.group_id() == Some(id.as_str()));
        if group.is_none() && asked.contains(&id) {
            return None;
        }
        let foreign = rules.iter().filter(|rule| rule.group_id() == Some(id.as_str()) && is_foreign(cx, rule));
        let seen = Observed::new(Outputs { group_id: id.to_string() });
        let seen = seen.see("foreign_rules", foreign.map(told).collect::<Vec<_>>());
        // The name is not looked at: it cannot change, and the generation may be in it.
        Some(match group {
            Some(group) => seen.see("description", group.description()).see("vpc", group.vpc_id()),
            None => seen,
        })
    };
    Ok(ids.iter().map(|id| observe(id)).collect())
}

async fn groups(aws: &Aws, ids: &[&Id]) -> Result<Vec<Group>, Fault> {
    let by_id = filter("group-id", ids.iter().map(ToString::to_string));
    let pages = aws.ec2.describe_security_groups().filters(by_id).into_paginator().items().send();
    pages.collect::<Result<_, _>>().await.map_err(fault("ec2", "DescribeSecurityGroups"))
}
