//! Random graphs, random changes and random faults: what holds after every run, and what a run without faults makes of it.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use proptest::{prelude::*, test_runner::RngSeed};
use rcm_engine::{
    model::{Address, Fault, FaultKind, Graph, Ref, Resource},
    plan::{Action, Plan, Wanted},
    run::{Aftermath, Outcome, execute, recover, rollback},
    store::{Ledger, Phase, Record, State},
};

use crate::{
    cloud::{Bench, Chest, Heirloom, Plant, Spec, Thing, Toy, Trick, Vault},
    story::{Change, Goal, Kind, Node, Round, Story, Tie, Trouble, story},
};

/// So many random stories are told, always the same ones.
const STORIES: u32 = 800;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: STORIES,
        rng_seed: RngSeed::Fixed(2026),
        failure_persistence: None,
        max_shrink_iters: 4_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_is_changed_and_whatever_fails_the_cloud_ends_as_wanted(story in story()) {
        tell(&story);
    }
}

/// Tells a story and checks everything that must hold on the way.
fn tell(story: &Story) {
    // One thread writes the journal, so that the same story is always told the same way.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).max_blocking_threads(1).build().unwrap();
    runtime.block_on(Teller::new(story.nodes.clone()).tell(story.provisioned, &story.rounds));
}

/// The wanted graph, the deployment, and what is remembered of it.
struct Teller {
    nodes: Vec<Node>,
    bench: Bench,
    /// What an undo brings back.
    before: RefCell<Before>,
    /// Resources that a plan deletes and that somebody has allowed to.
    named: RefCell<BTreeSet<(String, u32)>>,
}

/// The cloud as it was before a run.
#[derive(Default)]
struct Before {
    toys: BTreeMap<String, Toy>,
    /// Toys that an earlier run has left half made: their configuration may be anything.
    unsettled: BTreeSet<String>,
}

impl Teller {
    fn new(nodes: Vec<Node>) -> Self {
        Self { nodes, bench: Bench::new(), before: RefCell::default(), named: RefCell::default() }
    }

    async fn tell(mut self, provisioned: bool, rounds: &[Round]) {
        if provisioned {
            self.want(Goal::Provision, true);
            self.finish().await;
        }
        for round in rounds {
            round.changes.iter().for_each(|change| self.change(change));
            self.want(round.goal, round.allow);
            self.bench.on_failure = round.on_failure;
            self.trouble(&round.faults);
            let ended = self.bench.mortal(self.run()).await;
            self.bench.cloud.lock().unwrap().calm();
            self.check_valid();
            match &ended {
                Some(Ok(Outcome::Done)) if round.faults.iter().any(Trouble::blinds) => {}
                Some(Ok(Outcome::Done)) => self.check_wanted(),
                Some(Ok(Outcome::Failed { aftermath, .. })) => self.check_aftermath(aftermath),
                Some(Ok(Outcome::Cancelled)) => panic!("nobody has cancelled"),
                // Something was refused before the plan was begun, or waits for somebody, or the process died.
                Some(Err(_) | Ok(Outcome::Parked(_))) | None => {}
            }
            let failed = !matches!(ended, Some(Ok(Outcome::Done)));
            if let Some(faults) = round.undo.as_ref().filter(|_| failed) {
                self.undo(faults).await;
            }
        }
        self.want(rounds.last().map_or(Goal::Provision, |round| round.goal), true);
        self.finish().await;
    }

    /// Without faults, everything comes to its end, and then there is nothing to do.
    async fn finish(&self) {
        let outcome = self.run().await;
        assert!(matches!(outcome, Ok(Outcome::Done)), "without faults: {outcome:?}");
        self.check_valid();
        self.check_wanted();
        let (plan, _) = self.bench.run().await;
        assert!(plan.is_empty(), "there is something left to do: {plan:#?}");
    }

    fn change(&mut self, change: &Change) {
        let count = self.nodes.len();
        match change {
            Change::Paint(node, color) => self.nodes[node % count].color = *color,
            Change::Resize(node, size) => self.nodes[node % count].size = *size,
            Change::Rewire(node, rank, ties) => {
                let node = &mut self.nodes[node % count];
                node.moved |= node.rank != *rank;
                (node.rank, node.ties) = (*rank, ties.clone());
            }
            Change::AddOrRemove(node) => self.nodes[node % count].present ^= true,
        }
    }

    fn want(&mut self, goal: Goal, allow: bool) {
        let (destroy, purge) = (goal != Goal::Provision, goal == Goal::Purge);
        let graph = if destroy { Graph::new() } else { self.graph() };
        let losable = |(_, node): &(usize, &Node)| allow && (node.present || !node.kind.is_kept());
        let may_lose = self.nodes.iter().enumerate().filter(losable).map(|(at, _)| address(at)).collect();
        self.bench.purge = purge;
        self.bench.wanted = Wanted { graph, may_lose, destroy, purge, ..Wanted::default() };
    }

    fn graph(&self) -> Graph {
        let mut graph = Graph::new();
        for (at, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.present) {
            match node.kind {
                Kind::Thing => self.add::<Thing>(&mut graph, at),
                Kind::Vault => self.add::<Vault>(&mut graph, at),
                Kind::Chest => self.add::<Chest>(&mut graph, at),
                Kind::Heirloom => self.add::<Heirloom>(&mut graph, at),
                Kind::Plant => self.add::<Plant>(&mut graph, at),
            }
        }
        graph.finish().expect("what depends only on what stands before it has no cycle")
    }

    fn add<R: Resource<Spec = Spec>>(&self, graph: &mut Graph, at: usize) {
        let node = &self.nodes[at];
        let needs = self.ties(at).filter_map(|(to, tie)| match tie {
            Tie::Needs => Some(reference(to)),
            // One that is turned round must wait until the other has let go of it, and an early one does not.
            Tie::NeedsEarly if node.moved || self.nodes[to].moved => Some(reference(to)),
            Tie::NeedsEarly => Some(reference(to).early()),
            Tie::After => None,
        });
        let added =
            graph.add::<R>(address(at).as_str(), Spec { size: node.size, color: color(node), needs: needs.collect() });
        for (to, _) in self.ties(at).filter(|(_, tie)| matches!(tie, Tie::After)) {
            graph.after(&added, &reference(to));
        }
    }

    /// What a node depends on. What outlives a destroy does not stand on what goes with it.
    fn ties(&self, at: usize) -> impl Iterator<Item = (usize, Tie)> {
        let node = &self.nodes[at];
        let earlier = move |to: usize| to < self.nodes.len() && (self.nodes[to].rank, to) < (node.rank, at);
        let there = move |to: usize| earlier(to) && self.nodes[to].present && !node.kind.is_kept();
        node.ties.iter().map(|(to, tie)| (*to, *tie)).filter(move |(to, _)| there(*to))
    }

    fn trouble(&self, faults: &[Trouble]) {
        for Trouble { verb, node, trick, times } in faults {
            let node = node % self.nodes.len();
            let denies = matches!(trick, Trick::Refuse(FaultKind::NotFound));
            // What exists may be out of sight for a read. But who can neither see it nor find it has no way to keep it.
            let lies = *verb == "find" || *verb == "delete" || (*verb == "read" && self.nodes[node].kind.holds_data());
            let trick = if denies && lies { Trick::Refuse(FaultKind::Denied) } else { trick.clone() };
            self.bench.trick(&format!("{verb} {}", address(node)), std::iter::repeat_n(trick, *times));
        }
    }

    /// One run, as a process does it.
    async fn run(&self) -> Result<Outcome, Fault> {
        self.bench
            .process(async |engine, ledger| {
                let plan = self.bench.plan(engine, ledger).await?;
                if !plan.blocked.is_empty() {
                    return Err(Fault::invalid("plan", "data would be lost"));
                }
                self.remember(ledger, &plan);
                execute(engine, &plan).await
            })
            .await
    }

    /// What is not undone any more from now on, and what this plan may delete.
    fn remember(&self, ledger: &Ledger, plan: &Plan) {
        let state = ledger.state();
        if !ledger.continues() || state.undo.is_empty() {
            let unsettled = state.records().filter(|record| record.phase != Phase::Ready);
            let unsettled = unsettled.filter_map(|record| record.id.as_ref()).map(ToString::to_string).collect();
            let toys = self.bench.cloud.lock().unwrap().toys.clone();
            self.before.replace(Before { toys, unsettled });
        }
        let Wanted { destroy, may_lose, .. } = &self.bench.wanted;
        let deletes = plan.cleanup.iter().filter(|step| matches!(step.action, Action::Delete { .. }));
        let allowed = deletes.filter(|step| *destroy || may_lose.contains(&step.address));
        self.named.borrow_mut().extend(allowed.map(|step| (step.address.to_string(), step.generation)));
    }

    /// Undoes what the last run did, first with faults, then without, if there is anything to undo.
    async fn undo(&self, faults: &[Trouble]) {
        if self.bench.state().undo.is_empty() {
            return;
        }
        let process = || {
            self.bench.process(async |engine, _| {
                recover(engine).await?;
                Ok::<_, Fault>(rollback(engine).await)
            })
        };
        self.trouble(faults);
        let ended = self.bench.mortal(process()).await;
        self.bench.cloud.lock().unwrap().calm();
        self.check_valid();
        if let Some(Ok(aftermath)) = &ended {
            self.check_aftermath(aftermath);
        }
        let undone = matches!(ended, Some(Ok(Aftermath::RolledBack)));
        assert!(undone || !faults.is_empty(), "no fault, and not undone: {ended:?}");
        let again = process().await.expect("nothing is refused");
        assert!(matches!(again, Aftermath::RolledBack), "no fault any more, and not undone: {again:?}");
        self.check_valid();
        self.check_aftermath(&again);
    }

    /// What is undone is as before, and what is not is named.
    fn check_aftermath(&self, aftermath: &Aftermath) {
        let undo = self.bench.state().undo;
        match aftermath {
            Aftermath::Kept | Aftermath::Interrupted => {}
            Aftermath::RolledBack => {
                assert!(undo.is_empty(), "rolled back, and to be undone: {undo:#?}");
                let before = self.before.borrow();
                assert_eq!(before.seen(&self.bench.cloud.lock().unwrap().toys), before.seen(&before.toys));
            }
            Aftermath::Stuck(left) => {
                let left: BTreeSet<&Address> = left.iter().map(|(address, _)| address).collect();
                let undo: BTreeSet<&Address> = undo.iter().map(|undo| undo.key().0).collect();
                assert_eq!(left, undo, "what is left is what is still to be undone");
            }
        }
    }

    /// What holds after every run, however it ended.
    fn check_valid(&self) {
        let state = self.bench.state();
        let world = self.bench.cloud.lock().unwrap();
        check_records(&state, &world.toys);
        let mut seen = BTreeSet::new();
        for (id, toy) in &world.toys {
            let of_it = |record: &Record| match &record.id {
                Some(known) => known.as_str() == id,
                None => record.address.as_str() == toy.address && record.generation == toy.generation,
            };
            assert!(state.records().any(of_it), "nobody knows {id}, {toy:?}");
            assert!(seen.insert((&toy.address, toy.generation)), "two of {toy:?}");
            assert!(toy.needs.iter().all(|need| world.toys.contains_key(need)), "stands on what is gone: {toy:?}");
        }
        let before = self.before.borrow();
        for (id, toy) in world.deleted.iter().filter(|(_, toy)| [Vault::KIND, Chest::KIND].contains(&toy.kind)) {
            let named = self.named.borrow().contains(&(toy.address.clone(), toy.generation));
            assert!(named || !before.toys.contains_key(id), "the data of {toy:?} is lost, and nobody has allowed that");
        }
    }

    /// The cloud is exactly as wanted, but for what is kept by design.
    fn check_wanted(&self) {
        let world = self.bench.cloud.lock().unwrap();
        let toys = world.inventory();
        let id = |at: usize| {
            let found = world.toys.iter().find(|(_, toy)| toy.address == address(at).as_str());
            found.map_or_else(|| panic!("{} is not there", address(at)), |(id, _)| id.clone())
        };
        for (at, node) in self.nodes.iter().enumerate() {
            let toy = toys.get(address(at).as_str());
            if node.present && !self.bench.wanted.destroy {
                let toy = toy.unwrap_or_else(|| panic!("{} is not there", address(at)));
                let needs = self.ties(at).filter(|(_, tie)| !matches!(tie, Tie::After)).map(|(to, _)| id(to));
                assert_eq!((toy.size, &toy.color, &toy.needs), (node.size, &color(node), &needs.collect()), "{at}");
            } else if let Some(toy) = toy {
                assert!(node.kind.is_kept() && !self.bench.wanted.purge, "nobody wants {toy:?}");
                assert!(self.bench.state().resources[&address(at)].retained, "nobody says that it is kept: {toy:?}");
            }
        }
        let state = self.bench.state();
        assert!(state.records().all(|record| record.phase == Phase::Ready || record.retained), "{state:#?}");
        assert!(state.superseded.is_empty() && state.undo.is_empty(), "{state:#?}");
    }
}

/// Each record is of one resource that exists, unless it says that it may not.
fn check_records(state: &State, toys: &BTreeMap<String, Toy>) {
    let (mut keys, mut ids) = (BTreeSet::new(), BTreeSet::new());
    assert!(state.resources.iter().all(|(address, record)| *address == record.address), "{state:#?}");
    for record in state.records() {
        assert!(keys.insert((&record.address, record.generation)), "twice in the state: {record:#?}");
        let Some(id) = &record.id else {
            assert!([Phase::Creating, Phase::Deleting].contains(&record.phase), "has no id: {record:#?}");
            continue;
        };
        assert!(ids.insert(id), "twice in the state: {record:#?}");
        match toys.get(id.as_str()) {
            Some(toy) => {
                assert_eq!((record.address.as_str(), record.generation), (toy.address.as_str(), toy.generation))
            }
            None => assert!(record.phase != Phase::Ready, "is not there: {record:#?}"),
        }
    }
}

impl Before {
    /// What of a cloud has to be the same after an undo.
    fn seen(&self, toys: &BTreeMap<String, Toy>) -> BTreeMap<String, Toy> {
        let mut toys = toys.clone();
        for (_, toy) in toys.iter_mut().filter(|(id, _)| self.unsettled.contains(*id)) {
            toy.color.clear();
            toy.needs.clear();
        }
        toys
    }
}

fn address(at: usize) -> Address {
    Address::new(format!("n{at}")).unwrap()
}

fn reference(at: usize) -> Ref<Thing> {
    Ref::to(address(at))
}

fn color(node: &Node) -> String {
    ["red", "green", "blue"][node.color as usize].into()
}
