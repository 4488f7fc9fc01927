//! Users, as far as policies hang on them. Access keys and passwords are not played.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Answer, Iam, conflict, document, no_such_entity, now, unique_id, whole};
use crate::service::Context;
use crate::wire::{Fault, Params, Xml};

#[derive(Serialize, Deserialize)]
pub(super) struct User {
    name: String,
    arn: String,
    id: String,
    path: String,
    created: String,
    /// Documents by name.
    pub(super) inline: BTreeMap<String, String>,
    /// Names by ARN.
    pub(super) attached: BTreeMap<String, String>,
}

impl Iam {
    fn user(&mut self, params: &Params) -> Result<&mut User, Fault> {
        let name = params.require("UserName")?;
        let missing = || no_such_entity(format!("The user with name {name} cannot be found."));
        self.users.get_mut(name).ok_or_else(missing)
    }

    pub(super) fn create_user(&mut self, cx: &Context, params: &Params) -> Answer {
        let name = params.require("UserName")?;
        if self.users.contains_key(name) {
            return Err(conflict("EntityAlreadyExists", format!("User with name {name} already exists.")));
        }
        let path = params.get("Path").unwrap_or("/").to_owned();
        let user = User {
            name: name.to_owned(),
            arn: format!("arn:aws:iam::{}:user{path}{name}", cx.account),
            id: unique_id("AIDA"),
            path,
            created: now(),
            inline: BTreeMap::new(),
            attached: BTreeMap::new(),
        };
        let shown = user.shown();
        self.users.insert(name.to_owned(), user);
        Ok(shown)
    }

    pub(super) fn get_user(&mut self, params: &Params) -> Answer {
        Ok(self.user(params)?.shown())
    }

    pub(super) fn delete_user(&mut self, params: &Params) -> Answer {
        let user = self.user(params)?;
        if !user.inline.is_empty() || !user.attached.is_empty() {
            return Err(conflict("DeleteConflict", "Cannot delete entity, must detach all policies first."));
        }
        self.users.remove(params.require("UserName")?);
        Ok(Xml::default())
    }

    pub(super) fn put_user_policy(&mut self, params: &Params) -> Answer {
        let (name, text) = (params.require("PolicyName")?, params.require("PolicyDocument")?);
        document::check_permissions(text)?;
        self.user(params)?.inline.insert(name.to_owned(), text.to_owned());
        Ok(Xml::default())
    }

    pub(super) fn delete_user_policy(&mut self, params: &Params) -> Answer {
        let name = params.require("PolicyName")?;
        let missing = || no_such_entity(format!("The user policy with name {name} cannot be found."));
        self.user(params)?.inline.remove(name).map(|_| Xml::default()).ok_or_else(missing)
    }

    pub(super) fn attach_user_policy(&mut self, params: &Params) -> Answer {
        let arn = params.require("PolicyArn")?;
        let name = self.attachable(arn)?;
        self.user(params)?.attached.insert(arn.to_owned(), name);
        Ok(Xml::default())
    }

    pub(super) fn detach_user_policy(&mut self, params: &Params) -> Answer {
        let arn = params.require("PolicyArn")?;
        let missing = || no_such_entity(format!("Policy {arn} was not found."));
        self.user(params)?.attached.remove(arn).map(|_| Xml::default()).ok_or_else(missing)
    }

    pub(super) fn list_attached_user_policies(&mut self, params: &Params) -> Answer {
        let mut xml = Xml::default();
        xml.list("AttachedPolicies", "member", &self.user(params)?.attached, |item, (arn, name)| {
            item.text("PolicyName", name).text("PolicyArn", arn);
        });
        Ok(whole(xml))
    }
}

impl User {
    fn shown(&self) -> Xml {
        let mut xml = Xml::default();
        xml.node("User", |xml| {
            xml.text("Path", &self.path).text("UserName", &self.name).text("UserId", &self.id).text("Arn", &self.arn);
            xml.text("CreateDate", &self.created);
        });
        xml
    }
}
