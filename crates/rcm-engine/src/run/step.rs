//! One step: the verbs of one resource in their order, each mutation after its journal entry.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

use super::{
    Engine,
    call::{Halt, Sender, Verb},
    stop::Cancel,
};
use crate::{
    model::{
        Address, DynResource, EventKind, Fault, FaultKind, Id, Identity, OnDestroy, Readiness, Remnant, Remnants,
        Snapshot, Target, references, resolve,
    },
    plan::{Action, Step, TAGS},
    store::{Entry, Facts, Intent, Phase, Record, Undo},
};

/// How often a create whose outcome is unknown is looked up and sent again.
const CREATES: usize = 4;
/// How long a look-up is repeated before "not there" is believed: the cloud shows what it made a moment later.
const LOOKS: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(4)];
/// Between polls: quick at first, so that a fast cloud is not waited for, then calm.
const POLL_FIRST: Duration = Duration::from_millis(250);
const POLL_LONGEST: Duration = Duration::from_secs(10);
/// How long something that was just made or changed may be invisible to a read.
const VISIBLE_WITHIN: Duration = Duration::from_mins(2);

/// Works on one resource.
pub(super) struct Worker<'a> {
    pub(super) engine: &'a Engine,
    pub(super) resource: Arc<dyn DynResource>,
    pub(super) address: &'a Address,
    pub(super) generation: u32,
    pub(super) stop: &'a Cancel,
    /// Whether this undoes something that the run did.
    pub(super) undo: bool,
}

/// What a verb works with, copied out of the state.
struct Work {
    identity: Identity,
    facts: Facts,
    spec: Value,
    changed: Option<BTreeSet<String>>,
    purge: bool,
    remnants: Remnants,
}

impl Work {
    fn target(&self) -> Target<'_> {
        let Self { identity, facts, changed, purge, remnants, .. } = self;
        let (changed, remnants) = (changed.as_ref(), Some(remnants));
        Target { identity, lookup: facts, changed, full: false, purge: *purge, remnants }
    }

    /// The spec as it was applied. What is still a reference here was one to an output that the cloud has not given.
    fn inputs(&self) -> Value {
        resolve(&self.spec, &self.facts).value
    }
}

impl Worker<'_> {
    /// Does what the plan says. `minted` is called when the id is known.
    pub(super) async fn run(&self, step: &Step, minted: &(dyn Fn() + Sync)) -> Result<(), Halt> {
        match &step.action {
            Action::Create { again: None } => self.create(step, None, false, minted).await,
            Action::Create { again: Some(_) } => self.create_again(step, minted).await,
            Action::Remake { .. } => self.remake(step, minted).await,
            Action::Replace { .. } => self.create(step, None, false, minted).await,
            Action::Adopt { id } => self.adopt(step, id, minted).await,
            Action::Complete => self.update(step, None, minted).await,
            Action::Update { changes } => {
                let changed = changes.iter().map(|change| change.field.clone()).collect();
                self.update(step, Some(changed), minted).await
            }
            Action::Delete { .. } => self.delete().await,
            Action::Leave => {
                self.append(Entry::Gone { address: self.address.clone(), generation: self.generation }).await
            }
            Action::Retain => {
                self.append(Entry::Retained { address: self.address.clone(), generation: self.generation }).await
            }
        }
    }

    pub(super) fn sender(&self) -> Sender<'_> {
        let inner = &self.engine.0;
        Sender {
            calls: &inner.calls,
            events: &inner.events,
            stop: self.stop,
            address: self.address,
            kind: self.resource.kind(),
            busy_within: self.resource.pace().ready_within,
        }
    }

    fn tell(&self, kind: EventKind) {
        self.engine.0.events.step(self.address, kind);
    }

    async fn append(&self, entry: Entry) -> Result<(), Halt> {
        self.engine.0.ledger.append(entry).await.map_err(Halt::Fault)
    }

    async fn begin(&self, intent: Intent) -> Result<(), Halt> {
        self.append(Entry::Begin { intent, undo: self.undo }).await
    }

    /// What the verbs work with: references as they stand now, or in an undo as they stood when they were applied.
    fn work(&self, changed: Option<BTreeSet<String>>) -> Result<Work, Halt> {
        let state = self.engine.0.ledger.state();
        let record = state.record(self.address, self.generation).ok_or_else(|| {
            Fault::invalid("state", format!("{} generation {} is not in the state", self.address, self.generation))
        })?;
        let facts = if self.undo { Facts::applied(&state, record) } else { Facts::current(&state, record.needs()) };
        let purge = self.engine.0.options.purge || self.undo;
        let (identity, spec) = (state.identity(record), record.spec.clone());
        Ok(Work { identity, facts, spec, changed, purge, remnants: Remnants::default() })
    }

    // ---- create

    /// `instead_of` is the one that was known under this address and generation before.
    async fn create(
        &self,
        step: &Step,
        instead_of: Option<&Id>,
        look_first: bool,
        minted: &(dyn Fn() + Sync),
    ) -> Result<(), Halt> {
        self.begin(Intent::Create(Box::new(self.new_record(step, instead_of)))).await?;
        let work = self.work(None)?;
        let (id, existed) = match self.mint(&work, look_first).await {
            Ok(minted) => minted,
            Err(Minting::Never(halt)) => return Err(self.never_made(halt).await),
            Err(Minting::InDoubt(halt)) => return Err(halt),
        };
        self.minted(&id, existed, minted).await?;
        self.settle(&work, &id).await
    }

    /// What was not seen may have been out of sight for a moment only. Then it stays the one that the state knows: made by
    /// this run, if it is, and there before, if it was.
    async fn create_again(&self, step: &Step, minted: &(dyn Fn() + Sync)) -> Result<(), Halt> {
        let found = self.look_up_record().await?;
        let known = self.known_id();
        if known.is_some() && found == known {
            return self.update(step, None, minted).await;
        }
        self.create(step, known.as_ref(), found.is_some(), minted).await
    }

    /// What the cloud has given up makes room for another of the same name.
    async fn remake(&self, step: &Step, minted: &(dyn Fn() + Sync)) -> Result<(), Halt> {
        let known = self.known_id();
        self.delete().await?;
        self.create(step, known.as_ref(), false, minted).await
    }

    fn known_id(&self) -> Option<Id> {
        self.engine.0.ledger.state().record(self.address, self.generation).and_then(|record| record.id.clone())
    }

    fn new_record(&self, step: &Step, instead_of: Option<&Id>) -> Record {
        let state = self.engine.0.ledger.state();
        let pending = state.resources.get(self.address).filter(|record| record.id.is_none());
        let token = pending.map(|record| record.token.clone());
        // What the create is about to be sent: a run that finds it half made has nothing else to compare unseen fields with.
        let needs = references(&step.spec).into_iter().map(|reference| reference.address);
        let inputs = resolve(&step.spec, &Facts::current(&state, needs)).value;
        Record {
            address: self.address.clone(),
            kind: step.kind.clone(),
            generation: self.generation,
            token: token.unwrap_or_else(|| state.token(self.address, self.generation, instead_of)),
            id: None,
            phase: Phase::Creating,
            spec: step.spec.clone(),
            inputs,
            outputs: Value::Null,
            dependencies: step.after.iter().cloned().collect(),
            may_need: BTreeSet::new(),
            retained: false,
            since: Timestamp::now(),
        }
    }

    /// Sends the create until there is an id, looking the resource up before anything that may have been executed is sent again.
    /// With the id, whether it was there before.
    async fn mint(&self, work: &Work, look_first: bool) -> Result<(Id, bool), Minting> {
        let mut in_doubt = false;
        let mut look = look_first;
        for attempt in 1..=CREATES {
            if look && let Some(id) = self.look_up(work).await.map_err(|halt| Minting::of(in_doubt, halt))? {
                return Ok((id, !in_doubt));
            }
            let call = || self.resource.create(work.target(), &work.spec);
            let fault = match self.sender().send(Verb::Create, call).await {
                Ok(id) => return Ok((id, false)),
                Err(Halt::Fault(fault)) => fault,
                Err(halt) => return Err(Minting::of(in_doubt, halt)),
            };
            match fault.kind {
                FaultKind::Exists => {
                    return self.existing(work, fault, in_doubt).await.map(|id| (id, !in_doubt));
                }
                FaultKind::Transient => (in_doubt, look) = (true, true),
                _ => return Err(Minting::of(in_doubt, fault.into())),
            }
            if attempt == CREATES {
                return Err(Minting::InDoubt(fault.into()));
            }
            self.sender().pause(fault, Duration::from_secs(1)).await.map_err(Minting::InDoubt)?;
        }
        Err(Minting::InDoubt(Fault::invalid("create", "gave up").into()))
    }

    /// "Already exists": ours if the tags say so, and otherwise somebody else's that we leave alone.
    async fn existing(&self, work: &Work, fault: Fault, in_doubt: bool) -> Result<Id, Minting> {
        match self.look_up(work).await.map_err(|halt| Minting::of(in_doubt, halt))? {
            Some(id) => Ok(id),
            None => {
                let message = format!(
                    "{} (a resource of that name exists, and its tags do not say that it is {} of this deployment)",
                    fault.message, self.address
                );
                Err(Minting::Never(Fault { message, ..fault }.into()))
            }
        }
    }

    pub(super) async fn look_up_record(&self) -> Result<Option<Id>, Halt> {
        let work = self.work(None)?;
        self.look_up(&work).await
    }

    async fn look_up(&self, work: &Work) -> Result<Option<Id>, Halt> {
        for delay in LOOKS {
            if !delay.is_zero() && !self.stop.pause(delay).await {
                return Err(Halt::Interrupted);
            }
            let found = self.sender().send(Verb::Look, || self.resource.find(work.target(), &work.spec)).await?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The create was certainly not executed.
    async fn never_made(&self, halt: Halt) -> Halt {
        let gone = Entry::Gone { address: self.address.clone(), generation: self.generation };
        match self.append(gone).await {
            Ok(()) => halt,
            Err(worse) => worse,
        }
    }

    async fn minted(&self, id: &Id, existed: bool, minted: &(dyn Fn() + Sync)) -> Result<(), Halt> {
        let (address, generation) = (self.address.clone(), self.generation);
        let entry = Entry::Minted { address, generation, id: id.clone(), existed };
        self.append(entry).await?;
        self.tell(EventKind::Minted { id: id.clone() });
        minted();
        Ok(())
    }

    // ---- adopt, update

    async fn adopt(&self, step: &Step, id: &Id, minted: &(dyn Fn() + Sync)) -> Result<(), Halt> {
        let known = self.engine.0.ledger.state().record(self.address, self.generation).is_some();
        if known {
            return self.update(step, None, minted).await;
        }
        self.begin(Intent::Adopt(Box::new(self.new_record(step, None)))).await?;
        self.minted(id, true, minted).await?;
        let work = self.work(None)?;
        self.settle(&work, id).await
    }

    async fn update(
        &self,
        step: &Step,
        changed: Option<BTreeSet<String>>,
        minted: &(dyn Fn() + Sync),
    ) -> Result<(), Halt> {
        let before = self.engine.0.ledger.state().record(self.address, self.generation).cloned();
        let before = before.ok_or_else(|| Fault::invalid("state", format!("{} is not in the state", self.address)))?;
        let id = before.id.clone().ok_or_else(|| Fault::invalid("state", format!("{} has no id", self.address)))?;
        // What was not cut off in its create is not creating: then everything may differ, and every field is worth a look.
        let tags = self.was_to_be_tagged().then(|| TAGS.to_owned());
        let everything = || step.spec.as_object().map(|spec| spec.keys().cloned().chain(tags).collect());
        let changed = changed.or_else(|| (before.phase != Phase::Creating).then(everything).flatten());
        self.begin_update(step.spec.clone(), step.after.iter().cloned().collect(), changed.clone()).await?;
        minted();
        let work = self.work(changed)?;
        self.settle(&work, &id).await
    }

    /// Whether the update that this one goes on with was to put the ownership tags back.
    fn was_to_be_tagged(&self) -> bool {
        let key = (self.address, self.generation);
        self.engine.0.ledger.state().undo.iter().any(|undo| match undo {
            Undo::Update { changed: Some(changed), .. } => undo.key() == key && changed.contains(TAGS),
            _ => false,
        })
    }

    async fn begin_update(
        &self,
        spec: Value,
        dependencies: Vec<Address>,
        changed: Option<BTreeSet<String>>,
    ) -> Result<(), Halt> {
        let (address, generation) = (self.address.clone(), self.generation);
        self.begin(Intent::Update { address, generation, spec, dependencies, changed, at: Timestamp::now() }).await
    }

    /// Puts the spec of before back.
    pub(super) async fn revert(&self, before: &Record, changed: Option<BTreeSet<String>>) -> Result<(), Halt> {
        let Some(id) = &before.id else { return Ok(()) };
        self.begin_update(before.spec.clone(), before.dependencies.clone(), changed.clone()).await?;
        let facts = Facts::applied(&self.engine.0.ledger.state(), before);
        let work = Work { facts, ..self.work(changed)? };
        self.settle(&work, id).await?;
        if before.retained {
            self.append(Entry::Retained { address: self.address.clone(), generation: self.generation }).await?;
        }
        Ok(())
    }

    /// Everything after the id is known: configure, wait, read, record.
    async fn settle(&self, work: &Work, id: &Id) -> Result<(), Halt> {
        let configure = || self.resource.configure(work.target(), id, &work.spec);
        self.sender().send(Verb::Configure, configure).await?;
        if work.changed.as_ref().is_some_and(|changed| changed.contains(TAGS)) {
            self.sender().send(Verb::Configure, || self.resource.claim(work.target(), id)).await?;
        }
        self.wait_ready(work, id).await?;
        let seen = self.visible(work, id).await?;
        let (address, generation) = (self.address.clone(), self.generation);
        self.append(Entry::Done { address, generation, inputs: work.inputs(), outputs: seen.outputs }).await
    }

    /// Waits until the resource is ready that the state knows.
    pub(super) async fn ready(&self) -> Result<(), Halt> {
        let (work, id) = self.touched()?;
        self.wait_ready(&work, &id).await
    }

    /// The same as after an update that changes nothing which the spec says.
    pub(super) async fn settle_touched(&self) -> Result<(), Halt> {
        let (work, id) = self.touched()?;
        self.settle(&work, &id).await
    }

    fn touched(&self) -> Result<(Work, Id), Halt> {
        let id = self.known_id().ok_or_else(|| Fault::invalid("state", format!("{} has no id", self.address)))?;
        Ok((self.work(Some(BTreeSet::new()))?, id))
    }

    async fn wait_ready(&self, work: &Work, id: &Id) -> Result<(), Halt> {
        let begun = Instant::now();
        let within = self.resource.pace().ready_within;
        let mut delay = POLL_FIRST;
        let mut last = String::new();
        let mut awaiting_since: Option<Instant> = None;
        let mut reverted_since: Option<Instant> = None;
        loop {
            let asked = self.sender().send(Verb::Look, || self.resource.ready(work.target(), id)).await;
            let readiness = match asked {
                Err(Halt::Fault(fault)) if fault.kind == FaultKind::NotFound && begun.elapsed() < VISIBLE_WITHIN => {
                    Readiness::Pending("not visible yet".to_owned())
                }
                other => other?,
            };
            if !matches!(readiness, Readiness::Reverted(_)) {
                reverted_since = None;
            }
            match readiness {
                Readiness::Ready => return Ok(()),
                Readiness::Failed(why) => return Err(self.failed(&why)),
                Readiness::Reverted(why) => {
                    if reverted_since.get_or_insert_with(Instant::now).elapsed() > VISIBLE_WITHIN {
                        return Err(self.failed(&why));
                    }
                    if why != last {
                        self.tell(EventKind::Progress { message: why.clone() });
                    }
                    last = why;
                }
                Readiness::Pending(message) => {
                    if message != last {
                        self.tell(EventKind::Progress { message: message.clone() });
                    }
                    last = message;
                    if begun.elapsed() > within {
                        return Err(self.late("ready", within, &last));
                    }
                }
                Readiness::Awaiting { what, details } => {
                    let since = *awaiting_since.get_or_insert_with(Instant::now);
                    if what != last {
                        self.tell(EventKind::Awaiting { what: what.clone(), details });
                    }
                    last.clone_from(&what);
                    if since.elapsed() >= self.engine.0.options.awaiting_timeout {
                        return Err(self.park(what).await);
                    }
                }
            }
            self.wait(&mut delay).await?;
        }
    }

    async fn park(&self, what: String) -> Halt {
        let entry = Entry::Parked { address: self.address.clone(), what: what.clone() };
        self.append(entry).await.err().unwrap_or(Halt::Parked(what))
    }

    /// Reads what was just made, which may take a moment to be visible.
    async fn visible(&self, work: &Work, id: &Id) -> Result<Snapshot, Halt> {
        let begun = Instant::now();
        let mut delay = POLL_FIRST;
        loop {
            if let Some(seen) = self.sender().send(Verb::Look, || self.resource.read(work.target(), id)).await? {
                return Ok(seen);
            }
            if begun.elapsed() > VISIBLE_WITHIN {
                return Err(self.failed("it was made and is not there"));
            }
            self.wait(&mut delay).await?;
        }
    }

    async fn wait(&self, delay: &mut Duration) -> Result<(), Halt> {
        if !self.stop.pause(*delay).await {
            return Err(Halt::Interrupted);
        }
        *delay = (*delay * 2).min(POLL_LONGEST);
        Ok(())
    }

    fn failed(&self, why: &str) -> Halt {
        Fault::ours(FaultKind::Invalid, "wait", "Failed", format!("{}: {why}", self.resource.kind())).into()
    }

    fn late(&self, what: &str, within: Duration, last: &str) -> Halt {
        let message = format!("{} not {what} after {} s (last: {last})", self.resource.kind(), within.as_secs());
        Fault::ours(FaultKind::Invalid, "wait", "TimedOut", message).into()
    }

    // ---- delete

    /// Deletes it and waits until it is gone.
    pub(super) async fn delete(&self) -> Result<(), Halt> {
        let (address, generation) = (self.address.clone(), self.generation);
        self.begin(Intent::Delete { address, generation, at: Timestamp::now() }).await?;
        self.finish_delete().await
    }

    /// The delete itself, its begin already written down.
    pub(super) async fn finish_delete(&self) -> Result<(), Halt> {
        let work = self.work(None)?;
        let id = match self.known_id() {
            Some(id) => Some(id),
            None => self.look_up(&work).await?,
        };
        if id.as_ref().is_some_and(|id| self.lives_on(id)) {
            return self.append(Entry::Gone { address: self.address.clone(), generation: self.generation }).await;
        }
        let mut stays = self.undo || self.resource.on_destroy() == OnDestroy::Leave;
        if let Some(id) = id {
            self.sender().send(Verb::Delete, || self.resource.delete(work.target(), &id)).await?;
            for (what, left) in work.remnants.take() {
                stays |= left == id.as_str();
                self.tell(EventKind::Left { what: what.clone(), id: left.clone() });
                let (address, kind) = (self.address.clone(), self.resource.kind().to_owned());
                let remnant = Remnant { address, kind, what, id: left, since: Some(Timestamp::now()) };
                self.append(Entry::Left { remnant }).await?;
            }
            self.wait_gone(&work, &id).await?;
        }
        let (address, generation) = (self.address.clone(), self.generation);
        if stays {
            return self.append(Entry::Gone { address, generation }).await;
        }
        let recoverable_days = self.resource.recoverable_days(work.purge);
        self.append(Entry::Deleted { address, generation, at: Timestamp::now(), recoverable_days }).await
    }

    /// Whether its successor has the same id: made again under the same name, where the predecessor was gone already.
    fn lives_on(&self, id: &Id) -> bool {
        let state = self.engine.0.ledger.state();
        let successor = |record: &Record| {
            let later = record.address == *self.address && record.generation > self.generation;
            later && record.kind == self.resource.kind() && record.id.as_ref() == Some(id)
        };
        state.records().any(successor)
    }

    async fn wait_gone(&self, work: &Work, id: &Id) -> Result<(), Halt> {
        let Some(within) = self.resource.pace().gone_within else { return Ok(()) };
        let begun = Instant::now();
        let mut delay = POLL_FIRST;
        loop {
            let seen = self.sender().send(Verb::Look, || self.resource.read(work.target(), id)).await?;
            if seen.is_none() {
                return Ok(());
            }
            if begun.elapsed() > within {
                return Err(self.late("gone", within, "it is still there"));
            }
            self.wait(&mut delay).await?;
        }
    }
}

/// How a create ended without an id.
enum Minting {
    /// It was certainly not executed.
    Never(Halt),
    /// Nobody knows.
    InDoubt(Halt),
}

impl Minting {
    fn of(in_doubt: bool, halt: Halt) -> Self {
        if in_doubt { Self::InDoubt(halt) } else { Self::Never(halt) }
    }
}
