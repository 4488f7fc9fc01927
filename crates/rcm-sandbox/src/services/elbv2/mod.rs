//! Elastic Load Balancing v2: load balancers, target groups and listeners that pass no traffic.
//!
//! | Operations | As on AWS |
//! |---|---|
//! | `Create-`, `Describe-`, `DeleteLoadBalancer(s)` | `provisioning`, then `active`; the same request twice gives the same one; subnets, groups and the internet gateway must exist; no delete under deletion protection; its network interfaces outlive it a little |
//! | `SetSecurityGroups`, `SetSubnets`, `SetIpAddressType` | yes |
//! | `Modify-`, `DescribeLoadBalancerAttributes` | AWS's attributes and defaults; access logs need a bucket without SSE-KMS whose policy lets the service write |
//! | `Create-`, `Describe-`, `Modify-`, `DeleteTargetGroup(s)`, their attributes | AWS's defaults and bounds; no delete while a listener forwards to it |
//! | `Register-`, `DeregisterTargets`, `DescribeTargetHealth` | `unused`, `initial`, then `healthy`: nothing is really probed; the running tasks of ECS's services are there, `healthy` |
//! | `Create-`, `Describe-`, `Modify-`, `DeleteListener(s)` | forward, redirect, fixed response; a certificate must be issued |
//! | `Add-`, `Remove-`, `DescribeTags` | on all three |
//!
//! Not there: rules, further certificates of a listener, authentication, trust stores.
//!
//! API: <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/Welcome.html>.

mod attributes;
mod listeners;
mod load_balancers;
mod target_groups;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::listeners::Listener;
use self::load_balancers::{Lingering, LoadBalancer, Network};
use self::target_groups::TargetGroup;
use crate::emulator::{Emulated, Emulator};
use crate::neighbours;
use crate::service::{ApiRequest, ApiResponse, Context, Hold, Tags};
use crate::wire::{self, Fault, Params, Xml};

const NAMESPACE: &str = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/";

/// Everything of the account, by ARN.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Elbv2 {
    load_balancers: BTreeMap<String, LoadBalancer>,
    target_groups: BTreeMap<String, TargetGroup>,
    listeners: BTreeMap<String, Listener>,
    /// What deleted load balancers still hold.
    lingering: Vec<Lingering>,
}

impl Emulated for Elbv2 {
    const NAME: &'static str = "elasticloadbalancing";

    async fn answer(emulator: &Emulator<Self>, cx: &Context, request: &ApiRequest) -> ApiResponse {
        let params = Params::parse(&request.body);
        wire::query_reply(params.action(), NAMESPACE, operation(emulator, cx, &params).await)
    }

    fn holds(&mut self) -> Vec<Hold> {
        let mut holds: Vec<Hold> = self.load_balancers.values().flat_map(LoadBalancer::holds).collect();
        holds.extend(self.listeners.values().flat_map(Listener::holds));
        self.lingering.retain_mut(Lingering::lingers);
        holds.extend(self.lingering.iter().flat_map(Lingering::holds));
        holds
    }

    fn arrive(&mut self) {
        self.lingering.clear();
        self.load_balancers.values_mut().for_each(LoadBalancer::arrive);
        self.target_groups.values_mut().for_each(TargetGroup::arrive);
    }
}

async fn operation(emulator: &Emulator<Elbv2>, cx: &Context, params: &Params) -> Result<Xml, Fault> {
    match params.action() {
        "CreateLoadBalancer" => {
            let network = Network::wanted(cx, params).await?;
            emulator.lock().create_load_balancer(cx, params, network)
        }
        "SetSubnets" => {
            let network = Network::wanted(cx, params).await?;
            emulator.lock().set_subnets(params, network)
        }
        "SetSecurityGroups" => {
            let vpc = emulator.lock().load_balancer(params)?.vpc.clone();
            load_balancers::check_security_groups(cx, &vpc, &params.list("SecurityGroups.member")).await?;
            emulator.lock().set_security_groups(params)
        }
        "ModifyLoadBalancerAttributes" => {
            let changed = emulator.lock().changed_attributes(params)?;
            attributes::check_access_logs(cx, &changed).await?;
            emulator.lock().modify_load_balancer_attributes(params)
        }
        "CreateListener" | "ModifyListener" => {
            listeners::check_certificates(cx, params).await?;
            emulator.lock().immediate(cx, params)
        }
        "DescribeTargetHealth" => {
            let tasks = neighbours::tasks_behind(cx, params.require("TargetGroupArn")?).await;
            emulator.lock().describe_target_health(params, tasks)
        }
        _ => emulator.lock().immediate(cx, params),
    }
}

impl Elbv2 {
    /// The operations that ask no other service.
    fn immediate(&mut self, cx: &Context, params: &Params) -> Result<Xml, Fault> {
        match params.action() {
            "DescribeLoadBalancers" => self.describe_load_balancers(params),
            "DeleteLoadBalancer" => self.delete_load_balancer(cx, params),
            "SetIpAddressType" => self.set_ip_address_type(params),
            "DescribeLoadBalancerAttributes" => self.describe_load_balancer_attributes(params),
            "CreateTargetGroup" => self.create_target_group(cx, params),
            "DescribeTargetGroups" => self.describe_target_groups(params),
            "ModifyTargetGroup" => self.modify_target_group(params),
            "DeleteTargetGroup" => self.delete_target_group(params),
            "DescribeTargetGroupAttributes" => self.describe_target_group_attributes(params),
            "ModifyTargetGroupAttributes" => self.modify_target_group_attributes(params),
            "RegisterTargets" => self.register_targets(cx, params),
            "DeregisterTargets" => self.deregister_targets(cx, params),
            "CreateListener" => self.create_listener(params),
            "DescribeListeners" => self.describe_listeners(params),
            "ModifyListener" => self.modify_listener(params),
            "DeleteListener" => self.delete_listener(params),
            "AddTags" => self.add_tags(params),
            "RemoveTags" => self.remove_tags(params),
            "DescribeTags" => self.describe_tags(params),
            other => {
                Err(Fault::new("InvalidAction", format!("the sandbox does not play elasticloadbalancing:{other}")))
            }
        }
    }

    /// The tags of a load balancer, target group or listener.
    fn tags_of(&mut self, arn: &str) -> Result<&mut Tags, Fault> {
        let missing = |code: &'static str, what: &str| Fault::new(code, format!("{what} '{arn}' not found"));
        if arn.contains(":targetgroup/") {
            let found = self.target_groups.get_mut(arn).map(|group| &mut group.tags);
            found.ok_or_else(|| missing("TargetGroupNotFound", "Target group"))
        } else if arn.contains(":listener/") {
            let found = self.listeners.get_mut(arn).map(|listener| &mut listener.tags);
            found.ok_or_else(|| missing("ListenerNotFound", "Listener"))
        } else {
            let found = self.load_balancers.get_mut(arn).map(|balancer| &mut balancer.tags);
            found.ok_or_else(|| missing("LoadBalancerNotFound", "Load balancer"))
        }
    }

    fn add_tags(&mut self, params: &Params) -> Result<Xml, Fault> {
        let added = tags(params)?;
        for arn in params.list("ResourceArns.member") {
            let tags = self.tags_of(arn)?;
            let mut changed = tags.clone();
            changed.extend(added.clone());
            if changed.len() > 50 {
                return Err(Fault::new("TooManyTags", "A resource has at most 50 tags"));
            }
            *tags = changed;
        }
        Ok(Xml::default())
    }

    fn remove_tags(&mut self, params: &Params) -> Result<Xml, Fault> {
        let keys = params.list("TagKeys.member");
        for arn in params.list("ResourceArns.member") {
            self.tags_of(arn)?.retain(|key, _| !keys.contains(&key.as_str()));
        }
        Ok(Xml::default())
    }

    fn describe_tags(&mut self, params: &Params) -> Result<Xml, Fault> {
        let arns = params.list("ResourceArns.member");
        if arns.is_empty() || arns.len() > 20 {
            return Err(invalid("DescribeTags takes between 1 and 20 resource ARNs"));
        }
        let mut described = Vec::new();
        for arn in arns {
            described.push((arn, self.tags_of(arn)?.clone()));
        }
        let mut xml = Xml::default();
        xml.list("TagDescriptions", "member", described, |item, (arn, tags)| {
            item.text("ResourceArn", arn).list("Tags", "member", tags, |item, (key, value)| {
                item.text("Key", key).text("Value", value);
            });
        });
        Ok(xml)
    }
}

/// The tags of a create or tag operation.
fn tags(params: &Params) -> Result<Tags, Fault> {
    let mut tags = Tags::new();
    for tag in params.structs("Tags.member") {
        let key = tag.require("Key")?.to_owned();
        if tags.insert(key.clone(), tag.get("Value").unwrap_or_default().to_owned()).is_some() {
            return Err(Fault::new("DuplicateTagKeys", format!("The tag key '{key}' was given more than once")));
        }
    }
    Ok(tags)
}

/// Names of load balancers and target groups: at most 32 letters, digits and hyphens.
fn check_name(name: &str, what: &str) -> Result<(), Fault> {
    let allowed = name.chars().all(|character| character.is_ascii_alphanumeric() || character == '-');
    if name.len() > 32 {
        return Err(invalid(format!("{what} name '{name}' cannot be longer than '32' characters")));
    }
    if !allowed || name.starts_with('-') || name.ends_with('-') || name.starts_with("internal-") {
        return Err(invalid(format!(
            "{what} name '{name}' can only contain characters that are alphanumeric characters or hyphens(-), and \
             cannot begin or end with a hyphen, nor begin with 'internal-'"
        )));
    }
    Ok(())
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("ValidationError", message.into())
}
