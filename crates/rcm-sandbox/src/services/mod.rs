//! The services of the cloud, a file each.

mod acm;
mod application_autoscaling;
mod ec2;
mod elbv2;
mod rds;
mod sts;

use std::sync::Arc;

use crate::own::Own;
use crate::service::Service;
use crate::winter::Winter;

/// Every service the sandbox plays. A new one is a file in this directory and a line here.
pub(crate) fn services() -> Vec<Arc<dyn Service>> {
    vec![
        Arc::new(Own::<acm::Acm>::default()),
        Arc::new(Own::<application_autoscaling::ApplicationAutoScaling>::default()),
        Arc::new(Own::<elbv2::Elbv2>::default()),
        Arc::new(Winter::new("ecr", winterbaume_ecr::EcrService::new())),
        Arc::new(Winter::new("ecs", winterbaume_ecs::EcsService::new())),
        Arc::new(Winter::new("iam", winterbaume_iam::IamService::new())),
        Arc::new(Winter::new("kms", winterbaume_kms::KmsService::new())),
        Arc::new(Winter::new("logs", winterbaume_cloudwatchlogs::CloudWatchLogsService::new())),
        Arc::new(Own::<rds::Rds>::default()),
        Arc::new(Winter::verbatim("s3", winterbaume_s3::S3Service::new())),
        Arc::new(Winter::new("secretsmanager", winterbaume_secretsmanager::SecretsManagerService::new())),
        Arc::new(ec2::Ec2::default()),
        Arc::new(sts::Sts::default()),
    ]
}
