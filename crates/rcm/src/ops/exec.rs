//! A session in a container of the application: where, whether it can be, and opening it.
//!
//! The lock is held for as long as it takes to open it and to write that down, and not for the session: a run may begin meanwhile, and
//! replace the very task.

use std::{cmp::Reverse, collections::BTreeMap};

use rcm_aws::{
    Keys, OpenSession, RunningContainer, RunningTask, Secret,
    resources::{apprunner_service, ecs_service::Service},
};
use rcm_engine::{
    model::{Address, Fault, Resource},
    store::State,
};

use super::{Environment, aside::give_back, record::word};
use crate::Error;

/// The IAM actions that a session needs. KMS is asked for the session's key by the plug-in that carries it.
pub const EXEC_ACTIONS: &[&str] =
    &["ecs:DescribeServices", "ecs:DescribeTasks", "ecs:ExecuteCommand", "ecs:ListTasks", "kms:GenerateDataKey"];

/// The node whose tasks they are.
const SERVICE: &str = "compute/service";
/// The agent is up.
const UP: &str = "RUNNING";

/// Where a session is wanted.
#[derive(Debug, Clone, Default)]
pub struct ExecQuery {
    /// The task, by its id or ARN; else the newest that lets people in.
    pub task: Option<String>,
    /// The container; else the only one.
    pub container: Option<String>,
}

/// Where a session can be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The service's ARN.
    service: String,
    /// The task's id.
    pub task: String,
    /// The container's name.
    pub container: String,
    /// What AWS's Systems Manager calls the two: `ecs:CLUSTER_TASK_RUNTIME`.
    pub target: String,
}

/// A session that was opened, and what a program needs to join it.
#[derive(Debug)]
pub struct Session {
    /// AWS's name for it.
    pub id: String,
    /// Where its other end is.
    pub stream_url: String,
    /// What lets its bearer join it.
    pub token: Secret,
    /// Where Systems Manager answers, for whoever lost the session and goes on with it.
    pub endpoint: String,
    /// The credentials that it was opened with.
    pub keys: Keys,
}

/// Why no session can be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSession {
    /// App Runner lets nobody in.
    #[error("{service} runs on App Runner, which lets nobody into its containers")]
    AppRunner {
        /// The service.
        service: String,
    },
    /// The service is made to let nobody in.
    #[error("the service {service} lets nobody into its containers")]
    SwitchedOff {
        /// The service.
        service: String,
    },
    /// No task runs.
    #[error("no task of the service {service} runs")]
    NoTask {
        /// The service.
        service: String,
    },
    /// That task does not run, or is not the service's.
    #[error("no task {task} of the service {service} runs; those that do: {}", .running.join(", "))]
    NoSuchTask {
        /// The service.
        service: String,
        /// What was named.
        task: String,
        /// Those that run.
        running: Vec<String>,
    },
    /// The task has no such container, or several and none was named.
    #[error("the task {task} has {}{}", .containers.join(", "), .container.as_ref().map(|name| format!(" and no container {name}")).unwrap_or_default())]
    NoSuchContainer {
        /// The task.
        task: String,
        /// What was named.
        container: Option<String>,
        /// What it has.
        containers: Vec<String>,
    },
    /// The task was started before the service let people in.
    #[error("the task {task} was started when the service let nobody in")]
    Before {
        /// The task.
        task: String,
    },
    /// The agent in the container is not up.
    #[error("the agent that lets people into {container} of the task {task} is {status}{}", .reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default())]
    NoAgent {
        /// The task.
        task: String,
        /// The container.
        container: String,
        /// How it is: `PENDING`, `STOPPED`, `missing`.
        status: String,
        /// Why, where AWS says so.
        reason: Option<String>,
    },
}

impl Environment {
    /// Where a session can be opened. Sends only calls that read, and takes no lock.
    ///
    /// # Errors
    /// [`Error::NoSession`] with the reason why there is no such place.
    pub async fn place_for_session(&self, query: &ExecQuery) -> Result<Place, Error> {
        let state = self.state_aside().await?;
        self.check_state(&state.deployment)?;
        if let Some(service) = id(&state, apprunner_service::Service::KIND) {
            // `…:service/NAME/ID`
            let name = service.rsplit('/').nth(1).unwrap_or(&service);
            return Err(NoSession::AppRunner { service: name.to_owned() }.into());
        }
        let service = match id(&state, Service::KIND) {
            Some(service) => service,
            None => return Err(Error::NotInState(address()?)),
        };
        self.check_account().await?;
        let name = || last_part(&service).to_owned();
        match self.aws.takes_sessions(&service).await? {
            None => return Err(NoSession::NoTask { service: name() }.into()),
            Some(false) => return Err(NoSession::SwitchedOff { service: name() }.into()),
            Some(true) => {}
        }
        let tasks = self.aws.running_tasks(&service).await?;
        let task = chosen(&tasks, query.task.as_deref(), &name())?;
        let container = enter(task, query.container.as_deref())?;
        let cluster = service.rsplit('/').nth(1).unwrap_or_default();
        let runtime = container.runtime_id.as_deref().unwrap_or_default();
        Ok(Place {
            target: format!("ecs:{cluster}_{}_{runtime}", task.id),
            task: task.id.clone(),
            container: container.name.clone(),
            service,
        })
    }

    /// Opens a session that runs `command`, and writes into the audit log who did where: never the command, which may hold a secret.
    ///
    /// # Errors
    /// A lock that another run holds; an audit log that cannot be written, and then nobody gets in; AWS's refusal.
    pub async fn open_session(&self, place: &Place, command: &str) -> Result<Session, Error> {
        let lock = self.lock().await?;
        let state = self.state_aside().await?;
        self.check_state(&state.deployment)?;
        let caller = self.check_account().await?;
        let keys = self.aws.keys().await?;
        let recording = self.record("exec", Some(caller.arn), Some(&state)).await?;
        let Place { service, task, container, .. } = place;
        let opened = match self.aws.open_session(service, task, container, command).await {
            Ok(session) => recording.opened(&session.id, task, container).await.map(|()| session),
            Err(fault) => Err(fault.into()),
        };
        recording.end(opened.as_ref().err().map_or("done", word), BTreeMap::new()).await;
        let given_back = give_back(lock).await;
        let OpenSession { id, stream_url, token } = opened?;
        given_back?;
        Ok(Session { endpoint: endpoint(&stream_url), id, stream_url, token, keys })
    }
}

fn address() -> Result<Address, Fault> {
    Address::new(SERVICE).map_err(|error| Fault::invalid("address", error.to_string()))
}

fn id(state: &State, kind: &str) -> Option<String> {
    let record = state.resources.values().find(|record| record.kind == kind)?;
    record.id.as_ref().map(ToString::to_string)
}

fn last_part(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// The task that is named, or the newest: rather one whose agent is up and that no health check of its own finds ill.
fn chosen<'t>(tasks: &'t [RunningTask], named: Option<&str>, service: &str) -> Result<&'t RunningTask, NoSession> {
    let Some(named) = named else {
        let up = |task: &RunningTask| task.containers.iter().any(|container| container.agent.as_deref() == Some(UP));
        let best = tasks.iter().min_by_key(|task| (!up(task), task.unhealthy, Reverse(task.started)));
        return best.ok_or_else(|| NoSession::NoTask { service: service.to_owned() });
    };
    let found = tasks.iter().find(|task| task.id == last_part(named));
    found.ok_or_else(|| match tasks {
        [] => NoSession::NoTask { service: service.to_owned() },
        tasks => NoSession::NoSuchTask {
            service: service.to_owned(),
            task: named.to_owned(),
            running: tasks.iter().map(|task| task.id.clone()).collect(),
        },
    })
}

/// The container of a task that somebody can be let into.
fn enter<'t>(task: &'t RunningTask, named: Option<&str>) -> Result<&'t RunningContainer, NoSession> {
    let container = match (named, task.containers.as_slice()) {
        (None, [only]) => Some(only),
        (None, _) => None,
        (Some(named), containers) => containers.iter().find(|container| container.name == named),
    };
    let container = container.ok_or_else(|| NoSession::NoSuchContainer {
        task: task.id.clone(),
        container: named.map(str::to_owned),
        containers: task.containers.iter().map(|container| container.name.clone()).collect(),
    })?;
    if !task.takes_sessions {
        return Err(NoSession::Before { task: task.id.clone() });
    }
    if container.agent.as_deref() == Some(UP) && container.runtime_id.is_some() {
        return Ok(container);
    }
    Err(NoSession::NoAgent {
        task: task.id.clone(),
        container: container.name.clone(),
        status: container.agent.clone().unwrap_or_else(|| "missing".to_owned()),
        reason: container.reason.clone(),
    })
}

/// Where Systems Manager answers: beside where the stream is, in whichever partition. Nothing where that has another name.
fn endpoint(stream_url: &str) -> String {
    let host = stream_url.strip_prefix("wss://ssmmessages.").and_then(|rest| rest.split('/').next());
    host.map(|host| format!("https://ssm.{host}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn task(id: &str, started: i64, agent: &str) -> RunningTask {
        let container = RunningContainer {
            name: "api".into(),
            runtime_id: Some(format!("{id}-1")),
            agent: Some(agent.into()),
            reason: None,
        };
        RunningTask {
            id: id.into(),
            started: Timestamp::from_second(started).ok(),
            unhealthy: false,
            takes_sessions: true,
            containers: vec![container],
        }
    }

    #[test]
    fn the_newest_task_is_chosen_that_lets_somebody_in_and_is_well() {
        let ill = RunningTask { unhealthy: true, ..task("ill", 9, UP) };
        let tasks = [task("old", 1, UP), task("new", 3, UP), task("starting", 5, "PENDING"), ill];
        assert_eq!(chosen(&tasks, None, "api").unwrap().id, "new");
        assert_eq!(chosen(&tasks, Some("old"), "api").unwrap().id, "old");
        let arn = "arn:aws:ecs:us-east-1:123456789012:task/acme-rcm-prod-cluster/starting";
        assert_eq!(chosen(&tasks, Some(arn), "api").unwrap().id, "starting");
        let Err(NoSession::NoSuchTask { running, .. }) = chosen(&tasks, Some("gone"), "api") else { panic!() };
        assert_eq!(running, ["old", "new", "starting", "ill"]);
        assert!(matches!(chosen(&[], Some("gone"), "api"), Err(NoSession::NoTask { .. })));
    }

    #[test]
    fn who_cannot_enter_is_told_why() {
        assert_eq!(enter(&task("a", 1, UP), None).unwrap().name, "api");
        assert_eq!(enter(&task("a", 1, UP), Some("api")).unwrap().name, "api");
        let why = |task: &RunningTask, container| enter(task, container).unwrap_err().to_string();
        assert_eq!(why(&task("a", 1, UP), Some("web")), "the task a has api and no container web");
        let stopped = "the agent that lets people into api of the task a is STOPPED";
        assert_eq!(why(&task("a", 1, "STOPPED"), None), stopped);
        let before = RunningTask { takes_sessions: false, ..task("a", 1, "STOPPED") };
        assert_eq!(why(&before, None), "the task a was started when the service let nobody in");
        let mut two = task("a", 1, UP);
        two.containers.push(RunningContainer { name: "side".into(), ..two.containers[0].clone() });
        assert_eq!(why(&two, None), "the task a has api, side");
    }

    #[test]
    fn systems_manager_is_asked_in_the_partition_of_the_stream() {
        let stream = |host: &str| {
            format!("wss://ssmmessages.{host}/v1/data-channel/ecs-execute-command-0?role=publish_subscribe")
        };
        assert_eq!(endpoint(&stream("us-gov-west-1.amazonaws.com")), "https://ssm.us-gov-west-1.amazonaws.com");
        assert_eq!(endpoint("wss://elsewhere.example.com/v1"), "");
    }
}
