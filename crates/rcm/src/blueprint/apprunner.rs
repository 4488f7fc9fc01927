//! What runs without ECS: an App Runner service, and its way into the network. There is no load balancer: App Runner has its own.

use std::collections::BTreeMap;

use rcm_aws::resources::{
    apprunner_auto_scaling::{self, AutoScaling},
    apprunner_service::{self, HealthCheck, Service},
    apprunner_vpc_connector::{self, VpcConnector},
};
use rcm_engine::model::{Graph, Ref};

use super::{
    Blueprint,
    compute::{API, CONTAINER_PORT, environment, secrets},
    database::Database,
    identity::AppRunnerRoles,
    network::Network,
    secrets::Secrets,
    security::Security,
};
use crate::config::ImageRef;

/// The layers that this one stands on.
pub(super) struct Below<'a> {
    pub(super) network: &'a Network,
    pub(super) security: &'a Security,
    pub(super) secrets: &'a Secrets,
    pub(super) database: &'a Database,
    pub(super) roles: AppRunnerRoles,
}

pub(super) fn add(graph: &mut Graph, plan: &Blueprint<'_>, below: &Below<'_>) {
    let connector = apprunner_vpc_connector::Spec {
        name: plan.name(API),
        subnets: below.network.private.clone(),
        security_groups: vec![below.security.service.clone()],
    };
    let connector = graph.add::<VpcConnector>("compute/vpc-connector", connector);
    let size = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    let scaling = apprunner_auto_scaling::Spec {
        name: plan.name(API),
        max_concurrency: 100,
        min_size: size(plan.config.ecs_min_count),
        max_size: size(plan.config.ecs_max_count),
    };
    let scaling = graph.add::<AutoScaling>("compute/auto-scaling", scaling);
    // A service without an image cannot be made.
    let Some(image) = &plan.config.api_image else { return };
    let spec = service(plan, below, image, connector, scaling);
    let service = graph.add::<Service>("compute/app-runner", spec);
    below.network.private_routes.iter().for_each(|routes| graph.after(&service, routes));
    below.security.service_rules.iter().for_each(|rule| graph.after(&service, rule));
}

fn service(
    plan: &Blueprint<'_>,
    below: &Below<'_>,
    image: &ImageRef,
    vpc_connector: Ref<VpcConnector>,
    auto_scaling: Ref<AutoScaling>,
) -> apprunner_service::Spec {
    let mut environment: BTreeMap<String, String> = environment(plan);
    // App Runner sets this one itself, to the port that it is told, and takes no other.
    environment.remove("PORT");
    apprunner_service::Spec {
        name: plan.name(API),
        image: image.as_str().to_owned(),
        access_role: below.roles.access.clone(),
        instance_role: below.roles.instance.clone(),
        port: CONTAINER_PORT,
        environment,
        secrets: secrets(below.database, below.secrets),
        cpu: plan.config.ecs_cpu,
        memory: plan.config.ecs_memory,
        auto_scaling,
        vpc_connector,
        kms_key: below.security.key.clone(),
        health_check: HealthCheck {
            path: "/health".into(),
            interval: 10,
            timeout: 5,
            healthy_threshold: 1,
            unhealthy_threshold: 5,
        },
    }
}
