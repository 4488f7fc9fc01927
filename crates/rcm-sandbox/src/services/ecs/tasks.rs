//! The tasks that services keep running, as far as lists and descriptions go, and those that somebody has stopped.

use serde_json::{Value, json};

use super::cluster::cluster_arn;
use super::deployment::Deployment;
use super::service::Service;
use super::{Ecs, cluster_name, last_part, page};
use crate::json::{Answer, Input};
use crate::service::Context;
use crate::time;
use crate::wire::Fault;

const INVALID: &str = "InvalidParameterException";

/// For how many seconds a stopped task is still described:
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-errors.html>.
const REMEMBERED: f64 = 3600.0;

impl Ecs {
    pub(super) fn list_tasks(&mut self, cx: &Context, input: &Input) -> Answer {
        self.cluster(input)?;
        let service = input.text("serviceName").map(last_part);
        let family = input.text("family");
        let wanted = input.text("desiredStatus").unwrap_or("RUNNING");
        let tasks = self.tasks(cx, cluster_name(input)).into_iter().filter(|task| {
            task["desiredStatus"] == wanted
                && service.is_none_or(|name| task["group"] == format!("service:{name}"))
                && family.is_none_or(|family| {
                    let definition = task["taskDefinitionArn"].as_str().map(last_part);
                    definition.and_then(|definition| definition.split_once(':')).is_some_and(|(name, _)| name == family)
                })
        });
        let arns = tasks.filter_map(|task| task["taskArn"].as_str().map(str::to_owned)).collect();
        Ok(page(input, "taskArns", arns, 100))
    }

    pub(super) fn describe_tasks(&mut self, cx: &Context, input: &Input) -> Answer {
        self.cluster(input)?;
        let tasks = self.tasks(cx, cluster_name(input));
        let (mut found, mut failures) = (Vec::new(), Vec::new());
        for name in input.texts("tasks") {
            match tasks.iter().find(|task| is(task, &name)) {
                Some(task) => found.push(task.clone()),
                None => failures.push(json!({"arn": name, "reason": "MISSING"})),
            }
        }
        Ok(json!({"tasks": found, "failures": failures}))
    }

    /// Its service starts another one.
    pub(super) fn stop_task(&mut self, cx: &Context, input: &Input) -> Answer {
        self.cluster(input)?;
        let name = input.need("task")?;
        let Some(mut task) = self.tasks(cx, cluster_name(input)).into_iter().find(|task| is(task, name)) else {
            return Err(Fault::new("InvalidParameterException", "The referenced task was not found."));
        };
        if task["lastStatus"] == "STOPPED" {
            return Ok(json!({"task": task}));
        }
        let containers = task["taskDefinitionArn"].as_str().and_then(|arn| self.task_definition(arn));
        let containers: Vec<Value> = containers.map(|definition| definition.container_names()).unwrap_or_default();
        for (member, value) in [
            ("desiredStatus", json!("STOPPED")),
            ("lastStatus", json!("STOPPED")),
            ("stopCode", json!("UserInitiated")),
            ("stoppedReason", json!(input.text("reason").unwrap_or_default())),
            ("stoppedAt", json!(time::now())),
            ("containers", containers.into_iter().map(|name| json!({"name": name, "lastStatus": "STOPPED"})).collect()),
        ] {
            task[member] = value;
        }
        for service in self.services.values_mut() {
            if service.deployments.iter_mut().any(|its| its.id == task["startedBy"] && its.lose_one(cx)) {
                service.stopped.push(task.clone());
            }
        }
        Ok(json!({"task": task}))
    }

    /// Every task of a cluster that runs or stopped lately.
    fn tasks(&self, cx: &Context, cluster: &str) -> Vec<Value> {
        let services = self.services.values().filter(|service| service.cluster == cluster);
        let tasks = services.flat_map(|service| {
            let lately = |task: &&Value| task["stoppedAt"].as_f64().is_some_and(|at| time::now() - at < REMEMBERED);
            let stopped = service.stopped.iter().filter(lately).cloned();
            let running = service.deployments.iter().flat_map(|its| self.running(cx, cluster, service, its));
            running.chain(stopped)
        });
        tasks.collect()
    }

    /// The tasks of a deployment. Their ids follow from it and from their numbers there; one that was stopped does not come back.
    fn running(&self, cx: &Context, cluster: &str, service: &Service, deployment: &Deployment) -> Vec<Value> {
        let ids = (0..).map(|number| {
            let name = format!("{}#{number}", deployment.id);
            uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes()).simple().to_string()
        });
        let arn = |id: &str| format!("arn:aws:ecs:{}:{}:task/{cluster}/{id}", cx.region, cx.account);
        let runs = |id: &String| service.stopped.iter().all(|stopped| stopped["taskArn"] != arn(id).as_str());
        let count = usize::try_from(deployment.running).unwrap_or_default();
        let tasks = ids.filter(runs).take(count).map(|id| {
            json!({
                "taskArn": arn(&id),
                "clusterArn": cluster_arn(cx, cluster),
                "taskDefinitionArn": deployment.task_definition,
                "group": format!("service:{}", service.name),
                "startedBy": deployment.id,
                "launchType": service.given.get("launchType"),
                "desiredStatus": "RUNNING",
                "lastStatus": "RUNNING",
                "healthStatus": "UNKNOWN",
                "createdAt": deployment.updated,
                "startedAt": deployment.updated,
                "enableExecuteCommand": deployment.takes_sessions,
                "containers": self.containers(&deployment.task_definition, &id, deployment.takes_sessions),
            })
        });
        tasks.collect()
    }

    /// The containers of a task. The agent that takes sessions is a process of theirs, and ends where it cannot write.
    fn containers(&self, definition: &str, task: &str, takes_sessions: bool) -> Vec<Value> {
        let Some((family, revision)) = last_part(definition).split_once(':') else { return Vec::new() };
        let revisions = self.families.get(family).map(Vec::as_slice).unwrap_or_default();
        let definition = revisions.iter().find(|definition| definition.revision.to_string() == revision);
        let containers = definition.and_then(|definition| definition.given.get("containerDefinitions")?.as_array());
        let containers = containers.map(Vec::as_slice).unwrap_or_default();
        let shown = |(number, container): (usize, &Value)| {
            let status = if container["readonlyRootFilesystem"] == true { "STOPPED" } else { "RUNNING" };
            let agent = json!({"name": "ExecuteCommandAgent", "lastStatus": status});
            json!({
                "name": container["name"],
                "lastStatus": "RUNNING",
                "runtimeId": format!("{task}-{number:010}"),
                "managedAgents": if takes_sessions { json!([agent]) } else { json!([]) },
            })
        };
        containers.iter().enumerate().map(shown).collect()
    }

    /// A session whose other end nobody plays: its URL has no address.
    pub(super) fn execute_command(&mut self, cx: &Context, input: &Input) -> Answer {
        self.cluster(input)?;
        if !input.flag("interactive").unwrap_or(false) {
            return Err(Fault::new(INVALID, "Interactive is the only mode supported currently."));
        }
        input.need("command")?;
        let wanted = last_part(input.need("task")?).to_owned();
        let tasks = self.tasks(cx, cluster_name(input));
        let is_it = |task: &&Value| task["taskArn"].as_str().map(last_part) == Some(&wanted);
        let task = tasks.iter().find(is_it).ok_or_else(|| Fault::new(INVALID, "The task provided was not found."))?;
        let containers = task["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
        let container = match (input.text("container"), containers) {
            (None, [only]) => Some(only),
            (name, containers) => containers.iter().find(|container| container["name"].as_str() == name),
        };
        let container = container.ok_or_else(|| Fault::new(INVALID, "The container provided was not found."))?;
        if container["managedAgents"][0]["lastStatus"] != "RUNNING" {
            let message = "The execute command failed because execute command was not enabled when the task was run or the execute command agent isn't running. Wait and try again or run a new task with execute command enabled and try again.";
            return Err(Fault::new(INVALID, message));
        }
        let session = format!("ecs-execute-command-{}", uuid::Uuid::new_v4().simple());
        let host = format!("ssmmessages.{}.sandbox.invalid", cx.region);
        Ok(json!({
            "clusterArn": task["clusterArn"],
            "taskArn": task["taskArn"],
            "containerName": container["name"],
            "interactive": true,
            "session": {
                "sessionId": session,
                "streamUrl": format!("wss://{host}/v1/data-channel/{session}?role=publish_subscribe"),
                "tokenValue": uuid::Uuid::new_v4().simple().to_string(),
            },
        }))
    }
}

/// Whether it is the task of that ARN or id.
fn is(task: &Value, name: &str) -> bool {
    task["taskArn"].as_str().map(last_part) == Some(last_part(name))
}
