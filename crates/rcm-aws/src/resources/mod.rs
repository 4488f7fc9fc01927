//! The resource kinds: one file a kind, one line here.

use std::sync::Arc;

use rcm_engine::model::Registry;

use crate::Aws;

mod apprunner;
mod autoscaling;
mod backup;
pub mod baseline;
mod batch;
pub(crate) mod ec2;
mod ec2_holders;
mod ec2_network_acl_entry;
mod ec2_route;
mod ecs;
pub mod ecs_capacity;
pub mod ecs_container;
mod ecs_rollout;
mod ecs_service_shape;
mod elb;
pub mod policy;
mod rds;
mod s3_content;
mod s3_lifecycle;
mod s3_watching;
pub mod secrets_versions;
mod wafv2;

/// Declares the modules of the kinds and the registry of them all.
macro_rules! kinds {
    ($($module:ident :: $kind:ident),* $(,)?) => {
        $(pub mod $module;)*

        /// All kinds, working on `aws`.
        pub fn registry(aws: &Arc<Aws>) -> Registry {
            Registry::new()$(.with::<$module::$kind>(aws))*
        }
    };
}

kinds! {
    accessanalyzer_analyzer::Analyzer,
    account_security_contact::SecurityContact,
    acm_certificate::Certificate,
    apprunner_auto_scaling::AutoScaling,
    apprunner_service::Service,
    apprunner_vpc_connector::VpcConnector,
    autoscaling_policy::ScalingPolicy,
    autoscaling_scheduled_action::ScheduledAction,
    autoscaling_target::ScalableTarget,
    backup_plan::Plan,
    backup_selection::Selection,
    backup_vault::Vault,
    cloudtrail_trail::Trail,
    config_conformance_pack::ConformancePack,
    config_recorder::Recorder,
    ec2_account_defaults::AccountDefaults,
    cloudwatch_account_alarm::AccountAlarm,
    cloudwatch_alarm::Alarm,
    cloudwatch_dashboard::Dashboard,
    ec2_elastic_ip::ElasticIp,
    ec2_flow_log::FlowLog,
    ec2_internet_gateway::InternetGateway,
    ec2_nat_gateway::NatGateway,
    ec2_network_acl::NetworkAcl,
    ec2_route_table::RouteTable,
    ec2_security_group::SecurityGroup,
    ec2_security_group_rule::SecurityGroupRule,
    ec2_subnet::Subnet,
    ec2_vpc::Vpc,
    ec2_vpc_endpoint::VpcEndpoint,
    ecr_registry_scanning::RegistryScanning,
    ecr_repository::Repository,
    ecs_cluster::Cluster,
    ecs_service::Service,
    ecs_task_definition::TaskDefinition,
    elb_listener::Listener,
    elb_load_balancer::LoadBalancer,
    elb_target_group::TargetGroup,
    guardduty_detector::Detector,
    iam_account_role::AccountRole,
    iam_password_policy::PasswordPolicy,
    iam_role::Role,
    iam_service_linked_role::ServiceLinkedRole,
    kms_account_key::AccountKey,
    kms_key::Key,
    logs_account_group::AccountLogGroup,
    logs_group::LogGroup,
    logs_metric_filter::MetricFilter,
    rds_event_subscription::EventSubscription,
    rds_instance::Instance,
    rds_parameter_group::ParameterGroup,
    rds_replica::Replica,
    rds_subnet_group::SubnetGroup,
    route53_record::DnsRecord,
    s3_account_log_bucket::AccountLogBucket,
    s3_account_public_access_block::AccountPublicAccessBlock,
    s3_bucket::Bucket,
    secrets_secret::Secret,
    securityhub_hub::Hub,
    sns_account_subscription::AccountSubscription,
    sns_account_topic::AccountTopic,
    sns_subscription::Subscription,
    sns_topic::Topic,
    wafv2_association::Association,
    wafv2_web_acl::WebAcl,
}
