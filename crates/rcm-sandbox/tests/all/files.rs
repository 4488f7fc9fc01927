//! What the sandbox keeps in files: everything, and the same whoever writes it.

use std::collections::BTreeMap;
use std::path::Path;

use aws_sdk_applicationautoscaling::types::{ScalableDimension, ServiceNamespace};

use crate::network::Network;
use crate::support::{Cloud, code, key_for_logs};
use crate::{application_autoscaling, ec2, ecs, load_balancing, rds};

/// Something in every service, some of it on its way.
async fn fill(cloud: &Cloud) {
    let (sdk, network, key) = (cloud.sdk(), Network::new(cloud).await, key_for_logs(cloud).await);
    ec2::Nat::new(&aws_sdk_ec2::Client::new(&sdk)).await;

    let kms = aws_sdk_kms::Client::new(&sdk);
    kms.create_alias().alias_name("alias/acme").target_key_id(&key).send().await.unwrap();
    kms.enable_key_rotation().key_id(&key).send().await.unwrap();
    kms.schedule_key_deletion().key_id(key_for_logs(cloud).await).send().await.unwrap();
    let logs = aws_sdk_cloudwatchlogs::Client::new(&sdk);
    logs.create_log_group().log_group_name("/acme").kms_key_id(&key).tags("rcm:partner", "acme").send().await.unwrap();

    let s3 = aws_sdk_s3::Client::new(&sdk);
    s3.create_bucket().bucket("acme-logs").send().await.unwrap();
    s3.put_object().bucket("acme-logs").key("a/b").body(b"hello".to_vec().into()).send().await.unwrap();
    s3.create_multipart_upload().bucket("acme-logs").key("c").send().await.unwrap();
    let secrets = aws_sdk_secretsmanager::Client::new(&sdk);
    for name in ["acme/db", "acme/jwt"] {
        secrets.create_secret().name(name).secret_string("fake").send().await.unwrap();
    }
    secrets.delete_secret().secret_id("acme/jwt").recovery_window_in_days(7).send().await.unwrap();
    let ecr = aws_sdk_ecr::Client::new(&sdk);
    ecr.create_repository().repository_name("acme").send().await.unwrap();
    ecr.put_image().repository_name("acme").image_manifest("{}").image_tag("v1").send().await.unwrap();

    let elb = load_balancing::client(cloud);
    load_balancing::certificate(cloud, "rcm.acme.com").await;
    load_balancing::certificate(cloud, "rcm.acme.invalid").await;
    let group = load_balancing::target_group(&elb, &network).await;
    load_balancing::send_to(&elb, &network, &group).await;
    let databases = aws_sdk_rds::Client::new(&sdk);
    rds::groups(&databases, &network).await;
    rds::instance(&databases, &network).send().await.unwrap();

    let containers = ecs::with_cluster(cloud).await;
    ecs::register(&containers).await;
    ecs::create(&containers, 2).send().await.unwrap();
    application_autoscaling::ecs_service(cloud).await;
    let scaling = aws_sdk_applicationautoscaling::Client::new(&sdk);
    application_autoscaling::register(&scaling, 1, 4).await.unwrap();
    application_autoscaling::put_policy(&scaling, 70.5).await;
    let role = "arn:aws:iam::444455556666:role/rcm";
    aws_sdk_sts::Client::new(&sdk).assume_role().role_arn(role).role_session_name("acme").send().await.unwrap();
}

/// Has every service refuse a change, after which it saves all that it has.
async fn change_nothing(cloud: &Cloud) {
    let sdk = cloud.sdk();
    let unknown = "arn:aws:acm:us-east-1:123456789012:certificate/0";
    let acm = aws_sdk_acm::Client::new(&sdk).delete_certificate().certificate_arn(unknown).send().await;
    let scaling = aws_sdk_applicationautoscaling::Client::new(&sdk)
        .deregister_scalable_target()
        .service_namespace(ServiceNamespace::Ecs)
        .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
        .resource_id("service/nothing/nothing")
        .send()
        .await;
    let ec2 = aws_sdk_ec2::Client::new(&sdk).delete_vpc().vpc_id("vpc-0").send().await;
    let ecr = aws_sdk_ecr::Client::new(&sdk).delete_repository().repository_name("nothing").send().await;
    let ecs = aws_sdk_ecs::Client::new(&sdk).delete_cluster().cluster("nothing").send().await;
    let elb = load_balancing::client(cloud).delete_listener().listener_arn("nothing").send().await;
    let iam = aws_sdk_iam::Client::new(&sdk).delete_role().role_name("nothing").send().await;
    let kms = aws_sdk_kms::Client::new(&sdk).enable_key().key_id("nothing").send().await;
    let logs = aws_sdk_cloudwatchlogs::Client::new(&sdk).delete_log_group().log_group_name("nothing").send().await;
    let rds = aws_sdk_rds::Client::new(&sdk).reboot_db_instance().db_instance_identifier("nothing").send().await;
    let s3 = aws_sdk_s3::Client::new(&sdk).delete_bucket().bucket("nothing").send().await;
    let secrets = aws_sdk_secretsmanager::Client::new(&sdk).restore_secret().secret_id("nothing").send().await;
    let sts = aws_sdk_sts::Client::new(&sdk).assume_role().role_arn("nothing-that-is-an-arn").role_session_name("acme");
    let refusals = [
        (code(acm), "ResourceNotFoundException"),
        (code(scaling), "ObjectNotFoundException"),
        (code(ec2), "InvalidVpcID.NotFound"),
        (code(ecr), "RepositoryNotFoundException"),
        (code(ecs), "ClusterNotFoundException"),
        (code(elb), "ListenerNotFound"),
        (code(iam), "NoSuchEntity"),
        (code(kms), "NotFoundException"),
        (code(logs), "ResourceNotFoundException"),
        (code(rds), "DBInstanceNotFound"),
        (code(s3), "NoSuchBucket"),
        (code(secrets), "ResourceNotFoundException"),
        (code(sts.send().await), "ValidationError"),
    ];
    for (refused, expected) in refusals {
        assert_eq!(refused, expected);
    }
}

/// The files of all services, by name.
fn files(dir: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let services =
        entries.filter(|path| path.extension().is_some_and(|it| it == "json") && !path.ends_with("sandbox.json"));
    services
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(path).unwrap()))
        .collect()
}

#[tokio::test]
async fn what_is_loaded_is_saved_byte_for_byte_in_every_service() {
    let cloud = Cloud::with_polls(2).await;
    fill(&cloud).await;
    let under_way = files(cloud.dir());

    let cloud = cloud.reopen().await;
    let arrived = files(cloud.dir());
    let names: Vec<&str> = arrived.keys().map(|name| name.trim_end_matches(".json")).collect();
    assert_eq!(
        names,
        [
            "acm",
            "application-autoscaling",
            "ec2",
            "ecr",
            "ecs",
            "elasticloadbalancing",
            "iam",
            "kms",
            "logs",
            "rds",
            "s3",
            "secretsmanager",
            "sts",
        ]
    );
    let changed: Vec<&String> = arrived.keys().filter(|name| arrived[*name] != under_way[*name]).collect();
    let on_their_way = ["acm.json", "ec2.json", "ecs.json", "elasticloadbalancing.json", "rds.json"];
    assert_eq!(changed, on_their_way, "only what was on its way has arrived");

    let cloud = cloud.reopen().await;
    assert_eq!(files(cloud.dir()), arrived, "it arrives once");
    for name in arrived.keys() {
        std::fs::remove_file(cloud.dir().join(name)).unwrap();
    }
    change_nothing(&cloud).await;
    assert_eq!(files(cloud.dir()), arrived);
}
