//! Target groups: health checks, registered targets and their health.

use serde::{Deserialize, Serialize};

use super::attributes::{self, Attributes};
use super::{Elbv2, check_name, invalid, tags};
use crate::arn::{arn, random_hex};
use crate::countdown::Countdown;
use crate::page::page;
use crate::service::{Context, Tags};
use crate::wire::{Fault, Params, Xml};

#[derive(Serialize, Deserialize)]
pub(super) struct TargetGroup {
    pub(super) arn: String,
    pub(super) name: String,
    settings: Settings,
    health: HealthCheck,
    targets: Vec<Target>,
    pub(super) attributes: Attributes,
    pub(super) tags: Tags,
}

/// What cannot change.
#[derive(PartialEq, Serialize, Deserialize)]
struct Settings {
    protocol: Option<String>,
    protocol_version: Option<String>,
    port: Option<u16>,
    vpc: Option<String>,
    target_type: String,
    address_type: String,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct HealthCheck {
    protocol: String,
    port: String,
    enabled: bool,
    path: Option<String>,
    interval: u32,
    timeout: u32,
    healthy: u32,
    unhealthy: u32,
    matcher: Option<Matcher>,
}

/// Codes that mean health.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
enum Matcher {
    Http(String),
    Grpc(String),
}

#[derive(Serialize, Deserialize)]
struct Target {
    id: String,
    port: Option<u16>,
    zone: Option<String>,
    /// Until the first health checks have passed, or until the connections have drained.
    countdown: Countdown,
    draining: bool,
}

impl Settings {
    fn of(params: &Params) -> Result<Settings, Fault> {
        let target_type = params.get("TargetType").unwrap_or("instance");
        let settings = Settings {
            protocol: params.get("Protocol").map(str::to_owned),
            protocol_version: params.get("ProtocolVersion").map(str::to_owned),
            port: params.parsed("Port")?,
            vpc: params.get("VpcId").map(str::to_owned),
            target_type: target_type.to_owned(),
            address_type: params.get("IpAddressType").unwrap_or("ipv4").to_owned(),
        };
        if target_type == "lambda" {
            return Ok(settings);
        }
        if !["instance", "ip", "alb"].contains(&target_type) {
            return Err(invalid(format!("Target type '{target_type}' must be one of instance, ip, lambda, alb")));
        }
        let Some(protocol) = settings.protocol.as_deref() else {
            return Err(invalid("A protocol must be specified"));
        };
        if !["HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP", "GENEVE"].contains(&protocol) {
            return Err(invalid(format!("'{protocol}' is not a protocol of target groups")));
        }
        if settings.port.is_none() {
            return Err(invalid("A port must be specified"));
        }
        if settings.vpc.is_none() {
            return Err(invalid("A VPC ID must be specified"));
        }
        Ok(Settings { protocol_version: settings.version(), ..settings })
    }

    fn is_http(&self) -> bool {
        matches!(self.protocol.as_deref(), None | Some("HTTP" | "HTTPS"))
    }

    fn version(&self) -> Option<String> {
        let version = self.protocol_version.clone().unwrap_or_else(|| "HTTP1".to_owned());
        self.is_http().then_some(version)
    }
}

impl HealthCheck {
    /// AWS's defaults for a target group of that kind.
    fn default_for(settings: &Settings) -> HealthCheck {
        let http = settings.is_http();
        let grpc = settings.protocol_version.as_deref() == Some("GRPC");
        let lambda = settings.target_type == "lambda";
        let matcher = if grpc { Matcher::Grpc("12".to_owned()) } else { Matcher::Http("200".to_owned()) };
        HealthCheck {
            protocol: if http { "HTTP" } else { "TCP" }.to_owned(),
            port: "traffic-port".to_owned(),
            enabled: !lambda,
            path: http.then(|| if grpc { "/AWS.ALB/healthcheck" } else { "/" }.to_owned()),
            interval: if lambda { 35 } else { 30 },
            timeout: match (lambda, http) {
                (true, _) => 30,
                (false, true) => 5,
                (false, false) => 10,
            },
            healthy: 5,
            unhealthy: 2,
            matcher: http.then_some(matcher),
        }
    }

    /// The check with what the request changes.
    fn changed(&self, params: &Params) -> Result<HealthCheck, Fault> {
        let mut check = self.clone();
        if let Some(protocol) = params.get("HealthCheckProtocol") {
            protocol.clone_into(&mut check.protocol);
        }
        let http = check.protocol.starts_with("HTTP");
        if let Some(port) = params.get("HealthCheckPort") {
            port.clone_into(&mut check.port);
        }
        let path = params.get("HealthCheckPath").map(str::to_owned);
        check.path = path.or(check.path).or(http.then(|| "/".to_owned())).filter(|_| http);
        check.enabled = params.parsed("HealthCheckEnabled")?.unwrap_or(check.enabled);
        check.interval = params.parsed("HealthCheckIntervalSeconds")?.unwrap_or(check.interval);
        check.timeout = params.parsed("HealthCheckTimeoutSeconds")?.unwrap_or(check.timeout);
        check.healthy = params.parsed("HealthyThresholdCount")?.unwrap_or(check.healthy);
        check.unhealthy = params.parsed("UnhealthyThresholdCount")?.unwrap_or(check.unhealthy);
        if let Some(codes) = params.get("Matcher.HttpCode") {
            check.matcher = Some(Matcher::Http(codes.to_owned()));
        }
        if let Some(codes) = params.get("Matcher.GrpcCode") {
            check.matcher = Some(Matcher::Grpc(codes.to_owned()));
        }
        check.matcher = check.matcher.or(http.then(|| Matcher::Http("200".to_owned()))).filter(|_| http);
        check.refuse_nonsense()?;
        Ok(check)
    }

    fn refuse_nonsense(&self) -> Result<(), Fault> {
        let bounds = [
            ("Health check interval", self.interval, 5..=300),
            ("Health check timeout", self.timeout, 2..=120),
            ("Healthy threshold count", self.healthy, 2..=10),
            ("Unhealthy threshold count", self.unhealthy, 2..=10),
        ];
        for (what, value, bounds) in bounds {
            if !bounds.contains(&value) {
                let (low, high) = (bounds.start(), bounds.end());
                return Err(invalid(format!("{what} '{value}' must be between '{low}' and '{high}'")));
            }
        }
        if self.timeout >= self.interval {
            return Err(invalid("Health check interval must be greater than the timeout."));
        }
        match &self.path {
            Some(path) if !path.starts_with('/') => {
                Err(invalid(format!("Health check path '{path}' must begin with a '/' character")))
            }
            _ => Ok(()),
        }
    }
}

impl TargetGroup {
    pub(super) fn arrive(&mut self) {
        self.targets.retain(|target| !target.draining);
        self.targets.iter_mut().for_each(|target| target.countdown = Countdown::default());
    }

    fn show(&self, xml: &mut Xml, load_balancers: &[String]) {
        let (settings, health) = (&self.settings, &self.health);
        xml.text("TargetGroupArn", &self.arn)
            .text("TargetGroupName", &self.name)
            .opt("Protocol", settings.protocol.as_ref())
            .opt("ProtocolVersion", settings.protocol_version.as_ref())
            .opt("Port", settings.port)
            .opt("VpcId", settings.vpc.as_ref())
            .text("TargetType", &settings.target_type)
            .text("IpAddressType", &settings.address_type)
            .text("HealthCheckProtocol", &health.protocol)
            .text("HealthCheckPort", &health.port)
            .text("HealthCheckEnabled", health.enabled)
            .opt("HealthCheckPath", health.path.as_ref())
            .text("HealthCheckIntervalSeconds", health.interval)
            .text("HealthCheckTimeoutSeconds", health.timeout)
            .text("HealthyThresholdCount", health.healthy)
            .text("UnhealthyThresholdCount", health.unhealthy)
            .texts("LoadBalancerArns", "member", load_balancers);
        match &health.matcher {
            Some(Matcher::Http(codes)) => xml.node("Matcher", |matcher| {
                matcher.text("HttpCode", codes);
            }),
            Some(Matcher::Grpc(codes)) => xml.node("Matcher", |matcher| {
                matcher.text("GrpcCode", codes);
            }),
            None => xml,
        };
    }
}

impl Elbv2 {
    pub(super) fn target_group(&mut self, params: &Params) -> Result<&mut TargetGroup, Fault> {
        let arn = params.require("TargetGroupArn")?;
        self.target_groups.get_mut(arn).ok_or_else(|| not_found(arn))
    }

    /// Refuses a target group that is not there.
    pub(super) fn check_target_group(&self, arn: &str) -> Result<(), Fault> {
        if self.target_groups.contains_key(arn) { Ok(()) } else { Err(not_found(arn)) }
    }

    /// The load balancers whose listeners forward to a target group.
    fn balancers_of(&self, group: &str) -> Vec<String> {
        let using = self.listeners.values().filter(|listener| listener.forwards_to(group));
        let mut balancers: Vec<String> = using.map(|listener| listener.load_balancer.clone()).collect();
        balancers.dedup();
        balancers
    }

    fn shown_groups(&self, arns: &[String]) -> Xml {
        let mut xml = Xml::default();
        let groups = arns.iter().filter_map(|arn| self.target_groups.get(arn));
        xml.list("TargetGroups", "member", groups, |xml, group| group.show(xml, &self.balancers_of(&group.arn)));
        xml
    }

    pub(super) fn create_target_group(&mut self, cx: &Context, params: &Params) -> Result<Xml, Fault> {
        let name = params.require("Name")?.to_owned();
        check_name(&name, "Target group")?;
        let settings = Settings::of(params)?;
        let health = HealthCheck::default_for(&settings).changed(params)?;
        if let Some(known) = self.target_groups.values().find(|group| group.name == name) {
            if known.settings == settings && known.health == health {
                return Ok(self.shown_groups(std::slice::from_ref(&known.arn)));
            }
            let message = format!("A target group with the same name '{name}' exists, but with different settings");
            return Err(Fault::new("DuplicateTargetGroupName", message));
        }
        let arn = arn(cx, "elasticloadbalancing", &format!("targetgroup/{name}/{}", random_hex(16)));
        let attributes = attributes::of_target_group(settings.is_http());
        let (targets, tags) = (Vec::new(), tags(params)?);
        let group = TargetGroup { arn: arn.clone(), name, settings, health, targets, attributes, tags };
        self.target_groups.insert(arn.clone(), group);
        Ok(self.shown_groups(&[arn]))
    }

    pub(super) fn describe_target_groups(&mut self, params: &Params) -> Result<Xml, Fault> {
        let (arns, names) = (params.list("TargetGroupArns.member"), params.list("Names.member"));
        let balancer = params.get("LoadBalancerArn");
        if let Some(balancer) = balancer.filter(|arn| !self.load_balancers.contains_key(*arn)) {
            return Err(Fault::new("LoadBalancerNotFound", format!("Load balancer '{balancer}' not found")));
        }
        let known = |name: &&&str| self.target_groups.values().any(|group| group.name == **name);
        let missing = arns.iter().find(|arn| !self.target_groups.contains_key(**arn));
        if missing.or(names.iter().find(|name| !known(name))).is_some() {
            return Err(Fault::new("TargetGroupNotFound", "One or more target groups not found"));
        }
        let wanted = |group: &&TargetGroup| {
            (arns.is_empty() || arns.contains(&group.arn.as_str()))
                && (names.is_empty() || names.contains(&group.name.as_str()))
                && balancer.is_none_or(|balancer| self.balancers_of(&group.arn).iter().any(|own| own == balancer))
        };
        let found = self.target_groups.values().filter(wanted).map(|group| group.arn.clone()).collect();
        let (found, next) = page(found, params.get("Marker"), params.parsed("PageSize")?);
        let mut xml = self.shown_groups(&found);
        xml.opt("NextMarker", next);
        Ok(xml)
    }

    pub(super) fn modify_target_group(&mut self, params: &Params) -> Result<Xml, Fault> {
        let group = self.target_group(params)?;
        group.health = group.health.changed(params)?;
        let arn = group.arn.clone();
        Ok(self.shown_groups(&[arn]))
    }

    /// Deleting what does not exist succeeds: `ResourceInUse` is the only error that AWS documents.
    pub(super) fn delete_target_group(&mut self, params: &Params) -> Result<Xml, Fault> {
        let arn = params.require("TargetGroupArn")?;
        if !self.balancers_of(arn).is_empty() {
            let message = format!("Target group '{arn}' is currently in use by a listener or a rule");
            return Err(Fault::new("ResourceInUse", message));
        }
        self.target_groups.remove(arn);
        Ok(Xml::default())
    }

    pub(super) fn register_targets(&mut self, cx: &Context, params: &Params) -> Result<Xml, Fault> {
        let group = self.target_group(params)?;
        for target in params.structs("Targets.member") {
            let id = target.require("Id")?.to_owned();
            let port = target.parsed("Port")?.or(group.settings.port);
            group.targets.retain(|known| known.id != id || known.port != port);
            let zone = target.get("AvailabilityZone").map(str::to_owned);
            let countdown = Countdown::new(cx.polls());
            group.targets.push(Target { id, port, zone, countdown, draining: false });
        }
        Ok(Xml::default())
    }

    pub(super) fn deregister_targets(&mut self, cx: &Context, params: &Params) -> Result<Xml, Fault> {
        let group = self.target_group(params)?;
        for target in params.structs("Targets.member") {
            let (id, port) = (target.require("Id")?, target.parsed("Port")?);
            for known in group.targets.iter_mut().filter(|known| known.id == id) {
                if port.is_none() || port == known.port {
                    known.draining = true;
                    known.countdown = Countdown::new(cx.polls());
                }
            }
        }
        Ok(Xml::default())
    }

    /// What was registered, and as many tasks as ECS has registered.
    pub(super) fn describe_target_health(&mut self, params: &Params, tasks: usize) -> Result<Xml, Fault> {
        let used = !self.balancers_of(params.require("TargetGroupArn")?).is_empty();
        let asked = params.structs("Targets.member");
        let asked: Vec<&str> = asked.iter().filter_map(|target| target.get("Id")).collect();
        let group = self.target_group(params)?;
        let port = group.health.port.clone();
        let mut shown = Vec::new();
        group.targets.retain_mut(|target| {
            if !asked.is_empty() && !asked.contains(&target.id.as_str()) {
                return true;
            }
            let arrived = target.countdown.poll();
            if target.draining && arrived {
                return false;
            }
            shown.push(target.shown(&port, used, arrived));
            true
        });
        let traffic = group.settings.port;
        let tasks = (0..tasks).map(|number| Target {
            id: format!("10.0.{}.{}", number / 200, number % 200 + 10),
            port: traffic,
            zone: None,
            countdown: Countdown::new(0),
            draining: false,
        });
        let tasks = tasks.filter(|task| asked.is_empty() || asked.contains(&task.id.as_str()));
        shown.extend(tasks.map(|task| task.shown(&port, used, true)));
        let mut xml = Xml::default();
        xml.list("TargetHealthDescriptions", "member", shown, |xml, target| {
            xml.append(&target);
        });
        Ok(xml)
    }
}

impl Target {
    fn shown(&self, check_port: &str, used: bool, arrived: bool) -> Xml {
        let port = self.port.map(|port| port.to_string());
        let (state, reason) = match (self.draining, used, arrived) {
            (true, ..) => ("draining", Some("Target.DeregistrationInProgress")),
            (false, false, _) => ("unused", Some("Target.NotInUse")),
            (false, true, false) => ("initial", Some("Elb.InitialHealthChecking")),
            (false, true, true) => ("healthy", None),
        };
        let mut xml = Xml::default();
        xml.node("Target", |target| {
            target.text("Id", &self.id).opt("Port", port.as_ref()).opt("AvailabilityZone", self.zone.as_ref());
        });
        let check_port = if check_port == "traffic-port" { port.clone() } else { Some(check_port.to_owned()) };
        xml.opt("HealthCheckPort", check_port).node("TargetHealth", |health| {
            health.text("State", state).opt("Reason", reason);
        });
        xml
    }
}

fn not_found(arn: &str) -> Fault {
    Fault::new("TargetGroupNotFound", format!("Target group '{arn}' not found"))
}
