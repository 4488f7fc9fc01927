//! IAM: roles, their inline and attached policies, customer-managed policies, service-linked roles, the account's password policy.
//!
//! | What | As on AWS |
//! |---|---|
//! | documents | `MalformedPolicyDocument` for what is no policy, and for a principal of this account that does not exist |
//! | roles | `DeleteConflict` while a policy hangs on it; those of services are `UnmodifiableEntity` |
//! | policies of AWS | those that this kind of stack attaches |
//!
//! The sandbox enforces no permission: its caller may do everything. `SimulatePrincipalPolicy` says so too, unless somebody has made a user
//! `sandbox`: then it tells what that user's policies allow.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::emulator::{Emulated, Emulator};
use crate::service::{ApiRequest, ApiResponse, Context, Tags};
use crate::wire::{Fault, Params, Xml, query_reply};

mod document;
mod password;
mod policy;
mod role;
mod simulate;
mod user;

use password::PasswordPolicy;
use policy::ManagedPolicy;
use role::Role;
use user::User;

const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

/// Everything IAM holds for the account.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Iam {
    /// By name.
    roles: BTreeMap<String, Role>,
    /// By name.
    #[serde(default)]
    users: BTreeMap<String, User>,
    /// Customer-managed, by ARN.
    policies: BTreeMap<String, ManagedPolicy>,
    /// What passwords must be, if anybody has said so.
    #[serde(default)]
    password_policy: Option<PasswordPolicy>,
}

impl Emulated for Iam {
    const NAME: &'static str = "iam";

    async fn answer(emulator: &Emulator<Self>, cx: &Context, request: &ApiRequest) -> ApiResponse {
        let params = Params::parse(&request.body);
        query_reply(params.action(), NAMESPACE, emulator.lock().operate(cx, &params))
    }
}

/// What an action gives.
type Answer = Result<Xml, Fault>;

impl Iam {
    fn operate(&mut self, cx: &Context, params: &Params) -> Answer {
        match params.action() {
            "CreateRole" => self.create_role(cx, params),
            "GetRole" => self.get_role(params),
            "ListRoles" => Ok(self.list_roles(params)),
            "UpdateRole" => self.update_role(params),
            "UpdateRoleDescription" => self.update_role_description(params),
            "UpdateAssumeRolePolicy" => self.update_trust(cx, params),
            "DeleteRole" => self.delete_role(params),
            "TagRole" => self.tag_role(params),
            "UntagRole" => self.untag_role(params),
            "ListRoleTags" => self.list_role_tags(params),
            "PutRolePermissionsBoundary" | "DeleteRolePermissionsBoundary" => self.change_boundary(params),
            "PutRolePolicy" => self.put_role_policy(params),
            "GetRolePolicy" => self.get_role_policy(params),
            "DeleteRolePolicy" => self.delete_role_policy(params),
            "ListRolePolicies" => self.list_role_policies(params),
            "AttachRolePolicy" => self.attach_role_policy(params),
            "DetachRolePolicy" => self.detach_role_policy(params),
            "ListAttachedRolePolicies" => self.list_attached_role_policies(params),
            "ListInstanceProfilesForRole" => self.list_instance_profiles(params),
            "CreateServiceLinkedRole" => self.create_service_linked_role(cx, params),
            "DeleteServiceLinkedRole" => self.delete_service_linked_role(params),
            "GetServiceLinkedRoleDeletionStatus" => Ok(deletion_status()),
            "CreatePolicy" => self.create_policy(cx, params),
            "GetPolicy" => self.get_policy(params),
            "ListPolicies" => Ok(self.list_policies()),
            "DeletePolicy" => self.delete_policy(params),
            "CreatePolicyVersion" => self.create_policy_version(params),
            "GetPolicyVersion" => self.get_policy_version(params),
            "ListPolicyVersions" => self.list_policy_versions(params),
            "DeletePolicyVersion" => self.delete_policy_version(params),
            "TagPolicy" => self.tag_policy(params),
            "UntagPolicy" => self.untag_policy(params),
            "ListPolicyTags" => self.list_policy_tags(params),
            "UpdateAccountPasswordPolicy" => self.update_password_policy(params),
            "GetAccountPasswordPolicy" => self.get_password_policy(),
            "DeleteAccountPasswordPolicy" => self.delete_password_policy(),
            "CreateUser" => self.create_user(cx, params),
            "GetUser" => self.get_user(params),
            "DeleteUser" => self.delete_user(params),
            "PutUserPolicy" => self.put_user_policy(params),
            "DeleteUserPolicy" => self.delete_user_policy(params),
            "AttachUserPolicy" => self.attach_user_policy(params),
            "DetachUserPolicy" => self.detach_user_policy(params),
            "ListAttachedUserPolicies" => self.list_attached_user_policies(params),
            "SimulatePrincipalPolicy" => self.simulate_principal(cx, params),
            "SimulateCustomPolicy" => {
                let documents: Vec<String> =
                    params.list("PolicyInputList.member").into_iter().map(str::to_owned).collect();
                simulate::simulated(&documents, params)
            }
            other => Err(Fault::new("InvalidAction", format!("The sandbox does not play iam:{other}."))),
        }
    }
}

fn no_such_entity(message: impl Into<String>) -> Fault {
    Fault::new("NoSuchEntity", message).status(404)
}

fn conflict(code: &'static str, message: impl Into<String>) -> Fault {
    Fault::new(code, message).status(409)
}

fn tags_in(params: &Params) -> Tags {
    let pair = |tag: &Params| Some((tag.get("Key")?.to_owned(), tag.get("Value")?.to_owned()));
    params.structs("Tags.member").iter().filter_map(pair).collect()
}

fn untag(tags: &mut Tags, params: &Params) {
    let gone = params.list("TagKeys.member");
    tags.retain(|key, _| !gone.contains(&key.as_str()));
}

fn put_tags(xml: &mut Xml, tags: &Tags) {
    xml.list("Tags", "member", tags, |item, (key, value)| {
        item.text("Key", key).text("Value", value);
    });
}

/// A list answer that is always whole.
fn whole(mut xml: Xml) -> Xml {
    xml.text("IsTruncated", false);
    xml
}

/// `AROA`, `ANPA`, … and seventeen letters or digits.
fn unique_id(prefix: &str) -> String {
    let letters = uuid::Uuid::new_v4().simple().to_string().to_uppercase();
    format!("{prefix}{}", &letters[..17])
}

fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn deletion_status() -> Xml {
    let mut xml = Xml::default();
    xml.text("Status", "SUCCEEDED");
    xml
}
