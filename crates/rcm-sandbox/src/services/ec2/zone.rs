//! Availability zones.

use super::filter::Filters;
use super::network::{Call, one};
use crate::service::Tags;
use crate::wire::{Fault, Xml};

/// A zone of the sandbox's region.
pub(super) struct Zone {
    /// `us-east-1a`
    pub(super) name: String,
    /// `use1-az1`
    pub(super) id: String,
}

/// The zones of a region: as many as AWS has in its largest ones, three elsewhere.
pub(super) fn zones(region: &str) -> Vec<Zone> {
    let count = match region {
        "us-east-1" => 6,
        "us-west-2" => 4,
        _ => 3,
    };
    let zone =
        |(number, letter)| Zone { name: format!("{region}{letter}"), id: format!("{}-az{number}", short(region)) };
    (1..=count).zip('a'..).map(zone).collect()
}

/// `use1` of `us-east-1`, `apne2` of `ap-northeast-2`.
fn short(region: &str) -> String {
    let directions = ["north", "south", "east", "west", "central"];
    let mut parts = region.split('-');
    let area = parts.next().unwrap_or_default();
    let middle: Vec<&str> = parts.collect();
    let (number, words) = middle.split_last().map_or(("", [].as_slice()), |(number, words)| (*number, words));
    let mut initials = String::new();
    for mut word in words.iter().copied() {
        while let Some(direction) = directions.iter().find(|direction| word.starts_with(**direction)) {
            initials.push_str(&direction[..1]);
            word = &word[direction.len()..];
        }
    }
    format!("{area}{initials}{number}")
}

pub(super) fn describe(call: &Call<'_>) -> Result<Xml, Fault> {
    let region = call.cx.region.as_str();
    let filters = Filters::of(call.params);
    let (names, ids) = (call.params.list("ZoneName"), call.params.list("ZoneId"));
    let mut shown = Vec::new();
    for zone in zones(region) {
        let named = (names.is_empty() || names.contains(&zone.name.as_str()))
            && (ids.is_empty() || ids.contains(&zone.id.as_str()));
        if named && filters.admit(&Tags::new(), |name| filter(&zone, region, name))? {
            shown.push(zone);
        }
    }
    let mut xml = Xml::default();
    xml.list("availabilityZoneInfo", "item", shown, |item, zone| {
        item.text("zoneName", &zone.name).text("zoneId", &zone.id).text("zoneState", "available");
        item.text("zoneType", "availability-zone").text("optInStatus", "opt-in-not-required");
        item.text("regionName", region).text("groupName", format!("{region}-zg-1")).text("networkBorderGroup", region);
        item.node("messageSet", |_| {});
    });
    Ok(xml)
}

fn filter(zone: &Zone, region: &str, name: &str) -> Option<Vec<String>> {
    match name {
        "zone-name" => one(&zone.name),
        "zone-id" => one(&zone.id),
        "region-name" | "network-border-group" => one(region),
        "group-name" => one(format!("{region}-zg-1")),
        "state" => one("available"),
        "zone-type" => one("availability-zone"),
        "opt-in-status" => one("opt-in-not-required"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn zone_ids_begin_with_the_short_name_of_the_region() {
        let regions = ["us-east-1", "us-west-2", "eu-central-1", "ap-northeast-2", "us-gov-west-1"];
        assert_eq!(regions.map(short), ["use1", "usw2", "euc1", "apne2", "usw1"]);
    }
}
