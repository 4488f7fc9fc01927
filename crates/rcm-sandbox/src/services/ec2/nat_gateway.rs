//! NAT gateways, the slowest part of a network: created and deleted in the background, failing there, too.

use std::net::Ipv4Addr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::address::Address;
use super::network::{Call, Item, Network, new_id, one};
use super::subnet::Subnet;
use super::{invalid, tag};
use crate::countdown::Countdown;
use crate::wire::{Fault, Xml};

/// AWS shows deleted and failed ones for about that long.
const SHOWN_AFTER_THE_END: SignedDuration = SignedDuration::from_hours(1);

#[derive(Serialize, Deserialize)]
pub(super) struct NatGateway {
    pub(super) id: String,
    pub(super) vpc: String,
    pub(super) subnet: String,
    /// None for a private one.
    pub(super) allocation: Option<String>,
    pub(super) association: String,
    pub(super) interface: String,
    pub(super) private_ip: Ipv4Addr,
    public_ip: Option<Ipv4Addr>,
    token: Option<String>,
    state: State,
    countdown: Countdown,
    /// Code and message of what will go wrong, or has.
    failure: Option<(String, String)>,
    created: Timestamp,
    ended: Option<Timestamp>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Pending,
    Failed,
    Available,
    Deleting,
    Deleted,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Failed => "failed",
            Self::Available => "available",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
        }
    }
}

impl NatGateway {
    /// Whether it still has its subnet and address.
    pub(super) fn holds(&self) -> bool {
        matches!(self.state, State::Pending | State::Available | State::Deleting)
    }

    /// Whether a route to it leads somewhere.
    pub(super) fn is_reachable(&self) -> bool {
        matches!(self.state, State::Pending | State::Available)
    }

    /// The next state, once the countdown is over.
    pub(super) fn arrive(&mut self) {
        self.state = match self.state {
            State::Pending if self.failure.is_some() => State::Failed,
            State::Pending => State::Available,
            State::Deleting => State::Deleted,
            settled => settled,
        };
        if !self.holds() && self.ended.is_none() {
            self.ended = Some(Timestamp::now());
        }
    }

    fn arrive_if_instant(&mut self) {
        if self.countdown.arrived() {
            self.arrive();
        }
    }
}

impl Network {
    /// Whether a NAT gateway holds what is about to go. One that is being deleted takes the question as a poll.
    pub(super) fn nat_gateway_holds(&mut self, holds: impl Fn(&NatGateway) -> bool) -> bool {
        let mut held = false;
        for nat in self.nat_gateways.iter_mut().filter(|nat| nat.holds() && holds(nat)) {
            if nat.state == State::Deleting {
                nat.poll();
            }
            held |= nat.holds();
        }
        held
    }
}

impl Item for NatGateway {
    const ID: &'static str = "NatGatewayId";
    const SET: &'static str = "natGatewaySet";

    fn all(net: &Network) -> &Vec<Self> {
        &net.nat_gateways
    }

    fn all_mut(net: &mut Network) -> &mut Vec<Self> {
        &mut net.nat_gateways
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn not_found(id: &str) -> Fault {
        Fault::new("NatGatewayNotFound", format!("NatGateway {id} was not found"))
    }

    fn filter(&self, name: &str, _: &Network, _: &Call<'_>) -> Option<Vec<String>> {
        match name {
            "nat-gateway-id" => one(&self.id),
            "state" => one(self.state.name()),
            "subnet-id" => one(&self.subnet),
            "vpc-id" => one(&self.vpc),
            _ => None,
        }
    }

    fn xml(&self, xml: &mut Xml, net: &Network, _: &Call<'_>) {
        xml.text("natGatewayId", &self.id).text("subnetId", &self.subnet).text("vpcId", &self.vpc);
        xml.text("state", self.state.name()).text("createTime", self.created).opt("deleteTime", self.ended);
        xml.text("connectivityType", if self.allocation.is_some() { "public" } else { "private" });
        if let (State::Failed, Some((code, message))) = (self.state, &self.failure) {
            xml.text("failureCode", code).text("failureMessage", message);
        }
        xml.list("natGatewayAddressSet", "item", [self], |item, nat| {
            item.opt("allocationId", nat.allocation.as_ref()).text("isPrimary", true);
            if nat.state == State::Available {
                item.text("status", "succeeded").text("associationId", &nat.association);
                item.text("networkInterfaceId", &nat.interface);
                item.text("privateIp", nat.private_ip).opt("publicIp", nat.public_ip);
            }
        });
        net.tag_set(xml, &self.id);
    }

    fn poll(&mut self) {
        if self.countdown.poll() {
            self.arrive();
        }
    }

    fn is_gone(&self) -> bool {
        self.ended.is_some_and(|ended| Timestamp::now().duration_since(ended) > SHOWN_AFTER_THE_END)
    }
}

pub(super) fn create(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let subnet = call.require("SubnetId")?;
    let token = call.params.get("ClientToken");
    let known = net.nat_gateways.iter().find(|nat| token.is_some() && nat.token.as_deref() == token);
    if let Some(known) = known {
        if known.subnet != subnet || known.allocation.as_deref() != call.params.get("AllocationId") {
            let message = "The request uses the same client token as a previous, but non-identical request.";
            return Err(Fault::new("IdempotentParameterMismatch", message));
        }
        return Ok(reply(net, call, known));
    }
    let tags = tag::at_create(call.params, "natgateway")?;
    let mut nat = planned(net, call, net.find::<Subnet>(subnet)?)?;
    nat.arrive_if_instant();
    net.tag(&nat.id, tags);
    let xml = reply(net, call, &nat);
    net.nat_gateways.push(nat);
    Ok(xml)
}

fn reply(net: &Network, call: &Call<'_>, nat: &NatGateway) -> Xml {
    let mut xml = Xml::default();
    xml.opt("clientToken", nat.token.as_ref()).node("natGateway", |xml| nat.xml(xml, net, call));
    xml
}

fn planned(net: &Network, call: &Call<'_>, subnet: &Subnet) -> Result<NatGateway, Fault> {
    let address = match call.params.get("ConnectivityType").unwrap_or("public") {
        "public" => Some(net.find::<Address>(call.require("AllocationId")?)?),
        "private" => None,
        other => return Err(invalid(format!("Value ({other}) for parameter connectivityType is invalid."))),
    };
    let neighbours = net.nat_gateways.iter().filter(|nat| nat.subnet == subnet.id).count();
    let offset = u32::try_from(neighbours).unwrap_or_default().wrapping_add(10);
    Ok(NatGateway {
        id: new_id("nat"),
        vpc: subnet.vpc.clone(),
        subnet: subnet.id.clone(),
        allocation: address.map(|address| address.allocation.clone()),
        association: new_id("eipassoc"),
        interface: new_id("eni"),
        private_ip: Ipv4Addr::from_bits(subnet.cidr.network().to_bits().wrapping_add(offset)),
        public_ip: address.map(|address| address.public_ip),
        token: call.params.get("ClientToken").map(str::to_owned),
        state: State::Pending,
        countdown: call.countdown(),
        failure: address.and_then(|address| failure(net, subnet, address)),
        created: Timestamp::now(),
        ended: None,
    })
}

/// What AWS accepts and then fails in the background.
fn failure(net: &Network, subnet: &Subnet, address: &Address) -> Option<(String, String)> {
    if address.user(net).is_some() {
        let message = format!("Elastic IP address [{}] is already associated", address.allocation);
        return Some(("Resource.AlreadyAssociated".to_owned(), message));
    }
    if !net.internet_gateways.iter().any(|gateway| gateway.vpc.as_ref() == Some(&subnet.vpc)) {
        let message = format!("Network {} has no Internet gateway attached", subnet.vpc);
        return Some(("Gateway.NotAttached".to_owned(), message));
    }
    None
}

pub(super) fn delete(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let nat = net.find_mut::<NatGateway>(call.require("NatGatewayId")?)?;
    if matches!(nat.state, State::Pending | State::Available | State::Failed) {
        nat.state = State::Deleting;
        nat.countdown = call.countdown();
        nat.ended = None;
        nat.arrive_if_instant();
    }
    let mut xml = Xml::default();
    xml.text("natGatewayId", &nat.id);
    Ok(xml)
}
