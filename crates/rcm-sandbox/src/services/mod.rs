//! The services of the cloud, a file each.

mod acm;
mod application_autoscaling;
mod ec2;
mod ecr;
mod ecs;
mod elbv2;
mod iam;
mod kms;
mod logs;
mod rds;
mod s3;
mod secretsmanager;
mod sts;

use std::sync::Arc;

use crate::emulator::Emulator;
use crate::own::Own;
use crate::service::Service;

/// Every service the sandbox plays. A new one is a file in this directory and a line here.
pub(crate) fn services() -> Vec<Arc<dyn Service>> {
    vec![
        Arc::new(Own::<acm::Acm>::default()),
        Arc::new(Own::<application_autoscaling::ApplicationAutoScaling>::default()),
        Arc::new(Own::<elbv2::Elbv2>::default()),
        Arc::new(Own::<rds::Rds>::default()),
        Arc::new(Emulator::<ecr::Ecr>::default()),
        Arc::new(Emulator::<ecs::Ecs>::default()),
        Arc::new(Emulator::<iam::Iam>::default()),
        Arc::new(Emulator::<kms::Kms>::default()),
        Arc::new(Emulator::<logs::Logs>::default()),
        Arc::new(ec2::Ec2::default()),
        Arc::new(Emulator::<s3::S3>::default()),
        Arc::new(Emulator::<secretsmanager::SecretsManager>::default()),
        Arc::new(sts::Sts::default()),
    ]
}
