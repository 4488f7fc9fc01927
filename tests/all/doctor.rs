//! `rcm doctor`: each family of checks sees what is broken in the cloud, says by what, and what mends it.

use aws_sdk_ec2::types::{Filter, RuleAction};
use aws_sdk_ecr::types::ImageIdentifier;
use rcm::aws::{Aws, Connect};
use rcm::resolver::Resolver;
use rcm::{Check, Cloud, Environment, Error, Goal, PartnerConfig, Settings, Verdict};
use rcm_sandbox::Sandbox;
use rcm_testkit::calls::{Call, Fault, Rule, Trouble, Wire};
use serde_json::json;

use crate::bench::{ACME, Bench, at_any_risk, behind_its_back, lines};
use crate::dns::World;
use crate::registry::Sample;

const REPOSITORY: &str = "acme-rcm-prod-api";
const CLUSTER: &str = "acme-rcm-prod-cluster";
const PUT_BACK: Option<&str> = Some("rcm provision --refresh full");

/// Acme in a sandbox of this process, with an image that runs.
struct Place {
    dir: tempfile::TempDir,
    wire: Wire,
    aws: Aws,
    file: String,
    digest: String,
}

impl Place {
    async fn new() -> Self {
        Self::of(ACME).await
    }

    async fn of(file: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::open(&dir.path().join("cloud"), "123456789012", "us-east-1").await.unwrap();
        let in_process = Some(sandbox.http_client());
        let aws = Aws::connect(&Connect { region: "us-east-1".into(), in_process, ..Connect::default() }).await;
        let wire = Wire::new(sandbox.http_client());
        // Of what AWS gives at first, the service would not get as many tasks as it may have.
        let more = aws.quotas.request_service_quota_increase().service_code("fargate").quota_code("L-3032A538");
        more.desired_value(100.0).send().await.unwrap();
        let mut place = Self { wire, dir, aws, file: file.to_owned(), digest: String::new() };
        place.provision().await;
        let manifest = json!({"schemaVersion": 2, "layers": []}).to_string();
        let put = place.aws.ecr.put_image().repository_name(REPOSITORY).image_manifest(manifest).image_tag("1");
        let put = put.image_manifest_media_type("application/vnd.oci.image.manifest.v1+json").send().await.unwrap();
        place.digest = put.image.unwrap().image_id.unwrap().image_digest.unwrap();
        let registry = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
        place.file = format!("{file}\napi_image = \"{registry}/{REPOSITORY}@{}\"\n", place.digest);
        place.provision().await;
        place
    }

    async fn provision(&self) {
        self.open().await.run(&at_any_risk(&Goal::provision()), |_| true).await.unwrap();
    }

    async fn open(&self) -> Environment {
        let config = PartnerConfig::parse("acme.toml", &self.file, None).unwrap();
        let settings = Settings {
            cloud: Cloud::InProcess(self.wire.http_client()),
            ..Settings::new(self.dir.path().join("state"))
        };
        Environment::open(config, settings).await.unwrap()
    }

    /// What the doctor finds, who changes nothing, and tells no secret.
    async fn doctor(&self) -> Vec<Check> {
        self.doctor_asking(None).await
    }

    async fn doctor_asking(&self, resolver: Option<&Resolver>) -> Vec<Check> {
        let rcm = self.open().await;
        let before = self.wire.calls().len();
        let found = rcm.doctor(resolver).await.unwrap();
        let calls = self.wire.calls();
        let changes: Vec<&Call> = calls.iter().skip(before).filter(|call| call.operation.mutating).collect();
        assert!(changes.is_empty(), "{changes:?}");
        let told = format!("{found:?}");
        for secret in self.secrets().await {
            assert!(!told.contains(&secret), "a secret is told");
        }
        found
    }

    /// What nobody is to see: whole values, and the password in URLs.
    async fn secrets(&self) -> Vec<String> {
        let list = self.aws.secrets.list_secrets().send().await.unwrap();
        let mut values = Vec::new();
        for secret in list.secret_list() {
            let value = self.aws.secrets.get_secret_value().secret_id(secret.arn().unwrap()).send().await.unwrap();
            let value = value.secret_string().unwrap().to_owned();
            let password = value.split_once("://rcm:").and_then(|(_, rest)| rest.split('@').next());
            values.extend(password.map(str::to_owned));
            values.push(value);
        }
        values
    }

    async fn arn(&self, secret: &str) -> String {
        let list = self.aws.secrets.list_secrets().send().await.unwrap();
        list.secret_list().iter().filter_map(|it| it.arn()).find(|arn| arn.contains(secret)).unwrap().to_owned()
    }

    async fn value(&self, secret: &str) -> String {
        let value = self.aws.secrets.get_secret_value().secret_id(self.arn(secret).await).send().await.unwrap();
        value.secret_string().unwrap().to_owned()
    }

    async fn set(&self, secret: &str, value: &str) {
        let put = self.aws.secrets.put_secret_value().secret_id(self.arn(secret).await).secret_string(value);
        put.send().await.unwrap();
    }

    /// What AWS calls a node.
    async fn id(&self, address: &str) -> String {
        let state = self.open().await.state().unwrap();
        state.resources[&address.parse().unwrap()].id.as_ref().unwrap().to_string()
    }
}

#[track_caller]
fn of<'c>(found: &'c [Check], name: &str) -> &'c Check {
    found.iter().find(|check| check.check == name).unwrap_or_else(|| panic!("no {name}: {found:#?}"))
}

/// The check is of that verdict, has these words for its evidence, and this to mend it.
#[track_caller]
fn is(found: &[Check], name: &str, verdict: Verdict, words: &[&str], mend: Option<&str>) {
    let check = of(found, name);
    assert_eq!((check.verdict, check.mend.as_deref()), (verdict, mend), "{check:#?}");
    for word in words {
        assert!(check.evidence.contains(word), "{word}: {check:#?}");
    }
}

/// Nothing else is found to be wrong than these.
#[track_caller]
fn nothing_but(found: &[Check], names: &[&str]) {
    let wrong: Vec<_> = found.iter().filter(|check| check.verdict != Verdict::Ok).collect();
    let others: Vec<_> = wrong.iter().filter(|check| !names.contains(&check.check.as_str())).collect();
    assert!(others.is_empty(), "{others:#?}");
}

#[tokio::test(start_paused = true)]
async fn of_a_healthy_environment_nothing_is_bad_and_everything_is_looked_at() {
    let place = Place::of(&ACME.replace("network_acls = false", "network_acls = true")).await;
    let found = place.doctor().await;
    nothing_but(&found, &[]);
    let names: Vec<&str> = found.iter().map(|check| check.check.as_str()).collect();
    assert_eq!(
        names,
        [
            "here/clock",
            "here/credentials",
            "service",
            "service/stopped-tasks",
            "service/events",
            "targets",
            "image",
            "secrets/readable",
            "key/usable",
            "key",
            "database",
            "secrets/database-url",
            "network/internet-to-load-balancer",
            "network/load-balancer-to-service",
            "network/service-to-database",
            "network/service-to-aws",
            "network/acls",
            "network/way-out",
            "certificate",
            "quota/vpcs",
            "quota/internet-gateways",
            "quota/elastic-ips",
            "quota/security-groups",
            "quota/databases",
            "quota/database-storage",
            "quota/load-balancers",
            "quota/target-groups",
            "quota/fargate-vcpus",
            "service-linked-roles",
        ]
    );
    assert!(of(&found, "image").evidence.contains(&place.digest), "{found:#?}");
    assert!(found.iter().all(|check| check.mend.is_none() && !check.evidence.is_empty()), "{found:#?}");
}

#[tokio::test(start_paused = true)]
async fn tasks_that_stopped_say_why_and_what_it_means() {
    let place = Place::new().await;
    let tasks = place.aws.ecs.list_tasks().cluster(CLUSTER).send().await.unwrap().task_arns.unwrap();
    assert_eq!(tasks.len(), 2);
    let reason = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: \
                  unable to retrieve secret from asm: AccessDeniedException";
    for task in tasks {
        place.aws.ecs.stop_task().cluster(CLUSTER).task(task).reason(reason).send().await.unwrap();
    }
    let found = place.doctor().await;
    let words =
        ["unable to retrieve secret from asm", "the execution role cannot read a secret", "acme-rcm-prod-api:2"];
    is(&found, "service/stopped-tasks", Verdict::Bad, &words, PUT_BACK);
    is(&found, "service", Verdict::Bad, &["0 of 2 tasks run"], Some("rcm logs --since 1h"));

    // Once others run in their place it is something to know of, and no more.
    let found = place.doctor().await;
    is(&found, "service/stopped-tasks", Verdict::Warn, &words, PUT_BACK);
    assert_eq!(of(&found, "service").verdict, Verdict::Ok);
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_is_gone_is_the_step_that_is_shut() {
    let place = Place::new().await;
    let (service, database) = (place.id("security/group/service").await, place.id("security/group/database").await);
    let rule = place.id("security/rule/database-from-service").await;
    let revoke = place.aws.ec2.revoke_security_group_ingress().group_id(&database);
    revoke.security_group_rule_ids(rule).send().await.unwrap();
    let found = place.doctor().await;
    let words = ["port 5432: no rule lets it into", database.as_str(), service.as_str()];
    is(&found, "network/service-to-database", Verdict::Bad, &words, PUT_BACK);
    nothing_but(&found, &["network/service-to-database"]);

    let (balancer, rule) =
        (place.id("security/group/load-balancer").await, place.id("security/rule/load-balancer-https").await);
    let revoke = place.aws.ec2.revoke_security_group_ingress().group_id(&balancer);
    revoke.security_group_rule_ids(rule).send().await.unwrap();
    let rule = place.id("security/rule/load-balancer-to-service").await;
    let revoke = place.aws.ec2.revoke_security_group_egress().group_id(&balancer);
    revoke.security_group_rule_ids(rule).send().await.unwrap();
    let found = place.doctor().await;
    is(&found, "network/internet-to-load-balancer", Verdict::Bad, &["at port 443", &balancer], PUT_BACK);
    is(
        &found,
        "network/load-balancer-to-service",
        Verdict::Bad,
        &["8080: no rule lets it out of", &balancer],
        PUT_BACK,
    );

    place.provision().await;
    nothing_but(&place.doctor().await, &[]);
}

#[tokio::test(start_paused = true)]
async fn a_network_acl_or_a_route_in_the_way_is_named() {
    let place = Place::new().await;
    let subnet = place.id("network/subnet/database-a").await;
    let filter = Filter::builder().name("association.subnet-id").values(&subnet).build();
    let acls = place.aws.ec2.describe_network_acls().filters(filter).send().await.unwrap();
    let acl = acls.network_acls()[0].network_acl_id().unwrap();
    let deny = place.aws.ec2.create_network_acl_entry().network_acl_id(acl).rule_number(50).egress(false);
    let deny = deny.protocol("6").rule_action(RuleAction::Deny).cidr_block("10.0.64.0/18");
    let ports = aws_sdk_ec2::types::PortRange::builder().from(5432).to(5432).build();
    deny.port_range(ports).send().await.unwrap();
    let found = place.doctor().await;
    let mend = Some(
        "allow it in the VPC's own network ACL, which rcm does not make; or set network_acls = true and provision",
    );
    is(&found, "network/acls", Verdict::Bad, &[&format!("{acl} lets port 5432"), "not in from 10.0.64.10"], mend);
    nothing_but(&found, &["network/acls"]);

    let gateway = place.id("network/nat/a").await;
    place.aws.ec2.delete_nat_gateway().nat_gateway_id(&gateway).send().await.unwrap();
    let found = place.doctor().await;
    is(&found, "network/way-out", Verdict::Bad, &[&gateway], PUT_BACK);
}

#[tokio::test(start_paused = true)]
async fn a_url_that_does_not_fit_is_wrong_and_nothing_of_it_is_told() {
    let place = Place::new().await;
    let (name, right) = ("secrets/database-url", place.value("database-url").await);
    assert_eq!(of(&place.doctor().await, name).verdict, Verdict::Ok);
    let rotate = Some("rcm secrets rotate database-password");
    let other = place.value("jwt-secret").await;
    let host = right.split('@').nth(1).unwrap().split(':').next().unwrap();
    let password = place.value("database-password").await;
    for (wrong, words) in [
        (right.replace("?sslmode=require", ""), "it has no sslmode=require"),
        (right.replace("require", "disable"), "it has no sslmode=require"),
        (right.replace(host, "db.example.com"), "its host is not the database's"),
        (right.replace(":5432/", ":5433/"), "its port is not the database's"),
        (right.replace(&password, "hunter2-hunter2"), "its password is not that of database-password"),
        (other, "it is not a URL of PostgreSQL"),
    ] {
        place.set("database-url", &wrong).await;
        let found = place.doctor().await;
        is(&found, name, Verdict::Bad, &[words], rotate);
        assert!(!format!("{found:?}").contains("hunter2") && !format!("{found:?}").contains("db.example.com"));
    }
    let renewed = place.open().await.rotate_secret("database-password").await.unwrap();
    assert_eq!(renewed.name, "database-password");
    assert_eq!(of(&place.doctor().await, name).verdict, Verdict::Ok, "what it says mends it does");

    // Whoever may not read it learns that, and everything else all the same.
    place.wire.trouble(Rule::new(Fault::refuse(400, "AccessDeniedException")).operation("GetSecretValue"));
    let found = place.doctor().await;
    is(&found, name, Verdict::Unknown, &["could not be read", "GetSecretValue: AccessDeniedException"], None);
    nothing_but(&found, &[name]);
}

#[tokio::test(start_paused = true)]
async fn an_image_that_is_gone_and_a_role_that_may_not_read_are_found() {
    let place = Place::new().await;
    let gone = ImageIdentifier::builder().image_digest(&place.digest).build();
    place.aws.ecr.batch_delete_image().repository_name(REPOSITORY).image_ids(gone).send().await.unwrap();
    let role = "acme-rcm-prod-ecs-execution";
    let policies = place.aws.iam.list_role_policies().role_name(role).send().await.unwrap().policy_names;
    place.aws.iam.delete_role_policy().role_name(role).policy_name(&policies[0]).send().await.unwrap();
    let found = place.doctor().await;
    let words = [place.digest.as_str(), "is not in acme-rcm-prod-api any more"];
    is(&found, "image", Verdict::Bad, &words, Some("rcm deploy --image FILE|REF"));
    let words = [role, "GetSecretValue of acme-rcm/database-url is allowed by no policy", "acme-rcm/jwt-secret"];
    is(&found, "secrets/readable", Verdict::Bad, &words, PUT_BACK);
    is(&found, "key/usable", Verdict::Bad, &["kms:Decrypt"], PUT_BACK);
    nothing_but(&found, &["image", "secrets/readable", "key/usable"]);
}

#[tokio::test(start_paused = true)]
async fn quotas_that_are_nearly_used_up_and_roles_of_services_that_are_gone_are_told() {
    let place = Place::new().await;
    for number in 1..=3 {
        place.aws.ec2.create_vpc().cidr_block(format!("10.{number}.0.0/16")).send().await.unwrap();
    }
    let role = "AWSServiceRoleForECS";
    place.aws.iam.delete_service_linked_role().role_name(role).send().await.unwrap();
    let found = place.doctor().await;
    let used = place.aws.ec2.describe_vpcs().send().await.unwrap().vpcs().len();
    let mend = format!(
        "aws service-quotas request-service-quota-increase --service-code vpc --quota-code L-F678F1CE --desired-value {} \
         --region us-east-1",
        used * 2
    );
    is(&found, "quota/vpcs", Verdict::Warn, &[&format!("{used} of 5 VPCs are in use")], Some(&mend));
    let mend = "aws iam create-service-linked-role --aws-service-name ecs.amazonaws.com";
    is(&found, "service-linked-roles", Verdict::Bad, &["none of ecs.amazonaws.com any more"], Some(mend));
    nothing_but(&found, &["quota/vpcs", "service-linked-roles"]);
}

/// Says of every target that it is not healthy.
struct Sick;

impl Trouble for Sick {
    fn meet(&mut self, _: &Call) -> Option<Fault> {
        None
    }

    fn retell(&mut self, call: &Call, answer: &str) -> Option<String> {
        let sick = "<State>unhealthy</State><Reason>Target.ResponseCodeMismatch</Reason>\
                    <Description>Health checks failed with these codes: [503]</Description>";
        let healthy = "<State>healthy</State>";
        (call.operation.name == "DescribeTargetHealth").then(|| answer.replace(healthy, sick))
    }
}

#[tokio::test(start_paused = true)]
async fn each_target_that_is_not_healthy_has_its_reason() {
    let place = Place::new().await;
    place.wire.trouble(Sick);
    let found = place.doctor().await;
    let words = [
        "2 unhealthy",
        "10.0.0.10:8080 unhealthy: Target.ResponseCodeMismatch (Health checks failed with these codes: [503])",
        "GET /health was answered with another code than 200",
    ];
    is(&found, "targets", Verdict::Bad, &words, Some("rcm logs --since 1h"));
    nothing_but(&found, &["targets"]);
}

#[tokio::test(start_paused = true)]
async fn what_the_world_sees_of_the_domain_is_compared_with_what_it_should() {
    let place = Place::new().await;
    let wanted = place.open().await.dns(None).await.unwrap().records;
    // The world answers in its own time: on a paused clock nobody would wait for it.
    tokio::time::resume();
    let world = World::default();
    let resolver = Resolver::new([world.start()]);
    let found = place.doctor_asking(Some(&resolver)).await;
    is(&found, "dns/validation", Verdict::Bad, &[&wanted[0].name, "says nothing"], Some("rcm dns"));
    world.say(&wanted[0].name, &wanted[0].value);
    world.say(&wanted[1].name, "old.example");
    let found = place.doctor_asking(Some(&resolver)).await;
    assert_eq!(of(&found, "dns/validation").verdict, Verdict::Ok);
    is(&found, "dns/address", Verdict::Bad, &["says old.example", &wanted[1].value], Some("rcm dns"));
    is(&found, "certificate", Verdict::Ok, &["ISSUED"], None);
    nothing_but(&found, &["dns/address"]);
}

#[tokio::test(start_paused = true)]
async fn credentials_that_aws_does_not_take_are_all_there_is_to_say() {
    let place = Place::new().await;
    place.wire.trouble(Rule::new(Fault::refuse(403, "ExpiredToken")).operation("GetCallerIdentity"));
    let found = place.doctor().await;
    let words = ["nothing else was asked", "sts:GetCallerIdentity: ExpiredToken"];
    is(
        &found,
        "here/credentials",
        Verdict::Bad,
        &words,
        Some("get new credentials the way these came, as in: aws sso login"),
    );
    assert_eq!(found.len(), 2, "{found:#?}");

    let nowhere = tempfile::tempdir().unwrap();
    let config = PartnerConfig::parse("acme.toml", ACME, None).unwrap();
    let rcm = Environment::open(config, Settings::new(nowhere.path())).await.unwrap();
    assert!(matches!(rcm.doctor(None).await, Err(Error::NoState { .. })));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_asked_is_unknown_and_no_error() {
    let place = Place::new().await;
    place.wire.trouble(Rule::new(Fault::refuse(403, "AccessDenied")).mutating(false).service("iam"));
    for service in ["ec2", "ecs", "elasticloadbalancing", "rds", "acm", "kms", "ecr", "secretsmanager", "servicequotas"]
    {
        place.wire.trouble(Rule::new(Fault::refuse(403, "AccessDenied")).mutating(false).service(service));
    }
    let found = place.doctor().await;
    let seen: Vec<_> = found.iter().filter(|check| !check.check.starts_with("here/")).collect();
    assert!(seen.len() > 8, "{seen:#?}");
    for check in seen {
        assert_eq!(check.verdict, Verdict::Unknown, "{check:#?}");
        assert!(check.evidence.contains("AccessDenied"), "{check:#?}");
    }
}

#[tokio::test]
async fn the_command_says_what_mends_it_and_its_exit_code_whether_anything_is_bad() {
    let bench = Bench::new();
    let none = bench.run("doctor --sandbox").expect_code(1);
    assert!(none.stderr.contains("rcm provision --partner acme"), "{}", none.transcript());
    let _ = bench.run("provision --sandbox --yes").expect_code(0);
    let sample = Sample::new(1, &[500]);
    let _ = bench.run(&format!("deploy --image {} --yes --sandbox", sample.path().display())).expect_code(0);
    let well = bench.run("doctor --sandbox").expect_code(0);
    assert!(well.stdout.starts_with("acme/prod\n") && !well.stdout.contains("  bad "), "{}", well.transcript());
    assert!(well.stdout.contains("  ok       image "), "{}", well.transcript());

    behind_its_back(&bench, async |aws| {
        let tasks = aws.ecs.list_tasks().cluster(CLUSTER).send().await.unwrap().task_arns.unwrap();
        for task in tasks {
            let stop = aws.ecs.stop_task().cluster(CLUSTER).task(task);
            stop.reason("Essential container in task exited").send().await.unwrap();
        }
        let groups = aws.ec2.describe_security_groups().send().await.unwrap().security_groups.unwrap();
        let database = groups.iter().find(|group| group.group_name() == Some("acme-rcm-prod-database")).unwrap();
        let revoke = aws.ec2.revoke_security_group_ingress().group_id(database.group_id().unwrap());
        revoke.set_ip_permissions(database.ip_permissions.clone()).send().await.unwrap();
        // Saved as it is: what another process opens goes on from there.
    })
    .await;
    let shown = bench.run("doctor --sandbox").expect_code(2);
    assert!(shown.stdout.contains("  bad      network/service-to-database "), "{}", shown.transcript());
    assert!(shown.stdout.contains("= next: rcm provision --refresh full --partner acme"), "{}", shown.transcript());
    assert!(shown.stdout.contains("the program has ended by itself"), "{}", shown.transcript());
    let json = &lines(&bench.run("doctor --sandbox --output json").expect_code(2).stdout)[0];
    assert_eq!(json["verdict"], json!("bad"));
    let checks = json["checks"].as_array().unwrap();
    let step = checks.iter().find(|check| check["check"] == "network/service-to-database").unwrap();
    assert_eq!((&step["verdict"], &step["mend"]), (&json!("bad"), &json!("rcm provision --refresh full")));
    let _ = bench.run("provision --refresh full --yes --sandbox").expect_code(0);
    let _ = bench.run("doctor --sandbox").expect_code(0);
}

#[tokio::test]
async fn a_status_that_is_bad_names_the_doctor() {
    let bench = Bench::new();
    let _ = bench.run("provision --sandbox --yes").expect_code(0);
    let fine = bench.run("status --sandbox").expect_code(2);
    assert!(!fine.stdout.contains("rcm doctor"), "{}", fine.transcript());
    behind_its_back(&bench, async |aws| {
        let gateways = aws.ec2.describe_nat_gateways().send().await.unwrap().nat_gateways.unwrap();
        let gateway = gateways[0].nat_gateway_id().unwrap();
        aws.ec2.delete_nat_gateway().nat_gateway_id(gateway).send().await.unwrap();
    })
    .await;
    let bad = bench.run("status --sandbox").expect_code(2);
    assert!(bad.stdout.contains("\nWhy: rcm doctor --partner acme "), "{}", bad.transcript());
}
