//! One rule of a security group: one peer, one protocol, one port, one direction.
//!
//! API: [AuthorizeSecurityGroupIngress](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupIngress.html),
//! [AuthorizeSecurityGroupEgress](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupEgress.html),
//! [SecurityGroupRule](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroupRule.html).
//!
//! Surprises: AWS could change a rule in place, but only its description is: everything else makes a new rule before the
//! old one goes, so no connection is refused in between. The same rule twice is refused with
//! `InvalidPermission.Duplicate`. Revoking asks for the group and the direction, which the rule's id does not tell.

use aws_sdk_ec2::types::{
    IpPermission, IpRange, ResourceType, SecurityGroupRule as Rule, SecurityGroupRuleRequest, SecurityGroupRuleUpdate,
    UserIdGroupPair,
};
use rcm_engine::model::{Actions, Deployment, Fault, Id, Known, Observed, Owned, Ref, Resource};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    batch::in_order,
    ec2::{claim, filter, listed, of, owned, tagged},
    ec2_security_group::SecurityGroup,
};
use crate::{
    Aws,
    classify::{absent, fault, missing},
    identity,
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// What a rule should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The group whose rule it is.
    pub group: Ref<SecurityGroup>,
    /// Which way.
    pub direction: Direction,
    /// `tcp`, `udp`, or `-1` for all.
    pub protocol: String,
    /// The port; all of them when there is none.
    pub port: Option<u16>,
    /// Who may connect, or be connected to.
    pub peer: Peer,
    /// What it is for: the same characters as a group's description.
    pub description: String,
}

/// Which way connections are opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// To the group's members.
    Ingress,
    /// From the group's members.
    Egress,
}

/// The other side of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Peer {
    /// A range of IPv4 addresses, in CIDR notation.
    Cidr(String),
    /// The members of a group.
    Group(Ref<SecurityGroup>),
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `sgr-…`
    pub rule_id: String,
}

/// A rule of a security group.
pub struct SecurityGroupRule;

impl Resource for SecurityGroupRule {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "ec2/security-group-rule";
    const REPLACE_ON: &'static [&'static str] = &["group", "direction", "protocol", "port", "peer"];
    const TAGGED: bool = true;

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let (group, permission) = (cx.id(&spec.group)?, permission(cx, spec)?);
        let tags = tagged(ResourceType::SecurityGroupRule, cx.identity);
        let (operation, rules) = match spec.direction {
            Direction::Ingress => {
                let request = cx.cloud.ec2.authorize_security_group_ingress().group_id(group.as_str());
                let sent = request.ip_permissions(permission).tag_specifications(tags).send().await;
                let answer = sent.map_err(fault("ec2", "AuthorizeSecurityGroupIngress"))?;
                ("AuthorizeSecurityGroupIngress", answer.security_group_rules)
            }
            Direction::Egress => {
                let request = cx.cloud.ec2.authorize_security_group_egress().group_id(group.as_str());
                let sent = request.ip_permissions(permission).tag_specifications(tags).send().await;
                let answer = sent.map_err(fault("ec2", "AuthorizeSecurityGroupEgress"))?;
                ("AuthorizeSecurityGroupEgress", answer.security_group_rules)
            }
        };
        let id = rules.unwrap_or_default().into_iter().next().and_then(|rule| rule.security_group_rule_id);
        id.map(Id::from).ok_or_else(|| missing("ec2", operation, "SecurityGroupRuleId"))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        if !cx.changes("description") {
            return Ok(());
        }
        let live = live(cx.cloud, &[id]).await?;
        if live.first().is_none_or(|rule| rule.description() == Some(&spec.description)) {
            return Ok(());
        }
        let rule = SecurityGroupRuleUpdate::builder().security_group_rule_id(id.as_str());
        let rule = rule.security_group_rule(whole(cx, spec)?).build();
        let request = cx.cloud.ec2.modify_security_group_rules().group_id(cx.id(&spec.group)?.as_str());
        let sent = request.security_group_rules(rule).send().await;
        sent.map(drop).map_err(fault("ec2", "ModifySecurityGroupRules"))
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        Ok(describe(cx.cloud, &[id]).await?.remove(0))
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        let Some(first) = known.first() else { return Ok(Vec::new()) };
        describe(first.cx.cloud, &known.iter().map(|known| known.id).collect::<Vec<_>>()).await
    }

    async fn find(cx: &Cx<'_>, _: &Spec) -> Result<Option<Id>, Fault> {
        let request = cx.cloud.ec2.describe_security_group_rules().set_filters(Some(owned(cx.identity)));
        let answer = request.send().await.map_err(fault("ec2", "DescribeSecurityGroupRules"))?;
        Ok(answer.security_group_rules().first().and_then(|rule| rule.security_group_rule_id()).map(Id::from))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        match live(cx.cloud, &[id]).await?.first() {
            Some(rule) => revoke(cx.cloud, rule).await,
            None => Ok(()),
        }
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let request = aws.ec2.describe_security_group_rules().set_filters(Some(of(deployment)));
        let pages = request.into_paginator().items().send();
        let all = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("ec2", "DescribeSecurityGroupRules"))?;
        Ok(all.iter().filter_map(|rule| listed(deployment, rule.security_group_rule_id(), rule.tags())).collect())
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        claim(cx, id).await
    }

    fn actions() -> Actions {
        Actions {
            write: &[
                "ec2:AuthorizeSecurityGroupIngress",
                "ec2:AuthorizeSecurityGroupEgress",
                "ec2:CreateTags",
                "ec2:DescribeTags",
                "ec2:ModifySecurityGroupRules",
            ],
            read: &["ec2:DescribeSecurityGroupRules"],
            delete: &[
                "ec2:DescribeSecurityGroupRules",
                "ec2:RevokeSecurityGroupIngress",
                "ec2:RevokeSecurityGroupEgress",
            ],
        }
    }
}

/// Revokes the rules of this deployment that name the group `id`, whichever run made them: they keep it from being deleted.
pub(super) async fn revoke_ours_that_name(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
    let deployment = &cx.identity.deployment;
    let request = cx.cloud.ec2.describe_security_group_rules();
    let request = request.filters(filter(&format!("tag:{}", identity::PARTNER), [deployment.partner.clone()]));
    let request = request.filters(filter(&format!("tag:{}", identity::ENVIRONMENT), [deployment.environment.clone()]));
    let pages = request.into_paginator().items().send();
    let rules = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("ec2", "DescribeSecurityGroupRules"))?;
    for rule in rules.iter().filter(|rule| named(rule) == Some(id.as_str())) {
        absent(revoke(cx.cloud, rule).await)?;
    }
    Ok(())
}

/// Every rule of `groups`, whoever has made it.
pub(super) async fn of_groups(aws: &Aws, groups: &[&Id]) -> Result<Vec<Rule>, Fault> {
    let of_groups = filter("group-id", groups.iter().map(ToString::to_string));
    let pages = aws.ec2.describe_security_group_rules().filters(of_groups).into_paginator().items().send();
    pages.collect::<Result<_, _>>().await.map_err(fault("ec2", "DescribeSecurityGroupRules"))
}

/// Whether others have added it: it carries none of the deployment's tags, and the state does not know it. What a run that is under
/// way adds has its tags from the start.
pub(super) fn is_foreign(cx: &Cx<'_>, rule: &Rule) -> bool {
    let id = rule.security_group_rule_id().unwrap_or_default();
    !cx.knows(&Id::from(id)) && listed(&cx.identity.deployment, Some(id), rule.tags()).is_none()
}

/// The rule in a few words: `ingress tcp 22 from 0.0.0.0/0 (sgr-1)`.
pub(super) fn told(rule: &Rule) -> String {
    let (way, side) = match direction(rule) {
        Direction::Ingress => ("ingress", "from"),
        Direction::Egress => ("egress", "to"),
    };
    let traffic = match (rule.ip_protocol(), port(rule)) {
        (None | Some("-1"), _) => "all traffic".to_owned(),
        (Some(protocol), Value::Null) => format!("{protocol} all ports"),
        (Some(protocol), Value::String(range)) => format!("{protocol} {range}"),
        (Some(protocol), port) => format!("{protocol} {port}"),
    };
    let peer = named(rule).or(rule.cidr_ipv4()).or(rule.cidr_ipv6()).or(rule.prefix_list_id());
    let id = rule.security_group_rule_id().unwrap_or_default();
    format!("{way} {traffic} {side} {} ({id})", peer.unwrap_or("somebody"))
}

pub(super) async fn revoke(aws: &Aws, rule: &Rule) -> Result<(), Fault> {
    let (group, ids) = (rule.group_id.clone(), Some(rule.security_group_rule_id.clone().into_iter().collect()));
    if rule.is_egress() == Some(true) {
        let request = aws.ec2.revoke_security_group_egress().set_group_id(group).set_security_group_rule_ids(ids);
        return request.send().await.map(drop).map_err(fault("ec2", "RevokeSecurityGroupEgress"));
    }
    let request = aws.ec2.revoke_security_group_ingress().set_group_id(group).set_security_group_rule_ids(ids);
    request.send().await.map(drop).map_err(fault("ec2", "RevokeSecurityGroupIngress"))
}

/// First and last port as EC2 wants them: -1 where the protocol has none, the whole range where none is given.
fn ports(spec: &Spec) -> (i32, i32) {
    match (spec.protocol.as_str(), spec.port) {
        ("-1", _) => (-1, -1),
        (_, Some(port)) => (port.into(), port.into()),
        (_, None) => (0, 65535),
    }
}

/// The port as a spec says it; a range that no spec can say as `from-to`.
fn port(rule: &Rule) -> Value {
    match (rule.from_port(), rule.to_port()) {
        (None | Some(-1), None | Some(-1)) | (Some(0), Some(65535)) => Value::Null,
        (from, to) if from == to => from.into(),
        (from, to) => format!("{}-{}", from.unwrap_or(-1), to.unwrap_or(-1)).into(),
    }
}

fn permission(cx: &Cx<'_>, spec: &Spec) -> Result<IpPermission, Fault> {
    let (from, to) = ports(spec);
    let permission = IpPermission::builder().ip_protocol(&spec.protocol).from_port(from).to_port(to);
    let permission = match &spec.peer {
        Peer::Cidr(cidr) => {
            permission.ip_ranges(IpRange::builder().cidr_ip(cidr).description(&spec.description).build())
        }
        Peer::Group(group) => {
            let pair = UserIdGroupPair::builder().group_id(cx.id(group)?.as_str()).description(&spec.description);
            permission.user_id_group_pairs(pair.build())
        }
    };
    Ok(permission.build())
}

/// A modified rule has to be given whole.
fn whole(cx: &Cx<'_>, spec: &Spec) -> Result<SecurityGroupRuleRequest, Fault> {
    let (from, to) = ports(spec);
    let rule = SecurityGroupRuleRequest::builder().ip_protocol(&spec.protocol).from_port(from).to_port(to);
    let rule = rule.description(&spec.description);
    let rule = match &spec.peer {
        Peer::Cidr(cidr) => rule.cidr_ipv4(cidr),
        Peer::Group(group) => rule.referenced_group_id(cx.id(group)?.as_str()),
    };
    Ok(rule.build())
}

/// The group that a rule names as its peer.
fn named(rule: &Rule) -> Option<&str> {
    rule.referenced_group_info().and_then(|info| info.group_id())
}

/// The peer as a spec says it; one that no spec can say under a name that none uses.
fn peer(rule: &Rule) -> Value {
    match (named(rule), rule.cidr_ipv4()) {
        (Some(group), _) => json!({ "group": group }),
        (None, Some(cidr)) => json!({ "cidr": cidr }),
        (None, None) => json!({ "other": rule.cidr_ipv6().or(rule.prefix_list_id()) }),
    }
}

fn direction(rule: &Rule) -> Direction {
    if rule.is_egress() == Some(true) { Direction::Egress } else { Direction::Ingress }
}

async fn live(aws: &Aws, ids: &[&Id]) -> Result<Vec<Rule>, Fault> {
    let by_id = filter("security-group-rule-id", ids.iter().map(ToString::to_string));
    let pages = aws.ec2.describe_security_group_rules().filters(by_id).into_paginator().items().send();
    pages.collect::<Result<_, _>>().await.map_err(fault("ec2", "DescribeSecurityGroupRules"))
}

async fn describe(aws: &Aws, ids: &[&Id]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
    let rules = live(aws, ids).await?;
    Ok(in_order(ids, rules, |rule| rule.security_group_rule_id(), |rule| {
        Observed::new(Outputs { rule_id: rule.security_group_rule_id().unwrap_or_default().to_owned() })
            .see("group", rule.group_id())
            .see("direction", direction(rule))
            .see("protocol", rule.ip_protocol())
            .see("port", port(rule))
            .see("peer", peer(rule))
            .see("description", rule.description().unwrap_or_default())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(protocol: &str, from: i32, to: i32) -> Rule {
        Rule::builder().ip_protocol(protocol).from_port(from).to_port(to).build()
    }

    #[test]
    fn a_live_port_reads_as_a_spec_says_it() {
        assert_eq!(port(&live("tcp", 443, 443)), json!(443));
        assert_eq!(port(&live("-1", -1, -1)), Value::Null);
        assert_eq!(port(&live("tcp", 0, 65535)), Value::Null);
        assert_eq!(port(&live("tcp", 80, 90)), json!("80-90"), "drift that no spec can say is seen all the same");
    }

    #[test]
    fn a_rule_is_told_in_a_few_words() {
        let ssh = Rule::builder().ip_protocol("tcp").from_port(22).to_port(22).cidr_ipv4("0.0.0.0/0");
        assert_eq!(told(&ssh.security_group_rule_id("sgr-1").build()), "ingress tcp 22 from 0.0.0.0/0 (sgr-1)");
        let all = Rule::builder().ip_protocol("-1").from_port(-1).to_port(-1).is_egress(true).cidr_ipv6("::/0");
        assert_eq!(told(&all.security_group_rule_id("sgr-2").build()), "egress all traffic to ::/0 (sgr-2)");
        assert!(told(&live("udp", 0, 65535)).starts_with("ingress udp all ports from"));
    }

    #[test]
    fn a_live_peer_reads_as_a_spec_says_it() {
        let group = aws_sdk_ec2::types::ReferencedSecurityGroup::builder().group_id("sg-1").build();
        assert_eq!(peer(&Rule::builder().referenced_group_info(group).build()), json!({"group": "sg-1"}));
        assert_eq!(peer(&Rule::builder().cidr_ipv4("0.0.0.0/0").build()), json!({"cidr": "0.0.0.0/0"}));
        assert_eq!(peer(&Rule::builder().cidr_ipv6("::/0").build()), json!({"other": "::/0"}));
        assert_eq!(serde_json::to_value(Peer::Cidr("0.0.0.0/0".into())).unwrap(), json!({"cidr": "0.0.0.0/0"}));
    }
}
