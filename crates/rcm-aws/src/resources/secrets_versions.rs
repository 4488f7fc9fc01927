//! Versions of a secret and their labels: how a value is changed so that whoever comes after a crash can tell how far that was.
//!
//! API: [PutSecretValue](https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html),
//! [UpdateSecretVersionStage](https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html).
//!
//! A new value is `AWSPENDING` until it is in force, then `AWSCURRENT`, and the one before `AWSPREVIOUS`: as
//! [AWS's own rotation](https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html) does it.

use std::time::SystemTime;

use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use jiff::Timestamp;
use rcm_engine::model::{Fault, FaultKind};
use serde_json::Value;

use super::secrets_secret::{CURRENT, Source, database_url, describe, plain};
use crate::{
    Aws,
    classify::{fault, missing},
    secret::Secret,
};

/// The label of a version that is not in force yet.
const PENDING: &str = "AWSPENDING";

/// What Secrets Manager tells of a secret, but for its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// `acme-rcm/jwt-secret`
    pub name: String,
    /// `arn:aws:secretsmanager:…:secret:…-AbCdEf`
    pub arn: String,
    /// The version that readers get.
    pub current: Option<String>,
    /// The version that is not in force yet, or was the last to be so.
    pub pending: Option<String>,
    /// When the value or anything else of it has changed.
    pub last_changed: Option<Timestamp>,
    /// Whether Secrets Manager changes it by itself. rcm never turns that on.
    pub rotates: bool,
}

/// Looks at a secret by its ARN.
pub async fn look(aws: &Aws, arn: &str) -> Result<Look, Fault> {
    let secret = describe(aws, arn).await?;
    let changed = secret.last_changed_date().and_then(|date| SystemTime::try_from(*date).ok());
    Ok(Look {
        current: labelled(&secret, CURRENT),
        pending: labelled(&secret, PENDING),
        last_changed: changed.and_then(|changed| Timestamp::try_from(changed).ok()),
        rotates: secret.rotation_enabled().unwrap_or(false),
        name: secret.name().unwrap_or_default().to_owned(),
        arn: secret.arn().unwrap_or_default().to_owned(),
    })
}

/// The version that has this label.
fn labelled(secret: &DescribeSecretOutput, label: &str) -> Option<String> {
    let has_it = |stages: &Vec<String>| stages.iter().any(|stage| stage == label);
    let found = secret.version_ids_to_stages().into_iter().flatten().find(|(_, stages)| has_it(stages));
    found.map(|(version, _)| version.clone())
}

/// The value of one version.
pub async fn value(aws: &Aws, arn: &str, version: &str) -> Result<Secret, Fault> {
    let request = aws.secrets.get_secret_value().secret_id(arn).version_id(version);
    let answer = request.send().await.map_err(fault("secretsmanager", "GetSecretValue"))?;
    let text = answer.secret_string().ok_or_else(|| missing("secretsmanager", "GetSecretValue", "SecretString"))?;
    Ok(Secret::new(text))
}

/// The value that readers get.
pub async fn current_value(aws: &Aws, arn: &str) -> Result<Secret, Fault> {
    super::secrets_secret::value(aws, arn).await
}

/// Makes a version that is not in force yet, in the place of any other such.
pub async fn put_pending(aws: &Aws, arn: &str, value: &Secret) -> Result<String, Fault> {
    let request = aws.secrets.put_secret_value().secret_id(arn).secret_string(value.expose()).version_stages(PENDING);
    let answer = request.send().await.map_err(fault("secretsmanager", "PutSecretValue"))?;
    answer.version_id().map(str::to_owned).ok_or_else(|| missing("secretsmanager", "PutSecretValue", "VersionId"))
}

/// Makes `version` the one that readers get; `before` is the one that they get now.
pub async fn promote(aws: &Aws, arn: &str, version: &str, before: Option<&str>) -> Result<(), Fault> {
    move_label(aws, arn, CURRENT, Some(version), before).await
}

/// Takes the label off a version that is in force everywhere.
pub async fn no_longer_pending(aws: &Aws, arn: &str, version: &str) -> Result<(), Fault> {
    move_label(aws, arn, PENDING, None, Some(version)).await
}

/// Sent again after a lost answer it is refused, since the label is not where it was: then it is where it should be.
async fn move_label(aws: &Aws, arn: &str, label: &str, to: Option<&str>, from: Option<&str>) -> Result<(), Fault> {
    let request = aws.secrets.update_secret_version_stage().secret_id(arn).version_stage(label);
    let request = request.set_move_to_version_id(to.map(str::to_owned));
    let request = request.set_remove_from_version_id(from.map(str::to_owned));
    match request.send().await.map_err(fault("secretsmanager", "UpdateSecretVersionStage")) {
        Err(refused) if refused.kind == FaultKind::Invalid => {
            let there = labelled(&describe(aws, arn).await?, label);
            if there.as_deref() == to { Ok(()) } else { Err(refused) }
        }
        other => other.map(drop),
    }
}

/// The database URL that a secret holds, with this password. `value` is the `value` of its spec, references replaced.
pub fn url(value: &Value, password: &Secret) -> Result<Secret, Fault> {
    // The password is a reference in a spec, and that is not looked at here.
    let mut value = value.clone();
    if let Some(of) = value.pointer_mut("/database_url/password") {
        *of = serde_json::json!({"$ref": "secrets/database-password"});
    }
    match serde_json::from_value(value) {
        Ok(Source::DatabaseUrl { host, port, user, database, .. }) => {
            Ok(database_url(&user, password, &plain(&host), &plain(&port), &database))
        }
        _ => Err(Fault::invalid("secret", "it is not a database URL")),
    }
}
