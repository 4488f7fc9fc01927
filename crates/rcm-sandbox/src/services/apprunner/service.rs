//! Services, and what was done to them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{AppRunner, checked_name, invalid, not_found, shown};
use crate::arn::{arn, random_hex};
use crate::countdown::Countdown;
use crate::json::{Answer, Input, tag_list};
use crate::neighbours;
use crate::service::{Context, Tags};
use crate::time;
use crate::wire::Fault;

/// What a service is made of and an update replaces.
const PARTS: [&str; 5] = [
    "SourceConfiguration",
    "InstanceConfiguration",
    "AutoScalingConfigurationArn",
    "HealthCheckConfiguration",
    "NetworkConfiguration",
];

/// The pairs of CPU units and MiB that are sold.
const SIZES: [(&str, &str); 11] = [
    ("256", "512"),
    ("256", "1024"),
    ("512", "1024"),
    ("1024", "2048"),
    ("1024", "3072"),
    ("1024", "4096"),
    ("2048", "4096"),
    ("2048", "6144"),
    ("4096", "8192"),
    ("4096", "10240"),
    ("4096", "12288"),
];

#[derive(Serialize, Deserialize)]
pub(super) struct Service {
    name: String,
    id: String,
    arn: String,
    url: String,
    created: f64,
    encryption: Value,
    parts: Map<String, Value>,
    countdown: Countdown,
    /// Whether what is under way, or was last, is its deletion.
    deleting: bool,
    /// Newest first. What stands first is under way as long as `countdown` is.
    operations: Vec<Operation>,
    pub(super) tags: Tags,
}

#[derive(Serialize, Deserialize)]
struct Operation {
    id: String,
    kind: String,
    at: f64,
}

impl Operation {
    fn new(kind: &str) -> Self {
        Self { id: uuid::Uuid::new_v4().to_string(), kind: kind.to_owned(), at: time::now() }
    }
}

/// Refuses roles and keys that are not there.
pub(super) async fn check_neighbours(cx: &Context, input: &Input) -> Result<(), Fault> {
    let at = |path: &str| Value::Object(input.0.clone()).pointer(path).and_then(Value::as_str).map(str::to_owned);
    let roles =
        ["/SourceConfiguration/AuthenticationConfiguration/AccessRoleArn", "/InstanceConfiguration/InstanceRoleArn"];
    for role in roles.iter().filter_map(|path| at(path)) {
        let name = role.rsplit('/').next().unwrap_or_default();
        if !neighbours::role_exists(cx, name).await {
            return Err(invalid(format!("Error in assuming access role {role}")));
        }
    }
    if let Some(key) = at("/EncryptionConfiguration/KmsKey")
        && neighbours::key_arn(cx, &key).await.is_none()
    {
        return Err(invalid(format!("KMS key {key} is not valid or cannot be used.")));
    }
    Ok(())
}

impl AppRunner {
    pub(super) fn create_service(&mut self, cx: &Context, input: &Input) -> Answer {
        let name = checked_name(input, "ServiceName", 40)?;
        if self.services.values().any(|service| service.name == name && !service.is_gone()) {
            return Err(invalid(format!("Service with the provided name {name} already exists.")));
        }
        let parts = self.parts(input)?;
        let id = random_hex(32);
        let service = Service {
            arn: arn(cx, "apprunner", &format!("service/{name}/{id}")),
            url: format!("{}.{}.awsapprunner.com", &id[..10], cx.region),
            created: time::now(),
            encryption: input.value("EncryptionConfiguration").cloned().unwrap_or_default(),
            countdown: Countdown::new(cx.polls()),
            deleting: false,
            operations: vec![Operation::new("CREATE_SERVICE")],
            tags: input.tags("Tags", "Key", "Value"),
            name,
            id,
            parts,
        };
        let (arn, operation) = (service.arn.clone(), service.operations[0].id.clone());
        self.services.insert(arn.clone(), service);
        Ok(json!({"Service": self.shown(&arn), "OperationId": operation}))
    }

    /// The parts that a request gives, checked.
    fn parts(&self, input: &Input) -> Result<Map<String, Value>, Fault> {
        let given = PARTS.iter().filter_map(|part| Some(((*part).to_owned(), input.value(part)?.clone())));
        let parts: Map<String, Value> = given.collect();
        let whole = Value::Object(parts.clone());
        let at = |path: &str| whole.pointer(path).and_then(Value::as_str);
        if let (Some(cpu), Some(memory)) = (at("/InstanceConfiguration/Cpu"), at("/InstanceConfiguration/Memory"))
            && !SIZES.contains(&(cpu, memory))
        {
            return Err(invalid(format!("CPU {cpu} and memory {memory} is not a supported combination.")));
        }
        let connector = at("/NetworkConfiguration/EgressConfiguration/VpcConnectorArn");
        if let Some(arn) = connector.filter(|arn| !self.connectors.contains_key(*arn)) {
            return Err(invalid(format!("VPC connector {arn} does not exist.")));
        }
        if let Some(arn) = at("/AutoScalingConfigurationArn").filter(|arn| !self.scalings.contains_key(*arn)) {
            return Err(invalid(format!("Auto scaling configuration {arn} does not exist.")));
        }
        Ok(parts)
    }

    fn service(&mut self, input: &Input) -> Result<&mut Service, Fault> {
        let arn = input.need("ServiceArn")?;
        self.services.get_mut(arn).ok_or_else(|| not_found(arn))
    }

    /// The same for what begins an operation: none other may be under way.
    fn idle(&mut self, input: &Input) -> Result<&mut Service, Fault> {
        let service = self.service(input)?;
        if service.is_gone() {
            return Err(not_found(&service.arn));
        }
        if service.countdown.poll() && !service.deleting {
            return Ok(service);
        }
        let message = format!("Service cannot be changed in the current state: {}.", service.status());
        Err(Fault::new("InvalidStateException", message))
    }

    pub(super) fn update_service(&mut self, cx: &Context, input: &Input) -> Answer {
        let parts = self.parts(input)?;
        let polls = cx.polls();
        let service = self.idle(input)?;
        service.parts.extend(parts);
        self.begun(input, "UPDATE_SERVICE", polls)
    }

    pub(super) fn start_deployment(&mut self, cx: &Context, input: &Input) -> Answer {
        self.idle(input)?;
        self.begun(input, "START_DEPLOYMENT", cx.polls())
    }

    pub(super) fn delete_service(&mut self, cx: &Context, input: &Input) -> Answer {
        self.idle(input)?.deleting = true;
        self.begun(input, "DELETE_SERVICE", cx.polls())
    }

    fn begun(&mut self, input: &Input, kind: &str, polls: u32) -> Answer {
        let service = self.service(input)?;
        service.countdown = Countdown::new(polls);
        service.operations.insert(0, Operation::new(kind));
        let (arn, operation) = (service.arn.clone(), service.operations[0].id.clone());
        Ok(json!({"Service": self.shown(&arn), "OperationId": operation}))
    }

    pub(super) fn describe_service(&mut self, input: &Input) -> Answer {
        let service = self.service(input)?;
        let arn = service.arn.clone();
        let shown = json!({"Service": self.shown(&arn)});
        self.service(input)?.countdown.poll();
        Ok(shown)
    }

    pub(super) fn list_services(&self) -> Answer {
        let summary = |service: &Service| {
            json!({
                "ServiceName": service.name,
                "ServiceId": service.id,
                "ServiceArn": service.arn,
                "ServiceUrl": service.url,
                "CreatedAt": service.created,
                "UpdatedAt": service.created,
                "Status": service.status(),
            })
        };
        // What is gone is described for a while, and not listed.
        let all: Vec<Value> = self.services.values().filter(|service| !service.is_gone()).map(summary).collect();
        Ok(json!({"ServiceSummaryList": all}))
    }

    pub(super) fn list_operations(&mut self, input: &Input) -> Answer {
        let service = self.service(input)?;
        let arrived = service.countdown.arrived();
        let summary = |(index, operation): (usize, &Operation)| {
            let status = if index == 0 && !arrived { "IN_PROGRESS" } else { "SUCCEEDED" };
            json!({"Id": operation.id, "Type": operation.kind, "Status": status, "StartedAt": operation.at})
        };
        let most = usize::try_from(input.number("MaxResults").unwrap_or(20)).unwrap_or(20);
        let all: Vec<Value> = service.operations.iter().enumerate().map(summary).take(most).collect();
        Ok(json!({"OperationSummaryList": all}))
    }

    fn shown(&self, arn: &str) -> Value {
        let Some(service) = self.services.get(arn) else { return Value::Null };
        let part = |name: &str| service.parts.get(name).cloned().unwrap_or_default();
        let scaling = service.parts.get("AutoScalingConfigurationArn").and_then(Value::as_str);
        shown(json!({
            "ServiceName": service.name,
            "ServiceId": service.id,
            "ServiceArn": service.arn,
            "ServiceUrl": service.url,
            "CreatedAt": service.created,
            "UpdatedAt": service.operations.first().map_or(service.created, |operation| operation.at),
            "DeletedAt": service.is_gone().then_some(service.created),
            "Status": service.status(),
            "SourceConfiguration": part("SourceConfiguration"),
            "InstanceConfiguration": part("InstanceConfiguration"),
            "HealthCheckConfiguration": part("HealthCheckConfiguration"),
            "NetworkConfiguration": part("NetworkConfiguration"),
            "EncryptionConfiguration": service.encryption,
            "AutoScalingConfigurationSummary": scaling.and_then(|arn| self.scaling_summary(arn)).unwrap_or_else(|| json!({})),
            "Tags": tag_list(&service.tags, "Key", "Value"),
        }))
    }
}

impl Service {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn status(&self) -> &'static str {
        match (self.countdown.arrived(), self.deleting) {
            (false, _) => "OPERATION_IN_PROGRESS",
            (true, true) => "DELETED",
            (true, false) => "RUNNING",
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        self.deleting && self.countdown.arrived()
    }

    pub(super) fn arrive(&mut self) {
        self.countdown = Countdown::default();
    }

    /// Whether it stands on the connector or configuration of this ARN; a poll for one that is on its way out.
    pub(super) fn uses(&mut self, arn: &str) -> bool {
        let parts = Value::Object(self.parts.clone());
        let paths = ["/NetworkConfiguration/EgressConfiguration/VpcConnectorArn", "/AutoScalingConfigurationArn"];
        let named = paths.iter().any(|path| parts.pointer(path).and_then(Value::as_str) == Some(arn));
        named && !(self.deleting && self.countdown.poll())
    }
}
