//! What an account or a region has once: detector, analyzer, trail, recorder, hub, contacts, and the settings of EC2, S3 and IAM.

use aws_sdk_accessanalyzer::types::{AnalyzerStatus, Type};
use aws_sdk_account::types::AlternateContactType;
use aws_sdk_cloudtrail::types::{AdvancedEventSelector, AdvancedFieldSelector};
use aws_sdk_config::types::{ConfigurationRecorder, DeliveryChannel};
use aws_sdk_ec2::types::{ImageBlockPublicAccessEnabledState, SnapshotBlockPublicAccessState};
use aws_sdk_s3control::types::PublicAccessBlockConfiguration;
use aws_sdk_securityhub::types::StandardsSubscriptionRequest;

use crate::support::{ACCOUNT, Cloud, code, refusal};

#[tokio::test]
async fn a_region_has_one_detector() {
    let cloud = Cloud::new().await;
    let guardduty = aws_sdk_guardduty::Client::new(&cloud.sdk());
    let made = guardduty.create_detector().enable(true).tags("a", "b").send().await.unwrap();
    let (kind, message) = refusal(guardduty.create_detector().enable(true).send().await);
    assert!(kind == "BadRequestException" && message.contains("a detector already exists"), "{message}");
    let id = made.detector_id().unwrap();
    guardduty.update_detector().detector_id(id).enable(false).send().await.unwrap();
    drop(guardduty);
    let cloud = cloud.reopen().await;
    let guardduty = aws_sdk_guardduty::Client::new(&cloud.sdk());
    let seen = guardduty.get_detector().detector_id(id).send().await.unwrap();
    assert_eq!((seen.status().unwrap().as_str(), &*seen.tags().unwrap()["a"]), ("DISABLED", "b"));
    guardduty.delete_detector().detector_id(id).send().await.unwrap();
    let (_, message) = refusal(guardduty.get_detector().detector_id(id).send().await);
    assert!(message.contains("not owned by the current account"), "{message}");
}

#[tokio::test]
async fn a_region_has_one_analyzer_of_the_account() {
    let cloud = Cloud::with_polls(1).await;
    let analyzers = aws_sdk_accessanalyzer::Client::new(&cloud.sdk());
    let create = |name: &str| analyzers.create_analyzer().analyzer_name(name).r#type(Type::Account);
    create("one").send().await.unwrap();
    assert_eq!(code(create("one").send().await), "ConflictException");
    assert_eq!(code(create("two").send().await), "ServiceQuotaExceededException");
    let status = async || {
        let seen = analyzers.get_analyzer().analyzer_name("one").send().await.unwrap();
        seen.analyzer.unwrap().status
    };
    assert_eq!((status().await, status().await), (AnalyzerStatus::Creating, AnalyzerStatus::Active));
    assert_eq!(analyzers.list_analyzers().send().await.unwrap().analyzers().len(), 1);
    analyzers.delete_analyzer().analyzer_name("one").send().await.unwrap();
    let gone = analyzers.get_analyzer().analyzer_name("one").send().await;
    assert_eq!(code(gone), "ResourceNotFoundException");
}

/// A bucket that lets `service` write into it.
async fn bucket_for(cloud: &Cloud, name: &str, service: &str) {
    let s3 = aws_sdk_s3::Client::new(&cloud.sdk());
    s3.create_bucket().bucket(name).send().await.unwrap();
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Service":"{service}"}},
            "Action":["s3:GetBucketAcl","s3:PutObject"],"Resource":["arn:aws:s3:::{name}","arn:aws:s3:::{name}/*"]}}]}}"#
    );
    s3.put_bucket_policy().bucket(name).policy(policy).send().await.unwrap();
}

#[tokio::test]
async fn a_trail_needs_a_bucket_that_lets_it_write_and_logs_when_it_is_told_to() {
    let cloud = Cloud::new().await;
    let trails = aws_sdk_cloudtrail::Client::new(&cloud.sdk());
    let create = |bucket: &str| trails.create_trail().name("all").s3_bucket_name(bucket).is_multi_region_trail(true);
    assert_eq!(code(create("nowhere").send().await), "S3BucketDoesNotExistException");
    aws_sdk_s3::Client::new(&cloud.sdk()).create_bucket().bucket("closed").send().await.unwrap();
    assert_eq!(code(create("closed").send().await), "InsufficientS3BucketPolicyException");
    bucket_for(&cloud, "logs", "cloudtrail.amazonaws.com").await;
    let key = aws_sdk_kms::Client::new(&cloud.sdk()).create_key().send().await.unwrap().key_metadata.unwrap();
    let under_it = create("logs").kms_key_id(key.arn().unwrap()).send().await;
    assert_eq!(code(under_it), "InsufficientEncryptionPolicyException");
    let narrow = create("logs").include_global_service_events(false).send().await;
    assert_eq!(code(narrow), "InvalidParameterCombinationException");
    let arn = create("logs").send().await.unwrap().trail_arn.unwrap();
    assert_eq!(code(create("logs").send().await), "TrailAlreadyExistsException");

    let logs = async || trails.get_trail_status().name(&arn).send().await.unwrap().is_logging();
    assert_eq!(logs().await, Some(false));
    trails.start_logging().name("all").send().await.unwrap();
    assert_eq!(logs().await, Some(true));
    trails.update_trail().name("all").enable_log_file_validation(true).send().await.unwrap();
    let seen = trails.describe_trails().trail_name_list(&arn).send().await.unwrap();
    let seen = &seen.trail_list()[0];
    assert_eq!((seen.log_file_validation_enabled(), seen.is_multi_region_trail()), (Some(true), Some(true)));
    trails.delete_trail().name("all").send().await.unwrap();
    assert_eq!(code(trails.get_trail_status().name("all").send().await), "TrailNotFoundException");
}

#[tokio::test]
async fn a_recorder_starts_with_a_channel_and_a_region_has_one_of_each() {
    let cloud = Cloud::with_polls(1).await;
    let config = aws_sdk_config::Client::new(&cloud.sdk());
    let recorder = |name: &str| {
        let recorder = ConfigurationRecorder::builder().name(name).role_arn("arn:aws:iam::123456789012:role/config");
        config.put_configuration_recorder().configuration_recorder(recorder.build())
    };
    let channel = |name: &str, bucket: &str| {
        let channel = DeliveryChannel::builder().name(name).s3_bucket_name(bucket).build();
        config.put_delivery_channel().delivery_channel(channel)
    };
    let pack = || config.put_conformance_pack().conformance_pack_name("rules").template_body(r#"{"Resources":{}}"#);
    bucket_for(&cloud, "logs", "config.amazonaws.com").await;
    let early = channel("one", "logs").send().await;
    assert_eq!(code(early), "NoAvailableConfigurationRecorderException");
    assert_eq!(code(pack().send().await), "NoAvailableConfigurationRecorderException");
    recorder("one").send().await.unwrap();
    let second = recorder("two").send().await;
    assert_eq!(code(second), "MaxNumberOfConfigurationRecordersExceededException");
    let start = || config.start_configuration_recorder().configuration_recorder_name("one");
    assert_eq!(code(start().send().await), "NoAvailableDeliveryChannelException");
    bucket_for(&cloud, "others", "cloudtrail.amazonaws.com").await;
    assert_eq!(code(channel("one", "others").send().await), "InsufficientDeliveryPolicyException");
    channel("one", "logs").send().await.unwrap();
    assert_eq!(code(channel("two", "logs").send().await), "MaxNumberOfDeliveryChannelsExceededException");
    start().send().await.unwrap();
    let status = config.describe_configuration_recorder_status().send().await.unwrap();
    assert!(status.configuration_recorders_status()[0].recording());
    let delete = config.delete_delivery_channel().delivery_channel_name("one").send().await;
    assert_eq!(code(delete), "LastDeliveryChannelDeleteFailedException");

    pack().send().await.unwrap();
    let state = async || {
        let seen = config.describe_conformance_pack_status().conformance_pack_names("rules").send().await.unwrap();
        seen.conformance_pack_status_details()[0].conformance_pack_state().as_str().to_owned()
    };
    assert_eq!((state().await, state().await), ("CREATE_IN_PROGRESS".to_owned(), "CREATE_COMPLETE".to_owned()));
    let other = config.describe_conformance_pack_status().conformance_pack_names("none").send().await;
    assert_eq!(code(other), "NoSuchConformancePackException");
}

#[tokio::test]
async fn the_switches_of_ec2_are_off_and_the_one_of_images_takes_its_time() {
    let cloud = Cloud::with_polls(1).await;
    let ec2 = aws_sdk_ec2::Client::new(&cloud.sdk());
    let encrypted = async || ec2.get_ebs_encryption_by_default().send().await.unwrap().ebs_encryption_by_default();
    assert_eq!(encrypted().await, Some(false));
    ec2.enable_ebs_encryption_by_default().send().await.unwrap();
    assert_eq!(encrypted().await, Some(true));
    let request = ec2.enable_snapshot_block_public_access().state(SnapshotBlockPublicAccessState::BlockAllSharing);
    request.send().await.unwrap();
    let snapshots = ec2.get_snapshot_block_public_access_state().send().await.unwrap();
    assert_eq!(snapshots.state(), Some(&SnapshotBlockPublicAccessState::BlockAllSharing));
    let request = ec2.enable_image_block_public_access();
    let request = request.image_block_public_access_state(ImageBlockPublicAccessEnabledState::BlockNewSharing);
    request.send().await.unwrap();
    let images = async || {
        let seen = ec2.get_image_block_public_access_state().send().await.unwrap();
        seen.image_block_public_access_state.unwrap()
    };
    assert_eq!((images().await, images().await), ("unblocked".to_owned(), "block-new-sharing".to_owned()));
}

#[tokio::test]
async fn the_block_of_an_account_is_absent_at_first_and_of_that_account_alone() {
    let cloud = Cloud::new().await;
    let control = aws_sdk_s3control::Client::new(&cloud.sdk());
    let get = |account: &str| control.get_public_access_block().account_id(account);
    assert_eq!(code(get(ACCOUNT).send().await), "NoSuchPublicAccessBlockConfiguration");
    assert_eq!(code(get("210987654321").send().await), "AccessDenied");
    let block = PublicAccessBlockConfiguration::builder().block_public_acls(true).build();
    control
        .put_public_access_block()
        .account_id(ACCOUNT)
        .public_access_block_configuration(block)
        .send()
        .await
        .unwrap();
    let seen = get(ACCOUNT).send().await.unwrap().public_access_block_configuration.unwrap();
    assert_eq!((seen.block_public_acls(), seen.block_public_policy()), (Some(true), Some(false)));
    control.delete_public_access_block().account_id(ACCOUNT).send().await.unwrap();
    assert_eq!(code(get(ACCOUNT).send().await), "NoSuchPublicAccessBlockConfiguration");
}

#[tokio::test]
async fn an_update_of_the_password_policy_sets_all_of_it() {
    let cloud = Cloud::new().await;
    let iam = aws_sdk_iam::Client::new(&cloud.sdk());
    assert_eq!(code(iam.get_account_password_policy().send().await), "NoSuchEntity");
    let short = iam.update_account_password_policy().minimum_password_length(5).send().await;
    assert_eq!(code(short), "ValidationError");
    iam.update_account_password_policy().minimum_password_length(20).require_symbols(true).send().await.unwrap();
    iam.update_account_password_policy().max_password_age(30).send().await.unwrap();
    let seen = iam.get_account_password_policy().send().await.unwrap().password_policy.unwrap();
    assert_eq!((seen.minimum_password_length(), seen.require_symbols()), (Some(6), false));
    assert_eq!((seen.max_password_age(), seen.expire_passwords()), (Some(30), true));
    iam.delete_account_password_policy().send().await.unwrap();
    assert_eq!(code(iam.get_account_password_policy().send().await), "NoSuchEntity");
}

#[tokio::test]
async fn an_account_has_one_contact_of_a_type_and_none_without_a_telephone_number() {
    let cloud = Cloud::new().await;
    let account = aws_sdk_account::Client::new(&cloud.sdk());
    let get = || account.get_alternate_contact().alternate_contact_type(AlternateContactType::Security);
    let put = |name: &str, phone: &str| {
        let request = account.put_alternate_contact().alternate_contact_type(AlternateContactType::Security);
        request.name(name).title("Security").email_address("security@acme.com").phone_number(phone)
    };
    assert_eq!(code(get().send().await), "ResourceNotFoundException");
    assert_eq!(code(put("one", "call me").send().await), "ValidationException");
    assert_eq!(code(put("", "+1 555 0100").send().await), "ValidationException");
    put("one", "+1 555 0100").send().await.unwrap();
    put("two", "(555) 0100").send().await.unwrap();
    drop(account);
    let cloud = cloud.reopen().await;
    let account = aws_sdk_account::Client::new(&cloud.sdk());
    let get = || account.get_alternate_contact().alternate_contact_type(AlternateContactType::Security);
    let seen = get().send().await.unwrap().alternate_contact.unwrap();
    assert_eq!((seen.name(), seen.phone_number()), (Some("two"), Some("(555) 0100")));
    let billing = account.get_alternate_contact().alternate_contact_type(AlternateContactType::Billing);
    assert_eq!(code(billing.send().await), "ResourceNotFoundException");
    let delete = || account.delete_alternate_contact().alternate_contact_type(AlternateContactType::Security);
    delete().send().await.unwrap();
    assert_eq!(code(delete().send().await), "ResourceNotFoundException");
}

#[tokio::test]
async fn a_region_has_one_hub_and_refuses_everything_before() {
    let cloud = Cloud::with_polls(1).await;
    let hub = aws_sdk_securityhub::Client::new(&cloud.sdk());
    let (kind, message) = refusal(hub.describe_hub().send().await);
    assert!(kind == "InvalidAccessException" && message.contains("not subscribed"), "{kind}: {message}");
    let enable = || hub.enable_security_hub().enable_default_standards(false).tags("a", "b");
    enable().send().await.unwrap();
    assert_eq!(code(enable().send().await), "ResourceConflictException");
    let arn = hub.describe_hub().send().await.unwrap().hub_arn.unwrap();
    let tags = hub.list_tags_for_resource().resource_arn(&arn).send().await.unwrap().tags.unwrap();
    assert_eq!((arn.as_str(), &*tags["a"]), ("arn:aws:securityhub:us-east-1:123456789012:hub/default", "b"));
    let on = async || hub.get_enabled_standards().send().await.unwrap().standards_subscriptions.unwrap();
    assert!(on().await.is_empty(), "none by itself");
    let standard = "arn:aws:securityhub:us-east-1::standards/aws-foundational-security-best-practices/v/1.0.0";
    let wanted = StandardsSubscriptionRequest::builder().standards_arn(standard).build();
    let register = || hub.batch_enable_standards().standards_subscription_requests(wanted.clone());
    register().send().await.unwrap();
    register().send().await.unwrap();
    let status = async || on().await[0].standards_status.clone().unwrap().as_str().to_owned();
    assert_eq!((status().await, status().await, on().await.len()), ("PENDING".to_owned(), "READY".to_owned(), 1));
    let subscription = on().await[0].standards_subscription_arn.clone().unwrap();
    hub.batch_disable_standards().standards_subscription_arns(subscription).send().await.unwrap();
    assert!(on().await.is_empty());
    hub.disable_security_hub().send().await.unwrap();
    assert_eq!(code(hub.get_enabled_standards().send().await), "InvalidAccessException");
}

#[tokio::test]
async fn a_trail_writes_to_a_log_group_that_is_there_as_a_role_that_it_can_assume() {
    let cloud = Cloud::new().await;
    let (trails, logs) =
        (aws_sdk_cloudtrail::Client::new(&cloud.sdk()), aws_sdk_cloudwatchlogs::Client::new(&cloud.sdk()));
    let iam = aws_sdk_iam::Client::new(&cloud.sdk());
    bucket_for(&cloud, "logs", "cloudtrail.amazonaws.com").await;
    let group = "arn:aws:logs:us-east-1:123456789012:log-group:/trail";
    let role = "arn:aws:iam::123456789012:role/trail";
    let create = |group: &str, role: &str| {
        let request = trails.create_trail().name("all").s3_bucket_name("logs").cloud_watch_logs_log_group_arn(group);
        request.cloud_watch_logs_role_arn(role).send()
    };
    let refused = async |group: &str, role: &str| refusal(create(group, role).await);
    assert_eq!(refused(&format!("{group}:*"), "").await.0, "InvalidCloudWatchLogsRoleArnException");
    let (kind, message) = refused(group, role).await;
    assert!(kind == "InvalidCloudWatchLogsLogGroupArnException" && message.contains("validate"), "{message}");
    let (kind, message) = refused(&format!("{group}:*"), role).await;
    assert!(kind == "InvalidCloudWatchLogsRoleArnException" && message.contains("trust relationships"), "{message}");

    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"cloudtrail.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    iam.create_role().role_name("trail").assume_role_policy_document(trust).send().await.unwrap();
    let (kind, message) = refused(&format!("{group}:*"), role).await;
    assert!(kind == "InvalidCloudWatchLogsLogGroupArnException" && message.contains("permissions"), "{message}");
    let may = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":["logs:CreateLogStream","logs:PutLogEvents"],"Resource":"{group}:log-stream:*"}}]}}"#
    );
    iam.put_role_policy().role_name("trail").policy_name("write").policy_document(may).send().await.unwrap();
    let (kind, _) = refused(&format!("{group}:*"), role).await;
    assert_eq!(kind, "InvalidCloudWatchLogsLogGroupArnException", "there is no such group yet");
    logs.create_log_group().log_group_name("/trail").send().await.unwrap();
    create(&format!("{group}:*"), role).await.unwrap();
    let seen = trails.describe_trails().send().await.unwrap().trail_list.unwrap();
    assert_eq!(seen[0].cloud_watch_logs_log_group_arn(), Some(format!("{group}:*").as_str()));

    assert_eq!(seen[0].has_custom_event_selectors(), Some(false));
    let field = |name: &str, value: &str| AdvancedFieldSelector::builder().field(name).equals(value).build().unwrap();
    let select = |fields: Vec<AdvancedFieldSelector>| {
        let selector = AdvancedEventSelector::builder().set_field_selectors(Some(fields)).build().unwrap();
        trails.put_event_selectors().trail_name("all").advanced_event_selectors(selector).send()
    };
    assert_eq!(code(select(vec![field("eventCategory", "Data")]).await), "InvalidEventSelectorsException");
    select(vec![field("eventCategory", "Data"), field("resources.type", "AWS::S3::Object")]).await.unwrap();
    let seen = trails.get_event_selectors().trail_name("all").send().await.unwrap();
    assert_eq!((seen.advanced_event_selectors().len(), seen.event_selectors().len()), (1, 0));
    let seen = trails.describe_trails().send().await.unwrap().trail_list.unwrap();
    assert_eq!(seen[0].has_custom_event_selectors(), Some(true));
}
