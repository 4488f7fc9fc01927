//! Never an orphan: the whole stack, crashed and failed at every call.

mod canon;
mod crash;
mod fail;
mod world;
