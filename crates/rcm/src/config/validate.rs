//! One environment of a partner file as a whole: what the file gives, what the tier fills in, and what must fit together.

use std::ops::Range;

use ipnet::Ipv4Net;

use super::apprunner;
use super::error::Problem;
use super::fargate;
use super::names;
use super::read::{Document, Given, Layer};
use super::schedule::Schedule;
use super::settings::{self, Preset, SETTINGS, Value};
use super::values::{Refusal, RoleArn, Tier, overlap, vpc_cidr};

/// The settings of one environment: its own table over the common ones over the tier's presets.
pub(super) struct Environment<'a> {
    document: &'a Document<'a>,
    /// `None` where the file names no environment.
    pub(super) name: Option<&'a str>,
    own: Option<&'a Layer>,
    /// The tier, whatever the file says.
    tier: Option<Tier>,
}

impl<'a> Environment<'a> {
    /// Every environment that the file describes: its tables, and the one that it names at the top.
    pub(super) fn all(document: &'a Document<'a>) -> Vec<Environment<'a>> {
        let in_tables = document.environments.iter().map(|(name, own)| Environment {
            document,
            name: Some(name),
            own: Some(own),
            tier: None,
        });
        let mut all: Vec<_> = in_tables.collect();
        match named_at_top(document) {
            Some(name) if document.environments.contains_key(name) => {}
            Some(name) => all.push(Environment { document, name: Some(name), own: None, tier: None }),
            None if all.is_empty() => all.push(Environment { document, name: None, own: None, tier: None }),
            None => {}
        }
        all.sort_by_key(|environment| environment.name);
        all
    }

    /// The same in another tier.
    pub(super) fn in_tier(self, tier: Tier) -> Self {
        Self { tier: Some(tier), ..self }
    }

    /// What the file says of a setting, the environment's own table first.
    fn given(&self, name: &str) -> Option<&'a Given> {
        self.own.and_then(|own| own.get(name)).or_else(|| self.document.common.get(name))
    }

    /// The value in force; `None` where there is none or where the file's is no good.
    pub(super) fn value(&self, name: &str) -> Option<Value> {
        match self.given(name) {
            _ if name == "tier" => self.tier().map(|tier| Value::Text(tier.as_str().into())),
            Some(given) => given.value.clone(),
            None => match settings::find(name)?.preset(self.tier()?)? {
                Value::OnePerZone => self.value("availability_zones"),
                value => Some(value),
            },
        }
    }

    fn tier(&self) -> Option<Tier> {
        match self.given("tier") {
            _ if self.tier.is_some() => self.tier,
            Some(Given { value: Some(Value::Text(text)), .. }) => text.parse().ok(),
            Some(_) => None,
            None => Some(Tier::Production),
        }
    }

    pub(super) fn number(&self, name: &str) -> Option<u32> {
        match self.value(name)? {
            Value::Number(number) => Some(number),
            _ => None,
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.value(name)? {
            Value::Text(text) => Some(text.into_owned()),
            _ => None,
        }
    }

    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        match self.value(name)? {
            Value::Flag(flag) => Some(flag),
            _ => None,
        }
    }

    pub(super) fn schedules(&self, name: &str) -> Vec<Schedule> {
        match self.value(name) {
            Some(Value::Schedules(list)) => list,
            _ => Vec::new(),
        }
    }

    /// Where to point for a fault in these settings together: at the first that the file gives, else at the environment.
    fn place(&self, names: &[&'static str]) -> (Option<&'static str>, Option<Range<usize>>) {
        let given = names.iter().find_map(|name| Some((*name, self.given(name)?.span.clone())));
        match given {
            Some((name, span)) => (Some(name), Some(span)),
            None => (names.first().copied(), self.own.and_then(|own| own.header.clone())),
        }
    }

    pub(super) fn problem(&self, names: &[&'static str], refusal: Refusal) -> Problem {
        let (key, span) = self.place(names);
        self.document.source.problem(span, key, refusal)
    }

    /// `ecs_memory = 512`, and who says so where it is not the file.
    fn quote(&self, name: &str) -> String {
        let value = self.value(name).map_or_else(|| "?".to_owned(), |value| value.to_string());
        let by_tier = settings::find(name).is_some_and(|setting| matches!(setting.default, Preset::PerTier(_)));
        match (self.given(name), self.tier()) {
            (None, Some(tier)) if by_tier => format!("{name} = {value} (the default of tier {tier})"),
            (None, _) => format!("{name} = {value} (the default)"),
            (Some(_), _) => format!("{name} = {value}"),
        }
    }

    /// Every rule that takes more than one setting to judge.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let rules = [
            Self::fargate_size,
            Self::app_runner_size,
            Self::app_runner_count,
            Self::app_runner_region,
            Self::app_runner_has_an_address_of_its_own,
            Self::app_runner_scales_by_itself,
            Self::app_runner_has_no_firewall,
            Self::app_runner_has_no_shell,
            Self::task_counts,
            Self::nat_gateways,
            Self::storage_limit,
            Self::role_is_the_partners,
            Self::external_id_has_a_role,
            Self::hosted_zone_has_a_domain,
            Self::security_is_the_accounts,
            Self::rotation_is_the_partners,
            Self::enhanced_scanning_has_a_baseline,
            Self::names_fit,
        ];
        let missing = SETTINGS.iter().filter_map(|setting| self.missing(setting));
        missing.chain(rules.iter().filter_map(|rule| rule(self))).collect()
    }

    fn missing(&self, setting: &settings::Setting) -> Option<Problem> {
        let required = matches!(setting.default, Preset::Required);
        let named_by_its_table = setting.name == "environment" && self.own.is_some();
        if !required || named_by_its_table || self.given(setting.name).is_some() {
            return None;
        }
        let refusal = Refusal::new(format!("`{}` is missing", setting.name)).help(setting.usage());
        Some(self.problem(&[setting.name], refusal))
    }

    fn fargate_size(&self) -> Option<Problem> {
        let (cpu, memory) = (self.number("ecs_cpu")?, self.number("ecs_memory")?);
        let sizes = fargate::memory_for(cpu)?;
        if sizes.allows(memory) {
            return None;
        }
        let message = format!("Fargate has no task with {} and {}", self.quote("ecs_cpu"), self.quote("ecs_memory"));
        let mut help = format!("with ecs_cpu = {cpu}, ecs_memory is one of {sizes}");
        let others =
            fargate::CPU_UNITS.into_iter().filter(|&cpu| fargate::memory_for(cpu).is_some_and(|m| m.allows(memory)));
        let others: Vec<String> = others.map(|cpu| cpu.to_string()).collect();
        if !others.is_empty() {
            help.push_str(&format!("; ecs_memory = {memory} goes with ecs_cpu {}", others.join(", ")));
        }
        Some(self.problem(&["ecs_memory", "ecs_cpu"], Refusal::new(message).help(help)))
    }

    /// `Some` where the application is to run on App Runner.
    fn on_app_runner(&self) -> Option<()> {
        (self.text("compute")? == "apprunner").then_some(())
    }

    fn app_runner_size(&self) -> Option<Problem> {
        self.on_app_runner()?;
        let (cpu, memory) = (self.number("ecs_cpu")?, self.number("ecs_memory")?);
        if apprunner::sells(cpu, memory) || !fargate::memory_for(cpu)?.allows(memory) {
            return None;
        }
        let (cpu, memory) = (self.quote("ecs_cpu"), self.quote("ecs_memory"));
        let refusal = Refusal::new(format!("App Runner has no instance with {cpu} and {memory}"))
            .help(format!("it has {}", apprunner::sizes()));
        Some(self.problem(&["ecs_memory", "ecs_cpu", "compute"], refusal))
    }

    fn app_runner_count(&self) -> Option<Problem> {
        self.on_app_runner()?;
        let most = apprunner::MOST_INSTANCES;
        if self.number("ecs_max_count")? <= most {
            return None;
        }
        let message = format!("App Runner has at most {most} instances, and {}", self.quote("ecs_max_count"));
        let refusal = Refusal::new(message).help(format!("use ecs_max_count = {most} or less, or compute = \"ecs\""));
        Some(self.problem(&["ecs_max_count", "compute"], refusal))
    }

    fn app_runner_region(&self) -> Option<Problem> {
        self.on_app_runner()?;
        let region = self.text("aws_region")?;
        if apprunner::REGIONS.contains(&region.as_str()) {
            return None;
        }
        let refusal = Refusal::new(format!("there is no App Runner in {region}")).help("use compute = \"ecs\"");
        Some(self.problem(&["compute"], refusal))
    }

    fn app_runner_has_an_address_of_its_own(&self) -> Option<Problem> {
        self.on_app_runner()?;
        self.text("domain_name")?;
        let refusal = Refusal::new("rcm leads no domain_name to App Runner yet").help(
            "the service answers over HTTPS on an address of its own (*.awsapprunner.com), which `rcm output` shows: delete the line, \
             or use compute = \"ecs\"",
        );
        Some(self.problem(&["domain_name"], refusal))
    }

    /// What would be without effect is refused: somebody counts on it.
    fn app_runner_scales_by_itself(&self) -> Option<Problem> {
        const OF_ECS: [&str; 6] = [
            "ecs_scale_cpu",
            "ecs_scale_memory",
            "ecs_scale_requests",
            "ecs_schedules",
            "ecs_spot",
            "ecs_on_demand_base",
        ];
        self.on_app_runner()?;
        let name = OF_ECS.into_iter().find(|name| self.given(name).is_some())?;
        let refusal = Refusal::new(format!("{name} has no effect on App Runner")).help(
            "App Runner adds instances by requests alone, between ecs_min_count and ecs_max_count: delete the line",
        );
        Some(self.problem(&[name], refusal))
    }

    fn app_runner_has_no_firewall(&self) -> Option<Problem> {
        self.on_app_runner()?;
        self.given("waf")?;
        if self.text("waf")? == "off" {
            return None;
        }
        let refusal = Refusal::new(format!("{} has no effect on App Runner", self.quote("waf")))
            .help("rcm puts a firewall before a load balancer alone: delete the line, or use compute = \"ecs\"");
        Some(self.problem(&["waf"], refusal))
    }

    fn app_runner_has_no_shell(&self) -> Option<Problem> {
        self.on_app_runner()?;
        if !self.flag("ecs_exec")? {
            return None;
        }
        let refusal = Refusal::new("ecs_exec has no effect on App Runner")
            .help("App Runner lets nobody into its containers: delete the line, or use compute = \"ecs\"");
        Some(self.problem(&["ecs_exec"], refusal))
    }

    fn task_counts(&self) -> Option<Problem> {
        let (min, desired, max) =
            (self.number("ecs_min_count")?, self.number("ecs_desired_count")?, self.number("ecs_max_count")?);
        let (low, high) = match (min <= max, min <= desired, desired <= max) {
            (false, _, _) => ("ecs_min_count", "ecs_max_count"),
            (_, false, _) => ("ecs_min_count", "ecs_desired_count"),
            (_, _, false) => ("ecs_desired_count", "ecs_max_count"),
            _ => return None,
        };
        let refusal = Refusal::new(format!("{} is more than {}", self.quote(low), self.quote(high)))
            .help("ecs_min_count must be at most ecs_desired_count, and that at most ecs_max_count");
        Some(self.problem(&["ecs_desired_count", low, high], refusal))
    }

    fn nat_gateways(&self) -> Option<Problem> {
        let (gateways, zones) = (self.number("nat_gateways")?, self.number("availability_zones")?);
        if gateways == 1 || gateways == zones {
            return None;
        }
        let message = format!("{} does not go with {}", self.quote("nat_gateways"), self.quote("availability_zones"));
        let refusal = Refusal::new(message).help(format!("use 1, or one for each zone: {zones}"));
        Some(self.problem(&["nat_gateways", "availability_zones"], refusal))
    }

    /// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.Autoscaling.html>
    fn storage_limit(&self) -> Option<Problem> {
        let (at_first, limit) = (self.number("db_allocated_storage")?, self.number("db_max_allocated_storage")?);
        let least = at_first + at_first.div_ceil(10);
        if limit >= least {
            return None;
        }
        let message = format!(
            "{} leaves {} no room to grow",
            self.quote("db_max_allocated_storage"),
            self.quote("db_allocated_storage")
        );
        let refusal = Refusal::new(message)
            .help(format!("RDS wants at least 10 % more: db_max_allocated_storage = {least} or above"));
        Some(self.problem(&["db_max_allocated_storage", "db_allocated_storage"], refusal))
    }

    fn role_is_the_partners(&self) -> Option<Problem> {
        let role: RoleArn = self.text("aws_role_arn")?.parse().ok()?;
        let account = self.text("aws_account_id")?;
        if role.account() != account {
            let message = format!("the role is in account {}, the partner's is {account}", role.account());
            let refusal = Refusal::new(message).help("name a role in the partner's account: rcm touches no other");
            return Some(self.problem(&["aws_role_arn"], refusal));
        }
        let region: super::values::Region = self.text("aws_region")?.parse().ok()?;
        if role.partition() == region.partition() {
            return None;
        }
        let message = format!("the role is in partition {}, {region} is in {}", role.partition(), region.partition());
        let refusal = Refusal::new(message).help(format!("in {region} an ARN begins with arn:{}:", region.partition()));
        Some(self.problem(&["aws_role_arn"], refusal))
    }

    fn external_id_has_a_role(&self) -> Option<Problem> {
        self.given("aws_external_id")?;
        if self.given("aws_role_arn").is_some() {
            return None;
        }
        let refusal = Refusal::new("aws_external_id has no effect without aws_role_arn")
            .help("an external ID is sent when a role is assumed; add aws_role_arn or delete the line");
        Some(self.problem(&["aws_external_id"], refusal))
    }

    fn hosted_zone_has_a_domain(&self) -> Option<Problem> {
        self.text("hosted_zone_id")?;
        if self.given("domain_name").is_some() {
            return None;
        }
        let refusal = Refusal::new("hosted_zone_id has no effect without domain_name")
            .help("records are made for domain_name; add it or delete the line");
        Some(self.problem(&["hosted_zone_id"], refusal))
    }

    /// What would be without effect is refused: somebody counts on it.
    fn security_is_the_accounts(&self) -> Option<Problem> {
        const OF_THE_ACCOUNT: [&str; 3] = ["security_email", "security_hub", "security_phone"];
        if self.flag("account_baseline")? {
            return None;
        }
        let counts = |name: &&&str| self.value(name).is_some_and(|value| value != Value::Flag(false));
        let name = OF_THE_ACCOUNT.iter().find(counts)?;
        let refusal = Refusal::new(format!("{name} has no effect without account_baseline = true"))
            .help("it is about the account as a whole: add account_baseline = true, or delete the line");
        Some(self.problem(&[name], refusal))
    }

    fn rotation_is_the_partners(&self) -> Option<Problem> {
        let function: super::values::FunctionArn = self.text("secret_rotation_function")?.parse().ok()?;
        let (account, region) = (self.text("aws_account_id")?, self.text("aws_region")?);
        if (function.account(), function.region()) == (account.as_str(), region.as_str()) {
            return None;
        }
        let place = format!("{} in account {}", function.region(), function.account());
        let refusal = Refusal::new(format!("the rotation function is in {place}"))
            .help(format!("name a function in {region} of the partner's account {account}: rcm touches no other"));
        Some(self.problem(&["secret_rotation_function"], refusal))
    }

    fn enhanced_scanning_has_a_baseline(&self) -> Option<Problem> {
        if self.text("image_scanning")? != "enhanced" || self.flag("account_baseline")? {
            return None;
        }
        let refusal = Refusal::new("image_scanning = \"enhanced\" has no effect without account_baseline")
            .help("it is set for the whole account: set account_baseline = true or delete the line");
        Some(self.problem(&["image_scanning"], refusal))
    }

    fn names_fit(&self) -> Option<Problem> {
        let (project, account) = (self.text("project_prefix")?, self.text("aws_account_id")?);
        let region = self.text("aws_region")?;
        let prefix = names::prefix(&project, self.name?);
        let refusal = names::too_long(&prefix, &account, &region)?;
        Some(self.problem(&["project_prefix"], refusal))
    }
}

/// The environment that the top of the file names.
pub(super) fn named_at_top<'a>(document: &'a Document<'_>) -> Option<&'a str> {
    match document.common.get("environment")?.value.as_ref()? {
        Value::Text(name) => Some(name),
        _ => None,
    }
}

/// Rules between the environments of one file that share an account and a Region.
pub(super) fn between(environments: &[Environment<'_>]) -> Vec<Problem> {
    let pairs =
        environments.iter().enumerate().flat_map(|(i, later)| environments[..i].iter().map(move |one| (one, later)));
    let neighbours = pairs.filter(|(one, later)| {
        ["aws_account_id", "aws_region"]
            .iter()
            .all(|name| one.value(name).is_some() && one.value(name) == later.value(name))
    });
    neighbours.flat_map(|(one, later)| [same_secrets(one, later), same_addresses(one, later)]).flatten().collect()
}

/// Secrets are named after the project alone, so two environments beside each other would share one database password.
fn same_secrets(one: &Environment<'_>, later: &Environment<'_>) -> Option<Problem> {
    let project =
        later.text("project_prefix").filter(|project| one.text("project_prefix").as_ref() == Some(project))?;
    let message = format!(
        "environments `{}` and `{}` would both own the secret {project}/database-url in the same account and Region",
        one.name?, later.name?
    );
    let refusal =
        Refusal::new(message).help("give one of them another aws_account_id (best), aws_region or project_prefix");
    Some(later.problem_of_environment("project_prefix", refusal))
}

fn same_addresses(one: &Environment<'_>, later: &Environment<'_>) -> Option<Problem> {
    let block = |environment: &Environment<'_>| -> Option<Ipv4Net> { vpc_cidr(&environment.text("vpc_cidr")?).ok() };
    let (first, second) = (block(one)?, block(later)?);
    if !overlap(&first, &second) {
        return None;
    }
    let message = format!("the network {second} of `{}` overlaps the network {first} of `{}`", later.name?, one.name?);
    let refusal = Refusal::new(message).help("give each environment in an account a vpc_cidr of its own");
    Some(later.problem_of_environment("vpc_cidr", refusal))
}

impl Environment<'_> {
    /// A fault of this environment: in its own table if the setting is there, else the table as a whole.
    fn problem_of_environment(&self, name: &'static str, refusal: Refusal) -> Problem {
        let own = self.own.and_then(|own| own.get(name).map(|given| given.span.clone()).or_else(|| own.header.clone()));
        match own {
            None => self.problem(&[name], refusal),
            Some(span) => self.document.source.problem(Some(span), Some(name), refusal),
        }
    }
}
