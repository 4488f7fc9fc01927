//! Tags of all kinds: given at create, by CreateTags, and taken by DeleteTags.

use super::address::Address;
use super::endpoint::Endpoint;
use super::filter::Filters;
use super::flow_log::FlowLog;
use super::group::SecurityGroup;
use super::internet_gateway::InternetGateway;
use super::nat_gateway::NatGateway;
use super::network::{Call, Network, one};
use super::network_acl::NetworkAcl;
use super::route_table::RouteTable;
use super::rule::Rule;
use super::subnet::Subnet;
use super::vpc::Vpc;
use super::{done, invalid};
use crate::service::Tags;
use crate::wire::{Fault, Params, Xml};

const MOST_TAGS: usize = 50;
static NONE: Tags = Tags::new();

impl Network {
    pub(super) fn tags_of(&self, id: &str) -> &Tags {
        self.tags.get(id).unwrap_or(&NONE)
    }

    /// `<tagSet>` of a resource.
    pub(super) fn tag_set(&self, xml: &mut Xml, id: &str) {
        xml.list("tagSet", "item", self.tags_of(id), |item, (key, value)| {
            item.text("key", key).text("value", value);
        });
    }

    /// Gives a resource the tags it was created with.
    pub(super) fn tag(&mut self, id: &str, tags: Tags) {
        if !tags.is_empty() {
            self.tags.insert(id.to_owned(), tags);
        }
    }

    fn must_exist(&self, id: &str) -> Result<(), Fault> {
        match id.split('-').next() {
            Some("vpc") => self.find::<Vpc>(id).map(drop),
            Some("subnet") => self.find::<Subnet>(id).map(drop),
            Some("igw") => self.find::<InternetGateway>(id).map(drop),
            Some("eipalloc") => self.find::<Address>(id).map(drop),
            Some("nat") => self.find::<NatGateway>(id).map(drop),
            Some("rtb") => self.find::<RouteTable>(id).map(drop),
            Some("sg") => self.find::<SecurityGroup>(id).map(drop),
            Some("sgr") => self.find::<Rule>(id).map(drop),
            Some("acl") => self.find::<NetworkAcl>(id).map(drop),
            Some("vpce") => self.find::<Endpoint>(id).map(drop),
            Some("fl") => self.find::<FlowLog>(id).map(drop),
            _ => Err(Fault::new("InvalidID", format!("The ID '{id}' is not valid"))),
        }
    }
}

/// What `TagSpecification`s give to a new resource of the type `kind` (`natgateway`).
pub(super) fn at_create(params: &Params, kind: &str) -> Result<Tags, Fault> {
    let mut tags = Tags::new();
    for specification in params.structs("TagSpecification") {
        let given = specification.require("ResourceType")?;
        if given != kind {
            return Err(invalid(format!("'{given}' is not a valid taggable resource type for this operation.")));
        }
        for (key, value) in read(&specification)? {
            if tags.insert(key.clone(), value.unwrap_or_default()).is_some() {
                return Err(invalid(format!("Duplicate tag key '{key}' specified.")));
            }
        }
    }
    check_count(&tags)?;
    Ok(tags)
}

pub(super) fn create(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let given = read(call.params)?;
    for id in resources(net, call)? {
        let tags = net.tags.entry(id).or_default();
        let mut changed = tags.clone();
        changed.extend(given.iter().map(|(key, value)| (key.clone(), value.clone().unwrap_or_default())));
        check_count(&changed)?;
        *tags = changed;
    }
    done()
}

/// Without tags takes all, with a value only a tag of that value.
pub(super) fn delete(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let given = read(call.params)?;
    for id in resources(net, call)? {
        let Some(tags) = net.tags.get_mut(&id) else { continue };
        let is_meant = |key: &String, value: &String| {
            given.is_empty() || given.iter().any(|(k, v)| k == key && v.as_ref().is_none_or(|v| v == value))
        };
        tags.retain(|key, value| !is_meant(key, value));
    }
    done()
}

pub(super) fn describe(net: &Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let filters = Filters::of(call.params);
    let mut shown = Vec::new();
    for (id, tags) in &net.tags {
        for (key, value) in tags {
            let values = |name: &str| match name {
                "resource-id" => one(id),
                "resource-type" => one(type_of(id)),
                "key" => one(key),
                "value" => one(value),
                _ => None,
            };
            if filters.admit(tags, values)? {
                shown.push((id, key, value));
            }
        }
    }
    let mut xml = Xml::default();
    xml.list("tagSet", "item", shown, |item, (id, key, value)| {
        item.text("resourceId", id).text("resourceType", type_of(id)).text("key", key).text("value", value);
    });
    Ok(xml)
}

fn resources(net: &Network, call: &Call<'_>) -> Result<Vec<String>, Fault> {
    call.require("ResourceId.1")?;
    let ids = call.params.list("ResourceId");
    for id in &ids {
        net.must_exist(id)?;
    }
    Ok(ids.into_iter().map(str::to_owned).collect())
}

fn read(params: &Params) -> Result<Vec<(String, Option<String>)>, Fault> {
    params.structs("Tag").iter().map(checked).collect()
}

fn checked(tag: &Params) -> Result<(String, Option<String>), Fault> {
    let (key, value) = (tag.require("Key")?, tag.get("Value"));
    if key.starts_with("aws:") {
        return Err(invalid("Tag keys starting with 'aws:' are reserved for internal use"));
    }
    if key.chars().count() > 128 || value.is_some_and(|value| value.chars().count() > 256) {
        return Err(invalid(format!("Tag '{key}' exceeds the maximum length")));
    }
    Ok((key.to_owned(), value.map(str::to_owned)))
}

fn check_count(tags: &Tags) -> Result<(), Fault> {
    match tags.len() > MOST_TAGS {
        true => Err(Fault::new("TagLimitExceeded", format!("More than {MOST_TAGS} tags specified"))),
        false => Ok(()),
    }
}

fn type_of(id: &str) -> &'static str {
    match id.split('-').next().unwrap_or_default() {
        "vpc" => "vpc",
        "subnet" => "subnet",
        "igw" => "internet-gateway",
        "eipalloc" => "elastic-ip",
        "nat" => "natgateway",
        "rtb" => "route-table",
        "sg" => "security-group",
        "sgr" => "security-group-rule",
        "acl" => "network-acl",
        "vpce" => "vpc-endpoint",
        "fl" => "vpc-flow-log",
        _ => "",
    }
}
