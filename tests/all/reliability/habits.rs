//! AWS as it is: what is new is not visible at once, what is gone holds on for minutes, what is made takes long, and one call in
//! twenty is throttled.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use rcm::Goal;
use rcm::engine::run::{OnFailure, Outcome};
use rcm_testkit::calls::{Fault, Rule, Unlisted, habits};

use super::canon::{difference, inventory};
use super::fail::makes;
use super::stage::{everything, play};
use super::world::{ACME, Disk, Order, Ran, change, each, ground, made, run, scratch, told, with, with_settings};

/// At the calm pace of ten seconds a poll: five minutes for everything that takes its time.
const SLOW: u32 = 30;

fn troubled(dir: &Path, order: &Order<'_>, seed: u64) -> Ran {
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
        // Nobody waits for the standards of Security Hub, which are slower here, too.
        let read = |dir: &tempfile::TempDir| inventory(&play(&Disk::read(dir.path()), async |_| {}));
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

#[test]
fn a_whole_life_with_everything_on_among_the_habits_of_aws_is_as_one_without() {
    let file = everything();
    let order = |goal| Order { file: &file, goal, polls: 1 };
    ends_the_same("provision of everything", &ground(&file), &order(Goal::provision()));
    ends_the_same("destroy of everything", &made(&file), &order(Goal::destroy()));
}

/// What AWS lists five seconds late, when the answer of its create is lost: the look is repeated, and nothing is made twice.
#[test]
fn what_is_listed_late_is_not_made_twice_when_an_answer_is_lost() {
    let file = everything();
    let (start, order) = (ground(&file), Order { file: &file, goal: Goal::provision(), polls: 1 });
    let calm = scratch();
    start.write(calm.path());
    let calls = run(calm.path(), &order, |_, _| {}).calls;
    let end = inventory(&Disk::read(calm.path()));
    let named = calls.iter().map(|call| call.operation.name.clone()).filter(|name| makes(name));
    let creates: BTreeSet<String> = named.chain(Unlisted::creates().map(str::to_owned)).collect();
    let each_of = |create: &String| (1..=calls.of(create).len()).map(|nth| (create.clone(), nth)).collect::<Vec<_>>();
    let points: Vec<(String, usize)> = creates.iter().flat_map(each_of).collect();
    assert!(points.len() > 60, "{points:?}");
    each("listed late", &points, |(create, nth), dir| {
        start.write(dir);
        let ran = lost(dir, &order, Duration::from_secs(5), create, *nth);
        let difference = difference(&end, &inventory(&Disk::read(dir)));
        match ran.result {
            Ok(report) if matches!(report.outcome, Outcome::Done) && difference.is_empty() => Ok(()),
            other => Err(format!("{create} {nth}: {}\n{difference}", told(&other))),
        }
    });
    println!("listed late: {} creates whose answers were lost, none made twice", points.len());
}

/// What reliability.md says cannot be promised, and what shows that the habit bites: a list that lags for longer than rcm looks.
#[test]
fn a_key_that_is_listed_later_than_anybody_looks_is_made_twice_and_found_as_added() {
    let order = Order { file: ACME, goal: Goal::provision(), polls: 1 };
    let dir = scratch();
    let ran = lost(dir.path(), &order, Duration::from_secs(60), "CreateKey", 1);
    assert!(matches!(ran.result.unwrap().outcome, Outcome::Done));
    assert_eq!(ran.calls.of("CreateKey").len(), 2);
    let drift = with(dir.path(), &order, |_, _| {}, async |rcm| rcm.drift().await).0.unwrap();
    let added: Vec<_> = drift.added.iter().map(|added| added.kind.as_str()).collect();
    assert_eq!(added, ["kms/key"]);
}

/// A run among lists that lag, in which the answer of the `nth` of these creates is lost.
fn lost(dir: &Path, order: &Order<'_>, lag: Duration, create: &str, nth: usize) -> Ran {
    run(dir, order, |wire, settings| {
        settings.on_failure = Some(OnFailure::Keep);
        wire.trouble(Unlisted::new(lag));
        wire.trouble(Rule::new(Fault::Cut).operation(create).nth(nth));
    })
}
