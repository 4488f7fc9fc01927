//! A task definition: one revision of what runs, with which image, rights, secrets and logs.
//!
//! API: [RegisterTaskDefinition](https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html),
//! [ContainerDefinition](https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html).
//!
//! Surprises: nothing of a revision can be changed, so every change is a new one beside the old; the family's name stays. No
//! client token: a lost answer is looked up among the family's newest revisions by tags. A deregistered revision goes on
//! to serve what runs, which is what a rollback by ECS relies on, and stays visible as `INACTIVE`.

use aws_sdk_ecs::types::{
    Compatibility, CpuArchitecture, NetworkMode, OsFamily, RuntimePlatform, SortOrder, TaskDefinition as Described,
    TaskDefinitionFamilyStatus,
    TaskDefinitionField, TaskDefinitionStatus,
};
use rcm_engine::model::{Actions, Deployment, Fault, Id, Observed, Owned, Ref, Resource};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    ecr_repository::Repository,
    ecs::{claim, listed, ours, tagged},
    ecs_container::{Container, Logs, Resolved, definition, seen},
    iam_role::Role,
};
use crate::{
    Aws,
    classify::{fault, missing},
    identity,
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// How many of the newest revisions are looked at for ours.
const NEWEST: i32 = 10;

/// What a revision should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The name that its revisions share. Part of the id, so it cannot drift.
    pub family: String,
    /// CPU units, 1024 to a virtual CPU.
    pub cpu: u32,
    /// Memory in MiB.
    pub memory: u32,
    /// What the image is built for.
    pub architecture: Architecture,
    /// What ECS may do to start a task: pull the image, read the secrets, write the logs.
    pub execution_role: Ref<Role>,
    /// What the application may do.
    pub task_role: Ref<Role>,
    /// What runs.
    pub image: Image,
    /// How it runs.
    pub container: Container,
}

/// What an image is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Architecture {
    /// Intel and AMD.
    #[serde(rename = "X86_64")]
    X8664,
    /// Graviton.
    #[serde(rename = "ARM64")]
    Arm64,
}

/// Which image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Image {
    /// One by its full name, from any registry.
    Reference(String),
    /// One of a repository of this deployment.
    Repository {
        /// The repository.
        repository: Ref<Repository>,
        /// A tag; an image that is pinned by its digest is a [`Reference`](Image::Reference).
        version: String,
    },
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `arn:aws:ecs:…:task-definition/family:revision`
    pub task_definition_arn: String,
    /// The number after the colon.
    pub revision: i32,
}

/// A revision of a task definition.
pub struct TaskDefinition;

impl Resource for TaskDefinition {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "ecs/task-definition";
    const REPLACE_ON: &'static [&'static str] =
        &["family", "cpu", "memory", "architecture", "execution_role", "task_role", "image", "container"];
    const TAGGED: bool = true;

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let container = definition(&spec.container, resolved(cx, spec)?)?;
        let request = cx.cloud.ecs.register_task_definition().family(&spec.family).container_definitions(container);
        let request = request.requires_compatibilities(Compatibility::Fargate).network_mode(NetworkMode::Awsvpc);
        let request = request.cpu(spec.cpu.to_string()).memory(spec.memory.to_string());
        let request = request.runtime_platform(platform(spec.architecture));
        let request = request.execution_role_arn(cx.id(&spec.execution_role)?.as_str());
        let request = request.task_role_arn(cx.id(&spec.task_role)?.as_str()).set_tags(Some(tagged(cx.identity)));
        let answer = request.send().await.map_err(fault("ecs", "RegisterTaskDefinition"))?;
        let arn = answer.task_definition().and_then(|revision| revision.task_definition_arn());
        arn.map(Id::from).ok_or_else(|| missing("ecs", "RegisterTaskDefinition", "taskDefinitionArn"))
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let answer = cx.cloud.ecs.describe_task_definition().task_definition(id.as_str()).send().await;
        let answer = answer.map_err(fault("ecs", "DescribeTaskDefinition"))?;
        let active = |revision: &&Described| revision.status() == Some(&TaskDefinitionStatus::Active);
        Ok(answer.task_definition().filter(active).map(|revision| observe(&cx.identity.deployment, id, revision)))
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let request = cx.cloud.ecs.list_task_definitions().family_prefix(&spec.family).max_results(NEWEST);
        let request = request.status(TaskDefinitionStatus::Active).sort(SortOrder::Desc);
        let answer = request.send().await.map_err(fault("ecs", "ListTaskDefinitions"))?;
        for arn in answer.task_definition_arns() {
            let request = cx.cloud.ecs.describe_task_definition().task_definition(arn);
            let answer = request.include(TaskDefinitionField::Tags).send().await;
            let answer = answer.map_err(fault("ecs", "DescribeTaskDefinition"))?;
            if ours(cx.identity, answer.tags()) {
                return Ok(Some(Id::from(arn.as_str())));
            }
        }
        Ok(None)
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let request = cx.cloud.ecs.deregister_task_definition().task_definition(id.as_str());
        request.send().await.map(drop).map_err(fault("ecs", "DeregisterTaskDefinition"))
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let mut found = Vec::new();
        for family in families(aws, deployment).await? {
            let request = aws.ecs.list_task_definitions().family_prefix(family).status(TaskDefinitionStatus::Active);
            let pages = request.into_paginator().items().send();
            for arn in pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("ecs", "ListTaskDefinitions"))? {
                let request = aws.ecs.describe_task_definition().task_definition(&arn);
                let answer = request.include(TaskDefinitionField::Tags).send().await;
                let answer = answer.map_err(fault("ecs", "DescribeTaskDefinition"))?;
                found.extend(listed(deployment, &arn, answer.tags()));
            }
        }
        Ok(found)
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        claim(cx, id).await
    }

    fn fits(_: &Cx<'_>, id: &Id, spec: &Spec) -> bool {
        id.as_str().contains(&format!(":task-definition/{}:", spec.family))
    }

    fn actions() -> Actions {
        Actions {
            write: &["ecs:RegisterTaskDefinition", "ecs:TagResource", "iam:PassRole"],
            read: &[
                "ecs:DescribeTaskDefinition",
                "ecs:ListTagsForResource",
                "ecs:ListTaskDefinitionFamilies",
                "ecs:ListTaskDefinitions",
            ],
            delete: &["ecs:DeregisterTaskDefinition"],
        }
    }
}

fn platform(architecture: Architecture) -> RuntimePlatform {
    let architecture = match architecture {
        Architecture::X8664 => CpuArchitecture::X8664,
        Architecture::Arm64 => CpuArchitecture::Arm64,
    };
    RuntimePlatform::builder().cpu_architecture(architecture).operating_system_family(OsFamily::Linux).build()
}

/// What the container's references stand for.
fn resolved(cx: &Cx<'_>, spec: &Spec) -> Result<Resolved, Fault> {
    let secret = |(name, value)| -> Result<_, Fault> {
        let arn = cx.resolve(value)?;
        let arn = arn.as_str().ok_or_else(|| Fault::invalid("secrets", format!("{name} is {arn}, not an ARN")))?;
        Ok((String::clone(name), arn.to_owned()))
    };
    Ok(Resolved {
        image: image(cx, &spec.image)?,
        secrets: spec.container.secrets.iter().map(secret).collect::<Result<_, _>>()?,
        logs: Logs {
            group: cx.id(&spec.container.log_group)?.to_string(),
            region: cx.identity.deployment.region.clone(),
        },
    })
}

fn image(cx: &Cx<'_>, image: &Image) -> Result<String, Fault> {
    match image {
        Image::Reference(reference) => Ok(reference.clone()),
        Image::Repository { repository, version } => {
            let uri = cx.outputs(repository)?.repository_uri;
            Ok(format!("{uri}:{version}"))
        }
    }
}

/// An image as a spec would say it. Of the two ways to say it, the one with a tag in our own registry is a repository's.
fn said(image: &str, deployment: &Deployment) -> Value {
    let Deployment { account, region, .. } = deployment;
    let of_ours = image.split_once('/').filter(|(host, _)| host.starts_with(&format!("{account}.dkr.ecr.{region}.")));
    match of_ours.and_then(|(_, name)| name.split_once(':')) {
        Some((repository, version)) if !repository.contains('@') => {
            json!({"repository": {"repository": repository, "version": version}})
        }
        _ => json!({"reference": image}),
    }
}

fn observe(at: &Deployment, id: &Id, revision: &Described) -> Observed<Outputs> {
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<u32>().ok());
    let container = revision.container_definitions().first();
    let architecture = revision.runtime_platform().and_then(|platform| platform.cpu_architecture());
    let outputs = Outputs { task_definition_arn: id.to_string(), revision: revision.revision() };
    Observed::new(outputs)
        .see("cpu", number(revision.cpu()))
        .see("memory", number(revision.memory()))
        .see("architecture", architecture.map(CpuArchitecture::as_str))
        .see("execution_role", revision.execution_role_arn())
        .see("task_role", revision.task_role_arn())
        .see("image", container.and_then(|container| container.image()).map(|image| said(image, at)))
        .see("container", container.map(seen))
}

/// The families of the deployment's own names that have a revision in use.
async fn families(aws: &Aws, deployment: &Deployment) -> Result<Vec<String>, Fault> {
    let request = aws.ecs.list_task_definition_families().family_prefix(identity::stem(deployment));
    let pages = request.status(TaskDefinitionFamilyStatus::Active).into_paginator().items().send();
    pages.collect::<Result<_, _>>().await.map_err(fault("ecs", "ListTaskDefinitionFamilies"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_reads_as_a_spec_would_say_it() {
        let deployment = Deployment {
            project: "acme-rcm".into(),
            partner: "acme".into(),
            environment: "prod".into(),
            account: "123456789012".into(),
            region: "us-east-1".into(),
            partition: "aws".into(),
        };
        let ours = "123456789012.dkr.ecr.us-east-1.amazonaws.com/acme-rcm-prod-api";
        let tagged = json!({"repository": {"repository": "acme-rcm-prod-api", "version": "none-deployed-yet"}});
        assert_eq!(said(&format!("{ours}:none-deployed-yet"), &deployment), tagged);
        for pinned in [format!("{ours}@sha256:0"), "public.ecr.aws/nginx/nginx:1".into(), "nginx".into()] {
            assert_eq!(said(&pinned, &deployment), json!({"reference": pinned}));
        }
    }
}
