//! Security groups.

use serde::{Deserialize, Serialize};

use super::network::{Call, Item, Network, many, new_id, one};
use super::rule::{Peer, Rule, permissions_xml};
use super::vpc::Vpc;
use super::{dependency, invalid, tag};
use crate::wire::{Fault, Xml};

const DEFAULT: &str = "default";

#[derive(Serialize, Deserialize)]
pub(super) struct SecurityGroup {
    pub(super) id: String,
    pub(super) vpc: String,
    name: String,
    description: String,
}

impl SecurityGroup {
    /// The one that its VPC came with.
    pub(super) fn is_default(&self) -> bool {
        self.name == DEFAULT
    }

    fn arn(&self, call: &Call<'_>) -> String {
        format!("arn:aws:ec2:{}:{}:security-group/{}", call.cx.region, call.cx.account, self.id)
    }

    fn rules<'a>(&'a self, net: &'a Network, egress: bool) -> impl Iterator<Item = &'a Rule> {
        net.rules.iter().filter(move |rule| rule.group == self.id && rule.egress == egress)
    }
}

impl Item for SecurityGroup {
    const ID: &'static str = "GroupId";
    const SET: &'static str = "securityGroupInfo";

    fn all(net: &Network) -> &Vec<Self> {
        &net.groups
    }

    fn all_mut(net: &mut Network) -> &mut Vec<Self> {
        &mut net.groups
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn not_found(id: &str) -> Fault {
        Fault::new("InvalidGroup.NotFound", format!("The security group '{id}' does not exist"))
    }

    fn filter(&self, name: &str, net: &Network, call: &Call<'_>) -> Option<Vec<String>> {
        match name {
            "group-id" => one(&self.id),
            "group-name" => one(&self.name),
            "vpc-id" => one(&self.vpc),
            "description" => one(&self.description),
            "owner-id" => one(&call.cx.account),
            _ => {
                let (egress, attribute) = match name.strip_prefix("egress.ip-permission.") {
                    Some(attribute) => (true, attribute),
                    None => (false, name.strip_prefix("ip-permission.")?),
                };
                let values: Option<Vec<_>> =
                    self.rules(net, egress).map(|rule| rule.permission_filter(attribute)).collect();
                many(values?.into_iter().flatten())
            }
        }
    }

    fn xml(&self, xml: &mut Xml, net: &Network, call: &Call<'_>) {
        xml.text("groupId", &self.id).text("groupName", &self.name).text("groupDescription", &self.description);
        xml.text("vpcId", &self.vpc).text("ownerId", &call.cx.account).text("securityGroupArn", self.arn(call));
        permissions_xml(xml, "ipPermissions", self.rules(net, false), call);
        permissions_xml(xml, "ipPermissionsEgress", self.rules(net, true), call);
        net.tag_set(xml, &self.id);
    }
}

/// The group a new VPC comes with: everything from itself, everything out.
pub(super) fn add_default(net: &mut Network, vpc: &str) {
    let id = new_id("sg");
    net.rules.push(Rule::everything(&id, false, Peer::Group(id.clone())));
    let description = "default VPC security group".to_owned();
    add(net, SecurityGroup { id, vpc: vpc.to_owned(), name: DEFAULT.to_owned(), description });
}

/// Takes the VPC's default group with it.
pub(super) fn remove_default(net: &mut Network, vpc: &str) {
    let defaults: Vec<String> =
        net.groups.iter().filter(|group| group.vpc == vpc).map(|group| group.id.clone()).collect();
    for id in defaults {
        remove(net, &id);
    }
}

/// A new group lets everything out.
fn add(net: &mut Network, group: SecurityGroup) {
    net.rules.push(Rule::everything(&group.id, true, Peer::Cidr("0.0.0.0/0".to_owned())));
    net.groups.push(group);
}

fn remove(net: &mut Network, id: &str) {
    let rules: Vec<String> = net.rules.iter().filter(|rule| rule.group == id).map(|rule| rule.id.clone()).collect();
    for rule in rules {
        net.remove::<Rule>(&rule);
    }
    net.remove::<SecurityGroup>(id);
}

pub(super) fn create(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let (name, description) = (call.require("GroupName")?, call.require("GroupDescription")?);
    let vpc =
        call.params.get("VpcId").ok_or_else(|| Fault::new("VPCIdNotSpecified", "No default VPC for this user"))?;
    let vpc = net.find::<Vpc>(vpc)?.id.clone();
    check_name(name, description)?;
    if net.groups.iter().any(|group| group.vpc == vpc && group.name == name) {
        let message = format!("The security group '{name}' already exists for VPC '{vpc}'");
        return Err(Fault::new("InvalidGroup.Duplicate", message));
    }
    let tags = tag::at_create(call.params, "security-group")?;
    let group = SecurityGroup { id: new_id("sg"), vpc, name: name.to_owned(), description: description.to_owned() };
    net.tag(&group.id, tags);
    let mut xml = Xml::default();
    xml.text("return", true).text("groupId", &group.id).text("securityGroupArn", group.arn(call));
    net.tag_set(&mut xml, &group.id);
    add(net, group);
    Ok(xml)
}

fn check_name(name: &str, description: &str) -> Result<(), Fault> {
    if name.eq_ignore_ascii_case(DEFAULT) {
        return Err(Fault::new("InvalidGroup.Reserved", format!("The security group '{name}' is reserved")));
    }
    if name.starts_with("sg-") {
        return Err(invalid(format!("Value ({name}) for parameter GroupName is invalid. It must not begin with sg-.")));
    }
    for (parameter, text) in [("GroupName", name), ("GroupDescription", description)] {
        if text.len() > 255 || !is_plain(text) {
            return Err(invalid(format!(
                "Value ({text}) for parameter {parameter} is invalid. Valid are up to 255 characters of {PLAIN}"
            )));
        }
    }
    Ok(())
}

/// The characters AWS takes in names and descriptions of groups and rules.
pub(super) const PLAIN: &str = "a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*";

/// Whether `text` has no others.
pub(super) fn is_plain(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || "._-:/()#,@[]+=&;{}!$* ".contains(c))
}

pub(super) fn delete(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let group = net.find::<SecurityGroup>(call.require("GroupId")?)?;
    let id = group.id.clone();
    if group.is_default() {
        let message = format!("the specified group: \"{id}\" name: \"{DEFAULT}\" cannot be deleted by a user");
        return Err(Fault::new("CannotDelete", message));
    }
    let is_used = !call.held_by.is_empty()
        | net.rules.iter().any(|rule| rule.group != id && rule.peer == Peer::Group(id.clone()))
        | net.endpoint_holds(|endpoint| endpoint.groups.contains(&id));
    if is_used {
        return Err(dependency(format!("resource {id} has a dependent object")));
    }
    remove(net, &id);
    let mut xml = Xml::default();
    xml.text("return", true).text("groupId", id);
    Ok(xml)
}
