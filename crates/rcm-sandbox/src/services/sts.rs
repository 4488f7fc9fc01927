//! STS: who is calling.
//!
//! `AssumeRole` gives credentials with which `GetCallerIdentity` names the assumed role and *its* account. Any other
//! credentials are those of a user of the sandbox's account, and any role can be assumed, also one of another account: the
//! sandbox checks no permissions.
//!
//! API: <https://docs.aws.amazon.com/STS/latest/APIReference/>

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::emulator::{Emulated, Emulator};
use crate::service::{ApiRequest, ApiResponse, Context};
use crate::wire::{self, Fault, Params, Xml};

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// The sessions of assumed roles.
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Sts {
    /// By access key id. The secret half is never kept: no signature is checked.
    sessions: BTreeMap<String, Session>,
}

#[derive(Serialize, Deserialize)]
struct Session {
    account: String,
    role: String,
    role_id: String,
    name: String,
}

impl Session {
    fn arn(&self) -> String {
        format!("arn:aws:sts::{}:assumed-role/{}/{}", self.account, self.role, self.name)
    }

    fn user_id(&self) -> String {
        format!("{}:{}", self.role_id, self.name)
    }
}

impl Sts {
    fn operate(&mut self, cx: &Context, request: &ApiRequest, params: &Params) -> Result<Xml, Fault> {
        match params.action() {
            "GetCallerIdentity" => Ok(self.caller(cx, request)),
            "AssumeRole" => self.assume(params),
            other => Err(Fault::new("InvalidAction", format!("the sandbox does not play sts:{other}"))),
        }
    }

    fn caller(&self, cx: &Context, request: &ApiRequest) -> Xml {
        let session = access_key(request).and_then(|key| self.sessions.get(key));
        let (arn, user, account) = match session {
            Some(session) => (session.arn(), session.user_id(), session.account.clone()),
            None => {
                (format!("arn:aws:iam::{}:user/sandbox", cx.account), "AIDASANDBOXUSER00001".into(), cx.account.clone())
            }
        };
        let mut xml = Xml::default();
        xml.text("Arn", arn).text("UserId", user).text("Account", account);
        xml
    }

    fn assume(&mut self, params: &Params) -> Result<Xml, Fault> {
        let (role_arn, name) = (params.require("RoleArn")?, params.require("RoleSessionName")?);
        let seconds: i64 = params.parsed("DurationSeconds")?.unwrap_or(3600);
        let (account, role) =
            role_in(role_arn).ok_or_else(|| Fault::new("ValidationError", format!("{role_arn} is invalid")))?;
        let session = Session { account, role, role_id: format!("AROA{}", letters(16)), name: name.to_owned() };
        let key = format!("ASIA{}", letters(16));
        let mut xml = Xml::default();
        xml.node("AssumedRoleUser", |user| {
            user.text("Arn", session.arn()).text("AssumedRoleId", session.user_id());
        });
        xml.node("Credentials", |credentials| {
            credentials
                .text("AccessKeyId", &key)
                .text("SecretAccessKey", letters(32))
                .text("SessionToken", letters(32));
            credentials.text("Expiration", Timestamp::now() + SignedDuration::from_secs(seconds));
        });
        self.sessions.insert(key, session);
        Ok(xml)
    }
}

impl Emulated for Sts {
    const NAME: &'static str = "sts";

    async fn answer(emulator: &Emulator<Self>, cx: &Context, request: &ApiRequest) -> ApiResponse {
        let params = Params::parse(&request.body);
        wire::query_reply(params.action(), NAMESPACE, emulator.lock().operate(cx, request, &params))
    }
}

/// Account and name of `arn:aws:iam::123456789012:role/path/name`.
fn role_in(arn: &str) -> Option<(String, String)> {
    let (account, role) = arn.strip_prefix("arn:aws:iam::")?.split_once(":role/")?;
    Some((account.to_owned(), role.rsplit('/').next()?.to_owned()))
}

fn access_key(request: &ApiRequest) -> Option<&str> {
    wire::header(&request.headers, "authorization")?.split_once("Credential=")?.1.split('/').next()
}

/// Up to 32 characters as AWS's ids have them.
fn letters(count: usize) -> String {
    Uuid::new_v4().simple().to_string().to_uppercase().chars().take(count).collect()
}
