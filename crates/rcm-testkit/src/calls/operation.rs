//! Which AWS operation an HTTP request asks for, without a model of the services.

use std::fmt;

use http::request::Parts;
use http::{HeaderMap, Method};

/// An operation of a service, as IAM and the API references name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// The service in the signature's scope: `ec2`, `elasticloadbalancing`, `application-autoscaling`.
    pub service: String,
    /// The region in the signature's scope.
    pub region: String,
    /// `CreateVpc`; the method and the path where a REST service's operation is not known here.
    pub name: String,
    /// Whether it changes anything. What is not known to only read counts as a change.
    pub mutating: bool,
    pub(super) protocol: Protocol,
}

/// How the service writes its errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Json,
    Query,
    Ec2,
    RestXml,
    Cbor,
}

/// Operations with these beginnings read.
const READING: &[&str] = &["BatchCheck", "BatchGet", "Describe", "Filter", "Get", "Head", "List", "Lookup", "Simulate"];

/// Operations that read, or leave no trace in any inventory, without saying so in their name.
const TRACELESS: &[&str] =
    &["AssumeRole", "AssumeRoleWithWebIdentity", "Decrypt", "Encrypt", "GenerateDataKey", "GenerateRandom"];

impl Operation {
    pub(super) fn of(head: &Parts, body: &str) -> Self {
        let (region, service) = scope(&head.headers);
        let query = head.uri.query().unwrap_or_default();
        let (name, protocol) = if let Some(target) = text(&head.headers, "x-amz-target") {
            (target.rsplit('.').next().unwrap_or(target).to_owned(), Protocol::Json)
        } else if let Some((_, operation)) = head.uri.path().split_once("/operation/") {
            (operation.to_owned(), Protocol::Cbor)
        } else if let Some(action) = field(body, "Action").or_else(|| field(query, "Action")) {
            (action.to_owned(), if service == "ec2" { Protocol::Ec2 } else { Protocol::Query })
        } else if service == "s3" && head.uri.path() == ACCOUNT_BLOCK {
            (format!("{}AccountPublicAccessBlock", verb(&head.method)), Protocol::Query)
        } else if service == "s3" {
            (s3(&head.method, head.uri.path(), query), Protocol::RestXml)
        } else if service == "route53" {
            (route53(&head.method, head.uri.path()), Protocol::Query)
        } else if let Some(name) = rest_json(&service, &head.method, head.uri.path()) {
            (name.to_owned(), Protocol::Json)
        } else {
            (format!("{} {}", head.method, head.uri.path()), Protocol::Json)
        };
        let dry_run = protocol == Protocol::Ec2 && field(body, "DryRun") == Some("true");
        let mutating = !reads(&name, &head.method) && !dry_run;
        Self { service, region, name, mutating, protocol }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.service, self.name)
    }
}

fn reads(name: &str, method: &Method) -> bool {
    let safe = method == Method::GET || method == Method::HEAD;
    safe || TRACELESS.contains(&name) || READING.iter().any(|beginning| name.starts_with(beginning))
}

/// Region and service from `Authorization: AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, …`.
fn scope(headers: &HeaderMap) -> (String, String) {
    let credential = text(headers, "authorization").and_then(|value| value.split_once("Credential="));
    let mut parts = credential.map(|(_, rest)| rest).unwrap_or_default().split('/').skip(2).map(str::to_owned);
    let mut next = || parts.next().unwrap_or_else(|| "unsigned".to_owned());
    (next(), next())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// A field of a form whose value needs no decoding.
fn field<'a>(form: &'a str, name: &str) -> Option<&'a str> {
    form.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// Sub-resources of a bucket, with what the operations on them are called after Get, Put and Delete.
const S3_PARTS: &[(&str, &str)] = &[
    ("acl", "BucketAcl"),
    ("encryption", "BucketEncryption"),
    ("lifecycle", "BucketLifecycleConfiguration"),
    ("location", "BucketLocation"),
    ("logging", "BucketLogging"),
    ("notification", "BucketNotificationConfiguration"),
    ("object-lock", "ObjectLockConfiguration"),
    ("ownershipControls", "BucketOwnershipControls"),
    ("policy", "BucketPolicy"),
    ("policyStatus", "BucketPolicyStatus"),
    ("publicAccessBlock", "PublicAccessBlock"),
    ("tagging", "BucketTagging"),
    ("versioning", "BucketVersioning"),
];

/// S3 Control's one path here: it signs as `s3` does.
const ACCOUNT_BLOCK: &str = "/v20180820/configuration/publicAccessBlock";

fn verb(method: &Method) -> &'static str {
    match *method {
        Method::GET => "Get",
        Method::HEAD => "Head",
        Method::PUT => "Put",
        Method::DELETE => "Delete",
        _ => "Post",
    }
}

/// The operation of a path-style S3 request.
fn s3(method: &Method, path: &str, query: &str) -> String {
    let path = path.trim_matches('/');
    let asked = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
    let is_object = path.contains('/');
    let verb = verb(method);
    if let Some((_, part)) = S3_PARTS.iter().find(|(name, _)| asked(name)) {
        return format!("{verb}{}", if is_object { part.replace("Bucket", "Object") } else { (*part).to_owned() });
    }
    match (verb, path.is_empty(), is_object) {
        ("Get", true, _) => "ListBuckets".to_owned(),
        ("Get", _, false) if asked("versions") => "ListObjectVersions".to_owned(),
        ("Get", _, false) if asked("uploads") => "ListMultipartUploads".to_owned(),
        ("Get", _, false) => "ListObjectsV2".to_owned(),
        ("Put", _, false) => "CreateBucket".to_owned(),
        ("Post", _, false) if asked("delete") => "DeleteObjects".to_owned(),
        (_, _, false) => format!("{verb}Bucket"),
        (_, _, true) if asked("uploadId") || asked("uploads") => format!("{verb}MultipartUpload"),
        (_, _, true) => format!("{verb}Object"),
    }
}

/// The operation of a Route 53 request, as far as rcm and its tests send them.
fn route53(method: &Method, path: &str) -> String {
    let parts: Vec<&str> = path.trim_matches('/').split('/').skip(1).collect();
    let name = match (method.as_str(), parts.as_slice()) {
        ("POST", ["hostedzone"]) => "CreateHostedZone",
        ("GET", ["hostedzone"]) => "ListHostedZones",
        ("GET", ["hostedzonesbyname"]) => "ListHostedZonesByName",
        ("GET", ["hostedzone", _]) => "GetHostedZone",
        ("DELETE", ["hostedzone", _]) => "DeleteHostedZone",
        ("POST", ["hostedzone", _, "rrset"]) => "ChangeResourceRecordSets",
        ("GET", ["hostedzone", _, "rrset"]) => "ListResourceRecordSets",
        ("GET", ["change", _]) => "GetChange",
        (method, _) => return format!("{method} {path}"),
    };
    name.to_owned()
}

/// Operations of services that speak JSON by method and path, as far as rcm and its tests send them: the service, the method, the
/// path with `*` for what is named in it, and what the operation is called.
const REST_JSON: &[(&str, &str, &str, &str)] = &[
    ("access-analyzer", "PUT", "/analyzer", "CreateAnalyzer"),
    ("access-analyzer", "GET", "/analyzer", "ListAnalyzers"),
    ("access-analyzer", "GET", "/analyzer/*", "GetAnalyzer"),
    ("access-analyzer", "DELETE", "/analyzer/*", "DeleteAnalyzer"),
    ("account", "POST", "/putAlternateContact", "PutAlternateContact"),
    ("account", "POST", "/getAlternateContact", "GetAlternateContact"),
    ("account", "POST", "/getRegionOptStatus", "GetRegionOptStatus"),
    ("account", "POST", "/deleteAlternateContact", "DeleteAlternateContact"),
    ("backup", "PUT", "/backup-vaults/*", "CreateBackupVault"),
    ("backup", "GET", "/backup-vaults/*", "DescribeBackupVault"),
    ("backup", "DELETE", "/backup-vaults/*", "DeleteBackupVault"),
    ("backup", "GET", "/backup-vaults", "ListBackupVaults"),
    ("backup", "PUT", "/backup-vaults/*/access-policy", "PutBackupVaultAccessPolicy"),
    ("backup", "GET", "/backup-vaults/*/access-policy", "GetBackupVaultAccessPolicy"),
    ("backup", "DELETE", "/backup-vaults/*/access-policy", "DeleteBackupVaultAccessPolicy"),
    ("backup", "GET", "/backup-vaults/*/recovery-points", "ListRecoveryPointsByBackupVault"),
    ("backup", "DELETE", "/backup-vaults/*/recovery-points/*", "DeleteRecoveryPoint"),
    ("backup", "PUT", "/backup/plans", "CreateBackupPlan"),
    ("backup", "GET", "/backup/plans", "ListBackupPlans"),
    ("backup", "GET", "/backup/plans/*", "GetBackupPlan"),
    ("backup", "POST", "/backup/plans/*", "UpdateBackupPlan"),
    ("backup", "DELETE", "/backup/plans/*", "DeleteBackupPlan"),
    ("backup", "PUT", "/backup/plans/*/selections", "CreateBackupSelection"),
    ("backup", "GET", "/backup/plans/*/selections", "ListBackupSelections"),
    ("backup", "GET", "/backup/plans/*/selections/*", "GetBackupSelection"),
    ("backup", "DELETE", "/backup/plans/*/selections/*", "DeleteBackupSelection"),
    ("backup", "GET", "/tags/*", "ListTags"),
    ("backup", "POST", "/tags/*", "TagResource"),
    ("backup", "POST", "/untag/*", "UntagResource"),
    ("guardduty", "POST", "/detector", "CreateDetector"),
    ("guardduty", "GET", "/detector", "ListDetectors"),
    ("guardduty", "GET", "/detector/*", "GetDetector"),
    ("guardduty", "POST", "/detector/*", "UpdateDetector"),
    ("guardduty", "DELETE", "/detector/*", "DeleteDetector"),
    ("securityhub", "POST", "/accounts", "EnableSecurityHub"),
    ("securityhub", "GET", "/accounts", "DescribeHub"),
    ("securityhub", "POST", "/standards/register", "BatchEnableStandards"),
    ("securityhub", "POST", "/standards/get", "GetEnabledStandards"),
    ("securityhub", "POST", "/standards/deregister", "BatchDisableStandards"),
    ("securityhub", "GET", "/tags/*", "ListTagsForResource"),
    ("securityhub", "POST", "/tags/*", "TagResource"),
];

fn rest_json(service: &str, method: &Method, path: &str) -> Option<&'static str> {
    let asked: Vec<&str> = path.trim_matches('/').split('/').collect();
    let fits = |pattern: &str| {
        let parts: Vec<&str> = pattern.trim_matches('/').split('/').collect();
        parts.len() == asked.len() && parts.iter().zip(&asked).all(|(part, asked)| *part == "*" || part == asked)
    };
    let is_it = |row: &&(&str, &str, &str, &str)| row.0 == service && row.1 == method.as_str() && fits(row.2);
    REST_JSON.iter().find(is_it).map(|row| row.3)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn operation(method: &str, uri: &str, service: &str, headers: &[(&str, &str)], body: &str) -> Operation {
        let credential =
            format!("AWS4-HMAC-SHA256 Credential=AKID/20261123/eu-west-1/{service}/aws4_request, Signature=0");
        let mut request = Request::builder().method(method).uri(uri).header("authorization", credential);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Operation::of(&request.body(()).unwrap().into_parts().0, body)
    }

    #[track_caller]
    fn assert_is(operation: &Operation, name: &str, mutating: bool) {
        assert_eq!((operation.to_string().as_str(), operation.mutating), (name, mutating));
        assert_eq!(operation.region, "eu-west-1");
    }

    #[test]
    fn a_json_operation_is_named_by_its_target_header() {
        let target = ("x-amz-target", "AmazonEC2ContainerServiceV20141113.RegisterTaskDefinition");
        assert_is(&operation("POST", "/", "ecs", &[target], "{}"), "ecs:RegisterTaskDefinition", true);
        let target = ("x-amz-target", "TrentService.DescribeKey");
        assert_is(&operation("POST", "/", "kms", &[target], "{}"), "kms:DescribeKey", false);
    }

    #[test]
    fn a_query_operation_is_named_by_its_action_and_a_dry_run_changes_nothing() {
        assert_is(
            &operation("POST", "/", "rds", &[], "Action=CreateDBInstance&Version=2014"),
            "rds:CreateDBInstance",
            true,
        );
        assert_is(&operation("POST", "/", "ec2", &[], "Action=DescribeVpcs"), "ec2:DescribeVpcs", false);
        assert_is(&operation("POST", "/", "ec2", &[], "Action=CreateVpc&DryRun=true"), "ec2:CreateVpc", false);
    }

    #[test]
    fn an_s3_operation_is_named_by_method_path_and_sub_resource() {
        let s3 = |method, uri| operation(method, uri, "s3", &[], "");
        assert_is(&s3("GET", "/"), "s3:ListBuckets", false);
        assert_is(&s3("PUT", "/logs"), "s3:CreateBucket", true);
        assert_is(&s3("PUT", "/logs?publicAccessBlock"), "s3:PutPublicAccessBlock", true);
        assert_is(&s3("GET", "/logs/?policy="), "s3:GetBucketPolicy", false);
        assert_is(&s3("HEAD", "/logs"), "s3:HeadBucket", false);
        assert_is(&s3("DELETE", "/logs"), "s3:DeleteBucket", true);
        assert_is(&s3("POST", "/logs?delete"), "s3:DeleteObjects", true);
        assert_is(&s3("GET", "/logs?versions&max-keys=1"), "s3:ListObjectVersions", false);
        assert_is(&s3("PUT", "/logs/a/b.txt"), "s3:PutObject", true);
    }

    #[test]
    fn a_route_53_operation_is_named_by_method_and_path() {
        let route53 = |method, uri| operation(method, uri, "route53", &[], "");
        assert_is(&route53("POST", "/2013-04-01/hostedzone/Z1/rrset"), "route53:ChangeResourceRecordSets", true);
        assert_is(&route53("GET", "/2013-04-01/hostedzone/Z1/rrset?name=a"), "route53:ListResourceRecordSets", false);
        assert_is(&route53("GET", "/2013-04-01/change/C1"), "route53:GetChange", false);
    }

    #[test]
    fn a_rest_json_operation_is_named_by_method_and_path() {
        let guardduty = |method, uri| operation(method, uri, "guardduty", &[], "");
        assert_is(&guardduty("POST", "/detector"), "guardduty:CreateDetector", true);
        assert_is(&guardduty("GET", "/detector/12abc34d"), "guardduty:GetDetector", false);
        let account = |method| operation(method, "/v20180820/configuration/publicAccessBlock", "s3", &[], "");
        assert_is(&account("PUT"), "s3:PutAccountPublicAccessBlock", true);
        assert_is(&account("GET"), "s3:GetAccountPublicAccessBlock", false);
    }

    #[test]
    fn an_operation_of_rpc_v2_is_named_by_its_path() {
        let rpc = |name| {
            operation(
                "POST",
                &format!("/service/GraniteServiceVersion20100801/operation/{name}"),
                "monitoring",
                &[],
                "{}",
            )
        };
        assert_is(&rpc("PutMetricAlarm"), "monitoring:PutMetricAlarm", true);
        assert_is(&rpc("DescribeAlarms"), "monitoring:DescribeAlarms", false);
    }

    #[test]
    fn what_is_unknown_counts_as_a_change() {
        assert_is(&operation("POST", "/v1/things", "novel", &[], "{}"), "novel:POST /v1/things", true);
    }
}
