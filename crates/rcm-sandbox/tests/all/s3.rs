//! Buckets, their settings and their objects.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    Bucket, BucketLifecycleConfiguration, BucketLoggingStatus, BucketVersioningStatus, CompletedMultipartUpload,
    CompletedPart, Delete, ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter, LoggingEnabled,
    ObjectIdentifier, ObjectOwnership, OwnershipControls, OwnershipControlsRule, PublicAccessBlockConfiguration,
    ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
    Tag, Tagging, VersioningConfiguration,
};

use crate::support::{Cloud, code};

const KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/1234abcd";
const LOGS: &str = "acme-rcm-prod-logs";

async fn with_bucket(cloud: &Cloud) -> Client {
    let s3 = Client::new(&cloud.sdk());
    s3.create_bucket().bucket(LOGS).send().await.unwrap();
    s3
}

async fn version(s3: &Client) {
    let versioning = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    s3.put_bucket_versioning().bucket(LOGS).versioning_configuration(versioning).send().await.unwrap();
}

async fn put(s3: &Client, key: &str, body: &'static str) -> aws_sdk_s3::operation::put_object::PutObjectOutput {
    s3.put_object().bucket(LOGS).key(key).body(ByteStream::from_static(body.as_bytes())).send().await.unwrap()
}

async fn content(s3: &Client, key: &str) -> String {
    let object = s3.get_object().bucket(LOGS).key(key).send().await.unwrap();
    String::from_utf8(object.body.collect().await.unwrap().to_vec()).unwrap()
}

fn under_key() -> ServerSideEncryptionConfiguration {
    let default = ServerSideEncryptionByDefault::builder()
        .sse_algorithm(ServerSideEncryption::AwsKms)
        .kms_master_key_id(KEY)
        .build()
        .unwrap();
    let rule =
        ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(default).bucket_key_enabled(true);
    ServerSideEncryptionConfiguration::builder().rules(rule.build()).build().unwrap()
}

#[tokio::test]
async fn every_setting_of_a_bucket_is_given_back() {
    let cloud = Cloud::new().await;
    let s3 = with_bucket(&cloud).await;
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::{LOGS}","arn:aws:s3:::{LOGS}/*"],"Condition":{{"Bool":{{"aws:SecureTransport":"false"}}}}}}]}}"#
    );
    let rule = LifecycleRule::builder()
        .id("expire")
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix("").build())
        .expiration(LifecycleExpiration::builder().days(2557).build())
        .build()
        .unwrap();
    let lifecycle = BucketLifecycleConfiguration::builder().rules(rule.clone()).build().unwrap();
    let block = PublicAccessBlockConfiguration::builder()
        .block_public_acls(true)
        .ignore_public_acls(true)
        .block_public_policy(true)
        .restrict_public_buckets(false)
        .build();
    let owner =
        OwnershipControlsRule::builder().object_ownership(ObjectOwnership::BucketOwnerPreferred).build().unwrap();
    let ownership = OwnershipControls::builder().rules(owner).build().unwrap();
    let tags = Tagging::builder().tag_set(Tag::builder().key("rcm:partner").value("acme & co").build().unwrap());
    let target = LoggingEnabled::builder().target_bucket(LOGS).target_prefix("access/").build().unwrap();
    let logging = BucketLoggingStatus::builder().logging_enabled(target.clone()).build();
    version(&s3).await;
    s3.put_bucket_encryption().bucket(LOGS).server_side_encryption_configuration(under_key()).send().await.unwrap();
    s3.put_bucket_policy().bucket(LOGS).policy(&policy).send().await.unwrap();
    s3.put_bucket_lifecycle_configuration().bucket(LOGS).lifecycle_configuration(lifecycle).send().await.unwrap();
    s3.put_public_access_block().bucket(LOGS).public_access_block_configuration(block.clone()).send().await.unwrap();
    s3.put_bucket_ownership_controls().bucket(LOGS).ownership_controls(ownership.clone()).send().await.unwrap();
    s3.put_bucket_tagging().bucket(LOGS).tagging(tags.clone().build().unwrap()).send().await.unwrap();
    s3.put_bucket_logging().bucket(LOGS).bucket_logging_status(logging).send().await.unwrap();
    let nowhere = LoggingEnabled::builder().target_bucket("not-there").target_prefix("").build().unwrap();
    let nowhere = BucketLoggingStatus::builder().logging_enabled(nowhere).build();
    let refused = s3.put_bucket_logging().bucket(LOGS).bucket_logging_status(nowhere).send().await;
    assert_eq!(code(refused), "InvalidTargetBucketForLogging");
    drop(s3);

    let cloud = cloud.reopen().await;

    let s3 = Client::new(&cloud.sdk());
    let versioning = s3.get_bucket_versioning().bucket(LOGS).send().await.unwrap();
    assert_eq!(versioning.status(), Some(&BucketVersioningStatus::Enabled));
    let encryption = s3.get_bucket_encryption().bucket(LOGS).send().await.unwrap();
    assert_eq!(encryption.server_side_encryption_configuration(), Some(&under_key()));
    assert_eq!(s3.get_bucket_policy().bucket(LOGS).send().await.unwrap().policy(), Some(policy.as_str()));
    let lifecycle = s3.get_bucket_lifecycle_configuration().bucket(LOGS).send().await.unwrap();
    assert_eq!(lifecycle.rules(), [rule]);
    let read = s3.get_public_access_block().bucket(LOGS).send().await.unwrap();
    assert_eq!(read.public_access_block_configuration(), Some(&block));
    let read = s3.get_bucket_ownership_controls().bucket(LOGS).send().await.unwrap();
    assert_eq!(read.ownership_controls(), Some(&ownership));
    let read = s3.get_bucket_tagging().bucket(LOGS).send().await.unwrap();
    assert_eq!(read.tag_set(), tags.build().unwrap().tag_set());
    let read = s3.get_bucket_logging().bucket(LOGS).send().await.unwrap();
    assert_eq!(read.logging_enabled(), Some(&target));
}

#[tokio::test]
async fn a_new_bucket_is_private_and_encrypted_and_has_nothing_else() {
    let cloud = Cloud::new().await;
    let s3 = with_bucket(&cloud).await;
    let encryption = s3.get_bucket_encryption().bucket(LOGS).send().await.unwrap();
    let rule = &encryption.server_side_encryption_configuration().unwrap().rules()[0];
    let default = rule.apply_server_side_encryption_by_default().unwrap();
    assert_eq!(default.sse_algorithm(), &ServerSideEncryption::Aes256);
    let block = s3.get_public_access_block().bucket(LOGS).send().await.unwrap();
    let block = block.public_access_block_configuration().unwrap();
    assert_eq!((block.block_public_acls(), block.restrict_public_buckets()), (Some(true), Some(true)));
    assert_eq!(s3.get_bucket_versioning().bucket(LOGS).send().await.unwrap().status(), None);
    assert!(s3.get_bucket_logging().bucket(LOGS).send().await.unwrap().logging_enabled().is_none());
    let home = s3.get_bucket_location().bucket(LOGS).send().await.unwrap();
    assert_eq!(home.location_constraint().map(|region| region.as_str()), Some(""));
    assert_eq!(code(s3.get_bucket_policy().bucket(LOGS).send().await), "NoSuchBucketPolicy");
    assert_eq!(code(s3.get_bucket_tagging().bucket(LOGS).send().await), "NoSuchTagSet");
    assert_eq!(code(s3.get_bucket_lifecycle_configuration().bucket(LOGS).send().await), "NoSuchLifecycleConfiguration");
    s3.delete_public_access_block().bucket(LOGS).send().await.unwrap();
    assert_eq!(code(s3.get_public_access_block().bucket(LOGS).send().await), "NoSuchPublicAccessBlockConfiguration");
}

#[tokio::test]
async fn policies_that_open_a_bucket_or_speak_of_another_are_refused() {
    let cloud = Cloud::new().await;
    let s3 = with_bucket(&cloud).await;
    let put = |effect: &str, bucket: &str| {
        let policy = format!(
            r#"{{"Statement":[{{"Effect":"{effect}","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::{bucket}/*"}}]}}"#
        );
        s3.put_bucket_policy().bucket(LOGS).policy(policy).send()
    };
    assert_eq!(code(put("Deny", "someone-elses").await), "MalformedPolicy");
    assert_eq!(code(put("Allow", LOGS).await), "AccessDenied");
    put("Deny", LOGS).await.unwrap();
}

#[tokio::test]
async fn a_bucket_of_ones_own_can_be_made_again_in_the_home_region_only() {
    let cloud = Cloud::new().await;
    let s3 = with_bucket(&cloud).await;
    put(&s3, "a", "kept").await;
    s3.create_bucket().bucket(LOGS).send().await.unwrap();
    assert_eq!(content(&s3, "a").await, "kept");
    assert_eq!(code(s3.create_bucket().bucket("No_Name").send().await), "InvalidBucketName");
    s3.create_bucket().bucket("zenith-logs").send().await.unwrap();
    let listed = s3.list_buckets().prefix("acme").send().await.unwrap();
    assert_eq!(listed.buckets().iter().filter_map(Bucket::name).collect::<Vec<_>>(), [LOGS]);
    let missing = s3.head_bucket().bucket("nobody").send().await.unwrap_err().into_service_error();
    assert!(missing.is_not_found());
    assert_eq!(code(s3.list_objects_v2().bucket("nobody").send().await), "NoSuchBucket");
}

#[tokio::test]
async fn a_bucket_goes_only_when_every_version_is_gone() {
    let cloud = Cloud::new().await;
    let s3 = with_bucket(&cloud).await;
    version(&s3).await;
    put(&s3, "alb/one", "1").await;
    put(&s3, "alb/one", "2").await;
    let deleted = s3.delete_object().bucket(LOGS).key("alb/one").send().await.unwrap();
    assert_eq!(deleted.delete_marker(), Some(true));
    assert!(s3.list_objects_v2().bucket(LOGS).send().await.unwrap().contents().is_empty());
    assert!(
        s3.get_object().bucket(LOGS).key("alb/one").send().await.unwrap_err().into_service_error().is_no_such_key()
    );
    assert_eq!(code(s3.delete_bucket().bucket(LOGS).send().await), "BucketNotEmpty");
    drop(s3);

    let cloud = cloud.reopen().await;
    let s3 = Client::new(&cloud.sdk());
    let first = s3.list_object_versions().bucket(LOGS).max_keys(2).send().await.unwrap();
    assert_eq!((first.delete_markers().len(), first.versions().len(), first.is_truncated()), (1, 1, Some(true)));
    let rest = s3
        .list_object_versions()
        .bucket(LOGS)
        .key_marker(first.next_key_marker().unwrap())
        .version_id_marker(first.next_version_id_marker().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!((rest.versions().len(), rest.is_truncated()), (1, Some(false)));
    let versions = first.versions().iter().chain(rest.versions()).map(|it| (it.key(), it.version_id()));
    let all = versions.chain(first.delete_markers().iter().map(|it| (it.key(), it.version_id())));
    let ids =
        all.map(|(key, id)| ObjectIdentifier::builder().key(key.unwrap()).version_id(id.unwrap()).build().unwrap());
    let delete = Delete::builder().set_objects(Some(ids.collect())).build().unwrap();
    let gone = s3.delete_objects().bucket(LOGS).delete(delete).send().await.unwrap();
    assert_eq!((gone.deleted().len(), gone.errors().len()), (3, 0));
    s3.delete_bucket().bucket(LOGS).send().await.unwrap();
    assert!(s3.list_buckets().send().await.unwrap().buckets().is_empty());
}

#[tokio::test]
async fn writes_under_a_condition_have_one_winner() {
    let cloud = Cloud::new().await;
    let s3 = with_bucket(&cloud).await;
    let first =
        || s3.put_object().bucket(LOGS).key("lock").if_none_match("*").body(ByteStream::from_static(b"x")).send();
    let outcomes = futures::future::join_all((0..8).map(|_| first())).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    let lost = outcomes.into_iter().find(Result::is_err).unwrap();
    assert_eq!(code(lost), "PreconditionFailed");

    let etag = s3.head_object().bucket(LOGS).key("lock").send().await.unwrap().e_tag.unwrap();
    let replace =
        |etag: &str| s3.put_object().bucket(LOGS).key("lock").if_match(etag).body(ByteStream::from_static(b"y")).send();
    replace(&etag).await.unwrap();
    assert_eq!(code(replace(&etag).await), "PreconditionFailed");
    assert_eq!(content(&s3, "lock").await, "y");
}

#[tokio::test]
async fn objects_survive_with_their_bodies_and_the_bucket_encrypts_them() {
    let cloud = Cloud::new().await;
    let s3 = with_bucket(&cloud).await;
    s3.put_bucket_encryption().bucket(LOGS).server_side_encryption_configuration(under_key()).send().await.unwrap();
    let written = put(&s3, "state/acme & co.json", "{\"serial\":1}").await;
    assert_eq!(
        (written.server_side_encryption(), written.ssekms_key_id()),
        (Some(&ServerSideEncryption::AwsKms), Some(KEY))
    );
    drop(s3);

    let cloud = cloud.reopen().await;

    let s3 = Client::new(&cloud.sdk());
    assert_eq!(content(&s3, "state/acme & co.json").await, "{\"serial\":1}");
    let listed = s3.list_objects_v2().bucket(LOGS).delimiter("/").send().await.unwrap();
    assert_eq!(listed.common_prefixes()[0].prefix(), Some("state/"));
    let part = s3.get_object().bucket(LOGS).key("state/acme & co.json").range("bytes=2-7").send().await.unwrap();
    assert_eq!(part.body.collect().await.unwrap().to_vec(), b"serial");
}

#[tokio::test]
async fn an_upload_in_parts_becomes_one_object() {
    let cloud = Cloud::new().await;
    let s3 = with_bucket(&cloud).await;
    let start = || s3.create_multipart_upload().bucket(LOGS).key("dump").send();
    let id = start().await.unwrap().upload_id.unwrap();
    let left = start().await.unwrap().upload_id.unwrap();
    assert_eq!(s3.list_multipart_uploads().bucket(LOGS).send().await.unwrap().uploads().len(), 2);
    let mut parts = Vec::new();
    for (number, body) in [(1, "one "), (2, "two")] {
        let part = s3.upload_part().bucket(LOGS).key("dump").upload_id(&id).part_number(number);
        let part = part.body(ByteStream::from_static(body.as_bytes())).send().await.unwrap();
        parts.push(CompletedPart::builder().part_number(number).set_e_tag(part.e_tag).build());
    }
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let complete = s3.complete_multipart_upload().bucket(LOGS).key("dump").upload_id(&id).multipart_upload(parts);
    complete.send().await.unwrap();
    assert_eq!(content(&s3, "dump").await, "one two");
    s3.abort_multipart_upload().bucket(LOGS).key("dump").upload_id(&left).send().await.unwrap();
    assert!(s3.list_multipart_uploads().bucket(LOGS).send().await.unwrap().uploads().is_empty());
    let again = s3.abort_multipart_upload().bucket(LOGS).key("dump").upload_id(&left).send().await;
    assert_eq!(code(again), "NoSuchUpload");
}
