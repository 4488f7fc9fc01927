//! A web ACL: what a web application firewall lets through, by groups of rules that AWS keeps up to date.
//!
//! API: [CreateWebACL](https://docs.aws.amazon.com/waf/latest/APIReference/API_CreateWebACL.html),
//! [UpdateWebACL](https://docs.aws.amazon.com/waf/latest/APIReference/API_UpdateWebACL.html),
//! [PutLoggingConfiguration](https://docs.aws.amazon.com/waf/latest/APIReference/API_PutLoggingConfiguration.html),
//! [AWS's groups of rules](https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-list.html).
//!
//! Surprises:
//! - No client token; the name is unique in account and region, and not to be changed.
//! - Whoever changes or deletes it shows the lock token of the last look. An update replaces everything.
//! - Its logging is a setting of its own, of which it has one: so it is set after the create and goes before the delete. The log
//!   group's name has to begin with `aws-waf-logs-`. WAF writes itself the policy that lets it into the group, with the rights of
//!   whoever asks; where it keeps one policy for all web ACLs of a region (`AWSWAF-LOGS`), that can come to be full.
//! - What is redacted in the logs is redacted only in the fields of its name. Data protection of the web ACL itself reaches further:
//!   what it replaces is never written anywhere. Samples of requests, which anybody may read who reads metrics, hold whole requests.
//! - It cannot be deleted while a load balancer is behind it, nor for a while after.

use std::collections::BTreeSet;

use aws_sdk_wafv2::types::{
    AllowAction, BlockAction, CountAction, DataProtection, DataProtectionAction, DataProtectionConfig, DefaultAction,
    FieldToMatch, FieldToProtect, FieldToProtectType, LoggingConfiguration, ManagedRuleGroupStatement, NoneAction,
    OverrideAction, Rule, RuleAction, RuleActionOverride, Scope, SingleHeader, Statement, VisibilityConfig,
    WebAcl as Live, WebAclSummary,
};
use aws_smithy_types::error::operation::BuildError;
use rcm_engine::model::{Actions, Deployment, Fault, Id, Known, Observed, Owned, Ref, Resource};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    batch::each,
    logs_group::LogGroup,
    wafv2::{name_and_id, pairs, tagged, tags_of},
};
use crate::{
    Aws,
    classify::{absent, fault, gone, missing, unbuilt},
    identity::{self, physical_name},
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// The longest name that WAF takes.
const NAME_LIMIT: usize = 128;
/// Whose rules they are.
const VENDOR: &str = "AWS";

/// What a web ACL should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The name. Part of the id, so it cannot drift.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// What happens to a request that no rule stops (`allow`, `block`).
    pub default_action: String,
    /// The groups of rules.
    pub groups: Vec<RuleGroup>,
    /// Whether CloudWatch counts what each group lets through and stops.
    pub metrics: bool,
    /// Whether WAF keeps samples of requests for three hours, as they came.
    pub samples: bool,
    /// Headers, in lowercase, whose values WAF replaces before it writes anything down.
    pub protected_headers: BTreeSet<String>,
    /// Where requests are logged; not at all if `None`.
    pub logs: Option<Logs>,
}

/// A group of rules that AWS keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleGroup {
    /// When it is asked, the lowest first; no two have the same.
    pub priority: i32,
    /// AWS's name for it (`AWSManagedRulesCommonRuleSet`).
    pub name: String,
    /// Whether what its rules find is stopped, and not only counted.
    pub stops: bool,
    /// Rules of it that only count in any case.
    pub only_counting: BTreeSet<String>,
}

/// Where requests are logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logs {
    /// A log group whose name begins with `aws-waf-logs-`.
    pub group: Ref<LogGroup>,
    /// Headers, in lowercase, whose values are left out.
    pub redacted_headers: BTreeSet<String>,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `arn:aws:wafv2:…:regional/webacl/…`
    pub web_acl_arn: String,
}

/// A web ACL.
pub struct WebAcl;

impl Resource for WebAcl {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "wafv2/web-acl";
    const REPLACE_ON: &'static [&'static str] = &["name"];
    const TAGGED: bool = true;

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let name = physical_name(cx.identity, &spec.name, NAME_LIMIT);
        let content = content(&name, spec).map_err(unbuilt("wafv2", "CreateWebACL"))?;
        let request = cx.cloud.wafv2.create_web_acl().scope(Scope::Regional).name(&name);
        let request = request.description(&spec.description).default_action(content.default_action);
        let request = request.set_rules(Some(content.rules)).visibility_config(content.visibility);
        let request = request.set_data_protection_config(content.protection);
        let request = request.set_tags(Some(tagged(cx.identity, "CreateWebACL")?));
        let answer = request.send().await.map_err(fault("wafv2", "CreateWebACL"))?;
        let arn = answer.summary().and_then(|summary| summary.arn());
        arn.map(Id::from).ok_or_else(|| missing("wafv2", "CreateWebACL", "ARN"))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        // The create has said all of this; but what is found after a crash may have been made from an older spec.
        let (live, lock_token) = get(cx.cloud, id).await?;
        if seen(&live) != wanted(spec) {
            update(cx.cloud, id, spec, lock_token).await?;
        }
        match &spec.logs {
            Some(logs) if cx.changes("logs") => log(cx, id, logs).await,
            None if cx.changes("logs") && !cx.creating() => log_nothing(cx.cloud, id).await.or_else(gone),
            _ => Ok(()),
        }
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let Some((live, _)) = absent(get(cx.cloud, id).await)? else { return Ok(None) };
        let seen = seen(&live);
        let observed = Observed::new(Outputs { web_acl_arn: id.to_string() })
            .see("description", seen.description)
            .see("default_action", seen.default_action)
            .see("groups", seen.groups)
            .see("metrics", seen.metrics)
            .see("samples", seen.samples)
            .see("protected_headers", seen.protected_headers);
        if !cx.reads_everything() {
            return Ok(Some(observed));
        }
        Ok(Some(observed.see("logs", logging(cx.cloud, id).await?)))
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        // A list of web ACLs tells no rules.
        each::<Self>(known).await
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let name = physical_name(cx.identity, &spec.name, NAME_LIMIT);
        let all = summaries(cx.cloud).await?;
        let Some(arn) = all.iter().find(|one| one.name() == Some(&name)).and_then(|one| one.arn()) else {
            return Ok(None);
        };
        let tags = tags_of(cx.cloud, arn).await?;
        Ok(identity::owns(cx.identity, pairs(&tags)).then(|| Id::from(arn)))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let (_, lock_token) = get(cx.cloud, id).await?;
        log_nothing(cx.cloud, id).await.or_else(gone)?;
        let (name, own_id) = name_and_id(id.as_str());
        let request = cx.cloud.wafv2.delete_web_acl().scope(Scope::Regional).name(name).id(own_id);
        let sent = request.set_lock_token(lock_token).send().await;
        sent.map(drop).map_err(fault("wafv2", "DeleteWebACL"))
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let stem = identity::stem(deployment);
        let all = summaries(aws).await?;
        let ours = all.iter().filter(|one| one.name().is_some_and(|name| name.starts_with(&stem)));
        let mut found = Vec::new();
        for arn in ours.filter_map(|one| one.arn()) {
            found.extend(identity::belongs(deployment, arn, pairs(&tags_of(aws, arn).await?)));
        }
        Ok(found)
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        identity::unclaimed(cx.identity, pairs(&tags_of(cx.cloud, id.as_str()).await?))?;
        let request = cx.cloud.wafv2.tag_resource().resource_arn(id.as_str());
        let request = request.set_tags(Some(tagged(cx.identity, "TagResource")?));
        request.send().await.map(drop).map_err(fault("wafv2", "TagResource"))
    }

    fn fits(cx: &Cx<'_>, id: &Id, spec: &Spec) -> bool {
        name_and_id(id.as_str()).0 == physical_name(cx.identity, &spec.name, NAME_LIMIT)
    }

    fn effect(field: &str, before: &Value, after: &Value) -> Option<&'static str> {
        let stops = |groups: &Value| groups.as_array().is_some_and(|all| all.iter().any(|group| group["stops"] == true));
        (field == "groups" && stops(after) && !stops(before))
            .then_some("requests that were only counted are stopped from now on")
    }

    fn actions() -> Actions {
        Actions {
            write: &[
                "wafv2:CreateWebACL",
                "wafv2:DeleteLoggingConfiguration",
                "wafv2:GetWebACL",
                "wafv2:ListTagsForResource",
                "wafv2:PutLoggingConfiguration",
                "wafv2:TagResource",
                "wafv2:UpdateWebACL",
                // WAF writes the policy that lets it into the log group with the rights of whoever asks.
                "logs:CreateLogDelivery",
                "logs:DeleteLogDelivery",
                "logs:DescribeLogGroups",
                "logs:DescribeResourcePolicies",
                "logs:PutResourcePolicy",
            ],
            read: &[
                "wafv2:GetLoggingConfiguration",
                "wafv2:GetWebACL",
                "wafv2:ListTagsForResource",
                "wafv2:ListWebACLs",
            ],
            delete: &[
                "wafv2:DeleteLoggingConfiguration",
                "wafv2:DeleteWebACL",
                "wafv2:GetWebACL",
                "logs:DeleteLogDelivery",
            ],
        }
    }
}

/// What a create and an update say in WAF's own types.
struct Content {
    default_action: DefaultAction,
    rules: Vec<Rule>,
    visibility: VisibilityConfig,
    protection: Option<DataProtectionConfig>,
}

fn content(name: &str, spec: &Spec) -> Result<Content, BuildError> {
    let default_action = match spec.default_action.as_str() {
        "block" => DefaultAction::builder().block(BlockAction::builder().build()),
        _ => DefaultAction::builder().allow(AllowAction::builder().build()),
    };
    Ok(Content {
        default_action: default_action.build(),
        rules: spec.groups.iter().map(|group| rule(group, spec)).collect::<Result<_, _>>()?,
        visibility: visibility(name, spec)?,
        protection: protection(&spec.protected_headers)?,
    })
}

fn rule(group: &RuleGroup, spec: &Spec) -> Result<Rule, BuildError> {
    let count = || CountAction::builder().build();
    let overrides = group.only_counting.iter().map(|name| {
        RuleActionOverride::builder().name(name).action_to_use(RuleAction::builder().count(count()).build()).build()
    });
    let managed = ManagedRuleGroupStatement::builder().vendor_name(VENDOR).name(&group.name);
    let managed = managed.set_rule_action_overrides(Some(overrides.collect::<Result<_, _>>()?)).build()?;
    let action = match group.stops {
        true => OverrideAction::builder().none(NoneAction::builder().build()),
        false => OverrideAction::builder().count(count()),
    };
    Rule::builder()
        .name(&group.name)
        .priority(group.priority)
        .statement(Statement::builder().managed_rule_group_statement(managed).build())
        .override_action(action.build())
        .visibility_config(visibility(&group.name, spec)?)
        .build()
}

fn visibility(metric: &str, spec: &Spec) -> Result<VisibilityConfig, BuildError> {
    let visibility = VisibilityConfig::builder().metric_name(metric);
    visibility.cloud_watch_metrics_enabled(spec.metrics).sampled_requests_enabled(spec.samples).build()
}

fn protection(headers: &BTreeSet<String>) -> Result<Option<DataProtectionConfig>, BuildError> {
    if headers.is_empty() {
        return Ok(None);
    }
    let field = FieldToProtect::builder().field_type(FieldToProtectType::SingleHeader);
    let field = field.set_field_keys(Some(headers.iter().cloned().collect())).build()?;
    let replaced = DataProtection::builder().field(field).action(DataProtectionAction::Substitution).build()?;
    DataProtectionConfig::builder().data_protections(replaced).build().map(Some)
}

async fn update(aws: &Aws, id: &Id, spec: &Spec, lock_token: Option<String>) -> Result<(), Fault> {
    let (name, own_id) = name_and_id(id.as_str());
    let content = content(name, spec).map_err(unbuilt("wafv2", "UpdateWebACL"))?;
    let request = aws.wafv2.update_web_acl().scope(Scope::Regional).name(name).id(own_id);
    let request = request.description(&spec.description).default_action(content.default_action);
    let request = request.set_rules(Some(content.rules)).visibility_config(content.visibility);
    let request = request.set_data_protection_config(content.protection).set_lock_token(lock_token);
    request.send().await.map(drop).map_err(fault("wafv2", "UpdateWebACL"))
}

async fn log(cx: &Cx<'_>, id: &Id, logs: &Logs) -> Result<(), Fault> {
    let header = |name: &String| {
        let header = SingleHeader::builder().name(name).build()?;
        Ok(FieldToMatch::builder().single_header(header).build())
    };
    let redacted = logs.redacted_headers.iter().map(header).collect::<Result<_, BuildError>>();
    let redacted = redacted.map_err(unbuilt("wafv2", "PutLoggingConfiguration"))?;
    let logging = LoggingConfiguration::builder().resource_arn(id.as_str());
    let logging = logging.log_destination_configs(cx.outputs(&logs.group)?.log_group_arn);
    let logging = logging.set_redacted_fields(Some(redacted)).build();
    let logging = logging.map_err(unbuilt("wafv2", "PutLoggingConfiguration"))?;
    let sent = cx.cloud.wafv2.put_logging_configuration().logging_configuration(logging).send().await;
    sent.map(drop).map_err(fault("wafv2", "PutLoggingConfiguration"))
}

async fn log_nothing(aws: &Aws, id: &Id) -> Result<(), Fault> {
    let sent = aws.wafv2.delete_logging_configuration().resource_arn(id.as_str()).send().await;
    sent.map(drop).map_err(fault("wafv2", "DeleteLoggingConfiguration"))
}

/// The web ACL, and the token without which it cannot be changed.
async fn get(aws: &Aws, id: &Id) -> Result<(Live, Option<String>), Fault> {
    let (name, own_id) = name_and_id(id.as_str());
    let sent = aws.wafv2.get_web_acl().scope(Scope::Regional).name(name).id(own_id).send().await;
    let answer = sent.map_err(fault("wafv2", "GetWebACL"))?;
    let live = answer.web_acl.ok_or_else(|| missing("wafv2", "GetWebACL", "WebACL"))?;
    Ok((live, answer.lock_token))
}

/// All web ACLs of the region.
async fn summaries(aws: &Aws) -> Result<Vec<WebAclSummary>, Fault> {
    let (mut all, mut marker) = (Vec::new(), None);
    loop {
        let request = aws.wafv2.list_web_acls().scope(Scope::Regional).limit(100).set_next_marker(marker);
        let page = request.send().await.map_err(fault("wafv2", "ListWebACLs"))?;
        let more = page.next_marker.filter(|_| !page.web_acls.as_deref().unwrap_or_default().is_empty());
        all.extend(page.web_acls.unwrap_or_default());
        match more {
            Some(next) => marker = Some(next),
            None => return Ok(all),
        }
    }
}

/// How requests are logged, as a spec says it.
async fn logging(aws: &Aws, id: &Id) -> Result<Value, Fault> {
    let sent = aws.wafv2.get_logging_configuration().resource_arn(id.as_str()).send().await;
    let answer = absent(sent.map_err(fault("wafv2", "GetLoggingConfiguration")))?;
    let logging = answer.and_then(|answer| answer.logging_configuration);
    Ok(logging.map_or(Value::Null, |logging| logged(&logging)))
}

fn logged(logging: &LoggingConfiguration) -> Value {
    let destination = logging.log_destination_configs().first().map(String::as_str).unwrap_or_default();
    // A log group is known by its name; what else there may be, as it is.
    let group = destination.split_once(":log-group:").map_or(destination, |(_, name)| name.trim_end_matches(":*"));
    let header = |field: &FieldToMatch| Some(field.single_header()?.name().to_lowercase());
    let headers: BTreeSet<_> = logging.redacted_fields().iter().filter_map(header).collect();
    let logged = json!({"group": group, "redacted_headers": headers});
    match logging.logging_filter() {
        // rcm logs every request: that some are dropped is a difference.
        Some(_) => json!({"group": group, "redacted_headers": headers, "filtered": true}),
        None => logged,
    }
}

/// What a web ACL says, as a spec says it, but for its name and its logs.
#[derive(Debug, PartialEq)]
struct Seen {
    description: String,
    default_action: &'static str,
    /// In the order in which they are asked.
    groups: Vec<Value>,
    metrics: bool,
    samples: bool,
    protected_headers: BTreeSet<String>,
}

fn wanted(spec: &Spec) -> Seen {
    let mut groups = spec.groups.clone();
    groups.sort_by_key(|group| group.priority);
    Seen {
        description: spec.description.clone(),
        default_action: if spec.default_action == "block" { "block" } else { "allow" },
        groups: groups.into_iter().map(|group| json!(group)).collect(),
        metrics: spec.metrics,
        samples: spec.samples,
        protected_headers: spec.protected_headers.clone(),
    }
}

fn seen(live: &Live) -> Seen {
    let mut rules: Vec<&Rule> = live.rules().iter().collect();
    rules.sort_by_key(|rule| rule.priority());
    let visibility = || live.visibility_config().into_iter().chain(live.rules().iter().filter_map(Rule::visibility_config));
    Seen {
        description: live.description().unwrap_or_default().to_owned(),
        default_action: match live.default_action().and_then(DefaultAction::block) {
            Some(_) => "block",
            None => "allow",
        },
        groups: rules.into_iter().map(group).collect(),
        metrics: visibility().all(VisibilityConfig::cloud_watch_metrics_enabled),
        samples: visibility().any(VisibilityConfig::sampled_requests_enabled),
        protected_headers: protected(live.data_protection_config()),
    }
}

/// A rule as a spec says it; one that no spec can say with `other` in it, so that it is seen.
fn group(rule: &Rule) -> Value {
    let managed = rule.statement().and_then(Statement::managed_rule_group_statement);
    let managed = managed.filter(|managed| managed.vendor_name() == VENDOR && managed.scope_down_statement().is_none());
    let Some(managed) = managed else {
        return json!({"priority": rule.priority(), "name": rule.name(), "other": true});
    };
    let overrides = managed.rule_action_overrides().iter().map(|one| {
        let counts = one.action_to_use().is_some_and(|action| action.count().is_some());
        if counts { one.name().to_owned() } else { format!("{} (by another action)", one.name()) }
    });
    // Counting by its old name.
    let excluded = managed.excluded_rules().iter().map(|one| one.name().to_owned());
    let only_counting: BTreeSet<String> = overrides.chain(excluded).collect();
    let stops = rule.override_action().is_none_or(|action| action.count().is_none());
    json!(RuleGroup { priority: rule.priority(), name: managed.name().to_owned(), stops, only_counting })
}

/// The headers whose values are replaced wherever WAF writes.
fn protected(config: Option<&DataProtectionConfig>) -> BTreeSet<String> {
    let all = config.into_iter().flat_map(|config| config.data_protections());
    let whole = all.filter(|one| !one.exclude_rule_match_details() && !one.exclude_rate_based_details());
    let fields = whole.filter_map(|one| one.field());
    let headers = fields.filter(|field| *field.field_type() == FieldToProtectType::SingleHeader);
    headers.flat_map(|field| field.field_keys()).map(|key| key.to_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> Spec {
        let group = |priority, name: &str, stops, only_counting: &[&str]| RuleGroup {
            priority,
            name: name.into(),
            stops,
            only_counting: only_counting.iter().map(ToString::to_string).collect(),
        };
        Spec {
            name: "acme-rcm-prod-web".into(),
            description: "What reaches acme-rcm-prod".into(),
            default_action: "allow".into(),
            groups: vec![
                group(1, "AWSManagedRulesCommonRuleSet", true, &["SizeRestrictions_BODY"]),
                group(0, "AWSManagedRulesAmazonIpReputationList", false, &[]),
            ],
            metrics: true,
            samples: false,
            protected_headers: BTreeSet::from(["authorization".into(), "cookie".into()]),
            logs: None,
        }
    }

    fn live(spec: &Spec) -> Live {
        let content = content("acme-rcm-prod-web", spec).unwrap();
        let live = Live::builder().name("acme-rcm-prod-web").id("1a2b").arn("arn").description(&spec.description);
        let live = live.default_action(content.default_action).set_rules(Some(content.rules));
        let live = live.visibility_config(content.visibility).set_data_protection_config(content.protection);
        live.build().unwrap()
    }

    #[test]
    fn what_is_sent_reads_as_the_spec_says_it() {
        assert_eq!(seen(&live(&spec())), wanted(&spec()));
    }

    #[test]
    fn what_no_spec_can_say_is_seen_all_the_same() {
        let mut changed = live(&spec());
        let rules = changed.rules.as_mut().unwrap();
        rules.push(Rule::builder().name("by-hand").priority(7).build().unwrap());
        let groups = seen(&changed).groups;
        assert_eq!(groups[2], json!({"priority": 7, "name": "by-hand", "other": true}));

        let mut changed = live(&spec());
        let visibility = &mut changed.rules.as_mut().unwrap()[0].visibility_config;
        visibility.as_mut().unwrap().cloud_watch_metrics_enabled = false;
        assert!(!seen(&changed).metrics, "one rule that is not counted is enough");
    }

    #[test]
    fn a_log_group_is_known_by_its_name_in_either_spelling_of_its_arn() {
        let logging = |end: &str| {
            let arn = format!("arn:aws:logs:us-east-1:123456789012:log-group:aws-waf-logs-acme-rcm-prod{end}");
            let logging = LoggingConfiguration::builder().resource_arn("arn").log_destination_configs(arn);
            logging.build().unwrap()
        };
        for end in ["", ":*"] {
            let expected = json!({"group": "aws-waf-logs-acme-rcm-prod", "redacted_headers": []});
            assert_eq!(logged(&logging(end)), expected);
        }
    }

    #[test]
    fn that_requests_are_stopped_from_now_on_is_said_before() {
        let counting = json!([{"name": "a", "stops": false}]);
        let stopping = json!([{"name": "a", "stops": true}]);
        assert!(WebAcl::effect("groups", &counting, &stopping).is_some());
        assert_eq!(WebAcl::effect("groups", &stopping, &counting), None);
    }
}
