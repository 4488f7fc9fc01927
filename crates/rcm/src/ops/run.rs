//! Planning and running: everything between the partner file and the outputs.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::future::try_join_all;
use rcm_aws::Caller;
use rcm_engine::{
    model::{Address, Deployment, EventKind, Fault, Graph, Id, Identity, Lookup, OnDestroy, Remnant, Target},
    plan::{Action, Depth, Live, Plan, Wanted, make, possessions_like, refresh},
    run::{Aftermath, Engine, OnFailure, Options, Outcome, execute, recover},
    store::{Entry, Facts, Ledger, State, StoreError},
};
use tokio::time::Instant;

use super::{
    Environment, Outputs, account,
    aside::checkpoint,
    compliance::check_accepted,
    deploy, fixed, hosted_zone, preflight,
    record::{Recording, word},
    zones,
};
use crate::{
    Error,
    blueprint::{self, Surroundings},
    config::ImageRef,
};

/// What a run is to bring about.
#[derive(Debug, Clone, Default)]
pub struct Goal {
    /// Whether everything is to go, instead of being as the partner file says.
    pub destroy: bool,
    /// With `destroy`: whether also that goes which is usually kept.
    pub purge: bool,
    /// Resources with data that may be replaced or deleted.
    pub may_lose: BTreeSet<Address>,
    /// A plan that was saved earlier; it is run only if it would still be made the same.
    pub saved: Option<Plan>,
    /// Controls that the run may break in production, each with the reason.
    pub accepted: BTreeMap<String, String>,
    /// Checks of the preflight that may be bad and stop nobody, by their names.
    pub ignored: BTreeSet<String>,
    /// The image to deploy. The run changes nothing but what this changes.
    pub image: Option<ImageRef>,
}

impl Goal {
    /// Everything as the partner file says.
    pub fn provision() -> Self {
        Self::default()
    }

    /// This image in the place of the one that runs, and all else as it is.
    pub fn deploy(image: ImageRef) -> Self {
        Self { image: Some(image), ..Self::default() }
    }

    /// Everything gone, but for what is kept by design.
    pub fn destroy() -> Self {
        Self { destroy: true, ..Self::default() }
    }

    /// What the audit log calls it.
    fn verb(&self) -> &'static str {
        match (self.destroy, &self.image) {
            (true, _) => "destroy",
            (false, Some(_)) => "deploy",
            (false, None) => "provision",
        }
    }
}

/// How a run went.
#[derive(Debug)]
pub struct Report {
    /// What was planned.
    pub plan: Plan,
    /// How it ended.
    pub outcome: Outcome,
    /// What people and programs need to know of the environment now.
    pub outputs: Outputs,
    /// What still exists although it is not wanted any more: kept by design.
    pub retained: Vec<Address>,
    /// What deletes have left in the cloud on purpose, such as final snapshots: of this run, and of earlier ones.
    pub remnants: Vec<Remnant>,
    /// What a person should know, in sentences.
    pub notes: Vec<String>,
}

impl Environment {
    /// What is wanted, as a graph. Without the cloud's own zone names unless the state knows them.
    pub fn graph(&self) -> Result<Graph, Error> {
        let state = self.load()?;
        let zones = zones::known(state.as_ref(), &self.config).unwrap_or_else(|| zones::guessed(&self.config));
        self.blueprint(zones, state.as_ref(), None)
    }

    /// What a run would do. Changes nothing, needs no lock, and sends only calls that read.
    pub async fn plan(&self, goal: &Goal) -> Result<Plan, Error> {
        let state = self.load_aside().await?.unwrap_or_else(|| State::new(self.deployment.clone()));
        self.check_state(&state.deployment)?;
        self.check_account().await?;
        Ok(self.make_plan(&state, goal).await?.0)
    }

    /// Plans, asks `approve`, and does it. An empty plan is not asked about.
    pub async fn run(&self, goal: &Goal, approve: impl FnOnce(&Plan) -> bool) -> Result<Report, Error> {
        check_accepted(goal)?;
        self.check_deployable(goal).await?;
        let (ledger, caller) = self.begin().await?;
        let state = ledger.state().clone();
        let recording = self.record(goal.verb(), Some(caller.arn.clone()), Some(&state)).await?;
        let result = self.run_locked(goal, approve, &ledger, &recording, &caller).await;
        let (outcome, counts) = ending(&result);
        let notes = recording.end(outcome, counts).await;
        let saved = match end(ledger).await {
            // Then it does not matter what else went wrong.
            Err(lost @ Error::Store(StoreError::Lost(_))) => return Err(lost),
            saved => saved,
        };
        let (plan, live, outcome) = result?;
        let mut report = self.report(plan, &live, outcome, &saved?);
        report.notes.extend(notes);
        Ok(report)
    }

    /// Takes the lock and opens the state, if it and the credentials are of the partner file's account.
    pub(super) async fn begin(&self) -> Result<(Arc<Ledger>, Caller), Error> {
        let lock = self.lock().await?;
        if let Some(state) = self.load_aside().await? {
            self.check_state(&state.deployment)?;
        }
        let caller = self.check_account().await?;
        Ok((Arc::new(self.open_ledger(lock).await?), caller))
    }

    async fn run_locked(
        &self,
        goal: &Goal,
        approve: impl FnOnce(&Plan) -> bool,
        ledger: &Arc<Ledger>,
        recording: &Recording,
        caller: &Caller,
    ) -> Result<(Plan, Live, Outcome), Error> {
        let first = ledger.is_first();
        let engine = self.engine(self.options(goal, first), ledger);
        recover(&engine).await?;
        let state = ledger.state().clone();
        let (plan, live) = self.make_plan(&state, goal).await?;
        check_saved(goal.saved.as_ref(), &plan)?;
        if !plan.blocked.is_empty() {
            return Err(Error::Blocked(Box::new(plan)));
        }
        let breaches = self.broken_by(&state, &plan);
        if breaches.iter().any(|breach| !goal.accepted.contains_key(breach.control)) {
            return Err(Error::Breaches { plan: Box::new(plan), breaches });
        }
        if plan.is_empty() {
            // All is as it should be. What led there, in a run that was killed after its last step, is not to be undone any more.
            let nothing_to_undo = ledger.state().undo.is_empty();
            let outcome = if nothing_to_undo { Outcome::Done } else { execute(&engine, &plan).await? };
            self.note_release(ledger, &outcome, goal).await?;
            return Ok((plan, live, outcome));
        }
        if !goal.destroy && goal.image.is_none() && preflight::makes(&plan) {
            self.clear_for(&state, &plan, caller, &goal.ignored).await?;
        }
        if !approve(&plan) {
            return Err(Error::Declined);
        }
        self.accept_risks(goal, &breaches, recording, &caller.arn).await?;
        let outcome = execute(&engine, &plan).await?;
        self.note_release(ledger, &outcome, goal).await?;
        Ok((plan, live, outcome))
    }

    /// Notes which image has come to run, whoever has deployed it: what there is to go back to.
    async fn note_release(&self, ledger: &Ledger, outcome: &Outcome, goal: &Goal) -> Result<(), Error> {
        if goal.destroy || !matches!(outcome, Outcome::Done) {
            return Ok(());
        }
        let release = deploy::release(&self.config, &ledger.state());
        match release {
            Some(release) => Ok(ledger.append(Entry::Released { release }).await?),
            None => Ok(()),
        }
    }

    pub(super) fn engine(&self, options: Options, ledger: &Arc<Ledger>) -> Engine {
        let (events, cancel) = (self.settings.events.clone(), self.settings.cancel.clone());
        Engine::new(self.registry.clone(), Arc::clone(ledger), events, options, cancel)
    }

    fn options(&self, goal: &Goal, first: bool) -> Options {
        // What was deployed ran before this: going back is what ECS does too when tasks do not start.
        let default = if first || goal.image.is_some() { OnFailure::Rollback } else { OnFailure::Keep };
        Options {
            parallelism: self.settings.parallelism,
            on_failure: self.settings.on_failure.unwrap_or(default),
            purge: goal.purge,
            awaiting_timeout: self.settings.certificate_timeout,
        }
    }

    /// The plan, and what was seen for it.
    pub(super) async fn make_plan(&self, state: &State, goal: &Goal) -> Result<(Plan, Live), Error> {
        if !goal.destroy {
            fixed::check(&self.config, state)?;
            fixed::check_neighbours(&self.config, &self.store, state).await?;
        }
        let events = &self.settings.events;
        let begun = Instant::now();
        events.run(EventKind::RefreshStarted { resources: state.records().count() });
        let unreported = &self.settings.unreported;
        let read = async { refresh(&self.registry, state, self.settings.depth, unreported).await.map_err(Error::from) };
        let looks_for_tags = self.settings.depth == Depth::Full && !goal.destroy;
        let list = async {
            if !looks_for_tags {
                return Ok(None);
            }
            possessions_like(&self.registry, state).await.map(Some).map_err(Error::from)
        };
        let (live, owned, graph) = tokio::try_join!(read, list, self.wanted_graph(state, goal))?;
        let untagged = owned.map(|owned| self.untagged(state, &live, &owned)).unwrap_or_default();
        self.check_hosted_zone(state, &graph).await?;
        let found = self.find_kept(state, &graph).await?;
        let elapsed_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        events.run(EventKind::RefreshDone { elapsed_ms });
        let (may_lose, destroy, purge) = (goal.may_lose.clone(), goal.destroy, goal.purge);
        let wanted = Wanted { graph, may_lose, destroy, purge, found, untagged };
        let plan = make(&self.registry, state, &live, &wanted)?;
        let plan =
            if goal.image.is_some() { self.only_what_the_image_changes(plan, state, &wanted.graph)? } else { plan };
        Ok((plan, live))
    }

    pub(super) async fn wanted_graph(&self, state: &State, goal: &Goal) -> Result<Graph, Error> {
        if goal.destroy {
            return Ok(Graph::new());
        }
        let zones = match zones::known(Some(state), &self.config) {
            Some(zones) => zones,
            None => zones::asked(&self.aws, &self.config).await?,
        };
        self.blueprint(zones, Some(state), goal.image.as_ref())
    }

    /// The graph of the partner file's settings as they can be, with `image` in the place of the one that is deployed.
    pub(super) fn blueprint(
        &self,
        zones: Vec<String>,
        state: Option<&State>,
        image: Option<&ImageRef>,
    ) -> Result<Graph, Error> {
        let surroundings = Surroundings { zones, proven_in: hosted_zone::proven_in(state, &self.config) };
        let mut config = fixed::as_it_can_be(&self.config, state);
        if let Some(image) = image {
            config.api_image = Some(image.clone());
        }
        self.designed(&config, &surroundings)
    }

    /// Looks for what an earlier `destroy` may have left although this state does not know it, for anything else with data (a
    /// secret in its recovery window), and for what is the account's: it is taken up and never mistaken for something that this
    /// run has made.
    async fn find_kept(&self, state: &State, graph: &Graph) -> Result<BTreeMap<Address, Id>, Error> {
        let unknown = graph.nodes().filter(|node| !state.resources.contains_key(&node.address));
        let looks = unknown.filter_map(|node| {
            let resource = self.registry.get(node.kind).ok()?;
            (resource.on_destroy() != OnDestroy::Delete || resource.holds_data()).then_some((node, resource))
        });
        let found = try_join_all(looks.map(|(node, resource)| async move {
            let identity = Identity {
                deployment: Arc::new(self.deployment.clone()),
                address: node.address.clone(),
                generation: 1,
                token: String::new(),
            };
            let facts = Facts::current(state, node.dependencies().into_keys());
            let lookup: &(dyn Lookup + Sync) = &facts;
            let target =
                Target { identity: &identity, lookup, changed: None, full: false, purge: false, remnants: None };
            let id = resource.find(target, &node.spec).await?;
            Ok::<_, Error>(id.map(|id| (node.address.clone(), id)))
        }))
        .await?;
        Ok(found.into_iter().flatten().collect())
    }

    fn report(&self, plan: Plan, live: &Live, outcome: Outcome, state: &State) -> Report {
        let retained = state.resources.values().filter(|record| record.retained);
        let retained = retained.map(|record| record.address.clone()).collect();
        let adopted = plan.forward.iter().filter(|step| matches!(step.action, Action::Adopt { .. }));
        let leaves = |kind: &str| self.registry.get(kind).is_ok_and(|kind| kind.on_destroy() == OnDestroy::Leave);
        let mut notes: Vec<String> = adopted
            .filter(|step| !leaves(&step.kind))
            .map(|step| format!("{} was kept by an earlier destroy and is in use again", step.address))
            .collect();
        if !plan.destroy && !state.resources.is_empty() {
            notes.extend(blueprint::notes(&fixed::as_it_can_be(&self.config, Some(state))));
            let asked = plan.forward.iter().any(|step| step.address.as_str() == blueprint::SUBSCRIPTION);
            notes.extend(asked.then(|| blueprint::unconfirmed(&self.config)));
            notes.extend(fixed::note(&self.config, state));
            notes.extend(account::notes(state, live));
        }
        let remnants = state.remnants.clone();
        Report { plan, outcome, outputs: Outputs::of(state), retained, remnants, notes }
    }
}

/// How the record of a run ends.
fn ending(result: &Result<(Plan, Live, Outcome), Error>) -> (&'static str, BTreeMap<String, usize>) {
    let (plan, outcome) = match result {
        Ok((plan, _, outcome)) => (plan, outcome),
        Err(error) => return (word(error), BTreeMap::new()),
    };
    let outcome = match outcome {
        Outcome::Done => "done",
        Outcome::Parked(_) => "parked",
        Outcome::Cancelled => "cancelled",
        Outcome::Failed { aftermath: Aftermath::Kept, .. } => "kept",
        Outcome::Failed { aftermath: Aftermath::Interrupted, .. } => "interrupted",
        Outcome::Failed { aftermath: Aftermath::RolledBack, .. } => "rolled-back",
        Outcome::Failed { aftermath: Aftermath::Stuck(_), .. } => "stuck",
    };
    (outcome, plan.counts().into_iter().map(|(word, count)| (word.to_owned(), count)).collect())
}

/// Writes the snapshot. All steps are over, so this is the last handle; were it not, the journal would still have everything.
pub(super) async fn end(ledger: Arc<Ledger>) -> Result<State, Error> {
    let ledger = Arc::into_inner(ledger);
    checkpoint(ledger.ok_or_else(|| Fault::invalid("state", "a step outlived its run; run again"))?).await
}

/// A saved plan is run only if it is still what would be done.
fn check_saved(saved: Option<&Plan>, plan: &Plan) -> Result<(), Error> {
    let Some(saved) = saved else { return Ok(()) };
    if (saved.destroy, saved.purge) != (plan.destroy, plan.purge) {
        return Err(Error::Stale("it was made for something else than what is to be done now".into()));
    }
    if saved.deployment != plan.deployment {
        let place =
            |at: &Deployment| format!("{}/{} in account {}, {}", at.partner, at.environment, at.account, at.region);
        let (saved, now) = (place(&saved.deployment), place(&plan.deployment));
        return Err(Error::Stale(format!("it was made for {saved}, and this is {now}")));
    }
    if saved.lineage != plan.lineage && saved.serial != 0 {
        return Err(Error::Stale("it was made from the state of another deployment".into()));
    }
    if saved.serial != plan.serial {
        let message = format!("it was made from state {}, and the state is now {}", saved.serial, plan.serial);
        return Err(Error::Stale(message));
    }
    if saved.forward != plan.forward || saved.cleanup != plan.cleanup {
        return Err(Error::Stale("the partner file or the cloud has changed since".into()));
    }
    Ok(())
}
