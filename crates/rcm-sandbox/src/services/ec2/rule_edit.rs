//! Authorize, revoke and describe anew: the rules of a security group change all at once or not at all.

use ipnet::{Ipv4Net, Ipv6Net};

use super::group::{PLAIN, SecurityGroup, is_plain};
use super::network::{Call, Item, Network};
use super::rule::{Peer, Rule, Traffic};
use super::{done, invalid, tag};
use crate::wire::{Fault, Params, Xml};

pub(super) fn authorize(net: &mut Network, call: &Call<'_>, egress: bool) -> Result<Xml, Fault> {
    let rules = given(net, call, egress)?;
    let tags = tag::at_create(call.params, "security-group-rule")?;
    for (index, rule) in rules.iter().enumerate() {
        if net.rules.iter().chain(&rules[..index]).any(|present| present.is_same(rule)) {
            let message = format!("the specified rule \"{}\" already exists", spoken(rule));
            return Err(Fault::new("InvalidPermission.Duplicate", message));
        }
    }
    for rule in &rules {
        net.tag(&rule.id, tags.clone());
    }
    net.rules.extend(rules.iter().cloned());
    let mut xml = Xml::default();
    xml.text("return", true).list(Rule::SET, "item", &rules, |item, rule| rule.xml(item, net, call));
    Ok(xml)
}

pub(super) fn revoke(net: &mut Network, call: &Call<'_>, egress: bool) -> Result<Xml, Fault> {
    let ids = call.params.list("SecurityGroupRuleId");
    let revoked: Vec<Rule> = if ids.is_empty() {
        let given = given(net, call, egress)?;
        given.iter().map(|rule| present(net, rule).cloned()).collect::<Result<_, _>>()?
    } else {
        let group = net.find::<SecurityGroup>(call.require("GroupId")?)?;
        let find = |id: &&str| {
            let rule = net.find::<Rule>(id)?;
            let is_of_group = rule.group == group.id && rule.egress == egress;
            if is_of_group { Ok(rule.clone()) } else { Err(Rule::not_found(id)) }
        };
        ids.iter().map(find).collect::<Result<_, _>>()?
    };
    for rule in &revoked {
        net.remove::<Rule>(&rule.id);
    }
    done()
}

/// UpdateSecurityGroupRuleDescriptions: the rule stays, with its id.
pub(super) fn redescribe(net: &mut Network, call: &Call<'_>, egress: bool) -> Result<Xml, Fault> {
    let given = given(net, call, egress)?;
    for rule in &given {
        present(net, rule)?;
    }
    for rule in given {
        for present in net.rules.iter_mut().filter(|present| present.is_same(&rule)) {
            present.description.clone_from(&rule.description);
        }
    }
    done()
}

/// ModifySecurityGroupRules: the rule stays, with its id and its direction, and is otherwise what the request says.
pub(super) fn modify(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let group = net.find::<SecurityGroup>(call.require("GroupId")?)?;
    let mut changed = Vec::new();
    for update in call.params.structs("SecurityGroupRule") {
        let id = update.require("SecurityGroupRuleId")?;
        let rule =
            net.find::<Rule>(id).ok().filter(|rule| rule.group == group.id).ok_or_else(|| Rule::not_found(id))?;
        let wanted = update.within("SecurityGroupRule");
        let peer = match (wanted.get("CidrIpv4"), wanted.get("ReferencedGroupId")) {
            (Some(range), None) => Peer::Cidr(cidr(range)?),
            (None, Some(id)) => Peer::Group(net.find::<SecurityGroup>(id)?.id.clone()),
            _ => return Err(invalid("A rule has exactly one source or destination.")),
        };
        let (traffic, description) = (traffic(&wanted)?, description(&wanted)?);
        changed.push(Rule { traffic, peer, description, ..rule.clone() });
    }
    for rule in changed {
        if net.rules.iter().any(|present| present.id != rule.id && present.is_same(&rule)) {
            let message = format!("the specified rule \"{}\" already exists", spoken(&rule));
            return Err(Fault::new("InvalidPermission.Duplicate", message));
        }
        net.rules.iter_mut().filter(|present| present.id == rule.id).for_each(|present| *present = rule.clone());
    }
    done()
}

fn present<'a>(net: &'a Network, rule: &Rule) -> Result<&'a Rule, Fault> {
    net.rules.iter().find(|present| present.is_same(rule)).ok_or_else(|| {
        Fault::new("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
    })
}

/// The rules of the request, one for each peer of each permission.
fn given(net: &Network, call: &Call<'_>, egress: bool) -> Result<Vec<Rule>, Fault> {
    let group = net.find::<SecurityGroup>(call.require("GroupId")?)?;
    let mut rules = Vec::new();
    for permission in permissions(call.params) {
        let traffic = traffic(&permission)?;
        for (peer, description) in peers(net, group, &permission)? {
            rules.push(Rule::new(&group.id, egress, traffic.clone(), peer, description));
        }
    }
    if rules.is_empty() {
        return Err(Fault::new("MissingParameter", "The request must contain the parameter ipPermissions"));
    }
    Ok(rules)
}

/// The permissions of the request: a list, or the old way, one permission with one range spread over the request itself.
fn permissions(params: &Params) -> Vec<Params> {
    let listed = params.structs("IpPermissions");
    if listed.is_empty() && params.get("IpProtocol").is_some() { vec![params.clone()] } else { listed }
}

fn traffic(permission: &Params) -> Result<Traffic, Fault> {
    let protocol = match permission.require("IpProtocol")? {
        "6" => "tcp",
        "17" => "udp",
        "1" => "icmp",
        other => other,
    };
    let (from, to) = (permission.parsed::<i32>("FromPort")?, permission.parsed::<i32>("ToPort")?);
    match (protocol, from, to) {
        ("-1", ..) => Ok(Traffic { protocol: protocol.to_owned(), from: None, to: None }),
        ("tcp" | "udp", Some(first), Some(last)) if !(0..=last).contains(&first) || last > 65535 => {
            Err(invalid(format!("Invalid TCP/UDP port range ({first}:{last})")))
        }
        ("tcp" | "udp", None, _) | ("tcp" | "udp", _, None) => {
            Err(invalid("Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange."))
        }
        _ => Ok(Traffic { protocol: protocol.to_owned(), from, to }),
    }
}

fn peers(net: &Network, group: &SecurityGroup, permission: &Params) -> Result<Vec<(Peer, Option<String>)>, Fault> {
    let mut peers = Vec::new();
    if let Some(range) = permission.get("CidrIp") {
        peers.push((Peer::Cidr(cidr(range)?), None));
    }
    for range in permission.structs("IpRanges") {
        peers.push((Peer::Cidr(cidr(range.require("CidrIp")?)?), description(&range)?));
    }
    for range in permission.structs("Ipv6Ranges") {
        peers.push((Peer::CidrIpv6(cidr_ipv6(range.require("CidrIpv6")?)?), description(&range)?));
    }
    for pair in permission.structs("Groups") {
        let referenced = net.find::<SecurityGroup>(pair.require("GroupId")?)?;
        if referenced.vpc != group.vpc {
            return Err(SecurityGroup::not_found(&referenced.id));
        }
        peers.push((Peer::Group(referenced.id.clone()), description(&pair)?));
    }
    for list in permission.structs("PrefixListIds") {
        peers.push((Peer::PrefixList(list.require("PrefixListId")?.to_owned()), description(&list)?));
    }
    Ok(peers)
}

fn cidr(text: &str) -> Result<String, Fault> {
    let cidr: Ipv4Net = text.parse().map_err(|_| invalid(format!("CIDR block {text} is malformed")))?;
    Ok(cidr.trunc().to_string())
}

fn cidr_ipv6(text: &str) -> Result<String, Fault> {
    let cidr: Ipv6Net = text.parse().map_err(|_| invalid(format!("CIDR block {text} is malformed")))?;
    Ok(cidr.trunc().to_string())
}

fn description(peer: &Params) -> Result<Option<String>, Fault> {
    match peer.get("Description") {
        Some(text) if text.len() > 255 || !is_plain(text) => Err(invalid(format!(
            "Invalid rule description. Valid descriptions are strings less than 256 characters from the following set: {PLAIN}"
        ))),
        text => Ok(text.map(str::to_owned)),
    }
}

/// A rule as AWS's messages say it.
fn spoken(rule: &Rule) -> String {
    let Traffic { protocol, from, to } = &rule.traffic;
    let protocol = if protocol == "-1" { "ALL".to_owned() } else { protocol.to_uppercase() };
    let ports = match (from, to) {
        (Some(from), Some(to)) => format!("from port: {from}, to port: {to}, "),
        _ => String::new(),
    };
    format!("peer: {}, {protocol}, {ports}ALLOW", rule.peer.name())
}
