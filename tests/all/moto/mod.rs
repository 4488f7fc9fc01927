//! End to end, over HTTP, against moto. Each test starts a server of its own.

mod acme;
mod announced;
mod baseline;
mod disk;
mod dns;
mod emulator;
mod exits;
mod harness;
mod kill;
mod permissions;
mod replicas;
mod rollback;
mod schemas;
mod served;
mod stack;
mod stops;
