//! What the account has in the Region already, anybody's: one list for each kind.

use aws_sdk_rds::types::DbInstance;
use aws_sdk_secretsmanager::types::SecretListEntry;
use rcm_engine::model::Fault;

use crate::{Aws, classify::fault};

/// A VPC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VpcSeen {
    /// `vpc-…`
    pub id: String,
    /// Its `Name` tag.
    pub name: Option<String>,
    /// Its blocks of addresses.
    pub cidrs: Vec<String>,
}

/// A secret's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretSeen {
    /// The name.
    pub name: String,
    /// Whether it is scheduled to be deleted, and holds its name until then.
    pub deleted: bool,
}

/// Something that counts against a quota: which one it is, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InUse {
    /// Its name or id.
    pub name: String,
    /// The VPC, the subnet or the type that the quota is counted by; empty where it is the Region.
    pub place: String,
    /// How much it counts: 1, or an instance's storage in GiB.
    pub size: i64,
}

fn one(name: Option<&str>, place: Option<&str>) -> InUse {
    InUse { name: name.unwrap_or_default().to_owned(), place: place.unwrap_or_default().to_owned(), size: 1 }
}

impl Aws {
    /// All VPCs ([DescribeVpcs](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcs.html)).
    pub async fn vpcs_seen(&self) -> Result<Vec<VpcSeen>, Fault> {
        let pages = self.ec2.describe_vpcs().into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let vpcs = pages.map_err(fault("ec2", "DescribeVpcs"))?;
        let name = |vpc: &aws_sdk_ec2::types::Vpc| {
            let tag = vpc.tags().iter().find(|tag| tag.key() == Some("Name"))?;
            tag.value().map(str::to_owned)
        };
        let seen = vpcs.iter().map(|vpc| {
            let more = vpc.cidr_block_association_set().iter().filter_map(|block| block.cidr_block());
            let mut cidrs: Vec<String> = vpc.cidr_block().into_iter().chain(more).map(str::to_owned).collect();
            cidrs.sort();
            cidrs.dedup();
            VpcSeen { id: vpc.vpc_id().unwrap_or_default().to_owned(), name: name(vpc), cidrs }
        });
        Ok(seen.collect())
    }

    /// All internet gateways ([DescribeInternetGateways](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInternetGateways.html)).
    pub async fn internet_gateways_seen(&self) -> Result<Vec<InUse>, Fault> {
        let pages = self.ec2.describe_internet_gateways().into_paginator().items().send();
        let found = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("ec2", "DescribeInternetGateways"))?;
        Ok(found.iter().map(|gateway| one(gateway.internet_gateway_id(), None)).collect())
    }

    /// All NAT gateways that count, by availability zone
    /// ([DescribeNatGateways](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNatGateways.html)).
    pub async fn nat_gateways_seen(&self) -> Result<Vec<InUse>, Fault> {
        let counts = aws_sdk_ec2::types::Filter::builder().name("state").values("pending").values("available");
        let counts = counts.values("deleting").build();
        let gateways = self.ec2.describe_nat_gateways().filter(counts).into_paginator().items().send();
        let gateways =
            async { gateways.collect::<Result<Vec<_>, _>>().await.map_err(fault("ec2", "DescribeNatGateways")) };
        let subnets = self.ec2.describe_subnets().into_paginator().items().send();
        let subnets = async { subnets.collect::<Result<Vec<_>, _>>().await.map_err(fault("ec2", "DescribeSubnets")) };
        let (gateways, subnets) = tokio::try_join!(gateways, subnets)?;
        let zone = |id: Option<&str>| {
            let subnet = subnets.iter().find(|subnet| subnet.subnet_id() == id);
            subnet.and_then(|subnet| subnet.availability_zone())
        };
        Ok(gateways.iter().map(|gateway| one(gateway.nat_gateway_id(), zone(gateway.subnet_id()))).collect())
    }

    /// All Elastic IP addresses ([DescribeAddresses](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAddresses.html)).
    pub async fn addresses_seen(&self) -> Result<Vec<InUse>, Fault> {
        let answer = self.ec2.describe_addresses().send().await.map_err(fault("ec2", "DescribeAddresses"))?;
        Ok(answer.addresses().iter().map(|address| one(address.allocation_id(), None)).collect())
    }

    /// All VPC endpoints, by `Gateway` or the VPC of another type
    /// ([DescribeVpcEndpoints](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcEndpoints.html)).
    pub async fn endpoints_seen(&self) -> Result<Vec<InUse>, Fault> {
        let pages = self.ec2.describe_vpc_endpoints().into_paginator().items().send();
        let found = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("ec2", "DescribeVpcEndpoints"))?;
        let place = |endpoint: &aws_sdk_ec2::types::VpcEndpoint| match endpoint.vpc_endpoint_type() {
            Some(aws_sdk_ec2::types::VpcEndpointType::Gateway) => Some("Gateway".to_owned()),
            _ => endpoint.vpc_id().map(str::to_owned),
        };
        Ok(found.iter().map(|endpoint| one(endpoint.vpc_endpoint_id(), place(endpoint).as_deref())).collect())
    }

    /// All security groups ([DescribeSecurityGroups](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSecurityGroups.html)).
    pub async fn security_groups_seen(&self) -> Result<Vec<InUse>, Fault> {
        let pages = self.ec2.describe_security_groups().into_paginator().items().send();
        let found = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("ec2", "DescribeSecurityGroups"))?;
        Ok(found.iter().map(|group| one(group.group_id(), group.vpc_id())).collect())
    }

    /// All database instances, with their storage
    /// ([DescribeDBInstances](https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBInstances.html)).
    pub async fn databases_seen(&self) -> Result<Vec<InUse>, Fault> {
        let pages = self.rds.describe_db_instances().into_paginator().items().send();
        let found = pages.collect::<Result<Vec<DbInstance>, _>>().await.map_err(fault("rds", "DescribeDBInstances"))?;
        let seen = |instance: &DbInstance| InUse {
            size: instance.allocated_storage().unwrap_or(0).into(),
            ..one(instance.db_instance_identifier(), None)
        };
        Ok(found.iter().map(seen).collect())
    }

    /// All load balancers, by type
    /// ([DescribeLoadBalancers](https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeLoadBalancers.html)).
    pub async fn load_balancers_seen(&self) -> Result<Vec<InUse>, Fault> {
        let pages =
            self.elb.describe_load_balancers().into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let found = pages.map_err(fault("elasticloadbalancing", "DescribeLoadBalancers"))?;
        let seen = |balancer: &aws_sdk_elasticloadbalancingv2::types::LoadBalancer| {
            one(balancer.load_balancer_name(), balancer.r#type().map(|kind| kind.as_str()))
        };
        Ok(found.iter().map(seen).collect())
    }

    /// All target groups
    /// ([DescribeTargetGroups](https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetGroups.html)).
    pub async fn target_groups_seen(&self) -> Result<Vec<InUse>, Fault> {
        let pages =
            self.elb.describe_target_groups().into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let found = pages.map_err(fault("elasticloadbalancing", "DescribeTargetGroups"))?;
        Ok(found.iter().map(|group| one(group.target_group_name(), None)).collect())
    }

    /// All secrets, those in their recovery window too
    /// ([ListSecrets](https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html)).
    pub async fn secrets_seen(&self) -> Result<Vec<SecretSeen>, Fault> {
        let request = self.secrets.list_secrets().include_planned_deletion(true).max_results(100);
        let pages = request.into_paginator().send().collect::<Result<Vec<_>, _>>().await;
        let pages = pages.map_err(fault("secretsmanager", "ListSecrets"))?;
        let seen = |secret: &SecretListEntry| {
            Some(SecretSeen { name: secret.name()?.to_owned(), deleted: secret.deleted_date().is_some() })
        };
        Ok(pages.iter().flat_map(|page| page.secret_list()).filter_map(seen).collect())
    }

    /// All buckets of the account, in any Region
    /// ([ListBuckets](https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html)).
    pub async fn buckets_seen(&self) -> Result<Vec<InUse>, Fault> {
        let pages = self.s3.list_buckets().max_buckets(1000).into_paginator().send();
        let pages = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("s3", "ListBuckets"))?;
        Ok(pages.iter().flat_map(|page| page.buckets()).map(|bucket| one(bucket.name(), None)).collect())
    }

    /// All keys that anybody manages here, AWS's own too
    /// ([ListKeys](https://docs.aws.amazon.com/kms/latest/APIReference/API_ListKeys.html)).
    pub async fn keys_seen(&self) -> Result<Vec<InUse>, Fault> {
        let pages = self.kms.list_keys().limit(1000).into_paginator().items().send();
        let found = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("kms", "ListKeys"))?;
        Ok(found.iter().map(|key| one(key.key_id(), None)).collect())
    }

    /// All certificates ([ListCertificates](https://docs.aws.amazon.com/acm/latest/APIReference/API_ListCertificates.html)).
    pub async fn certificates_seen(&self) -> Result<Vec<InUse>, Fault> {
        let pages = self.acm.list_certificates().into_paginator().items().send();
        let found = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("acm", "ListCertificates"))?;
        Ok(found.iter().map(|certificate| one(certificate.certificate_arn(), None)).collect())
    }

    /// The ARN of every role, those of services too
    /// ([ListRoles](https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html)).
    pub async fn roles_seen(&self) -> Result<Vec<String>, Fault> {
        let pages = self.iam.list_roles().max_items(1000).into_paginator().items().send();
        let found = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("iam", "ListRoles"))?;
        Ok(found.into_iter().map(|role| role.arn).collect())
    }
}
