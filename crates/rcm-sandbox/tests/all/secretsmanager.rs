//! Secrets and their versions.

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType, Tag};

use crate::support::{Cloud, code, refusal};

const FIRST: &str = "11111111-1111-4111-8111-111111111111";
const SECOND: &str = "22222222-2222-4222-8222-222222222222";

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

async fn value(secrets: &Client, name: &str) -> String {
    secrets.get_secret_value().secret_id(name).send().await.unwrap().secret_string.unwrap()
}

#[tokio::test]
async fn a_secret_keeps_key_tags_and_value() {
    let cloud = Cloud::new().await;
    let secrets = Client::new(&cloud.sdk());
    let created = secrets
        .create_secret()
        .name("acme-rcm/jwt-secret")
        .description("signs sessions")
        .kms_key_id("alias/acme")
        .client_request_token(FIRST)
        .secret_string("not-a-real-secret")
        .tags(tag("rcm:partner", "acme"))
        .send()
        .await
        .unwrap();
    let arn = created.arn().unwrap().to_owned();
    assert_eq!(created.version_id(), Some(FIRST));
    let prefix = "arn:aws:secretsmanager:us-east-1:123456789012:secret:acme-rcm/jwt-secret-";
    assert_eq!(arn.strip_prefix(prefix).map(str::len), Some(6), "{arn}");
    drop(secrets);

    let cloud = cloud.reopen().await;

    let secrets = Client::new(&cloud.sdk());
    for id in ["acme-rcm/jwt-secret", &arn, prefix.trim_end_matches('-')] {
        assert_eq!(value(&secrets, id).await, "not-a-real-secret");
    }
    let described = secrets.describe_secret().secret_id(&arn).send().await.unwrap();
    assert_eq!((described.kms_key_id(), described.description()), (Some("alias/acme"), Some("signs sessions")));
    assert_eq!(described.tags(), [tag("rcm:partner", "acme")]);
    assert_eq!(described.version_ids_to_stages().unwrap()[FIRST], ["AWSCURRENT"]);
}

#[tokio::test]
async fn a_create_or_put_sent_twice_is_one_version() {
    let cloud = Cloud::new().await;
    let secrets = Client::new(&cloud.sdk());
    let create =
        |value: &str| secrets.create_secret().name("acme/db").client_request_token(FIRST).secret_string(value).send();
    let arn = create("one").await.unwrap().arn;
    let again = create("one").await.unwrap();
    assert_eq!((again.arn, again.version_id.as_deref()), (arn, Some(FIRST)));
    assert_eq!(code(create("two").await), "ResourceExistsException");
    assert_eq!(
        code(secrets.create_secret().name("acme/db").secret_string("one").send().await),
        "ResourceExistsException"
    );

    let put = |value: &str| {
        secrets.put_secret_value().secret_id("acme/db").client_request_token(SECOND).secret_string(value).send()
    };
    assert_eq!(put("two").await.unwrap().version_id(), Some(SECOND));
    assert_eq!(put("two").await.unwrap().version_id(), Some(SECOND));
    assert_eq!(code(put("three").await), "ResourceExistsException");
    let described = secrets.describe_secret().secret_id("acme/db").send().await.unwrap();
    let stages = described.version_ids_to_stages().unwrap();
    assert_eq!(
        (stages[SECOND].as_slice(), stages[FIRST].as_slice()),
        (&["AWSCURRENT".into()][..], &["AWSPREVIOUS".into()][..])
    );
    let previous = secrets.get_secret_value().secret_id("acme/db").version_stage("AWSPREVIOUS").send().await.unwrap();
    assert_eq!(previous.secret_string(), Some("one"));
}

#[tokio::test]
async fn a_secret_scheduled_for_deletion_blocks_its_name_until_restored_or_forced() {
    let cloud = Cloud::new().await;
    let secrets = Client::new(&cloud.sdk());
    let create = || secrets.create_secret().name("acme/db").secret_string("one").send();
    let first = create().await.unwrap().arn.unwrap();
    secrets.delete_secret().secret_id("acme/db").recovery_window_in_days(7).send().await.unwrap();

    let (refused, message) = refusal(create().await);
    assert_eq!(refused, "InvalidRequestException");
    assert!(message.contains("scheduled for deletion"), "{message}");
    let (refused, message) = refusal(secrets.get_secret_value().secret_id("acme/db").send().await);
    assert_eq!(refused, "InvalidRequestException");
    assert!(message.contains("marked for deletion"), "{message}");
    assert!(secrets.describe_secret().secret_id("acme/db").send().await.unwrap().deleted_date().is_some());
    assert!(secrets.list_secrets().send().await.unwrap().secret_list().is_empty());
    let planned = secrets.list_secrets().include_planned_deletion(true).send().await.unwrap();
    assert_eq!(planned.secret_list().len(), 1);

    secrets.restore_secret().secret_id("acme/db").send().await.unwrap();
    assert_eq!(value(&secrets, "acme/db").await, "one");
    secrets.delete_secret().secret_id("acme/db").force_delete_without_recovery(true).send().await.unwrap();
    assert_eq!(code(secrets.describe_secret().secret_id("acme/db").send().await), "ResourceNotFoundException");
    assert_ne!(create().await.unwrap().arn.unwrap(), first);
}

#[tokio::test]
async fn lists_are_filtered_by_name_and_tag() {
    let cloud = Cloud::new().await;
    let secrets = Client::new(&cloud.sdk());
    for (name, partner) in [("acme/db", "acme"), ("acme/jwt", "acme"), ("zenith/db", "zenith")] {
        secrets.create_secret().name(name).tags(tag("rcm:partner", partner)).send().await.unwrap();
    }
    let names = async |key: FilterNameStringType, values: &[&str]| {
        let values = values.iter().map(|value| value.to_string()).collect();
        let filter = Filter::builder().key(key).set_values(Some(values)).build();
        let list = secrets.list_secrets().filters(filter).send().await.unwrap();
        list.secret_list().iter().map(|secret| secret.name().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(FilterNameStringType::Name, &["acme/"]).await, ["acme/db", "acme/jwt"]);
    assert_eq!(names(FilterNameStringType::TagValue, &["zenith"]).await, ["zenith/db"]);
    assert_eq!(names(FilterNameStringType::TagKey, &["!rcm:"]).await, Vec::<String>::new());
}

#[tokio::test]
async fn updates_change_only_what_they_name() {
    let cloud = Cloud::new().await;
    let secrets = Client::new(&cloud.sdk());
    secrets.create_secret().name("acme/db").description("before").secret_string("one").send().await.unwrap();
    secrets.update_secret().secret_id("acme/db").kms_key_id("alias/acme").send().await.unwrap();
    let described = secrets.describe_secret().secret_id("acme/db").send().await.unwrap();
    assert_eq!((described.description(), described.kms_key_id()), (Some("before"), Some("alias/acme")));
    assert_eq!(value(&secrets, "acme/db").await, "one");
    let policy = r#"{"Version":"2012-10-17","Statement":[]}"#;
    secrets.put_resource_policy().secret_id("acme/db").resource_policy(policy).send().await.unwrap();
    let read = secrets.get_resource_policy().secret_id("acme/db").send().await.unwrap();
    assert_eq!(read.resource_policy(), Some(policy));
    assert_eq!(code(secrets.get_secret_value().secret_id("acme/none").send().await), "ResourceNotFoundException");
}
