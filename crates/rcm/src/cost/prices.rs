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
    prefixes: BTreeMap<String, String>,
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
    /// The offer file of the Price List API, and its code of the service.
    pub(super) offer: String,
    /// What it is called there, in us-east-1.
    usage_type: String,
    /// What else the API is asked.
    pub(super) ask: Ask,
    /// The Regions whose price was compared with AWS's own list.
    verified: Vec<String>,
}

/// How the Price List API is asked for a price.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    /// The units that AWS may count in.
    pub(super) units: Vec<String>,
    /// How many of them make one of ours.
    #[serde(default = "one")]
    pub(super) per: u32,
    /// The attribute that names the Region; none where it is empty.
    #[serde(default = "region_code")]
    pub(super) region: String,
    /// Attributes that tell it from others of the same usage type.
    #[serde(default)]
    pub(super) with: BTreeMap<String, String>,
}

fn one() -> u32 {
    1
}

fn region_code() -> String {
    "regionCode".to_owned()
}

impl Price {
    /// What it is called in a Region.
    pub(super) fn usage_type(&self, region: &str) -> String {
        const AT_HOME: &str = "us-east-1";
        let prefix = |region: &str| PRICES.prefixes.get(region).map(String::as_str).unwrap_or_default();
        let (home, there) = (format!("{}-", prefix(AT_HOME)), format!("{}-", prefix(region)));
        // What is the whole world's has no Region before it.
        if region == AT_HOME || self.ask.region.is_empty() {
            return self.usage_type.clone();
        }
        match (self.usage_type.strip_prefix(&home), self.usage_type.strip_prefix(AT_HOME)) {
            (Some(rest), _) => there + rest,
            (None, Some(rest)) => format!("{region}{rest}"),
            (None, None) => there + &self.usage_type,
        }
    }

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
        Prices {
            as_of: String::new(),
            currency: String::new(),
            regions: Vec::new(),
            prefixes: BTreeMap::new(),
            prices: Vec::new(),
        }
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
            assert!(!price.ask.units.is_empty() && price.ask.per > 0, "{}", price.name);
            for region in &PRICES.regions {
                assert!(price.usd(region).is_some(), "{} in {region}", price.name);
            }
            let known = |region: &String| PRICES.regions.contains(region);
            assert!(price.usd.keys().all(known) && price.verified.iter().all(known), "{}", price.name);
        }
    }

    #[test]
    fn a_usage_type_is_called_after_its_region() {
        let called = |name: &str, region: &str| PRICES.get(name).unwrap().usage_type(region);
        assert_eq!(called("nat-hour", "us-east-1"), "NatGateway-Hours");
        assert_eq!(called("nat-hour", "us-west-2"), "USW2-NatGateway-Hours");
        assert_eq!(called("fargate-gb", "us-east-1"), "USE1-Fargate-GB-Hours");
        assert_eq!(called("fargate-gb", "us-east-2"), "USE2-Fargate-GB-Hours");
        assert_eq!(called("kms-key", "us-west-2"), "us-west-2-KMS-Keys");
        assert_eq!(called("dashboard", "us-west-2"), "DashboardsUsageHour");
        assert!(PRICES.regions.iter().all(|region| PRICES.prefixes.contains_key(region)));
    }
}
