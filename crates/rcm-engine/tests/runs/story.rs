//! A random story: a graph, and rounds of changes, runs and faults.

use std::collections::BTreeMap;

use proptest::{
    collection::{btree_map, vec},
    prelude::*,
};
use rcm_engine::{model::FaultKind, run::OnFailure};

use crate::cloud::Trick;

/// What is wanted at first, and what happens to it.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) nodes: Vec<Node>,
    /// Whether it has been provisioned before the first round.
    pub(crate) provisioned: bool,
    pub(crate) rounds: Vec<Round>,
}

/// One node of the graph. It may depend on those before it: on those of a lower rank, and of its rank on those of a lower number.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) present: bool,
    pub(crate) size: u32,
    pub(crate) color: u32,
    pub(crate) rank: u32,
    pub(crate) moved: bool,
    pub(crate) ties: BTreeMap<usize, Tie>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Thing,
    Vault,
    Chest,
    Heirloom,
    Plant,
}

/// How one node depends on another.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tie {
    Needs,
    NeedsEarly,
    After,
}

/// Changes of what is wanted, the run that is to bring them about, and what becomes of that.
#[derive(Debug, Clone)]
pub(crate) struct Round {
    pub(crate) changes: Vec<Change>,
    pub(crate) goal: Goal,
    /// Whether data may be lost.
    pub(crate) allow: bool,
    pub(crate) on_failure: OnFailure,
    pub(crate) faults: Vec<Trouble>,
    /// If the run fails or dies: whether it is undone, and what happens to that. If not, the next run goes on.
    pub(crate) undo: Option<Vec<Trouble>>,
}

#[derive(Debug, Clone)]
pub(crate) enum Change {
    Paint(usize, u32),
    Resize(usize, u32),
    /// Puts the node elsewhere in the order, and lets it depend on these, as far as they stand before it then.
    Rewire(usize, u32, BTreeMap<usize, Tie>),
    AddOrRemove(usize),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Goal {
    Provision,
    Destroy,
    Purge,
}

/// The next `times` calls of a verb of a node meet a trick.
#[derive(Debug, Clone)]
pub(crate) struct Trouble {
    pub(crate) verb: &'static str,
    pub(crate) node: usize,
    pub(crate) trick: Trick,
    pub(crate) times: usize,
}

pub(crate) fn story() -> impl Strategy<Value = Story> {
    // In a small graph more of what happens has to do with each other.
    let nodes = prop_oneof![3 => vec(node(), 3..=5), 1 => vec(node(), 6..=12)];
    (nodes, prop::bool::weighted(0.7), vec(round(), 1..=4)).prop_map(|(nodes, provisioned, rounds)| Story {
        nodes,
        provisioned,
        rounds,
    })
}

fn node() -> impl Strategy<Value = Node> {
    let kind = prop_oneof![
        4 => Just(Kind::Thing),
        1 => Just(Kind::Vault),
        1 => Just(Kind::Chest),
        1 => Just(Kind::Heirloom),
        1 => Just(Kind::Plant),
    ];
    let present = prop_oneof![1 => Just(false), 5 => Just(true)];
    (kind, present, ties()).prop_map(|(kind, present, ties)| Node {
        kind,
        present,
        size: 0,
        color: 0,
        rank: 0,
        moved: false,
        ties,
    })
}

fn ties() -> impl Strategy<Value = BTreeMap<usize, Tie>> {
    let tie = prop_oneof![3 => Just(Tie::Needs), 1 => Just(Tie::NeedsEarly), 1 => Just(Tie::After)];
    let to = prop_oneof![3 => 0..4_usize, 1 => 4..12_usize];
    btree_map(to, tie, 0..=4)
}

fn round() -> impl Strategy<Value = Round> {
    let on_failure = prop_oneof![Just(OnFailure::Rollback), Just(OnFailure::Keep)];
    let undo = prop_oneof![Just(None), troubles().prop_map(Some)];
    let goal = prop_oneof![8 => Just(Goal::Provision), 1 => Just(Goal::Destroy), 1 => Just(Goal::Purge)];
    (vec(change(), 0..=4), goal, prop::bool::weighted(0.7), on_failure, troubles(), undo).prop_map(
        |(changes, goal, allow, on_failure, faults, undo)| Round { changes, goal, allow, on_failure, faults, undo },
    )
}

fn change() -> impl Strategy<Value = Change> {
    let node = || 0..12_usize;
    prop_oneof![
        2 => (node(), 0..3_u32).prop_map(|(node, color)| Change::Paint(node, color)),
        4 => (node(), 0..3_u32).prop_map(|(node, size)| Change::Resize(node, size)),
        2 => (node(), 0..3_u32, ties()).prop_map(|(node, rank, ties)| Change::Rewire(node, rank, ties)),
        2 => node().prop_map(Change::AddOrRemove),
    ]
}

fn troubles() -> impl Strategy<Value = Vec<Trouble>> {
    let verb = prop_oneof![
        6 => prop::sample::select(vec!["create", "configure", "delete"]),
        2 => Just("ready"),
        1 => prop::sample::select(vec!["read", "find"]),
    ];
    // Once; until a create is given up; for the whole run.
    let times = prop::sample::select(vec![1, 5, 1_000]);
    let trouble =
        (verb, 0..12_usize, trick(), times).prop_map(|(verb, node, trick, times)| Trouble { verb, node, trick, times });
    vec(trouble, 0..=5)
}

fn trick() -> impl Strategy<Value = Trick> {
    let kind = prop::sample::select(vec![
        FaultKind::Denied,
        FaultKind::Invalid,
        FaultKind::Transient,
        FaultKind::Throttled,
        FaultKind::Propagating,
        FaultKind::InUse,
        FaultKind::NotFound,
        FaultKind::Exists,
        FaultKind::HasContent,
        FaultKind::Quota,
    ]);
    prop_oneof![
        3 => Just(Trick::Refuse(FaultKind::Denied)),
        3 => kind.prop_map(Trick::Refuse),
        2 => Just(Trick::LoseAnswer),
        1 => Just(Trick::DieBefore),
        2 => Just(Trick::DieAfter),
    ]
}

impl Trouble {
    /// Whether a plan may be made without seeing everything: then another run may have something to correct.
    pub(crate) fn blinds(&self) -> bool {
        self.verb == "read" && matches!(self.trick, Trick::Refuse(FaultKind::NotFound))
    }
}

impl Kind {
    pub(crate) fn holds_data(self) -> bool {
        matches!(self, Self::Vault | Self::Chest)
    }

    /// Whether a destroy keeps it.
    pub(crate) fn is_kept(self) -> bool {
        matches!(self, Self::Vault | Self::Heirloom)
    }
}
