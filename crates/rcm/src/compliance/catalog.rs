//! The catalogue of controls.
//!
//! The paragraphs of 45 CFR 164 are those that AWS's own mapping gives for the rule, as
//! [Prowler](https://github.com/prowler-cloud/prowler) publishes it by check; where AWS maps nothing, they are rcm's reading.

use rcm_aws::resources::baseline::LOG_GROUP;
use serde_json::Value;

use super::{
    Control, Scope, Subject,
    judge::{Check, Test, all},
};

/// How long HIPAA has documentation kept is six years; logs are kept for seven.
const SEVEN_YEARS: i64 = 2557;
/// What may stand open to the world: the web.
const WEB: [u64; 2] = [80, 443];
/// Policies of load balancers that speak TLS 1.3, or 1.2 with forward secrecy, and nothing older.
const MODERN_TLS: &[&str] = &[
    "ELBSecurityPolicy-TLS13-1-2-Res-FIPS-PQ-2025-09",
    "ELBSecurityPolicy-TLS13-1-2-2021-06",
    "ELBSecurityPolicy-TLS13-1-2-FIPS-2023-04",
    "ELBSecurityPolicy-TLS13-1-2-Res-2021-06",
    "ELBSecurityPolicy-TLS13-1-2-Res-FIPS-2023-04",
    "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09",
    "ELBSecurityPolicy-TLS13-1-3-2021-06",
    "ELBSecurityPolicy-TLS13-1-3-FIPS-2023-04",
    "ELBSecurityPolicy-TLS13-1-3-PQ-2025-09",
];

const RISK: &str = "164.308(a)(1)(ii)(B)";
const REVIEW: &str = "164.308(a)(1)(ii)(D)";
const SUPERVISION: &str = "164.308(a)(3)(ii)(A)";
const WORKFORCE: &str = "164.308(a)(3)(i)";
const ACCESS_MANAGEMENT: &str = "164.308(a)(4)(i)";
const ISOLATION: &str = "164.308(a)(4)(ii)(A)";
const MALWARE: &str = "164.308(a)(5)(ii)(B)";
const RESPONSE: &str = "164.308(a)(6)(ii)";
const CONTINGENCY: &str = "164.308(a)(7)(i)";
const BACKUP: &str = "164.308(a)(7)(ii)(A)";
const RECOVERY: &str = "164.308(a)(7)(ii)(B)";
const EMERGENCY: &str = "164.308(a)(7)(ii)(C)";
const ACCESS: &str = "164.312(a)(1)";
const EMERGENCY_ACCESS: &str = "164.312(a)(2)(ii)";
const ENCRYPTION: &str = "164.312(a)(2)(iv)";
const AUDIT: &str = "164.312(b)";
const INTEGRITY: &str = "164.312(c)(1)";
const AUTHENTICITY: &str = "164.312(c)(2)";
const IDENTITY: &str = "164.312(d)";
const TRANSMISSION: &str = "164.312(e)(1)";
const UNALTERED: &str = "164.312(e)(2)(i)";
const ENCRYPTED: &str = "164.312(e)(2)(ii)";
const RETENTION: &str = "164.316(b)(2)(i)";

/// Every control, in the order of the report.
pub fn controls() -> &'static [Control] {
    CONTROLS
}

const fn stack(id: &'static str, title: &'static str, cites: &'static [&'static str], check: Check) -> Control {
    Control { id, title, cites, scope: Scope::Stack, check }
}

const fn person(id: &'static str, title: &'static str, cites: &'static [&'static str], what: &'static str) -> Control {
    Control { id, title, cites, scope: Scope::Person, check: Check::Person(what) }
}

const fn each(kind: &'static str, test: Test) -> Check {
    Check::Each { kind, about: all, test }
}

const fn needs(kind: &'static str, test: Test) -> Check {
    Check::Needs { kind, about: all, test }
}

const fn of(kind: &'static str, about: fn(&Subject) -> bool, test: Test) -> Check {
    Check::Each { kind, about, test }
}

const fn account(
    id: &'static str,
    title: &'static str,
    cites: &'static [&'static str],
    kind: &'static str,
    test: Test,
) -> Control {
    Control { id, title, cites, scope: Scope::Account, check: baseline(kind, all, test, "the baseline has none of it") }
}

const fn baseline(kind: &'static str, about: fn(&Subject) -> bool, test: Test, without: &'static str) -> Check {
    Check::Baseline { kind, about, test, without }
}

static CONTROLS: &[Control] = &[
    // The database.
    stack(
        "rds-storage-encrypted",
        "The database, its backups and its snapshots are encrypted with the partner's key",
        &[RISK, ISOLATION, ENCRYPTION, ENCRYPTED],
        each("rds/instance", Test::Set("kms_key")),
    ),
    stack(
        "rds-multi-az-support",
        "A standby in another zone takes over when the database server fails",
        &[RISK, CONTINGENCY, BACKUP, RECOVERY, EMERGENCY],
        each("rds/instance", Test::Yes("multi_az")),
    ),
    stack(
        "db-instance-backup-enabled",
        "The database is backed up every day, and the backups are kept for 35 days",
        &[RISK, ISOLATION, CONTINGENCY, BACKUP, RECOVERY, EMERGENCY, EMERGENCY_ACCESS],
        each("rds/instance", Test::AtLeast("backup_retention_days", 35)),
    ),
    stack(
        "rds-instance-public-access-check",
        "The database has no public address",
        &[WORKFORCE, ACCESS],
        each("rds/instance", Test::No("publicly_accessible")),
    ),
    stack(
        "rds-instance-deletion-protection-enabled",
        "AWS refuses to delete the database",
        &[INTEGRITY],
        each("rds/instance", Test::Yes("deletion_protection")),
    ),
    stack(
        "rds-logging-enabled",
        "The database's logs go to CloudWatch Logs",
        &[ISOLATION, AUDIT],
        each("rds/instance", Test::Field("log_exports", exports_logs)),
    ),
    stack(
        "rds-automatic-minor-version-upgrade-enabled",
        "Minor versions of PostgreSQL are installed by themselves",
        &[RISK],
        each("rds/instance", Test::Yes("auto_minor_version_upgrade")),
    ),
    stack(
        "rds-instance-copy-tags-to-snapshots",
        "Snapshots carry the tags that say whose they are",
        &[BACKUP],
        each("rds/instance", Test::Yes("copy_tags_to_snapshot")),
    ),
    stack(
        "rds-instance-default-admin-check",
        "The database's master user has not the name that everybody tries",
        &[ACCESS],
        each("rds/instance", Test::Field("master_username", not_a_default_name)),
    ),
    stack(
        "rds-parameter-group-force-ssl",
        "The database refuses connections without TLS",
        &[TRANSMISSION, UNALTERED, ENCRYPTED],
        each("rds/parameter-group", Test::Yes("force_ssl")),
    ),
    stack(
        "rds-enhanced-monitoring-enabled",
        "The database server's operating system is measured",
        &[EMERGENCY],
        each("rds/instance", Test::Set("monitoring")),
    ),
    stack(
        "rds-instance-iam-authentication-enabled",
        "IAM identities may log in to the database in the place of passwords",
        &[ACCESS, IDENTITY],
        each("rds/instance", Test::Yes("iam_authentication")),
    ),
    stack(
        "rds-replica-public-access-check",
        "No read replica has a public address",
        &[WORKFORCE, ACCESS],
        each("rds/replica", Test::No("publicly_accessible")),
    ),
    stack(
        "rds-in-backup-plan",
        "The database is in a plan of AWS Backup",
        &[BACKUP, RECOVERY],
        needs("backup/selection", Test::Set("resources")),
    ),
    stack(
        "backup-plan-min-frequency-and-min-retention-check",
        "AWS Backup takes a backup every day and keeps it for 35 days",
        &[CONTINGENCY, BACKUP, RECOVERY, EMERGENCY],
        each("backup/plan", Test::Field("rule", every_day_for_35_days)),
    ),
    stack(
        "backup-recovery-point-encrypted",
        "What AWS Backup keeps is encrypted with the partner's key",
        &[RISK, ISOLATION, ENCRYPTION, ENCRYPTED],
        each("backup/vault", Test::Set("kms_key")),
    ),
    stack(
        "backup-recovery-point-manual-deletion-disabled",
        "Nobody deletes a backup before its time by hand",
        &[CONTINGENCY, BACKUP, INTEGRITY],
        each("backup/vault", Test::Field("policy", nobody_deletes)),
    ),
    stack(
        "rds-instance-event-notifications-configured",
        "Somebody is told of what happens to the database",
        &[REVIEW, RESPONSE],
        of("rds/event-subscription", |it| of_source(it, "db-instance"), Test::Field("categories", critical)),
    ),
    stack(
        "rds-pg-event-notifications-configured",
        "Somebody is told when the database's parameters change",
        &[REVIEW, RESPONSE],
        of("rds/event-subscription", |it| of_source(it, "db-parameter-group"), Test::Yes("enabled")),
    ),
    stack(
        "rds-sg-event-notifications-configured",
        "Somebody is told when a security group of RDS changes",
        &[REVIEW, RESPONSE],
        of("rds/event-subscription", |it| of_source(it, "db-security-group"), Test::Yes("enabled")),
    ),
    // Buckets.
    stack(
        "s3-bucket-public-read-prohibited",
        "No bucket can be read or written by the public",
        &[RISK, WORKFORCE, ACCESS],
        each("s3/bucket", Test::Yes("public_access_blocked")),
    ),
    stack(
        "s3-bucket-acl-prohibited",
        "No bucket gives access by access control lists",
        &[ACCESS],
        each("s3/bucket", Test::Yes("owner_enforced")),
    ),
    stack(
        "s3-bucket-policy-grantee-check",
        "No bucket gives another account access",
        &[WORKFORCE, ACCESS],
        each("s3/bucket", Test::Field("policy", only_services)),
    ),
    stack(
        "s3-bucket-ssl-requests-only",
        "Every bucket refuses requests without TLS",
        &[RISK, ENCRYPTION, INTEGRITY, AUTHENTICITY, TRANSMISSION, UNALTERED, ENCRYPTED],
        each("s3/bucket", Test::Field("policy", refuses_plain_http)),
    ),
    stack(
        "s3-bucket-versioning-enabled",
        "What is overwritten or deleted in a bucket can be had back",
        &[RISK, CONTINGENCY, BACKUP, RECOVERY, EMERGENCY, EMERGENCY_ACCESS, INTEGRITY, AUTHENTICITY],
        each("s3/bucket", Test::Yes("versioned")),
    ),
    stack(
        "s3-default-encryption-kms",
        "Buckets are encrypted with the partner's key; load-balancer logs, which AWS writes to no such bucket, with S3's own",
        &[RISK, ISOLATION, ENCRYPTION, INTEGRITY, AUTHENTICITY, ENCRYPTED],
        of("s3/bucket", not_of_the_load_balancer, Test::Set("kms_key")),
    ),
    stack(
        "s3-version-lifecycle-policy-check",
        "What lies in log buckets is kept for seven years and then goes",
        &[RETENTION],
        each("s3/bucket", Test::AtLeast("lifecycle/expire_after_days", SEVEN_YEARS)),
    ),
    stack(
        "s3-bucket-logging-enabled",
        "Who reads the logs is logged",
        &[REVIEW, SUPERVISION, RESPONSE, AUDIT, UNALTERED],
        of("s3/bucket", not_of_the_load_balancer, Test::Set("access_logs")),
    ),
    stack(
        "s3-event-notifications-enabled",
        "EventBridge is told what happens in the buckets",
        &[REVIEW, AUDIT],
        each("s3/bucket", Test::Yes("event_bridge")),
    ),
    // The way in.
    stack(
        "elb-logging-enabled",
        "The load balancer logs every request",
        &[REVIEW, SUPERVISION, RESPONSE, AUDIT],
        each("elb/load-balancer", Test::Set("access_logs")),
    ),
    stack(
        "elb-deletion-protection-enabled",
        "AWS refuses to delete the load balancer",
        &[RISK],
        each("elb/load-balancer", Test::Yes("deletion_protection")),
    ),
    stack(
        "alb-http-drop-invalid-header-enabled",
        "The load balancer drops headers that are none",
        &[TRANSMISSION],
        each("elb/load-balancer", Test::Yes("drop_invalid_headers")),
    ),
    stack(
        "alb-desync-mode-check",
        "The load balancer does not pass on requests that its targets may read in another way",
        &[TRANSMISSION],
        each("elb/load-balancer", Test::OneOf("desync_mitigation", &["defensive", "strictest"])),
    ),
    stack(
        "alb-http-to-https-redirection-check",
        "Plain HTTP is answered with the way to HTTPS and nothing else",
        &[RISK, ISOLATION, TRANSMISSION, UNALTERED, ENCRYPTED],
        of("elb/listener", plain, Test::OneOf("action", &["redirect-to-https"])),
    ),
    stack(
        "elb-predefined-security-policy-ssl-check",
        "The load balancer speaks TLS 1.3, or 1.2 with forward secrecy",
        &[ISOLATION, TRANSMISSION, UNALTERED, ENCRYPTED],
        of("elb/listener", secure, Test::OneOf("ssl_policy", MODERN_TLS)),
    ),
    stack(
        "elbv2-acm-certificate-required",
        "The load balancer's certificate is one of Certificate Manager, which renews it",
        &[ISOLATION, TRANSMISSION],
        of("elb/listener", secure, Test::Set("certificate")),
    ),
    stack(
        "acm-certificate-expiration-check",
        "The certificate is issued",
        &[ISOLATION, TRANSMISSION],
        each("acm/certificate", Test::Output("status", "ISSUED")),
    ),
    stack(
        "alb-waf-enabled",
        "A web application firewall stands before the load balancer",
        &[RISK, RESPONSE, TRANSMISSION],
        Check::Covered { kind: "elb/load-balancer", by: "wafv2/association", field: "load_balancer" },
    ),
    stack(
        "wafv2-webacl-not-empty",
        "The firewall has rules",
        &[RISK, TRANSMISSION],
        each("wafv2/web-acl", Test::Field("groups", has_rules)),
    ),
    stack(
        "wafv2-rulegroup-logging-enabled",
        "What each group of the firewall's rules finds is counted",
        &[REVIEW, AUDIT],
        each("wafv2/web-acl", Test::Yes("metrics")),
    ),
    stack(
        "wafv2-logging-enabled",
        "The firewall logs every request, without what lets its reader sign in",
        &[REVIEW, SUPERVISION, RESPONSE, AUDIT],
        each("wafv2/web-acl", Test::Field("logs", logs_requests)),
    ),
    // The network.
    stack(
        "vpc-default-security-group-closed",
        "The security group that everything is in by default lets nothing through",
        &[TRANSMISSION],
        each("ec2/vpc", Test::Yes("default_group_empty")),
    ),
    stack(
        "vpc-sg-open-only-to-authorized-ports",
        "Nothing but the web's ports is open to the world",
        &[RISK, TRANSMISSION],
        Check::All(&[
            of("ec2/security-group-rule", from_the_world, Test::Field("port", of_the_web)),
            each("ec2/security-group", Test::Field("foreign_rules", nobody_else_opened_it)),
        ]),
    ),
    stack(
        "private-subnets-without-a-way-in",
        "Only the load balancer's subnets have a route to the internet gateway",
        &[WORKFORCE, ACCESS, TRANSMISSION],
        of("ec2/route-table", not_public, Test::Field("routes", no_gateway)),
    ),
    stack(
        "subnet-auto-assign-public-ip-disabled",
        "No subnet hands out public addresses by itself",
        &[WORKFORCE, ACCESS],
        each("ec2/subnet", Test::No("map_public_ip_on_launch")),
    ),
    stack(
        "nacl-no-unrestricted-ssh-rdp",
        "Network ACLs keep SSH and remote desktop shut to the world",
        &[RISK, TRANSMISSION],
        needs("ec2/network-acl", Test::Field("entries", no_remote_shell)),
    ),
    stack(
        "vpc-flow-logs-enabled",
        "Who spoke to whom in the network is logged",
        &[REVIEW, SUPERVISION, RESPONSE, AUDIT, AUTHENTICITY],
        needs("ec2/flow-log", Test::OneOf("traffic", &["ALL"])),
    ),
    stack(
        "service-vpc-endpoint-enabled",
        "EC2's own API is reached without the internet (EC2.10)",
        &[ACCESS, TRANSMISSION],
        Check::Chosen {
            kind: "ec2/vpc-endpoint",
            about: of_ec2,
            test: Test::Set("interface"),
            without: "vpc_endpoints is off: it costs by the hour, and nothing in the network calls EC2's API",
        },
    ),
    stack(
        "vpc-endpoint-enabled",
        "Images, logs and secrets are reached without the internet (EC2.55, EC2.56)",
        &[ACCESS, TRANSMISSION],
        Check::Chosen {
            kind: "ec2/vpc-endpoint",
            about: of_the_tasks,
            test: Test::Set("interface"),
            without: "vpc_endpoints is off: it costs by the hour; tasks reach AWS over TLS, through the NAT gateway",
        },
    ),
    stack(
        "cloudwatch-alarm-action-check",
        "Somebody is told when something is wrong",
        &[RESPONSE, "164.308(a)(6)(i)"],
        needs("cloudwatch/alarm", Test::Set("topic")),
    ),
    stack(
        "sns-encrypted-kms",
        "What is told of alarms is encrypted with the partner's key",
        &[RISK, ISOLATION, ENCRYPTION, ENCRYPTED],
        each("sns/topic", Test::Set("kms_key")),
    ),
    // Logs and keys.
    stack(
        "cloudwatch-log-group-encrypted",
        "Logs are encrypted with the partner's key",
        &[RISK, ISOLATION, ENCRYPTION, ENCRYPTED],
        each("logs/group", Test::Set("kms_key")),
    ),
    stack(
        "cw-loggroup-retention-period-check",
        "Logs are kept for seven years",
        &[AUDIT, RETENTION],
        each("logs/group", Test::AtLeast("retention_days", SEVEN_YEARS)),
    ),
    stack(
        "cmk-backing-key-rotation-enabled",
        "The partner's key gets new material every year",
        &[ENCRYPTION],
        each("kms/key", Test::AtMost("rotation_days", 365)),
    ),
    stack(
        "kms-cmk-not-scheduled-for-deletion",
        "The partner's key is there, enabled and not about to go",
        &[ENCRYPTION],
        needs("kms/key", Test::Yes("enabled")),
    ),
    stack(
        "secretsmanager-using-cmk",
        "Secrets are encrypted with the partner's key",
        &[WORKFORCE, ENCRYPTION],
        each("secretsmanager/secret", Test::Set("kms_key")),
    ),
    stack(
        "secretsmanager-policy-no-cross-account",
        "Secrets are shut to every other account",
        &[WORKFORCE, ACCESS],
        each("secretsmanager/secret", Test::Set("policy")),
    ),
    // What runs, and as whom.
    stack(
        "ecs-containers-readonly-access",
        "The application cannot change its own files",
        &[ACCESS, INTEGRITY],
        each("ecs/task-definition", Test::Yes("container/read_only_root")),
    ),
    stack(
        "ecs-exec-disabled",
        "Nobody can open a shell in the application's containers",
        &[WORKFORCE, ACCESS],
        Check::Choice {
            kind: "ecs/service",
            test: Test::No("execute_command"),
            why: "ecs_exec is on: whoever may send ecs:ExecuteCommand is root in the container",
        },
    ),
    stack(
        "ecs-task-definition-nonroot-user",
        "The application does not run as root",
        &[ACCESS],
        each("ecs/task-definition", Test::Field("container/user", not_root)),
    ),
    stack(
        "ecs-task-definition-log-configuration",
        "What the application says goes to the logs",
        &[AUDIT],
        each("ecs/task-definition", Test::Set("container/log_group")),
    ),
    stack(
        "ecs-no-environment-secrets",
        "Secrets reach the application from Secrets Manager and by no other way",
        &[WORKFORCE, ACCESS],
        each("ecs/task-definition", Test::Field("container/environment", no_secrets)),
    ),
    stack(
        "ecs-container-insights-enabled",
        "What tasks use is measured",
        &[REVIEW, AUDIT],
        each("ecs/cluster", Test::OneOf("container_insights", &["enabled", "enhanced"])),
    ),
    stack(
        "ecs-fargate-latest-platform-version",
        "Tasks run on Fargate's current platform",
        &[MALWARE],
        each("ecs/service", Test::OneOf("platform_version", &["1.4.0", "LATEST"])),
    ),
    stack(
        "ecr-private-image-scanning-enabled",
        "Images are searched for known weaknesses when they are pushed",
        &[RISK, MALWARE],
        each("ecr/repository", Test::Yes("scan_on_push")),
    ),
    stack(
        "ecr-private-tag-immutability-enabled",
        "An image's tag never comes to mean another image",
        &[INTEGRITY],
        each("ecr/repository", Test::Yes("immutable_tags")),
    ),
    stack(
        "iam-policy-no-statements-with-full-access",
        "No role may do everything, with everything or with a whole service",
        &[RISK, WORKFORCE, ACCESS_MANAGEMENT, ACCESS],
        each("iam/role", Test::Field("inline_policies", no_wildcards)),
    ),
    stack(
        "iam-inline-policy-blocked-kms-actions",
        "No role may decrypt with every key",
        &[ACCESS_MANAGEMENT, ACCESS],
        each("iam/role", Test::Field("inline_policies", decrypts_with_named_keys)),
    ),
    stack(
        "iam-role-confused-deputy",
        "What may take on a role may do so for this account alone",
        &[WORKFORCE, ACCESS],
        each("iam/role", Test::Field("assume_role_policy", for_this_account)),
    ),
    // The account.
    account(
        "multi-region-cloudtrail-enabled",
        "CloudTrail records every call in every Region, encrypted and with validation",
        &[REVIEW, SUPERVISION, RESPONSE, AUDIT, INTEGRITY, AUTHENTICITY, UNALTERED],
        "cloudtrail/trail",
        Test::Complete,
    ),
    account(
        "cloud-trail-cloud-watch-logs-enabled",
        "What CloudTrail records is in CloudWatch Logs within minutes, where alarms count it",
        &[REVIEW, SUPERVISION, RESPONSE, AUDIT],
        "cloudtrail/trail",
        Test::Output("log_group", LOG_GROUP),
    ),
    account(
        "cloudtrail-s3-dataevents-enabled",
        "CloudTrail records who reads and writes objects in S3",
        &[REVIEW, SUPERVISION, RESPONSE, AUDIT],
        "cloudtrail/trail",
        Test::Field("s3_data_events", logs_objects),
    ),
    account(
        "cloudtrail-log-group-retention",
        "What CloudTrail tells CloudWatch Logs is kept for seven years",
        &[AUDIT, RETENTION],
        "logs/account-group",
        Test::AtLeast("retention_days", SEVEN_YEARS),
    ),
    account(
        "cloudtrail-log-group-encrypted",
        "What CloudTrail tells CloudWatch Logs is encrypted with the account's own key",
        &[ENCRYPTION, ENCRYPTED],
        "logs/account-group",
        Test::Set("kms_key"),
    ),
    account(
        "log-metric-filters-exist",
        "Use of root, refused calls, sign-ins without a second factor and changes of what protects the account are counted",
        &[REVIEW, "164.308(a)(5)(ii)(C)", RESPONSE, AUDIT],
        "logs/metric-filter",
        Test::Set("pattern"),
    ),
    account(
        "account-alarm-action-check",
        "Each of those raises an alarm that tells somebody",
        &[REVIEW, "164.308(a)(5)(ii)(C)", "164.308(a)(6)(i)", RESPONSE, AUDIT],
        "cloudwatch/account-alarm",
        Test::Set("topic"),
    ),
    account(
        "account-topic-encrypted",
        "What the account's alarms tell is encrypted with the account's own key",
        &[ENCRYPTION, ENCRYPTED],
        "sns/account-topic",
        Test::Set("kms_key"),
    ),
    Control {
        id: "security-account-information-provided",
        title: "AWS knows whom to call about the account's security",
        cites: &["164.308(a)(2)", "164.308(a)(6)(i)", RESPONSE],
        scope: Scope::Account,
        check: baseline(
            "account/security-contact",
            all,
            Test::Exists,
            "security_phone is not set, and AWS takes no contact without a telephone number",
        ),
    },
    Control {
        id: "iam-support-role",
        title: "There is a role to speak with AWS Support about an incident, for people of the account with a second factor",
        cites: &["164.308(a)(6)(i)", RESPONSE, EMERGENCY],
        scope: Scope::Account,
        check: baseline(
            "iam/account-role",
            of_support,
            Test::Field("managed_policies", speaks_with_support),
            "the baseline has none of it",
        ),
    },
    Control {
        id: "securityhub-enabled",
        title: "Security Hub gathers what is found",
        cites: &[REVIEW, RESPONSE, "164.308(a)(8)", AUDIT],
        scope: Scope::Account,
        check: baseline(
            "securityhub/hub",
            all,
            Test::Complete,
            "security_hub = false: it costs per check, and is the account's choice",
        ),
    },
    account(
        "config-enabled-all-resources",
        "AWS Config records what resources there are and how they are set",
        &["164.308(a)(1)(ii)(A)", AUDIT],
        "config/recorder",
        Test::Complete,
    ),
    account(
        "config-hipaa-conformance-pack",
        "AWS Config holds the account against HIPAA's rules all the time",
        &["164.308(a)(8)"],
        "config/conformance-pack",
        Test::Exists,
    ),
    account(
        "guardduty-enabled-centralized",
        "GuardDuty looks for attacks",
        &["164.308(a)(1)(ii)(A)", REVIEW, "164.308(a)(5)(ii)(C)", "164.308(a)(6)(i)", RESPONSE, "164.308(a)(8)", AUDIT],
        "guardduty/detector",
        Test::Complete,
    ),
    account(
        "iam-external-access-analyzer-enabled",
        "Access Analyzer tells what can be reached from outside the account",
        &[ACCESS_MANAGEMENT, ACCESS],
        "accessanalyzer/analyzer",
        Test::Complete,
    ),
    account(
        "ec2-ebs-encryption-by-default",
        "New disks are encrypted",
        &[RISK, ISOLATION, ENCRYPTION, ENCRYPTED],
        "ec2/account-defaults",
        Test::Yes("ebs_encryption"),
    ),
    account(
        "ebs-snapshot-block-public-access",
        "No snapshot of a disk can be made public",
        &[RISK, WORKFORCE, ACCESS],
        "ec2/account-defaults",
        Test::Yes("snapshots_private"),
    ),
    account(
        "ec2-ami-block-public-access",
        "No image of a machine can be made public",
        &[RISK, WORKFORCE, ACCESS],
        "ec2/account-defaults",
        Test::Yes("images_private"),
    ),
    account(
        "ecr-registry-scan-on-push",
        "Every image of the account is searched for known weaknesses when it is pushed",
        &[RISK, MALWARE],
        "ecr/registry-scanning",
        Test::Yes("scan_on_push"),
    ),
    account(
        "s3-account-level-public-access-blocks-periodic",
        "No bucket of the account can be made public",
        &[RISK, WORKFORCE],
        "s3/account-public-access-block",
        Test::Yes("restrict_public_buckets"),
    ),
    account(
        "iam-password-policy",
        "Passwords of the account are long, and none is used twice",
        &["164.308(a)(4)(ii)(C)", "164.308(a)(5)(ii)(D)", IDENTITY],
        "iam/password-policy",
        Test::AtLeast("minimum_length", 14),
    ),
    // What rcm does in another way than AWS's pack asks.
    stack(
        "s3-bucket-replication-enabled",
        "Buckets are copied to another bucket",
        &[CONTINGENCY, BACKUP],
        Check::Deviation(
            "the buckets hold logs alone; S3 keeps them in three zones of the one Region that the partner's data may be in",
        ),
    ),
    stack(
        "s3-bucket-default-lock-enabled",
        "Nobody can delete what lies in a bucket, not even the account's root",
        &[INTEGRITY],
        Check::Deviation(
            "object lock would keep the environment from ever being taken away; versions, a lifecycle of seven years and \
             `rcm destroy`, which keeps the buckets, are there instead",
        ),
    ),
    stack(
        "secretsmanager-rotation-enabled-check",
        "Secrets change by themselves",
        &["164.308(a)(4)(ii)(C)", "164.308(a)(5)(ii)(D)"],
        Check::Choice {
            kind: "secretsmanager/secret",
            test: Test::Set("rotation"),
            why: "it has no rotation function: rotation has to reach the running tasks too, so it is a person's, with a redeployment",
        },
    ),
    stack(
        "no-unrestricted-route-to-igw",
        "No route leads everywhere through an internet gateway",
        &[WORKFORCE, ACCESS],
        Check::Deviation(
            "a public load balancer needs it, in its own subnets; see private-subnets-without-a-way-in for the others",
        ),
    ),
    stack(
        "iam-no-inline-policy-check",
        "Roles have no policies of their own",
        &[ACCESS_MANAGEMENT],
        Check::Deviation("a role's own policy cannot be attached to anything else, and goes when the role goes"),
    ),
    // What only people can do.
    Control {
        id: "account-alarms-confirmed",
        title: "Somebody has confirmed that the account's alarms reach him",
        cites: &[REVIEW, "164.308(a)(6)(i)", RESPONSE],
        scope: Scope::Person,
        check: baseline("sns/account-subscription", all, Test::Confirmed("confirmed"), "the baseline has none of it"),
    },
    person(
        "business-associate-agreement",
        "AWS's Business Associate Addendum is signed for the account",
        &["164.308(b)(1)", "164.314(a)(1)"],
        "sign it in AWS Artifact; AWS has no API that tells",
    ),
    person(
        "annual-risk-assessment-performed",
        "Risks are assessed every year",
        &["164.308(a)(1)(ii)(A)"],
        "assess them and keep the record",
    ),
    person(
        "security-groups-reviewed",
        "The security groups were reviewed and approved",
        &[ACCESS_MANAGEMENT, TRANSMISSION],
        "review them: rcm graph, rcm state list; rcm drift shows what others have changed",
    ),
    person(
        "data-flows-documented",
        "It is written down where patients' data go",
        &["164.308(a)(1)(ii)(A)"],
        "draw it; rcm graph shows what stands on what",
    ),
    person(
        "incident-response-procedures",
        "It is written down what to do when something has happened",
        &["164.308(a)(6)(i)", RESPONSE],
        "write it, and try it",
    ),
    person(
        "iam-user-mfa-enabled",
        "Whoever signs in to the account does so with a second factor, and has keys no older than 90 days",
        &[SUPERVISION, "164.308(a)(3)(ii)(C)", ACCESS, IDENTITY],
        "rcm makes no users: see IAM's credential report of the account",
    ),
];

fn plain(listener: &Subject) -> bool {
    *listener.field("protocol") == "HTTP"
}

fn secure(listener: &Subject) -> bool {
    *listener.field("protocol") == "HTTPS"
}

/// AWS delivers the load balancer's logs to a bucket with S3's own keys alone.
fn not_of_the_load_balancer(bucket: &Subject) -> bool {
    bucket.address.as_str() != "storage/bucket/load-balancer-logs"
}

fn of_support(role: &Subject) -> bool {
    role.address.as_str() == "baseline/support-role"
}

fn speaks_with_support(policies: &Value) -> Result<String, String> {
    let support = texts(policies).into_iter().find(|policy| policy.ends_with(":policy/AWSSupportAccess"));
    support.map(str::to_owned).ok_or_else(|| "AWSSupportAccess is not attached".to_owned())
}

fn logs_objects(on: &Value) -> Result<String, String> {
    match on.as_bool() {
        Some(true) => Ok("s3_data_events = true".to_owned()),
        _ => Err("nobody has asked for it: baseline_s3_data_events = false".to_owned()),
    }
}

fn from_the_world(rule: &Subject) -> bool {
    let everywhere = |cidr: &Value| cidr == "0.0.0.0/0" || cidr == "::/0";
    *rule.field("direction") == "ingress" && everywhere(&rule.field("peer")["cidr"])
}

fn not_public(table: &Subject) -> bool {
    table.address.as_str() != "network/route-table/public"
}

fn has_rules(groups: &Value) -> Result<String, String> {
    let groups = groups.as_array().map(Vec::as_slice).unwrap_or_default();
    match groups.iter().filter(|group| group["stops"] == true).count() {
        _ if groups.is_empty() => Err("it has none".to_owned()),
        0 => Ok(format!("{} groups of rules, which only count", groups.len())),
        stopping => Ok(format!("{} groups of rules, of which {stopping} stop what they find", groups.len())),
    }
}

fn logs_requests(logs: &Value) -> Result<String, String> {
    let redacted = texts(&logs["redacted_headers"]);
    match ["authorization", "cookie"].iter().find(|header| !redacted.contains(header)) {
        _ if logs.is_null() => Err("it logs nothing".to_owned()),
        _ if logs["filtered"] == true => Err("some requests are not logged".to_owned()),
        Some(header) => Err(format!("{header} is in the logs")),
        None => Ok(format!("without {}", redacted.join(", "))),
    }
}

fn of_ec2(endpoint: &Subject) -> bool {
    endpoint.field("service").as_str().is_some_and(|service| service.ends_with(".ec2"))
}

fn of_the_tasks(endpoint: &Subject) -> bool {
    const THEIRS: [&str; 4] = [".ecr.api", ".ecr.dkr", ".logs", ".secretsmanager"];
    endpoint.field("service").as_str().is_some_and(|service| THEIRS.iter().any(|theirs| service.ends_with(theirs)))
}

/// An ACL is judged by the first entry that is about a packet, as AWS does.
fn no_remote_shell(entries: &Value) -> Result<String, String> {
    let mut entries: Vec<&Value> = entries.as_array().map(|entries| entries.iter().collect()).unwrap_or_default();
    entries.sort_by_key(|entry| entry["number"].as_u64());
    let from_the_world = |entry: &&&Value| entry["direction"] == "in" && entry["cidr"] == "0.0.0.0/0";
    for port in [22, 3389] {
        let about = |entry: &&&Value| {
            let (from, to) = (entry["traffic"]["tcp"]["from"].as_u64(), entry["traffic"]["tcp"]["to"].as_u64());
            let tcp = from.is_some_and(|from| from <= port) && to.is_some_and(|to| to >= port);
            tcp || entry["traffic"] == "all"
        };
        let first = entries.iter().filter(from_the_world).find(about);
        if first.is_some_and(|entry| entry["allow"] == true) {
            return Err(format!("port {port} is open to the world"));
        }
    }
    Ok(format!("{} entries, 22 and 3389 shut", entries.len()))
}

fn of_the_web(port: &Value) -> Result<String, String> {
    match port.as_u64() {
        Some(port) if WEB.contains(&port) => Ok(format!("port {port} is open to the world")),
        Some(port) => Err(format!("port {port} is open to the world")),
        None => Err("every port is open to the world".to_owned()),
    }
}

/// What others have added to a group is open to the world by nobody's word, whichever the port.
fn nobody_else_opened_it(rules: &Value) -> Result<String, String> {
    let rules = rules.as_array().into_iter().flatten().filter_map(Value::as_str);
    let from_the_world = |rule: &&str| {
        rule.starts_with("ingress ") && (rule.contains(" from 0.0.0.0/0 ") || rule.contains(" from ::/0 "))
    };
    let open: Vec<&str> = rules.filter(from_the_world).collect();
    let unknown = || format!("added outside rcm: {}", open.join(", "));
    if open.is_empty() { Ok("nobody else has opened it to the world".to_owned()) } else { Err(unknown()) }
}

fn no_gateway(routes: &Value) -> Result<String, String> {
    let routes = routes.as_array().map(Vec::as_slice).unwrap_or_default();
    match routes.iter().find(|route| route["target"].get("gateway").is_some()) {
        Some(route) => Err(format!("{} leads to an internet gateway", route["destination"])),
        None => Ok(format!("{} routes beside the VPC's own, none to an internet gateway", routes.len())),
    }
}

fn of_source(subscription: &Subject, source_type: &str) -> bool {
    *subscription.field("source_type") == source_type
}

/// What RDS.20 asks for at least.
fn critical(categories: &Value) -> Result<String, String> {
    let told = texts(categories);
    match ["maintenance", "configuration change", "failure"].iter().find(|category| !told.contains(category)) {
        Some(missing) => Err(format!("nobody is told of {missing}")),
        None => Ok(format!("{} categories of events", told.len())),
    }
}

fn every_day_for_35_days(rule: &Value) -> Result<String, String> {
    let (schedule, days) = (rule["schedule"].as_str().unwrap_or_default(), rule["retention_days"].as_i64());
    let evidence = format!("schedule = {schedule}, retention_days = {}", rule["retention_days"]);
    // Any day of the month and of the week.
    let daily = schedule.ends_with(" * * ? *)") || schedule.ends_with(" ? * * *)");
    if daily && days.is_some_and(|days| days >= 35) { Ok(evidence) } else { Err(evidence) }
}

fn nobody_deletes(policy: &Value) -> Result<String, String> {
    const DENIED: [&str; 3] =
        ["backup:DeleteRecoveryPoint", "backup:UpdateRecoveryPointLifecycle", "backup:PutBackupVaultAccessPolicy"];
    let denies = |statement: &&Value| {
        let actions = texts(&statement["Action"]);
        statement["Effect"] == "Deny" && DENIED.iter().all(|action| actions.contains(action))
    };
    match statements(policy).into_iter().find(denies) {
        Some(statement) => Ok(format!("statement {} denies it", statement["Sid"])),
        None => Err("no statement denies it".to_owned()),
    }
}

fn exports_logs(exports: &Value) -> Result<String, String> {
    let has = |log: &str| exports.as_array().is_some_and(|exports| exports.iter().any(|export| export == log));
    let evidence = format!("log_exports = {exports}");
    if has("postgresql") && has("upgrade") { Ok(evidence) } else { Err(evidence) }
}

fn not_a_default_name(user: &Value) -> Result<String, String> {
    let user = user.as_str().unwrap_or_default();
    let evidence = format!("master_username = {user}");
    if ["postgres", "admin", "root", ""].contains(&user) { Err(evidence) } else { Ok(evidence) }
}

fn not_root(user: &Value) -> Result<String, String> {
    match user.as_str() {
        None | Some("" | "root" | "0") => Err("user = root".to_owned()),
        Some(user) if user.starts_with("0:") => Err(format!("user = {user}")),
        Some(user) => Ok(format!("user = {user}")),
    }
}

/// By their names: what a secret is called in the environments that AWS's rule looks for, and in ours.
fn no_secrets(environment: &Value) -> Result<String, String> {
    const TELLING: [&str; 5] = ["PASSWORD", "SECRET", "TOKEN", "ACCESS_KEY", "DATABASE_URL"];
    let names: Vec<&String> = environment.as_object().map(|map| map.keys().collect()).unwrap_or_default();
    match names.iter().find(|name| TELLING.iter().any(|telling| name.to_uppercase().contains(telling))) {
        Some(name) => Err(format!("{name} is in the environment in clear")),
        None => Ok(format!("{} variables, none named like a secret", names.len())),
    }
}

/// The statements of a policy document, one or many.
fn statements(policy: &Value) -> Vec<&Value> {
    match &policy["Statement"] {
        Value::Array(statements) => statements.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

/// The texts of an element that may be one or many.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    }
}

fn refuses_plain_http(policy: &Value) -> Result<String, String> {
    let refuses = |statement: &&Value| {
        statement["Effect"] == "Deny" && statement["Condition"]["Bool"]["aws:SecureTransport"] == "false"
    };
    match statements(policy).into_iter().find(refuses) {
        Some(statement) => Ok(format!("statement {} denies requests without TLS", statement["Sid"])),
        None => Err("no statement denies requests without TLS".to_owned()),
    }
}

fn only_services(policy: &Value) -> Result<String, String> {
    let allows = statements(policy).into_iter().filter(|statement| statement["Effect"] == "Allow");
    match allows.into_iter().find(|statement| statement["Principal"].get("Service").is_none()) {
        Some(statement) => Err(format!("statement {} allows {}", statement["Sid"], statement["Principal"])),
        None => Ok("only services of AWS are allowed anything".to_owned()),
    }
}

fn allowed(policies: &Value) -> Vec<(&str, &Value)> {
    let policies = policies.as_object().into_iter().flatten();
    policies
        .flat_map(|(name, policy)| statements(policy).into_iter().map(move |statement| (name.as_str(), statement)))
        .filter(|(_, statement)| statement["Effect"] == "Allow")
        .collect()
}

fn no_wildcards(policies: &Value) -> Result<String, String> {
    let all = |action: &str| action == "*" || action.ends_with(":*");
    for (policy, statement) in allowed(policies) {
        if let Some(action) = texts(&statement["Action"]).into_iter().find(|action| all(action)) {
            return Err(format!("{policy} allows {action}"));
        }
    }
    Ok("every action is named".to_owned())
}

fn decrypts_with_named_keys(policies: &Value) -> Result<String, String> {
    let decrypts =
        |action: &str| ["*", "kms:*", "kms:Decrypt"].contains(&action) || action.starts_with("kms:ReEncrypt");
    for (policy, statement) in allowed(policies) {
        let everything = texts(&statement["Resource"]).into_iter().any(|resource| resource == "*");
        if everything && texts(&statement["Action"]).into_iter().any(decrypts) {
            return Err(format!("{policy} may decrypt with every key"));
        }
    }
    Ok("no statement decrypts with every key".to_owned())
}

fn for_this_account(policy: &Value) -> Result<String, String> {
    let bound = |statement: &Value| {
        let condition = statement["Condition"].to_string();
        condition.contains("aws:SourceAccount") || condition.contains("aws:SourceArn")
    };
    match statements(policy).into_iter().find(|statement| !bound(statement)) {
        Some(statement) => Err(format!("{} may take it on for any account", statement["Principal"])),
        None if policy.to_string().contains("IfExists") => {
            Ok("bound to this account, wherever the service says for whom it works".to_owned())
        }
        None => Ok("bound to this account".to_owned()),
    }
}
