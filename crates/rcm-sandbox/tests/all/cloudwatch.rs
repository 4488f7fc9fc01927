//! CloudWatch, through the SDK, which speaks CBOR.

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::error::ProvideErrorMetadata;
use aws_sdk_cloudwatch::types::{ComparisonOperator, Dimension, Statistic, Tag};

use crate::support::Cloud;

#[tokio::test]
async fn an_alarm_is_described_as_it_was_put_and_keeps_the_tags_of_its_first_put() {
    let cloud = Cloud::new().await;
    let watch = Client::new(&cloud.sdk());
    let put = |threshold: f64, tag: &str| {
        let request =
            watch.put_metric_alarm().alarm_name("acme-cpu").namespace("AWS/RDS").metric_name("CPUUtilization");
        let request = request.statistic(Statistic::Average).period(60).evaluation_periods(5).threshold(threshold);
        let request = request.dimensions(Dimension::builder().name("DBInstanceIdentifier").value("acme-db").build());
        let request = request.comparison_operator(ComparisonOperator::GreaterThanThreshold);
        request.tags(Tag::builder().key("Name").value(tag).build())
    };
    put(80.0, "first").send().await.unwrap();
    put(0.5, "second").send().await.unwrap();
    let refused = put(80.0, "x").extended_statistic("p95").send().await.unwrap_err();
    assert_eq!(refused.code(), Some("ValidationError"));

    drop(watch);
    let cloud = cloud.reopen().await;
    let watch = Client::new(&cloud.sdk());
    let seen = watch.describe_alarms().alarm_names("acme-cpu").alarm_names("other").send().await.unwrap();
    let seen = &seen.metric_alarms()[0];
    assert_eq!((seen.threshold(), seen.evaluation_periods()), (Some(0.5), Some(5)));
    assert_eq!(seen.dimensions()[0].value(), Some("acme-db"));
    let arn = seen.alarm_arn().unwrap();
    assert_eq!(arn, "arn:aws:cloudwatch:us-east-1:123456789012:alarm:acme-cpu");
    let tags = watch.list_tags_for_resource().resource_arn(arn).send().await.unwrap();
    assert_eq!(tags.tags()[0].value(), Some("first"));

    watch.delete_alarms().alarm_names("acme-cpu").send().await.unwrap();
    watch.delete_alarms().alarm_names("acme-cpu").send().await.expect("gone is no error");
    assert!(watch.describe_alarms().send().await.unwrap().metric_alarms().is_empty());
    let gone = watch.list_tags_for_resource().resource_arn(arn).send().await.unwrap_err();
    assert_eq!(gone.code(), Some("ResourceNotFound"));
}

#[tokio::test]
async fn a_dashboard_is_what_was_put_until_it_is_deleted() {
    let cloud = Cloud::new().await;
    let watch = Client::new(&cloud.sdk());
    let put = |body: &str| watch.put_dashboard().dashboard_name("acme").dashboard_body(body).send();
    assert_eq!(put("{").await.unwrap_err().code(), Some("InvalidParameterInput"));
    put(r#"{"widgets":[]}"#).await.unwrap();
    let get = || watch.get_dashboard().dashboard_name("acme").send();
    assert_eq!(get().await.unwrap().dashboard_body(), Some(r#"{"widgets":[]}"#));
    watch.delete_dashboards().dashboard_names("acme").send().await.unwrap();
    assert_eq!(get().await.unwrap_err().code(), Some("ResourceNotFound"));
}
