//! Deploys: what they change, killed and failed anywhere, taken back by ECS, gone back from, and what is there afterwards.

use std::sync::LazyLock;

use rcm::config::ImageRef;
use rcm::engine::model::{Event, EventKind, Events};
use rcm::engine::run::{Aftermath, OnFailure, Outcome};
use rcm::{Deployed, Error, Goal};
use rcm_testkit::calls::{Breaker, TakenBack, shared};
use serde_json::{Value, json};

use super::canon::{difference, present, standing};
use super::crash::{everywhere, finished_by};
use super::fail::{Scene, rolls_back, shrugs_off};
use super::stage::play;
use super::world::{Disk, Order, made, run, scratch, with, with_settings, zoned};
use crate::bench::at_any_risk;

/// A partner file without an image.
fn file() -> &'static str {
    zoned().1
}

fn image(number: u8) -> ImageRef {
    let digest = number.to_string().repeat(64);
    format!("123456789012.dkr.ecr.us-east-1.amazonaws.com/acme-rcm-prod-api@sha256:{digest}").parse().unwrap()
}

fn deploy(file: &str, number: u8) -> Order<'_> {
    Order { file, goal: Goal::deploy(image(number)), polls: 1 }
}

fn provision(file: &str) -> Order<'_> {
    Order { file, goal: Goal::provision(), polls: 1 }
}

/// The stack with the first image deployed.
fn first() -> Disk {
    static FIRST: LazyLock<Disk> = LazyLock::new(|| after(&made(file()), &[1]));
    FIRST.clone()
}

/// `start` after deploys of these images, one after the other.
fn after(start: &Disk, images: &[u8]) -> Disk {
    let dir = scratch();
    start.write(dir.path());
    for number in images {
        done(run(dir.path(), &deploy(file(), *number), |_, _| {}).result.unwrap().outcome);
    }
    Disk::read(dir.path())
}

#[track_caller]
fn done(outcome: Outcome) {
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
}

/// What the service in the cloud runs.
fn runs(disk: &Disk) -> Value {
    let ecs = &disk.cloud()["ecs"];
    let service = &ecs["services"]["acme-rcm-prod-cluster/acme-rcm-prod-api"];
    let arn = service["task_definition"].as_str().unwrap();
    let revision: usize = arn.rsplit(':').next().unwrap().parse().unwrap();
    let definition = &ecs["families"]["acme-rcm-prod-api"][revision - 1];
    json!([definition["given"]["containerDefinitions"][0]["image"], service["desired"]])
}

#[test]
fn a_deploy_changes_what_the_image_changes_and_a_provision_afterwards_nothing() {
    let dir = scratch();
    made(file()).write(dir.path());
    // What the partner file has got since then is none of a deploy's business.
    let newer = with_settings(file(), "flow_logs = true");
    let report = run(dir.path(), &deploy(&newer, 1), |_, _| {}).result.unwrap();
    let changed: Vec<&str> = report.plan.forward.iter().map(|step| step.address.as_str()).collect();
    assert_eq!(changed, ["compute/scalable-target", "compute/service", "compute/task-definition"]);
    done(report.outcome);
    assert_eq!(runs(&Disk::read(dir.path())), json!([image(1).as_str(), 2]));

    let report = run(dir.path(), &deploy(file(), 2), |_, _| {}).result.unwrap();
    let changed: Vec<&str> = report.plan.forward.iter().map(|step| step.address.as_str()).collect();
    assert_eq!(changed, ["compute/service", "compute/task-definition"]);
    let again = run(dir.path(), &provision(file()), |_, _| {}).result.unwrap();
    assert!(again.plan.is_empty(), "{:#?}", again.plan);
    assert!(!again.notes.iter().any(|note| note.contains("no image")), "{:?}", again.notes);
    let again = run(dir.path(), &deploy(file(), 2), |_, _| {}).result.unwrap();
    assert!(again.plan.is_empty(), "{:#?}", again.plan);
    assert_eq!(runs(&Disk::read(dir.path())), json!([image(2).as_str(), 2]));
}

#[test]
fn what_the_partner_file_says_decides() {
    let dir = scratch();
    first().write(dir.path());
    let pinned = format!("{}\napi_image = \"{}\"\n", file(), image(3));
    let error = run(dir.path(), &deploy(&pinned, 2), |_, _| {}).result.unwrap_err();
    assert!(matches!(&error, Error::Pinned { image: says, .. } if *says == image(3).to_string()), "{error}");
    assert_eq!(runs(&Disk::read(dir.path())), json!([image(1).as_str(), 2]), "nothing was changed");
    done(run(dir.path(), &provision(&pinned), |_, _| {}).result.unwrap().outcome);
    assert_eq!(runs(&Disk::read(dir.path())), json!([image(3).as_str(), 2]));
    // Taking it out of the file again stops nothing.
    let again = run(dir.path(), &provision(file()), |_, _| {}).result.unwrap();
    assert!(again.plan.is_empty(), "{:#?}", again.plan);
}

#[test]
fn what_a_deploy_would_need_and_nobody_has_provisioned_is_said() {
    let dir = scratch();
    first().write(dir.path());
    let newer = with_settings(file(), "db_read_replicas = 1");
    let error = run(dir.path(), &deploy(&newer, 2), |_, _| {}).result.unwrap_err();
    assert!(matches!(&error, Error::NotProvisioned(_)), "{error}");
    assert!(first().same_cloud(&Disk::read(dir.path())));
    let nothing = scratch();
    let error = run(nothing.path(), &deploy(file(), 1), |_, _| {}).result.unwrap_err();
    assert!(matches!(error, Error::NoState { .. }), "{error}");
}

#[test]
fn a_deploy_that_is_killed_anywhere_is_finished_by_the_next() {
    everywhere("first deploy", &made(file()), &deploy(file(), 1));
    everywhere("deploy", &first(), &deploy(file(), 2));
}

#[test]
fn a_deploy_that_is_killed_once_it_has_begun_is_finished_by_a_provision() {
    // A create that was not sent has not happened, and the next run says so.
    let begun = |disk: &Disk| disk.cloud()["ecs"]["families"].to_string().contains(image(2).as_str());
    finished_by("deploy", &first(), &deploy(file(), 2), &provision(file()), begun);
}

#[test]
fn a_deploy_can_fail_anywhere_and_what_ran_before_runs() {
    let scene = Scene::new(first(), deploy(file(), 2));
    rolls_back("deploy", &scene);
    shrugs_off("deploy", &scene);
}

#[test]
fn a_deploy_does_not_go_on_with_a_provision_that_was_cut_off() {
    let unfinished = first().with_undo(&["network/vpc"]).just_begun();
    let dir = scratch();
    unfinished.write(dir.path());
    let error = run(dir.path(), &deploy(file(), 2), |_, _| {}).result.unwrap_err();
    assert!(matches!(error, Error::Unfinished(_)), "{error}");
}

/// Deploys while ECS gives the deployment up, as the command does.
fn given_up(dir: &std::path::Path, number: u8, fate: &rcm_testkit::calls::Shared<Breaker>) -> (Deployed, Vec<String>) {
    let said = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let heard = std::sync::Arc::clone(&said);
    let order = deploy(file(), number);
    let arrange = |wire: &rcm_testkit::calls::Wire, settings: &mut rcm::Settings| {
        wire.trouble(fate.clone());
        settings.events = Events::to(move |event: &Event| {
            if let EventKind::Progress { message } = &event.kind {
                heard.lock().unwrap().push(message.clone());
            }
        });
    };
    let work = async |environment: &rcm::Environment| environment.deploy(&at_any_risk(&order.goal), |_| true).await;
    let deployed = with(dir, &order, arrange, work).0.unwrap();
    let said = said.lock().unwrap().clone();
    (deployed, said)
}

#[test]
fn a_deploy_that_the_circuit_breaker_takes_back_has_failed_and_says_why() {
    let stream = format!("api/api/{}", Breaker::TASK);
    let logged = play(&first(), async |stage| {
        let logs = stage.aws().await.logs;
        let group = "/ecs/acme-rcm-prod";
        logs.create_log_stream().log_group_name(group).log_stream_name(&stream).send().await.unwrap();
        for line in 0..30 {
            let event = aws_sdk_cloudwatchlogs::types::InputLogEvent::builder().timestamp(line);
            let event = event.message(format!("line {line}")).build().unwrap();
            let put = logs.put_log_events().log_group_name(group).log_stream_name(&stream).log_events(event);
            put.send().await.unwrap();
        }
    });
    let dir = scratch();
    logged.write(dir.path());
    let fate = shared(Breaker::of(1));
    let (deployed, said) = given_up(dir.path(), 2, &fate);
    let Outcome::Failed { failures, aftermath: Aftermath::RolledBack } = &deployed.report.outcome else {
        panic!("{:?}", deployed.report.outcome)
    };
    assert!(failures[0].1.to_string().contains("tasks failed to start"), "{failures:?}");
    let task = &deployed.stopped[0];
    assert_eq!((task.task.as_str(), task.reason.as_str()), (Breaker::TASK, "Essential container in task exited"));
    assert_eq!(task.containers[0].exit_code, Some(1));
    assert_eq!((task.log.len(), task.log.last().map(String::as_str)), (20, Some("line 29")));
    assert!(said.iter().any(|line| line.contains("deployment failed: tasks failed to start")), "{said:?}");

    // What ran before is what is deployed, for whoever asks; and the same deploy can be tried again.
    let again = run(dir.path(), &provision(file()), |wire, _| wire.trouble(fate.clone())).result.unwrap();
    assert!(again.plan.is_empty(), "{:#?}", again.plan);
    assert_eq!(Disk::read(dir.path()).state()["releases"].as_array().unwrap().len(), 1);
    let again = run(dir.path(), &deploy(file(), 2), |wire, settings| {
        wire.trouble(fate.clone());
        settings.on_failure = Some(OnFailure::Keep);
    });
    done(again.result.unwrap().outcome);
    assert_eq!(runs(&Disk::read(dir.path())), json!([image(2).as_str(), 2]));
}

#[test]
fn events_and_the_health_of_targets_are_told_as_they_come() {
    let dir = scratch();
    first().write(dir.path());
    let (deployed, said) = given_up(dir.path(), 2, &shared(Breaker::of(0)));
    done(deployed.report.outcome);
    assert!(deployed.stopped.is_empty());
    assert!(said.iter().any(|line| line.contains("tasks run")), "{said:?}");
}

/// Puts what an image stands for into the repository, so that it can be gone back to.
fn with_images(disk: &Disk) -> (Disk, Vec<ImageRef>) {
    let mut images = Vec::new();
    let disk = play(disk, async |stage| {
        let ecr = stage.aws().await.ecr;
        for manifest in ["{\"a\":1}", "{\"b\":2}"] {
            let put =
                ecr.put_image().repository_name("acme-rcm-prod-api").image_manifest(manifest).send().await.unwrap();
            let digest = put.image.unwrap().image_id.unwrap().image_digest.unwrap();
            let repository = "123456789012.dkr.ecr.us-east-1.amazonaws.com/acme-rcm-prod-api";
            images.push(format!("{repository}@{digest}").parse().unwrap());
        }
    });
    (disk, images)
}

#[test]
fn a_rollback_goes_to_the_image_before_and_not_to_one_that_never_ran() {
    let (disk, images) = with_images(&made(file()));
    let dir = scratch();
    disk.write(dir.path());
    let last_good = || {
        let order = provision(file());
        with(dir.path(), &order, |_, _| {}, async |environment: &rcm::Environment| environment.last_good().await).0
    };
    let deploy = |image: &ImageRef| {
        let order = Order { goal: Goal::deploy(image.clone()), ..provision(file()) };
        done(run(dir.path(), &order, |_, _| {}).result.unwrap().outcome);
    };
    assert!(matches!(last_good(), Err(Error::NoRelease(_))));
    deploy(&images[0]);
    assert!(matches!(last_good(), Err(Error::NoRelease(_))), "nothing ran before it");
    deploy(&images[1]);
    // One that fails is none to go back to.
    given_up(dir.path(), 7, &shared(Breaker::of(1)));
    assert_eq!(last_good().unwrap(), images[0]);
    deploy(&images[0]);
    assert!(runs(&Disk::read(dir.path()))[0] == images[0].as_str());
    assert!(matches!(last_good(), Err(Error::NoRelease(_))), "what was gone back from is not good");
    // What ECR does not have any more cannot be gone back to.
    deploy(&image(5));
    deploy(&image(6));
    let gone = last_good().unwrap_err();
    assert!(gone.to_string().contains("is not in its repository any more"), "{gone}");
}

#[test]
fn app_runner_gets_its_service_by_a_deploy_and_each_further_image_by_an_update() {
    let file = with_settings(file(), "domain_name =\nhosted_zone_id =\ncompute = \"apprunner\"");
    let dir = scratch();
    made(&file).write(dir.path());
    let runs = |disk: &Disk| {
        let services = disk.cloud()["apprunner"].to_string();
        [1, 2, 3].map(|number| services.contains(image(number).as_str()))
    };
    for number in [1, 2] {
        done(run(dir.path(), &deploy(&file, number), |_, _| {}).result.unwrap().outcome);
        let again = run(dir.path(), &provision(&file), |_, _| {}).result.unwrap();
        assert!(again.plan.is_empty(), "{:#?}", again.plan);
    }
    assert!(runs(&Disk::read(dir.path()))[1]);
    let fate = shared(TakenBack::of(1));
    let failed = run(dir.path(), &deploy(&file, 3), |wire, _| wire.trouble(fate.clone())).result.unwrap();
    assert!(matches!(failed.outcome, Outcome::Failed { .. }), "{:?}", failed.outcome);
    let releases = Disk::read(dir.path()).state()["releases"].clone();
    assert_eq!(releases.as_array().unwrap().len(), 2, "{releases}");
}

#[test]
fn a_lost_state_is_made_again_with_what_runs() {
    let dir = scratch();
    first().without_state().write(dir.path());
    let order = provision(file());
    with(dir.path(), &order, |_, _| {}, async |environment: &rcm::Environment| environment.rebuild(false).await)
        .0
        .unwrap();
    let again = run(dir.path(), &order, |_, _| {}).result.unwrap();
    assert!(again.plan.is_empty(), "{:#?}", again.plan);
    let difference = difference(&present(&standing(&first())), &present(&standing(&Disk::read(dir.path()))));
    assert!(difference.is_empty(), "{difference}");
    assert_eq!(runs(&Disk::read(dir.path())), runs(&first()));
}
