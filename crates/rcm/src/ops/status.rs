//! How an environment is now: what AWS says of each part, and what becomes of it.
//!
//! Nothing is compared with the partner file: that is [`plan`](Environment::plan)'s and [`drift`](Environment::drift)'s.

use std::future::Future;

use jiff::{SignedDuration, Timestamp};
use rcm_aws::{
    CertificateHealth, DatabaseHealth, ServiceHealth, Standing,
    resources::{
        acm_certificate::Certificate, apprunner_service, cloudwatch_alarm::Alarm, ec2_nat_gateway::NatGateway,
        ecs_service::Service, elb_load_balancer::LoadBalancer, elb_target_group::TargetGroup, kms_key::Key,
        rds_instance::Instance, rds_replica::Replica, secrets_secret::Secret,
    },
};
use rcm_engine::{
    model::{Fault, Resource},
    store::{Holder, Record, State},
};
use serde::Serialize;

use super::{Environment, Run, aside::aside, fixed, record::runs};
use crate::Error;

/// The IAM actions that looking at the health needs.
pub const STATUS_ACTIONS: &[&str] = &[
    "acm:DescribeCertificate",
    "apprunner:DescribeService",
    "cloudwatch:DescribeAlarms",
    "ec2:DescribeNatGateways",
    "ecs:DescribeServices",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeTargetHealth",
    "kms:DescribeKey",
    "rds:DescribeDBInstances",
    "secretsmanager:ListSecrets",
];

/// A certificate is renewed 60 days before its end; one that is this near to it was not.
const NEAR_ITS_END: SignedDuration = SignedDuration::from_hours(30 * 24);
/// The newest moment that a database can be restored to is usually five minutes ago.
const FAR_BEHIND: SignedDuration = SignedDuration::from_hours(1);
/// A secret that nobody has changed for a year.
const OLD: SignedDuration = SignedDuration::from_hours(365 * 24);

/// How an environment is.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// When it was looked at.
    pub at: Timestamp,
    /// The worst verdict of a part.
    pub verdict: Verdict,
    /// Who works on it now.
    pub holder: Option<Holder>,
    /// The last run that the audit log tells of.
    pub last_run: Option<Run>,
    /// The parts, each of which there is.
    pub parts: Vec<Part>,
}

/// How one part is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// What it is: `run`, `service`, `targets`, `load-balancer`, `database`, `replica`, `certificate`, `alarms`, `nat-gateways`,
    /// `secrets`, `key`.
    pub part: &'static str,
    /// What becomes of it.
    pub verdict: Verdict,
    /// What AWS says.
    pub evidence: String,
    /// What to type after `rcm` to see to it, where it is not well.
    pub next: Option<String>,
}

/// What becomes of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is well.
    Ok,
    /// It works, and somebody should know.
    Warn,
    /// It could not be seen.
    Unknown,
    /// It does not work.
    Bad,
}

use Verdict::{Bad, Ok as Well, Warn};

fn part(part: &'static str, verdict: Verdict, evidence: impl Into<String>, next: Option<&str>) -> Part {
    let next = next.filter(|_| verdict != Well).map(str::to_owned);
    Part { part, verdict, evidence: evidence.into(), next }
}

impl Environment {
    /// How each part is. Sends only calls that read, each kind's one, all at once; takes no lock, and so works while a run is
    /// under way.
    ///
    /// # Errors
    /// Where there is no state, or it is another account's. What cannot be read is no error but [`Verdict::Unknown`].
    pub async fn status(&self) -> Result<Status, Error> {
        let state = self.state_aside().await?;
        self.check_state(&state.deployment)?;
        self.check_account().await?;
        let (store, log) = (self.store.clone(), self.audit());
        let (holder, last_run) = aside(move || Ok((store.holder()?, runs(&log)?.pop()))).await?;
        let of = |kind: &str| ids(&state, kind);
        let one = |kind: &str| of(kind).into_iter().next();
        let (service, app_runner) = (one(Service::KIND), one(apprunner_service::Service::KIND));
        let (targets, balancer) = (one(TargetGroup::KIND), one(LoadBalancer::KIND));
        let (databases, replicas) = (of(Instance::KIND), of(Replica::KIND));
        let all: Vec<String> = databases.iter().chain(&replicas).cloned().collect();
        let (certificate, alarms, gateways) = (one(Certificate::KIND), of(Alarm::KIND), of(NatGateway::KIND));
        let (secrets, key) = (of(Secret::KIND), one(Key::KIND));
        let names: Vec<String> = secrets.iter().map(|arn| secret_name(arn).to_owned()).collect();
        let aws = &self.aws;
        let (service, app_runner, targets, balancer, found, certificate, alarmed, passing, ages, key) = tokio::join!(
            asked(service, |arn| async move { aws.service_health(&arn).await }),
            asked(app_runner, |arn| async move { aws.app_runner_health(&arn).await }),
            asked(targets, |arn| async move { aws.target_health(&arn).await }),
            asked(balancer, |arn| async move { aws.load_balancer_standing(&arn).await }),
            aws.database_health(&all),
            asked(certificate, |arn| async move { aws.certificate_health(&arn).await }),
            aws.alarm_standing(&alarms),
            aws.nat_gateway_standing(&gateways),
            aws.secret_ages(&names),
            asked(key, |key| async move { aws.key_standing(&key).await }),
        );
        let image = fixed::deployed(&self.config, &state).map(|image| image.to_string());
        let now = Timestamp::now();
        let wanted = service.as_ref().and_then(|found| found.as_ref().ok()?.as_ref()).map_or(0, |found| found.desired);
        let mut parts = vec![run(&state, holder.as_ref(), last_run.as_ref())];
        parts.extend(service.map(|found| seen("service", found, |found| judge_service(found, image.as_deref()))));
        parts.extend(app_runner.map(|found| seen("service", found, |found| judge_app_runner(found, image.as_deref()))));
        parts.extend(targets.map(|found| told("targets", found, |counts| judge_targets(counts, wanted))));
        parts.extend(balancer.map(|found| seen("load-balancer", found, judge_balancer)));
        for (name, ids) in [("database", &databases), ("replica", &replicas)] {
            parts.extend(ids.iter().map(|id| {
                let found = found.clone().map(|found| found.into_iter().find(|found| found.id == *id));
                seen(name, found, |found| judge_database(name, found, now))
            }));
        }
        parts.extend(certificate.map(|found| seen("certificate", found, |found| judge_certificate(found, now))));
        let whole = [
            (!alarms.is_empty()).then(|| told("alarms", alarmed, |found| judge_alarms(&found, &alarms))),
            (!gateways.is_empty()).then(|| told("nat-gateways", passing, |found| judge_gateways(&found, &gateways))),
            (!secrets.is_empty()).then(|| told("secrets", ages, |found| judge_secrets(&found, &secrets, now))),
        ];
        parts.extend(whole.into_iter().flatten());
        parts.extend(key.map(|found| {
            seen("key", found, |found| {
                let verdict = if found.state == "Enabled" { Well } else { Bad };
                part("key", verdict, &found.state, Some("drift"))
            })
        }));
        let verdict = parts.iter().map(|part| part.verdict).max().unwrap_or(Well);
        Ok(Status { at: now, verdict, holder, last_run, parts })
    }
}

/// What rcm knows to be there of a kind.
pub(super) fn ids(state: &State, kind: &str) -> Vec<String> {
    let there = state.resources.values().filter(|record| record.kind == kind && !record.retained);
    there.filter_map(|record| Some(record.id.as_ref()?.to_string())).collect()
}

pub(super) async fn asked<T, F>(id: Option<String>, ask: impl FnOnce(String) -> F) -> Option<Result<T, Fault>>
where
    F: Future<Output = Result<T, Fault>>,
{
    match id {
        Some(id) => Some(ask(id).await),
        None => None,
    }
}

/// What AWS has said of a part, if it could be asked.
fn told<T>(name: &'static str, found: Result<T, Fault>, judge: impl FnOnce(T) -> Part) -> Part {
    found.map_or_else(|fault| part(name, Verdict::Unknown, fault.to_string(), None), judge)
}

/// The same of one that may be gone.
fn seen<T>(name: &'static str, found: Result<Option<T>, Fault>, judge: impl FnOnce(&T) -> Part) -> Part {
    told(name, found, |found| match found {
        Some(found) => judge(&found),
        None => part(name, Bad, "AWS does not know it any more", Some("drift")),
    })
}

fn run(state: &State, holder: Option<&Holder>, last: Option<&Run>) -> Part {
    if let Some(holder) = holder {
        return part("run", Well, format!("under way: {holder}"), None);
    }
    let busy = |record: &&Record| record.id.is_none() || record.phase != rcm_engine::store::Phase::Ready;
    let unfinished = state.records().filter(busy).count().max(state.undo.len());
    let Some(Run { began, ended, .. }) = last else {
        return part("run", Well, "none that the audit log tells of", None);
    };
    let who = format!("{} by {}@{} at {:.0}", began.verb, began.user, began.host, began.at);
    let outcome = ended.as_ref().map_or("cut off", |ended| ended.outcome.as_str());
    match (outcome, unfinished) {
        (outcome, 1..) => {
            let evidence = format!("{who}: {outcome}; {unfinished} resources are not at their end");
            part("run", Warn, evidence, Some("provision"))
        }
        ("done", 0) => part("run", Well, format!("{who}: done"), None),
        // Nobody has let them do anything.
        ("declined" | "refused", 0) => part("run", Well, format!("{who}: {outcome}"), None),
        (outcome, 0) => part("run", Warn, format!("{who}: {outcome}"), Some(&format!("history {}", began.run))),
    }
}

pub(super) fn judge_service(found: &ServiceHealth, image: Option<&str>) -> Part {
    let ServiceHealth { status, desired, running, pending, revision, rollouts } = found;
    let mut evidence = format!("{running} of {desired} tasks run");
    if *pending > 0 {
        evidence.push_str(&format!(", {pending} are about to"));
    }
    evidence.push_str(&format!(", {revision}"));
    if let Some(image) = image {
        evidence.push_str(&format!(", {}", image.rsplit('@').next().unwrap_or(image)));
    }
    let newest = rollouts.first().map(|(state, why)| (state.as_str(), why.as_str()));
    match newest {
        Some(("FAILED", why)) => part("service", Bad, format!("{evidence}: {why}"), Some("logs --since 1h")),
        _ if status != "ACTIVE" => part("service", Bad, format!("{status}: {evidence}"), Some("drift")),
        _ if *desired == 0 && image.is_none() => {
            part("service", Warn, format!("{evidence}: no image is deployed"), Some("deploy --image FILE|REF"))
        }
        _ if *desired == 0 => part("service", Warn, format!("{evidence}: none is to run"), Some("provision")),
        Some(("IN_PROGRESS", _)) if *running > 0 => {
            part("service", Warn, format!("{evidence}: a deployment is under way"), Some("status --watch"))
        }
        _ if *running == 0 => part("service", Bad, evidence, Some("logs --since 1h")),
        _ if running < desired => part("service", Warn, evidence, Some("logs --since 1h")),
        _ => part("service", Well, evidence, None),
    }
}

pub(super) fn judge_app_runner(found: &ServiceHealth, image: Option<&str>) -> Part {
    let image = image.map(|image| format!(", {}", image.rsplit('@').next().unwrap_or(image))).unwrap_or_default();
    let verdict = match found.status.as_str() {
        "RUNNING" => Well,
        "OPERATION_IN_PROGRESS" => Warn,
        _ => Bad,
    };
    part("service", verdict, format!("{}{image}", found.status), Some("logs --since 1h"))
}

pub(super) fn judge_targets(counts: std::collections::BTreeMap<String, usize>, wanted: i32) -> Part {
    // One that is on its way out is not missed.
    let total: usize = counts.iter().filter(|(state, _)| *state != "draining").map(|(_, count)| count).sum();
    let healthy = counts.get("healthy").copied().unwrap_or(0);
    let said: Vec<String> = counts.iter().map(|(state, count)| format!("{count} {state}")).collect();
    let said = if said.is_empty() { "none".to_owned() } else { said.join(", ") };
    let verdict = match (healthy, total) {
        (0, _) if wanted > 0 => Bad,
        (healthy, total) if healthy < total => Warn,
        _ => Well,
    };
    part("targets", verdict, said, Some("logs --since 1h"))
}

fn judge_balancer(found: &Standing) -> Part {
    let verdict = match found.state.as_str() {
        "active" => Well,
        "failed" => Bad,
        _ => Warn,
    };
    part("load-balancer", verdict, with_reason(found), Some("drift"))
}

fn with_reason(found: &Standing) -> String {
    found.reason.as_ref().map_or_else(|| found.state.clone(), |reason| format!("{}: {reason}", found.state))
}

pub(super) fn judge_database(name: &'static str, found: &DatabaseHealth, now: Timestamp) -> Part {
    let DatabaseHealth { id, status, class, multi_az, storage, backup_days, restorable, pending, .. } = found;
    let zones = if *multi_az { ", Multi-AZ" } else { "" };
    let mut evidence = format!("{id} {status}, {class}{zones}, {storage} GiB");
    if let Some(restorable) = restorable {
        evidence.push_str(&format!(", can be restored to {restorable:.0} and {backup_days} days back"));
    }
    if !pending.is_empty() {
        evidence.push_str(&format!("; not so yet: {}", pending.join(", ")));
    }
    let behind = *backup_days > 0 && restorable.is_none_or(|restorable| now.duration_since(restorable) > FAR_BEHIND);
    let broken = ["failed", "stopped", "stopping", "storage-full", "restore-error"];
    let verdict = match status.as_str() {
        "available" | "backing-up" if pending.is_empty() && !behind => Well,
        status
            if broken.contains(&status) || status.starts_with("inaccessible") || status.starts_with("incompatible") =>
        {
            Bad
        }
        _ => Warn,
    };
    part(name, verdict, evidence, Some("drift"))
}

pub(super) fn judge_certificate(found: &CertificateHealth, now: Timestamp) -> Part {
    let CertificateHealth { status, expires, renews } = found;
    let renewed = if *renews { ", renewed by AWS" } else { "" };
    let until = expires.map(|expires| format!(", valid until {expires:.0}{renewed}")).unwrap_or_default();
    let left = expires.map(|expires| expires.duration_since(now));
    let verdict = match (status.as_str(), left) {
        ("ISSUED", Some(left)) if left.is_negative() => Bad,
        ("ISSUED", Some(left)) if left < NEAR_ITS_END => Warn,
        ("ISSUED", _) => Well,
        ("PENDING_VALIDATION", _) => Warn,
        _ => Bad,
    };
    part("certificate", verdict, format!("{status}{until}"), Some("dns"))
}

fn judge_alarms(found: &[Standing], known: &[String]) -> Part {
    let alarming: Vec<&Standing> = found.iter().filter(|alarm| alarm.state == "ALARM").collect();
    let silent = found.iter().filter(|alarm| alarm.state == "INSUFFICIENT_DATA").count();
    let gone = known.len().saturating_sub(found.len());
    if !alarming.is_empty() {
        let named = alarming.iter().map(|alarm| match &alarm.reason {
            Some(reason) => format!("{} ({reason})", alarm.id),
            None => alarm.id.clone(),
        });
        return part("alarms", Bad, format!("in ALARM: {}", named.collect::<Vec<_>>().join("; ")), Some("open"));
    }
    let quiet = if silent > 0 { format!(", {silent} of them without data") } else { String::new() };
    match gone {
        0 => part("alarms", Well, format!("none of {} in ALARM{quiet}", known.len()), None),
        _ => part("alarms", Warn, format!("{gone} of {} are gone", known.len()), Some("drift")),
    }
}

fn judge_gateways(found: &[Standing], known: &[String]) -> Part {
    let state = |id: &String| found.iter().find(|gateway| gateway.id == *id);
    let told = known.iter().map(|id| match state(id) {
        Some(gateway) => (gateway.state.as_str(), format!("{id} {}", with_reason(gateway))),
        None => ("deleted", format!("{id} is gone")),
    });
    let told: Vec<(&str, String)> = told.collect();
    let verdict = told.iter().map(|(state, _)| match *state {
        "available" => Well,
        "pending" => Warn,
        _ => Bad,
    });
    let verdict = verdict.max().unwrap_or(Well);
    let evidence: Vec<String> = told.into_iter().map(|(_, evidence)| evidence).collect();
    part("nat-gateways", verdict, evidence.join(", "), Some("drift"))
}

fn judge_secrets(found: &[(String, Option<Timestamp>)], known: &[String], now: Timestamp) -> Part {
    let find = |arn: &String| found.iter().find(|(found, _)| found == arn);
    let gone: Vec<&str> = known.iter().filter(|arn| find(arn).is_none()).map(|arn| secret_name(arn)).collect();
    if !gone.is_empty() {
        return part("secrets", Bad, format!("gone: {}", gone.join(", ")), Some("drift"));
    }
    let changed = known.iter().filter_map(|arn| Some((find(arn)?.1?, secret_name(arn))));
    let Some((oldest, name)) = changed.min() else { return part("secrets", Well, format!("{}", known.len()), None) };
    let age = now.duration_since(oldest);
    let evidence = format!("{}; the oldest value is {} days old ({name})", known.len(), age.as_hours() / 24);
    part("secrets", if age > OLD { Warn } else { Well }, evidence, Some("secrets list"))
}

/// The name in a secret's ARN, which ends with six characters of AWS's own.
pub(super) fn secret_name(arn: &str) -> &str {
    let name = arn.split_once(":secret:").map_or(arn, |(_, name)| name);
    name.rsplit_once('-').filter(|(_, own)| own.len() == 6).map_or(name, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(desired: i32, running: i32, rollout: &str) -> ServiceHealth {
        ServiceHealth {
            status: "ACTIVE".into(),
            desired,
            running,
            pending: 0,
            revision: "acme-rcm-prod-api:3".into(),
            rollouts: vec![(rollout.into(), "tasks failed to start".into())],
        }
    }

    #[test]
    fn a_service_is_bad_when_nothing_runs_or_its_deployment_has_failed() {
        let image = Some("registry/api@sha256:1");
        let verdict = |found| judge_service(&found, image).verdict;
        assert_eq!(verdict(service(2, 2, "COMPLETED")), Well);
        assert_eq!(verdict(service(2, 1, "COMPLETED")), Warn);
        assert_eq!(verdict(service(2, 2, "IN_PROGRESS")), Warn);
        assert_eq!(verdict(service(2, 0, "IN_PROGRESS")), Bad);
        let failed = judge_service(&service(2, 2, "FAILED"), image);
        assert_eq!((failed.verdict, failed.next.as_deref()), (Bad, Some("logs --since 1h")));
        assert!(failed.evidence.ends_with("sha256:1: tasks failed to start"), "{}", failed.evidence);
        let none = judge_service(&service(0, 0, "COMPLETED"), None);
        assert_eq!((none.verdict, none.next.as_deref()), (Warn, Some("deploy --image FILE|REF")));
    }

    #[test]
    fn a_target_that_drains_is_not_missed_and_one_that_fails_is() {
        let verdict = |counts: &[(&str, usize)], wanted| {
            judge_targets(counts.iter().map(|(state, count)| ((*state).to_owned(), *count)).collect(), wanted).verdict
        };
        assert_eq!(verdict(&[("healthy", 2), ("draining", 2)], 2), Well);
        assert_eq!(verdict(&[("healthy", 1), ("unhealthy", 1)], 2), Warn);
        assert_eq!(verdict(&[("unhealthy", 2)], 2), Bad);
        assert_eq!((verdict(&[], 2), verdict(&[], 0)), (Bad, Well));
    }

    #[test]
    fn a_database_that_waits_or_cannot_be_restored_is_worth_a_word() {
        let now: Timestamp = "2026-11-28T12:00:00Z".parse().unwrap();
        let database = |status: &str, restorable: &str, pending: &[&'static str]| DatabaseHealth {
            id: "acme-rcm-prod-db".into(),
            status: status.into(),
            class: "db.t3.medium".into(),
            multi_az: true,
            storage: 100,
            backup_days: 35,
            restorable: restorable.parse().ok(),
            pending: pending.to_vec(),
            host: None,
        };
        let verdict = |found| judge_database("database", &found, now).verdict;
        assert_eq!(verdict(database("available", "2026-11-28T11:55:00Z", &[])), Well);
        assert_eq!(verdict(database("available", "2026-11-28T11:55:00Z", &["class"])), Warn);
        assert_eq!(verdict(database("available", "2026-11-28T10:00:00Z", &[])), Warn);
        assert_eq!(verdict(database("modifying", "2026-11-28T11:55:00Z", &[])), Warn);
        assert_eq!(verdict(database("storage-full", "2026-11-28T11:55:00Z", &[])), Bad);
        assert_eq!(verdict(database("inaccessible-encryption-credentials", "", &[])), Bad);
    }

    #[test]
    fn a_certificate_near_its_end_was_not_renewed() {
        let now: Timestamp = "2026-11-28T12:00:00Z".parse().unwrap();
        let verdict = |status: &str, expires: &str| {
            let found = CertificateHealth { status: status.into(), expires: expires.parse().ok(), renews: true };
            judge_certificate(&found, now).verdict
        };
        assert_eq!(verdict("ISSUED", "2027-06-01T00:00:00Z"), Well);
        assert_eq!(verdict("ISSUED", "2026-12-10T00:00:00Z"), Warn);
        assert_eq!(verdict("ISSUED", "2026-11-01T00:00:00Z"), Bad);
        assert_eq!((verdict("PENDING_VALIDATION", ""), verdict("EXPIRED", "")), (Warn, Bad));
    }

    #[test]
    fn what_is_gone_is_named() {
        let now = Timestamp::UNIX_EPOCH;
        let arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:acme-rcm-prod/jwt-secret-AbCdEf".to_owned();
        let gone = judge_secrets(&[], std::slice::from_ref(&arn), now);
        assert_eq!((gone.verdict, gone.evidence.as_str()), (Bad, "gone: acme-rcm-prod/jwt-secret"));
        let old = now.checked_sub(SignedDuration::from_hours(400 * 24)).unwrap();
        assert_eq!(judge_secrets(&[(arn.clone(), Some(old))], &[arn], now).verdict, Warn);
        let gone = judge_gateways(&[], &["nat-1".to_owned()]);
        assert_eq!((gone.verdict, gone.evidence.as_str()), (Bad, "nat-1 is gone"));
    }
}
