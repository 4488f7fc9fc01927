//! Answers that are lost, refusals, failures, and what is left of them.

use rcm_engine::{
    model::FaultKind,
    run::{Aftermath, OnFailure, Outcome},
};

use crate::cloud::{Bench, Trick, diamond};

#[tokio::test(start_paused = true)]
async fn a_lost_answer_makes_no_second_one() {
    let bench = Bench::new();
    bench.trick("create base", [Trick::LoseAnswer]);
    bench.trick("create top", [Trick::LoseAnswer]);
    let (_, outcome) = bench.run().await;
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert_eq!(bench.inventory().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_not_noticed() {
    let bench = Bench::new();
    bench.trick("create base", [Trick::Refuse(FaultKind::Throttled), Trick::Refuse(FaultKind::Propagating)]);
    bench.trick("create left", [Trick::Refuse(FaultKind::Transient), Trick::Refuse(FaultKind::Transient)]);
    bench.trick("configure left", [Trick::Refuse(FaultKind::NotFound), Trick::LoseAnswer]);
    bench.trick("ready right", [Trick::LoseAnswer, Trick::LoseAnswer, Trick::LoseAnswer]);
    let (_, outcome) = bench.run().await;
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert_eq!(bench.inventory().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_failed_first_run_leaves_nothing_when_it_is_rolled_back() {
    for call in ["create top", "configure top", "create left", "configure base", "create vault"] {
        let mut bench = Bench::new();
        bench.on_failure = OnFailure::Rollback;
        bench.trick(call, [Trick::Refuse(FaultKind::Denied)]);
        let (_, outcome) = bench.run().await;
        let Outcome::Failed { aftermath: Aftermath::RolledBack, failures } = outcome else {
            panic!("{call}: {outcome:?}")
        };
        assert_eq!(failures.len(), 1);
        assert!(bench.inventory().is_empty(), "{call}: {:?}", bench.inventory());
        assert!(bench.state().resources.is_empty());
        let (_, outcome) = bench.run().await;
        assert!(matches!(outcome, Outcome::Done), "{call}: {outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_change_is_put_back() {
    for call in ["configure top", "configure right", "create base", "configure left"] {
        let mut bench = Bench::new();
        bench.run().await;
        let before = bench.inventory();
        bench.wanted.graph = diamond(2, "green");
        bench.on_failure = OnFailure::Rollback;
        bench.trick(call, [Trick::Refuse(FaultKind::Denied)]);
        let (_, outcome) = bench.run().await;
        assert!(matches!(outcome, Outcome::Failed { aftermath: Aftermath::RolledBack, .. }), "{call}: {outcome:?}");
        assert_eq!(bench.inventory(), before, "{call}");
        bench.wanted.graph = diamond(1, "red");
        let (plan, _) = bench.run().await;
        assert!(plan.is_empty(), "{call}: {plan:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_after_a_failure_is_completed_by_the_next_run() {
    for call in ["create top", "configure top", "configure base", "create vault"] {
        let bench = Bench::new();
        bench.trick(call, [Trick::Refuse(FaultKind::Denied)]);
        let (_, outcome) = bench.run().await;
        assert!(matches!(outcome, Outcome::Failed { aftermath: Aftermath::Kept, .. }), "{outcome:?}");
        let (_, outcome) = bench.run().await;
        assert!(matches!(outcome, Outcome::Done), "{call}: {outcome:?}");
        assert_eq!(bench.inventory().len(), 5);
        let (plan, _) = bench.run().await;
        assert!(plan.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn an_undo_that_fails_is_stuck_and_named_and_the_next_run_goes_on() {
    let mut bench = Bench::new();
    bench.on_failure = OnFailure::Rollback;
    bench.trick("create top", [Trick::Refuse(FaultKind::Denied)]);
    bench.trick("delete left", [Trick::Refuse(FaultKind::Denied)]);
    let (_, outcome) = bench.run().await;
    let Outcome::Failed { aftermath: Aftermath::Stuck(left), .. } = outcome else { panic!("{outcome:?}") };
    let left: Vec<_> = left.iter().map(|(address, _)| address.as_str()).collect();
    assert_eq!(left, ["left", "base"]);
    assert_eq!(bench.inventory().keys().collect::<Vec<_>>(), ["base", "left"]);
    let (_, outcome) = bench.run().await;
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert_eq!(bench.inventory().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_resource_is_left_alone() {
    let mut bench = Bench::new();
    bench.on_failure = OnFailure::Rollback;
    bench.trick("create vault", [Trick::Refuse(FaultKind::Exists)]);
    let (_, outcome) = bench.run().await;
    let Outcome::Failed { failures, .. } = outcome else { panic!("{outcome:?}") };
    assert!(failures[0].1.message.contains("do not say that it is vault"), "{}", failures[0].1);
    assert!(bench.inventory().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_somebody_is_parked_and_the_rest_goes_on() {
    let bench = Bench::new();
    bench.trick("ready left", std::iter::repeat_n(Trick::Refuse(FaultKind::Quota), 10_000));
    let (_, outcome) = bench.run().await;
    let Outcome::Parked(parked) = outcome else { panic!("{outcome:?}") };
    assert_eq!(parked[0].0.as_str(), "left");
    assert_eq!(bench.inventory().keys().collect::<Vec<_>>(), ["base", "left", "right", "vault"]);
    bench.cloud.lock().unwrap().trick("none", []);
}

#[tokio::test(start_paused = true)]
async fn a_wish_to_stop_leaves_a_state_to_go_on_from() {
    let mut bench = Bench::new();
    bench.trick("ready base", std::iter::repeat_n(Trick::LoseAnswer, 50));
    let cancel = bench.cancel.clone();
    let stop = async {
        tokio::time::sleep_until(tokio::time::Instant::now() + std::time::Duration::from_secs(30)).await;
        cancel.cancel();
    };
    let ((_, outcome), ()) = tokio::join!(bench.run(), stop);
    assert!(matches!(outcome, Outcome::Cancelled), "{outcome:?}");
    assert_eq!(bench.inventory().keys().collect::<Vec<_>>(), ["base", "vault"]);
    bench.cancel = rcm_engine::run::Cancel::new();
    let (_, outcome) = bench.run().await;
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert_eq!(bench.inventory().len(), 5);
}
