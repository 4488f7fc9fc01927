//! What can go wrong, for programs to match on.

use rcm_engine::{
    model::{Address, Fault, GraphError},
    plan::{Plan, PlanError},
    store::StoreError,
};

use crate::config::ConfigError;

/// Why an operation did not run, or not to its end. A run that began and failed is not one of these but a
/// [`Report`](crate::Report).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The partner file.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The state, its journal or its lock.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A call to AWS.
    #[error(transparent)]
    Aws(#[from] Fault),
    /// The blueprint made a graph that is none: a bug.
    #[error("the blueprint is broken: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Graph(Vec<GraphError>),
    /// No plan can be made.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The credentials belong to another account than the partner file's.
    #[error("these credentials are for account {found} ({arn}); the partner file is for account {wanted}")]
    WrongAccount {
        /// The partner file's.
        wanted: String,
        /// The credentials'.
        found: String,
        /// Whose they are.
        arn: String,
    },
    /// The state is of another account, region or partition than the partner file's.
    #[error("the state is of {what} {state}, the partner file is of {what} {file}")]
    WrongState {
        /// `account`, `region`, `partition`, `project_prefix`.
        what: &'static str,
        /// The state's.
        state: String,
        /// The partner file's.
        file: String,
    },
    /// The plan would destroy data that nobody has named: see its `blocked`.
    #[error("{}", .0.blocked.iter().map(|blocked| format!("{} {}", blocked.address, blocked.why)).collect::<Vec<_>>().join("; "))]
    Blocked(Box<Plan>),
    /// A saved plan no longer says what would be done.
    #[error("the saved plan is out of date: {0}")]
    Stale(String),
    /// The plan was not approved.
    #[error("not approved; nothing was changed")]
    Declined,
    /// Something was asked for that the state does not have.
    #[error("{0} is not in the state")]
    NotInState(Address),
    /// There is no state yet.
    #[error("nothing has been provisioned yet for {partner}/{environment}: no state file")]
    NoState {
        /// The partner.
        partner: String,
        /// The environment.
        environment: String,
    },
}
