//! `rcm provision`: makes the environment what the partner file says.

use std::collections::BTreeSet;

use rcm::{
    Goal,
    engine::{
        model::Address,
        plan::{Action, Plan},
    },
};

use super::{
    run::{self, Consent, Job},
    saved,
};
use crate::{
    args::{Globals, Provision},
    error::{CommandError, Exit},
    session::Next,
};

pub(super) async fn run(globals: &Globals, args: &Provision) -> Result<Exit, CommandError> {
    run::run(globals, job(globals, args), |settings| {
        settings.on_failure = args.on_failure.map(Into::into);
        settings.certificate_timeout = args.certificate_timeout;
    })
    .await
}

/// What an earlier run has left, with no option of its own.
pub(super) async fn go_on(globals: &Globals) -> Result<Exit, CommandError> {
    let job = Job { verb: "provision", goal: Goal::provision(), consent: Consent::Yes };
    run::run(globals, Ok(job), |_| {}).await
}

fn job(globals: &Globals, args: &Provision) -> Result<Job, CommandError> {
    let saved = args.plan.as_deref().map(|path| saved::load(path, "provision", &Next::of(globals))).transpose()?;
    let mut may_lose: BTreeSet<Address> = args.losses.allow_destroy.iter().cloned().collect();
    may_lose.extend(saved.iter().flat_map(reviewed));
    let (accepted, ignored) = (args.risks.accepted(), args.ignore_preflight.iter().cloned().collect());
    Ok(Job {
        verb: "provision",
        goal: Goal { may_lose, saved, accepted, ignored, ..Goal::provision() },
        consent: Consent::Yes,
    })
}

/// What a saved plan replaces and deletes. Whoever runs it has seen it there; it would not have been without
/// `--allow-destroy` when it was made.
fn reviewed(plan: &Plan) -> Vec<Address> {
    if !plan.blocked.is_empty() {
        return Vec::new();
    }
    let loses =
        |action: &Action| matches!(action, Action::Remake { .. } | Action::Replace { .. } | Action::Delete { .. });
    plan.steps().filter(|step| loses(&step.action)).map(|step| step.address.clone()).collect()
}
