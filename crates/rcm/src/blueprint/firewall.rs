//! What stands before the load balancer: a web ACL of groups of rules that AWS keeps, and its logs.

use std::collections::BTreeSet;

use rcm_aws::resources::{
    elb_load_balancer::LoadBalancer,
    wafv2_association::{self, Association},
    wafv2_web_acl::{self, Logs, RuleGroup, WebAcl},
};
use rcm_engine::model::{Graph, Ref};

use super::{Blueprint, security::Security, storage};
use crate::config::Waf;

/// [AWS's groups of rules](https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-list.html) in the order in which
/// they are asked, and those of their rules that only count. They take 1125 of the 1500 units of capacity that cost nothing beside the
/// price of a rule.
///
/// Who is known for attacks comes first, as nothing else of such a request needs to be looked at. `SizeRestrictions_BODY` would stop every
/// body of more than 8 KB, and claims and their attachments are larger as a matter of course. The other rules that look at bodies stop
/// what no client of an API sends unless it quotes an attack; of a larger body they see the first 8 KB.
const GROUPS: &[(&str, &[&str])] = &[
    ("AWSManagedRulesAmazonIpReputationList", &[]),
    ("AWSManagedRulesCommonRuleSet", &["SizeRestrictions_BODY"]),
    ("AWSManagedRulesKnownBadInputsRuleSet", &[]),
    ("AWSManagedRulesSQLiRuleSet", &[]),
];

/// Headers that let whoever reads them in the logs do what their sender may.
const SECRETS: [&str; 2] = ["authorization", "cookie"];

/// The association by which requests pass the web ACL; none where there is no firewall.
pub(super) fn add(
    graph: &mut Graph,
    plan: &Blueprint<'_>,
    security: &Security,
    balancer: &Ref<LoadBalancer>,
) -> Option<Ref<Association>> {
    if plan.config.waf == Waf::Off {
        return None;
    }
    let spec = web_acl(graph, plan, security);
    let web_acl = graph.add::<WebAcl>("edge/web-acl", spec);
    let spec = wafv2_association::Spec { load_balancer: balancer.clone(), web_acl };
    Some(graph.add::<Association>("edge/web-acl-association", spec))
}

fn web_acl(graph: &mut Graph, plan: &Blueprint<'_>, security: &Security) -> wafv2_web_acl::Spec {
    // WAF writes to groups alone whose names begin so.
    let name = format!("aws-waf-logs-{}", plan.prefix);
    let headers = || BTreeSet::from(SECRETS.map(str::to_owned));
    let group = storage::group(graph, security, "storage/log-group/web-acl", name);
    wafv2_web_acl::Spec {
        name: plan.name("web"),
        description: format!("What reaches {}", plan.prefix),
        default_action: "allow".into(),
        groups: groups(plan.config.waf == Waf::Block),
        metrics: true,
        // They would hold whole requests, with everything that is kept out of the logs.
        samples: false,
        protected_headers: headers(),
        logs: Some(Logs { group, redacted_headers: headers() }),
    }
}

fn groups(stops: bool) -> Vec<RuleGroup> {
    let group = |(priority, (name, only_counting)): (i32, &(&str, &[&str]))| RuleGroup {
        priority,
        name: (*name).to_owned(),
        stops,
        only_counting: only_counting.iter().map(|rule| (*rule).to_owned()).collect(),
    };
    (0..).zip(GROUPS).map(group).collect()
}
