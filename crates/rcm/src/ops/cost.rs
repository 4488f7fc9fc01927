//! What the environment costs in a month, and what a plan changes of that. Asks nobody, unless it is to ask for prices.

use jiff::Timestamp;
use rcm_engine::{plan::Plan, store::State};

use super::{Environment, deploy::any_image, fixed, hosted_zone, zones};
use crate::{
    Error, PartnerConfig,
    blueprint::Surroundings,
    config::Tier,
    cost::{Assumptions, Change, Cost, Question, Stack, Tiered},
};

impl Environment {
    /// What the environment that the partner file describes costs in a month, with an image deployed. Sends nothing, and needs neither
    /// credentials nor a state.
    ///
    /// # Errors
    /// [`Error::NoPrices`] where there are no prices of the Region.
    pub fn cost(&self, assumptions: &Assumptions) -> Result<Cost, Error> {
        self.cost_of(self.load()?.as_ref(), &self.config, assumptions)
    }

    /// The same at the prices that AWS's Price List API tells now; where it does not tell one without doubt, at the table's
    /// ([`Cost::live`] says why). Sends only calls that read.
    ///
    /// # Errors
    /// As [`cost`](Self::cost), and where AWS refuses or does not answer.
    pub async fn cost_live(&self, assumptions: &Assumptions) -> Result<Cost, Error> {
        let cost = self.cost_of(self.load_aside().await?.as_ref(), &self.config, assumptions)?;
        self.check_account().await?;
        let mut answers = Vec::new();
        // One after another: there are some thirty, and AWS takes few a second.
        for question in Question::of(&cost) {
            let products = self.aws.products(question.service, &question.filters).await?;
            answers.push(question.answered(&products.found, products.more));
        }
        Ok(cost.at(answers, Timestamp::now()))
    }

    /// The same in each tier: the file's own settings over the tier's presets.
    ///
    /// # Errors
    /// As [`cost`](Self::cost), and where the file's settings do not fit a tier.
    pub fn cost_by_tier(&self, assumptions: &Assumptions) -> Result<Vec<Tiered>, Error> {
        let state = self.load()?;
        let priced = |tier: Tier| {
            let config = self.config.in_tier(tier)?;
            Ok(Tiered::of(tier, self.cost_of(state.as_ref(), &config, assumptions)?))
        };
        Tier::ALL.into_iter().map(priced).collect()
    }

    /// What `plan` changes of what is paid in a month, by the state and the plan alone.
    ///
    /// # Errors
    /// As [`cost`](Self::cost).
    pub fn cost_change(&self, plan: &Plan) -> Result<Change, Error> {
        let state = self.load()?.unwrap_or_else(|| State::new(self.deployment.clone()));
        let before = Stack::of_state(&state);
        let after = before.clone().after(plan);
        Change::between(&before, &after, self.config.aws_region.as_str())
    }

    fn cost_of(&self, state: Option<&State>, config: &PartnerConfig, assumptions: &Assumptions) -> Result<Cost, Error> {
        let mut config = fixed::as_it_can_be(config, state);
        // What would run is priced before an image was deployed, too.
        config.api_image = config.api_image.or_else(any_image);
        let zones = zones::known(state, &config).unwrap_or_else(|| zones::guessed(&config));
        let surroundings = Surroundings { zones, proven_in: hosted_zone::proven_in(state, &config) };
        let graph = self.designed(&config, &surroundings)?;
        Cost::of(&Stack::of_graph(&graph), config.aws_region.as_str(), assumptions)
    }
}
