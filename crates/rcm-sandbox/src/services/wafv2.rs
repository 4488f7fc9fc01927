//! WAF: web ACLs of groups of rules that AWS keeps, their logging, and the load balancers behind them. No request is judged.
//!
//! | What | As on AWS |
//! |---|---|
//! | `CreateWebACL`, `UpdateWebACL` | `WAFDuplicateItemException` for a name that is taken; groups that AWS has, priorities used once, at most 5000 units of capacity; another lock token is a `WAFOptimisticLockException` |
//! | `GetWebACL`, `ListWebACLs` | a list tells no rules |
//! | `DeleteWebACL` | `WAFAssociatedItemException` while something is behind it |
//! | `AssociateWebACL` | in the place of the one before; `WAFUnavailableEntityException` for some polls after the create of the web ACL, and while the load balancer is being made |
//! | `PutLoggingConfiguration` | to one log group, which is there and whose name begins with `aws-waf-logs-` |
//! | `TagResource`, `UntagResource`, `ListTagsForResource` | of web ACLs |
//!
//! Not played: other scopes than `REGIONAL`, other resources than load balancers, rules of one's own.
//!
//! API: <https://docs.aws.amazon.com/waf/latest/APIReference/Welcome.html>.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::arn::arn;
use crate::countdown::Countdown;
use crate::emulator::{Emulated, Emulator};
use crate::json::{self, Answer, Input, tag_list, without_nulls};
use crate::neighbours;
use crate::service::{ApiRequest, ApiResponse, Context, Tags};
use crate::wire::Fault;

/// [AWS's groups of rules](https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-list.html), those that cost
/// nothing beside the price of a rule, and how much of a web ACL's capacity each takes.
const MANAGED: [(&str, u64); 12] = [
    ("AWSManagedRulesAdminProtectionRuleSet", 100),
    ("AWSManagedRulesAmazonIpReputationList", 25),
    ("AWSManagedRulesAnonymousIpList", 50),
    ("AWSManagedRulesCommonRuleSet", 700),
    ("AWSManagedRulesKnownBadInputsRuleSet", 200),
    ("AWSManagedRulesLinuxRuleSet", 200),
    ("AWSManagedRulesPHPRuleSet", 100),
    ("AWSManagedRulesSQLiRuleSet", 200),
    ("AWSManagedRulesUnixRuleSet", 100),
    ("AWSManagedRulesWindowsRuleSet", 200),
    ("AWSManagedRulesWordPressRuleSet", 100),
    ("AWSManagedRulesAntiDDoSRuleSet", 50),
];
/// How much a web ACL can hold.
const MOST_CAPACITY: u64 = 5000;
/// What the name of a log group begins with that WAF writes to.
const LOGS: &str = "aws-waf-logs-";

/// The web ACLs by their ARNs, and what is behind them.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Wafv2 {
    web_acls: BTreeMap<String, WebAcl>,
    /// The ARN of the web ACL before each load balancer.
    associations: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct WebAcl {
    name: String,
    id: String,
    lock_token: String,
    capacity: u64,
    /// What CreateWebACL and UpdateWebACL say, by member.
    content: Map<String, Value>,
    logging: Option<Value>,
    tags: Tags,
    /// Until it can be associated.
    countdown: Countdown,
}

impl Emulated for Wafv2 {
    const NAME: &'static str = "wafv2";

    async fn answer(emulator: &Emulator<Self>, cx: &Context, request: &ApiRequest) -> ApiResponse {
        json::reply(operation(emulator, cx, request).await)
    }

    fn arrive(&mut self) {
        self.web_acls.values_mut().for_each(|acl| acl.countdown = Countdown::default());
    }
}

async fn operation(emulator: &Emulator<Wafv2>, cx: &Context, request: &ApiRequest) -> Answer {
    let (operation, input) = Input::of(request)?;
    if input.text("Scope").is_some_and(|scope| scope != "REGIONAL") {
        return Err(invalid("the sandbox plays the scope REGIONAL alone", "SCOPE_VALUE"));
    }
    forget_gone(emulator, cx).await;
    match operation.as_str() {
        "AssociateWebACL" => check_load_balancer(cx, input.need("ResourceArn")?).await?,
        "GetWebACLForResource" | "DisassociateWebACL" => {
            let resource = input.need("ResourceArn")?;
            neighbours::load_balancer_state(cx, resource).await.ok_or_else(missing)?;
        }
        "PutLoggingConfiguration" => check_logging(cx, &input).await?,
        _ => {}
    }
    emulator.lock().operate(cx, &operation, &input)
}

/// A load balancer that is gone has no web ACL before it.
async fn forget_gone(emulator: &Emulator<Wafv2>, cx: &Context) {
    let behind: Vec<String> = emulator.lock().associations.keys().cloned().collect();
    for resource in behind {
        if neighbours::load_balancer_state(cx, &resource).await.is_none() {
            emulator.lock().associations.remove(&resource);
        }
    }
}

async fn check_load_balancer(cx: &Context, resource: &str) -> Result<(), Fault> {
    match neighbours::load_balancer_state(cx, resource).await.as_deref() {
        None => Err(missing()),
        Some("active") => Ok(()),
        Some(_) => Err(unavailable()),
    }
}

async fn check_logging(cx: &Context, input: &Input) -> Result<(), Fault> {
    let logging = input.value("LoggingConfiguration").cloned().unwrap_or_default();
    let destinations = logging["LogDestinationConfigs"].as_array().map(Vec::as_slice).unwrap_or_default();
    let [Value::String(destination)] = destinations else {
        return Err(invalid("a web ACL has one logging destination", "LOG_DESTINATION"));
    };
    let group = destination.split_once(":log-group:").map(|(_, name)| name.trim_end_matches(":*"));
    let Some(group) = group.filter(|name| name.starts_with(LOGS)) else {
        return Err(invalid(format!("The ARN isn't valid: {destination}"), "LOG_DESTINATION"));
    };
    if !neighbours::log_group_exists(cx, group).await {
        let message = "AWS WAF couldn't find the log destination, or you have no permission to it.";
        return Err(Fault::new("WAFLogDestinationPermissionIssueException", message));
    }
    Ok(())
}

impl Wafv2 {
    fn operate(&mut self, cx: &Context, operation: &str, input: &Input) -> Answer {
        match operation {
            "CreateWebACL" => self.create(cx, input),
            "GetWebACL" => self.get(input),
            "ListWebACLs" => Ok(self.list()),
            "UpdateWebACL" => self.update(input),
            "DeleteWebACL" => self.delete(input),
            "AssociateWebACL" => self.associate(input),
            "DisassociateWebACL" => {
                self.associations.remove(input.need("ResourceArn")?);
                Ok(json!({}))
            }
            "GetWebACLForResource" => Ok(self.before(input.need("ResourceArn")?)),
            "ListResourcesForWebACL" => {
                let acl = input.need("WebACLArn")?;
                self.web_acls.get(acl).ok_or_else(missing)?;
                let behind = self.associations.iter().filter(|(_, before)| *before == acl);
                Ok(json!({"ResourceArns": behind.map(|(resource, _)| resource).collect::<Vec<_>>()}))
            }
            "PutLoggingConfiguration" => self.put_logging(input),
            "GetLoggingConfiguration" => {
                let logging = self.named(input, "ResourceArn")?.logging.clone().ok_or_else(missing)?;
                Ok(json!({"LoggingConfiguration": logging}))
            }
            "DeleteLoggingConfiguration" => {
                self.named(input, "ResourceArn")?.logging.take().ok_or_else(missing)?;
                Ok(json!({}))
            }
            "TagResource" => {
                let tags = input.tags("Tags", "Key", "Value");
                self.named(input, "ResourceARN")?.tags.extend(tags);
                Ok(json!({}))
            }
            "UntagResource" => {
                let keys = input.texts("TagKeys");
                self.named(input, "ResourceARN")?.tags.retain(|key, _| !keys.contains(key));
                Ok(json!({}))
            }
            "ListTagsForResource" => {
                let arn = input.need("ResourceARN")?;
                let tags = tag_list(&self.named(input, "ResourceARN")?.tags, "Key", "Value");
                Ok(json!({"TagInfoForResource": {"ResourceARN": arn, "TagList": tags}}))
            }
            other => json::unknown_operation(other),
        }
    }

    /// The web ACL whose ARN a member gives.
    fn named(&mut self, input: &Input, member: &str) -> Result<&mut WebAcl, Fault> {
        self.web_acls.get_mut(input.need(member)?).ok_or_else(missing)
    }

    /// The web ACL that name and id give, and its ARN.
    fn asked(&mut self, input: &Input) -> Result<(&String, &mut WebAcl), Fault> {
        let (name, id) = (input.need("Name")?, input.need("Id")?);
        self.web_acls.iter_mut().find(|(_, acl)| acl.name == name && acl.id == id).ok_or_else(missing)
    }

    fn create(&mut self, cx: &Context, input: &Input) -> Answer {
        let name = input.need("Name")?;
        let is_word = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        if name.len() > 128 || !name.chars().all(is_word) {
            return Err(invalid(format!("The name isn't valid: {name}"), "NAME"));
        }
        if self.web_acls.values().any(|acl| acl.name == name) {
            let message = "AWS WAF couldn't perform the operation because some resource in your request is a duplicate of an existing one.";
            return Err(Fault::new("WAFDuplicateItemException", message));
        }
        let (content, capacity) = content(input)?;
        let id = Uuid::new_v4().to_string();
        let acl = WebAcl {
            name: name.to_owned(),
            id: id.clone(),
            lock_token: Uuid::new_v4().to_string(),
            capacity,
            content,
            logging: None,
            tags: input.tags("Tags", "Key", "Value"),
            countdown: Countdown::new(cx.polls()),
        };
        let arn = arn(cx, "wafv2", &format!("regional/webacl/{name}/{id}"));
        let summary = acl.summary(&arn);
        self.web_acls.insert(arn, acl);
        Ok(json!({"Summary": summary}))
    }

    fn get(&mut self, input: &Input) -> Answer {
        let (arn, acl) = self.asked(input)?;
        Ok(json!({"WebACL": acl.shown(arn), "LockToken": acl.lock_token}))
    }

    /// All on one page.
    fn list(&self) -> Value {
        let all: Vec<Value> = self.web_acls.iter().map(|(arn, acl)| acl.summary(arn)).collect();
        json!({"WebACLs": all})
    }

    fn update(&mut self, input: &Input) -> Answer {
        let (_, acl) = self.asked(input)?;
        acl.check_lock(input)?;
        (acl.content, acl.capacity) = content(input)?;
        acl.lock_token = Uuid::new_v4().to_string();
        Ok(json!({"NextLockToken": acl.lock_token}))
    }

    fn delete(&mut self, input: &Input) -> Answer {
        let (arn, acl) = self.asked(input)?;
        acl.check_lock(input)?;
        let arn = arn.clone();
        if self.associations.values().any(|before| *before == arn) {
            let message = "AWS WAF couldn't perform the operation because your resource is being used by another resource or it's associated with another resource.";
            return Err(Fault::new("WAFAssociatedItemException", message));
        }
        self.web_acls.remove(&arn);
        Ok(json!({}))
    }

    /// An attempt is a poll, so whoever only repeats it gets through.
    fn associate(&mut self, input: &Input) -> Answer {
        let acl = self.named(input, "WebACLArn")?;
        if !acl.countdown.poll() {
            return Err(unavailable());
        }
        self.associations.insert(input.need("ResourceArn")?.to_owned(), input.need("WebACLArn")?.to_owned());
        Ok(json!({}))
    }

    fn before(&self, resource: &str) -> Value {
        let arn = self.associations.get(resource);
        let acl = arn.and_then(|arn| Some(self.web_acls.get(arn)?.shown(arn)));
        without_nulls(json!({"WebACL": acl}))
    }

    fn put_logging(&mut self, input: &Input) -> Answer {
        let logging = input.value("LoggingConfiguration").cloned().unwrap_or_default();
        let acl = logging["ResourceArn"].as_str().and_then(|arn| self.web_acls.get_mut(arn)).ok_or_else(missing)?;
        acl.logging = Some(logging.clone());
        Ok(json!({"LoggingConfiguration": logging}))
    }
}

impl WebAcl {
    fn check_lock(&self, input: &Input) -> Result<(), Fault> {
        if input.text("LockToken") == Some(&self.lock_token) {
            return Ok(());
        }
        let message = "AWS WAF couldn't save your changes because someone changed the resource after you started to edit it. Reapply your changes.";
        Err(Fault::new("WAFOptimisticLockException", message))
    }

    fn shown(&self, arn: &str) -> Value {
        let mut shown = self.content.clone();
        let own = json!({"Name": self.name, "Id": self.id, "ARN": arn, "Capacity": self.capacity});
        shown.extend(own.as_object().cloned().unwrap_or_default());
        shown.into()
    }

    fn summary(&self, arn: &str) -> Value {
        without_nulls(json!({
            "Name": self.name,
            "Id": self.id,
            "ARN": arn,
            "LockToken": self.lock_token,
            "Description": self.content.get("Description"),
        }))
    }
}

/// What a web ACL is to hold, and how much capacity that takes.
fn content(input: &Input) -> Result<(Map<String, Value>, u64), Fault> {
    for member in ["DefaultAction", "VisibilityConfig"] {
        input.value(member).ok_or_else(|| invalid(format!("{member} is missing"), "WEB_ACL"))?;
    }
    let mut priorities = BTreeSet::new();
    let mut capacity = 0;
    for rule in input.objects("Rules") {
        if !priorities.insert(rule["Priority"].as_i64()) {
            return Err(invalid("You have used the same priority in more than one rule", "RULE"));
        }
        if rule["VisibilityConfig"].is_null() || rule["OverrideAction"].is_null() {
            return Err(invalid("A group of rules has an override action and visibility", "RULE"));
        }
        let group = &rule["Statement"]["ManagedRuleGroupStatement"];
        let known = MANAGED.iter().find(|(name, _)| group["VendorName"] == "AWS" && group["Name"] == *name);
        let Some((_, takes)) = known else {
            return Err(invalid(format!("There is no managed rule group {}", group["Name"]), "MANAGED_RULE_SET"));
        };
        capacity += takes;
    }
    if capacity > MOST_CAPACITY {
        let message = format!("The web ACL would take {capacity} units of capacity, and has {MOST_CAPACITY}.");
        return Err(Fault::new("WAFLimitsExceededException", message));
    }
    let own = ["Name", "Id", "Scope", "Tags", "LockToken"];
    let content = input.0.iter().filter(|(member, value)| !own.contains(&member.as_str()) && !value.is_null());
    Ok((content.map(|(member, value)| (member.clone(), value.clone())).collect(), capacity))
}

fn invalid(reason: impl Into<String>, field: &str) -> Fault {
    let message = format!("Error reason: {}, field: {field}", reason.into());
    Fault::new("WAFInvalidParameterException", message)
}

fn missing() -> Fault {
    let message = "AWS WAF couldn't perform the operation because your resource doesn't exist.";
    Fault::new("WAFNonexistentItemException", message)
}

fn unavailable() -> Fault {
    let message = "AWS WAF couldn't retrieve the resource that you requested. Retry your request.";
    Fault::new("WAFUnavailableEntityException", message)
}
