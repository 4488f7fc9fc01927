//! What an environment costs in a month: what AWS asks for each resource of a graph, by kind and spec, from a table of prices that is
//! compiled in; and what usage decides, by assumptions that can be read and set.
//!
//! A month has 730 hours, as in AWS's own calculator. What is in no table is not guessed: a Region without prices is an error, and a
//! server without a price stands in [`Cost::unpriced`]. Taxes, support plans, savings plans, free tiers and data between zones are not
//! counted.

mod assumptions;
mod bill;
mod kinds;
mod live;
mod money;
mod prices;
mod seed;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub use self::{
    assumptions::{Assumption, Assumptions, names},
    bill::{Line, Unpriced},
    live::{Live, Now},
    money::{Quantity, Usd},
    seed::{Beside, beside},
};
use crate::{Error, config::Tier};
use bill::Bill;
pub(crate) use bill::Stack;
pub(crate) use live::Question;
use prices::PRICES;

/// What an environment costs in a month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cost {
    /// The Region whose prices these are.
    pub region: String,
    /// The day of the newest price.
    pub as_of: &'static str,
    /// `USD`.
    pub currency: &'static str,
    /// What it comes to.
    pub monthly_usd: Usd,
    /// What each service comes to; those that cost nothing are left out.
    pub services: Vec<Service>,
    /// What it consists of, in the order of services.
    pub lines: Vec<Line>,
    /// What the lines stand on.
    pub assumptions: Vec<Assumption>,
    /// What is not in the sum, as there is no price for it.
    pub unpriced: Vec<Unpriced>,
    /// What AWS says of the prices now, if it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<Live>,
}

/// What a service costs in a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Service {
    /// As people call it.
    pub name: &'static str,
    /// What it comes to.
    pub monthly_usd: Usd,
}

/// What a plan changes of what an environment costs in a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What is there now.
    pub before_usd: Usd,
    /// What will be there.
    pub after_usd: Usd,
    /// The difference.
    pub difference_usd: Usd,
    /// The day of the newest price.
    pub as_of: &'static str,
    /// Whether something is in neither sum, as there is no price for it.
    pub incomplete: bool,
}

/// A tier, and what the environment would cost in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tiered {
    /// Its name.
    pub tier: &'static str,
    /// What the environment would cost.
    pub cost: Cost,
    /// The tables of the setup that rcm replaces beside it.
    pub beside: Vec<Beside>,
}

impl Cost {
    /// What `stack` costs in `region`.
    pub(crate) fn of(stack: &Stack, region: &str, assumptions: &Assumptions) -> Result<Self, Error> {
        if !PRICES.regions.iter().any(|known| known == region) {
            return Err(Error::NoPrices { region: region.to_owned(), known: PRICES.regions.clone() });
        }
        let mut bill = Bill::of(stack, region, assumptions);
        bill.lines.sort_by_key(|line| kinds::SERVICES.iter().position(|service| *service == line.service));
        let cost = Self {
            region: region.to_owned(),
            as_of: &PRICES.as_of,
            currency: &PRICES.currency,
            monthly_usd: Usd::default(),
            services: Vec::new(),
            assumptions: bill.assumptions(),
            lines: bill.lines,
            unpriced: bill.unpriced,
            live: None,
        };
        Ok(cost.summed())
    }

    /// The same with what its lines come to.
    fn summed(mut self) -> Self {
        let sum = |name: &str| self.lines.iter().filter(|line| line.service == name).map(|line| line.monthly_usd).sum();
        let services = kinds::SERVICES.iter().map(|name| Service { name, monthly_usd: sum(name) });
        self.services = services.filter(|service| service.monthly_usd > Usd::default()).collect();
        self.monthly_usd = self.lines.iter().map(|line| line.monthly_usd).sum();
        self
    }

    /// What a service comes to.
    pub fn service(&self, name: &str) -> Usd {
        self.services.iter().find(|service| service.name == name).map(|service| service.monthly_usd).unwrap_or_default()
    }

    /// The lines whose prices were compared with nothing of AWS's own.
    pub fn unverified(&self) -> usize {
        self.lines.iter().filter(|line| !line.verified).count()
    }
}

impl Change {
    /// From one stack to another.
    pub(crate) fn between(before: &Stack, after: &Stack, region: &str) -> Result<Self, Error> {
        let assumptions = Assumptions::default();
        let (before, after) = (Cost::of(before, region, &assumptions)?, Cost::of(after, region, &assumptions)?);
        Ok(Self {
            before_usd: before.monthly_usd,
            after_usd: after.monthly_usd,
            difference_usd: after.monthly_usd - before.monthly_usd,
            as_of: &PRICES.as_of,
            incomplete: !before.unpriced.is_empty() || !after.unpriced.is_empty(),
        })
    }
}

impl Tiered {
    pub(crate) fn of(tier: Tier, cost: Cost) -> Self {
        Self { tier: tier.as_str(), beside: beside(tier, &cost), cost }
    }
}
