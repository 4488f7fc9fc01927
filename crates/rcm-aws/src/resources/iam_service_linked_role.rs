//! A service-linked role: what lets a service of AWS (ECS) work in the account. One to a service and account.
//!
//! API: [CreateServiceLinkedRole](https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateServiceLinkedRole.html),
//! [service-linked roles](https://docs.aws.amazon.com/IAM/latest/UserGuide/using-service-linked-roles.html).
//!
//! Surprises: a service makes its role itself at its first use, but a moment too late for that use, which fails with
//! "Unable to assume the service linked role". The role belongs to the account, not to a deployment: it takes no tags at its
//! create, whoever made it shares it with everybody, and so it is the one kind that is taken up without ownership tags and
//! never deleted.

use aws_sdk_iam::types::Role;
use rcm_engine::model::{Actions, Fault, Id, Known, Observed, OnDestroy, Resource};
use serde::{Deserialize, Serialize};

use super::batch::in_order;
use crate::{
    Aws,
    classify::{fault, missing},
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// Where IAM keeps these roles, each under the name of its service.
const PATH: &str = "/aws-service-role/";

/// What a service-linked role should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The service that it is for (`ecs.amazonaws.com`).
    pub service: String,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `arn:aws:iam::…:role/aws-service-role/…`
    pub role_arn: String,
}

/// A service-linked role.
pub struct ServiceLinkedRole;

impl Resource for ServiceLinkedRole {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "iam/service-linked-role";
    const REPLACE_ON: &'static [&'static str] = &["service"];
    const ON_DESTROY: OnDestroy = OnDestroy::Leave;

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let request = cx.cloud.iam.create_service_linked_role().aws_service_name(&spec.service);
        let answer = request.send().await.map_err(fault("iam", "CreateServiceLinkedRole"))?;
        answer.role().map(|role| Id::from(role.arn())).ok_or_else(|| missing("iam", "CreateServiceLinkedRole", "Role"))
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        Ok(describe(cx.cloud, &[id]).await?.remove(0))
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        let Some(first) = known.first() else { return Ok(Vec::new()) };
        describe(first.cx.cloud, &known.iter().map(|known| known.id).collect::<Vec<_>>()).await
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let roles = list(cx.cloud, &format!("{PATH}{}/", spec.service)).await?;
        Ok(roles.first().map(|role| Id::from(role.arn())))
    }

    /// Leaves it: other deployments in the account, and other people, work with the same role, and it costs nothing.
    async fn delete(_: &Cx<'_>, _: &Id) -> Result<(), Fault> {
        Ok(())
    }

    fn actions() -> Actions {
        Actions { write: &["iam:CreateServiceLinkedRole"], read: &["iam:ListRoles"], delete: &[] }
    }
}

async fn list(aws: &Aws, path: &str) -> Result<Vec<Role>, Fault> {
    let pages = aws.iam.list_roles().path_prefix(path).into_paginator().items().send();
    pages.collect::<Result<_, _>>().await.map_err(fault("iam", "ListRoles"))
}

async fn describe(aws: &Aws, ids: &[&Id]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
    let roles = list(aws, PATH).await?;
    Ok(in_order(ids, roles, |role| Some(role.arn()), |role| {
        let service = role.path().strip_prefix(PATH).map(|service| service.trim_end_matches('/'));
        Observed::new(Outputs { role_arn: role.arn().to_owned() }).see("service", service)
    }))
}
