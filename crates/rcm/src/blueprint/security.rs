//! What keeps others out: the partner's key, and the chain of security groups load balancer → service → database.

use rcm_aws::resources::{
    ec2_security_group::{self, SecurityGroup},
    ec2_security_group_rule::{self, Direction, Peer, SecurityGroupRule},
    kms_key::{self, Key},
};
use rcm_engine::model::{Graph, Ref};
use serde_json::{Value, json};

use super::{Blueprint, compute::CONTAINER_PORT, network::Network};
use crate::config::Compute;

/// What others need of this layer.
pub(super) struct Security {
    pub(super) key: Ref<Key>,
    /// The load balancer's, where there is one.
    pub(super) balancer: Option<Ref<SecurityGroup>>,
    pub(super) service: Ref<SecurityGroup>,
    pub(super) database: Ref<SecurityGroup>,
    /// The rules without which the service cannot start.
    pub(super) service_rules: Vec<Ref<SecurityGroupRule>>,
}

pub(super) fn add(graph: &mut Graph, plan: &Blueprint<'_>, network: &Network) -> Security {
    let key = graph.add::<Key>(
        "security/key",
        kms_key::Spec {
            alias: format!("alias/{}", plan.prefix),
            description: format!("Everything that rcm keeps for {}", plan.prefix),
            rotation_days: 365,
            policy: key_policy(plan).into(),
            enabled: true,
        },
    );
    let mut group = |address: &str, suffix: &str, description: &str| {
        let (name, description) = (plan.name(suffix), description.to_owned());
        let spec = ec2_security_group::Spec { name, description, vpc: network.vpc.clone(), foreign_rules: Vec::new() };
        graph.add::<SecurityGroup>(address, spec)
    };
    let balanced = plan.config.compute == Compute::Ecs;
    let balancer = balanced
        .then(|| group("security/group/load-balancer", "alb", "Load balancer: the internet in, the service out"));
    let service = group("security/group/service", "service", "Service: the load balancer in, database and AWS out");
    let database = group("security/group/database", "database", "Database: the service in, nothing out");
    let service_rules = rules(graph, plan, balancer.as_ref(), &service, &database);
    Security { key, balancer, service, database, service_rules }
}

fn rules(
    graph: &mut Graph,
    plan: &Blueprint<'_>,
    balancer: Option<&Ref<SecurityGroup>>,
    service: &Ref<SecurityGroup>,
    database: &Ref<SecurityGroup>,
) -> Vec<Ref<SecurityGroupRule>> {
    let anywhere = || Peer::Cidr("0.0.0.0/0".into());
    let members = |group: &Ref<SecurityGroup>| Peer::Group(group.clone());
    let mut rule = |name: &str, group: &Ref<SecurityGroup>, direction, port, peer, description: &str| {
        let spec = ec2_security_group_rule::Spec {
            group: group.clone(),
            direction,
            protocol: "tcp".into(),
            port: Some(port),
            peer,
            description: description.into(),
        };
        graph.add::<SecurityGroupRule>(&format!("security/rule/{name}"), spec)
    };
    let (ingress, egress) = (Direction::Ingress, Direction::Egress);
    let database_port = plan.config.db_port;
    let mut of_service = Vec::new();
    if let Some(balancer) = balancer {
        rule("load-balancer-http", balancer, ingress, 80, anywhere(), "HTTP from anywhere");
        if plan.config.domain_name.is_some() {
            rule("load-balancer-https", balancer, ingress, 443, anywhere(), "HTTPS from anywhere");
        }
        rule("load-balancer-to-service", balancer, egress, CONTAINER_PORT, members(service), "To the service");
        let from = "From the load balancer";
        of_service.push(rule("service-from-load-balancer", service, ingress, CONTAINER_PORT, members(balancer), from));
    }
    rule("database-from-service", database, ingress, database_port, members(service), "PostgreSQL from the service");
    of_service.extend([
        rule("service-to-database", service, egress, database_port, members(database), "PostgreSQL"),
        rule("service-to-aws", service, egress, 443, anywhere(), "ECR, Secrets Manager, CloudWatch Logs, S3"),
    ]);
    of_service
}

/// The account administers the key; CloudWatch Logs uses it for this account's log groups, and CloudWatch for its alarms; RDS, S3, ECR and Secrets Manager
/// use it on behalf of this account's callers.
fn key_policy(plan: &Blueprint<'_>) -> Value {
    let runner = (plan.config.compute == Compute::AppRunner).then_some("apprunner");
    let services = ["rds", "s3", "ecr", "secretsmanager"].into_iter().chain(runner);
    let via: Vec<_> = services.map(|service| format!("{service}.{}.amazonaws.com", plan.region())).collect();
    let use_it = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"];
    let through = [&use_it[..], &["kms:CreateGrant", "kms:RetireGrant"]].concat();
    let mut policy = json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "AccountAdministers",
                "Effect": "Allow",
                "Principal": {"AWS": format!("arn:{}:iam::{}:root", plan.partition(), plan.account())},
                "Action": "kms:*",
                "Resource": "*"
            },
            {
                "Sid": "LogsOfThisAccount",
                "Effect": "Allow",
                "Principal": {"Service": format!("logs.{}.amazonaws.com", plan.region())},
                "Action": use_it,
                "Resource": "*",
                "Condition": {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": plan.arn("logs", "*")}}
            },
            {
                "Sid": "ServicesForThisAccount",
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": through,
                "Resource": "*",
                "Condition": {
                    "StringEquals": {"kms:CallerAccount": plan.account(), "kms:ViaService": via}
                }
            }
        ]
    });
    if let Some(statements) = policy["Statement"].as_array_mut().filter(|_| plan.config.alarms) {
        statements.extend([alarms_of_this_account(plan), database_events_of_this_account(plan)]);
    }
    policy
}

/// The same for the events of RDS. Whether RDS names the account to KMS is not documented: where it does, it has to be this one.
fn database_events_of_this_account(plan: &Blueprint<'_>) -> Value {
    json!({
        "Sid": "DatabaseEventsOfThisAccount",
        "Effect": "Allow",
        "Principal": {"Service": "events.rds.amazonaws.com"},
        "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
        "Resource": "*",
        "Condition": {"StringEqualsIfExists": {"aws:SourceAccount": plan.account()}}
    })
}

/// [What alarms need](https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html) to tell something to an encrypted topic.
pub(super) fn alarms_of_this_account(plan: &Blueprint<'_>) -> Value {
    json!({
        "Sid": "AlarmsOfThisAccount",
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:SourceAccount": plan.account()}}
    })
}
