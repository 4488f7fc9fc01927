//! Task definitions: families and their revisions.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Ecs, fill, fill_members, includes, kept, last_part, page, tag_list};
use crate::json::{Answer, Input};
use crate::neighbours;
use crate::service::{Context, Tags};
use crate::time;
use crate::wire::Fault;

#[derive(Serialize, Deserialize)]
pub(super) struct TaskDefinition {
    pub(super) family: String,
    pub(super) revision: usize,
    pub(super) status: Status,
    registered: f64,
    deregistered: Option<f64>,
    pub(super) tags: Tags,
    /// Everything the caller registered, with AWS's defaults.
    pub(super) given: Map<String, Value>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Status {
    Active,
    Inactive,
    DeleteInProgress,
}

/// Refuses roles that IAM does not know: by name, or by an ARN of this account.
pub(super) async fn check_roles(cx: &Context, input: &Input) -> Result<(), Fault> {
    let ours = format!("arn:aws:iam::{}:role/", cx.account);
    for role in ["executionRoleArn", "taskRoleArn"].iter().filter_map(|member| input.text(member)) {
        let name = role.strip_prefix(&ours).map_or(role, last_part);
        if !neighbours::role_exists(cx, name).await {
            return Err(Fault::new("ClientException", "Role is not valid"));
        }
    }
    Ok(())
}

impl Ecs {
    /// By ARN, `family:revision`, or `family` for its latest active revision.
    pub(super) fn task_definition(&mut self, name: &str) -> Option<&mut TaskDefinition> {
        let (family, revision) = match last_part(name).split_once(':') {
            Some((family, revision)) => (family, Some(revision.parse::<usize>().ok()?)),
            None => (last_part(name), None),
        };
        let mut revisions = self.families.get_mut(family)?.iter_mut().rev();
        match revision {
            Some(revision) => revisions.find(|definition| definition.revision == revision),
            None => revisions.find(|definition| definition.status == Status::Active),
        }
    }

    pub(super) fn register_task_definition(&mut self, cx: &Context, input: &Input) -> Answer {
        let family = input.need("family")?;
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        if family.len() > 255 || !family.chars().all(allowed) {
            return Err(Fault::new("ClientException", "Family contains invalid characters."));
        }
        check(input)?;
        let revisions = self.families.entry(family.to_owned()).or_default();
        let definition = TaskDefinition {
            family: family.to_owned(),
            revision: revisions.len() + 1,
            status: Status::Active,
            registered: time::now(),
            deregistered: None,
            tags: input.tags("tags", "key", "value"),
            given: with_defaults(input),
        };
        let answer = definition.answer(cx, true);
        revisions.push(definition);
        Ok(answer)
    }

    pub(super) fn describe_task_definition(&mut self, cx: &Context, input: &Input) -> Answer {
        let definition = self.task_definition(input.need("taskDefinition")?);
        let definition =
            definition.ok_or_else(|| Fault::new("ClientException", "Unable to describe task definition."))?;
        Ok(definition.answer(cx, includes(input, "TAGS")))
    }

    pub(super) fn deregister_task_definition(&mut self, cx: &Context, input: &Input) -> Answer {
        let name = input.need("taskDefinition")?;
        if !name.rsplit('/').next().unwrap_or(name).contains(':') {
            return Err(Fault::new("ClientException", "Task definition revision must be specified."));
        }
        let definition = self.task_definition(name);
        let definition =
            definition.ok_or_else(|| Fault::new("ClientException", "Unable to describe task definition."))?;
        if definition.status == Status::Active {
            definition.status = Status::Inactive;
            definition.deregistered = Some(time::now());
        }
        Ok(definition.answer(cx, false))
    }

    pub(super) fn delete_task_definitions(&mut self, cx: &Context, input: &Input) -> Value {
        let (mut deleted, mut failures) = (Vec::new(), Vec::new());
        for name in input.texts("taskDefinitions") {
            match self.task_definition(&name) {
                None => failures.push(json!({"arn": name, "reason": "The specified task definition does not exist."})),
                Some(definition) if definition.status == Status::Active => {
                    let reason = "The specified task definition is still in ACTIVE status. Please deregister the target and try again.";
                    failures.push(json!({"arn": definition.arn(cx), "reason": reason}));
                }
                Some(definition) => {
                    definition.status = Status::DeleteInProgress;
                    deleted.push(definition.shown(cx));
                }
            }
        }
        json!({"taskDefinitions": deleted, "failures": failures})
    }

    pub(super) fn list_task_definitions(&self, cx: &Context, input: &Input) -> Value {
        let status = input.text("status").unwrap_or("ACTIVE");
        let family = input.text("familyPrefix");
        let all = self.families.values().flatten();
        let wanted = all.filter(|definition| {
            json!(definition.status) == status && family.is_none_or(|family| definition.family == family)
        });
        let mut arns: Vec<String> = wanted.map(|definition| definition.arn(cx)).collect();
        if input.text("sort") == Some("DESC") {
            arns.reverse();
        }
        page(input, "taskDefinitionArns", arns, 100)
    }

    pub(super) fn list_families(&self, input: &Input) -> Value {
        let prefix = input.text("familyPrefix").unwrap_or_default();
        let status = input.text("status").unwrap_or("ALL");
        let wanted = self.families.iter().filter(|(family, revisions)| {
            let active = revisions.iter().any(|definition| definition.status == Status::Active);
            let matches = match status {
                "ACTIVE" => active,
                "INACTIVE" => !active,
                _ => true,
            };
            family.starts_with(prefix) && matches
        });
        page(input, "families", wanted.map(|(family, _)| family.clone()).collect(), 100)
    }
}

impl TaskDefinition {
    pub(super) fn arn(&self, cx: &Context) -> String {
        format!("arn:aws:ecs:{}:{}:task-definition/{}:{}", cx.region, cx.account, self.family, self.revision)
    }

    /// What its containers are called.
    pub(super) fn container_names(&self) -> Vec<Value> {
        let containers = self.given.get("containerDefinitions").and_then(Value::as_array);
        containers.into_iter().flatten().map(|container| container["name"].clone()).collect()
    }

    /// The containers, by name.
    pub(super) fn container(&self, name: &str) -> Option<&Value> {
        let containers = self.given.get("containerDefinitions")?.as_array()?;
        containers.iter().find(|container| container["name"] == name)
    }

    fn answer(&self, cx: &Context, with_tags: bool) -> Value {
        let tags = if with_tags { tag_list(&self.tags) } else { json!([]) };
        json!({"taskDefinition": self.shown(cx), "tags": tags})
    }

    fn shown(&self, cx: &Context) -> Value {
        let mut shown = self.given.clone();
        shown.insert("taskDefinitionArn".into(), json!(self.arn(cx)));
        shown.insert("revision".into(), json!(self.revision));
        shown.insert("status".into(), json!(self.status));
        shown.insert("registeredAt".into(), json!(self.registered));
        if let Some(deregistered) = self.deregistered {
            shown.insert("deregisteredAt".into(), json!(deregistered));
        }
        shown.insert("registeredBy".into(), json!(format!("arn:aws:iam::{}:root", cx.account)));
        Value::Object(shown)
    }
}

fn is_fargate(input: &Input) -> bool {
    input.texts("requiresCompatibilities").iter().any(|it| it == "FARGATE")
}

/// What AWS refuses to register.
fn check(input: &Input) -> Result<(), Fault> {
    let invalid = |message: String| Err(Fault::new("ClientException", message));
    let containers = input.objects("containerDefinitions");
    if containers.is_empty() {
        return invalid("Container list cannot be empty.".into());
    }
    if !is_fargate(input) {
        return Ok(());
    }
    if input.text("networkMode") != Some("awsvpc") {
        return invalid("Fargate only supports network mode 'awsvpc'.".into());
    }
    let size = |member: &str| input.text(member).and_then(|size| size.parse::<u32>().ok());
    match (size("cpu"), size("memory")) {
        (Some(cpu), Some(memory)) if sells(cpu, memory) => {}
        (Some(cpu), Some(memory)) => {
            return invalid(format!("No Fargate configuration exists for given values: {cpu} CPU, {memory} memory."));
        }
        _ => return invalid("Fargate requires that 'cpu' and 'memory' be defined at the task level.".into()),
    }
    let needs_role = |container: &Value| {
        container.get("secrets").and_then(Value::as_array).is_some_and(|secrets| !secrets.is_empty())
            || container.pointer("/logConfiguration/logDriver").is_some_and(|driver| driver == "awslogs")
    };
    if input.text("executionRoleArn").is_none() && containers.iter().any(needs_role) {
        return invalid(
            "Fargate requires task definition to have execution role ARN to support log driver awslogs.".into(),
        );
    }
    Ok(())
}

/// The pairs of CPU units and MiB that Fargate sells on Linux:
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-cpu-memory-error.html>.
fn sells(cpu: u32, memory: u32) -> bool {
    let steps =
        |first: u32, last: u32, step: u32| (first..=last).contains(&memory) && (memory - first).is_multiple_of(step);
    match cpu {
        256 => [512, 1024, 2048].contains(&memory),
        512 => steps(1024, 4096, 1024),
        1024 => steps(2048, 8192, 1024),
        2048 => steps(4096, 16_384, 1024),
        4096 => steps(8192, 30_720, 1024),
        8192 => steps(16_384, 61_440, 4096),
        16_384 => steps(32_768, 122_880, 8192),
        _ => false,
    }
}

fn with_defaults(input: &Input) -> Map<String, Value> {
    let mut given = kept(input, &["tags"]);
    let compatibilities = if is_fargate(input) { json!(["EC2", "FARGATE"]) } else { json!(["EC2"]) };
    let defaults = json!({
        "volumes": [],
        "placementConstraints": [],
        "requiresAttributes": [],
        "compatibilities": compatibilities,
    });
    if let Value::Object(defaults) = defaults {
        fill_members(&mut given, defaults);
    }
    let awsvpc = input.text("networkMode") == Some("awsvpc");
    if let Some(Value::Array(containers)) = given.get_mut("containerDefinitions") {
        containers.iter_mut().for_each(|container| fill_container(container, awsvpc));
    }
    given
}

fn fill_container(container: &mut Value, awsvpc: bool) {
    fill(
        container,
        json!({
            "cpu": 0,
            "portMappings": [],
            "essential": true,
            "environment": [],
            "mountPoints": [],
            "volumesFrom": [],
            "systemControls": [],
        }),
    );
    if container.get("healthCheck").is_some() {
        fill(container, json!({"healthCheck": {"interval": 30, "timeout": 5, "retries": 3}}));
    }
    let Some(Value::Array(ports)) = container.get_mut("portMappings") else { return };
    for port in ports {
        fill(port, json!({"protocol": "tcp"}));
        if awsvpc {
            let container_port = port["containerPort"].clone();
            fill(port, json!({"hostPort": container_port}));
        }
    }
}
