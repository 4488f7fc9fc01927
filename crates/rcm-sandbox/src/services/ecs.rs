//! ECS: clusters, task definitions, services and the tasks that services keep running. No containers run.
//!
//! | What | As on AWS |
//! |---|---|
//! | service-linked role | no cluster and no service is made without it |
//! | clusters | stay while they have services, and as `INACTIVE` afterwards |
//! | task definitions | revisions; only sizes that Fargate sells, and roles that exist |
//! | capacity providers | Fargate's two; a service's strategy names only what its cluster has, and changes only with a forced deployment |
//! | services | a target group must have a load balancer; none goes with tasks or under a deployment; `DRAINING` for some polls, then `INACTIVE`, and only then is the name free |
//! | deployments | `IN_PROGRESS` for some polls, then `COMPLETED`, with an event |
//! | tasks | as many as are running; one that is stopped is replaced, and described for an hour; their network interfaces hold subnets and security groups until the service is `INACTIVE` |
//! | sessions | open only in tasks that were started to take them and whose agent runs, which it does only where it can write; nobody is at the other end |
//!
//! A request is kept as it came, with AWS's defaults around it, so that no field is missing because nobody thought of it here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::emulator::{Emulated, Emulator};
use crate::json::{self, Answer, Input, without_nulls};
use crate::service::{ApiRequest, ApiResponse, Context, Hold, Tags};
use crate::wire::Fault;

mod cluster;
mod deployment;
mod service;
mod task_definition;
mod tasks;

use cluster::Cluster;
use service::Service;
use task_definition::TaskDefinition;

/// Everything ECS holds for the account.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Ecs {
    /// By name; deleted ones stay as `INACTIVE`.
    clusters: BTreeMap<String, Cluster>,
    /// By family; position + 1 is the revision.
    families: BTreeMap<String, Vec<TaskDefinition>>,
    /// By `cluster/name`; deleted ones stay as `INACTIVE`.
    services: BTreeMap<String, Service>,
}

impl Emulated for Ecs {
    const NAME: &'static str = "ecs";

    async fn answer(emulator: &Emulator<Self>, cx: &Context, request: &ApiRequest) -> ApiResponse {
        json::reply(operation(emulator, cx, request).await)
    }

    fn holds(&mut self) -> Vec<Hold> {
        self.services.values_mut().flat_map(Service::polled_holds).collect()
    }

    fn arrive(&mut self) {
        self.services.values_mut().for_each(Service::arrive);
    }
}

async fn operation(emulator: &Emulator<Ecs>, cx: &Context, request: &ApiRequest) -> Answer {
    let (operation, input) = Input::of(request)?;
    if let "CreateCluster" | "CreateService" = operation.as_str() {
        cluster::check_role(cx).await?;
    }
    match operation.as_str() {
        "CreateService" | "UpdateService" => service::check_target_groups(cx, &input).await?,
        "RegisterTaskDefinition" => task_definition::check_roles(cx, &input).await?,
        _ => {}
    }
    emulator.lock().operate(cx, &operation, &input)
}

impl Ecs {
    fn operate(&mut self, cx: &Context, operation: &str, input: &Input) -> Answer {
        match operation {
            "CreateCluster" => self.create_cluster(cx, input),
            "DescribeClusters" => Ok(self.describe_clusters(cx, input)),
            "ListClusters" => Ok(self.list_clusters(cx)),
            "UpdateCluster" | "UpdateClusterSettings" => self.update_cluster(cx, input),
            "PutClusterCapacityProviders" => self.put_capacity_providers(cx, input),
            "DeleteCluster" => self.delete_cluster(cx, input),
            "RegisterTaskDefinition" => self.register_task_definition(cx, input),
            "DescribeTaskDefinition" => self.describe_task_definition(cx, input),
            "DeregisterTaskDefinition" => self.deregister_task_definition(cx, input),
            "DeleteTaskDefinitions" => Ok(self.delete_task_definitions(cx, input)),
            "ListTaskDefinitions" => Ok(self.list_task_definitions(cx, input)),
            "ListTaskDefinitionFamilies" => Ok(self.list_families(input)),
            "CreateService" => self.create_service(cx, input),
            "DescribeServices" => self.describe_services(cx, input),
            "UpdateService" => self.update_service(cx, input),
            "DeleteService" => self.delete_service(cx, input),
            "ListServices" => self.list_services(input),
            "ListTasks" => self.list_tasks(cx, input),
            "DescribeTasks" => self.describe_tasks(cx, input),
            "StopTask" => self.stop_task(cx, input),
            "ExecuteCommand" => self.execute_command(cx, input),
            "TagResource" => {
                let tags = input.tags("tags", "key", "value");
                self.tags_of(input)?.extend(tags);
                Ok(json!({}))
            }
            "UntagResource" => {
                let gone = input.texts("tagKeys");
                self.tags_of(input)?.retain(|key, _| !gone.contains(key));
                Ok(json!({}))
            }
            "ListTagsForResource" => Ok(json!({"tags": tag_list(self.tags_of(input)?)})),
            other => json::unknown_operation(other),
        }
    }

    /// The tags of whatever `resourceArn` names.
    fn tags_of(&mut self, input: &Input) -> Result<&mut Tags, Fault> {
        let arn = input.need("resourceArn")?;
        let path = arn.splitn(6, ':').nth(5).unwrap_or_default();
        let tags = match path.split_once('/') {
            Some(("cluster", name)) => self.clusters.get_mut(name).map(|cluster| &mut cluster.tags),
            Some(("service", key)) => self.services.get_mut(key).map(|service| &mut service.tags),
            Some(("task-definition", _)) => self.task_definition(arn).map(|definition| &mut definition.tags),
            _ => None,
        };
        let message = format!("The specified resource {arn} is not found.");
        tags.ok_or_else(|| Fault::new("InvalidParameterException", message))
    }
}

fn tag_list(tags: &Tags) -> Value {
    json::tag_list(tags, "key", "value")
}

/// Whether the caller asked for what is left out by default, `TAGS` for one.
fn includes(input: &Input, what: &str) -> bool {
    input.texts("include").iter().any(|it| it == what)
}

/// The last part of an ARN's path, or the name itself.
fn last_part(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// A cluster's name as every operation takes it: name, ARN, or nothing for `default`.
fn cluster_name(input: &Input) -> &str {
    last_part(input.text("cluster").unwrap_or("default"))
}

/// The members of a request that are kept as they came.
fn kept(input: &Input, but: &[&str]) -> Map<String, Value> {
    let keep = |(member, value): &(&String, &Value)| !but.contains(&member.as_str()) && !value.is_null();
    input.0.iter().filter(keep).map(|(member, value)| (member.clone(), value.clone())).collect()
}

/// Gives `value` every member of `defaults` that it lacks, at any depth of objects.
fn fill(value: &mut Value, defaults: Value) {
    if let (Value::Object(members), Value::Object(defaults)) = (value, defaults) {
        fill_members(members, defaults);
    }
}

fn fill_members(members: &mut Map<String, Value>, defaults: Map<String, Value>) {
    for (member, default) in defaults {
        match members.get_mut(&member) {
            Some(value) if !value.is_null() => fill(value, default),
            _ => {
                members.insert(member, default);
            }
        }
    }
}

/// One page of a list, in the order given.
fn page(input: &Input, member: &str, items: Vec<String>, default_size: usize) -> Value {
    let size = input.number("maxResults").and_then(|size| usize::try_from(size).ok()).unwrap_or(default_size);
    let (shown, next) = crate::page::page(items, input.text("nextToken"), Some(size.clamp(1, 100)));
    without_nulls(json!({member: shown, "nextToken": next}))
}
