//! The plan: steps in two lists.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::diff::{FieldChange, Origin};
use crate::model::{Address, Deployment, Id, Remnant};

/// What a change of the ownership tags is called, among the fields of a spec.
pub const TAGS: &str = "tags";

/// What will be done, and why. The same inputs give the same plan, byte for byte.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Where.
    pub deployment: Deployment,
    /// The lineage of the state that it was made from.
    pub lineage: Uuid,
    /// The serial of the state that it was made from.
    pub serial: u64,
    /// Whether it takes everything away.
    pub destroy: bool,
    /// With `destroy`: whether also that goes which is usually kept.
    pub purge: bool,
    /// Everything that can be undone, in the order of addresses; dependencies decide what runs when.
    pub forward: Vec<Step>,
    /// Everything that cannot be undone, begun only when all of `forward` has succeeded.
    pub cleanup: Vec<Step>,
    /// What `destroy` leaves in place, and what earlier ones have left.
    pub retained: Vec<Address>,
    /// What deletes have left in the cloud and a purge deletes, before it begins the cleanup.
    #[serde(default)]
    pub discards: Vec<Remnant>,
    /// How many resources are as they should be.
    pub unchanged: usize,
    /// What stands in the way of running it.
    pub blocked: Vec<Blocked>,
}

/// A step that destroys data and that nobody has asked for by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocked {
    /// The resource.
    pub address: Address,
    /// What would happen to it.
    pub why: String,
}

/// One resource's part of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The node.
    pub address: Address,
    /// Its kind.
    pub kind: String,
    /// The generation that the step works on.
    pub generation: u32,
    /// What is done.
    #[serde(flatten)]
    pub action: Action,
    /// The wanted spec, with references; `null` for a delete.
    pub spec: Value,
    /// Orderings beside the references of the spec.
    pub after: BTreeSet<Address>,
    /// What must have happened before: addresses with a step in the same list; `true` where the target's id is enough.
    pub waits_for: BTreeMap<Address, bool>,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "kebab-case")]
pub enum Action {
    /// Makes it.
    Create {
        /// Why it has to be made although the state knows it; `None` for a new one.
        again: Option<String>,
    },
    /// Takes away what an earlier run began to make and the cloud has given up, and makes it anew.
    Remake {
        /// What the cloud says of it.
        why: String,
    },
    /// Takes up one that is ours and that the state does not know, or that a `destroy` has left.
    Adopt {
        /// Its id.
        id: Id,
    },
    /// Finishes what an earlier run has begun.
    Complete,
    /// Changes it in place.
    Update {
        /// What changes.
        changes: Vec<FieldChange>,
    },
    /// Makes a successor beside it; the predecessor is deleted in the cleanup.
    Replace {
        /// What changes; at least one forces the replacement.
        changes: Vec<FieldChange>,
    },
    /// Deletes it.
    Delete {
        /// Whether it is a predecessor whose successor is in place.
        superseded: bool,
    },
    /// Leaves it in place and notes so.
    Retain,
    /// Leaves it in place and forgets it: it was never this deployment's alone.
    Leave,
}

/// Something that was done outside rcm, and that a plan puts right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Repair {
    /// The resource.
    pub address: Address,
    /// Whether it was deleted.
    pub deleted: bool,
    /// The fields that were changed.
    pub fields: Vec<String>,
}

impl Action {
    /// The word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Adopt { .. } => "adopt",
            Self::Complete => "complete",
            Self::Update { .. } => "update",
            Self::Remake { .. } | Self::Replace { .. } => "replace",
            Self::Delete { .. } => "delete",
            Self::Retain => "retain",
            Self::Leave => "leave",
        }
    }
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.forward.is_empty() && self.cleanup.is_empty() && self.discards.is_empty()
    }

    /// All steps, forward first.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.forward.iter().chain(&self.cleanup)
    }

    /// What others have done that it puts right, in the order of addresses.
    pub fn repairs(&self) -> Vec<Repair> {
        let repair = |step: &Step| {
            let (deleted, changes) = match &step.action {
                Action::Create { again: Some(_) } => (true, &[][..]),
                Action::Update { changes } | Action::Replace { changes } => (false, &changes[..]),
                _ => return None,
            };
            let drifted = changes.iter().filter(|change| change.origin == Origin::Drift);
            let fields: Vec<String> = drifted.map(|change| change.field.clone()).collect();
            (deleted || !fields.is_empty()).then(|| Repair { address: step.address.clone(), deleted, fields })
        };
        self.forward.iter().filter_map(repair).collect()
    }

    /// How many steps do what, by [`Action::word`]. Predecessors that a replacement deletes are not counted again.
    pub fn counts(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for step in self.steps().filter(|step| !matches!(step.action, Action::Delete { superseded: true })) {
            *counts.entry(step.action.word()).or_default() += 1;
        }
        counts
    }
}
