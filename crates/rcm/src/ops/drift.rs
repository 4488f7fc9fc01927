//! What others have changed, and taking it for right.

use std::collections::BTreeMap;

use rcm_engine::{
    model::EventKind,
    plan::{Acceptance, Depth, Drift, Live, Possessions, TAGS, Untagged, accept, possessions, refresh, untagged},
    store::State,
};

use super::{Environment, Goal, aside::checkpoint};
use crate::Error;

impl Environment {
    /// What was changed, deleted and added outside rcm. Reads everything there is to read; changes nothing, needs no lock.
    pub async fn drift(&self) -> Result<Drift, Error> {
        let state = self.state_aside().await?;
        self.check_state(&state.deployment)?;
        self.check_account().await?;
        self.look_for_drift(&state).await
    }

    /// Takes for right what the partner file allows: what it wants as it is, and what it does not care about. The state says so
    /// from then on; the cloud is left alone.
    pub async fn accept_drift(&self) -> Result<(Drift, Acceptance), Error> {
        let lock = self.lock().await?;
        self.check_state(&self.state_aside().await?.deployment)?;
        let caller = self.check_account().await?;
        let ledger = self.open_ledger(lock).await?;
        let state = ledger.state().clone();
        let recording = self.record("drift --accept", Some(caller.arn), Some(&state)).await?;
        let drift = self.look_for_drift(&state).await?;
        let acceptance = accept(&drift, &state, &self.wanted_graph(&state, &Goal::provision()).await?);
        for entry in &acceptance.entries {
            ledger.append(entry.clone()).await?;
        }
        recording.end("done", BTreeMap::new()).await;
        checkpoint(ledger).await?;
        Ok((drift, acceptance))
    }

    async fn look_for_drift(&self, state: &State) -> Result<Drift, Error> {
        let events = &self.settings.events;
        events.run(EventKind::RefreshStarted { resources: state.records().count() });
        let (live, owned) = tokio::try_join!(
            refresh(&self.registry, state, Depth::Full, &self.settings.unreported),
            possessions(&self.registry, &state.deployment)
        )?;
        let untagged = self.untagged(state, &live, &owned);
        Ok(Drift { untagged, ..Drift::of(state, &live, &owned) })
    }

    /// What needs its ownership tags again, where the endpoint is not known to lose them.
    pub(super) fn untagged(&self, state: &State, live: &Live, owned: &Possessions) -> Vec<Untagged> {
        let mut found = untagged(state, live, owned);
        found.retain(|untagged| !self.settings.unreported.contains(&(untagged.kind.clone(), TAGS.to_owned())));
        found
    }
}
