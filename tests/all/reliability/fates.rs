//! What AWS accepts and gives up later, in a state that only a Describe tells: said in AWS's own words, undone or gone on with.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcm::engine::run::{Aftermath, OnFailure, Outcome};
use rcm::{Cloud, Environment, Error, Goal, PartnerConfig, Report, Settings};
use rcm_testkit::calls::{Breaker, Fault, Moment, Rule, Shared, Stillborn, Trouble, shared};

use super::canon::{difference, inventory, present, standing};
use super::stage::{Stage, acme, play, provisioned};
use super::world::{ACME, Disk, Order, change, ground, made, run, scratch};
use crate::bench::at_any_risk;

fn provision(file: &str) -> Order<'_> {
    Order { file, goal: Goal::provision(), polls: 1 }
}

/// A run that meets `fate`.
fn fated(dir: &Path, order: &Order<'_>, on_failure: OnFailure, fate: impl Trouble + 'static) -> Result<Report, Error> {
    let arranged = |wire: &rcm_testkit::calls::Wire, settings: &mut Settings| {
        settings.on_failure = Some(on_failure);
        wire.trouble(fate);
    };
    run(dir, order, arranged).result
}

/// What was said of what failed, and what became of the run.
fn failed(result: Result<Report, Error>) -> (String, Aftermath) {
    match result.unwrap().outcome {
        Outcome::Failed { failures, aftermath } => {
            let said: String = failures.iter().map(|(address, fault)| format!("{address}: {fault}\n")).collect();
            (said, aftermath)
        }
        other => panic!("{other:?}"),
    }
}

fn done(result: Result<Report, Error>) {
    let outcome = result.unwrap().outcome;
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
}

fn same(what: &str, expected: &[String], found: &[String]) {
    let difference = difference(&present(expected), &present(found));
    assert!(difference.is_empty(), "{what}:\n{difference}");
}

/// Each kind that can end badly, and a part of what AWS says of it.
fn stillborn() -> Vec<(&'static str, Shared<Stillborn>)> {
    let fates = [
        ("in status `failed`", Stillborn::database("failed")),
        ("in status `incompatible-network`", Stillborn::database("incompatible-network")),
        ("no room in the subnets", Stillborn::load_balancer("failed", "no room in the subnets")),
        ("FAILED: CAA_ERROR", Stillborn::certificate("FAILED", Some("CAA_ERROR"))),
        ("VALIDATION_TIMED_OUT", Stillborn::certificate("VALIDATION_TIMED_OUT", None)),
    ];
    fates.into_iter().map(|(says, fate)| (says, shared(fate))).collect()
}

#[test]
fn what_never_comes_up_is_said_in_the_words_of_aws_and_rolled_back() {
    for (says, fate) in stillborn() {
        let dir = scratch();
        let (said, aftermath) = failed(fated(dir.path(), &provision(ACME), OnFailure::Rollback, fate.clone()));
        assert!(said.contains(says) && matches!(aftermath, Aftermath::RolledBack), "{said} {aftermath:?}");
        same(says, &standing(&Disk::default()), &standing(&Disk::read(dir.path())));
        done(fated(dir.path(), &provision(ACME), OnFailure::Rollback, fate));
    }
}

#[test]
fn what_never_comes_up_makes_way_for_another_in_the_next_run() {
    let end = inventory(&made(ACME));
    for (says, fate) in stillborn() {
        let dir = scratch();
        let (said, aftermath) = failed(fated(dir.path(), &provision(ACME), OnFailure::Keep, fate.clone()));
        assert!(said.contains(says) && matches!(aftermath, Aftermath::Kept), "{said} {aftermath:?}");
        done(fated(dir.path(), &provision(ACME), OnFailure::Keep, fate.clone()));
        same(says, &end, &first_generation(inventory(&Disk::read(dir.path()))));
        let again = fated(dir.path(), &provision(ACME), OnFailure::Keep, fate).unwrap();
        assert!(again.plan.is_empty(), "{says}: {:#?}", again.plan);
    }
}

/// What stays on its way for longer than AWS ever takes ends the run, and not the patience of whoever waits for that.
#[test]
fn what_stays_pending_is_given_up_after_its_time_and_undone_or_gone_on_with() {
    let pending = || {
        [
            ("database/instance: rcm:wait: TimedOut", Stillborn::database("creating")),
            ("edge/load-balancer: rcm:wait: TimedOut", Stillborn::load_balancer("provisioning", "")),
            ("network/nat/a: rcm:wait: TimedOut", Stillborn::nat_gateway()),
        ]
    };
    for (says, fate) in pending() {
        let dir = scratch();
        let (said, aftermath) = failed(fated(dir.path(), &provision(ACME), OnFailure::Rollback, fate));
        assert!(said.contains(says) && matches!(aftermath, Aftermath::RolledBack), "{said} {aftermath:?}");
        same(says, &standing(&Disk::default()), &standing(&Disk::read(dir.path())));
    }
    let end = inventory(&made(ACME));
    for (says, fate) in pending() {
        let dir = scratch();
        let (said, aftermath) = failed(fated(dir.path(), &provision(ACME), OnFailure::Keep, fate));
        assert!(said.contains(says) && matches!(aftermath, Aftermath::Kept), "{said} {aftermath:?}");
        // It has come up since.
        done(run(dir.path(), &provision(ACME), |_, _| {}).result);
        same(says, &end, &inventory(&Disk::read(dir.path())));
    }
}

/// What others stood on when it failed has a successor in its place, of the next generation and under another name.
fn first_generation(mut lines: Vec<String>) -> Vec<String> {
    for line in &mut lines {
        *line = line.replace("-g2", "").replace("generation=2", "generation=1");
    }
    lines.sort();
    lines
}

/// Again and again, and in the end it works: no run is in the way of the one after it.
#[test]
fn what_fails_in_run_after_run_is_made_when_it_does_not_any_more() {
    let dir = scratch();
    let fate = shared(Stillborn::certificate("FAILED", Some("DOMAIN_NOT_ALLOWED")).times(3));
    for _ in 0..3 {
        let (said, _) = failed(fated(dir.path(), &provision(ACME), OnFailure::Keep, fate.clone()));
        assert!(said.contains("DOMAIN_NOT_ALLOWED"), "{said}");
    }
    done(fated(dir.path(), &provision(ACME), OnFailure::Keep, fate));
    same("certificates", &inventory(&made(ACME)), &inventory(&Disk::read(dir.path())));
}

/// A change whose certificate fails leaves the old one in service until there is a new one.
#[test]
fn a_successor_that_never_comes_up_does_not_take_its_predecessors_place() {
    let (before, after) = change();
    let (start, dir) = (made(&before), scratch());
    start.write(dir.path());
    done(fated(
        dir.path(),
        &provision(&after),
        OnFailure::Keep,
        shared(Stillborn::certificate("FAILED", None).times(0)),
    ));
    let end = inventory(&Disk::read(dir.path()));

    let dir = scratch();
    start.write(dir.path());
    let fate = shared(Stillborn::certificate("FAILED", Some("CAA_ERROR")));
    let (said, _) = failed(fated(dir.path(), &provision(&after), OnFailure::Keep, fate.clone()));
    assert!(said.contains("CAA_ERROR"), "{said}");
    let listeners = |disk: &Disk| disk.cloud()["elasticloadbalancing"]["listeners"].as_object().unwrap().len();
    assert_eq!(listeners(&Disk::read(dir.path())), listeners(&start));
    done(fated(dir.path(), &provision(&after), OnFailure::Keep, fate));
    same("change", &of_any_generation(end), &of_any_generation(inventory(&Disk::read(dir.path()))));
}

/// A third generation where something stood on the second before that had failed, and the second where nothing did yet: the
/// order of two calls that go out at once decides.
fn of_any_generation(mut lines: Vec<String>) -> Vec<String> {
    for line in &mut lines {
        *line = line.replace("generation=3", "generation=2").replace("-g3", "-g2");
    }
    lines.sort();
    lines
}

/// The file of [`acme`] with another image: the change deploys another revision.
fn next_release() -> String {
    let old = "0".repeat(64);
    assert!(acme().contains(&old));
    acme().replace(&old, &"1".repeat(64))
}

#[test]
fn a_first_service_whose_tasks_do_not_start_is_undone_or_made_anew() {
    let file = acme();
    let fate = || shared(Breaker::of(1));
    let dir = scratch();
    ground(&file).write(dir.path());
    let (said, aftermath) = failed(fated(dir.path(), &provision(&file), OnFailure::Rollback, fate()));
    assert!(said.contains("ECS deployment circuit breaker: tasks failed to start."), "{said}");
    assert!(matches!(aftermath, Aftermath::RolledBack), "{aftermath:?}");
    same("rollback", &standing(&ground(&file)), &standing(&Disk::read(dir.path())));

    let dir = scratch();
    ground(&file).write(dir.path());
    let fate = fate();
    let (_, aftermath) = failed(fated(dir.path(), &provision(&file), OnFailure::Keep, fate.clone()));
    assert!(matches!(aftermath, Aftermath::Kept), "{aftermath:?}");
    done(fated(dir.path(), &provision(&file), OnFailure::Keep, fate));
    same("made anew", &inventory(&made(&file)), &inventory(&Disk::read(dir.path())));
}

/// ECS goes back to what ran before, and that deployment completes: a failure all the same.
#[test]
fn a_release_that_the_circuit_breaker_takes_back_has_failed_and_can_be_tried_again() {
    let (file, start) = (next_release(), made(&acme()));
    let deployed = {
        let dir = scratch();
        start.write(dir.path());
        done(fated(dir.path(), &provision(&file), OnFailure::Keep, Breaker::of(0)));
        inventory(&Disk::read(dir.path()))
    };
    for (says, fate) in [("tasks failed to start", Breaker::of(1)), ("it runs", Breaker::of(1).forgotten())] {
        let (dir, fate) = (scratch(), shared(fate));
        start.write(dir.path());
        let (said, aftermath) = failed(fated(dir.path(), &provision(&file), OnFailure::Keep, fate.clone()));
        assert!(said.contains(says) && matches!(aftermath, Aftermath::Kept), "{said} {aftermath:?}");
        done(fated(dir.path(), &provision(&file), OnFailure::Keep, fate));
        same("tried again", &deployed, &inventory(&Disk::read(dir.path())));
    }
}

/// The sandbox knows nothing of the breaker, so what the service runs is what the answers say.
#[test]
fn a_release_that_the_circuit_breaker_takes_back_is_rolled_back() {
    let (old, file) = (acme(), next_release());
    let start = made(&old);
    for fate in [Breaker::of(1), Breaker::of(1).forgotten()] {
        let (dir, fate) = (scratch(), shared(fate));
        start.write(dir.path());
        let (_, aftermath) = failed(fated(dir.path(), &provision(&file), OnFailure::Rollback, fate.clone()));
        assert!(matches!(aftermath, Aftermath::RolledBack), "{aftermath:?}");
        let but_the_service = |disk: &Disk| {
            let mut lines = standing(disk);
            lines.retain(|line| !line.starts_with("ecs services"));
            lines
        };
        same("rollback", &but_the_service(&start), &but_the_service(&Disk::read(dir.path())));
        let again = fated(dir.path(), &provision(&old), OnFailure::Keep, fate).unwrap();
        assert!(again.plan.is_empty(), "{:#?}", again.plan);
    }
}

/// rcm on a stage, with a way to fail of its own.
async fn on(stage: &Stage, file: &str, on_failure: OnFailure) -> Result<Report, Error> {
    let config = PartnerConfig::parse("acme.toml", file, None).unwrap();
    let cloud = Cloud::InProcess(stage.wire.http_client());
    let settings = Settings { cloud, on_failure: Some(on_failure), ..Settings::new(stage.state_dir()) };
    Environment::open(config, settings).await?.run(&at_any_risk(&Goal::provision()), |_| true).await
}

/// Provisions, and while the first NAT gateway is on its way somebody takes the internet gateway from the VPC. How that went, and
/// the disk as it was at the last call.
async fn without_internet(stage: &Stage, file: &str, on_failure: OnFailure) -> (Result<Report, Error>, Disk) {
    let (tell, told) = tokio::sync::oneshot::channel();
    let tell = Mutex::new(Some(tell));
    let last: Arc<Mutex<Disk>> = Arc::default();
    let (seen, path) = (Arc::clone(&last), stage.dir().to_owned());
    stage.wire.witness(move |call, moment| {
        *seen.lock().unwrap() = Disk::read(&path);
        if call.operation.name == "CreateNatGateway"
            && moment == Moment::Arrived
            && let Some(tell) = tell.lock().unwrap().take()
        {
            tell.send(()).unwrap();
        }
    });
    // The load balancer needs the internet gateway as well, and finds it later that it is not there.
    for (operation, seconds) in [("CreateNatGateway", 5), ("CreateLoadBalancer", 60)] {
        stage.wire.trouble(Rule::new(Fault::Delay(Duration::from_secs(seconds))).operation(operation).first(1));
    }
    let somebody = async {
        told.await.unwrap();
        let aws = stage.aws().await;
        let gateways = aws.ec2.describe_internet_gateways().send().await.unwrap();
        let gateway = &gateways.internet_gateways()[0];
        let vpc = gateway.attachments()[0].vpc_id().unwrap();
        let detach = aws.ec2.detach_internet_gateway().internet_gateway_id(gateway.internet_gateway_id().unwrap());
        detach.vpc_id(vpc).send().await.unwrap();
    };
    let (ran, ()) = tokio::join!(on(stage, file, on_failure), somebody);
    let last = last.lock().unwrap().clone();
    (ran, last)
}

#[test]
fn a_nat_gateway_that_fails_says_why_and_is_undone_or_made_again() {
    let file = format!("{ACME}\nnat_gateways = 1\n");
    let left = play(&Disk::default(), async |stage| {
        let (said, aftermath) = failed(without_internet(stage, &file, OnFailure::Rollback).await.0);
        assert!(said.contains("Gateway.NotAttached: Network vpc-"), "{said}");
        assert!(matches!(aftermath, Aftermath::RolledBack), "{aftermath:?}");
    });
    same("rollback", &standing(&Disk::default()), &but_the_failed(&left));

    // The internet gateway that somebody has taken away gets a successor, too.
    let expected = but_the_failed(&provisioned(&file));
    let mut killed = Disk::default();
    let end = play(&Disk::default(), async |stage| {
        let (ran, last) = without_internet(stage, &file, OnFailure::Keep).await;
        killed = last;
        let (said, aftermath) = failed(ran);
        assert!(said.contains("Gateway.NotAttached"), "{said}");
        assert!(matches!(aftermath, Aftermath::Kept), "{aftermath:?}");
        done(on(stage, &file, OnFailure::Keep).await);
        assert!(on(stage, &file, OnFailure::Keep).await.unwrap().plan.is_empty());
    });
    same("made again", &expected, &but_the_failed(&end));

    // Killed before the failure was written down: the next run is of the same serial, and asks for another gateway all the same.
    assert!(!killed.journal().is_empty());
    let end = play(&killed, async |stage| done(on(stage, &file, OnFailure::Keep).await));
    same("killed", &expected, &but_the_failed(&end));
}

/// What stands but for the gateways that AWS shows as failed for an hour, and the address that the next one gets beside them.
fn but_the_failed(disk: &Disk) -> Vec<String> {
    let lines = standing(disk).into_iter().filter(|line| !line.contains("state=failed "));
    first_generation(lines.map(|line| line.replace("private_ip=10.0.0.11", "private_ip=10.0.0.10")).collect())
}

const BUSY: &str = "Database instance is not in available state. Please try your request later.";

/// A database that is busy with something takes no change and no delete. That passes, and if it does not, it is said.
#[test]
fn a_busy_database_is_waited_for_within_a_limit() {
    let (before, after) = change();
    let start = made(&before);
    let busy = || Rule::new(Fault::refuse_saying(400, "InvalidDBInstanceState", BUSY));
    let destroy = Order { file: &before, goal: Goal::destroy(), polls: 1 };
    for (order, operation) in [(provision(&after), "ModifyDBInstance"), (destroy, "DeleteDBInstance")] {
        let end = {
            let dir = scratch();
            start.write(dir.path());
            done(run(dir.path(), &order, |_, _| {}).result);
            inventory(&Disk::read(dir.path()))
        };
        let dir = scratch();
        start.write(dir.path());
        done(fated(dir.path(), &order, OnFailure::Keep, busy().operation(operation).first(40)));
        same(operation, &end, &inventory(&Disk::read(dir.path())));

        let dir = scratch();
        start.write(dir.path());
        let (said, _) = failed(fated(dir.path(), &order, OnFailure::Keep, busy().operation(operation)));
        assert!(said.contains("InvalidDBInstanceState"), "{said}");
        done(run(dir.path(), &order, |_, _| {}).result);
        same(operation, &end, &inventory(&Disk::read(dir.path())));
    }
}

/// The name of a secret in its recovery window is taken, so there can be no other: it is restored, with the value that it had.
#[test]
fn secrets_that_somebody_has_scheduled_for_deletion_are_restored_with_their_values() {
    let start = made(ACME);
    let secrets = |disk: &Disk| disk.cloud()["secretsmanager"]["secrets"].as_object().unwrap().clone();
    let end = play(&start, async |stage| {
        let client = stage.aws().await.secrets;
        for name in secrets(&start).keys() {
            client.delete_secret().secret_id(name).recovery_window_in_days(7).send().await.unwrap();
        }
        let _ = stage.provision(ACME).await;
        assert!(stage.plan(ACME).await.is_empty());
    });
    for (name, secret) in secrets(&start) {
        assert_eq!(secrets(&end)[&name]["versions"], secret["versions"], "{name}");
    }
}
