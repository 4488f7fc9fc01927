//! The network: its whole life, what AWS refuses, and what takes its time.

mod endpoints;
mod flow_logs;
mod lifecycle;
mod nat_gateways;
mod network_acls;
mod refusals;
mod rules;
mod tags;

use std::fmt::Debug;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::{DomainType, Filter, IpPermission, IpRange, NatGateway, ResourceType, Tag, TagSpecification};

use crate::support::Cloud;

fn client(cloud: &Cloud) -> Client {
    Client::new(&cloud.sdk())
}

/// The wire code of a refusal.
fn code<T: Debug, E: ProvideErrorMetadata + Debug, R: Debug>(refused: Result<T, SdkError<E, R>>) -> String {
    refused.unwrap_err().code().unwrap_or("no code").to_owned()
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

fn tagged(kind: ResourceType, name: &str) -> TagSpecification {
    TagSpecification::builder().resource_type(kind).tags(Tag::builder().key("Name").value(name).build()).build()
}

/// TCP on one port from an address range.
fn from_cidr(port: i32, cidr: &str) -> IpPermission {
    let range = IpRange::builder().cidr_ip(cidr).description("who may come in").build();
    IpPermission::builder().ip_protocol("tcp").from_port(port).to_port(port).ip_ranges(range).build()
}

async fn vpc(ec2: &Client) -> String {
    let created = ec2.create_vpc().cidr_block("10.20.0.0/16").send().await.unwrap();
    created.vpc.unwrap().vpc_id.unwrap()
}

async fn subnet(ec2: &Client, vpc: &str, cidr: &str) -> String {
    let created =
        ec2.create_subnet().vpc_id(vpc).cidr_block(cidr).availability_zone("us-east-1a").send().await.unwrap();
    created.subnet.unwrap().subnet_id.unwrap()
}

async fn group(ec2: &Client, vpc: &str, name: &str) -> String {
    let created = ec2.create_security_group().vpc_id(vpc).group_name(name).description("a tier").send().await.unwrap();
    created.group_id.unwrap()
}

async fn table(ec2: &Client, vpc: &str) -> String {
    let created = ec2.create_route_table().vpc_id(vpc).send().await.unwrap();
    created.route_table.unwrap().route_table_id.unwrap()
}

/// An internet gateway on the VPC.
async fn internet(ec2: &Client, vpc: &str) -> String {
    let created = ec2.create_internet_gateway().send().await.unwrap();
    let id = created.internet_gateway.unwrap().internet_gateway_id.unwrap();
    ec2.attach_internet_gateway().internet_gateway_id(&id).vpc_id(vpc).send().await.unwrap();
    id
}

async fn address(ec2: &Client) -> String {
    ec2.allocate_address().domain(DomainType::Vpc).send().await.unwrap().allocation_id.unwrap()
}

/// A NAT gateway with all it needs; a new VPC for it.
pub(crate) struct Nat {
    vpc: String,
    subnet: String,
    internet: String,
    address: String,
    id: String,
}

impl Nat {
    pub(crate) async fn new(ec2: &Client) -> Self {
        let vpc = vpc(ec2).await;
        let subnet = subnet(ec2, &vpc, "10.20.0.0/24").await;
        let internet = internet(ec2, &vpc).await;
        let address = address(ec2).await;
        let created = ec2.create_nat_gateway().subnet_id(&subnet).allocation_id(&address).send().await.unwrap();
        let id = created.nat_gateway.unwrap().nat_gateway_id.unwrap();
        Self { vpc, subnet, internet, address, id }
    }

    async fn seen(&self, ec2: &Client) -> NatGateway {
        seen(ec2, &self.id).await
    }
}

async fn seen(ec2: &Client, id: &str) -> NatGateway {
    let described = ec2.describe_nat_gateways().nat_gateway_ids(id).send().await.unwrap();
    described.nat_gateways()[0].clone()
}
