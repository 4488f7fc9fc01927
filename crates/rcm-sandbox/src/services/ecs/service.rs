//! Services.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::cluster::cluster_arn;
use super::deployment::Deployment;
use super::task_definition::Status as DefinitionStatus;
use super::{Ecs, fill_members, includes, kept, last_part, page, tag_list};
use crate::countdown::Countdown;
use crate::json::{Answer, Input};
use crate::neighbours;
use crate::service::{Context, Hold, Tags};
use crate::time;
use crate::wire::Fault;

const INVALID: &str = "InvalidParameterException";

/// Members of a request that are not part of the service's own description.
const NOT_KEPT: [&str; 8] = [
    "cluster",
    "service",
    "serviceName",
    "taskDefinition",
    "desiredCount",
    "clientToken",
    "tags",
    "forceNewDeployment",
];

/// Members whose change AWS rolls out by new tasks.
const ROLLED_OUT: [&str; 7] = [
    "networkConfiguration",
    "platformVersion",
    "capacityProviderStrategy",
    "loadBalancers",
    "serviceRegistries",
    "serviceConnectConfiguration",
    "volumeConfigurations",
];

#[derive(Serialize, Deserialize)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) cluster: String,
    arn: String,
    status: Status,
    created: f64,
    task_definition: String,
    desired: i64,
    client_token: Option<String>,
    /// The request that made it, to tell a repetition from another one.
    request: Map<String, Value>,
    /// What the caller set, with AWS's defaults.
    pub(super) given: Map<String, Value>,
    /// Newest first.
    pub(super) deployments: Vec<Deployment>,
    /// Newest first.
    events: Vec<Event>,
    /// The tasks that somebody has stopped, as they are described.
    #[serde(default)]
    pub(super) stopped: Vec<Value>,
    pub(super) tags: Tags,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status")]
enum Status {
    Active,
    Draining { countdown: Countdown },
    Inactive,
}

#[derive(Serialize, Deserialize)]
struct Event {
    id: String,
    at: f64,
    message: String,
}

/// Refuses target groups that are not there, or that no listener forwards to.
pub(super) async fn check_target_groups(cx: &Context, input: &Input) -> Result<(), Fault> {
    for balancer in input.objects("loadBalancers") {
        let Some(arn) = balancer.get("targetGroupArn").and_then(Value::as_str) else { continue };
        let Some(users) = neighbours::load_balancers_of(cx, arn).await else {
            let message = "Unable to assume role and validate the specified targetGroupArn. Please verify that the ECS service role being passed has the proper permissions.";
            return Err(Fault::new(INVALID, message));
        };
        if users.is_empty() {
            let message =
                format!("The target group with targetGroupArn {arn} does not have an associated load balancer.");
            return Err(Fault::new(INVALID, message));
        }
    }
    Ok(())
}

impl Ecs {
    pub(super) fn create_service(&mut self, cx: &Context, input: &Input) -> Answer {
        let cluster = self.cluster(input)?.name.clone();
        let name = input.need("serviceName")?.to_owned();
        let key = format!("{cluster}/{name}");
        if let Some(existing) = self.services.get_mut(&key) {
            existing.advance();
            match existing.status {
                Status::Inactive => {}
                Status::Draining { .. } => {
                    return Err(Fault::new(INVALID, "Unable to Start a service that is still Draining."));
                }
                Status::Active if existing.is_made_by(input) => {
                    return Ok(json!({"service": existing.shown(cx, true)}));
                }
                Status::Active => return Err(Fault::new(INVALID, "Creation of service was not idempotent.")),
            }
        }
        let task_definition = self.check_task_definition(cx, input.need("taskDefinition")?, input)?;
        self.check_capacity(input)?;
        let desired = input.number("desiredCount").unwrap_or(0);
        let given = with_defaults(input);
        let service = Service {
            arn: format!("arn:aws:ecs:{}:{}:service/{key}", cx.region, cx.account),
            status: Status::Active,
            created: time::now(),
            deployments: vec![Deployment::new(cx, &task_definition, desired, &given)],
            task_definition,
            desired,
            client_token: input.string("clientToken"),
            request: input.0.clone(),
            given,
            events: Vec::new(),
            stopped: Vec::new(),
            tags: input.tags("tags", "key", "value"),
            cluster,
            name,
        };
        let shown = service.shown(cx, true);
        self.services.insert(key, service);
        Ok(json!({"service": shown}))
    }

    /// The full ARN of an active task definition that fits the rest of the request.
    fn check_task_definition(&mut self, cx: &Context, name: &str, input: &Input) -> Result<String, Fault> {
        let definition = self.task_definition(name);
        let definition = definition.ok_or_else(|| Fault::new("ClientException", "TaskDefinition not found."))?;
        if definition.status != DefinitionStatus::Active {
            return Err(Fault::new("ClientException", "TaskDefinition is inactive"));
        }
        let awsvpc = definition.given.get("networkMode").is_some_and(|mode| mode == "awsvpc");
        let creating = input.text("serviceName").is_some();
        if creating && awsvpc && input.value("networkConfiguration").is_none() {
            let message = "Network Configuration must be provided when networkMode 'awsvpc' is specified.";
            return Err(Fault::new(INVALID, message));
        }
        for balancer in input.objects("loadBalancers") {
            let name = balancer.get("containerName").and_then(Value::as_str).unwrap_or_default();
            let port = balancer.get("containerPort");
            let Some(container) = definition.container(name) else {
                let message = format!("The container {name} does not exist in the task definition.");
                return Err(Fault::new(INVALID, message));
            };
            let ports = container["portMappings"].as_array().map(Vec::as_slice).unwrap_or_default();
            if !ports.iter().any(|mapping| mapping.get("containerPort") == port) {
                let port = port.cloned().unwrap_or_default();
                let message = format!("The container {name} did not have a container port {port} defined.");
                return Err(Fault::new(INVALID, message));
            }
        }
        Ok(definition.arn(cx))
    }

    /// A strategy stands instead of a launch type, names providers of the cluster, and gives tasks to one of them.
    fn check_capacity(&mut self, input: &Input) -> Result<(), Fault> {
        let strategy = input.objects("capacityProviderStrategy");
        if strategy.is_empty() {
            return Ok(());
        }
        if input.text("launchType").is_some() {
            let message = "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.";
            return Err(Fault::new(INVALID, message));
        }
        let of_cluster = self.cluster(input)?.providers();
        let number = |item: &Value, member: &str| item.get(member).and_then(Value::as_i64).unwrap_or(0);
        for item in strategy {
            let name = item.get("capacityProvider").and_then(Value::as_str).unwrap_or_default();
            if !of_cluster.iter().any(|provider| provider == name) {
                let message = format!("The specified capacity provider '{name}' was not found.");
                return Err(Fault::new(INVALID, message));
            }
        }
        if strategy.iter().filter(|item| number(item, "base") > 0).count() > 1 {
            return Err(Fault::new(INVALID, "Only one capacity provider in a strategy can have a base defined."));
        }
        if strategy.iter().all(|item| number(item, "weight") == 0) {
            return Err(Fault::new(
                INVALID,
                "At least one capacity provider in a strategy must have a weight above 0.",
            ));
        }
        Ok(())
    }

    /// The service that an operation names by name or ARN.
    fn service(&mut self, input: &Input) -> Result<&mut Service, Fault> {
        let cluster = self.cluster(input)?.name.clone();
        let key = format!("{cluster}/{}", last_part(input.need("service")?));
        let found = self.services.get_mut(&key).filter(|service| !service.is_inactive());
        found.ok_or_else(|| Fault::new("ServiceNotFoundException", "Service not found."))
    }

    pub(super) fn describe_services(&mut self, cx: &Context, input: &Input) -> Answer {
        let cluster = self.cluster(input)?.name.clone();
        let names = input.texts("services");
        if names.is_empty() {
            return Err(Fault::new(INVALID, "Services cannot be empty."));
        }
        if names.len() > 10 {
            return Err(Fault::new(INVALID, "Services cannot have more than 10 elements."));
        }
        let tags = includes(input, "TAGS");
        let (mut found, mut failures) = (Vec::new(), Vec::new());
        for name in names.iter().map(|name| last_part(name)) {
            let key = format!("{cluster}/{name}");
            match self.services.get_mut(&key) {
                Some(service) => {
                    service.advance();
                    found.push(service.shown(cx, tags));
                }
                None => {
                    let arn = format!("arn:aws:ecs:{}:{}:service/{key}", cx.region, cx.account);
                    failures.push(json!({"arn": arn, "reason": "MISSING"}));
                }
            }
        }
        Ok(json!({"services": found, "failures": failures}))
    }

    pub(super) fn update_service(&mut self, cx: &Context, input: &Input) -> Answer {
        if self.service(input)?.status != Status::Active {
            return Err(Fault::new("ServiceNotActiveException", "Service was not ACTIVE."));
        }
        let named = input.string("taskDefinition").unwrap_or_else(|| match self.service(input) {
            Ok(service) => service.task_definition.clone(),
            Err(_) => String::new(),
        });
        // A deregistered definition may go on being used, but not be chosen anew.
        let task_definition = match input.text("taskDefinition") {
            Some(_) => self.check_task_definition(cx, &named, input)?,
            None => named,
        };
        self.check_capacity(input)?;
        let service = self.service(input)?;
        let strategy = input.value("capacityProviderStrategy");
        if strategy.is_some_and(|wanted| service.given.get("capacityProviderStrategy") != Some(wanted))
            && !input.flag("forceNewDeployment").unwrap_or(false)
        {
            let message = "When switching from launch type to capacity provider strategy on an existing service, or making a change to a capacity provider strategy on a service that is already using one, you must force a new deployment.";
            return Err(Fault::new(INVALID, message));
        }
        service.update(cx, task_definition, input);
        Ok(json!({"service": service.shown(cx, true)}))
    }

    pub(super) fn delete_service(&mut self, cx: &Context, input: &Input) -> Answer {
        let force = input.flag("force").unwrap_or(false);
        let service = self.service(input)?;
        if service.status == Status::Active {
            if service.desired > 0 && !force {
                return Err(Fault::new(INVALID, "The service cannot be stopped while it is scaled above 0."));
            }
            if service.deployments.len() > 1 && !force {
                return Err(Fault::new(INVALID, "The service cannot be stopped while deployments are active."));
            }
            service.desired = 0;
            service.status = Status::Draining { countdown: Countdown::new(cx.polls()) };
        }
        Ok(json!({"service": service.shown(cx, true)}))
    }

    pub(super) fn list_services(&mut self, input: &Input) -> Answer {
        let cluster = self.cluster(input)?.name.clone();
        let launch_type = input.text("launchType");
        let wanted = self.services.values().filter(|service| {
            let launched_so = launch_type.is_none_or(|it| service.given.get("launchType").is_some_and(|own| own == it));
            service.cluster == cluster && !service.is_inactive() && launched_so
        });
        let arns = wanted.map(|service| service.arn.clone()).collect();
        Ok(page(input, "serviceArns", arns, 10))
    }
}

impl Service {
    pub(super) fn is_active(&self) -> bool {
        self.status == Status::Active
    }

    pub(super) fn is_inactive(&self) -> bool {
        self.status == Status::Inactive
    }

    /// The capacity providers of its strategy.
    pub(super) fn providers(&self) -> Vec<String> {
        let strategy = self.given.get("capacityProviderStrategy").and_then(Value::as_array);
        let names = strategy.into_iter().flatten().filter_map(|item| item["capacityProvider"].as_str());
        names.map(str::to_owned).collect()
    }

    pub(super) fn running(&self) -> i64 {
        self.deployments.iter().map(|deployment| deployment.running).sum()
    }

    pub(super) fn pending(&self) -> i64 {
        self.deployments.iter().map(Deployment::pending).sum()
    }

    fn is_made_by(&self, input: &Input) -> bool {
        self.client_token.is_some() && self.request == input.0
    }

    fn update(&mut self, cx: &Context, task_definition: String, input: &Input) {
        let before = self.given.clone();
        fill_changes(&mut self.given, kept(input, &NOT_KEPT));
        if self.given.contains_key("capacityProviderStrategy") {
            self.given.remove("launchType");
        }
        if let Some(desired) = input.number("desiredCount") {
            self.desired = desired;
        }
        let changed = ROLLED_OUT.iter().any(|member| before.get(*member) != self.given.get(*member));
        let forced = input.flag("forceNewDeployment").unwrap_or(false);
        if changed || forced || task_definition != self.task_definition {
            self.deployments.insert(0, Deployment::new(cx, &task_definition, self.desired, &self.given));
            self.task_definition = task_definition;
        } else if let Some(primary) = self.deployments.first_mut().filter(|primary| primary.desired != self.desired) {
            primary.scale(cx, self.desired);
        }
    }

    /// One poll.
    pub(super) fn advance(&mut self) {
        match &mut self.status {
            Status::Inactive => {}
            Status::Draining { countdown } => {
                if countdown.poll() {
                    self.status = Status::Inactive;
                    self.deployments.clear();
                }
            }
            Status::Active => self.advance_deployment(),
        }
    }

    fn advance_deployment(&mut self) {
        let Some(primary) = self.deployments.first_mut() else { return };
        let first_time = !primary.completed;
        if !primary.advance() {
            return;
        }
        let id = primary.id.clone();
        self.deployments.truncate(1);
        let name = self.name.clone();
        if first_time {
            self.tell(format!("(service {name}) (deployment {id}) deployment completed."));
        }
        self.tell(format!("(service {name}) has reached a steady state."));
    }

    fn tell(&mut self, message: String) {
        let event = Event { id: uuid::Uuid::new_v4().to_string(), at: time::now(), message };
        self.events.insert(0, event);
        self.events.truncate(100);
    }

    /// All that is on its way is there: tasks run, or have stopped.
    pub(super) fn arrive(&mut self) {
        if let Status::Draining { countdown } = &mut self.status {
            *countdown = Countdown::default();
        }
        self.deployments.iter_mut().for_each(Deployment::arrive);
        self.advance();
    }

    /// What its tasks hold by their network interfaces. A service that is to have no tasks any more takes the question as a
    /// poll: whoever only repeats the deletion of a subnet gets through.
    pub(super) fn polled_holds(&mut self) -> Vec<Hold> {
        if self.desired == 0 {
            self.advance();
        }
        if !self.deployments.iter().any(Deployment::has_tasks) {
            return Vec::new();
        }
        let network = self.given.get("networkConfiguration").and_then(|network| network.get("awsvpcConfiguration"));
        let ids =
            |member: &str| network.and_then(|it| it.get(member)?.as_array()).map(Vec::as_slice).unwrap_or_default();
        let held = ids("subnets").iter().chain(ids("securityGroups")).filter_map(Value::as_str);
        held.map(|resource| Hold { holder: self.arn.clone(), resource: resource.to_owned() }).collect()
    }

    fn shown(&self, cx: &Context, with_tags: bool) -> Value {
        let mut shown = self.given.clone();
        let status = match self.status {
            Status::Active => "ACTIVE",
            Status::Draining { .. } => "DRAINING",
            Status::Inactive => "INACTIVE",
        };
        let deployments = self.deployments.iter().enumerate();
        let events = self.events.iter();
        let state = json!({
            "serviceArn": self.arn,
            "serviceName": self.name,
            "clusterArn": cluster_arn(cx, &self.cluster),
            "status": status,
            "desiredCount": self.desired,
            "runningCount": self.running(),
            "pendingCount": if self.is_active() { self.pending() } else { 0 },
            "taskDefinition": self.task_definition,
            "createdAt": self.created,
            "createdBy": format!("arn:aws:iam::{}:root", cx.account),
            "roleArn": format!(
                "arn:aws:iam::{}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS",
                cx.account
            ),
            "deployments": deployments.map(|(place, it)| it.shown(&self.given, place == 0)).collect::<Vec<_>>(),
            "events": events
                .map(|event| json!({"id": event.id, "createdAt": event.at, "message": event.message}))
                .collect::<Vec<_>>(),
        });
        if let Value::Object(state) = state {
            shown.extend(state);
        }
        if with_tags {
            shown.insert("tags".into(), tag_list(&self.tags));
        }
        Value::Object(shown)
    }
}

/// Lays changes over what there is; of `deploymentConfiguration` members may be given singly.
fn fill_changes(given: &mut Map<String, Value>, mut changes: Map<String, Value>) {
    if let (Some(Value::Object(changed)), Some(Value::Object(before))) =
        (changes.get_mut("deploymentConfiguration"), given.get("deploymentConfiguration"))
    {
        fill_members(changed, before.clone());
    }
    if let Some(network) = changes.get_mut("networkConfiguration") {
        super::fill(network, json!({"awsvpcConfiguration": {"assignPublicIp": "DISABLED"}}));
    }
    given.extend(changes);
}

fn with_defaults(input: &Input) -> Map<String, Value> {
    let mut given = kept(input, &NOT_KEPT);
    let mut defaults = json!({
        "loadBalancers": [],
        "serviceRegistries": [],
        "placementConstraints": [],
        "placementStrategy": [],
        "schedulingStrategy": "REPLICA",
        "deploymentController": {"type": "ECS"},
        "propagateTags": "NONE",
        "enableECSManagedTags": false,
        "enableExecuteCommand": false,
        "availabilityZoneRebalancing": "ENABLED",
        "deploymentConfiguration": {
            "deploymentCircuitBreaker": {"enable": false, "rollback": false},
            "maximumPercent": 200,
            "minimumHealthyPercent": 100,
            "strategy": "ROLLING",
            "bakeTimeInMinutes": 0,
        },
    });
    let by_strategy = given.contains_key("capacityProviderStrategy");
    if !by_strategy && !given.contains_key("launchType") {
        defaults["launchType"] = json!("EC2");
    }
    if by_strategy || given.get("launchType").is_some_and(|it| it == "FARGATE") {
        defaults["platformVersion"] = json!("LATEST");
        defaults["platformFamily"] = json!("Linux");
    }
    if !input.objects("loadBalancers").is_empty() {
        defaults["healthCheckGracePeriodSeconds"] = json!(0);
    }
    if given.contains_key("networkConfiguration") {
        defaults["networkConfiguration"] =
            json!({"awsvpcConfiguration": {"assignPublicIp": "DISABLED", "securityGroups": []}});
    }
    if let Value::Object(defaults) = defaults {
        fill_members(&mut given, defaults);
    }
    given
}
