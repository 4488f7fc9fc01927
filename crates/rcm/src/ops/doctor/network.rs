//! The way internet → load balancer → service → database, and the service's way out: whether security groups, network ACLs and routes
//! let through what has to get there and back.

use std::{collections::BTreeMap, net::Ipv4Addr};

use ipnet::Ipv4Net;
use rcm_aws::{
    Opening, Peer, Standing, WayOut,
    resources::{ec2_nat_gateway::NatGateway, ec2_network_acl::NetworkAcl},
};
use rcm_engine::model::Resource;

use super::{
    Case, PUT_BACK,
    acls::{End, Flow, judge_acls},
    told,
};
use crate::{Check, Verdict};

const HTTPS: u16 = 443;
/// Somewhere in the internet: an address that is nobody's (RFC 5737) stands for all.
const WORLD: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 7);

/// What is on the way, as rcm knows it.
struct Path {
    balancer: Option<Side>,
    service: Side,
    database: Side,
    /// Which the internet finds the load balancer at.
    public_ports: Vec<u16>,
    service_port: u16,
    database_port: u16,
}

/// Something on the way: its security group, and its subnets with their addresses.
struct Side {
    name: &'static str,
    group: String,
    subnets: Vec<(String, Ipv4Net)>,
}

pub(super) async fn look(case: Case<'_>) -> Vec<Check> {
    let (Some(path), Some(vpc)) = (Path::of(case), case.id("network/vpc")) else { return Vec::new() };
    let groups: Vec<String> = path.sides().map(|side| side.group.clone()).collect();
    let subnets: Vec<String> = path.service.subnets.iter().map(|(id, _)| id.clone()).collect();
    let gateways = case.ids(NatGateway::KIND);
    let (openings, acls, ways, gateways) = tokio::join!(
        case.aws.openings(&groups),
        case.aws.network_acls(&vpc),
        case.aws.ways_out(&vpc, &subnets),
        case.aws.nat_gateway_standing(&gateways),
    );
    let mut checks = match openings {
        Ok(openings) => path.hops(&openings),
        Err(fault) => vec![Check::unseen("network/security-groups", fault.to_string())],
    };
    let is_ours = !case.ids(NetworkAcl::KIND).is_empty();
    checks.push(told("network/acls", acls, |acls| judge_acls(&path.flows(), &acls, is_ours)));
    let ways = ways.and_then(|ways| Ok((ways, gateways?)));
    checks.push(told("network/way-out", ways, |(ways, gateways)| judge_ways(&subnets, &ways, &gateways)));
    checks
}

impl Path {
    /// `None` where not all of it is there yet.
    fn of(case: Case<'_>) -> Option<Self> {
        let side = |name: &'static str, address: &str, tier: &str| {
            let subnets = case.state.resources.iter().filter(|(address, _)| {
                address.as_str().strip_prefix("network/subnet/").is_some_and(|rest| rest.starts_with(tier))
            });
            let subnets = subnets.filter_map(|(_, record)| {
                Some((record.id.as_ref()?.to_string(), record.inputs["cidr"].as_str()?.parse().ok()?))
            });
            Some(Side { name, group: case.id(address)?, subnets: subnets.collect() })
        };
        let port = |address: &str| u16::try_from(case.record(address)?.inputs["port"].as_u64()?).ok();
        let balancer = side("load balancer", "security/group/load-balancer", "public-");
        let listeners = ["edge/listener/http", "edge/listener/https"];
        Some(Self {
            service: side("service", "security/group/service", "private-")?,
            database: side("database", "security/group/database", "database-")?,
            public_ports: listeners.into_iter().filter_map(port).collect(),
            // Without a load balancer nothing reaches the service by the VPC.
            service_port: if balancer.is_some() { port("edge/target-group")? } else { 0 },
            database_port: port("database/instance")?,
            balancer,
        })
    }

    fn sides(&self) -> impl Iterator<Item = &Side> {
        self.balancer.iter().chain([&self.service, &self.database])
    }

    /// A check for each step, by the security groups of both its ends.
    fn hops(&self, openings: &[Opening]) -> Vec<Check> {
        let mut checks = Vec::new();
        if let Some(balancer) = &self.balancer {
            checks.push(from_the_world(balancer, &self.public_ports, openings));
            let check = "network/load-balancer-to-service";
            checks.push(hop(check, balancer, &self.service, self.service_port, openings));
        }
        checks.push(hop("network/service-to-database", &self.service, &self.database, self.database_port, openings));
        checks.push(to_aws(&self.service, openings));
        checks
    }

    /// What has to get through the network ACLs: from, to, and the port there.
    fn flows(&self) -> Vec<Flow> {
        let world: Vec<End> = vec![(None, WORLD)];
        let all = |side: &Side| side.subnets.iter().map(|(id, block)| (Some(id.clone()), within(block))).collect();
        let public: Vec<_> = self.balancer.iter().flat_map(all).collect::<Vec<End>>();
        let (service, database): (Vec<End>, Vec<End>) = (all(&self.service), all(&self.database));
        let mut flows = Vec::new();
        let mut add = |from: &[End], to: &[End], port| {
            let pairs = from.iter().flat_map(|from| to.iter().map(move |to| (from.clone(), to.clone())));
            flows.extend(pairs.map(|(from, to)| Flow { from, to, port }));
        };
        self.public_ports.iter().for_each(|port| add(&world, &public, *port));
        add(&public, &service, self.service_port);
        add(&service, &database, self.database_port);
        add(&service, &world, HTTPS);
        flows
    }
}

/// An address that a subnet's members may have: AWS keeps the first four.
fn within(block: &Ipv4Net) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(block.network()).saturating_add(10))
}

/// Whether a rule of that group is about what its members begin (or, else, what reaches them) and that port.
fn fits(opening: &Opening, group: &str, outward: bool, port: u16) -> bool {
    let ports = opening.ports.is_none_or(|(from, to)| (from..=to).contains(&port));
    opening.group == group && opening.outward == outward && ports
}

/// Whether rules that fit let all of the other side through; `None` if that depends on a prefix list.
fn lets_through<'o>(openings: impl Iterator<Item = &'o Opening>, other: &Side) -> Option<bool> {
    let mut unknown = false;
    for opening in openings {
        match &opening.peer {
            Peer::Group(group) if *group == other.group => return Some(true),
            Peer::Group(_) => {}
            Peer::Block(block) => {
                let block: Option<Ipv4Net> = block.parse().ok();
                let holds = |block: Ipv4Net| other.subnets.iter().all(|(_, subnet)| block.contains(subnet));
                if block.is_some_and(holds) {
                    return Some(true);
                }
            }
            Peer::List(_) => unknown = true,
        }
    }
    (!unknown).then_some(false)
}

fn hop(check: &str, from: &Side, to: &Side, port: u16, openings: &[Opening]) -> Check {
    let out = lets_through(openings.iter().filter(|it| fits(it, &from.group, true, port)), to);
    let into = lets_through(openings.iter().filter(|it| fits(it, &to.group, false, port)), from);
    let (out_of, in_of) = (format!("{} of the {}", from.group, from.name), format!("{} of the {}", to.group, to.name));
    let bad = |evidence: String| Check::found(check, Verdict::Bad, evidence, PUT_BACK);
    match (out, into) {
        (Some(false), Some(false)) => bad(format!("port {port}: no rule lets it out of {out_of}, none into {in_of}")),
        (Some(false), _) => bad(format!("port {port}: no rule lets it out of {out_of} to {}", to.group)),
        (_, Some(false)) => bad(format!("port {port}: no rule lets it into {in_of} from {}", from.group)),
        (Some(true), Some(true)) => Check::good(check, format!("port {port} from {out_of} to {in_of}")),
        _ => Check::unseen(check, format!("port {port} depends on a prefix list, which is not looked into")),
    }
}

fn anywhere(opening: &Opening) -> bool {
    opening.peer == Peer::Block("0.0.0.0/0".to_owned())
}

fn from_the_world(balancer: &Side, ports: &[u16], openings: &[Opening]) -> Check {
    let check = "network/internet-to-load-balancer";
    let group = &balancer.group;
    let of = |port: u16| openings.iter().filter(move |it| fits(it, group, false, port));
    let shut: Vec<String> = ports.iter().filter(|port| of(**port).count() == 0).map(u16::to_string).collect();
    if !shut.is_empty() {
        let evidence = format!("no rule lets anybody into {group} of the load balancer at port {}", shut.join(", "));
        return Check::found(check, Verdict::Bad, evidence, PUT_BACK);
    }
    let some: Vec<String> = ports.iter().filter(|port| !of(**port).any(anywhere)).map(u16::to_string).collect();
    if !some.is_empty() {
        let evidence = format!("not everybody is let into {group} of the load balancer at port {}", some.join(", "));
        return Check::found(check, Verdict::Warn, evidence, "rcm drift");
    }
    let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
    Check::good(check, format!("port {} of {group} from anywhere", ports.join(", ")))
}

fn to_aws(service: &Side, openings: &[Opening]) -> Check {
    let check = "network/service-to-aws";
    let group = &service.group;
    if openings.iter().any(|it| fits(it, group, true, HTTPS) && anywhere(it)) {
        return Check::good(check, format!("port {HTTPS} from {group} to anywhere"));
    }
    let evidence = format!(
        "port {HTTPS}: no rule lets it out of {group} of the service to everywhere: images, secrets and logs are there"
    );
    Check::found(check, Verdict::Bad, evidence, PUT_BACK)
}

fn judge_ways(subnets: &[String], ways: &BTreeMap<String, WayOut>, gateways: &[Standing]) -> Check {
    let check = "network/way-out";
    let wrong: Vec<String> = subnets.iter().filter_map(|subnet| lost(subnet, ways.get(subnet), gateways)).collect();
    if !wrong.is_empty() {
        return Check::found(check, Verdict::Bad, wrong.join("; "), PUT_BACK);
    }
    let mut targets: Vec<&str> = ways.values().filter_map(|way| way.target.as_deref()).collect();
    targets.sort_unstable();
    targets.dedup();
    Check::good(check, format!("{} private subnets lead to {}", subnets.len(), targets.join(", ")))
}

/// Why a subnet has no way out.
fn lost(subnet: &str, way: Option<&WayOut>, gateways: &[Standing]) -> Option<String> {
    let Some(WayOut { table, target, leads_there }) = way else {
        return Some(format!("{subnet} has no route table"));
    };
    let Some(target) = target else { return Some(format!("{table} of {subnet} has no route to 0.0.0.0/0")) };
    if !leads_there {
        return Some(format!("{table} of {subnet} leads to {target}, which is gone"));
    }
    let gateway = gateways.iter().find(|gateway| gateway.id == *target)?;
    (gateway.state != "available").then(|| format!("{subnet} leads to {target}, which is {}", gateway.state))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(name: &'static str, block: &str) -> Side {
        Side { name, group: format!("sg-{name}"), subnets: vec![(format!("subnet-{name}"), block.parse().unwrap())] }
    }

    fn opening(group: &str, outward: bool, ports: Option<(u16, u16)>, peer: Peer) -> Opening {
        Opening { group: group.into(), outward, ports, peer }
    }

    #[test]
    fn a_step_needs_a_rule_at_both_ends() {
        let (service, database) = (side("service", "10.0.64.0/20"), side("database", "10.0.128.0/20"));
        let out = opening("sg-service", true, None, Peer::Block("0.0.0.0/0".into()));
        let into = opening("sg-database", false, Some((5432, 5432)), Peer::Group("sg-service".into()));
        let judge = |openings: &[Opening]| hop("step", &service, &database, 5432, openings);
        assert_eq!(judge(&[out.clone(), into.clone()]).verdict, Verdict::Ok);
        for (missing, there) in [("into sg-database", &out), ("out of sg-service", &into)] {
            let check = judge(std::slice::from_ref(there));
            assert!(check.verdict == Verdict::Bad && check.evidence.contains(missing), "{check:?}");
            assert_eq!(check.mend.as_deref(), Some(PUT_BACK));
        }
        let wrong = Opening { ports: Some((5433, 5440)), ..into.clone() };
        assert_eq!(judge(&[out.clone(), wrong]).verdict, Verdict::Bad);
        let block = |block: &str| Opening { peer: Peer::Block(block.into()), ..into.clone() };
        assert_eq!(judge(&[out.clone(), block("10.0.0.0/16")]).verdict, Verdict::Ok);
        assert_eq!(judge(&[out.clone(), block("10.0.64.0/24")]).verdict, Verdict::Bad);
        assert_eq!(judge(&[out, Opening { peer: Peer::List("pl-1".into()), ..into }]).verdict, Verdict::Unknown);
    }

    #[test]
    fn a_way_out_leads_to_something_that_is_there() {
        let way = |target: Option<&str>, leads_there| WayOut {
            table: "rtb-1".into(),
            target: target.map(str::to_owned),
            leads_there,
        };
        let gateway = |state: &str| Standing { id: "nat-1".into(), state: state.into(), reason: None };
        let judge = |way: Option<WayOut>, gateways: &[Standing]| {
            let ways = way.map(|way| ("subnet-1".to_owned(), way)).into_iter().collect();
            judge_ways(&["subnet-1".to_owned()], &ways, gateways).verdict
        };
        assert_eq!(judge(Some(way(Some("nat-1"), true)), &[gateway("available")]), Verdict::Ok);
        assert_eq!(judge(Some(way(Some("nat-1"), true)), &[gateway("failed")]), Verdict::Bad);
        assert_eq!(judge(Some(way(Some("nat-1"), false)), &[]), Verdict::Bad);
        assert_eq!(judge(Some(way(None, false)), &[gateway("available")]), Verdict::Bad);
        assert_eq!(judge(None, &[gateway("available")]), Verdict::Bad);
    }
}
