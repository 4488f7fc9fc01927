//! rcm as a library: a partner file becomes a running, isolated AWS environment.
//!
//! ```no_run
//! # async fn demo() -> Result<(), rcm::Error> {
//! use rcm::{Environment, Goal, PartnerConfig, Settings};
//!
//! let config = PartnerConfig::load("partners".as_ref(), "acme", None)?;
//! let environment = Environment::open(config, Settings::new("state")).await?;
//! let report = environment.run(&Goal::provision(), |plan| plan.blocked.is_empty()).await?;
//! println!("{:?}", report.outputs);
//! # Ok(())
//! # }
//! ```
//!
//! Data goes down this list once: file → [`config`] → [`blueprint`] → plan → steps → journal → state. Nothing here prints, asks
//! or reads the environment; what happens is told as [`Events`](rcm_engine::model::Events).
//! What a program may bring of its own ([`Settings::with_kinds`], [`Settings::with_blueprint`], [`Settings::with_store`],
//! [`Cloud::Config`]), and what it can rely on, is in `docs/embedding.md`; the examples `onboarding` and `directory` are programs that do.

pub mod audit;
pub mod blueprint;
pub mod compliance;
pub mod config;
pub mod cost;
mod error;
pub mod image;
mod ops;
pub mod permissions;
pub mod resolver;

pub use config::PartnerConfig;
pub use error::Error;
pub use ops::{
    Certificate, Check, Cloud, Component, DEPLOY_ACTIONS, DOCTOR_ACTIONS, Deployed, Destroyed, Dns, EXEC_ACTIONS,
    Environment, ExecQuery, Goal, LOGS_ACTIONS, Link, LogQuery, NoSession, Origin, Output, Outputs, OwnBlueprint,
    OwnKinds, PREFLIGHT_ACTIONS, Part, Place, Purpose, Renewed, Report, Retained, RolledBack, Run, STATUS_ACTIONS,
    SecretInfo, Seen, Session, Settings, Status, Verdict, Wanted,
};
pub use rcm_aws as aws;
pub use rcm_engine as engine;

/// What `docs/embedding.md` shows compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/embedding.md")]
struct Embedding;
