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
            let running = service.deployments.iter().flat_map(|its| running(cx, cluster, service, its));
            running.chain(stopped)
        });
        tasks.collect()
    }
}

/// The tasks of a deployment. Their ids follow from it and from their numbers there; one that was stopped does not come back.
fn running(cx: &Context, cluster: &str, service: &Service, deployment: &Deployment) -> Vec<Value> {
    let arns = (0..).map(|number| {
        let name = format!("{}#{number}", deployment.id);
        let id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes()).simple();
        format!("arn:aws:ecs:{}:{}:task/{cluster}/{id}", cx.region, cx.account)
    });
    let runs = |arn: &String| service.stopped.iter().all(|stopped| stopped["taskArn"] != arn.as_str());
    let count = usize::try_from(deployment.running).unwrap_or_default();
    let tasks = arns.filter(runs).take(count).map(|arn| {
        json!({
            "taskArn": arn,
            "clusterArn": cluster_arn(cx, cluster),
            "taskDefinitionArn": deployment.task_definition,
            "group": format!("service:{}", service.name),
            "startedBy": deployment.id,
            "launchType": service.given.get("launchType"),
            "desiredStatus": "RUNNING",
            "lastStatus": "RUNNING",
        })
    });
    tasks.collect()
}

/// Whether it is the task of that ARN or id.
fn is(task: &Value, name: &str) -> bool {
    task["taskArn"].as_str().map(last_part) == Some(last_part(name))
}
