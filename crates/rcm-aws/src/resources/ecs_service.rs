//! A service: so many tasks of one revision, kept running on Fargate behind a load balancer.
//!
//! API: [CreateService](https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html),
//! [UpdateService](https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html),
//! [Deployment](https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html).
//!
//! Surprises: a rollback by the circuit breaker also ends `COMPLETED`, with the old revision; so the revision that was asked
//! for is kept in a tag, and only a deployment of that one counts. The desired count is autoscaling's once there is a
//! scaling target. A deleted service drains: until it is `INACTIVE`, its name is taken and its tasks hold their network
//! interfaces, without which neither subnets nor security groups can go. UpdateService starts a new deployment for what it
//! is given, so it is given only what differs. Whether a shell can be opened is a matter of when a task was started, so a change of it
//! starts others: those that let somebody in would stay. What tasks run on changes only with a forced deployment, and the launch type Fargate, which
//! services of older versions of rcm have, is left where it is the same as what is wanted.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::types::{PropagateTags, Service as Described, ServiceField};
use rcm_engine::model::{Actions, Deployment, Fault, Id, Known, Observed, Owned, Pace, Readiness, Ref, Resource};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    batch::in_order,
    ec2_security_group::SecurityGroup,
    ec2_subnet::Subnet,
    ecs::{claim, listed, ours, tag, tagged},
    ecs_capacity::{Share, strategy},
    ecs_cluster::Cluster,
    ecs_rollout::{readiness, wanted_revision},
    ecs_service_shape::Shape,
    ecs_task_definition::TaskDefinition,
    elb_target_group::TargetGroup,
};
use crate::{
    Aws,
    classify::{absent, fault, missing, refused},
    identity::{REDEPLOY, REVISION, physical_name},
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// The longest name that ECS takes.
const NAME_LIMIT: usize = 255;
/// How many services one call describes.
const BATCH: usize = 10;

/// What a service should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Its name, unique in its cluster. Part of the id, so it cannot drift.
    pub name: String,
    /// The cluster it runs in.
    pub cluster: Ref<Cluster>,
    /// What runs.
    pub task_definition: Ref<TaskDefinition>,
    /// What its tasks run on, in the order of providers. All of them must be the cluster's.
    pub capacity: Vec<Share>,
    /// How many tasks a service begins with that has none; 0 to stop it. In between autoscaling decides, so it is never seen.
    pub desired_count: i32,
    /// Where tasks run.
    pub subnets: BTreeSet<Ref<Subnet>>,
    /// Who may talk to them.
    pub security_groups: BTreeSet<Ref<SecurityGroup>>,
    /// How requests reach them.
    pub load_balancer: Option<LoadBalancer>,
    /// How long the load balancer may find a new task unhealthy, in seconds.
    pub health_check_grace_seconds: i32,
    /// The Fargate platform (`1.4.0`, `LATEST`).
    pub platform_version: String,
    /// How many of the desired tasks run at least during a deployment, in percent.
    pub minimum_healthy_percent: i32,
    /// How many of the desired tasks run at most during a deployment, in percent.
    pub maximum_percent: i32,
    /// Whether a deployment whose tasks keep failing is given up and rolled back.
    pub circuit_breaker: bool,
    /// Whether people with the right to may open a shell in a task.
    pub execute_command: bool,
}

/// How requests reach the tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadBalancer {
    /// The group that tasks are registered with; a listener has to forward to it already.
    pub target_group: Ref<TargetGroup>,
    /// The container that answers.
    pub container: String,
    /// Its port.
    pub port: u16,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `arn:aws:ecs:…:service/cluster/service`
    pub service_arn: String,
    /// The name that it has in AWS.
    pub service_name: String,
}

/// A service.
pub struct Service;

impl Resource for Service {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "ecs/service";
    const REPLACE_ON: &'static [&'static str] = &["name", "cluster"];
    const TAGGED: bool = true;
    const PACE: Pace = Pace::slow(120, 1800).gone_within(900);

    fn effect(field: &str, before: &Value, after: &Value) -> Option<&'static str> {
        match field {
            "capacity" | "execute_command" => Some("its tasks are replaced, without a gap"),
            "desired_count" if before != &json!(0) && after != &json!(0) => {
                Some("for a service that starts anew: how many tasks run by now is autoscaling's business")
            }
            _ => None,
        }
    }

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let shape = Shape::wanted(cx, spec)?;
        let mut tags = tagged(cx.identity);
        tags.push(tag(REVISION, &shape.task_definition));
        let request = cx.cloud.ecs.create_service().client_token(&cx.identity.token).set_tags(Some(tags));
        let request = request.cluster(cx.id(&spec.cluster)?.as_str());
        let request = request.service_name(physical_name(cx.identity, &spec.name, NAME_LIMIT));
        let request = request
            .set_capacity_provider_strategy(Some(strategy(&spec.capacity, "CreateService")?))
            .propagate_tags(PropagateTags::Service)
            .enable_ecs_managed_tags(true)
            .desired_count(spec.desired_count)
            .task_definition(&shape.task_definition)
            .network_configuration(shape.network("CreateService")?)
            .set_load_balancers(Some(shape.balancers()))
            .set_health_check_grace_period_seconds(shape.grace_seconds)
            .set_platform_version(shape.platform_version.clone())
            .deployment_configuration(shape.deployment())
            .enable_execute_command(shape.execute_command);
        let answer = request.send().await.map_err(fault("ecs", "CreateService"))?;
        let arn = answer.service().and_then(|service| service.service_arn());
        arn.map(Id::from).ok_or_else(|| missing("ecs", "CreateService", "serviceArn"))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        let Some(service) = described(cx.cloud, id).await? else {
            return Err(refused("ecs", "DescribeServices", "ServiceNotFoundException", "not visible yet"));
        };
        let wanted = Shape::wanted(cx, spec)?;
        let live = Shape::live(&service).or(&wanted);
        if wanted_revision(&service) != Some(&wanted.task_definition) {
            let request = cx.cloud.ecs.tag_resource().resource_arn(id.as_str());
            let request = request.tags(tag(REVISION, &wanted.task_definition));
            request.send().await.map_err(fault("ecs", "TagResource"))?;
        }
        let count = starts_or_stops(cx, spec, &service);
        let redeploys = service.tags().iter().any(|tag| tag.key() == Some(REDEPLOY));
        if live == wanted && count.is_none() && !redeploys {
            return Ok(());
        }
        let (cluster, name) = place(id)?;
        let request = cx.cloud.ecs.update_service().cluster(cluster).service(name).set_desired_count(count);
        let request = wanted.update(&live, request)?;
        let request = if redeploys { request.force_new_deployment(true) } else { request };
        request.send().await.map_err(fault("ecs", "UpdateService"))?;
        if redeploys {
            let request = cx.cloud.ecs.untag_resource().resource_arn(id.as_str()).tag_keys(REDEPLOY);
            request.send().await.map_err(fault("ecs", "UntagResource"))?;
        }
        Ok(())
    }

    async fn ready(cx: &Cx<'_>, id: &Id) -> Result<Readiness, Fault> {
        let service = described(cx.cloud, id).await?;
        Ok(service.map_or_else(|| Readiness::Pending("not visible yet".to_owned()), |service| readiness(&service)))
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        Ok(observe(&[id], described(cx.cloud, id).await?.into_iter().collect()).remove(0))
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        let Some(Known { cx, .. }) = known.first() else { return Ok(Vec::new()) };
        let mut clusters = BTreeMap::<_, Vec<_>>::new();
        for Known { id, .. } in known {
            let (cluster, name) = place(id)?;
            clusters.entry(cluster).or_default().push(name.to_owned());
        }
        let mut found = Vec::new();
        for (cluster, names) in clusters {
            for names in names.chunks(BATCH) {
                found.extend(describe(cx.cloud, cluster, names).await?);
            }
        }
        Ok(observe(&known.iter().map(|known| known.id).collect::<Vec<_>>(), found))
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let name = physical_name(cx.identity, &spec.name, NAME_LIMIT);
        let found = describe(cx.cloud, cx.id(&spec.cluster)?.as_str(), &[name]).await?;
        let ours = found.into_iter().find(|service| service.status() == Some("ACTIVE") && ours(cx.identity, service.tags()));
        Ok(ours.and_then(|service| service.service_arn).map(Id::from))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let (cluster, name) = place(id)?;
        if !cx.purges() {
            let request = cx.cloud.ecs.update_service().cluster(cluster).service(name).desired_count(0);
            absent(request.send().await.map_err(fault("ecs", "UpdateService")))?;
        }
        let request = cx.cloud.ecs.delete_service().cluster(cluster).service(name).force(cx.purges());
        request.send().await.map(drop).map_err(fault("ecs", "DeleteService"))
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let mut found = Vec::new();
        for cluster in Cluster::list(aws, deployment).await? {
            let pages = aws.ecs.list_services().cluster(cluster.id.as_str()).into_paginator().items().send();
            let arns = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("ecs", "ListServices"))?;
            for arns in arns.chunks(BATCH) {
                found.extend(describe(aws, cluster.id.as_str(), arns).await?);
            }
        }
        let active = found.iter().filter(|service| service.status() == Some("ACTIVE"));
        Ok(active.filter_map(|service| listed(deployment, service.service_arn()?, service.tags())).collect())
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        claim(cx, id).await
    }

    fn fits(cx: &Cx<'_>, id: &Id, spec: &Spec) -> bool {
        place(id).is_ok_and(|(_, name)| name == physical_name(cx.identity, &spec.name, NAME_LIMIT))
    }

    fn actions() -> Actions {
        Actions {
            write: &[
                "ecs:CreateService",
                "ecs:DescribeServices",
                "ecs:TagResource",
                "ecs:UntagResource",
                "ecs:UpdateService",
            ],
            read: &[
                "ecs:DescribeClusters",
                "ecs:DescribeServices",
                "ecs:ListClusters",
                "ecs:ListServices",
                "ecs:ListTagsForResource",
            ],
            delete: &["ecs:DeleteService", "ecs:UpdateService"],
        }
    }
}

/// Notes with the service that its tasks are to be replaced, because what they read when they start has changed: the next
/// `configure` does it, whoever sends that.
pub async fn ask_for_redeployment(aws: &Aws, id: &Id) -> Result<(), Fault> {
    let request = aws.ecs.tag_resource().resource_arn(id.as_str()).tags(tag(REDEPLOY, "true"));
    request.send().await.map(drop).map_err(fault("ecs", "TagResource"))
}

/// The cluster and the name in a service's ARN.
fn place(id: &Id) -> Result<(&str, &str), Fault> {
    let place = id.as_str().split_once(":service/").and_then(|(_, place)| place.split_once('/'));
    place.ok_or_else(|| Fault::invalid("id", format!("{id} is not the ARN of a service in a cluster")))
}

/// The services of these names that exist; one that drains still does.
async fn describe(aws: &Aws, cluster: &str, names: &[String]) -> Result<Vec<Described>, Fault> {
    let request = aws.ecs.describe_services().cluster(cluster).set_services(Some(names.to_vec()));
    let answer = request.include(ServiceField::Tags).send().await;
    let answer = absent(answer.map_err(fault("ecs", "DescribeServices")))?;
    let mut services = answer.and_then(|answer| answer.services).unwrap_or_default();
    services.retain(|service| service.status() != Some("INACTIVE"));
    Ok(services)
}

/// The number of tasks to ask for: only to start a service that runs none, or to stop one. How many of a running service
/// there are is autoscaling's business.
fn starts_or_stops(cx: &Cx<'_>, spec: &Spec, live: &Described) -> Option<i32> {
    let differs = (spec.desired_count == 0) != (live.desired_count() == 0);
    (cx.changes("desired_count") && differs).then_some(spec.desired_count)
}

async fn described(aws: &Aws, id: &Id) -> Result<Option<Described>, Fault> {
    let (cluster, name) = place(id)?;
    Ok(describe(aws, cluster, &[name.to_owned()]).await?.pop())
}

fn observe(ids: &[&Id], services: Vec<Described>) -> Vec<Option<Observed<Outputs>>> {
    in_order(ids, services, |service| service.service_arn(), |service| {
        let seen = Observed::new(Outputs {
            service_arn: service.service_arn().unwrap_or_default().to_owned(),
            service_name: service.service_name().unwrap_or_default().to_owned(),
        });
        Shape::live(service).seen(seen.see("cluster", service.cluster_arn()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_tells_where_the_service_is() {
        let id = Id::from("arn:aws:ecs:us-east-1:123456789012:service/acme-rcm-prod-cluster/acme-rcm-prod-api");
        assert_eq!(place(&id).unwrap(), ("acme-rcm-prod-cluster", "acme-rcm-prod-api"));
        assert!(place(&Id::from("arn:aws:ecs:us-east-1:123456789012:service/api")).is_err());
    }
}
