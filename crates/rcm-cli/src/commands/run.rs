//! What `provision` and `destroy` share: the plan is shown, a person is asked, and what happens is told as it happens.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use rcm::{
    Error, Goal, Report, Settings,
    cost::Change,
    engine::{
        model::{Address, Event, EventKind, Events},
        plan::Plan,
        run::Cancel,
    },
};
use serde_json::Value;

use super::{
    saved,
    show::{Show, keep_telling},
};
use crate::{
    args::{Format, Globals, Refresh},
    error::{CommandError, Exit},
    render::{compliance, cost, json, plan, report},
    session::{Needs, Session},
    signals::{self, Stake},
    terminal,
};

/// What is run.
pub(super) struct Job {
    /// `provision` or `destroy`.
    pub(super) verb: &'static str,
    /// What it is to bring about.
    pub(super) goal: Goal,
    /// What a person types to say yes, given the partner's name.
    pub(super) consent: Consent,
}

/// How a person says yes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Consent {
    /// By `y`.
    Yes,
    /// By the partner's name.
    PartnerName,
    /// By the partner's name, and once more.
    Purge,
}

/// Runs it and tells how it went.
pub(super) async fn run(
    globals: &Globals,
    job: Result<Job, CommandError>,
    tune: impl FnOnce(&mut Settings),
) -> Result<Exit, CommandError> {
    let result = match job {
        Ok(job) => tell_run(globals, &job, tune).await,
        Err(error) => Err(error),
    };
    if let Err(error) = &result
        && globals.output == Format::Json
    {
        terminal::out(&json::error(error))?;
    }
    result
}

async fn tell_run(globals: &Globals, job: &Job, tune: impl FnOnce(&mut Settings)) -> Result<Exit, CommandError> {
    let begun = Instant::now();
    let show = Arc::new(Show::new(globals.output));
    let (cancel, stake) = (Cancel::new(), Stake::new(true));
    let awaited = Arc::new(Awaited::default());
    let (shown, followed, noted) = (Arc::clone(&show), stake.clone(), Arc::clone(&awaited));
    let events = Events::to(move |event| {
        followed.follow(event);
        noted.note(event);
        shown.event(event);
    });
    let said = Arc::clone(&show);
    signals::listen(cancel.clone(), stake, move |line| said.say(line))?;
    tokio::spawn(keep_telling(Arc::clone(&show)));
    let needs = Needs { verb: job.verb, cloud: true, events, cancel: cancel.clone() };
    let session = Session::open(globals, needs, tune).await?;
    let asked = Asked::default();
    let result = session.environment.run(&job.goal, |plan| approve(globals, job, &session, &show, &asked, plan)).await;
    show.finish();
    let report = match result {
        Ok(report) => report,
        Err(_) if cancel.is_cancelled() => return Err(stopped(&session, job)),
        Err(Error::Declined) if asked.nobody() => return Err(nobody_to_ask(&session, job)),
        Err(error) => {
            // What is refused is shown too: a person sees what would go, and why.
            match &error {
                Error::Blocked(plan) => show_plan(&session, &show, plan, "", true),
                Error::Preflight { plan, .. } => show_plan(&session, &show, plan, "", true),
                Error::Breaches { plan, breaches } => {
                    show_plan(&session, &show, plan, &compliance::breaches(breaches), true);
                }
                _ => {}
            }
            return Err(refused(&session, job, &error));
        }
    };
    let exit = report::exit(&report.outcome);
    let (name, took, awaited) = (session.name(), begun.elapsed(), awaited.all());
    // What was done is told also where it cannot be certified.
    let (certificate, uncertified) = match certify(&session, job, exit) {
        Ok(certificate) => (certificate, None),
        Err(error) => (None, Some(error)),
    };
    let full = globals.refresh == Refresh::Full;
    let next = &session.next;
    let run = report::Run { verb: job.verb, name: &name, full, took, next, awaited: &awaited, certificate };
    tell(globals, &report, &run, exit)?;
    uncertified.map_or(Ok(exit), Err)
}

fn tell(globals: &Globals, report: &Report, run: &report::Run<'_>, exit: Exit) -> Result<(), CommandError> {
    match globals.output {
        Format::Human => terminal::out(&report::report(report, run)),
        Format::Json => terminal::out(&json::result(report, exit, run)),
    }
}

/// Certifies that everything is gone, if it is, and says where.
fn certify(session: &Session, job: &Job, exit: Exit) -> Result<Option<[PathBuf; 2]>, CommandError> {
    if !job.goal.destroy || exit != Exit::Done {
        return Ok(None);
    }
    let environment = &session.environment;
    let filed = environment.certificate().and_then(|found| found.map(|found| environment.file(&found)).transpose());
    filed.map_err(|error| session.error(&error))
}

/// What somebody outside was asked to do, by resource.
#[derive(Default)]
struct Awaited(Mutex<BTreeMap<Address, Value>>);

impl Awaited {
    fn note(&self, event: &Event) {
        if let (Some(address), EventKind::Awaiting { details, .. }) = (&event.address, &event.kind) {
            self.lock().insert(address.clone(), details.clone());
        }
    }

    fn all(&self) -> BTreeMap<Address, Value> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Address, Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether approval failed for want of somebody to ask.
#[derive(Debug, Default)]
pub(super) struct Asked(AtomicBool);

impl Asked {
    pub(super) fn nobody(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

pub(super) fn approve(
    globals: &Globals,
    job: &Job,
    session: &Session,
    show: &Show,
    asked: &Asked,
    plan: &Plan,
) -> bool {
    show_plan(session, show, plan, "", globals.yes);
    if globals.yes {
        return true;
    }
    if !terminal::can_ask() {
        asked.0.store(true, Ordering::SeqCst);
        return false;
    }
    // The other thread goes on listening for signals.
    tokio::task::block_in_place(|| consent(job.consent, &session.environment.config().partner))
}

/// Shows the plan, and `more` below it.
pub(super) fn show_plan(session: &Session, show: &Show, plan: &Plan, more: &str, approved: bool) {
    show.plan(plan, &(plan_text(session, plan) + more), &cost::of_plan_json(cost(session, plan)), approved);
}

/// The plan as text, with what the environment's kinds of resources say about data.
pub(super) fn plan_text(session: &Session, plan: &Plan) -> String {
    let registry = session.environment.registry();
    let holds_data = |kind: &str| registry.get(kind).is_ok_and(|resource| resource.holds_data());
    plan::plan(plan, &holds_data) + &cost::of_plan(&cost(session, plan))
}

/// What the plan changes of what is paid in a month; `None` where it does nothing.
pub(super) fn cost(session: &Session, plan: &Plan) -> Option<Result<Change, Error>> {
    (!plan.is_empty()).then(|| session.environment.cost_change(plan))
}

pub(super) fn consent(consent: Consent, partner: &str) -> bool {
    match consent {
        Consent::Yes => {
            let answer = terminal::ask("\nProceed? [y/N] ");
            answer.is_some_and(|answer| ["y", "yes"].contains(&answer.to_lowercase().as_str()))
        }
        Consent::PartnerName => typed_partner(partner),
        Consent::Purge => {
            typed_partner(partner)
                && typed("purge", "Logs, images and every copy of the database go too, for ever. To go on, type purge")
        }
    }
}

fn typed_partner(partner: &str) -> bool {
    typed(partner, &format!("This takes it all away. To go on, type the partner's name ({partner})"))
}

fn typed(word: &str, question: &str) -> bool {
    terminal::ask(&format!("\n{question}: ")).is_some_and(|answer| answer == word)
}

pub(super) fn nobody_to_ask(session: &Session, job: &Job) -> CommandError {
    CommandError::new(Exit::NotApproved, "there is no terminal to ask on; nothing was changed")
        .hint(format!("to go on without being asked: {} --yes", session.next.command(job.verb)))
}

/// The library's error. A saved plan that is out of date is made anew by the command that made it.
fn refused(session: &Session, job: &Job, error: &Error) -> CommandError {
    let told = session.error(error);
    match error {
        Error::Stale(_) => {
            let again = saved::making(job.goal.destroy, job.goal.purge);
            told.hint(format!("nothing was changed; plan again: {}", session.next.command(&again)))
        }
        _ => told,
    }
}

fn stopped(session: &Session, job: &Job) -> CommandError {
    CommandError::new(Exit::Stopped, "stopped before anything new was begun")
        .hint(format!("to go on: {}", session.next.command(job.verb)))
}
