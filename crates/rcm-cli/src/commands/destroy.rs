//! `rcm destroy`: takes the environment away.

use rcm::Goal;

use super::{
    run::{self, Consent, Job},
    saved,
};
use crate::{
    args::{Destroy, Globals},
    error::{CommandError, Exit},
    session::Next,
};

pub(super) async fn run(globals: &Globals, args: &Destroy) -> Result<Exit, CommandError> {
    run::run(globals, job(globals, args), |_| {}).await
}

/// A saved plan says itself whether it purges.
fn job(globals: &Globals, args: &Destroy) -> Result<Job, CommandError> {
    let saved = args.plan.as_deref().map(|path| saved::load(path, "destroy", &Next::of(globals))).transpose()?;
    let purge = saved.as_ref().map_or(args.purge, |plan| plan.purge);
    let consent = if purge { Consent::Purge } else { Consent::PartnerName };
    Ok(Job { verb: "destroy", goal: Goal { purge, saved, ..Goal::destroy() }, consent })
}
