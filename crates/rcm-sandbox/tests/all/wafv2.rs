//! Web ACLs, their logs, and what is behind them.

use aws_sdk_wafv2::Client;
use aws_sdk_wafv2::operation::create_web_acl::builders::CreateWebACLFluentBuilder;
use aws_sdk_wafv2::types::{
    AllowAction, BlockAction, DefaultAction, LoggingConfiguration, ManagedRuleGroupStatement, NoneAction,
    OverrideAction, Rule, Scope, Statement, Tag, VisibilityConfig, WebAclSummary,
};

use crate::load_balancing;
use crate::network::Network;
use crate::support::{Cloud, code};

fn visibility() -> VisibilityConfig {
    let visibility = VisibilityConfig::builder().metric_name("acme").cloud_watch_metrics_enabled(true);
    visibility.sampled_requests_enabled(false).build().unwrap()
}

fn allow() -> DefaultAction {
    DefaultAction::builder().allow(AllowAction::builder().build()).build()
}

fn group(priority: i32, name: &str) -> Rule {
    let managed = ManagedRuleGroupStatement::builder().vendor_name("AWS").name(name).build().unwrap();
    let statement = Statement::builder().managed_rule_group_statement(managed).build();
    let action = OverrideAction::builder().none(NoneAction::builder().build()).build();
    let rule = Rule::builder().name(name).priority(priority).statement(statement).override_action(action);
    rule.visibility_config(visibility()).build().unwrap()
}

fn create(waf: &Client, name: &str) -> CreateWebACLFluentBuilder {
    let create = waf.create_web_acl().scope(Scope::Regional).name(name).description("acme").default_action(allow());
    create.visibility_config(visibility()).tags(Tag::builder().key("rcm:partner").value("acme").build().unwrap())
}

async fn web_acl(waf: &Client) -> WebAclSummary {
    create(waf, "acme-web").rules(group(0, "AWSManagedRulesCommonRuleSet")).send().await.unwrap().summary.unwrap()
}

#[tokio::test]
async fn a_web_acl_keeps_what_it_is_told_and_is_changed_by_who_has_seen_it() {
    let cloud = Cloud::new().await;
    let waf = Client::new(&cloud.sdk());
    let made = web_acl(&waf).await;
    assert_eq!(code(create(&waf, "acme-web").send().await), "WAFDuplicateItemException");
    let named = |rules: Vec<Rule>| create(&waf, "other").set_rules(Some(rules)).send();
    let unknown = named(vec![group(0, "AWSManagedRulesOfNobody")]).await;
    assert_eq!(code(unknown), "WAFInvalidParameterException");
    let twice = ["AWSManagedRulesCommonRuleSet", "AWSManagedRulesSQLiRuleSet"].map(|name| group(0, name));
    assert_eq!(code(named(twice.into()).await), "WAFInvalidParameterException", "one priority for two");
    let much = (0..8).map(|priority| group(priority, "AWSManagedRulesCommonRuleSet")).collect();
    assert_eq!(code(named(much).await), "WAFLimitsExceededException");

    drop(waf);
    let cloud = cloud.reopen().await;
    let waf = Client::new(&cloud.sdk());
    let (name, id) = (made.name().unwrap(), made.id().unwrap());
    let get = || waf.get_web_acl().scope(Scope::Regional).name(name).id(id).send();
    let seen = get().await.unwrap();
    let acl = seen.web_acl().unwrap();
    assert_eq!((acl.arn(), acl.description(), acl.capacity()), (made.arn().unwrap(), Some("acme"), 700));
    assert_eq!(acl.rules(), [group(0, "AWSManagedRulesCommonRuleSet")]);
    let listed = waf.list_web_acls().scope(Scope::Regional).send().await.unwrap();
    assert_eq!(listed.web_acls()[0].arn(), made.arn());
    let tags = waf.list_tags_for_resource().resource_arn(made.arn().unwrap()).send().await.unwrap();
    assert_eq!(tags.tag_info_for_resource().unwrap().tag_list()[0].value(), "acme");

    let block = DefaultAction::builder().block(BlockAction::builder().build()).build();
    let update = |token: &str| {
        let update = waf.update_web_acl().scope(Scope::Regional).name(name).id(id).lock_token(token);
        update.default_action(block.clone()).visibility_config(visibility()).send()
    };
    let token = seen.lock_token().unwrap();
    update(token).await.unwrap();
    assert_eq!(code(update(token).await), "WAFOptimisticLockException", "the token is of an older look");
    let changed = get().await.unwrap();
    let acl = changed.web_acl().unwrap();
    assert!(acl.rules().is_empty() && acl.description().is_none(), "an update replaces everything: {acl:?}");

    let delete = |token: &str| waf.delete_web_acl().scope(Scope::Regional).name(name).id(id).lock_token(token).send();
    assert_eq!(code(delete(token).await), "WAFOptimisticLockException");
    delete(changed.lock_token().unwrap()).await.unwrap();
    assert_eq!(code(get().await), "WAFNonexistentItemException");
}

#[tokio::test]
async fn requests_are_logged_to_a_group_of_the_right_name_that_is_there() {
    let cloud = Cloud::new().await;
    let (waf, logs) = (Client::new(&cloud.sdk()), aws_sdk_cloudwatchlogs::Client::new(&cloud.sdk()));
    let arn = web_acl(&waf).await.arn.unwrap();
    let log_to = |group: &str| {
        let group = format!("arn:aws:logs:us-east-1:123456789012:log-group:{group}");
        let logging = LoggingConfiguration::builder().resource_arn(&arn).log_destination_configs(group).build();
        waf.put_logging_configuration().logging_configuration(logging.unwrap()).send()
    };
    let get = || waf.get_logging_configuration().resource_arn(&arn).send();
    assert_eq!(code(get().await), "WAFNonexistentItemException");
    logs.create_log_group().log_group_name("/waf/acme").send().await.unwrap();
    assert_eq!(code(log_to("/waf/acme").await), "WAFInvalidParameterException");
    let absent = log_to("aws-waf-logs-acme").await;
    assert_eq!(code(absent), "WAFLogDestinationPermissionIssueException");
    logs.create_log_group().log_group_name("aws-waf-logs-acme").send().await.unwrap();
    log_to("aws-waf-logs-acme").await.unwrap();
    let logging = get().await.unwrap().logging_configuration.unwrap();
    assert!(logging.log_destination_configs()[0].ends_with("aws-waf-logs-acme"));
    waf.delete_logging_configuration().resource_arn(&arn).send().await.unwrap();
    let again = waf.delete_logging_configuration().resource_arn(&arn).send().await;
    assert_eq!(code(again), "WAFNonexistentItemException");
}

#[tokio::test]
async fn a_load_balancer_has_one_web_acl_from_when_waf_sees_both_until_either_goes() {
    let cloud = Cloud::with_polls(1).await;
    let (waf, elb) = (Client::new(&cloud.sdk()), load_balancing::client(&cloud));
    let network = Network::new(&cloud).await;
    let acl = web_acl(&waf).await;
    let other = create(&waf, "other").send().await.unwrap().summary.unwrap();
    let balancer = load_balancing::load_balancer(&elb, &network).await.load_balancer_arn.unwrap();
    let associate = |acl: &WebAclSummary, balancer: &str| {
        waf.associate_web_acl().resource_arn(balancer).web_acl_arn(acl.arn().unwrap()).send()
    };
    let before = async || {
        let seen = waf.get_web_acl_for_resource().resource_arn(&balancer).send().await.unwrap();
        seen.web_acl.map(|acl| acl.arn)
    };
    assert_eq!(before().await, None);
    assert_eq!(code(associate(&acl, &balancer.replace("acme-alb", "none")).await), "WAFNonexistentItemException");
    assert_eq!(code(associate(&acl, &balancer).await), "WAFUnavailableEntityException");
    associate(&acl, &balancer).await.unwrap();
    assert_eq!(before().await, acl.arn);
    let (name, id) = (acl.name().unwrap(), acl.id().unwrap());
    let token = waf.get_web_acl().scope(Scope::Regional).name(name).id(id).send().await.unwrap().lock_token.unwrap();
    let delete = || waf.delete_web_acl().scope(Scope::Regional).name(name).id(id).lock_token(&token).send();
    assert_eq!(code(delete().await), "WAFAssociatedItemException");

    assert_eq!(code(associate(&other, &balancer).await), "WAFUnavailableEntityException");
    associate(&other, &balancer).await.unwrap();
    assert_eq!(before().await, other.arn, "in the place of the first");
    delete().await.unwrap();
    let behind = || waf.list_resources_for_web_acl().web_acl_arn(other.arn().unwrap()).send();
    assert_eq!(behind().await.unwrap().resource_arns(), std::slice::from_ref(&balancer));
    elb.delete_load_balancer().load_balancer_arn(&balancer).send().await.unwrap();
    assert!(behind().await.unwrap().resource_arns().is_empty());
    let gone = waf.get_web_acl_for_resource().resource_arn(&balancer).send().await;
    assert_eq!(code(gone), "WAFNonexistentItemException");
}
