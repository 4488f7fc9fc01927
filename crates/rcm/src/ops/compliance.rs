//! How the environment stands, and what a plan would do to that.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rcm_engine::{
    model::EventKind,
    plan::{Depth, Plan, refresh},
    store::State,
};

use super::{Environment, Goal, aside::aside, record::Recording};
use crate::{
    Error,
    audit::Acceptance,
    compliance::{self, Breach, Compliance},
    config::nearest,
};

/// The environment whose plans are refused where they break a control.
const PRODUCTION: &str = "prod";

impl Environment {
    /// Judges every control by what AWS says is there. Reads everything there is to read; changes nothing, needs no lock.
    pub async fn compliance(&self) -> Result<Compliance, Error> {
        let state = self.state_aside().await?;
        self.check_state(&state.deployment)?;
        self.check_account().await?;
        let accepted = self.acceptances().await?;
        self.settings.events.run(EventKind::RefreshStarted { resources: state.records().count() });
        let live = refresh(&self.registry, &state, Depth::Full, &self.settings.unreported).await?;
        let controls = compliance::judged(&compliance::live(&state, &live), &accepted);
        Ok(Compliance { deployment: state.deployment, at: Timestamp::now(), controls })
    }

    /// The controls that `plan` would break and that are not broken now. In production it is refused for them, unless each is
    /// accepted.
    pub fn breaches(&self, plan: &Plan) -> Result<Vec<Breach>, Error> {
        let state = self.load()?.unwrap_or_else(|| State::new(self.deployment.clone()));
        Ok(self.broken_by(&state, plan))
    }

    pub(super) fn broken_by(&self, state: &State, plan: &Plan) -> Vec<Breach> {
        if plan.destroy || self.config.environment != PRODUCTION {
            return Vec::new();
        }
        compliance::breaches(state, plan)
    }

    /// Writes down who has accepted that `breaches` are not met, and why.
    pub(super) async fn accept_risks(
        &self,
        goal: &Goal,
        breaches: &[Breach],
        recording: &Recording,
        identity: &str,
    ) -> Result<(), Error> {
        let mut resources: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for breach in breaches {
            resources.entry(breach.control).or_default().extend(breach.resource.iter().map(ToString::to_string));
        }
        if resources.is_empty() {
            return Ok(());
        }
        // What was accepted before counts, so it has to be as it was written.
        self.acceptances().await?;
        let acceptances = resources.into_iter().map(|(control, resources)| Acceptance {
            at: Timestamp::now(),
            user: self.settings.user.clone(),
            identity: identity.to_owned(),
            control: control.to_owned(),
            resources,
            reason: goal.accepted.get(control).cloned().unwrap_or_default(),
        });
        recording.accept(acceptances.collect()).await
    }

    async fn acceptances(&self) -> Result<Vec<Acceptance>, Error> {
        let log = self.audit();
        aside(move || Ok(log.acceptances()?)).await
    }
}

/// Refuses the name of a control that there is none of.
pub(super) fn check_accepted(goal: &Goal) -> Result<(), Error> {
    let known = || compliance::controls().iter().map(|control| control.id);
    match goal.accepted.keys().find(|name| known().all(|id| id != name.as_str())) {
        None => Ok(()),
        Some(unknown) => {
            Err(Error::NoSuchControl { name: unknown.clone(), nearest: nearest::nearest(unknown, known()) })
        }
    }
}
