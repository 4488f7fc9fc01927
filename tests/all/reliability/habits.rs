//! AWS as it is: what is new is not visible at once, what is gone holds on for minutes, what is made takes long, and one call in
//! twenty is throttled.

use rcm::Goal;
use rcm::engine::run::{OnFailure, Outcome};
use rcm_testkit::calls::{Fault, Rule, habits};

use super::canon::{difference, inventory};
use super::world::{ACME, Disk, Order, Ran, change, made, run, scratch, with_settings};

/// At the calm pace of ten seconds a poll: five minutes for everything that takes its time.
const SLOW: u32 = 30;

fn troubled(dir: &std::path::Path, order: &Order<'_>, seed: u64) -> Ran {
    run(dir, order, |wire, settings| {
        settings.on_failure = Some(OnFailure::Keep);
        habits().into_iter().for_each(|habit| wire.trouble(habit));
        wire.trouble(Rule::new(Fault::refuse(400, "ThrottlingException")).chance(50, seed));
    })
}

/// The run ends as one against a cloud without habits does.
fn ends_the_same(what: &str, start: &Disk, order: &Order<'_>) {
    let calm = scratch();
    start.write(calm.path());
    let calls = run(calm.path(), order, |_, _| {}).calls.len();
    for seed in 1..=3 {
        let dir = scratch();
        start.write(dir.path());
        let ran = troubled(dir.path(), &Order { polls: SLOW, ..order.clone() }, seed);
        let outcome = ran.result.unwrap_or_else(|error| panic!("{what}, seed {seed}: {error}")).outcome;
        assert!(matches!(outcome, Outcome::Done), "{what}, seed {seed}: {outcome:?}");
        let read = |dir: &tempfile::TempDir| inventory(&Disk::read(dir.path()));
        let difference = difference(&read(&calm), &read(&dir));
        assert!(difference.is_empty(), "{what}, seed {seed}:\n{difference}");
        assert!(ran.calls.len() > calls, "{what}: the habits were met");
    }
}

#[test]
fn a_whole_life_among_the_habits_of_aws_is_as_one_without() {
    ends_the_same("provision", &Disk::default(), &Order { file: ACME, goal: Goal::provision(), polls: 1 });
    let (before, after) = change();
    ends_the_same("change", &made(&before), &Order { file: &after, goal: Goal::provision(), polls: 1 });
    ends_the_same("destroy", &made(ACME), &Order { file: ACME, goal: Goal::destroy(), polls: 1 });
}

#[test]
fn what_is_slow_at_the_edge_comes_and_goes_among_the_habits_too() {
    let file = with_settings(ACME, "waf = \"block\"\nvpc_endpoints = true");
    ends_the_same("add", &made(ACME), &Order { file: &file, goal: Goal::provision(), polls: 1 });
    ends_the_same("take away", &made(&file), &Order { file: ACME, goal: Goal::provision(), polls: 1 });
    ends_the_same("destroy", &made(&file), &Order { file: &file, goal: Goal::destroy(), polls: 1 });
}
