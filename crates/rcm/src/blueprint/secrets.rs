//! The generated secrets. They are made in Secrets Manager and nowhere else is a copy.

use rcm_aws::resources::secrets_secret::{self, Secret, Source};
use rcm_engine::model::{Graph, Ref};

use super::{Blueprint, security::Security};

/// What others need of this layer.
pub(super) struct Secrets {
    pub(super) database_password: Ref<Secret>,
    pub(super) jwt: Ref<Secret>,
}

pub(super) fn add(graph: &mut Graph, plan: &Blueprint<'_>, security: &Security) -> Secrets {
    let mut generated = |name: &str, description: &str, length| {
        let spec = secrets_secret::Spec {
            name: plan.secret(name),
            description: description.to_owned(),
            kms_key: security.key.clone(),
            value: Source::Generated { length },
        };
        graph.add::<Secret>(&format!("secrets/{name}"), spec)
    };
    Secrets {
        database_password: generated("database-password", "Password of the database's master user", 48),
        jwt: generated("jwt-secret", "What the application signs its tokens with", 64),
    }
}
