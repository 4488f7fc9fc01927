//! What things are: addresses, references, faults, resources, the graph, events. Nothing here does any I/O.

mod address;
mod erased;
mod event;
mod fault;
mod graph;
mod reference;
mod remnant;
mod resource;

pub use address::{Address, AddressError, Id};
pub use erased::{DynResource, Erased, Refreshed, Registry, Snapshot, Target};
pub use event::{Event, EventKind, EventStream, Events, UndoOf};
pub use fault::{Fault, FaultKind};
pub use graph::{Graph, GraphError, Node};
pub use reference::{Lookup, Ref, Reference, Resolved, readdress, references, replaced, resolve};
pub use remnant::{Remnant, Remnants};
pub use resource::{
    Actions, Cx, Deployment, Holds, Identity, Known, Observed, OnDestroy, Owned, Pace, Readiness, Resource,
};
