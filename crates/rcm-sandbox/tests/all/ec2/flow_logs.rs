//! Flow logs.

use aws_sdk_ec2::types::{FlowLogsResourceType, TrafficType};

use super::*;

#[tokio::test]
async fn a_flow_log_is_described_as_it_was_made_and_refusals_are_inside_the_answer() {
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    let vpc = vpc(&ec2).await;
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"vpc-flow-logs.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    let create = |of: &str| {
        let request = ec2.create_flow_logs().resource_type(FlowLogsResourceType::Vpc).resource_ids(of);
        let request = request.traffic_type(TrafficType::All).log_group_name("/vpc/acme").max_aggregation_interval(60);
        request.deliver_logs_permission_arn("arn:aws:iam::123456789012:role/flow-logs")
    };
    assert_eq!(code(create(&vpc).send().await), "InvalidParameter", "the role is not there yet");
    let iam = aws_sdk_iam::Client::new(&cloud.sdk());
    iam.create_role().role_name("flow-logs").assume_role_policy_document(trust).send().await.unwrap();

    let request = create(&vpc).client_token("once").tag_specifications(tagged(ResourceType::VpcFlowLog, "acme"));
    let made = request.clone().send().await.unwrap();
    let id = made.flow_log_ids()[0].clone();
    assert_eq!(request.send().await.unwrap().flow_log_ids(), [id.as_str()], "an equal token is an equal log");
    let again = create(&vpc).send().await.unwrap();
    let refused = again.unsuccessful()[0].error().unwrap().code().unwrap();
    assert_eq!((refused, again.flow_log_ids().len()), ("FlowLogAlreadyExists", 0));
    let missing = create("vpc-0").send().await.unwrap();
    assert_eq!(missing.unsuccessful()[0].error().unwrap().code(), Some("InvalidVpcID.NotFound"));

    drop((ec2, iam));
    let cloud = cloud.reopen().await;
    let ec2 = client(&cloud);
    let seen = ec2.describe_flow_logs().filter(filter("tag:Name", "acme")).send().await.unwrap();
    let seen = &seen.flow_logs()[0];
    assert_eq!((seen.resource_id(), seen.log_group_name()), (Some(&*vpc), Some("/vpc/acme")));
    assert_eq!((seen.traffic_type(), seen.max_aggregation_interval()), (Some(&TrafficType::All), Some(60)));

    let delete = || ec2.delete_flow_logs().flow_log_ids(&id).send();
    assert!(delete().await.unwrap().unsuccessful().is_empty());
    assert_eq!(delete().await.unwrap().unsuccessful()[0].error().unwrap().code(), Some("InvalidFlowLogId.NotFound"));
}
