//! Subnets.

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::network::{Call, Item, Network, new_id, one};
use super::vpc::{Vpc, cidr_of};
use super::zone::{Zone, zones};
use super::{dependency, done, invalid, network_acl, tag};
use crate::wire::{Fault, Xml};

/// The first four addresses and the last one are AWS's.
const RESERVED: u32 = 5;

#[derive(Serialize, Deserialize)]
pub(super) struct Subnet {
    pub(super) id: String,
    pub(super) vpc: String,
    pub(super) cidr: Ipv4Net,
    pub(super) zone: String,
    zone_id: String,
    map_public_ip: bool,
}

impl Item for Subnet {
    const ID: &'static str = "SubnetId";
    const SET: &'static str = "subnetSet";

    fn all(net: &Network) -> &Vec<Self> {
        &net.subnets
    }

    fn all_mut(net: &mut Network) -> &mut Vec<Self> {
        &mut net.subnets
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn not_found(id: &str) -> Fault {
        Fault::new("InvalidSubnetID.NotFound", format!("The subnet ID '{id}' does not exist"))
    }

    fn filter(&self, name: &str, _: &Network, call: &Call<'_>) -> Option<Vec<String>> {
        match name {
            "subnet-id" => one(&self.id),
            "vpc-id" => one(&self.vpc),
            "cidr" | "cidr-block" | "cidrBlock" => one(self.cidr),
            "availability-zone" | "availabilityZone" => one(&self.zone),
            "availability-zone-id" | "availabilityZoneId" => one(&self.zone_id),
            "map-public-ip-on-launch" => one(self.map_public_ip),
            "default-for-az" | "defaultForAz" => one(false),
            "state" => one("available"),
            "owner-id" => one(&call.cx.account),
            _ => None,
        }
    }

    fn xml(&self, xml: &mut Xml, net: &Network, call: &Call<'_>) {
        self.xml_in(xml, net, call, "available");
    }
}

impl Subnet {
    fn xml_in(&self, xml: &mut Xml, net: &Network, call: &Call<'_>, state: &str) {
        let (account, region) = (&call.cx.account, &call.cx.region);
        xml.text("subnetId", &self.id).text("vpcId", &self.vpc).text("cidrBlock", self.cidr).text("state", state);
        xml.text("subnetArn", format!("arn:aws:ec2:{region}:{account}:subnet/{}", self.id)).text("ownerId", account);
        xml.text("availableIpAddressCount", (1u32 << (32 - self.cidr.prefix_len())) - RESERVED);
        xml.text("availabilityZone", &self.zone).text("availabilityZoneId", &self.zone_id);
        xml.text("defaultForAz", false).text("mapPublicIpOnLaunch", self.map_public_ip);
        xml.text("assignIpv6AddressOnCreation", false).text("enableDns64", false).text("ipv6Native", false);
        net.tag_set(xml, &self.id);
    }
}

pub(super) fn create(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let vpc = net.find::<Vpc>(call.require("VpcId")?)?;
    let cidr = cidr_of(call.require("CidrBlock")?)?;
    let zone = zone_of(call)?;
    let tags = tag::at_create(call.params, "subnet")?;
    if !(16..=28).contains(&cidr.prefix_len()) || !vpc.cidr.contains(&cidr) {
        return Err(Fault::new("InvalidSubnet.Range", format!("The CIDR '{cidr}' is invalid.")));
    }
    let conflicts = |other: &Subnet| other.cidr.contains(&cidr) || cidr.contains(&other.cidr);
    if net.subnets.iter().any(|other| other.vpc == vpc.id && conflicts(other)) {
        let message = format!("The CIDR '{cidr}' conflicts with another subnet");
        return Err(Fault::new("InvalidSubnet.Conflict", message));
    }
    let subnet = Subnet {
        id: new_id("subnet"),
        vpc: vpc.id.clone(),
        cidr,
        zone: zone.name,
        zone_id: zone.id,
        map_public_ip: false,
    };
    net.tag(&subnet.id, tags);
    let mut xml = Xml::default();
    xml.node("subnet", |xml| subnet.xml_in(xml, net, call, "pending"));
    network_acl::add_subnet(net, &subnet.vpc, &subnet.id);
    net.subnets.push(subnet);
    Ok(xml)
}

fn zone_of(call: &Call<'_>) -> Result<Zone, Fault> {
    let (name, id) = (call.params.get("AvailabilityZone"), call.params.get("AvailabilityZoneId"));
    let zones = zones(&call.cx.region);
    let names: Vec<String> = zones.iter().map(|zone| zone.name.clone()).collect();
    let is_meant = |zone: &Zone| name.is_none_or(|name| name == zone.name) && id.is_none_or(|id| id == zone.id);
    zones.into_iter().find(is_meant).ok_or_else(|| {
        invalid(format!(
            "Value ({}) for parameter availabilityZone is invalid. Subnets can currently only be created in the following \
             availability zones: {}.",
            name.or(id).unwrap_or_default(),
            names.join(", ")
        ))
    })
}

pub(super) fn modify_attribute(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let subnet = net.find_mut::<Subnet>(call.require("SubnetId")?)?;
    let value = call.params.parsed::<bool>("MapPublicIpOnLaunch.Value")?;
    subnet.map_public_ip = value.ok_or_else(|| {
        Fault::new("UnsupportedOperation", "of a subnet's attributes the sandbox plays only MapPublicIpOnLaunch")
    })?;
    done()
}

/// Takes the subnet out of its route table and its network ACL, too.
pub(super) fn delete(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let id = net.find::<Subnet>(call.require("SubnetId")?)?.id.clone();
    let is_used = !call.held_by.is_empty()
        | net.nat_gateway_holds(|nat| nat.subnet == id)
        | net.endpoint_holds(|endpoint| endpoint.subnets.contains(&id));
    if is_used {
        return Err(dependency(format!("The subnet '{id}' has dependencies and cannot be deleted.")));
    }
    for table in &mut net.route_tables {
        table.associations.retain(|association| association.subnet.as_ref() != Some(&id));
    }
    network_acl::remove_subnet(net, &id);
    net.remove::<Subnet>(&id);
    done()
}
