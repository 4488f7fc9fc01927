//! The partner's configuration: every setting decided, and how it comes from a file.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ipnet::Ipv4Net;

use super::error::{ConfigError, Problem};
use super::names;
use super::nearest::nearest;
use super::read::{Document, read};
use super::schedule::Schedule;
use super::validate::{Environment, between, named_at_top};
use super::values::{
    AccountId, Compute, FunctionArn, HexColor, HostedZoneId, ImageRef, ImageScanning, PostgresVersion, Refusal, Region,
    RoleArn, Tier, TlsPolicy, Waf,
};

/// One environment of a partner, every setting decided: what the file leaves out is the tier's preset.
///
/// What each setting means stands in `docs/partner-file.md`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartnerConfig {
    /// The partner's name: the partner file's, without `.toml`.
    pub partner: String,
    /// The partner file.
    pub file: PathBuf,
    /// What every AWS name begins with, before the environment.
    pub project_prefix: String,
    /// The name that the partner's users see.
    pub brand_name: String,
    /// The environment.
    pub environment: String,
    /// The application's address; without it there is no HTTPS.
    pub domain_name: Option<String>,
    /// The Route 53 zone that the domain's records are made in; without it somebody else makes them.
    pub hosted_zone_id: Option<HostedZoneId>,
    /// Where the partner's users write for help.
    pub support_email: String,
    /// The brand's colour.
    pub primary_color: HexColor,
    /// The only account that may be touched.
    pub aws_account_id: AccountId,
    /// The only Region that may be touched.
    pub aws_region: Region,
    /// The profile to get credentials from, instead of the SDK's own choice.
    pub aws_profile: Option<String>,
    /// The role to assume in the account.
    pub aws_role_arn: Option<RoleArn>,
    /// The external ID to assume it with.
    pub aws_external_id: Option<String>,
    /// Where the presets come from.
    pub tier: Tier,
    /// The VPC's addresses: private, /16 to /20.
    pub vpc_cidr: Ipv4Net,
    /// How many zones the subnets are in: 2 or 3.
    pub availability_zones: u32,
    /// 1, or as many as there are zones.
    pub nat_gateways: u32,
    /// Whether each tier of subnets has a network ACL.
    pub network_acls: bool,
    /// The load balancer's security policy.
    pub tls_policy: TlsPolicy,
    /// What the web application firewall before the load balancer does with what it finds; counts on ECS alone.
    pub waf: Waf,
    /// Whether services of AWS are reached by interface endpoints.
    pub vpc_endpoints: bool,
    /// Whether requests to the bucket of logs are logged.
    pub s3_access_logs: bool,
    /// Whether the buckets tell EventBridge what happens in them.
    pub s3_event_notifications: bool,
    /// Whether each secret has a policy of its own.
    pub secret_policies: bool,
    /// The function that changes the database password; nobody does by himself if `None`.
    pub secret_rotation_function: Option<FunctionArn>,
    /// Every how many days it does.
    pub secret_rotation_days: u32,
    /// Whether AWS Backup backs up the database.
    pub backup_plan: bool,
    /// The RDS instance class.
    pub db_instance_class: String,
    /// PostgreSQL's major version.
    pub db_engine_version: PostgresVersion,
    /// Whether the database has a standby in another zone.
    pub db_multi_az: bool,
    /// The port of the database.
    pub db_port: u16,
    /// Whether IAM identities may log in to the database.
    pub db_iam_authentication: bool,
    /// Whether Performance Insights is on.
    pub db_performance_insights: bool,
    /// Every how many seconds the database server's operating system is measured; not at all if 0.
    pub db_enhanced_monitoring: u32,
    /// The database's disk at first, in GiB.
    pub db_allocated_storage: u32,
    /// How far the disk may grow, in GiB.
    pub db_max_allocated_storage: u32,
    /// How many read replicas the database has: 0 to 5.
    pub db_read_replicas: u32,
    /// What the application runs on.
    pub compute: Compute,
    /// A task's CPU, in units of 1/1024 vCPU.
    pub ecs_cpu: u32,
    /// A task's memory, in MiB.
    pub ecs_memory: u32,
    /// How many tasks there are at first.
    pub ecs_desired_count: u32,
    /// The fewest tasks that autoscaling leaves.
    pub ecs_min_count: u32,
    /// The most tasks that autoscaling starts.
    pub ecs_max_count: u32,
    /// The average CPU of the tasks that autoscaling holds, in percent.
    pub ecs_scale_cpu: u32,
    /// The average memory of the tasks that autoscaling holds, in percent; `None` where memory does not count.
    pub ecs_scale_memory: Option<u32>,
    /// The requests a minute and task that autoscaling holds; `None` where they do not count.
    pub ecs_scale_requests: Option<u32>,
    /// When the two counts become others.
    pub ecs_schedules: Vec<Schedule>,
    /// Whether tasks run on Fargate Spot.
    pub ecs_spot: bool,
    /// How many tasks never run on Spot.
    pub ecs_on_demand_base: u32,
    /// Whether people with the right to may open a shell in a container.
    pub ecs_exec: bool,
    /// Whether the account as a whole is watched and guarded too.
    pub account_baseline: bool,
    /// Whether the account's trail logs reads and writes of objects in S3.
    pub baseline_s3_data_events: bool,
    /// Where the alarms of the account go, if not to the support address.
    pub security_email: Option<String>,
    /// Where AWS calls about the account's security; without it there is no security contact.
    pub security_phone: Option<String>,
    /// Whom AWS asks for there.
    pub security_contact: String,
    /// Whether Security Hub is on.
    pub security_hub: bool,
    /// Whether it holds the account against AWS's Foundational Security Best Practices.
    pub security_hub_fsbp: bool,
    /// Whether it holds the account against the CIS AWS Foundations Benchmark.
    pub security_hub_cis: bool,
    /// How the account's images are scanned, if the account is guarded.
    pub image_scanning: ImageScanning,
    /// Whether the network's traffic is logged.
    pub flow_logs: bool,
    /// Whether somebody is told when something is wrong.
    pub alarms: bool,
    /// Whether there is a dashboard of what the alarms watch.
    pub dashboard: bool,
    /// The application's image; without it the service runs no task.
    pub api_image: Option<ImageRef>,
}

impl PartnerConfig {
    /// Reads `NAME.toml` in `partners_dir`, and of it the environment `env`, or the one that the file names or solely has.
    ///
    /// # Errors
    /// Everything that is wrong with the name, the file or the choice of an environment; of a file, all at once.
    pub fn load(partners_dir: &Path, name: &str, env: Option<&str>) -> Result<PartnerConfig, ConfigError> {
        let path = Self::path(partners_dir, name)?;
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&path, &text, env),
            Err(_) if !partners_dir.is_dir() => Err(ConfigError::NoDirectory { path: partners_dir.to_owned() }),
            Err(source) if source.kind() == io::ErrorKind::NotFound => Err(not_found(partners_dir, name, path)),
            Err(source) => Err(ConfigError::Unreadable { path, source }),
        }
    }

    /// Where the partner of that name has its file, whether it is there or not.
    ///
    /// # Errors
    /// Where the name is none that a partner can have.
    pub fn path(partners_dir: &Path, name: &str) -> Result<PathBuf, ConfigError> {
        if !is_partner_name(name) {
            return Err(ConfigError::PartnerName { name: name.to_owned() });
        }
        Ok(partners_dir.join(format!("{name}.toml")))
    }

    /// The configuration in a partner file's text; the file's name gives the partner's, and its path the place of errors.
    ///
    /// # Errors
    /// As [`load`](Self::load), but for those of reading.
    pub fn parse(file: impl AsRef<Path>, text: &str, env: Option<&str>) -> Result<PartnerConfig, ConfigError> {
        let file = file.as_ref();
        let document = read(file, text);
        let environments = Environment::all(&document);
        refuse_problems(&document, &environments)?;
        let chosen = choose(&document, &environments, env)?;
        decide(file, chosen).map_err(|problem| ConfigError::Invalid { file: file.to_owned(), problems: vec![problem] })
    }

    /// The same environment in another tier: the settings of its file, as that is now, over the tier's presets.
    ///
    /// # Errors
    /// As [`load`](Self::load), and where the file's settings do not fit the tier.
    pub fn in_tier(&self, tier: Tier) -> Result<PartnerConfig, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { path: self.file.clone(), source };
        let text = std::fs::read_to_string(&self.file).map_err(unreadable)?;
        let document = read(&self.file, &text);
        let environments: Vec<_> = Environment::all(&document).into_iter().map(|found| found.in_tier(tier)).collect();
        refuse_problems(&document, &environments)?;
        let chosen = choose(&document, &environments, Some(&self.environment))?;
        decide(&self.file, chosen)
            .map_err(|problem| ConfigError::Invalid { file: self.file.clone(), problems: vec![problem] })
    }

    /// Where the alarms of the account go.
    pub fn security_email(&self) -> &str {
        self.security_email.as_deref().unwrap_or(&self.support_email)
    }

    /// What every name in AWS begins with: `{project_prefix}-{environment}`.
    pub fn prefix(&self) -> String {
        names::prefix(&self.project_prefix, &self.environment)
    }
}

/// Fails with every problem of the file, in the file's order and each once; what is missing comes last.
fn refuse_problems(document: &Document<'_>, environments: &[Environment<'_>]) -> Result<(), ConfigError> {
    let mut problems = document.problems.clone();
    let malformed = problems.iter().any(|problem| problem.key.is_none());
    if !malformed {
        problems.extend(environments.iter().flat_map(Environment::problems));
        problems.extend(between(environments));
    }
    if problems.is_empty() {
        return Ok(());
    }
    let place = |problem: &Problem| problem.location.as_ref().map_or((usize::MAX, 0), |at| (at.line, at.column));
    problems.sort_by_key(place);
    let mut seen = Vec::new();
    problems.retain(|problem| {
        !seen.contains(problem) && {
            seen.push(problem.clone());
            true
        }
    });
    Err(ConfigError::Invalid { file: document.source.file().to_owned(), problems })
}

/// The environment to use: the one asked for, else the one named at the top of the file, else the only one.
fn choose<'e, 'd>(
    document: &Document<'_>,
    environments: &'e [Environment<'d>],
    env: Option<&str>,
) -> Result<&'e Environment<'d>, ConfigError> {
    let names =
        || environments.iter().filter_map(|environment| environment.name.map(str::to_owned)).collect::<Vec<_>>();
    let file = document.source.file().to_owned();
    match (env.or_else(|| named_at_top(document)), environments) {
        (Some(wanted), _) => {
            let found = environments.iter().find(|environment| environment.name == Some(wanted));
            found.ok_or_else(|| ConfigError::UnknownEnvironment {
                file,
                asked: wanted.to_owned(),
                nearest: nearest(wanted, environments.iter().filter_map(|environment| environment.name))
                    .map(str::to_owned),
                environments: names(),
            })
        }
        (None, [only]) => Ok(only),
        (None, _) => Err(ConfigError::EnvironmentNeeded { file, environments: names() }),
    }
}

/// Takes an environment's values into their types. Nothing of it fails once the file has no problems.
fn decide(file: &Path, from: &Environment<'_>) -> Result<PartnerConfig, Problem> {
    let values = Values(from);
    Ok(PartnerConfig {
        partner: file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default(),
        file: file.to_owned(),
        project_prefix: values.text("project_prefix")?,
        brand_name: values.text("brand_name")?,
        environment: from.name.map(str::to_owned).ok_or_else(|| values.absent("environment"))?,
        domain_name: from.text("domain_name"),
        hosted_zone_id: values.parse_if_given("hosted_zone_id")?,
        support_email: values.text("support_email")?,
        primary_color: values.parse("primary_color")?,
        aws_account_id: values.parse("aws_account_id")?,
        aws_region: values.parse("aws_region")?,
        aws_profile: from.text("aws_profile"),
        aws_role_arn: values.parse_if_given("aws_role_arn")?,
        aws_external_id: from.text("aws_external_id"),
        tier: values.parse("tier")?,
        vpc_cidr: values.parse_with("vpc_cidr", super::values::vpc_cidr)?,
        availability_zones: values.number("availability_zones")?,
        nat_gateways: values.number("nat_gateways")?,
        network_acls: values.flag("network_acls")?,
        tls_policy: values.parse("tls_policy")?,
        waf: values.parse("waf")?,
        vpc_endpoints: values.flag("vpc_endpoints")?,
        s3_access_logs: values.flag("s3_access_logs")?,
        s3_event_notifications: values.flag("s3_event_notifications")?,
        secret_policies: values.flag("secret_policies")?,
        secret_rotation_function: values.parse_if_given("secret_rotation_function")?,
        secret_rotation_days: values.number("secret_rotation_days")?,
        backup_plan: values.flag("backup_plan")?,
        db_instance_class: values.text("db_instance_class")?,
        db_engine_version: values.parse("db_engine_version")?,
        db_multi_az: values.flag("db_multi_az")?,
        db_port: values.port("db_port")?,
        db_iam_authentication: values.flag("db_iam_authentication")?,
        db_performance_insights: values.flag("db_performance_insights")?,
        db_enhanced_monitoring: values.number("db_enhanced_monitoring")?,
        db_allocated_storage: values.number("db_allocated_storage")?,
        db_max_allocated_storage: values.number("db_max_allocated_storage")?,
        db_read_replicas: values.number("db_read_replicas")?,
        compute: values.parse("compute")?,
        ecs_cpu: values.number("ecs_cpu")?,
        ecs_memory: values.number("ecs_memory")?,
        ecs_desired_count: values.number("ecs_desired_count")?,
        ecs_min_count: values.number("ecs_min_count")?,
        ecs_max_count: values.number("ecs_max_count")?,
        ecs_scale_cpu: values.number("ecs_scale_cpu")?,
        ecs_scale_memory: from.number("ecs_scale_memory"),
        ecs_scale_requests: from.number("ecs_scale_requests"),
        ecs_schedules: from.schedules("ecs_schedules"),
        ecs_spot: values.flag("ecs_spot")?,
        ecs_on_demand_base: values.number("ecs_on_demand_base")?,
        ecs_exec: values.flag("ecs_exec")?,
        account_baseline: values.flag("account_baseline")?,
        baseline_s3_data_events: values.flag("baseline_s3_data_events")?,
        security_email: from.text("security_email"),
        security_phone: from.text("security_phone"),
        security_contact: values.text("security_contact")?,
        security_hub: values.flag("security_hub")?,
        security_hub_fsbp: values.flag("security_hub_fsbp")?,
        security_hub_cis: values.flag("security_hub_cis")?,
        image_scanning: values.parse("image_scanning")?,
        flow_logs: values.flag("flow_logs")?,
        alarms: values.flag("alarms")?,
        dashboard: values.flag("dashboard")?,
        api_image: values.parse_if_given("api_image")?,
    })
}

/// An environment's values, each of which must be there.
struct Values<'a>(&'a Environment<'a>);

impl Values<'_> {
    fn absent(&self, name: &'static str) -> Problem {
        self.0.problem(&[name], Refusal::new(format!("`{name}` has no value")))
    }

    fn text(&self, name: &'static str) -> Result<String, Problem> {
        self.0.text(name).ok_or_else(|| self.absent(name))
    }

    fn number(&self, name: &'static str) -> Result<u32, Problem> {
        self.0.number(name).ok_or_else(|| self.absent(name))
    }

    fn port(&self, name: &'static str) -> Result<u16, Problem> {
        u16::try_from(self.number(name)?).map_err(|_| self.absent(name))
    }

    fn flag(&self, name: &'static str) -> Result<bool, Problem> {
        self.0.flag(name).ok_or_else(|| self.absent(name))
    }

    fn parse<T: FromStr<Err = Refusal>>(&self, name: &'static str) -> Result<T, Problem> {
        self.parse_with(name, str::parse)
    }

    fn parse_with<T>(&self, name: &'static str, parse: impl Fn(&str) -> Result<T, Refusal>) -> Result<T, Problem> {
        parse(&self.text(name)?).map_err(|refusal| self.0.problem(&[name], refusal))
    }

    fn parse_if_given<T: FromStr<Err = Refusal>>(&self, name: &'static str) -> Result<Option<T>, Problem> {
        self.0.text(name).map(|_| self.parse(name)).transpose()
    }
}

/// Whether a partner's name is safe as a file name and in the tags and names made of it.
fn is_partner_name(name: &str) -> bool {
    (1..=40).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !name.starts_with('-')
}

fn not_found(partners_dir: &Path, name: &str, path: PathBuf) -> ConfigError {
    let partners = partners_in(partners_dir);
    let nearest = nearest(name, partners.iter().map(String::as_str)).map(str::to_owned);
    ConfigError::NotFound { name: name.to_owned(), path, partners, nearest }
}

/// The partners that have a file in the folder, sorted; none where the folder cannot be read.
fn partners_in(partners_dir: &Path) -> Vec<String> {
    let files = std::fs::read_dir(partners_dir).into_iter().flatten().flatten();
    let names = files.filter_map(|file| Some(file.file_name().to_str()?.strip_suffix(".toml")?.to_owned()));
    names.filter(|name| is_partner_name(name)).collect::<BTreeSet<_>>().into_iter().collect()
}
