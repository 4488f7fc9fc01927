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
    pub(super) balancer_logs: Ref<Bucket>,
    pub(super) api: Ref<Repository>,
    pub(super) application_logs: Ref<LogGroup>,
    /// Groups that RDS would make by itself, unencrypted and kept for ever, if they were not there before it.
    pub(super) database_logs: Vec<Ref<LogGroup>>,
    /// The same of Container Insights.
    pub(super) insights_logs: Ref<LogGroup>,
    /// Who spoke to whom in the network. It stays when that is not logged any more, with what is in it.
    pub(super) flow_logs: Ref<LogGroup>,
}

pub(super) fn add(graph: &mut Graph, plan: &Blueprint<'_>, security: &Security) -> Storage {
    bucket(graph, plan, "storage/bucket/logs", &plan.bucket("logs"), Some(security), vec![]);
    let balancer_logs = bucket(
        graph,
        plan,
        "storage/bucket/load-balancer-logs",
        &plan.bucket("alb-logs"),
        // ALB can write its access logs only to a bucket without a customer's key.
        None,
        vec![log_delivery(plan)],
    );
    let api = repository(graph, plan, "api", security);
    repository(graph, plan, "web", security);
    let mut group = |address: &str, name: String| {
        let kms_key = security.key.clone();
        graph.add::<LogGroup>(address, logs_group::Spec { name, kms_key, retention_days: SEVEN_YEARS })
    };
    let database = plan.name("db");
    Storage {
        balancer_logs,
        api,
        application_logs: group("storage/log-group/application", format!("/ecs/{}", plan.prefix)),
        database_logs: ["postgresql", "upgrade"]
            .map(|log| {
                group(&format!("storage/log-group/database-{log}"), format!("/aws/rds/instance/{database}/{log}"))
            })
            .into(),
        insights_logs: group(
            "storage/log-group/container-insights",
            format!("/aws/ecs/containerinsights/{}/performance", plan.name("cluster")),
        ),
        flow_logs: group("storage/log-group/flow-logs", flow_log_group(plan)),
    }
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
