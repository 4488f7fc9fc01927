//! Account Management: the alternate contacts of the account, and which Regions it uses.
//!
//! | Operation | As on AWS |
//! |---|---|
//! | `PutAlternateContact` | takes over what is there; nothing may be missing; addresses and telephone numbers are looked at (`ValidationException`) |
//! | `GetAlternateContact`, `DeleteAlternateContact` | `ResourceNotFoundException` where there is none |
//! | `GetRegionOptStatus` | every Region is enabled; nobody opts in or out |
//!
//! API: <https://docs.aws.amazon.com/accounts/latest/reference/api-reference.html>.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::emulator::{Emulated, Emulator};
use crate::json::{self, Answer, Rest};
use crate::service::{ApiRequest, ApiResponse, Context};
use crate::wire::Fault;

/// The contacts by type, as they were put.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Account {
    contacts: BTreeMap<String, Value>,
}

const TYPES: [&str; 3] = ["BILLING", "OPERATIONS", "SECURITY"];

/// The members of a contact, each with its longest value.
const MEMBERS: [(&str, usize); 4] = [("EmailAddress", 254), ("Name", 64), ("PhoneNumber", 25), ("Title", 50)];

impl Emulated for Account {
    const NAME: &'static str = "account";

    async fn answer(emulator: &Emulator<Self>, _: &Context, request: &ApiRequest) -> ApiResponse {
        json::reply(Rest::of(request).and_then(|rest| emulator.lock().operate(request, &rest)))
    }
}

impl Account {
    fn operate(&mut self, request: &ApiRequest, rest: &Rest) -> Answer {
        if rest.asked(request) == ("POST", vec!["getRegionOptStatus"]) {
            let region = rest.body.text("RegionName").ok_or_else(|| invalid("RegionName"))?;
            return Ok(json!({"RegionName": region, "RegionOptStatus": "ENABLED_BY_DEFAULT"}));
        }
        let of_type = rest.body.text("AlternateContactType").unwrap_or_default();
        if !TYPES.contains(&of_type) {
            return Err(invalid("AlternateContactType"));
        }
        match (rest.asked(request).0, rest.asked(request).1.as_slice()) {
            ("POST", ["putAlternateContact"]) => self.put(of_type, rest),
            ("POST", ["getAlternateContact"]) => {
                Ok(json!({"AlternateContact": self.contacts.get(of_type).ok_or_else(missing)?}))
            }
            ("POST", ["deleteAlternateContact"]) => {
                self.contacts.remove(of_type).ok_or_else(missing)?;
                Ok(json!({}))
            }
            (method, _) => json::unknown_operation(&format!("{method} {}", request.uri)),
        }
    }

    fn put(&mut self, of_type: &str, rest: &Rest) -> Answer {
        let mut contact = json!({"AlternateContactType": of_type});
        for (member, longest) in MEMBERS {
            let value = rest.body.text(member).unwrap_or_default();
            if value.is_empty() || value.len() > longest || !well_formed(member, value) {
                return Err(invalid(member));
            }
            contact[member] = value.into();
        }
        self.contacts.insert(of_type.to_owned(), contact);
        Ok(json!({}))
    }
}

fn well_formed(member: &str, value: &str) -> bool {
    match member {
        "PhoneNumber" => value.chars().all(|c| c.is_ascii_digit() || c.is_whitespace() || "()+-".contains(c)),
        "EmailAddress" => {
            value.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.'))
        }
        _ => true,
    }
}

fn invalid(member: &str) -> Fault {
    Fault::new("ValidationException", format!("Value at '{member}' failed to satisfy constraint"))
}

fn missing() -> Fault {
    Fault::new("ResourceNotFoundException", "No contact of the inputted alternate contact type found.").status(404)
}
