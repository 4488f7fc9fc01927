//! Whole runs against a cloud of toys: what is in the cloud afterwards, not which functions were called.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what a toy cloud cannot do fails its test")]

mod cloud;
mod faults;
mod lifecycle;
mod properties;
mod recovery;
mod regressions;
mod story;
