//! What the account has to give: quotas that are nearly used up, and the roles by which services of AWS work in it.

use std::collections::{BTreeMap, BTreeSet};

use rcm_aws::{questions::InUse, resources::iam_service_linked_role::ServiceLinkedRole};
use rcm_engine::model::{Fault, Resource};
use serde_json::Value;

use super::{Case, told};
use crate::{
    Check, Verdict,
    ops::preflight::{
        quotas::{
            ADDRESSES, BALANCERS, DATABASES, FARGATE, GATEWAYS, GROUPS, Quota, STORAGE, TARGETS, Tasks, VPCS,
            judge_fargate, more,
        },
        roles::NEEDED,
    },
};

/// From which share on a quota is nearly used up.
const NEAR: f64 = 0.8;
const ROLES: &str = "service-linked-roles";

pub(super) async fn look(case: Case<'_>) -> Vec<Check> {
    let aws = case.aws;
    let (vpcs, gateways, addresses, groups, databases, balancers, targets, roles) = tokio::join!(
        aws.vpcs_seen(),
        aws.internet_gateways_seen(),
        aws.addresses_seen(),
        aws.security_groups_seen(),
        aws.databases_seen(),
        aws.load_balancers_seen(),
        aws.target_groups_seen(),
        aws.roles_seen(),
    );
    let balancers =
        balancers.map(|found| found.into_iter().filter(|balancer| balancer.place == "application").collect());
    let used = [
        (&VPCS, vpcs.map(|found| count(&found))),
        (&GATEWAYS, sum(gateways)),
        (&ADDRESSES, sum(addresses)),
        (&GROUPS, sum(groups)),
        (&DATABASES, databases.as_ref().map(|found| count(found)).map_err(Clone::clone)),
        (&STORAGE, sum(databases)),
        (&BALANCERS, sum(balancers)),
        (&TARGETS, sum(targets)),
    ];
    let limits = limits(case, used.iter().map(|(quota, _)| *quota).chain([&FARGATE])).await;
    let region = case.state.deployment.region.as_str();
    let mut checks: Vec<Check> = used
        .into_iter()
        .map(|(quota, used)| match limit(&limits, quota) {
            Ok(limit) => told(quota.check, used, |used| judge(quota, used, limit, region)),
            Err(unknown) => unknown,
        })
        .collect();
    checks.extend(tasks(case).map(|tasks| match limit(&limits, &FARGATE) {
        Ok(limit) => judge_fargate(tasks, limit, region),
        Err(unknown) => unknown,
    }));
    checks.push(told(ROLES, roles, |roles| judge_roles(case, &roles)));
    checks
}

fn count<T>(found: &[T]) -> i64 {
    i64::try_from(found.len()).unwrap_or(i64::MAX)
}

fn sum(found: Result<Vec<InUse>, Fault>) -> Result<i64, Fault> {
    found.map(|found| found.iter().map(|item| item.size).sum())
}

type Limits = BTreeMap<&'static str, Result<BTreeMap<String, f64>, Fault>>;

/// One question for each service.
async fn limits(case: Case<'_>, quotas: impl Iterator<Item = &'static Quota>) -> Limits {
    let mut codes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    quotas.for_each(|quota| codes.entry(quota.service).or_default().push(quota.code));
    let looks =
        codes.into_iter().map(|(service, codes)| async move { (service, case.aws.quotas(service, &codes).await) });
    futures::future::join_all(looks).await.into_iter().collect()
}

/// What a quota allows, or the check that says why nobody knows.
fn limit(limits: &Limits, quota: &Quota) -> Result<f64, Check> {
    match limits.get(quota.service) {
        Some(Err(fault)) => Err(Check::unseen(quota.check, fault.to_string())),
        Some(Ok(found)) if found.contains_key(quota.code) => Ok(found[quota.code]),
        _ => Err(Check::unseen(quota.check, "Service Quotas does not tell it")),
    }
}

fn judge(quota: &Quota, used: i64, limit: f64, region: &str) -> Check {
    let evidence = format!("{used} of {limit} {} are in use", quota.what);
    #[expect(clippy::cast_precision_loss, reason = "counts of resources are far below 2^52")]
    let share = used as f64 / limit;
    match share {
        share if share >= NEAR => Check::found(quota.check, Verdict::Warn, evidence, more(quota, used * 2, region)),
        _ => Check::good(quota.check, evidence),
    }
}

/// What the service may take of Fargate.
fn tasks(case: Case<'_>) -> Option<Tasks> {
    let cpu = case.record("compute/task-definition")?.inputs["cpu"].as_f64()?;
    let first = case.record("compute/service")?.inputs["desired_count"].as_i64()?;
    let bounds = case.record("compute/scalable-target").map(|target| &target.inputs);
    let most = bounds.and_then(|bounds| bounds["max"].as_i64().or(bounds["at_first"]["max"].as_i64())).unwrap_or(first);
    Some(Tasks { each: cpu / 1024.0, first, most: most.max(first) })
}

/// Those that rcm has made have to be there. The others a service makes itself, when it needs one next.
fn judge_roles(case: Case<'_>, roles: &[String]) -> Check {
    let has = |service: &str| roles.iter().any(|arn| arn.contains(&format!(":role/aws-service-role/{service}/")));
    let records = || case.state.resources.values().filter(|record| record.id.is_some() && !record.retained);
    let made = records().filter(|record| record.kind == ServiceLinkedRole::KIND);
    let made: BTreeSet<&str> = made.filter_map(|record| record.spec.get("service").and_then(Value::as_str)).collect();
    let gone: Vec<&str> = made.iter().copied().filter(|service| !has(service)).collect();
    if let Some(first) = gone.first() {
        let evidence = format!("there is none of {} any more, so that it cannot work here", gone.join(", "));
        let mend = format!("aws iam create-service-linked-role --aws-service-name {first}");
        return Check::found(ROLES, Verdict::Bad, evidence, mend);
    }
    let used =
        NEEDED.iter().filter(|(kind, _)| records().any(|record| record.kind == *kind)).map(|(_, service)| *service);
    let (there, to_come): (Vec<&str>, Vec<&str>) = used.chain(made.iter().copied()).partition(|service| has(service));
    let to_come = match to_come.as_slice() {
        [] => String::new(),
        to_come => format!("; {} make theirs when they need them next", to_come.join(", ")),
    };
    Check::good(ROLES, format!("there are those of {}{to_come}", there.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_worth_a_word_from_four_fifths_on() {
        let verdict = |used| judge(&VPCS, used, 5.0, "us-east-1").verdict;
        assert_eq!((verdict(3), verdict(4), verdict(5)), (Verdict::Ok, Verdict::Warn, Verdict::Warn));
        let found = judge(&VPCS, 5, 5.0, "eu-west-1");
        assert_eq!(found.evidence, "5 of 5 VPCs are in use");
        assert!(
            found
                .mend
                .is_some_and(|mend| mend.contains("--quota-code L-F678F1CE --desired-value 10 --region eu-west-1"))
        );
    }
}
