//! Prices as AWS's Price List API tells them now: what it is asked, and what its answers say.
//!
//! An answer counts only where there is no doubt: one product, one price on demand, in US dollars, for a unit that is known. Of tiers the
//! first counts that costs anything, as in the table. Everything else keeps the table's price, and says why.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::{
    Cost, Usd,
    prices::{PRICES, Price},
};

/// What AWS says of the prices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Live {
    /// When it was asked.
    pub at: Timestamp,
    /// Each price of the bill.
    pub prices: Vec<Now>,
}

/// A price, in the table and now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Now {
    /// What it is called in the table.
    pub price: &'static str,
    /// What is paid for.
    pub what: &'static str,
    /// What is counted.
    pub unit: &'static str,
    /// The table's.
    pub table_usd: Usd,
    /// AWS's now; `None` where the table's stays.
    pub live_usd: Option<Usd>,
    /// When AWS has published it, as AWS writes that.
    pub published: Option<String>,
    /// Why the table's stays.
    pub why: Option<String>,
}

/// A price that AWS is asked for.
#[derive(Debug)]
pub(crate) struct Question {
    price: &'static Price,
    table_usd: Usd,
    /// The service's code.
    pub(crate) service: &'static str,
    /// The attributes that the product has to have.
    pub(crate) filters: Vec<(String, String)>,
}

impl Question {
    /// One for each price that `cost` stands on.
    pub(crate) fn of(cost: &Cost) -> Vec<Self> {
        let mut questions: Vec<Self> = Vec::new();
        for line in &cost.lines {
            let is_new = questions.iter().all(|question| question.price.name != line.price);
            if let Some(price) = PRICES.get(line.price).filter(|_| is_new) {
                let filters = filters(price, &cost.region);
                questions.push(Self { price, table_usd: line.unit_usd, service: &price.offer, filters });
            }
        }
        questions
    }

    /// What AWS says of it by these products.
    pub(crate) fn answered(self, found: &[String], more: bool) -> Now {
        let Self { price, table_usd, .. } = self;
        let (live, why) = match tell(price, found, more) {
            Ok(live) => (Some(live), None),
            Err(why) => (None, Some(why)),
        };
        let (live_usd, published) = live.map_or((None, None), |(usd, published)| (Some(usd), published));
        Now { price: &price.name, what: &price.what, unit: &price.unit, table_usd, live_usd, published, why }
    }
}

fn filters(price: &Price, region: &str) -> Vec<(String, String)> {
    let of_region = Some((price.ask.region.clone(), region.to_owned())).filter(|(field, _)| !field.is_empty());
    let usage_type = ("usagetype".to_owned(), price.usage_type(region));
    let more = price.ask.with.iter().map(|(field, value)| (field.clone(), value.clone()));
    of_region.into_iter().chain([usage_type]).chain(more).collect()
}

/// The price of one of ours, and when it was published; or why that cannot be told.
fn tell(price: &Price, found: &[String], more: bool) -> Result<(Usd, Option<String>), String> {
    let product = match found {
        [] => return Err("no product matches".to_owned()),
        [_, ..] if more => return Err(format!("more than {} products match", found.len())),
        [product] => product,
        several => return Err(format!("{} products match", several.len())),
    };
    let product: Value = serde_json::from_str(product).map_err(|error| format!("AWS's answer is no JSON: {error}"))?;
    let terms = product["terms"]["OnDemand"].as_object().into_iter().flat_map(|terms| terms.values());
    let term = only(terms).ok_or("it has not one price on demand")?;
    let tier = first_that_costs(&term["priceDimensions"])?;
    let unit = tier["unit"].as_str().unwrap_or_default();
    if !price.ask.units.iter().any(|known| known.eq_ignore_ascii_case(unit)) {
        return Err(format!("AWS counts it in `{unit}`"));
    }
    let each = dollars(tier)?;
    let usd = Usd::of_many(each, price.ask.per).ok_or_else(|| format!("{each} is no price that rcm can count with"))?;
    Ok((usd, product["publicationDate"].as_str().map(str::to_owned)))
}

/// The tier that begins first of those that cost anything.
fn first_that_costs(dimensions: &Value) -> Result<&Value, String> {
    let mut tiers = Vec::new();
    for tier in dimensions.as_object().into_iter().flat_map(|tiers| tiers.values()) {
        let begin = tier["beginRange"].as_str().unwrap_or_default();
        let place = Usd::of_many(begin, 1).ok_or_else(|| format!("a tier of it begins at `{begin}`"))?;
        tiers.push((place, tier));
    }
    tiers.sort_by_key(|(begin, _)| *begin);
    for (_, tier) in tiers {
        if dollars(tier)?.bytes().any(|digit| (b'1'..=b'9').contains(&digit)) {
            return Ok(tier);
        }
    }
    Err("no tier of it costs anything".to_owned())
}

/// The price of one of AWS's units, as it is written.
fn dollars(tier: &Value) -> Result<&str, String> {
    let prices = &tier["pricePerUnit"];
    let others = || prices.as_object().into_iter().flat_map(|prices| prices.keys()).cloned().collect::<Vec<_>>();
    prices["USD"].as_str().ok_or_else(|| match others() {
        others if others.is_empty() => "AWS tells no price of it".to_owned(),
        others => format!("its price is in {}", others.join(", ")),
    })
}

fn only<'v>(mut values: impl Iterator<Item = &'v Value>) -> Option<&'v Value> {
    let first = values.next();
    first.filter(|_| values.next().is_none())
}

impl Cost {
    /// The same at the prices that AWS has told `at` that time.
    pub(crate) fn at(mut self, prices: Vec<Now>, at: Timestamp) -> Self {
        for line in &mut self.lines {
            let now = prices.iter().find(|now| now.price == line.price).and_then(|now| now.live_usd);
            if let Some(usd) = now {
                line.unit_usd = usd;
                line.monthly_usd = usd.times(line.quantity);
                line.live = true;
                // It is AWS's own.
                line.verified = true;
            }
        }
        self.live = Some(Live { at, prices });
        self.summed()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn product(dimensions: Value) -> String {
        let term = json!({"priceDimensions": dimensions});
        json!({"publicationDate": "2026-11-20T00:00:00Z", "terms": {"OnDemand": {"S.J": term}}}).to_string()
    }

    fn tier(begin: &str, unit: &str, price: Value) -> Value {
        json!({"beginRange": begin, "endRange": "Inf", "unit": unit, "pricePerUnit": price})
    }

    fn told(name: &str, products: &[String]) -> Result<Usd, String> {
        tell(PRICES.get(name).unwrap(), products, false).map(|(usd, _)| usd)
    }

    #[test]
    fn one_product_with_one_price_is_believed() {
        let nat = product(json!({"a": tier("0", "Hrs", json!({"USD": "0.0520000000"}))}));
        assert_eq!(told("nat-hour", std::slice::from_ref(&nat)), Ok("0.052".parse().unwrap()));
        // A million requests of AWS's are one of ours, and what is free at first is not counted.
        let tiers = product(json!({
            "a": tier("20000", "Requests", json!({"USD": "0.0000030000"})),
            "b": tier("0", "Requests", json!({"USD": "0.0000000000"})),
            "c": tier("1000000", "Requests", json!({"USD": "0.0000020000"})),
        }));
        assert_eq!(told("kms-requests", &[tiers]), Ok("3".parse().unwrap()));
    }

    #[test]
    fn where_there_is_doubt_the_table_stays() {
        let of = |dimensions| told("nat-hour", &[product(dimensions)]).unwrap_err();
        let nat = product(json!({"a": tier("0", "Hrs", json!({"USD": "0.052"}))}));
        assert_eq!(told("nat-hour", &[]).unwrap_err(), "no product matches");
        assert_eq!(told("nat-hour", &[nat.clone(), nat.clone()]).unwrap_err(), "2 products match");
        let more = tell(PRICES.get("nat-hour").unwrap(), std::slice::from_ref(&nat), true).unwrap_err();
        assert_eq!(more, "more than 1 products match");
        assert_eq!(of(json!({"a": tier("0", "Quantity", json!({"USD": "0.052"}))})), "AWS counts it in `Quantity`");
        assert_eq!(of(json!({"a": tier("0", "Hrs", json!({"CNY": "0.37"}))})), "its price is in CNY");
        assert_eq!(of(json!({"a": tier("0", "Hrs", json!({}))})), "AWS tells no price of it");
        assert_eq!(of(json!({"a": tier("0", "Hrs", json!({"USD": "0.0"}))})), "no tier of it costs anything");
        assert_eq!(of(json!({"a": tier("?", "Hrs", json!({"USD": "0.1"}))})), "a tier of it begins at `?`");
        let odd = "0.0000000001 is no price that rcm can count with";
        assert_eq!(of(json!({"a": tier("0", "Hrs", json!({"USD": "0.0000000001"}))})), odd);
        let two = nat.replace("\"S.J\":", "\"S.K\":{},\"S.J\":");
        assert_eq!(told("nat-hour", &[two]).unwrap_err(), "it has not one price on demand");
    }
}
