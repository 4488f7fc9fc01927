//! The resource kinds: one file a kind, one line here.

use std::sync::Arc;

use rcm_engine::model::Registry;

use crate::Aws;

mod batch;
mod ec2;
pub mod policy;
mod s3_content;
mod s3_lifecycle;

/// Declares the modules of the kinds and the registry of them all.
macro_rules! kinds {
    ($($module:ident :: $kind:ident),* $(,)?) => {
        $(pub mod $module;)*

        /// All kinds, working on `aws`.
        pub fn registry(aws: &Arc<Aws>) -> Registry {
            Registry::new()$(.with::<$module::$kind>(aws))*
        }
    };
}

kinds! {
    ec2_subnet::Subnet,
    ec2_vpc::Vpc,
    ecr_repository::Repository,
    iam_role::Role,
    kms_key::Key,
    logs_group::LogGroup,
    s3_bucket::Bucket,
    secrets_secret::Secret,
}
