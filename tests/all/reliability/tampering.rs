//! The table of what somebody may change behind rcm's back: a kind, a field of its spec, and the call that changes it.

use std::pin::Pin;

use aws_sdk_applicationautoscaling::types::{
    MetricType, PolicyType, PredefinedMetricSpecification, ScalableDimension, ScalableTargetAction, ServiceNamespace,
    TargetTrackingScalingPolicyConfiguration,
};
use aws_sdk_apprunner::types::{
    EgressConfiguration, EgressType, HealthCheckConfiguration, ImageRepositoryType, InstanceConfiguration,
    NetworkConfiguration as RunnerNetwork, SourceConfiguration,
};
use aws_sdk_backup::types::{BackupPlanInput, BackupRuleInput, Lifecycle};
use aws_sdk_cloudwatch::types::{ComparisonOperator, Dimension, MetricAlarm, Statistic};
use aws_sdk_ec2::types::{
    AttributeBooleanValue, Filter, IpPermission, IpRange, PortRange, RuleAction, SecurityGroupRuleRequest,
    SecurityGroupRuleUpdate,
};
use aws_sdk_ecr::types::{ImageScanningConfiguration, ImageTagMutability};
use aws_sdk_ecs::types::{
    AwsVpcConfiguration, CapacityProviderStrategyItem, ClusterConfiguration, ClusterSetting, ClusterSettingName,
    DeploymentCircuitBreaker, DeploymentConfiguration, ExecuteCommandConfiguration, ExecuteCommandLogging,
    LoadBalancer, NetworkConfiguration,
};
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, Certificate, FixedResponseActionConfig, IpAddressType, LoadBalancerAttribute, Matcher,
    ProtocolEnum, TargetGroupAttribute,
};
use aws_sdk_rds::operation::modify_event_subscription::builders::ModifyEventSubscriptionFluentBuilder as ModifyEvents;
use aws_sdk_rds::types::{ApplyMethod, CloudwatchLogsExportConfiguration, Parameter};
use aws_sdk_route53::types::{Change as DnsChange, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet};
use aws_sdk_s3::types::{
    BucketLoggingStatus, BucketVersioningStatus, NotificationConfiguration, ObjectOwnership, OwnershipControls,
    OwnershipControlsRule, PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule, VersioningConfiguration,
};
use aws_sdk_wafv2::types::{BlockAction, DefaultAction, Scope, WebAcl};
use rcm::engine::plan::Depth;

use super::stage::{At, acme, everything, on_app_runner};

type Change = Box<dyn Fn(At) -> Pin<Box<dyn Future<Output = ()>>>>;

/// A change that somebody makes.
pub(super) struct Row {
    pub(super) kind: &'static str,
    pub(super) field: &'static str,
    /// The resource that is changed.
    pub(super) address: &'static str,
    /// Other fields that AWS changes along.
    pub(super) also: &'static [&'static str],
    /// The depth at which it is seen first.
    pub(super) seen: Depth,
    pub(super) change: Change,
    /// The partner file of the stack that it is done to.
    pub(super) file: fn() -> String,
}

impl Row {
    pub(super) fn of(self, file: fn() -> String) -> Self {
        Self { file, ..self }
    }

    pub(super) fn also(self, also: &'static [&'static str]) -> Self {
        Self { also, ..self }
    }
}

pub(super) fn row<F: Future<Output = ()> + 'static>(
    seen: Depth,
    kind: &'static str,
    field: &'static str,
    address: &'static str,
    change: impl Fn(At) -> F + 'static,
) -> Row {
    Row { kind, field, address, also: &[], seen, file: acme, change: Box::new(move |at| Box::pin(change(at))) }
}

/// Fields that nobody can change, each with the reason; `*` for all of a kind that have no row.
pub(super) const IMMUTABLE: &[(&str, &str, &str)] = &[
    ("accessanalyzer/analyzer", "*", "there is no call for it"),
    ("acm/certificate", "*", "nothing about a certificate can be changed"),
    ("apprunner/auto-scaling-configuration", "*", "a revision cannot be changed, only deleted"),
    ("apprunner/service", "kms_key", "there is no call for it"),
    ("apprunner/service", "name", "it is in the ARN"),
    ("apprunner/vpc-connector", "*", "there is no call for it"),
    ("autoscaling/policy", "name", "it is in the ARN"),
    ("backup/selection", "*", "there is no call for it"),
    ("backup/vault", "kms_key", "there is no call for it"),
    ("backup/vault", "name", "it is the id"),
    ("cloudtrail/trail", "name", "it is in the ARN"),
    ("config/conformance-pack", "name", "it is the id"),
    ("config/conformance-pack", "recorder", "there is only one"),
    ("config/recorder", "name", "it is the id"),
    ("autoscaling/policy", "target", "it is in the ARN"),
    ("autoscaling/scheduled-action", "name", "it is in the id"),
    ("autoscaling/scheduled-action", "target", "it is in the id"),
    ("autoscaling/target", "service", "it is the id"),
    ("cloudwatch/account-alarm", "name", "it is the id"),
    ("cloudwatch/alarm", "name", "it is the id"),
    ("cloudwatch/dashboard", "name", "it is the id"),
    ("ec2/flow-log", "*", "there is no call for it"),
    (
        "ec2/internet-gateway",
        "vpc",
        "AWS detaches no gateway while public addresses are mapped behind it, and here some always are",
    ),
    ("ec2/nat-gateway", "*", "a gateway stays in its subnet, and its primary address with it"),
    ("ec2/network-acl", "vpc", "there is no call for it"),
    ("ec2/route-table", "vpc", "there is no call for it"),
    ("ec2/security-group", "description", "there is no call for it"),
    ("ec2/security-group", "name", "there is no call for it"),
    ("ec2/security-group", "vpc", "there is no call for it"),
    ("ec2/security-group-rule", "direction", "there is no call for it"),
    ("ec2/security-group-rule", "group", "there is no call for it"),
    ("ec2/subnet", "cidr", "there is no call for it"),
    ("ec2/subnet", "vpc", "there is no call for it"),
    ("ec2/subnet", "zone", "there is no call for it"),
    ("ec2/vpc", "cidr", "further blocks can be added, the first one stays"),
    ("ec2/vpc-endpoint", "service", "there is no call for it"),
    ("ec2/vpc-endpoint", "vpc", "there is no call for it"),
    ("ecr/repository", "kms_key", "there is no call for it"),
    ("ecr/repository", "name", "it is the id"),
    ("ecs/cluster", "name", "it is the id"),
    ("ecs/service", "cluster", "it is in the ARN"),
    ("ecs/service", "name", "it is in the ARN"),
    ("ecs/task-definition", "*", "a revision cannot be changed, only deregistered"),
    ("elb/listener", "load_balancer", "it is in the ARN"),
    ("elb/load-balancer", "name", "it is in the ARN"),
    ("elb/load-balancer", "scheme", "there is no call for it"),
    ("elb/target-group", "name", "it is in the ARN"),
    ("elb/target-group", "port", "there is no call for it"),
    ("elb/target-group", "protocol", "there is no call for it"),
    ("elb/target-group", "target_type", "there is no call for it"),
    ("elb/target-group", "vpc", "there is no call for it"),
    ("iam/account-role", "name", "it is in the ARN"),
    ("iam/role", "name", "it is in the ARN"),
    ("iam/service-linked-role", "*", "it is in the path of the ARN"),
    ("logs/account-group", "name", "it is the id"),
    ("logs/group", "name", "it is the id"),
    ("logs/metric-filter", "log_group", "it is in the id"),
    ("logs/metric-filter", "name", "it is in the id"),
    ("rds/event-subscription", "name", "it is the id"),
    ("rds/instance", "db_name", "there is no call for it"),
    ("rds/instance", "engine", "there is no call for it"),
    ("rds/instance", "identifier", "a renamed instance is another one, and this one is gone"),
    ("rds/instance", "kms_key", "there is no call for it"),
    (
        "rds/instance",
        "major_version",
        "it only goes up, and nothing brings it back: a person has to change the partner file",
    ),
    ("rds/instance", "master_username", "there is no call for it"),
    ("rds/instance", "subnet_group", "only together with a move to another VPC"),
    ("rds/parameter-group", "description", "there is no call for it"),
    ("rds/parameter-group", "family", "there is no call for it"),
    ("rds/parameter-group", "name", "it is the id"),
    ("rds/replica", "identifier", "a renamed instance is another one, and this one is gone"),
    ("rds/replica", "source", "a promotion is for ever: the plan is refused, see replicas.rs"),
    ("rds/subnet-group", "name", "it is the id"),
    ("route53/record", "domain", "it is in the id"),
    ("route53/record", "zone", "it is in the id"),
    ("s3/account-log-bucket", "name", "it is the id"),
    ("s3/bucket", "name", "it is the id"),
    ("secretsmanager/secret", "name", "it is in the ARN"),
    ("sns/account-subscription", "*", "another address or topic is another subscription"),
    ("sns/account-topic", "name", "it is in the ARN"),
    ("sns/subscription", "*", "another address or topic is another subscription"),
    ("sns/topic", "name", "it is in the ARN"),
    ("wafv2/association", "load_balancer", "it is the id"),
    ("wafv2/web-acl", "name", "it is in the ARN"),
];

/// Fields whose change nobody sees, each with the reason.
pub(super) const UNREADABLE: &[(&str, &str, &str)] = &[
    ("account/security-contact", "*", "whoever changes it has decided so: a contact is never put back, only made"),
    ("autoscaling/target", "at_first", "where it is wanted, scheduled actions say what the bounds are by now"),
    (
        "config/conformance-pack",
        "rules",
        "AWS does not tell the template, and nobody can change a rule of a pack but by it",
    ),
    ("ecs/service", "desired_count", "autoscaling decides how many tasks run"),
    (
        "rds/instance",
        "allocated_storage",
        "AWS grows it by itself, so what is there says nothing about what was asked for",
    ),
    ("rds/instance", "backup_window", "no setting wants one: AWS chooses"),
    ("rds/instance", "ca_certificate", "no setting wants one: AWS chooses"),
    ("rds/instance", "maintenance_window", "no setting wants one: AWS chooses"),
    ("rds/instance", "master_password", "AWS does not tell it"),
    (
        "rds/replica",
        "allocated_storage",
        "AWS grows it by itself, so what is there says nothing about what was asked for",
    ),
    ("s3/account-log-bucket", "access_logs", "rcm wants none, so whether there are some is the account's own business"),
    ("secretsmanager/secret", "value", "it is a secret: rcm never compares it"),
];

/// Everything that can be changed.
pub(super) fn rows() -> Vec<Row> {
    let layers = [
        network(),
        security(),
        storage(),
        database(),
        edge(),
        firewall(),
        compute(),
        app_runner(),
        watching(),
        backup(),
        events(),
    ];
    layers.into_iter().flatten().chain(super::account::rows()).collect()
}

fn network() -> Vec<Row> {
    use Depth::{Full, Quick};
    const ENDPOINT: &str = "network/endpoint/logs";
    let vpc = |at: &At| at.aws.ec2.modify_vpc_attribute().vpc_id(at.id("network/vpc"));
    let off = || AttributeBooleanValue::builder().value(false).build();
    vec![
        row(Full, "ec2/vpc", "dns_support", "network/vpc", move |at| async move {
            vpc(&at).enable_dns_support(off()).send().await.unwrap();
        }),
        row(Full, "ec2/vpc", "dns_hostnames", "network/vpc", move |at| async move {
            vpc(&at).enable_dns_hostnames(off()).send().await.unwrap();
        }),
        row(Full, "ec2/vpc", "default_group_empty", "network/vpc", |at| async move {
            let of_vpc = Filter::builder().name("vpc-id").values(at.id("network/vpc")).build();
            let default = Filter::builder().name("group-name").values("default").build();
            let groups = at.aws.ec2.describe_security_groups().filters(of_vpc).filters(default).send().await.unwrap();
            let group = groups.security_groups()[0].group_id().unwrap();
            let open = IpPermission::builder().ip_protocol("-1");
            let open = open.ip_ranges(IpRange::builder().cidr_ip("0.0.0.0/0").build()).build();
            let request = at.aws.ec2.authorize_security_group_ingress().group_id(group).ip_permissions(open);
            request.send().await.unwrap();
        }),
        row(Quick, "ec2/route-table", "routes", "network/route-table/private", |at| async move {
            let request = at.aws.ec2.create_route().route_table_id(at.id("network/route-table/private"));
            let request = request.destination_cidr_block("203.0.113.0/24");
            request.gateway_id(at.id("network/internet-gateway")).send().await.unwrap();
        }),
        row(Quick, "ec2/route-table", "subnets", "network/route-table/database", |at| async move {
            let request = at.aws.ec2.describe_route_tables().route_table_ids(at.id("network/route-table/database"));
            let tables = request.send().await.unwrap();
            let link = tables.route_tables()[0].associations()[0].route_table_association_id().unwrap();
            at.aws.ec2.disassociate_route_table().association_id(link).send().await.unwrap();
        }),
        row(Quick, "ec2/subnet", "map_public_ip_on_launch", "network/subnet/private-a", |at| async move {
            let on = AttributeBooleanValue::builder().value(true).build();
            let request = at.aws.ec2.modify_subnet_attribute().subnet_id(at.id("network/subnet/private-a"));
            request.map_public_ip_on_launch(on).send().await.unwrap();
        }),
        row(Quick, "ec2/network-acl", "entries", "network/acl/database", |at| async move {
            let ports = PortRange::builder().from(22).to(22).build();
            let request = at.aws.ec2.create_network_acl_entry().network_acl_id(at.id("network/acl/database"));
            let request = request.rule_number(1).egress(false).rule_action(RuleAction::Allow).protocol("tcp");
            request.port_range(ports).cidr_block("0.0.0.0/0").send().await.unwrap();
        })
        .of(everything),
        row(Quick, "ec2/network-acl", "subnets", "network/acl/database", |at| async move {
            let acls = at.aws.ec2.describe_network_acls().send().await.unwrap().network_acls.unwrap();
            let id = at.id("network/acl/database");
            let default = acls.iter().find(|acl| acl.is_default() == Some(true)).unwrap();
            let ours = acls.iter().find(|acl| acl.network_acl_id() == Some(&id)).unwrap();
            let link = ours.associations()[0].network_acl_association_id().unwrap();
            let request = at.aws.ec2.replace_network_acl_association().association_id(link);
            request.set_network_acl_id(default.network_acl_id.clone()).send().await.unwrap();
        })
        .of(everything),
        row(Quick, "ec2/vpc-endpoint", "route_tables", "network/endpoint/s3", |at| async move {
            let request = at.aws.ec2.modify_vpc_endpoint().vpc_endpoint_id(at.id("network/endpoint/s3"));
            request.remove_route_table_ids(at.id("network/route-table/database")).send().await.unwrap();
        }),
        row(Quick, "ec2/vpc-endpoint", "interface", ENDPOINT, |at| async move {
            let request = at.aws.ec2.modify_vpc_endpoint().vpc_endpoint_id(at.id(ENDPOINT));
            let request = request.add_security_group_ids(at.id("security/group/database"));
            request.remove_subnet_ids(at.id("network/subnet/private-b")).send().await.unwrap();
        })
        .of(everything),
        row(Quick, "ec2/vpc-endpoint", "policy", ENDPOINT, |at| async move {
            let request = at.aws.ec2.modify_vpc_endpoint().vpc_endpoint_id(at.id(ENDPOINT));
            request.reset_policy(true).send().await.unwrap();
        })
        .of(everything),
    ]
}

fn security() -> Vec<Row> {
    use Depth::{Full, Quick};
    const RULE: &str = "security/rule/load-balancer-http";
    let rule = |field, change: fn(Rule) -> Rule| {
        row(Quick, "ec2/security-group-rule", field, RULE, move |at| async move {
            let Rule { protocol, port, range, description } = change(Rule::http());
            let whole = SecurityGroupRuleRequest::builder().ip_protocol(protocol).from_port(port).to_port(port);
            let whole = whole.cidr_ipv4(range).description(description).build();
            let update = SecurityGroupRuleUpdate::builder().security_group_rule_id(at.id(RULE));
            let request = at.aws.ec2.modify_security_group_rules().group_id(at.id("security/group/load-balancer"));
            request.security_group_rules(update.security_group_rule(whole).build()).send().await.unwrap();
        })
    };
    vec![
        rule("protocol", |rule| Rule { protocol: "udp", ..rule }),
        rule("port", |rule| Rule { port: 22, ..rule }),
        rule("peer", |rule| Rule { range: "10.0.0.0/8", ..rule }),
        rule("description", |rule| Rule { description: "by hand", ..rule }),
        row(Quick, "ec2/security-group", "foreign_rules", "security/group/service", |at| async move {
            let anywhere = IpRange::builder().cidr_ip("0.0.0.0/0").build();
            let ssh = IpPermission::builder().ip_protocol("tcp").from_port(22).to_port(22).ip_ranges(anywhere).build();
            let request = at.aws.ec2.authorize_security_group_ingress().group_id(at.id("security/group/service"));
            request.ip_permissions(ssh).send().await.unwrap();
        }),
        row(Quick, "ec2/security-group", "foreign_rules", "security/group/database", |at| async move {
            let anywhere = IpRange::builder().cidr_ip("0.0.0.0/0").build();
            let all = IpPermission::builder().ip_protocol("-1").ip_ranges(anywhere).build();
            let request = at.aws.ec2.authorize_security_group_egress().group_id(at.id("security/group/database"));
            request.ip_permissions(all).send().await.unwrap();
        }),
        row(Quick, "kms/key", "enabled", "security/key", |at| async move {
            at.aws.kms.disable_key().key_id(at.id("security/key")).send().await.unwrap();
        }),
        row(Quick, "kms/key", "enabled", "security/key", |at| async move {
            let request = at.aws.kms.schedule_key_deletion().key_id(at.id("security/key"));
            request.pending_window_in_days(7).send().await.unwrap();
        })
        .also(&["rotation_days"]),
        row(Full, "kms/key", "alias", "security/key", |at| async move {
            at.aws.kms.delete_alias().alias_name("alias/acme-rcm-prod").send().await.unwrap();
            let request = at.aws.kms.create_alias().alias_name("alias/by-hand");
            request.target_key_id(at.name("security/key")).send().await.unwrap();
        }),
        row(Quick, "kms/key", "description", "security/key", |at| async move {
            let request = at.aws.kms.update_key_description().key_id(at.id("security/key"));
            request.description("by hand").send().await.unwrap();
        }),
        row(Full, "kms/key", "rotation_days", "security/key", |at| async move {
            at.aws.kms.disable_key_rotation().key_id(at.id("security/key")).send().await.unwrap();
        }),
        row(Full, "kms/key", "policy", "security/key", |at| async move {
            let root = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"kms:*","Resource":"*"}]}"#;
            let request = at.aws.kms.put_key_policy().key_id(at.id("security/key")).policy_name("default");
            request.policy(root).send().await.unwrap();
        }),
        row(Quick, "secretsmanager/secret", "description", "secrets/jwt-secret", |at| async move {
            let request = at.aws.secrets.update_secret().secret_id(at.id("secrets/jwt-secret"));
            request.description("by hand").send().await.unwrap();
        }),
        row(Quick, "secretsmanager/secret", "kms_key", "secrets/jwt-secret", |at| async move {
            let key = another_key(&at).await;
            let request = at.aws.secrets.update_secret().secret_id(at.id("secrets/jwt-secret"));
            request.kms_key_id(key).send().await.unwrap();
        }),
        row(Full, "secretsmanager/secret", "policy", "secrets/jwt-secret", |at| async move {
            let request = at.aws.secrets.delete_resource_policy().secret_id(at.id("secrets/jwt-secret"));
            request.send().await.unwrap();
        })
        .of(everything),
        row(Quick, "secretsmanager/secret", "rotation", "secrets/database-password", |at| async move {
            let request = at.aws.secrets.cancel_rotate_secret().secret_id(at.id("secrets/database-password"));
            request.send().await.unwrap();
        })
        .of(everything),
        row(Quick, "iam/role", "description", "identity/task-role", |at| async move {
            let request = at.aws.iam.update_role().role_name(at.name("identity/task-role"));
            request.description("by hand").send().await.unwrap();
        }),
        row(Quick, "iam/role", "max_session_seconds", "identity/task-role", |at| async move {
            let request = at.aws.iam.update_role().role_name(at.name("identity/task-role"));
            let request = request.description("What the application may do in AWS");
            request.max_session_duration(7200).send().await.unwrap();
        }),
        row(Quick, "iam/role", "assume_role_policy", "identity/task-role", |at| async move {
            let anybody = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
            let request = at.aws.iam.update_assume_role_policy().role_name(at.name("identity/task-role"));
            request.policy_document(anybody).send().await.unwrap();
        }),
        row(Full, "iam/role", "managed_policies", "identity/task-role", |at| async move {
            let request = at.aws.iam.attach_role_policy().role_name(at.name("identity/task-role"));
            request.policy_arn("arn:aws:iam::aws:policy/ReadOnlyAccess").send().await.unwrap();
        }),
        row(Full, "iam/role", "inline_policies", "identity/task-role", |at| async move {
            let request = at.aws.iam.put_role_policy().role_name(at.name("identity/task-role")).policy_name("by-hand");
            let everything = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
            request.policy_document(everything).send().await.unwrap();
        }),
    ]
}

/// What a modified rule has to be given whole.
struct Rule {
    protocol: &'static str,
    port: i32,
    range: &'static str,
    description: &'static str,
}

impl Rule {
    fn http() -> Self {
        Self { protocol: "tcp", port: 80, range: "0.0.0.0/0", description: "HTTP from anywhere" }
    }
}

/// A key that is not rcm's.
async fn another_key(at: &At) -> String {
    let made = at.aws.kms.create_key().send().await.unwrap();
    let key = made.key_metadata().unwrap().arn().unwrap().to_owned();
    // CloudWatch Logs asks the key's own policy.
    let open = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":"kms:*","Resource":"*"},{"Effect":"Allow","Principal":{"Service":"logs.us-east-1.amazonaws.com"},"Action":"kms:*","Resource":"*"}]}"#;
    at.aws.kms.put_key_policy().key_id(&key).policy_name("default").policy(open).send().await.unwrap();
    key
}

fn storage() -> Vec<Row> {
    use Depth::{Full, Quick};
    const BUCKET: &str = "storage/bucket/logs";
    const REPOSITORY: &str = "storage/repository/api";
    const GROUP: &str = "storage/log-group/application";
    vec![
        row(Full, "s3/bucket", "kms_key", BUCKET, |at| async move {
            let default = ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::Aes256);
            let default = default.build().unwrap();
            let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(default).build();
            let rules = ServerSideEncryptionConfiguration::builder().rules(rule).build().unwrap();
            let request = at.aws.s3.put_bucket_encryption().bucket(at.id(BUCKET));
            request.server_side_encryption_configuration(rules).send().await.unwrap();
        }),
        row(Full, "s3/bucket", "versioned", BUCKET, |at| async move {
            let off = VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended).build();
            let request = at.aws.s3.put_bucket_versioning().bucket(at.id(BUCKET));
            request.versioning_configuration(off).send().await.unwrap();
        }),
        row(Full, "s3/bucket", "public_access_blocked", BUCKET, |at| async move {
            let three = PublicAccessBlockConfiguration::builder().block_public_acls(true).ignore_public_acls(true);
            let three = three.block_public_policy(true).restrict_public_buckets(false).build();
            let request = at.aws.s3.put_public_access_block().bucket(at.id(BUCKET));
            request.public_access_block_configuration(three).send().await.unwrap();
        }),
        row(Full, "s3/bucket", "owner_enforced", BUCKET, |at| async move {
            let rule =
                OwnershipControlsRule::builder().object_ownership(ObjectOwnership::ObjectWriter).build().unwrap();
            let controls = OwnershipControls::builder().rules(rule).build().unwrap();
            let request = at.aws.s3.put_bucket_ownership_controls().bucket(at.id(BUCKET));
            request.ownership_controls(controls).send().await.unwrap();
        }),
        row(Full, "s3/bucket", "policy", BUCKET, |at| async move {
            at.aws.s3.delete_bucket_policy().bucket(at.id(BUCKET)).send().await.unwrap();
        }),
        row(Full, "s3/bucket", "lifecycle", BUCKET, |at| async move {
            at.aws.s3.delete_bucket_lifecycle().bucket(at.id(BUCKET)).send().await.unwrap();
        }),
        row(Full, "s3/bucket", "access_logs", BUCKET, |at| async move {
            let nowhere = BucketLoggingStatus::builder().build();
            let request = at.aws.s3.put_bucket_logging().bucket(at.id(BUCKET)).bucket_logging_status(nowhere);
            request.send().await.unwrap();
        })
        .of(everything),
        row(Full, "s3/bucket", "event_bridge", BUCKET, |at| async move {
            let nobody = NotificationConfiguration::builder().build();
            let request = at.aws.s3.put_bucket_notification_configuration().bucket(at.id(BUCKET));
            request.notification_configuration(nobody).send().await.unwrap();
        })
        .of(everything),
        row(Quick, "ecr/repository", "immutable_tags", REPOSITORY, |at| async move {
            let request = at.aws.ecr.put_image_tag_mutability().repository_name(at.id(REPOSITORY));
            request.image_tag_mutability(ImageTagMutability::Mutable).send().await.unwrap();
        }),
        row(Quick, "ecr/repository", "scan_on_push", REPOSITORY, |at| async move {
            let off = ImageScanningConfiguration::builder().scan_on_push(false).build();
            let request = at.aws.ecr.put_image_scanning_configuration().repository_name(at.id(REPOSITORY));
            request.image_scanning_configuration(off).send().await.unwrap();
        }),
        row(Full, "ecr/repository", "lifecycle", REPOSITORY, |at| async move {
            at.aws.ecr.delete_lifecycle_policy().repository_name(at.id(REPOSITORY)).send().await.unwrap();
        }),
        row(Quick, "logs/group", "kms_key", GROUP, |at| async move {
            let key = another_key(&at).await;
            let request = at.aws.logs.associate_kms_key().log_group_name(at.id(GROUP)).kms_key_id(key);
            request.send().await.unwrap();
        }),
        row(Quick, "logs/group", "retention_days", GROUP, |at| async move {
            at.aws.logs.delete_retention_policy().log_group_name(at.id(GROUP)).send().await.unwrap();
        }),
    ]
}

fn database() -> Vec<Row> {
    use Depth::Quick;
    const DATABASE: &str = "database/instance";
    macro_rules! modified {
        ($field:literal, $setter:ident($value:expr)) => {
            modified!("rds/instance", DATABASE, $field, $setter($value))
        };
        ($kind:literal, $address:expr, $field:literal, $setter:ident($value:expr)) => {
            row(Quick, $kind, $field, $address, |at| async move {
                let request = at.aws.rds.modify_db_instance().db_instance_identifier(at.id($address));
                request.$setter($value).apply_immediately(true).send().await.unwrap();
            })
        };
    }
    macro_rules! replica {
        ($field:literal, $setter:ident($value:expr)) => {
            modified!("rds/replica", "database/replica-2", $field, $setter($value)).of(everything)
        };
    }
    vec![
        replica!("instance_class", db_instance_class("db.t3.large")),
        replica!("max_allocated_storage", max_allocated_storage(900)),
        replica!("storage_type", storage_type("gp2")),
        replica!("multi_az", multi_az(true)),
        replica!("port", db_port_number(6432)),
        replica!("deletion_protection", deletion_protection(false)),
        replica!("publicly_accessible", publicly_accessible(true)),
        replica!("copy_tags_to_snapshot", copy_tags_to_snapshot(false)),
        replica!("auto_minor_version_upgrade", auto_minor_version_upgrade(false)),
        replica!("performance_insights_key", enable_performance_insights(false)),
        replica!("monitoring", monitoring_interval(0)),
        replica!("iam_authentication", enable_iam_database_authentication(true)),
        replica!("parameter_group", db_parameter_group_name("default.postgres17")),
        replica!(
            "log_exports",
            cloudwatch_logs_export_configuration(
                CloudwatchLogsExportConfiguration::builder().disable_log_types("upgrade").build()
            )
        ),
        row(Quick, "rds/replica", "security_groups", "database/replica-2", |at| async move {
            let request = at.aws.rds.modify_db_instance().db_instance_identifier(at.id("database/replica-2"));
            let request = request.vpc_security_group_ids(at.id("security/group/service"));
            request.apply_immediately(true).send().await.unwrap();
        })
        .of(everything),
        modified!("instance_class", db_instance_class("db.t3.large")),
        modified!("max_allocated_storage", max_allocated_storage(900)),
        modified!("storage_type", storage_type("gp2")),
        modified!("multi_az", multi_az(false)),
        modified!("port", db_port_number(6432)),
        modified!("backup_retention_days", backup_retention_period(1)),
        modified!("deletion_protection", deletion_protection(false)),
        modified!("publicly_accessible", publicly_accessible(true)),
        modified!("copy_tags_to_snapshot", copy_tags_to_snapshot(false)),
        modified!("auto_minor_version_upgrade", auto_minor_version_upgrade(false)),
        modified!("iam_authentication", enable_iam_database_authentication(true)),
        modified!(
            "log_exports",
            cloudwatch_logs_export_configuration(
                CloudwatchLogsExportConfiguration::builder().disable_log_types("upgrade").build()
            )
        ),
        modified!("performance_insights_key", enable_performance_insights(false)).of(everything),
        modified!("monitoring", monitoring_interval(0)).of(everything),
        row(Quick, "rds/instance", "security_groups", DATABASE, |at| async move {
            let request = at.aws.rds.modify_db_instance().db_instance_identifier(at.id(DATABASE));
            let request = request.vpc_security_group_ids(at.id("security/group/service"));
            request.apply_immediately(true).send().await.unwrap();
        }),
        row(Quick, "rds/instance", "parameter_group", DATABASE, |at| async move {
            let groups = at.aws.rds.describe_db_parameter_groups();
            let groups = groups.db_parameter_group_name(at.id("database/parameter-group")).send().await.unwrap();
            let family = groups.db_parameter_groups()[0].db_parameter_group_family().unwrap();
            let made = at.aws.rds.create_db_parameter_group().db_parameter_group_name("by-hand");
            made.db_parameter_group_family(family).description("by hand").send().await.unwrap();
            let request = at.aws.rds.modify_db_instance().db_instance_identifier(at.id(DATABASE));
            request.db_parameter_group_name("by-hand").apply_immediately(true).send().await.unwrap();
        }),
        row(Quick, "rds/parameter-group", "force_ssl", "database/parameter-group", |at| async move {
            let off = Parameter::builder().parameter_name("rds.force_ssl").parameter_value("0");
            let off = off.apply_method(ApplyMethod::Immediate).build();
            let request = at.aws.rds.modify_db_parameter_group();
            let request = request.db_parameter_group_name(at.id("database/parameter-group"));
            request.parameters(off).send().await.unwrap();
        }),
        row(Quick, "rds/subnet-group", "description", "database/subnet-group", |at| async move {
            let request = at.aws.rds.modify_db_subnet_group().db_subnet_group_name(at.id("database/subnet-group"));
            let request = request.db_subnet_group_description("by hand");
            let request = request.subnet_ids(at.id("network/subnet/database-a"));
            request.subnet_ids(at.id("network/subnet/database-b")).send().await.unwrap();
        }),
        row(Quick, "rds/subnet-group", "subnets", "database/subnet-group", |at| async move {
            let request = at.aws.rds.modify_db_subnet_group().db_subnet_group_name(at.id("database/subnet-group"));
            let request = request.db_subnet_group_description("Database subnets of acme-rcm-prod");
            let request = request.subnet_ids(at.id("network/subnet/database-a"));
            let request = request.subnet_ids(at.id("network/subnet/database-b"));
            request.subnet_ids(at.id("network/subnet/private-a")).send().await.unwrap();
        }),
    ]
}

fn edge() -> Vec<Row> {
    use Depth::{Full, Quick};
    const BALANCER: &str = "edge/load-balancer";
    const TARGETS: &str = "edge/target-group";
    const LISTENER: &str = "edge/listener/https";
    let attribute = |field, key: &'static str, value: &'static str| {
        row(Full, "elb/load-balancer", field, BALANCER, move |at| async move {
            let attribute = LoadBalancerAttribute::builder().key(key).value(value).build();
            let request = at.aws.elb.modify_load_balancer_attributes().load_balancer_arn(at.id(BALANCER));
            request.attributes(attribute).send().await.unwrap();
        })
    };
    let listener = |at: &At| at.aws.elb.modify_listener().listener_arn(at.id(LISTENER));
    let record = |address: &'static str| {
        row(Quick, "route53/record", "content", address, move |at| async move {
            let id = at.id(address);
            let [zone, name, kind] = id.split('/').collect::<Vec<_>>()[..] else { panic!("{id}") };
            let value = if kind == "A" { "192.0.2.1" } else { "elsewhere.example.com" };
            let value = ResourceRecord::builder().value(value).build().unwrap();
            let record = ResourceRecordSet::builder().name(name).r#type(kind.into()).ttl(60).resource_records(value);
            let change = DnsChange::builder().action(ChangeAction::Upsert).resource_record_set(record.build().unwrap());
            let batch = ChangeBatch::builder().changes(change.build().unwrap()).build().unwrap();
            let request = at.aws.route53.change_resource_record_sets().hosted_zone_id(zone);
            request.change_batch(batch).send().await.unwrap();
        })
    };
    vec![
        record("edge/record/alias"),
        record("edge/record/validation"),
        attribute("access_logs", "access_logs.s3.enabled", "false"),
        attribute("deletion_protection", "deletion_protection.enabled", "false"),
        attribute("drop_invalid_headers", "routing.http.drop_invalid_header_fields.enabled", "false"),
        attribute("desync_mitigation", "routing.http.desync_mitigation_mode", "monitor"),
        attribute("http2", "routing.http2.enabled", "false"),
        attribute("idle_timeout", "idle_timeout.timeout_seconds", "300"),
        row(Quick, "elb/load-balancer", "ip_address_type", BALANCER, |at| async move {
            let request = at.aws.elb.set_ip_address_type().load_balancer_arn(at.id(BALANCER));
            request.ip_address_type(IpAddressType::Dualstack).send().await.unwrap();
        }),
        row(Quick, "elb/load-balancer", "subnets", BALANCER, |at| async move {
            let request = at.aws.elb.set_subnets().load_balancer_arn(at.id(BALANCER));
            let request = request.subnets(at.id("network/subnet/private-a"));
            request.subnets(at.id("network/subnet/private-b")).send().await.unwrap();
        }),
        row(Quick, "elb/load-balancer", "security_groups", BALANCER, |at| async move {
            let request = at.aws.elb.set_security_groups().load_balancer_arn(at.id(BALANCER));
            request.security_groups(at.id("security/group/database")).send().await.unwrap();
        }),
        row(Quick, "elb/target-group", "health_check", TARGETS, |at| async move {
            let request = at.aws.elb.modify_target_group().target_group_arn(at.id(TARGETS));
            request.matcher(Matcher::builder().http_code("200-499").build()).send().await.unwrap();
        }),
        row(Full, "elb/target-group", "deregistration_delay", TARGETS, |at| async move {
            let delay =
                TargetGroupAttribute::builder().key("deregistration_delay.timeout_seconds").value("300").build();
            let request = at.aws.elb.modify_target_group_attributes().target_group_arn(at.id(TARGETS));
            request.attributes(delay).send().await.unwrap();
        }),
        row(Quick, "elb/listener", "port", LISTENER, move |at| async move {
            listener(&at).port(8443).send().await.unwrap();
        }),
        row(Quick, "elb/listener", "protocol", LISTENER, move |at| async move {
            listener(&at).protocol(ProtocolEnum::Http).send().await.unwrap();
        })
        .also(&["certificate", "ssl_policy"]),
        row(Quick, "elb/listener", "ssl_policy", LISTENER, move |at| async move {
            listener(&at).ssl_policy("ELBSecurityPolicy-2016-08").send().await.unwrap();
        }),
        row(Quick, "elb/listener", "certificate", LISTENER, move |at| async move {
            let made = at
                .aws
                .acm
                .request_certificate()
                .domain_name("by-hand.acme.com")
                .validation_method("DNS".into())
                .send()
                .await
                .unwrap();
            let arn = made.certificate_arn().unwrap().to_owned();
            // It is issued while it is looked at.
            for _ in 0..8 {
                at.aws.acm.describe_certificate().certificate_arn(&arn).send().await.unwrap();
            }
            let certificate = Certificate::builder().certificate_arn(arn).build();
            listener(&at).certificates(certificate).send().await.unwrap();
        }),
        row(Quick, "elb/listener", "action", LISTENER, move |at| async move {
            let closed = FixedResponseActionConfig::builder().status_code("503").build();
            let closed = Action::builder().r#type(ActionTypeEnum::FixedResponse).fixed_response_config(closed).build();
            listener(&at).default_actions(closed).send().await.unwrap();
        }),
    ]
}

fn firewall() -> Vec<Row> {
    use Depth::{Full, Quick};
    const WEB_ACL: &str = "edge/web-acl";
    const ASSOCIATION: &str = "edge/web-acl-association";
    let web_acl = |field, change: fn(&mut WebAcl)| {
        row(Quick, "wafv2/web-acl", field, WEB_ACL, move |at| async move {
            let (mut changed, lock) = live_web_acl(&at, WEB_ACL).await;
            change(&mut changed);
            let request = at.aws.wafv2.update_web_acl().scope(Scope::Regional).name(changed.name).id(changed.id);
            let request = request.lock_token(lock).set_description(changed.description).set_rules(changed.rules);
            let request = request.set_default_action(changed.default_action);
            let request = request.set_visibility_config(changed.visibility_config);
            request.set_data_protection_config(changed.data_protection_config).send().await.unwrap();
        })
        .of(everything)
    };
    vec![
        web_acl("description", |live| live.description = Some("by hand".into())),
        web_acl("default_action", |live| {
            let block = DefaultAction::builder().block(BlockAction::builder().build()).build();
            live.default_action = Some(block);
        }),
        web_acl("groups", |live| drop(live.rules.as_mut().unwrap().remove(0))),
        web_acl("metrics", |live| {
            let rule = &mut live.rules.as_mut().unwrap()[1];
            rule.visibility_config.as_mut().unwrap().cloud_watch_metrics_enabled = false;
        }),
        web_acl("samples", |live| live.visibility_config.as_mut().unwrap().sampled_requests_enabled = true),
        web_acl("protected_headers", |live| live.data_protection_config = None),
        row(Full, "wafv2/web-acl", "logs", WEB_ACL, |at| async move {
            at.aws.wafv2.delete_logging_configuration().resource_arn(at.id(WEB_ACL)).send().await.unwrap();
        })
        .of(everything),
        row(Quick, "wafv2/association", "web_acl", ASSOCIATION, |at| async move {
            let (live, _) = live_web_acl(&at, WEB_ACL).await;
            let request = at.aws.wafv2.create_web_acl().scope(Scope::Regional).name("by-hand");
            let request = request.set_default_action(live.default_action);
            let made = request.set_visibility_config(live.visibility_config).send().await.unwrap();
            let other = made.summary().unwrap().arn().unwrap().to_owned();
            let associate = || at.aws.wafv2.associate_web_acl().resource_arn(at.id(ASSOCIATION)).web_acl_arn(&other);
            assert!(associate().send().await.is_err(), "it has just been made");
            associate().send().await.unwrap();
        })
        .of(everything),
    ]
}

async fn live_web_acl(at: &At, address: &str) -> (WebAcl, String) {
    let arn = at.id(address);
    let [.., name, id] = arn.split('/').collect::<Vec<_>>()[..] else { panic!("{arn}") };
    let request = at.aws.wafv2.get_web_acl().scope(Scope::Regional).name(name).id(id);
    let seen = request.send().await.unwrap();
    (seen.web_acl.unwrap(), seen.lock_token.unwrap())
}

fn compute() -> Vec<Row> {
    use Depth::Quick;
    const SERVICE: &str = "compute/service";
    let service = |at: &At| {
        let request = at.aws.ecs.update_service().cluster(at.id("compute/cluster"));
        request.service(at.id(SERVICE))
    };
    let scaled = |field, min, max| {
        row(Quick, "autoscaling/target", field, "compute/scalable-target", move |at| async move {
            let request = at.aws.autoscaling.register_scalable_target().service_namespace(ServiceNamespace::Ecs);
            let request = request.scalable_dimension(ScalableDimension::EcsServiceDesiredCount);
            let request = request.resource_id(at.id("compute/scalable-target"));
            request.set_min_capacity(min).set_max_capacity(max).send().await.unwrap();
        })
    };
    let scheduled = |field, schedule: &'static str, zone: &'static str, min, max| {
        let row =
            row(Quick, "autoscaling/scheduled-action", field, "compute/scheduled-action/night", move |at| async move {
                let request = at.aws.autoscaling.put_scheduled_action().service_namespace(ServiceNamespace::Ecs);
                let request = request.scalable_dimension(ScalableDimension::EcsServiceDesiredCount);
                let request = request.resource_id(at.id("compute/scalable-target"));
                let request = request.scheduled_action_name("acme-rcm-prod-night").schedule(schedule).timezone(zone);
                let bounds = ScalableTargetAction::builder().min_capacity(min).max_capacity(max).build();
                request.scalable_target_action(bounds).send().await.unwrap();
            });
        row.of(everything)
    };
    let tracked = |field, metric: MetricType, value, out, r#in| {
        row(Quick, "autoscaling/policy", field, "compute/scaling-policy", move |at| {
            let metric = PredefinedMetricSpecification::builder().predefined_metric_type(metric.clone());
            let metric = metric.build().unwrap();
            let tracking = TargetTrackingScalingPolicyConfiguration::builder()
                .predefined_metric_specification(metric)
                .target_value(value)
                .scale_out_cooldown(out)
                .scale_in_cooldown(r#in);
            async move {
                let request = at.aws.autoscaling.put_scaling_policy().service_namespace(ServiceNamespace::Ecs);
                let request = request.scalable_dimension(ScalableDimension::EcsServiceDesiredCount);
                let request =
                    request.resource_id(at.id("compute/scalable-target")).policy_name("acme-rcm-prod-cpu-scaling");
                let request = request.policy_type(PolicyType::TargetTrackingScaling);
                request.target_tracking_scaling_policy_configuration(tracking.build().unwrap()).send().await.unwrap();
            }
        })
    };
    let deployment = |field, least, most, breaker| {
        row(Quick, "ecs/service", field, SERVICE, move |at| async move {
            let breaker = DeploymentCircuitBreaker::builder().enable(breaker).rollback(breaker).build();
            let deployment = DeploymentConfiguration::builder().minimum_healthy_percent(least);
            let deployment = deployment.maximum_percent(most).deployment_circuit_breaker(breaker).build();
            service(&at).deployment_configuration(deployment).send().await.unwrap();
        })
    };
    let placed = |field, subnets: &'static [&'static str], group: &'static str| {
        row(Quick, "ecs/service", field, SERVICE, move |at| async move {
            let subnets = subnets.iter().map(|subnet| at.id(subnet)).collect();
            let place = AwsVpcConfiguration::builder().set_subnets(Some(subnets)).security_groups(at.id(group));
            let place = NetworkConfiguration::builder().awsvpc_configuration(place.build().unwrap()).build();
            service(&at).network_configuration(place).send().await.unwrap();
        })
    };
    const PRIVATE: &[&str] = &["network/subnet/private-a", "network/subnet/private-b"];
    vec![
        row(Quick, "ecs/cluster", "container_insights", "compute/cluster", |at| async move {
            let off = ClusterSetting::builder().name(ClusterSettingName::ContainerInsights).value("disabled").build();
            let request = at.aws.ecs.update_cluster_settings().cluster(at.id("compute/cluster"));
            request.settings(off).send().await.unwrap();
        }),
        row(Quick, "ecs/cluster", "sessions", "compute/cluster", |at| async move {
            let unlogged = ExecuteCommandConfiguration::builder().logging(ExecuteCommandLogging::None).build();
            let unlogged = ClusterConfiguration::builder().execute_command_configuration(unlogged).build();
            let request = at.aws.ecs.update_cluster().cluster(at.id("compute/cluster"));
            request.configuration(unlogged).send().await.unwrap();
        })
        .of(everything),
        row(Quick, "ecs/cluster", "capacity_providers", "compute/cluster", |at| async move {
            let request = at.aws.ecs.put_cluster_capacity_providers().cluster(at.id("compute/cluster"));
            let request =
                request.capacity_providers("FARGATE").set_default_capacity_provider_strategy(Some(Vec::new()));
            request.send().await.unwrap();
        }),
        row(Quick, "ecs/service", "capacity", SERVICE, move |at| async move {
            let spot = CapacityProviderStrategyItem::builder().capacity_provider("FARGATE_SPOT").weight(1);
            let request = service(&at).capacity_provider_strategy(spot.build().unwrap());
            request.force_new_deployment(true).send().await.unwrap();
        }),
        row(Quick, "ecs/service", "task_definition", SERVICE, move |at| async move {
            let now = at.aws.ecs.describe_task_definition().task_definition(at.id("compute/task-definition"));
            let now = now.send().await.unwrap().task_definition.unwrap();
            let request =
                at.aws.ecs.register_task_definition().family("by-hand").set_cpu(now.cpu).set_memory(now.memory);
            let request = request.set_requires_compatibilities(now.requires_compatibilities);
            let request = request.set_network_mode(now.network_mode).set_execution_role_arn(now.execution_role_arn);
            let made = request.set_container_definitions(now.container_definitions).send().await.unwrap();
            let arn = made.task_definition().unwrap().task_definition_arn().unwrap();
            service(&at).task_definition(arn).send().await.unwrap();
        }),
        placed("subnets", &["network/subnet/public-a", "network/subnet/private-b"], "security/group/service"),
        placed("security_groups", PRIVATE, "security/group/database"),
        row(Quick, "ecs/service", "load_balancer", SERVICE, move |at| async move {
            let other = LoadBalancer::builder().target_group_arn(at.id("edge/target-group")).container_name("api");
            service(&at).load_balancers(other.container_port(9090).build()).send().await.unwrap();
        }),
        row(Quick, "ecs/service", "health_check_grace_seconds", SERVICE, move |at| async move {
            service(&at).health_check_grace_period_seconds(5).send().await.unwrap();
        }),
        row(Quick, "ecs/service", "platform_version", SERVICE, move |at| async move {
            service(&at).platform_version("LATEST").force_new_deployment(true).send().await.unwrap();
        }),
        deployment("minimum_healthy_percent", 50, 200, true),
        deployment("maximum_percent", 100, 150, true),
        deployment("circuit_breaker", 100, 200, false),
        row(Quick, "ecs/service", "execute_command", SERVICE, move |at| async move {
            service(&at).enable_execute_command(false).send().await.unwrap();
        })
        .of(everything),
        scaled("min", Some(1), None),
        scaled("max", None, Some(50)),
        tracked("metric", MetricType::EcsServiceAverageMemoryUtilization, 70.0, 60, 300),
        tracked("target_value", MetricType::EcsServiceAverageCpuUtilization, 50.0, 60, 300),
        tracked("scale_out_cooldown_seconds", MetricType::EcsServiceAverageCpuUtilization, 70.0, 5, 300),
        tracked("scale_in_cooldown_seconds", MetricType::EcsServiceAverageCpuUtilization, 70.0, 60, 5),
        scheduled("schedule", "cron(0 3 * * ? *)", "America/New_York", 1, 2),
        scheduled("timezone", "cron(0 20 * * ? *)", "Asia/Tokyo", 1, 2),
        scheduled("min", "cron(0 20 * * ? *)", "America/New_York", 0, 2),
        scheduled("max", "cron(0 20 * * ? *)", "America/New_York", 1, 50),
    ]
}

/// What somebody makes of the source of an App Runner service.
fn resourced(field: &'static str, change: fn(SourceConfiguration, &At) -> SourceConfiguration) -> Row {
    let row = row(Depth::Quick, "apprunner/service", field, RUNNER, move |at| async move {
        let live = at.aws.apprunner.describe_service().service_arn(at.id(RUNNER)).send().await.unwrap();
        let source = live.service.unwrap().source_configuration.unwrap();
        let request = at.aws.apprunner.update_service().service_arn(at.id(RUNNER));
        request.source_configuration(change(source, &at)).send().await.unwrap();
    });
    row.of(on_app_runner)
}

const RUNNER: &str = "compute/app-runner";
const INSTANCE_ROLE: &str = "identity/app-runner-instance-role";
const ACCESS_ROLE: &str = "identity/app-runner-access-role";

fn instance(cpu: &str, memory: &str, role: String) -> InstanceConfiguration {
    InstanceConfiguration::builder().cpu(cpu).memory(memory).instance_role_arn(role).build()
}

fn app_runner() -> Vec<Row> {
    macro_rules! updated {
        ($field:literal, |$at:ident| $setter:ident($value:expr)) => {
            row(Depth::Quick, "apprunner/service", $field, RUNNER, |$at| async move {
                let request = $at.aws.apprunner.update_service().service_arn($at.id(RUNNER));
                request.$setter($value).send().await.unwrap();
            })
            .of(on_app_runner)
        };
    }
    vec![
        updated!("cpu", |at| instance_configuration(instance("2048", "4096", at.id(INSTANCE_ROLE)))).also(&["memory"]),
        updated!("memory", |at| instance_configuration(instance("1024", "3072", at.id(INSTANCE_ROLE)))),
        updated!("instance_role", |at| instance_configuration(instance("1024", "2048", at.id(ACCESS_ROLE)))),
        updated!("health_check", |_at| health_check_configuration(
            HealthCheckConfiguration::builder().path("/").interval(20).timeout(20).build()
        )),
        updated!("vpc_connector", |_at| network_configuration(
            RunnerNetwork::builder()
                .egress_configuration(EgressConfiguration::builder().egress_type(EgressType::Default).build())
                .build()
        )),
        row(Depth::Quick, "apprunner/service", "auto_scaling", RUNNER, |at| async move {
            let made = at.aws.apprunner.create_auto_scaling_configuration().auto_scaling_configuration_name("by-hand");
            let made = made.send().await.unwrap().auto_scaling_configuration.unwrap();
            let request = at.aws.apprunner.update_service().service_arn(at.id(RUNNER));
            let arn = made.auto_scaling_configuration_arn.unwrap();
            request.auto_scaling_configuration_arn(arn).send().await.unwrap();
        })
        .of(on_app_runner),
        resourced("access_role", |mut source, at| {
            let access = source.authentication_configuration.as_mut().unwrap();
            access.access_role_arn = Some(at.id(INSTANCE_ROLE));
            source
        }),
        resourced("image", |mut source, _| {
            let image = source.image_repository.as_mut().unwrap();
            image.image_repository_type = ImageRepositoryType::EcrPublic;
            image.image_identifier = "public.ecr.aws/acme/api:latest".into();
            source
        }),
        resourced("port", |mut source, _| {
            configuration(&mut source).port = Some("80".into());
            source
        }),
        resourced("environment", |mut source, _| {
            let environment = configuration(&mut source).runtime_environment_variables.get_or_insert_default();
            environment.insert("BY_HAND".into(), "1".into());
            source
        }),
        resourced("secrets", |mut source, _| {
            configuration(&mut source).runtime_environment_secrets.get_or_insert_default().remove("JWT_SECRET");
            source
        }),
    ]
}

fn watching() -> Vec<Row> {
    use Depth::Quick;
    const ALARM: &str = "watching/alarm/database-cpu";
    const TOPIC: &str = "watching/topic";
    let alarm = |field, change: fn(&mut MetricAlarm)| {
        row(Quick, "cloudwatch/alarm", field, ALARM, move |at| async move {
            let found = at.aws.cloudwatch.describe_alarms().alarm_names(at.id(ALARM)).send().await.unwrap();
            let mut alarm = found.metric_alarms()[0].clone();
            change(&mut alarm);
            put(&at, alarm).await;
        })
        .of(everything)
    };
    let topic = |field, attribute: &'static str, value: fn(At) -> Pin<Box<dyn Future<Output = String>>>| {
        row(Quick, "sns/topic", field, TOPIC, move |at| async move {
            let value = value(at.clone()).await;
            let request = at.aws.sns.set_topic_attributes().topic_arn(at.id(TOPIC)).attribute_name(attribute);
            request.attribute_value(value).send().await.unwrap();
        })
        .of(everything)
    };
    vec![
        alarm("description", |alarm| alarm.alarm_description = Some("by hand".into())),
        alarm("namespace", |alarm| alarm.namespace = Some("AWS/EC2".into())),
        alarm("metric", |alarm| alarm.metric_name = Some("WriteIOPS".into())),
        alarm("statistic", |alarm| alarm.statistic = Some(Statistic::Minimum)),
        alarm("dimensions", |alarm| {
            let other = Dimension::builder().name("DBInstanceIdentifier").value("another").build();
            alarm.dimensions = Some(vec![other]);
        }),
        alarm("period_seconds", |alarm| alarm.period = Some(300)),
        alarm("periods", |alarm| alarm.evaluation_periods = Some(20)),
        alarm("periods_to_alarm", |alarm| alarm.datapoints_to_alarm = Some(1)),
        alarm("threshold", |alarm| alarm.threshold = Some(99.9)),
        alarm("comparison", |alarm| alarm.comparison_operator = Some(ComparisonOperator::LessThanThreshold)),
        alarm("missing_data", |alarm| alarm.treat_missing_data = Some("ignore".into())),
        alarm("topic", |alarm| alarm.alarm_actions = None),
        row(Quick, "cloudwatch/dashboard", "widgets", "watching/dashboard", |at| async move {
            let request = at.aws.cloudwatch.put_dashboard().dashboard_name(at.id("watching/dashboard"));
            request.dashboard_body(r#"{"widgets":[]}"#).send().await.unwrap();
        })
        .of(everything),
        topic("kms_key", "KmsMasterKeyId", |at| Box::pin(async move { another_key(&at).await })),
        topic("policy", "Policy", |_| {
            let anybody = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"sns:Publish","Resource":"*"}]}"#;
            Box::pin(async move { anybody.to_owned() })
        }),
    ]
}

fn backup() -> Vec<Row> {
    use Depth::{Full, Quick};
    const PLAN: &str = "backup/plan";
    let plan = |field, change: fn(Daily) -> Daily| {
        row(Quick, "backup/plan", field, PLAN, move |at| async move {
            // Another vault, for the row that wants one.
            let other = at.aws.backup.create_backup_vault().backup_vault_name("by-hand").send().await;
            other.unwrap();
            let Daily { name, vault, days } = change(Daily::ours());
            let days = Lifecycle::builder().delete_after_days(days).build();
            let rule = BackupRuleInput::builder().rule_name(name).target_backup_vault_name(vault).lifecycle(days);
            let rule = rule.schedule_expression("cron(0 5 * * ? *)").start_window_minutes(480);
            let rule = rule.completion_window_minutes(1440).build().unwrap();
            let document = BackupPlanInput::builder().backup_plan_name(name).rules(rule).build().unwrap();
            let request = at.aws.backup.update_backup_plan().backup_plan_id(at.id(PLAN));
            request.backup_plan(document).send().await.unwrap();
        })
        .of(everything)
    };
    vec![
        plan("name", |plan| Daily { name: "by-hand", ..plan }),
        plan("vault", |plan| Daily { vault: "by-hand", ..plan }),
        plan("rule", |plan| Daily { days: 1, ..plan }),
        row(Full, "backup/vault", "policy", "backup/vault", |at| async move {
            let request = at.aws.backup.delete_backup_vault_access_policy().backup_vault_name(at.id("backup/vault"));
            request.send().await.unwrap();
        })
        .of(everything),
    ]
}

/// What an updated backup plan has to be given whole.
struct Daily {
    name: &'static str,
    vault: &'static str,
    days: i64,
}

impl Daily {
    fn ours() -> Self {
        Self { name: "acme-rcm-prod-daily", vault: "acme-rcm-prod-backup", days: 35 }
    }
}

fn events() -> Vec<Row> {
    use Depth::Quick;
    const EVENTS: &str = "watching/events/db-instance";
    let modified = |field, change: fn(ModifyEvents) -> ModifyEvents| {
        row(Quick, "rds/event-subscription", field, EVENTS, move |at| async move {
            let request = at.aws.rds.modify_event_subscription().subscription_name(at.id(EVENTS));
            change(request).send().await.unwrap();
        })
        .of(everything)
    };
    vec![
        modified("categories", |request| request.event_categories("failure")),
        modified("enabled", |request| request.enabled(false)),
        // RDS knows this category for both types.
        modified("source_type", |request| {
            request.source_type("db-parameter-group").event_categories("configuration change")
        })
        .also(&["categories"]),
        row(Quick, "rds/event-subscription", "topic", EVENTS, |at| async move {
            let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"events.rds.amazonaws.com"},"Action":"sns:Publish","Resource":"*"}]}"#;
            let made = at.aws.sns.create_topic().name("by-hand").attributes("Policy", policy).send().await.unwrap();
            let request = at.aws.rds.modify_event_subscription().subscription_name(at.id(EVENTS));
            request.set_sns_topic_arn(made.topic_arn).send().await.unwrap();
        })
        .of(everything),
        row(Quick, "rds/event-subscription", "sources", EVENTS, |at| async move {
            let request = at.aws.rds.remove_source_identifier_from_subscription().subscription_name(at.id(EVENTS));
            request.source_identifier(at.id("database/replica-2")).send().await.unwrap();
        })
        .of(everything),
    ]
}

fn configuration(source: &mut SourceConfiguration) -> &mut aws_sdk_apprunner::types::ImageConfiguration {
    source.image_repository.as_mut().unwrap().image_configuration.as_mut().unwrap()
}

/// An alarm is always put as a whole.
pub(super) async fn put(at: &At, alarm: MetricAlarm) {
    let request = at.aws.cloudwatch.put_metric_alarm().set_alarm_name(alarm.alarm_name);
    let request = request.set_alarm_description(alarm.alarm_description).set_namespace(alarm.namespace);
    let request = request.set_metric_name(alarm.metric_name).set_statistic(alarm.statistic);
    let request = request.set_dimensions(alarm.dimensions).set_period(alarm.period);
    let request = request.set_evaluation_periods(alarm.evaluation_periods);
    let request = request.set_datapoints_to_alarm(alarm.datapoints_to_alarm).set_threshold(alarm.threshold);
    let request = request.set_comparison_operator(alarm.comparison_operator);
    let request = request.set_treat_missing_data(alarm.treat_missing_data);
    let request = request.set_alarm_actions(alarm.alarm_actions).set_ok_actions(alarm.ok_actions);
    request.send().await.unwrap();
}
