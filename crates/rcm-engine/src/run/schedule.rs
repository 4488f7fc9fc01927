//! What may run next: a pure state machine over steps and their edges.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

/// An edge to an earlier step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edge {
    /// The step that must come first.
    pub(super) to: usize,
    /// Whether its id is enough.
    pub(super) early: bool,
}

/// Which steps may run, given what has happened so far.
#[derive(Debug)]
pub(super) struct Schedule {
    edges: Vec<Vec<Edge>>,
    /// The time that the longest chain from here to the end takes.
    remaining: Vec<Duration>,
    started: Vec<bool>,
    minted: Vec<bool>,
    done: Vec<bool>,
}

impl Schedule {
    /// Steps 0..n with their edges and how long each usually takes. The edges have no cycle.
    pub(super) fn new(edges: Vec<Vec<Edge>>, typical: &[Duration]) -> Self {
        let count = edges.len();
        let mut dependents = vec![Vec::new(); count];
        for (from, targets) in edges.iter().enumerate() {
            targets.iter().for_each(|edge| dependents[edge.to].push(from));
        }
        let remaining = longest_paths(&edges, &dependents, typical);
        Self { edges, remaining, started: vec![false; count], minted: vec![false; count], done: vec![false; count] }
    }

    /// The steps that may start now and have not yet, those with the longest way to go first.
    pub(super) fn take_ready(&mut self) -> Vec<usize> {
        let mut ready: Vec<usize> = (0..self.edges.len()).filter(|step| self.may_start(*step)).collect();
        ready.sort_by_key(|step| (std::cmp::Reverse(self.remaining[*step]), *step));
        ready.iter().for_each(|step| self.started[*step] = true);
        ready
    }

    fn may_start(&self, step: usize) -> bool {
        let met = |edge: &Edge| self.done[edge.to] || (edge.early && self.minted[edge.to]);
        !self.started[step] && self.edges[step].iter().all(met)
    }

    /// The step's id is known.
    pub(super) fn minted(&mut self, step: usize) {
        self.minted[step] = true;
    }

    /// The step is done.
    pub(super) fn done(&mut self, step: usize) {
        self.minted[step] = true;
        self.done[step] = true;
    }

    /// Whether every step is done.
    pub(super) fn complete(&self) -> bool {
        self.done.iter().all(|done| *done)
    }
}

fn longest_paths(edges: &[Vec<Edge>], dependents: &[Vec<usize>], typical: &[Duration]) -> Vec<Duration> {
    let mut open: Vec<usize> = dependents.iter().map(Vec::len).collect();
    let mut remaining: Vec<Duration> = typical.to_vec();
    let mut queue: VecDeque<usize> = (0..edges.len()).filter(|step| open[*step] == 0).collect();
    while let Some(step) = queue.pop_front() {
        let targets: BTreeSet<usize> = edges[step].iter().map(|edge| edge.to).collect();
        for edge in &edges[step] {
            open[edge.to] -= 1;
        }
        for to in targets {
            remaining[to] = remaining[to].max(typical[to] + remaining[step]);
            if open[to] == 0 {
                queue.push_back(to);
            }
        }
    }
    remaining
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(to: usize) -> Edge {
        Edge { to, early: false }
    }

    fn seconds(all: &[u64]) -> Vec<Duration> {
        all.iter().map(|secs| Duration::from_secs(*secs)).collect()
    }

    #[test]
    fn what_everything_waits_for_starts_first() {
        // 0 and 1 are free; 2 takes fifteen minutes and waits for 1.
        let mut schedule = Schedule::new(vec![vec![], vec![], vec![edge(1)]], &seconds(&[5, 1, 900]));
        assert_eq!(schedule.take_ready(), [1, 0]);
        assert!(schedule.take_ready().is_empty());
        schedule.done(1);
        assert_eq!(schedule.take_ready(), [2]);
        assert!(!schedule.complete());
    }

    #[test]
    fn an_early_edge_is_met_by_the_id() {
        let edges = vec![vec![], vec![Edge { to: 0, early: true }], vec![edge(0)]];
        let mut schedule = Schedule::new(edges, &seconds(&[1, 1, 1]));
        assert_eq!(schedule.take_ready(), [0]);
        schedule.minted(0);
        assert_eq!(schedule.take_ready(), [1]);
        schedule.done(0);
        assert_eq!(schedule.take_ready(), [2]);
    }
}
