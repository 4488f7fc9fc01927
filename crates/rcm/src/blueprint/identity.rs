//! Who the tasks are: one role to start them, one role for what they do. Each may touch only what is this partner's.

use std::collections::BTreeSet;

use rcm_aws::resources::iam_role::{self, Role};
use rcm_engine::model::{Graph, Ref};
use serde_json::{Value, json};

use super::{Blueprint, security::Security, storage::session_log_group};

/// What others need of this layer.
pub(super) struct Identity {
    pub(super) execution: Ref<Role>,
    pub(super) task: Ref<Role>,
}

/// The same for App Runner.
pub(super) struct AppRunnerRoles {
    pub(super) access: Ref<Role>,
    pub(super) instance: Ref<Role>,
}

/// What a role is called, what for, and what it may do.
type Description<'a> = (&'a str, &'a str, &'a [(&'a str, Value)]);

fn role(graph: &mut Graph, plan: &Blueprint<'_>, address: &str, trust: Value, what: Description<'_>) -> Ref<Role> {
    let (suffix, description, policies) = what;
    let spec = iam_role::Spec {
        name: plan.name(suffix),
        description: description.to_owned(),
        assume_role_policy: trust.into(),
        max_session_seconds: 3600,
        managed_policies: BTreeSet::new(),
        inline_policies: policies.iter().map(|(name, policy)| ((*name).to_owned(), policy.clone().into())).collect(),
    };
    graph.add::<Role>(address, spec)
}

/// App Runner pulls as one role; the application, and what reads its secrets, is another.
pub(super) fn of_app_runner(graph: &mut Graph, plan: &Blueprint<'_>, security: &Security) -> AppRunnerRoles {
    let pull = json!({"Version": "2012-10-17", "Statement": pull(plan, &["ecr:DescribeImages"])});
    let start = json!({"Version": "2012-10-17", "Statement": read_secrets(plan, security)});
    let access = ("apprunner-access", "Pulls the images of the App Runner service", &[("pull-images", pull)][..]);
    let policies = [("application", task(plan, security)), ("read-secrets", start)];
    let instance = ("apprunner-instance", "What the application may do in AWS, and its secrets", &policies[..]);
    AppRunnerRoles {
        access: role(graph, plan, "identity/app-runner-access-role", runner("build"), access),
        instance: role(graph, plan, "identity/app-runner-instance-role", runner("tasks"), instance),
    }
}

/// Without the conditions that [`trust`] has: App Runner does not document that it sends what they ask for.
fn runner(part: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": format!("{part}.apprunner.amazonaws.com")},
            "Action": "sts:AssumeRole"
        }]
    })
}

pub(super) fn add(graph: &mut Graph, plan: &Blueprint<'_>, security: &Security) -> Identity {
    let mut role = |address: &str, suffix: &str, description: &str, policies: &[(&str, Value)]| {
        role(graph, plan, address, trust(plan), (suffix, description, policies))
    };
    let sessions = plan.config.ecs_exec.then(|| ("sessions", sessions(plan, security)));
    let of_task: Vec<_> = [("application", task(plan, security))].into_iter().chain(sessions).collect();
    Identity {
        execution: role(
            "identity/execution-role",
            "ecs-execution",
            "Starts tasks: pulls images, reads secrets, opens log streams",
            &[("start-tasks", execution(plan, security))],
        ),
        task: role("identity/task-role", "ecs-task", "What the application may do in AWS", &of_task),
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
    let logs = plan.arn("logs", &format!("log-group:/ecs/{}:log-stream:*", plan.prefix));
    let logs = allow("WriteLogs", &["logs:CreateLogStream", "logs:PutLogEvents"], json!(logs));
    let statements: Vec<Value> =
        pull(plan, &[]).into_iter().chain([logs]).chain(read_secrets(plan, security)).collect();
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// The images of the partner's own repositories, and `more` to do with them.
fn pull(plan: &Blueprint<'_>, more: &[&str]) -> [Value; 2] {
    let repositories = ["api", "web"].map(|name| plan.arn("ecr", &format!("repository/{}", plan.name(name))));
    let pull = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];
    let pull: Vec<&str> = pull.iter().chain(more).copied().collect();
    [allow("LogIn", &["ecr:GetAuthorizationToken"], json!("*")), allow("PullImages", &pull, json!(repositories))]
}

/// The secrets that the application is started with.
fn read_secrets(plan: &Blueprint<'_>, security: &Security) -> [Value; 2] {
    // By name and not by reference: the role need not wait a quarter of an hour for the database that a secret speaks of.
    // Secrets Manager appends a hyphen and six characters. The reader's also where there is none: tasks of the revision that reads it
    // may still start while it goes.
    let secrets = ["database-url", "database-reader-url", "jwt-secret"]
        .map(|name| plan.arn("secretsmanager", &format!("secret:{}-??????", plan.secret(name))));
    [
        allow("ReadSecrets", &["secretsmanager:GetSecretValue"], json!(secrets)),
        allow("UseKey", &["kms:Decrypt"], security.key.to_value()),
    ]
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

/// [What a session needs](https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html#ecs-exec-required-iam-permissions)
/// of the task: a channel to whoever opened it, the key that it is encrypted with, and its log group.
fn sessions(plan: &Blueprint<'_>, security: &Security) -> Value {
    let group = plan.arn("logs", &format!("log-group:{}", session_log_group(plan)));
    let channels = ["CreateControlChannel", "CreateDataChannel", "OpenControlChannel", "OpenDataChannel"];
    let channels = channels.map(|action| format!("ssmmessages:{action}"));
    let channels: Vec<&str> = channels.iter().map(String::as_str).collect();
    json!({
        "Version": "2012-10-17",
        "Statement": [
            allow("OpenChannels", &channels, json!("*")),
            allow("DecryptSessions", &["kms:Decrypt"], security.key.to_value()),
            allow("FindGroups", &["logs:DescribeLogGroups"], json!("*")),
            allow(
                "LogSessions",
                &["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
                json!([group.as_str(), format!("{group}:*")])
            ),
        ]
    })
}

/// A statement that allows something.
pub(super) fn allow(sid: &str, actions: &[&str], resource: Value) -> Value {
    json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource})
}
