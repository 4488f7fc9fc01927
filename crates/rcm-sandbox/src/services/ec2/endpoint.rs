//! VPC endpoints: gateways (S3, DynamoDB), which are routes, and interfaces, which live in subnets.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::group::SecurityGroup;
use super::network::{Call, Item, Network, forget_gone, new_id, one};
use super::route::{Route, Target};
use super::route_table::RouteTable;
use super::subnet::Subnet;
use super::vpc::Vpc;
use super::{done, interface, invalid, tag};
use crate::countdown::Countdown;
use crate::wire::{Fault, Xml};

/// What an endpoint allows unless it is told otherwise.
const ALLOW_ALL: &str =
    r#"{"Statement":[{"Action":"*","Effect":"Allow","Principal":"*","Resource":"*"}],"Version":"2008-10-17"}"#;

/// The services with gateway endpoints, and the prefix lists that stand for them in routes.
const GATEWAYS: [(&str, &str); 2] = [("s3", "pl-63a5400a"), ("dynamodb", "pl-02cd2c6b")];

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Endpoint {
    pub(super) id: String,
    pub(super) vpc: String,
    pub(super) route_tables: Vec<String>,
    pub(super) subnets: Vec<String>,
    pub(super) groups: Vec<String>,
    kind: Kind,
    service: String,
    policy: String,
    private_dns: bool,
    token: Option<String>,
    state: State,
    countdown: Countdown,
    created: Timestamp,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    Gateway,
    Interface,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Pending,
    Available,
    Deleting,
    /// Never seen: it is not there any more.
    Deleted,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Available => "available",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
        }
    }
}

impl Endpoint {
    /// The next state, once the countdown is over.
    pub(super) fn arrive(&mut self) {
        self.state = match self.state {
            State::Pending => State::Available,
            State::Deleting => State::Deleted,
            settled => settled,
        };
    }

    fn arrive_if_instant(&mut self) {
        if self.countdown.arrived() {
            self.arrive();
        }
    }

    fn is_deleting(&self) -> bool {
        self.state == State::Deleting
    }

    fn kind_name(&self) -> &'static str {
        match self.kind {
            Kind::Gateway => "Gateway",
            Kind::Interface => "Interface",
        }
    }

    /// Whether it has a network interface there: a subnet, a group or the VPC.
    pub(super) fn has_interface_in(&self, place: &str) -> bool {
        let is_there = |ids: &[String]| ids.iter().any(|id| id == place);
        self.kind == Kind::Interface && (self.vpc == place || is_there(&self.subnets) || is_there(&self.groups))
    }

    /// Its place as AWS insists on it: one subnet a zone, and names that the VPC can resolve and that nobody has there yet.
    fn check(&self, net: &Network) -> Result<(), Fault> {
        if self.kind == Kind::Gateway {
            return Ok(());
        }
        let mut zones = std::collections::BTreeSet::new();
        for subnet in &self.subnets {
            let zone = &net.find::<Subnet>(subnet)?.zone;
            if !zones.insert(zone) {
                let message = format!("Found another VPC endpoint subnet in the availability zone of {subnet}.");
                return Err(Fault::new("DuplicateSubnetsInSameZone", message));
            }
        }
        let vpc = net.find::<Vpc>(&self.vpc)?;
        if self.private_dns && !(vpc.dns_support && vpc.dns_hostnames) {
            let message =
                "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true";
            return Err(Fault::new("InvalidParameter", format!("{message} for {}", self.vpc)));
        }
        let conflicts = |other: &&Endpoint| {
            other.id != self.id && other.vpc == self.vpc && other.service == self.service && other.private_dns
        };
        match net.endpoints.iter().find(conflicts) {
            Some(_) if self.private_dns => {
                let message = "private-dns-enabled cannot be set because there is already a conflicting DNS domain";
                Err(Fault::new("InvalidParameter", format!("{message} for {} in the VPC {}", self.service, self.vpc)))
            }
            _ => Ok(()),
        }
    }
}

impl Network {
    /// Whether an endpoint holds what is about to go. One that is being deleted takes the question as a poll.
    pub(super) fn endpoint_holds(&mut self, holds: impl Fn(&Endpoint) -> bool) -> bool {
        for endpoint in self.endpoints.iter_mut().filter(|endpoint| endpoint.is_deleting() && holds(endpoint)) {
            endpoint.poll();
        }
        forget_gone::<Endpoint>(self);
        self.endpoints.iter().any(holds)
    }

    /// The routes that gateway endpoints have put into a table.
    pub(super) fn endpoint_routes(&self, table: &str, call: &Call<'_>) -> Vec<Route> {
        let in_table = self.endpoints.iter().filter(|endpoint| endpoint.route_tables.iter().any(|id| id == table));
        let route = |endpoint: &Endpoint| {
            let destination = prefix_list(&endpoint.service, &call.cx.region)?.to_owned();
            Some(Route { destination, target: Target::Endpoint(endpoint.id.clone()) })
        };
        in_table.filter_map(route).collect()
    }
}

impl Item for Endpoint {
    const ID: &'static str = "VpcEndpointId";
    const SET: &'static str = "vpcEndpointSet";

    fn all(net: &Network) -> &Vec<Self> {
        &net.endpoints
    }

    fn all_mut(net: &mut Network) -> &mut Vec<Self> {
        &mut net.endpoints
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn not_found(id: &str) -> Fault {
        Fault::new("InvalidVpcEndpointId.NotFound", format!("The Vpc Endpoint Id '{id}' does not exist"))
    }

    fn filter(&self, name: &str, _: &Network, _: &Call<'_>) -> Option<Vec<String>> {
        match name {
            "vpc-endpoint-id" => one(&self.id),
            "vpc-id" => one(&self.vpc),
            "service-name" => one(&self.service),
            "vpc-endpoint-state" => one(self.state.name()),
            "vpc-endpoint-type" => one(self.kind_name()),
            _ => None,
        }
    }

    fn xml(&self, xml: &mut Xml, net: &Network, call: &Call<'_>) {
        xml.text("vpcEndpointId", &self.id).text("vpcEndpointType", self.kind_name()).text("vpcId", &self.vpc);
        xml.text("serviceName", &self.service).text("state", self.state.name()).text("policyDocument", &self.policy);
        xml.texts("routeTableIdSet", "item", &self.route_tables).texts("subnetIdSet", "item", &self.subnets);
        xml.list("groupSet", "item", &self.groups, |item, group| {
            item.text("groupId", group);
        });
        let interfaces = self.subnets.iter().filter(|_| self.kind == Kind::Interface);
        xml.texts("networkInterfaceIdSet", "item", interfaces.map(|subnet| interface::id(&self.id, subnet)));
        xml.text("privateDnsEnabled", self.private_dns).text("requesterManaged", false);
        xml.text("creationTimestamp", self.created).text("ownerId", &call.cx.account);
        net.tag_set(xml, &self.id);
    }

    fn poll(&mut self) {
        if self.countdown.poll() {
            self.arrive();
        }
    }

    fn is_gone(&self) -> bool {
        self.state == State::Deleted
    }
}

pub(super) fn create(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let token = call.params.get("ClientToken");
    let known = net.endpoints.iter().find(|endpoint| token.is_some() && endpoint.token.as_deref() == token);
    if let Some(known) = known {
        return Ok(reply(net, call, known));
    }
    let mut endpoint = planned(net, call)?;
    endpoint.check(net)?;
    endpoint.arrive_if_instant();
    let taken = |other: &&Endpoint| {
        other.service == endpoint.service
            && endpoint.route_tables.iter().any(|table| other.route_tables.contains(table))
    };
    if let Some(other) = net.endpoints.iter().find(taken) {
        let message = format!("a route to {} already exists through {}", endpoint.service, other.id);
        return Err(Fault::new("RouteAlreadyExists", message));
    }
    net.tag(&endpoint.id, tag::at_create(call.params, "vpc-endpoint")?);
    let xml = reply(net, call, &endpoint);
    net.endpoints.push(endpoint);
    Ok(xml)
}

fn reply(net: &Network, call: &Call<'_>, endpoint: &Endpoint) -> Xml {
    let mut xml = Xml::default();
    xml.node("vpcEndpoint", |xml| endpoint.xml(xml, net, call)).opt("clientToken", endpoint.token.as_ref());
    xml
}

fn planned(net: &Network, call: &Call<'_>) -> Result<Endpoint, Fault> {
    let vpc = net.find::<Vpc>(call.require("VpcId")?)?;
    let service = call.require("ServiceName")?;
    let kind = match call.params.get("VpcEndpointType").unwrap_or("Gateway") {
        "Gateway" => Kind::Gateway,
        "Interface" => Kind::Interface,
        other => return Err(Fault::new("UnsupportedOperation", format!("the sandbox plays no {other} endpoints"))),
    };
    let is_known = match kind {
        Kind::Gateway => prefix_list(service, &call.cx.region).is_some(),
        Kind::Interface => service.starts_with(&format!("com.amazonaws.{}.", call.cx.region)),
    };
    if !is_known {
        let message = format!("The Vpc Endpoint Service '{service}' does not exist");
        return Err(Fault::new("InvalidServiceName", message));
    }
    Ok(Endpoint {
        id: new_id("vpce"),
        vpc: vpc.id.clone(),
        route_tables: existing::<RouteTable>(net, call, "RouteTableId")?,
        subnets: existing::<Subnet>(net, call, "SubnetId")?,
        groups: existing::<SecurityGroup>(net, call, "SecurityGroupId")?,
        kind,
        service: service.to_owned(),
        policy: policy(call)?.unwrap_or_else(|| ALLOW_ALL.to_owned()),
        private_dns: call.params.parsed("PrivateDnsEnabled")?.unwrap_or(false),
        token: call.params.get("ClientToken").map(str::to_owned),
        state: State::Pending,
        countdown: if kind == Kind::Gateway { Countdown::default() } else { call.countdown() },
        created: Timestamp::now(),
    })
}

/// The ids of a list parameter, all of which must exist.
fn existing<T: Item>(net: &Network, call: &Call<'_>, parameter: &str) -> Result<Vec<String>, Fault> {
    call.params.list(parameter).into_iter().map(|id| net.find::<T>(id).map(|item| item.id().to_owned())).collect()
}

fn policy(call: &Call<'_>) -> Result<Option<String>, Fault> {
    let Some(policy) = call.params.get("PolicyDocument").filter(|policy| !policy.is_empty()) else { return Ok(None) };
    match serde_json::from_str::<serde_json::Value>(policy) {
        Ok(_) => Ok(Some(policy.to_owned())),
        Err(_) => Err(Fault::new("InvalidPolicyDocument", "The policy document is not valid JSON")),
    }
}

pub(super) fn modify(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let id = call.require("VpcEndpointId")?;
    net.find::<Endpoint>(id)?;
    let reset = call.params.parsed("ResetPolicy")?.unwrap_or(false).then(|| ALLOW_ALL.to_owned());
    let policy = policy(call)?.or(reset);
    let private_dns = call.params.parsed("PrivateDnsEnabled")?;
    let tables = existing::<RouteTable>(net, call, "AddRouteTableId")?;
    let subnets = existing::<Subnet>(net, call, "AddSubnetId")?;
    let groups = existing::<SecurityGroup>(net, call, "AddSecurityGroupId")?;
    let mut endpoint = net.find::<Endpoint>(id)?.clone();
    if endpoint.is_deleting() {
        return Err(invalid(format!("The Vpc Endpoint '{id}' is being deleted")));
    }
    let before = endpoint.subnets.clone();
    merge(&mut endpoint.route_tables, tables, &call.params.list("RemoveRouteTableId"));
    merge(&mut endpoint.subnets, subnets, &call.params.list("RemoveSubnetId"));
    merge(&mut endpoint.groups, groups, &call.params.list("RemoveSecurityGroupId"));
    endpoint.policy = policy.unwrap_or(endpoint.policy);
    endpoint.private_dns = private_dns.unwrap_or(endpoint.private_dns);
    endpoint.check(net)?;
    // Another network interface comes as slowly as the first.
    if endpoint.subnets != before {
        (endpoint.state, endpoint.countdown) = (State::Pending, call.countdown());
        endpoint.arrive_if_instant();
    }
    *net.find_mut::<Endpoint>(id)? = endpoint;
    done()
}

fn merge(ids: &mut Vec<String>, added: Vec<String>, removed: &[&str]) {
    for id in added {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids.retain(|id| !removed.contains(&id.as_str()));
}

/// Unknown ids do not fail the call: each is reported.
pub(super) fn delete(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    call.require("VpcEndpointId.1")?;
    let mut unknown = Vec::new();
    for id in call.params.list("VpcEndpointId") {
        match net.find_mut::<Endpoint>(id) {
            Ok(endpoint) if endpoint.is_deleting() => {}
            Ok(endpoint) => {
                endpoint.state = State::Deleting;
                endpoint.countdown = call.countdown();
                endpoint.route_tables.clear();
                endpoint.arrive_if_instant();
            }
            Err(fault) => unknown.push((id, fault)),
        }
    }
    forget_gone::<Endpoint>(net);
    let mut xml = Xml::default();
    xml.list("unsuccessful", "item", unknown, |item, (id, fault)| {
        item.text("resourceId", id).node("error", |error| {
            error.text("code", "InvalidVpcEndpoint.NotFound").text("message", fault.message());
        });
    });
    Ok(xml)
}

fn prefix_list(service: &str, region: &str) -> Option<&'static str> {
    let name = service.strip_prefix("com.amazonaws.")?.strip_prefix(region)?.strip_prefix('.')?;
    GATEWAYS.iter().find(|(gateway, _)| *gateway == name).map(|(_, list)| *list)
}

/// The prefix lists that stand for AWS's own services.
pub(super) fn describe_prefix_lists(call: &Call<'_>) -> Result<Xml, Fault> {
    let filters = super::filter::Filters::of(call.params);
    let ids = call.params.list("PrefixListId");
    let mut shown = Vec::new();
    for (service, id) in GATEWAYS {
        let name = format!("com.amazonaws.{}.{service}", call.cx.region);
        let values = |filter: &str| match filter {
            "prefix-list-id" => one(id),
            "prefix-list-name" => one(&name),
            _ => None,
        };
        if (ids.is_empty() || ids.contains(&id)) && filters.admit(&crate::service::Tags::new(), values)? {
            shown.push((id, name));
        }
    }
    let mut xml = Xml::default();
    xml.list("prefixListSet", "item", shown, |item, (id, name)| {
        item.text("prefixListId", id).text("prefixListName", name).texts("cidrSet", "item", ["198.51.100.0/24"]);
    });
    Ok(xml)
}
