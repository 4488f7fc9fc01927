//! What is written down: the state, the journal that protects it, and the lock that keeps others out.

mod atomic;
mod backup;
mod facts;
mod journal;
mod lease;
mod ledger;
mod local;
mod lock;
mod migrate;
mod state;
mod undo;

pub use atomic::write_atomically;
pub use facts::Facts;
pub use journal::{Entry, Intent};
pub use lease::{Fence, Held, Lease, Lost};
pub use ledger::Ledger;
pub use local::{Store, StoreError};
pub use lock::{Holder, Lock};
pub use state::{Departed, Phase, Record, Release, STATE_VERSION, State};
pub use undo::Undo;
