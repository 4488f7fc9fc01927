//! Executing a plan: forward, then cleanup; or forward, failure, rollback.

use std::{collections::BTreeMap, future::Future, time::Duration};

use futures::future::{join_all, try_join_all};
use jiff::Timestamp;
use tokio::{sync::mpsc, task::JoinSet, time::Instant};

use super::{
    Aftermath, Engine, OnFailure, Outcome,
    call::{Halt, Sender, Verb},
    rollback::rollback,
    schedule::{Edge, Schedule},
    step::Worker,
    stop::Cancel,
};
use crate::{
    model::{Address, EventKind, Fault, Remnant},
    plan::{Action, Plan, Step},
    store::{Entry, Intent, Phase, Record},
};

/// Executes `plan`, to its end, to its failure, or until somebody cancels.
///
/// # Errors
/// When the journal cannot be written between steps: nothing is sent then.
pub async fn execute(engine: &Engine, plan: &Plan) -> Result<Outcome, Fault> {
    let begun = Instant::now();
    engine.0.events.run(EventKind::RunStarted { steps: plan.forward.len() + plan.cleanup.len() });
    let outcome = run(engine, plan).await;
    engine.0.events.run(EventKind::RunFinished { elapsed_ms: millis(begun.elapsed()) });
    outcome
}

async fn run(engine: &Engine, plan: &Plan) -> Result<Outcome, Fault> {
    // What an earlier run has left is not undone any more; but what was cut off is gone on with, and undone with this.
    if !engine.0.ledger.continues() {
        commit(engine).await?;
    }
    yielding(engine, plan).await?;
    let forward = steps(engine, &plan.forward).await;
    if !forward.failures.is_empty() {
        let aftermath = match engine.0.options.on_failure {
            // What cannot be written down cannot be undone either.
            OnFailure::Rollback if engine.0.ledger.is_writable() => rollback(engine).await,
            OnFailure::Rollback | OnFailure::Keep => Aftermath::Kept,
        };
        return Ok(Outcome::Failed { failures: forward.failures, aftermath });
    }
    if engine.0.cancel.is_cancelled() && !forward.complete {
        return Ok(Outcome::Cancelled);
    }
    if !forward.parked.is_empty() {
        return Ok(Outcome::Parked(forward.parked));
    }
    commit(engine).await?;
    // First of all that cannot be undone: what follows may be what it can be read with.
    let kept = discard(engine, &plan.discards).await;
    if !kept.is_empty() {
        return Ok(Outcome::Failed { failures: kept, aftermath: Aftermath::Kept });
    }
    let cleanup = steps(engine, &plan.cleanup).await;
    if !cleanup.failures.is_empty() {
        return Ok(Outcome::Failed { failures: cleanup.failures, aftermath: Aftermath::Kept });
    }
    Ok(if cleanup.complete { Outcome::Done } else { Outcome::Cancelled })
}

/// Deletes what earlier deletes have left, and returns what cannot be deleted.
async fn discard(engine: &Engine, remnants: &[Remnant]) -> Vec<(Address, Fault)> {
    let one = async |remnant: &Remnant| {
        let resource = engine.0.registry.get(&remnant.kind)?;
        let sender = Sender {
            calls: &engine.0.calls,
            events: &engine.0.events,
            stop: &engine.0.cancel,
            address: &remnant.address,
            kind: resource.kind(),
            busy_within: Duration::ZERO,
        };
        sender.send(Verb::Delete, || resource.discard(&remnant.id)).await?;
        engine.0.ledger.append(Entry::Discarded { remnant: remnant.clone(), at: Timestamp::now() }).await?;
        let (what, id) = (remnant.what.clone(), remnant.id.clone());
        engine.0.events.step(&remnant.address, EventKind::Discarded { what, id });
        Ok::<_, Halt>(())
    };
    let all = join_all(remnants.iter().map(async |remnant| (remnant, one(remnant).await))).await;
    let failed = all.into_iter().filter_map(|(remnant, result)| match result {
        Err(Halt::Fault(fault)) => Some((remnant.address.clone(), fault)),
        _ => None,
    });
    failed.collect()
}

/// What is to be deleted once everything else is there may lose something before: a new route table takes the old one's subnets.
/// So it counts as changed, and a rollback puts it back.
async fn yielding(engine: &Engine, plan: &Plan) -> Result<(), Fault> {
    if plan.forward.is_empty() {
        return Ok(());
    }
    let begins: Vec<Entry> = {
        let state = engine.0.ledger.state();
        let records = plan.cleanup.iter().filter(|step| matches!(step.action, Action::Delete { .. }));
        let records = records.filter_map(|step| state.record(&step.address, step.generation));
        let ready = records.filter(|record| record.phase == Phase::Ready);
        ready.map(|record| Entry::Begin { intent: unchanged(record), undo: false }).collect()
    };
    try_join_all(begins.into_iter().map(|entry| engine.0.ledger.append(entry))).await.map(drop)
}

/// An update to what is there already.
fn unchanged(record: &Record) -> Intent {
    Intent::Update {
        address: record.address.clone(),
        generation: record.generation,
        spec: record.spec.clone(),
        dependencies: record.dependencies.clone(),
        changed: record.spec.as_object().map(|spec| spec.keys().cloned().collect()),
        at: Timestamp::now(),
    }
}

/// From here on nothing that was done so far is undone.
pub(super) async fn commit(engine: &Engine) -> Result<(), Fault> {
    let nothing = engine.0.ledger.state().undo.is_empty();
    if nothing { Ok(()) } else { engine.0.ledger.append(Entry::Committed).await }
}

struct Passed {
    failures: Vec<(Address, Fault)>,
    parked: Vec<(Address, String)>,
    complete: bool,
}

async fn steps(engine: &Engine, steps: &[Step]) -> Passed {
    let typical: Vec<Duration> = steps
        .iter()
        .map(|step| engine.0.registry.get(&step.kind).map_or(Duration::ZERO, |resource| resource.pace().typical))
        .collect();
    let drive = Drive::new(edges(steps), &typical, engine.0.cancel.clone(), true);
    let stop = drive.stop.clone();
    let ended = drive
        .run(|at, minted| {
            let (engine, step, stop) = (engine.clone(), steps[at].clone(), stop.clone());
            async move { one(&engine, &step, &stop, &minted).await }
        })
        .await;
    let name = |at: usize| steps[at].address.clone();
    let stopped = engine.0.cancel.is_cancelled() || !ended.failures.is_empty() || !ended.parked.is_empty();
    let circular = ended.blocked.iter().filter(|_| !stopped).map(|at| (*at, circular(&steps[*at])));
    let failures = ended.failures.into_iter().chain(circular);
    Passed {
        failures: failures.map(|(at, fault)| (name(at), fault)).collect(),
        parked: ended.parked.into_iter().map(|(at, what)| (name(at), what)).collect(),
        complete: ended.complete,
    }
}

/// Nothing has stopped the run, and still a step has not begun.
fn circular(step: &Step) -> Fault {
    let message = format!(
        "{} and others need each other, as a change that was not brought to its end has left them: provision first",
        step.address
    );
    Fault::invalid(step.action.word(), message)
}

fn edges(steps: &[Step]) -> Vec<Vec<Edge>> {
    let mut at: BTreeMap<&Address, Vec<usize>> = BTreeMap::new();
    for (index, step) in steps.iter().enumerate() {
        at.entry(&step.address).or_default().push(index);
    }
    let of = |step: &Step| {
        let named = step.waits_for.iter().filter_map(|(address, early)| Some((at.get(address)?, *early)));
        named.flat_map(|(targets, early)| targets.iter().map(move |to| Edge { to: *to, early })).collect()
    };
    steps.iter().map(of).collect()
}

async fn one(engine: &Engine, step: &Step, stop: &Cancel, minted: &Minted) -> Ended {
    let begun = Instant::now();
    let action = step.action.word();
    let tell = |kind| engine.0.events.step(&step.address, kind);
    tell(EventKind::StepStarted { action, resource: step.kind.clone() });
    match work(engine, step, stop, minted).await {
        Ok(()) => {
            tell(EventKind::StepDone { action, elapsed_ms: millis(begun.elapsed()) });
            Ended::Done
        }
        Err(Halt::Fault(fault)) => {
            tell(EventKind::StepFailed { fault: fault.clone() });
            let (address, generation) = (step.address.clone(), step.generation);
            // If this cannot be written either, the fault at hand is still the one to report.
            let _ = engine.0.ledger.append(Entry::Failed { address, generation, fault: fault.clone() }).await;
            Ended::Failed(fault)
        }
        Err(Halt::Parked(what)) => {
            tell(EventKind::StepParked { what: what.clone() });
            Ended::Parked(what)
        }
        Err(Halt::Interrupted) => Ended::Interrupted,
    }
}

async fn work(engine: &Engine, step: &Step, stop: &Cancel, minted: &Minted) -> Result<(), Halt> {
    let resource = engine.0.registry.get(&step.kind)?.clone();
    let worker = Worker { engine, resource, address: &step.address, generation: step.generation, stop, undo: false };
    worker.run(step, &|| minted.tell()).await
}

fn millis(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// How one step ended.
#[derive(Debug)]
pub(super) enum Ended {
    Done,
    Failed(Fault),
    Parked(String),
    Interrupted,
}

/// How all of them ended. What is in none of the lists was never started or was interrupted.
pub(super) struct Driven {
    pub(super) failures: Vec<(usize, Fault)>,
    pub(super) parked: Vec<(usize, String)>,
    pub(super) blocked: Vec<usize>,
    pub(super) complete: bool,
}

/// Tells the driver that a step's id is known.
pub(super) struct Minted {
    step: usize,
    news: mpsc::UnboundedSender<usize>,
}

impl Minted {
    fn tell(&self) {
        // The driver outlives its steps; if it is gone, nobody waits for the id.
        let _ = self.news.send(self.step);
    }
}

/// Runs steps as their edges allow. Steps are tasks of their own that are never dropped half way: stopping means that no new
/// one starts and that each ends at its next safe point.
pub(super) struct Drive {
    schedule: Schedule,
    count: usize,
    cancel: Cancel,
    pub(super) stop: Cancel,
    stop_on_failure: bool,
}

impl Drive {
    pub(super) fn new(edges: Vec<Vec<Edge>>, typical: &[Duration], cancel: Cancel, stop_on_failure: bool) -> Self {
        let count = edges.len();
        Self { schedule: Schedule::new(edges, typical), count, cancel, stop: Cancel::new(), stop_on_failure }
    }

    pub(super) async fn run<F>(mut self, work: impl Fn(usize, Minted) -> F) -> Driven
    where
        F: Future<Output = Ended> + Send + 'static,
    {
        let (news, mut minted) = mpsc::unbounded_channel();
        let mut tasks: JoinSet<(usize, Ended)> = JoinSet::new();
        let mut driven = Driven { failures: Vec::new(), parked: Vec::new(), blocked: Vec::new(), complete: false };
        let mut started = vec![false; self.count];
        loop {
            if !self.stop.is_cancelled() && !self.cancel.is_cancelled() {
                for step in self.schedule.take_ready() {
                    started[step] = true;
                    let future = work(step, Minted { step, news: news.clone() });
                    tasks.spawn(async move { (step, future.await) });
                }
            }
            if tasks.is_empty() {
                break;
            }
            tokio::select! {
                Some(step) = minted.recv() => self.schedule.minted(step),
                Some(joined) = tasks.join_next() => self.ended(joined, &mut driven),
                () = self.cancel.cancelled(), if !self.stop.is_cancelled() => self.stop.cancel(),
            }
        }
        driven.blocked = (0..self.count).filter(|step| !started[*step]).collect();
        driven.complete = self.schedule.complete();
        driven
    }

    fn ended(&mut self, joined: Result<(usize, Ended), tokio::task::JoinError>, driven: &mut Driven) {
        match joined {
            Ok((step, Ended::Done)) => self.schedule.done(step),
            Ok((step, Ended::Failed(fault))) => {
                driven.failures.push((step, fault));
                if self.stop_on_failure {
                    self.stop.cancel();
                }
            }
            Ok((step, Ended::Parked(what))) => driven.parked.push((step, what)),
            Ok((_, Ended::Interrupted)) => {}
            // A bug in a step: its journal entry is there, so the next run looks at it. Nothing new starts in this one.
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => self.stop.cancel(),
        }
    }
}
