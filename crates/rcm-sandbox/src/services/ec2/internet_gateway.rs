//! Internet gateways, at most one on a VPC.

use serde::{Deserialize, Serialize};

use super::network::{Call, Item, Network, many, new_id, one};
use super::subnet::Subnet;
use super::vpc::Vpc;
use super::{dependency, done, invalid, tag};
use crate::wire::{Fault, Xml};

#[derive(Serialize, Deserialize)]
pub(super) struct InternetGateway {
    pub(super) id: String,
    pub(super) vpc: Option<String>,
}

impl Item for InternetGateway {
    const ID: &'static str = "InternetGatewayId";
    const SET: &'static str = "internetGatewaySet";

    fn all(net: &Network) -> &Vec<Self> {
        &net.internet_gateways
    }

    fn all_mut(net: &mut Network) -> &mut Vec<Self> {
        &mut net.internet_gateways
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn not_found(id: &str) -> Fault {
        let message = format!("The internetGateway ID '{id}' does not exist");
        Fault::new("InvalidInternetGatewayID.NotFound", message)
    }

    fn filter(&self, name: &str, _: &Network, call: &Call<'_>) -> Option<Vec<String>> {
        match name {
            "internet-gateway-id" => one(&self.id),
            "attachment.vpc-id" => many(&self.vpc),
            "attachment.state" => many(self.vpc.iter().map(|_| "available")),
            "owner-id" => one(&call.cx.account),
            _ => None,
        }
    }

    fn xml(&self, xml: &mut Xml, net: &Network, call: &Call<'_>) {
        xml.text("internetGatewayId", &self.id).text("ownerId", &call.cx.account);
        xml.list("attachmentSet", "item", &self.vpc, |item, vpc| {
            item.text("vpcId", vpc).text("state", "available");
        });
        net.tag_set(xml, &self.id);
    }
}

pub(super) fn create(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let tags = tag::at_create(call.params, "internet-gateway")?;
    let gateway = InternetGateway { id: new_id("igw"), vpc: None };
    net.tag(&gateway.id, tags);
    let mut xml = Xml::default();
    xml.node("internetGateway", |xml| gateway.xml(xml, net, call));
    net.internet_gateways.push(gateway);
    Ok(xml)
}

pub(super) fn attach(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let gateway = net.find::<InternetGateway>(call.require("InternetGatewayId")?)?.id.clone();
    let vpc = net.find::<Vpc>(call.require("VpcId")?)?.id.clone();
    if let Some(present) = &net.find::<InternetGateway>(&gateway)?.vpc {
        let message = format!("resource {gateway} is already attached to network {present}");
        return Err(Fault::new("Resource.AlreadyAssociated", message));
    }
    if net.internet_gateways.iter().any(|other| other.vpc.as_ref() == Some(&vpc)) {
        return Err(invalid(format!("Network {vpc} already has an internet gateway attached")));
    }
    net.find_mut::<InternetGateway>(&gateway)?.vpc = Some(vpc);
    done()
}

pub(super) fn detach(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let gateway = net.find::<InternetGateway>(call.require("InternetGatewayId")?)?;
    let vpc = net.find::<Vpc>(call.require("VpcId")?)?;
    if gateway.vpc.as_ref() != Some(&vpc.id) {
        let message = format!("resource {} is not attached to network {}", gateway.id, vpc.id);
        return Err(Fault::new("Gateway.NotAttached", message));
    }
    let (gateway, vpc) = (gateway.id.clone(), vpc.id.clone());
    let subnets: Vec<String> =
        net.subnets.iter().filter(|subnet| subnet.vpc == vpc).map(Subnet::id).map(str::to_owned).collect();
    let has_public_addresses = !call.held_by.is_empty()
        | net.nat_gateway_holds(|nat| nat.allocation.is_some() && subnets.contains(&nat.subnet));
    if has_public_addresses {
        return Err(dependency(format!(
            "Network {vpc} has some mapped public address(es). Please unmap those public address(es) before detaching the \
             gateway."
        )));
    }
    net.find_mut::<InternetGateway>(&gateway)?.vpc = None;
    done()
}

pub(super) fn delete(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let gateway = net.find::<InternetGateway>(call.require("InternetGatewayId")?)?;
    let id = gateway.id.clone();
    if gateway.vpc.is_some() {
        return Err(dependency(format!("The internetGateway '{id}' has dependencies and cannot be deleted.")));
    }
    net.remove::<InternetGateway>(&id);
    done()
}
