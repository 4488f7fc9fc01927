//! What of a service can be changed, as it is wanted and as it is: so that only the difference is sent.

use std::collections::BTreeSet;

use aws_sdk_ecs::{
    operation::update_service::builders::UpdateServiceFluentBuilder as Update,
    types::{
        AssignPublicIp, AwsVpcConfiguration, DeploymentCircuitBreaker, DeploymentConfiguration,
        LoadBalancer as AwsLoadBalancer, NetworkConfiguration, Service,
    },
};
use rcm_engine::model::{Cx, Fault, Observed};
use serde::Serialize;

use super::ecs_capacity::{self, Share, strategy};
use super::ecs_service::{LoadBalancer, Outputs, Spec};
use crate::{Aws, classify::unbuilt};

/// The changeable fields of a [`Spec`], references as what they stand for. `None` is unknown: the answer does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) task_definition: String,
    /// In the order of providers.
    pub(super) capacity: Option<Vec<Share>>,
    pub(super) subnets: Option<BTreeSet<String>>,
    pub(super) security_groups: Option<BTreeSet<String>>,
    pub(super) load_balancer: Option<Balancer>,
    pub(super) grace_seconds: Option<i32>,
    pub(super) platform_version: Option<String>,
    pub(super) minimum_healthy_percent: Option<i32>,
    pub(super) maximum_percent: Option<i32>,
    pub(super) circuit_breaker: Option<bool>,
    pub(super) execute_command: bool,
}

/// Serialises like a resolved [`LoadBalancer`]; here `None` is known to be none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Balancer {
    target_group: String,
    container: String,
    port: i32,
}

impl Shape {
    pub(super) fn wanted(cx: &Cx<'_, Aws>, spec: &Spec) -> Result<Self, Fault> {
        let balancer = |wanted: &LoadBalancer| -> Result<_, Fault> {
            let target_group = cx.id(&wanted.target_group)?.to_string();
            Ok(Balancer { target_group, container: wanted.container.clone(), port: wanted.port.into() })
        };
        let subnets = spec.subnets.iter().map(|subnet| cx.id(subnet).map(|id| id.to_string()));
        let groups = spec.security_groups.iter().map(|group| cx.id(group).map(|id| id.to_string()));
        Ok(Self {
            task_definition: cx.id(&spec.task_definition)?.to_string(),
            capacity: Some(spec.capacity.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect()),
            subnets: Some(subnets.collect::<Result<_, _>>()?),
            security_groups: Some(groups.collect::<Result<_, _>>()?),
            load_balancer: spec.load_balancer.as_ref().map(balancer).transpose()?,
            // ECS refuses it where there is no load balancer.
            grace_seconds: spec.load_balancer.is_some().then_some(spec.health_check_grace_seconds),
            platform_version: Some(spec.platform_version.clone()),
            minimum_healthy_percent: Some(spec.minimum_healthy_percent),
            maximum_percent: Some(spec.maximum_percent),
            circuit_breaker: Some(spec.circuit_breaker),
            execute_command: spec.execute_command,
        })
    }

    pub(super) fn live(service: &Service) -> Self {
        let network = service.network_configuration().and_then(|network| network.awsvpc_configuration());
        let deployment = service.deployment_configuration();
        let breaker = deployment.and_then(|deployment| deployment.deployment_circuit_breaker());
        let balancer = |live: &AwsLoadBalancer| Balancer {
            target_group: live.target_group_arn().unwrap_or_default().to_owned(),
            container: live.container_name().unwrap_or_default().to_owned(),
            port: live.container_port().unwrap_or(0),
        };
        let set = |ids: &[String]| ids.iter().cloned().collect();
        Self {
            task_definition: service.task_definition().unwrap_or_default().to_owned(),
            capacity: ecs_capacity::live(service),
            subnets: network.map(|network| set(network.subnets())),
            security_groups: network.map(|network| set(network.security_groups())),
            load_balancer: service.load_balancers().first().map(balancer),
            grace_seconds: service.health_check_grace_period_seconds(),
            platform_version: service.platform_version().map(str::to_owned),
            minimum_healthy_percent: deployment.and_then(|deployment| deployment.minimum_healthy_percent()),
            maximum_percent: deployment.and_then(|deployment| deployment.maximum_percent()),
            circuit_breaker: breaker.map(|breaker| breaker.enable() && breaker.rollback()),
            execute_command: service.enable_execute_command(),
        }
    }

    /// The same with what is unknown taken from `wanted`: what nobody knows to be wrong is not sent.
    pub(super) fn or(self, wanted: &Self) -> Self {
        Self {
            capacity: self.capacity.or_else(|| wanted.capacity.clone()),
            subnets: self.subnets.or_else(|| wanted.subnets.clone()),
            security_groups: self.security_groups.or_else(|| wanted.security_groups.clone()),
            grace_seconds: self.grace_seconds.filter(|_| wanted.grace_seconds.is_some()).or(wanted.grace_seconds),
            platform_version: self.platform_version.or_else(|| wanted.platform_version.clone()),
            minimum_healthy_percent: self.minimum_healthy_percent.or(wanted.minimum_healthy_percent),
            maximum_percent: self.maximum_percent.or(wanted.maximum_percent),
            circuit_breaker: self.circuit_breaker.or(wanted.circuit_breaker),
            ..self
        }
    }

    /// Puts what was read under the names of the spec.
    pub(super) fn seen(self, seen: Observed<Outputs>) -> Observed<Outputs> {
        let seen = seen
            .see("task_definition", self.task_definition)
            .see("load_balancer", self.load_balancer)
            .see("execute_command", self.execute_command);
        let seen = known(seen, "capacity", self.capacity);
        let seen = known(seen, "subnets", self.subnets);
        let seen = known(seen, "security_groups", self.security_groups);
        let seen = known(seen, "health_check_grace_seconds", self.grace_seconds);
        let seen = known(seen, "platform_version", self.platform_version);
        let seen = known(seen, "minimum_healthy_percent", self.minimum_healthy_percent);
        let seen = known(seen, "maximum_percent", self.maximum_percent);
        known(seen, "circuit_breaker", self.circuit_breaker)
    }

    /// Adds to `request` what differs from `live`, and nothing else.
    pub(super) fn update(&self, live: &Self, request: Update) -> Result<Update, Fault> {
        let mut request = request;
        if self.task_definition != live.task_definition {
            request = request.task_definition(&self.task_definition);
        }
        if self.capacity != live.capacity {
            let strategy = strategy(self.capacity.as_deref().unwrap_or_default(), "UpdateService")?;
            request = request.set_capacity_provider_strategy(Some(strategy)).force_new_deployment(true);
        }
        if (&self.subnets, &self.security_groups) != (&live.subnets, &live.security_groups) {
            request = request.network_configuration(self.network("UpdateService")?);
        }
        if self.load_balancer != live.load_balancer {
            request = request.set_load_balancers(Some(self.balancers()));
        }
        if self.grace_seconds != live.grace_seconds {
            request = request.set_health_check_grace_period_seconds(self.grace_seconds);
        }
        if self.platform_version != live.platform_version {
            request = request.set_platform_version(self.platform_version.clone());
        }
        if self.deployment() != live.deployment() {
            request = request.deployment_configuration(self.deployment());
        }
        if self.execute_command != live.execute_command {
            // Only new tasks have another mind.
            request = request.enable_execute_command(self.execute_command).force_new_deployment(true);
        }
        Ok(request)
    }

    pub(super) fn network(&self, operation: &'static str) -> Result<NetworkConfiguration, Fault> {
        let list = |ids: &Option<BTreeSet<String>>| ids.iter().flatten().cloned().collect();
        let vpc = AwsVpcConfiguration::builder()
            .set_subnets(Some(list(&self.subnets)))
            .set_security_groups(Some(list(&self.security_groups)))
            .assign_public_ip(AssignPublicIp::Disabled)
            .build()
            .map_err(unbuilt("ecs", operation))?;
        Ok(NetworkConfiguration::builder().awsvpc_configuration(vpc).build())
    }

    pub(super) fn balancers(&self) -> Vec<AwsLoadBalancer> {
        let balancer = |balancer: &Balancer| {
            AwsLoadBalancer::builder()
                .target_group_arn(&balancer.target_group)
                .container_name(&balancer.container)
                .container_port(balancer.port)
                .build()
        };
        self.load_balancer.iter().map(balancer).collect()
    }

    pub(super) fn deployment(&self) -> DeploymentConfiguration {
        let breaker = |on| DeploymentCircuitBreaker::builder().enable(on).rollback(on).build();
        DeploymentConfiguration::builder()
            .set_minimum_healthy_percent(self.minimum_healthy_percent)
            .set_maximum_percent(self.maximum_percent)
            .set_deployment_circuit_breaker(self.circuit_breaker.map(breaker))
            .build()
    }
}

fn known(seen: Observed<Outputs>, field: &'static str, value: Option<impl Serialize>) -> Observed<Outputs> {
    match value {
        Some(value) => seen.see(field, value),
        None => seen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> Shape {
        let target_group = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/api/0123456789abcdef";
        Shape {
            task_definition: "arn:aws:ecs:us-east-1:123456789012:task-definition/acme-rcm-prod-api:1".into(),
            capacity: Some(vec![Share { provider: "FARGATE_SPOT".into(), base: 0, weight: 1 }]),
            subnets: Some(BTreeSet::from(["subnet-1".into(), "subnet-2".into()])),
            security_groups: Some(BTreeSet::from(["sg-1".into()])),
            load_balancer: Some(Balancer { target_group: target_group.into(), container: "api".into(), port: 8080 }),
            grace_seconds: Some(60),
            platform_version: Some("1.4.0".into()),
            minimum_healthy_percent: Some(100),
            maximum_percent: Some(200),
            circuit_breaker: Some(true),
            execute_command: false,
        }
    }

    #[test]
    fn what_was_created_reads_back_as_what_was_wanted() {
        let shape = shape();
        let service = Service::builder()
            .task_definition(&shape.task_definition)
            .set_capacity_provider_strategy(Some(strategy(shape.capacity.as_ref().unwrap(), "CreateService").unwrap()))
            .network_configuration(shape.network("CreateService").unwrap())
            .set_load_balancers(Some(shape.balancers()))
            .set_health_check_grace_period_seconds(shape.grace_seconds)
            .set_platform_version(shape.platform_version.clone())
            .deployment_configuration(shape.deployment())
            .build();
        assert_eq!(Shape::live(&service), shape);
    }

    #[test]
    fn what_the_answer_does_not_say_is_not_sent_and_what_it_says_wrongly_is() {
        let wanted = shape();
        let service =
            Service::builder().task_definition("another").set_load_balancers(Some(wanted.balancers())).build();
        let live = Shape::live(&service).or(&wanted);
        assert_eq!(live, Shape { task_definition: "another".into(), ..wanted });
    }

    #[test]
    fn a_breaker_that_does_not_roll_back_is_not_the_one_that_was_wanted() {
        let half = DeploymentCircuitBreaker::builder().enable(true).rollback(false).build();
        let deployment = DeploymentConfiguration::builder().deployment_circuit_breaker(half).build();
        let service = Service::builder().deployment_configuration(deployment).build();
        assert_eq!(Shape::live(&service).circuit_breaker, Some(false));
    }
}
