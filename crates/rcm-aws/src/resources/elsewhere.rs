//! Stand-ins for kinds that land from another branch; goes away with them.

use rcm_engine::model::Fault;

use crate::{Aws, secret};

/// `kms_key::Key`
pub struct Key;
/// `ec2_security_group::SecurityGroup`
pub struct SecurityGroup;
/// `s3_bucket::Bucket`
pub struct Bucket;
/// `secrets_secret::Secret`
pub struct Secret;

/// `secrets_secret::value`
pub(crate) async fn value(aws: &Aws, arn: &str) -> Result<secret::Secret, Fault> {
    let fault = crate::classify::fault("secretsmanager", "GetSecretValue");
    let answer = aws.secrets.get_secret_value().secret_id(arn).send().await.map_err(fault)?;
    answer
        .secret_string
        .map(secret::Secret::new)
        .ok_or_else(|| crate::classify::missing("secretsmanager", "GetSecretValue", "SecretString"))
}
