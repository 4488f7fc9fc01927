//! The network: a VPC with three tiers of subnets in each zone.

use rcm_aws::resources::{ec2_subnet, ec2_vpc};
use rcm_engine::model::Graph;

use crate::PartnerConfig;

pub(super) fn add(graph: &mut Graph, config: &PartnerConfig, zones: &[String]) {
    let vpc = graph.add::<ec2_vpc::Vpc>(
        "network/vpc",
        ec2_vpc::Spec {
            cidr: config.vpc_cidr.to_string(),
            dns_support: true,
            dns_hostnames: true,
            default_group_empty: true,
        },
    );
    for (index, zone) in zones.iter().enumerate() {
        let blocks: Vec<_> = config.vpc_cidr.subnets(config.vpc_cidr.prefix_len() + 4).into_iter().flatten().collect();
        let cidr = blocks[4 + index].to_string();
        graph.add::<ec2_subnet::Subnet>(
            &private_subnet(index),
            ec2_subnet::Spec { vpc: vpc.clone(), cidr, zone: zone.clone() },
        );
    }
}

/// The address of a zone's private subnet.
pub fn private_subnet(index: usize) -> String {
    format!("network/subnet/private-{}", letter(index))
}

fn letter(index: usize) -> char {
    ['a', 'b', 'c'].get(index).copied().unwrap_or('x')
}
