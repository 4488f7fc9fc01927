//! What a delete leaves in the cloud on purpose, such as a last copy of the data.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::Address;

/// Something that a delete has asked the cloud to keep. It is nobody's resource any more: rcm only remembers that it was left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remnant {
    /// The resource that was deleted.
    pub address: Address,
    /// What it is, in a few words for people.
    pub what: String,
    /// What the cloud calls it.
    pub id: String,
}

/// Where the calls of one delete note what they leave.
#[derive(Debug, Default)]
pub struct Remnants(Mutex<Vec<Remnant>>);

impl Remnants {
    pub(crate) fn note(&self, remnant: Remnant) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A delete that is sent again says it again.
        if !noted.contains(&remnant) {
            noted.push(remnant);
        }
    }

    pub(crate) fn take(&self) -> Vec<Remnant> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
