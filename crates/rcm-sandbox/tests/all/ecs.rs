//! Clusters, task definitions and services.

use aws_sdk_ecs::Client;
use aws_sdk_ecs::operation::create_service::builders::CreateServiceFluentBuilder;
use aws_sdk_ecs::types::{
    AssignPublicIp, AwsVpcConfiguration, CapacityProviderStrategyItem, ClusterField, ClusterSetting,
    ClusterSettingName, Compatibility, ContainerDefinition, CpuArchitecture, DeploymentCircuitBreaker,
    DeploymentConfiguration, DeploymentRolloutState, HealthCheck, KeyValuePair, LaunchType, LinuxParameters,
    LoadBalancer, LogConfiguration, LogDriver, NetworkConfiguration, NetworkMode, OsFamily, PortMapping, PropagateTags,
    RuntimePlatform, Secret, Service, ServiceField, Tag, TaskDefinition, TaskDefinitionField, TaskDefinitionStatus,
};

use crate::load_balancing;
use crate::network::Network;
use crate::support::{Cloud, code, refusal};

const CLUSTER: &str = "acme-rcm-prod-cluster";
const SERVICE: &str = "acme-rcm-prod-api";

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

/// The role that ECS works under. One that is there already will do.
pub(crate) async fn role_of_ecs(cloud: &Cloud) {
    let iam = aws_sdk_iam::Client::new(&cloud.sdk());
    let made = iam.create_service_linked_role().aws_service_name("ecs.amazonaws.com").send().await;
    assert!(made.is_ok() || code(made) == "InvalidInput");
}

#[tokio::test]
async fn no_cluster_is_made_before_the_role_of_ecs_is() {
    let cloud = Cloud::new().await;
    let ecs = Client::new(&cloud.sdk());
    let (code, message) = refusal(ecs.create_cluster().cluster_name(CLUSTER).send().await);
    assert_eq!(code, "InvalidParameterException");
    assert!(message.contains("Unable to assume the service linked role"), "{message}");
    role_of_ecs(&cloud).await;
    ecs.create_cluster().cluster_name(CLUSTER).send().await.unwrap();
}

pub(crate) async fn with_cluster(cloud: &Cloud) -> Client {
    role_of_ecs(cloud).await;
    let ecs = Client::new(&cloud.sdk());
    let insights = ClusterSetting::builder().name(ClusterSettingName::ContainerInsights).value("enabled").build();
    let cluster = ecs.create_cluster().cluster_name(CLUSTER).settings(insights).tags(tag("rcm:partner", "acme"));
    cluster.send().await.unwrap();
    let iam = aws_sdk_iam::Client::new(&cloud.sdk());
    for role in ["execution", "task"] {
        let trust = r#"{"Statement":{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"}}}"#;
        iam.create_role().role_name(role).assume_role_policy_document(trust).send().await.unwrap();
    }
    ecs
}

fn container() -> ContainerDefinition {
    ContainerDefinition::builder()
        .name("api")
        .image("123456789012.dkr.ecr.us-east-1.amazonaws.com/acme-rcm-prod-api@sha256:0")
        .user("10001:10001")
        .readonly_root_filesystem(true)
        .linux_parameters(LinuxParameters::builder().init_process_enabled(true).build())
        .port_mappings(PortMapping::builder().container_port(8080).build())
        .environment(KeyValuePair::builder().name("BRAND_NAME").value("Acme").build())
        .secrets(Secret::builder().name("JWT_SECRET").value_from("arn:aws:secretsmanager:…").build().unwrap())
        .health_check(HealthCheck::builder().command("CMD-SHELL").command("true").interval(15).build().unwrap())
        .log_configuration(
            LogConfiguration::builder()
                .log_driver(LogDriver::Awslogs)
                .options("awslogs-group", "/ecs/acme-rcm-prod")
                .options("awslogs-region", "us-east-1")
                .build()
                .unwrap(),
        )
        .build()
}

pub(crate) async fn register(ecs: &Client) -> TaskDefinition {
    let arm =
        RuntimePlatform::builder().cpu_architecture(CpuArchitecture::Arm64).operating_system_family(OsFamily::Linux);
    let registered = ecs
        .register_task_definition()
        .family(SERVICE)
        .requires_compatibilities(Compatibility::Fargate)
        .network_mode(NetworkMode::Awsvpc)
        .cpu("512")
        .memory("1024")
        .execution_role_arn("arn:aws:iam::123456789012:role/execution")
        .task_role_arn("arn:aws:iam::123456789012:role/task")
        .runtime_platform(arm.build())
        .container_definitions(container())
        .tags(tag("rcm:partner", "acme"))
        .send()
        .await
        .unwrap();
    assert_eq!(registered.tags(), [tag("rcm:partner", "acme")]);
    registered.task_definition.unwrap()
}

fn network() -> NetworkConfiguration {
    within(&["subnet-1", "subnet-2"], "sg-1")
}

fn within(subnets: &[&str], group: &str) -> NetworkConfiguration {
    let subnets = subnets.iter().map(|subnet| (*subnet).to_owned()).collect();
    let vpc = AwsVpcConfiguration::builder()
        .set_subnets(Some(subnets))
        .security_groups(group)
        .assign_public_ip(AssignPublicIp::Disabled)
        .build()
        .unwrap();
    NetworkConfiguration::builder().awsvpc_configuration(vpc).build()
}

pub(crate) fn create(ecs: &Client, desired: i32) -> CreateServiceFluentBuilder {
    let breaker = DeploymentCircuitBreaker::builder().enable(true).rollback(true).build();
    let rollout = DeploymentConfiguration::builder()
        .deployment_circuit_breaker(breaker)
        .minimum_healthy_percent(100)
        .maximum_percent(150)
        .build();
    ecs.create_service()
        .cluster(CLUSTER)
        .service_name(SERVICE)
        .task_definition(SERVICE)
        .client_token("lineage-1")
        .desired_count(desired)
        .launch_type(LaunchType::Fargate)
        .network_configuration(network())
        .deployment_configuration(rollout)
        .health_check_grace_period_seconds(60)
        .propagate_tags(PropagateTags::Service)
        .enable_execute_command(true)
        .tags(tag("rcm:partner", "acme"))
}

async fn describe(ecs: &Client) -> Service {
    let described = ecs.describe_services().cluster(CLUSTER).services(SERVICE).include(ServiceField::Tags).send().await;
    described.unwrap().services.unwrap().remove(0)
}

#[tokio::test]
async fn a_cluster_shows_settings_and_tags_to_those_who_ask_and_goes_when_it_is_empty() {
    let cloud = Cloud::new().await;
    let ecs = with_cluster(&cloud).await;
    register(&ecs).await;
    create(&ecs, 0).send().await.unwrap();
    drop(ecs);

    let cloud = cloud.reopen().await;
    let ecs = Client::new(&cloud.sdk());

    let bare = ecs.describe_clusters().clusters(CLUSTER).clusters("other").send().await.unwrap();
    assert_eq!((bare.clusters()[0].settings().len(), bare.clusters()[0].tags().len()), (0, 0));
    assert_eq!(bare.failures()[0].reason(), Some("MISSING"));
    let full = ecs.describe_clusters().clusters(CLUSTER).include(ClusterField::Settings).include(ClusterField::Tags);
    let cluster = full.send().await.unwrap().clusters.unwrap().remove(0);
    assert_eq!(cluster.settings()[0].value(), Some("enabled"));
    assert_eq!(cluster.tags(), [tag("rcm:partner", "acme")]);
    assert_eq!(cluster.active_services_count(), 1);

    let delete = || ecs.delete_cluster().cluster(CLUSTER).send();
    assert_eq!(code(delete().await), "ClusterContainsServicesException");
    ecs.delete_service().cluster(CLUSTER).service(SERVICE).send().await.unwrap();
    delete().await.unwrap();
    let gone = ecs.describe_clusters().clusters(CLUSTER).send().await.unwrap();
    assert_eq!(gone.clusters()[0].status(), Some("INACTIVE"));
    assert!(ecs.list_clusters().send().await.unwrap().cluster_arns().is_empty());
    assert_eq!(code(delete().await), "ClusterNotFoundException");
}

#[tokio::test]
async fn a_task_definition_keeps_everything_and_every_change_is_a_revision() {
    let cloud = Cloud::new().await;
    let ecs = with_cluster(&cloud).await;
    assert_eq!(register(&ecs).await.revision(), 1);
    assert_eq!(register(&ecs).await.revision(), 2);
    drop(ecs);

    let cloud = cloud.reopen().await;
    let ecs = Client::new(&cloud.sdk());

    let read = ecs.describe_task_definition().task_definition(SERVICE).include(TaskDefinitionField::Tags).send().await;
    let read = read.unwrap();
    assert_eq!(read.tags(), [tag("rcm:partner", "acme")]);
    let definition = read.task_definition.unwrap();
    assert_eq!(
        definition.task_definition_arn(),
        Some("arn:aws:ecs:us-east-1:123456789012:task-definition/acme-rcm-prod-api:2")
    );
    assert_eq!((definition.cpu(), definition.memory()), (Some("512"), Some("1024")));
    assert_eq!(definition.runtime_platform().unwrap().cpu_architecture(), Some(&CpuArchitecture::Arm64));
    let (read, given) = (&definition.container_definitions()[0], container());
    assert_eq!((read.user(), read.readonly_root_filesystem()), (Some("10001:10001"), Some(true)));
    assert_eq!(read.linux_parameters(), given.linux_parameters());
    assert_eq!((read.secrets(), read.environment()), (given.secrets(), given.environment()));
    assert_eq!(read.log_configuration(), given.log_configuration());
    let health = read.health_check().unwrap();
    assert_eq!((health.interval(), health.timeout(), health.retries()), (Some(15), Some(5), Some(3)));
    let port = &read.port_mappings()[0];
    assert_eq!((port.container_port(), port.host_port()), (Some(8080), Some(8080)));

    let revision = format!("{SERVICE}:2");
    let early = ecs.delete_task_definitions().task_definitions(&revision).send().await.unwrap();
    assert_eq!(early.failures().len(), 1);
    let out = ecs.deregister_task_definition().task_definition(&revision).send().await.unwrap();
    assert_eq!(out.task_definition().unwrap().status(), Some(&TaskDefinitionStatus::Inactive));
    let latest = ecs.describe_task_definition().task_definition(SERVICE).send().await.unwrap();
    assert_eq!(latest.task_definition().unwrap().revision(), 1);
    let active = ecs.list_task_definitions().family_prefix(SERVICE).send().await.unwrap();
    assert_eq!(active.task_definition_arns().len(), 1);
    let deleted = ecs.delete_task_definitions().task_definitions(&revision).send().await.unwrap();
    assert_eq!(deleted.task_definitions()[0].status(), Some(&TaskDefinitionStatus::DeleteInProgress));
    assert_eq!(code(ecs.describe_task_definition().task_definition("none").send().await), "ClientException");
}

#[tokio::test]
async fn a_task_size_that_fargate_does_not_sell_is_refused() {
    let cloud = Cloud::new().await;
    let ecs = Client::new(&cloud.sdk());
    let register = ecs
        .register_task_definition()
        .family(SERVICE)
        .requires_compatibilities(Compatibility::Fargate)
        .network_mode(NetworkMode::Awsvpc)
        .cpu("256")
        .memory("8192")
        .container_definitions(container());
    let (refused, message) = refusal(register.send().await);
    assert_eq!(refused, "ClientException");
    assert!(message.contains("No Fargate configuration exists"), "{message}");
}

#[tokio::test]
async fn a_service_rolls_out_over_some_polls_and_keeps_its_fields() {
    let cloud = Cloud::with_polls(2).await;
    let ecs = with_cluster(&cloud).await;
    register(&ecs).await;
    let created = create(&ecs, 2).send().await.unwrap().service.unwrap();
    let deployment = created.deployments()[0].id().unwrap().to_owned();
    assert!(deployment.starts_with("ecs-svc/"), "{deployment}");

    for _ in 0..2 {
        let service = describe(&ecs).await;
        assert_eq!((service.running_count(), service.pending_count(), service.desired_count()), (0, 2, 2));
        assert_eq!(service.deployments()[0].rollout_state(), Some(&DeploymentRolloutState::InProgress));
    }
    let service = describe(&ecs).await;
    assert_eq!((service.running_count(), service.pending_count()), (2, 0));
    assert_eq!(service.deployments()[0].rollout_state(), Some(&DeploymentRolloutState::Completed));
    assert_eq!(service.deployments()[0].id(), Some(deployment.as_str()));
    assert!(service.events()[0].message().unwrap().contains("has reached a steady state"));
    assert_eq!(service.network_configuration(), Some(&network()));
    let rollout = service.deployment_configuration().unwrap();
    assert_eq!((rollout.minimum_healthy_percent(), rollout.maximum_percent()), (Some(100), Some(150)));
    assert!(rollout.deployment_circuit_breaker().is_some_and(|it| it.enable() && it.rollback()));
    assert_eq!(service.health_check_grace_period_seconds(), Some(60));
    assert_eq!((service.propagate_tags(), service.enable_execute_command()), (Some(&PropagateTags::Service), true));
    assert_eq!(service.tags(), [tag("rcm:partner", "acme")]);
    assert_eq!((service.launch_type(), service.platform_version()), (Some(&LaunchType::Fargate), Some("LATEST")));
    let tasks = ecs.list_tasks().cluster(CLUSTER).service_name(SERVICE).send().await.unwrap();
    assert_eq!(tasks.task_arns().len(), 2);
    let tasks = ecs.describe_tasks().cluster(CLUSTER).set_tasks(tasks.task_arns).send().await.unwrap();
    assert_eq!(tasks.tasks()[0].last_status(), Some("RUNNING"));
}

#[tokio::test]
async fn a_task_that_is_stopped_is_replaced_and_still_described() {
    let cloud = Cloud::with_polls(1).await;
    let ecs = with_cluster(&cloud).await;
    register(&ecs).await;
    create(&ecs, 1).send().await.unwrap();
    describe(&ecs).await;
    assert_eq!(describe(&ecs).await.running_count(), 1);
    let list = async |status: &str| {
        let tasks = ecs.list_tasks().cluster(CLUSTER).service_name(SERVICE).desired_status(status.into());
        tasks.send().await.unwrap().task_arns.unwrap()
    };
    let first = list("RUNNING").await;
    assert!(list("STOPPED").await.is_empty());
    let stop = |task: &str| ecs.stop_task().cluster(CLUSTER).task(task).reason("for a test").send();
    stop(&first[0]).await.unwrap();
    assert!(list("RUNNING").await.is_empty());
    assert_eq!(list("STOPPED").await, first);
    let told = ecs.describe_tasks().cluster(CLUSTER).tasks(&first[0]).send().await.unwrap();
    let told = &told.tasks()[0];
    assert_eq!((told.stopped_reason(), told.last_status()), (Some("for a test"), Some("STOPPED")));
    assert_eq!(told.containers().len(), 1);

    let service = describe(&ecs).await;
    assert_eq!((service.running_count(), service.pending_count()), (0, 1));
    let service = describe(&ecs).await;
    assert_eq!((service.running_count(), service.deployments().len()), (1, 1));
    let second = list("RUNNING").await;
    assert!(second.len() == 1 && second != first, "{second:?}");
    stop(&first[0]).await.unwrap();
    assert_eq!(list("RUNNING").await, second, "it has stopped already");
    assert!(stop("0123456789abcdef0123456789abcdef").await.is_err());
}

#[tokio::test]
async fn a_new_task_definition_is_a_new_deployment_beside_the_old_one() {
    let cloud = Cloud::with_polls(1).await;
    let ecs = with_cluster(&cloud).await;
    register(&ecs).await;
    create(&ecs, 1).send().await.unwrap();
    describe(&ecs).await;
    assert_eq!(describe(&ecs).await.running_count(), 1);
    let second = register(&ecs).await;

    let update = || ecs.update_service().cluster(CLUSTER).service(SERVICE);
    update().task_definition(SERVICE).send().await.unwrap();
    let service = describe(&ecs).await;
    let states: Vec<_> = service.deployments().iter().map(|it| (it.status().unwrap(), it.running_count())).collect();
    assert_eq!(states, [("PRIMARY", 0), ("ACTIVE", 1)]);
    let service = describe(&ecs).await;
    assert_eq!((service.deployments().len(), service.running_count()), (1, 1));
    assert_eq!(service.deployments()[0].task_definition(), second.task_definition_arn());

    let before = service.deployments()[0].id().map(str::to_owned);
    update().desired_count(3).send().await.unwrap();
    let scaling = describe(&ecs).await;
    assert_eq!(scaling.deployments()[0].id(), before.as_deref());
    assert_eq!((scaling.running_count(), scaling.pending_count()), (1, 2));
    assert_eq!(describe(&ecs).await.running_count(), 3);
    update().force_new_deployment(true).send().await.unwrap();
    assert_ne!(describe(&ecs).await.deployments()[0].id(), before.as_deref());
}

#[tokio::test]
async fn a_create_sent_twice_is_one_service_and_another_create_is_refused() {
    let cloud = Cloud::new().await;
    let ecs = with_cluster(&cloud).await;
    register(&ecs).await;
    let first = create(&ecs, 1).send().await.unwrap().service.unwrap();
    let again = create(&ecs, 1).send().await.unwrap().service.unwrap();
    assert_eq!(again.deployments()[0].id(), first.deployments()[0].id());
    let (refused, message) = refusal(create(&ecs, 2).client_token("lineage-2").send().await);
    assert_eq!(refused, "InvalidParameterException");
    assert!(message.contains("not idempotent"), "{message}");
}

#[tokio::test]
async fn a_service_drains_before_its_name_is_free() {
    let cloud = Cloud::with_polls(2).await;
    let ecs = with_cluster(&cloud).await;
    register(&ecs).await;
    create(&ecs, 1).send().await.unwrap();
    let delete = || ecs.delete_service().cluster(CLUSTER).service(SERVICE);
    let (refused, message) = refusal(delete().send().await);
    assert_eq!(refused, "InvalidParameterException");
    assert!(message.contains("scaled above 0"), "{message}");

    let draining = delete().force(true).send().await.unwrap().service.unwrap();
    assert_eq!(draining.status(), Some("DRAINING"));
    assert_eq!(describe(&ecs).await.status(), Some("DRAINING"));
    let (refused, message) = refusal(create(&ecs, 1).send().await);
    assert_eq!(refused, "InvalidParameterException");
    assert!(message.contains("still Draining"), "{message}");
    assert_eq!(describe(&ecs).await.status(), Some("INACTIVE"));
    let update = ecs.update_service().cluster(CLUSTER).service(SERVICE).desired_count(1);
    assert_eq!(code(update.send().await), "ServiceNotFoundException");
    let anew = create(&ecs, 1).send().await.unwrap().service.unwrap();
    assert_eq!(anew.status(), Some("ACTIVE"));
}

#[tokio::test]
async fn tasks_hold_subnets_and_groups_until_their_service_is_inactive() {
    let cloud = Cloud::with_polls(2).await;
    let (ecs, net) = (with_cluster(&cloud).await, Network::new(&cloud).await);
    register(&ecs).await;
    let subnets: Vec<&str> = net.subnets.iter().map(String::as_str).collect();
    let network = within(&subnets, &net.security_group);
    create(&ecs, 1).network_configuration(network).send().await.unwrap();
    let ec2 = aws_sdk_ec2::Client::new(&cloud.sdk());
    let delete_subnet = || ec2.delete_subnet().subnet_id(&net.subnets[1]).send();
    let delete_group = || ec2.delete_security_group().group_id(&net.security_group).send();

    assert_eq!(code(delete_subnet().await), "DependencyViolation", "a task starts");
    for _ in 0..3 {
        describe(&ecs).await;
    }
    assert_eq!(describe(&ecs).await.running_count(), 1);
    assert_eq!(code(delete_subnet().await), "DependencyViolation", "a task runs");
    assert_eq!(code(delete_group().await), "DependencyViolation", "a task runs");

    let deleted = ecs.delete_service().cluster(CLUSTER).service(SERVICE).force(true).send().await.unwrap();
    assert_eq!(deleted.service().unwrap().status(), Some("DRAINING"));
    assert_eq!(code(delete_subnet().await), "DependencyViolation", "a task stops");
    assert_eq!(code(delete_group().await), "DependencyViolation", "a task stops");
    assert_eq!(describe(&ecs).await.status(), Some("INACTIVE"));
    delete_subnet().await.unwrap();
    delete_group().await.unwrap();
}

#[tokio::test]
async fn a_service_without_tasks_holds_nothing() {
    let cloud = Cloud::with_polls(1).await;
    let (ecs, net) = (with_cluster(&cloud).await, Network::new(&cloud).await);
    register(&ecs).await;
    let network = within(&[&net.subnets[0], &net.subnets[1]], &net.security_group);
    create(&ecs, 1).network_configuration(network).send().await.unwrap();
    ecs.update_service().cluster(CLUSTER).service(SERVICE).desired_count(0).send().await.unwrap();
    describe(&ecs).await;
    assert_eq!(describe(&ecs).await.running_count(), 0);
    let ec2 = aws_sdk_ec2::Client::new(&cloud.sdk());
    ec2.delete_security_group().group_id(&net.security_group).send().await.unwrap();
}

#[tokio::test]
async fn a_target_group_that_no_listener_sends_to_is_refused() {
    let cloud = Cloud::new().await;
    let (ecs, net) = (with_cluster(&cloud).await, Network::new(&cloud).await);
    register(&ecs).await;
    let elb = load_balancing::client(&cloud);
    let group = load_balancing::target_group(&elb, &net).await;
    let arn = group.target_group_arn().unwrap();
    let create = |arn: &str| {
        let balancer = LoadBalancer::builder().target_group_arn(arn).container_name("api").container_port(8080).build();
        create(&ecs, 1).load_balancers(balancer).send()
    };

    let (refused, message) = refusal(create(arn).await);
    assert_eq!(refused, "InvalidParameterException");
    let expected = format!("The target group with targetGroupArn {arn} does not have an associated load balancer.");
    assert_eq!(message, expected);
    let (refused, message) = refusal(create(&format!("{arn}0")).await);
    assert_eq!(refused, "InvalidParameterException");
    assert!(message.contains("Unable to assume role and validate the specified targetGroupArn"), "{message}");

    load_balancing::send_to(&elb, &net, &group).await;
    assert_eq!(create(arn).await.unwrap().service().unwrap().status(), Some("ACTIVE"));
    let mut healthy = 0;
    for _ in 0..10 {
        let health = elb.describe_target_health().target_group_arn(arn).send().await.unwrap();
        healthy = health.target_health_descriptions().len();
    }
    assert_eq!(healthy, 1, "ECS registers the tasks of its services");
}

#[tokio::test]
async fn the_roles_of_a_task_definition_must_exist() {
    let cloud = Cloud::new().await;
    let ecs = with_cluster(&cloud).await;
    let register = |execution: &str, task: &str| {
        let request = ecs.register_task_definition().family(SERVICE).container_definitions(container());
        request.execution_role_arn(execution).task_role_arn(task).send()
    };
    let ours = "arn:aws:iam::123456789012:role/execution";
    for task in ["arn:aws:iam::123456789012:role/nobody", "arn:aws:iam::999999999999:role/task", "nobody"] {
        let (refused, message) = refusal(register(ours, task).await);
        assert_eq!((refused.as_str(), message.as_str()), ("ClientException", "Role is not valid"), "{task}");
    }
    register(ours, "task").await.unwrap();
}

#[tokio::test]
async fn a_service_arrives_while_no_process_looks() {
    let cloud = Cloud::with_polls(2).await;
    let ecs = with_cluster(&cloud).await;
    register(&ecs).await;
    create(&ecs, 1).send().await.unwrap();
    drop(ecs);
    let cloud = cloud.reopen().await;
    let ecs = Client::new(&cloud.sdk());
    let tasks = ecs.list_tasks().cluster(CLUSTER).service_name(SERVICE).send().await.unwrap();
    assert_eq!(tasks.task_arns().len(), 1);
    assert_eq!(describe(&ecs).await.deployments()[0].rollout_state(), Some(&DeploymentRolloutState::Completed));

    ecs.delete_service().cluster(CLUSTER).service(SERVICE).force(true).send().await.unwrap();
    drop(ecs);
    let cloud = cloud.reopen().await;
    assert_eq!(describe(&Client::new(&cloud.sdk())).await.status(), Some("INACTIVE"));
}

#[tokio::test]
async fn a_service_stays_while_a_deployment_is_under_way_and_does_not_change_while_it_drains() {
    let cloud = Cloud::with_polls(1).await;
    let ecs = with_cluster(&cloud).await;
    register(&ecs).await;
    create(&ecs, 0).send().await.unwrap();
    let update = || ecs.update_service().cluster(CLUSTER).service(SERVICE).force_new_deployment(true).send();
    let delete = || ecs.delete_service().cluster(CLUSTER).service(SERVICE).send();
    update().await.unwrap();
    let (refused, message) = refusal(delete().await);
    assert_eq!(refused, "InvalidParameterException");
    assert!(message.contains("cannot be stopped while deployments are active"), "{message}");
    describe(&ecs).await;
    assert_eq!(describe(&ecs).await.deployments().len(), 1);
    delete().await.unwrap();
    assert_eq!(code(update().await), "ServiceNotActiveException");
}

#[tokio::test]
async fn what_a_service_needs_must_be_there() {
    let cloud = Cloud::new().await;
    let ecs = Client::new(&cloud.sdk());
    let (refused, message) = refusal(create(&ecs, 1).send().await);
    assert_eq!(refused, "InvalidParameterException");
    assert!(message.contains("service linked role"), "{message}");
    let ecs = with_cluster(&cloud).await;
    assert_eq!(code(create(&ecs, 1).cluster("another").send().await), "ClusterNotFoundException");
    assert_eq!(code(create(&ecs, 1).send().await), "ClientException");
    register(&ecs).await;
    let balancer = LoadBalancer::builder().container_name("web").container_port(8080).build();
    let (refused, message) = refusal(create(&ecs, 1).load_balancers(balancer).send().await);
    assert_eq!(refused, "InvalidParameterException");
    assert!(message.contains("container web does not exist"), "{message}");
    let missing = ecs.describe_services().cluster(CLUSTER).services(SERVICE).send().await.unwrap();
    assert_eq!(missing.failures()[0].reason(), Some("MISSING"));
}

#[tokio::test]
async fn tags_are_changed_by_arn() {
    let cloud = Cloud::new().await;
    let ecs = with_cluster(&cloud).await;
    register(&ecs).await;
    let arn = create(&ecs, 0).send().await.unwrap().service.unwrap().service_arn.unwrap();
    ecs.tag_resource().resource_arn(&arn).tags(tag("Environment", "prod")).send().await.unwrap();
    ecs.untag_resource().resource_arn(&arn).tag_keys("rcm:partner").send().await.unwrap();
    let tags = ecs.list_tags_for_resource().resource_arn(&arn).send().await.unwrap();
    assert_eq!(tags.tags(), [tag("Environment", "prod")]);
    assert_eq!(ecs.list_services().cluster(CLUSTER).send().await.unwrap().service_arns(), [arn]);
}

fn share(provider: &str, base: i32, weight: i32) -> CapacityProviderStrategyItem {
    CapacityProviderStrategyItem::builder().capacity_provider(provider).base(base).weight(weight).build().unwrap()
}

#[tokio::test]
async fn tasks_run_on_what_the_cluster_has_and_move_by_a_forced_deployment_alone() {
    let cloud = Cloud::with_polls(1).await;
    let ecs = with_cluster(&cloud).await;
    register(&ecs).await;
    create(&ecs, 1).send().await.unwrap();
    let update = || ecs.update_service().cluster(CLUSTER).service(SERVICE);
    let spot = || update().capacity_provider_strategy(share("FARGATE_SPOT", 0, 1));
    let (_, message) = refusal(spot().force_new_deployment(true).send().await);
    assert!(message.contains("'FARGATE_SPOT' was not found"), "{message}");

    let put = |providers: &[&str]| {
        let providers = providers.iter().map(|provider| (*provider).to_owned()).collect();
        let request = ecs.put_cluster_capacity_providers().cluster(CLUSTER).set_capacity_providers(Some(providers));
        request.set_default_capacity_provider_strategy(Some(Vec::new())).send()
    };
    put(&["FARGATE", "FARGATE_SPOT"]).await.unwrap();
    let (_, message) = refusal(spot().send().await);
    assert!(message.contains("you must force a new deployment"), "{message}");
    for strategy in
        [[share("FARGATE", 1, 1), share("FARGATE_SPOT", 1, 1)], [share("FARGATE", 1, 0), share("FARGATE_SPOT", 0, 0)]]
    {
        let request = update().set_capacity_provider_strategy(Some(strategy.into())).force_new_deployment(true);
        assert_eq!(code(request.send().await), "InvalidParameterException");
    }
    spot().force_new_deployment(true).send().await.unwrap();
    let service = describe(&ecs).await;
    assert_eq!(
        (service.launch_type(), service.capacity_provider_strategy()),
        (None, &[share("FARGATE_SPOT", 0, 1)][..])
    );
    assert_eq!(service.deployments().len(), 2, "the tasks are others");
    assert_eq!(code(put(&["FARGATE"]).await), "ResourceInUseException");

    let other = create(&ecs, 1).service_name("other").capacity_provider_strategy(share("FARGATE", 0, 1));
    let (_, message) = refusal(other.send().await);
    assert!(message.contains("both a launch type and capacity provider strategy"), "{message}");
}

#[tokio::test]
async fn a_session_is_opened_where_the_agent_can_write_and_whoever_started_the_task_wanted_it() {
    let cloud = Cloud::new().await;
    let ecs = with_cluster(&cloud).await;
    let network = Network::new(&cloud).await;
    let opened = async |read_only: bool, takes_sessions: bool| {
        let name = format!("api-{read_only}-{takes_sessions}");
        let container = ContainerDefinition::builder().name("api").image("nginx").readonly_root_filesystem(read_only);
        let definition = ecs.register_task_definition().family(&name).container_definitions(container.build());
        let definition = definition.requires_compatibilities(Compatibility::Fargate).network_mode(NetworkMode::Awsvpc);
        definition.cpu("256").memory("512").send().await.unwrap();
        let service = ecs.create_service().cluster(CLUSTER).service_name(&name).task_definition(&name).desired_count(1);
        let service = service.launch_type(LaunchType::Fargate).enable_execute_command(takes_sessions);
        service.network_configuration(within(&[&network.subnets[0]], &network.security_group)).send().await.unwrap();
        for _ in 0..20 {
            ecs.describe_services().cluster(CLUSTER).services(&name).send().await.unwrap();
        }
        let tasks = ecs.list_tasks().cluster(CLUSTER).service_name(&name).send().await.unwrap().task_arns.unwrap();
        let request = ecs.execute_command().cluster(CLUSTER).task(&tasks[0]).container("api").command("/bin/sh");
        request.interactive(true).send().await
    };
    let session = opened(false, true).await.unwrap().session.unwrap();
    assert!(
        session.stream_url().unwrap().starts_with("wss://ssmmessages.us-east-1.") && session.token_value().is_some()
    );
    for (read_only, takes_sessions) in [(true, true), (false, false)] {
        let (code, message) = refusal(opened(read_only, takes_sessions).await);
        assert_eq!(code, "InvalidParameterException");
        assert!(message.contains("agent isn't running"), "{message}");
    }
}
