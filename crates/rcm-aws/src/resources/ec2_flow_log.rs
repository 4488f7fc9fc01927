//! A flow log: who spoke to whom in the VPC, written to a log group.
//!
//! API: [CreateFlowLogs](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateFlowLogs.html),
//! [publishing to CloudWatch Logs](https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-cwl.html).
//!
//! Surprises: nothing about a flow log can be changed but its tags. CreateFlowLogs and DeleteFlowLogs answer 200 also when they did
//! nothing, with the refusals inside. A role made seconds ago is refused, or accepted and told as `FAILED` with `Access error`
//! until it can be assumed; AWS tries again by itself. Whether records arrive is known only once something has sent traffic:
//! until then AWS tells no failure.

use aws_sdk_ec2::types::{
    FlowLog as Live, FlowLogsResourceType, LogDestinationType, ResourceType, TrafficType, UnsuccessfulItem,
};
use rcm_engine::model::{Actions, Deployment, Fault, Id, Known, Observed, Owned, Pace, Readiness, Ref, Resource};
use serde::{Deserialize, Serialize};

use super::{
    batch::in_order,
    ec2::{claim, filter, listed, of, owned, tagged},
    ec2_vpc::Vpc,
    iam_role::Role,
    logs_group::LogGroup,
};
use crate::{
    Aws,
    classify::{fault, missing, refused},
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// What a flow log should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The VPC whose traffic is logged.
    pub vpc: Ref<Vpc>,
    /// Which traffic (`ALL`, `ACCEPT`, `REJECT`).
    pub traffic: String,
    /// Where the records go.
    pub log_group: Ref<LogGroup>,
    /// What the VPC's own service writes them as.
    pub role: Ref<Role>,
    /// Over how many seconds packets are added up to one record: 60 or 600.
    pub aggregation_seconds: i32,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `fl-…`
    pub flow_log_id: String,
}

/// A flow log.
pub struct FlowLog;

impl Resource for FlowLog {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "ec2/flow-log";
    const REPLACE_ON: &'static [&'static str] = &["vpc", "traffic", "log_group", "role", "aggregation_seconds"];
    const TAGGED: bool = true;
    const PACE: Pace = Pace::slow(5, 600);

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let request = cx.cloud.ec2.create_flow_logs().client_token(&cx.identity.token);
        let request = request.resource_type(FlowLogsResourceType::Vpc).resource_ids(cx.id(&spec.vpc)?.as_str());
        let request = request.traffic_type(TrafficType::from(spec.traffic.as_str()));
        let request = request.log_destination_type(LogDestinationType::CloudWatchLogs);
        let request = request.log_group_name(cx.id(&spec.log_group)?.as_str());
        let request = request.deliver_logs_permission_arn(cx.id(&spec.role)?.as_str());
        let request = request.max_aggregation_interval(spec.aggregation_seconds);
        let request = request.tag_specifications(tagged(ResourceType::VpcFlowLog, cx.identity));
        let answer = request.send().await.map_err(fault("ec2", "CreateFlowLogs"))?;
        accepted("CreateFlowLogs", answer.unsuccessful())?;
        answer.flow_log_ids().first().map(|id| Id::from(id.as_str())).ok_or_else(|| missing("ec2", "CreateFlowLogs", "FlowLogId"))
    }

    async fn ready(cx: &Cx<'_>, id: &Id) -> Result<Readiness, Fault> {
        let log = live(cx.cloud, &[id]).await?.pop();
        Ok(log.map_or_else(|| Readiness::Pending("not visible yet".to_owned()), |log| readiness(&log)))
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        Ok(describe(cx.cloud, &[id]).await?.remove(0))
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        let Some(first) = known.first() else { return Ok(Vec::new()) };
        describe(first.cx.cloud, &known.iter().map(|known| known.id).collect::<Vec<_>>()).await
    }

    async fn find(cx: &Cx<'_>, _: &Spec) -> Result<Option<Id>, Fault> {
        let request = cx.cloud.ec2.describe_flow_logs().set_filter(Some(owned(cx.identity)));
        let answer = request.send().await.map_err(fault("ec2", "DescribeFlowLogs"))?;
        Ok(answer.flow_logs().first().and_then(|log| log.flow_log_id()).map(Id::from))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let request = cx.cloud.ec2.delete_flow_logs().flow_log_ids(id.as_str());
        let answer = request.send().await.map_err(fault("ec2", "DeleteFlowLogs"))?;
        accepted("DeleteFlowLogs", answer.unsuccessful())
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let pages = aws.ec2.describe_flow_logs().set_filter(Some(of(deployment))).into_paginator().items().send();
        let all = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("ec2", "DescribeFlowLogs"))?;
        Ok(all.iter().filter_map(|log| listed(deployment, log.flow_log_id(), log.tags())).collect())
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        claim(cx, id).await
    }

    fn actions() -> Actions {
        Actions {
            write: &[
                "ec2:CreateFlowLogs",
                "ec2:CreateTags",
                "ec2:DescribeTags",
                "iam:PassRole",
                "logs:CreateLogDelivery",
                "logs:DescribeLogGroups",
            ],
            read: &["ec2:DescribeFlowLogs"],
            delete: &["ec2:DeleteFlowLogs", "logs:DeleteLogDelivery"],
        }
    }
}

/// The refusal of the one item that was asked for, if there is one.
fn accepted(operation: &'static str, unsuccessful: &[UnsuccessfulItem]) -> Result<(), Fault> {
    match unsuccessful.first().and_then(|item| item.error()) {
        Some(error) => {
            let (code, message) = (error.code().unwrap_or_default(), error.message().unwrap_or_default());
            Err(refused("ec2", operation, code, message))
        }
        None => Ok(()),
    }
}

/// AWS goes on trying, so a failure to deliver is a wait until the deadline says otherwise.
fn readiness(log: &Live) -> Readiness {
    match log.deliver_logs_status() {
        Some("FAILED") => {
            let why = log.deliver_logs_error_message().unwrap_or("AWS gives no reason");
            Readiness::Pending(format!("the records are not delivered: {why}"))
        }
        _ => Readiness::Ready,
    }
}

async fn live(aws: &Aws, ids: &[&Id]) -> Result<Vec<Live>, Fault> {
    // By filter, not by id: one id that is gone would fail the whole call.
    let by_id = filter("flow-log-id", ids.iter().map(ToString::to_string));
    let pages = aws.ec2.describe_flow_logs().filter(by_id).into_paginator().items().send();
    pages.collect::<Result<_, _>>().await.map_err(fault("ec2", "DescribeFlowLogs"))
}

async fn describe(aws: &Aws, ids: &[&Id]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
    let logs = live(aws, ids).await?;
    Ok(in_order(ids, logs, |log| log.flow_log_id(), |log| {
        Observed::new(Outputs { flow_log_id: log.flow_log_id().unwrap_or_default().to_owned() })
            .see("vpc", log.resource_id())
            .see("traffic", log.traffic_type().map(|traffic| traffic.as_str()))
            .see("log_group", log.log_group_name())
            .see("role", log.deliver_logs_permission_arn())
            .see("aggregation_seconds", log.max_aggregation_interval())
    }))
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::UnsuccessfulItemError;
    use rcm_engine::model::FaultKind;

    use super::*;

    #[test]
    fn a_log_whose_role_cannot_be_assumed_yet_is_waited_for() {
        let log = |status: &str| Live::builder().deliver_logs_status(status).deliver_logs_error_message("Access error").build();
        assert_eq!(readiness(&log("SUCCESS")), Readiness::Ready);
        assert_eq!(readiness(&Live::builder().build()), Readiness::Ready, "no traffic yet");
        let waits = Readiness::Pending("the records are not delivered: Access error".to_owned());
        assert_eq!(readiness(&log("FAILED")), waits);
    }

    #[test]
    fn a_refusal_inside_an_answer_is_a_fault_with_its_code() {
        let refusal = |code: &str, message: &str| {
            let error = UnsuccessfulItemError::builder().code(code).message(message).build();
            accepted("CreateFlowLogs", &[UnsuccessfulItem::builder().error(error).build()]).unwrap_err()
        };
        assert_eq!(refusal("FlowLogAlreadyExists", "there is one").kind, FaultKind::Exists);
        assert_eq!(refusal("InvalidParameter", "Unable to assume given IAM role").kind, FaultKind::Propagating);
        assert_eq!(refusal("InvalidVpcID.NotFound", "no such VPC").kind, FaultKind::NotFound);
        assert!(accepted("CreateFlowLogs", &[]).is_ok());
    }
}
