//! Load balancers: their network, their state, and what they hold after they are gone.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::attributes::{self, Attributes};
use super::{Elbv2, check_name, invalid, tags};
use crate::arn::{arn, random_hex};
use crate::countdown::Countdown;
use crate::neighbours::{self, Subnet};
use crate::page::page;
use crate::service::{Context, Hold, Tags};
use crate::time::timestamp;
use crate::wire::{Fault, Params, Xml};

#[derive(Serialize, Deserialize)]
pub(super) struct LoadBalancer {
    pub(super) arn: String,
    pub(super) name: String,
    /// `application`, `network` or `gateway`
    pub(super) kind: String,
    pub(super) scheme: String,
    pub(super) vpc: String,
    pub(super) subnets: Vec<Subnet>,
    pub(super) security_groups: Vec<String>,
    pub(super) address_type: String,
    pub(super) dns_name: String,
    pub(super) zone_id: String,
    pub(super) created: String,
    pub(super) provisioned: Countdown,
    pub(super) attributes: Attributes,
    pub(super) tags: Tags,
}

/// The network interfaces of a deleted load balancer, which AWS removes minutes later.
#[derive(Serialize, Deserialize)]
pub(super) struct Lingering {
    interface: String,
    resources: Vec<String>,
    gone: Countdown,
}

impl Lingering {
    /// What it holds now.
    pub(super) fn holds(&self) -> Vec<Hold> {
        let hold = |resource: &String| Hold { holder: self.interface.clone(), resource: resource.clone() };
        self.resources.iter().map(hold).collect()
    }

    /// Whether it is still there. Every look at what the service holds is a poll.
    pub(super) fn lingers(&mut self) -> bool {
        !self.gone.poll()
    }
}

/// Where a load balancer is to be, as EC2 knows it.
pub(super) struct Network {
    vpc: String,
    subnets: Vec<Subnet>,
    security_groups: Vec<String>,
}

impl Network {
    /// Looks up the subnets and groups of the request, and refuses what AWS refuses.
    pub(super) async fn wanted(cx: &Context, params: &Params) -> Result<Network, Fault> {
        let kind = params.get("Type").unwrap_or("application");
        let subnets = wanted_subnets(cx, params, kind).await?;
        let vpc = subnets.first().map(|subnet| subnet.vpc.clone()).unwrap_or_default();
        if params.action() == "CreateLoadBalancer"
            && params.get("Scheme") != Some("internal")
            && !neighbours::has_internet_gateway(cx, &vpc).await
        {
            return Err(Fault::new("InvalidSubnet", format!("VPC {vpc} has no internet gateway")));
        }
        let wanted = params.list("SecurityGroups.member");
        check_security_groups(cx, &vpc, &wanted).await?;
        let mut security_groups: Vec<String> = wanted.into_iter().map(str::to_owned).collect();
        if security_groups.is_empty() && kind == "application" {
            security_groups.extend(neighbours::default_security_group(cx, &vpc).await);
        }
        Ok(Network { vpc, subnets, security_groups })
    }
}

async fn wanted_subnets(cx: &Context, params: &Params, kind: &str) -> Result<Vec<Subnet>, Fault> {
    let mut ids: Vec<String> = params.list("Subnets.member").into_iter().map(str::to_owned).collect();
    let mappings = params.structs("SubnetMappings.member");
    ids.extend(mappings.iter().filter_map(|mapping| mapping.get("SubnetId").map(str::to_owned)));
    if ids.is_empty() {
        return Err(invalid("You must specify subnets"));
    }
    let subnets = neighbours::subnets(cx, &ids).await;
    if let Some(missing) = ids.iter().find(|id| !subnets.iter().any(|subnet| subnet.id == **id)) {
        return Err(Fault::new("SubnetNotFound", format!("The subnet ID '{missing}' does not exist")));
    }
    if subnets.iter().any(|subnet| subnet.vpc != subnets[0].vpc) {
        return Err(Fault::new("InvalidConfigurationRequest", "All subnets must belong to the same VPC"));
    }
    let zones: BTreeSet<&str> = subnets.iter().map(|subnet| subnet.zone.as_str()).collect();
    if zones.len() < subnets.len() {
        let message = "A load balancer cannot be attached to multiple subnets in the same Availability Zone";
        return Err(Fault::new("InvalidConfigurationRequest", message));
    }
    if kind == "application" && zones.len() < 2 {
        return Err(invalid("At least two subnets in two different Availability Zones must be specified"));
    }
    Ok(subnets)
}

/// Refuses groups that do not exist or belong to another VPC.
pub(super) async fn check_security_groups(cx: &Context, vpc: &str, groups: &[&str]) -> Result<(), Fault> {
    for group in groups {
        match neighbours::security_group_vpc(cx, group).await {
            Some(own) if own == vpc => {}
            Some(_) => {
                let message = format!("The security group '{group}' does not belong to the VPC '{vpc}'");
                return Err(Fault::new("InvalidConfigurationRequest", message));
            }
            None => {
                let message = format!("The security group '{group}' does not exist");
                return Err(Fault::new("InvalidSecurityGroup", message));
            }
        }
    }
    Ok(())
}

impl LoadBalancer {
    fn new(cx: &Context, params: &Params, network: Network) -> Result<LoadBalancer, Fault> {
        let name = params.require("Name")?.to_owned();
        check_name(&name, "Load balancer")?;
        let kind = params.get("Type").unwrap_or("application").to_owned();
        let scheme = params.get("Scheme").unwrap_or("internet-facing").to_owned();
        let (path, id) = match kind.as_str() {
            "application" => ("app", random_hex(16)),
            "network" => ("net", random_hex(16)),
            "gateway" => ("gwy", random_hex(16)),
            other => return Err(invalid(format!("'{other}' is not a load balancer type"))),
        };
        if !["internet-facing", "internal"].contains(&scheme.as_str()) {
            return Err(Fault::new("InvalidScheme", format!("'{scheme}' is not a scheme")));
        }
        Ok(LoadBalancer {
            arn: arn(cx, "elasticloadbalancing", &format!("loadbalancer/{path}/{name}/{id}")),
            dns_name: dns_name(cx, &kind, &scheme, &name, &id),
            zone_id: hosted_zone(&cx.region, &kind).to_owned(),
            attributes: attributes::of_load_balancer(&kind),
            name,
            kind,
            scheme,
            vpc: network.vpc,
            subnets: network.subnets,
            security_groups: network.security_groups,
            address_type: params.get("IpAddressType").unwrap_or("ipv4").to_owned(),
            created: timestamp(),
            provisioned: Countdown::new(cx.polls()),
            tags: tags(params)?,
        })
    }

    /// Whether a request for `other` is a request for this one: AWS then answers with this one.
    fn is_the_same(&self, other: &LoadBalancer) -> bool {
        let subnets =
            |balancer: &LoadBalancer| balancer.subnets.iter().map(|subnet| subnet.id.clone()).collect::<BTreeSet<_>>();
        let groups = |balancer: &LoadBalancer| balancer.security_groups.iter().cloned().collect::<BTreeSet<_>>();
        (&self.kind, &self.scheme, &self.address_type) == (&other.kind, &other.scheme, &other.address_type)
            && subnets(self) == subnets(other)
            && groups(self) == groups(other)
    }

    pub(super) fn holds(&self) -> Vec<Hold> {
        let resources = self.subnets.iter().map(|subnet| &subnet.id).chain(&self.security_groups);
        let public = (self.scheme == "internet-facing").then_some(&self.vpc);
        resources.chain(public).map(|resource| Hold { holder: self.arn.clone(), resource: resource.clone() }).collect()
    }

    pub(super) fn arrive(&mut self) {
        self.provisioned = Countdown::default();
    }

    fn show(&self, xml: &mut Xml, active: bool) {
        xml.text("LoadBalancerArn", &self.arn)
            .text("LoadBalancerName", &self.name)
            .text("DNSName", &self.dns_name)
            .text("CanonicalHostedZoneId", &self.zone_id)
            .text("CreatedTime", &self.created)
            .text("Scheme", &self.scheme)
            .text("VpcId", &self.vpc)
            .text("Type", &self.kind)
            .text("IpAddressType", &self.address_type)
            .node("State", |state| {
                state.text("Code", if active { "active" } else { "provisioning" });
            })
            .list("AvailabilityZones", "member", &self.subnets, |zone, subnet| {
                zone.text("ZoneName", &subnet.zone).text("SubnetId", &subnet.id);
                zone.node("LoadBalancerAddresses", |_| {});
            })
            .texts("SecurityGroups", "member", &self.security_groups);
    }
}

impl Elbv2 {
    pub(super) fn create_load_balancer(
        &mut self,
        cx: &Context,
        params: &Params,
        network: Network,
    ) -> Result<Xml, Fault> {
        let wanted = LoadBalancer::new(cx, params, network)?;
        let known = self.load_balancers.values().find(|balancer| balancer.name == wanted.name);
        if let Some(known) = known
            && !known.is_the_same(&wanted)
        {
            let message =
                format!("A load balancer with the same name '{}' exists, but with different settings", wanted.name);
            return Err(Fault::new("DuplicateLoadBalancerName", message));
        }
        let arn = known.map_or_else(|| wanted.arn.clone(), |known| known.arn.clone());
        let balancer = self.load_balancers.entry(arn).or_insert(wanted);
        let mut xml = Xml::default();
        xml.list("LoadBalancers", "member", [&*balancer], |xml, balancer| {
            balancer.show(xml, balancer.provisioned.arrived())
        });
        Ok(xml)
    }

    pub(super) fn describe_load_balancers(&mut self, params: &Params) -> Result<Xml, Fault> {
        let (arns, names) = (params.list("LoadBalancerArns.member"), params.list("Names.member"));
        let missing = |what: &str| Fault::new("LoadBalancerNotFound", format!("Load balancers '[{what}]' not found"));
        if let Some(arn) = arns.iter().find(|arn| !self.load_balancers.contains_key(**arn)) {
            return Err(missing(arn));
        }
        if let Some(name) = names.iter().find(|name| !self.load_balancers.values().any(|known| known.name == **name)) {
            return Err(missing(name));
        }
        let wanted = |balancer: &&mut LoadBalancer| {
            (arns.is_empty() || arns.contains(&balancer.arn.as_str()))
                && (names.is_empty() || names.contains(&balancer.name.as_str()))
        };
        let found: Vec<_> = self.load_balancers.values_mut().filter(wanted).collect();
        let (shown, next) = page(found, params.get("Marker"), params.parsed("PageSize")?);
        let mut xml = Xml::default();
        xml.list("LoadBalancers", "member", shown, |xml, balancer| {
            let active = balancer.provisioned.poll();
            balancer.show(xml, active);
        });
        xml.opt("NextMarker", next);
        Ok(xml)
    }

    /// Deleting what does not exist succeeds, as AWS documents it.
    pub(super) fn delete_load_balancer(&mut self, cx: &Context, params: &Params) -> Result<Xml, Fault> {
        let arn = params.require("LoadBalancerArn")?;
        let Some(balancer) = self.load_balancers.get(arn) else { return Ok(Xml::default()) };
        if balancer.attributes.get("deletion_protection.enabled").is_some_and(|enabled| enabled == "true") {
            let message = format!("Load balancer '{arn}' cannot be deleted because deletion protection is enabled");
            return Err(Fault::new("OperationNotPermitted", message));
        }
        let resources = balancer.holds().into_iter().map(|hold| hold.resource).collect();
        let interface = format!("eni-{}", random_hex(17));
        self.lingering.push(Lingering { interface, resources, gone: Countdown::new(cx.polls()) });
        self.load_balancers.remove(arn);
        self.listeners.retain(|_, listener| listener.load_balancer != arn);
        Ok(Xml::default())
    }

    /// The load balancer of the request.
    pub(super) fn load_balancer(&mut self, params: &Params) -> Result<&mut LoadBalancer, Fault> {
        let arn = params.require("LoadBalancerArn")?;
        let missing = || Fault::new("LoadBalancerNotFound", format!("Load balancer '{arn}' not found"));
        self.load_balancers.get_mut(arn).ok_or_else(missing)
    }

    pub(super) fn set_security_groups(&mut self, params: &Params) -> Result<Xml, Fault> {
        let groups: Vec<String> = params.list("SecurityGroups.member").into_iter().map(str::to_owned).collect();
        if groups.is_empty() {
            return Err(invalid("At least one security group must be specified"));
        }
        let balancer = self.load_balancer(params)?;
        balancer.security_groups = groups;
        let mut xml = Xml::default();
        xml.texts("SecurityGroupIds", "member", &balancer.security_groups);
        Ok(xml)
    }

    pub(super) fn set_subnets(&mut self, params: &Params, network: Network) -> Result<Xml, Fault> {
        let balancer = self.load_balancer(params)?;
        if network.vpc != balancer.vpc {
            let message = format!("The subnets must belong to the VPC '{}'", balancer.vpc);
            return Err(Fault::new("InvalidConfigurationRequest", message));
        }
        balancer.subnets = network.subnets;
        let mut xml = Xml::default();
        xml.list("AvailabilityZones", "member", &balancer.subnets, |zone, subnet| {
            zone.text("ZoneName", &subnet.zone).text("SubnetId", &subnet.id);
        });
        xml.text("IpAddressType", &balancer.address_type);
        Ok(xml)
    }

    pub(super) fn set_ip_address_type(&mut self, params: &Params) -> Result<Xml, Fault> {
        let kind = params.require("IpAddressType")?.to_owned();
        self.load_balancer(params)?.address_type.clone_from(&kind);
        let mut xml = Xml::default();
        xml.text("IpAddressType", kind);
        Ok(xml)
    }
}

fn dns_name(cx: &Context, kind: &str, scheme: &str, name: &str, id: &str) -> String {
    let prefix = if scheme == "internal" { "internal-" } else { "" };
    match kind {
        "application" => {
            let number = u64::from_str_radix(id, 16).unwrap_or_default() % 10_000_000_000;
            format!("{prefix}{name}-{number}.{}.elb.amazonaws.com", cx.region)
        }
        _ => format!("{name}-{id}.elb.{}.amazonaws.com", cx.region),
    }
}

/// The Route 53 zone of a region's load balancers:
/// <https://docs.aws.amazon.com/general/latest/gr/elb.html>. Regions not listed here get the one of us-east-1.
fn hosted_zone(region: &str, kind: &str) -> &'static str {
    let (application, network) = match region {
        "us-east-2" => ("Z3AADJGX6KTTL2", "ZLMOA37VPKANP"),
        "us-west-1" => ("Z368ELLRRE2KJ0", "Z24FKFUX50B4VW"),
        "us-west-2" => ("Z1H1FL5HABSF5", "Z18D5FSROUN65G"),
        "ca-central-1" => ("ZQSVJUPU6J1EY", "Z2EPGBW3API2WT"),
        "eu-central-1" => ("Z215JYRZR1TBD5", "Z3F0SRJ5LGBH90"),
        "eu-west-1" => ("Z32O12XQLNTSW2", "Z2IFOLAFXWLO4F"),
        "eu-west-2" => ("ZHURV8PSTC4K8", "ZD4D7Y8KGAS4G"),
        "eu-west-3" => ("Z3Q77PNBQS71R4", "Z1CMS0P5QUZ6D5"),
        "eu-north-1" => ("Z23TAZ6LKFMNIO", "Z1UDT6IFJ4EJM"),
        "ap-south-1" => ("ZP97RAFLXTNZK", "ZVDDRBQ08TROA"),
        "ap-southeast-1" => ("Z1LMS91P8CMLE5", "ZKVM4W9LS7TM"),
        "ap-southeast-2" => ("Z1GM3OXH4ZPM65", "ZCT6FZBF4DROD"),
        "ap-northeast-1" => ("Z14GRHDCWA56QT", "Z31USIVHYNEOWT"),
        _ => ("Z35SXDOTRQ7X7K", "Z26RNL4JYFTOTI"),
    };
    if kind == "application" { application } else { network }
}
