//! What real AWS does and an emulator does not: answers that lag behind, and things that are let go of late.
//!
//! Codes and times are those of AWS's API references and of what the Terraform AWS provider retries.

use std::time::Duration;

use super::Call;
use super::rule::{Fault, Trouble};

/// Something new is not visible everywhere for a while: whoever names it is told that there is no such thing.
///
/// Sources: [eventual consistency of EC2](https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html) and of
/// [KMS](https://docs.aws.amazon.com/kms/latest/developerguide/accessing-kms.html#programming-eventual-consistency).
#[derive(Debug, Clone)]
pub struct NotYetVisible {
    create: &'static str,
    /// What stands before the id in the answer.
    marker: &'static str,
    code: &'static str,
    lag: Duration,
    born: Vec<(String, Duration)>,
}

impl Trouble for NotYetVisible {
    fn meet(&mut self, call: &Call) -> Option<Fault> {
        let young =
            |(id, born): &(String, Duration)| call.arrived < *born + self.lag && call.body.contains(id.as_str());
        self.born.iter().any(young).then(|| Fault::refuse_saying(400, self.code, "it does not exist"))
    }

    fn answered(&mut self, call: &Call, accepted: bool, answer: &str) {
        if accepted && call.operation.name == self.create {
            let id = answer.split_once(self.marker).and_then(|(_, rest)| rest.split(['<', '"']).next());
            self.born.extend(id.map(|id| (id.to_owned(), call.arrived)));
        }
    }
}

/// For a while after one thing, another is refused: what was made is not known everywhere, or what was deleted still holds on.
#[derive(Debug, Clone)]
pub struct Aftereffect {
    after: &'static str,
    refused: &'static [&'static str],
    code: &'static str,
    message: &'static str,
    lag: Duration,
    until: Option<Duration>,
}

impl Trouble for Aftereffect {
    fn meet(&mut self, call: &Call) -> Option<Fault> {
        let concerns = self.refused.contains(&call.operation.name.as_str());
        let lasts = self.until.is_some_and(|until| call.arrived < until);
        (concerns && lasts).then(|| Fault::refuse_saying(400, self.code, self.message))
    }

    fn answered(&mut self, call: &Call, accepted: bool, _: &str) {
        if accepted && call.operation.name == self.after {
            self.until = Some(call.arrived + self.lag);
        }
    }
}

/// Everything in this file that AWS is known for, at once.
#[must_use]
pub fn habits() -> Vec<Box<dyn Trouble>> {
    let mut all: Vec<Box<dyn Trouble>> = Vec::new();
    for (create, marker, code) in [
        ("CreateVpc", "<vpcId>", "InvalidVpcID.NotFound"),
        ("CreateSubnet", "<subnetId>", "InvalidSubnetID.NotFound"),
        ("CreateSecurityGroup", "<groupId>", "InvalidGroup.NotFound"),
        ("CreateInternetGateway", "<internetGatewayId>", "InvalidInternetGatewayID.NotFound"),
        ("CreateRouteTable", "<routeTableId>", "InvalidRouteTableID.NotFound"),
        ("AllocateAddress", "<allocationId>", "InvalidAllocationID.NotFound"),
        ("CreateNatGateway", "<natGatewayId>", "NatGatewayNotFound"),
        ("CreateVpcEndpoint", "<vpcEndpointId>", "InvalidVpcEndpointId.NotFound"),
        ("CreateKey", "\"KeyId\":\"", "NotFoundException"),
    ] {
        all.push(Box::new(NotYetVisible { create, marker, code, lag: Duration::from_secs(5), born: Vec::new() }));
    }
    for (after, refused, code, message, lag) in AFTEREFFECTS {
        let lag = Duration::from_secs(*lag);
        all.push(Box::new(Aftereffect { after, refused, code, message, lag, until: None }));
    }
    all
}

/// After which call, which others are refused how, and for how many seconds.
type Effect = (&'static str, &'static [&'static str], &'static str, &'static str, u64);

const AFTEREFFECTS: &[Effect] = &[
    ("CreateRole", &["RegisterTaskDefinition"], "ClientException", "Role is not valid", 8),
    (
        "CreateRole",
        &["CreateDBInstance", "ModifyDBInstance"],
        "InvalidParameterValue",
        "IAM role ARN value is invalid or does not include the required permissions for: ENHANCED_MONITORING",
        8,
    ),
    (
        "CreateServiceLinkedRole",
        &["CreateCluster"],
        "InvalidParameterException",
        "Unable to assume the service linked role. Please verify that the ECS service linked role exists.",
        10,
    ),
    ("CreateService", &["RegisterScalableTarget"], "ValidationException", "ECS service doesn't exist", 6),
    (
        "CreateKey",
        &["CreateLogGroup"],
        "AccessDeniedException",
        "The specified KMS key does not exist or is not allowed to be used with Arn",
        10,
    ),
    ("CreateDBSubnetGroup", &["CreateDBInstance"], "InvalidParameterValue", "Some input subnets are invalid", 5),
    // The network interfaces of a load balancer go up to five minutes after it.
    (
        "DeleteLoadBalancer",
        &["DeleteSubnet", "DeleteSecurityGroup"],
        "DependencyViolation",
        "has a dependent object",
        280,
    ),
    ("DeleteListener", &["DeleteTargetGroup"], "ResourceInUse", "is currently in use by a listener or a rule", 100),
    ("DeleteListener", &["DeleteCertificate"], "ResourceInUseException", "Certificate is in use", 100),
    ("DeleteNatGateway", &["DetachInternetGateway"], "DependencyViolation", "has some mapped public address(es)", 200),
    // Longer than a create is tried again: https://github.com/hashicorp/terraform-provider-aws/issues/29080.
    (
        "CreateWebACL",
        &["AssociateWebACL"],
        "WAFUnavailableEntityException",
        "AWS WAF couldn't retrieve the resource that you requested. Retry your request.",
        420,
    ),
    (
        "DisassociateWebACL",
        &["DeleteWebACL"],
        "WAFAssociatedItemException",
        "AWS WAF couldn't perform the operation because your resource is being used by another resource",
        100,
    ),
    (
        "DeleteVpcEndpoints",
        &["DeleteSecurityGroup", "DeleteSubnet"],
        "DependencyViolation",
        "has a dependent object",
        180,
    ),
    ("PutBucketPolicy", &["DeleteBucket"], "OperationAborted", "A conflicting conditional operation is in progress", 3),
];
