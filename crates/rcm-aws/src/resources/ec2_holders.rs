//! Who holds what EC2 refuses to delete.
//!
//! `DependencyViolation` names nobody. Load balancers, tasks, databases and functions hold their subnets and security groups by
//! network interfaces, which stay up to minutes after them; what a person has made by hand stays for good. So a refusal is told
//! with the interfaces and, for a VPC, everything else in it.
//!
//! API: [DescribeNetworkInterfaces](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNetworkInterfaces.html).

use aws_sdk_ec2::types::{NetworkInterface, Tag};
use rcm_engine::model::{Fault, FaultKind, Id};

use super::ec2::filter;
use crate::{Aws, classify::fault, identity};

/// How many holders are named.
const NAMED: usize = 5;

/// What is held, by the filter that finds its network interfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    Subnet,
    SecurityGroup,
    Vpc,
}

impl Held {
    fn filter(self) -> &'static str {
        match self {
            Self::Subnet => "subnet-id",
            Self::SecurityGroup => "group-id",
            Self::Vpc => "vpc-id",
        }
    }
}

/// The answer to a delete, a refusal with the names of those who hold `id`.
pub(super) async fn named(aws: &Aws, held: Held, id: &Id, deleted: Result<(), Fault>) -> Result<(), Fault> {
    let Err(refusal) = deleted else { return Ok(()) };
    if refusal.kind != FaultKind::InUse {
        return Err(refusal);
    }
    // The refusal is what matters, and it is told either way.
    let unseen = |fault| vec![format!("somebody who cannot be seen ({fault})")];
    let holders = holders(aws, held, id).await.unwrap_or_else(unseen);
    let message = with_names(&refusal.message, &holders);
    Err(Fault { message, ..refusal })
}

async fn holders(aws: &Aws, held: Held, id: &Id) -> Result<Vec<String>, Fault> {
    let mut holders = interfaces(aws, held, id).await?;
    if held == Held::Vpc {
        holders.extend(inhabitants(aws, id).await?);
    }
    Ok(holders)
}

fn with_names(message: &str, holders: &[String]) -> String {
    let more = holders.len().saturating_sub(NAMED);
    let named = holders[..holders.len() - more].join(", ");
    match (holders, more) {
        ([], _) => message.to_owned(),
        (_, 0) => format!("{message} Held by {named}"),
        (_, more) => format!("{message} Held by {named} and {more} more"),
    }
}

async fn interfaces(aws: &Aws, held: Held, id: &Id) -> Result<Vec<String>, Fault> {
    let request = aws.ec2.describe_network_interfaces().filters(filter(held.filter(), [id.to_string()]));
    let pages = request.into_paginator().items().send();
    let found = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("ec2", "DescribeNetworkInterfaces"))?;
    Ok(found.iter().map(interface).collect())
}

/// `eni-0f… (ELB app/acme/50dc…, of amazon-elb)`.
fn interface(interface: &NetworkInterface) -> String {
    let id = interface.network_interface_id().unwrap_or("a network interface");
    let what = interface.description().filter(|text| !text.is_empty()).unwrap_or("without description");
    let owner = interface.requester_id().or_else(|| interface.owner_id());
    match owner {
        Some(owner) => format!("{id} ({what}, of {owner})"),
        None => format!("{id} ({what})"),
    }
}

/// What else is in a VPC that keeps it from going.
async fn inhabitants(aws: &Aws, vpc: &Id) -> Result<Vec<String>, Fault> {
    let of = |name: &str| filter(name, [vpc.to_string()]);
    let (subnets, groups, tables, acls, gateways, endpoints) = tokio::try_join!(
        async {
            aws.ec2.describe_subnets().filters(of("vpc-id")).send().await.map_err(fault("ec2", "DescribeSubnets"))
        },
        async {
            let request = aws.ec2.describe_security_groups().filters(of("vpc-id"));
            request.send().await.map_err(fault("ec2", "DescribeSecurityGroups"))
        },
        async {
            let request = aws.ec2.describe_route_tables().filters(of("vpc-id"));
            request.send().await.map_err(fault("ec2", "DescribeRouteTables"))
        },
        async {
            let request = aws.ec2.describe_network_acls().filters(of("vpc-id"));
            request.send().await.map_err(fault("ec2", "DescribeNetworkAcls"))
        },
        async {
            let request = aws.ec2.describe_internet_gateways().filters(of("attachment.vpc-id"));
            request.send().await.map_err(fault("ec2", "DescribeInternetGateways"))
        },
        async {
            let request = aws.ec2.describe_vpc_endpoints().filters(of("vpc-id"));
            request.send().await.map_err(fault("ec2", "DescribeVpcEndpoints"))
        },
    )?;
    let subnets = subnets.subnets().iter().filter_map(|one| Some(known_as(one.subnet_id()?, one.tags())));
    let groups = groups.security_groups().iter().filter(|group| group.group_name() != Some("default"));
    let groups = groups.filter_map(|one| Some(known_as(one.group_id()?, one.tags())));
    let made =
        tables.route_tables().iter().filter(|table| table.associations().iter().all(|one| one.main() != Some(true)));
    let tables = made.filter_map(|one| Some(known_as(one.route_table_id()?, one.tags())));
    let acls = acls.network_acls().iter().filter(|acl| acl.is_default() != Some(true));
    let acls = acls.filter_map(|one| Some(known_as(one.network_acl_id()?, one.tags())));
    let gateways =
        gateways.internet_gateways().iter().filter_map(|one| Some(known_as(one.internet_gateway_id()?, one.tags())));
    let endpoints =
        endpoints.vpc_endpoints().iter().filter_map(|one| Some(known_as(one.vpc_endpoint_id()?, one.tags())));
    Ok(subnets.chain(groups).chain(tables).chain(acls).chain(gateways).chain(endpoints).collect())
}

/// The id, and what people call it.
fn known_as(id: &str, tags: &[Tag]) -> String {
    let tag = |key: &str| tags.iter().find(|tag| tag.key() == Some(key)).and_then(Tag::value);
    match tag(identity::ADDRESS).or_else(|| tag("Name")) {
        Some(name) => format!("{id} ({name})"),
        None => id.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_first_few() {
        let holders = |count: usize| (0..count).map(|number| format!("eni-{number}")).collect::<Vec<_>>();
        assert_eq!(with_names("In use.", &[]), "In use.");
        assert_eq!(with_names("In use.", &holders(2)), "In use. Held by eni-0, eni-1");
        assert_eq!(with_names("In use.", &holders(7)), "In use. Held by eni-0, eni-1, eni-2, eni-3, eni-4 and 2 more");
    }

    #[test]
    fn an_interface_is_told_with_what_it_belongs_to() {
        let elb = NetworkInterface::builder()
            .network_interface_id("eni-1")
            .description("ELB app/acme/50dc")
            .requester_id("amazon-elb")
            .build();
        assert_eq!(interface(&elb), "eni-1 (ELB app/acme/50dc, of amazon-elb)");
        let bare = NetworkInterface::builder().network_interface_id("eni-2").build();
        assert_eq!(interface(&bare), "eni-2 (without description)");
    }
}
