//! Network ACLs: their entries, and which subnets they judge. Every subnet has exactly one, at first its VPC's default one.

use serde::{Deserialize, Serialize};

use super::network::{Call, Item, Network, many, new_id, one};
use super::subnet::Subnet;
use super::vpc::{Vpc, cidr_of};
use super::{dependency, done, invalid, tag};
use crate::wire::{Fault, Params, Xml};

/// The number of the entry that denies what no other has allowed.
const LAST: u16 = 32767;
/// How many entries an ACL may have in each direction, unless AWS raises the quota.
const MOST_ENTRIES: usize = 20;

#[derive(Serialize, Deserialize)]
pub(super) struct NetworkAcl {
    pub(super) id: String,
    pub(super) vpc: String,
    default: bool,
    token: Option<String>,
    entries: Vec<Entry>,
    associations: Vec<Association>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Entry {
    number: u16,
    egress: bool,
    /// As a number, whatever it was given as.
    protocol: String,
    allow: bool,
    cidr: String,
    ports: Option<(u16, u16)>,
    /// Type and code.
    icmp: Option<(i32, i32)>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Association {
    id: String,
    subnet: String,
}

impl Association {
    fn of(subnet: &str) -> Self {
        Self { id: new_id("aclassoc"), subnet: subnet.to_owned() }
    }
}

impl Entry {
    fn of_all(number: u16, egress: bool, allow: bool) -> Self {
        let (protocol, cidr) = ("-1".to_owned(), "0.0.0.0/0".to_owned());
        Self { number, egress, protocol, allow, cidr, ports: None, icmp: None }
    }

    fn place(&self) -> (bool, u16) {
        (self.egress, self.number)
    }

    fn xml(&self, xml: &mut Xml) {
        xml.text("ruleNumber", self.number).text("protocol", &self.protocol);
        xml.text("ruleAction", if self.allow { "allow" } else { "deny" }).text("egress", self.egress);
        xml.text("cidrBlock", &self.cidr);
        if let Some((from, to)) = self.ports {
            xml.node("portRange", |range| {
                range.text("from", from).text("to", to);
            });
        }
        if let Some((kind, code)) = self.icmp {
            xml.node("icmpTypeCode", |icmp| {
                icmp.text("type", kind).text("code", code);
            });
        }
    }
}

impl NetworkAcl {
    fn new(vpc: &str, default: bool) -> Self {
        let allowed = [false, true].map(|egress| Entry::of_all(100, egress, true));
        let last = [false, true].map(|egress| Entry::of_all(LAST, egress, false));
        let entries = allowed.into_iter().filter(|_| default).chain(last).collect();
        Self { id: new_id("acl"), vpc: vpc.to_owned(), default, token: None, entries, associations: Vec::new() }
    }

    /// The one that its VPC came with.
    pub(super) fn is_default(&self) -> bool {
        self.default
    }

    fn position(&self, number: u16, egress: bool) -> Result<usize, Fault> {
        let found = self.entries.iter().position(|entry| entry.place() == (egress, number));
        found.ok_or_else(|| {
            let message = format!("The network acl entry identified by {number} does not exist.");
            Fault::new("InvalidNetworkAclEntry.NotFound", message)
        })
    }
}

impl Item for NetworkAcl {
    const ID: &'static str = "NetworkAclId";
    const SET: &'static str = "networkAclSet";

    fn all(net: &Network) -> &Vec<Self> {
        &net.network_acls
    }

    fn all_mut(net: &mut Network) -> &mut Vec<Self> {
        &mut net.network_acls
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn not_found(id: &str) -> Fault {
        Fault::new("InvalidNetworkAclID.NotFound", format!("The networkAcl ID '{id}' does not exist"))
    }

    fn filter(&self, name: &str, _: &Network, call: &Call<'_>) -> Option<Vec<String>> {
        match name {
            "network-acl-id" => one(&self.id),
            "vpc-id" => one(&self.vpc),
            "default" => one(self.default),
            "owner-id" => one(&call.cx.account),
            "association.association-id" => many(self.associations.iter().map(|to| &to.id)),
            "association.network-acl-id" => many(self.associations.iter().map(|_| &self.id)),
            "association.subnet-id" => many(self.associations.iter().map(|to| &to.subnet)),
            "entry.cidr" => many(self.entries.iter().map(|entry| &entry.cidr)),
            "entry.protocol" => many(self.entries.iter().map(|entry| &entry.protocol)),
            "entry.rule-number" => many(self.entries.iter().map(|entry| entry.number)),
            "entry.egress" => many(self.entries.iter().map(|entry| entry.egress)),
            _ => None,
        }
    }

    fn xml(&self, xml: &mut Xml, net: &Network, call: &Call<'_>) {
        xml.text("networkAclId", &self.id).text("vpcId", &self.vpc).text("default", self.default);
        xml.text("ownerId", &call.cx.account);
        xml.list("entrySet", "item", &self.entries, |item, entry| entry.xml(item));
        xml.list("associationSet", "item", &self.associations, |item, association| {
            item.text("networkAclAssociationId", &association.id).text("networkAclId", &self.id);
            item.text("subnetId", &association.subnet);
        });
        net.tag_set(xml, &self.id);
    }
}

/// The ACL a new VPC comes with.
pub(super) fn add_default(net: &mut Network, vpc: &str) {
    net.network_acls.push(NetworkAcl::new(vpc, true));
}

/// Gives a new subnet to the default ACL of its VPC.
pub(super) fn add_subnet(net: &mut Network, vpc: &str, subnet: &str) {
    let default = net.network_acls.iter_mut().find(|acl| acl.default && acl.vpc == vpc);
    if let Some(default) = default {
        default.associations.push(Association::of(subnet));
    }
}

pub(super) fn remove_subnet(net: &mut Network, subnet: &str) {
    for acl in &mut net.network_acls {
        acl.associations.retain(|association| association.subnet != subnet);
    }
}

/// Gives what was saved before the sandbox had network ACLs what AWS gives every VPC and subnet.
pub(super) fn complete(net: &mut Network) {
    let has_one = |vpc: &str| net.network_acls.iter().any(|acl| acl.default && acl.vpc == vpc);
    let bare: Vec<_> = net.vpcs.iter().map(|vpc| vpc.id.clone()).filter(|vpc| !has_one(vpc)).collect();
    bare.iter().for_each(|vpc| add_default(net, vpc));
    let judged = |net: &Network, subnet: &str| {
        net.network_acls.iter().any(|acl| acl.associations.iter().any(|association| association.subnet == subnet))
    };
    let subnets: Vec<_> = net.subnets.iter().map(|subnet| (subnet.vpc.clone(), subnet.id.clone())).collect();
    for (vpc, subnet) in subnets {
        if !judged(net, &subnet) {
            add_subnet(net, &vpc, &subnet);
        }
    }
}

pub(super) fn create(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let vpc = net.find::<Vpc>(call.require("VpcId")?)?.id.clone();
    let token = call.params.get("ClientToken").map(str::to_owned);
    let known = net.network_acls.iter().position(|acl| token.is_some() && acl.token == token);
    let at = match known {
        Some(at) => at,
        None => {
            let acl = NetworkAcl { token: token.clone(), ..NetworkAcl::new(&vpc, false) };
            net.tag(&acl.id, tag::at_create(call.params, "network-acl")?);
            net.network_acls.push(acl);
            net.network_acls.len() - 1
        }
    };
    let mut xml = Xml::default();
    xml.node("networkAcl", |xml| net.network_acls[at].xml(xml, net, call)).opt("clientToken", token);
    Ok(xml)
}

pub(super) fn delete(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let acl = net.find::<NetworkAcl>(call.require("NetworkAclId")?)?;
    let id = acl.id.clone();
    if acl.default {
        return Err(invalid(format!("cannot delete default network ACL {id}")));
    }
    if !acl.associations.is_empty() {
        return Err(dependency(format!("The networkAcl '{id}' has dependencies and cannot be deleted.")));
    }
    net.remove::<NetworkAcl>(&id);
    done()
}

pub(super) fn create_entry(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let entry = given(call.params)?;
    let acl = net.find_mut::<NetworkAcl>(call.require("NetworkAclId")?)?;
    if acl.position(entry.number, entry.egress).is_ok() {
        let message = format!("The network acl entry identified by {} already exists.", entry.number);
        return Err(Fault::new("NetworkAclEntryAlreadyExists", message));
    }
    let made = acl.entries.iter().filter(|other| other.egress == entry.egress && other.number != LAST).count();
    if made >= MOST_ENTRIES {
        let message = format!("The maximum number of network ACL entries has been reached: {MOST_ENTRIES}");
        return Err(Fault::new("NetworkAclEntryLimitExceeded", message));
    }
    acl.entries.push(entry);
    acl.entries.sort_by_key(Entry::place);
    done()
}

pub(super) fn replace_entry(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let entry = given(call.params)?;
    let acl = net.find_mut::<NetworkAcl>(call.require("NetworkAclId")?)?;
    let at = acl.position(entry.number, entry.egress)?;
    acl.entries[at] = entry;
    done()
}

pub(super) fn delete_entry(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let (number, egress) = place(call.params)?;
    let acl = net.find_mut::<NetworkAcl>(call.require("NetworkAclId")?)?;
    let at = acl.position(number, egress)?;
    acl.entries.remove(at);
    done()
}

fn place(params: &Params) -> Result<(u16, bool), Fault> {
    let number = params.require("RuleNumber")?;
    let number = number.parse().ok().filter(|number| (1..LAST).contains(number));
    let number = number.ok_or_else(|| invalid("the rule number must be between 1 and 32766"))?;
    params.require("Egress")?;
    Ok((number, params.parsed("Egress")?.unwrap_or_default()))
}

fn given(params: &Params) -> Result<Entry, Fault> {
    let (number, egress) = place(params)?;
    let protocol = match params.require("Protocol")? {
        "tcp" => "6",
        "udp" => "17",
        "icmp" => "1",
        "all" => "-1",
        other => other,
    };
    let allow = match params.require("RuleAction")? {
        "allow" => true,
        "deny" => false,
        other => return Err(invalid(format!("Value ({other}) for parameter ruleAction is invalid."))),
    };
    let ports = params.parsed("PortRange.From")?.zip(params.parsed("PortRange.To")?);
    let icmp = params.parsed("Icmp.Type")?.zip(params.parsed("Icmp.Code")?);
    if matches!(protocol, "6" | "17") && ports.is_none_or(|(from, to): (u16, u16)| from > to) {
        return Err(invalid("Invalid value for portRange: TCP and UDP need one."));
    }
    if protocol == "1" && icmp.is_none() {
        return Err(Fault::new("MissingParameter", "The request must contain the parameter icmpTypeCode"));
    }
    let cidr = cidr_of(params.require("CidrBlock")?)?.to_string();
    Ok(Entry { number, egress, protocol: protocol.to_owned(), allow, cidr, ports, icmp })
}

pub(super) fn replace_association(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let to = net.find::<NetworkAcl>(call.require("NetworkAclId")?)?;
    let (to, vpc) = (to.id.clone(), to.vpc.clone());
    let wanted = call.require("AssociationId")?;
    let found = net.network_acls.iter().find_map(|acl| {
        let association = acl.associations.iter().find(|association| association.id == wanted)?;
        Some((acl.id.clone(), association.subnet.clone()))
    });
    let (from, subnet) = found.ok_or_else(|| {
        Fault::new("InvalidAssociationID.NotFound", format!("The association ID '{wanted}' does not exist"))
    })?;
    if net.find::<Subnet>(&subnet)?.vpc != vpc {
        return Err(invalid(format!("network ACL {to} and subnet {subnet} belong to different networks")));
    }
    let moved = Association::of(&subnet);
    net.find_mut::<NetworkAcl>(&from)?.associations.retain(|association| association.subnet != subnet);
    net.find_mut::<NetworkAcl>(&to)?.associations.push(moved.clone());
    let mut xml = Xml::default();
    xml.text("newAssociationId", moved.id);
    Ok(xml)
}
