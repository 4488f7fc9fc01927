//! Databases: instances, their groups, replicas and snapshots.

use aws_sdk_rds::Client;
use aws_sdk_rds::error::ProvideErrorMetadata;
use aws_sdk_rds::operation::create_db_instance::builders::CreateDBInstanceFluentBuilder;
use aws_sdk_rds::types::{ApplyMethod, CloudwatchLogsExportConfiguration, DbInstance, Parameter, Tag};

use crate::network::Network;
use crate::support::{Cloud, code, refusal};

const PASSWORD: &str = "correct-horse-battery";

fn client(cloud: &Cloud) -> Client {
    Client::new(&cloud.sdk())
}

fn tag() -> Tag {
    Tag::builder().key("rcm:partner").value("acme").build()
}

pub(crate) async fn groups(rds: &Client, network: &Network) {
    let group = rds.create_db_subnet_group().db_subnet_group_name("acme-db").db_subnet_group_description("acme");
    group.set_subnet_ids(Some(network.subnets.clone())).tags(tag()).send().await.unwrap();
    let group = rds.create_db_parameter_group().db_parameter_group_name("acme-pg").description("acme");
    group.db_parameter_group_family("postgres16").tags(tag()).send().await.unwrap();
}

pub(crate) fn instance(rds: &Client, network: &Network) -> CreateDBInstanceFluentBuilder {
    rds.create_db_instance()
        .db_instance_identifier("acme-db")
        .engine("postgres")
        .engine_version("16.4")
        .db_instance_class("db.t3.medium")
        .allocated_storage(50)
        .master_username("rcm")
        .master_user_password(PASSWORD)
        .db_name("rcm")
        .db_subnet_group_name("acme-db")
        .db_parameter_group_name("acme-pg")
        .vpc_security_group_ids(&network.security_group)
        .copy_tags_to_snapshot(true)
        .backup_retention_period(35)
        .tags(tag())
}

async fn describe(rds: &Client, id: &str) -> Result<DbInstance, Option<String>> {
    match rds.describe_db_instances().db_instance_identifier(id).send().await {
        Ok(found) => Ok(found.db_instances.unwrap().remove(0)),
        Err(error) => Err(error.code().map(str::to_owned)),
    }
}

async fn statuses(rds: &Client, count: usize) -> Vec<String> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        statuses.push(match describe(rds, "acme-db").await {
            Ok(instance) => instance.db_instance_status.unwrap(),
            Err(code) => code.unwrap(),
        });
    }
    statuses
}

#[tokio::test]
async fn an_instance_keeps_every_setting() {
    let cloud = Cloud::new().await;
    let (rds, network) = (client(&cloud), Network::new(&cloud).await);
    groups(&rds, &network).await;
    let key = aws_sdk_kms::Client::new(&cloud.sdk()).create_key().send().await.unwrap().key_metadata.unwrap();
    let request = instance(&rds, &network)
        .max_allocated_storage(200)
        .storage_type("gp3")
        .storage_encrypted(true)
        .kms_key_id(key.key_id())
        .multi_az(true)
        .preferred_backup_window("03:00-04:00")
        .preferred_maintenance_window("Sun:05:00-Sun:06:00")
        .enable_performance_insights(true)
        .performance_insights_kms_key_id(key.key_id())
        .enable_cloudwatch_logs_exports("postgresql")
        .enable_cloudwatch_logs_exports("upgrade")
        .enable_iam_database_authentication(true)
        .monitoring_interval(60)
        .monitoring_role_arn("arn:aws:iam::123456789012:role/acme-monitoring")
        .auto_minor_version_upgrade(true)
        .publicly_accessible(false)
        .deletion_protection(true)
        .ca_certificate_identifier("rds-ca-rsa4096-g1");
    request.send().await.unwrap();

    drop(rds);
    let cloud = cloud.reopen().await;
    let found = describe(&client(&cloud), "acme-db").await.unwrap();

    assert_eq!(found.db_instance_status(), Some("available"));
    assert_eq!((found.engine_version(), found.db_instance_class()), (Some("16.4"), Some("db.t3.medium")));
    assert_eq!((found.allocated_storage(), found.max_allocated_storage()), (Some(50), Some(200)));
    assert_eq!((found.storage_type(), found.iops(), found.storage_throughput()), (Some("gp3"), Some(3000), Some(125)));
    assert_eq!((found.storage_encrypted(), found.kms_key_id()), (Some(true), key.arn()));
    assert_eq!((found.multi_az(), found.secondary_availability_zone()), (Some(true), Some("us-east-1b")));
    assert_eq!((found.backup_retention_period(), found.preferred_backup_window()), (Some(35), Some("03:00-04:00")));
    assert_eq!(found.preferred_maintenance_window(), Some("sun:05:00-sun:06:00"));
    assert_eq!(found.performance_insights_enabled(), Some(true));
    assert_eq!(
        (found.performance_insights_kms_key_id(), found.performance_insights_retention_period()),
        (key.arn(), Some(7))
    );
    assert_eq!(found.enabled_cloudwatch_logs_exports(), ["postgresql", "upgrade"]);
    assert_eq!(found.iam_database_authentication_enabled(), Some(true));
    assert_eq!((found.monitoring_interval(), found.monitoring_role_arn().is_some()), (Some(60), true));
    assert_eq!((found.deletion_protection(), found.copy_tags_to_snapshot()), (Some(true), Some(true)));
    assert_eq!((found.publicly_accessible(), found.auto_minor_version_upgrade()), (Some(false), Some(true)));
    assert_eq!(found.ca_certificate_identifier(), Some("rds-ca-rsa4096-g1"));
    assert_eq!((found.master_username(), found.db_name()), (Some("rcm"), Some("rcm")));
    assert_eq!(found.vpc_security_groups()[0].vpc_security_group_id(), Some(network.security_group.as_str()));
    assert_eq!(found.db_parameter_groups()[0].db_parameter_group_name(), Some("acme-pg"));
    let group = found.db_subnet_group().unwrap();
    assert_eq!((group.vpc_id(), group.subnets().len()), (Some(network.vpc.as_str()), 2));
    assert_eq!(group.subnets()[0].subnet_availability_zone().unwrap().name(), Some("us-east-1a"));
    let endpoint = found.endpoint().unwrap();
    assert!(endpoint.address().unwrap().starts_with("acme-db.c"), "{endpoint:?}");
    assert_eq!((endpoint.port(), found.tag_list()), (Some(5432), &[tag()][..]));
    assert!(found.dbi_resource_id().unwrap().starts_with("db-"));
}

#[tokio::test]
async fn the_master_password_is_nowhere() {
    let cloud = Cloud::new().await;
    let (rds, network) = (client(&cloud), Network::new(&cloud).await);
    groups(&rds, &network).await;
    let created = instance(&rds, &network).send().await.unwrap();
    assert!(!format!("{created:?}").contains(PASSWORD));
    let saved = std::fs::read_to_string(cloud.dir().join("rds.json")).unwrap();
    assert!(saved.contains("acme-db") && !saved.contains(PASSWORD));
}

#[tokio::test]
async fn which_master_password_an_instance_has_can_be_told_from_its_digest() {
    let cloud = Cloud::new().await;
    let (rds, network) = (client(&cloud), Network::new(&cloud).await);
    groups(&rds, &network).await;
    let digest = || {
        let saved = std::fs::read_to_string(cloud.dir().join("rds.json")).unwrap();
        let saved: serde_json::Value = serde_json::from_str(&saved).unwrap();
        saved["instances"]["acme-db"]["password_sha256"].as_str().unwrap().to_owned()
    };
    instance(&rds, &network).send().await.unwrap();
    assert_eq!(digest(), "62249369389075490555a758353aec61500c6218fa597252d52dc4bd0148f12d");
    let modify = rds.modify_db_instance().db_instance_identifier("acme-db").master_user_password("battery-horse");
    modify.apply_immediately(true).send().await.unwrap();
    assert_eq!(digest(), "5985ace65fc62dc4da2f87d4fc03e1178ae9126d64a6d94cc2a4e36905adf5aa");
}

#[tokio::test]
async fn a_key_that_cannot_encrypt_is_refused() {
    let cloud = Cloud::new().await;
    let (rds, network) = (client(&cloud), Network::new(&cloud).await);
    groups(&rds, &network).await;
    let kms = aws_sdk_kms::Client::new(&cloud.sdk());
    let key = kms.create_key().send().await.unwrap().key_metadata.unwrap().key_id;
    kms.schedule_key_deletion().key_id(&key).send().await.unwrap();
    for key in [key.as_str(), "alias/nothing"] {
        let refused = instance(&rds, &network).storage_encrypted(true).kms_key_id(key).send().await;
        assert_eq!(code(refused), "KMSKeyNotAccessibleFault", "{key}");
    }
}

#[tokio::test]
async fn an_instance_is_created_changed_and_deleted_in_its_own_time() {
    let cloud = Cloud::with_polls(2).await;
    let (rds, network) = (client(&cloud), Network::new(&cloud).await);
    groups(&rds, &network).await;
    instance(&rds, &network).send().await.unwrap();

    assert!(describe(&rds, "acme-db").await.unwrap().endpoint().is_none());
    assert_eq!(statuses(&rds, 3).await, ["creating", "backing-up", "available"]);
    assert!(describe(&rds, "acme-db").await.unwrap().endpoint().unwrap().address().is_some());

    let modify = rds.modify_db_instance().db_instance_identifier("acme-db").apply_immediately(true);
    let modified = modify.db_instance_class("db.t3.large").send().await.unwrap().db_instance.unwrap();
    assert_eq!(modified.pending_modified_values().unwrap().db_instance_class(), Some("db.t3.large"));
    assert_eq!(statuses(&rds, 2).await, ["available", "modifying"]);
    let again = rds.modify_db_instance().db_instance_identifier("acme-db").multi_az(true).send().await;
    assert_eq!(code(again), "InvalidDBInstanceState");
    assert_eq!(statuses(&rds, 2).await, ["modifying", "available"]);
    let found = describe(&rds, "acme-db").await.unwrap();
    assert_eq!(found.db_instance_class(), Some("db.t3.large"));
    assert_eq!(found.pending_modified_values().unwrap().db_instance_class(), None);

    let ec2 = aws_sdk_ec2::Client::new(&cloud.sdk());
    let refused = ec2.delete_security_group().group_id(&network.security_group).send().await.unwrap_err();
    assert_eq!(refused.code(), Some("DependencyViolation"));
    let refused = ec2.delete_subnet().subnet_id(&network.subnets[0]).send().await.unwrap_err();
    assert_eq!(refused.code(), Some("DependencyViolation"));
    let delete = |snapshot: &str| {
        let delete = rds.delete_db_instance().db_instance_identifier("acme-db");
        delete.final_db_snapshot_identifier(snapshot).send()
    };
    delete("acme-final").await.unwrap();
    let (refused, message) = refusal(delete("acme-final-2").await);
    assert_eq!(refused, "InvalidDBInstanceState");
    assert!(message.contains("is already being deleted"), "{message}");
    let refused = rds.delete_db_subnet_group().db_subnet_group_name("acme-db").send().await.unwrap_err();
    assert_eq!(refused.code(), Some("InvalidDBSubnetGroupStateFault"));
    assert_eq!(statuses(&rds, 3).await, ["deleting", "deleting", "DBInstanceNotFound"]);
    rds.delete_db_subnet_group().db_subnet_group_name("acme-db").send().await.unwrap();
    ec2.delete_security_group().group_id(&network.security_group).send().await.unwrap();
    let snapshots = rds.describe_db_snapshots().db_snapshot_identifier("acme-final").send().await.unwrap();
    let [snapshot] = snapshots.db_snapshots() else { panic!("{snapshots:?}") };
    assert_eq!((snapshot.status(), snapshot.percent_progress()), (Some("available"), Some(100)));
    assert_eq!((snapshot.tag_list(), snapshot.vpc_id()), (&[tag()][..], Some(network.vpc.as_str())));
}

#[tokio::test]
async fn what_need_not_wait_is_changed_at_once_and_the_rest_stays_pending() {
    let cloud = Cloud::new().await;
    let (rds, network) = (client(&cloud), Network::new(&cloud).await);
    groups(&rds, &network).await;
    instance(&rds, &network).enable_cloudwatch_logs_exports("upgrade").send().await.unwrap();

    let logs = CloudwatchLogsExportConfiguration::builder().enable_log_types("postgresql").disable_log_types("upgrade");
    let modify =
        rds.modify_db_instance().db_instance_identifier("acme-db").cloudwatch_logs_export_configuration(logs.build());
    modify.deletion_protection(true).backup_retention_period(7).multi_az(true).send().await.unwrap();

    let found = describe(&rds, "acme-db").await.unwrap();
    assert_eq!(found.enabled_cloudwatch_logs_exports(), ["postgresql"]);
    assert_eq!((found.deletion_protection(), found.backup_retention_period()), (Some(true), Some(7)));
    assert_eq!((found.multi_az(), found.pending_modified_values().unwrap().multi_az()), (Some(false), Some(true)));
    let nothing = rds.modify_db_instance().db_instance_identifier("acme-db").send().await.unwrap_err();
    assert_eq!(nothing.code(), Some("InvalidParameterCombination"));
    assert_eq!(nothing.message(), Some("No modifications were requested"));
}

#[tokio::test]
async fn deletion_is_refused_until_everything_has_been_decided() {
    let cloud = Cloud::new().await;
    let (rds, network) = (client(&cloud), Network::new(&cloud).await);
    groups(&rds, &network).await;
    instance(&rds, &network).deletion_protection(true).send().await.unwrap();
    let again = instance(&rds, &network).send().await.unwrap_err();
    assert_eq!(again.code(), Some("DBInstanceAlreadyExists"));
    let delete = || rds.delete_db_instance().db_instance_identifier("acme-db");
    let refused = delete().skip_final_snapshot(true).send().await.unwrap_err();
    assert_eq!(refused.code(), Some("InvalidParameterCombination"));
    assert!(refused.message().unwrap().contains("disable deletion protection"));
    rds.modify_db_instance().db_instance_identifier("acme-db").deletion_protection(false).send().await.unwrap();
    assert_eq!(delete().send().await.unwrap_err().code(), Some("InvalidParameterCombination"));
    let snapshot = rds.create_db_snapshot().db_instance_identifier("acme-db").db_snapshot_identifier("acme-final");
    let arn = snapshot.clone().send().await.unwrap().db_snapshot.unwrap().db_snapshot_arn.unwrap();
    assert_eq!(code(snapshot.send().await), "DBSnapshotAlreadyExists");
    let refused = delete().final_db_snapshot_identifier("acme-final").send().await.unwrap_err();
    assert_eq!(refused.code(), Some("DBSnapshotAlreadyExists"));
    let refused = rds.delete_db_parameter_group().db_parameter_group_name("acme-pg").send().await.unwrap_err();
    assert_eq!(refused.code(), Some("InvalidDBParameterGroupState"));
    delete().final_db_snapshot_identifier("acme-final-2").send().await.unwrap();
    assert_eq!(describe(&rds, "acme-db").await.unwrap_err().as_deref(), Some("DBInstanceNotFound"));
    rds.delete_db_parameter_group().db_parameter_group_name("acme-pg").send().await.unwrap();
    let tags = rds.list_tags_for_resource().resource_name(&arn).send().await.unwrap();
    assert_eq!(tags.tag_list(), [tag()]);
    rds.delete_db_snapshot().db_snapshot_identifier("acme-final").send().await.unwrap();
    let gone = rds.describe_db_snapshots().db_snapshot_identifier("acme-final").send().await.unwrap_err();
    assert_eq!(gone.code(), Some("DBSnapshotNotFound"));
}

#[tokio::test]
async fn parameters_that_a_user_set_are_told_from_the_rest() {
    let cloud = Cloud::new().await;
    let (rds, network) = (client(&cloud), Network::new(&cloud).await);
    groups(&rds, &network).await;
    let parameter = |name: &str, value: &str, method: ApplyMethod| {
        let parameter = Parameter::builder().parameter_name(name).parameter_value(value).apply_method(method).build();
        rds.modify_db_parameter_group().db_parameter_group_name("acme-pg").parameters(parameter).send()
    };
    parameter("rds.force_ssl", "1", ApplyMethod::Immediate).await.unwrap();
    let refused = parameter("max_connections", "200", ApplyMethod::Immediate).await.unwrap_err();
    assert_eq!(refused.code(), Some("InvalidParameterCombination"));
    let refused = parameter("rds.force_ssl", "yes", ApplyMethod::Immediate).await.unwrap_err();
    assert_eq!(refused.code(), Some("InvalidParameterValue"));

    let set = rds.describe_db_parameters().db_parameter_group_name("acme-pg").source("user").send().await.unwrap();

    let [parameter] = set.parameters() else { panic!("{set:?}") };
    assert_eq!((parameter.parameter_name(), parameter.parameter_value()), (Some("rds.force_ssl"), Some("1")));
    let missing = rds.describe_db_parameters().db_parameter_group_name("none").send().await.unwrap_err();
    assert_eq!(missing.code(), Some("DBParameterGroupNotFound"));
    let twice = rds.create_db_parameter_group().db_parameter_group_name("acme-pg").description("again");
    let twice = twice.db_parameter_group_family("postgres16").send().await.unwrap_err();
    assert_eq!(twice.code(), Some("DBParameterGroupAlreadyExists"));
}

#[tokio::test]
async fn a_subnet_group_spans_two_zones_of_subnets_that_exist() {
    let cloud = Cloud::new().await;
    let (rds, network) = (client(&cloud), Network::new(&cloud).await);
    let create = |subnets: &[String]| {
        let group = rds.create_db_subnet_group().db_subnet_group_name("acme-db").db_subnet_group_description("acme");
        group.set_subnet_ids(Some(subnets.to_vec())).send()
    };
    let refused = create(&["subnet-0000".to_owned()]).await.unwrap_err();
    assert_eq!(refused.code(), Some("InvalidParameterValue"));
    let refused = create(&network.subnets[..1]).await.unwrap_err();
    assert_eq!(refused.code(), Some("DBSubnetGroupDoesNotCoverEnoughAZs"));
    let created = create(&network.subnets).await.unwrap().db_subnet_group.unwrap();
    assert_eq!((created.vpc_id(), created.subnet_group_status()), (Some(network.vpc.as_str()), Some("Complete")));
    assert_eq!(create(&network.subnets).await.unwrap_err().code(), Some("DBSubnetGroupAlreadyExists"));
    rds.delete_db_subnet_group().db_subnet_group_name("acme-db").send().await.unwrap();
    let gone = rds.describe_db_subnet_groups().db_subnet_group_name("acme-db").send().await.unwrap_err();
    assert_eq!(gone.code(), Some("DBSubnetGroupNotFoundFault"));
}

#[tokio::test]
async fn a_replica_and_its_source_know_each_other() {
    let cloud = Cloud::new().await;
    let (rds, network) = (client(&cloud), Network::new(&cloud).await);
    groups(&rds, &network).await;
    instance(&rds, &network).backup_retention_period(0).send().await.unwrap();
    let replicate = || {
        let replica = rds.create_db_instance_read_replica().db_instance_identifier("acme-db-replica");
        let replica = replica.source_db_instance_identifier("acme-db").vpc_security_group_ids(&network.security_group);
        replica.deletion_protection(true).tags(tag()).send()
    };
    assert_eq!(replicate().await.unwrap_err().code(), Some("InvalidDBInstanceState"), "the source has no backups");
    let modify = rds.modify_db_instance().db_instance_identifier("acme-db").apply_immediately(true);
    modify.backup_retention_period(7).send().await.unwrap();

    replicate().await.unwrap();

    let source = describe(&rds, "acme-db").await.unwrap();
    assert_eq!(source.read_replica_db_instance_identifiers(), ["acme-db-replica"]);
    let replica = describe(&rds, "acme-db-replica").await.unwrap();
    assert_eq!(replica.read_replica_source_db_instance_identifier(), Some("acme-db"));
    assert_eq!((replica.backup_retention_period(), replica.deletion_protection()), (Some(0), Some(true)));
    assert_eq!(replica.status_infos()[0].status(), Some("replicating"));
    let delete = || rds.delete_db_instance().db_instance_identifier("acme-db-replica");
    rds.modify_db_instance().db_instance_identifier("acme-db-replica").deletion_protection(false).send().await.unwrap();
    let refused = delete().final_db_snapshot_identifier("acme-replica").send().await.unwrap_err();
    assert_eq!(refused.code(), Some("InvalidParameterCombination"));
    delete().skip_final_snapshot(true).send().await.unwrap();
    assert!(describe(&rds, "acme-db").await.unwrap().read_replica_db_instance_identifiers().is_empty());
}

/// An instance with backups, and one that follows it.
async fn with_replica(rds: &Client, network: &Network) {
    groups(rds, network).await;
    instance(rds, network).send().await.unwrap();
    while statuses(rds, 1).await != ["available"] {}
    let replica = rds.create_db_instance_read_replica().db_instance_identifier("acme-db-replica");
    replica.source_db_instance_identifier("acme-db").send().await.unwrap();
    while describe(rds, "acme-db-replica").await.unwrap().db_instance_status() != Some("available") {}
}

#[tokio::test]
async fn a_replica_has_the_parameter_group_of_its_source_and_no_password_of_its_own() {
    let cloud = Cloud::new().await;
    let (rds, network) = (client(&cloud), Network::new(&cloud).await);
    with_replica(&rds, &network).await;
    let replica = describe(&rds, "acme-db-replica").await.unwrap();
    assert_eq!(replica.db_parameter_groups()[0].db_parameter_group_name(), Some("acme-pg"));
    let named = rds.create_db_instance_read_replica().db_instance_identifier("acme-db-replica-2");
    let named = named.source_db_instance_identifier("acme-db").db_parameter_group_name("acme-pg");
    assert_eq!(named.send().await.unwrap_err().code(), Some("InvalidParameterCombination"));
    let password = rds.modify_db_instance().db_instance_identifier("acme-db-replica").master_user_password(PASSWORD);
    assert_eq!(password.send().await.unwrap_err().code(), Some("InvalidParameterCombination"));
}

#[tokio::test]
async fn a_source_that_is_upgraded_takes_its_replicas_along() {
    let cloud = Cloud::with_polls(1).await;
    let (rds, network) = (client(&cloud), Network::new(&cloud).await);
    with_replica(&rds, &network).await;
    let group = rds.create_db_parameter_group().db_parameter_group_name("acme-17").description("acme");
    group.db_parameter_group_family("postgres17").send().await.unwrap();
    let upgrade = rds.modify_db_instance().db_instance_identifier("acme-db").engine_version("17");
    let upgrade = upgrade.allow_major_version_upgrade(true).db_parameter_group_name("acme-17").apply_immediately(true);
    upgrade.send().await.unwrap();
    assert_eq!(describe(&rds, "acme-db-replica").await.unwrap().db_instance_status(), Some("upgrading"));
    while describe(&rds, "acme-db-replica").await.unwrap().db_instance_status() != Some("available") {}
    assert!(describe(&rds, "acme-db-replica").await.unwrap().engine_version().unwrap().starts_with("17."));
}

#[tokio::test]
async fn a_replica_is_promoted_for_ever_by_a_person_or_by_the_end_of_its_source() {
    let cloud = Cloud::new().await;
    let (rds, network) = (client(&cloud), Network::new(&cloud).await);
    with_replica(&rds, &network).await;
    let promote = || rds.promote_read_replica().db_instance_identifier("acme-db-replica").send();
    promote().await.unwrap();
    while describe(&rds, "acme-db-replica").await.unwrap().db_instance_status() != Some("available") {}
    let promoted = describe(&rds, "acme-db-replica").await.unwrap();
    assert_eq!(promoted.read_replica_source_db_instance_identifier(), None);
    assert_eq!(promoted.backup_retention_period(), Some(1));
    assert_eq!(promote().await.unwrap_err().code(), Some("InvalidDBInstanceState"), "it is none any more");

    let second = rds.create_db_instance_read_replica().db_instance_identifier("acme-db-replica-2");
    second.source_db_instance_identifier("acme-db").send().await.unwrap();
    rds.delete_db_instance().db_instance_identifier("acme-db").skip_final_snapshot(true).send().await.unwrap();
    let left = describe(&rds, "acme-db-replica-2").await.unwrap();
    assert_eq!(left.read_replica_source_db_instance_identifier(), None, "it has outlived its source");
}

#[tokio::test]
async fn a_major_version_alone_means_its_latest_minor_one() {
    let cloud = Cloud::new().await;
    let (rds, network) = (client(&cloud), Network::new(&cloud).await);
    groups(&rds, &network).await;
    let created = instance(&rds, &network).engine_version("16").send().await.unwrap().db_instance.unwrap();
    let offered = rds.describe_db_engine_versions().engine("postgres").engine_version("16").default_only(true);
    let offered = offered.send().await.unwrap();
    assert_eq!(created.engine_version(), offered.db_engine_versions()[0].engine_version());
    let unknown = instance(&rds, &network).db_instance_identifier("acme-other").engine_version("16.99");
    assert_eq!(unknown.send().await.unwrap_err().message(), Some("Cannot find version 16.99 for postgres"));
    let other = instance(&rds, &network).db_instance_identifier("acme-other").engine_version("17");
    let refused = other.send().await.unwrap_err();
    assert!(refused.message().unwrap().contains("DBParameterGroupFamily postgres17"), "{refused:?}");
}

#[tokio::test]
async fn events_are_told_to_a_topic_that_lets_rds_publish_and_of_what_is_there() {
    let cloud = Cloud::with_polls(2).await;
    let (rds, sns) = (client(&cloud), aws_sdk_sns::Client::new(&cloud.sdk()));
    let network = Network::new(&cloud).await;
    groups(&rds, &network).await;
    let topic = async |name: &str, policy: &str| {
        sns.create_topic().name(name).attributes("Policy", policy).send().await.unwrap().topic_arn.unwrap()
    };
    let open = topic("open", r#"{"Statement":[{"Principal":{"Service":"events.rds.amazonaws.com"}}]}"#).await;
    let shut = topic("shut", r#"{"Statement":[]}"#).await;
    let create = |topic: &str, source: &str, category: &str| {
        let request = rds.create_event_subscription().subscription_name("acme").sns_topic_arn(topic);
        let request = request.source_type("db-parameter-group").source_ids(source).event_categories(category);
        request.enabled(true).tags(tag()).send()
    };
    let refused = async |topic: &str, source: &str, category: &str| {
        create(topic, source, category).await.unwrap_err().code().map(str::to_owned)
    };
    let change = "configuration change";
    let none = open.replace("open", "none");
    assert_eq!(refused(&none, "acme-pg", change).await.as_deref(), Some("SNSTopicArnNotFound"));
    assert_eq!(refused(&shut, "acme-pg", change).await.as_deref(), Some("SNSNoAuthorization"));
    assert_eq!(refused(&open, "none", change).await.as_deref(), Some("SourceNotFound"));
    assert_eq!(refused(&open, "acme-pg", "failover").await.as_deref(), Some("SubscriptionCategoryNotFound"));
    create(&open, "acme-pg", change).await.unwrap();
    assert_eq!(refused(&open, "acme-pg", change).await.as_deref(), Some("SubscriptionAlreadyExist"));

    let describe = async || {
        let answer = rds.describe_event_subscriptions().send().await.unwrap();
        answer.event_subscriptions_list()[0].clone()
    };
    let mut last = describe().await;
    for _ in 0..2 {
        last = describe().await;
    }
    assert_eq!(
        (last.status(), last.enabled(), last.source_ids_list()),
        (Some("active"), Some(true), &["acme-pg".to_owned()][..])
    );
    let tags = rds.list_tags_for_resource().resource_name(last.event_subscription_arn().unwrap()).send().await.unwrap();
    assert_eq!(tags.tag_list(), [tag()]);
    rds.delete_event_subscription().subscription_name("acme").send().await.unwrap();
    let gone = rds.describe_event_subscriptions().subscription_name("acme").send().await.unwrap_err();
    assert_eq!(gone.code(), Some("SubscriptionNotFound"));
}
