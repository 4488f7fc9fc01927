//! What is written down: the state, the journal that protects it, and the lock that keeps others out.

mod atomic;
mod backend;
mod backup;
pub mod conformance;
mod deployment;
mod directory;
mod facts;
mod journal;
mod lease;
mod ledger;
mod lock;
mod memory;
mod migrate;
mod state;
mod undo;

pub use atomic::write_atomically;
pub use backend::{Backend, Copied, Document, Owner, Refused, Sighting, Tail};
pub use deployment::{Store, StoreError};
pub use directory::Directory;
pub use facts::Facts;
pub use journal::{Entry, Intent};
pub use lease::{Fence, HEARTBEAT, Held, Lease, Lost, SILENCE};
pub use ledger::Ledger;
pub use lock::{Holder, Lock};
pub use memory::Memory;
pub use state::{Departed, Phase, Record, Release, STATE_VERSION, State};
pub use undo::Undo;
