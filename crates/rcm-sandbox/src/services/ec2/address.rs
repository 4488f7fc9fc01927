//! Elastic IP addresses.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::nat_gateway::NatGateway;
use super::network::{Call, Item, Network, many, new_id, one};
use super::{done, tag};
use crate::wire::{Fault, Xml};

/// RFC 2544's range for tests: nobody on the Internet answers there.
const FIRST: u32 = Ipv4Addr::new(198, 18, 0, 1).to_bits();

#[derive(Serialize, Deserialize)]
pub(super) struct Address {
    pub(super) allocation: String,
    pub(super) public_ip: Ipv4Addr,
}

impl Address {
    /// The NAT gateway that has it, if any.
    pub(super) fn user<'a>(&self, net: &'a Network) -> Option<&'a NatGateway> {
        let has_it = |nat: &&NatGateway| nat.holds() && nat.allocation.as_ref() == Some(&self.allocation);
        net.nat_gateways.iter().find(has_it)
    }
}

impl Item for Address {
    const ID: &'static str = "AllocationId";
    const SET: &'static str = "addressesSet";

    fn all(net: &Network) -> &Vec<Self> {
        &net.addresses
    }

    fn all_mut(net: &mut Network) -> &mut Vec<Self> {
        &mut net.addresses
    }

    fn id(&self) -> &str {
        &self.allocation
    }

    fn not_found(id: &str) -> Fault {
        Fault::new("InvalidAllocationID.NotFound", format!("The allocation ID '{id}' does not exist"))
    }

    fn filter(&self, name: &str, net: &Network, call: &Call<'_>) -> Option<Vec<String>> {
        match name {
            "allocation-id" => one(&self.allocation),
            "public-ip" => one(self.public_ip),
            "domain" => one("vpc"),
            "association-id" => many(self.user(net).map(|nat| &nat.association)),
            "network-interface-id" => many(self.user(net).map(|nat| &nat.interface)),
            "private-ip-address" => many(self.user(net).map(|nat| nat.private_ip)),
            "network-border-group" => one(&call.cx.region),
            _ => None,
        }
    }

    fn xml(&self, xml: &mut Xml, net: &Network, call: &Call<'_>) {
        xml.text("publicIp", self.public_ip).text("allocationId", &self.allocation).text("domain", "vpc");
        xml.text("publicIpv4Pool", "amazon").text("networkBorderGroup", &call.cx.region);
        if let Some(nat) = self.user(net) {
            xml.text("associationId", &nat.association).text("networkInterfaceId", &nat.interface);
            xml.text("networkInterfaceOwnerId", &call.cx.account).text("privateIpAddress", nat.private_ip);
        }
        net.tag_set(xml, &self.allocation);
    }
}

pub(super) fn allocate(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let tags = tag::at_create(call.params, "elastic-ip")?;
    let public_ip = Ipv4Addr::from_bits(FIRST.wrapping_add(net.addresses_given));
    net.addresses_given = net.addresses_given.wrapping_add(1);
    let address = Address { allocation: new_id("eipalloc"), public_ip };
    let mut xml = Xml::default();
    xml.text("publicIp", public_ip).text("allocationId", &address.allocation).text("domain", "vpc");
    xml.text("publicIpv4Pool", "amazon").text("networkBorderGroup", &call.cx.region);
    net.tag(&address.allocation, tags);
    net.addresses.push(address);
    Ok(xml)
}

pub(super) fn release(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let address = net.find::<Address>(call.require("AllocationId")?)?;
    let (id, public_ip) = (address.allocation.clone(), address.public_ip);
    let is_used = !call.held_by.is_empty() | net.nat_gateway_holds(|nat| nat.allocation.as_ref() == Some(&id));
    if is_used {
        return Err(Fault::new("InvalidIPAddress.InUse", format!("Address {public_ip} is in use.")));
    }
    net.remove::<Address>(&id);
    done()
}
