//! VPCs: an address range, two DNS switches, a main route table and a default group.

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::endpoint::Endpoint;
use super::network::{Call, Item, Network, new_id, one};
use super::{dependency, done, group, invalid, network_acl, route_table, tag};
use crate::wire::{Fault, Xml};

#[derive(Serialize, Deserialize)]
pub(super) struct Vpc {
    pub(super) id: String,
    pub(super) cidr: Ipv4Net,
    tenancy: String,
    pub(super) dns_support: bool,
    pub(super) dns_hostnames: bool,
    address_usage_metrics: bool,
}

impl Item for Vpc {
    const ID: &'static str = "VpcId";
    const SET: &'static str = "vpcSet";

    fn all(net: &Network) -> &Vec<Self> {
        &net.vpcs
    }

    fn all_mut(net: &mut Network) -> &mut Vec<Self> {
        &mut net.vpcs
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn not_found(id: &str) -> Fault {
        Fault::new("InvalidVpcID.NotFound", format!("The vpc ID '{id}' does not exist"))
    }

    fn filter(&self, name: &str, _: &Network, call: &Call<'_>) -> Option<Vec<String>> {
        match name {
            "vpc-id" => one(&self.id),
            "cidr" | "cidr-block-association.cidr-block" => one(self.cidr),
            "state" => one("available"),
            "is-default" => one(false),
            "owner-id" => one(&call.cx.account),
            "dhcp-options-id" => one("default"),
            _ => None,
        }
    }

    fn xml(&self, xml: &mut Xml, net: &Network, call: &Call<'_>) {
        self.xml_in(xml, net, call, "available");
    }
}

impl Vpc {
    fn xml_in(&self, xml: &mut Xml, net: &Network, call: &Call<'_>, state: &str) {
        xml.text("vpcId", &self.id).text("ownerId", &call.cx.account).text("state", state).text("cidrBlock", self.cidr);
        xml.list("cidrBlockAssociationSet", "item", [self.cidr], |item, cidr| {
            item.text("cidrBlock", cidr).text("associationId", self.id.replacen("vpc", "vpc-cidr-assoc", 1));
            item.node("cidrBlockState", |block| {
                block.text("state", "associated");
            });
        });
        xml.text("dhcpOptionsId", "default").text("instanceTenancy", &self.tenancy).text("isDefault", false);
        net.tag_set(xml, &self.id);
    }
}

pub(super) fn create(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let cidr = cidr_of(call.require("CidrBlock")?)?;
    if !(16..=28).contains(&cidr.prefix_len()) {
        return Err(Fault::new("InvalidVpc.Range", format!("The CIDR '{cidr}' is invalid.")));
    }
    let tags = tag::at_create(call.params, "vpc")?;
    let vpc = Vpc {
        id: new_id("vpc"),
        cidr,
        tenancy: call.params.get("InstanceTenancy").unwrap_or("default").to_owned(),
        dns_support: true,
        dns_hostnames: false,
        address_usage_metrics: false,
    };
    net.tag(&vpc.id, tags);
    route_table::add_main(net, &vpc);
    group::add_default(net, &vpc.id);
    network_acl::add_default(net, &vpc.id);
    let mut xml = Xml::default();
    xml.node("vpc", |xml| vpc.xml_in(xml, net, call, "pending"));
    net.vpcs.push(vpc);
    Ok(xml)
}

pub(super) fn describe_attribute(net: &Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let vpc = net.find::<Vpc>(call.require("VpcId")?)?;
    let attribute = call.require("Attribute")?;
    let value = match attribute {
        "enableDnsSupport" => vpc.dns_support,
        "enableDnsHostnames" => vpc.dns_hostnames,
        "enableNetworkAddressUsageMetrics" => vpc.address_usage_metrics,
        other => return Err(invalid(format!("Value ({other}) for parameter attribute is invalid."))),
    };
    let mut xml = Xml::default();
    xml.text("vpcId", &vpc.id).node(attribute, |xml| {
        xml.text("value", value);
    });
    Ok(xml)
}

/// One attribute a call, as AWS insists.
pub(super) fn modify_attribute(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let vpc = net.find_mut::<Vpc>(call.require("VpcId")?)?;
    let mut given = Vec::new();
    for (name, field) in [
        ("EnableDnsSupport.Value", &mut vpc.dns_support),
        ("EnableDnsHostnames.Value", &mut vpc.dns_hostnames),
        ("EnableNetworkAddressUsageMetrics.Value", &mut vpc.address_usage_metrics),
    ] {
        given.extend(call.params.parsed::<bool>(name)?.map(|value| (field, value)));
    }
    match given.as_mut_slice() {
        [(field, value)] => **field = *value,
        [] => return Err(Fault::new("MissingParameter", "The request must contain an attribute to modify")),
        _ => return Err(Fault::new("InvalidParameterCombination", "Fields for multiple attribute types specified")),
    }
    done()
}

pub(super) fn delete(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let id = net.find::<Vpc>(call.require("VpcId")?)?.id.clone();
    let is_used = !call.held_by.is_empty()
        || net.subnets.iter().any(|subnet| subnet.vpc == id)
        || net.internet_gateways.iter().any(|gateway| gateway.vpc.as_ref() == Some(&id))
        || net.groups.iter().any(|group| group.vpc == id && !group.is_default())
        || net.route_tables.iter().any(|table| table.vpc == id && !table.is_main())
        || net.network_acls.iter().any(|acl| acl.vpc == id && !acl.is_default())
        || net.endpoint_holds(|endpoint: &Endpoint| endpoint.vpc == id);
    if is_used {
        return Err(dependency(format!("The vpc '{id}' has dependencies and cannot be deleted.")));
    }
    group::remove_default(net, &id);
    net.route_tables.retain(|table| table.vpc != id);
    net.network_acls.retain(|acl| acl.vpc != id);
    net.remove::<Vpc>(&id);
    done()
}

/// An address range as AWS takes it: canonical, with no host bits.
pub(super) fn cidr_of(text: &str) -> Result<Ipv4Net, Fault> {
    let cidr: Ipv4Net = text.parse().map_err(|_| {
        invalid(format!("Value ({text}) for parameter cidrBlock is invalid. This is not a valid CIDR block."))
    })?;
    Ok(cidr.trunc())
}
