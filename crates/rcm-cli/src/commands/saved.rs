//! A plan that `rcm plan --out` has saved, for the command that it was made for.

use std::path::Path;

use rcm::engine::plan::Plan;

use crate::{
    error::{CommandError, Exit},
    session::Next,
};

/// The plan in `path`, if it is one for `verb`.
pub(super) fn load(path: &Path, verb: &str, next: &Next) -> Result<Plan, CommandError> {
    let bytes = std::fs::read(path)
        .map_err(|error| CommandError::new(Exit::Failed, format!("cannot read {}: {error}", path.display())))?;
    let plan: Plan = serde_json::from_slice(&bytes).map_err(|error| {
        CommandError::new(Exit::Failed, format!("{} is not a plan of this rcm: {error}", path.display()))
            .hint(format!("make it with: {}", next.command(&making(verb == "destroy", false))))
    })?;
    let its = if plan.destroy { "destroy" } else { "provision" };
    if its == verb {
        return Ok(plan);
    }
    let message = format!("{} is a plan to {its}, and this is `rcm {verb}`; nothing was changed", path.display());
    let right = format!("{} --plan {}", next.command(its), path.display());
    let own = next.command(&making(verb == "destroy", false));
    Err(CommandError::new(Exit::Refused, message).hint(format!("to run it: {right}; to plan this: {own}")))
}

/// What is typed after `rcm` to save such a plan.
pub(super) fn making(destroy: bool, purge: bool) -> String {
    let destroy = if destroy { " --destroy" } else { "" };
    let purge = if purge { " --purge" } else { "" };
    format!("plan{destroy}{purge} --out FILE")
}
