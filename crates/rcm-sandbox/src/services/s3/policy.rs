//! What S3 accepts as a bucket's policy.

use serde_json::Value;

use super::bucket::Bucket;
use crate::json::one_or_many;
use crate::wire::Fault;

pub(super) fn check(bucket: &Bucket, name: &str, text: &str) -> Result<(), Fault> {
    let malformed = |message: &str| Err(Fault::new("MalformedPolicy", message));
    let Ok(policy) = serde_json::from_str::<Value>(text) else {
        return malformed("Policies must be valid JSON and the first byte must be '{'");
    };
    let statements = one_or_many(policy.get("Statement"));
    if statements.is_empty() {
        return malformed("Missing required field Statement");
    }
    for statement in &statements {
        if statement.get("Principal").or(statement.get("NotPrincipal")).is_none() {
            return malformed("Missing required field Principal");
        }
        let resources = one_or_many(statement.get("Resource").or(statement.get("NotResource")));
        let ours = |resource: &&Value| {
            let rest = resource.as_str().and_then(|arn| arn.strip_prefix("arn:aws:s3:::")?.strip_prefix(name));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || rest.starts_with('*'))
        };
        if resources.is_empty() || !resources.iter().all(ours) {
            return malformed("Policy has invalid resource");
        }
    }
    let blocked = bucket.setting_value("publicAccessBlock", &["BlockPublicPolicy"]).as_deref() == Some("true");
    if blocked && statements.iter().any(|statement| is_public(statement)) {
        let message = "User is not authorized to perform: s3:PutBucketPolicy because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.";
        return Err(Fault::new("AccessDenied", message).status(403));
    }
    Ok(())
}

/// Lets everybody in, without any condition.
fn is_public(statement: &Value) -> bool {
    let principal = statement.get("Principal");
    let named = principal.and_then(|principal| principal.get("AWS")).or(principal);
    let everybody = one_or_many(named).into_iter().any(|it| it == "*");
    let allows = statement.get("Effect").is_some_and(|effect| effect == "Allow");
    everybody && allows && statement.get("Condition").is_none()
}
