//! What is asked around a deploy: who we are for the registry, what ECS and the load balancer say, and why tasks stopped.

use std::collections::BTreeMap;

use aws_sdk_ecr::types::ImageIdentifier;
use aws_sdk_ecs::types::{DesiredStatus, Task};
use aws_sdk_elasticloadbalancingv2::types::TargetHealthDescription;
use base64::{Engine, engine::general_purpose::STANDARD};
use rcm_engine::model::Fault;
use serde::Serialize;

use crate::{
    Aws, Secret,
    classify::{absent, fault, missing},
};

/// How many tasks are told of: those that do not start all fail alike.
const TASKS: usize = 3;
/// How many of the last lines of each.
const LINES: i32 = 20;

/// A user of the account's registry, for twelve hours.
#[derive(Debug)]
pub struct RegistryLogin {
    /// Where the registry answers: `https://ACCOUNT.dkr.ecr.REGION.amazonaws.com`.
    pub url: String,
    /// The user.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// A task that did not come up or did not stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoppedTask {
    /// The last part of its ARN.
    pub task: String,
    /// `family:revision`
    pub revision: String,
    /// Why ECS says that it stopped.
    pub reason: String,
    /// Its containers.
    pub containers: Vec<StoppedContainer>,
    /// The last lines of its log: whatever the application wrote.
    pub log: Vec<String>,
}

/// A container of such a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoppedContainer {
    /// Its name.
    pub name: String,
    /// What it ended with; `None` if it never ran.
    pub exit_code: Option<i32>,
    /// Why, where ECS says so.
    pub reason: Option<String>,
}

/// A target of a load balancer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetState {
    /// Its address and port.
    pub target: String,
    /// `healthy`, `unhealthy`, `initial`, `draining`, `unused`.
    pub state: String,
    /// AWS's code for why, as in `Target.Timeout`.
    pub reason: Option<String>,
    /// The same in AWS's words.
    pub description: Option<String>,
}

impl Aws {
    /// Who we are for the account's registry
    /// ([GetAuthorizationToken](https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html)).
    pub async fn registry_login(&self) -> Result<RegistryLogin, Fault> {
        const CALL: &str = "GetAuthorizationToken";
        let answer = self.ecr.get_authorization_token().send().await.map_err(fault("ecr", CALL))?;
        let nothing = || missing("ecr", CALL, "authorizationData");
        let data = answer.authorization_data().first().ok_or_else(nothing)?;
        let token = STANDARD.decode(data.authorization_token().ok_or_else(nothing)?).ok();
        let token = token.and_then(|token| String::from_utf8(token).ok()).ok_or_else(nothing)?;
        let (user, password) = token.split_once(':').ok_or_else(nothing)?;
        let url = data.proxy_endpoint().ok_or_else(nothing)?.to_owned();
        Ok(RegistryLogin { url, user: user.to_owned(), password: Secret::new(password) })
    }

    /// Whether a repository has an image
    /// ([BatchGetImage](https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html)).
    pub async fn has_image(&self, repository: &str, digest: &str) -> Result<bool, Fault> {
        let id = ImageIdentifier::builder().image_digest(digest).build();
        let request = self.ecr.batch_get_image().repository_name(repository).image_ids(id);
        let answer = absent(request.send().await.map_err(fault("ecr", "BatchGetImage")))?;
        Ok(answer.is_some_and(|answer| !answer.images().is_empty()))
    }

    /// The events of a service, id and message, the newest first
    /// ([DescribeServices](https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html)).
    pub async fn service_events(&self, service: &str) -> Result<Vec<(String, String)>, Fault> {
        let Some((cluster, name)) = place(service) else { return Ok(Vec::new()) };
        let request = self.ecs.describe_services().cluster(cluster).services(name);
        let answer = absent(request.send().await.map_err(fault("ecs", "DescribeServices")))?;
        let services = answer.and_then(|answer| answer.services).unwrap_or_default();
        let events = services.into_iter().flat_map(|service| service.events.unwrap_or_default());
        Ok(events.filter_map(|event| Some((event.id?, event.message?))).collect())
    }

    /// The targets of a group
    /// ([DescribeTargetHealth](https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTargetHealth.html)).
    pub async fn targets(&self, group: &str) -> Result<Vec<TargetState>, Fault> {
        let request = self.elb.describe_target_health().target_group_arn(group);
        let answer = request.send().await.map_err(fault("elasticloadbalancing", "DescribeTargetHealth"))?;
        Ok(answer.target_health_descriptions().iter().map(target).collect())
    }

    /// How many targets of a group are in which state.
    pub async fn target_health(&self, group: &str) -> Result<BTreeMap<String, usize>, Fault> {
        let mut counts = BTreeMap::new();
        for target in self.targets(group).await? {
            *counts.entry(target.state).or_default() += 1;
        }
        Ok(counts)
    }

    /// The images of a task definition, by `family:revision`
    /// ([DescribeTaskDefinition](https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTaskDefinition.html)).
    pub async fn images(&self, revision: &str) -> Result<Vec<String>, Fault> {
        let request = self.ecs.describe_task_definition().task_definition(revision);
        let answer = request.send().await.map_err(fault("ecs", "DescribeTaskDefinition"))?;
        let containers = answer.task_definition.and_then(|definition| definition.container_definitions);
        Ok(containers.into_iter().flatten().filter_map(|container| container.image).collect())
    }

    /// The newest stopped tasks of the newest revision that has any, each with the last lines that it wrote to `log_group`.
    ///
    /// ECS describes [stopped tasks](https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-errors.html) for about
    /// an hour.
    pub async fn stopped_tasks(&self, service: &str, log_group: Option<&str>) -> Result<Vec<StoppedTask>, Fault> {
        let Some((cluster, name)) = place(service) else { return Ok(Vec::new()) };
        let request = self.ecs.list_tasks().cluster(cluster).service_name(name).desired_status(DesiredStatus::Stopped);
        let arns = request.send().await.map_err(fault("ecs", "ListTasks"))?.task_arns.unwrap_or_default();
        if arns.is_empty() {
            return Ok(Vec::new());
        }
        let request = self.ecs.describe_tasks().cluster(cluster).set_tasks(Some(arns));
        let answer = request.send().await.map_err(fault("ecs", "DescribeTasks"))?;
        let mut stopped = Vec::new();
        for task in newest(answer.tasks.unwrap_or_default()) {
            let mut told = told(&task);
            if let (Some(group), Some(container)) = (log_group, told.containers.first()) {
                // Why it stopped is worth telling without its log too.
                told.log = self.last_lines(group, &container.name, &told.task).await.unwrap_or_default();
            }
            stopped.push(told);
        }
        Ok(stopped)
    }

    /// The last lines of a task's log; none of one that never ran
    /// ([GetLogEvents](https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html)).
    async fn last_lines(&self, group: &str, container: &str, task: &str) -> Result<Vec<String>, Fault> {
        // As the awslogs driver calls it: prefix, container, task. rcm gives the prefix the container's name.
        let stream = format!("{container}/{container}/{task}");
        let request = self.logs.get_log_events().log_group_name(group).log_stream_name(stream).limit(LINES);
        let answer = absent(request.start_from_head(false).send().await.map_err(fault("logs", "GetLogEvents")))?;
        let events = answer.and_then(|answer| answer.events).unwrap_or_default();
        Ok(events.into_iter().filter_map(|event| event.message).collect())
    }
}

fn target(found: &TargetHealthDescription) -> TargetState {
    let (target, health) = (found.target(), found.target_health());
    let port = target.and_then(|target| target.port()).map(|port| format!(":{port}")).unwrap_or_default();
    TargetState {
        target: format!("{}{port}", target.and_then(|target| target.id()).unwrap_or_default()),
        state: health.and_then(|health| health.state()).map_or("unknown", |state| state.as_str()).to_owned(),
        reason: health.and_then(|health| health.reason()).map(|reason| reason.as_str().to_owned()),
        description: health.and_then(|health| health.description()).map(str::to_owned),
    }
}

/// The cluster and the name in a service's ARN.
fn place(arn: &str) -> Option<(&str, &str)> {
    arn.split_once(":service/")?.1.split_once('/')
}

/// Of the tasks of the newest revision the newest few.
fn newest(mut tasks: Vec<Task>) -> Vec<Task> {
    let revision = |task: &Task| task.task_definition_arn().and_then(|arn| arn.rsplit(':').next()?.parse::<u64>().ok());
    let latest = tasks.iter().filter_map(revision).max();
    tasks.retain(|task| revision(task) == latest);
    tasks.sort_by_key(|task| std::cmp::Reverse(task.created_at().map(|at| at.as_nanos())));
    tasks.truncate(TASKS);
    tasks
}

fn told(task: &Task) -> StoppedTask {
    let containers = task.containers().iter().map(|container| StoppedContainer {
        name: container.name().unwrap_or_default().to_owned(),
        exit_code: container.exit_code(),
        reason: container.reason().map(str::to_owned),
    });
    StoppedTask {
        task: last_part(task.task_arn()),
        revision: last_part(task.task_definition_arn()),
        reason: task.stopped_reason().unwrap_or("ECS does not say why").to_owned(),
        containers: containers.collect(),
        log: Vec::new(),
    }
}

fn last_part(arn: Option<&str>) -> String {
    arn.and_then(|arn| arn.rsplit('/').next()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::primitives::DateTime;

    use super::*;

    fn task(id: &str, revision: u64, created: i64) -> Task {
        let account = "arn:aws:ecs:us-east-1:123456789012";
        Task::builder()
            .task_arn(format!("{account}:task/acme/{id}"))
            .task_definition_arn(format!("{account}:task-definition/acme-rcm-prod-api:{revision}"))
            .created_at(DateTime::from_secs(created))
            .build()
    }

    #[test]
    fn what_failed_is_the_newest_revision_and_not_what_it_was_to_replace() {
        let tasks = vec![task("old", 9, 50), task("a", 10, 1), task("b", 10, 4), task("c", 10, 3), task("d", 10, 2)];
        let names: Vec<String> = newest(tasks).iter().map(|task| told(task).task).collect();
        assert_eq!(names, ["b", "c", "d"]);
    }
}
