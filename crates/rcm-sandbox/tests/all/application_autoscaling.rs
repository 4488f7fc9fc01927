//! Scalable targets of ECS services, and their policies.

use aws_sdk_applicationautoscaling::Client;
use aws_sdk_applicationautoscaling::error::ProvideErrorMetadata;
use aws_sdk_applicationautoscaling::types::{
    MetricType, PolicyType, PredefinedMetricSpecification, ScalableDimension, ScalableTargetAction, ServiceNamespace,
    TargetTrackingScalingPolicyConfiguration,
};
use aws_sdk_ecs::types::ContainerDefinition;

use crate::support::Cloud;

const SERVICE: &str = "service/acme-cluster/acme-api";

pub(crate) async fn ecs_service(cloud: &Cloud) {
    crate::ecs::role_of_ecs(cloud).await;
    let ecs = aws_sdk_ecs::Client::new(&cloud.sdk());
    ecs.create_cluster().cluster_name("acme-cluster").send().await.unwrap();
    let container = ContainerDefinition::builder().name("api").image("api:1").memory(128).build();
    ecs.register_task_definition().family("acme-api").container_definitions(container).send().await.unwrap();
    let service = ecs.create_service().cluster("acme-cluster").service_name("acme-api").task_definition("acme-api");
    service.desired_count(0).send().await.unwrap();
}

pub(crate) async fn register(scaling: &Client, minimum: i32, maximum: i32) -> Result<String, Option<String>> {
    let request = scaling
        .register_scalable_target()
        .service_namespace(ServiceNamespace::Ecs)
        .resource_id(SERVICE)
        .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
        .min_capacity(minimum)
        .max_capacity(maximum)
        .tags("rcm:partner", "acme");
    match request.send().await {
        Ok(output) => Ok(output.scalable_target_arn.unwrap()),
        Err(error) => Err(error.message().map(str::to_owned)),
    }
}

pub(crate) async fn put_policy(scaling: &Client, target: f64) -> Option<String> {
    let cpu = MetricType::EcsServiceAverageCpuUtilization;
    let metric = PredefinedMetricSpecification::builder().predefined_metric_type(cpu).build().unwrap();
    let configuration = TargetTrackingScalingPolicyConfiguration::builder()
        .target_value(target)
        .predefined_metric_specification(metric)
        .scale_in_cooldown(300)
        .scale_out_cooldown(60)
        .build()
        .unwrap();
    let request = scaling
        .put_scaling_policy()
        .policy_name("cpu")
        .policy_type(PolicyType::TargetTrackingScaling)
        .service_namespace(ServiceNamespace::Ecs)
        .resource_id(SERVICE)
        .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
        .target_tracking_scaling_policy_configuration(configuration);
    match request.send().await {
        Ok(output) => {
            assert_eq!(output.alarms().len(), 2);
            None
        }
        Err(error) => error.code().map(str::to_owned),
    }
}

#[tokio::test]
async fn a_target_is_registered_for_a_service_that_exists_only() {
    let cloud = Cloud::new().await;
    let scaling = Client::new(&cloud.sdk());
    let refused = register(&scaling, 2, 10).await.unwrap_err().unwrap();
    assert!(refused.starts_with("ECS service doesn't exist"), "{refused}");
    assert_eq!(put_policy(&scaling, 70.0).await.as_deref(), Some("ObjectNotFoundException"));
}

#[tokio::test]
async fn target_and_policy_live_and_go_together() {
    let cloud = Cloud::new().await;
    ecs_service(&cloud).await;
    let scaling = Client::new(&cloud.sdk());
    let arn = register(&scaling, 2, 10).await.unwrap();
    assert_eq!(register(&scaling, 3, 6).await.unwrap(), arn, "registering again changes the target");
    assert_eq!(put_policy(&scaling, 50.0).await, None);
    assert_eq!(put_policy(&scaling, 70.0).await, None, "putting again changes the policy");

    drop(scaling);
    let cloud = cloud.reopen().await;
    let scaling = Client::new(&cloud.sdk());

    let targets = scaling.describe_scalable_targets().service_namespace(ServiceNamespace::Ecs);
    let targets = targets.resource_ids(SERVICE).send().await.unwrap();
    let [target] = targets.scalable_targets() else { panic!("{targets:?}") };
    assert_eq!((target.min_capacity(), target.max_capacity()), (3, 6));
    assert_eq!(target.scalable_target_arn(), Some(arn.as_str()));
    assert!(target.role_arn().ends_with("AWSServiceRoleForApplicationAutoScaling_ECSService"));
    assert_eq!(target.suspended_state().unwrap().dynamic_scaling_in_suspended(), Some(false));
    let tags = scaling.list_tags_for_resource().resource_arn(&arn).send().await.unwrap().tags.unwrap();
    assert_eq!(tags["rcm:partner"], "acme");

    let policies = scaling.describe_scaling_policies().service_namespace(ServiceNamespace::Ecs).send().await.unwrap();
    let [policy] = policies.scaling_policies() else { panic!("{policies:?}") };
    let tracking = policy.target_tracking_scaling_policy_configuration().unwrap();
    assert_eq!((tracking.target_value(), tracking.scale_in_cooldown()), (70.0, Some(300)));
    assert_eq!(tracking.scale_out_cooldown(), Some(60));

    let deregister = || {
        let request = scaling.deregister_scalable_target().service_namespace(ServiceNamespace::Ecs);
        request.resource_id(SERVICE).scalable_dimension(ScalableDimension::EcsServiceDesiredCount).send()
    };
    deregister().await.unwrap();
    let policies = scaling.describe_scaling_policies().service_namespace(ServiceNamespace::Ecs).send().await.unwrap();
    assert!(policies.scaling_policies().is_empty());
    assert_eq!(deregister().await.unwrap_err().code(), Some("ObjectNotFoundException"));
}

/// Puts a scheduled action; the code of the refusal, if it is one.
async fn schedule(scaling: &Client, schedule: &str, zone: Option<&str>, min: i32, max: i32) -> Option<String> {
    let bounds = ScalableTargetAction::builder().min_capacity(min).max_capacity(max).build();
    let request = scaling.put_scheduled_action().service_namespace(ServiceNamespace::Ecs).resource_id(SERVICE);
    let request = request.scalable_dimension(ScalableDimension::EcsServiceDesiredCount).scheduled_action_name("night");
    let request = request.schedule(schedule).set_timezone(zone.map(str::to_owned)).scalable_target_action(bounds);
    request.send().await.err().and_then(|error| error.code().map(str::to_owned))
}

#[tokio::test]
async fn a_scheduled_action_is_put_changed_and_deleted() {
    let cloud = Cloud::new().await;
    ecs_service(&cloud).await;
    let scaling = Client::new(&cloud.sdk());
    let nothing = schedule(&scaling, "rate(1 day)", None, 0, 1).await;
    assert_eq!(nothing.as_deref(), Some("ObjectNotFoundException"), "there is no target yet");
    register(&scaling, 2, 10).await.unwrap();
    assert_eq!(schedule(&scaling, "cron(0 20 * * ? *)", Some("Asia/Tokyo"), 0, 1).await, None);
    for (wrong, min, max) in [("20:00", 0, 1), ("every(1 day)", 0, 1), ("rate(1 day)", 2, 1)] {
        let refused = schedule(&scaling, wrong, None, min, max).await;
        assert_eq!(refused.as_deref(), Some("ValidationException"), "{wrong} {min} {max}");
    }
    assert_eq!(schedule(&scaling, "cron(0 21 * * ? *)", None, 1, 4).await, None);

    drop(scaling);
    let cloud = cloud.reopen().await;
    let scaling = Client::new(&cloud.sdk());
    let described = || scaling.describe_scheduled_actions().service_namespace(ServiceNamespace::Ecs).send();
    let actions = described().await.unwrap();
    let [action] = actions.scheduled_actions() else { panic!("{actions:?}") };
    assert_eq!((action.schedule(), action.timezone()), ("cron(0 21 * * ? *)", Some("Asia/Tokyo")), "a zone stays");
    let bounds = action.scalable_target_action().unwrap();
    assert_eq!((bounds.min_capacity(), bounds.max_capacity()), (Some(1), Some(4)));
    assert!(action.scheduled_action_arn().ends_with(":scheduledActionName/night"));

    let delete = || {
        let request = scaling.delete_scheduled_action().service_namespace(ServiceNamespace::Ecs).resource_id(SERVICE);
        request.scalable_dimension(ScalableDimension::EcsServiceDesiredCount).scheduled_action_name("night").send()
    };
    delete().await.unwrap();
    assert_eq!(delete().await.unwrap_err().code(), Some("ObjectNotFoundException"));
    assert!(described().await.unwrap().scheduled_actions().is_empty());
}

#[tokio::test]
async fn requests_for_each_target_are_counted_where_the_label_says() {
    let cloud = Cloud::new().await;
    ecs_service(&cloud).await;
    let scaling = Client::new(&cloud.sdk());
    register(&scaling, 2, 10).await.unwrap();
    let put = async |metric: MetricType, label: Option<&str>| {
        let metric = PredefinedMetricSpecification::builder().predefined_metric_type(metric);
        let metric = metric.set_resource_label(label.map(str::to_owned)).build().unwrap();
        let tracking = TargetTrackingScalingPolicyConfiguration::builder().target_value(1000.0);
        let tracking = tracking.predefined_metric_specification(metric).build().unwrap();
        let request = scaling.put_scaling_policy().policy_name("requests").resource_id(SERVICE);
        let request = request.policy_type(PolicyType::TargetTrackingScaling).service_namespace(ServiceNamespace::Ecs);
        let request = request.scalable_dimension(ScalableDimension::EcsServiceDesiredCount);
        let sent = request.target_tracking_scaling_policy_configuration(tracking).send().await;
        sent.err().and_then(|error| error.code().map(str::to_owned))
    };
    let label = Some("app/acme-alb/778d41231b141a0f/targetgroup/acme-api/943f017f100becff");
    let refused = Some("ValidationException".to_owned());
    assert_eq!(put(MetricType::AlbRequestCountPerTarget, None).await, refused);
    assert_eq!(put(MetricType::AlbRequestCountPerTarget, Some("acme-alb")).await, refused);
    assert_eq!(put(MetricType::EcsServiceAverageMemoryUtilization, label).await, refused);
    assert_eq!(put(MetricType::AlbRequestCountPerTarget, label).await, None);
}
