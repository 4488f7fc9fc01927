//! The services of the cloud, a file each.

mod ec2;
mod ecr;
mod ecs;
mod iam;
mod kms;
mod logs;
mod s3;
mod secretsmanager;
mod sts;

use std::sync::Arc;

use crate::emulator::Emulator;
use crate::service::Service;
use crate::winter::Winter;

/// Every service the sandbox plays. A new one is a file in this directory and a line here.
pub(crate) fn services() -> Vec<Arc<dyn Service>> {
    vec![
        Arc::new(Winter::new("acm", winterbaume_acm::AcmService::new())),
        Arc::new(Winter::new(
            "application-autoscaling",
            winterbaume_applicationautoscaling::ApplicationAutoScalingService::new(),
        )),
        Arc::new(Emulator::<ecr::Ecr>::default()),
        Arc::new(Emulator::<ecs::Ecs>::default()),
        Arc::new(Emulator::<iam::Iam>::default()),
        Arc::new(Emulator::<kms::Kms>::default()),
        Arc::new(Emulator::<logs::Logs>::default()),
        Arc::new(Winter::new("rds", winterbaume_rds::RdsService::new())),
        Arc::new(ec2::Ec2::default()),
        Arc::new(Emulator::<s3::S3>::default()),
        Arc::new(Emulator::<secretsmanager::SecretsManager>::default()),
        Arc::new(sts::Sts::default()),
    ]
}
