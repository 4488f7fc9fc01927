//! Ways to services of AWS that do not pass the internet: an interface in each private subnet, for the service alone.

use rcm_aws::resources::{
    ec2_security_group::{self, SecurityGroup},
    ec2_security_group_rule::{self, Direction, Peer, SecurityGroupRule},
    ec2_vpc_endpoint::{self, Interface, VpcEndpoint},
};
use rcm_engine::model::Graph;
use serde_json::{Value, json};

use super::{Blueprint, network::Network, security::Security};

/// The services, and whether what is asked of them is this account's too: an image may be in another account's repository, and what EC2
/// is asked often is about nothing of anybody's.
const SERVICES: [(&str, bool); 5] =
    [("ecr.api", false), ("ecr.dkr", false), ("logs", true), ("secretsmanager", true), ("ec2", false)];

/// Where the agent of a session finds whoever opened it.
const SESSIONS: (&str, bool) = ("ssmmessages", false);

pub(super) fn add(graph: &mut Graph, plan: &Blueprint<'_>, network: &Network, security: &Security) {
    if !plan.config.vpc_endpoints {
        return;
    }
    let group = ec2_security_group::Spec {
        name: plan.name("endpoints"),
        description: "Interface endpoints: the service in, nothing out".into(),
        vpc: network.vpc.clone(),
        foreign_rules: Vec::new(),
    };
    let group = graph.add::<SecurityGroup>("security/group/endpoints", group);
    let rule = ec2_security_group_rule::Spec {
        group: group.clone(),
        direction: Direction::Ingress,
        protocol: "tcp".into(),
        port: Some(443),
        peer: Peer::Group(security.service.clone()),
        description: "HTTPS from the service".into(),
    };
    let rule = graph.add::<SecurityGroupRule>("security/rule/endpoints-from-service", rule);
    let sessions = plan.config.ecs_exec.then_some(SESSIONS);
    for (service, own) in SERVICES.into_iter().chain(sessions) {
        let interface =
            Interface { subnets: network.private.clone(), security_groups: vec![group.clone()], private_dns: true };
        let spec = ec2_vpc_endpoint::Spec {
            vpc: network.vpc.clone(),
            service: format!("com.amazonaws.{}.{service}", plan.region()),
            route_tables: Vec::new(),
            interface: Some(interface),
            policy: Some(policy(plan, own).into()),
        };
        let endpoint = graph.add::<VpcEndpoint>(&format!("network/endpoint/{}", service.replace('.', "-")), spec);
        // From when it is there, the service finds AWS by it alone.
        graph.after(&endpoint, &rule);
    }
}

/// Nobody uses it with credentials of another account, nor, where `own`, for what is another account's.
fn policy(plan: &Blueprint<'_>, own: bool) -> Value {
    let mut condition = json!({"StringEquals": {"aws:PrincipalAccount": plan.account()}});
    if own {
        condition["StringEqualsIfExists"] = json!({"aws:ResourceAccount": plan.account()});
    }
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "ThisAccountAlone",
            "Effect": "Allow",
            "Principal": "*",
            "Action": "*",
            "Resource": "*",
            "Condition": condition
        }]
    })
}
