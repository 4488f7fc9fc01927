//! The generated secrets. They are made in Secrets Manager and nowhere else is a copy.

use rcm_aws::resources::{
    policy::Policy,
    secrets_secret::{self, Rotation, Secret, Source},
};
use rcm_engine::model::{Graph, Ref};
use serde_json::json;

use super::{Blueprint, security::Security};

/// What others need of this layer.
pub(super) struct Secrets {
    pub(super) database_password: Ref<Secret>,
    pub(super) jwt: Ref<Secret>,
}

pub(super) fn add(graph: &mut Graph, plan: &Blueprint<'_>, security: &Security) -> Secrets {
    let mut generated = |name: &str, description: &str, length, rotation| {
        let spec = secrets_secret::Spec {
            name: plan.secret(name),
            description: description.to_owned(),
            kms_key: security.key.clone(),
            value: Source::Generated { length },
            policy: policy(plan),
            rotation,
        };
        graph.add::<Secret>(&format!("secrets/{name}"), spec)
    };
    Secrets {
        database_password: generated("database-password", "Password of the database's master user", 48, rotation(plan)),
        // Another value would turn every token down that is out.
        jwt: generated("jwt-secret", "What the application signs its tokens with", 64, None),
    }
}

fn rotation(plan: &Blueprint<'_>) -> Option<Rotation> {
    let function = plan.config.secret_rotation_function.as_ref()?;
    Some(Rotation { function: function.to_string(), days: plan.config.secret_rotation_days.into() })
}

/// Nobody but this account's own, whatever anybody's IAM allows, and nobody in clear. Who administers the account may change or delete it,
/// as nothing is denied to the account's own: it keeps nobody from leaving. Services that AWS itself lets in have no account.
pub(super) fn policy(plan: &Blueprint<'_>) -> Option<Policy> {
    let document = json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "ThisAccountAlone",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "secretsmanager:*",
                "Resource": "*",
                "Condition": {
                    "StringNotEquals": {"aws:PrincipalAccount": plan.account()},
                    "Bool": {"aws:PrincipalIsAWSService": "false"}
                }
            },
            {
                "Sid": "TlsOnly",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "secretsmanager:*",
                "Resource": "*",
                "Condition": {"Bool": {"aws:SecureTransport": "false"}}
            }
        ]
    });
    plan.config.secret_policies.then(|| document.into())
}
