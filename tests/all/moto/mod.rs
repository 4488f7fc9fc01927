//! End to end, over HTTP, against moto. Each test starts a server of its own.

#![expect(clippy::print_stdout, reason = "how often the command was killed is a result")]

mod acme;
mod disk;
mod emulator;
mod exits;
mod harness;
mod kill;
mod rollback;
mod stops;
