//! Routes of a route table.

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::internet_gateway::InternetGateway;
use super::nat_gateway::NatGateway;
use super::network::{Call, Item, Network};
use super::route_table::RouteTable;
use super::vpc::cidr_of;
use super::{done, invalid};
use crate::wire::{Fault, Params, Xml};

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Route {
    /// A CIDR block, or the id of a prefix list.
    pub(super) destination: String,
    pub(super) target: Target,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Target {
    Local,
    InternetGateway(String),
    NatGateway(String),
    Endpoint(String),
}

impl Route {
    /// The one that every table has.
    pub(super) fn local(cidr: Ipv4Net) -> Self {
        Self { destination: cidr.to_string(), target: Target::Local }
    }

    /// `blackhole` when the target is gone.
    fn state(&self, net: &Network) -> &'static str {
        let leads_somewhere = match &self.target {
            Target::Local | Target::Endpoint(_) => true,
            Target::InternetGateway(id) => net.find::<InternetGateway>(id).is_ok_and(|gateway| gateway.vpc.is_some()),
            Target::NatGateway(id) => net.find::<NatGateway>(id).is_ok_and(NatGateway::is_reachable),
        };
        if leads_somewhere { "active" } else { "blackhole" }
    }

    fn gateway(&self) -> Option<&str> {
        match &self.target {
            Target::Local => Some("local"),
            Target::InternetGateway(id) | Target::Endpoint(id) => Some(id),
            Target::NatGateway(_) => None,
        }
    }

    fn nat_gateway(&self) -> Option<&str> {
        match &self.target {
            Target::NatGateway(id) => Some(id),
            _ => None,
        }
    }

    fn is_to_prefix_list(&self) -> bool {
        self.destination.starts_with("pl-")
    }

    fn origin(&self) -> &'static str {
        match self.target {
            Target::Local => "CreateRouteTable",
            _ => "CreateRoute",
        }
    }

    /// Values of the filter `route.{name}`.
    pub(super) fn filter(&self, name: &str, net: &Network) -> Option<Vec<String>> {
        let value = match name {
            "destination-cidr-block" => (!self.is_to_prefix_list()).then_some(self.destination.as_str()),
            "destination-prefix-list-id" => self.is_to_prefix_list().then_some(self.destination.as_str()),
            "gateway-id" => self.gateway(),
            "nat-gateway-id" => self.nat_gateway(),
            "state" => Some(self.state(net)),
            "origin" => Some(self.origin()),
            _ => return None,
        };
        Some(value.into_iter().map(str::to_owned).collect())
    }

    pub(super) fn xml(&self, xml: &mut Xml, net: &Network) {
        let name = if self.is_to_prefix_list() { "destinationPrefixListId" } else { "destinationCidrBlock" };
        xml.text(name, &self.destination).opt("gatewayId", self.gateway()).opt("natGatewayId", self.nat_gateway());
        xml.text("state", self.state(net)).text("origin", self.origin());
    }
}

pub(super) fn create(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let table = net.find::<RouteTable>(call.require("RouteTableId")?)?;
    let route = Route { destination: destination(call.params)?, target: target(net, table, call.params)? };
    if table.routes.iter().any(|present| present.destination == route.destination) {
        let message = format!("The route identified by {} already exists.", route.destination);
        return Err(Fault::new("RouteAlreadyExists", message));
    }
    let id = table.id.clone();
    net.find_mut::<RouteTable>(&id)?.routes.push(route);
    done()
}

pub(super) fn replace(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let table = net.find::<RouteTable>(call.require("RouteTableId")?)?;
    let (id, destination, target) = (table.id.clone(), destination(call.params)?, target(net, table, call.params)?);
    let routes = &mut net.find_mut::<RouteTable>(&id)?.routes;
    let present = routes.iter_mut().find(|route| route.destination == destination).ok_or_else(|| {
        invalid(format!("There is no route defined for '{destination}' in the route table. Use CreateRoute instead."))
    })?;
    present.target = target;
    done()
}

pub(super) fn delete(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let table = net.find_mut::<RouteTable>(call.require("RouteTableId")?)?;
    let destination = destination(call.params)?;
    match table.routes.iter().find(|route| route.destination == destination).map(|route| &route.target) {
        None => {
            let message = format!("no route with destination-cidr-block {destination} in route table {}", table.id);
            return Err(Fault::new("InvalidRoute.NotFound", message));
        }
        Some(Target::Local) => {
            return Err(invalid(format!("cannot remove local route {destination} in route table {}", table.id)));
        }
        Some(_) => table.routes.retain(|route| route.destination != destination),
    }
    done()
}

fn destination(params: &Params) -> Result<String, Fault> {
    Ok(cidr_of(params.require("DestinationCidrBlock")?)?.to_string())
}

fn target(net: &Network, table: &RouteTable, params: &Params) -> Result<Target, Fault> {
    match (params.get("GatewayId"), params.get("NatGatewayId")) {
        (Some("local"), None) => Ok(Target::Local),
        (Some(id), None) => {
            let gateway = net.find::<InternetGateway>(id)?;
            if gateway.vpc.as_ref() != Some(&table.vpc) {
                let message = format!("route table {} and network gateway {id} belong to different networks", table.id);
                return Err(invalid(message));
            }
            Ok(Target::InternetGateway(id.to_owned()))
        }
        (None, Some(id)) => {
            let nat = net.find::<NatGateway>(id)?;
            if nat.vpc != table.vpc {
                return Err(invalid(format!(
                    "route table {} and nat gateway {id} belong to different networks",
                    table.id
                )));
            }
            if !nat.is_reachable() {
                return Err(NatGateway::not_found(id));
            }
            Ok(Target::NatGateway(id.to_owned()))
        }
        (None, None) => {
            Err(Fault::new("UnsupportedOperation", "the sandbox plays routes to internet and NAT gateways"))
        }
        (Some(_), Some(_)) => {
            Err(Fault::new("InvalidParameterCombination", "The request must contain exactly one target of the route"))
        }
    }
}
