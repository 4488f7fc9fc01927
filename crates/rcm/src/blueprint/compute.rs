//! What runs: cluster, task definition, service, scaling.

use std::collections::BTreeMap;

use rcm_aws::resources::{
    autoscaling_policy::{self, Metric, ScalingPolicy},
    autoscaling_scheduled_action::{self, ScheduledAction},
    autoscaling_target::{self, Bounds, ScalableTarget},
    ecs_capacity::{FARGATE, FARGATE_SPOT, Share},
    ecs_cluster::{self, Cluster, ContainerInsights, Sessions},
    ecs_container::{Container, Scratch},
    ecs_service::{self, LoadBalancer, Service},
    ecs_task_definition::{self, Architecture, Image, TaskDefinition},
    iam_service_linked_role::{self, ServiceLinkedRole},
};
use rcm_engine::model::{Graph, Ref};
use serde_json::Value;

use super::{
    Blueprint,
    database::Database,
    edge::Edge,
    identity::Identity,
    network::Network,
    secrets::Secrets,
    security::Security,
    storage::{Storage, TaskLogs},
};

/// What the API listens on; it is told so in `PORT`.
pub(super) const CONTAINER_PORT: u16 = 8080;
/// The container's name.
pub(super) const API: &str = "api";
/// Neither root nor a user of the host.
const USER: &str = "1000:1000";
/// What a schedule's time zone is where none is given.
const UTC: &str = "UTC";

/// The layers that this one stands on.
pub(super) struct Below {
    pub(super) network: Network,
    pub(super) security: Security,
    pub(super) storage: Storage,
    pub(super) logs: TaskLogs,
    pub(super) secrets: Secrets,
    pub(super) database: Database,
    pub(super) identity: Identity,
    pub(super) edge: Edge,
}

/// What others need of this layer.
pub(super) struct Compute {
    pub(super) cluster: Ref<Cluster>,
    pub(super) service: Ref<Service>,
}

pub(super) fn add(graph: &mut Graph, plan: &Blueprint<'_>, below: &Below) -> Compute {
    let role = iam_service_linked_role::Spec { service: "ecs.amazonaws.com".into() };
    let role = graph.add::<ServiceLinkedRole>("compute/service-linked-role", role);
    let cluster = graph.add::<Cluster>(
        "compute/cluster",
        ecs_cluster::Spec {
            name: plan.name("cluster"),
            container_insights: ContainerInsights::Enabled,
            capacity_providers: [FARGATE, FARGATE_SPOT].map(str::to_owned).into(),
            sessions: below
                .logs
                .sessions
                .clone()
                .map(|log_group| Sessions { kms_key: below.security.key.clone(), log_group }),
        },
    );
    graph.after(&cluster, &role);
    graph.after(&cluster, &below.logs.insights);
    let definition = graph.add::<TaskDefinition>("compute/task-definition", task_definition(plan, below));
    let service = graph.add::<Service>("compute/service", service(plan, below, cluster.clone(), definition));
    graph.after(&service, &below.edge.forwarding);
    below.network.private_routes.iter().for_each(|routes| graph.after(&service, routes));
    below.security.service_rules.iter().for_each(|rule| graph.after(&service, rule));
    scaling(graph, plan, below, service.clone());
    Compute { cluster, service }
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
            // The agent of a session writes to the container's files, and AWS supports it on no other
            // (https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html#ecs-exec-considerations).
            read_only_root: !config.ecs_exec,
            scratch: scratch(plan),
            init_process: true,
            environment: environment(plan),
            secrets: secrets(&below.database, &below.secrets),
            log_group: below.logs.application.clone(),
            log_stream_prefix: API.into(),
            health_check: None,
        },
    }
}

/// A quarter of the memory for `/tmp`, which programs expect to be able to write to. AWS says of its commercial Regions alone that
/// Fargate has such mounts, and a task definition with one would be refused elsewhere.
fn scratch(plan: &Blueprint<'_>) -> Option<Scratch> {
    let mib = plan.config.ecs_memory / 4;
    (plan.partition() == "aws").then(|| Scratch { path: "/tmp".into(), mib })
}

/// The environment variables whose values are in secrets.
pub(super) fn secrets(database: &Database, secrets: &Secrets) -> BTreeMap<String, Value> {
    let reader = database.reader_url.as_ref().map(|url| ("DATABASE_READER_URL", url));
    let always = [("DATABASE_URL", &database.url), ("JWT_SECRET", &secrets.jwt)];
    always.into_iter().chain(reader).map(|(name, secret)| (name.to_owned(), secret.to_value())).collect()
}

/// The environment variables that everybody may read.
pub(super) fn environment(plan: &Blueprint<'_>) -> BTreeMap<String, String> {
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
    let wanted = tasks(plan.config.ecs_desired_count);
    ecs_service::Spec {
        name: plan.name(API),
        cluster,
        task_definition,
        capacity: capacity(plan),
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
        execute_command: plan.config.ecs_exec,
    }
}

/// Spot above the base, or none of it. No base without a share of its own: AWS allows a weight of 0 beside another weight only.
fn capacity(plan: &Blueprint<'_>) -> Vec<Share> {
    let share = |provider: &str, base, weight| Share { provider: provider.into(), base, weight };
    match (plan.config.ecs_spot, tasks(plan.config.ecs_on_demand_base)) {
        (false, _) => vec![share(FARGATE, 0, 1)],
        (true, 0) => vec![share(FARGATE_SPOT, 0, 1)],
        (true, base) => vec![share(FARGATE, base, 0), share(FARGATE_SPOT, 0, 1)],
    }
}

fn tasks(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn scaling(graph: &mut Graph, plan: &Blueprint<'_>, below: &Below, service: Ref<Service>) {
    let config = plan.config;
    // Without an image there is nothing to run: a minimum would have tasks started that cannot be.
    let runs = config.api_image.is_some();
    let bounds = Bounds { min: if runs { tasks(config.ecs_min_count) } else { 0 }, max: tasks(config.ecs_max_count) };
    let kept = config.ecs_schedules.is_empty().then_some(bounds);
    let spec = autoscaling_target::Spec {
        service,
        at_first: kept.is_none().then_some(bounds),
        min: kept.map(|bounds| bounds.min),
        max: kept.map(|bounds| bounds.max),
    };
    let target = graph.add::<ScalableTarget>("compute/scalable-target", spec);
    policy(graph, plan, &target, "cpu", Metric::Cpu, config.ecs_scale_cpu);
    if let Some(percent) = config.ecs_scale_memory {
        policy(graph, plan, &target, "memory", Metric::Memory, percent);
    }
    if let Some(requests) = config.ecs_scale_requests {
        let (load_balancer, target_group) = (below.edge.balancer.clone(), below.edge.target_group.clone());
        policy(graph, plan, &target, "requests", Metric::RequestsPerTarget { load_balancer, target_group }, requests);
    }
    for schedule in config.ecs_schedules.iter().filter(|_| runs) {
        let zone = schedule.timezone.clone().unwrap_or_else(|| UTC.to_owned());
        let spec = autoscaling_scheduled_action::Spec {
            name: plan.name(&schedule.name),
            target: target.clone(),
            schedule: schedule.schedule.clone(),
            timezone: (!schedule.schedule.starts_with("rate(")).then_some(zone),
            min: tasks(schedule.min),
            max: tasks(schedule.max),
        };
        graph.add::<ScheduledAction>(&format!("compute/scheduled-action/{}", schedule.name), spec);
    }
}

fn policy(
    graph: &mut Graph,
    plan: &Blueprint<'_>,
    target: &Ref<ScalableTarget>,
    what: &str,
    metric: Metric,
    value: u32,
) {
    let address = match metric {
        Metric::Cpu => "compute/scaling-policy".to_owned(),
        _ => format!("compute/scaling-policy/{what}"),
    };
    let spec = autoscaling_policy::Spec {
        name: plan.name(&format!("{what}-scaling")),
        target: target.clone(),
        metric,
        target_value: value,
        scale_out_cooldown_seconds: 60,
        scale_in_cooldown_seconds: 300,
    };
    graph.add::<ScalingPolicy>(&address, spec);
}
