//! The reconciliation engine of rcm.
//!
//! A [`Graph`](model::Graph) of resource nodes is compared with a [`State`](store::State) and with the live cloud; the
//! difference is a [`Plan`](plan::Plan); the plan is executed step by step under a journal, and undone when it fails.
//!
//! The engine knows no cloud: a [`Resource`](model::Resource) names the type of the cloud it plays in, and all the engine does
//! is to sequence its verbs. It prints nothing and reads no environment.
//!
//! Four rooms, each standing on the one before:
//! [`model`] (what things are), [`store`] (what is written down), [`plan`] (what is to be done), [`run`] (doing it).

pub mod model;
pub mod plan;
pub mod run;
pub mod store;
