//! What the sandbox does, seen through the AWS SDK. One binary: a file a topic.

mod acm;
mod application_autoscaling;
mod ec2;
mod frame;
mod load_balancing;
mod network;
mod rds;
mod support;
