//! What the sandbox does, seen through the AWS SDK. One binary: a file a topic.

mod ec2;
mod frame;
mod support;
