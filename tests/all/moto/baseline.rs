//! The account baseline over HTTP: two partners in one account, and what stands when one of them has left. Read back by boto3.

use rcm_sandbox::Sandbox;
use rcm_testkit::calls::Recorder;
use rcm_testkit::{Moto, boto3};
use serde_json::json;

use crate::bench::{ACME, Bench};

/// All that is the account's, in one shape.
const ACCOUNT: &str = "
import os, urllib.request
rules, trails, guardduty = client('config'), client('cloudtrail'), client('guardduty')
[trail] = trails.describe_trails()['trailList']
[recorder] = rules.describe_configuration_recorders()['ConfigurationRecorders']
[channel] = rules.describe_delivery_channels()['DeliveryChannels']
[status] = rules.describe_configuration_recorder_status()['ConfigurationRecordersStatus']
[pack] = rules.describe_conformance_pack_status()['ConformancePackStatusDetails']
[detector] = guardduty.list_detectors()['DetectorIds']
logs, topics = client('logs'), client('sns')
[group] = logs.describe_log_groups(logGroupNamePrefix='/aws/cloudtrail/')['logGroups']
filters = logs.describe_metric_filters(logGroupName=group['logGroupName'])['metricFilters']
[topic] = topics.list_topics()['Topics']
[subscription] = topics.list_subscriptions_by_topic(TopicArn=topic['TopicArn'])['Subscriptions']
selectors = trails.get_event_selectors(TrailName=trail['Name'])['AdvancedEventSelectors']
contact = client('account').get_alternate_contact(AlternateContactType='SECURITY')['AlternateContact']
support = client('iam').list_attached_role_policies(RoleName='rcm-account-baseline-support')['AttachedPolicies']
policy = client('iam').get_account_password_policy()['PasswordPolicy']
# boto3 puts the account in front of the host of S3 Control, which resolves nowhere here.
block = urllib.request.Request(os.environ['AWS_ENDPOINT_URL'] + '/v20180820/configuration/publicAccessBlock', headers={
    'x-amz-account-id': '123456789012',
    'Authorization': 'AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0',
})
block = urllib.request.urlopen(block).read().decode().lower()
say({
    'trail': [trail['IsMultiRegionTrail'], trail['LogFileValidationEnabled'], trail['S3BucketName'] == channel['s3BucketName']],
    'logs': trails.get_trail_status(Name=trail['Name'])['IsLogging'],
    'group': [trail['CloudWatchLogsLogGroupArn'] == group['arn'], group['kmsKeyId'] == trail['KmsKeyId'], group['retentionInDays']],
    'role': trail['CloudWatchLogsRoleArn'].split(':')[-1],
    'selected': [[field['Equals'] for field in selector['FieldSelectors']] for selector in selectors],
    'filters': [len(filters), sorted(one['filterName'] for one in filters)[-1]],
    'topic': [topic['TopicArn'].split(':')[-1], subscription['Endpoint']],
    'contact': [contact['Name'], contact['EmailAddress'], contact['PhoneNumber']],
    'support': [policy['PolicyName'] for policy in support],
    'key': client('kms').describe_key(KeyId=trail['KmsKeyId'])['KeyMetadata']['KeyState'],
    'bucket': client('s3').get_bucket_versioning(Bucket=trail['S3BucketName'])['Status'],
    'recorder': [recorder['name'], recorder['recordingGroup']['allSupported'], status['recording']],
    'pack': pack['ConformancePackName'],
    'detector': guardduty.get_detector(DetectorId=detector)['Status'],
    'passwords': [policy['MinimumPasswordLength'], policy['PasswordReusePrevention'], policy['MaxPasswordAge']],
    'block': [block.count('>true<'), block.count('>false<')],
    'disks': client('ec2').get_ebs_encryption_by_default()['EbsEncryptionByDefault'],
    'snapshots': client('ec2').get_snapshot_block_public_access_state()['State'],
})
";

/// moto has no Access Analyzer, and of CloudWatch another protocol than the SDK; the sandbox has both. Its address, for as long as the process lives.
fn beside_moto() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let sandbox = Sandbox::open(dir.path(), "123456789012", "us-east-1").await.unwrap();
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            sandbox.serve(listener, std::future::pending()).await.unwrap();
        });
    });
    url
}

#[test]
fn two_partners_share_the_baseline_and_it_stands_when_one_has_left() {
    let moto = Moto::start();
    let recorder = Recorder::start(&moto.endpoint());
    let beside = beside_moto();
    let bench = Bench::at(&recorder.endpoint()).env("AWS_ENDPOINT_URL_ACCESSANALYZER", &beside);
    let bench = bench.env("AWS_ENDPOINT_URL_CLOUDWATCH", &beside);
    let settings = "account_baseline = true\nsecurity_email = \"security@acme.com\"\nsecurity_phone = \"+1 555 0100\"";
    let acme = ACME.replace("account_baseline = false", settings);
    let globex = acme.replace("acme-rcm", "globex-rcm").replace("rcm.acme.com", "rcm.globex.com");
    bench.partner("acme", &acme);
    bench.partner("globex", &globex);
    let globex = |arguments: &str| bench.run_as("globex", arguments);

    let _ = bench.run("provision --yes").expect_code(0);
    let expected = json!({
        "trail": [true, true, true],
        "logs": true,
        "group": [true, true, 2557],
        "role": "role/rcm-account-baseline-trail-us-east-1",
        "selected": [[["Management"]], [["Data"], ["AWS::S3::Object"]]],
        "filters": [14, "rcm-account-baseline-vpc-changes"],
        "topic": ["rcm-account-baseline-alarms", "security@acme.com"],
        "contact": ["Security team", "security@acme.com", "+1 555 0100"],
        "support": ["AWSSupportAccess"],
        "key": "Enabled",
        "bucket": "Enabled",
        "recorder": ["rcm-account-baseline", true, true],
        "pack": "rcm-account-baseline",
        "detector": "ENABLED",
        "passwords": [14, 24, 90],
        "block": [4, 0],
        "disks": true,
        "snapshots": "block-all-sharing",
    });
    assert_eq!(boto3(&moto.endpoint(), ACCOUNT), expected);

    let adopted = globex("provision --yes").expect_code(0);
    assert!(adopted.stdout.contains("exists already and is taken up"), "{}", adopted.transcript());
    assert_eq!(boto3(&moto.endpoint(), ACCOUNT), expected, "nothing is there twice");
    let _ = globex("plan --detailed-exitcode --refresh full").expect_code(0);
    let _ = bench.run("plan --detailed-exitcode --refresh full").expect_code(0);

    let left = bench.run("destroy --yes").expect_code(0);
    assert!(left.stdout.contains("left to the account"), "{}", left.transcript());
    assert_eq!(boto3(&moto.endpoint(), ACCOUNT), expected, "globex still has it");
    let _ = globex("plan --detailed-exitcode").expect_code(0);

    // Somebody stops the trail, and globex starts it again.
    boto3(&moto.endpoint(), "client('cloudtrail').stop_logging(Name='rcm-account-baseline'); say(None)");
    let planned = globex("plan --detailed-exitcode").expect_code(2);
    assert!(planned.stdout.contains("logging: false → true"), "{}", planned.transcript());
    let _ = globex("provision --yes").expect_code(0);
    assert_eq!(boto3(&moto.endpoint(), ACCOUNT), expected);
}
