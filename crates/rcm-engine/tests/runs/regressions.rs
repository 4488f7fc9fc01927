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
