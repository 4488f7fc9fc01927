//! Two clouds made by two runs are never equal byte for byte: ids, times and secrets are random. What is left when those are
//! taken out must be.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use super::world::Disk;

/// What counts polls, or lists what polls have still to do.
const POLLS: &[&str] =
    &["countdown", "stages", "pending", "has_been_available", "recorded", "validated", "provisioned"];
/// Counters that remember what is gone, and how often a state was written.
const COUNTERS: &[&str] = &["addresses_given", "serial", "lineage", "token", "next"];
/// Logs of what happened on the way.
const STORIES: &[&str] = &["events", "lingering", "operations", "settled"];

/// Everything in the cloud and in rcm's state, one line for each entry of each service, sorted. Ids are replaced by the address
/// of the resource that the state knows by them, times and random parts by marks.
pub(super) fn inventory(disk: &Disk) -> Vec<String> {
    let state = disk.state();
    let names = names(&state);
    let mut lines = Vec::new();
    for (service, held) in disk.cloud() {
        for (collection, entries) in members(&held) {
            match entries {
                Value::Object(entries) => lines.extend(entries.iter().map(|(key, entry)| {
                    format!("{service} {collection} {}: {}", scrub(key, &names), canon(entry, &names))
                })),
                Value::Array(entries) => {
                    lines.extend(
                        entries.iter().map(|entry| format!("{service} {collection}: {}", canon(entry, &names))),
                    );
                }
                other => lines.push(format!("{service} {collection}: {}", canon(&other, &names))),
            }
        }
    }
    for (address, record) in members(&state["resources"]) {
        lines.push(format!("state {address}: {}", canon(&record, &names)));
    }
    for (list, entries) in
        [("superseded", &state["superseded"]), ("remnant", &state["remnants"]), ("departed", &state["departed"])]
    {
        for entry in entries.as_array().into_iter().flatten() {
            lines.push(format!("{list}: {}", canon(entry, &names)));
        }
    }
    lines.retain(|line| !line.ends_with(": {}") && !line.ends_with(": []"));
    lines.sort();
    lines
}

/// Those lines that tell of what is, and not of what was deleted on the way there.
pub(super) fn present(lines: &[String]) -> Vec<String> {
    lines.iter().filter(|line| !line.starts_with("departed: ")).cloned().collect()
}

/// The inventory without what AWS itself keeps of what was deleted, and without what is the account's and not the partner's:
/// keys in their waiting period, deregistered revisions, backup plans, cancelled rotations, gateways that are only shown for an hour, the
/// service-linked role, the account baseline.
pub(super) fn standing(disk: &Disk) -> Vec<String> {
    let gone = [
        "departed: ",
        " deletion=time ",
        // A backup plan that was deleted.
        "{created=time deleted=time document=",
        "state=deleted ",
        "ec2 tags nat-#",
        "iam roles AWSServiceRoleFor",
        "status={status=Inactive}",
        "{active=false ",
        "ec2 defaults ",
        "ecr scanning",
        "iam password_policy",
        "s3 account ",
        "access-analyzer ",
        "account contacts ",
        "securityhub ",
        "guardduty ",
        "cloudtrail ",
        "config recorders ",
        "config channels ",
        "config packs ",
        "rcm-account-baseline",
    ];
    let mut lines = inventory(disk);
    lines.retain(|line| !gone.iter().any(|mark| line.contains(mark)));
    lines.iter_mut().for_each(without_cancelled_rotation);
    lines
}

/// A rotation that was cancelled stays on display, and there is no call that takes it away.
fn without_cancelled_rotation(line: &mut String) {
    let Some(from) = line.find("rotation={enabled=false ") else { return };
    let length = line[from..].find("}}").map_or(0, |at| at + "}}".len());
    line.replace_range(from..from + length, "rotation=null");
}

fn members(value: &Value) -> Vec<(String, Value)> {
    let members = value.as_object().into_iter().flatten();
    members.filter(|(key, _)| !dropped(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn dropped(key: &str) -> bool {
    POLLS.contains(&key) || COUNTERS.contains(&key) || STORIES.contains(&key)
}

/// Ids by the address of what has them, the longest first: one may be part of another.
fn names(state: &Value) -> Vec<(String, String)> {
    let mut names = BTreeMap::new();
    for (address, record) in members(&state["resources"]) {
        if let Some(id) = record["id"].as_str() {
            names.insert(id.to_owned(), format!("<{address}>"));
        }
        for (output, value) in members(&record["outputs"]) {
            if let Some(value) =
                value.as_str().filter(|value| value.chars().any(|c| c.is_ascii_digit()) && value.len() > 8)
            {
                names.entry(value.to_owned()).or_insert_with(|| format!("<{address}.{output}>"));
            }
        }
    }
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_by_key(|(id, _)| std::cmp::Reverse(id.len()));
    names
}

fn canon(value: &Value, names: &[(String, String)]) -> String {
    match value {
        Value::Object(_) => {
            let mut parts: Vec<String> = members(value)
                .iter()
                .map(|(key, value)| {
                    format!(
                        "{}={}",
                        scrub(key, names),
                        if key == "string" { "secret".to_owned() } else { canon(value, names) }
                    )
                })
                .collect();
            parts.sort();
            format!("{{{}}}", parts.join(" "))
        }
        Value::Array(entries) => {
            let standing = entries.iter().filter(|entry| !entry["deregistered"].is_number());
            let mut parts: Vec<String> = standing.map(|entry| canon(entry, names)).collect();
            parts.sort();
            format!("[{}]", parts.join(" "))
        }
        Value::Number(number) if number.as_f64().is_some_and(|number| number > 1e9) => "time".to_owned(),
        Value::String(text) => scrub(text, names),
        other => other.to_string(),
    }
}

/// A text without times and random parts.
fn scrub(text: &str, names: &[(String, String)]) -> String {
    let mut text = text.to_owned();
    for (id, name) in names {
        // Most texts are shorter than any id, and this runs for every text of every inventory.
        if id.len() <= text.len() {
            text = text.replace(id.as_str(), name);
        }
    }
    let text = without_uuids(&text);
    let mut out = String::new();
    let mut word = String::new();
    for c in text.chars().chain([' ']) {
        if c.is_ascii_alphanumeric() {
            word.push(c);
            continue;
        }
        out.push_str(if is_random(&word) { "#" } else { &word });
        word.clear();
        out.push(c);
    }
    out.pop();
    if is_time(&text) { "time".to_owned() } else { out }
}

fn without_uuids(text: &str) -> String {
    const LENGTH: usize = 36;
    let is_uuid = |bytes: &[u8]| {
        bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
    };
    let mut out = text.to_owned();
    while let Some(at) = out.as_bytes().windows(LENGTH).position(is_uuid) {
        out.replace_range(at..at + LENGTH, "#");
    }
    out
}

fn is_random(word: &str) -> bool {
    let digits = word.bytes().any(|byte| byte.is_ascii_digit());
    // No word of ours is spelt with these letters alone, and an id may happen to have no digit.
    let lower = word.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let upper = digits && word.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    word.len() >= 8 && (lower || upper)
}

fn is_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 19 && bytes[4] == b'-' && bytes[7] == b'-' && bytes[10] == b'T'
}

/// What one inventory has and the other has not, a line each; of what both have, only the words that differ.
pub(super) fn difference(expected: &[String], found: &[String]) -> String {
    let mut counts: BTreeMap<&String, i64> = BTreeMap::new();
    expected.iter().for_each(|line| *counts.entry(line).or_default() += 1);
    found.iter().for_each(|line| *counts.entry(line).or_default() -= 1);
    let mut entries: BTreeMap<&str, (Vec<&str>, Vec<&str>)> = BTreeMap::new();
    for (line, count) in counts {
        let (name, rest) = line.split_once(": ").unwrap_or((line, ""));
        let (missing, surplus) = entries.entry(name).or_default();
        if count > 0 {
            missing.push(rest)
        } else if count < 0 {
            surplus.push(rest)
        }
    }
    let mut text = String::new();
    for (name, (missing, surplus)) in entries {
        if let ([missing], [surplus]) = (missing.as_slice(), surplus.as_slice()) {
            let only = |a: &str, b: &str| -> String {
                let b: Vec<_> = b.split(' ').collect();
                a.split(' ').filter(|word| !b.contains(word)).collect::<Vec<_>>().join(" ")
            };
            let _ = writeln!(text, "{name}: expected {}, found {}", only(missing, surplus), only(surplus, missing));
            continue;
        }
        text.extend(missing.iter().map(|rest| format!("missing: {name}: {rest}\n")));
        text.extend(surplus.iter().map(|rest| format!("too much: {name}: {rest}\n")));
    }
    text
}

#[test]
fn an_id_is_random_with_and_without_a_digit_in_it() {
    assert!(["ccdeebafb", "0123456789abcdef", "Z35SXDOTRQ7X7K"].iter().all(|word| is_random(word)));
    assert!(!["cafe", "certificate", "DATABASE", "deadlock"].iter().any(|word| is_random(word)));
}
