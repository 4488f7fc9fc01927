//! What rcm's tests are made of: a moto server, a registry, eyes that are not rcm's, a recorder of every call, and the command itself.
//!
//! Everything plays on the loopback interface with made-up credentials. Helpers panic where they cannot do their work: a test
//! that cannot look has not passed.

pub mod calls;
mod command;
mod look;
mod moto_server;
mod poll;
mod project;
mod registry_server;
mod schema;
mod terminal;

pub use command::{Ran, Rcm, Running};
pub use look::{boto3, inventory};
pub use moto_server::Moto;
pub use poll::poll;
pub use project::{actionlint, example, root};
pub use registry_server::{Front, Manners, Registry};
pub use schema::disagreements;
pub use terminal::Terminal;
