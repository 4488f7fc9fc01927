//! What is kept: log buckets, log groups, image repositories.

use rcm_aws::resources::{
    ecr_repository::{self, Repository},
    logs_group::{self, LogGroup},
    s3_bucket::{self, AccessLogs, Bucket, Lifecycle},
};
use rcm_engine::model::{Graph, Ref};
use serde_json::{Value, json};

use super::{Blueprint, SEVEN_YEARS, security::Security};

/// What the names of the access logs begin with.
const ACCESS_LOGS: &str = "s3-access/";

/// What others need of this layer.
pub(super) struct Storage {
    /// Where AWS delivers logs to: the load balancer's, and of who reads the other bucket.
    pub(super) delivered_logs: Ref<Bucket>,
    pub(super) api: Ref<Repository>,
    /// Groups that RDS would make by itself, unencrypted and kept for ever, if they were not there before it.
    pub(super) database_logs: Vec<Ref<LogGroup>>,
    /// The same of each read replica.
    pub(super) replica_logs: Vec<Vec<Ref<LogGroup>>>,
    /// Who spoke to whom in the network. It stays when that is not logged any more, with what is in it.
    pub(super) flow_logs: Ref<LogGroup>,
}

/// What is kept of ECS.
pub(super) struct TaskLogs {
    pub(super) application: Ref<LogGroup>,
    /// A group that Container Insights would make by itself, unencrypted and kept for ever, if it were not there before.
    pub(super) insights: Ref<LogGroup>,
    /// What is typed and shown in sessions, where there are any.
    pub(super) sessions: Option<Ref<LogGroup>>,
}

pub(super) fn add(graph: &mut Graph, plan: &Blueprint<'_>, security: &Security) -> Storage {
    let delivered_logs = buckets(graph, plan, security);
    let api = repository(graph, plan, "api", security);
    repository(graph, plan, "web", security);
    let mut of_database = |name: &str, identifier: &str| {
        let logs = ["postgresql", "upgrade"].map(|log| {
            let path = format!("/aws/rds/instance/{identifier}/{log}");
            group(graph, security, &format!("storage/log-group/{name}-{log}"), path)
        });
        Vec::from(logs)
    };
    let database_logs = of_database("database", &plan.name("db"));
    let replicas = 0..usize::try_from(plan.config.db_read_replicas).unwrap_or_default();
    let replica_logs =
        replicas.map(|index| of_database(&format!("replica-{}", index + 1), &plan.replica(index))).collect();
    let flow_logs = group(graph, security, "storage/log-group/flow-logs", flow_log_group(plan));
    Storage { delivered_logs, api, database_logs, replica_logs, flow_logs }
}

/// The logs of what runs on ECS. App Runner writes to groups of AWS's own.
pub(super) fn of_tasks(graph: &mut Graph, plan: &Blueprint<'_>, security: &Security) -> TaskLogs {
    TaskLogs {
        application: group(graph, security, "storage/log-group/application", format!("/ecs/{}", plan.prefix)),
        insights: group(
            graph,
            security,
            "storage/log-group/container-insights",
            format!("/aws/ecs/containerinsights/{}/performance", plan.name("cluster")),
        ),
        sessions: plan
            .config
            .ecs_exec
            .then(|| group(graph, security, "storage/log-group/sessions", session_log_group(plan))),
    }
}

/// A group whose logs are kept for seven years under the partner's key.
pub(super) fn group(graph: &mut Graph, security: &Security, address: &str, name: String) -> Ref<LogGroup> {
    let kms_key = security.key.clone();
    graph.add::<LogGroup>(address, logs_group::Spec { name, kms_key, retention_days: SEVEN_YEARS })
}

/// The name of the group that sessions in containers are in. Not below the application's `/ecs/`: whoever may read that need not see these.
pub(super) fn session_log_group(plan: &Blueprint<'_>) -> String {
    format!("/ecs-exec/{}", plan.prefix)
}

/// The name of the group that the VPC's flow logs are in.
pub(super) fn flow_log_group(plan: &Blueprint<'_>) -> String {
    format!("/vpc/{}", plan.prefix)
}

impl Blueprint<'_> {
    /// Bucket names are taken world-wide, so account and region are in them.
    fn bucket(&self, what: &str) -> String {
        format!("{}-{what}-{}-{}", self.prefix, self.account(), self.region())
    }
}

/// The bucket of everything that is kept under the partner's key, and the one of logs that AWS writes only where there is none: those of the
/// load balancer, and of who reads the first bucket. The second is watched by nobody but CloudTrail: its own access logs would beget more.
fn buckets(graph: &mut Graph, plan: &Blueprint<'_>, security: &Security) -> Ref<Bucket> {
    let logged = plan.config.s3_access_logs;
    let deliveries = std::iter::once(log_delivery(plan)).chain(logged.then(|| access_log_delivery(plan))).collect();
    let unkeyed = bucket(plan, "alb-logs", None, deliveries);
    let balancer_logs = graph.add::<Bucket>("storage/bucket/load-balancer-logs", unkeyed);
    let access_logs = AccessLogs { bucket: balancer_logs.clone(), prefix: ACCESS_LOGS.into() };
    let keyed =
        s3_bucket::Spec { access_logs: logged.then_some(access_logs), ..bucket(plan, "logs", Some(security), vec![]) };
    graph.add::<Bucket>("storage/bucket/logs", keyed);
    balancer_logs
}

fn bucket(plan: &Blueprint<'_>, name: &str, keyed: Option<&Security>, more: Vec<Value>) -> s3_bucket::Spec {
    let statements: Vec<Value> = std::iter::once(tls_only(plan)).chain(more).collect();
    s3_bucket::Spec {
        name: plan.bucket(name),
        kms_key: keyed.map(|security| security.key.clone()),
        versioned: true,
        public_access_blocked: true,
        owner_enforced: true,
        policy: json!({"Version": "2012-10-17", "Statement": statements}).into(),
        lifecycle: seven_years(),
        access_logs: None,
        event_bridge: plan.config.s3_event_notifications,
    }
}

/// Logs are kept as long as HIPAA wants, and cost less with every year.
pub(super) fn seven_years() -> Lifecycle {
    Lifecycle {
        infrequent_access_after_days: Some(90),
        glacier_after_days: Some(365),
        expire_after_days: Some(SEVEN_YEARS),
        expire_noncurrent_after_days: Some(SEVEN_YEARS),
        abort_uploads_after_days: 7,
    }
}

pub(super) fn own_arn(plan: &Blueprint<'_>) -> String {
    format!("arn:{}:s3:::{}", plan.partition(), s3_bucket::OWN_NAME)
}

pub(super) fn tls_only(plan: &Blueprint<'_>) -> Value {
    let bucket = own_arn(plan);
    json!({
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket, format!("{bucket}/*")],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}}
    })
}

/// [What ELB needs to deliver access logs](https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html).
fn log_delivery(plan: &Blueprint<'_>) -> Value {
    json!({
        "Sid": "LoadBalancerLogs",
        "Effect": "Allow",
        "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": format!("{}/AWSLogs/{}/*", own_arn(plan), plan.account()),
        "Condition": {"StringEquals": {"aws:SourceAccount": plan.account()}}
    })
}

/// [What S3 needs to deliver access logs](https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html), for
/// the other bucket alone.
fn access_log_delivery(plan: &Blueprint<'_>) -> Value {
    json!({
        "Sid": "AccessLogs",
        "Effect": "Allow",
        "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": format!("{}/{ACCESS_LOGS}*", own_arn(plan)),
        "Condition": {
            "StringEquals": {"aws:SourceAccount": plan.account()},
            // A successor's name has its generation at the end.
            "ArnLike": {"aws:SourceArn": format!("arn:{}:s3:::{}*", plan.partition(), plan.bucket("logs"))}
        }
    })
}

fn repository(graph: &mut Graph, plan: &Blueprint<'_>, name: &str, security: &Security) -> Ref<Repository> {
    let spec = ecr_repository::Spec {
        name: plan.name(name),
        kms_key: security.key.clone(),
        immutable_tags: true,
        scan_on_push: true,
        lifecycle: image_lifecycle(),
    };
    graph.add::<Repository>(&format!("storage/repository/{name}"), spec)
}

/// Images without a tag are leftovers of pushes; of the others the newest hundred are plenty to roll back to.
fn image_lifecycle() -> Value {
    json!({
        "rules": [
            {
                "rulePriority": 1,
                "description": "Untagged images go after 14 days",
                "selection": {
                    "tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14
                },
                "action": {"type": "expire"}
            },
            {
                "rulePriority": 2,
                "description": "The newest 100 images stay",
                "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 100},
                "action": {"type": "expire"}
            }
        ]
    })
}
