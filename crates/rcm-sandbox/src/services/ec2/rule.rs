//! Rules of security groups: what they are and how they are shown. `rule_edit` changes them.

use serde::{Deserialize, Serialize};

use super::network::{Call, Item, Network, new_id, one};
use crate::wire::{Fault, Xml};

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Rule {
    pub(super) id: String,
    pub(super) group: String,
    pub(super) egress: bool,
    pub(super) traffic: Traffic,
    pub(super) peer: Peer,
    pub(super) description: Option<String>,
}

/// Protocol and ports. `-1` is every protocol, and has no ports.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Traffic {
    pub(super) protocol: String,
    pub(super) from: Option<i32>,
    pub(super) to: Option<i32>,
}

/// Who is on the other side.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Peer {
    Cidr(String),
    CidrIpv6(String),
    Group(String),
    PrefixList(String),
}

impl Peer {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Cidr(name) | Self::CidrIpv6(name) | Self::Group(name) | Self::PrefixList(name) => name,
        }
    }
}

impl Rule {
    pub(super) fn new(group: &str, egress: bool, traffic: Traffic, peer: Peer, description: Option<String>) -> Self {
        Self { id: new_id("sgr"), group: group.to_owned(), egress, traffic, peer, description }
    }

    /// The rule that lets all protocols through.
    pub(super) fn everything(group: &str, egress: bool, peer: Peer) -> Self {
        Self::new(group, egress, Traffic { protocol: "-1".to_owned(), from: None, to: None }, peer, None)
    }

    /// Whether both let the same through; AWS does not look at the description.
    pub(super) fn is_same(&self, other: &Rule) -> bool {
        self.group == other.group
            && self.egress == other.egress
            && self.traffic == other.traffic
            && self.peer == other.peer
    }

    /// Values of the group's filter `ip-permission.{name}`.
    pub(super) fn permission_filter(&self, name: &str) -> Option<Vec<String>> {
        let value = match name {
            "protocol" => Some(self.traffic.protocol.clone()),
            "from-port" => self.traffic.from.map(|port| port.to_string()),
            "to-port" => self.traffic.to.map(|port| port.to_string()),
            "cidr" => matches!(self.peer, Peer::Cidr(_)).then(|| self.peer.name().to_owned()),
            "ipv6-cidr" => matches!(self.peer, Peer::CidrIpv6(_)).then(|| self.peer.name().to_owned()),
            "group-id" => matches!(self.peer, Peer::Group(_)).then(|| self.peer.name().to_owned()),
            "prefix-list-id" => matches!(self.peer, Peer::PrefixList(_)).then(|| self.peer.name().to_owned()),
            _ => return None,
        };
        Some(value.into_iter().collect())
    }
}

impl Item for Rule {
    const ID: &'static str = "SecurityGroupRuleId";
    const SET: &'static str = "securityGroupRuleSet";

    fn all(net: &Network) -> &Vec<Self> {
        &net.rules
    }

    fn all_mut(net: &mut Network) -> &mut Vec<Self> {
        &mut net.rules
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn not_found(id: &str) -> Fault {
        let message = format!("The security group rule ID '{id}' does not exist");
        Fault::new("InvalidSecurityGroupRuleId.NotFound", message)
    }

    fn filter(&self, name: &str, _: &Network, _: &Call<'_>) -> Option<Vec<String>> {
        match name {
            "group-id" => one(&self.group),
            "security-group-rule-id" => one(&self.id),
            _ => None,
        }
    }

    fn xml(&self, xml: &mut Xml, net: &Network, call: &Call<'_>) {
        let (account, region) = (&call.cx.account, &call.cx.region);
        xml.text("securityGroupRuleId", &self.id).text("groupId", &self.group).text("groupOwnerId", account);
        xml.text("securityGroupRuleArn", format!("arn:aws:ec2:{region}:{account}:security-group-rule/{}", self.id));
        xml.text("isEgress", self.egress).text("ipProtocol", &self.traffic.protocol);
        xml.text("fromPort", self.traffic.from.unwrap_or(-1)).text("toPort", self.traffic.to.unwrap_or(-1));
        match &self.peer {
            Peer::Cidr(cidr) => xml.text("cidrIpv4", cidr),
            Peer::CidrIpv6(cidr) => xml.text("cidrIpv6", cidr),
            Peer::PrefixList(id) => xml.text("prefixListId", id),
            Peer::Group(id) => xml.node("referencedGroupInfo", |group| {
                group.text("groupId", id).text("userId", account);
            }),
        };
        xml.opt("description", self.description.as_ref());
        net.tag_set(xml, &self.id);
    }
}

/// Rules as DescribeSecurityGroups shows them: one permission for all rules of the same traffic.
pub(super) fn permissions_xml<'a>(xml: &mut Xml, name: &str, rules: impl Iterator<Item = &'a Rule>, call: &Call<'_>) {
    let mut permissions: Vec<(&Traffic, Vec<&Rule>)> = Vec::new();
    for rule in rules {
        match permissions.iter_mut().find(|(traffic, _)| **traffic == rule.traffic) {
            Some((_, rules)) => rules.push(rule),
            None => permissions.push((&rule.traffic, vec![rule])),
        }
    }
    xml.list(name, "item", permissions, |item, (traffic, rules)| permission_xml(item, traffic, &rules, call));
}

fn permission_xml(xml: &mut Xml, traffic: &Traffic, rules: &[&Rule], call: &Call<'_>) {
    xml.text("ipProtocol", &traffic.protocol).opt("fromPort", traffic.from).opt("toPort", traffic.to);
    let of = |is_meant: fn(&Peer) -> bool| rules.iter().filter(move |rule| is_meant(&rule.peer));
    xml.list("groups", "item", of(|peer| matches!(peer, Peer::Group(_))), |item, rule| {
        item.text("groupId", rule.peer.name()).text("userId", &call.cx.account);
        item.opt("description", rule.description.as_ref());
    });
    xml.list("ipRanges", "item", of(|peer| matches!(peer, Peer::Cidr(_))), |item, rule| {
        item.text("cidrIp", rule.peer.name()).opt("description", rule.description.as_ref());
    });
    xml.list("ipv6Ranges", "item", of(|peer| matches!(peer, Peer::CidrIpv6(_))), |item, rule| {
        item.text("cidrIpv6", rule.peer.name()).opt("description", rule.description.as_ref());
    });
    xml.list("prefixListIds", "item", of(|peer| matches!(peer, Peer::PrefixList(_))), |item, rule| {
        item.text("prefixListId", rule.peer.name()).opt("description", rule.description.as_ref());
    });
}
