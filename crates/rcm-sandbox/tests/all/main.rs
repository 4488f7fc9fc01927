//! What the sandbox does, seen through the AWS SDK. One binary: a file a topic.

mod ec2;
mod ecr;
mod ecs;
mod frame;
mod iam;
mod kms;
mod logs;
mod s3;
mod secretsmanager;
mod support;
