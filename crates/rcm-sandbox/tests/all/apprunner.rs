//! App Runner.

use aws_sdk_apprunner::Client;
use aws_sdk_apprunner::operation::create_service::builders::CreateServiceFluentBuilder;
use aws_sdk_apprunner::types::{
    AuthenticationConfiguration, EgressConfiguration, EgressType, EncryptionConfiguration, ImageRepository,
    ImageRepositoryType, InstanceConfiguration, NetworkConfiguration, ServiceStatus, SourceConfiguration, Tag,
};

use crate::network::Network;
use crate::support::{Cloud, code, key_for_logs, refusal};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"build.apprunner.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

fn tag() -> Tag {
    Tag::builder().key("rcm:partner").value("acme").build()
}

/// What a service stands on.
struct Ground {
    network: Network,
    connector: String,
    scaling: String,
    key: String,
    role: String,
}

async fn ground(cloud: &Cloud) -> Ground {
    let runner = Client::new(&cloud.sdk());
    let network = Network::new(cloud).await;
    let connector = runner.create_vpc_connector().vpc_connector_name("acme-api").tags(tag());
    let connector = connector.set_subnets(Some(network.subnets.clone())).security_groups(&network.security_group);
    let connector = connector.send().await.unwrap().vpc_connector.unwrap().vpc_connector_arn.unwrap();
    let scaling = runner.create_auto_scaling_configuration().auto_scaling_configuration_name("acme-api");
    let scaling = scaling.min_size(2).max_size(10).tags(tag()).send().await.unwrap();
    let scaling = scaling.auto_scaling_configuration.unwrap().auto_scaling_configuration_arn.unwrap();
    let iam = aws_sdk_iam::Client::new(&cloud.sdk());
    let role = iam.create_role().role_name("acme-runner").assume_role_policy_document(TRUST).send().await.unwrap();
    let role = role.role.unwrap().arn;
    Ground { network, connector, scaling, key: key_for_logs(cloud).await, role }
}

fn source(role: &str, digest: &str) -> SourceConfiguration {
    let image = format!("123456789012.dkr.ecr.us-east-1.amazonaws.com/acme@sha256:{}", digest.repeat(64));
    let image = ImageRepository::builder().image_identifier(image).image_repository_type(ImageRepositoryType::Ecr);
    let access = AuthenticationConfiguration::builder().access_role_arn(role).build();
    SourceConfiguration::builder().image_repository(image.build().unwrap()).authentication_configuration(access).build()
}

fn service(cloud: &Cloud, ground: &Ground) -> CreateServiceFluentBuilder {
    let instance = InstanceConfiguration::builder().cpu("1024").memory("2048").build();
    let egress = EgressConfiguration::builder().egress_type(EgressType::Vpc).vpc_connector_arn(&ground.connector);
    let network = NetworkConfiguration::builder().egress_configuration(egress.build()).build();
    let key = EncryptionConfiguration::builder().kms_key(&ground.key).build().unwrap();
    let request = Client::new(&cloud.sdk()).create_service().service_name("acme-api").tags(tag());
    let request = request.source_configuration(source(&ground.role, "0")).instance_configuration(instance);
    let request = request.network_configuration(network).encryption_configuration(key);
    request.auto_scaling_configuration_arn(&ground.scaling)
}

async fn status(runner: &Client, arn: &str) -> ServiceStatus {
    runner.describe_service().service_arn(arn).send().await.unwrap().service.unwrap().status
}

#[tokio::test]
async fn a_service_comes_up_changes_and_goes_one_operation_at_a_time() {
    let cloud = Cloud::with_polls(2).await;
    let ground = ground(&cloud).await;
    let runner = Client::new(&cloud.sdk());
    let made = service(&cloud, &ground).send().await.unwrap().service.unwrap();
    let arn = made.service_arn.clone();
    assert!(made.service_url.unwrap().ends_with(".us-east-1.awsapprunner.com"));
    assert_eq!(made.status, ServiceStatus::OperationInProgress);
    let update = || runner.update_service().service_arn(&arn).source_configuration(source(&ground.role, "1")).send();
    assert_eq!(code(update().await), "InvalidStateException");
    while status(&runner, &arn).await != ServiceStatus::Running {}
    update().await.unwrap();
    assert_eq!(code(runner.delete_service().service_arn(&arn).send().await), "InvalidStateException");
    while status(&runner, &arn).await != ServiceStatus::Running {}
    let live = runner.describe_service().service_arn(&arn).send().await.unwrap().service.unwrap();
    assert!(live.source_configuration.unwrap().image_repository.unwrap().image_identifier.ends_with("111"));
    assert_eq!(live.encryption_configuration.unwrap().kms_key, ground.key);
    let operations = runner.list_operations().service_arn(&arn).send().await.unwrap();
    let kinds: Vec<_> = operations.operation_summary_list().iter().map(|one| one.r#type().unwrap().as_str()).collect();
    assert_eq!(kinds, ["UPDATE_SERVICE", "CREATE_SERVICE"]);

    runner.delete_service().service_arn(&arn).send().await.unwrap();
    while status(&runner, &arn).await != ServiceStatus::Deleted {}
    assert!(runner.list_services().send().await.unwrap().service_summary_list().is_empty());
    service(&cloud, &ground).send().await.expect("the name is free");
}

#[tokio::test]
async fn what_is_kept_is_there_after_the_process_and_so_are_tags() {
    let cloud = Cloud::new().await;
    let ground = ground(&cloud).await;
    let arn = service(&cloud, &ground).send().await.unwrap().service.unwrap().service_arn;
    let cloud = cloud.reopen().await;
    let runner = Client::new(&cloud.sdk());
    let live = runner.describe_service().service_arn(&arn).send().await.unwrap().service.unwrap();
    let scaling = live.auto_scaling_configuration_summary.unwrap();
    assert_eq!(scaling.auto_scaling_configuration_arn(), Some(ground.scaling.as_str()));
    for arn in [&arn, &ground.connector, &ground.scaling] {
        let tags = runner.list_tags_for_resource().resource_arn(arn).send().await.unwrap();
        assert_eq!(tags.tags(), [tag()], "{arn}");
    }
    let request = runner.describe_auto_scaling_configuration().auto_scaling_configuration_arn(&ground.scaling);
    let scaling = request.send().await.unwrap().auto_scaling_configuration.unwrap();
    assert_eq!((scaling.min_size, scaling.max_size, scaling.max_concurrency), (Some(2), Some(10), Some(100)));
}

#[tokio::test]
async fn what_a_service_uses_stays_and_what_holds_a_network_too() {
    let cloud = Cloud::new().await;
    let ground = ground(&cloud).await;
    let runner = Client::new(&cloud.sdk());
    let arn = service(&cloud, &ground).send().await.unwrap().service.unwrap().service_arn;
    let connector = || runner.delete_vpc_connector().vpc_connector_arn(&ground.connector).send();
    let scaling = || runner.delete_auto_scaling_configuration().auto_scaling_configuration_arn(&ground.scaling).send();
    let (refused, why) = refusal(connector().await);
    assert!(refused == "InvalidRequestException" && why.contains("is in use"), "{why}");
    assert_eq!(code(scaling().await), "InvalidRequestException");
    let ec2 = aws_sdk_ec2::Client::new(&cloud.sdk());
    let group = || ec2.delete_security_group().group_id(&ground.network.security_group).send();
    assert_eq!(code(group().await), "DependencyViolation");
    runner.delete_service().service_arn(&arn).send().await.unwrap();
    connector().await.unwrap();
    scaling().await.unwrap();
    group().await.unwrap();
    assert_eq!(code(connector().await), "ResourceNotFoundException");
}

#[tokio::test]
async fn what_is_not_there_not_sold_or_taken_is_refused() {
    let cloud = Cloud::new().await;
    let ground = ground(&cloud).await;
    let runner = Client::new(&cloud.sdk());
    let refused = async |request: CreateServiceFluentBuilder| refusal(request.send().await).1;
    let small = InstanceConfiguration::builder().cpu("256").memory("4096").build();
    assert!(refused(service(&cloud, &ground).instance_configuration(small)).await.contains("combination"));
    let strange = source("arn:aws:iam::123456789012:role/nobody", "0");
    assert!(refused(service(&cloud, &ground).source_configuration(strange)).await.contains("Error in assuming"));
    let nothing = service(&cloud, &ground).auto_scaling_configuration_arn("arn:aws:apprunner:nothing");
    assert!(refused(nothing).await.contains("does not exist"));
    service(&cloud, &ground).send().await.unwrap();
    assert!(refused(service(&cloud, &ground)).await.contains("already exists"));
    let connector = runner.create_vpc_connector().vpc_connector_name("acme-api").subnets(&ground.network.subnets[0]);
    assert!(refusal(connector.send().await).1.contains("already exists"));
    let connector = runner.create_vpc_connector().vpc_connector_name("acme-other").subnets("subnet-0000");
    assert_eq!(code(connector.send().await), "InvalidRequestException");
    let again = runner.create_auto_scaling_configuration().auto_scaling_configuration_name("acme-api");
    let again = again.send().await.unwrap().auto_scaling_configuration.unwrap();
    assert_eq!(again.auto_scaling_configuration_revision, Some(2), "a name that is taken has another revision");
}
