//! Roles.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Answer, Iam, conflict, document, no_such_entity, now, put_tags, tags_in, unique_id, untag, whole};
use crate::service::{Context, Tags};
use crate::wire::{Fault, Params, Xml};

/// How many characters the inline policies of a role may have together, white space not counted.
const INLINE_CHARACTERS: usize = 10_240;

/// How many managed policies a role may have, unless AWS raises the quota.
const ATTACHED: usize = 10;

#[derive(Serialize, Deserialize)]
pub(super) struct Role {
    name: String,
    pub(super) arn: String,
    id: String,
    path: String,
    description: Option<String>,
    trust: String,
    max_session_seconds: u32,
    boundary: Option<String>,
    created: String,
    tags: Tags,
    /// Documents by name.
    pub(super) inline: BTreeMap<String, String>,
    /// Names by ARN.
    pub(super) attached: BTreeMap<String, String>,
}

impl Iam {
    fn role(&mut self, params: &Params) -> Result<&mut Role, Fault> {
        let name = params.require("RoleName")?;
        let missing = || no_such_entity(format!("The role with name {name} cannot be found."));
        self.roles.get_mut(name).ok_or_else(missing)
    }

    /// A role that its owner may change: those of services are AWS's.
    fn own_role(&mut self, params: &Params) -> Result<&mut Role, Fault> {
        let role = self.role(params)?;
        if role.path.starts_with("/aws-service-role/") {
            let message = format!(
                "Cannot perform the operation on the protected role '{}' - this role is only modifiable by AWS",
                role.name
            );
            return Err(Fault::new("UnmodifiableEntity", message));
        }
        Ok(role)
    }

    pub(super) fn create_role(&mut self, cx: &Context, params: &Params) -> Answer {
        let name = params.require("RoleName")?;
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || "+=,.@_-".contains(letter);
        if name.len() > 64 || !name.chars().all(allowed) {
            let message = format!("The specified value for roleName is invalid: {name}");
            return Err(Fault::new("ValidationError", message));
        }
        let trust = params.require("AssumeRolePolicyDocument")?;
        if self.roles.contains_key(name) {
            return Err(conflict("EntityAlreadyExists", format!("Role with name {name} already exists.")));
        }
        document::check_trust(cx, &self.roles, trust)?;
        let path = params.get("Path").unwrap_or("/").to_owned();
        let role = Role {
            arn: format!("arn:aws:iam::{}:role{path}{name}", cx.account),
            name: name.to_owned(),
            id: unique_id("AROA"),
            path,
            description: params.get("Description").map(str::to_owned),
            trust: trust.to_owned(),
            max_session_seconds: session_seconds(params)?.unwrap_or(3600),
            boundary: params.get("PermissionsBoundary").map(str::to_owned),
            created: now(),
            tags: tags_in(params),
            inline: BTreeMap::new(),
            attached: BTreeMap::new(),
        };
        let mut xml = Xml::default();
        xml.node("Role", |xml| role.put(xml, true));
        self.roles.insert(name.to_owned(), role);
        Ok(xml)
    }

    pub(super) fn get_role(&mut self, params: &Params) -> Answer {
        let role = self.role(params)?;
        let mut xml = Xml::default();
        xml.node("Role", |xml| role.put(xml, true));
        Ok(xml)
    }

    pub(super) fn list_roles(&self, params: &Params) -> Xml {
        let prefix = params.get("PathPrefix").unwrap_or("/");
        let wanted = self.roles.values().filter(|role| role.path.starts_with(prefix));
        let mut xml = Xml::default();
        xml.list("Roles", "member", wanted, |item, role| role.put(item, false));
        whole(xml)
    }

    pub(super) fn update_role(&mut self, params: &Params) -> Answer {
        let seconds = session_seconds(params)?;
        let role = self.own_role(params)?;
        if let Some(description) = params.get("Description") {
            role.description = Some(description.to_owned());
        }
        role.max_session_seconds = seconds.unwrap_or(role.max_session_seconds);
        Ok(Xml::default())
    }

    pub(super) fn update_role_description(&mut self, params: &Params) -> Answer {
        let role = self.own_role(params)?;
        role.description = params.get("Description").map(str::to_owned);
        let mut xml = Xml::default();
        xml.node("Role", |xml| role.put(xml, true));
        Ok(xml)
    }

    pub(super) fn update_trust(&mut self, cx: &Context, params: &Params) -> Answer {
        let trust = params.require("PolicyDocument")?;
        self.own_role(params)?;
        document::check_trust(cx, &self.roles, trust)?;
        self.own_role(params)?.trust = trust.to_owned();
        Ok(Xml::default())
    }

    pub(super) fn delete_role(&mut self, params: &Params) -> Answer {
        let role = self.own_role(params)?;
        if !role.attached.is_empty() {
            return Err(conflict("DeleteConflict", "Cannot delete entity, must detach all policies first."));
        }
        if !role.inline.is_empty() {
            return Err(conflict("DeleteConflict", "Cannot delete entity, must delete policies first."));
        }
        self.roles.remove(params.require("RoleName")?);
        Ok(Xml::default())
    }

    pub(super) fn tag_role(&mut self, params: &Params) -> Answer {
        self.own_role(params)?.tags.extend(tags_in(params));
        Ok(Xml::default())
    }

    pub(super) fn untag_role(&mut self, params: &Params) -> Answer {
        untag(&mut self.own_role(params)?.tags, params);
        Ok(Xml::default())
    }

    pub(super) fn list_role_tags(&mut self, params: &Params) -> Answer {
        let mut xml = Xml::default();
        put_tags(&mut xml, &self.role(params)?.tags);
        Ok(whole(xml))
    }

    /// Put names a boundary, delete none.
    pub(super) fn change_boundary(&mut self, params: &Params) -> Answer {
        self.own_role(params)?.boundary = params.get("PermissionsBoundary").map(str::to_owned);
        Ok(Xml::default())
    }

    pub(super) fn put_role_policy(&mut self, params: &Params) -> Answer {
        let (name, text) = (params.require("PolicyName")?, params.require("PolicyDocument")?);
        document::check_permissions(text)?;
        let role = self.own_role(params)?;
        let others = role.inline.iter().filter(|(other, _)| other.as_str() != name).map(|(_, text)| text.as_str());
        let characters = |text: &str| text.chars().filter(|letter| !letter.is_whitespace()).count();
        if others.chain([text]).map(characters).sum::<usize>() > INLINE_CHARACTERS {
            let message = format!("Maximum policy size of {INLINE_CHARACTERS} bytes exceeded for role {}", role.name);
            return Err(conflict("LimitExceeded", message));
        }
        role.inline.insert(name.to_owned(), text.to_owned());
        Ok(Xml::default())
    }

    pub(super) fn get_role_policy(&mut self, params: &Params) -> Answer {
        let name = params.require("PolicyName")?;
        let role = self.role(params)?;
        let text = role.inline.get(name).ok_or_else(|| no_inline_policy(name))?;
        let mut xml = Xml::default();
        xml.text("RoleName", &role.name).text("PolicyName", name).text("PolicyDocument", urlencoding::encode(text));
        Ok(xml)
    }

    pub(super) fn delete_role_policy(&mut self, params: &Params) -> Answer {
        let name = params.require("PolicyName")?;
        self.own_role(params)?.inline.remove(name).ok_or_else(|| no_inline_policy(name))?;
        Ok(Xml::default())
    }

    pub(super) fn list_role_policies(&mut self, params: &Params) -> Answer {
        let mut xml = Xml::default();
        xml.texts("PolicyNames", "member", self.role(params)?.inline.keys());
        Ok(whole(xml))
    }

    pub(super) fn attach_role_policy(&mut self, params: &Params) -> Answer {
        let arn = params.require("PolicyArn")?;
        self.own_role(params)?;
        let name = self.attachable(arn)?;
        let role = self.own_role(params)?;
        if role.attached.len() >= ATTACHED && !role.attached.contains_key(arn) {
            let message = format!("Cannot exceed quota for PoliciesPerRole: {ATTACHED}");
            return Err(conflict("LimitExceeded", message));
        }
        role.attached.insert(arn.to_owned(), name);
        Ok(Xml::default())
    }

    pub(super) fn detach_role_policy(&mut self, params: &Params) -> Answer {
        let arn = params.require("PolicyArn")?;
        let missing = || no_such_entity(format!("Policy {arn} was not found."));
        self.own_role(params)?.attached.remove(arn).ok_or_else(missing)?;
        Ok(Xml::default())
    }

    pub(super) fn list_attached_role_policies(&mut self, params: &Params) -> Answer {
        let mut xml = Xml::default();
        xml.list("AttachedPolicies", "member", &self.role(params)?.attached, |item, (arn, name)| {
            item.text("PolicyName", name).text("PolicyArn", arn);
        });
        Ok(whole(xml))
    }

    /// Instance profiles are not played, so a role never has one.
    pub(super) fn list_instance_profiles(&mut self, params: &Params) -> Answer {
        self.role(params)?;
        let mut xml = Xml::default();
        xml.node("InstanceProfiles", |_| {});
        Ok(whole(xml))
    }

    pub(super) fn create_service_linked_role(&mut self, cx: &Context, params: &Params) -> Answer {
        let service = params.require("AWSServiceName")?;
        let Some(name) = service_linked_name(service) else {
            return Err(Fault::new("InvalidInput", format!("Service role for {service} cannot be created.")));
        };
        if self.roles.contains_key(&name) {
            let message =
                format!("Service role name {name} has been taken in this account, please try a different suffix.");
            return Err(Fault::new("InvalidInput", message));
        }
        let path = format!("/aws-service-role/{service}/");
        let trust = serde_json::json!({
            "Version": "2012-10-17",
            "Statement": [{"Action": ["sts:AssumeRole"], "Effect": "Allow", "Principal": {"Service": [service]}}],
        });
        let role = Role {
            arn: format!("arn:aws:iam::{}:role{path}{name}", cx.account),
            name: name.clone(),
            id: unique_id("AROA"),
            path,
            description: params.get("Description").map(str::to_owned),
            trust: trust.to_string(),
            max_session_seconds: 3600,
            boundary: None,
            created: now(),
            tags: Tags::new(),
            inline: BTreeMap::new(),
            attached: BTreeMap::new(),
        };
        let mut xml = Xml::default();
        xml.node("Role", |xml| role.put(xml, true));
        self.roles.insert(name, role);
        Ok(xml)
    }

    pub(super) fn delete_service_linked_role(&mut self, params: &Params) -> Answer {
        let role = self.role(params)?;
        let task = format!("task{}{}", role.path, role.name);
        self.roles.remove(params.require("RoleName")?);
        let mut xml = Xml::default();
        xml.text("DeletionTaskId", task);
        Ok(xml)
    }
}

impl Role {
    /// `ListRoles` leaves out tags and boundary.
    fn put(&self, xml: &mut Xml, in_full: bool) {
        xml.text("Path", &self.path).text("RoleName", &self.name).text("RoleId", &self.id).text("Arn", &self.arn);
        xml.text("CreateDate", &self.created);
        xml.text("AssumeRolePolicyDocument", urlencoding::encode(&self.trust));
        xml.opt("Description", self.description.as_ref()).text("MaxSessionDuration", self.max_session_seconds);
        if !in_full {
            return;
        }
        if let Some(boundary) = &self.boundary {
            xml.node("PermissionsBoundary", |xml| {
                xml.text("PermissionsBoundaryType", "Policy").text("PermissionsBoundaryArn", boundary);
            });
        }
        if !self.tags.is_empty() {
            put_tags(xml, &self.tags);
        }
        xml.node("RoleLastUsed", |_| {});
    }
}

fn no_inline_policy(name: &str) -> Fault {
    no_such_entity(format!("The role policy with name {name} cannot be found."))
}

fn session_seconds(params: &Params) -> Result<Option<u32>, Fault> {
    let seconds = params.parsed::<u32>("MaxSessionDuration")?;
    match seconds {
        Some(seconds) if !(3600..=43_200).contains(&seconds) => {
            Err(Fault::new("ValidationError", "MaxSessionDuration must be between 3600 and 43200."))
        }
        seconds => Ok(seconds),
    }
}

/// The names that AWS gives to the roles of its services.
fn service_linked_name(service: &str) -> Option<String> {
    let name = match service {
        "config.amazonaws.com" => "Config",
        "ecs.amazonaws.com" => "ECS",
        "ecs.application-autoscaling.amazonaws.com" => "ApplicationAutoScaling_ECSService",
        "elasticloadbalancing.amazonaws.com" => "ElasticLoadBalancing",
        "rds.amazonaws.com" => "RDS",
        "replication.ecr.amazonaws.com" => "ECRReplication",
        _ => return None,
    };
    Some(format!("AWSServiceRoleFor{name}"))
}
