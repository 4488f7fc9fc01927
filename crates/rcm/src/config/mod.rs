//! The partner file: one TOML file a partner, read strictly, with every mistake reported at once and at its place.
//!
//! Data goes one way: text → `read` (TOML with places; each setting checked by itself) → `validate` (an environment as a whole:
//! the file's values over the tier's presets, and what must fit together) → [`PartnerConfig`]. What settings there are, what they
//! take, their presets and their documentation stand in one table, `settings`; the JSON Schema and the reference come from it.
//!
//! Nothing here calls AWS or reads the environment.

mod apprunner;
mod draft;
mod error;
mod fargate;
mod names;
pub(crate) mod nearest;
mod partner;
mod read;
mod schedule;
mod schema;
mod settings;
mod source;
mod text;
mod validate;
mod values;

#[cfg(test)]
mod tests;

pub use draft::{Question, check, draft, questions};
pub use error::{ConfigError, Location, Problem};
pub use partner::PartnerConfig;
pub use schedule::Schedule;
pub use schema::{json_schema, reference};
pub use values::{
    AccountId, Compute, FunctionArn, HexColor, HostedZoneId, ImageRef, ImageScanning, PostgresVersion, Refusal, Region,
    RoleArn, Tier, TlsPolicy, Waf,
};
