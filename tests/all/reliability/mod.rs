//! Never an orphan: the whole stack, crashed and failed at every call.

mod canon;
mod crash;
mod drift;
mod fail;
mod rebuild;
mod stage;
mod tampering;
mod world;
