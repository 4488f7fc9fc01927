//! Load balancers, target groups and listeners.

use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::error::ProvideErrorMetadata;
use aws_sdk_elasticloadbalancingv2::operation::create_target_group::builders::CreateTargetGroupFluentBuilder;
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, Certificate, LoadBalancer, LoadBalancerAttribute, LoadBalancerStateEnum, Matcher,
    ProtocolEnum, RedirectActionConfig, RedirectActionStatusCodeEnum, Tag, TargetDescription, TargetGroup,
    TargetHealthStateEnum, TargetTypeEnum,
};

use crate::network::Network;
use crate::support::{Cloud, code, refusal};

const TLS_POLICY: &str = "ELBSecurityPolicy-TLS13-1-2-2021-06";

pub(crate) fn client(cloud: &Cloud) -> Client {
    Client::new(&cloud.sdk())
}

fn tag() -> Tag {
    Tag::builder().key("rcm:partner").value("acme").build()
}

pub(crate) async fn load_balancer(elb: &Client, network: &Network) -> LoadBalancer {
    let request = elb.create_load_balancer().name("acme-alb").set_subnets(Some(network.subnets.clone()));
    let created = request.security_groups(&network.security_group).tags(tag()).send().await.unwrap();
    created.load_balancers.unwrap().remove(0)
}

pub(crate) async fn target_group(elb: &Client, network: &Network) -> TargetGroup {
    named_group(elb, network, "acme-tg").send().await.unwrap().target_groups.unwrap().remove(0)
}

fn named_group(elb: &Client, network: &Network, name: &str) -> CreateTargetGroupFluentBuilder {
    elb.create_target_group()
        .name(name)
        .protocol(ProtocolEnum::Http)
        .port(8080)
        .vpc_id(&network.vpc)
        .target_type(TargetTypeEnum::Ip)
        .health_check_path("/health")
        .health_check_interval_seconds(15)
        .healthy_threshold_count(3)
        .unhealthy_threshold_count(4)
        .matcher(Matcher::builder().http_code("200-299").build())
        .tags(tag())
}

/// A load balancer with an HTTP listener that forwards to the group.
pub(crate) async fn send_to(elb: &Client, network: &Network, group: &TargetGroup) {
    let balancer = load_balancer(elb, network).await;
    let listener = elb.create_listener().load_balancer_arn(balancer.load_balancer_arn().unwrap());
    listener.protocol(ProtocolEnum::Http).port(80).default_actions(forward(group)).send().await.unwrap();
}

fn forward(group: &TargetGroup) -> Action {
    let arn = group.target_group_arn().unwrap();
    Action::builder().r#type(ActionTypeEnum::Forward).target_group_arn(arn).build()
}

fn to_https() -> Action {
    let redirect = RedirectActionConfig::builder().protocol("HTTPS").port("443");
    let redirect = redirect.status_code(RedirectActionStatusCodeEnum::Http301).build();
    Action::builder().r#type(ActionTypeEnum::Redirect).redirect_config(redirect).build()
}

fn attribute(key: &str, value: &str) -> LoadBalancerAttribute {
    LoadBalancerAttribute::builder().key(key).value(value).build()
}

async fn state(elb: &Client, arn: &str) -> LoadBalancerStateEnum {
    let described = elb.describe_load_balancers().load_balancer_arns(arn).send().await.unwrap();
    described.load_balancers()[0].state().unwrap().code().unwrap().clone()
}

pub(crate) async fn certificate(cloud: &Cloud, domain: &str) -> String {
    let acm = aws_sdk_acm::Client::new(&cloud.sdk());
    let request = acm.request_certificate().domain_name(domain);
    let request = request.validation_method(aws_sdk_acm::types::ValidationMethod::Dns);
    let arn = request.send().await.unwrap().certificate_arn.unwrap();
    acm.describe_certificate().certificate_arn(&arn).send().await.unwrap();
    arn
}

#[tokio::test]
async fn a_load_balancer_is_provisioned_in_its_own_time() {
    let cloud = Cloud::with_polls(2).await;
    let (elb, network) = (client(&cloud), Network::new(&cloud).await);

    let created = load_balancer(&elb, &network).await;

    let arn = created.load_balancer_arn().unwrap();
    assert!(arn.starts_with("arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/acme-alb/"), "{arn}");
    assert_eq!(created.vpc_id(), Some(network.vpc.as_str()));
    assert_eq!(created.canonical_hosted_zone_id(), Some("Z35SXDOTRQ7X7K"));
    assert_eq!(created.security_groups(), [network.security_group.as_str()]);
    let dns_name = created.dns_name().unwrap();
    assert!(dns_name.starts_with("acme-alb-") && dns_name.ends_with(".us-east-1.elb.amazonaws.com"), "{dns_name}");
    let zones: Vec<_> = created.availability_zones().iter().map(|zone| (zone.zone_name(), zone.subnet_id())).collect();
    let (a, b) = (network.subnets[0].as_str(), network.subnets[1].as_str());
    assert_eq!(zones, [(Some("us-east-1a"), Some(a)), (Some("us-east-1b"), Some(b))]);
    assert_eq!(state(&elb, arn).await, LoadBalancerStateEnum::Provisioning);
    assert_eq!(state(&elb, arn).await, LoadBalancerStateEnum::Provisioning);
    assert_eq!(state(&elb, arn).await, LoadBalancerStateEnum::Active);
}

#[tokio::test]
async fn the_same_request_gives_the_same_load_balancer_and_another_is_a_duplicate() {
    let cloud = Cloud::new().await;
    let (elb, network) = (client(&cloud), Network::new(&cloud).await);
    let first = load_balancer(&elb, &network).await;
    assert_eq!(load_balancer(&elb, &network).await.load_balancer_arn, first.load_balancer_arn);

    let other = elb.create_load_balancer().name("acme-alb").set_subnets(Some(network.subnets.clone()));
    let other = other.scheme(aws_sdk_elasticloadbalancingv2::types::LoadBalancerSchemeEnum::Internal);
    assert_eq!(other.send().await.unwrap_err().code(), Some("DuplicateLoadBalancerName"));
}

#[tokio::test]
async fn a_load_balancer_needs_subnets_groups_and_a_gateway_that_exist() {
    let cloud = Cloud::new().await;
    let (elb, network) = (client(&cloud), Network::new(&cloud).await);
    let request = || elb.create_load_balancer().name("acme-alb");
    let refused = request().subnets(&network.subnets[0]).subnets("subnet-0000").send().await.unwrap_err();
    assert_eq!(refused.code(), Some("SubnetNotFound"));
    let refused = request().subnets(&network.subnets[0]).send().await.unwrap_err();
    assert_eq!(refused.code(), Some("ValidationError"));
    let in_two = || request().set_subnets(Some(network.subnets.clone()));
    let refused = in_two().security_groups("sg-0000").send().await.unwrap_err();
    assert_eq!(refused.code(), Some("InvalidSecurityGroup"));
    let ec2 = aws_sdk_ec2::Client::new(&cloud.sdk());
    ec2.detach_internet_gateway().internet_gateway_id(&network.gateway).vpc_id(&network.vpc).send().await.unwrap();
    let refused = in_two().send().await.unwrap_err();
    assert_eq!(refused.code(), Some("InvalidSubnet"));
}

#[tokio::test]
async fn deletion_protection_protects_until_it_is_lifted() {
    let cloud = Cloud::new().await;
    let (elb, network) = (client(&cloud), Network::new(&cloud).await);
    let balancer = load_balancer(&elb, &network).await;
    let arn = balancer.load_balancer_arn().unwrap();
    let set = |key: &str, value: &str| {
        elb.modify_load_balancer_attributes().load_balancer_arn(arn).attributes(attribute(key, value)).send()
    };
    set("deletion_protection.enabled", "true").await.unwrap();
    let refused = elb.delete_load_balancer().load_balancer_arn(arn).send().await.unwrap_err();
    assert_eq!(refused.code(), Some("OperationNotPermitted"));
    set("deletion_protection.enabled", "false").await.unwrap();
    assert_eq!(set("no.such.key", "true").await.unwrap_err().code(), Some("ValidationError"));
    elb.delete_load_balancer().load_balancer_arn(arn).send().await.unwrap();
    elb.delete_load_balancer().load_balancer_arn(arn).send().await.unwrap();
    let gone = elb.describe_load_balancers().load_balancer_arns(arn).send().await.unwrap_err();
    assert_eq!(gone.code(), Some("LoadBalancerNotFound"));
}

#[tokio::test]
async fn what_a_load_balancer_uses_stays_until_its_interfaces_are_gone() {
    let cloud = Cloud::with_polls(2).await;
    let (elb, network) = (client(&cloud), Network::new(&cloud).await);
    let balancer = load_balancer(&elb, &network).await;
    let ec2 = aws_sdk_ec2::Client::new(&cloud.sdk());
    let delete_group = || ec2.delete_security_group().group_id(&network.security_group).send();
    let refused = delete_group().await.unwrap_err();
    assert_eq!(refused.code(), Some("DependencyViolation"));
    let refused = ec2.delete_subnet().subnet_id(&network.subnets[0]).send().await.unwrap_err();
    assert_eq!(refused.code(), Some("DependencyViolation"));
    let detach = ec2.detach_internet_gateway().internet_gateway_id(&network.gateway).vpc_id(&network.vpc);
    let (refused, message) = refusal(detach.send().await);
    assert_eq!(refused, "DependencyViolation");
    assert!(message.contains("has some mapped public address(es)"), "{message}");
    elb.delete_load_balancer().load_balancer_arn(balancer.load_balancer_arn().unwrap()).send().await.unwrap();
    assert_eq!(delete_group().await.unwrap_err().code(), Some("DependencyViolation"), "an interface is left");
    assert_eq!(delete_group().await.unwrap_err().code(), Some("DependencyViolation"), "an interface is left");
    delete_group().await.unwrap();
}

#[tokio::test]
async fn access_logs_go_to_a_bucket_that_lets_them_in_and_is_not_under_kms() {
    let cloud = Cloud::new().await;
    let (elb, network) = (client(&cloud), Network::new(&cloud).await);
    let balancer = load_balancer(&elb, &network).await;
    let enable = || {
        let request = elb.modify_load_balancer_attributes().load_balancer_arn(balancer.load_balancer_arn().unwrap());
        let request = request.attributes(attribute("access_logs.s3.enabled", "true"));
        request.attributes(attribute("access_logs.s3.bucket", "acme-alb-logs")).send()
    };
    assert_eq!(enable().await.unwrap_err().code(), Some("InvalidConfigurationRequest"), "there is no bucket");
    let s3 = aws_sdk_s3::Client::new(&cloud.sdk());
    s3.create_bucket().bucket("acme-alb-logs").send().await.unwrap();
    assert_eq!(enable().await.unwrap_err().code(), Some("InvalidConfigurationRequest"), "there is no policy");
    let policy = r#"{"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::acme-alb-logs/AWSLogs/123456789012/*"
    }]}"#;
    s3.put_bucket_policy().bucket("acme-alb-logs").policy(policy).send().await.unwrap();
    let attributes = enable().await.unwrap();
    assert!(attributes.attributes().contains(&attribute("access_logs.s3.bucket", "acme-alb-logs")));

    use aws_sdk_s3::types::{
        ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration,
        ServerSideEncryptionRule,
    };
    let kms = ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::AwsKms).build().unwrap();
    let rule = ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(kms).build();
    let encryption = ServerSideEncryptionConfiguration::builder().rules(rule).build().unwrap();
    let put = s3.put_bucket_encryption().bucket("acme-alb-logs").server_side_encryption_configuration(encryption);
    put.send().await.unwrap();
    assert_eq!(enable().await.unwrap_err().code(), Some("InvalidConfigurationRequest"), "the bucket is under KMS");
}

#[tokio::test]
async fn a_target_group_keeps_every_setting_and_stays_while_it_is_used() {
    let cloud = Cloud::new().await;
    let (elb, network) = (client(&cloud), Network::new(&cloud).await);
    let group = target_group(&elb, &network).await;
    let balancer = load_balancer(&elb, &network).await;
    let (balancer, arn) = (balancer.load_balancer_arn().unwrap(), group.target_group_arn().unwrap());
    let listener = elb.create_listener().load_balancer_arn(balancer).protocol(ProtocolEnum::Http).port(80);
    let listener = listener.default_actions(forward(&group)).send().await.unwrap().listeners.unwrap().remove(0);

    drop(elb);
    let cloud = cloud.reopen().await;
    let elb = client(&cloud);

    let described = elb.describe_target_groups().names("acme-tg").send().await.unwrap();
    let found = &described.target_groups()[0];
    assert_eq!((found.port(), found.vpc_id()), (Some(8080), Some(network.vpc.as_str())));
    assert_eq!((found.health_check_path(), found.health_check_interval_seconds()), (Some("/health"), Some(15)));
    assert_eq!((found.health_check_timeout_seconds(), found.health_check_port()), (Some(5), Some("traffic-port")));
    assert_eq!((found.healthy_threshold_count(), found.unhealthy_threshold_count()), (Some(3), Some(4)));
    assert_eq!(found.matcher().unwrap().http_code(), Some("200-299"));
    assert_eq!((found.target_type(), found.protocol_version()), (Some(&TargetTypeEnum::Ip), Some("HTTP1")));
    assert_eq!(found.load_balancer_arns(), [balancer]);
    let refused = elb.delete_target_group().target_group_arn(arn).send().await.unwrap_err();
    assert_eq!(refused.code(), Some("ResourceInUse"));
    elb.delete_listener().listener_arn(listener.listener_arn().unwrap()).send().await.unwrap();
    elb.delete_target_group().target_group_arn(arn).send().await.unwrap();
    let gone = elb.describe_target_groups().target_group_arns(arn).send().await.unwrap_err();
    assert_eq!(gone.code(), Some("TargetGroupNotFound"));
}

#[tokio::test]
async fn a_target_group_has_a_name_of_its_own_and_one_load_balancer() {
    let cloud = Cloud::new().await;
    let (elb, network) = (client(&cloud), Network::new(&cloud).await);
    let group = target_group(&elb, &network).await;
    assert_eq!(target_group(&elb, &network).await.target_group_arn, group.target_group_arn);
    let other = named_group(&elb, &network, "acme-tg").port(9090).send().await;
    assert_eq!(code(other), "DuplicateTargetGroupName");

    send_to(&elb, &network, &group).await;
    let second = elb.create_load_balancer().name("acme-second").set_subnets(Some(network.subnets.clone()));
    let second = second.send().await.unwrap().load_balancers.unwrap().remove(0);
    let listener = elb.create_listener().load_balancer_arn(second.load_balancer_arn().unwrap());
    let listener = listener.protocol(ProtocolEnum::Http).port(80).default_actions(forward(&group)).send().await;
    assert_eq!(code(listener), "TargetGroupAssociationLimit");
}

#[tokio::test]
async fn a_target_becomes_healthy_once_a_listener_sends_to_it() {
    let cloud = Cloud::with_polls(1).await;
    let (elb, network) = (client(&cloud), Network::new(&cloud).await);
    let group = target_group(&elb, &network).await;
    let arn = group.target_group_arn().unwrap();
    let target = TargetDescription::builder().id("10.0.1.10").build();
    elb.register_targets().target_group_arn(arn).targets(target.clone()).send().await.unwrap();
    let health = async || {
        let described = elb.describe_target_health().target_group_arn(arn).send().await.unwrap();
        let targets = described.target_health_descriptions().to_vec();
        targets.iter().map(|target| target.target_health().unwrap().state().unwrap().clone()).collect::<Vec<_>>()
    };
    assert_eq!(health().await, [TargetHealthStateEnum::Unused]);
    let balancer = load_balancer(&elb, &network).await;
    let listener = elb.create_listener().load_balancer_arn(balancer.load_balancer_arn().unwrap());
    let listener = listener.protocol(ProtocolEnum::Http).port(80).default_actions(forward(&group));
    listener.send().await.unwrap();
    elb.register_targets().target_group_arn(arn).targets(target.clone()).send().await.unwrap();
    assert_eq!(health().await, [TargetHealthStateEnum::Initial]);
    assert_eq!(health().await, [TargetHealthStateEnum::Healthy]);
    elb.deregister_targets().target_group_arn(arn).targets(target).send().await.unwrap();
    assert_eq!(health().await, [TargetHealthStateEnum::Draining]);
    assert_eq!(health().await, []);
}

#[tokio::test]
async fn an_https_listener_takes_an_issued_certificate_and_holds_it() {
    let cloud = Cloud::new().await;
    let (elb, network) = (client(&cloud), Network::new(&cloud).await);
    let group = target_group(&elb, &network).await;
    let balancer = load_balancer(&elb, &network).await;
    let balancer = balancer.load_balancer_arn().unwrap();
    let https = |certificate: &str| {
        let certificate = Certificate::builder().certificate_arn(certificate).build();
        let request = elb.create_listener().load_balancer_arn(balancer).protocol(ProtocolEnum::Https).port(443);
        let request = request.ssl_policy(TLS_POLICY).certificates(certificate).default_actions(forward(&group));
        request.tags(tag()).send()
    };
    let pending = certificate(&cloud, "rcm.acme.invalid").await;
    assert_eq!(https(&pending).await.unwrap_err().code(), Some("UnsupportedCertificate"));
    let unknown = "arn:aws:acm:us-east-1:123456789012:certificate/0";
    assert_eq!(https(unknown).await.unwrap_err().code(), Some("CertificateNotFound"));
    let issued = certificate(&cloud, "rcm.acme.com").await;
    let listener = https(&issued).await.unwrap().listeners.unwrap().remove(0);

    assert_eq!(listener.ssl_policy(), Some(TLS_POLICY));
    assert_eq!(listener.certificates()[0].certificate_arn(), Some(issued.as_str()));
    let action = &listener.default_actions()[0];
    assert_eq!(action.target_group_arn(), group.target_group_arn());
    let acm = aws_sdk_acm::Client::new(&cloud.sdk());
    let detail = acm.describe_certificate().certificate_arn(&issued).send().await.unwrap().certificate.unwrap();
    assert_eq!(detail.in_use_by(), [balancer]);
    let refused = acm.delete_certificate().certificate_arn(&issued).send().await.unwrap_err();
    assert_eq!(aws_sdk_acm::error::ProvideErrorMetadata::code(&refused), Some("ResourceInUseException"));
    elb.delete_listener().listener_arn(listener.listener_arn().unwrap()).send().await.unwrap();
    acm.delete_certificate().certificate_arn(&issued).send().await.unwrap();
}

#[tokio::test]
async fn listeners_are_found_changed_and_one_to_a_port() {
    let cloud = Cloud::new().await;
    let (elb, network) = (client(&cloud), Network::new(&cloud).await);
    let group = target_group(&elb, &network).await;
    let balancer = load_balancer(&elb, &network).await;
    let balancer = balancer.load_balancer_arn().unwrap();
    let http = |action: Action| {
        let request = elb.create_listener().load_balancer_arn(balancer).protocol(ProtocolEnum::Http).port(80);
        request.default_actions(action).tags(tag()).send()
    };
    let created = http(to_https()).await.unwrap().listeners.unwrap().remove(0);
    assert_eq!(http(to_https()).await.unwrap().listeners()[0].listener_arn, created.listener_arn);
    assert_eq!(http(forward(&group)).await.unwrap_err().code(), Some("DuplicateListener"));

    let found = elb.describe_listeners().load_balancer_arn(balancer).send().await.unwrap();
    let redirect = found.listeners()[0].default_actions()[0].redirect_config().unwrap();
    assert_eq!((redirect.protocol(), redirect.port()), (Some("HTTPS"), Some("443")));
    assert_eq!((redirect.host(), redirect.path()), (Some("#{host}"), Some("/#{path}")));
    assert_eq!(redirect.status_code(), Some(&RedirectActionStatusCodeEnum::Http301));
    let arn = created.listener_arn().unwrap();
    let modify = elb.modify_listener().listener_arn(arn).default_actions(forward(&group));
    let changed = modify.send().await.unwrap().listeners.unwrap().remove(0);
    assert_eq!(changed.default_actions()[0].r#type(), Some(&ActionTypeEnum::Forward));
    let tags = elb.describe_tags().resource_arns(arn).resource_arns(balancer).send().await.unwrap();
    assert!(tags.tag_descriptions().iter().all(|described| described.tags() == [tag()]), "{tags:?}");
    elb.delete_listener().listener_arn(arn).send().await.unwrap();
    let gone = elb.delete_listener().listener_arn(arn).send().await.unwrap_err();
    assert_eq!(gone.code(), Some("ListenerNotFound"));
}
