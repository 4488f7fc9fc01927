//! Log groups.

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::operation::filter_log_events::builders::FilterLogEventsFluentBuilder;
use aws_sdk_cloudwatchlogs::types::{InputLogEvent, LogGroup, MetricTransformation};

use crate::support::{ACCOUNT, Cloud, code, key_for_logs, refusal};

const ARN: &str = "arn:aws:logs:us-east-1:123456789012:log-group:/ecs/acme-rcm-prod";

async fn described(logs: &Client) -> Vec<LogGroup> {
    logs.describe_log_groups().log_group_name_prefix("/ecs/acme").send().await.unwrap().log_groups.unwrap()
}

#[tokio::test]
async fn a_log_group_keeps_key_retention_protection_and_tags() {
    let cloud = Cloud::new().await;
    let key = key_for_logs(&cloud).await;
    let logs = Client::new(&cloud.sdk());
    logs.create_log_group()
        .log_group_name("/ecs/acme-rcm-prod")
        .kms_key_id(&key)
        .deletion_protection_enabled(true)
        .tags("rcm:partner", "acme")
        .send()
        .await
        .unwrap();
    logs.create_log_group().log_group_name("/ecs/other").send().await.unwrap();
    logs.put_retention_policy().log_group_name("/ecs/acme-rcm-prod").retention_in_days(2557).send().await.unwrap();
    logs.tag_resource().resource_arn(ARN).tags("Environment", "prod").send().await.unwrap();
    drop(logs);

    let cloud = cloud.reopen().await;

    let logs = Client::new(&cloud.sdk());
    let groups = described(&logs).await;
    assert_eq!(groups.len(), 1);
    let group = &groups[0];
    assert_eq!((group.log_group_name(), group.kms_key_id()), (Some("/ecs/acme-rcm-prod"), Some(key.as_str())));
    assert_eq!((group.retention_in_days(), group.deletion_protection_enabled()), (Some(2557), Some(true)));
    assert_eq!(group.log_group_arn(), Some(ARN));
    assert_eq!(group.arn(), Some(format!("{ARN}:*").as_str()));
    assert!(ARN.contains(ACCOUNT));
    let tags = logs.list_tags_for_resource().resource_arn(ARN).send().await.unwrap().tags.unwrap();
    assert_eq!((tags["rcm:partner"].as_str(), tags["Environment"].as_str(), tags.len()), ("acme", "prod", 2));

    let delete = || logs.delete_log_group().log_group_name("/ecs/acme-rcm-prod").send();
    assert_eq!(code(delete().await), "ValidationException");
    logs.put_log_group_deletion_protection()
        .log_group_identifier("/ecs/acme-rcm-prod")
        .deletion_protection_enabled(false)
        .send()
        .await
        .unwrap();
    delete().await.unwrap();
    assert!(described(&logs).await.is_empty());
    assert_eq!(code(delete().await), "ResourceNotFoundException");
}

#[tokio::test]
async fn a_key_that_does_not_let_cloudwatch_logs_in_is_refused() {
    let cloud = Cloud::new().await;
    let kms = aws_sdk_kms::Client::new(&cloud.sdk());
    let closed = kms.create_key().send().await.unwrap().key_metadata.unwrap().arn.unwrap();
    let logs = Client::new(&cloud.sdk());
    let nowhere = closed.replace("key/", "key/0");
    for key in [closed.as_str(), nowhere.as_str()] {
        let (code, message) = refusal(logs.create_log_group().log_group_name("a").kms_key_id(key).send().await);
        assert_eq!(code, "AccessDeniedException");
        assert!(message.contains("does not exist or is not allowed to be used with Arn"), "{message}");
    }
    logs.create_log_group().log_group_name("/ecs/acme").send().await.unwrap();
    let associate = |key: String| logs.associate_kms_key().log_group_name("/ecs/acme").kms_key_id(key).send();
    assert_eq!(code(associate(closed).await), "AccessDeniedException");
    let open = key_for_logs(&cloud).await;
    associate(open.clone()).await.unwrap();
    assert_eq!(described(&logs).await[0].kms_key_id(), Some(open.as_str()));
    logs.disassociate_kms_key().log_group_name("/ecs/acme").send().await.unwrap();
    assert_eq!(described(&logs).await[0].kms_key_id(), None);
}

#[tokio::test]
async fn names_are_unique_and_retentions_are_those_aws_sells() {
    let cloud = Cloud::new().await;
    let logs = Client::new(&cloud.sdk());
    let create = || logs.create_log_group().log_group_name("/ecs/acme").send();
    create().await.unwrap();
    assert_eq!(code(create().await), "ResourceAlreadyExistsException");
    let retain = |days| logs.put_retention_policy().log_group_name("/ecs/acme").retention_in_days(days).send();
    assert_eq!(code(retain(2555).await), "InvalidParameterException");
    retain(2557).await.unwrap();
    logs.delete_retention_policy().log_group_name("/ecs/acme").send().await.unwrap();
    assert_eq!(described(&logs).await[0].retention_in_days(), None);
}

#[tokio::test]
async fn a_filter_is_of_a_group_and_goes_with_it() {
    let cloud = Cloud::new().await;
    let logs = Client::new(&cloud.sdk());
    let put = |group: &str, name: &str, pattern: &str| {
        let metric = MetricTransformation::builder().metric_namespace("acme").metric_name("Roots").metric_value("1");
        let request = logs.put_metric_filter().log_group_name(group).filter_name(name).filter_pattern(pattern);
        request.metric_transformations(metric.build().unwrap()).send()
    };
    let listed = async |group: &str| logs.describe_metric_filters().log_group_name(group).send().await;
    assert_eq!(code(put("/trail", "root", "{$.a=b}").await), "ResourceNotFoundException");
    logs.create_log_group().log_group_name("/trail").send().await.unwrap();
    assert_eq!(code(put("/trail", "a:b", "{$.a=b}").await), "InvalidParameterException");
    assert_eq!(code(put("/trail", "root", &"a".repeat(1025)).await), "InvalidParameterException");
    put("/trail", "root", "{$.a=b}").await.unwrap();
    put("/trail", "root", "{$.a=c}").await.unwrap();
    let filters = listed("/trail").await.unwrap().metric_filters.unwrap();
    assert_eq!((filters.len(), filters[0].filter_pattern()), (1, Some("{$.a=c}")));
    assert_eq!(filters[0].metric_transformations()[0].metric_name(), "Roots");
    let groups = logs.describe_log_groups().send().await.unwrap().log_groups.unwrap();
    assert_eq!(groups[0].metric_filter_count(), Some(1));
    logs.delete_metric_filter().log_group_name("/trail").filter_name("root").send().await.unwrap();
    let again = logs.delete_metric_filter().log_group_name("/trail").filter_name("root").send().await;
    assert_eq!(code(again), "ResourceNotFoundException");
    logs.delete_log_group().log_group_name("/trail").send().await.unwrap();
    assert_eq!(code(listed("/trail").await), "ResourceNotFoundException");
}

#[tokio::test]
async fn a_stream_tells_its_last_events() {
    let cloud = Cloud::new().await;
    let logs = Client::new(&cloud.sdk());
    let (group, stream) = ("/ecs/acme-rcm-prod", "api/api/1");
    logs.create_log_group().log_group_name(group).send().await.unwrap();
    let read = || logs.get_log_events().log_group_name(group).log_stream_name(stream).limit(2).start_from_head(false);
    assert_eq!(code(read().send().await), "ResourceNotFoundException");
    logs.create_log_stream().log_group_name(group).log_stream_name(stream).send().await.unwrap();
    for message in ["one", "two", "three"] {
        let event = InputLogEvent::builder().timestamp(1).message(message).build().unwrap();
        let put = logs.put_log_events().log_group_name(group).log_stream_name(stream).log_events(event);
        put.send().await.unwrap();
    }
    let events = read().send().await.unwrap().events.unwrap();
    assert_eq!(events.iter().filter_map(|event| event.message()).collect::<Vec<_>>(), ["two", "three"]);
}

#[tokio::test]
async fn the_events_of_a_group_are_filtered_and_come_in_pages_in_the_order_of_their_times() {
    let cloud = Cloud::new().await;
    let logs = Client::new(&cloud.sdk());
    let group = "/ecs/acme-rcm-prod";
    let filter = || logs.filter_log_events().log_group_name(group);
    assert_eq!(code(filter().send().await), "ResourceNotFoundException");
    logs.create_log_group().log_group_name(group).send().await.unwrap();
    for (stream, events) in
        [("api/api/1", [(1, "error: one"), (30, "fine")]), ("api/api/2", [(2, "an error"), (3, "fine")])]
    {
        logs.create_log_stream().log_group_name(group).log_stream_name(stream).send().await.unwrap();
        let events = events.map(|(at, text)| InputLogEvent::builder().timestamp(at).message(text).build().unwrap());
        let put = logs.put_log_events().log_group_name(group).log_stream_name(stream);
        put.set_log_events(Some(events.into())).send().await.unwrap();
    }
    let seen = async |request: FilterLogEventsFluentBuilder| {
        let mut seen = Vec::new();
        let mut token = None;
        loop {
            let page = request.clone().set_next_token(token).send().await.unwrap();
            seen.extend(page.events().iter().map(|event| event.message().unwrap().to_owned()));
            token = page.next_token;
            if token.is_none() {
                return seen;
            }
        }
    };
    let all = ["error: one", "an error", "fine", "fine"];
    assert_eq!(seen(filter()).await, all);
    assert_eq!(seen(filter().limit(1)).await, all, "no page has an event twice");
    assert_eq!(seen(filter().start_time(2).end_time(3)).await, all[1..3]);
    assert_eq!(seen(filter().log_stream_name_prefix("api/api/2")).await, all[1..3]);
    for (pattern, found) in [
        ("error", vec!["error: one", "an error"]),
        ("?one ?fine", vec!["error: one", "fine", "fine"]),
        ("error -one", vec!["an error"]),
        ("\"an error\"", vec!["an error"]),
    ] {
        assert_eq!(seen(filter().filter_pattern(pattern).limit(1)).await, found, "{pattern}");
    }
    assert_eq!(code(filter().filter_pattern("{ $.a = 1 }").send().await), "InvalidParameterException");
    let ids: std::collections::BTreeSet<_> =
        filter().send().await.unwrap().events.unwrap().into_iter().map(|event| event.event_id.unwrap()).collect();
    assert_eq!(ids.len(), 4);
}
