//! DB subnet groups.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Rds, invalid, tags};
use crate::arn::arn;
use crate::neighbours::Subnet;
use crate::page::page;
use crate::service::{Context, Tags};
use crate::wire::{Fault, Params, Xml};

#[derive(Serialize, Deserialize)]
pub(super) struct SubnetGroup {
    pub(super) name: String,
    arn: String,
    description: String,
    pub(super) subnets: Vec<Subnet>,
    pub(super) tags: Tags,
}

/// Refuses subnets that EC2 does not know, that lie in several VPCs or in one zone only.
pub(super) fn checked(ids: &[String], subnets: Vec<Subnet>) -> Result<Vec<Subnet>, Fault> {
    let known = |id: &&String| subnets.iter().any(|subnet| subnet.id == **id);
    let missing: Vec<&str> = ids.iter().filter(|id| !known(id)).map(String::as_str).collect();
    if !missing.is_empty() {
        return Err(invalid(format!("Some input subnets in :[{}] are invalid.", missing.join(", "))));
    }
    let vpcs: BTreeSet<&str> = subnets.iter().map(|subnet| subnet.vpc.as_str()).collect();
    if vpcs.len() > 1 {
        let message =
            "The requested subnet is invalid, or multiple subnets were requested that are not all in a common VPC.";
        return Err(Fault::new("InvalidSubnet", message));
    }
    let zones: BTreeSet<&str> = subnets.iter().map(|subnet| subnet.zone.as_str()).collect();
    if zones.len() < 2 {
        let covered = zones.into_iter().collect::<Vec<_>>().join(", ");
        let message = format!(
            "The DB subnet group doesn't meet Availability Zone (AZ) coverage requirement. Current AZ coverage: {covered}. \
             Add subnets to cover at least 2 AZs."
        );
        return Err(Fault::new("DBSubnetGroupDoesNotCoverEnoughAZs", message));
    }
    Ok(subnets)
}

impl SubnetGroup {
    pub(super) fn vpc(&self) -> &str {
        self.subnets.first().map(|subnet| subnet.vpc.as_str()).unwrap_or_default()
    }

    /// The zones of its subnets, in order.
    pub(super) fn zones(&self) -> Vec<String> {
        let zones: BTreeSet<&String> = self.subnets.iter().map(|subnet| &subnet.zone).collect();
        zones.into_iter().cloned().collect()
    }

    pub(super) fn show(&self, xml: &mut Xml) {
        xml.text("DBSubnetGroupName", &self.name)
            .text("DBSubnetGroupDescription", &self.description)
            .text("VpcId", self.vpc())
            .text("SubnetGroupStatus", "Complete")
            .text("DBSubnetGroupArn", &self.arn)
            .list("Subnets", "Subnet", &self.subnets, |item, subnet| {
                item.text("SubnetIdentifier", &subnet.id).text("SubnetStatus", "Active");
                item.node("SubnetAvailabilityZone", |zone| {
                    zone.text("Name", &subnet.zone);
                });
            })
            .texts("SupportedNetworkTypes", "member", ["IPV4"]);
    }

    fn shown(&self) -> Xml {
        let mut xml = Xml::default();
        xml.node("DBSubnetGroup", |group| self.show(group));
        xml
    }
}

impl Rds {
    /// The VPC of a subnet group; every instance here is in one.
    pub(super) fn vpc_of_group(&self, name: Option<&str>) -> Result<String, Fault> {
        let name = name.ok_or_else(|| not_found("default"))?.to_ascii_lowercase();
        self.subnet_groups.get(&name).map(|group| group.vpc().to_owned()).ok_or_else(|| not_found(&name))
    }

    /// The VPC of an instance.
    pub(super) fn vpc_of_instance(&mut self, id: &str) -> Result<String, Fault> {
        let group = self.instance(id)?.subnet_group.clone();
        self.vpc_of_group(Some(&group))
    }

    pub(super) fn put_subnet_group(
        &mut self,
        cx: &Context,
        params: &Params,
        subnets: Vec<Subnet>,
    ) -> Result<Xml, Fault> {
        let name = params.require("DBSubnetGroupName")?.to_ascii_lowercase();
        let description = params.get("DBSubnetGroupDescription").map(str::to_owned);
        if params.action() == "CreateDBSubnetGroup" {
            let allowed = |character: char| character.is_ascii_alphanumeric() || " ._-".contains(character);
            if name == "default" || name.len() > 255 || !name.chars().all(allowed) {
                return Err(invalid(format!("The parameter DBSubnetGroupName is not a valid identifier: {name}")));
            }
            if self.subnet_groups.contains_key(&name) {
                let message = format!("The DB subnet group '{name}' already exists.");
                return Err(Fault::new("DBSubnetGroupAlreadyExists", message));
            }
            let description =
                description.ok_or_else(|| invalid("The parameter DBSubnetGroupDescription must be provided."))?;
            let arn = arn(cx, "rds", &format!("subgrp:{name}"));
            let group = SubnetGroup { name: name.clone(), arn, description, subnets, tags: tags(params)? };
            return Ok(self.subnet_groups.entry(name).or_insert(group).shown());
        }
        let group = self.subnet_groups.get_mut(&name).ok_or_else(|| not_found(&name))?;
        if !group.subnets.is_empty() && group.vpc() != subnets[0].vpc {
            let message = "The new subnets must be in the same VPC as the DB subnet group.";
            return Err(Fault::new("InvalidSubnet", message));
        }
        group.subnets = subnets;
        group.description = description.unwrap_or_else(|| group.description.clone());
        Ok(group.shown())
    }

    pub(super) fn describe_subnet_groups(&self, params: &Params) -> Result<Xml, Fault> {
        let name = params.get("DBSubnetGroupName").map(str::to_ascii_lowercase);
        if let Some(name) = name.as_ref().filter(|name| !self.subnet_groups.contains_key(*name)) {
            return Err(not_found(name));
        }
        let found = self.subnet_groups.values().filter(|group| name.as_ref().is_none_or(|name| *name == group.name));
        let (shown, next) = page(found.collect(), params.get("Marker"), params.parsed("MaxRecords")?);
        let mut xml = Xml::default();
        xml.list("DBSubnetGroups", "DBSubnetGroup", shown, |xml, group| group.show(xml)).opt("Marker", next);
        Ok(xml)
    }

    pub(super) fn delete_subnet_group(&mut self, params: &Params) -> Result<Xml, Fault> {
        let name = params.require("DBSubnetGroupName")?.to_ascii_lowercase();
        if !self.subnet_groups.contains_key(&name) {
            return Err(not_found(&name));
        }
        if let Some(user) = self.instances.values().find(|instance| instance.subnet_group == name) {
            let message = format!(
                "Cannot delete the subnet group '{name}' because at least one database instance: {} is still using it.",
                user.id
            );
            return Err(Fault::new("InvalidDBSubnetGroupStateFault", message));
        }
        self.subnet_groups.remove(&name);
        Ok(Xml::default())
    }
}

fn not_found(name: &str) -> Fault {
    Fault::new("DBSubnetGroupNotFoundFault", format!("DB subnet group '{name}' does not exist.")).status(404)
}
