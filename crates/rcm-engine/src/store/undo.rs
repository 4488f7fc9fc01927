//! What of a run can still be undone. Part of the state, so that whoever comes after the run can do it too.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Intent, State, state::Record};
use crate::model::Address;

/// How to undo a mutation that a run has begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "undo", rename_all = "kebab-case")]
pub enum Undo {
    /// The run made it: delete it, if it exists.
    Create {
        /// The node.
        address: Address,
        /// Its generation.
        generation: u32,
    },
    /// It was there before: forget it again.
    Adopt {
        /// The node.
        address: Address,
        /// Its generation.
        generation: u32,
    },
    /// Put this back.
    Update {
        /// The record as it was.
        before: Box<Record>,
        /// The fields that may differ; all, if it does not say.
        changed: Option<BTreeSet<String>>,
    },
}

impl Undo {
    /// The resource that it is about.
    pub fn key(&self) -> (&Address, u32) {
        match self {
            Self::Create { address, generation } | Self::Adopt { address, generation } => (address, *generation),
            Self::Update { before, .. } => (&before.address, before.generation),
        }
    }
}

impl State {
    /// Whether the resource is one that undoing would delete.
    pub fn would_be_unmade(&self, address: &Address, generation: u32) -> bool {
        let unmakes = |undo: &Undo| matches!(undo, Undo::Create { .. }) && undo.key() == (address, generation);
        self.undo.iter().any(unmakes)
    }

    /// Remembers how to undo what is about to begin. What was made in this run is unmade, whatever is done to it later; of two
    /// updates the first knows how it was.
    pub(super) fn note_undo(&mut self, intent: &Intent) {
        let undo = match intent {
            Intent::Create(record) => Undo::Create { address: record.address.clone(), generation: record.generation },
            Intent::Adopt(record) => Undo::Adopt { address: record.address.clone(), generation: record.generation },
            Intent::Update { address, generation, changed, .. } => match self.record(address, *generation) {
                Some(record) => Undo::Update { before: Box::new(record.clone()), changed: changed.clone() },
                None => return,
            },
            // Deletes come when nothing is undone any more.
            Intent::Delete { .. } => return,
        };
        let known = self.undo.iter_mut().find(|known| known.key() == undo.key());
        match (known, undo) {
            (None, undo) => self.undo.push(undo),
            (Some(Undo::Update { changed: all, .. }), Undo::Update { changed, .. }) => {
                *all = all.take().zip(changed).map(|(all, more)| all.union(&more).cloned().collect());
            }
            (Some(_), _) => {}
        }
    }

    /// What a run wanted to create was there already.
    pub(super) fn note_existed(&mut self, address: &Address, generation: u32) {
        if let Some(undo) = self.undo.iter_mut().find(|undo| undo.key() == (address, generation)) {
            *undo = Undo::Adopt { address: address.clone(), generation };
        }
    }

    pub(super) fn forget_undo(&mut self, address: &Address, generation: u32) {
        self.undo.retain(|undo| undo.key() != (address, generation));
    }
}
