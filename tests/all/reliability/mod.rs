//! Never an orphan: the whole stack, crashed and failed at every call.

#![expect(clippy::print_stdout, reason = "how many points were tried is a result")]

mod account;
mod additions;
mod app_runner;
mod audit;
mod backups;
mod canon;
mod crash;
mod deploys;
mod drift;
mod errands;
mod fail;
mod fates;
#[cfg(target_os = "linux")]
mod full;
mod habits;
mod leaving;
mod permissions;
mod rebuild;
mod replicas;
mod secrets;
mod stage;
mod tampering;
mod world;
