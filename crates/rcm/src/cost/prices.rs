//! The table of prices, `prices.toml`, which is compiled in.

use std::{collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

use super::Usd;

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Prices {
    /// The day of the newest price.
    pub(super) as_of: String,
    /// `USD`.
    pub(super) currency: String,
    /// The Regions that every price is there for.
    pub(super) regions: Vec<String>,
    #[serde(rename = "price")]
    prices: Vec<Price>,
}

/// One price.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Price {
    pub(super) name: String,
    /// What is paid for.
    pub(super) what: String,
    /// What is counted.
    pub(super) unit: String,
    usd: BTreeMap<String, String>,
    /// AWS's page about it.
    pub(super) source: String,
    /// The offer file of the Price List API.
    #[expect(dead_code, reason = "for whoever looks it up again")]
    offer: String,
    /// What it is called there, in us-east-1.
    #[expect(dead_code, reason = "for whoever looks it up again")]
    usage_type: String,
    /// The Regions whose price was compared with AWS's own list.
    verified: Vec<String>,
}

impl Price {
    /// The price of one in that Region, if it is known.
    pub(super) fn usd(&self, region: &str) -> Option<Usd> {
        self.usd.get(region)?.parse().ok()
    }

    /// Whether it was compared with AWS's own list.
    pub(super) fn is_verified(&self, region: &str) -> bool {
        self.verified.iter().any(|verified| verified == region)
    }
}

impl Prices {
    /// The price of that name.
    pub(super) fn get(&self, name: &str) -> Option<&Price> {
        self.prices.iter().find(|price| price.name == name)
    }
}

/// The table.
pub(super) static PRICES: LazyLock<Prices> = LazyLock::new(|| {
    toml::from_str(include_str!("prices.toml")).unwrap_or_else(|error| {
        // A test reads it: what is compiled in is what was tested.
        tracing::error!("prices.toml: {error}");
        Prices { as_of: String::new(), currency: String::new(), regions: Vec::new(), prices: Vec::new() }
    })
});

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_price_is_a_number_in_every_region_with_a_source() {
        assert!(PRICES.as_of.parse::<jiff::civil::Date>().is_ok() && PRICES.currency == "USD");
        assert!(PRICES.regions.iter().any(|region| region == "us-east-1"));
        let mut names = BTreeSet::new();
        for price in &PRICES.prices {
            assert!(names.insert(&price.name), "{} twice", price.name);
            assert!(price.source.starts_with("https://aws.amazon.com/"), "{}", price.name);
            assert!(!price.what.is_empty() && !price.unit.is_empty(), "{}", price.name);
            for region in &PRICES.regions {
                assert!(price.usd(region).is_some(), "{} in {region}", price.name);
            }
            let known = |region: &String| PRICES.regions.contains(region);
            assert!(price.usd.keys().all(known) && price.verified.iter().all(known), "{}", price.name);
        }
    }
}
