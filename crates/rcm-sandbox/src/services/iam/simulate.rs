//! What policies say of an action: `SimulatePrincipalPolicy` and `SimulateCustomPolicy`.
//!
//! | What | As on AWS |
//! |---|---|
//! | the answer | one result an action, the strictest of all resources, and below it one a resource |
//! | `Action`, `NotAction`, `Resource`, `NotResource` | with `*` and `?`; actions whatever their case |
//! | `Condition` | `String…`, `Arn…`, `Bool` and `Null`, with `IfExists`, `ForAllValues:` and `ForAnyValue:`; others are refused |
//! | actions of several services on named resources | `InvalidInput`: they require different authorization information |
//!
//! Not there: permissions boundaries, policies of resources and organizations, policy variables.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{Answer, Iam, document, no_such_entity, whole};
use crate::json::one_or_many;
use crate::service::Context;
use crate::wire::{Fault, Params, Xml};

/// What AWS's own administrators have.
const ADMINISTRATOR: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

/// What a policy says of an action, the strictest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Decision {
    Allowed,
    Implicit,
    Explicit,
}

impl Decision {
    fn word(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Implicit => "implicitDeny",
            Self::Explicit => "explicitDeny",
        }
    }
}

/// Condition keys, and the values that a request has of them.
type Circumstances = BTreeMap<String, Vec<String>>;

impl Iam {
    pub(super) fn simulate_principal(&self, cx: &Context, params: &Params) -> Answer {
        let arn = params.require("PolicySourceArn")?;
        let mut documents = self.documents_of(cx, arn)?;
        documents.extend(params.list("PolicyInputList.member").into_iter().map(str::to_owned));
        simulated(&documents, params)
    }

    /// The policies that a user or role has. The sandbox's own caller is an administrator, unless there is a user of that name.
    fn documents_of(&self, cx: &Context, arn: &str) -> Result<Vec<String>, Fault> {
        let missing = || no_such_entity(format!("{arn} does not exist."));
        let of_account = arn.strip_prefix(&format!("arn:aws:iam::{}:", cx.account)).ok_or_else(|| {
            Fault::new(
                "InvalidInput",
                format!("Invalid Entity Arn: {arn} does not clearly define entity type and name."),
            )
        })?;
        let name = of_account.rsplit('/').next().unwrap_or_default();
        let (inline, attached) = match of_account.split('/').next() {
            Some("role") => {
                let role = self.roles.get(name).filter(|role| role.arn == arn).ok_or_else(missing)?;
                (&role.inline, &role.attached)
            }
            Some("user") => match self.users.get(name) {
                Some(user) => (&user.inline, &user.attached),
                None if name == "sandbox" => return Ok(vec![ADMINISTRATOR.to_owned()]),
                None => return Err(missing()),
            },
            _ => return Err(Fault::new("InvalidInput", format!("Invalid Entity Arn: {arn}"))),
        };
        let managed = attached.keys().filter_map(|policy| self.text_of(policy));
        Ok(inline.values().cloned().chain(managed).collect())
    }

    /// What a managed policy says. Of AWS's own, only what makes an administrator is known here.
    fn text_of(&self, arn: &str) -> Option<String> {
        match arn {
            "arn:aws:iam::aws:policy/AdministratorAccess" => Some(ADMINISTRATOR.to_owned()),
            _ => self.policies.get(arn)?.in_force(),
        }
    }
}

/// The answer for whoever has these policies.
pub(super) fn simulated(documents: &[String], params: &Params) -> Answer {
    let mut statements = Vec::new();
    for text in documents {
        statements.extend(document::statements(text)?);
    }
    let (actions, resources) = (params.list("ActionNames.member"), params.list("ResourceArns.member"));
    if actions.is_empty() {
        return Err(Fault::new("InvalidInput", "ActionNames must not be empty."));
    }
    take_together(&actions, &resources)?;
    let circumstances = circumstances(params);
    let everything = ["*"];
    let asked = if resources.is_empty() { &everything[..] } else { &resources[..] };
    let mut results = Vec::new();
    for action in actions {
        let mut each = Vec::new();
        for resource in asked {
            each.push((*resource, decide(&statements, action, resource, &circumstances)?));
        }
        results.push((action, each));
    }
    let mut xml = Xml::default();
    xml.list("EvaluationResults", "member", results, |item, (action, each)| {
        let strictest = each.iter().map(|(_, decision)| *decision).max().unwrap_or(Decision::Implicit);
        item.text("EvalActionName", action).text("EvalResourceName", "*").text("EvalDecision", strictest.word());
        if !resources.is_empty() {
            item.list("ResourceSpecificResults", "member", each, |item, (resource, decision)| {
                item.text("EvalResourceName", resource).text("EvalResourceDecision", decision.word());
            });
        }
    });
    Ok(whole(xml))
}

/// Refuses actions that IAM does not judge in one request.
fn take_together(actions: &[&str], resources: &[&str]) -> Result<(), Fault> {
    let service = |action: &&str| action.split(':').next().unwrap_or_default().to_owned();
    let services: BTreeSet<String> = actions.iter().map(service).collect();
    if services.len() < 2 || resources.iter().all(|resource| *resource == "*") {
        return Ok(());
    }
    let of = |name: &String| actions.iter().filter(|action| service(action) == *name).copied().collect::<Vec<_>>();
    let groups: Vec<String> = services.iter().map(|name| format!("Actions: [{}]", of(name).join(","))).collect();
    let message = format!("Invalid Input {} require different authorization information.", groups.join(" and "));
    Err(Fault::new("InvalidInput", message))
}

fn circumstances(params: &Params) -> Circumstances {
    let entry = |entry: &Params| {
        let values = entry.list("ContextKeyValues.member").into_iter().map(str::to_owned).collect();
        Some((entry.get("ContextKeyName")?.to_lowercase(), values))
    };
    params.structs("ContextEntries.member").iter().filter_map(entry).collect()
}

/// A denial wins, and what nothing allows is denied
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>).
fn decide(statements: &[Value], action: &str, resource: &str, asked: &Circumstances) -> Result<Decision, Fault> {
    let mut decision = Decision::Implicit;
    for statement in statements {
        if !is_about(statement, "Action", &action.to_lowercase(), true)
            || !is_about(statement, "Resource", resource, false)
            || !holds(statement.get("Condition"), asked)?
        {
            continue;
        }
        if statement["Effect"] == "Deny" {
            return Ok(Decision::Explicit);
        }
        decision = Decision::Allowed;
    }
    Ok(decision)
}

/// Whether a statement is about that action or resource, by its element or the opposite of it.
fn is_about(statement: &Value, element: &str, name: &str, lower: bool) -> bool {
    let any = |patterns: Option<&Value>| {
        one_or_many(patterns)
            .into_iter()
            .filter_map(Value::as_str)
            .any(|pattern| if lower { matches(&pattern.to_lowercase(), name) } else { matches(pattern, name) })
    };
    match statement.get(element) {
        Some(patterns) => any(Some(patterns)),
        None => !any(statement.get(format!("Not{element}"))),
    }
}

/// `*` stands for any text, `?` for any character.
fn matches(pattern: &str, text: &str) -> bool {
    let Some(at) = pattern.find(['*', '?']) else { return pattern == text };
    let (start, rest) = (&pattern[..at], &pattern[at + 1..]);
    let Some(text) = text.strip_prefix(start) else { return false };
    if pattern[at..].starts_with('?') {
        let mut letters = text.chars();
        return letters.next().is_some() && matches(rest, letters.as_str());
    }
    rest.is_empty() || text.char_indices().map(|(at, _)| at).chain([text.len()]).any(|at| matches(rest, &text[at..]))
}

/// Whether all conditions of a statement are met.
fn holds(condition: Option<&Value>, asked: &Circumstances) -> Result<bool, Fault> {
    let none = Map::new();
    for (operator, keys) in condition.and_then(Value::as_object).unwrap_or(&none) {
        for (key, wanted) in keys.as_object().unwrap_or(&none) {
            if !is_met(operator, asked.get(&key.to_lowercase()), &one_or_many(Some(wanted)))? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

fn is_met(operator: &str, found: Option<&Vec<String>>, wanted: &[&Value]) -> Result<bool, Fault> {
    let wanted: Vec<String> =
        wanted.iter().map(|value| value.as_str().map_or(value.to_string(), str::to_owned)).collect();
    if operator == "Null" {
        let absent = found.is_none();
        return Ok(wanted.iter().any(|wanted| (wanted == "true") == absent));
    }
    let (set, operator) = match operator.split_once(':') {
        Some((set, operator)) => (Some(set), operator),
        None => (None, operator),
    };
    let (operator, if_exists) = match operator.strip_suffix("IfExists") {
        Some(operator) => (operator, true),
        None => (operator, false),
    };
    let negated = operator.contains("Not");
    let equal = comparison(&operator.replace("Not", ""))?;
    let Some(found) = found else {
        // A condition that something is not so is met where there is nothing, and so is one on all of no values.
        return Ok(if_exists || negated || set == Some("ForAllValues"));
    };
    let fits = |value: &String| wanted.iter().any(|wanted| equal(wanted, value)) != negated;
    Ok(match set {
        Some("ForAllValues") => found.iter().all(fits),
        _ => found.iter().any(fits),
    })
}

fn comparison(operator: &str) -> Result<fn(&str, &str) -> bool, Fault> {
    Ok(match operator {
        "StringEquals" => |wanted, value| wanted == value,
        "StringEqualsIgnoreCase" | "Bool" => |wanted, value| wanted.eq_ignore_ascii_case(value),
        "StringLike" | "ArnLike" | "ArnEquals" => matches,
        other => {
            let message = format!("the sandbox does not play the condition operator {other}");
            return Err(Fault::new("InvalidInput", message));
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn decision(statements: Value, action: &str, resource: &str, context: &[(&str, &str)]) -> Decision {
        let asked = context.iter().map(|(key, value)| (key.to_lowercase(), vec![(*value).to_owned()])).collect();
        decide(statements.as_array().unwrap(), action, resource, &asked).unwrap()
    }

    #[test]
    fn a_denial_wins_and_what_nothing_allows_is_denied() {
        let policy = json!([
            {"Effect": "Allow", "Action": "ec2:Create*", "Resource": "*"},
            {"Effect": "Deny", "Action": "ec2:createVPC", "Resource": "arn:aws:ec2:*:*:vpc/*"},
        ]);
        assert_eq!(decision(policy.clone(), "ec2:CreateSubnet", "*", &[]), Decision::Allowed);
        assert_eq!(decision(policy.clone(), "ec2:CreateVpc", "arn:aws:ec2:us-east-1:1:vpc/*", &[]), Decision::Explicit);
        assert_eq!(decision(policy, "ec2:DeleteVpc", "*", &[]), Decision::Implicit);
        let but = json!([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}]);
        assert_eq!(decision(but.clone(), "iam:PassRole", "*", &[]), Decision::Implicit);
        assert_eq!(decision(but, "ecs:CreateCluster", "*", &[]), Decision::Allowed);
    }

    #[test]
    fn conditions_are_met_as_iam_meets_them() {
        let allows = |operator: &str, wanted: Value, context: &[(&str, &str)]| {
            let policy = json!([{
                "Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {operator: {"aws:RequestTag/a": wanted}},
            }]);
            decision(policy, "ec2:CreateVpc", "*", context) == Decision::Allowed
        };
        let (a, b) = ([("aws:requesttag/a", "1")], [("aws:RequestTag/a", "2")]);
        assert!(allows("StringEquals", json!(["1", "3"]), &a) && !allows("StringEquals", json!("1"), &b));
        assert!(!allows("StringEquals", json!("1"), &[]) && allows("StringEqualsIfExists", json!("1"), &[]));
        assert!(!allows("StringEqualsIfExists", json!("1"), &b) && allows("StringNotEquals", json!("1"), &b));
        assert!(allows("StringLike", json!("?"), &a) && allows("ArnLike", json!("*"), &a));
        assert!(
            allows("Null", json!("true"), &[])
                && !allows("Null", json!("true"), &a)
                && allows("Null", json!(false), &a)
        );
        assert!(
            allows("ForAllValues:StringEquals", json!("1"), &[])
                && !allows("ForAnyValue:StringEquals", json!("1"), &[])
        );
        assert!(is_met("DateLessThan", None, &[]).is_err());
    }
}
