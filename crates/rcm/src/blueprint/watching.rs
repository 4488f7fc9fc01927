//! What watches over the environment: who spoke to whom in the network, and who is told when something is wrong.

mod alarms;
mod dashboard;
mod events;

use std::collections::{BTreeMap, BTreeSet};

use rcm_aws::resources::{
    ec2_flow_log::{self, FlowLog},
    iam_role::{self, Role},
};
use rcm_engine::model::Graph;
use serde_json::{Value, json};

use super::{
    Blueprint,
    compute::Compute,
    database::Database,
    edge::Edge,
    identity::allow,
    network::Network,
    security::Security,
    storage::{Storage, flow_log_group},
};

pub(super) use alarms::may_publish;

/// The address of the subscription by which the support address gets the alarms.
pub const SUBSCRIPTION: &str = "watching/subscription";

/// The layers that this one stands on.
pub(super) struct Below<'a> {
    pub(super) network: &'a Network,
    pub(super) security: &'a Security,
    pub(super) storage: &'a Storage,
    pub(super) database: &'a Database,
    /// What runs on ECS; none where App Runner is in its place, which has metrics of its own.
    pub(super) tasks: Option<Tasks<'a>>,
}

/// Tasks, and the load balancer in front of them.
pub(super) struct Tasks<'a> {
    pub(super) edge: &'a Edge,
    pub(super) compute: &'a Compute,
}

pub(super) fn add(graph: &mut Graph, plan: &Blueprint<'_>, below: &Below<'_>) {
    if plan.config.flow_logs {
        flow_log(graph, plan, below.network, below.storage);
    }
    let watches = alarms::watches(plan, below);
    if plan.config.dashboard {
        dashboard::add(graph, plan, &watches);
    }
    if plan.config.alarms {
        let topic = alarms::add(graph, plan, below, watches);
        events::add(graph, plan, below.database, &topic);
    }
}

fn flow_log(graph: &mut Graph, plan: &Blueprint<'_>, network: &Network, storage: &Storage) {
    let role = iam_role::Spec {
        name: plan.name("flow-logs"),
        description: "Writes the flow logs of the VPC".into(),
        assume_role_policy: trust(plan).into(),
        max_session_seconds: 3600,
        managed_policies: BTreeSet::new(),
        inline_policies: BTreeMap::from([("write-flow-logs".to_owned(), writing(plan).into())]),
    };
    let spec = ec2_flow_log::Spec {
        vpc: network.vpc.clone(),
        traffic: "ALL".into(),
        log_group: storage.flow_logs.clone(),
        role: graph.add::<Role>("watching/flow-log-role", role),
        aggregation_seconds: 60,
    };
    graph.add::<FlowLog>("watching/flow-log", spec);
}

/// Flow logs of this account and region alone: the conditions keep the service from being used as a deputy for others.
fn trust(plan: &Blueprint<'_>) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": "vpc-flow-logs.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {
                "StringEquals": {"aws:SourceAccount": plan.account()},
                "ArnLike": {"aws:SourceArn": plan.arn("ec2", "vpc-flow-log/*")}
            }
        }]
    })
}

/// [What flow logs need](https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html), in their own group alone, and not to
/// make one.
fn writing(plan: &Blueprint<'_>) -> Value {
    let group = plan.arn("logs", &format!("log-group:{}", flow_log_group(plan)));
    json!({
        "Version": "2012-10-17",
        "Statement": [
            allow("FindGroups", &["logs:DescribeLogGroups"], json!("*")),
            allow(
                "WriteFlowLogs",
                &["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
                json!([group.as_str(), format!("{group}:*")])
            ),
        ]
    })
}
