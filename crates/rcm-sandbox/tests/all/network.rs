//! A VPC with two subnets, a security group and an internet gateway, for what lives in one.

use aws_sdk_ec2::Client;

use crate::support::Cloud;

pub(crate) struct Network {
    pub(crate) vpc: String,
    /// In two zones.
    pub(crate) subnets: Vec<String>,
    pub(crate) security_group: String,
    pub(crate) gateway: String,
}

impl Network {
    pub(crate) async fn new(cloud: &Cloud) -> Self {
        let ec2 = Client::new(&cloud.sdk());
        let vpc = ec2.create_vpc().cidr_block("10.0.0.0/16").send().await.unwrap().vpc.unwrap().vpc_id.unwrap();
        let mut subnets = Vec::new();
        for (cidr, zone) in [("10.0.1.0/24", "us-east-1a"), ("10.0.2.0/24", "us-east-1b")] {
            let subnet = ec2.create_subnet().vpc_id(&vpc).cidr_block(cidr).availability_zone(zone);
            subnets.push(subnet.send().await.unwrap().subnet.unwrap().subnet_id.unwrap());
        }
        let group = ec2.create_security_group().vpc_id(&vpc).group_name("acme").description("for tests");
        let security_group = group.send().await.unwrap().group_id.unwrap();
        let gateway = ec2.create_internet_gateway().send().await.unwrap().internet_gateway.unwrap();
        let gateway = gateway.internet_gateway_id.unwrap();
        ec2.attach_internet_gateway().internet_gateway_id(&gateway).vpc_id(&vpc).send().await.unwrap();
        Self { vpc, subnets, security_group, gateway }
    }
}
