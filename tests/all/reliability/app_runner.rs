//! App Runner in the place of ECS: there and back, refused by AWS, failed, taken back.

use rcm::engine::model::FaultKind;
use rcm::engine::plan::Depth;
use rcm::engine::run::{Aftermath, OnFailure, Outcome};
use rcm::{Error, Goal, Report};
use rcm_testkit::calls::{Fault, Rule, Stillborn, TakenBack, Trouble, shared};

use super::canon::{difference, inventory, present, standing};
use super::stage::{Stage, acme, on_app_runner, play, provisioned};
use super::world::{Disk, Order, made, run, scratch, with_settings};

fn without_image() -> String {
    with_settings(&on_app_runner(), "api_image =")
}

fn next_release() -> String {
    on_app_runner().replace(&"0".repeat(64), &"1".repeat(64))
}

fn provision(file: &str) -> Order<'_> {
    Order { file, goal: Goal::provision(), polls: 1 }
}

fn addresses(report: &Report) -> Vec<&str> {
    report.plan.forward.iter().map(|step| step.address.as_str()).collect()
}

/// What is there of these services.
fn of(lines: &[String], services: &[&str]) -> Vec<String> {
    let is_of = |line: &&String| services.iter().any(|service| line.starts_with(service));
    lines.iter().filter(is_of).cloned().collect()
}

#[test]
fn there_is_no_load_balancer_and_no_ecs_and_without_an_image_no_service() {
    let left = play(&Disk::default(), async |stage| {
        let report = stage.provision(&without_image()).await;
        assert!(
            report.notes.iter().any(|note| note.contains("App Runner has no service without one")),
            "{:?}",
            report.notes
        );
        assert!(!report.notes.iter().any(|note| note.contains("load balancer")), "{:?}", report.notes);
        assert_eq!(report.outputs.get("app_runner_service_url"), None);
        assert_eq!(report.outputs.get("alb_dns_name"), None);

        let report = stage.provision(&on_app_runner()).await;
        assert_eq!(addresses(&report), ["compute/app-runner"]);
        let url = report.outputs.get("app_runner_service_url").unwrap().as_str().unwrap();
        assert!(url.ends_with(".us-east-1.awsapprunner.com"), "{url}");

        let before = stage.wire.calls().len();
        let rcm = stage.rcm(&on_app_runner(), Depth::Quick).await;
        assert!(rcm.run(&Goal::provision(), |_| true).await.unwrap().plan.is_empty());
        let calls: Vec<_> = stage.wire.calls().iter().skip(before).map(|call| call.operation.to_string()).collect();
        assert!(calls.len() <= 24, "{} calls: {calls:#?}", calls.len());
    });
    let other = of(&inventory(&left), &["ecs ", "elasticloadbalancing", "application-autoscaling"]);
    assert!(other.is_empty(), "{other:#?}");
}

#[test]
fn the_service_runs_in_the_private_subnets_as_itself_and_reads_its_secrets() {
    play(&provisioned(&on_app_runner()), async |stage| {
        let at = stage.at().await;
        let live = at.aws.apprunner.describe_service().service_arn(at.id("compute/app-runner")).send().await.unwrap();
        let live = live.service.unwrap();
        let image = live.source_configuration.unwrap().image_repository.unwrap();
        assert!(image.image_identifier.contains("@sha256:"));
        let configuration = image.image_configuration.unwrap();
        assert_eq!(configuration.port.as_deref(), Some("8080"));
        let secrets = configuration.runtime_environment_secrets.unwrap();
        assert_eq!(secrets["DATABASE_URL"], at.id("secrets/database-url"));
        assert_eq!(configuration.runtime_environment_variables.unwrap()["BRAND_NAME"], "Acme Healthcare RCM");
        assert_eq!(live.encryption_configuration.unwrap().kms_key, at.id("security/key"));
        let connectors = at.aws.apprunner.list_vpc_connectors().send().await.unwrap();
        let [connector] = connectors.vpc_connectors() else { panic!("{connectors:?}") };
        let private = ["a", "b"].map(|zone| at.id(&format!("network/subnet/private-{zone}")));
        assert_eq!(
            (connector.subnets(), connector.security_groups()),
            (&private[..], &[at.id("security/group/service")][..])
        );
    });
}

#[test]
fn from_ecs_to_app_runner_and_back_nothing_is_left_behind() {
    let there = play(&provisioned(&acme()), async |stage| {
        let report = stage.provision(&on_app_runner()).await;
        // What is kept of ECS are its logs.
        let kept: Vec<_> = report.retained.iter().map(|address| address.as_str()).collect();
        assert_eq!(kept, ["storage/log-group/application", "storage/log-group/container-insights"]);
        assert!(stage.plan(&on_app_runner()).await.is_empty());
    });
    let gone = of(&standing(&there), &["ecs services", "ecs clusters", "elasticloadbalancing", "acm"]);
    assert!(gone.is_empty(), "{gone:#?}");
    let back = play(&there, async |stage| {
        stage.provision(&acme()).await;
        assert!(stage.plan(&acme()).await.is_empty());
    });
    let runner = of(&inventory(&back), &["apprunner"]);
    assert!(runner.is_empty(), "{runner:#?}");
}

#[test]
fn what_app_runner_scales_by_cannot_be_changed_and_is_made_anew_before_the_old_goes() {
    play(&provisioned(&on_app_runner()), async |stage| {
        let file = with_settings(&on_app_runner(), "ecs_max_count = 25");
        let report = stage.provision(&file).await;
        assert_eq!(addresses(&report), ["compute/app-runner", "compute/auto-scaling"]);
        let left = stage.aws().await.apprunner.list_auto_scaling_configurations().send().await.unwrap();
        assert_eq!(left.auto_scaling_configuration_summary_list().len(), 1, "{left:?}");
        assert!(stage.plan(&file).await.is_empty());
    });
}

/// The ways in which AWS may say that an account is too late; which of them it is, is not documented.
#[test]
fn an_account_that_is_new_to_app_runner_is_refused_and_nothing_is_left() {
    let refusals = [
        ("AccessDeniedException", "AWS App Runner is no longer open to new customers."),
        ("OptInRequired", "You are not subscribed to this service."),
        ("SubscriptionRequiredException", "The AWS Access Key Id needs a subscription for the service"),
        ("InvalidRequestException", "AWS App Runner is no longer open to new customers."),
    ];
    for (code, message) in refusals {
        let (dir, file) = (scratch(), on_app_runner());
        let ran = run(dir.path(), &provision(&file), |wire, settings| {
            settings.on_failure = Some(OnFailure::Rollback);
            wire.trouble(Rule::new(Fault::refuse_saying(400, code, message)).service("apprunner").mutating(true));
        });
        let Outcome::Failed { failures, aftermath } = ran.result.unwrap().outcome else { panic!("{code}") };
        assert!(matches!(aftermath, Aftermath::RolledBack), "{aftermath:?}");
        for (address, fault) in &failures {
            assert_eq!((&*fault.service, fault.kind), ("apprunner", FaultKind::Denied), "{address}: {fault}");
        }
        let left = standing(&Disk::read(dir.path()));
        assert!(left.is_empty(), "{left:#?}");
    }
}

fn fated(disk: &Disk, file: &str, fate: impl Trouble + 'static) -> (Result<Report, Error>, Disk) {
    let dir = scratch();
    disk.write(dir.path());
    let ran = run(dir.path(), &provision(file), |wire, settings| {
        settings.on_failure = Some(OnFailure::Keep);
        wire.trouble(fate);
    });
    (ran.result, Disk::read(dir.path()))
}

fn said(result: Result<Report, Error>) -> String {
    match result.unwrap().outcome {
        Outcome::Failed { failures, .. } => {
            failures.iter().map(|(address, fault)| format!("{address}: {fault}\n")).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_service_that_never_came_up_is_deleted_and_made_again_by_the_next_run() {
    let (file, fate) = (on_app_runner(), shared(Stillborn::app_runner()));
    let (first, disk) = fated(&Disk::default(), &file, fate.clone());
    let said = said(first);
    assert!(said.contains("compute/app-runner") && said.contains("CREATE_FAILED"), "{said}");
    let (second, disk) = fated(&disk, &file, fate);
    assert!(matches!(second.unwrap().outcome, Outcome::Done));
    let difference = difference(&present(&inventory(&made(&file))), &present(&inventory(&disk)));
    assert!(difference.is_empty(), "{difference}");
}

#[test]
fn an_update_that_app_runner_takes_back_has_failed_and_is_sent_again() {
    let fate = shared(TakenBack::of(1));
    let (first, disk) = fated(&made(&on_app_runner()), &next_release(), fate.clone());
    let said = said(first);
    assert!(said.contains("App Runner has taken the change back: ROLLBACK_SUCCEEDED"), "{said}");
    let (second, disk) = fated(&disk, &next_release(), fate);
    assert!(matches!(second.unwrap().outcome, Outcome::Done));
    play(&disk, async |stage: &Stage| assert!(stage.plan(&next_release()).await.is_empty()));
}
