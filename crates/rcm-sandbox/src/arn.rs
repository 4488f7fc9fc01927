//! ARNs and the random parts of AWS's names.

use crate::service::Context;

/// `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE` of this cloud.
pub(crate) fn arn(cx: &Context, service: &str, resource: &str) -> String {
    let partition = match cx.region.as_str() {
        region if region.starts_with("us-gov-") => "aws-us-gov",
        region if region.starts_with("cn-") => "aws-cn",
        _ => "aws",
    };
    format!("arn:{partition}:{service}:{}:{}:{resource}", cx.region, cx.account)
}

/// `length` random hexadecimal digits, at most 32.
pub(crate) fn random_hex(length: usize) -> String {
    let mut digits = uuid::Uuid::new_v4().simple().to_string();
    digits.truncate(length);
    digits
}
