//! What is asked before a run, of the account as a whole: one file a question. Every one of them only reads.

mod buckets;
mod names;
mod offers;
mod quotas;
mod region;
mod simulate;
mod usage;

pub use names::named;
pub use offers::DatabaseOffer;
pub use simulate::{Answer, Decision, Principal, Simulation};
pub use usage::{InUse, SecretSeen, VpcSeen};
