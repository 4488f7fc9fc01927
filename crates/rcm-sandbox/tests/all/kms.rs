//! Keys, aliases and what happens to a key that shall go.

use aws_sdk_kms::Client;
use aws_sdk_kms::types::{KeyMetadata, KeyState, Tag};

use crate::support::{ACCOUNT, Cloud, code, key_for_logs, refusal};

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().tag_key(key).tag_value(value).build().unwrap()
}

async fn describe(kms: &Client, id: &str) -> KeyMetadata {
    kms.describe_key().key_id(id).send().await.unwrap().key_metadata.unwrap()
}

#[tokio::test]
async fn a_key_keeps_what_it_was_created_with() {
    let cloud = Cloud::new().await;
    let policy = format!(
        r#"{{"Statement":{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{ACCOUNT}:root"}},"Action":"kms:*","Resource":"*"}}}}"#
    );
    let kms = Client::new(&cloud.sdk());
    let created = kms
        .create_key()
        .description("acme-rcm-prod")
        .policy(&policy)
        .tags(tag("rcm:partner", "acme"))
        .send()
        .await
        .unwrap()
        .key_metadata
        .unwrap();
    let id = created.key_id().to_owned();
    kms.enable_key_rotation().key_id(&id).rotation_period_in_days(180).send().await.unwrap();
    kms.create_alias().alias_name("alias/acme-rcm-prod").target_key_id(&id).send().await.unwrap();
    kms.tag_resource().key_id(&id).tags(tag("Environment", "prod")).send().await.unwrap();
    drop(kms);

    let cloud = cloud.reopen().await;

    let kms = Client::new(&cloud.sdk());
    assert_eq!(created.arn(), Some(format!("arn:aws:kms:us-east-1:{ACCOUNT}:key/{id}").as_str()));
    for name in [id.as_str(), created.arn().unwrap(), "alias/acme-rcm-prod"] {
        assert_eq!(describe(&kms, name).await, created);
    }
    assert_eq!(kms.get_key_policy().key_id(&id).send().await.unwrap().policy(), Some(policy.as_str()));
    let rotation = kms.get_key_rotation_status().key_id(&id).send().await.unwrap();
    assert_eq!((rotation.key_rotation_enabled(), rotation.rotation_period_in_days()), (true, Some(180)));
    let tags = kms.list_resource_tags().key_id(&id).send().await.unwrap().tags.unwrap();
    assert_eq!(tags, [tag("Environment", "prod"), tag("rcm:partner", "acme")]);
    let aliases = kms.list_aliases().key_id(&id).send().await.unwrap().aliases.unwrap();
    assert_eq!(aliases[0].alias_name(), Some("alias/acme-rcm-prod"));
    assert_eq!(aliases[0].target_key_id(), Some(id.as_str()));
}

#[tokio::test]
async fn a_key_pending_deletion_can_only_be_looked_at_and_taken_back() {
    let cloud = Cloud::new().await;
    let (kms, id) = (Client::new(&cloud.sdk()), key_for_logs(&cloud).await);
    let short = kms.schedule_key_deletion().key_id(&id).pending_window_in_days(6).send().await;
    assert_eq!(code(short), "ValidationException");
    let scheduled = kms.schedule_key_deletion().key_id(&id).pending_window_in_days(30).send().await.unwrap();
    assert_eq!(scheduled.key_state(), Some(&KeyState::PendingDeletion));

    let key = describe(&kms, &id).await;
    assert_eq!(key.key_state(), Some(&KeyState::PendingDeletion));
    assert_eq!(key.deletion_date(), scheduled.deletion_date());
    let (code_of_second, message) = refusal(kms.schedule_key_deletion().key_id(&id).send().await);
    assert_eq!(code_of_second, "KMSInvalidStateException");
    assert!(message.contains("is pending deletion"), "{message}");
    assert_eq!(code(kms.enable_key().key_id(&id).send().await), "KMSInvalidStateException");
    assert_eq!(
        code(kms.create_alias().alias_name("alias/late").target_key_id(&id).send().await),
        "KMSInvalidStateException"
    );

    kms.cancel_key_deletion().key_id(&id).send().await.unwrap();
    assert_eq!(describe(&kms, &id).await.key_state(), Some(&KeyState::Disabled));
    assert_eq!(code(kms.enable_key_rotation().key_id(&id).send().await), "DisabledException");
    kms.enable_key().key_id(&id).send().await.unwrap();
    assert_eq!(describe(&kms, &id).await.key_state(), Some(&KeyState::Enabled));
}

#[tokio::test]
async fn unknown_keys_taken_aliases_and_bad_policies_are_refused() {
    let cloud = Cloud::new().await;
    let (kms, id) = (Client::new(&cloud.sdk()), key_for_logs(&cloud).await);
    let nobody = "1234abcd-12ab-34cd-56ef-1234567890ab";
    assert_eq!(code(kms.describe_key().key_id(nobody).send().await), "NotFoundException");
    assert_eq!(code(kms.describe_key().key_id("alias/nothing").send().await), "NotFoundException");
    assert_eq!(code(kms.get_key_policy().key_id("alias/nothing").send().await), "NotFoundException");
    let alias = || kms.create_alias().alias_name("alias/acme").target_key_id(&id).send();
    alias().await.unwrap();
    assert_eq!(code(alias().await), "AlreadyExistsException");
    for policy in
        ["{", "{}", r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"kms:*"}]}"#]
    {
        assert_eq!(code(kms.create_key().policy(policy).send().await), "MalformedPolicyDocumentException");
    }
    kms.delete_alias().alias_name("alias/acme").send().await.unwrap();
    assert_eq!(code(kms.delete_alias().alias_name("alias/acme").send().await), "NotFoundException");
}
