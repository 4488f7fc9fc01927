//! The one table of settings. Reading, hints, presets, the JSON Schema and the reference in the documentation all come from it.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::fargate;
use super::schedule::{self, Schedule};
use super::text;
use super::values::{
    AccountId, Compute, FunctionArn, HexColor, HostedZoneId, ImageRef, ImageScanning, PostgresVersion, Refusal, Region,
    RoleArn, Tier, TlsPolicy, Waf, vpc_cidr,
};

/// One setting of the partner file.
pub(super) struct Setting {
    /// Its key in the file.
    pub(super) name: &'static str,
    /// What values it takes.
    pub(super) kind: Kind,
    /// What it is where the file does not say.
    pub(super) default: Preset,
    /// What it means, in one sentence for the user.
    pub(super) doc: &'static str,
    /// A value as one writes it in the file.
    pub(super) example: &'static str,
}

/// What values a setting takes.
pub(super) enum Kind {
    /// Text by a rule; `pattern` is as much of the rule as an editor can check (a JSON Schema pattern, or empty).
    Text { takes: &'static str, pattern: &'static str, check: fn(&str) -> Result<(), Refusal> },
    /// One of a few words.
    Choice { allowed: &'static [&'static str], check: fn(&str) -> Result<(), Refusal> },
    /// A whole number in a range, both ends included.
    Number { min: u32, max: u32 },
    /// One of a few whole numbers.
    NumberOf(&'static [u32]),
    /// `true` or `false`.
    Flag,
    /// A list of scheduled changes of the number of tasks.
    Schedules,
}

/// What a setting is where the file does not say.
pub(super) enum Preset {
    /// The file must say.
    Required,
    /// Nothing.
    Nothing,
    /// The same in every tier.
    Always(Value),
    /// By tier, in the order of [`Tier::ALL`].
    PerTier([Value; 3]),
}

/// A setting's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(Cow<'static, str>),
    Number(u32),
    Flag(bool),
    Schedules(Vec<Schedule>),
    /// As many as there are availability zones; a preset only, never read from a file.
    OnePerZone,
}

impl fmt::Display for Value {
    /// As it is written in the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => write!(f, "{text:?}"),
            Value::Number(number) => number.fmt(f),
            Value::Flag(flag) => flag.fmt(f),
            Value::Schedules(list) => write!(f, "a list of {}", list.len()),
            Value::OnePerZone => f.write_str("one per zone"),
        }
    }
}

impl Kind {
    /// What it takes, for people.
    pub(super) fn takes(&self) -> String {
        match self {
            Kind::Text { takes, .. } => (*takes).to_owned(),
            Kind::Choice { allowed: [only], .. } => format!("\"{only}\""),
            Kind::Choice { allowed, .. } => {
                allowed.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
            }
            Kind::Number { min, max } => format!("a number from {min} to {max}"),
            Kind::NumberOf(numbers) => numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(", "),
            Kind::Flag => "true or false".to_owned(),
            Kind::Schedules => schedule::takes(),
        }
    }

    /// The TOML type it is written in.
    pub(super) fn toml_type(&self) -> &'static str {
        match self {
            Kind::Text { .. } | Kind::Choice { .. } => "string",
            Kind::Number { .. } | Kind::NumberOf(_) => "integer",
            Kind::Flag => "boolean",
            Kind::Schedules => "array",
        }
    }
}

impl Setting {
    /// A number of the file, if the setting takes it.
    pub(super) fn check_number(&self, number: i64) -> Result<u32, Refusal> {
        let accepted = u32::try_from(number).ok().filter(|n| match &self.kind {
            Kind::Number { min, max } => (min..=max).contains(&n),
            Kind::NumberOf(numbers) => numbers.contains(n),
            Kind::Text { .. } | Kind::Choice { .. } | Kind::Flag | Kind::Schedules => false,
        });
        accepted.ok_or_else(|| Refusal::new(format!("`{}` cannot be {number}", self.name)))
    }

    /// What the setting takes and an example: the help of every refusal that has nothing better to say.
    pub(super) fn usage(&self) -> String {
        format!("{} takes {}, for example: {} = {}", self.name, self.kind.takes(), self.name, self.example)
    }

    /// The tier's preset, or the one of all tiers.
    pub(super) fn preset(&self, tier: Tier) -> Option<Value> {
        match &self.default {
            Preset::Required | Preset::Nothing => None,
            Preset::Always(value) => Some(value.clone()),
            Preset::PerTier(values) => Some(values[tier as usize].clone()),
        }
    }
}

/// The setting of that name.
pub(super) fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

fn is<T: FromStr<Err = Refusal>>(text: &str) -> Result<(), Refusal> {
    text.parse::<T>().map(drop)
}

fn cidr(text: &str) -> Result<(), Refusal> {
    vpc_cidr(text).map(drop)
}

const fn text(text: &'static str) -> Value {
    Value::Text(Cow::Borrowed(text))
}

const fn numbers(development: u32, production: u32, high_availability: u32) -> Preset {
    Preset::PerTier([Value::Number(development), Value::Number(production), Value::Number(high_availability)])
}

/// Every setting, in the order in which one writes them.
pub(super) static SETTINGS: &[Setting] = &[
    Setting {
        name: "project_prefix",
        kind: Kind::Text {
            takes: "lowercase letters, digits and hyphens, beginning with a letter",
            pattern: "^[a-z][a-z0-9]*(-[a-z0-9]+)*$",
            check: text::project_prefix,
        },
        default: Preset::Required,
        doc: "The partner's unique identifier. Every AWS name begins with it; changing it means another environment.",
        example: r#""acme-rcm""#,
    },
    Setting {
        name: "brand_name",
        kind: Kind::Text { takes: "a line of text", pattern: "", check: text::brand_name },
        default: Preset::Required,
        doc: "The name that the partner's users see.",
        example: r#""Acme Healthcare RCM""#,
    },
    Setting {
        name: "environment",
        kind: Kind::Text {
            takes: "lowercase letters, digits and hyphens, beginning with a letter",
            pattern: "^[a-z][a-z0-9]*(-[a-z0-9]+)*$",
            check: text::environment,
        },
        default: Preset::Required,
        doc: "The environment that the file describes; see [Several environments](#several-environments).",
        example: r#""prod""#,
    },
    Setting {
        name: "domain_name",
        kind: Kind::Text {
            takes: "a domain name in lowercase",
            pattern: r"^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z0-9-]{2,}$",
            check: text::domain_name,
        },
        default: Preset::Nothing,
        doc: "The application's address. Without it there is no certificate and no HTTPS, so nothing for patients' data.",
        example: r#""rcm.acme.com""#,
    },
    Setting {
        name: "hosted_zone_id",
        kind: Kind::Text {
            takes: "the id of a public Route 53 hosted zone in the partner's account",
            pattern: "^[A-Z0-9]{1,32}$",
            check: is::<HostedZoneId>,
        },
        default: Preset::Nothing,
        doc: "The zone that rcm makes the DNS records of `domain_name` in, see [DNS](#dns). Without it, somebody else makes them.",
        example: r#""Z0123456789ABCDEFGHIJ""#,
    },
    Setting {
        name: "support_email",
        kind: Kind::Text { takes: "an e-mail address", pattern: "^[^@ ]+@[^@ ]+\\.[^@ ]+$", check: text::email },
        default: Preset::Required,
        doc: "Where the partner's users write for help.",
        example: r#""support@acme.com""#,
    },
    Setting {
        name: "primary_color",
        kind: Kind::Text { takes: "a colour as #RRGGBB", pattern: "^#[0-9A-Fa-f]{6}$", check: is::<HexColor> },
        default: Preset::Required,
        doc: "The brand's colour.",
        example: r##""#FF5722""##,
    },
    Setting {
        name: "aws_account_id",
        kind: Kind::Text { takes: "twelve digits in quotes", pattern: "^[0-9]{12}$", check: is::<AccountId> },
        default: Preset::Required,
        doc: "The one AWS account that rcm may touch for this partner; with credentials of any other it stops.",
        example: r#""123456789012""#,
    },
    Setting {
        name: "aws_region",
        kind: Kind::Text {
            takes: "a commercial or GovCloud Region",
            pattern: "^(af|ap|ca|eu|il|me|mx|sa|us|us-gov)-[a-z]+-[1-9]$",
            check: is::<Region>,
        },
        default: Preset::Required,
        doc: "The one AWS Region that everything is in.",
        example: r#""us-east-1""#,
    },
    Setting {
        name: "aws_profile",
        kind: Kind::Text { takes: "the name of a profile", pattern: "", check: text::profile },
        default: Preset::Nothing,
        doc: "The profile of `~/.aws/config` to get credentials from. Default: what the AWS SDK finds by itself.",
        example: r#""acme-admin""#,
    },
    Setting {
        name: "aws_role_arn",
        kind: Kind::Text {
            takes: "the ARN of an IAM role in the partner's account",
            pattern: "^arn:(aws|aws-us-gov):iam::[0-9]{12}:role/.+$",
            check: is::<RoleArn>,
        },
        default: Preset::Nothing,
        doc: "The role to assume in the partner's account.",
        example: r#""arn:aws:iam::123456789012:role/rcm-deploy""#,
    },
    Setting {
        name: "aws_external_id",
        kind: Kind::Text {
            takes: "2 to 1224 letters, digits and characters of _+=,.@:/-",
            pattern: "^[A-Za-z0-9_+=,.@:/-]{2,1224}$",
            check: text::external_id,
        },
        default: Preset::Nothing,
        doc: "The external ID that the role's trust policy asks for. Needs `aws_role_arn`.",
        example: r#""rcm-acme""#,
    },
    Setting {
        name: "tier",
        kind: Kind::Choice { allowed: Tier::NAMES, check: is::<Tier> },
        default: Preset::Always(text("production")),
        doc: "The size of the environment: the defaults of the settings below. Protection of data is the same in all three.",
        example: r#""production""#,
    },
    Setting {
        name: "vpc_cidr",
        kind: Kind::Text {
            takes: "a private IPv4 block from /16 to /20",
            pattern: r"^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+/(16|17|18|19|20)$",
            check: cidr,
        },
        default: Preset::Always(text("10.0.0.0/16")),
        doc: "The network's addresses. Choose one that overlaps no network it will ever be connected to: it cannot be changed later.",
        example: r#""10.20.0.0/16""#,
    },
    Setting {
        name: "availability_zones",
        kind: Kind::Number { min: 2, max: 3 },
        default: Preset::Always(Value::Number(2)),
        doc: "How many zones the subnets are in; RDS and the load balancer need two.",
        example: "2",
    },
    Setting {
        name: "nat_gateways",
        kind: Kind::Number { min: 1, max: 3 },
        default: Preset::PerTier([Value::Number(1), Value::Number(1), Value::OnePerZone]),
        doc: "1, or one for each zone: with 1, the loss of its zone cuts the others off from the internet.",
        example: "1",
    },
    Setting {
        name: "network_acls",
        kind: Kind::Flag,
        default: Preset::Always(Value::Flag(true)),
        doc: "Whether each tier of subnets has a network ACL behind its security groups, see [Network](#network). Costs nothing.",
        example: "true",
    },
    Setting {
        name: "tls_policy",
        kind: Kind::Choice { allowed: TlsPolicy::NAMES, check: is::<TlsPolicy> },
        default: Preset::Always(text("ELBSecurityPolicy-TLS13-1-2-Res-2021-06")),
        doc: "Which TLS versions and ciphers the load balancer speaks, see [TLS](#tls). Costs nothing.",
        example: r#""ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09""#,
    },
    Setting {
        name: "waf",
        kind: Kind::Choice { allowed: Waf::NAMES, check: is::<Waf> },
        default: Preset::PerTier([text("off"), text("block"), text("block")]),
        doc: "What a web application firewall before the load balancer does with attacks, see [Firewall](#firewall): about $9 a month, $0.60 for a million requests, and its logs.",
        example: r#""count""#,
    },
    Setting {
        name: "vpc_endpoints",
        kind: Kind::Flag,
        default: Preset::Always(Value::Flag(false)),
        doc: "Whether the tasks reach ECR, CloudWatch Logs, Secrets Manager and EC2 without the internet, see [Network](#network): about $37 a month for each zone.",
        example: "true",
    },
    Setting {
        name: "s3_access_logs",
        kind: Kind::Flag,
        default: Preset::Always(Value::Flag(true)),
        doc: "Whether S3 writes down every request to the bucket of logs, beside the load balancer's logs, see [Buckets](#buckets). Costs their storage alone: cents.",
        example: "true",
    },
    Setting {
        name: "s3_event_notifications",
        kind: Kind::Flag,
        default: Preset::Always(Value::Flag(true)),
        doc: "Whether EventBridge is told of every new and deleted object in the buckets, for rules of the partner's. About $1 for a million.",
        example: "true",
    },
    Setting {
        name: "secret_policies",
        kind: Kind::Flag,
        default: Preset::Always(Value::Flag(true)),
        doc: "Whether each secret has a policy that denies it to every other account and to plain HTTP. Nothing is denied to this account's own, so it keeps nobody from leaving. Costs nothing.",
        example: "true",
    },
    Setting {
        name: "secret_rotation_function",
        kind: Kind::Text {
            takes: "the ARN of a Lambda function in the partner's account and Region",
            pattern: "^arn:(aws|aws-us-gov):lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]+$",
            check: is::<FunctionArn>,
        },
        default: Preset::Nothing,
        doc: "Who changes the database password, see [Rotation](#rotation) before. Without it, a person does. $0.05 for each 10,000 calls, and the function.",
        example: r#""arn:aws:lambda:us-east-1:123456789012:function:acme-rcm-rotation""#,
    },
    Setting {
        name: "secret_rotation_days",
        kind: Kind::Number { min: 1, max: 1000 },
        default: Preset::Always(Value::Number(90)),
        doc: "With `secret_rotation_function`: every how many days.",
        example: "30",
    },
    Setting {
        name: "backup_plan",
        kind: Kind::Flag,
        default: Preset::PerTier([Value::Flag(false), Value::Flag(true), Value::Flag(true)]),
        doc: "Whether AWS Backup takes a snapshot of the database every day and keeps it for 35 days, beside RDS's own backups, see [Backups](#backups): about $0.095 a month for each GB of them.",
        example: "true",
    },
    Setting {
        name: "db_instance_class",
        kind: Kind::Text {
            takes: "an RDS instance class",
            pattern: r"^db\.[a-z]+[0-9]+[a-z]*\.(micro|small|medium|large|[0-9]*xlarge)$",
            check: text::db_instance_class,
        },
        default: Preset::PerTier([text("db.t3.micro"), text("db.t3.medium"), text("db.t3.large")]),
        doc: "The size of the database server. Graviton classes (`db.t4g.…`, `db.r7g.…`) cost less for the same work.",
        example: r#""db.r6g.large""#,
    },
    Setting {
        name: "db_engine_version",
        kind: Kind::Choice { allowed: PostgresVersion::NAMES, check: is::<PostgresVersion> },
        default: Preset::Always(text("17")),
        doc: "PostgreSQL's major version. Minor versions are upgraded by RDS in the maintenance window.",
        example: r#""17""#,
    },
    Setting {
        name: "db_multi_az",
        kind: Kind::Flag,
        default: Preset::PerTier([Value::Flag(false), Value::Flag(true), Value::Flag(true)]),
        doc: "Whether a standby in another zone takes over when the database server fails.",
        example: "true",
    },
    Setting {
        name: "db_port",
        kind: Kind::Number { min: 1150, max: 65_535 },
        default: Preset::Always(Value::Number(5432)),
        doc: "The port of the database. AWS's best practice (RDS.23) asks for another than PostgreSQL's own; see [Database](#database).",
        example: "5433",
    },
    Setting {
        name: "db_iam_authentication",
        kind: Kind::Flag,
        default: Preset::Always(Value::Flag(true)),
        doc: "Whether IAM identities may log in, see [Database](#database). Costs nothing.",
        example: "true",
    },
    Setting {
        name: "db_performance_insights",
        kind: Kind::Flag,
        default: Preset::Always(Value::Flag(true)),
        doc: "Whether RDS keeps seven days of what the database waits for, under the partner's key. Costs nothing.",
        example: "true",
    },
    Setting {
        name: "db_enhanced_monitoring",
        kind: Kind::NumberOf(&[0, 15, 30, 60]),
        default: numbers(0, 60, 60),
        doc: "Every how many seconds the database server's operating system is measured; not at all if 0. About $1 a month at 60, four times that at 15, see [Database](#database).",
        example: "60",
    },
    Setting {
        name: "db_allocated_storage",
        kind: Kind::Number { min: 20, max: 65_536 },
        default: numbers(20, 50, 100),
        doc: "The database's disk at first, in GiB. It can grow, never shrink.",
        example: "100",
    },
    Setting {
        name: "db_max_allocated_storage",
        kind: Kind::Number { min: 22, max: 65_536 },
        default: numbers(100, 500, 1000),
        doc: "How far the disk may grow by itself, in GiB: at least 10 % more than `db_allocated_storage`.",
        example: "1000",
    },
    Setting {
        name: "db_read_replicas",
        kind: Kind::Number { min: 0, max: 5 },
        default: Preset::Always(Value::Number(0)),
        doc: "How many read replicas the database has, see [Read replicas](#read-replicas). Each costs what the database costs without its standby.",
        example: "1",
    },
    Setting {
        name: "compute",
        kind: Kind::Choice { allowed: Compute::NAMES, check: is::<Compute> },
        default: Preset::Always(text("ecs")),
        doc: "What the application runs on: ECS on Fargate, or [App Runner](#app-runner), which AWS closed to new customers on 30 April 2026.",
        example: r#""ecs""#,
    },
    Setting {
        name: "ecs_cpu",
        kind: Kind::NumberOf(&fargate::CPU_UNITS),
        default: numbers(256, 1024, 1024),
        doc: "The CPU of one task; 1024 is one vCPU.",
        example: "1024",
    },
    Setting {
        name: "ecs_memory",
        kind: Kind::Number { min: 512, max: 122_880 },
        default: numbers(512, 2048, 2048),
        doc: "The memory of one task in MiB; which sizes there are depends on `ecs_cpu`, see [Task sizes](#task-sizes).",
        example: "2048",
    },
    Setting {
        name: "ecs_desired_count",
        kind: Kind::Number { min: 1, max: 1000 },
        default: numbers(1, 2, 4),
        doc: "How many tasks run at first; from then on the load decides, between the two below.",
        example: "4",
    },
    Setting {
        name: "ecs_min_count",
        kind: Kind::Number { min: 1, max: 1000 },
        default: numbers(1, 2, 4),
        doc: "The fewest tasks that autoscaling leaves.",
        example: "2",
    },
    Setting {
        name: "ecs_max_count",
        kind: Kind::Number { min: 1, max: 1000 },
        default: numbers(2, 10, 20),
        doc: "The most tasks that autoscaling starts.",
        example: "10",
    },
    Setting {
        name: "ecs_scale_cpu",
        kind: Kind::Number { min: 10, max: 95 },
        default: Preset::Always(Value::Number(70)),
        doc: "The average CPU of the tasks that autoscaling holds, in percent.",
        example: "60",
    },
    Setting {
        name: "ecs_scale_memory",
        kind: Kind::Number { min: 10, max: 95 },
        default: Preset::Nothing,
        doc: "The average memory of the tasks that autoscaling holds, in percent. Without it, memory does not count.",
        example: "75",
    },
    Setting {
        name: "ecs_scale_requests",
        kind: Kind::Number { min: 1, max: 1_000_000 },
        default: Preset::Nothing,
        doc: "How many requests a minute autoscaling lets the load balancer send to each task. Without it, requests do not count.",
        example: "1000",
    },
    Setting {
        name: "ecs_schedules",
        kind: Kind::Schedules,
        default: Preset::Nothing,
        doc: "When the two counts become others, see [Scaling](#scaling).",
        example: r#"[{ name = "night", schedule = "cron(0 20 * * ? *)", timezone = "America/New_York", min = 1, max = 2 }]"#,
    },
    Setting {
        name: "ecs_spot",
        kind: Kind::Flag,
        default: Preset::PerTier([Value::Flag(true), Value::Flag(false), Value::Flag(false)]),
        doc: "Whether tasks run on Fargate Spot: up to 70 % cheaper, and AWS may stop them at two minutes' notice.",
        example: "true",
    },
    Setting {
        name: "ecs_on_demand_base",
        kind: Kind::Number { min: 0, max: 1000 },
        default: Preset::Always(Value::Number(1)),
        doc: "With `ecs_spot`: how many tasks never run on Spot.",
        example: "2",
    },
    Setting {
        name: "ecs_exec",
        kind: Kind::Flag,
        default: Preset::Always(Value::Flag(false)),
        doc: "Whether `rcm exec` may open a shell, as root, in a container that sees patients' data, see [Exec](#exec) before. In production that has to be accepted by `--accept-risk`. Costs the logs of the sessions alone.",
        example: "true",
    },
    Setting {
        name: "account_baseline",
        kind: Kind::Flag,
        default: Preset::Always(Value::Flag(false)),
        doc: "Whether rcm also turns on, for the whole account, what HIPAA wants of it, see [the account baseline](baseline.md).",
        example: "true",
    },
    Setting {
        name: "baseline_s3_data_events",
        kind: Kind::Flag,
        default: Preset::PerTier([Value::Flag(false), Value::Flag(true), Value::Flag(true)]),
        doc: "With `account_baseline`: whether CloudTrail logs each read and write of an object, in every bucket of the account: about $2 for a million.",
        example: "true",
    },
    Setting {
        name: "security_email",
        kind: Kind::Text { takes: "an e-mail address", pattern: "^[^@ ]+@[^@ ]+\\.[^@ ]+$", check: text::email },
        default: Preset::Nothing,
        doc: "With `account_baseline`: where the alarms of the account go, and AWS writes about its security. Default: `support_email`.",
        example: r#""security@acme.com""#,
    },
    Setting {
        name: "security_phone",
        kind: Kind::Text {
            takes: "a telephone number: at most 25 digits, spaces, and any of ()+-",
            pattern: "^[0-9 ()+-]{3,25}$",
            check: text::phone,
        },
        default: Preset::Nothing,
        doc: "With `account_baseline`: where AWS calls about the account's security. Without it, AWS takes no security contact, and rcm makes none.",
        example: r#""+1 555 0100""#,
    },
    Setting {
        name: "security_contact",
        kind: Kind::Text { takes: "a line of text", pattern: "", check: text::contact },
        default: Preset::Always(text("Security team")),
        doc: "With `security_phone`: whom AWS asks for.",
        example: r#""Security team""#,
    },
    Setting {
        name: "security_hub",
        kind: Kind::Flag,
        default: Preset::Always(Value::Flag(false)),
        doc: "With `account_baseline`: whether Security Hub gathers what is found and holds the account against standards: $0.0010 a check, about $10 to $30 a month.",
        example: "true",
    },
    Setting {
        name: "security_hub_fsbp",
        kind: Kind::Flag,
        default: Preset::Always(Value::Flag(true)),
        doc: "With `security_hub`: whether against AWS's Foundational Security Best Practices.",
        example: "true",
    },
    Setting {
        name: "security_hub_cis",
        kind: Kind::Flag,
        default: Preset::Always(Value::Flag(true)),
        doc: "With `security_hub`: whether against the CIS AWS Foundations Benchmark. What both ask is paid once.",
        example: "true",
    },
    Setting {
        name: "image_scanning",
        kind: Kind::Choice { allowed: ImageScanning::NAMES, check: is::<ImageScanning> },
        default: Preset::Always(text("basic")),
        doc: "With `account_baseline`: how the account's images are searched for known weaknesses. `basic` costs nothing; `enhanced` is Amazon Inspector's, about $0.09 an image and $0.01 each time again.",
        example: r#""basic""#,
    },
    Setting {
        name: "flow_logs",
        kind: Kind::Flag,
        default: Preset::Always(Value::Flag(true)),
        doc: "Whether the addresses and ports of all traffic in the network are logged and kept for seven years: about $0.50 a GB.",
        example: "true",
    },
    Setting {
        name: "alarms",
        kind: Kind::Flag,
        default: Preset::PerTier([Value::Flag(false), Value::Flag(true), Value::Flag(true)]),
        doc: "Whether `support_email` is told when something is wrong, see [Alarms](#alarms): about $1 a month.",
        example: "true",
    },
    Setting {
        name: "dashboard",
        kind: Kind::Flag,
        default: Preset::PerTier([Value::Flag(false), Value::Flag(true), Value::Flag(true)]),
        doc: "Whether CloudWatch has a dashboard of what the alarms watch: about $3 a month.",
        example: "true",
    },
    Setting {
        name: "api_image",
        kind: Kind::Text {
            takes: "a container image pinned by digest",
            pattern: "^[a-z0-9._:/-]+@sha256:[0-9a-f]{64}$",
            check: is::<ImageRef>,
        },
        default: Preset::Nothing,
        doc: "The application's image, if the file is to decide: then `rcm deploy` deploys no other. Where neither has named one, the service runs no task.",
        example: r#""123456789012.dkr.ecr.us-east-1.amazonaws.com/acme-rcm-prod-api@sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae""#,
    },
];
