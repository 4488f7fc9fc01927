//! What the random stories of `properties` have found, each shrunk to its bones.

use std::collections::BTreeSet;

use rcm_engine::{
    model::{Address, FaultKind, Graph, Ref},
    plan::{Action, Wanted},
    run::{Aftermath, OnFailure, Outcome, recover, rollback},
};

use crate::cloud::{Bench, Thing, Trick, Vault, spec};

fn denied() -> Trick {
    Trick::Refuse(FaultKind::Denied)
}

/// A graph by what is added to it.
fn graph(add: impl FnOnce(&mut Graph)) -> Graph {
    let mut graph = Graph::new();
    add(&mut graph);
    graph.finish().unwrap()
}

fn thing(graph: &mut Graph, address: &str, size: u32, needs: &[&Ref<Thing>]) -> Ref<Thing> {
    graph.add::<Thing>(address, spec(size, "red", needs))
}

/// The command `rollback`.
async fn undo(bench: &Bench) -> Aftermath {
    bench
        .process(async |engine, _| {
            recover(engine).await.unwrap();
            rollback(engine).await
        })
        .await
}

fn destroy() -> Wanted {
    Wanted { graph: Graph::new(), destroy: true, ..Wanted::default() }
}

#[tokio::test(start_paused = true)]
async fn what_a_destroy_has_kept_is_not_taken_up_as_something_that_it_cannot_become() {
    let vault = |size| graph(|graph| drop(graph.add::<Vault>("vault", spec(size, "red", &[]))));
    let mut bench = Bench::new();
    bench.wanted.graph = vault(1);
    bench.run().await;
    bench.wanted = destroy();
    bench.run().await;
    bench.wanted = Wanted { graph: vault(2), ..Wanted::default() };
    let (plan, _) = bench.run().await;
    assert_eq!(plan.blocked.len(), 1, "it holds data: {plan:#?}");

    let mut bench = Bench::new();
    bench.wanted.graph = vault(1);
    bench.run().await;
    bench.wanted = destroy();
    bench.run().await;
    let may_lose = BTreeSet::from([Address::new("vault").unwrap()]);
    bench.wanted = Wanted { graph: vault(2), may_lose, ..Wanted::default() };
    let (plan, outcome) = bench.run().await;
    assert!(matches!(plan.forward[0].action, Action::Replace { .. }), "{plan:#?}");
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert_eq!(bench.inventory()["vault"].size, 2);
    assert!(bench.run().await.0.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_ordering_that_is_turned_round_does_not_stop_a_destroy() {
    let mut bench = Bench::new();
    bench.wanted.graph = graph(|graph| {
        let (one, two) = (thing(graph, "one", 1, &[]), thing(graph, "two", 1, &[]));
        graph.after(&two, &one);
    });
    bench.run().await;
    bench.wanted.graph = graph(|graph| {
        let two = thing(graph, "two", 1, &[]);
        thing(graph, "one", 1, &[&two]);
    });
    bench.run().await;
    assert!(bench.run().await.0.is_empty());
    bench.wanted = destroy();
    let (_, outcome) = bench.run().await;
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert!(bench.inventory().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_undo_goes_back_to_what_was_needed_and_not_to_what_an_earlier_run_could_not_delete() {
    let pair = |base, top| {
        graph(|graph| {
            let base = thing(graph, "base", base, &[]);
            thing(graph, "top", top, &[&base]);
        })
    };
    let mut bench = Bench::new();
    bench.on_failure = OnFailure::Rollback;
    bench.wanted.graph = pair(1, 1);
    bench.run().await;
    bench.wanted.graph = pair(2, 1);
    bench.trick("delete base", [denied()]);
    bench.run().await;
    let before = bench.cloud.lock().unwrap().toys.clone();
    assert_eq!(before.len(), 3, "two of base");

    bench.wanted.graph = pair(2, 2);
    bench.trick("create top", [denied()]);
    let (_, outcome) = bench.run().await;
    assert!(matches!(outcome, Outcome::Failed { aftermath: Aftermath::RolledBack, .. }), "{outcome:?}");
    assert_eq!(bench.cloud.lock().unwrap().toys, before);
}

#[tokio::test(start_paused = true)]
async fn an_undo_puts_a_dependency_back_that_was_turned_round() {
    let mut bench = Bench::new();
    bench.on_failure = OnFailure::Rollback;
    bench.wanted.graph = graph(|graph| {
        let one = thing(graph, "one", 1, &[]);
        thing(graph, "two", 1, &[&one]);
    });
    bench.run().await;
    let before = bench.inventory();
    bench.wanted.graph = graph(|graph| {
        let two = thing(graph, "two", 2, &[]);
        thing(graph, "one", 1, &[&two]);
    });
    bench.trick("ready one", [Trick::Refuse(FaultKind::Invalid)]);
    let (_, outcome) = bench.run().await;
    assert!(matches!(outcome, Outcome::Failed { aftermath: Aftermath::RolledBack, .. }), "{outcome:?}");
    assert_eq!(bench.inventory(), before);
}

#[tokio::test(start_paused = true)]
async fn an_undo_puts_an_ordering_back_that_was_turned_round() {
    let mut bench = Bench::new();
    bench.on_failure = OnFailure::Rollback;
    bench.wanted.graph = graph(|graph| {
        let (one, two) = (thing(graph, "one", 1, &[]), thing(graph, "two", 1, &[]));
        graph.after(&two, &one);
    });
    bench.run().await;
    let before = bench.inventory();
    bench.wanted.graph = graph(|graph| {
        let two = thing(graph, "two", 2, &[]);
        thing(graph, "one", 2, &[&two]);
    });
    bench.trick("configure one", [denied()]);
    let (_, outcome) = bench.run().await;
    assert!(matches!(outcome, Outcome::Failed { aftermath: Aftermath::RolledBack, .. }), "{outcome:?}");
    assert_eq!(bench.inventory(), before);
}

#[tokio::test(start_paused = true)]
async fn what_was_turned_round_and_only_half_undone_is_still_cleaned_up() {
    let turned = |size| {
        graph(|graph| {
            let two = thing(graph, "two", 2, &[]);
            thing(graph, "one", size, &[&two]);
        })
    };
    let mut bench = Bench::new();
    bench.on_failure = OnFailure::Rollback;
    bench.wanted.graph = graph(|graph| {
        let one = thing(graph, "one", 1, &[]);
        thing(graph, "two", 1, &[&one]);
    });
    bench.run().await;
    bench.wanted.graph = turned(1);
    bench.trick("configure one", [denied(), denied()]);
    let (_, outcome) = bench.run().await;
    assert!(matches!(outcome, Outcome::Failed { aftermath: Aftermath::Stuck(_), .. }), "{outcome:?}");
    bench.wanted.graph = turned(2);
    let (_, outcome) = bench.run().await;
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert_eq!(bench.inventory().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_turned_round_by_way_of_what_stays_waits_for_the_other_to_let_go() {
    let mut bench = Bench::new();
    bench.wanted.graph = graph(|graph| {
        let one = thing(graph, "one", 1, &[]);
        let two = thing(graph, "two", 1, &[&one]);
        thing(graph, "three", 1, &[&two]);
    });
    bench.run().await;
    bench.wanted.graph = graph(|graph| {
        let two = thing(graph, "two", 1, &[]);
        let three = thing(graph, "three", 1, &[&two]);
        thing(graph, "one", 1, &[&three]);
    });
    bench.trick("configure two", [Trick::DieBefore]);
    bench.crash().await;
    bench.wanted = destroy();
    let (_, outcome) = bench.run().await;
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert!(bench.inventory().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_destroy_of_what_needs_each_other_says_so_and_a_provision_helps() {
    let mut bench = Bench::new();
    bench.wanted.graph = graph(|graph| {
        let one = thing(graph, "one", 1, &[]);
        thing(graph, "two", 1, &[&one]);
    });
    bench.run().await;
    let turned = graph(|graph| {
        let two = thing(graph, "two", 1, &[]);
        // Does not wait until `two` has let go of it.
        thing(graph, "one", 1, &[&two.early()]);
    });
    bench.wanted.graph = turned.clone();
    bench.trick("configure two", [Trick::Refuse(FaultKind::Throttled), denied()]);
    bench.run().await;
    bench.wanted = destroy();
    let (_, outcome) = bench.run().await;
    let Outcome::Failed { failures, .. } = outcome else { panic!("{outcome:?}") };
    assert!(failures[0].1.message.contains("need each other"), "{}", failures[0].1);

    bench.wanted = Wanted { graph: turned, ..Wanted::default() };
    bench.run().await;
    bench.wanted = destroy();
    let (_, outcome) = bench.run().await;
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert!(bench.inventory().is_empty());
}

/// `top` needs `old`, and is to need `new` instead.
fn on(needed: &str) -> Graph {
    graph(|graph| {
        let mut needs = thing(graph, "old", 1, &[]);
        if needed == "new" {
            needs = thing(graph, "new", 1, &[]);
        }
        thing(graph, "top", 1, &[&needs]);
    })
}

#[tokio::test(start_paused = true)]
async fn what_an_unfinished_update_may_still_need_is_not_destroyed_before_it() {
    let mut bench = Bench::new();
    bench.wanted.graph = on("old");
    bench.run().await;
    bench.wanted.graph = on("new");
    bench.trick("configure top", [denied()]);
    bench.run().await;
    bench.wanted = destroy();
    // As long as `top` cannot be deleted, `old` waits.
    bench.trick("delete top", [Trick::Refuse(FaultKind::InUse)]);
    let (_, outcome) = bench.run().await;
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert!(bench.inventory().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_an_unfinished_undo_may_still_need_is_not_undone_before_it() {
    let mut bench = Bench::new();
    bench.wanted.graph = on("old");
    bench.run().await;
    let before = bench.inventory();
    bench.wanted.graph = on("new");
    bench.trick("ready top", [Trick::Refuse(FaultKind::Invalid)]);
    bench.run().await;
    for _ in 0..2 {
        // As long as `top` cannot be put back, it needs `new`.
        bench.trick("configure top", [denied()]);
        let Aftermath::Stuck(left) = undo(&bench).await else { panic!("it was denied") };
        let left: BTreeSet<_> = left.iter().map(|(address, _)| address.as_str()).collect();
        assert_eq!(left, BTreeSet::from(["new", "top"]));
    }
    assert!(matches!(undo(&bench).await, Aftermath::RolledBack));
    assert_eq!(bench.inventory(), before);
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_run_has_made_is_unmade_although_it_was_out_of_sight_for_a_moment() {
    let mut bench = Bench::new();
    bench.wanted.graph = graph(|graph| {
        let base = thing(graph, "base", 1, &[]);
        thing(graph, "top", 1, &[&base]);
    });
    bench.on_failure = OnFailure::Rollback;
    bench.trick("create top", [Trick::DieBefore]);
    bench.crash().await;
    bench.trick("read base", [Trick::Refuse(FaultKind::NotFound)]);
    bench.trick("create top", [denied()]);
    let (_, outcome) = bench.run().await;
    assert!(matches!(outcome, Outcome::Failed { aftermath: Aftermath::RolledBack, .. }), "{outcome:?}");
    assert!(bench.inventory().is_empty(), "{:?}", bench.inventory());
}

#[tokio::test(start_paused = true)]
async fn what_was_out_of_sight_for_a_moment_is_still_known_after_an_undo() {
    let pair = |size| {
        graph(|graph| {
            let base = thing(graph, "base", 1, &[]);
            thing(graph, "top", size, &[&base]);
        })
    };
    let mut bench = Bench::new();
    bench.on_failure = OnFailure::Rollback;
    bench.wanted.graph = pair(1);
    bench.run().await;
    let before = bench.inventory();
    bench.wanted.graph = pair(2);
    bench.trick("read base", [Trick::Refuse(FaultKind::NotFound)]);
    bench.trick("create top", [denied()]);
    let (_, outcome) = bench.run().await;
    assert!(matches!(outcome, Outcome::Failed { aftermath: Aftermath::RolledBack, .. }), "{outcome:?}");
    assert_eq!(bench.inventory(), before);
    bench.wanted.graph = pair(1);
    assert!(bench.run().await.0.is_empty(), "it is known");
}
