//! What whoever runs rcm has to be allowed here. Asks nobody.

use std::collections::{BTreeMap, BTreeSet};

use rcm_aws::{
    questions::Simulation,
    resources::{self, baseline},
};
use rcm_engine::{
    model::{Address, OnDestroy},
    store::State,
};

use super::{Environment, deploy::any_image, fixed, hosted_zone, zones};
use crate::{
    Error,
    blueprint::Surroundings,
    permissions::{self, Extent, Kind, Policy, Verb},
};

impl Environment {
    /// The least that `verbs` need, as managed policies: for what the partner file describes, and what there is already. Sends
    /// nothing, and needs neither credentials nor a state. All verbs if there are none.
    ///
    /// Who may assume `aws_role_arn` is that role's own business.
    ///
    /// # Errors
    /// A state that cannot be read; an action of one of rcm's kinds that rcm cannot confine, which a test keeps from happening. One of a
    /// program's own kinds is allowed for everything, and told in [`Policy::unconfined`].
    pub fn permissions(&self, verbs: &[Verb]) -> Result<Vec<Policy>, Error> {
        let state = self.load()?;
        let kinds = self.kinds(state.as_ref())?;
        let verbs = if verbs.is_empty() { &Verb::ALL } else { verbs };
        permissions::policies(verbs, &kinds, &self.deployment, self.extent())
    }

    /// `actions` as questions to IAM's simulator, confined as those policies confine them.
    pub(super) fn simulations(
        &self,
        actions: &BTreeSet<&'static str>,
        names: &BTreeMap<String, String>,
    ) -> Result<Vec<Simulation>, Error> {
        permissions::simulations(actions, &self.deployment, self.extent(), names)
    }

    fn extent(&self) -> Extent<'_> {
        Extent {
            baseline: self.config.account_baseline.then_some(baseline::NAME),
            zone: self.config.hosted_zone_id.as_ref().map(|zone| zone.as_str()),
        }
    }

    /// What each kind needs that the partner file describes, with an image deployed, or the state has, or that would be looked for.
    fn kinds(&self, state: Option<&State>) -> Result<Vec<Kind>, Error> {
        let mut config = fixed::as_it_can_be(&self.config, state);
        config.api_image = config.api_image.or_else(any_image);
        let zones = zones::known(state, &config).unwrap_or_else(|| zones::guessed(&config));
        let surroundings = Surroundings { zones, proven_in: hosted_zone::proven_in(state, &config) };
        let graph = self.designed(&config, &surroundings)?;
        let deployed: BTreeSet<Address> = self.of_the_image(state)?;
        let described = graph.nodes().map(|node| node.kind);
        let made = state.iter().flat_map(|state| state.records()).map(|record| record.kind.as_str());
        let here: BTreeSet<&str> = described.chain(made).collect();
        let deployed: BTreeSet<&str> =
            graph.nodes().filter(|node| deployed.contains(&node.address)).map(|node| node.kind).collect();
        let shipped = resources::registry(&self.aws);
        let known = self.registry.iter().map(|resource| (resource.kind(), &**resource));
        let kinds =
            known.filter(|(kind, resource)| resource.tagged() || here.contains(kind)).map(|(kind, resource)| Kind {
                actions: resource.actions(),
                here: here.contains(kind),
                deployed: deployed.contains(kind),
                accounts: resource.on_destroy() == OnDestroy::Leave,
                own: shipped.get(kind).is_err(),
            });
        Ok(kinds.collect())
    }
}
