//! The roles by which services of AWS work in the account: each is there, or may be made.
//!
//! A service makes its role at its first use, in the name of whoever uses it first.

use std::collections::BTreeMap;

use futures::future::join_all;
use rcm_aws::{
    questions::{Answer, Simulation},
    resources::{
        apprunner_vpc_connector::VpcConnector, autoscaling_target::ScalableTarget, elb_load_balancer::LoadBalancer,
        iam_service_linked_role::ServiceLinkedRole, rds_instance::Instance,
    },
};
use rcm_engine::model::{Fault, Resource};
use serde_json::Value;

use super::{Ahead, Check, Verdict, permissions::Permitted, seen::Seen, unseen};

/// Which service needs its role for a kind
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_aws-services-that-work-with-iam.html>).
pub(in crate::ops) const NEEDED: &[(&str, &str)] = &[
    (Instance::KIND, "rds.amazonaws.com"),
    (LoadBalancer::KIND, "elasticloadbalancing.amazonaws.com"),
    (ScalableTarget::KIND, "ecs.application-autoscaling.amazonaws.com"),
    (VpcConnector::KIND, "networking.apprunner.amazonaws.com"),
];

/// The services whose roles the plan needs.
pub(super) fn needed<'a>(ahead: &Ahead<'a>) -> Vec<&'a str> {
    let by_kind = NEEDED.iter().filter(|(kind, _)| ahead.makes(&[kind])).map(|(_, service)| *service);
    let named =
        ahead.made_of(ServiceLinkedRole::KIND).filter_map(|step| step.spec.get("service").and_then(Value::as_str));
    let mut all: Vec<&str> = by_kind.chain(named).collect();
    all.sort_unstable();
    all
}

/// One check for all of them.
pub(super) async fn check(ahead: &Ahead<'_>, seen: &Seen, permitted: &Permitted) -> Option<Check> {
    const NAME: &str = "service-linked-roles";
    let needed = needed(ahead);
    let roles = match seen.roles.as_ref().filter(|_| !needed.is_empty())? {
        Ok(roles) => roles,
        Err(fault) => return Some(unseen(NAME, fault)),
    };
    let has = |service: &str| roles.iter().any(|arn| arn.contains(&format!(":role/aws-service-role/{service}/")));
    let missing: Vec<&str> = needed.iter().copied().filter(|service| !has(service)).collect();
    if missing.is_empty() {
        return Some(Check::good(NAME, format!("there are those of {}", needed.join(", "))));
    }
    let Some(principal) = permitted.principal() else {
        let why =
            format!("those of {} are not there yet, and who may make them cannot be simulated", missing.join(", "));
        return Some(Check::unseen(NAME, why));
    };
    let answers = join_all(missing.iter().map(|service| may_be_made(ahead, principal, service))).await;
    let answers: Result<Vec<bool>, Fault> = answers.into_iter().collect();
    Some(match answers {
        Err(fault) => unseen(NAME, &fault),
        Ok(may) => judge(&missing, &may),
    })
}

fn judge(missing: &[&str], may: &[bool]) -> Check {
    const NAME: &str = "service-linked-roles";
    let refused: Vec<&str> = missing.iter().zip(may).filter(|(_, may)| !**may).map(|(service, _)| *service).collect();
    let Some(first) = refused.first() else {
        return Check::good(NAME, format!("those of {} are going to be made", missing.join(", ")));
    };
    let evidence = format!("there is none of {}, and these credentials may make none", refused.join(", "));
    let mend = format!("somebody who may: aws iam create-service-linked-role --aws-service-name {first}");
    Check::found(NAME, Verdict::Bad, evidence, mend)
}

async fn may_be_made(ahead: &Ahead<'_>, principal: &str, service: &str) -> Result<bool, Fault> {
    let deployment = &ahead.environment.deployment;
    let (partition, account) = (&deployment.partition, &deployment.account);
    let simulation = Simulation {
        actions: vec!["iam:CreateServiceLinkedRole".to_owned()],
        resources: vec![format!("arn:{partition}:iam::{account}:role/aws-service-role/{service}/*")],
        context: BTreeMap::from([("iam:AWSServiceName".to_owned(), service.to_owned())]),
    };
    let decisions = ahead.environment.aws.simulate(principal, &simulation).await?;
    // A policy that looks at what a simulation cannot say (a second factor) stops nobody before AWS itself does.
    Ok(decisions.iter().all(|decision| matches!(decision.answer, Answer::Allowed | Answer::Depends)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_that_nobody_here_may_make_is_named_with_who_makes_it() {
        let services = ["ecs.amazonaws.com", "rds.amazonaws.com"];
        assert_eq!(judge(&services, &[true, true]).verdict, Verdict::Ok);
        let found = judge(&services, &[true, false]);
        assert_eq!(found.evidence, "there is none of rds.amazonaws.com, and these credentials may make none");
        assert!(found.mend.unwrap().ends_with("--aws-service-name rds.amazonaws.com"));
    }
}
