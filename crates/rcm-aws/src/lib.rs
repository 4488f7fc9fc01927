//! AWS for the rcm engine: the clients, what things are called and tagged, what errors mean, and one file a resource kind.
//!
//! `identity` owns names and tags, `classify` owns the meaning of errors, `resources` holds the kinds. A resource file uses the
//! first two and nothing else of this crate; workarounds for emulators have no place here.

pub mod aws;
pub mod classify;
#[cfg(test)]
mod counter;
mod fence;
mod health;
mod here;
pub mod identity;
mod logs;
mod once;
mod pricing;
pub mod questions;
mod reach;
pub mod record;
pub mod resources;
mod rollout;
pub mod secret;
mod sessions;

pub use aws::{Aws, Caller, Connect};
pub use health::{CertificateHealth, DatabaseHealth, ServiceHealth, Standing};
pub use logs::{LogEvent, LogPage};
pub use pricing::Products;
pub use reach::{AclEntries, AclEntry, Opening, Peer, WayOut};
pub use rollout::{RegistryLogin, StoppedContainer, StoppedTask, TargetState};
pub use secret::Secret;
pub use sessions::{Keys, OpenSession, RunningContainer, RunningTask};
