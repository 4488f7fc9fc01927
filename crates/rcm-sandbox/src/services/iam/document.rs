//! What IAM accepts as a policy document.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Role;
use crate::json::one_or_many;
use crate::service::Context;
use crate::wire::Fault;

const CODE: &str = "MalformedPolicyDocument";

/// A policy that says what may be done.
pub(super) fn check_permissions(document: &str) -> Result<(), Fault> {
    for statement in statements(document)? {
        if statement.get("Principal").is_some() {
            return Err(Fault::new(CODE, "Policy document should not specify a principal."));
        }
        if statement.get("Action").or(statement.get("NotAction")).is_none() {
            return Err(Fault::new(CODE, "Policy statement must contain actions."));
        }
        if statement.get("Resource").or(statement.get("NotResource")).is_none() {
            return Err(Fault::new(CODE, "Policy statement must contain resources."));
        }
    }
    Ok(())
}

/// A policy that says who may assume a role. Roles of this account that it names must exist.
pub(super) fn check_trust(cx: &Context, roles: &BTreeMap<String, Role>, document: &str) -> Result<(), Fault> {
    for statement in statements(document)? {
        if statement.get("Resource").is_some() {
            return Err(Fault::new(CODE, "Has prohibited field Resource"));
        }
        let Some(principal) = statement.get("Principal") else {
            return Err(Fault::new(CODE, "Missing required field Principal"));
        };
        let ours = format!("arn:aws:iam::{}:role/", cx.account);
        for named in one_or_many(principal.get("AWS")).into_iter().filter_map(Value::as_str) {
            let role = named.strip_prefix(&ours).and_then(|path| path.rsplit('/').next());
            if role.is_some_and(|role| !roles.contains_key(role)) {
                return Err(Fault::new(CODE, format!("Invalid principal in policy: \"AWS\":\"{named}\"")));
            }
        }
    }
    Ok(())
}

/// The statements of a policy.
pub(super) fn statements(document: &str) -> Result<Vec<Value>, Fault> {
    let parsed: Value =
        serde_json::from_str(document).map_err(|_| Fault::new(CODE, "This policy contains invalid Json"))?;
    let statements: Vec<Value> = one_or_many(parsed.get("Statement")).into_iter().cloned().collect();
    let well_formed = |statement: &Value| {
        let effect = statement.get("Effect").and_then(Value::as_str);
        matches!(effect, Some("Allow" | "Deny"))
    };
    if statements.is_empty() || !statements.iter().all(well_formed) {
        return Err(Fault::new(CODE, "Syntax errors in policy."));
    }
    Ok(statements)
}
