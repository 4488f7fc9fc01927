//! DB parameter groups and their parameters.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::catalogue::{self, KNOWN_PARAMETERS, KnownParameter};
use super::{Rds, combination, identifier, invalid, tags};
use crate::arn::arn;
use crate::page::page;
use crate::service::{Context, Tags};
use crate::wire::{Fault, Params, Xml};

#[derive(Serialize, Deserialize)]
pub(super) struct ParameterGroup {
    name: String,
    arn: String,
    pub(super) family: String,
    description: String,
    parameters: BTreeMap<String, Parameter>,
    pub(super) tags: Tags,
}

/// A parameter that a user has set.
#[derive(Serialize, Deserialize)]
struct Parameter {
    value: String,
    /// `immediate` or `pending-reboot`
    method: String,
}

impl ParameterGroup {
    /// The group that AWS makes for a family; nobody can change or delete it.
    fn default_of(cx: &Context, family: &str) -> ParameterGroup {
        ParameterGroup {
            name: format!("default.{family}"),
            arn: arn(cx, "rds", &format!("pg:default.{family}")),
            family: family.to_owned(),
            description: format!("Default parameter group for {family}"),
            parameters: BTreeMap::new(),
            tags: Tags::new(),
        }
    }

    fn show(&self, xml: &mut Xml) {
        xml.text("DBParameterGroupName", &self.name)
            .text("DBParameterGroupFamily", &self.family)
            .text("Description", &self.description)
            .text("DBParameterGroupArn", &self.arn);
    }
}

impl Rds {
    /// The family of a parameter group, one of AWS's default groups included.
    pub(super) fn family_of(&self, name: &str) -> Result<String, Fault> {
        match self.parameter_groups.get(name) {
            Some(group) => Ok(group.family.clone()),
            None => {
                let family = name.strip_prefix("default.").filter(|family| catalogue::is_family(family));
                family.map(str::to_owned).ok_or_else(|| not_found(name))
            }
        }
    }

    pub(super) fn create_parameter_group(&mut self, cx: &Context, params: &Params) -> Result<Xml, Fault> {
        let name = identifier(params, "DBParameterGroupName")?;
        let family = params.require("DBParameterGroupFamily")?.to_owned();
        let description = params.require("Description")?.to_owned();
        if !catalogue::is_family(&family) {
            return Err(invalid(format!("ParameterGroupFamily {family} is not a valid parameter group family")));
        }
        if self.parameter_groups.contains_key(&name) {
            let message = format!("Parameter group {name} already exists");
            return Err(Fault::new("DBParameterGroupAlreadyExists", message));
        }
        let arn = arn(cx, "rds", &format!("pg:{name}"));
        let (parameters, tags) = (BTreeMap::new(), tags(params)?);
        let group = ParameterGroup { name: name.clone(), arn, family, description, parameters, tags };
        let mut xml = Xml::default();
        xml.node("DBParameterGroup", |xml| group.show(xml));
        self.parameter_groups.insert(name, group);
        Ok(xml)
    }

    pub(super) fn describe_parameter_groups(&self, cx: &Context, params: &Params) -> Result<Xml, Fault> {
        let name = params.get("DBParameterGroupName").map(str::to_ascii_lowercase);
        if let Some(name) = &name {
            self.family_of(name)?;
        }
        let used = self.instances.values().map(|instance| instance.parameter_group.name.as_str());
        let asked = used.chain(name.as_deref()).filter_map(|name| name.strip_prefix("default."));
        let defaults: BTreeMap<String, ParameterGroup> =
            asked.map(|family| (family.to_owned(), ParameterGroup::default_of(cx, family))).collect();
        let all = defaults.values().chain(self.parameter_groups.values());
        let found = all.filter(|group| name.as_ref().is_none_or(|name| *name == group.name)).collect();
        let (shown, next) = page(found, params.get("Marker"), params.parsed("MaxRecords")?);
        let mut xml = Xml::default();
        xml.list("DBParameterGroups", "DBParameterGroup", shown, |xml, group| group.show(xml)).opt("Marker", next);
        Ok(xml)
    }

    pub(super) fn modify_parameter_group(&mut self, params: &Params) -> Result<Xml, Fault> {
        let name = params.require("DBParameterGroupName")?.to_ascii_lowercase();
        if name.starts_with("default.") {
            return Err(invalid(format!("The parameter group {name} cannot be modified")));
        }
        let group = self.parameter_groups.get_mut(&name).ok_or_else(|| not_found(&name))?;
        let mut changes = Vec::new();
        for parameter in params.structs("Parameters.Parameter") {
            changes.push(change(&parameter)?);
        }
        if changes.is_empty() {
            return Err(invalid("The parameter Parameters must be provided and must not be blank."));
        }
        group.parameters.extend(changes);
        let mut xml = Xml::default();
        xml.text("DBParameterGroupName", name);
        Ok(xml)
    }

    pub(super) fn delete_parameter_group(&mut self, params: &Params) -> Result<Xml, Fault> {
        let name = params.require("DBParameterGroupName")?.to_ascii_lowercase();
        let refused = |message: String| Err(Fault::new("InvalidDBParameterGroupState", message));
        if name.starts_with("default.") {
            return refused(format!("The parameter group {name} is a default group and cannot be deleted"));
        }
        self.family_of(&name)?;
        if self.instances.values().any(|instance| instance.parameter_group.name == name) {
            return refused(format!(
                "One or more database instances are still members of this parameter group {name}, so the group cannot be \
                 deleted"
            ));
        }
        self.parameter_groups.remove(&name);
        Ok(Xml::default())
    }

    pub(super) fn describe_parameters(&self, params: &Params) -> Result<Xml, Fault> {
        let name = params.require("DBParameterGroupName")?.to_ascii_lowercase();
        let family = self.family_of(&name)?;
        let set = self.parameter_groups.get(&name).map(|group| &group.parameters);
        let source = params.get("Source");
        let mut shown = Vec::new();
        for (name, parameter) in set.into_iter().flatten().filter(|_| source.is_none_or(|source| source == "user")) {
            shown.push(shown_as_set(name, parameter));
        }
        let untouched = |known: &&KnownParameter| set.is_none_or(|set| !set.contains_key(known.name));
        for known in KNOWN_PARAMETERS.iter().filter(untouched) {
            let own = if known.value_in(&family).is_some() { "system" } else { "engine-default" };
            if source.is_none_or(|source| source == own) {
                shown.push(shown_as_default(known, &family, own));
            }
        }
        let (shown, next) = page(shown, params.get("Marker"), params.parsed("MaxRecords")?);
        let mut xml = Xml::default();
        xml.list("Parameters", "Parameter", shown, |item, parameter| {
            item.append(&parameter);
        });
        xml.opt("Marker", next);
        Ok(xml)
    }
}

fn change(params: &Params) -> Result<(String, Parameter), Fault> {
    let name = params.require("ParameterName")?.to_owned();
    let value = params.get("ParameterValue").ok_or_else(|| invalid(format!("Parameter {name} needs a value")))?;
    let method = params.get("ApplyMethod").unwrap_or("immediate").to_owned();
    let plausible =
        |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || "._".contains(character);
    if !name.to_ascii_lowercase().chars().all(plausible) {
        return Err(invalid(format!("Could not find parameter with name: {name}")));
    }
    if let Some(known) = catalogue::parameter(&name) {
        if !known.is_dynamic && method == "immediate" {
            return Err(combination("cannot use immediate apply method for static parameter"));
        }
        if !known.allows(value) {
            let message = format!("Invalid parameter value: {value} for: {name} allowed values are: {}", known.allowed);
            return Err(invalid(message));
        }
    }
    Ok((name, Parameter { value: value.to_owned(), method }))
}

fn shown_as_set(name: &str, parameter: &Parameter) -> Xml {
    let known = catalogue::parameter(name);
    let mut xml = Xml::default();
    xml.text("ParameterName", name)
        .text("ParameterValue", &parameter.value)
        .text("Source", "user")
        .text("ApplyType", known.map_or("dynamic", |known| known.apply_type()))
        .text("DataType", known.map_or("string", |known| known.data_type))
        .opt("AllowedValues", known.map(|known| known.allowed))
        .text("IsModifiable", true)
        .text("ApplyMethod", &parameter.method);
    xml
}

fn shown_as_default(known: &KnownParameter, family: &str, source: &str) -> Xml {
    let mut xml = Xml::default();
    xml.text("ParameterName", known.name)
        .opt("ParameterValue", known.value_in(family))
        .text("Source", source)
        .text("ApplyType", known.apply_type())
        .text("DataType", known.data_type)
        .text("AllowedValues", known.allowed)
        .text("IsModifiable", true)
        .text("ApplyMethod", "pending-reboot");
    xml
}

fn not_found(name: &str) -> Fault {
    Fault::new("DBParameterGroupNotFound", format!("DBParameterGroup {name} not found.")).status(404)
}
