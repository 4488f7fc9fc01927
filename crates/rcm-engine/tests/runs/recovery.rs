//! The process dies at a call, and the next one goes on.

use rcm_engine::{model::Graph, plan::Wanted, run::Outcome};

use crate::cloud::{Bench, Trick, diamond};

const CREATES: [&str; 10] = [
    "create base",
    "configure base",
    "create left",
    "configure left",
    "create right",
    "configure right",
    "create top",
    "configure top",
    "create vault",
    "configure vault",
];

#[tokio::test(start_paused = true)]
async fn a_provision_that_dies_anywhere_is_completed_without_orphans() {
    for call in CREATES {
        for trick in [Trick::DieBefore, Trick::DieAfter] {
            let bench = Bench::new();
            bench.trick(call, [trick.clone()]);
            bench.crash().await;
            assert!(bench.unfinished());
            let (_, outcome) = bench.run().await;
            assert!(matches!(outcome, Outcome::Done), "{call} {trick:?}: {outcome:?}");
            assert_eq!(bench.inventory().len(), 5, "{call} {trick:?}");
            assert!(bench.run().await.0.is_empty(), "{call} {trick:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_that_dies_anywhere_is_completed() {
    let calls = ["create base", "configure base", "configure left", "configure right", "configure top", "delete base"];
    for call in calls {
        for trick in [Trick::DieBefore, Trick::DieAfter] {
            let mut bench = Bench::new();
            bench.run().await;
            bench.wanted.graph = diamond(2, "green");
            bench.trick(call, [trick.clone()]);
            bench.crash().await;
            let (_, outcome) = bench.run().await;
            assert!(matches!(outcome, Outcome::Done), "{call} {trick:?}: {outcome:?}");
            let inventory = bench.inventory();
            assert_eq!(inventory.len(), 5, "{call} {trick:?}");
            assert_eq!((inventory["base"].size, inventory["top"].color.as_str()), (2, "green"), "{call} {trick:?}");
            assert!(bench.run().await.0.is_empty(), "{call} {trick:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_destroy_that_dies_anywhere_is_completed() {
    for call in ["delete top", "delete left", "delete right", "delete base"] {
        for trick in [Trick::DieBefore, Trick::DieAfter] {
            let mut bench = Bench::new();
            bench.run().await;
            bench.wanted = Wanted { graph: Graph::new(), destroy: true, ..Wanted::default() };
            bench.trick(call, [trick.clone()]);
            bench.crash().await;
            let (_, outcome) = bench.run().await;
            assert!(matches!(outcome, Outcome::Done), "{call} {trick:?}: {outcome:?}");
            assert_eq!(bench.inventory().keys().collect::<Vec<_>>(), ["vault"], "{call} {trick:?}");
        }
    }
}
