//! Which permissions an operation asks for: its own name, but for a few.

/// Operations whose permission has another name
/// (<https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html>).
const NAMED_OTHERWISE: &[(&str, &[&str])] = &[
    ("s3:DeleteObjects", &["s3:DeleteObject", "s3:DeleteObjectVersion"]),
    ("s3:GetBucketEncryption", &["s3:GetEncryptionConfiguration"]),
    ("s3:GetBucketLifecycleConfiguration", &["s3:GetLifecycleConfiguration"]),
    ("s3:GetBucketNotificationConfiguration", &["s3:GetBucketNotification"]),
    ("s3:GetPublicAccessBlock", &["s3:GetBucketPublicAccessBlock"]),
    ("s3:HeadBucket", &["s3:ListBucket"]),
    ("s3:ListBuckets", &["s3:ListAllMyBuckets"]),
    ("s3:ListMultipartUploads", &["s3:ListBucketMultipartUploads"]),
    ("s3:ListObjectVersions", &["s3:ListBucketVersions"]),
    ("s3:PutBucketEncryption", &["s3:PutEncryptionConfiguration"]),
    ("s3:PutBucketLifecycleConfiguration", &["s3:PutLifecycleConfiguration"]),
    ("s3:PutBucketNotificationConfiguration", &["s3:PutBucketNotification"]),
    ("s3:PutPublicAccessBlock", &["s3:PutBucketPublicAccessBlock"]),
    // Whoever has credentials may.
    ("sts:GetCallerIdentity", &[]),
];

/// The permissions that an operation of a service asks for, as `service:Name`. Those that it asks for because of what it does in the
/// caller's name are not among them.
pub fn asked_by(service: &str, operation: &str) -> Vec<String> {
    let name = format!("{service}:{operation}");
    match NAMED_OTHERWISE.iter().find(|(operation, _)| *operation == name) {
        Some((_, actions)) => actions.iter().map(|&action| action.to_owned()).collect(),
        None => vec![name],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_are_called_as_the_operation_and_some_of_s3_are_not() {
        assert_eq!(asked_by("ec2", "CreateVpc"), ["ec2:CreateVpc"]);
        assert_eq!(asked_by("s3", "PutBucketEncryption"), ["s3:PutEncryptionConfiguration"]);
        assert_eq!(asked_by("s3", "DeleteObjects"), ["s3:DeleteObject", "s3:DeleteObjectVersion"]);
        assert!(asked_by("sts", "GetCallerIdentity").is_empty());
    }
}
