//! A cluster: the name under which services run, what their tasks may run on, and what Container Insights measures.
//!
//! API: [CreateCluster](https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateCluster.html),
//! [PutClusterCapacityProviders](https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_PutClusterCapacityProviders.html).
//!
//! Surprises: CreateCluster answers with the existing cluster of that name, whoever made it, instead of refusing; so the
//! name is looked up first. A deleted cluster stays visible as `INACTIVE`, and its name is free again. The first cluster of an
//! account needs ECS's [service-linked role](super::iam_service_linked_role). How sessions are logged cannot be taken off again:
//! it is set to ECS's own way instead, which needs no key and logs to wherever the container does.

use std::collections::BTreeSet;

use aws_sdk_ecs::types::{
    Cluster as Described, ClusterConfiguration, ClusterField, ClusterSetting, ClusterSettingName,
    ExecuteCommandConfiguration, ExecuteCommandLogConfiguration, ExecuteCommandLogging,
};
use rcm_engine::model::{Actions, Deployment, Fault, FaultKind, Id, Known, Observed, Owned, Readiness, Ref, Resource};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    batch::in_order,
    ecs::{claim, listed, ours, tagged},
    kms_key::Key,
    logs_group::LogGroup,
};
use crate::{
    Aws,
    classify::{fault, missing},
    identity::physical_name,
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// The longest name that ECS takes.
pub(crate) const NAME_LIMIT: usize = 255;
/// How many clusters one call describes.
const BATCH: usize = 100;

/// What a cluster should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Its name, unique in account and region. Part of the id, so it cannot drift.
    pub name: String,
    /// What CloudWatch Container Insights collects.
    pub container_insights: ContainerInsights,
    /// What its services' tasks may run on (`FARGATE`, `FARGATE_SPOT`).
    pub capacity_providers: BTreeSet<String>,
    /// How sessions in its containers are encrypted and logged, where there are any.
    #[serde(default)]
    pub sessions: Option<Sessions>,
}

/// How [sessions](https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html) are encrypted and logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sessions {
    /// What encrypts them between whoever opens one and the container.
    pub kms_key: Ref<Key>,
    /// Where what is typed and shown goes, encrypted.
    pub log_group: Ref<LogGroup>,
}

/// What CloudWatch Container Insights collects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContainerInsights {
    /// Nothing.
    Disabled,
    /// Figures of clusters and services.
    Enabled,
    /// Figures down to the container.
    Enhanced,
}

impl ContainerInsights {
    fn setting(self) -> ClusterSetting {
        let value = match self {
            Self::Disabled => "disabled",
            Self::Enabled => "enabled",
            Self::Enhanced => "enhanced",
        };
        ClusterSetting::builder().name(ClusterSettingName::ContainerInsights).value(value).build()
    }
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `arn:aws:ecs:…:cluster/…`
    pub cluster_arn: String,
    /// The name that it has in AWS.
    pub cluster_name: String,
}

/// A cluster.
pub struct Cluster;

impl Resource for Cluster {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "ecs/cluster";
    const REPLACE_ON: &'static [&'static str] = &["name"];
    const TAGGED: bool = true;

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let name = physical_name(cx.identity, &spec.name, NAME_LIMIT);
        if let Some(cluster) = by_name(cx.cloud, &name).await? {
            let arn = cluster.cluster_arn().unwrap_or_default();
            return Err(Fault::ours(FaultKind::Exists, "CreateCluster", "ClusterExists", format!("{arn} exists")));
        }
        let request = cx.cloud.ecs.create_cluster().cluster_name(name).settings(spec.container_insights.setting());
        let request = request.set_capacity_providers(Some(spec.capacity_providers.iter().cloned().collect()));
        let request = request.set_configuration(spec.sessions.as_ref().map(|sessions| logged(cx, sessions)).transpose()?);
        let answer = request.set_tags(Some(tagged(cx.identity))).send().await.map_err(fault("ecs", "CreateCluster"))?;
        let arn = answer.cluster().and_then(|cluster| cluster.cluster_arn());
        arn.map(Id::from).ok_or_else(|| missing("ecs", "CreateCluster", "clusterArn"))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        if cx.changes("sessions") {
            let configuration = spec.sessions.as_ref().map_or_else(|| Ok(ecs_own_way()), |sessions| logged(cx, sessions));
            let request = cx.cloud.ecs.update_cluster().cluster(id.as_str()).configuration(configuration?);
            request.send().await.map_err(fault("ecs", "UpdateCluster"))?;
        }
        if !cx.changes("container_insights") && !cx.changes("capacity_providers") {
            return Ok(());
        }
        let live = clusters(cx.cloud, &[id.to_string()]).await?.pop();
        let wanted = spec.container_insights.setting();
        if live.as_ref().is_none_or(|cluster| insights(cluster) != wanted.value()) {
            let request = cx.cloud.ecs.update_cluster_settings().cluster(id.as_str()).settings(wanted);
            request.send().await.map_err(fault("ecs", "UpdateClusterSettings"))?;
        }
        if live.is_some_and(|cluster| providers(&cluster) == spec.capacity_providers) {
            return Ok(());
        }
        let request = cx.cloud.ecs.put_cluster_capacity_providers().cluster(id.as_str());
        let request = request.set_capacity_providers(Some(spec.capacity_providers.iter().cloned().collect()));
        let sent = request.set_default_capacity_provider_strategy(Some(Vec::new())).send().await;
        sent.map(drop).map_err(fault("ecs", "PutClusterCapacityProviders"))
    }

    async fn ready(cx: &Cx<'_>, id: &Id) -> Result<Readiness, Fault> {
        let cluster = clusters(cx.cloud, &[id.to_string()]).await?.pop();
        Ok(match cluster.as_ref().and_then(|cluster| cluster.status()) {
            Some("ACTIVE") => Readiness::Ready,
            Some("FAILED") => Readiness::Failed("it is FAILED".to_owned()),
            // Its capacity providers are being associated.
            Some(status) => Readiness::Pending(format!("it is {status}")),
            None => Readiness::Pending("not visible yet".to_owned()),
        })
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        Ok(describe(cx.cloud, &[id]).await?.remove(0))
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        let Some(first) = known.first() else { return Ok(Vec::new()) };
        describe(first.cx.cloud, &known.iter().map(|known| known.id).collect::<Vec<_>>()).await
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let cluster = by_name(cx.cloud, &physical_name(cx.identity, &spec.name, NAME_LIMIT)).await?;
        let ours = cluster.filter(|cluster| ours(cx.identity, cluster.tags()));
        Ok(ours.and_then(|cluster| cluster.cluster_arn).map(Id::from))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let request = cx.cloud.ecs.delete_cluster().cluster(id.as_str());
        request.send().await.map(drop).map_err(fault("ecs", "DeleteCluster"))
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let pages = aws.ecs.list_clusters().into_paginator().items().send();
        let arns = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("ecs", "ListClusters"))?;
        let all = clusters(aws, &arns).await?;
        Ok(all.iter().filter_map(|cluster| listed(deployment, cluster.cluster_arn()?, cluster.tags())).collect())
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        claim(cx, id).await
    }

    fn fits(cx: &Cx<'_>, id: &Id, spec: &Spec) -> bool {
        let name = physical_name(cx.identity, &spec.name, NAME_LIMIT);
        id.as_str().ends_with(&format!(":cluster/{name}"))
    }

    fn actions() -> Actions {
        Actions {
            write: &["ecs:CreateCluster",
                "ecs:DescribeClusters",
                "ecs:PutClusterCapacityProviders",
                "ecs:TagResource",
                "ecs:UpdateCluster",
                "ecs:UpdateClusterSettings",
            ],
            read: &["ecs:DescribeClusters", "ecs:ListClusters", "ecs:ListTagsForResource"],
            delete: &["ecs:DeleteCluster"],
        }
    }
}

/// The clusters of these names or ARNs that exist.
async fn clusters(aws: &Aws, names: &[String]) -> Result<Vec<Described>, Fault> {
    let mut found = Vec::new();
    for names in names.chunks(BATCH) {
        let request = aws.ecs.describe_clusters().set_clusters(Some(names.to_vec()));
        let request = request.include(ClusterField::Settings).include(ClusterField::Configurations);
        let request = request.include(ClusterField::Tags);
        let answer = request.send().await.map_err(fault("ecs", "DescribeClusters"))?;
        found.extend(answer.clusters.unwrap_or_default());
    }
    found.retain(|cluster| cluster.status() != Some("INACTIVE"));
    Ok(found)
}

async fn by_name(aws: &Aws, name: &str) -> Result<Option<Described>, Fault> {
    Ok(clusters(aws, &[name.to_owned()]).await?.pop())
}

fn insights(cluster: &Described) -> Option<&str> {
    let is_it = |setting: &&ClusterSetting| setting.name() == Some(&ClusterSettingName::ContainerInsights);
    cluster.settings().iter().find(is_it).and_then(ClusterSetting::value)
}

fn providers(cluster: &Described) -> BTreeSet<String> {
    cluster.capacity_providers().iter().cloned().collect()
}

fn sessions(configuration: ExecuteCommandConfiguration) -> ClusterConfiguration {
    ClusterConfiguration::builder().execute_command_configuration(configuration).build()
}

fn logged(cx: &Cx<'_>, wanted: &Sessions) -> Result<ClusterConfiguration, Fault> {
    let logs = ExecuteCommandLogConfiguration::builder()
        .cloud_watch_log_group_name(cx.id(&wanted.log_group)?.as_str())
        .cloud_watch_encryption_enabled(true);
    let configuration = ExecuteCommandConfiguration::builder()
        .kms_key_id(cx.id(&wanted.kms_key)?.as_str())
        .logging(ExecuteCommandLogging::Override)
        .log_configuration(logs.build());
    Ok(sessions(configuration.build()))
}

fn ecs_own_way() -> ClusterConfiguration {
    sessions(ExecuteCommandConfiguration::builder().logging(ExecuteCommandLogging::Default).build())
}

/// How sessions are encrypted and logged, as a spec would say it; a log group that is not encrypted is none.
fn seen_sessions(cluster: &Described) -> Option<Value> {
    let configuration = cluster.configuration()?.execute_command_configuration()?;
    let logs = configuration.log_configuration();
    let group = logs.filter(|logs| logs.cloud_watch_encryption_enabled()).and_then(|logs| logs.cloud_watch_log_group_name());
    let is_set = configuration.kms_key_id().is_some() || group.is_some();
    is_set.then(|| json!({"kms_key": configuration.kms_key_id(), "log_group": group}))
}

async fn describe(aws: &Aws, ids: &[&Id]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
    let clusters = clusters(aws, &ids.iter().map(ToString::to_string).collect::<Vec<_>>()).await?;
    Ok(in_order(ids, clusters, |cluster| cluster.cluster_arn(), |cluster| {
        let seen = Observed::new(Outputs {
            cluster_arn: cluster.cluster_arn().unwrap_or_default().to_owned(),
            cluster_name: cluster.cluster_name().unwrap_or_default().to_owned(),
        });
        let seen = seen.see("capacity_providers", providers(cluster)).see("sessions", seen_sessions(cluster));
        match insights(cluster) {
            Some(insights) => seen.see("container_insights", insights),
            None => seen,
        }
    }))
}
