//! What the sandbox does, seen through the AWS SDK. One binary: a file a topic.

#![expect(clippy::unwrap_used, reason = "a test, its helpers included, ends where something fails")]

mod account;
mod acm;
mod application_autoscaling;
mod apprunner;
mod backup;
mod cloudwatch;
mod ec2;
mod ecr;
mod ecs;
mod files;
mod frame;
mod iam;
mod kms;
mod load_balancing;
mod logs;
mod network;
mod rds;
mod route53;
mod s3;
mod secretsmanager;
mod service_quotas;
mod sns;
mod support;
mod wafv2;
