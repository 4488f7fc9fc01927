//! Provision, nothing, change, replace, destroy.

use std::collections::BTreeSet;

use rcm_engine::{
    model::{Address, FaultKind, Graph, Remnant},
    plan::{Action, Wanted},
    run::Outcome,
};

use crate::cloud::{Bench, Trick, diamond};

#[tokio::test(start_paused = true)]
async fn what_is_wanted_exists_and_a_second_run_changes_nothing() {
    let bench = Bench::new();
    let (plan, outcome) = bench.run().await;
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert_eq!(plan.counts()["create"], 5);
    let inventory = bench.inventory();
    assert_eq!(inventory.keys().collect::<Vec<_>>(), ["base", "left", "right", "top", "vault"]);
    assert_eq!(inventory["top"].needs.len(), 2);
    assert_eq!(inventory["left"].color, "red");
    bench.mutations();
    let (plan, outcome) = bench.run().await;
    assert!(plan.is_empty() && matches!(outcome, Outcome::Done));
    assert_eq!((plan.unchanged, bench.mutations()), (5, 0));
    assert!(!bench.unfinished());
}

#[tokio::test(start_paused = true)]
async fn drift_is_seen_and_repaired() {
    let bench = Bench::new();
    bench.run().await;
    bench
        .cloud
        .lock()
        .unwrap()
        .toys
        .values_mut()
        .filter(|toy| toy.address == "left")
        .for_each(|toy| toy.color = "pink".into());
    let (plan, _) = bench.run().await;
    assert_eq!(plan.counts().into_iter().collect::<Vec<_>>(), [("update", 1)]);
    assert_eq!(bench.inventory()["left"].color, "red");
}

#[tokio::test(start_paused = true)]
async fn what_was_deleted_outside_is_made_again() {
    let bench = Bench::new();
    bench.run().await;
    bench.cloud.lock().unwrap().toys.retain(|_, toy| toy.address != "top");
    let (plan, outcome) = bench.run().await;
    assert!(matches!(&plan.forward[0].action, Action::Create { again: Some(_) }));
    assert!(matches!(outcome, Outcome::Done));
    assert_eq!(bench.inventory().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_replacement_stands_before_its_predecessor_goes() {
    let mut bench = Bench::new();
    bench.run().await;
    bench.wanted.graph = diamond(2, "red");
    let (plan, outcome) = bench.run().await;
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert_eq!(plan.counts().into_iter().collect::<Vec<_>>(), [("replace", 1), ("update", 2)]);
    let inventory = bench.inventory();
    assert_eq!((inventory["base"].size, inventory["base"].generation), (2, 2));
    assert!(bench.state().superseded.is_empty());
    let (plan, _) = bench.run().await;
    assert!(plan.is_empty(), "{plan:#?}");
}

#[tokio::test(start_paused = true)]
async fn the_same_inputs_give_the_same_plan() {
    let plan = |bench: Bench| async move { serde_json::to_value(bench.run().await.0.forward).unwrap() };
    assert_eq!(plan(Bench::new()).await, plan(Bench::new()).await);
}

#[tokio::test(start_paused = true)]
async fn destroy_keeps_what_is_kept_and_a_purge_does_not() {
    let mut bench = Bench::new();
    bench.run().await;
    bench.wanted = Wanted { graph: Graph::new(), destroy: true, ..Wanted::default() };
    let (plan, outcome) = bench.run().await;
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    assert_eq!(plan.retained.len(), 1);
    assert_eq!(bench.inventory().keys().collect::<Vec<_>>(), ["vault"]);
    assert!(bench.state().resources.values().all(|record| record.retained));

    bench.wanted = Wanted { graph: diamond(1, "red"), ..Wanted::default() };
    let (plan, _) = bench.run().await;
    assert_eq!(plan.counts().into_iter().collect::<Vec<_>>(), [("adopt", 1), ("create", 4)]);
    assert_eq!(bench.inventory().len(), 5);

    bench.wanted = Wanted { graph: Graph::new(), destroy: true, purge: true, ..Wanted::default() };
    bench.purge = true;
    bench.run().await;
    assert!(bench.inventory().is_empty());
    assert!(bench.state().resources.is_empty());
}

#[tokio::test(start_paused = true)]
async fn data_is_not_replaced_before_somebody_names_it() {
    let mut bench = Bench::new();
    bench.run().await;
    let mut graph = Graph::new();
    graph.add::<crate::cloud::Vault>("vault", crate::cloud::spec(9, "red", &[]));
    bench.wanted.graph = graph.finish().unwrap();
    let blocked = bench.run().await.0.blocked;
    assert_eq!(blocked.len(), 1);
    assert_eq!(blocked[0].address.as_str(), "vault");
}

#[tokio::test(start_paused = true)]
async fn what_a_delete_leaves_on_purpose_is_remembered_once_it_has_succeeded() {
    let mut bench = Bench::new();
    bench.run().await;
    let id = |address: &str| bench.state().resources[&Address::new(address).unwrap()].id.clone().unwrap();
    let top = id("top");
    bench.wanted = Wanted { graph: Graph::new(), destroy: true, ..Wanted::default() };
    bench.trick("delete top", [Trick::LoseAnswer]);
    bench.trick("delete right", [Trick::Refuse(FaultKind::Denied)]);
    let (_, outcome) = bench.run().await;
    assert!(matches!(outcome, Outcome::Failed { .. }), "{outcome:?}");
    let left = |bench: &Bench| bench.state().remnants;
    let of = |remnants: &[Remnant], address: &str| {
        remnants.iter().filter(|remnant| remnant.address.as_str() == address).cloned().collect::<Vec<_>>()
    };
    let [of_top] = &of(&left(&bench), "top")[..] else { panic!("sent twice, left once: {:?}", left(&bench)) };
    assert_eq!((of_top.what.as_str(), of_top.id.as_str()), ("photograph", format!("photograph-of-{top}").as_str()));
    assert!(of_top.since.is_some(), "{of_top:?}");
    assert!(of(&left(&bench), "right").is_empty(), "a delete that was refused leaves nothing");

    bench.run().await;
    let all: BTreeSet<String> = left(&bench).into_iter().map(|remnant| remnant.address.to_string()).collect();
    assert_eq!(all.iter().collect::<Vec<_>>(), ["base", "left", "right", "top"], "of both runs");
    assert_eq!(bench.cloud.lock().unwrap().photographs.len(), 4);

    bench.wanted.purge = true;
    bench.purge = true;
    bench.trick(&format!("discard photograph-of-{top}"), [Trick::Refuse(FaultKind::Denied)]);
    let (plan, outcome) = bench.run().await;
    assert_eq!(plan.discards.len(), 4);
    let Outcome::Failed { failures, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(failures[0].0.as_str(), "top");
    assert!(bench.state().resources.contains_key(&Address::new("vault").unwrap()), "what it may be read with stays");
    assert_eq!(left(&bench), std::slice::from_ref(of_top), "the others are deleted");
    bench.run().await;
    assert_eq!(left(&bench), [], "a purge leaves nothing");
    let world = bench.cloud.lock().unwrap();
    assert!(world.toys.is_empty() && world.photographs.is_empty(), "{:?} {:?}", world.toys, world.photographs);
}
