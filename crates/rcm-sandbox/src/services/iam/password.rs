//! The account's password policy.

use serde::{Deserialize, Serialize};

use super::{Answer, Iam, no_such_entity};
use crate::wire::{Fault, Params, Xml};

#[derive(Serialize, Deserialize)]
pub(super) struct PasswordPolicy {
    length: i64,
    symbols: bool,
    numbers: bool,
    uppercase: bool,
    lowercase: bool,
    users_change: bool,
    max_age: Option<i64>,
    reuse: Option<i64>,
    hard_expiry: Option<bool>,
}

impl Iam {
    /// What is not given goes back to the default.
    pub(super) fn update_password_policy(&mut self, params: &Params) -> Answer {
        let on = |name: &str| params.get(name) == Some("true");
        let number = |name: &str, least: i64, most: i64| {
            let number = params.parsed::<i64>(name)?;
            match number.filter(|number| !(least..=most).contains(number)) {
                Some(_) => {
                    let message = format!("Value at '{name}' failed to satisfy constraint: between {least} and {most}");
                    Err(Fault::new("ValidationError", message))
                }
                None => Ok(number),
            }
        };
        self.password_policy = Some(PasswordPolicy {
            length: number("MinimumPasswordLength", 6, 128)?.unwrap_or(6),
            symbols: on("RequireSymbols"),
            numbers: on("RequireNumbers"),
            uppercase: on("RequireUppercaseCharacters"),
            lowercase: on("RequireLowercaseCharacters"),
            users_change: on("AllowUsersToChangePassword"),
            max_age: number("MaxPasswordAge", 1, 1095)?,
            reuse: number("PasswordReusePrevention", 1, 24)?,
            hard_expiry: params.parsed("HardExpiry")?,
        });
        Ok(Xml::default())
    }

    pub(super) fn get_password_policy(&self) -> Answer {
        let policy = self.password_policy.as_ref().ok_or_else(none)?;
        let mut xml = Xml::default();
        xml.node("PasswordPolicy", |xml| {
            xml.text("MinimumPasswordLength", policy.length).text("RequireSymbols", policy.symbols);
            xml.text("RequireNumbers", policy.numbers).text("RequireUppercaseCharacters", policy.uppercase);
            xml.text("RequireLowercaseCharacters", policy.lowercase);
            xml.text("AllowUsersToChangePassword", policy.users_change);
            xml.text("ExpirePasswords", policy.max_age.is_some()).opt("MaxPasswordAge", policy.max_age);
            xml.opt("PasswordReusePrevention", policy.reuse).opt("HardExpiry", policy.hard_expiry);
        });
        Ok(xml)
    }

    pub(super) fn delete_password_policy(&mut self) -> Answer {
        self.password_policy.take().ok_or_else(none)?;
        Ok(Xml::default())
    }
}

fn none() -> Fault {
    no_such_entity("The Password Policy with domain name cannot be found.")
}
