//! What real AWS does and an emulator does not: answers that lag behind, and things that are let go of late.
//!
//! Codes and times are those of AWS's API references and of what the Terraform AWS provider retries.

use std::time::Duration;

use serde_json::Value;

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

/// The first use of a service in an account is refused while AWS makes the role that it works under.
#[derive(Debug, Clone)]
pub struct FirstUse {
    refused: &'static [&'static str],
    code: &'static str,
    message: &'static str,
    lag: Duration,
    since: Option<Duration>,
}

impl Trouble for FirstUse {
    fn meet(&mut self, call: &Call) -> Option<Fault> {
        if !self.refused.contains(&call.operation.name.as_str()) {
            return None;
        }
        let since = *self.since.get_or_insert(call.arrived);
        (call.arrived < since + self.lag).then(|| Fault::refuse_saying(400, self.code, self.message))
    }
}

/// Something new is missing from lists, and from what filters find, for a while: whoever looks for it does not see it yet.
///
/// Sources: as of [`NotYetVisible`], and
/// [tagging](https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html) and
/// [ListKeys](https://docs.aws.amazon.com/kms/latest/APIReference/API_ListKeys.html), which may not show the newest.
#[derive(Debug, Clone)]
pub struct Unlisted {
    lag: Duration,
    /// What was made: which list does not show it, its id, and since when.
    born: Vec<(&'static str, String, Duration)>,
}

impl Unlisted {
    /// Everything new is left out for `lag`.
    #[must_use]
    pub fn new(lag: Duration) -> Self {
        Self { lag, born: Vec::new() }
    }

    /// The operations after which a list lags.
    pub fn creates() -> impl Iterator<Item = &'static str> {
        LISTS.iter().map(|(create, ..)| *create)
    }
}

impl Trouble for Unlisted {
    fn meet(&mut self, _: &Call) -> Option<Fault> {
        None
    }

    fn answered(&mut self, call: &Call, accepted: bool, answer: &str) {
        let of = LISTS.iter().find(|(create, ..)| accepted && call.operation.name == *create);
        let Some((_, marker, list)) = of else { return };
        let id = answer.split_once(marker).and_then(|(_, rest)| rest.split(['<', '"']).next());
        self.born.extend(id.map(|id| (*list, id.to_owned(), call.arrived)));
    }

    fn retell(&mut self, call: &Call, answer: &str) -> Option<String> {
        let hidden = |(list, id, born): &&(&str, String, Duration)| {
            let young = call.arrived < *born + self.lag;
            young && call.operation.name == *list && !call.body.contains(id.as_str()) && answer.contains(id.as_str())
        };
        let hidden: Vec<&str> = self.born.iter().filter(hidden).map(|(_, id, _)| id.as_str()).collect();
        (!hidden.is_empty()).then(|| without(answer, &hidden))
    }
}

/// Which create makes what only a list or a filter finds again: the create, what stands before the id in its answer, and the list.
const LISTS: &[(&str, &str, &str)] = &[
    ("CreateVpc", "<vpcId>", "DescribeVpcs"),
    ("CreateSubnet", "<subnetId>", "DescribeSubnets"),
    ("CreateSecurityGroup", "<groupId>", "DescribeSecurityGroups"),
    ("AuthorizeSecurityGroupIngress", "<securityGroupRuleId>", "DescribeSecurityGroupRules"),
    ("AuthorizeSecurityGroupEgress", "<securityGroupRuleId>", "DescribeSecurityGroupRules"),
    ("CreateInternetGateway", "<internetGatewayId>", "DescribeInternetGateways"),
    ("CreateRouteTable", "<routeTableId>", "DescribeRouteTables"),
    ("CreateNetworkAcl", "<networkAclId>", "DescribeNetworkAcls"),
    ("AllocateAddress", "<allocationId>", "DescribeAddresses"),
    ("CreateNatGateway", "<natGatewayId>", "DescribeNatGateways"),
    ("CreateVpcEndpoint", "<vpcEndpointId>", "DescribeVpcEndpoints"),
    ("CreateFlowLogs", "<flowLogIdSet><item>", "DescribeFlowLogs"),
    ("CreateKey", "\"KeyId\":\"", "ListKeys"),
    ("RequestCertificate", "\"CertificateArn\":\"", "ListCertificates"),
    ("CreateListener", "<ListenerArn>", "DescribeListeners"),
    ("RegisterTaskDefinition", "\"taskDefinitionArn\":\"", "ListTaskDefinitions"),
];

/// The answer without what is said of `ids` in its lists.
fn without(answer: &str, ids: &[&str]) -> String {
    let names = |text: &str| ids.iter().any(|id| text.contains(id));
    match serde_json::from_str::<Value>(answer) {
        Ok(Value::Object(mut members)) => {
            for list in members.values_mut().filter_map(Value::as_array_mut) {
                list.retain(|item| !names(&item.to_string()));
            }
            Value::Object(members).to_string()
        }
        _ => ["item", "member"].iter().fold(answer.to_owned(), |text, tag| without_elements(&text, tag, &names)),
    }
}

/// The text without the outermost elements called `tag` that `names` is true of.
fn without_elements(text: &str, tag: &str, names: &dyn Fn(&str) -> bool) -> String {
    let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
    let (mut kept, mut rest) = (String::new(), text);
    while let Some(begin) = rest.find(&open) {
        let (mut depth, mut end) = (0, begin);
        loop {
            let tail = &rest[end..];
            match (tail.find(&open), tail.find(&close)) {
                (Some(opens), Some(closes)) if opens < closes => (depth, end) = (depth + 1, end + opens + open.len()),
                (_, Some(closes)) => (depth, end) = (depth - 1, end + closes + close.len()),
                (_, None) => return kept + rest,
            }
            if depth == 0 {
                break;
            }
        }
        kept.push_str(&rest[..begin]);
        if !names(&rest[begin..end]) {
            kept.push_str(&rest[begin..end]);
        }
        rest = &rest[end..];
    }
    kept + rest
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
    for (refused, code, message) in FIRST_USES {
        all.push(Box::new(FirstUse { refused, code, message, lag: Duration::from_secs(20), since: None }));
    }
    all.push(Box::new(Unlisted::new(Duration::from_secs(5))));
    for (after, refused, code, message, lag) in AFTEREFFECTS {
        let lag = Duration::from_secs(*lag);
        all.push(Box::new(Aftereffect { after, refused, code, message, lag, until: None }));
    }
    all
}

/// Which calls are refused how while the service's role is being made.
const FIRST_USES: &[(&[&str], &str, &str)] = &[
    (
        &["CreateDBSubnetGroup"],
        "InvalidParameterValue",
        "Missing necessary credentials. Please check \
         http://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAM.ServiceLinkedRoles.html",
    ),
    (
        &["CreateDBInstance"],
        "InvalidParameterValue",
        "Unable to create the resource. Verify that you have permission to create service linked role. Otherwise wait and try \
         again later",
    ),
];

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_is_left_out_of_a_list_with_all_that_is_in_it() {
        let list = "<set><item><id>vpc-1</id><tags><item>a</item></tags></item><item><id>vpc-2</id></item></set>";
        assert_eq!(without(list, &["vpc-1"]), "<set><item><id>vpc-2</id></item></set>");
        assert_eq!(without(list, &["vpc-2"]), "<set><item><id>vpc-1</id><tags><item>a</item></tags></item></set>");
        assert_eq!(without(list, &["vpc-3"]), list);
        assert_eq!(
            without(r#"{"Keys":[{"KeyId":"1"},{"KeyId":"2"}],"More":false}"#, &["1"]),
            r#"{"Keys":[{"KeyId":"2"}],"More":false}"#
        );
    }
}
