//! What is to be done: the live cloud is read, compared with what is wanted and what was last applied, and the difference is
//! put in order. Planning changes nothing and is deterministic.

mod diff;
mod make;
mod refresh;
mod step;

pub use diff::{FieldChange, Origin};
pub use make::{PlanError, Wanted, make};
pub use refresh::{Depth, Live, refresh};
pub use step::{Action, Blocked, Plan, Step};
