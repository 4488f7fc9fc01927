//! Leaving for good, and coming back.

use rcm::Goal;
use rcm::engine::{model::Address, run::Outcome};

use super::canon::{difference, inventory, standing};
use super::crash::everywhere;
use super::world::{ACME, Disk, Order, made, run, scratch, with};

fn order(goal: Goal) -> Order<'static> {
    Order { file: ACME, goal, polls: 1 }
}

fn purge() -> Goal {
    Goal { purge: true, ..Goal::destroy() }
}

/// What is there once `goal` has been brought about over `disk`.
fn after(disk: &Disk, goal: Goal) -> Disk {
    let dir = scratch();
    disk.write(dir.path());
    let outcome = run(dir.path(), &order(goal), |_, _| {}).result.unwrap().outcome;
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    Disk::read(dir.path())
}

fn snapshots(disk: &Disk) -> usize {
    disk.cloud()["rds"]["snapshots"].as_object().unwrap().len()
}

#[test]
fn a_purge_takes_what_earlier_destroys_have_left_before_the_key_that_reads_it() {
    let destroyed = after(&made(ACME), Goal::destroy());
    assert_eq!(snapshots(&destroyed), 1);
    let twice = after(&after(&destroyed, Goal::provision()), Goal::destroy());
    assert_eq!(snapshots(&twice), 2, "each destroy leaves its own");
    let purged = after(&twice, purge());
    assert_eq!(snapshots(&purged), 0);
    assert_eq!(standing(&purged), Vec::<String>::new(), "nothing is left but what AWS itself keeps for a while");
}

#[test]
fn a_purge_that_is_killed_anywhere_is_finished_by_the_next() {
    everywhere("purge after a destroy", &after(&made(ACME), Goal::destroy()), &order(purge()));
}

#[test]
fn a_partner_that_left_can_come_back() {
    let made = made(ACME);
    let fresh = inventory(&made);
    for (what, goal) in [("destroy", Goal::destroy()), ("purge", purge())] {
        let back = inventory(&after(&after(&made, goal), Goal::provision()));
        // What the first life has left stays beside the second: final snapshots, keys in their waiting period. The revisions of
        // a task definition count on.
        let counts_on =
            |line: &str| ["ecs families ", "state compute/task-def"].iter().any(|mark| line.starts_with(mark));
        let missing = fresh.iter().filter(|line| !back.contains(line) && !counts_on(line));
        let missing: Vec<String> = missing.cloned().collect();
        assert_eq!(difference(&missing, &[]), "", "after a {what}, a provision lacks");
    }
}

#[test]
fn what_keeps_a_network_from_going_is_named() {
    let dir = scratch();
    made(ACME).write(dir.path());
    let destroy = order(Goal::destroy());
    let subnet = Address::new("network/subnet/public-a").unwrap();
    let forget = with(
        dir.path(),
        &destroy,
        |_, _| {},
        async |environment| {
            let id = environment.state()?.resources[&subnet].id.clone();
            environment.forget(&subnet).await.map(|()| id.unwrap())
        },
    );
    let id = forget.0.unwrap();

    let outcome = run(dir.path(), &destroy, |_, _| {}).result.unwrap().outcome;
    let Outcome::Failed { failures, .. } = outcome else { panic!("{outcome:?}") };
    let told = failures.iter().find(|(address, _)| address.as_str() == "network/vpc").unwrap().1.to_string();
    assert!(told.contains("DependencyViolation") && told.contains(&format!("Held by {id} ({subnet})")), "{told}");
}
