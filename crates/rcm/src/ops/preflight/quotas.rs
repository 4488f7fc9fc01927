//! Whether the account may have what the plan adds to what it has.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use rcm_aws::{
    questions::InUse,
    resources::{
        acm_certificate::Certificate, autoscaling_target::ScalableTarget, ec2_elastic_ip::ElasticIp,
        ec2_internet_gateway::InternetGateway, ec2_nat_gateway::NatGateway, ec2_security_group::SecurityGroup,
        ec2_vpc::Vpc, ec2_vpc_endpoint::VpcEndpoint, ecs_service::Service, elb_load_balancer::LoadBalancer,
        elb_target_group::TargetGroup, kms_key::Key, rds_instance::Instance, rds_replica::Replica, s3_bucket::Bucket,
        secrets_secret::Secret,
    },
};
use rcm_engine::model::{Fault, Resource};
use serde_json::Value;

use super::{
    Ahead, Check, Verdict,
    seen::{List, Seen},
    unseen,
};

/// A quota: what the check is called, the service's and its own code, and what people call what it counts.
///
/// Codes and names: the quotas tables of the General Reference
/// (<https://docs.aws.amazon.com/general/latest/gr/aws-service-information.html>), as the console shows them too.
pub(in crate::ops) struct Quota {
    pub(in crate::ops) check: &'static str,
    pub(in crate::ops) service: &'static str,
    pub(in crate::ops) code: &'static str,
    pub(in crate::ops) what: &'static str,
}

const fn quota(check: &'static str, service: &'static str, code: &'static str, what: &'static str) -> Quota {
    Quota { check, service, code, what }
}

pub(in crate::ops) const VPCS: Quota = quota("quota/vpcs", "vpc", "L-F678F1CE", "VPCs");
pub(in crate::ops) const GATEWAYS: Quota = quota("quota/internet-gateways", "vpc", "L-A4707A72", "internet gateways");
const NATS: Quota = quota("quota/nat-gateways", "vpc", "L-FE5A380F", "NAT gateways");
const GATEWAY_ENDPOINTS: Quota = quota("quota/gateway-endpoints", "vpc", "L-1B52E74A", "gateway endpoints");
const ENDPOINTS: Quota = quota("quota/interface-endpoints", "vpc", "L-29B6F2EB", "interface endpoints of the VPC");
pub(in crate::ops) const GROUPS: Quota = quota("quota/security-groups", "vpc", "L-E79EC296", "security groups");
pub(in crate::ops) const ADDRESSES: Quota = quota("quota/elastic-ips", "ec2", "L-0263D0A3", "Elastic IP addresses");
pub(in crate::ops) const DATABASES: Quota = quota("quota/databases", "rds", "L-7B6409FD", "database instances");
pub(in crate::ops) const STORAGE: Quota =
    quota("quota/database-storage", "rds", "L-7ADDB58A", "GiB of database storage");
pub(in crate::ops) const BALANCERS: Quota =
    quota("quota/load-balancers", "elasticloadbalancing", "L-53DA6B97", "Application Load Balancers");
pub(in crate::ops) const TARGETS: Quota =
    quota("quota/target-groups", "elasticloadbalancing", "L-B22855CB", "target groups");
pub(in crate::ops) const FARGATE: Quota =
    quota("quota/fargate-vcpus", "fargate", "L-3032A538", "vCPUs of Fargate On-Demand");
const KEYS: Quota = quota("quota/kms-keys", "kms", "L-C2F1777E", "KMS keys");
const SECRETS: Quota = quota("quota/secrets", "secretsmanager", "L-2F66C23C", "secrets");
const BUCKETS: Quota = quota("quota/buckets", "s3", "L-DC2B2D3D", "buckets");
const CERTIFICATES: Quota = quota("quota/certificates", "acm", "L-F141DD1D", "certificates");

/// What a quota allows, by service: an error where a service could not be asked.
pub(super) type Limits = BTreeMap<&'static str, Result<BTreeMap<String, f64>, Fault>>;

/// Asks each service that the plan adds something to which a quota counts.
pub(super) async fn ask(ahead: &Ahead<'_>) -> Limits {
    let mut codes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (quota, _) in added(ahead).into_iter().filter(|(_, added)| *added > 0) {
        codes.entry(quota.service).or_default().push(quota.code);
    }
    let looks = codes
        .into_iter()
        .map(|(service, codes)| async move { (service, ahead.environment.aws.quotas(service, &codes).await) });
    join_all(looks).await.into_iter().collect()
}

/// How much the plan adds to what each quota counts. NAT gateways count by zone: the most that one zone gets.
fn added(ahead: &Ahead<'_>) -> Vec<(&'static Quota, i64)> {
    let count = |kind| ahead.count(kind);
    let databases = count(Instance::KIND) + count(Replica::KIND);
    let storage = ahead.made_of(Instance::KIND).chain(ahead.made_of(Replica::KIND));
    let storage = storage.filter_map(|step| step.spec.get("allocated_storage")?.as_i64()).sum();
    let interfaces = ahead.made_of(VpcEndpoint::KIND).filter(|step| !step.spec["interface"].is_null()).count();
    let interfaces = i64::try_from(interfaces).unwrap_or(i64::MAX);
    vec![
        (&VPCS, count(Vpc::KIND)),
        (&GATEWAYS, count(InternetGateway::KIND)),
        (&NATS, nats_by_zone(ahead).values().copied().max().unwrap_or(0)),
        (&GATEWAY_ENDPOINTS, count(VpcEndpoint::KIND) - interfaces),
        (&ENDPOINTS, interfaces),
        // A new VPC comes with a group of its own.
        (&GROUPS, count(SecurityGroup::KIND) + count(Vpc::KIND)),
        (&ADDRESSES, count(ElasticIp::KIND)),
        (&DATABASES, databases),
        (&STORAGE, storage),
        (&BALANCERS, count(LoadBalancer::KIND)),
        (&TARGETS, count(TargetGroup::KIND)),
        (&FARGATE, i64::from(fargate(ahead).is_some())),
        (&KEYS, count(Key::KIND)),
        (&SECRETS, count(Secret::KIND)),
        (&BUCKETS, count(Bucket::KIND)),
        (&CERTIFICATES, count(Certificate::KIND)),
    ]
}

fn nats_by_zone(ahead: &Ahead<'_>) -> BTreeMap<String, i64> {
    let mut zones = BTreeMap::new();
    for step in ahead.made_of(NatGateway::KIND) {
        let zone = ahead.referred(&step.spec, "subnet").and_then(|subnet| subnet.get("zone")?.as_str());
        *zones.entry(zone.unwrap_or_default().to_owned()).or_default() += 1;
    }
    zones
}

/// Judges each quota that the plan comes nearer to.
pub(super) fn check(ahead: &Ahead<'_>, seen: &Seen, limits: &Limits) -> Vec<Check> {
    let region = ahead.region();
    let judged = |quota: &'static Quota, added: i64, used: Option<Result<i64, &Fault>>| {
        (added > 0).then(|| {
            let used = used.unwrap_or(Ok(0));
            match (limit(limits, quota), used) {
                (Ok(Some(limit)), Ok(used)) => judge(quota, used, added, limit, region),
                (Ok(None), _) => Check::unseen(quota.check, "Service Quotas does not tell it"),
                (Err(fault), _) | (_, Err(fault)) => unseen(quota.check, fault),
            }
        })
    };
    let vpc = ahead.id(Vpc::KIND);
    let added: BTreeMap<&str, i64> = added(ahead).into_iter().map(|(quota, added)| (quota.check, added)).collect();
    let of = |quota: &'static Quota, used| judged(quota, added.get(quota.check).copied().unwrap_or(0), used);
    let databases = sum(&seen.databases, |_| 1);
    let gateway_endpoints = sum(&seen.endpoints, |item| i64::from(item.place == "Gateway"));
    let endpoints = sum(&seen.endpoints, |item| i64::from(vpc == Some(item.place.as_str())));
    let checks = [
        of(&VPCS, counted(&seen.vpcs)),
        of(&GATEWAYS, total(&seen.gateways)),
        of(&NATS, fullest_zone(ahead, &seen.nats)),
        of(&GATEWAY_ENDPOINTS, gateway_endpoints),
        of(&ENDPOINTS, endpoints),
        of(&GROUPS, total(&seen.groups)),
        of(&ADDRESSES, total(&seen.addresses)),
        of(&DATABASES, databases),
        of(&STORAGE, total(&seen.databases)),
        of(&BALANCERS, sum(&seen.balancers, |item| i64::from(item.place == "application"))),
        of(&TARGETS, total(&seen.target_groups)),
        fargate(ahead).map(|tasks| match limit(limits, &FARGATE) {
            Ok(Some(limit)) => judge_fargate(tasks, limit, region),
            Ok(None) => Check::unseen(FARGATE.check, "Service Quotas does not tell it"),
            Err(fault) => unseen(FARGATE.check, fault),
        }),
        of(&KEYS, total(&seen.keys)),
        of(&SECRETS, counted(&seen.secrets)),
        of(&BUCKETS, total(&seen.buckets)),
        of(&CERTIFICATES, total(&seen.certificates)),
    ];
    checks.into_iter().flatten().collect()
}

fn limit<'l>(limits: &'l Limits, quota: &Quota) -> Result<Option<f64>, &'l Fault> {
    match limits.get(quota.service) {
        Some(Ok(found)) => Ok(found.get(quota.code).copied()),
        Some(Err(fault)) => Err(fault),
        None => Ok(None),
    }
}

fn counted<T>(list: &List<T>) -> Option<Result<i64, &Fault>> {
    let list = list.as_ref()?;
    Some(list.as_ref().map(|found| i64::try_from(found.len()).unwrap_or(i64::MAX)))
}

fn sum(list: &List<InUse>, size: impl Fn(&InUse) -> i64) -> Option<Result<i64, &Fault>> {
    Some(list.as_ref()?.as_ref().map(|found| found.iter().map(size).sum()))
}

fn total(list: &List<InUse>) -> Option<Result<i64, &Fault>> {
    sum(list, |item| item.size)
}

/// What the fullest of the zones has that get a NAT gateway.
fn fullest_zone<'l>(ahead: &Ahead<'_>, list: &'l List<InUse>) -> Option<Result<i64, &'l Fault>> {
    let zones: BTreeSet<String> = nats_by_zone(ahead).into_keys().collect();
    let fullest = |found: &Vec<InUse>| {
        let used = |zone: &String| found.iter().filter(|nat| nat.place == *zone).count();
        i64::try_from(zones.iter().map(used).max().unwrap_or(0)).unwrap_or(i64::MAX)
    };
    Some(list.as_ref()?.as_ref().map(fullest))
}

fn judge(quota: &Quota, used: i64, added: i64, limit: f64, region: &str) -> Check {
    let Quota { check, what, .. } = quota;
    let after = used.saturating_add(added);
    let evidence = format!("{used} of {limit} {what} are in use, and the plan adds {added}");
    #[expect(clippy::cast_precision_loss, reason = "counts of resources are far below 2^52")]
    let share = after as f64 / limit;
    match share {
        share if share > 1.0 => Check::found(*check, Verdict::Bad, evidence, more(quota, after, region)),
        share if share >= 0.8 => Check::found(*check, Verdict::Warn, evidence, more(quota, after * 2, region)),
        _ => Check::good(*check, evidence),
    }
}

pub(in crate::ops) fn more(Quota { service, code, .. }: &Quota, wanted: i64, region: &str) -> String {
    format!(
        "aws service-quotas request-service-quota-increase --service-code {service} --quota-code {code} --desired-value {wanted} \
         --region {region}"
    )
}

/// Tasks that a new service runs, in vCPUs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::ops) struct Tasks {
    pub(in crate::ops) each: f64,
    pub(in crate::ops) first: i64,
    pub(in crate::ops) most: i64,
}

/// The tasks of a service that the plan makes.
fn fargate(ahead: &Ahead<'_>) -> Option<Tasks> {
    let service = &ahead.made_of(Service::KIND).next()?.spec;
    let cpu = ahead.referred(service, "task_definition")?.get("cpu")?.as_f64()?;
    let first = service.get("desired_count").and_then(Value::as_i64).unwrap_or(0);
    let scales = ahead.specs(ScalableTarget::KIND).into_iter().filter_map(|target| target.get("max")?.as_i64());
    Some(Tasks { each: cpu / 1024.0, first, most: scales.max().unwrap_or(first).max(first) })
}

/// What else runs on Fargate in the Region no list tells: tasks alone are judged that this service will have.
#[expect(clippy::cast_precision_loss, reason = "a service has at most thousands of tasks")]
pub(in crate::ops) fn judge_fargate(Tasks { each, first, most }: Tasks, limit: f64, region: &str) -> Check {
    let (at_first, at_most) = (each * first as f64, each * most as f64);
    let evidence = format!(
        "{limit} {} are allowed, and the service takes {at_first} at first and up to {at_most}; what else runs is not counted",
        FARGATE.what
    );
    #[expect(clippy::cast_possible_truncation, reason = "as above")]
    let more = more(&FARGATE, at_most.ceil() as i64, region);
    match (at_first > limit, at_most > limit) {
        (true, _) => Check::found(FARGATE.check, Verdict::Bad, evidence, more),
        (false, true) => Check::found(FARGATE.check, Verdict::Warn, evidence, more),
        (false, false) => Check::good(FARGATE.check, evidence),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_over_a_quota_is_bad_and_what_comes_near_it_worth_a_word() {
        let verdict = |used, added| judge(&VPCS, used, added, 5.0, "us-east-1").verdict;
        assert_eq!((verdict(5, 1), verdict(4, 1), verdict(3, 1)), (Verdict::Bad, Verdict::Warn, Verdict::Warn));
        assert_eq!(verdict(2, 1), Verdict::Ok);
        let found = judge(&VPCS, 5, 1, 5.0, "eu-west-1");
        assert_eq!(found.evidence, "5 of 5 VPCs are in use, and the plan adds 1");
        assert_eq!(
            found.mend.as_deref(),
            Some(
                "aws service-quotas request-service-quota-increase --service-code vpc --quota-code L-F678F1CE --desired-value 6 \
                 --region eu-west-1"
            )
        );
    }

    #[test]
    fn tasks_have_to_start_and_should_be_able_to_scale() {
        let verdict = |first, most| judge_fargate(Tasks { each: 0.5, first, most }, 4.0, "us-east-1").verdict;
        assert_eq!((verdict(2, 8), verdict(2, 9), verdict(9, 9)), (Verdict::Ok, Verdict::Warn, Verdict::Bad));
    }
}
