//! `rcm destroy`: takes the environment away.

use rcm::Goal;

use super::run::{self, Consent, Job};
use crate::{
    args::{Destroy, Globals},
    error::{CommandError, Exit},
};

pub(super) async fn run(globals: &Globals, args: &Destroy) -> Result<Exit, CommandError> {
    let goal = Goal { purge: args.purge, ..Goal::destroy() };
    run::run(globals, &Job { verb: "destroy", goal, consent: Consent::PartnerName }, |_| {}).await
}
