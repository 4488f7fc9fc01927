//! `rcm provision`: makes the environment what the partner file says.

use std::{collections::BTreeSet, path::Path};

use rcm::{
    Goal,
    engine::{
        model::Address,
        plan::{Action, Plan},
    },
};

use super::run::{self, Consent, Job};
use crate::{
    args::{Globals, Provision},
    error::{CommandError, Exit},
};

pub(super) async fn run(globals: &Globals, args: &Provision) -> Result<Exit, CommandError> {
    let saved = args.plan.as_deref().map(load).transpose()?;
    let mut may_lose: BTreeSet<Address> = args.losses.allow_destroy.iter().cloned().collect();
    may_lose.extend(saved.iter().flat_map(reviewed));
    let job = Job { verb: "provision", goal: Goal { may_lose, saved, ..Goal::provision() }, consent: Consent::Yes };
    run::run(globals, &job, |settings| {
        settings.on_failure = args.on_failure.map(Into::into);
        settings.certificate_timeout = args.certificate_timeout;
    })
    .await
}

fn load(path: &Path) -> Result<Plan, CommandError> {
    let bytes = std::fs::read(path)
        .map_err(|error| CommandError::new(Exit::Failed, format!("cannot read {}: {error}", path.display())))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        CommandError::new(Exit::Failed, format!("{} is not a plan of this rcm: {error}", path.display()))
            .hint("make it with: rcm plan --out FILE")
    })
}

/// What a saved plan replaces and deletes. Whoever runs it has seen it there; it would not have been without
/// `--allow-destroy` when it was made.
fn reviewed(plan: &Plan) -> Vec<Address> {
    if !plan.blocked.is_empty() {
        return Vec::new();
    }
    let loses = |action: &Action| matches!(action, Action::Replace { .. } | Action::Delete { .. });
    plan.steps().filter(|step| loses(&step.action)).map(|step| step.address.clone()).collect()
}
