//! What one calculation writes its lines into, and what a kind's function sees of the resource that it prices.

use std::collections::BTreeMap;

use rcm_engine::{
    model::{Address, Graph},
    plan::{Action, Plan},
    store::{Phase, State},
};
use serde::Serialize;
use serde_json::Value;

use super::{
    Assumption, Assumptions, Quantity, Usd,
    assumptions::{ASSUMPTIONS, find},
    kinds::{FREE, PRICED},
    prices::PRICES,
};

/// The resources that are priced: kind and spec by address.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stack(BTreeMap<Address, (String, Value)>);

impl Stack {
    /// What a graph wants.
    pub(crate) fn of_graph(graph: &Graph) -> Self {
        Self(graph.nodes().map(|node| (node.address.clone(), (node.kind.to_owned(), node.spec.clone()))).collect())
    }

    /// What the state knows to be there, and to cost something.
    pub(crate) fn of_state(state: &State) -> Self {
        let there = state.resources.values().filter(|record| record.phase != Phase::Creating);
        Self(there.map(|record| (record.address.clone(), (record.kind.clone(), record.spec.clone()))).collect())
    }

    /// What is there after `plan`.
    pub(crate) fn after(mut self, plan: &Plan) -> Self {
        for step in plan.steps() {
            match &step.action {
                Action::Delete { superseded: false } => drop(self.0.remove(&step.address)),
                // It stays, and what it costs stays with it.
                Action::Delete { superseded: true } | Action::Retain | Action::Leave => {}
                _ => drop(self.0.insert(step.address.clone(), (step.kind.clone(), step.spec.clone()))),
            }
        }
        self
    }

    fn spec(&self, address: &str) -> Option<&Value> {
        Some(&self.0.get(&Address::new(address).ok()?)?.1)
    }
}

/// One resource that is priced.
pub(super) struct Item<'s> {
    pub(super) address: &'s str,
    pub(super) spec: &'s Value,
    stack: &'s Stack,
}

impl<'s> Item<'s> {
    /// The spec of what this field refers to.
    pub(super) fn refers(&self, field: &str) -> Option<&'s Value> {
        self.stack.spec(self.spec[field]["$ref"].as_str()?)
    }

    /// The spec of the first of that kind whose field refers to this one.
    pub(super) fn referred_by(&self, kind: &str, field: &str) -> Option<&'s Value> {
        let mut of_kind = self.stack.0.values().filter(|(its, _)| its == kind).map(|(_, spec)| spec);
        of_kind.find(|spec| spec[field]["$ref"] == self.address)
    }
}

/// What one thing about one resource costs in a month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The service, as people call it.
    pub service: &'static str,
    /// The resource.
    pub address: String,
    /// What the price is called in the table.
    pub price: &'static str,
    /// What is paid for.
    pub what: &'static str,
    /// How much of it, in a month.
    pub quantity: Quantity,
    /// What is counted.
    pub unit: &'static str,
    /// The price of one.
    pub unit_usd: Usd,
    /// What it costs in a month.
    pub monthly_usd: Usd,
    /// The assumption that decides how much it is; `None` where the resource alone does.
    pub assumption: Option<&'static str>,
    /// AWS's page about the price.
    pub source: &'static str,
    /// Whether the price was compared with AWS's own list of prices.
    pub verified: bool,
    /// Whether it is what AWS says now.
    pub live: bool,
}

/// Something that costs and that there is no price for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unpriced {
    /// The resource.
    pub address: String,
    /// What there is no price for.
    pub what: String,
}

/// The lines of a calculation as they come.
pub(super) struct Bill<'a> {
    region: &'a str,
    given: &'a Assumptions,
    used: BTreeMap<&'static str, Quantity>,
    pub(super) lines: Vec<Line>,
    pub(super) unpriced: Vec<Unpriced>,
}

impl<'a> Bill<'a> {
    /// The bill of everything in `stack`.
    pub(super) fn of(stack: &Stack, region: &'a str, given: &'a Assumptions) -> Self {
        let mut bill = Self { region, given, used: BTreeMap::new(), lines: Vec::new(), unpriced: Vec::new() };
        for (address, (kind, spec)) in &stack.0 {
            if let Some((_, price)) = PRICED.iter().find(|(priced, _)| priced == kind) {
                price(&mut bill, &Item { address: address.as_str(), spec, stack });
            } else if FREE.iter().all(|(free, _)| free != kind) {
                bill.unpriced.push(Unpriced { address: address.to_string(), what: kind.clone() });
            }
        }
        bill
    }

    /// What is assumed under that name.
    pub(super) fn assume(&mut self, name: &'static str) -> Quantity {
        self.assume_or(name, find(name).and_then(|known| known.default).unwrap_or_default())
    }

    /// The same where the environment says what is likely.
    pub(super) fn assume_or(&mut self, name: &'static str, likely: Quantity) -> Quantity {
        let value = self.given.given(name).unwrap_or(likely);
        self.used.insert(name, value);
        value
    }

    /// So much a month, at the price of that name.
    pub(super) fn line(
        &mut self,
        service: &'static str,
        item: &Item<'_>,
        price: &str,
        quantity: Quantity,
        assumption: Option<&'static str>,
    ) {
        let address = item.address.to_owned();
        let found = PRICES.get(price).and_then(|price| Some((price, price.usd(self.region)?)));
        let Some((price, unit_usd)) = found else {
            let what = price.rsplit('/').next().unwrap_or(price).to_owned();
            self.unpriced.push(Unpriced { address, what });
            return;
        };
        self.lines.push(Line {
            service,
            address,
            price: &price.name,
            what: &price.what,
            quantity,
            unit: &price.unit,
            unit_usd,
            monthly_usd: unit_usd.times(quantity),
            assumption,
            source: &price.source,
            verified: price.is_verified(self.region),
            live: false,
        });
    }

    /// What the lines stand on.
    pub(super) fn assumptions(&self) -> Vec<Assumption> {
        let used = ASSUMPTIONS.iter().filter_map(|known| Some((known, *self.used.get(known.name)?)));
        used.map(|(known, value)| Assumption {
            name: known.name,
            value,
            unit: known.unit,
            meaning: known.meaning,
            set: self.given.given(known.name).is_some(),
        })
        .collect()
    }
}
