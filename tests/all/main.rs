//! One integration binary: a file a topic. What is in `moto` needs a moto server, and what is in
//! `registry` a registry; `cargo xtask test` installs both.

#![expect(clippy::unwrap_used, reason = "what a test cannot read fails it, in helpers too")]

mod baseline;
mod bench;
mod compliance;
mod cost;
mod deploy;
mod dns;
mod exec;
mod firewall;
mod history;
mod init;
mod look;
mod moto;
mod plans;
mod registry;
mod reliability;
mod sandbox;
mod shell;
mod tiers;
mod upkeep;
mod verbs;
mod wiring;
