//! What is to be done: the live cloud is read, compared with what is wanted and what was last applied, and the difference is
//! put in order. Planning changes nothing and is deterministic. What others have changed ([`Drift`]), and what a lost state knew
//! ([`rebuild`]), is found out here too.

mod diff;
mod drift;
mod found;
mod make;
mod refresh;
mod step;

pub use diff::{FieldChange, Origin};
pub use drift::{
    Acceptance, Added, Changed, Deleted, Deviation, Drift, Possessions, Refusal, Untagged, Why, accept, possessions,
    possessions_like, untagged,
};
pub use found::{Found, Rebuilt, View, find_out, rebuild};
pub use make::{PlanError, Wanted, make};
pub use refresh::{Depth, Live, refresh};
pub use step::{Action, Blocked, Plan, Repair, Step, TAGS};
