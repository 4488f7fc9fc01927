//! Acme's whole environment over HTTP: made, left alone, changed, taken away. What is in the cloud is read by boto3.

use std::{fs, path::Path};

use rcm::aws::{Aws, Connect};
use rcm_sandbox::Sandbox;
use rcm_testkit::calls::Recorder;
use rcm_testkit::{Moto, Rcm, boto3, inventory};
use serde_json::{Value, json};

use super::{announced, stack};

pub(super) const PREFIX: &str = "acme-rcm-prod";

struct Stage {
    _moto: Moto,
    /// moto does not speak what the SDK of CloudWatch speaks, so that is played by the sandbox.
    cloudwatch: Played,
    recorder: Recorder,
    rcm: Rcm,
    endpoint: String,
    partners: tempfile::TempDir,
}

/// A sandbox over HTTP, for one service of it. It ends with its test.
struct Played {
    recorder: Recorder,
    sandbox: Sandbox,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
}

impl Played {
    fn start() -> Self {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let dir = tempfile::tempdir().unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let sandbox = Sandbox::open(dir.path(), Moto::ACCOUNT, "us-east-1").await.unwrap();
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send((listener.local_addr().unwrap().port(), sandbox.clone())).unwrap();
                sandbox.serve(listener, async { drop(stopped.await) }).await.unwrap();
            });
        });
        let (port, sandbox) = told.recv().unwrap();
        Self { recorder: Recorder::start(&format!("http://127.0.0.1:{port}")), sandbox, stop: Some(stop) }
    }

    /// How many alarms there are.
    fn alarms(&self) -> usize {
        let in_process = Some(self.sandbox.http_client());
        let connect = Connect { region: "us-east-1".into(), in_process, ..Connect::default() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let aws = Aws::connect(&connect).await;
            aws.cloudwatch.describe_alarms().send().await.unwrap().metric_alarms().len()
        })
    }
}

impl Drop for Played {
    fn drop(&mut self) {
        drop(self.stop.take());
    }
}

impl Stage {
    fn new() -> Self {
        let moto = Moto::start();
        let recorder = Recorder::start(&moto.endpoint());
        let partners = tempfile::tempdir().unwrap();
        // AWS Backup would ask for a key and a role that are in moto, and moto has no selections: reliability::backups has them.
        let shipped = fs::read_to_string(rcm_testkit::root().join("partners/acme.toml")).unwrap();
        let file = shipped + "\nbackup_plan = false\n";
        rcm::engine::store::write_atomically(&partners.path().join("acme.toml"), file.as_bytes()).unwrap();
        let cloudwatch = Played::start();
        let rcm = Rcm::new(&recorder.endpoint(), partners.path());
        let rcm = rcm.env("AWS_ENDPOINT_URL_CLOUDWATCH", cloudwatch.recorder.endpoint());
        Self { endpoint: moto.endpoint(), _moto: moto, cloudwatch, recorder, rcm, partners }
    }

    fn rcm(&self, arguments: &str) -> String {
        self.rcm.run(arguments.split(' ')).expect_code(0).stdout
    }

    fn inventory(&self) -> Value {
        inventory(&self.endpoint)
    }

    /// Every mutating call belongs to a resource whose `begin` is in the journal and whose end is not, for as long as the test
    /// goes on.
    fn watch_the_journal(&self) {
        let directory = self.rcm.state_dir().join("acme");
        announced::watch(&self.recorder, directory.clone());
        announced::watch(&self.cloudwatch.recorder, directory);
    }

    /// What was called without an announcement.
    fn unannounced(&self) -> Vec<String> {
        [self.recorder.objections(), self.cloudwatch.recorder.objections()].concat()
    }
}

fn write(path: impl AsRef<Path>, text: &str) {
    rcm::engine::store::write_atomically(path.as_ref(), text.as_bytes()).unwrap();
}

/// The one entry of `kind` in which `field` is `value`.
pub(super) fn one<'a>(inventory: &'a Value, kind: &str, field: &str, value: &str) -> &'a Value {
    let entries = inventory.pointer(kind).and_then(Value::as_array).unwrap_or_else(|| panic!("no {kind}"));
    let found: Vec<_> = entries.iter().filter(|entry| entry[field] == value).collect();
    assert_eq!(found.len(), 1, "{kind} with {field} = {value} in {entries:#?}");
    found[0]
}

fn count(inventory: &Value, kind: &str) -> usize {
    inventory.pointer(kind).and_then(Value::as_array).unwrap_or_else(|| panic!("no {kind}")).len()
}

#[test]
fn acme_is_provisioned_left_alone_changed_and_destroyed() {
    let stage = Stage::new();
    stage.watch_the_journal();
    let ran = stage
        .rcm
        .run("provision --partner acme --yes --accept-risk rds-in-backup-plan --reason moto".split(' '))
        .expect_code(0);
    // Six sevenths of it are the command's own code, which is mapped as it is called: a bare stack calls less (moto::dns).
    assert!((1..112 * 1024).contains(&ran.peak_kib), "{} KiB", ran.peak_kib);
    assert_eq!(stage.unannounced(), Vec::<String>::new());
    let made = stage.inventory();
    stack::is_as_designed(&made);
    network(&made);
    kept_things(&made);
    database(&made, &stage.endpoint);
    edge(&made);
    firewall(&made);
    compute(&made);
    tagged(&made);

    watching(&stage);

    stage.recorder.clear();
    stage.cloudwatch.recorder.clear();
    stage.rcm("provision --partner acme --yes --accept-risk rds-in-backup-plan --reason moto");
    let calls = stage.recorder.calls();
    assert!(calls.mutating().is_empty(), "{}", calls.mutating());
    // 30 for the bare stack; the flow log and its role; the topic and its subscription; the network ACLs; the role of enhanced monitoring;
    // the web ACL and what is behind it; the subscriptions to RDS's events.
    assert!(calls.len() <= 39, "{} calls: {calls}", calls.len());
    let calls = stage.cloudwatch.recorder.calls();
    assert!(calls.mutating().is_empty() && calls.len() <= 2, "{} calls: {calls}", calls.len());
    stage.rcm("plan --partner acme --refresh full --detailed-exitcode");

    change(&stage);
    endpoints(&stage);
    assert_eq!(stage.unannounced(), Vec::<String>::new());

    stage.recorder.clear();
    stage.rcm("destroy --partner acme --yes");
    assert_eq!(stage.unannounced(), Vec::<String>::new());
    only_what_is_kept(&stage.inventory());
    assert_eq!(stage.cloudwatch.alarms(), 0);
    stage.rcm("provision --partner acme --yes --accept-risk rds-in-backup-plan --reason moto");
    let again = stage.inventory();
    assert_eq!(count(&again, "/kms/keys"), 1, "the kept key is in use again");
    compute(&again);
}

fn watching(stage: &Stage) {
    let seen = boto3(
        &stage.endpoint,
        "
log = client('ec2').describe_flow_logs()['FlowLogs'][0]
role = client('iam').get_role(RoleName=log['DeliverLogsPermissionArn'].split('/')[-1])['Role']
topic = client('sns').list_topics()['Topics'][0]['TopicArn']
told = client('sns').list_subscriptions_by_topic(TopicArn=topic)['Subscriptions']
say({
    'log': [log['ResourceId'][:4], log['LogGroupName'], log['TrafficType'], log['MaxAggregationInterval']],
    'trust': role['AssumeRolePolicyDocument']['Statement'][0]['Principal']['Service'],
    'key': client('sns').get_topic_attributes(TopicArn=topic)['Attributes']['KmsMasterKeyId'].split(':')[2],
    'told': [[one['Protocol'], one['Endpoint']] for one in told],
})
",
    );
    assert_eq!(seen["log"], json!(["vpc-", format!("/vpc/{PREFIX}"), "ALL", 60]));
    assert_eq!(seen["trust"], "vpc-flow-logs.amazonaws.com");
    assert_eq!((&seen["key"], &seen["told"]), (&json!("kms"), &json!([["email", "support@acme.com"]])));
    let calls = stage.cloudwatch.recorder.calls();
    assert_eq!((calls.of("PutMetricAlarm").len(), stage.cloudwatch.alarms()), (9, 9), "{calls}");
    assert_eq!(calls.len(), calls.iter().filter(|call| call.operation.service == "monitoring").count());
}

fn network(made: &Value) {
    let vpc = one(made, "/ec2/vpcs", "CidrBlock", "10.0.0.0/16");
    assert_eq!((&vpc["enable_dns_support"], &vpc["enable_dns_hostnames"]), (&json!(true), &json!(true)));
    assert_eq!(count(made, "/ec2/nat_gateways"), 1);
    assert_eq!(count(made, "/ec2/route_tables"), 3);
    let acls = made.pointer("/ec2/network_acls").and_then(Value::as_array).unwrap();
    assert_eq!(acls.len(), 3);
    assert!(acls.iter().all(|acl| acl["Associations"].as_array().unwrap().len() == 2), "{acls:#?}");
    let default = &made.pointer("/ec2/default_security_groups").unwrap()[0];
    assert_eq!((&default["IpPermissions"], &default["IpPermissionsEgress"]), (&json!([]), &json!([])));
    let endpoint = one(made, "/ec2/vpc_endpoints", "ServiceName", "com.amazonaws.us-east-1.s3");
    assert_eq!(endpoint["RouteTableIds"].as_array().unwrap().len(), 2);
}

fn kept_things(made: &Value) {
    let key = &made.pointer("/kms/keys").unwrap()[0];
    assert_eq!((&key["KeyState"], &key["rotation"]["KeyRotationEnabled"]), (&json!("Enabled"), &json!(true)));
    for (name, algorithm) in [("logs", "aws:kms"), ("alb-logs", "AES256")] {
        let bucket = one(made, "/s3/buckets", "Name", &format!("{PREFIX}-{name}-123456789012-us-east-1"));
        let rule = &bucket["encryption"]["Rules"][0]["ApplyServerSideEncryptionByDefault"];
        assert_eq!(rule["SSEAlgorithm"], algorithm);
        assert_eq!(bucket["versioning"], "Enabled");
        assert_eq!(bucket["ownership"]["Rules"][0]["ObjectOwnership"], "BucketOwnerEnforced");
        assert!(bucket["policy"].to_string().contains("aws:SecureTransport"), "{bucket}");
        assert_eq!(bucket["lifecycle"][0]["Expiration"]["Days"], 2557);
        assert!(bucket["public_access_block"].as_object().unwrap().values().all(|blocked| blocked == true));
    }
    for name in [
        "/ecs/acme-rcm-prod",
        "/aws/rds/instance/acme-rcm-prod-db/postgresql",
        "/aws/rds/instance/acme-rcm-prod-db/upgrade",
        "/aws/ecs/containerinsights/acme-rcm-prod-cluster/performance",
    ] {
        let group = one(made, "/logs/groups", "logGroupName", name);
        assert_eq!((&group["retentionInDays"], &group["kmsKeyId"]), (&json!(2557), &key["Arn"]));
    }
    for name in ["api", "web"] {
        let repository = one(made, "/ecr/repositories", "repositoryName", &format!("{PREFIX}-{name}"));
        assert_eq!(repository["encryptionConfiguration"]["kmsKey"], key["Arn"]);
        assert_eq!(repository["imageTagMutability"], "IMMUTABLE");
        assert_eq!(repository["imageScanningConfiguration"]["scanOnPush"], true);
        assert_eq!(repository["lifecycle_policy"]["rules"].as_array().unwrap().len(), 2);
    }
    for name in ["database-url", "jwt-secret", "database-password"] {
        let secret = one(made, "/secretsmanager/secrets", "Name", &format!("acme-rcm/{name}"));
        assert_eq!(secret["KmsKeyId"], key["Arn"]);
    }
}

fn database(made: &Value, endpoint: &str) {
    let instance = one(made, "/rds/instances", "DBInstanceIdentifier", &format!("{PREFIX}-db"));
    let expected = json!({
        "DBInstanceClass": "db.t3.medium", "MultiAZ": true, "StorageEncrypted": true, "DeletionProtection": true,
        "PubliclyAccessible": false, "BackupRetentionPeriod": 35, "CopyTagsToSnapshot": true,
        "AutoMinorVersionUpgrade": true, "MaxAllocatedStorage": 500, "DBName": "rcm", "Engine": "postgres",
        "IAMDatabaseAuthenticationEnabled": true, "PerformanceInsightsEnabled": true, "MonitoringInterval": 60,
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&instance[field], value, "{field}");
    }
    assert_eq!(instance["EnabledCloudwatchLogsExports"], json!(["postgresql", "upgrade"]));
    assert_eq!(instance["KmsKeyId"], made.pointer("/kms/keys").unwrap()[0]["Arn"]);
    let url = boto3(
        endpoint,
        "
def read(name):
    return client('secretsmanager').get_secret_value(SecretId=name)['SecretString']
say([read('acme-rcm/database-url').replace(read('acme-rcm/database-password'), '***'), len(read('acme-rcm/jwt-secret'))])
",
    );
    let host = instance["Endpoint"]["Address"].as_str().unwrap();
    assert_eq!(url, json!([format!("postgresql://rcm_admin:***@{host}:5432/rcm?sslmode=require"), 64]));
}

fn firewall(made: &Value) {
    let acl = one(made, "/wafv2/web_acls", "Name", &format!("{PREFIX}-web"));
    let balancer = one(made, "/elbv2/load_balancers", "LoadBalancerName", &format!("{PREFIX}-alb"));
    assert_eq!(balancer["web_acl"]["ARN"], acl["ARN"]);
    let rules = acl["Rules"].as_array().unwrap();
    let groups: Vec<_> = rules.iter().map(|rule| &rule["Statement"]["ManagedRuleGroupStatement"]["Name"]).collect();
    let expected = ["AmazonIpReputationList", "CommonRuleSet", "KnownBadInputsRuleSet", "SQLiRuleSet"];
    assert_eq!(groups, expected.map(|name| format!("AWSManagedRules{name}")).each_ref());
    assert!(rules.iter().all(|rule| rule["OverrideAction"] == json!({"None": {}})), "{rules:#?}");
    let overrides = &rules[1]["Statement"]["ManagedRuleGroupStatement"]["RuleActionOverrides"];
    assert_eq!(*overrides, json!([{"Name": "SizeRestrictions_BODY", "ActionToUse": {"Count": {}}}]));
    let destination = acl["logging"]["LogDestinationConfigs"][0].as_str().unwrap();
    assert!(destination.ends_with(&format!(":log-group:aws-waf-logs-{PREFIX}")), "{destination}");
    let redacted = acl["logging"]["RedactedFields"].as_array().unwrap();
    let redacted: Vec<_> = redacted.iter().map(|field| &field["SingleHeader"]["Name"]).collect();
    assert_eq!(redacted, ["authorization", "cookie"]);
    assert_eq!(
        acl["DataProtectionConfig"]["DataProtections"][0]["Field"]["FieldKeys"],
        json!(["authorization", "cookie"])
    );
    let logs = one(made, "/logs/groups", "logGroupName", &format!("aws-waf-logs-{PREFIX}"));
    assert_eq!(logs["retentionInDays"], 2557);
    assert!(logs["kmsKeyId"].is_string());
}

fn edge(made: &Value) {
    let balancer = one(made, "/elbv2/load_balancers", "LoadBalancerName", &format!("{PREFIX}-alb"));
    let attributes = &balancer["attributes"];
    assert_eq!(attributes["access_logs.s3.enabled"], "true");
    assert_eq!(attributes["access_logs.s3.bucket"], format!("{PREFIX}-alb-logs-123456789012-us-east-1"));
    assert_eq!(attributes["deletion_protection.enabled"], "true");
    assert_eq!(attributes["routing.http.drop_invalid_header_fields.enabled"], "true");
    let group = one(made, "/elbv2/target_groups", "TargetGroupName", &format!("{PREFIX}-api"));
    assert_eq!((&group["HealthCheckPath"], &group["TargetType"]), (&json!("/health"), &json!("ip")));
    let http = one(made, "/elbv2/listeners", "Protocol", "HTTP");
    assert_eq!(http["DefaultActions"][0]["RedirectConfig"]["Protocol"], "HTTPS");
    let https = one(made, "/elbv2/listeners", "Protocol", "HTTPS");
    assert!(https["SslPolicy"].as_str().unwrap().contains("TLS13"));
    assert_eq!(
        https["Certificates"][0]["CertificateArn"],
        made.pointer("/acm/certificates").unwrap()[0]["CertificateArn"]
    );
    assert_eq!(https["DefaultActions"][0]["TargetGroupArn"], group["TargetGroupArn"]);
}

fn compute(made: &Value) {
    let cluster = one(made, "/ecs/clusters", "clusterName", &format!("{PREFIX}-cluster"));
    assert_eq!(cluster["capacityProviders"], json!(["FARGATE", "FARGATE_SPOT"]));
    assert_eq!(cluster["settings"], json!([{"name": "containerInsights", "value": "enabled"}]));
    let service = one(made, "/ecs/services", "serviceName", &format!("{PREFIX}-api"));
    assert_eq!(service["desiredCount"], 0, "no image has been deployed");
    let network = &service["deployments"][0]["networkConfiguration"]["awsvpcConfiguration"];
    assert_eq!(network["assignPublicIp"], "DISABLED");
    let definitions = made.pointer("/ecs/task_definitions").and_then(Value::as_array).unwrap();
    assert_eq!(definitions.len(), 1, "one active revision");
    let container = &definitions[0]["containerDefinitions"][0];
    assert_eq!((&container["readonlyRootFilesystem"], &container["user"]), (&json!(true), &json!("1000:1000")));
    assert_eq!(container["logConfiguration"]["options"]["awslogs-group"], "/ecs/acme-rcm-prod");
    for (name, value) in
        [("BRAND_NAME", "Acme Healthcare RCM"), ("SUPPORT_EMAIL", "support@acme.com"), ("PRIMARY_COLOR", "#FF5722")]
    {
        assert!(container["environment"].as_array().unwrap().contains(&json!({"name": name, "value": value})));
    }
    for role in ["ecs-execution", "ecs-task"] {
        let role = one(made, "/iam/roles", "RoleName", &format!("{PREFIX}-{role}"));
        assert_eq!(role["attached_policies"], json!([]));
        assert!(role["AssumeRolePolicyDocument"].to_string().contains("aws:SourceAccount"));
    }
    let target = &made.pointer("/application_autoscaling/scalable_targets").unwrap()[0];
    assert_eq!((&target["MinCapacity"], &target["MaxCapacity"]), (&json!(0), &json!(10)), "no image, no minimum");
    let policy = made.pointer("/application_autoscaling/scaling_policies/0").unwrap();
    assert_eq!(policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"], 70.0);
}

/// Every resource carries all of our tags.
fn tagged(made: &Value) {
    // AWS has no tags on aliases and policies and does not let the default group be tagged by its maker.
    let without = ["aliases", "default_security_groups", "scaling_policies", "scheduled_actions"];
    for (service, kinds) in made.as_object().unwrap() {
        for (kind, entries) in kinds.as_object().unwrap().iter().filter(|(kind, _)| !without.contains(&kind.as_str())) {
            for entry in entries.as_array().unwrap() {
                for tag in ["rcm:partner", "rcm:environment", "rcm:address", "Project", "Environment", "Partner"] {
                    assert!(entry["tags"][tag].is_string(), "{service}.{kind} has no tag {tag}: {entry}");
                }
                assert_eq!(entry["tags"]["ManagedBy"], "rcm", "{service}.{kind}");
            }
        }
    }
}

/// Another name and size, and every way of scaling: a new revision of the task definition that the service takes up, updates in place,
/// and what is new.
fn change(stage: &Stage) {
    let file = stage.partners.path().join("acme.toml");
    let shipped = fs::read_to_string(&file).unwrap();
    let changed = shipped.replace("Acme Healthcare RCM", "Acme Health");
    write(&file, &format!("{changed}\necs_cpu = 2048\necs_memory = 4096\necs_max_count = 12\n{SCALING}"));
    let planned = stage.rcm.run(["plan", "--partner", "acme", "--detailed-exitcode"]).expect_code(2);
    for says in ["scalable-target", "task-definition", "replace"] {
        assert!(planned.stdout.contains(says), "{}", planned.transcript());
    }
    stage.rcm("provision --partner acme --yes --accept-risk rds-in-backup-plan --reason moto");
    let changed = stage.inventory();
    let definition = changed.pointer("/ecs/task_definitions/0").unwrap();
    assert_eq!(
        (&definition["cpu"], &definition["memory"], &definition["revision"]),
        (&json!("2048"), &json!("4096"), &json!(2))
    );
    assert!(definition.to_string().contains("Acme Health\""), "{definition:#}");
    assert_eq!(count(&changed, "/ecs/task_definitions"), 1, "the old revision is not active any more");
    let service = one(&changed, "/ecs/services", "serviceName", &format!("{PREFIX}-api"));
    assert_eq!(service["taskDefinition"], definition["taskDefinitionArn"]);
    let target = changed.pointer("/application_autoscaling/scalable_targets/0").unwrap();
    assert_eq!(target["MaxCapacity"], 12);
    scaling(&changed);
    write(&file, &shipped);
}

/// Every way of scaling that the partner file has. Without an image there is nothing for a schedule to start.
const SCALING: &str = r#"
ecs_scale_memory = 75
ecs_scale_requests = 1000
ecs_schedules = [{ name = "night", schedule = "cron(0 20 * * ? *)", timezone = "America/New_York", min = 1, max = 2 }]
api_image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/acme-rcm-prod-api@sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
"#;

fn scaling(changed: &Value) {
    let tail = |arn: &Value, word: &str| arn.as_str().unwrap().split_once(word).unwrap().1.to_owned();
    let balancer = one(changed, "/elbv2/load_balancers", "LoadBalancerName", &format!("{PREFIX}-alb"));
    let group = one(changed, "/elbv2/target_groups", "TargetGroupName", &format!("{PREFIX}-api"));
    let label = format!(
        "{}/targetgroup/{}",
        tail(&balancer["LoadBalancerArn"], ":loadbalancer/"),
        tail(&group["TargetGroupArn"], ":targetgroup/")
    );
    for (name, metric, value) in [
        ("cpu", json!({"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}), 70.0),
        ("memory", json!({"PredefinedMetricType": "ECSServiceAverageMemoryUtilization"}), 75.0),
        ("requests", json!({"PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": label}), 1000.0),
    ] {
        let kind = "/application_autoscaling/scaling_policies";
        let policy = one(changed, kind, "PolicyName", &format!("{PREFIX}-{name}-scaling"));
        let tracking = &policy["TargetTrackingScalingPolicyConfiguration"];
        assert_eq!((&tracking["PredefinedMetricSpecification"], &tracking["TargetValue"]), (&metric, &json!(value)));
    }
    let night =
        one(changed, "/application_autoscaling/scheduled_actions", "ScheduledActionName", &format!("{PREFIX}-night"));
    assert_eq!((&night["Schedule"], &night["Timezone"]), (&json!("cron(0 20 * * ? *)"), &json!("America/New_York")));
    assert_eq!(night["ScalableTargetAction"], json!({"MinCapacity": 1, "MaxCapacity": 2}));
}

/// Log buckets, log groups, the key, a last snapshot, and secrets in their recovery window. Nothing else.
/// Ways to AWS without the internet come beside the running stack, are read by the one question about endpoints, and go with everything else.
fn endpoints(stage: &Stage) {
    let file = stage.partners.path().join("acme.toml");
    let shipped = fs::read_to_string(&file).unwrap();
    write(&file, &format!("{shipped}\nvpc_endpoints = true\n"));
    stage.rcm("provision --partner acme --yes");
    let made = stage.inventory();
    let group = one(&made, "/ec2/security_groups", "GroupName", &format!("{PREFIX}-endpoints"));
    let service = one(&made, "/ec2/security_groups", "GroupName", &format!("{PREFIX}-service"));
    let ingress = group["IpPermissions"].as_array().unwrap();
    assert_eq!((ingress.len(), &ingress[0]["FromPort"], &ingress[0]["IpRanges"]), (1, &json!(443), &json!([])));
    assert_eq!(ingress[0]["UserIdGroupPairs"][0]["GroupId"], service["GroupId"]);
    assert_eq!(group["IpPermissionsEgress"], json!([]));
    for name in ["ecr.api", "ecr.dkr", "logs", "secretsmanager", "ec2"] {
        let endpoint = one(&made, "/ec2/vpc_endpoints", "ServiceName", &format!("com.amazonaws.us-east-1.{name}"));
        assert_eq!((&endpoint["VpcEndpointType"], &endpoint["PrivateDnsEnabled"]), (&json!("Interface"), &json!(true)));
        assert_eq!(endpoint["SubnetIds"].as_array().unwrap().len(), 2, "{endpoint:#}");
        assert_eq!(endpoint["Groups"][0]["GroupId"], group["GroupId"]);
        let policy: Value = serde_json::from_str(endpoint["PolicyDocument"].as_str().unwrap()).unwrap();
        let account = &policy["Statement"][0]["Condition"]["StringEquals"]["aws:PrincipalAccount"];
        assert_eq!(account, "123456789012");
    }
    stage.recorder.clear();
    stage.rcm("provision --partner acme --yes");
    let calls = stage.recorder.calls();
    assert!(calls.mutating().is_empty() && calls.of("DescribeVpcEndpoints").len() == 1, "{calls}");
    write(&file, &shipped);
}

fn only_what_is_kept(left: &Value) {
    let kept = ["s3.buckets", "logs.groups", "kms.keys", "kms.aliases", "rds.snapshots", "secretsmanager.secrets"];
    for (service, kinds) in left.as_object().unwrap() {
        for (kind, entries) in kinds.as_object().unwrap() {
            let name = format!("{service}.{kind}");
            assert_eq!(entries.as_array().unwrap().is_empty(), !kept.contains(&name.as_str()), "{name}: {entries:#}");
        }
    }
    let snapshot = left.pointer("/rds/snapshots/0").unwrap();
    assert!(snapshot["DBSnapshotIdentifier"].as_str().unwrap().starts_with(&format!("{PREFIX}-db-final-")));
    let secrets = left.pointer("/secretsmanager/secrets").and_then(Value::as_array).unwrap();
    assert!(secrets.iter().all(|secret| secret["DeletedDate"].is_string()), "{secrets:#?}");
}

#[test]
fn bad_surroundings_are_refused_before_anything_is_written() {
    let stage = Stage::new();
    let refused = |code: i32, arguments: &str, says: &str| {
        let ran = stage.rcm.run(arguments.split(' ')).expect_code(code);
        assert!(ran.stderr.contains(says), "{}", ran.transcript());
    };
    refused(3, "provision --partner nobody --yes", "nobody.toml");
    refused(6, "provision --partner acme --accept-risk rds-in-backup-plan --reason moto", "--yes");
    write(stage.partners.path().join("broken.toml"), "project_prefix = [");
    refused(3, "validate --partner broken", "broken.toml");
    let elsewhere = fs::read_to_string(stage.partners.path().join("acme.toml")).unwrap();
    write(stage.partners.path().join("other.toml"), &(elsewhere.replace("123456789012", "210987654321")));
    refused(7, "provision --partner other --yes", "210987654321");
    let state = stage.rcm.state_dir().join("acme");
    fs::create_dir_all(&state).unwrap();
    for (text, says) in [("{ not json", "prod.json"), ("{\"version\": 99}", "newer")] {
        write(state.join("prod.json"), text);
        let ran = stage.rcm.run(["provision", "--partner", "acme", "--yes"]);
        assert_ne!(ran.code, Some(0));
        assert!(ran.stderr.contains(says), "{}", ran.transcript());
        assert_eq!(fs::read_to_string(state.join("prod.json")).unwrap(), text, "a state that cannot be read stays");
    }
    assert!(stage.recorder.calls().mutating().is_empty());
}
