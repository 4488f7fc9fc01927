//! The sandbox as a whole: what it keeps, who may open it, and both ways in.

use aws_sdk_kms::error::ProvideErrorMetadata;
use aws_sdk_kms::types::KeyMetadata;
use rcm_sandbox::{Sandbox, SandboxError};

use crate::support::{ACCOUNT, Cloud, REGION};

fn kms(cloud: &Cloud) -> aws_sdk_kms::Client {
    aws_sdk_kms::Client::new(&cloud.sdk())
}

fn s3(cloud: &Cloud) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::new(&cloud.sdk())
}

async fn create_key(cloud: &Cloud) -> KeyMetadata {
    kms(cloud).create_key().send().await.unwrap().key_metadata.unwrap()
}

#[tokio::test]
async fn what_was_made_is_there_after_a_death_without_goodbye() {
    let cloud = Cloud::new().await;
    let key = create_key(&cloud).await;
    s3(&cloud).create_bucket().bucket("acme-logs").send().await.unwrap();

    let cloud = cloud.reopen().await;

    let again = kms(&cloud).describe_key().key_id(&key.key_id).send().await.unwrap().key_metadata.unwrap();
    assert_eq!(again, key);
    let buckets = s3(&cloud).list_buckets().send().await.unwrap();
    assert_eq!(buckets.buckets().iter().filter_map(|bucket| bucket.name()).collect::<Vec<_>>(), ["acme-logs"]);
}

#[tokio::test]
async fn two_never_share_a_directory() {
    let cloud = Cloud::new().await;
    let refused = Sandbox::open(cloud.dir(), ACCOUNT, REGION).await.unwrap_err();
    assert!(matches!(refused, SandboxError::Locked { pid: Some(pid), .. } if pid == std::process::id()), "{refused}");
    assert!(matches!(Sandbox::reset(cloud.dir()), Err(SandboxError::Locked { .. })));
}

#[tokio::test]
async fn a_client_keeps_the_directory_locked() {
    let cloud = Cloud::new().await;
    let (client, dir) = (kms(&cloud), cloud.close());
    assert!(matches!(Sandbox::open(dir.path(), ACCOUNT, REGION).await, Err(SandboxError::Locked { .. })));
    drop(client);
    Sandbox::open(dir.path(), ACCOUNT, REGION).await.unwrap();
}

#[tokio::test]
async fn the_cloud_of_another_account_or_region_is_refused_by_name() {
    let dir = Cloud::new().await.close();
    let refused = Sandbox::open(dir.path(), "999999999999", REGION).await.unwrap_err().to_string();
    assert!(refused.contains("plays account 123456789012 in us-east-1, not account 999999999999"), "{refused}");
    let refused = Sandbox::open(dir.path(), ACCOUNT, "eu-west-1").await.unwrap_err().to_string();
    assert!(refused.contains("in us-east-1, not account 123456789012 in eu-west-1"), "{refused}");
}

#[tokio::test]
async fn a_damaged_file_is_named_and_kept() {
    let cloud = Cloud::new().await;
    create_key(&cloud).await;
    let dir = cloud.close();
    let file = dir.path().join("kms.json");
    std::fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(10).unwrap();

    let refused = Sandbox::open(dir.path(), ACCOUNT, REGION).await.unwrap_err();

    assert!(matches!(&refused, SandboxError::Unreadable { path, .. } if *path == file), "{refused}");
    assert_eq!(std::fs::metadata(&file).unwrap().len(), 10);
}

#[tokio::test]
async fn a_save_that_was_cut_short_leaves_nothing_behind() {
    let cloud = Cloud::new().await;
    let key = create_key(&cloud).await;
    let dir = cloud.close();
    let unfinished = dir.path().join(".saving-a1b2c3");
    std::fs::copy(dir.path().join("kms.json"), &unfinished).unwrap();

    let cloud = Cloud::at(dir, ACCOUNT).await;

    assert!(!unfinished.exists());
    assert_eq!(kms(&cloud).list_keys().send().await.unwrap().keys()[0].key_id(), Some(key.key_id()));
}

#[tokio::test]
async fn reset_leaves_nothing_of_the_cloud_and_everything_else() {
    let cloud = Cloud::new().await;
    create_key(&cloud).await;
    let dir = cloud.close();
    std::fs::create_dir(dir.path().join("mine")).unwrap();

    Sandbox::reset(dir.path()).unwrap();

    assert!(!dir.path().join("kms.json").exists() && dir.path().join("mine").exists());
    let cloud = Cloud::at(dir, "999999999999").await;
    assert!(kms(&cloud).list_keys().send().await.unwrap().keys().is_empty());
}

#[tokio::test]
async fn the_caller_belongs_to_the_account_of_the_sandbox() {
    let cloud = Cloud::at(tempfile::tempdir().unwrap(), "111122223333").await;
    let caller = aws_sdk_sts::Client::new(&cloud.sdk()).get_caller_identity().send().await.unwrap();
    assert_eq!(caller.account(), Some("111122223333"));
    let key = create_key(&cloud).await;
    assert!(key.arn().unwrap().starts_with("arn:aws:kms:us-east-1:111122223333:key/"), "{:?}", key.arn());
}

#[tokio::test]
async fn an_assumed_role_is_who_it_says_also_later() {
    let cloud = Cloud::new().await;
    let role = "arn:aws:iam::444455556666:role/deploy/rcm";
    let assumed = aws_sdk_sts::Client::new(&cloud.sdk())
        .assume_role()
        .role_arn(role)
        .role_session_name("acme")
        .send()
        .await
        .unwrap();
    let credentials = assumed.credentials.unwrap();

    let cloud = cloud.reopen().await;

    let as_role = cloud.sdk_as(credentials.access_key_id());
    let caller = aws_sdk_sts::Client::new(&as_role).get_caller_identity().send().await.unwrap();
    assert_eq!(caller.account(), Some("444455556666"));
    assert_eq!(caller.arn(), Some("arn:aws:sts::444455556666:assumed-role/rcm/acme"));
}

#[tokio::test]
async fn a_request_signed_for_another_region_is_refused() {
    let cloud = Cloud::new().await;
    let elsewhere = cloud.sdk().into_builder().region(aws_config::Region::new("eu-west-1")).build();
    let refused = aws_sdk_kms::Client::new(&elsewhere).list_keys().send().await.unwrap_err();
    assert_eq!(refused.code(), Some("SignatureDoesNotMatch"));
    assert!(refused.message().unwrap().contains("this sandbox plays the region us-east-1"));
}

#[tokio::test]
async fn the_same_cloud_answers_over_http() {
    let cloud = Cloud::new().await;
    let served = cloud.serve().await;
    let sdk = served.sdk();
    let path_style = aws_sdk_s3::config::Builder::from(&sdk).force_path_style(true).build();
    let remote = aws_sdk_s3::Client::from_conf(path_style);

    let key = create_key(&cloud).await;
    s3(&cloud).create_bucket().bucket("acme-logs").send().await.unwrap();
    remote.put_object().bucket("acme-logs").key("a/b c").body(b"hello".to_vec().into()).send().await.unwrap();

    assert_eq!(aws_sdk_kms::Client::new(&sdk).list_keys().send().await.unwrap().keys()[0].key_id(), Some(key.key_id()));
    let object = s3(&cloud).get_object().bucket("acme-logs").key("a/b c").send().await.unwrap();
    assert_eq!(object.body.collect().await.unwrap().to_vec(), b"hello");
    served.stop().await;
}

#[tokio::test]
async fn many_at_once_are_all_kept() {
    let cloud = Cloud::new().await;
    let client = kms(&cloud);
    let keys = futures::future::join_all((0..24).map(|_| client.create_key().send())).await;
    assert!(keys.iter().all(Result::is_ok));
    drop(client);

    let cloud = cloud.reopen().await;

    assert_eq!(kms(&cloud).list_keys().send().await.unwrap().keys().len(), 24);
}
