//! One integration binary: a file a topic. What is in `moto` needs a moto server; `cargo xtask test` installs it.

#![expect(clippy::unwrap_used, reason = "what a test cannot read fails it, in helpers too")]

mod baseline;
mod bench;
mod compliance;
mod dns;
mod firewall;
mod history;
mod init;
mod moto;
mod plans;
mod reliability;
mod sandbox;
mod tiers;
mod upkeep;
mod verbs;
mod wiring;
