//! SNS: topics, and subscriptions that somebody has to confirm.

use aws_sdk_sns::Client;
use aws_sdk_sns::error::ProvideErrorMetadata;
use aws_sdk_sns::types::Tag;

use crate::support::Cloud;

fn tag(value: &str) -> Tag {
    Tag::builder().key("Name").value(value).build().unwrap()
}

#[tokio::test]
async fn a_topic_is_made_once_and_is_anothers_if_its_tags_differ() {
    let cloud = Cloud::new().await;
    let sns = Client::new(&cloud.sdk());
    let policy = r#"{"Version":"2012-10-17","Statement":[]}"#;
    let create = |value| sns.create_topic().name("acme-alarms").attributes("Policy", policy).tags(tag(value)).send();
    let arn = create("acme").await.unwrap().topic_arn.unwrap();
    assert_eq!(create("acme").await.unwrap().topic_arn.as_deref(), Some(&*arn));
    assert_eq!(create("other").await.unwrap_err().code(), Some("InvalidParameter"));
    let set = sns.set_topic_attributes().topic_arn(&arn).attribute_name("KmsMasterKeyId").attribute_value("alias/none");
    assert_eq!(set.send().await.unwrap_err().code(), Some("InvalidParameter"), "there is no such key");

    drop(sns);
    let cloud = cloud.reopen().await;
    let sns = Client::new(&cloud.sdk());
    let get = || sns.get_topic_attributes().topic_arn(&arn).send();
    assert_eq!(get().await.unwrap().attributes().unwrap()["Policy"], policy);
    assert_eq!(sns.list_tags_for_resource().resource_arn(&arn).send().await.unwrap().tags(), [tag("acme")]);
    sns.delete_topic().topic_arn(&arn).send().await.unwrap();
    sns.delete_topic().topic_arn(&arn).send().await.expect("gone is no error");
    assert_eq!(get().await.unwrap_err().code(), Some("NotFound"));
}

#[tokio::test]
async fn a_subscription_waits_for_its_confirmation_and_cannot_be_deleted_before() {
    let cloud = Cloud::new().await;
    let sns = Client::new(&cloud.sdk());
    let topic = sns.create_topic().name("acme-alarms").send().await.unwrap().topic_arn.unwrap();
    let subscribe = || sns.subscribe().topic_arn(&topic).protocol("email").endpoint("support@acme.com");
    assert_eq!(subscribe().send().await.unwrap().subscription_arn(), Some("pending confirmation"));
    let arn = subscribe().return_subscription_arn(true).send().await.unwrap().subscription_arn.unwrap();
    let listed = async || {
        let listed = sns.list_subscriptions_by_topic().topic_arn(&topic).send().await.unwrap();
        listed.subscriptions().iter().filter_map(|one| one.subscription_arn.clone()).collect::<Vec<_>>()
    };
    assert_eq!(listed().await, ["PendingConfirmation"], "asked for twice, there is one");
    sns.unsubscribe().subscription_arn(&arn).send().await.unwrap();
    assert_eq!(listed().await.len(), 1, "nobody but AWS takes away what is pending");

    let token = arn.rsplit(':').next().unwrap();
    sns.confirm_subscription().topic_arn(&topic).token(token).send().await.unwrap();
    assert_eq!(listed().await, [arn.as_str()]);
    sns.unsubscribe().subscription_arn(&arn).send().await.unwrap();
    assert!(listed().await.is_empty());
}
