//! The service: whether its tasks run, why some stopped, what ECS says, and what the load balancer thinks of them.

use rcm_aws::{
    ServiceHealth, StoppedTask, TargetState,
    resources::{apprunner_service, ecs_service::Service, elb_target_group::TargetGroup},
};
use rcm_engine::model::{Fault, Resource};

use super::{Case, of_part, reasons, seen, told};
use crate::{
    Check, Verdict,
    ops::{fixed, status},
};

/// How many of its last lines are told of a task that stopped.
const LINES: usize = 3;
/// What ECS says of a service that has nothing left to do.
const STEADY: &str = "has reached a steady state";
/// What it says of one that it cannot bring there.
const TROUBLES: &[&str] = &["unable to", "failed", "unhealthy", "rolling back"];
const LOGS: &str = "rcm logs --since 1h";

pub(super) async fn look(case: Case<'_>) -> Vec<Check> {
    let image = fixed::deployed(case.config, case.state).map(|image| image.to_string());
    let image = image.as_deref();
    if let Some(service) = case.ids(apprunner_service::Service::KIND).first() {
        let found = case.aws.app_runner_health(service).await;
        return vec![seen("service", found, |found| of_part("service", status::judge_app_runner(found, image)))];
    }
    let Some(service) = case.ids(Service::KIND).into_iter().next() else { return Vec::new() };
    let (group, logs) = (case.ids(TargetGroup::KIND).into_iter().next(), case.id("storage/log-group/application"));
    let (health, stopped, events, targets) = tokio::join!(
        case.aws.service_health(&service),
        case.aws.stopped_tasks(&service, logs.as_deref()),
        case.aws.service_events(&service),
        status::asked(group, |group| async move { case.aws.targets(&group).await }),
    );
    let missing = missing(&health);
    let wanted = health.as_ref().ok().and_then(|found| found.as_ref()).map_or(0, |found| found.desired);
    let mut checks = vec![
        seen("service", health, |found| of_part("service", status::judge_service(found, image))),
        told("service/stopped-tasks", stopped, |stopped| judge_stopped(&stopped, missing)),
        told("service/events", events, |events| judge_events(&events)),
    ];
    checks.extend(targets.map(|found| told("targets", found, |targets| judge_targets(&targets, wanted))));
    checks
}

/// Whether fewer tasks run than should.
fn missing(health: &Result<Option<ServiceHealth>, Fault>) -> bool {
    matches!(health, Ok(Some(found)) if found.running < found.desired)
}

fn judge_stopped(stopped: &[StoppedTask], missing: bool) -> Check {
    let check = "service/stopped-tasks";
    let words: Vec<(String, &StoppedTask)> = stopped.iter().map(|task| (words(task), task)).collect();
    let is_harmless = |words: &str| reasons::of_task(words).is_some_and(|meaning| meaning.mend.is_none());
    let trouble: Vec<&(String, &StoppedTask)> = words.iter().filter(|(words, _)| !is_harmless(words)).collect();
    let Some((first, task)) = trouble.first() else {
        let evidence = match words.first() {
            None => "none within the last hour".to_owned(),
            Some((words, _)) => format!("none that should not have; the last: {words}"),
        };
        return Check::good(check, evidence);
    };
    let mut evidence = format!("{} of {}: {first}", task.task, task.revision);
    let others =
        trouble.iter().filter(|(words, _)| words != first).map(|(words, task)| format!("{}: {words}", task.task));
    evidence.extend(others.map(|other| format!("; {other}")));
    let meaning = reasons::of_task(first);
    if let Some(meaning) = meaning {
        evidence.push_str(&format!("; that is, {}", meaning.means));
    }
    let last = &task.log[task.log.len().saturating_sub(LINES)..];
    if !last.is_empty() {
        let last: Vec<&str> = last.iter().map(|line| line.trim_end()).collect();
        evidence.push_str(&format!("; it wrote last: {}", last.join(" | ")));
    }
    let verdict = if missing { Verdict::Bad } else { Verdict::Warn };
    Check::found(check, verdict, evidence, meaning.and_then(|meaning| meaning.mend).unwrap_or(LOGS))
}

/// All that ECS says of why a task stopped.
fn words(task: &StoppedTask) -> String {
    let mut words = task.reason.clone();
    for container in &task.containers {
        if let Some(code) = container.exit_code {
            words.push_str(&format!(", {} ended with {code}", container.name));
        }
        if let Some(reason) = container.reason.as_ref().filter(|reason| !words.contains(reason.as_str())) {
            words.push_str(&format!(", {}: {reason}", container.name));
        }
    }
    words
}

/// Only what ECS has said since all was well last.
fn judge_events(events: &[(String, String)]) -> Check {
    let check = "service/events";
    let since = events.iter().map(|(_, message)| message).take_while(|message| !message.contains(STEADY));
    let mut troubles = since.filter(|message| TROUBLES.iter().any(|trouble| message.contains(trouble)));
    match (troubles.next(), events.first()) {
        (Some(newest), _) => {
            let more = troubles.count();
            let more = if more > 0 { format!("; and {more} more like it") } else { String::new() };
            Check::found(check, Verdict::Warn, format!("{newest}{more}"), LOGS)
        }
        (None, Some((_, newest))) => Check::good(check, newest),
        (None, None) => Check::good(check, "none"),
    }
}

fn judge_targets(targets: &[TargetState], wanted: i32) -> Check {
    let mut counts = std::collections::BTreeMap::new();
    targets.iter().for_each(|target| *counts.entry(target.state.clone()).or_default() += 1);
    let mut check = of_part("targets", status::judge_targets(counts, wanted));
    for target in targets.iter().filter(|target| !["healthy", "draining"].contains(&target.state.as_str())) {
        let TargetState { target, state, reason, description } = target;
        let reason = reason.as_deref().unwrap_or("without a reason");
        let meaning = reasons::of_target(reason);
        let means = meaning.map(|meaning| format!(", that is, {}", meaning.means)).unwrap_or_default();
        let said = description.as_ref().map(|said| format!(" ({said})")).unwrap_or_default();
        check.evidence.push_str(&format!("; {target} {state}: {reason}{said}{means}"));
        if let (Some(mend), true) = (meaning.and_then(|meaning| meaning.mend), check.verdict != Verdict::Ok) {
            check.mend = Some(mend.to_owned());
        }
    }
    check
}

#[cfg(test)]
mod tests {
    use rcm_aws::StoppedContainer;

    use super::*;

    fn task(reason: &str, code: Option<i32>, log: &[&str]) -> StoppedTask {
        StoppedTask {
            task: "0123".into(),
            revision: "acme-rcm-prod-api:3".into(),
            reason: reason.into(),
            containers: vec![StoppedContainer { name: "api".into(), exit_code: code, reason: None }],
            log: log.iter().map(|line| (*line).to_owned()).collect(),
        }
    }

    #[test]
    fn a_task_that_stopped_for_a_reason_says_what_it_means_and_what_it_wrote() {
        let ended = task("Essential container in task exited", Some(1), &["a\n", "b\n", "c\n", "no database\n"]);
        let check = judge_stopped(std::slice::from_ref(&ended), true);
        assert_eq!((check.verdict, check.mend.as_deref()), (Verdict::Bad, Some(LOGS)));
        insta::assert_snapshot!(check.evidence, @"0123 of acme-rcm-prod-api:3: Essential container in task exited, api ended with 1; that is, the program has ended by itself; what it wrote last says why; it wrote last: b | c | no database");
        let scaled = task("Scaling activity initiated by (deployment ecs-svc/1)", Some(0), &[]);
        assert_eq!(judge_stopped(&[scaled.clone(), ended], false).verdict, Verdict::Warn);
        assert_eq!(judge_stopped(&[scaled], true).verdict, Verdict::Ok);
        assert_eq!(judge_stopped(&[], true).verdict, Verdict::Ok);
    }

    #[test]
    fn only_what_ecs_has_said_since_all_was_well_counts() {
        let told = |messages: &[&str]| {
            let events: Vec<_> = messages.iter().map(|message| (String::new(), (*message).to_owned())).collect();
            judge_events(&events).verdict
        };
        let (steady, unable) =
            ("(service api) has reached a steady state.", "(service api) was unable to place a task.");
        assert_eq!(told(&[steady, unable]), Verdict::Ok);
        assert_eq!(told(&["(service api) has started 1 tasks.", unable, steady]), Verdict::Warn);
        assert_eq!(told(&[]), Verdict::Ok);
    }

    #[test]
    fn each_target_that_is_not_healthy_is_told_of_with_its_reason() {
        let target = |state: &str, reason: Option<&str>| TargetState {
            target: "10.0.64.10:8080".into(),
            state: state.into(),
            reason: reason.map(str::to_owned),
            description: None,
        };
        let check = judge_targets(&[target("unhealthy", Some("Target.ResponseCodeMismatch"))], 1);
        assert_eq!((check.verdict, check.mend.as_deref()), (Verdict::Bad, Some(LOGS)));
        assert!(
            check.evidence.contains("10.0.64.10:8080 unhealthy: Target.ResponseCodeMismatch, that is, GET /health")
        );
        assert_eq!(judge_targets(&[target("healthy", None), target("draining", None)], 1).verdict, Verdict::Ok);
        let new = judge_targets(&[target("healthy", None), target("initial", Some("Elb.InitialHealthChecking"))], 2);
        assert!(new.verdict == Verdict::Warn && new.evidence.contains("not judged yet"), "{new:?}");
    }
}
