//! What the account has already, each kind listed once for all checks, and only where the plan makes one.

use std::future::Future;

use rcm_aws::{
    questions::{InUse, SecretSeen, VpcSeen},
    resources::{
        acm_certificate::Certificate, ec2_elastic_ip::ElasticIp, ec2_internet_gateway::InternetGateway,
        ec2_nat_gateway::NatGateway, ec2_security_group::SecurityGroup, ec2_vpc::Vpc, ec2_vpc_endpoint::VpcEndpoint,
        elb_load_balancer::LoadBalancer, elb_target_group::TargetGroup, iam_role::Role, kms_key::Key,
        rds_instance::Instance, rds_replica::Replica, s3_bucket::Bucket, secrets_secret::Secret,
    },
};
use rcm_engine::model::{Fault, Resource};

use super::{Ahead, roles};

/// A list that was asked for.
pub(super) type List<T> = Option<Result<Vec<T>, Fault>>;

/// The lists, `None` where the plan makes nothing of the kind.
pub(super) struct Seen {
    pub(super) region: Result<String, Fault>,
    pub(super) vpcs: List<VpcSeen>,
    pub(super) gateways: List<InUse>,
    pub(super) nats: List<InUse>,
    pub(super) addresses: List<InUse>,
    pub(super) endpoints: List<InUse>,
    pub(super) groups: List<InUse>,
    pub(super) databases: List<InUse>,
    pub(super) balancers: List<InUse>,
    pub(super) target_groups: List<InUse>,
    pub(super) secrets: List<SecretSeen>,
    pub(super) buckets: List<InUse>,
    pub(super) keys: List<InUse>,
    pub(super) certificates: List<InUse>,
    /// Their ARNs.
    pub(super) roles: List<String>,
}

impl Seen {
    /// Asks for all of them at once.
    pub(super) async fn ask(ahead: &Ahead<'_>) -> Self {
        let aws = &ahead.environment.aws;
        let makes = |kinds: &[&str]| ahead.makes(kinds);
        let (region, vpcs, gateways, nats, addresses, endpoints, groups, databases) = tokio::join!(
            aws.region_status(ahead.region()),
            asked(makes(&[Vpc::KIND]), aws.vpcs_seen()),
            asked(makes(&[InternetGateway::KIND]), aws.internet_gateways_seen()),
            asked(makes(&[NatGateway::KIND]), aws.nat_gateways_seen()),
            asked(makes(&[ElasticIp::KIND]), aws.addresses_seen()),
            asked(makes(&[VpcEndpoint::KIND]), aws.endpoints_seen()),
            asked(makes(&[SecurityGroup::KIND]), aws.security_groups_seen()),
            asked(makes(&[Instance::KIND, Replica::KIND]), aws.databases_seen()),
        );
        let (balancers, target_groups, secrets, buckets, keys, certificates, roles) = tokio::join!(
            asked(makes(&[LoadBalancer::KIND]), aws.load_balancers_seen()),
            asked(makes(&[TargetGroup::KIND]), aws.target_groups_seen()),
            asked(makes(&[Secret::KIND]), aws.secrets_seen()),
            asked(makes(&[Bucket::KIND]), aws.buckets_seen()),
            asked(makes(&[Key::KIND]), aws.keys_seen()),
            asked(makes(&[Certificate::KIND]), aws.certificates_seen()),
            asked(makes(&[Role::KIND]) || !roles::needed(ahead).is_empty(), aws.roles_seen()),
        );
        Self {
            region,
            vpcs,
            gateways,
            nats,
            addresses,
            endpoints,
            groups,
            databases,
            balancers,
            target_groups,
            secrets,
            buckets,
            keys,
            certificates,
            roles,
        }
    }
}

async fn asked<T>(needed: bool, list: impl Future<Output = Result<Vec<T>, Fault>>) -> List<T> {
    match needed {
        true => Some(list.await),
        false => None,
    }
}
