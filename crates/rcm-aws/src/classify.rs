//! What an AWS error means: the one table. Nothing else in rcm looks at an error's code or text.
//!
//! Codes are the wire codes, which differ from the SDK's shape names (RDS sends `DBInstanceNotFound`). Sources: the API references'
//! common and per-operation errors, and the error handling of the Terraform AWS provider.

use aws_smithy_runtime_api::{client::result::SdkError, http::Response};
use aws_smithy_types::error::{metadata::ProvideErrorMetadata, operation::BuildError};
use rcm_engine::{
    model::{Fault, FaultKind},
    store::Lost,
};

use FaultKind::{Denied, Exists, HasContent, InUse, Invalid, NotFound, Propagating, Quota, Throttled, Transient};

/// Wire codes that mean the same in every service.
const CODES: &[(FaultKind, &[&str])] = &[
    (
        Throttled,
        &[
            "Throttling",
            "ThrottlingException",
            "ThrottledException",
            "RequestLimitExceeded",
            "TooManyRequestsException",
            "RequestThrottled",
            "RequestThrottledException",
            "SlowDown",
            "EC2ThrottledException",
            "PriorRequestNotComplete",
            "BandwidthLimitExceeded",
            "LimitExceededFault",
        ],
    ),
    (
        Transient,
        &[
            "InternalError",
            "InternalFailure",
            "InternalFailureException",
            "InternalServerError",
            "ServerException",
            "ServiceUnavailable",
            "ServiceUnavailableException",
            "RequestTimeout",
            "RequestTimeoutException",
            "Unavailable",
            "KMSInternalException",
            "InternalServiceError",
            "InternalServiceException",
            "DependencyTimeoutException",
        ],
    ),
    (
        InUse,
        &[
            "DependencyViolation",
            "ResourceInUse",
            "ResourceInUseException",
            "InvalidGroup.InUse",
            "InvalidIPAddress.InUse",
            "DeleteConflict",
            "DeleteConflictException",
            "InvalidDBInstanceState",
            "InvalidDBSnapshotState",
            "InvalidDBSubnetGroupStateFault",
            "InvalidDBSubnetGroupStateFault.InUse",
            "InvalidDBParameterGroupState",
            "InvalidEventSubscriptionState",
            "ClusterContainsServicesException",
            "ClusterContainsTasksException",
            "ClusterContainsContainerInstancesException",
            "UpdateInProgressException",
            "OperationAbortedException",
            "OperationAborted",
            "ConcurrentModification",
            "ConcurrentModificationException",
            "ConcurrentUpdateException",
        ],
    ),
    (
        NotFound,
        &[
            "NotFoundException",
            "ResourceNotFoundException",
            "NoSuchEntity",
            "NoSuchBucket",
            "NoSuchKey",
            "NotFound",
            "NatGatewayNotFound",
            "Gateway.NotAttached",
            "InvalidAllocationID.NotFound",
            "InvalidAssociationID.NotFound",
            "InvalidFlowLogId.NotFound",
            "InvalidGatewayID.NotFound",
            "InvalidGroup.NotFound",
            "InvalidInternetGatewayID.NotFound",
            "InvalidNatGatewayID.NotFound",
            "InvalidNetworkAclEntry.NotFound",
            "InvalidNetworkAclID.NotFound",
            "InvalidRoute.NotFound",
            "InvalidRouteTableID.NotFound",
            "InvalidSecurityGroupRuleId.NotFound",
            "InvalidSubnetID.NotFound",
            "InvalidVpcEndpoint.NotFound",
            "InvalidVpcEndpointId.NotFound",
            "InvalidVpcID.NotFound",
            "InvalidPermission.NotFound",
            "DBInstanceNotFound",
            "DBInstanceNotFoundFault",
            "DBSubnetGroupNotFoundFault",
            "DBParameterGroupNotFound",
            "DBSnapshotNotFound",
            "SubscriptionNotFound",
            "LoadBalancerNotFound",
            "TargetGroupNotFound",
            "ListenerNotFound",
            "ClusterNotFoundException",
            "ServiceNotFoundException",
            "ServiceNotActiveException",
            "RepositoryNotFoundException",
            "LifecyclePolicyNotFoundException",
            "ObjectNotFoundException",
            "NoSuchHostedZone",
            "NoSuchChange",
            // CloudWatch.
            "ResourceNotFound",
        ],
    ),
    (
        Exists,
        &[
            "EntityAlreadyExists",
            "AlreadyExistsException",
            "ResourceAlreadyExistsException",
            "ResourceExistsException",
            "RepositoryAlreadyExistsException",
            "BucketAlreadyOwnedByYou",
            "BucketAlreadyExists",
            "DBInstanceAlreadyExists",
            "DBSubnetGroupAlreadyExists",
            "DBParameterGroupAlreadyExists",
            "DBSnapshotAlreadyExists",
            "SubscriptionAlreadyExist",
            "DuplicateLoadBalancerName",
            "DuplicateTargetGroupName",
            "DuplicateListener",
            "InvalidGroup.Duplicate",
            "InvalidPermission.Duplicate",
            "RouteAlreadyExists",
            "NetworkAclEntryAlreadyExists",
            "FlowLogAlreadyExists",
        ],
    ),
    (HasContent, &["BucketNotEmpty", "RepositoryNotEmptyException"]),
    (
        Denied,
        &[
            "AccessDenied",
            "AccessDeniedException",
            "UnauthorizedOperation",
            "AuthFailure",
            "ExpiredToken",
            "ExpiredTokenException",
            "InvalidClientTokenId",
            "SignatureDoesNotMatch",
            "UnrecognizedClientException",
            "OptInRequired",
            "OperationNotPermitted",
        ],
    ),
    (
        Quota,
        &[
            "VpcLimitExceeded",
            "AddressLimitExceeded",
            "NatGatewayLimitExceeded",
            "InternetGatewayLimitExceeded",
            "SubnetLimitExceeded",
            "RouteTableLimitExceeded",
            "NetworkAclLimitExceeded",
            "NetworkAclEntryLimitExceeded",
            "SecurityGroupLimitExceeded",
            "VpcEndpointLimitExceeded",
            "FlowLogsLimitExceeded",
            "TopicLimitExceeded",
            "SubscriptionLimitExceeded",
            "LimitExceeded",
            "LimitExceededException",
            "ServiceQuotaExceededException",
            "InstanceQuotaExceeded",
            "StorageQuotaExceeded",
            "TooManyBuckets",
            "TooManyLoadBalancers",
            "TooManyTargetGroups",
            "TooManyCertificates",
            "TooManyListeners",
            "TooManyUniqueTargetGroupsPerLoadBalancer",
            "DBParameterGroupQuotaExceeded",
            "DBSubnetGroupQuotaExceeded",
            "EventSubscriptionQuotaExceeded",
            "SnapshotQuotaExceeded",
            "DBInstanceAutomatedBackupQuotaExceeded",
            "InsufficientDBInstanceCapacity",
        ],
    ),
];

/// Codes that only the text makes clear: (service, operation or "" for any, code, fragment of the message, meaning). The comment says why.
const TEXTS: &[(&str, &str, &str, &str, FaultKind)] = &[
    // A rate limit dressed as something else, often with HTTP 400.
    ("", "", "", "Rate exceeded", Throttled),
    // A role made seconds ago cannot be assumed or named as a principal yet.
    ("", "", "MalformedPolicyDocument", "Invalid principal in policy", Propagating),
    ("kms", "", "MalformedPolicyDocumentException", "", Propagating),
    ("secretsmanager", "", "MalformedPolicyDocumentException", "", Propagating),
    ("s3", "", "MalformedPolicy", "Invalid principal", Propagating),
    ("ecs", "", "InvalidParameterException", "Unable to assume the service linked role", Propagating),
    (
        "ecs",
        "",
        "InvalidParameterException",
        "verify that the ECS service role being passed has the proper permissions",
        Propagating,
    ),
    // The listener that ties the target group to a load balancer is not visible to ECS yet.
    ("ecs", "", "InvalidParameterException", "does not have an associated load balancer", Propagating),
    ("ecs", "", "ClientException", "Role is not valid", Propagating),
    // ECS has no code of its own for a task definition that is not there.
    ("ecs", "", "ClientException", "Unable to describe task definition", NotFound),
    ("rds", "", "InvalidParameterValue", "ENHANCED_MONITORING", Propagating),
    ("rds", "", "InvalidParameterValue", "IAM role ARN value is invalid", Propagating),
    // RDS sees subnets later than EC2 shows them.
    ("rds", "", "InvalidSubnet", "", Propagating),
    ("rds", "", "InvalidParameterValue", "input subnets", Propagating),
    // A key is made and its policy written seconds before RDS is told to use it.
    ("rds", "CreateDBInstance", "KMSKeyNotAccessibleFault", "", Propagating),
    // A topic, its policy or what the events are about was made a moment ago.
    ("rds", "", "SNSNoAuthorization", "", Propagating),
    ("rds", "", "SNSTopicArnNotFound", "", Propagating),
    ("rds", "", "SourceNotFound", "", Propagating),
    // The first database of an account: its service-linked role is being made.
    ("rds", "", "", "service linked role. Otherwise wait", Propagating),
    ("rds", "", "InvalidParameterValue", "UsingWithRDS.IAM.ServiceLinkedRoles", Propagating),
    ("application-autoscaling", "", "ValidationException", "Unable to assume IAM role", Propagating),
    ("application-autoscaling", "", "ValidationException", "ECS service doesn't exist", Propagating),
    ("application-autoscaling", "", "FailedResourceAccessException", "", Propagating),
    ("elasticloadbalancing", "", "CertificateNotFound", "", Propagating),
    // New subnets and groups reach Elastic Load Balancing later than EC2 shows them.
    ("elasticloadbalancing", "CreateLoadBalancer", "SubnetNotFound", "", Propagating),
    ("elasticloadbalancing", "CreateLoadBalancer", "InvalidSecurityGroup", "", Propagating),
    // The log bucket's policy was written a moment ago.
    (
        "elasticloadbalancing",
        "ModifyLoadBalancerAttributes",
        "InvalidConfigurationRequest",
        "Access Denied for bucket",
        Propagating,
    ),
    // The key's new policy has not reached CloudWatch Logs yet.
    ("logs", "", "AccessDeniedException", "KMS key does not exist or is not allowed to be used", Propagating),
    ("ec2", "CreateFlowLogs", "InvalidParameter", "Unable to assume given IAM role", Propagating),
    // CloudTrail tries the role and the log group that it is told: the role, its policy or the group was made a moment ago.
    ("cloudtrail", "", "InvalidCloudWatchLogsRoleArnException", "Access denied", Propagating),
    ("cloudtrail", "", "InvalidCloudWatchLogsLogGroupArnException", "Access denied", Propagating),
    // Security Hub refuses every call where it is not enabled.
    ("securityhub", "", "InvalidAccessException", "not subscribed", NotFound),
    ("securityhub", "EnableSecurityHub", "ResourceConflictException", "", Exists),
    // A topic of that name is there, with other tags: somebody else's.
    ("sns", "CreateTopic", "InvalidParameter", "already exists with different", Exists),
    // Busy, not wrong.
    ("rds", "", "InvalidParameterCombination", "is already being deleted", NotFound),
    ("rds", "", "InvalidDBInstanceState", "is already being deleted", NotFound),
    ("rds", "", "InvalidParameterCombination", "No modifications were requested", Exists),
    // The protection has been lifted, but not everywhere yet.
    ("rds", "DeleteDBInstance", "InvalidParameterCombination", "disable deletion pro", InUse),
    ("elasticloadbalancing", "DeleteLoadBalancer", "OperationNotPermitted", "deletion protection", InUse),
    ("acm", "DeleteCertificate", "ConflictException", "", InUse),
    ("ecs", "", "InvalidParameterException", "cannot be stopped while deployments are active", InUse),
    ("ecs", "", "InvalidParameterException", "Creation of service was not idempotent", Exists),
    ("ecs", "", "InvalidParameterException", "still Draining", InUse),
    ("ec2", "", "IncorrectState", "", InUse),
    ("ec2", "DetachInternetGateway", "DependencyViolation", "mapped public address", InUse),
    // A name in its recovery window: ours to restore if its tags say so.
    ("secretsmanager", "CreateSecret", "InvalidRequestException", "scheduled for deletion", Exists),
    ("secretsmanager", "CreateSecret", "InvalidRequestException", "was deleted", Exists),
    ("secretsmanager", "RotateSecret", "InvalidRequestException", "previous rotation", InUse),
    // Deleted before, by an earlier try or by a person.
    ("secretsmanager", "DeleteSecret", "InvalidRequestException", "scheduled for deletion", NotFound),
    ("secretsmanager", "DeleteSecret", "InvalidRequestException", "marked for deletion", NotFound),
    ("secretsmanager", "DeleteSecret", "InvalidRequestException", "marked deleted", NotFound),
    ("kms", "", "KMSInvalidStateException", "is pending deletion", NotFound),
    // Roles for services themselves are one to an account, whoever was first.
    ("iam", "CreateServiceLinkedRole", "InvalidInput", "has been taken", Exists),
    // A create that failed because what it stands on is not visible everywhere yet.
    ("ec2", "CreateNatGateway", "InvalidElasticIpID.NotFound", "", Propagating),
    // Attached or associated since it was last looked at; the next look knows.
    ("ec2", "AttachInternetGateway", "Resource.AlreadyAssociated", "", Propagating),
    ("ec2", "AssociateRouteTable", "Resource.AlreadyAssociated", "", Propagating),
    // All that is wrong in GuardDuty has one code: a region has one detector, and one that is not there is somebody else's.
    ("guardduty", "CreateDetector", "BadRequestException", "a detector already exists", Exists),
    ("guardduty", "", "BadRequestException", "detectorId is not owned by the current account", NotFound),
    ("cloudtrail", "", "TrailNotFoundException", "", NotFound),
    ("cloudtrail", "CreateTrail", "TrailAlreadyExistsException", "", Exists),
    ("cloudtrail", "CreateTrail", "MaximumNumberOfTrailsExceededException", "", Quota),
    // The policies of the trail's bucket and key were written a moment ago.
    ("cloudtrail", "", "InsufficientS3BucketPolicyException", "", Propagating),
    ("cloudtrail", "", "InsufficientEncryptionPolicyException", "", Propagating),
    ("cloudtrail", "", "S3BucketDoesNotExistException", "", Propagating),
    ("cloudtrail", "", "KmsKeyNotFoundException", "", Propagating),
    ("config", "PutConfigurationRecorder", "MaxNumberOfConfigurationRecordersExceededException", "", Exists),
    ("config", "", "NoSuchConfigurationRecorderException", "", NotFound),
    ("config", "", "NoSuchConformancePackException", "", NotFound),
    // The role, the recorder, the bucket and its policy were made a moment ago.
    ("config", "PutConfigurationRecorder", "InvalidRoleException", "", Propagating),
    ("config", "", "NoAvailableConfigurationRecorderException", "", Propagating),
    ("config", "", "NoAvailableDeliveryChannelException", "", Propagating),
    ("config", "PutDeliveryChannel", "NoSuchBucketException", "", Propagating),
    ("config", "PutDeliveryChannel", "InsufficientDeliveryPolicyException", "", Propagating),
    // The role was made a moment ago, or its policies were attached to it.
    ("backup", "CreateBackupSelection", "InvalidParameterValueException", "cannot be assumed", Propagating),
    ("backup", "CreateBackupSelection", "InvalidParameterValueException", "is not authorized to call", Propagating),
    // AWS Backup has one code for all that does not go now: recovery points in a vault, selections in a plan.
    ("backup", "DeleteBackupVault", "InvalidRequestException", "", HasContent),
    ("backup", "DeleteBackupPlan", "InvalidRequestException", "", InUse),
    ("backup", "DeleteRecoveryPoint", "InvalidResourceStateException", "", InUse),
    // A region has one analyzer of the account, and another one of any name is one too many.
    ("access-analyzer", "CreateAnalyzer", "ServiceQuotaExceededException", "", Exists),
    ("access-analyzer", "CreateAnalyzer", "ConflictException", "", Exists),
    // All that is wrong with a change of DNS records has one code. Taken by a record of the same type, or of another type that a
    // name cannot have besides.
    ("route53", "", "InvalidChangeBatch", "but it already exists", Exists),
    ("route53", "", "InvalidChangeBatch", "conflicting RRSet", Exists),
    ("route53", "", "InvalidChangeBatch", "but it was not found", NotFound),
    // Changed since it was read; the next look knows.
    ("route53", "", "InvalidChangeBatch", "do not match the current values", InUse),
    // A web ACL or load balancer that WAF does not see everywhere yet, which has been seen to take more than five minutes.
    ("wafv2", "", "WAFUnavailableEntityException", "", InUse),
    // Changed since it was read; the next look knows.
    ("wafv2", "", "WAFOptimisticLockException", "", InUse),
    ("wafv2", "", "WAFAssociatedItemException", "", InUse),
    ("wafv2", "", "WAFNonexistentItemException", "", NotFound),
    ("wafv2", "", "WAFDuplicateItemException", "", Exists),
    ("wafv2", "", "WAFLimitsExceededException", "", Quota),
    ("wafv2", "", "WAFInternalErrorException", "", Transient),
    // Its tags could not be written this time.
    ("wafv2", "", "WAFTagOperationException", "", Transient),
    ("wafv2", "", "WAFTagOperationInternalErrorException", "", Transient),
    // WAF may not write to the log group: whoever asks lacks rights, or the policy that all web ACLs of the region share is full.
    ("wafv2", "", "WAFLogDestinationPermissionIssueException", "", Denied),
    // One operation at a time.
    ("apprunner", "", "InvalidStateException", "", InUse),
    // App Runner has one code for all that is wrong with a request. Names first.
    ("apprunner", "", "InvalidRequestException", "already exists", Exists),
    // Roles, keys, secrets and connectors made a moment ago.
    ("apprunner", "", "InvalidRequestException", "Error in assuming", Propagating),
    ("apprunner", "", "InvalidRequestException", "is in use", InUse),
    ("apprunner", "", "InvalidRequestException", "is being used", InUse),
    // An account that is new to App Runner, or so it is supposed that AWS says it: the codes are not documented.
    ("apprunner", "", "SubscriptionRequiredException", "", Denied),
    ("apprunner", "", "InvalidRequestException", "new customers", Denied),
    // A person has named the zone: it was not made a moment ago, and waiting brings no other.
    ("route53", "ChangeResourceRecordSets", "NoSuchHostedZone", "", Invalid),
];

/// Makes the function that turns an SDK error into a [`Fault`]: `….send().await.map_err(fault("ec2", "CreateVpc"))?`.
///
/// `service` is the IAM prefix, `operation` the API's name for the call.
pub fn fault<E>(service: &'static str, operation: &'static str) -> impl FnOnce(SdkError<E, Response>) -> Fault
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    move |error| match &error {
        SdkError::ServiceError(answer) => answered(service, operation, answer.err(), answer.raw()),
        SdkError::ConstructionFailure(_) => unanswered(Invalid, service, operation, "InvalidRequest", chain(&error)),
        SdkError::ResponseError(answer) => unreadable(service, operation, answer.raw()),
        SdkError::TimeoutError(_) => {
            unanswered(Transient, service, operation, "Timeout", "no answer within the time limit".to_owned())
        }
        _ => match lost(&error) {
            // To whom is said once, at the end.
            Some(_) => unanswered(Invalid, service, operation, "LockLost", "not sent: the lock is lost".to_owned()),
            None => not_sent(service, operation, chain(&error)),
        },
    }
}

/// That nothing may be sent any more.
fn lost<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Lost> {
    std::iter::successors(Some(error), |error| error.source()).find_map(|error| error.downcast_ref())
}

fn answered<E: ProvideErrorMetadata>(
    service: &'static str,
    operation: &'static str,
    error: &E,
    raw: &Response,
) -> Fault {
    let meta = error.meta();
    let status = raw.status().as_u16();
    let (code, message) = (meta.code().unwrap_or_default(), meta.message().unwrap_or_default());
    if code.is_empty() && status != 404 {
        return unreadable(service, operation, raw);
    }
    let request_id = meta.extra("aws_request_id").or_else(|| raw.headers().get("x-amzn-requestid")).map(str::to_owned);
    Fault {
        kind: meaning(service, operation, code, message, status),
        service: service.to_owned(),
        operation: operation.to_owned(),
        code: if code.is_empty() { status.to_string() } else { code.to_owned() },
        message: message.to_owned(),
        request_id,
    }
}

/// The meaning of an answer: text first, then code, then HTTP status.
pub fn meaning(service: &str, operation: &str, code: &str, message: &str, status: u16) -> FaultKind {
    let by_text = TEXTS.iter().find(|(its_service, its_operation, its_code, fragment, _)| {
        (its_service.is_empty() || *its_service == service)
            && (its_operation.is_empty() || *its_operation == operation)
            && (its_code.is_empty() || *its_code == code)
            && message.contains(fragment)
    });
    if let Some((.., kind)) = by_text {
        return *kind;
    }
    let by_code = CODES.iter().find(|(_, codes)| codes.contains(&code));
    match (by_code, status) {
        (Some((kind, _)), _) => *kind,
        (None, 429) => Throttled,
        (None, 500..) => Transient,
        (None, 404) => NotFound,
        (None, 403) => Denied,
        _ => Invalid,
    }
}

/// An answer that is not in the service's wire format: a proxy, or an endpoint that does not know the service.
fn unreadable(service: &'static str, operation: &'static str, raw: &Response) -> Fault {
    let status = raw.status().as_u16();
    let (kind, message) = match status {
        429 => (Throttled, "slowed down by something between here and AWS".to_owned()),
        500.. if status != 501 => (Transient, format!("HTTP {status} without an AWS error")),
        _ => (Invalid, format!("not supported by this endpoint: HTTP {status} without an AWS error")),
    };
    unanswered(kind, service, operation, "UnreadableAnswer", message)
}

/// What an error says and what caused it, for people.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The request did not get as far as an answer.
fn not_sent(service: &'static str, operation: &'static str, message: String) -> Fault {
    let fragments =
        ["no credentials found in chain", "no providers in chain provided credentials", "while loading credentials"];
    let no_credentials = fragments.iter().chain(&["CredentialsNotLoaded"]).any(|fragment| message.contains(fragment));
    if no_credentials {
        return unanswered(Denied, service, operation, "NoCredentials", "no AWS credentials were found".to_owned());
    }
    unanswered(Transient, service, operation, "NoAnswer", message)
}

fn unanswered(kind: FaultKind, service: &'static str, operation: &'static str, code: &str, message: String) -> Fault {
    Fault {
        kind,
        service: service.to_owned(),
        operation: operation.to_owned(),
        code: code.to_owned(),
        message,
        request_id: None,
    }
}

/// A refusal of one item inside an answer that is no error as a whole.
pub fn refused(service: &'static str, operation: &'static str, code: &str, message: &str) -> Fault {
    unanswered(meaning(service, operation, code, message, 400), service, operation, code, message.to_owned())
}

/// A fault for an answer that lacks what AWS documents to be there.
pub fn missing(service: &'static str, operation: &'static str, what: &str) -> Fault {
    unanswered(Invalid, service, operation, "IncompleteAnswer", format!("the answer has no {what}"))
}

/// A fault for a request that lacks what the SDK itself insists on.
pub fn unbuilt(service: &'static str, operation: &'static str) -> impl FnOnce(BuildError) -> Fault {
    move |error| unanswered(Invalid, service, operation, "InvalidRequest", error.to_string())
}

/// Takes `NotFound` for an answer.
pub fn absent<T>(result: Result<T, Fault>) -> Result<Option<T>, Fault> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(fault) if fault.kind == NotFound => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// For the steps of a delete, as in `.or_else(gone)`: what should go away and does not exist is success.
pub fn gone(fault: Fault) -> Result<(), Fault> {
    if fault.kind == NotFound { Ok(()) } else { Err(fault) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_one_meaning() {
        let mut seen = std::collections::BTreeMap::new();
        for (kind, codes) in CODES {
            for code in *codes {
                assert!(seen.insert(code, kind).is_none(), "{code} stands twice");
            }
        }
    }

    #[test]
    fn text_goes_before_code_and_code_before_status() {
        assert_eq!(meaning("ec2", "CreateVpc", "Blocked", "Rate exceeded", 400), Throttled);
        assert_eq!(meaning("rds", "DeleteDBInstance", "DBInstanceNotFound", "", 404), NotFound);
        assert_eq!(
            meaning("iam", "CreateRole", "MalformedPolicyDocument", "Invalid principal in policy: x", 400),
            Propagating
        );
        assert_eq!(meaning("iam", "CreateRole", "MalformedPolicyDocument", "Syntax errors", 400), Invalid);
        assert_eq!(meaning("ec2", "CreateVpc", "Novel", "", 503), Transient);
        assert_eq!(meaning("ec2", "CreateVpc", "Novel", "", 400), Invalid);
    }

    #[test]
    fn a_role_that_its_service_is_still_making_is_waited_for() {
        let ecs = "Unable to assume the service linked role. Please verify that the ECS service linked role exists.";
        assert_eq!(meaning("ecs", "CreateCluster", "InvalidParameterException", ecs, 400), Propagating);
        assert_eq!(meaning("ecs", "CreateService", "InvalidParameterException", ecs, 400), Propagating);
        let rds = |operation, message| meaning("rds", operation, "InvalidParameterValue", message, 400);
        let wait = "Unable to create the resource. Verify that you have permission to create service linked role. Otherwise wait \
                    and try again later";
        assert_eq!(rds("CreateDBInstance", wait), Propagating);
        let check = "Missing necessary credentials. Please check \
                     http://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAM.ServiceLinkedRoles.html";
        assert_eq!(rds("CreateDBSubnetGroup", check), Propagating);
        let scaling =
            "Unable to assume IAM role: arn:aws:iam::123456789012:role/aws-service-role/ecs.application-autoscaling";
        assert_eq!(
            meaning("application-autoscaling", "RegisterScalableTarget", "ValidationException", scaling, 400),
            Propagating
        );
        assert_eq!(rds("CreateDBInstance", "Invalid DB instance class"), Invalid);
    }

    #[test]
    fn a_busy_database_is_waited_for_and_one_that_is_leaving_is_gone() {
        let meaning = |operation, message| meaning("rds", operation, "InvalidDBInstanceState", message, 400);
        assert_eq!(meaning("ModifyDBInstance", "Database instance is not in available state."), InUse);
        assert_eq!(meaning("DeleteDBInstance", "Instance acme-rcm-prod-db is already being deleted."), NotFound);
    }

    #[test]
    fn a_dns_record_that_is_in_the_way_exists_and_one_that_is_gone_is_not_found() {
        let meaning = |message| meaning("route53", "ChangeResourceRecordSets", "InvalidChangeBatch", message, 400);
        let about = "[Tried to create resource record set [name='rcm.acme.com.', type='A'] but it already exists]";
        assert_eq!(meaning(about), Exists);
        let about = "[RRSet of type A with DNS name rcm.acme.com. is not permitted because a conflicting RRSet of type CNAME \
                     with the same DNS name already exists in zone acme.com.]";
        assert_eq!(meaning(about), Exists);
        let about = "[Tried to delete resource record set [name='rcm.acme.com.', type='A'] but it was not found]";
        assert_eq!(meaning(about), NotFound);
        let about = "[Tried to delete resource record set [name='rcm.acme.com.', type='A'] but the values provided do not match \
                     the current values]";
        assert_eq!(meaning(about), InUse);
        assert_eq!(meaning("[RRSet with DNS name b.com. is not permitted in zone acme.com.]"), Invalid);
    }

    #[test]
    fn protection_that_is_just_being_lifted_is_not_a_refusal() {
        let message = "Cannot delete protected DB Instance, please disable deletion protection and try again.";
        assert_eq!(meaning("rds", "DeleteDBInstance", "InvalidParameterCombination", message, 400), InUse);
        assert_eq!(meaning("rds", "DeleteDBInstance", "InvalidParameterCombination", "other", 400), Invalid);
    }
}
