//! Several environments in one process, events as streams, cancellation, and a program's own SDK configuration.

use std::collections::BTreeSet;

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use futures::{StreamExt, future::join};
use rcm::{
    Cloud, Environment, Error, Goal, Settings,
    aws::aws::SdkConfig,
    engine::{
        model::{Address, Event, EventKind, EventStream, Events},
        plan::Plan,
        run::{Cancel, Outcome},
        store::Store,
    },
};
use rcm_testkit::calls::Wire;

use super::{ACCOUNT, REGION, open, partner, sandbox, settings};

fn done(events: &[Event]) -> Vec<&Address> {
    let done = events.iter().filter(|event| matches!(event.kind, EventKind::StepDone { .. }));
    done.filter_map(|event| event.address.as_ref()).collect()
}

async fn provisioned(environment: Environment, events: EventStream) -> (Plan, Vec<Event>) {
    let run = async {
        let report = environment.run(&Goal::provision(), |_| true).await.unwrap();
        assert!(matches!(report.outcome, Outcome::Done), "{:?}", report.outcome);
        // With it ends the stream.
        drop(environment);
        report.plan
    };
    join(run, events.collect()).await
}

#[tokio::test(start_paused = true)]
async fn two_partners_are_provisioned_at_once_and_each_stream_tells_of_its_own() {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let start = async |name: &str, at: usize| {
        let (events, stream) = Events::stream();
        let environment = open(name, Settings { events, ..settings(dirs[at].path()).await }).await;
        provisioned(environment, stream).await
    };
    let (acme, globex) = join(start("acme", 0), start("globex", 1)).await;
    for (name, other, (plan, events)) in [("acme", "globex", acme), ("globex", "acme", globex)] {
        let told = done(&events);
        let planned: BTreeSet<&Address> = plan.steps().map(|step| &step.address).collect();
        assert_eq!(told.iter().copied().collect::<BTreeSet<_>>(), planned);
        assert_eq!(told.len(), planned.len(), "each once");
        let ids: Vec<String> = events.iter().filter_map(minted).collect();
        assert!(ids.iter().any(|id| id.contains(&format!("{name}-rcm-dev"))), "{ids:?}");
        assert!(!ids.iter().any(|id| id.contains(other)), "{name} was told of {other}'s: {ids:?}");
        assert!(matches!(events.last().unwrap().kind, EventKind::RunFinished { .. }), "{:?}", events.last());
    }
}

fn minted(event: &Event) -> Option<String> {
    let EventKind::Minted { id } = &event.kind else { return None };
    Some(id.to_string())
}

#[tokio::test(start_paused = true)]
async fn a_program_that_cancels_a_run_goes_on_from_there_with_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let cancel = Cancel::new();
    let stop = cancel.clone();
    let events = Events::to(move |event| {
        if matches!(event.kind, EventKind::StepDone { .. }) {
            stop.cancel();
        }
    });
    let on_failure = Some(rcm::engine::run::OnFailure::Keep);
    let environment = open("acme", Settings { events, cancel, on_failure, ..settings(dir.path()).await }).await;
    let stopped = environment.run(&Goal::provision(), |_| true).await.unwrap();
    assert!(matches!(stopped.outcome, Outcome::Cancelled), "{:?}", stopped.outcome);
    let made = environment.state().unwrap().resources.len();
    assert!(0 < made && made < stopped.plan.forward.len(), "{made}");
    drop(environment);

    let environment = open("acme", settings(dir.path()).await).await;
    let report = environment.run(&Goal::provision(), |_| true).await.unwrap();
    assert!(matches!(report.outcome, Outcome::Done), "{:?}", report.outcome);
    assert!(environment.plan(&Goal::provision()).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_future_is_dropped_is_one_that_was_killed() {
    let dir = tempfile::tempdir().unwrap();
    let (events, mut stream) = Events::stream();
    // One sandbox for both: the steps of the first let go of it only when the runtime comes to them.
    let settings = settings(dir.path()).await;
    let environment = open("acme", Settings { events, ..settings.clone() }).await;
    let goal = Goal::provision();
    let begun = async {
        while let Some(event) = stream.next().await {
            if matches!(event.kind, EventKind::StepDone { .. }) {
                return;
            }
        }
    };
    tokio::select! {
        ended = environment.run(&goal, |_| true) => panic!("it ended: {:?}", ended.map(|report| report.outcome)),
        () = begun => {}
    }
    drop((environment, stream));

    let lock_timeout = std::time::Duration::from_secs(5);
    let environment = open("acme", Settings { lock_timeout, ..settings }).await;
    let report = environment.run(&goal, |_| true).await.unwrap();
    assert!(matches!(report.outcome, Outcome::Done), "{:?}", report.outcome);
    assert!(environment.plan(&goal).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_configuration_of_the_programs_own_is_used_in_its_region_and_under_rcms_lock_and_audit_log() {
    let dir = tempfile::tempdir().unwrap();
    let wire = Wire::new(sandbox(dir.path()).await.http_client());
    let mine = Credentials::new("mine", "secret", None, None, "test");
    let config = SdkConfig::builder()
        .http_client(wire.http_client())
        .credentials_provider(SharedCredentialsProvider::new(mine))
        .build();
    let of_region = |region: Option<&'static str>| {
        let config = config.clone().into_builder().region(region.map(aws_sdk_ec2::config::Region::new)).build();
        Settings { cloud: Cloud::Config(Box::new(config)), ..Settings::new(dir.path().join("state")) }
    };
    let error = Environment::open(partner("acme"), of_region(Some("eu-west-1"))).await.err().unwrap();
    assert!(
        matches!(&error, Error::WrongRegion { wanted, found } if wanted == REGION && found == "eu-west-1"),
        "{error}"
    );

    let environment = open("acme", of_region(None)).await;
    let report = environment.run(&Goal::provision(), |_| true).await.unwrap();
    assert!(matches!(report.outcome, Outcome::Done), "{:?}", report.outcome);
    let calls = wire.calls();
    assert!(!calls.mutating().is_empty());
    assert_eq!(environment.history().unwrap().len(), 1);
    assert!(environment.verify_audit().unwrap().lines > 50, "what was changed is in the audit log");

    // Somebody takes the lock away while the next run is at work: what is still to be sent is not sent.
    let lock = Store::new(&dir.path().join("state"), "acme", "dev").lock_path();
    let events = Events::to(move |event| {
        if matches!(event.kind, EventKind::RunStarted { .. }) {
            std::fs::remove_file(&lock).unwrap();
        }
    });
    let before = wire.calls().mutating().len();
    let environment = open("acme", Settings { events, ..of_region(Some(REGION)) }).await;
    environment.run(&Goal::destroy(), |_| true).await.err().unwrap();
    assert_eq!(wire.calls().mutating().len(), before);
}

#[tokio::test]
async fn credentials_of_another_account_are_refused_whosever_configuration_they_are_of() {
    let dir = tempfile::tempdir().unwrap();
    let other = rcm_sandbox::Sandbox::open(&dir.path().join("cloud"), "999999999999", REGION).await.unwrap();
    let mine = SharedCredentialsProvider::new(Credentials::new("mine", "secret", None, None, "test"));
    let config = SdkConfig::builder().http_client(other.http_client()).credentials_provider(mine).build();
    let settings = Settings { cloud: Cloud::Config(Box::new(config)), ..Settings::new(dir.path().join("state")) };
    let error = open("acme", settings).await.run(&Goal::provision(), |_| true).await.unwrap_err();
    assert!(matches!(&error, Error::WrongAccount { wanted, .. } if wanted == ACCOUNT), "{error}");
}
