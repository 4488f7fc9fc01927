//! Who the tasks are: one role to start them, one role for what they do. Each may touch only what is this partner's.

use std::collections::{BTreeMap, BTreeSet};

use rcm_aws::resources::iam_role::{self, Role};
use rcm_engine::model::{Graph, Ref};
use serde_json::{Value, json};

use super::{Blueprint, security::Security};

/// What others need of this layer.
pub(super) struct Identity {
    pub(super) execution: Ref<Role>,
    pub(super) task: Ref<Role>,
}

pub(super) fn add(graph: &mut Graph, plan: &Blueprint<'_>, security: &Security) -> Identity {
    let mut role = |address: &str, suffix: &str, description: &str, policy: (&str, Value)| {
        let spec = iam_role::Spec {
            name: plan.name(suffix),
            description: description.to_owned(),
            assume_role_policy: trust(plan).into(),
            max_session_seconds: 3600,
            managed_policies: BTreeSet::new(),
            inline_policies: BTreeMap::from([(policy.0.to_owned(), policy.1.into())]),
        };
        graph.add::<Role>(address, spec)
    };
    Identity {
        execution: role(
            "identity/execution-role",
            "ecs-execution",
            "Starts tasks: pulls images, reads secrets, opens log streams",
            ("start-tasks", execution(plan, security)),
        ),
        task: role(
            "identity/task-role",
            "ecs-task",
            "What the application may do in AWS",
            ("application", task(plan, security)),
        ),
    }
}

/// ECS tasks of this account alone: the conditions keep ECS from being used as a deputy for others.
fn trust(plan: &Blueprint<'_>) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": "ecs-tasks.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {
                "StringEquals": {"aws:SourceAccount": plan.account()},
                "ArnLike": {"aws:SourceArn": plan.arn("ecs", "*")}
            }
        }]
    })
}

fn execution(plan: &Blueprint<'_>, security: &Security) -> Value {
    let repositories = ["api", "web"].map(|name| plan.arn("ecr", &format!("repository/{}", plan.name(name))));
    // By name and not by reference: the role need not wait a quarter of an hour for the database that a secret speaks of.
    // Secrets Manager appends a hyphen and six characters.
    let secrets = ["database-url", "jwt-secret"]
        .map(|name| plan.arn("secretsmanager", &format!("secret:{}-??????", plan.secret(name))));
    let logs = plan.arn("logs", &format!("log-group:/ecs/{}:log-stream:*", plan.prefix));
    json!({
        "Version": "2012-10-17",
        "Statement": [
            allow("LogIn", &["ecr:GetAuthorizationToken"], json!("*")),
            allow(
                "PullImages",
                &["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
                json!(repositories)
            ),
            allow("WriteLogs", &["logs:CreateLogStream", "logs:PutLogEvents"], json!(logs)),
            allow("ReadSecrets", &["secretsmanager:GetSecretValue"], json!(secrets)),
            allow("UseKey", &["kms:Decrypt"], security.key.to_value()),
        ]
    })
}

fn task(plan: &Blueprint<'_>, security: &Security) -> Value {
    let bucket = format!("{}-logs-{}-{}", plan.prefix, plan.account(), plan.region());
    let objects = format!("arn:{}:s3:::{bucket}/application/*", plan.partition());
    json!({
        "Version": "2012-10-17",
        "Statement": [
            allow("WriteAuditLogs", &["s3:PutObject"], json!(objects)),
            allow("EncryptAuditLogs", &["kms:GenerateDataKey"], security.key.to_value()),
        ]
    })
}

/// A statement that allows something.
pub(super) fn allow(sid: &str, actions: &[&str], resource: Value) -> Value {
    json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource})
}
