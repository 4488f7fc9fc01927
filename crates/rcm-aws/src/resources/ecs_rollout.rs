//! Whether a service runs what was asked for.
//!
//! API: [Deployment](https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html),
//! [DeploymentCircuitBreaker](https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentCircuitBreaker.html).

use aws_sdk_ecs::types::{Deployment, DeploymentRolloutState as Rollout, Service};
use rcm_engine::model::Readiness;

use crate::identity::REVISION;

/// How many of the newest events a failure quotes.
const EVENTS: usize = 3;

/// The revision that was asked for last.
pub(super) fn wanted_revision(service: &Service) -> Option<&str> {
    service.tags().iter().find(|tag| tag.key() == Some(REVISION)).and_then(|tag| tag.value())
}

/// Ready when the primary deployment is `COMPLETED` *and* of the revision that was asked for.
///
/// One that the circuit breaker has given up is `FAILED`, and stays the primary one of a service that has never completed
/// another. If there is one to go back to, that becomes the primary one and ends `COMPLETED`, and the failed one is forgotten
/// once its tasks are gone.
pub(super) fn readiness(service: &Service) -> Readiness {
    if let Some(status) = service.status().filter(|status| *status != "ACTIVE") {
        return Readiness::Failed(format!("it is {status}"));
    }
    let wanted = wanted_revision(service).or(service.task_definition());
    let is_wanted = |deployment: &&Deployment| deployment.task_definition() == wanted;
    let failed = |deployment: &&Deployment| deployment.rollout_state() == Some(&Rollout::Failed);
    let primary = service.deployments().iter().find(|deployment| deployment.status() == Some("PRIMARY"));
    let Some(primary) = primary else { return Readiness::Pending("no deployment yet".to_owned()) };
    if !is_wanted(&primary) {
        return match service.deployments().iter().filter(is_wanted).find(failed) {
            Some(given_up) => Readiness::Failed(failure(service, given_up)),
            // The answer is older than the request, or ECS has rolled back and forgotten the failed deployment.
            None => Readiness::Reverted(reverted(service, primary, wanted.unwrap_or_default())),
        };
    }
    match primary.rollout_state() {
        Some(Rollout::Completed) => Readiness::Ready,
        Some(Rollout::Failed) => Readiness::Failed(failure(service, primary)),
        _ => Readiness::Pending(progress(service, primary)),
    }
}

fn reverted(service: &Service, primary: &Deployment, asked: &str) -> String {
    let runs = primary.task_definition().unwrap_or_default();
    format!("it runs {} and not {}{}", short(runs), short(asked), last_event(service))
}

fn failure(service: &Service, deployment: &Deployment) -> String {
    let reason = deployment.rollout_state_reason().unwrap_or("the deployment failed");
    let events = service.events().iter().take(EVENTS).filter_map(|event| event.message());
    let events: String = events.map(|message| format!("; {message}")).collect();
    format!("{reason}{events}")
}

fn progress(service: &Service, deployment: &Deployment) -> String {
    let running = format!("{} of {} tasks run", deployment.running_count(), deployment.desired_count());
    match deployment.failed_tasks() {
        0 => running,
        failed => format!("{running}, {failed} failed{}", last_event(service)),
    }
}

fn last_event(service: &Service) -> String {
    let message = service.events().first().and_then(|event| event.message());
    message.map(|message| format!(": {message}")).unwrap_or_default()
}

/// `family:revision` of an ARN.
fn short(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types::{ServiceEvent, Tag};

    use super::*;

    const OLD: &str = "arn:aws:ecs:us-east-1:123456789012:task-definition/acme-rcm-prod-api:1";
    const NEW: &str = "arn:aws:ecs:us-east-1:123456789012:task-definition/acme-rcm-prod-api:2";

    fn deployment(status: &str, revision: &str, rollout: Rollout) -> Deployment {
        Deployment::builder().status(status).task_definition(revision).rollout_state(rollout).desired_count(2).build()
    }

    fn service(deployments: Vec<Deployment>) -> Service {
        Service::builder()
            .status("ACTIVE")
            .tags(Tag::builder().key(REVISION).value(NEW).build())
            .set_deployments(Some(deployments))
            .events(ServiceEvent::builder().message("(service api) was unable to pull the image").build())
            .build()
    }

    #[test]
    fn a_completed_deployment_of_the_wanted_revision_is_ready() {
        assert_eq!(readiness(&service(vec![deployment("PRIMARY", NEW, Rollout::Completed)])), Readiness::Ready);
    }

    #[test]
    fn a_completed_rollback_is_not_ready() {
        let rolled_back = readiness(&service(vec![deployment("PRIMARY", OLD, Rollout::Completed)]));
        let Readiness::Reverted(message) = rolled_back else { panic!("{rolled_back:?}") };
        assert!(message.starts_with("it runs acme-rcm-prod-api:1 and not acme-rcm-prod-api:2"), "{message}");
    }

    #[test]
    fn a_deployment_that_the_breaker_gave_up_has_failed_and_says_why() {
        let deployments =
            vec![deployment("PRIMARY", OLD, Rollout::InProgress), deployment("ACTIVE", NEW, Rollout::Failed)];
        let Readiness::Failed(why) = readiness(&service(deployments)) else { panic!("not failed") };
        assert!(why.contains("unable to pull the image"), "{why}");
    }

    #[test]
    fn a_first_deployment_that_the_breaker_gave_up_has_failed() {
        let stalled = readiness(&service(vec![deployment("PRIMARY", NEW, Rollout::Failed)]));
        assert!(matches!(stalled, Readiness::Failed(_)), "{stalled:?}");
    }

    #[test]
    fn an_earlier_try_of_the_same_revision_does_not_count_against_the_present_one() {
        let deployments =
            vec![deployment("PRIMARY", NEW, Rollout::InProgress), deployment("ACTIVE", NEW, Rollout::Failed)];
        assert_eq!(readiness(&service(deployments)), Readiness::Pending("0 of 2 tasks run".to_owned()));
    }

    #[test]
    fn an_old_failure_does_not_count_against_a_new_deployment() {
        let deployments =
            vec![deployment("PRIMARY", NEW, Rollout::InProgress), deployment("ACTIVE", OLD, Rollout::Failed)];
        assert_eq!(readiness(&service(deployments)), Readiness::Pending("0 of 2 tasks run".to_owned()));
    }
}
