//! Failed at every call: rolled back clean, or gone on with by the next run; and what passes by itself is noticed by nobody.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcm::engine::model::Address;
use rcm::engine::run::{Aftermath, OnFailure, Outcome};
use rcm::{Goal, Report, Settings};
use rcm_testkit::calls::{Call, Calls, Fault, Rule, Wire};
use serde_json::Value;

use super::canon::{difference, inventory, standing};
use super::world::{ACME, Disk, Order, Ran, change, each, made, roll_back, run, scratch, told, zoned};

/// A run, what it begins with and what it leaves when nothing is in its way.
pub(super) struct Scene<'a> {
    start: Disk,
    order: Order<'a>,
    before: Vec<String>,
    end: Vec<String>,
    calls: Calls,
    /// Which third of the calls is to fail, or all of them.
    third: Option<usize>,
}

impl<'a> Scene<'a> {
    pub(super) fn new(start: Disk, order: Order<'a>) -> Self {
        let dir = scratch();
        start.write(dir.path());
        let ran = run(dir.path(), &order, |_, _| {});
        assert!(matches!(ran.result.unwrap().outcome, Outcome::Done));
        let end = inventory(&Disk::read(dir.path()));
        Self { before: standing(&start), end, calls: ran.calls, start, order, third: None }
    }

    /// The same with only each third call failing, from this one on. For what is tried in three ways, each call in one of them, where
    /// each call in each would take too long.
    pub(super) fn third(self, which: usize) -> Self {
        Self { third: Some(which), ..self }
    }

    /// Every call by its number, with the fault that it shall meet.
    fn points(&self, fault: impl Fn(usize) -> Fault) -> Vec<(usize, Fault)> {
        (1..=self.calls.len()).filter(|nth| self.fails(*nth)).map(|nth| (nth, fault(nth))).collect()
    }

    fn fails(&self, nth: usize) -> bool {
        self.third.is_none_or(|third| nth % 3 == third)
    }

    fn fail(&self, dir: &Path, (nth, fault): &(usize, Fault), on_failure: OnFailure) -> Ran {
        self.start.write(dir);
        run(dir, &self.order, |wire, settings| {
            settings.on_failure = Some(on_failure);
            wire.trouble(Rule::new(fault.clone()).nth(*nth));
        })
    }

    fn go_on(&self, dir: &Path) -> Result<(), String> {
        match run(dir, &self.order, |_, _| {}).result {
            Ok(report) if matches!(report.outcome, Outcome::Done) => same(&self.end, dir),
            other => Err(format!("the next run: {}", told(&other))),
        }
    }
}

fn same(expected: &[String], dir: &Path) -> Result<(), String> {
    equal(expected, &inventory(&Disk::read(dir)))
}

fn undone(before: &[String], dir: &Path) -> Result<(), String> {
    equal(before, &standing(&Disk::read(dir)))
}

fn equal(expected: &[String], found: &[String]) -> Result<(), String> {
    let difference = difference(expected, found);
    if difference.is_empty() { Ok(()) } else { Err(difference) }
}

/// Which call it was, for a message.
fn named(ran: &Ran, nth: usize) -> String {
    let call = ran.calls.iter().nth(nth - 1);
    let told: String = told(&ran.result).chars().take(400).collect();
    format!("call {nth} {}: {told}", call.map(|call| call.operation.to_string()).unwrap_or_default())
}

fn denied(_: usize) -> Fault {
    Fault::refuse(403, "AccessDeniedException")
}

/// Whatever fails for good, the cloud is as it was before; but for what fails among the deletes, which the next run goes on with.
pub(super) fn rolls_back(what: &str, scene: &Scene<'_>) {
    let points = scene.points(denied);
    each(what, &points, |point, dir| {
        let ran = scene.fail(dir, point, OnFailure::Rollback);
        let checked = match &ran.result {
            Err(_) => undone(&scene.before, dir),
            Ok(Report { outcome: Outcome::Done, .. }) => same(&scene.end, dir),
            Ok(Report { outcome: Outcome::Failed { aftermath: Aftermath::RolledBack, .. }, .. }) => {
                undone(&scene.before, dir)
            }
            Ok(report) => match may_be_kept(report) {
                true => scene.go_on(dir),
                false => Err("it is not one of the deletes, and was not rolled back".to_owned()),
            },
        };
        checked.map_err(|why| format!("{}\n{why}", named(&ran, point.0)))
    });
    println!("{what}: {} points of failure rolled back, nothing left behind, nothing lost", points.len());
}

/// Whether all that failed is among what cannot be undone: then what was done before it stays.
fn may_be_kept(Report { plan, outcome, .. }: &Report) -> bool {
    let Outcome::Failed { failures, aftermath: Aftermath::Kept } = outcome else { return false };
    let last: BTreeSet<&Address> =
        plan.cleanup.iter().map(|step| &step.address).chain(plan.discards.iter().map(|left| &left.address)).collect();
    failures.iter().all(|(address, _)| last.contains(address))
}

/// Whatever fails for good, the next run goes on.
pub(super) fn goes_on(what: &str, scene: &Scene<'_>) {
    let points = scene.points(denied);
    each(what, &points, |point, dir| {
        let ran = scene.fail(dir, point, OnFailure::Keep);
        let checked = match &ran.result {
            Ok(Report { outcome: Outcome::Done, .. }) => same(&scene.end, dir),
            _ => scene.go_on(dir),
        };
        checked.map_err(|why| format!("{}\n{why}", named(&ran, point.0)))
    });
    println!("{what}: {} points of failure, each gone on with", points.len());
}

/// Whatever passes by itself, the run succeeds; and no call that must not be executed twice is sent again before AWS was asked.
pub(super) fn shrugs_off(what: &str, scene: &Scene<'_>) {
    let points = scene.points(|nth| match nth % 5 {
        0 => Fault::refuse(400, "ThrottlingException"),
        1 => Fault::refuse(503, "ServiceUnavailable"),
        2 => Fault::refuse(500, "InternalFailure"),
        3 => Fault::Reset,
        _ => Fault::Timeout,
    });
    let lost = scene.calls.iter().enumerate().filter(|(_, call)| call.operation.mutating);
    let lost = lost.map(|(at, _)| (at + 1, Fault::Cut)).filter(|(nth, _)| scene.fails(*nth));
    let points: Vec<_> = points.into_iter().chain(lost).collect();
    each(what, &points, |point, dir| {
        let ran = scene.fail(dir, point, OnFailure::Keep);
        let checked = match &ran.result {
            Ok(Report { outcome: Outcome::Done, .. }) => {
                same(&scene.end, dir).and_then(|()| looked_up(&ran.calls, point))
            }
            _ => Err("it was noticed".to_owned()),
        };
        checked.map_err(|why| format!("{:?} at {}\n{why}", point.1, named(&ran, point.0)))
    });
    println!("{what}: {} transient faults, none noticed", points.len());
}

/// Operations that make something new each time they are executed.
pub(super) fn makes(name: &str) -> bool {
    ["Allocate", "Authorize", "ChangeResourceRecordSets", "Copy", "Create", "Register", "Request", "Restore", "Run"]
        .iter()
        .any(|verb| name.starts_with(verb))
}

/// What is looked up by no name of its own: the create, and the list that shows it among others.
const LISTED: &[(&str, &str)] = &[
    ("CreateKey", "ListKeys"),
    ("CreateAlias", "ListAliases"),
    ("RequestCertificate", "ListCertificates"),
    ("CreateListener", "DescribeListeners"),
    ("CreateServiceLinkedRole", "ListRoles"),
    ("CreateAnalyzer", "ListAnalyzers"),
    ("CreateDetector", "ListDetectors"),
    ("CreateTrail", "DescribeTrails"),
    ("CreateWebACL", "ListWebACLs"),
    ("CreateBackupPlan", "ListBackupPlans"),
    ("CreateBackupSelection", "ListBackupSelections"),
    ("CreateService", "ListServices"),
    ("CreateVpcConnector", "ListVpcConnectors"),
];

/// Between a create whose outcome was unknown and the create of the same thing again, AWS was asked for that thing.
fn looked_up(calls: &Calls, (nth, fault): &(usize, Fault)) -> Result<(), String> {
    if matches!(fault, Fault::Refuse { code, .. } if code == "ThrottlingException") {
        return Ok(());
    }
    let calls: Vec<_> = calls.iter().collect();
    // The number of polls is not the same in every run: this one may have had a call less.
    let Some(failed) = calls.get(nth - 1).filter(|call| makes(&call.operation.name)) else { return Ok(()) };
    let same = |call: &&Call| call.operation == failed.operation && thing(call) == thing(failed);
    let Some(again) = calls[*nth..].iter().copied().position(|call| same(&call)) else { return Ok(()) };
    let names = names(failed);
    let by_list = |call: &Call| LISTED.contains(&(failed.operation.name.as_str(), call.operation.name.as_str()));
    let asks = |call: &&Call| {
        let about = call.operation.service == failed.operation.service && !call.operation.mutating;
        about && (by_list(call) || words(call).any(|word| names.contains(&word)))
    };
    match calls[*nth..*nth + again].iter().copied().any(|call| asks(&call)) {
        true => Ok(()),
        false => Err(format!("{} of {} was sent again without a look at it", failed.operation, thing(failed))),
    }
}

/// Which thing a create makes: the address in its tags, and otherwise all that it says.
fn thing(call: &Call) -> String {
    tagged(call).unwrap_or_else(|| call.body.clone())
}

/// The address that the ownership tags of a create say.
fn tagged(call: &Call) -> Option<String> {
    let body = decoded(call);
    let (_, after) = body.split_once("rcm:address")?;
    let address = |word: &&str| word.contains('/') && Address::new(*word).is_ok();
    split(after).find(address).map(str::to_owned)
}

/// What a look at the thing may ask for: its address, its names, its client token; for what is a part of something else and has
/// no tags, such as a route, the id of that.
fn names(call: &Call) -> BTreeSet<String> {
    const STEMS: [&str; 4] = ["acme-rcm-prod", "acme-rcm/", "acme.com", "rcm-account-baseline"];
    let tag = tagged(call);
    let is_hex = |word: &str| word.chars().all(|letter| letter.is_ascii_hexdigit());
    let is_id = |word: &str| word.split_once('-').is_some_and(|(_, id)| id.len() == 17 && is_hex(id));
    let is_name = |word: &String| {
        let token = word.len() == 32 && is_hex(word);
        token || STEMS.iter().any(|stem| word.contains(stem)) || (tag.is_none() && is_id(word))
    };
    words(call).filter(is_name).chain(tag.clone()).collect()
}

fn words(call: &Call) -> impl Iterator<Item = String> {
    let words: Vec<String> = split(&decoded(call)).map(str::to_owned).collect();
    words.into_iter()
}

/// The words of a text that addresses, names and tokens are among.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let part_of_a_word = |letter: char| letter.is_ascii_alphanumeric() || "/._-".contains(letter);
    text.split(move |letter| !part_of_a_word(letter)).filter(|word| !word.is_empty())
}

/// Path and body of a call without the percent encoding.
fn decoded(call: &Call) -> String {
    let text = format!("{} {}", call.target, call.body);
    let mut parts = text.split('%');
    let mut decoded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.get(..2).and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(code) => decoded.extend([char::from(code).to_string().as_str(), &part[2..]]),
            None => decoded.extend(["%", part]),
        }
    }
    decoded
}

/// A run that fails late, and whose rollback then fails for good at each of its calls in turn: what is left is what is named and
/// known, and the next rollback undoes it.
fn gets_stuck(what: &str, scene: &Scene<'_>, late: &'static str) {
    let failing = |wire: &Wire, settings: &mut Settings| {
        settings.on_failure = Some(OnFailure::Rollback);
        wire.trouble(Rule::new(denied(0)).operation(late).nth(1));
    };
    let dir = scratch();
    scene.start.write(dir.path());
    let calm = run(dir.path(), &scene.order, failing);
    let begun = calm.calls.iter().position(|call| call.operation.name == late).unwrap();
    let undoes = calm.calls.iter().enumerate().skip(begun + 1).filter(|(_, call)| call.operation.mutating);
    let points: Vec<usize> = undoes.map(|(at, _)| at + 1).collect();
    let stuck = AtomicUsize::new(0);
    each(what, &points, |nth, dir| {
        scene.start.write(dir);
        let ran = run(dir, &scene.order, |wire, settings| {
            failing(wire, settings);
            wire.trouble(Rule::new(denied(0)).nth(*nth));
        });
        let checked = match &ran.result {
            Ok(Report { outcome: Outcome::Failed { aftermath: Aftermath::Stuck(left), .. }, .. }) => {
                stuck.fetch_add(1, Ordering::SeqCst);
                exactly(left, dir).and_then(|()| match roll_back(dir, &scene.order) {
                    Ok(ended) if ended.left.is_empty() => undone(&scene.before, dir),
                    other => Err(format!("the next rollback: {other:?}")),
                })
            }
            // What was under way when the run failed may have failed too.
            Ok(Report { outcome: Outcome::Failed { aftermath: Aftermath::RolledBack, .. }, .. }) => {
                undone(&scene.before, dir)
            }
            _ => Err("not expected".to_owned()),
        };
        checked.map_err(|why| format!("{}\n{why}", named(&ran, *nth)))
    });
    let stuck = stuck.into_inner();
    assert!(stuck * 10 > points.len() * 8, "{what}: only {stuck} of {} got stuck", points.len());
    println!(
        "{what}: a rollback that failed at each of {} calls, {stuck} stuck with exactly what was left",
        points.len()
    );
}

/// What is named as left is what the state still knows to undo.
fn exactly(left: &[(Address, rcm::engine::model::Fault)], dir: &Path) -> Result<(), String> {
    let named: BTreeSet<&str> = left.iter().map(|(address, _)| address.as_str()).collect();
    let state = Disk::read(dir).state();
    let address = |undo: &Value| undo.get("address").or(undo.pointer("/before/address")).cloned();
    let known: Vec<Value> = state["undo"].as_array().into_iter().flatten().filter_map(address).collect();
    let known: BTreeSet<&str> = known.iter().filter_map(Value::as_str).collect();
    if named == known { Ok(()) } else { Err(format!("named as left {named:?}, known {known:?}")) }
}

fn provision() -> Scene<'static> {
    let (ground, file) = zoned();
    Scene::new(ground.clone(), Order { file, goal: Goal::provision(), polls: 1 })
}

fn destroy() -> Scene<'static> {
    let (_, file) = zoned();
    Scene::new(made(file), Order { file, goal: Goal::destroy(), polls: 1 })
}

#[test]
fn a_provision_that_fails_anywhere_leaves_nothing() {
    rolls_back("provision", &provision());
}

#[test]
fn a_provision_that_fails_anywhere_is_gone_on_with() {
    goes_on("provision", &provision());
}

#[test]
fn a_provision_shrugs_off_what_passes_by_itself() {
    shrugs_off("provision", &provision());
}

#[test]
fn a_change_that_fails_anywhere_is_undone_or_gone_on_with() {
    let (before, after) = change();
    let scene = Scene::new(made(&before), Order { file: &after, goal: Goal::provision(), polls: 1 });
    rolls_back("change", &scene);
    goes_on("change", &scene);
    shrugs_off("change", &scene);
}

#[test]
fn a_destroy_that_fails_anywhere_is_gone_on_with() {
    goes_on("destroy", &destroy());
    shrugs_off("destroy", &destroy());
}

#[test]
fn a_rollback_that_fails_anywhere_says_what_is_left_and_can_be_tried_again() {
    gets_stuck("provision", &provision(), "PutScalingPolicy");
    let (before, after) = change();
    let scene = Scene::new(made(&before), Order { file: &after, goal: Goal::provision(), polls: 1 });
    gets_stuck("change", &scene, "UpdateService");
}

/// Two deletes of a rollback fail for good: what is left is named exactly, and undone by the next attempt.
#[test]
fn a_rollback_that_gets_stuck_says_what_is_left_and_can_be_tried_again() {
    let scene = provision();
    let dir = scratch();
    scene.start.write(dir.path());
    let ran = run(dir.path(), &scene.order, |wire, settings| {
        settings.on_failure = Some(OnFailure::Rollback);
        wire.trouble(Rule::new(denied(0)).operation("CreateService"));
        wire.trouble(Rule::new(denied(0)).operation("DeleteVpc"));
        wire.trouble(Rule::new(denied(0)).operation("DeleteRepository").nth(1));
    });
    let Ok(Report { outcome: Outcome::Failed { aftermath: Aftermath::Stuck(left), .. }, .. }) = ran.result else {
        panic!("{}", told(&ran.result))
    };
    let mut left: Vec<_> = left.iter().map(|(address, _)| address.to_string()).collect();
    left.sort();
    let state = Disk::read(dir.path()).state();
    let known: Vec<_> = state["resources"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(left, known, "what is left is what is known");
    assert!(left.contains(&"network/vpc".to_owned()) && left.len() <= 3, "{left:?}");

    let ended = roll_back(dir.path(), &scene.order).unwrap();
    assert!(ended.left.is_empty(), "{ended:?}");
    undone(&scene.before, dir.path()).unwrap();
    assert!(roll_back(dir.path(), &scene.order).unwrap().undone.is_empty(), "there is nothing to undo any more");
    let again = run(dir.path(), &scene.order, |_, _| {}).result.unwrap();
    assert!(matches!(again.outcome, Outcome::Done), "{:?}", again.outcome);
    assert!(run(dir.path(), &scene.order, |_, _| {}).result.unwrap().plan.is_empty());
}

/// A run that died between its last step and its end: the next one finds nothing to do, and nothing can be undone after it.
#[test]
fn what_has_come_to_its_end_cannot_be_undone_any_more() {
    let start = made(ACME);
    let order = Order { file: ACME, goal: Goal::provision(), polls: 1 };
    let dir = scratch();
    start.with_undo(&["network/vpc", "database/instance"]).write(dir.path());
    let ran = run(dir.path(), &order, |_, _| {}).result.unwrap();
    assert!(matches!(ran.outcome, Outcome::Done) && ran.plan.is_empty(), "{:?}", ran.outcome);
    assert!(roll_back(dir.path(), &order).unwrap().undone.is_empty());
    same(&inventory(&start), dir.path()).unwrap();
}
