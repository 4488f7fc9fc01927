//! Sessions in containers: which tasks let somebody in, and opening one
//! ([ECS Exec](https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html)).
//!
//! Surprises: whether a task lets anybody in was decided when it was started. The agent that does is a process in the container, beside
//! the application; it may have died without the task being any worse. The session's own traffic is not the SDK's: a plug-in of AWS's
//! carries it, asks KMS for its key by itself, and needs credentials for that.

use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_ecs::types::{ManagedAgent, ManagedAgentName, Task};
use jiff::Timestamp;
use rcm_engine::model::{Fault, FaultKind};

use crate::{
    Aws, Secret,
    classify::{absent, fault, missing},
};

/// How many tasks one call describes.
const BATCH: usize = 100;

/// A task that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningTask {
    /// The last part of its ARN.
    pub id: String,
    /// When it was started, if it has been by now.
    pub started: Option<Timestamp>,
    /// Whether a health check of its own fails.
    pub unhealthy: bool,
    /// Whether it was started to let people in.
    pub takes_sessions: bool,
    /// Its containers.
    pub containers: Vec<RunningContainer>,
}

/// A container of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningContainer {
    /// Its name.
    pub name: String,
    /// What the container runtime calls it.
    pub runtime_id: Option<String>,
    /// How the agent is that lets people in, where there is one: `PENDING`, `RUNNING`, `STOPPED`.
    pub agent: Option<String>,
    /// Why, where AWS says so.
    pub reason: Option<String>,
}

/// A session that was opened and that nobody has joined yet.
#[derive(Debug)]
pub struct OpenSession {
    /// AWS's name for it.
    pub id: String,
    /// Where its other end is: `wss://ssmmessages.REGION.amazonaws.com/…`.
    pub stream_url: String,
    /// What lets its bearer join it.
    pub token: Secret,
}

/// Credentials for a program that is not this one.
#[derive(Debug)]
pub struct Keys {
    /// The access key's id.
    pub id: String,
    /// The access key.
    pub secret: Secret,
    /// The token that goes with it, where it is temporary.
    pub token: Option<Secret>,
}

impl Aws {
    /// Whether a service's new tasks let people in; `None` if there is no such service
    /// ([DescribeServices](https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html)).
    pub async fn takes_sessions(&self, service: &str) -> Result<Option<bool>, Fault> {
        let (cluster, name) = place(service)?;
        let request = self.ecs.describe_services().cluster(cluster).services(name);
        let answer = absent(request.send().await.map_err(fault("ecs", "DescribeServices")))?;
        let mut services = answer.and_then(|answer| answer.services).unwrap_or_default();
        services.retain(|service| service.status() == Some("ACTIVE"));
        Ok(services.first().map(|service| service.enable_execute_command()))
    }

    /// The tasks of a service that run
    /// ([DescribeTasks](https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html)).
    pub async fn running_tasks(&self, service: &str) -> Result<Vec<RunningTask>, Fault> {
        let (cluster, name) = place(service)?;
        let pages = self.ecs.list_tasks().cluster(cluster).service_name(name).into_paginator().items().send();
        let arns = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("ecs", "ListTasks"))?;
        let mut running = Vec::new();
        for arns in arns.chunks(BATCH) {
            let request = self.ecs.describe_tasks().cluster(cluster).set_tasks(Some(arns.to_vec()));
            let answer = request.send().await.map_err(fault("ecs", "DescribeTasks"))?;
            running.extend(answer.tasks().iter().filter(|task| task.last_status() == Some("RUNNING")).map(told));
        }
        Ok(running)
    }

    /// Opens a session in a container of a task of `service`, which runs `command` there
    /// ([ExecuteCommand](https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ExecuteCommand.html)). Nobody has joined it yet.
    pub async fn open_session(
        &self,
        service: &str,
        task: &str,
        container: &str,
        command: &str,
    ) -> Result<OpenSession, Fault> {
        const CALL: &str = "ExecuteCommand";
        let (cluster, _) = place(service)?;
        let request = self.ecs.execute_command().cluster(cluster).task(task).container(container);
        // ECS knows no other way by now.
        let request = request.command(command).interactive(true);
        let session = request.send().await.map_err(fault("ecs", CALL))?.session;
        let session = session.ok_or_else(|| missing("ecs", CALL, "session"))?;
        Ok(OpenSession {
            id: session.session_id.ok_or_else(|| missing("ecs", CALL, "session.sessionId"))?,
            stream_url: session.stream_url.ok_or_else(|| missing("ecs", CALL, "session.streamUrl"))?,
            token: Secret::new(session.token_value.ok_or_else(|| missing("ecs", CALL, "session.tokenValue"))?),
        })
    }

    /// The credentials that everything is sent with, a role's where one is assumed.
    pub async fn keys(&self) -> Result<Keys, Fault> {
        let none = |why: String| Fault::ours(FaultKind::Denied, "GetCredentials", "NoCredentials", why);
        let provider = self.credentials.as_ref().ok_or_else(|| none("no AWS credentials were found".to_owned()))?;
        let keys = provider.provide_credentials().await.map_err(|error| none(error.to_string()))?;
        Ok(Keys {
            id: keys.access_key_id().to_owned(),
            secret: Secret::new(keys.secret_access_key()),
            token: keys.session_token().map(Secret::new),
        })
    }
}

/// The cluster and the name in a service's ARN.
fn place(service: &str) -> Result<(&str, &str), Fault> {
    let place = service.split_once(":service/").and_then(|(_, place)| place.split_once('/'));
    place.ok_or_else(|| Fault::invalid("id", format!("{service} is not the ARN of a service in a cluster")))
}

fn told(task: &Task) -> RunningTask {
    let containers = task.containers().iter().map(|container| {
        let is_it = |agent: &&ManagedAgent| agent.name() == Some(&ManagedAgentName::ExecuteCommandAgent);
        let agent = container.managed_agents().iter().find(is_it);
        RunningContainer {
            name: container.name().unwrap_or_default().to_owned(),
            runtime_id: container.runtime_id().map(str::to_owned),
            agent: agent.and_then(|agent| agent.last_status()).map(str::to_owned),
            reason: agent.and_then(|agent| agent.reason()).map(str::to_owned),
        }
    });
    let started = task.started_at().and_then(|at| Timestamp::from_second(at.secs()).ok());
    RunningTask {
        id: task.task_arn().and_then(|arn| arn.rsplit('/').next()).unwrap_or_default().to_owned(),
        started,
        unhealthy: task.health_status().is_some_and(|health| health.as_str() == "UNHEALTHY"),
        takes_sessions: task.enable_execute_command(),
        containers: containers.collect(),
    }
}
