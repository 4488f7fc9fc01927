//! One integration binary: a file a topic. What is in `moto` needs a moto server, what is in
//! `registry` a registry, and `workflow` actionlint; `cargo xtask test` installs all three.

#![expect(clippy::unwrap_used, reason = "what a test cannot read fails it, in helpers too")]

mod baseline;
mod bench;
mod compliance;
mod cost;
mod deploy;
mod dns;
mod doctor;
mod embedding;
mod exec;
mod firewall;
mod history;
mod init;
mod look;
mod moto;
mod plans;
mod preflight;
mod registry;
mod reliability;
mod sandbox;
mod shell;
mod telemetry;
mod tiers;
mod upkeep;
mod verbs;
mod wiring;
mod workflow;
