//! What is kept: log buckets, log groups, image repositories.

use rcm_aws::resources::{
    ecr_repository::{self, Repository},
    logs_group::{self, LogGroup},
    s3_bucket::{self, Bucket, Lifecycle},
};
use rcm_engine::model::{Graph, Ref};
use serde_json::{Value, json};

use super::{Blueprint, SEVEN_YEARS, security::Security};

/// What others need of this layer.
pub(super) struct Storage {
    pub(super) api: Ref<Repository>,
    /// Groups that RDS would make by itself, unencrypted and kept for ever, if they were not there before it.
    pub(super) database_logs: Vec<Ref<LogGroup>>,
    /// The same of each read replica.
    pub(super) replica_logs: Vec<Vec<Ref<LogGroup>>>,
}

/// What is kept of ECS and of the load balancer in front of it.
pub(super) struct TaskLogs {
    pub(super) balancer: Ref<Bucket>,
    pub(super) application: Ref<LogGroup>,
    /// A group that Container Insights would make by itself, unencrypted and kept for ever, if it were not there before.
    pub(super) insights: Ref<LogGroup>,
}

pub(super) fn add(graph: &mut Graph, plan: &Blueprint<'_>, security: &Security) -> Storage {
    bucket(graph, plan, "storage/bucket/logs", &plan.bucket("logs"), Some(security), vec![]);
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
    Storage { api, database_logs, replica_logs }
}

/// The logs of what runs on ECS. App Runner writes to groups of AWS's own.
pub(super) fn of_tasks(graph: &mut Graph, plan: &Blueprint<'_>, security: &Security) -> TaskLogs {
    TaskLogs {
        balancer: bucket(
            graph,
            plan,
            "storage/bucket/load-balancer-logs",
            &plan.bucket("alb-logs"),
            // ALB can write its access logs only to a bucket without a customer's key.
            None,
            vec![log_delivery(plan)],
        ),
        application: group(graph, security, "storage/log-group/application", format!("/ecs/{}", plan.prefix)),
        insights: group(
            graph,
            security,
            "storage/log-group/container-insights",
            format!("/aws/ecs/containerinsights/{}/performance", plan.name("cluster")),
        ),
    }
}

fn group(graph: &mut Graph, security: &Security, address: &str, name: String) -> Ref<LogGroup> {
    let kms_key = security.key.clone();
    graph.add::<LogGroup>(address, logs_group::Spec { name, kms_key, retention_days: SEVEN_YEARS })
}

impl Blueprint<'_> {
    /// Bucket names are taken world-wide, so account and region are in them.
    fn bucket(&self, what: &str) -> String {
        format!("{}-{what}-{}-{}", self.prefix, self.account(), self.region())
    }
}

fn bucket(
    graph: &mut Graph,
    plan: &Blueprint<'_>,
    address: &str,
    name: &str,
    keyed: Option<&Security>,
    more: Vec<Value>,
) -> Ref<Bucket> {
    let statements: Vec<Value> = std::iter::once(tls_only(plan)).chain(more).collect();
    let spec = s3_bucket::Spec {
        name: name.to_owned(),
        kms_key: keyed.map(|security| security.key.clone()),
        versioned: true,
        public_access_blocked: true,
        owner_enforced: true,
        policy: json!({"Version": "2012-10-17", "Statement": statements}).into(),
        lifecycle: Lifecycle {
            infrequent_access_after_days: Some(90),
            glacier_after_days: Some(365),
            expire_after_days: Some(SEVEN_YEARS),
            expire_noncurrent_after_days: Some(SEVEN_YEARS),
            abort_uploads_after_days: 7,
        },
    };
    graph.add::<Bucket>(address, spec)
}

fn own_arn(plan: &Blueprint<'_>) -> String {
    format!("arn:{}:s3:::{}", plan.partition(), s3_bucket::OWN_NAME)
}

fn tls_only(plan: &Blueprint<'_>) -> Value {
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
