//! An App Runner service: an image that answers over HTTPS, with as many instances as its requests need.
//!
//! API: [CreateService](https://docs.aws.amazon.com/apprunner/latest/api/API_CreateService.html),
//! [UpdateService](https://docs.aws.amazon.com/apprunner/latest/api/API_UpdateService.html),
//! [DeleteService](https://docs.aws.amazon.com/apprunner/latest/api/API_DeleteService.html).
//!
//! Surprises:
//! - One operation at a time: until it is over every other one is refused with `InvalidStateException`.
//! - An update that does not come up is taken back by App Runner itself, and the service is `RUNNING` again with what it was
//!   before. Only the list of operations tells. The next update is sent even if nothing seems to differ.
//! - A service that never came up stays as `CREATE_FAILED` and counts against the quota until it is deleted.
//! - A deleted service is still described, as `DELETED`, for about an hour; its name is free.
//! - Another image is an update, as images are named by digest. `StartDeployment` is for tags that move, and for secrets whose
//!   value has changed: instances read them when they start. No change of a spec needs it, so it is not sent here.

use std::collections::BTreeMap;

use aws_sdk_apprunner::types::{
    AuthenticationConfiguration, EgressConfiguration, EgressType, EncryptionConfiguration, HealthCheckConfiguration,
    HealthCheckProtocol, ImageConfiguration, ImageRepository, ImageRepositoryType, IngressConfiguration,
    InstanceConfiguration, NetworkConfiguration, OperationStatus, Service as Live, ServiceStatus, ServiceSummary,
    SourceConfiguration,
};
use rcm_engine::model::{
    Actions, Deployment, Fault, Id, Known, Observed, Owned, Pace, Readiness, Ref, Resource,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    apprunner::{claim, first_of_ours, listed, name_in, tagged},
    apprunner_auto_scaling::AutoScaling,
    apprunner_vpc_connector::VpcConnector,
    batch::each,
    iam_role::Role,
    kms_key::Key,
};
use crate::{
    Aws,
    classify::{absent, fault, missing, unbuilt},
    identity::physical_name,
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

const NAME_LIMIT: usize = 40;

/// What a service should be. It answers on an address of AWS's own, over HTTPS alone, to anybody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The name.
    pub name: String,
    /// The image in ECR, by digest.
    pub image: String,
    /// Who pulls the image.
    pub access_role: Ref<Role>,
    /// Who the application is, and who reads its secrets.
    pub instance_role: Ref<Role>,
    /// What the application listens on.
    pub port: u16,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// Environment variables whose values App Runner reads from Secrets Manager: references to secrets.
    pub secrets: BTreeMap<String, Value>,
    /// CPU units of an instance; 1024 is one vCPU.
    pub cpu: u32,
    /// MiB of an instance.
    pub memory: u32,
    /// How many instances there are.
    pub auto_scaling: Ref<AutoScaling>,
    /// The way into the VPC, for everything that the application asks for.
    pub vpc_connector: Ref<VpcConnector>,
    /// What App Runner encrypts its copy of the image and the logs in flight with.
    pub kms_key: Ref<Key>,
    /// What App Runner asks before it sends requests.
    pub health_check: HealthCheck,
}

/// How App Runner finds out whether an instance works, over HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthCheck {
    /// What is asked for.
    pub path: String,
    /// Seconds between two questions, 1 to 20.
    pub interval: i32,
    /// Seconds to wait for an answer, 1 to 20.
    pub timeout: i32,
    /// How many good answers make it healthy.
    pub healthy_threshold: i32,
    /// How many bad ones make it unhealthy.
    pub unhealthy_threshold: i32,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `arn:aws:apprunner:…:service/NAME/ID`
    pub service_arn: String,
    /// The id that AWS's own log groups are named by.
    pub service_id: String,
    /// The host name that it answers on, without `https://`.
    pub service_url: String,
}

/// A service.
pub struct Service;

impl Resource for Service {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "apprunner/service";
    const REPLACE_ON: &'static [&'static str] = &["name", "kms_key"];
    const TAGGED: bool = true;
    const PACE: Pace = Pace::slow(300, 1800).gone_within(1800);

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        const CREATE: &str = "CreateService";
        let key = EncryptionConfiguration::builder().kms_key(cx.id(&spec.kms_key)?.as_str());
        let key = key.build().map_err(unbuilt("apprunner", CREATE))?;
        let request = cx.cloud.apprunner.create_service().service_name(name(cx, spec)).encryption_configuration(key);
        let request = request.source_configuration(source(cx, spec, CREATE)?);
        let request = request.instance_configuration(instance(cx, spec)?).health_check_configuration(health(spec));
        let request = request.auto_scaling_configuration_arn(cx.id(&spec.auto_scaling)?.as_str());
        let request = request.network_configuration(network(cx, spec)?).set_tags(Some(tagged(cx.identity)));
        let answer = request.send().await.map_err(fault("apprunner", CREATE))?;
        let service = answer.service().ok_or_else(|| missing("apprunner", CREATE, "Service"))?;
        Ok(Id::from(service.service_arn()))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        const UPDATE: &str = "UpdateService";
        let live = describe(cx.cloud, id).await?.ok_or_else(|| missing("apprunner", "DescribeService", "Service"))?;
        // It is still being made, of this very spec or of one that the next run changes.
        if cx.creating() && *live.status() != ServiceStatus::Running {
            return Ok(());
        }
        if !differs(cx, spec, &live)? && taken_back(cx.cloud, id).await?.is_none() {
            return Ok(());
        }
        let request = cx.cloud.apprunner.update_service().service_arn(id.as_str());
        let request = request.source_configuration(source(cx, spec, UPDATE)?);
        let request = request.instance_configuration(instance(cx, spec)?).health_check_configuration(health(spec));
        let request = request.auto_scaling_configuration_arn(cx.id(&spec.auto_scaling)?.as_str());
        let request = request.network_configuration(network(cx, spec)?);
        request.send().await.map(drop).map_err(fault("apprunner", UPDATE))
    }

    async fn ready(cx: &Cx<'_>, id: &Id) -> Result<Readiness, Fault> {
        let Some(live) = describe(cx.cloud, id).await? else {
            return Ok(Readiness::Pending("not visible yet".into()));
        };
        Ok(match live.status() {
            ServiceStatus::Running => match taken_back(cx.cloud, id).await? {
                Some(status) => Readiness::Reverted(format!("App Runner has taken the change back: {status}")),
                None => Readiness::Ready,
            },
            ServiceStatus::CreateFailed => Readiness::Failed("CREATE_FAILED: its instances do not start, see its logs".into()),
            status @ (ServiceStatus::DeleteFailed | ServiceStatus::Deleted) => Readiness::Failed(status.to_string()),
            ServiceStatus::Paused => Readiness::Pending("somebody has paused it, and rcm does not resume it".into()),
            status => Readiness::Pending(status.to_string()),
        })
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        Ok(describe(cx.cloud, id).await?.map(|live| observe(&live)))
    }

    /// One by one: the list tells nothing but names.
    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        each::<Self>(known).await
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let wanted = name(cx, spec);
        let named = services(cx.cloud).await?.into_iter().filter(|found| found.service_name() == Some(&wanted));
        first_of_ours(cx, named.filter_map(|found| found.service_arn).collect()).await
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        if describe(cx.cloud, id).await?.is_none() {
            return Ok(());
        }
        let request = cx.cloud.apprunner.delete_service().service_arn(id.as_str());
        request.send().await.map(drop).map_err(fault("apprunner", "DeleteService"))
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let all = services(aws).await?.into_iter();
        listed(aws, deployment, all.filter_map(|found| Some((found.service_name?, found.service_arn?))).collect()).await
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        claim(cx, id).await
    }

    fn fits(cx: &Cx<'_>, id: &Id, spec: &Spec) -> bool {
        name_in(id) == name(cx, spec)
    }

    fn effect(field: &str, _: &Value, _: &Value) -> Option<&'static str> {
        matches!(field, "image" | "environment" | "secrets" | "cpu" | "memory" | "instance_role" | "vpc_connector")
            .then_some("new instances take over when they are healthy; if they are not, App Runner takes the change back")
    }

    fn actions() -> Actions {
        Actions {
            write: &[
                "apprunner:CreateService",
                "apprunner:TagResource",
                "apprunner:UpdateService",
                "iam:CreateServiceLinkedRole",
                "iam:PassRole",
                // App Runner uses the key by a grant.
                "kms:CreateGrant",
                "kms:DescribeKey",
            ],
            read: &[
                "apprunner:DescribeService",
                "apprunner:ListOperations",
                "apprunner:ListServices",
                "apprunner:ListTagsForResource",
            ],
            delete: &["apprunner:DeleteService"],
        }
    }
}

fn name(cx: &Cx<'_>, spec: &Spec) -> String {
    physical_name(cx.identity, &spec.name, NAME_LIMIT)
}

/// The service, unless it is deleted.
async fn describe(aws: &Aws, id: &Id) -> Result<Option<Live>, Fault> {
    let answer = aws.apprunner.describe_service().service_arn(id.as_str()).send().await;
    let answer = absent(answer.map_err(fault("apprunner", "DescribeService")))?;
    Ok(answer.and_then(|answer| answer.service).filter(|live| *live.status() != ServiceStatus::Deleted))
}

/// All that are not deleted.
async fn services(aws: &Aws) -> Result<Vec<ServiceSummary>, Fault> {
    let pages = aws.apprunner.list_services().into_paginator().send().collect::<Result<Vec<_>, _>>().await;
    let pages = pages.map_err(fault("apprunner", "ListServices"))?;
    let all = pages.into_iter().flat_map(|page| page.service_summary_list);
    Ok(all.filter(|found| found.status() != Some(&ServiceStatus::Deleted)).collect())
}

/// How the newest operation has ended, if it has not done what it was to do.
async fn taken_back(aws: &Aws, id: &Id) -> Result<Option<OperationStatus>, Fault> {
    let request = aws.apprunner.list_operations().service_arn(id.as_str()).max_results(1);
    let answer = request.send().await.map_err(fault("apprunner", "ListOperations"))?;
    let newest = answer.operation_summary_list().first().and_then(|operation| operation.status().cloned());
    Ok(newest.filter(|status| !matches!(
        status,
        OperationStatus::Succeeded | OperationStatus::Pending | OperationStatus::InProgress
    )))
}

fn source(cx: &Cx<'_>, spec: &Spec, operation: &'static str) -> Result<SourceConfiguration, Fault> {
    let mut secrets = BTreeMap::new();
    for (variable, secret) in &spec.secrets {
        secrets.insert(variable.clone(), cx.resolve(secret)?.as_str().unwrap_or_default().to_owned());
    }
    let image = ImageConfiguration::builder().port(spec.port.to_string());
    let image = image.set_runtime_environment_variables(Some(spec.environment.clone().into_iter().collect()));
    let image = image.set_runtime_environment_secrets(Some(secrets.into_iter().collect())).build();
    let repository = ImageRepository::builder().image_identifier(&spec.image).image_configuration(image);
    let repository = repository.image_repository_type(ImageRepositoryType::Ecr).build();
    let repository = repository.map_err(unbuilt("apprunner", operation))?;
    let access = AuthenticationConfiguration::builder().access_role_arn(cx.id(&spec.access_role)?.as_str()).build();
    let source = SourceConfiguration::builder().image_repository(repository).authentication_configuration(access);
    Ok(source.auto_deployments_enabled(false).build())
}

fn instance(cx: &Cx<'_>, spec: &Spec) -> Result<InstanceConfiguration, Fault> {
    let instance = InstanceConfiguration::builder().cpu(spec.cpu.to_string()).memory(spec.memory.to_string());
    Ok(instance.instance_role_arn(cx.id(&spec.instance_role)?.as_str()).build())
}

fn health(spec: &Spec) -> HealthCheckConfiguration {
    let check = &spec.health_check;
    let health = HealthCheckConfiguration::builder().protocol(HealthCheckProtocol::Http).path(&check.path);
    let health = health.interval(check.interval).timeout(check.timeout);
    health.healthy_threshold(check.healthy_threshold).unhealthy_threshold(check.unhealthy_threshold).build()
}

fn network(cx: &Cx<'_>, spec: &Spec) -> Result<NetworkConfiguration, Fault> {
    let egress = EgressConfiguration::builder().egress_type(EgressType::Vpc);
    let egress = egress.vpc_connector_arn(cx.id(&spec.vpc_connector)?.as_str()).build();
    let ingress = IngressConfiguration::builder().is_publicly_accessible(true).build();
    Ok(NetworkConfiguration::builder().egress_configuration(egress).ingress_configuration(ingress).build())
}

/// Whether an update has something to do.
fn differs(cx: &Cx<'_>, spec: &Spec, live: &Live) -> Result<bool, Fault> {
    let wanted = serde_json::to_value(spec).map_err(|error| Fault::invalid("spec", error.to_string()))?;
    let wanted = cx.resolve(&wanted)?;
    let sent = |field: &str| !Service::REPLACE_ON.contains(&field);
    Ok(fields(live).into_iter().any(|(field, is)| sent(field) && wanted[field] != is))
}

fn observe(live: &Live) -> Observed<Outputs> {
    let seen = Observed::new(Outputs {
        service_arn: live.service_arn().to_owned(),
        service_id: live.service_id().to_owned(),
        service_url: live.service_url().unwrap_or_default().to_owned(),
    });
    fields(live).into_iter().fold(seen, |seen, (field, value)| seen.see(field, value))
}

/// The live values of the spec's fields.
fn fields(live: &Live) -> Vec<(&'static str, Value)> {
    let source = live.source_configuration();
    let repository = source.and_then(|source| source.image_repository());
    let access = source.and_then(|source| source.authentication_configuration());
    let image = repository.and_then(|repository| repository.image_configuration());
    let instance = live.instance_configuration();
    let sorted = |map: &std::collections::HashMap<String, String>| map.clone().into_iter().collect::<BTreeMap<_, _>>();
    let environment = image.and_then(|image| image.runtime_environment_variables()).map(sorted).unwrap_or_default();
    let secrets = image.and_then(|image| image.runtime_environment_secrets()).map(sorted).unwrap_or_default();
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<u32>().ok());
    let egress = live.network_configuration().and_then(|network| network.egress_configuration());
    let scaling = live.auto_scaling_configuration_summary();
    vec![
        ("image", json!(repository.map(|repository| repository.image_identifier()))),
        ("access_role", json!(access.and_then(|access| access.access_role_arn()))),
        ("instance_role", json!(instance.and_then(|instance| instance.instance_role_arn()))),
        ("port", json!(number(image.and_then(|image| image.port())))),
        ("environment", json!(environment)),
        ("secrets", json!(secrets)),
        ("cpu", json!(number(instance.and_then(|instance| instance.cpu())))),
        ("memory", json!(number(instance.and_then(|instance| instance.memory())))),
        ("auto_scaling", json!(scaling.and_then(|scaling| scaling.auto_scaling_configuration_arn()))),
        ("vpc_connector", json!(egress.and_then(|egress| egress.vpc_connector_arn()))),
        ("kms_key", json!(live.encryption_configuration().map(|encryption| encryption.kms_key()))),
        ("health_check", health_check(live)),
    ]
}

fn health_check(live: &Live) -> Value {
    live.health_check_configuration().map_or(Value::Null, |check| {
        json!({
            "path": check.path(),
            "interval": check.interval(),
            "timeout": check.timeout(),
            "healthy_threshold": check.healthy_threshold(),
            "unhealthy_threshold": check.unhealthy_threshold(),
        })
    })
}
