//! What lets traffic through in a VPC as it is now, whoever has made it: rules of security groups, network ACLs, routes.
//! Of IPv4 alone: rcm's networks have no other.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{
    NetworkAcl as LiveAcl, NetworkAclEntry, Route, RouteState, RouteTable, RuleAction, SecurityGroupRule,
};
use rcm_engine::model::Fault;

use crate::{Aws, classify::fault, resources::ec2::filter};

/// TCP, as network ACLs number protocols.
const TCP: &str = "6";
/// Every protocol.
const ALL: &str = "-1";
/// Everywhere.
const ANYWHERE: &str = "0.0.0.0/0";

/// A rule of a security group that lets TCP through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The group that it is in.
    pub group: String,
    /// Whether it is for what the group's members begin, and not for what reaches them.
    pub outward: bool,
    /// The first and the last port; `None` for all.
    pub ports: Option<(u16, u16)>,
    /// The other side.
    pub peer: Peer,
}

/// The other side of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// The members of a group.
    Group(String),
    /// A range of addresses, in CIDR notation.
    Block(String),
    /// A prefix list, whose addresses are kept elsewhere.
    List(String),
}

/// A network ACL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AclEntries {
    /// `acl-…`
    pub id: String,
    /// The subnets that it judges.
    pub subnets: Vec<String>,
    /// Its entries for TCP, the one that is judged by first first.
    pub entries: Vec<AclEntry>,
}

/// An entry of a network ACL that is about TCP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AclEntry {
    /// Its place: the lowest number that fits decides.
    pub number: i32,
    /// Whether it is for what leaves the subnet.
    pub outward: bool,
    /// Whether it lets through or keeps out.
    pub allow: bool,
    /// The addresses of the other side, in CIDR notation.
    pub block: String,
    /// The first and the last destination port; `None` for all.
    pub ports: Option<(u16, u16)>,
}

/// Where a subnet's traffic to everywhere goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WayOut {
    /// The route table that decides.
    pub table: String,
    /// What the route to 0.0.0.0/0 leads to; `None` where there is no such route.
    pub target: Option<String>,
    /// Whether that is there: AWS calls a route to something deleted a `blackhole`.
    pub leads_there: bool,
}

impl Aws {
    /// The rules for TCP of these security groups
    /// ([DescribeSecurityGroupRules](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSecurityGroupRules.html)).
    pub async fn openings(&self, groups: &[String]) -> Result<Vec<Opening>, Fault> {
        let of_groups = filter("group-id", groups.iter().cloned());
        let pages = self.ec2.describe_security_group_rules().filters(of_groups).into_paginator().items().send();
        let rules = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("ec2", "DescribeSecurityGroupRules"))?;
        Ok(rules.iter().filter_map(opening).collect())
    }

    /// The network ACLs of a VPC
    /// ([DescribeNetworkAcls](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNetworkAcls.html)).
    pub async fn network_acls(&self, vpc: &str) -> Result<Vec<AclEntries>, Fault> {
        let of_vpc = filter("vpc-id", [vpc.to_owned()]);
        let pages = self.ec2.describe_network_acls().filters(of_vpc).into_paginator().items().send();
        let found = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("ec2", "DescribeNetworkAcls"))?;
        Ok(found.iter().map(acl).collect())
    }

    /// The way out of each of these subnets of a VPC. A subnet of no table goes by the VPC's
    /// [main one](https://docs.aws.amazon.com/vpc/latest/userguide/RouteTables.html)
    /// ([DescribeRouteTables](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRouteTables.html)).
    pub async fn ways_out(&self, vpc: &str, subnets: &[String]) -> Result<BTreeMap<String, WayOut>, Fault> {
        let of_vpc = filter("vpc-id", [vpc.to_owned()]);
        let pages = self.ec2.describe_route_tables().filters(of_vpc).into_paginator().items().send();
        let tables = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("ec2", "DescribeRouteTables"))?;
        let main = tables.iter().find(|table| table.associations().iter().any(|to| to.main() == Some(true)));
        let own = |subnet: &String| {
            tables.iter().find(|table| table.associations().iter().any(|to| to.subnet_id() == Some(subnet)))
        };
        let ways = subnets.iter().filter_map(|subnet| Some((subnet.clone(), way_out(own(subnet).or(main)?))));
        Ok(ways.collect())
    }
}

fn opening(rule: &SecurityGroupRule) -> Option<Opening> {
    let ports = match rule.ip_protocol()? {
        ALL => None,
        "tcp" | TCP => range(rule.from_port(), rule.to_port()),
        _ => return None,
    };
    let group = rule.referenced_group_info().and_then(|group| group.group_id()).map(|id| Peer::Group(id.to_owned()));
    let block = rule.cidr_ipv4().map(|block| Peer::Block(block.to_owned()));
    let list = rule.prefix_list_id().map(|list| Peer::List(list.to_owned()));
    let outward = rule.is_egress().unwrap_or(false);
    Some(Opening { group: rule.group_id()?.to_owned(), outward, ports, peer: group.or(block).or(list)? })
}

fn acl(live: &LiveAcl) -> AclEntries {
    let mut entries: Vec<AclEntry> = live.entries().iter().filter_map(entry).collect();
    entries.sort_by_key(|entry| entry.number);
    let subnets = live.associations().iter().filter_map(|to| to.subnet_id().map(str::to_owned));
    AclEntries { id: live.network_acl_id().unwrap_or_default().to_owned(), subnets: subnets.collect(), entries }
}

fn entry(live: &NetworkAclEntry) -> Option<AclEntry> {
    let ports = match live.protocol()? {
        ALL => None,
        TCP => live.port_range().and_then(|ports| range(ports.from(), ports.to())),
        _ => return None,
    };
    Some(AclEntry {
        number: live.rule_number()?,
        outward: live.egress()?,
        allow: *live.rule_action()? == RuleAction::Allow,
        block: live.cidr_block()?.to_owned(),
        ports,
    })
}

/// `None` where all ports are meant.
fn range(from: Option<i32>, to: Option<i32>) -> Option<(u16, u16)> {
    Some((u16::try_from(from?).ok()?, u16::try_from(to?).ok()?))
}

fn way_out(table: &RouteTable) -> WayOut {
    let route = table.routes().iter().find(|route| route.destination_cidr_block() == Some(ANYWHERE));
    let leads_there = route.is_some_and(|route| route.state() != Some(&RouteState::Blackhole));
    let id = table.route_table_id().unwrap_or_default().to_owned();
    WayOut { table: id, target: route.and_then(target).map(str::to_owned), leads_there }
}

fn target(route: &Route) -> Option<&str> {
    let devices =
        [route.nat_gateway_id(), route.gateway_id(), route.transit_gateway_id(), route.network_interface_id()];
    devices.into_iter().flatten().next().or(route.vpc_peering_connection_id()).or(route.instance_id())
}
