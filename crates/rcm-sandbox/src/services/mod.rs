//! The services of the cloud, a file each.

mod access_analyzer;
mod account;
mod acm;
mod application_autoscaling;
mod apprunner;
mod backup;
mod cloudtrail;
mod cloudwatch;
mod config;
mod ec2;
mod ecr;
mod ecs;
mod elbv2;
mod guardduty;
mod iam;
mod kms;
mod logs;
mod pricing;
mod rds;
mod route53;
mod s3;
mod secretsmanager;
mod securityhub;
mod service_quotas;
mod sns;
mod sts;
mod wafv2;

use std::sync::Arc;

use crate::emulator::Emulator;
use crate::service::Service;

pub(crate) use cloudwatch::operation as rpc_operation;
pub(crate) use route53::API as ROUTE53_API;

/// Every service the sandbox plays. A new one is a file in this directory and a line here.
pub(crate) fn services() -> Vec<Arc<dyn Service>> {
    vec![
        Arc::new(Emulator::<access_analyzer::AccessAnalyzer>::default()),
        Arc::new(Emulator::<account::Account>::default()),
        Arc::new(Emulator::<acm::Acm>::default()),
        Arc::new(Emulator::<application_autoscaling::ApplicationAutoScaling>::default()),
        Arc::new(Emulator::<backup::Backup>::default()),
        Arc::new(Emulator::<cloudtrail::CloudTrail>::default()),
        Arc::new(Emulator::<config::Config>::default()),
        Arc::new(Emulator::<apprunner::AppRunner>::default()),
        Arc::new(Emulator::<cloudwatch::CloudWatch>::default()),
        Arc::new(Emulator::<ec2::Network>::default()),
        Arc::new(Emulator::<ecr::Ecr>::default()),
        Arc::new(Emulator::<ecs::Ecs>::default()),
        Arc::new(Emulator::<elbv2::Elbv2>::default()),
        Arc::new(Emulator::<guardduty::GuardDuty>::default()),
        Arc::new(Emulator::<iam::Iam>::default()),
        Arc::new(Emulator::<kms::Kms>::default()),
        Arc::new(Emulator::<logs::Logs>::default()),
        Arc::new(Emulator::<pricing::Pricing>::default()),
        Arc::new(Emulator::<rds::Rds>::default()),
        Arc::new(Emulator::<route53::Route53>::default()),
        Arc::new(Emulator::<s3::S3>::default()),
        Arc::new(Emulator::<secretsmanager::SecretsManager>::default()),
        Arc::new(Emulator::<securityhub::SecurityHub>::default()),
        Arc::new(Emulator::<service_quotas::ServiceQuotas>::default()),
        Arc::new(Emulator::<sns::Sns>::default()),
        Arc::new(Emulator::<sts::Sts>::default()),
        Arc::new(Emulator::<wafv2::Wafv2>::default()),
    ]
}
