//! A cloud of toys that keeps what it is told, refuses like the real one, and checks the journal at every mutation.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use rcm_engine::{
    model::{
        Actions, Cx, Deployment, Events, Fault, FaultKind, Graph, Id, Identity, Observed, OnDestroy, Pace, Readiness,
        Ref, Registry, Resource,
    },
    plan::{Depth, Plan, Wanted, make, refresh},
    run::{Cancel, Engine, OnFailure, Options, Outcome, execute, recover},
    store::{Holder, Ledger, Phase, State, Store},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Notify;

/// One toy in the cloud.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Toy {
    pub(crate) kind: &'static str,
    pub(crate) address: String,
    pub(crate) generation: u32,
    pub(crate) size: u32,
    pub(crate) color: String,
    pub(crate) needs: BTreeSet<String>,
}

/// What a call does instead of its work.
#[derive(Debug, Clone)]
pub(crate) enum Trick {
    /// Answers this; nothing happened.
    Refuse(FaultKind),
    /// Does its work, and then the answer is lost.
    LoseAnswer,
    /// Never answers: the process dies here, before the work.
    DieBefore,
    /// The work is done and the process dies before the answer.
    DieAfter,
}

#[derive(Default)]
pub(crate) struct World {
    pub(crate) toys: BTreeMap<String, Toy>,
    pub(crate) calls: Vec<String>,
    /// What has been deleted, in that order.
    pub(crate) deleted: Vec<(String, Toy)>,
    /// What is left of what was deleted.
    pub(crate) photographs: BTreeSet<String>,
    tricks: BTreeMap<String, VecDeque<Trick>>,
    /// Where the journal is that must know of every mutation.
    store: Option<Store>,
    minted: u32,
    /// How often each toy was asked whether it is ready.
    polls: BTreeMap<String, u32>,
    /// Told when a `Die…` trick is played.
    death: Arc<Notify>,
}

pub(crate) type Cloud = Mutex<World>;

impl World {
    /// The next calls `verb address` meet these tricks, one each.
    pub(crate) fn trick(&mut self, call: &str, tricks: impl IntoIterator<Item = Trick>) {
        self.tricks.entry(call.to_owned()).or_default().extend(tricks);
    }

    pub(crate) fn mutations(&self) -> usize {
        let mutates =
            |call: &&String| ["create", "configure", "delete", "discard"].iter().any(|verb| call.starts_with(verb));
        self.calls.iter().filter(mutates).count()
    }

    /// The toys by address; panics when two live ones share one.
    pub(crate) fn inventory(&self) -> BTreeMap<String, Toy> {
        let mut inventory = BTreeMap::new();
        for toy in self.toys.values() {
            assert!(inventory.insert(toy.address.clone(), toy.clone()).is_none(), "two of {}", toy.address);
        }
        inventory
    }

    /// A plant is grown when it has been asked for the third time, and everything else at once.
    fn grown(&mut self, id: &Id) -> Readiness {
        let polls = self.polls.entry(id.to_string()).or_default();
        *polls += 1;
        let plant = self.toys.get(id.as_str()).is_some_and(|toy| toy.kind == Plant::KIND);
        if plant && *polls < 3 { Readiness::Pending("growing".into()) } else { Readiness::Ready }
    }

    /// No call meets a trick any more.
    pub(crate) fn calm(&mut self) {
        self.tricks.clear();
    }

    fn begin(&mut self, verb: &str, identity: &Identity, id: Option<&Id>) -> Option<Trick> {
        let call = format!("{verb} {}", identity.address);
        self.check_journal(verb, identity, id);
        self.calls.push(call.clone());
        self.tricks.get_mut(&call).and_then(VecDeque::pop_front)
    }

    /// No mutation before what is on disk says that just this one has begun.
    fn check_journal(&self, verb: &str, identity: &Identity, id: Option<&Id>) {
        let begun: &[Phase] = match verb {
            "create" => &[Phase::Creating],
            "configure" => &[Phase::Creating, Phase::Updating],
            "delete" => &[Phase::Deleting],
            _ => return,
        };
        let Some(state) = self.store.as_ref().and_then(|store| store.load().unwrap()) else { return };
        let Identity { address, generation, .. } = identity;
        let record = state.record(address, *generation);
        let record = record.unwrap_or_else(|| panic!("{verb} of {address} {generation}, and no record on disk"));
        let of_it = record.id.as_ref() == id || (verb == "delete" && record.id.is_none());
        assert!(begun.contains(&record.phase) && of_it, "{verb} of {id:?}, and on disk is {record:#?}");
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    pub(crate) size: u32,
    pub(crate) color: String,
    pub(crate) needs: Vec<Ref<Thing>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Outputs {
    pub(crate) arn: String,
}

/// Changes colour in place and is replaced to change its size. Needs others, which cannot go before it.
pub(crate) struct Thing;
/// The same, but it holds data and a destroy keeps it.
pub(crate) struct Vault;
/// A thing that holds data, and a destroy deletes it.
pub(crate) struct Chest;
/// A thing without data that a destroy keeps.
pub(crate) struct Heirloom;
/// A thing that is ready only after a while.
pub(crate) struct Plant;

async fn die(cloud: &Cloud) -> ! {
    let death = Arc::clone(&cloud.lock().unwrap().death);
    death.notify_one();
    std::future::pending::<()>().await;
    unreachable!("pending")
}

fn lost() -> Fault {
    Fault::ours(FaultKind::Transient, "toy", "Timeout", "the answer was lost")
}

async fn played(cloud: &Cloud, trick: &Option<Trick>) -> Result<(), Fault> {
    match trick {
        Some(Trick::Refuse(kind)) => Err(Fault::ours(*kind, "toy", "Refused", "no")),
        Some(Trick::DieBefore) => die(cloud).await,
        _ => Ok(()),
    }
}

async fn answered(cloud: &Cloud, trick: &Option<Trick>) -> Result<(), Fault> {
    match trick {
        Some(Trick::LoseAnswer) => Err(lost()),
        Some(Trick::DieAfter) => die(cloud).await,
        _ => Ok(()),
    }
}

macro_rules! kind {
    ($kind:ident, $name:literal, $data:literal, $destroy:expr) => {
        impl Resource for $kind {
            type Cloud = Cloud;
            type Spec = Spec;
            type Outputs = Outputs;
            const KIND: &'static str = $name;
            const REPLACE_ON: &'static [&'static str] = &["size"];
            const HOLDS_DATA: bool = $data;
            const DISCARDS: bool = true;
            const ON_DESTROY: OnDestroy = $destroy;
            const PACE: Pace = Pace::slow(60, 600).gone_within(600);

            async fn create(cx: &Cx<'_, Cloud>, spec: &Spec) -> Result<Id, Fault> {
                create(cx, spec, $name).await
            }
            async fn configure(cx: &Cx<'_, Cloud>, id: &Id, spec: &Spec) -> Result<(), Fault> {
                configure(cx, id, spec).await
            }
            async fn ready(cx: &Cx<'_, Cloud>, id: &Id) -> Result<Readiness, Fault> {
                ready(cx, id).await
            }
            async fn read(cx: &Cx<'_, Cloud>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
                read(cx, id).await
            }
            async fn find(cx: &Cx<'_, Cloud>, _: &Spec) -> Result<Option<Id>, Fault> {
                find(cx).await
            }
            async fn delete(cx: &Cx<'_, Cloud>, id: &Id) -> Result<(), Fault> {
                delete(cx, id).await
            }
            async fn discard(cloud: &Cloud, remnant: &str) -> Result<(), Fault> {
                discard(cloud, remnant).await
            }
            fn actions() -> Actions {
                Actions::default()
            }
        }
    };
}

kind!(Thing, "toy/thing", false, OnDestroy::Delete);
kind!(Vault, "safe/vault", true, OnDestroy::Retain);
kind!(Chest, "safe/chest", true, OnDestroy::Delete);
kind!(Heirloom, "safe/heirloom", false, OnDestroy::Retain);
kind!(Plant, "toy/plant", false, OnDestroy::Delete);

async fn create(cx: &Cx<'_, Cloud>, spec: &Spec, kind: &'static str) -> Result<Id, Fault> {
    let address = cx.identity.address.to_string();
    let trick = cx.cloud.lock().unwrap().begin("create", cx.identity, None);
    played(cx.cloud, &trick).await?;
    let needs = spec.needs.iter().map(|need| cx.id(need).map(|id| id.to_string())).collect::<Result<_, _>>()?;
    let id = {
        let mut world = cx.cloud.lock().unwrap();
        world.minted += 1;
        let id = format!("toy-{}", world.minted);
        let (generation, color) = (cx.identity.generation, "raw".into());
        let toy = Toy { kind, address, generation, size: spec.size, color, needs };
        world.toys.insert(id.clone(), toy);
        id
    };
    answered(cx.cloud, &trick).await?;
    Ok(Id::from(id))
}

async fn configure(cx: &Cx<'_, Cloud>, id: &Id, spec: &Spec) -> Result<(), Fault> {
    let trick = cx.cloud.lock().unwrap().begin("configure", cx.identity, Some(id));
    played(cx.cloud, &trick).await?;
    let needs = spec.needs.iter().map(|need| cx.id(need).map(|id| id.to_string())).collect::<Result<_, _>>()?;
    if let Some(toy) = cx.cloud.lock().unwrap().toys.get_mut(id.as_str()) {
        toy.color.clone_from(&spec.color);
        toy.needs = needs;
    }
    answered(cx.cloud, &trick).await
}

async fn ready(cx: &Cx<'_, Cloud>, id: &Id) -> Result<Readiness, Fault> {
    let trick = cx.cloud.lock().unwrap().begin("ready", cx.identity, Some(id));
    match trick {
        Some(Trick::Refuse(FaultKind::Quota)) => {
            Ok(Readiness::Awaiting { what: "somebody".into(), details: json!([{"name": "_x"}]) })
        }
        Some(Trick::Refuse(FaultKind::Invalid)) => Ok(Readiness::Failed("broken".into())),
        Some(Trick::Refuse(FaultKind::Exists)) => Ok(Readiness::Reverted("as it was".into())),
        Some(Trick::LoseAnswer) => Ok(Readiness::Pending("growing".into())),
        trick => {
            played(cx.cloud, &trick).await?;
            answered(cx.cloud, &trick).await?;
            Ok(cx.cloud.lock().unwrap().grown(id))
        }
    }
}

async fn read(cx: &Cx<'_, Cloud>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
    let trick = cx.cloud.lock().unwrap().begin("read", cx.identity, Some(id));
    played(cx.cloud, &trick).await?;
    answered(cx.cloud, &trick).await?;
    let world = cx.cloud.lock().unwrap();
    Ok(world.toys.get(id.as_str()).map(|toy| {
        Observed::new(Outputs { arn: format!("arn:{id}") })
            .see("size", toy.size)
            .see("color", &toy.color)
            .see("needs", &toy.needs)
    }))
}

async fn find(cx: &Cx<'_, Cloud>) -> Result<Option<Id>, Fault> {
    let trick = cx.cloud.lock().unwrap().begin("find", cx.identity, None);
    played(cx.cloud, &trick).await?;
    answered(cx.cloud, &trick).await?;
    let world = cx.cloud.lock().unwrap();
    let ours = |toy: &Toy| toy.address == cx.identity.address.as_str() && toy.generation == cx.identity.generation;
    Ok(world.toys.iter().find(|(_, toy)| ours(toy)).map(|(id, _)| Id::from(id.clone())))
}

fn photograph(id: &Id) -> String {
    format!("photograph-of-{id}")
}

async fn discard(cloud: &Cloud, remnant: &str) -> Result<(), Fault> {
    let trick = {
        let mut world = cloud.lock().unwrap();
        let call = format!("discard {remnant}");
        world.calls.push(call.clone());
        world.tricks.get_mut(&call).and_then(VecDeque::pop_front)
    };
    played(cloud, &trick).await?;
    cloud.lock().unwrap().photographs.remove(remnant);
    answered(cloud, &trick).await
}

async fn delete(cx: &Cx<'_, Cloud>, id: &Id) -> Result<(), Fault> {
    let trick = cx.cloud.lock().unwrap().begin("delete", cx.identity, Some(id));
    if !cx.purges() {
        cx.leaves("photograph", &photograph(id));
    }
    played(cx.cloud, &trick).await?;
    {
        let mut world = cx.cloud.lock().unwrap();
        let holder = world.toys.values().find(|toy| toy.needs.contains(id.as_str())).map(|toy| toy.address.clone());
        if let Some(holder) = holder {
            panic!("{} was deleted while {holder} needs it", cx.identity.address);
        }
        if let Some(toy) = world.toys.remove(id.as_str()) {
            world.deleted.push((id.to_string(), toy));
            if !cx.purges() {
                world.photographs.insert(photograph(id));
            }
        }
    }
    answered(cx.cloud, &trick).await
}

/// A deployment in a directory of its own.
pub(crate) struct Bench {
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) on_failure: OnFailure,
    pub(crate) wanted: Wanted,
    pub(crate) cancel: Cancel,
    pub(crate) purge: bool,
    dir: tempfile::TempDir,
}

pub(crate) fn spec(size: u32, color: &str, needs: &[&Ref<Thing>]) -> Spec {
    Spec { size, color: color.into(), needs: needs.iter().map(|need| (*need).clone()).collect() }
}

/// Two chains that meet: `base` under `left` and `right`, `top` on both, and a vault on its own.
pub(crate) fn diamond(size: u32, color: &str) -> Graph {
    let mut graph = Graph::new();
    let base = graph.add::<Thing>("base", spec(size, color, &[]));
    let left = graph.add::<Thing>("left", spec(1, color, &[&base]));
    let right = graph.add::<Thing>("right", spec(1, "blue", &[&base]));
    graph.add::<Thing>("top", spec(1, color, &[&left, &right]));
    graph.add::<Vault>("vault", spec(1, color, &[]));
    graph.finish().expect("a graph")
}

impl Bench {
    pub(crate) fn new() -> Self {
        // In memory, where there is such a place: on a disk, syncing is most of what thousands of runs would wait for.
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let store = Store::new(dir.path(), "acme", "prod");
        let cloud = Cloud::default();
        cloud.lock().unwrap().store = Some(store);
        let wanted = Wanted { graph: diamond(1, "red"), ..Wanted::default() };
        let (cloud, on_failure, cancel) = (Arc::new(cloud), OnFailure::Keep, Cancel::new());
        Self { cloud, on_failure, wanted, cancel, purge: false, dir }
    }

    pub(crate) fn trick(&self, call: &str, tricks: impl IntoIterator<Item = Trick>) {
        self.cloud.lock().unwrap().trick(call, tricks);
    }

    pub(crate) fn inventory(&self) -> BTreeMap<String, Toy> {
        self.cloud.lock().unwrap().inventory()
    }

    /// Forgets the calls so far, and says how many of them changed something.
    pub(crate) fn mutations(&self) -> usize {
        let mut world = self.cloud.lock().unwrap();
        let mutations = world.mutations();
        world.calls.clear();
        mutations
    }

    fn store(&self) -> Store {
        Store::new(self.dir.path(), "acme", "prod")
    }

    pub(crate) fn state(&self) -> State {
        self.store().load().unwrap().expect("a state")
    }

    pub(crate) fn unfinished(&self) -> bool {
        self.store().is_unfinished().unwrap()
    }

    fn registry(&self) -> Registry {
        let cloud = &self.cloud;
        Registry::new()
            .with::<Thing>(cloud)
            .with::<Vault>(cloud)
            .with::<Chest>(cloud)
            .with::<Heirloom>(cloud)
            .with::<Plant>(cloud)
    }

    /// What a process does whatever it is for: it takes the lock, works, and writes the snapshot.
    pub(crate) async fn process<T>(&self, work: impl AsyncFnOnce(&Engine, &Ledger) -> T) -> T {
        let deployment = Deployment {
            project: "acme-rcm".into(),
            partner: "acme".into(),
            environment: "prod".into(),
            account: "123456789012".into(),
            region: "us-east-1".into(),
            partition: "aws".into(),
        };
        let holder = Holder::this_process("tester", "test");
        let lock = self.store().lock(&holder, Duration::ZERO, &Events::none()).await.unwrap();
        let ledger = Arc::new(Ledger::open(self.store(), lock, "test", &deployment).unwrap());
        let options = Options { on_failure: self.on_failure, purge: self.purge, ..Options::default() };
        let engine = Engine::new(self.registry(), Arc::clone(&ledger), Events::none(), options, self.cancel.clone());
        let result = work(&engine, &ledger).await;
        drop(engine);
        Arc::into_inner(ledger).expect("the run is over").checkpoint().unwrap();
        result
    }

    /// What is to be done: recover, refresh, plan.
    pub(crate) async fn plan(&self, engine: &Engine, ledger: &Ledger) -> Result<Plan, Fault> {
        recover(engine).await?;
        let state = ledger.state().clone();
        let live = refresh(&self.registry(), &state, Depth::Full, &BTreeSet::new()).await?;
        Ok(make(&self.registry(), &state, &live, &self.wanted).unwrap())
    }

    /// One whole run that nothing keeps from its execution.
    pub(crate) async fn run(&self) -> (Plan, Outcome) {
        self.process(async |engine, ledger| {
            let plan = self.plan(engine, ledger).await.unwrap();
            let outcome = execute(engine, &plan).await.unwrap();
            (plan, outcome)
        })
        .await
    }

    /// What `process` comes to; `None` if it dies at a `Die…` trick: then nothing is written any more.
    pub(crate) async fn mortal<T>(&self, process: impl Future<Output = T>) -> Option<T> {
        let death = Arc::new(Notify::new());
        self.cloud.lock().unwrap().death = Arc::clone(&death);
        let ended = tokio::select! {
            biased;
            result = process => Some(result),
            () = death.notified() => None,
        };
        if ended.is_none() {
            // The dead run's tasks are dropped one by one; the last one frees the lock.
            let store = self.store();
            let holder = Holder::this_process("tester", "test");
            store.lock(&holder, Duration::from_mins(1), &Events::none()).await.unwrap();
            // Lines that were on their way to the disk have got there, if one thread writes them all.
            tokio::task::spawn_blocking(|| ()).await.unwrap();
        }
        ended
    }

    /// A run that dies at its next `Die…` trick.
    pub(crate) async fn crash(&self) {
        if let Some((_, outcome)) = self.mortal(self.run()).await {
            panic!("the run was to die: {outcome:?}");
        }
    }
}
