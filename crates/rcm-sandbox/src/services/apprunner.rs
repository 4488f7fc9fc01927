//! App Runner: services, VPC connectors and auto scaling configurations. Nothing runs and nothing answers.
//!
//! | What | As on AWS |
//! |---|---|
//! | services | `OPERATION_IN_PROGRESS`, then `RUNNING`; one operation at a time; each is listed; a deleted one is described as `DELETED` |
//! | references | roles, keys, connectors and configurations that do not exist are refused |
//! | connectors | one active connector to a name, in subnets of one VPC; its network interfaces hold subnets and groups while it is active |
//! | auto scaling configurations | another revision for a name that is taken |
//! | deletion | of what a service uses is refused |
//! | sizes | those pairs of CPU and memory that are sold |
//!
//! Not there: sources other than ECR images, custom domains, pausing, observability, private services.
//!
//! API: <https://docs.aws.amazon.com/apprunner/latest/api/Welcome.html>.

mod scaling;
mod service;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::scaling::Scaling;
use self::service::Service;
use crate::arn::{arn, random_hex};
use crate::emulator::{Emulated, Emulator};
use crate::json::{self, Answer, Input, tag_list, without_nulls};
use crate::neighbours;
use crate::service::{ApiRequest, ApiResponse, Context, Hold, Tags};
use crate::time;
use crate::wire::Fault;

/// Everything of the account, by ARN.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct AppRunner {
    services: BTreeMap<String, Service>,
    connectors: BTreeMap<String, Connector>,
    scalings: BTreeMap<String, Scaling>,
}

#[derive(Serialize, Deserialize)]
struct Connector {
    name: String,
    subnets: Vec<String>,
    security_groups: Vec<String>,
    created: f64,
    tags: Tags,
}

impl Emulated for AppRunner {
    const NAME: &'static str = "apprunner";

    async fn answer(emulator: &Emulator<Self>, cx: &Context, request: &ApiRequest) -> ApiResponse {
        json::reply(operation(emulator, cx, request).await)
    }

    fn holds(&mut self) -> Vec<Hold> {
        let of = |(arn, connector): (&String, &Connector)| {
            let held = connector.subnets.iter().chain(&connector.security_groups).cloned();
            held.map(|resource| Hold { holder: arn.clone(), resource }).collect::<Vec<_>>()
        };
        self.connectors.iter().flat_map(of).collect()
    }

    fn arrive(&mut self) {
        self.services.values_mut().for_each(Service::arrive);
        self.services.retain(|_, service| !service.is_gone());
    }
}

async fn operation(emulator: &Emulator<AppRunner>, cx: &Context, request: &ApiRequest) -> Answer {
    let (operation, input) = Input::of(request)?;
    match operation.as_str() {
        "CreateVpcConnector" => {
            check_network(cx, &input).await?;
            emulator.lock().create_connector(cx, &input)
        }
        "CreateService" | "UpdateService" => {
            service::check_neighbours(cx, &input).await?;
            emulator.lock().operate(cx, &operation, &input)
        }
        _ => emulator.lock().operate(cx, &operation, &input),
    }
}

impl AppRunner {
    fn operate(&mut self, cx: &Context, operation: &str, input: &Input) -> Answer {
        match operation {
            "CreateService" => self.create_service(cx, input),
            "UpdateService" => self.update_service(cx, input),
            "DescribeService" => self.describe_service(input),
            "ListServices" => self.list_services(),
            "ListOperations" => self.list_operations(input),
            "StartDeployment" => self.start_deployment(cx, input),
            "DeleteService" => self.delete_service(cx, input),
            "ListVpcConnectors" => self.list_connectors(),
            "DescribeVpcConnector" => self.describe_connector(input),
            "DeleteVpcConnector" => self.delete_connector(input),
            "CreateAutoScalingConfiguration" => self.create_scaling(cx, input),
            "DescribeAutoScalingConfiguration" => self.describe_scaling(input),
            "ListAutoScalingConfigurations" => self.list_scalings(input),
            "DeleteAutoScalingConfiguration" => self.delete_scaling(input),
            "TagResource" => {
                let tags = input.tags("Tags", "Key", "Value");
                self.tags(input)?.extend(tags);
                Ok(json!({}))
            }
            "UntagResource" => {
                let gone = input.texts("TagKeys");
                self.tags(input)?.retain(|key, _| !gone.contains(key));
                Ok(json!({}))
            }
            "ListTagsForResource" => Ok(json!({"Tags": tag_list(self.tags(input)?, "Key", "Value")})),
            other => json::unknown_operation(other),
        }
    }

    fn tags(&mut self, input: &Input) -> Result<&mut Tags, Fault> {
        let arn = input.need("ResourceArn")?;
        let service = self.services.get_mut(arn).filter(|service| !service.is_gone()).map(|service| &mut service.tags);
        let connector = self.connectors.get_mut(arn).map(|connector| &mut connector.tags);
        let scaling = self.scalings.get_mut(arn).map(|scaling| &mut scaling.tags);
        service.or(connector).or(scaling).ok_or_else(|| not_found(arn))
    }

    fn create_connector(&mut self, cx: &Context, input: &Input) -> Answer {
        let name = checked_name(input, "VpcConnectorName", 40)?;
        if self.connectors.values().any(|connector| connector.name == name) {
            return Err(invalid(format!("VPC connector with name {name} already exists.")));
        }
        let connector = Connector {
            subnets: input.texts("Subnets"),
            security_groups: input.texts("SecurityGroups"),
            created: time::now(),
            tags: input.tags("Tags", "Key", "Value"),
            name,
        };
        let arn = arn(cx, "apprunner", &format!("vpcconnector/{}/1/{}", connector.name, random_hex(32)));
        let shown = json!({"VpcConnector": connector.shown(&arn)});
        self.connectors.insert(arn, connector);
        Ok(shown)
    }

    fn list_connectors(&self) -> Answer {
        let all: Vec<Value> = self.connectors.iter().map(|(arn, connector)| connector.shown(arn)).collect();
        Ok(json!({"VpcConnectors": all}))
    }

    fn describe_connector(&self, input: &Input) -> Answer {
        let arn = input.need("VpcConnectorArn")?;
        let connector = self.connectors.get(arn).ok_or_else(|| not_found(arn))?;
        Ok(json!({"VpcConnector": connector.shown(arn)}))
    }

    fn delete_connector(&mut self, input: &Input) -> Answer {
        let arn = input.need("VpcConnectorArn")?;
        self.refuse_used(arn)?;
        let connector = self.connectors.remove(arn).ok_or_else(|| not_found(arn))?;
        let mut shown = connector.shown(arn);
        shown["Status"] = "INACTIVE".into();
        Ok(json!({"VpcConnector": shown}))
    }

    /// Refuses to delete what a service uses; the question is a poll for one that is on its way out.
    fn refuse_used(&mut self, arn: &str) -> Result<(), Fault> {
        let mut services = self.services.values_mut();
        match services.find_map(|service| service.uses(arn).then(|| service.name().to_owned())) {
            None => Ok(()),
            Some(name) => Err(invalid(format!("{arn} is in use by the service {name}."))),
        }
    }
}

impl Connector {
    fn shown(&self, arn: &str) -> Value {
        json!({
            "VpcConnectorName": self.name,
            "VpcConnectorArn": arn,
            "VpcConnectorRevision": 1,
            "Subnets": self.subnets,
            "SecurityGroups": self.security_groups,
            "Status": "ACTIVE",
            "CreatedAt": self.created,
        })
    }
}

/// Refuses subnets and groups that are not there, or not of one VPC.
async fn check_network(cx: &Context, input: &Input) -> Result<(), Fault> {
    let (subnets, groups) = (input.texts("Subnets"), input.texts("SecurityGroups"));
    let found = neighbours::subnets(cx, &subnets).await;
    let Some(first) = found.first().filter(|_| found.len() == subnets.len()) else {
        return Err(invalid("Subnets not found"));
    };
    if found.iter().any(|subnet| subnet.vpc != first.vpc) {
        return Err(invalid("All subnets must be in the same VPC"));
    }
    for group in &groups {
        if neighbours::security_group_vpc(cx, group).await.as_ref() != Some(&first.vpc) {
            return Err(invalid(format!("Security group {group} not found in the VPC {}", first.vpc)));
        }
    }
    Ok(())
}

/// Letters, digits, hyphens and underscores, four at least.
fn checked_name(input: &Input, member: &str, most: usize) -> Result<String, Fault> {
    let name = input.text(member).unwrap_or_default();
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    let starts = name.starts_with(|first: char| first.is_ascii_alphanumeric());
    if starts && (4..=most).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(name.to_owned());
    }
    Err(invalid(format!("{member} {name:?} is not valid: 4 to {most} letters, digits, hyphens and underscores.")))
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidRequestException", message.into())
}

fn not_found(arn: &str) -> Fault {
    Fault::new("ResourceNotFoundException", format!("The resource {arn} does not exist."))
}

/// `value` without the members that have none.
fn shown(value: Value) -> Value {
    without_nulls(value)
}
