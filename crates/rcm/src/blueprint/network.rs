//! The network: a VPC with three tiers of subnets in each zone, and the ways out of it.

use rcm_aws::resources::{
    ec2_elastic_ip::{self, ElasticIp},
    ec2_internet_gateway::{self, InternetGateway},
    ec2_nat_gateway::{self, NatGateway},
    ec2_route_table::{self, Route, RouteTable, Target},
    ec2_subnet::{self, Subnet},
    ec2_vpc::{self, Vpc},
    ec2_vpc_endpoint::{self, VpcEndpoint},
};
use rcm_engine::model::{Graph, Ref};

use super::{Blueprint, network_acl};

/// What others need of the network.
pub(super) struct Network {
    pub(super) vpc: Ref<Vpc>,
    pub(super) public: Vec<Ref<Subnet>>,
    pub(super) private: Vec<Ref<Subnet>>,
    pub(super) database: Vec<Ref<Subnet>>,
    /// The way out of the private subnets, for what must not start before it is there.
    pub(super) private_routes: Vec<Ref<RouteTable>>,
    pub(super) internet: Ref<RouteTable>,
}

/// A tier of subnets, and which of the VPC's sixteen blocks its zones begin at.
#[derive(Clone, Copy)]
pub(super) enum Tier {
    Public,
    Private,
    Database,
}

impl Tier {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Database => "database",
        }
    }

    /// Four blocks a tier: room for a zone more than rcm offers, and four blocks left for what comes.
    pub(super) fn first_block(self) -> usize {
        match self {
            Self::Public => 0,
            Self::Private => 4,
            Self::Database => 8,
        }
    }
}

pub(super) fn add(graph: &mut Graph, plan: &Blueprint<'_>, zones: &[String]) -> Network {
    let vpc = graph.add::<Vpc>(
        "network/vpc",
        ec2_vpc::Spec {
            cidr: plan.config.vpc_cidr.to_string(),
            dns_support: true,
            dns_hostnames: true,
            default_group_empty: true,
        },
    );
    let mut tier = |tier| subnets(graph, plan, &vpc, zones, tier);
    let (public, private, database) = (tier(Tier::Public), tier(Tier::Private), tier(Tier::Database));
    let tiers = [(Tier::Public, &*public), (Tier::Private, &*private), (Tier::Database, &*database)];
    network_acl::add(graph, plan, &vpc, tiers);
    let gateway =
        graph.add::<InternetGateway>("network/internet-gateway", ec2_internet_gateway::Spec { vpc: vpc.clone() });
    let internet = table(graph, "public", &vpc, Some(Target::Gateway(gateway.clone())), &public);
    let nats = nats(graph, plan, &public, &gateway);
    let private_routes = private_tables(graph, &vpc, &nats, &private);
    let isolated = table(graph, "database", &vpc, None, &database);
    let endpoint = ec2_vpc_endpoint::Spec {
        vpc: vpc.clone(),
        service: format!("com.amazonaws.{}.s3", plan.region()),
        route_tables: private_routes.iter().map(Ref::early).chain([isolated.early()]).collect(),
        interface: None,
        policy: None,
    };
    graph.add::<VpcEndpoint>("network/endpoint/s3", endpoint);
    Network { vpc, public, private, database, private_routes, internet }
}

fn subnets(graph: &mut Graph, plan: &Blueprint<'_>, vpc: &Ref<Vpc>, zones: &[String], tier: Tier) -> Vec<Ref<Subnet>> {
    let blocks = plan.config.vpc_cidr.subnets(plan.config.vpc_cidr.prefix_len() + 4).into_iter().flatten();
    let blocks = blocks.skip(tier.first_block());
    let pairs = zones.iter().zip(blocks).enumerate();
    pairs
        .map(|(index, (zone, block))| {
            let (vpc, cidr, zone) = (vpc.clone(), block.to_string(), zone.clone());
            let spec = ec2_subnet::Spec { vpc, cidr, zone, map_public_ip_on_launch: false };
            graph.add::<Subnet>(&subnet(tier.name(), index), spec)
        })
        .collect()
}

/// The address of a zone's private subnet.
pub fn private_subnet(index: usize) -> String {
    subnet(Tier::Private.name(), index)
}

fn subnet(tier: &str, index: usize) -> String {
    format!("network/subnet/{tier}-{}", letter(index))
}

/// Zones are lettered in their order, whatever AWS calls them.
fn letter(index: usize) -> char {
    char::from(b'a' + u8::try_from(index).unwrap_or(25).min(25))
}

fn nats(
    graph: &mut Graph,
    plan: &Blueprint<'_>,
    public: &[Ref<Subnet>],
    gateway: &Ref<InternetGateway>,
) -> Vec<Ref<NatGateway>> {
    let count = usize::try_from(plan.config.nat_gateways).unwrap_or(1);
    let subnets = public.iter().take(count).enumerate();
    subnets
        .map(|(index, subnet)| {
            let letter = letter(index);
            let address = graph.add::<ElasticIp>(&format!("network/nat-address/{letter}"), ec2_elastic_ip::Spec {});
            // Released only when the gateway's way out is still there: detaching it first would leave mapped addresses.
            graph.after(&address, gateway);
            let spec = ec2_nat_gateway::Spec { subnet: subnet.clone(), address };
            let nat = graph.add::<NatGateway>(&format!("network/nat/{letter}"), spec);
            graph.after(&nat, gateway);
            nat
        })
        .collect()
}

/// One table for all private subnets, or one a zone where each zone has its own NAT gateway.
fn private_tables(
    graph: &mut Graph,
    vpc: &Ref<Vpc>,
    nats: &[Ref<NatGateway>],
    private: &[Ref<Subnet>],
) -> Vec<Ref<RouteTable>> {
    match nats {
        [nat] => vec![table(graph, "private", vpc, Some(Target::Nat(nat.clone())), private)],
        nats => nats
            .iter()
            .zip(private)
            .enumerate()
            .map(|(index, (nat, subnet))| {
                let name = format!("private-{}", letter(index));
                table(graph, &name, vpc, Some(Target::Nat(nat.clone())), std::slice::from_ref(subnet))
            })
            .collect(),
    }
}

fn table(
    graph: &mut Graph,
    name: &str,
    vpc: &Ref<Vpc>,
    way_out: Option<Target>,
    subnets: &[Ref<Subnet>],
) -> Ref<RouteTable> {
    let routes = way_out.map(|target| Route { destination: "0.0.0.0/0".into(), target }).into_iter().collect();
    let spec = ec2_route_table::Spec { vpc: vpc.clone(), routes, subnets: subnets.to_vec() };
    graph.add::<RouteTable>(&format!("network/route-table/{name}"), spec)
}
