//! What a delete leaves in the cloud on purpose, such as a last copy of the data.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Address;

/// Something that a delete has asked the cloud to keep. It is nobody's resource any more: rcm only remembers that it was left,
/// until a purge deletes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remnant {
    /// The resource that was deleted.
    pub address: Address,
    /// Its kind, which knows how to delete this.
    #[serde(default)]
    pub kind: String,
    /// What it is, in a few words for people.
    pub what: String,
    /// What the cloud calls it.
    pub id: String,
    /// When it was left.
    #[serde(default)]
    pub since: Option<Timestamp>,
}

impl Remnant {
    /// Whether both are the same thing in the cloud.
    pub fn is(&self, other: &Self) -> bool {
        (&self.address, &self.what, &self.id) == (&other.address, &other.what, &other.id)
    }
}

/// Where the calls of one delete note what they leave.
#[derive(Debug, Default)]
pub struct Remnants(Mutex<Vec<Noted>>);

/// What it is, and what the cloud calls it.
pub(crate) type Noted = (String, String);

impl Remnants {
    pub(crate) fn note(&self, noted: Noted) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A delete that is sent again says it again.
        if !all.contains(&noted) {
            all.push(noted);
        }
    }

    pub(crate) fn take(&self) -> Vec<Noted> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
