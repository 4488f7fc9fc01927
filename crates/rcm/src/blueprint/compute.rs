//! What runs: cluster, task definition, service, scaling.

use std::collections::BTreeMap;

use rcm_aws::resources::{
    autoscaling_policy::{self, ScalingPolicy},
    autoscaling_target::{self, ScalableTarget},
    ecs_cluster::{self, Cluster, ContainerInsights},
    ecs_container::Container,
    ecs_service::{self, LoadBalancer, Service},
    ecs_task_definition::{self, Architecture, Image, TaskDefinition},
    iam_service_linked_role::{self, ServiceLinkedRole},
};
use rcm_engine::model::{Graph, Ref};

use super::{
    Blueprint, database::Database, edge::Edge, identity::Identity, network::Network, secrets::Secrets,
    security::Security, storage::Storage,
};

/// What the API listens on; it is told so in `PORT`.
pub(super) const CONTAINER_PORT: u16 = 8080;
/// The container's name.
const API: &str = "api";
/// Neither root nor a user of the host.
const USER: &str = "1000:1000";
/// At how many percent of CPU tasks are added.
const SCALE_AT_CPU: u32 = 70;

/// The layers that this one stands on.
pub(super) struct Below {
    pub(super) network: Network,
    pub(super) security: Security,
    pub(super) storage: Storage,
    pub(super) secrets: Secrets,
    pub(super) database: Database,
    pub(super) identity: Identity,
    pub(super) edge: Edge,
}

pub(super) fn add(graph: &mut Graph, plan: &Blueprint<'_>, below: &Below) {
    let role = iam_service_linked_role::Spec { service: "ecs.amazonaws.com".into() };
    let role = graph.add::<ServiceLinkedRole>("compute/service-linked-role", role);
    let cluster = graph.add::<Cluster>(
        "compute/cluster",
        ecs_cluster::Spec { name: plan.name("cluster"), container_insights: ContainerInsights::Enabled },
    );
    graph.after(&cluster, &role);
    graph.after(&cluster, &below.storage.insights_logs);
    let definition = graph.add::<TaskDefinition>("compute/task-definition", task_definition(plan, below));
    let service = graph.add::<Service>("compute/service", service(plan, below, cluster, definition));
    graph.after(&service, &below.edge.forwarding);
    below.network.private_routes.iter().for_each(|routes| graph.after(&service, routes));
    below.security.service_rules.iter().for_each(|rule| graph.after(&service, rule));
    scaling(graph, plan, service);
}

fn task_definition(plan: &Blueprint<'_>, below: &Below) -> ecs_task_definition::Spec {
    let config = plan.config;
    let image = match &config.api_image {
        Some(image) => Image::Reference(image.as_str().to_owned()),
        // Never pulled: without an image the service runs no task.
        None => Image::Repository { repository: below.storage.api.clone(), version: "none-deployed-yet".into() },
    };
    ecs_task_definition::Spec {
        family: plan.name(API),
        cpu: config.ecs_cpu,
        memory: config.ecs_memory,
        architecture: Architecture::X8664,
        execution_role: below.identity.execution.clone(),
        task_role: below.identity.task.clone(),
        image,
        container: Container {
            name: API.into(),
            port: CONTAINER_PORT,
            user: Some(USER.into()),
            read_only_root: true,
            init_process: true,
            environment: environment(plan),
            secrets: BTreeMap::from([
                ("DATABASE_URL".into(), below.database.url.to_value()),
                ("JWT_SECRET".into(), below.secrets.jwt.to_value()),
            ]),
            log_group: below.storage.application_logs.clone(),
            log_stream_prefix: API.into(),
            health_check: None,
        },
    }
}

fn environment(plan: &Blueprint<'_>) -> BTreeMap<String, String> {
    let config = plan.config;
    let mut environment = BTreeMap::from([
        ("BRAND_NAME", config.brand_name.clone()),
        ("SUPPORT_EMAIL", config.support_email.clone()),
        ("PRIMARY_COLOR", config.primary_color.as_str().to_owned()),
        ("ENVIRONMENT", config.environment.clone()),
        ("AWS_REGION", plan.region().to_owned()),
        ("PORT", CONTAINER_PORT.to_string()),
    ]);
    if let Some(domain) = &config.domain_name {
        environment.insert("DOMAIN_NAME", domain.clone());
    }
    environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn service(
    plan: &Blueprint<'_>,
    below: &Below,
    cluster: Ref<Cluster>,
    task_definition: Ref<TaskDefinition>,
) -> ecs_service::Spec {
    let wanted = i32::try_from(plan.config.ecs_desired_count).unwrap_or(i32::MAX);
    ecs_service::Spec {
        name: plan.name(API),
        cluster,
        task_definition,
        desired_count: if plan.config.api_image.is_some() { wanted } else { 0 },
        subnets: below.network.private.iter().cloned().collect(),
        security_groups: [below.security.service.clone()].into(),
        load_balancer: Some(LoadBalancer {
            target_group: below.edge.target_group.clone(),
            container: API.into(),
            port: CONTAINER_PORT,
        }),
        health_check_grace_seconds: 60,
        platform_version: "1.4.0".into(),
        minimum_healthy_percent: 100,
        maximum_percent: 200,
        circuit_breaker: true,
        execute_command: false,
    }
}

fn scaling(graph: &mut Graph, plan: &Blueprint<'_>, service: Ref<Service>) {
    let tasks = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    let target = graph.add::<ScalableTarget>(
        "compute/scalable-target",
        autoscaling_target::Spec {
            service,
            // Without an image there is nothing to run: a minimum would have tasks started that cannot be.
            min: if plan.config.api_image.is_some() { tasks(plan.config.ecs_min_count) } else { 0 },
            max: tasks(plan.config.ecs_max_count),
        },
    );
    let policy = autoscaling_policy::Spec {
        name: plan.name("cpu-scaling"),
        target,
        cpu_percent: SCALE_AT_CPU,
        scale_out_cooldown_seconds: 60,
        scale_in_cooldown_seconds: 300,
    };
    graph.add::<ScalingPolicy>("compute/scaling-policy", policy);
}
