//! The account baseline: what HIPAA wants of the account as a whole, on top of what the partner's own stack does.
//!
//! None of it is the partner's. All deployments of the account share it, each adopts what is there, and none takes it away: what
//! that means, kind by kind, stands in [`rcm_aws::resources::baseline`]. So the trail stands on a bucket and a key that are the account's
//! too, named by account and region: a partner's purge deletes its own.

mod alarms;

use std::collections::{BTreeMap, BTreeSet};

use rcm_aws::resources::{
    accessanalyzer_analyzer::{self, Analyzer},
    account_security_contact::{self, SecurityContact},
    baseline::{LOG_GROUP, NAME},
    cloudtrail_trail::{self, Trail},
    config_conformance_pack::{self, ConformancePack},
    config_recorder::{self, Recorder},
    ec2_account_defaults::{self, AccountDefaults},
    ecr_registry_scanning::{self, RegistryScanning},
    guardduty_detector::{self, Detector},
    iam_account_role::AccountRole,
    iam_password_policy::{self, PasswordPolicy},
    iam_role,
    iam_service_linked_role::{self, ServiceLinkedRole},
    kms_account_key::AccountKey,
    kms_key::{self, Key},
    logs_account_group::AccountLogGroup,
    logs_group,
    s3_account_log_bucket::AccountLogBucket,
    s3_account_public_access_block::{self, AccountPublicAccessBlock},
    s3_bucket,
    securityhub_hub::{self, Hub},
};
use rcm_engine::model::{Graph, Ref};
use serde_json::{Value, json};

use super::{
    Blueprint, SEVEN_YEARS,
    hipaa_rules::RULES,
    identity::allow,
    security::alarms_of_this_account,
    storage::{own_arn, seven_years, tls_only},
};
use crate::config::ImageScanning;

pub(super) fn add(graph: &mut Graph, plan: &Blueprint<'_>) {
    settings(graph, plan);
    graph.add::<Analyzer>("baseline/analyzer", accessanalyzer_analyzer::Spec { name: NAME.to_owned() });
    graph.add::<Detector>("baseline/detector", guardduty_detector::Spec { enabled: true });
    let key = key(graph, plan);
    let bucket = bucket(graph, plan, &key);
    let log_group = log_group(graph, &key);
    let trail = cloudtrail_trail::Spec {
        name: NAME.to_owned(),
        bucket: bucket.clone(),
        kms_key: key.clone(),
        multi_region: true,
        validated: true,
        logging: true,
        log_group: log_group.clone(),
        log_role: log_role(graph, plan),
        management_events: true,
        s3_data_events: plan.config.baseline_s3_data_events.then_some(true),
    };
    graph.add::<Trail>("baseline/trail", trail);
    alarms::add(graph, plan, &key, &log_group);
    rules(graph, bucket, key);
    people(graph, plan);
    if plan.config.security_hub {
        let asked = |flag: bool| flag.then_some(true);
        let (fsbp, cis) = (asked(plan.config.security_hub_fsbp), asked(plan.config.security_hub_cis));
        graph.add::<Hub>("baseline/security-hub", securityhub_hub::Spec { fsbp, cis });
    }
}

/// Where the trail tells what is done, for the alarms. It may have this name in each region.
fn log_group(graph: &mut Graph, key: &Ref<AccountKey>) -> Ref<AccountLogGroup> {
    let spec = logs_group::Spec {
        name: LOG_GROUP.to_owned(),
        kms_key: Ref::<Key>::to(key.address().clone()),
        retention_days: SEVEN_YEARS,
    };
    graph.add::<AccountLogGroup>("baseline/log-group", spec)
}

/// What the trail writes there as: into its own streams alone. AWS says that [neither `aws:SourceArn` nor `aws:SourceAccount` is
/// supported](https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-required-policy-for-cloudwatch-logs.html) here.
fn log_role(graph: &mut Graph, plan: &Blueprint<'_>) -> Ref<AccountRole> {
    let streams = format!("log-group:{LOG_GROUP}:log-stream:{}_CloudTrail_{}*", plan.account(), plan.region());
    let streams = json!(plan.arn("logs", &streams));
    let writing = json!({
        "Version": "2012-10-17",
        "Statement": [allow("WriteEvents", &["logs:CreateLogStream", "logs:PutLogEvents"], streams)]
    });
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": "cloudtrail.amazonaws.com"},
            "Action": "sts:AssumeRole"
        }]
    });
    let spec = iam_role::Spec {
        name: format!("{NAME}-trail-{}", plan.region()),
        description: "Writes what the trail logs to CloudWatch Logs".into(),
        assume_role_policy: trust.into(),
        max_session_seconds: 3600,
        managed_policies: BTreeSet::new(),
        inline_policies: BTreeMap::from([("write-events".to_owned(), writing.into())]),
    };
    graph.add::<AccountRole>("baseline/trail-role", spec)
}

/// Whom AWS asks, and who may ask AWS.
fn people(graph: &mut Graph, plan: &Blueprint<'_>) {
    if let Some(phone) = &plan.config.security_phone {
        let (name, email) = (plan.config.security_contact.clone(), plan.config.security_email().to_owned());
        let contact = account_security_contact::Spec { name, email, phone: phone.clone() };
        graph.add::<SecurityContact>("baseline/security-contact", contact);
    }
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"AWS": format!("arn:{}:iam::{}:root", plan.partition(), plan.account())},
            "Action": "sts:AssumeRole",
            "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
        }]
    });
    let spec = iam_role::Spec {
        name: format!("{NAME}-support"),
        description: "Speaks with AWS Support about the account: for its own people, with a second factor".into(),
        assume_role_policy: trust.into(),
        max_session_seconds: 3600,
        managed_policies: BTreeSet::from([format!("arn:{}:iam::aws:policy/AWSSupportAccess", plan.partition())]),
        inline_policies: BTreeMap::new(),
    };
    graph.add::<AccountRole>("baseline/support-role", spec);
}

/// AWS Config: what records, and the rules that what is recorded is held against.
fn rules(graph: &mut Graph, bucket: Ref<AccountLogBucket>, kms_key: Ref<AccountKey>) {
    let role = iam_service_linked_role::Spec { service: "config.amazonaws.com".to_owned() };
    let role = graph.add::<ServiceLinkedRole>("baseline/recorder-role", role);
    let name = || NAME.to_owned();
    let recorder = config_recorder::Spec {
        name: name(),
        role,
        bucket,
        kms_key,
        all_types: true,
        global_types: true,
        recording: true,
    };
    let recorder = graph.add::<Recorder>("baseline/recorder", recorder);
    let purpose = |(rule, safeguard): &(&str, &str)| ((*rule).to_owned(), format!("45 CFR {safeguard}"));
    let pack = config_conformance_pack::Spec { name: name(), recorder, rules: RULES.iter().map(purpose).collect() };
    graph.add::<ConformancePack>("baseline/rules", pack);
}

fn settings(graph: &mut Graph, plan: &Blueprint<'_>) {
    let enhanced = plan.config.image_scanning == ImageScanning::Enhanced;
    let scanning = ecr_registry_scanning::Spec { scan_on_push: true, enhanced };
    graph.add::<RegistryScanning>("baseline/image-scanning", scanning);
    let disks = ec2_account_defaults::Spec { ebs_encryption: true, snapshots_private: true, images_private: true };
    graph.add::<AccountDefaults>("baseline/ec2-defaults", disks);
    let nothing_public = s3_account_public_access_block::Spec::everything();
    graph.add::<AccountPublicAccessBlock>("baseline/public-access-block", nothing_public);
    graph.add::<PasswordPolicy>("baseline/password-policy", iam_password_policy::Spec::cis());
}

fn key(graph: &mut Graph, plan: &Blueprint<'_>) -> Ref<AccountKey> {
    let spec = kms_key::Spec {
        alias: format!("alias/{NAME}"),
        description: "The logs of the account baseline, shared by all that rcm runs in this account".to_owned(),
        rotation_days: 365,
        policy: key_policy(plan).into(),
        enabled: true,
    };
    graph.add::<AccountKey>("baseline/key", spec)
}

fn bucket(graph: &mut Graph, plan: &Blueprint<'_>, key: &Ref<AccountKey>) -> Ref<AccountLogBucket> {
    let spec = s3_bucket::Spec {
        name: format!("{NAME}-{}-{}", plan.account(), plan.region()),
        kms_key: Some(Ref::<Key>::to(key.address().clone())),
        versioned: true,
        public_access_blocked: true,
        owner_enforced: true,
        policy: bucket_policy(plan).into(),
        lifecycle: seven_years(),
        access_logs: None,
        event_bridge: false,
    };
    graph.add::<AccountLogBucket>("baseline/bucket", spec)
}

/// The account administers the key, and so may decrypt; CloudTrail encrypts with it for the baseline's trail, Config for its channel,
/// CloudWatch Logs for the trail's log group, CloudWatch for the alarms.
fn key_policy(plan: &Blueprint<'_>) -> Value {
    let log_group = format!("log-group:{LOG_GROUP}");
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "AccountAdministers",
                "Effect": "Allow",
                "Principal": {"AWS": format!("arn:{}:iam::{}:root", plan.partition(), plan.account())},
                "Action": "kms:*",
                "Resource": "*"
            },
            {
                "Sid": "TrailEncrypts",
                "Effect": "Allow",
                "Principal": {"Service": "cloudtrail.amazonaws.com"},
                "Action": "kms:GenerateDataKey*",
                "Resource": "*",
                "Condition": {
                    "StringEquals": {"aws:SourceArn": trail_arn(plan)},
                    "StringLike": {
                        "kms:EncryptionContext:aws:cloudtrail:arn":
                            format!("arn:{}:cloudtrail:*:{}:trail/*", plan.partition(), plan.account())
                    }
                }
            },
            {
                "Sid": "TrailLooksAtTheKey",
                "Effect": "Allow",
                "Principal": {"Service": "cloudtrail.amazonaws.com"},
                "Action": "kms:DescribeKey",
                "Resource": "*",
                "Condition": {"StringEquals": {"aws:SourceArn": trail_arn(plan)}}
            },
            {
                "Sid": "RecorderEncrypts",
                "Effect": "Allow",
                "Principal": {"Service": "config.amazonaws.com"},
                "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
                "Resource": "*",
                "Condition": {"StringEquals": {"aws:SourceAccount": plan.account()}}
            },
            {
                "Sid": "LogGroupEncrypts",
                "Effect": "Allow",
                "Principal": {"Service": format!("logs.{}.amazonaws.com", plan.region())},
                "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
                "Resource": "*",
                "Condition": {"ArnEquals": {"kms:EncryptionContext:aws:logs:arn": plan.arn("logs", &log_group)}}
            },
            alarms_of_this_account(plan)
        ]
    })
}

fn bucket_policy(plan: &Blueprint<'_>) -> Value {
    let bucket = own_arn(plan);
    json!({
        "Version": "2012-10-17",
        "Statement": [
            tls_only(plan),
            {
                "Sid": "TrailLooksAtTheBucket",
                "Effect": "Allow",
                "Principal": {"Service": "cloudtrail.amazonaws.com"},
                "Action": "s3:GetBucketAcl",
                "Resource": bucket,
                "Condition": {"StringEquals": {"aws:SourceArn": trail_arn(plan)}}
            },
            {
                "Sid": "TrailWrites",
                "Effect": "Allow",
                "Principal": {"Service": "cloudtrail.amazonaws.com"},
                "Action": "s3:PutObject",
                "Resource": format!("{bucket}/AWSLogs/{}/*", plan.account()),
                "Condition": {
                    "StringEquals": {
                        "aws:SourceArn": trail_arn(plan), "s3:x-amz-acl": "bucket-owner-full-control"
                    }
                }
            },
            {
                "Sid": "RecorderLooksAtTheBucket",
                "Effect": "Allow",
                "Principal": {"Service": "config.amazonaws.com"},
                "Action": ["s3:GetBucketAcl", "s3:ListBucket"],
                "Resource": bucket,
                "Condition": {"StringEquals": {"aws:SourceAccount": plan.account()}}
            },
            {
                "Sid": "RecorderWrites",
                "Effect": "Allow",
                "Principal": {"Service": "config.amazonaws.com"},
                "Action": "s3:PutObject",
                "Resource": format!("{bucket}/AWSLogs/{}/Config/*", plan.account()),
                "Condition": {
                    "StringEquals": {
                        "aws:SourceAccount": plan.account(), "s3:x-amz-acl": "bucket-owner-full-control"
                    }
                }
            }
        ]
    })
}

fn trail_arn(plan: &Blueprint<'_>) -> String {
    plan.arn("cloudtrail", &format!("trail/{NAME}"))
}
