//! Network interfaces: one for each resource that has one in the subnet, group or VPC that is asked for. They come and go with what
//! they belong to, and are never played by themselves.

use super::endpoint::Endpoint;
use super::nat_gateway::NatGateway;
use super::network::{Call, Network};
use crate::wire::{Fault, Params, Xml};

/// What the one filter that is played asks for.
pub(super) fn asked(params: &Params) -> Option<String> {
    let filter = params.structs("Filter").into_iter().next()?;
    let known = ["subnet-id", "group-id", "vpc-id"].contains(&filter.get("Name")?);
    known.then(|| filter.list("Value").first().map(|value| (*value).to_owned())).flatten()
}

pub(super) fn describe(net: &Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let place = asked(call.params).unwrap_or_default();
    let gateways = net.nat_gateways.iter().filter(|nat| nat.holds() && nat.subnet == place).map(of_gateway);
    let endpoints = net.endpoints.iter().filter(|endpoint| endpoint.has_interface_in(&place)).map(of_endpoint);
    let others = call.held_by.iter().map(|holder| (holder.clone(), "amazon-aws"));
    let mut xml = Xml::default();
    xml.list(
        "networkInterfaceSet",
        "item",
        gateways.chain(endpoints).chain(others),
        |item, (description, requester)| {
            let holder = description.rsplit(' ').next().unwrap_or_default();
            item.text("networkInterfaceId", id(holder, &place))
                .text("description", description)
                .text("requesterId", requester)
                .text("requesterManaged", true)
                .text("status", "in-use");
        },
    );
    Ok(xml)
}

fn of_gateway(nat: &NatGateway) -> (String, &'static str) {
    (format!("Interface for NAT Gateway {}", nat.id), "amazon-nat")
}

fn of_endpoint(endpoint: &Endpoint) -> (String, &'static str) {
    (format!("VPC Endpoint Interface {}", endpoint.id), "amazon-aws")
}

/// The same for the same two, as nothing is kept.
pub(super) fn id(holder: &str, place: &str) -> String {
    let name = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, format!("{holder} {place}").as_bytes());
    format!("eni-0{}", &name.simple().to_string()[..16])
}
