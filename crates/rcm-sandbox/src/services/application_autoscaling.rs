//! Application Auto Scaling: what may scale, between which bounds, and by which policies. Nothing is ever scaled.
//!
//! | Operation | As on AWS |
//! |---|---|
//! | `RegisterScalableTarget` | creates or changes; an ECS service must exist |
//! | `DescribeScalableTargets`, `DeregisterScalableTarget` | the latter takes policies and scheduled actions along |
//! | `PutScalingPolicy` | creates or changes; a tracking policy names its two alarms, which no CloudWatch has |
//! | `DescribeScalingPolicies`, `DeleteScalingPolicy` | yes |
//! | `PutScheduledAction`, `DescribeScheduledActions`, `DeleteScheduledAction` | yes |
//! | `TagResource`, `UntagResource`, `ListTagsForResource` | on scalable targets |
//!
//! API: <https://docs.aws.amazon.com/autoscaling/application/APIReference/Welcome.html>.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::arn::{arn, random_hex};
use crate::emulator::{Emulated, Emulator};
use crate::json::{self, input, without_nulls};
use crate::neighbours;
use crate::page::page;
use crate::service::{ApiRequest, ApiResponse, Context, Tags};
use crate::time::now;
use crate::wire::{self, Fault};

/// All scalable targets of the account, and what hangs on them.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct ApplicationAutoScaling {
    targets: Vec<Target>,
    policies: Vec<Policy>,
    actions: Vec<ScheduledAction>,
}

/// What scales: the key of everything here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Scalable {
    namespace: String,
    resource: String,
    dimension: String,
}

#[derive(Serialize, Deserialize)]
struct Target {
    scalable: Scalable,
    arn: String,
    minimum: i64,
    maximum: i64,
    role: String,
    suspended: BTreeMap<String, bool>,
    created: f64,
    tags: Tags,
}

#[derive(Clone, Serialize, Deserialize)]
struct Policy {
    scalable: Scalable,
    name: String,
    arn: String,
    kind: String,
    step: Option<Value>,
    tracking: Option<Value>,
    predictive: Option<Value>,
    alarms: Vec<Value>,
    created: f64,
}

#[derive(Serialize, Deserialize)]
struct ScheduledAction {
    scalable: Scalable,
    name: String,
    arn: String,
    schedule: String,
    timezone: Option<String>,
    start: Option<f64>,
    end: Option<f64>,
    action: Option<Value>,
    created: f64,
}

/// The input of every operation here; each insists on the members it needs.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
struct Input {
    service_namespace: Option<String>,
    resource_id: Option<String>,
    resource_ids: Vec<String>,
    scalable_dimension: Option<String>,
    min_capacity: Option<i64>,
    max_capacity: Option<i64>,
    #[serde(rename = "RoleARN")]
    role_arn: Option<String>,
    suspended_state: BTreeMap<String, bool>,
    policy_name: Option<String>,
    policy_names: Vec<String>,
    policy_type: Option<String>,
    step_scaling_policy_configuration: Option<Value>,
    target_tracking_scaling_policy_configuration: Option<Value>,
    predictive_scaling_policy_configuration: Option<Value>,
    scheduled_action_name: Option<String>,
    scheduled_action_names: Vec<String>,
    schedule: Option<String>,
    timezone: Option<String>,
    start_time: Option<f64>,
    end_time: Option<f64>,
    scalable_target_action: Option<Value>,
    tags: Tags,
    tag_keys: Vec<String>,
    #[serde(rename = "ResourceARN")]
    resource_arn: Option<String>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

impl Emulated for ApplicationAutoScaling {
    const NAME: &'static str = "application-autoscaling";

    async fn answer(emulator: &Emulator<Self>, cx: &Context, request: &ApiRequest) -> ApiResponse {
        json::reply(operation(emulator, cx, request).await)
    }
}

async fn operation(
    emulator: &Emulator<ApplicationAutoScaling>,
    cx: &Context,
    request: &ApiRequest,
) -> Result<Value, Fault> {
    let (operation, body) = wire::json_request(request)?;
    let input: Input = input(body)?;
    if operation == "RegisterScalableTarget" {
        refuse_missing_service(emulator, cx, &Scalable::named(&input)?).await?;
    }
    emulator.lock().operation(cx, &operation, &input)
}

/// A target can be registered only for an ECS service that exists.
async fn refuse_missing_service(
    emulator: &Emulator<ApplicationAutoScaling>,
    cx: &Context,
    scalable: &Scalable,
) -> Result<(), Fault> {
    let mut parts = scalable.resource.split('/');
    let (Some("service"), Some(cluster), Some(service)) = (parts.next(), parts.next(), parts.next()) else {
        return Ok(());
    };
    let registered = emulator.lock().targets.iter().any(|target| target.scalable == *scalable);
    if registered || neighbours::ecs_service_exists(cx, cluster, service).await {
        return Ok(());
    }
    Err(invalid(format!("ECS service doesn't exist: {}", scalable.resource)))
}

impl Scalable {
    fn named(input: &Input) -> Result<Scalable, Fault> {
        let scalable = Scalable {
            namespace: need(&input.service_namespace, "ServiceNamespace")?,
            resource: need(&input.resource_id, "ResourceId")?,
            dimension: need(&input.scalable_dimension, "ScalableDimension")?,
        };
        if !scalable.dimension.starts_with(&format!("{}:", scalable.namespace)) {
            return Err(invalid("Unsupported service namespace, resource type or scalable dimension"));
        }
        let shape = scalable.resource.split('/').collect::<Vec<_>>();
        if scalable.namespace == "ecs"
            && !matches!(shape[..], ["service", cluster, name] if !cluster.is_empty() && !name.is_empty())
        {
            return Err(invalid("Invalid service resource ID. Specify it as service/CLUSTER/SERVICE."));
        }
        Ok(scalable)
    }

    /// The refusal when nothing of that kind hangs on this.
    fn missing(&self, what: &str) -> Fault {
        let Scalable { namespace, resource, dimension } = self;
        let message = format!(
            "No {what} found for service namespace: {namespace}, resource ID: {resource}, scalable dimension: {dimension}"
        );
        Fault::new("ObjectNotFoundException", message)
    }

    /// The tail of the ARNs of what hangs on this.
    fn path(&self) -> String {
        format!("resource/{}/{}", self.namespace, self.resource)
    }

    /// Whether the filters of a describe operation let this pass.
    fn passes(&self, input: &Input) -> bool {
        let fits = |wanted: &Option<String>, own: &str| wanted.as_deref().is_none_or(|wanted| wanted == own);
        fits(&input.service_namespace, &self.namespace)
            && fits(&input.resource_id, &self.resource)
            && fits(&input.scalable_dimension, &self.dimension)
            && (input.resource_ids.is_empty() || input.resource_ids.contains(&self.resource))
    }
}

impl ApplicationAutoScaling {
    fn operation(&mut self, cx: &Context, operation: &str, input: &Input) -> Result<Value, Fault> {
        match operation {
            "RegisterScalableTarget" => self.register(cx, input),
            "DescribeScalableTargets" => self.describe_targets(input),
            "DeregisterScalableTarget" => self.deregister(input),
            "PutScalingPolicy" => self.put_policy(cx, input),
            "DescribeScalingPolicies" => self.describe_policies(input),
            "DeleteScalingPolicy" => self.delete_policy(input),
            "PutScheduledAction" => self.put_action(cx, input),
            "DescribeScheduledActions" => self.describe_actions(input),
            "DeleteScheduledAction" => self.delete_action(input),
            "TagResource" => self.tag(input),
            "UntagResource" => self.untag(input),
            "ListTagsForResource" => Ok(json!({"Tags": self.tagged(input)?.tags})),
            other => {
                let message = format!("the sandbox does not play application-autoscaling:{other}");
                Err(Fault::new("UnknownOperationException", message))
            }
        }
    }

    fn target(&self, scalable: &Scalable) -> Result<&Target, Fault> {
        let found = self.targets.iter().find(|target| target.scalable == *scalable);
        found.ok_or_else(|| scalable.missing("scalable target"))
    }

    fn register(&mut self, cx: &Context, input: &Input) -> Result<Value, Fault> {
        let scalable = Scalable::named(input)?;
        let known = self.targets.iter().position(|target| target.scalable == scalable);
        let old = known.map(|index| &self.targets[index]);
        let bound = |given: Option<i64>, old: Option<i64>, member: &str| {
            given.or(old).ok_or_else(|| invalid(format!("{member} is required to register a new scalable target.")))
        };
        let minimum = bound(input.min_capacity, old.map(|old| old.minimum), "MinCapacity")?;
        let maximum = bound(input.max_capacity, old.map(|old| old.maximum), "MaxCapacity")?;
        if minimum < 0 || minimum > maximum {
            return Err(invalid("Maximum capacity cannot be less than minimum capacity, nor either negative."));
        }
        let index = match known {
            Some(index) => index,
            None => {
                self.targets.push(Target::new(cx, scalable));
                self.targets.len() - 1
            }
        };
        let target = &mut self.targets[index];
        (target.minimum, target.maximum) = (minimum, maximum);
        if let Some(role) = &input.role_arn {
            target.role.clone_from(role);
        }
        target.suspended.extend(input.suspended_state.clone());
        target.tags.extend(input.tags.clone());
        Ok(json!({"ScalableTargetARN": target.arn}))
    }

    fn describe_targets(&self, input: &Input) -> Result<Value, Fault> {
        need(&input.service_namespace, "ServiceNamespace")?;
        let found = self.targets.iter().filter(|target| target.scalable.passes(input));
        Ok(list("ScalableTargets", found.map(Target::shown).collect(), input))
    }

    fn deregister(&mut self, input: &Input) -> Result<Value, Fault> {
        let scalable = Scalable::named(input)?;
        self.target(&scalable)?;
        self.targets.retain(|target| target.scalable != scalable);
        self.policies.retain(|policy| policy.scalable != scalable);
        self.actions.retain(|action| action.scalable != scalable);
        Ok(json!({}))
    }

    fn put_policy(&mut self, cx: &Context, input: &Input) -> Result<Value, Fault> {
        let scalable = Scalable::named(input)?;
        self.target(&scalable)?;
        let name = need(&input.policy_name, "PolicyName")?;
        let known = self.policies.iter().position(|policy| policy.scalable == scalable && policy.name == name);
        let kind = match (input.policy_type.clone(), known) {
            (Some(kind), _) => kind,
            (None, Some(index)) => self.policies[index].kind.clone(),
            (None, None) => "StepScaling".to_owned(),
        };
        let policy = match known {
            Some(index) => self.policies[index].clone(),
            None => Policy::new(cx, scalable, name, &kind),
        };
        let policy = policy.changed(cx, &kind, input)?;
        let answer = json!({"PolicyARN": policy.arn, "Alarms": policy.alarms});
        match known {
            Some(index) => self.policies[index] = policy,
            None => self.policies.push(policy),
        }
        Ok(answer)
    }

    fn describe_policies(&self, input: &Input) -> Result<Value, Fault> {
        need(&input.service_namespace, "ServiceNamespace")?;
        let names = &input.policy_names;
        let wanted =
            |policy: &&Policy| policy.scalable.passes(input) && (names.is_empty() || names.contains(&policy.name));
        Ok(list("ScalingPolicies", self.policies.iter().filter(wanted).map(Policy::shown).collect(), input))
    }

    fn delete_policy(&mut self, input: &Input) -> Result<Value, Fault> {
        let scalable = Scalable::named(input)?;
        let name = need(&input.policy_name, "PolicyName")?;
        let before = self.policies.len();
        self.policies.retain(|policy| policy.scalable != scalable || policy.name != name);
        if self.policies.len() == before { Err(scalable.missing("scaling policy")) } else { Ok(json!({})) }
    }

    fn put_action(&mut self, cx: &Context, input: &Input) -> Result<Value, Fault> {
        let scalable = Scalable::named(input)?;
        self.target(&scalable)?;
        let name = need(&input.scheduled_action_name, "ScheduledActionName")?;
        let known = self.actions.iter().position(|action| action.scalable == scalable && action.name == name);
        let old = known.map(|index| &self.actions[index]);
        let schedule = input.schedule.clone().or_else(|| old.map(|old| old.schedule.clone()));
        if let Some(schedule) = &schedule {
            check_schedule(schedule)?;
        }
        if let Some(action) = &input.scalable_target_action {
            check_bounds(action)?;
        }
        let path = format!("scheduledAction:{}:{}:scheduledActionName/{name}", uuid::Uuid::new_v4(), scalable.path());
        let action = ScheduledAction {
            arn: old.map_or_else(|| arn(cx, "autoscaling", &path), |old| old.arn.clone()),
            schedule: schedule.ok_or_else(|| invalid("Schedule is required for a new scheduled action."))?,
            timezone: input.timezone.clone().or_else(|| old.and_then(|old| old.timezone.clone())),
            // What is not given again is deleted, unlike the rest.
            start: input.start_time,
            end: input.end_time,
            action: input.scalable_target_action.clone().or_else(|| old.and_then(|old| old.action.clone())),
            created: old.map_or_else(now, |old| old.created),
            scalable,
            name,
        };
        match known {
            Some(index) => self.actions[index] = action,
            None => self.actions.push(action),
        }
        Ok(json!({}))
    }

    fn describe_actions(&self, input: &Input) -> Result<Value, Fault> {
        need(&input.service_namespace, "ServiceNamespace")?;
        let names = &input.scheduled_action_names;
        let wanted = |action: &&ScheduledAction| {
            action.scalable.passes(input) && (names.is_empty() || names.contains(&action.name))
        };
        Ok(list("ScheduledActions", self.actions.iter().filter(wanted).map(ScheduledAction::shown).collect(), input))
    }

    fn delete_action(&mut self, input: &Input) -> Result<Value, Fault> {
        let scalable = Scalable::named(input)?;
        let name = need(&input.scheduled_action_name, "ScheduledActionName")?;
        let before = self.actions.len();
        self.actions.retain(|action| action.scalable != scalable || action.name != name);
        if self.actions.len() == before { Err(scalable.missing("scheduled action")) } else { Ok(json!({})) }
    }

    fn tagged(&mut self, input: &Input) -> Result<&mut Target, Fault> {
        let arn = need(&input.resource_arn, "ResourceARN")?;
        let found = self.targets.iter_mut().find(|target| target.arn == arn);
        found.ok_or_else(|| Fault::new("ResourceNotFoundException", format!("The resource {arn} is not found.")))
    }

    fn tag(&mut self, input: &Input) -> Result<Value, Fault> {
        self.tagged(input)?.tags.extend(input.tags.clone());
        Ok(json!({}))
    }

    fn untag(&mut self, input: &Input) -> Result<Value, Fault> {
        self.tagged(input)?.tags.retain(|key, _| !input.tag_keys.contains(key));
        Ok(json!({}))
    }
}

impl Target {
    fn new(cx: &Context, scalable: Scalable) -> Target {
        let service = match scalable.namespace.as_str() {
            "ecs" => "ECSService".to_owned(),
            other => other.to_owned(),
        };
        let role = format!(
            "role/aws-service-role/{}.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_{service}",
            scalable.namespace
        );
        let activities = ["DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended"];
        Target {
            arn: arn(cx, "application-autoscaling", &format!("scalable-target/{}", random_hex(32))),
            minimum: 0,
            maximum: 0,
            role: format!("arn:aws:iam::{}:{role}", cx.account),
            suspended: activities.into_iter().map(|activity| (activity.to_owned(), false)).collect(),
            created: now(),
            tags: Tags::new(),
            scalable,
        }
    }

    fn shown(&self) -> Value {
        json!({
            "ServiceNamespace": self.scalable.namespace,
            "ResourceId": self.scalable.resource,
            "ScalableDimension": self.scalable.dimension,
            "MinCapacity": self.minimum,
            "MaxCapacity": self.maximum,
            "RoleARN": self.role,
            "CreationTime": self.created,
            "SuspendedState": self.suspended,
            "ScalableTargetARN": self.arn,
        })
    }
}

impl Policy {
    fn new(cx: &Context, scalable: Scalable, name: String, kind: &str) -> Policy {
        let path = format!("scalingPolicy:{}:{}:policyName/{name}", uuid::Uuid::new_v4(), scalable.path());
        Policy {
            arn: arn(cx, "autoscaling", &path),
            scalable,
            name,
            kind: kind.to_owned(),
            step: None,
            tracking: None,
            predictive: None,
            alarms: Vec::new(),
            created: now(),
        }
    }

    /// The policy with what the input says.
    fn changed(mut self, cx: &Context, kind: &str, input: &Input) -> Result<Policy, Fault> {
        if kind != self.kind {
            let message = format!("The policy {} is of type {} and cannot change it.", self.name, self.kind);
            return Err(invalid(message));
        }
        let configuration = |given: &Option<Value>| {
            given.clone().ok_or_else(|| invalid(format!("A policy of type {kind} needs its configuration.")))
        };
        match kind {
            "TargetTrackingScaling" => {
                let configuration = configuration(&input.target_tracking_scaling_policy_configuration)?;
                check_tracking(&configuration)?;
                self.alarms = self.tracking_alarms(cx, configuration["DisableScaleIn"] == true);
                self.tracking = Some(configuration);
            }
            "StepScaling" => self.step = Some(configuration(&input.step_scaling_policy_configuration)?),
            "PredictiveScaling" => {
                self.predictive = Some(configuration(&input.predictive_scaling_policy_configuration)?)
            }
            other => return Err(invalid(format!("'{other}' is not a policy type."))),
        }
        Ok(self)
    }

    /// The alarms that AWS makes for a tracking policy: one to scale out, one to scale in.
    fn tracking_alarms(&self, cx: &Context, out_only: bool) -> Vec<Value> {
        let directions: &[&str] = if out_only { &["AlarmHigh"] } else { &["AlarmHigh", "AlarmLow"] };
        let resource = &self.scalable.resource;
        let alarm = |direction: &&str| {
            let name = format!("TargetTracking-{resource}-{direction}-{}", uuid::Uuid::new_v4());
            json!({"AlarmARN": arn(cx, "cloudwatch", &format!("alarm:{name}")), "AlarmName": name})
        };
        directions.iter().map(alarm).collect()
    }

    fn shown(&self) -> Value {
        without_nulls(json!({
            "PolicyARN": self.arn,
            "PolicyName": self.name,
            "ServiceNamespace": self.scalable.namespace,
            "ResourceId": self.scalable.resource,
            "ScalableDimension": self.scalable.dimension,
            "PolicyType": self.kind,
            "StepScalingPolicyConfiguration": self.step,
            "TargetTrackingScalingPolicyConfiguration": self.tracking,
            "PredictiveScalingPolicyConfiguration": self.predictive,
            "Alarms": self.alarms,
            "CreationTime": self.created,
        }))
    }
}

impl ScheduledAction {
    fn shown(&self) -> Value {
        without_nulls(json!({
            "ScheduledActionName": self.name,
            "ScheduledActionARN": self.arn,
            "ServiceNamespace": self.scalable.namespace,
            "Schedule": self.schedule,
            "Timezone": self.timezone,
            "ResourceId": self.scalable.resource,
            "ScalableDimension": self.scalable.dimension,
            "StartTime": self.start,
            "EndTime": self.end,
            "ScalableTargetAction": self.action,
            "CreationTime": self.created,
        }))
    }
}

fn check_tracking(configuration: &Value) -> Result<(), Fault> {
    if configuration["TargetValue"].as_f64().is_none() {
        return Err(invalid("TargetValue is required in a target tracking configuration."));
    }
    let metrics = ["PredefinedMetricSpecification", "CustomizedMetricSpecification"];
    let given = metrics.iter().filter(|metric| configuration.get(**metric).is_some_and(Value::is_object)).count();
    if given != 1 {
        return Err(invalid("A target tracking configuration has either a predefined or a customized metric."));
    }
    let metric = &configuration["PredefinedMetricSpecification"];
    let label = metric["ResourceLabel"].as_str();
    match (
        metric["PredefinedMetricType"] == "ALBRequestCountPerTarget",
        label.map(|label| label.split('/').collect::<Vec<_>>()),
    ) {
        (true, Some(parts)) if matches!(parts[..], ["app", _, _, "targetgroup", _, _]) => Ok(()),
        (true, _) => Err(invalid("The resource label is app/NAME/ID/targetgroup/NAME/ID.")),
        (false, Some(_)) => Err(invalid("A resource label goes with ALBRequestCountPerTarget alone.")),
        (false, None) => Ok(()),
    }
}

fn check_schedule(schedule: &str) -> Result<(), Fault> {
    let known = ["at(", "rate(", "cron("].iter().any(|start| schedule.starts_with(start));
    if known && schedule.ends_with(')') {
        return Ok(());
    }
    Err(invalid(format!("'{schedule}' is not a schedule: at(...), rate(...) or cron(...).")))
}

fn check_bounds(action: &Value) -> Result<(), Fault> {
    let (min, max) = (action["MinCapacity"].as_i64(), action["MaxCapacity"].as_i64());
    match (min, max) {
        (None, None) => Err(invalid("A scheduled action has a minimum or a maximum capacity.")),
        (Some(min), Some(max)) if min > max => Err(invalid("The maximum capacity is below the minimum.")),
        _ => Ok(()),
    }
}

/// One page of the list, by `MaxResults` and `NextToken`.
fn list(member: &str, items: Vec<Value>, input: &Input) -> Value {
    let (items, next) = page(items, input.next_token.as_deref(), Some(input.max_results.unwrap_or(50)));
    without_nulls(json!({member: items, "NextToken": next}))
}

fn need(given: &Option<String>, member: &str) -> Result<String, Fault> {
    given.clone().filter(|text| !text.is_empty()).ok_or_else(|| invalid(format!("{member} must not be empty.")))
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("ValidationException", message)
}
