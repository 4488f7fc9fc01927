//! The tasks that services keep running, as far as lists and descriptions go.

use serde_json::{Value, json};

use super::cluster::cluster_arn;
use super::{Ecs, cluster_name, last_part, page};
use crate::json::{Answer, Input};
use crate::service::Context;

impl Ecs {
    pub(super) fn list_tasks(&mut self, cx: &Context, input: &Input) -> Answer {
        self.cluster(input)?;
        let service = input.text("serviceName").map(last_part);
        let family = input.text("family");
        let stopped = input.text("desiredStatus") == Some("STOPPED");
        let tasks = self.tasks(cx, cluster_name(input)).into_iter().filter(|task| {
            !stopped
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
            let is_it = |task: &&Value| task["taskArn"].as_str().map(last_part) == Some(last_part(&name));
            match tasks.iter().find(is_it) {
                Some(task) => found.push(task.clone()),
                None => failures.push(json!({"arn": name, "reason": "MISSING"})),
            }
        }
        Ok(json!({"tasks": found, "failures": failures}))
    }

    /// Every running task of a cluster. Its id follows from its deployment and its number there.
    fn tasks(&self, cx: &Context, cluster: &str) -> Vec<Value> {
        let services = self.services.values().filter(|service| service.cluster == cluster);
        let tasks = services.flat_map(|service| {
            service.deployments.iter().flat_map(move |deployment| {
                (0..deployment.running).map(move |number| {
                    let name = format!("{}#{number}", deployment.id);
                    let id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes()).simple();
                    json!({
                        "taskArn": format!("arn:aws:ecs:{}:{}:task/{cluster}/{id}", cx.region, cx.account),
                        "clusterArn": cluster_arn(cx, cluster),
                        "taskDefinitionArn": deployment.task_definition,
                        "group": format!("service:{}", service.name),
                        "startedBy": deployment.id,
                        "launchType": service.given.get("launchType"),
                        "desiredStatus": "RUNNING",
                        "lastStatus": "RUNNING",
                    })
                })
            })
        });
        tasks.collect()
    }
}
