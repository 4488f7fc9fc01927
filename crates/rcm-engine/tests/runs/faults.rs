//! Answers that are lost, refusals, failures, and what is left of them.

use rcm_engine::{
    model::{FaultKind, Graph, Ref},
    plan::{Action, Plan},
    run::{Aftermath, OnFailure, Outcome, rollback},
    store::Entry,
};

use crate::cloud::{Bench, Plant, Thing, Trick, diamond, spec};

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
async fn what_never_comes_up_makes_way_for_another_in_the_next_run() {
    let bench = Bench::new();
    // It is asked twice: while it is waited for, and when the next run looks at what there is.
    bench.trick("ready left", [Trick::Refuse(FaultKind::Invalid), Trick::Refuse(FaultKind::Invalid)]);
    let (_, outcome) = bench.run().await;
    let Outcome::Failed { failures, aftermath: Aftermath::Kept } = outcome else { panic!("{outcome:?}") };
    assert!(failures[0].1.message.ends_with("broken"), "{}", failures[0].1);
    let (plan, outcome) = bench.run().await;
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    let remade = plan.forward.iter().find(|step| step.address.as_str() == "left").unwrap();
    assert_eq!(remade.action, Action::Remake { why: "broken".into() });
    assert_eq!(bench.inventory().len(), 5);
    let gone: Vec<_> = bench.cloud.lock().unwrap().deleted.iter().map(|(_, toy)| toy.address.clone()).collect();
    assert_eq!(gone, ["left"]);
    assert_eq!(bench.state().resources.values().map(|record| record.generation).max(), Some(1));
    assert!(bench.run().await.0.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_never_comes_up_stays_until_those_on_it_stand_on_its_successor() {
    let mut bench = Bench::new();
    let mut graph = Graph::new();
    let base = graph.add::<Plant>("base", spec(1, "red", &[]));
    let early: Ref<Thing> = Ref::to(base.address().clone()).early();
    graph.add::<Thing>("top", spec(1, "red", &[&early]));
    bench.wanted.graph = graph.finish().unwrap();
    let growing = std::iter::repeat_n(Trick::LoseAnswer, 5);
    bench.trick("ready base", growing.chain([Trick::Refuse(FaultKind::Invalid), Trick::Refuse(FaultKind::Invalid)]));
    let (_, outcome) = bench.run().await;
    assert!(matches!(outcome, Outcome::Failed { aftermath: Aftermath::Kept, .. }), "{outcome:?}");
    assert!(bench.inventory().contains_key("top"));
    let (plan, outcome) = bench.run().await;
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert!(matches!(plan.forward[0].action, Action::Replace { .. }), "{plan:#?}");
    let inventory = bench.inventory();
    assert_eq!((inventory.len(), inventory["base"].generation), (2, 2));
    assert!(bench.run().await.0.is_empty());
}

/// What failed in the last run is empty for certain. Of what is older, nobody knows what it has come to hold.
#[tokio::test(start_paused = true)]
async fn what_holds_data_and_has_failed_goes_unasked_only_after_the_run_that_made_it() {
    let bench = Bench::new();
    let broken = || std::iter::repeat_n(Trick::Refuse(FaultKind::Invalid), 1_000);
    bench.trick("ready vault", broken());
    bench.run().await;
    let blocked = |plan: &Plan| plan.blocked.iter().map(|blocked| blocked.address.to_string()).collect::<Vec<_>>();
    let plan = bench.process(async |engine, ledger| bench.plan(engine, ledger).await.unwrap()).await;
    assert_eq!(blocked(&plan), Vec::<String>::new());
    // As every run does that begins after one that came to an end.
    bench.process(async |_, ledger| ledger.append(Entry::Committed).await.unwrap()).await;
    let plan = bench.process(async |engine, ledger| bench.plan(engine, ledger).await.unwrap()).await;
    assert_eq!(blocked(&plan), ["vault"]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_before_the_change_is_believed_only_after_a_while() {
    let bench = Bench::new();
    let stale = |times| std::iter::repeat_n(Trick::Refuse(FaultKind::Exists), times);
    bench.trick("ready top", stale(5));
    let (_, outcome) = bench.run().await;
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    let mut bench = Bench::new();
    bench.on_failure = OnFailure::Rollback;
    bench.trick("ready top", stale(1_000));
    let begun = tokio::time::Instant::now();
    let (_, outcome) = bench.run().await;
    let Outcome::Failed { failures, .. } = outcome else { panic!("{outcome:?}") };
    assert!(failures[0].1.message.ends_with("as it was"), "{}", failures[0].1);
    assert!(begun.elapsed().as_secs() < 180, "{:?}", begun.elapsed());
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

/// It is undone to its end, or gone on with.
#[tokio::test(start_paused = true)]
async fn a_wish_to_stop_leaves_a_rollback_to_go_on_with() {
    for undone in [true, false] {
        let mut bench = Bench::new();
        bench.on_failure = OnFailure::Rollback;
        bench.trick("create top", [Trick::Refuse(FaultKind::Denied)]);
        // Deleting it is asked again and again until somebody has had enough.
        bench.trick("delete left", std::iter::repeat_n(Trick::Refuse(FaultKind::InUse), 1_000));
        let cancel = bench.cancel.clone();
        let stop = async {
            tokio::time::sleep_until(tokio::time::Instant::now() + std::time::Duration::from_mins(1)).await;
            cancel.cancel();
        };
        let ((_, outcome), ()) = tokio::join!(bench.run(), stop);
        assert!(matches!(outcome, Outcome::Failed { aftermath: Aftermath::Interrupted, .. }), "{outcome:?}");
        assert!(bench.inventory().contains_key("base"), "what left needs is not touched");
        bench.cloud.lock().unwrap().calm();
        bench.cancel = rcm_engine::run::Cancel::new();
        if undone {
            let aftermath = bench.process(async |engine, _| rollback(engine).await).await;
            assert!(matches!(aftermath, Aftermath::RolledBack), "{aftermath:?}");
            assert!(bench.inventory().is_empty(), "{:?}", bench.inventory());
        } else {
            let (_, outcome) = bench.run().await;
            assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
            assert_eq!(bench.inventory().len(), 5);
        }
    }
}

/// Nothing new begins, a rollback neither.
#[tokio::test(start_paused = true)]
async fn what_fails_after_a_wish_to_stop_is_not_undone_unasked() {
    let mut bench = Bench::new();
    bench.on_failure = OnFailure::Rollback;
    bench.trick("ready base", std::iter::repeat_n(Trick::LoseAnswer, 50));
    bench.trick("configure vault", std::iter::repeat_n(Trick::Refuse(FaultKind::Propagating), 1_000));
    let (cancel, cloud) = (bench.cancel.clone(), std::sync::Arc::clone(&bench.cloud));
    let stop = async {
        tokio::time::sleep_until(tokio::time::Instant::now() + std::time::Duration::from_secs(20)).await;
        cancel.cancel();
        cloud.lock().unwrap().calm();
        cloud.lock().unwrap().trick("configure vault", [Trick::Refuse(FaultKind::Denied)]);
    };
    let ((_, outcome), ()) = tokio::join!(bench.run(), stop);
    let stopped = matches!(outcome, Outcome::Cancelled | Outcome::Failed { aftermath: Aftermath::Interrupted, .. });
    assert!(stopped, "{outcome:?}");
    assert_eq!(bench.inventory().keys().collect::<Vec<_>>(), ["base", "vault"]);
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
