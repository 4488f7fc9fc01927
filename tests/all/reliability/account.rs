//! What somebody may change about the account baseline behind rcm's back: rows of the table of `tampering`.

use aws_sdk_cloudtrail::types::{AdvancedEventSelector, AdvancedFieldSelector};
use aws_sdk_cloudwatch::types::{ComparisonOperator, Dimension, MetricAlarm, Statistic};
use aws_sdk_cloudwatchlogs::types::MetricTransformation;
use aws_sdk_config::types::{ConfigurationRecorder, DeliveryChannel, RecordingGroup};
use aws_sdk_ecr::types::{RegistryScanningRule, ScanFrequency, ScanType, ScanningRepositoryFilter};
use aws_sdk_s3::types::{
    BucketVersioningStatus, EventBridgeConfiguration, NotificationConfiguration, ObjectOwnership, OwnershipControls,
    OwnershipControlsRule, ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration,
    ServerSideEncryptionRule, VersioningConfiguration,
};
use aws_sdk_s3control::types::PublicAccessBlockConfiguration;
use rcm::engine::plan::Depth::{Full, Quick};

use super::stage::{At, everything};
use super::tampering::{Row, put, row};

pub(super) fn rows() -> Vec<Row> {
    let settings = [switches(), public_access_block(), password_policy()];
    let watched = [watching(), trail(), selectors(), recorder(), filters(), alarms(), topic(), standards()];
    let below = [key(), bucket(), log_group(), roles(), scanning()];
    settings.into_iter().chain(watched).chain(below).flatten().map(|row| row.of(everything)).collect()
}

fn switches() -> Vec<Row> {
    const SWITCHES: &str = "baseline/ec2-defaults";
    vec![
        row(Quick, "ec2/account-defaults", "ebs_encryption", SWITCHES, |at| async move {
            at.aws.ec2.disable_ebs_encryption_by_default().send().await.unwrap();
        }),
        row(Quick, "ec2/account-defaults", "snapshots_private", SWITCHES, |at| async move {
            at.aws.ec2.disable_snapshot_block_public_access().send().await.unwrap();
        }),
        row(Quick, "ec2/account-defaults", "images_private", SWITCHES, |at| async move {
            at.aws.ec2.disable_image_block_public_access().send().await.unwrap();
        }),
    ]
}

fn scanning() -> Vec<Row> {
    const SCANNING: &str = "baseline/image-scanning";
    vec![
        row(Quick, "ecr/registry-scanning", "scan_on_push", SCANNING, |at| async move {
            let request = at.aws.ecr.put_registry_scanning_configuration().scan_type(ScanType::Enhanced);
            request.set_rules(Some(vec![])).send().await.unwrap();
        }),
        row(Quick, "ecr/registry-scanning", "enhanced", SCANNING, |at| async move {
            let every = ScanningRepositoryFilter::builder().filter("*").filter_type("WILDCARD".into()).build().unwrap();
            let rule = RegistryScanningRule::builder().scan_frequency(ScanFrequency::ScanOnPush);
            let rule = rule.repository_filters(every).build().unwrap();
            let request = at.aws.ecr.put_registry_scanning_configuration().scan_type(ScanType::Basic);
            request.rules(rule).send().await.unwrap();
        }),
    ]
}

fn public_access_block() -> Vec<Row> {
    let off = |field, off: usize| {
        row(Quick, "s3/account-public-access-block", field, "baseline/public-access-block", move |at| async move {
            let switches = PublicAccessBlockConfiguration::builder();
            let switches = switches.block_public_acls(off != 0).ignore_public_acls(off != 1);
            let switches = switches.block_public_policy(off != 2).restrict_public_buckets(off != 3);
            let request = at.aws.s3control.put_public_access_block().account_id(at.id("baseline/public-access-block"));
            request.public_access_block_configuration(switches.build()).send().await.unwrap();
        })
    };
    let fields = ["block_public_acls", "ignore_public_acls", "block_public_policy", "restrict_public_buckets"];
    (0..).zip(fields).map(|(place, field)| off(field, place)).collect()
}

fn password_policy() -> Vec<Row> {
    // Each of them with one value that is laxer, and the others as they are or stricter.
    let laxer = |field: &'static str| {
        row(Quick, "iam/password-policy", field, "baseline/password-policy", move |at| async move {
            let or = |name: &str, lax: i32, strict: i32| if field == name { lax } else { strict };
            let request = at.aws.iam.update_account_password_policy();
            let request = request.minimum_password_length(or("minimum_length", 8, 20));
            let request = request.password_reuse_prevention(or("reuse_prevention", 5, 24));
            let request = request.max_password_age(or("max_age_days", 365, 60));
            let request = request.require_lowercase_characters(field != "lowercase");
            let request = request.require_uppercase_characters(field != "uppercase");
            let request = request.require_numbers(field != "numbers").require_symbols(field != "symbols");
            request.send().await.unwrap();
        })
    };
    ["minimum_length", "reuse_prevention", "max_age_days", "lowercase", "uppercase", "numbers", "symbols"]
        .map(laxer)
        .into()
}

fn watching() -> Vec<Row> {
    vec![row(Quick, "guardduty/detector", "enabled", "baseline/detector", |at| async move {
        let request = at.aws.guardduty.update_detector().detector_id(at.id("baseline/detector"));
        request.enable(false).send().await.unwrap();
    })]
}

fn trail() -> Vec<Row> {
    const TRAIL: &str = "baseline/trail";
    let changed = |field: &'static str| {
        row(Quick, "cloudtrail/trail", field, TRAIL, move |at| async move {
            let request = at.aws.cloudtrail.update_trail().name(at.id(TRAIL));
            let request = match field {
                "multi_region" => request.is_multi_region_trail(false),
                _ => request.enable_log_file_validation(false),
            };
            request.send().await.unwrap();
        })
    };
    vec![
        changed("multi_region"),
        changed("validated"),
        row(Quick, "cloudtrail/trail", "logging", TRAIL, |at| async move {
            at.aws.cloudtrail.stop_logging().name(at.id(TRAIL)).send().await.unwrap();
        }),
        row(Quick, "cloudtrail/trail", "kms_key", TRAIL, |at| async move {
            let key = another_key(&at).await;
            at.aws.cloudtrail.update_trail().name(at.id(TRAIL)).kms_key_id(key).send().await.unwrap();
        }),
        row(Quick, "cloudtrail/trail", "bucket", TRAIL, |at| async move {
            let bucket = another_bucket(&at).await;
            at.aws.cloudtrail.update_trail().name(at.id(TRAIL)).s3_bucket_name(bucket).send().await.unwrap();
        }),
        row(Quick, "cloudtrail/trail", "log_group", TRAIL, |at| async move {
            // Its name is the beginning of the other's, so the role may write to it.
            let other = "/aws/cloudtrail/rcm-account";
            at.aws.logs.create_log_group().log_group_name(other).send().await.unwrap();
            tells(&at, other, &at.id(ROLE)).await;
        }),
        row(Quick, "cloudtrail/trail", "log_role", TRAIL, |at| async move {
            let name = at.name(ROLE);
            let ours = at.aws.iam.get_role().role_name(&name).send().await.unwrap().role.unwrap();
            let may = at.aws.iam.get_role_policy().role_name(&name).policy_name("write-events").send().await.unwrap();
            let decoded = |text: &str| urlencoding::decode(text).unwrap().into_owned();
            let trust = decoded(ours.assume_role_policy_document().unwrap());
            let request = at.aws.iam.create_role().role_name("by-hand").assume_role_policy_document(trust);
            let other = request.send().await.unwrap().role.unwrap();
            let request = at.aws.iam.put_role_policy().role_name("by-hand").policy_name("write-events");
            request.policy_document(decoded(may.policy_document())).send().await.unwrap();
            tells(&at, &at.id(LOG_GROUP), other.arn()).await;
        }),
    ]
}

/// Somebody lets the trail write to that log group as that role.
async fn tells(at: &At, group: &str, role: &str) {
    let group = format!("arn:aws:logs:us-east-1:123456789012:log-group:{group}:*");
    let request = at.aws.cloudtrail.update_trail().name(at.id("baseline/trail"));
    request.cloud_watch_logs_log_group_arn(group).cloud_watch_logs_role_arn(role).send().await.unwrap();
}

/// Each with selectors that leave one thing out.
fn selectors() -> Vec<Row> {
    let chosen = |field, fields: &'static [(&'static str, &'static str)]| {
        row(Quick, "cloudtrail/trail", field, "baseline/trail", move |at| async move {
            let one =
                |(field, value): &(&str, &str)| AdvancedFieldSelector::builder().field(*field).equals(*value).build();
            let fields = fields.iter().map(one).collect::<Result<_, _>>().unwrap();
            let selector = AdvancedEventSelector::builder().set_field_selectors(Some(fields)).build().unwrap();
            let request = at.aws.cloudtrail.put_event_selectors().trail_name(at.id("baseline/trail"));
            request.advanced_event_selectors(selector).send().await.unwrap();
        })
    };
    vec![
        chosen("management_events", &[("eventCategory", "Data"), ("resources.type", "AWS::S3::Object")]),
        chosen("s3_data_events", &[("eventCategory", "Management")]),
    ]
}

const LOG_GROUP: &str = "baseline/log-group";
const ROLE: &str = "baseline/trail-role";

fn log_group() -> Vec<Row> {
    vec![
        row(Quick, "logs/account-group", "kms_key", LOG_GROUP, |at| async move {
            let key = another_key(&at).await;
            let request = at.aws.logs.associate_kms_key().log_group_name(at.id(LOG_GROUP));
            request.kms_key_id(key).send().await.unwrap();
        }),
        row(Quick, "logs/account-group", "retention_days", LOG_GROUP, |at| async move {
            let request = at.aws.logs.put_retention_policy().log_group_name(at.id(LOG_GROUP));
            request.retention_in_days(1).send().await.unwrap();
        }),
    ]
}

fn roles() -> Vec<Row> {
    const SUPPORT: &str = "baseline/support-role";
    let updated = |field, description: &'static str, seconds| {
        row(Quick, "iam/account-role", field, SUPPORT, move |at| async move {
            let live = at.aws.iam.get_role().role_name(at.name(SUPPORT)).send().await.unwrap().role.unwrap();
            let said = live.description().unwrap_or_default();
            let description = if description.is_empty() { said } else { description };
            let request = at.aws.iam.update_role().role_name(at.name(SUPPORT)).description(description);
            request.max_session_duration(seconds).send().await.unwrap();
        })
    };
    vec![
        updated("description", "by hand", 3600),
        updated("max_session_seconds", "", 43200),
        row(Quick, "iam/account-role", "assume_role_policy", SUPPORT, |at| async move {
            // Without a second factor.
            let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"sts:AssumeRole"}]}"#;
            let request = at.aws.iam.update_assume_role_policy().role_name(at.name(SUPPORT));
            request.policy_document(trust).send().await.unwrap();
        }),
        row(Full, "iam/account-role", "managed_policies", SUPPORT, |at| async move {
            let request = at.aws.iam.attach_role_policy().role_name(at.name(SUPPORT));
            request.policy_arn("arn:aws:iam::aws:policy/AdministratorAccess").send().await.unwrap();
        }),
        row(Full, "iam/account-role", "inline_policies", ROLE, |at| async move {
            let request = at.aws.iam.delete_role_policy().role_name(at.name(ROLE)).policy_name("write-events");
            request.send().await.unwrap();
        }),
    ]
}

fn filters() -> Vec<Row> {
    const FILTER: &str = "baseline/filter/root-use";
    let changed = |field, pattern: &'static str, metric: [&'static str; 3]| {
        row(Quick, "logs/metric-filter", field, FILTER, move |at| async move {
            let group = at.id(LOG_GROUP);
            let live = at.aws.logs.describe_metric_filters().log_group_name(&group).send().await.unwrap();
            let live = live.metric_filters.unwrap().into_iter();
            let mut live = live.filter(|one| one.filter_name() == Some("rcm-account-baseline-root-use"));
            let live = live.next().unwrap();
            let now = &live.metric_transformations()[0];
            let or = |new: &'static str, now: &str| if new.is_empty() { now.to_owned() } else { new.to_owned() };
            let [namespace, name, value] = metric;
            let metric = MetricTransformation::builder().metric_namespace(or(namespace, now.metric_namespace()));
            let metric = metric.metric_name(or(name, now.metric_name())).metric_value(or(value, now.metric_value()));
            let request =
                at.aws.logs.put_metric_filter().log_group_name(group).set_filter_name(live.filter_name.clone());
            let request = request.filter_pattern(or(pattern, live.filter_pattern().unwrap()));
            request.metric_transformations(metric.build().unwrap()).send().await.unwrap();
        })
    };
    vec![
        changed("pattern", "{$.eventName=Nothing}", [""; 3]),
        changed("namespace", "", ["by-hand", "", ""]),
        changed("metric", "", ["", "ByHand", ""]),
        changed("value", "", ["", "", "0"]),
    ]
}

fn alarms() -> Vec<Row> {
    const ALARM: &str = "baseline/alarm/root-use";
    let alarm = |field, also: &'static [&'static str], change: fn(&mut MetricAlarm)| {
        let row = row(Quick, "cloudwatch/account-alarm", field, ALARM, move |at| async move {
            let found = at.aws.cloudwatch.describe_alarms().alarm_names(at.id(ALARM)).send().await.unwrap();
            let mut alarm = found.metric_alarms()[0].clone();
            change(&mut alarm);
            put(&at, alarm).await;
        });
        row.also(also)
    };
    vec![
        alarm("description", &[], |alarm| alarm.alarm_description = Some("by hand".into())),
        alarm("namespace", &[], |alarm| alarm.namespace = Some("AWS/EC2".into())),
        alarm("metric", &[], |alarm| alarm.metric_name = Some("Nothing".into())),
        alarm("statistic", &[], |alarm| alarm.statistic = Some(Statistic::Minimum)),
        alarm("dimensions", &[], |alarm| {
            alarm.dimensions = Some(vec![Dimension::builder().name("InstanceId").value("another").build()]);
        }),
        alarm("period_seconds", &[], |alarm| alarm.period = Some(60)),
        alarm("periods", &[], |alarm| alarm.evaluation_periods = Some(20)),
        alarm("periods_to_alarm", &["periods"], |alarm| {
            (alarm.evaluation_periods, alarm.datapoints_to_alarm) = (Some(20), Some(20));
        }),
        alarm("threshold", &[], |alarm| alarm.threshold = Some(99.9)),
        alarm("comparison", &[], |alarm| alarm.comparison_operator = Some(ComparisonOperator::LessThanThreshold)),
        alarm("missing_data", &[], |alarm| alarm.treat_missing_data = Some("ignore".into())),
        alarm("topic", &[], |alarm| alarm.alarm_actions = None),
    ]
}

fn topic() -> Vec<Row> {
    const TOPIC: &str = "baseline/topic";
    vec![
        row(Quick, "sns/account-topic", "kms_key", TOPIC, |at| async move {
            let key = another_key(&at).await;
            let request = at.aws.sns.set_topic_attributes().topic_arn(at.id(TOPIC));
            request.attribute_name("KmsMasterKeyId").attribute_value(key).send().await.unwrap();
        }),
        row(Quick, "sns/account-topic", "policy", TOPIC, |at| async move {
            let anybody = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sns:Publish","Resource":"*"}]}"#;
            let request = at.aws.sns.set_topic_attributes().topic_arn(at.id(TOPIC));
            request.attribute_name("Policy").attribute_value(anybody).send().await.unwrap();
        }),
    ]
}

/// Somebody turns a standard off.
fn standards() -> Vec<Row> {
    let off = |field, standard: &'static str| {
        row(Quick, "securityhub/hub", field, "baseline/security-hub", move |at| async move {
            let on = at.aws.securityhub.get_enabled_standards().send().await.unwrap().standards_subscriptions.unwrap();
            let mut on = on.into_iter().filter_map(|one| one.standards_subscription_arn);
            let arn = on.find(|arn| arn.contains(standard)).unwrap();
            let request = at.aws.securityhub.batch_disable_standards().standards_subscription_arns(arn);
            request.send().await.unwrap();
        })
    };
    vec![off("fsbp", "aws-foundational-security-best-practices"), off("cis", "cis-aws-foundations-benchmark")]
}

fn recorder() -> Vec<Row> {
    const RECORDER: &str = "baseline/recorder";
    const NAME: &str = "rcm-account-baseline";
    let recorded = |field: &'static str| {
        row(Quick, "config/recorder", field, RECORDER, move |at| async move {
            let group = RecordingGroup::builder().all_supported(field != "all_types");
            let group = group.include_global_resource_types(field != "global_types").build();
            let role = if field == "role" { "identity/task-role" } else { "baseline/recorder-role" };
            let recorder = ConfigurationRecorder::builder().name(NAME).role_arn(at.id(role)).recording_group(group);
            let request = at.aws.config.put_configuration_recorder().configuration_recorder(recorder.build());
            request.send().await.unwrap();
        })
    };
    let delivered = |field: &'static str| {
        row(Quick, "config/recorder", field, RECORDER, move |at| async move {
            let (mut bucket, mut key) = (at.id(BUCKET), at.id(KEY));
            if field == "bucket" {
                bucket = another_bucket(&at).await;
            } else {
                key = another_key(&at).await;
            }
            let channel = DeliveryChannel::builder().name(NAME).s3_bucket_name(bucket).s3_kms_key_arn(key).build();
            at.aws.config.put_delivery_channel().delivery_channel(channel).send().await.unwrap();
        })
    };
    vec![
        recorded("all_types"),
        recorded("global_types"),
        recorded("role"),
        delivered("bucket"),
        delivered("kms_key"),
        row(Quick, "config/recorder", "recording", RECORDER, |at| async move {
            at.aws.config.stop_configuration_recorder().configuration_recorder_name(NAME).send().await.unwrap();
        }),
    ]
}

/// A bucket that lets the same in, and is not the account baseline's.
async fn another_bucket(at: &At) -> String {
    let policy = at.aws.s3.get_bucket_policy().bucket(at.id(BUCKET)).send().await.unwrap().policy.unwrap();
    at.aws.s3.create_bucket().bucket("by-hand").send().await.unwrap();
    let policy = policy.replace(&at.id(BUCKET), "by-hand");
    at.aws.s3.put_bucket_policy().bucket("by-hand").policy(policy).send().await.unwrap();
    "by-hand".to_owned()
}

/// A key that lets the same in, and is not the account baseline's.
async fn another_key(at: &At) -> String {
    let policy = at.aws.kms.get_key_policy().key_id(at.id(KEY)).policy_name("default").send().await.unwrap();
    let made = at.aws.kms.create_key().set_policy(policy.policy).send().await.unwrap();
    made.key_metadata().unwrap().arn().unwrap().to_owned()
}

const KEY: &str = "baseline/key";
const BUCKET: &str = "baseline/bucket";

fn key() -> Vec<Row> {
    vec![
        row(Full, "kms/account-key", "alias", KEY, |at| async move {
            at.aws.kms.delete_alias().alias_name("alias/rcm-account-baseline").send().await.unwrap();
            let request = at.aws.kms.create_alias().alias_name("alias/by-hand").target_key_id(at.name(KEY));
            request.send().await.unwrap();
        }),
        row(Quick, "kms/account-key", "description", KEY, |at| async move {
            at.aws.kms.update_key_description().key_id(at.id(KEY)).description("by hand").send().await.unwrap();
        }),
        row(Quick, "kms/account-key", "enabled", KEY, |at| async move {
            at.aws.kms.disable_key().key_id(at.id(KEY)).send().await.unwrap();
        }),
        row(Full, "kms/account-key", "rotation_days", KEY, |at| async move {
            at.aws.kms.disable_key_rotation().key_id(at.id(KEY)).send().await.unwrap();
        }),
        row(Full, "kms/account-key", "policy", KEY, |at| async move {
            let root = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"kms:*","Resource":"*"}]}"#;
            let request = at.aws.kms.put_key_policy().key_id(at.id(KEY)).policy_name("default").policy(root);
            request.send().await.unwrap();
        }),
    ]
}

fn bucket() -> Vec<Row> {
    let kind = "s3/account-log-bucket";
    vec![
        row(Full, kind, "kms_key", BUCKET, |at| async move {
            let default = ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::Aes256);
            let rule = ServerSideEncryptionRule::builder();
            let rule = rule.apply_server_side_encryption_by_default(default.build().unwrap()).build();
            let rules = ServerSideEncryptionConfiguration::builder().rules(rule).build().unwrap();
            let request = at.aws.s3.put_bucket_encryption().bucket(at.id(BUCKET));
            request.server_side_encryption_configuration(rules).send().await.unwrap();
        }),
        row(Full, kind, "event_bridge", BUCKET, |at| async move {
            let on = EventBridgeConfiguration::builder().build();
            let everybody = NotificationConfiguration::builder().event_bridge_configuration(on).build();
            let request = at.aws.s3.put_bucket_notification_configuration().bucket(at.id(BUCKET));
            request.notification_configuration(everybody).send().await.unwrap();
        }),
        row(Full, kind, "versioned", BUCKET, |at| async move {
            let off = VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended).build();
            let request = at.aws.s3.put_bucket_versioning().bucket(at.id(BUCKET));
            request.versioning_configuration(off).send().await.unwrap();
        }),
        row(Full, kind, "public_access_blocked", BUCKET, |at| async move {
            at.aws.s3.delete_public_access_block().bucket(at.id(BUCKET)).send().await.unwrap();
        }),
        row(Full, kind, "owner_enforced", BUCKET, |at| async move {
            let rule = OwnershipControlsRule::builder().object_ownership(ObjectOwnership::ObjectWriter);
            let controls = OwnershipControls::builder().rules(rule.build().unwrap()).build().unwrap();
            let request = at.aws.s3.put_bucket_ownership_controls().bucket(at.id(BUCKET));
            request.ownership_controls(controls).send().await.unwrap();
        }),
        row(Full, kind, "policy", BUCKET, |at| async move {
            at.aws.s3.delete_bucket_policy().bucket(at.id(BUCKET)).send().await.unwrap();
        }),
        row(Full, kind, "lifecycle", BUCKET, |at| async move {
            at.aws.s3.delete_bucket_lifecycle().bucket(at.id(BUCKET)).send().await.unwrap();
        }),
    ]
}
