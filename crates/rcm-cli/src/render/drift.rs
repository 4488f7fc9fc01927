//! What others have changed, and what became of it.

use std::collections::BTreeMap;

use rcm::{
    Report,
    engine::{
        model::Deployment,
        plan::{Acceptance, Added, Changed, Deleted, Deviation, Drift, Refusal, Repair, Untagged, Why},
        run::Outcome,
    },
};
use serde_json::json;

use super::{BOLD, DIM, GREEN, RED, YELLOW, count, json as lines, layer_rank, paint, tail, value};
use crate::session::Next;

/// How many differences inside one field are shown.
const LEAVES: usize = 6;

/// The drift as text.
pub(crate) fn drift(drift: &Drift, at: &Deployment, resources: usize) -> String {
    let name = format!("{}/{}", at.partner, at.environment);
    let mut text = String::new();
    if drift.is_empty() {
        let all = count(resources, "resource");
        text.push_str(&format!(
            "{} {all} compared, every field.\n",
            paint(GREEN, &format!("{name} is as rcm left it:"))
        ));
    } else {
        text.push_str(&format!("Drift of {name} (account {}, {})\n", at.account, at.region));
        for ((_, layer), rows) in by_layer(drift) {
            text.push_str(&format!("\n{}\n{}", paint(BOLD, &layer), rows.concat()));
        }
        text.push_str(&format!("\n{}\n", summary(drift)));
    }
    for address in &drift.unfinished {
        text.push_str(&format!("{address} was left unfinished by an earlier run, and was not compared\n"));
    }
    text
}

/// The rows of each layer; what has no address comes last.
fn by_layer(drift: &Drift) -> BTreeMap<(usize, String), Vec<String>> {
    let mut rows: BTreeMap<(usize, String), Vec<(String, String)>> = BTreeMap::new();
    let mut add = |address: &str, row: String| {
        let (rank, layer) = layer_rank(address.split('/').next().unwrap_or_default());
        rows.entry((rank, layer.to_owned())).or_default().push((address.to_owned(), row));
    };
    drift.changed.iter().for_each(|changed| add(changed.address.as_str(), self::changed(changed)));
    for Deleted { address, kind, id, .. } in &drift.deleted {
        let what = format!("{}  {}  {}", tail(address.as_str()), paint(DIM, kind), paint(DIM, id.as_str()));
        add(address.as_str(), format!("{} {what}  {}\n", paint(RED, "   -"), paint(YELLOW, "deleted outside rcm")));
    }
    for Untagged { address, kind, id, says, .. } in &drift.untagged {
        let what = format!("{}  {}  {}", tail(address.as_str()), paint(DIM, kind), paint(DIM, id.as_str()));
        let tags = match says {
            Some(other) if other != address => format!("its ownership tags say that it is {other}"),
            _ => "its ownership tags were changed or taken away".to_owned(),
        };
        add(address.as_str(), format!("{} {what}  {}\n", paint(YELLOW, "   ~"), paint(YELLOW, &tags)));
    }
    for Added { kind, owned } in &drift.added {
        let address = owned.address.as_ref().map_or("elsewhere/?", |address| address.as_str());
        let what = format!("{}  {}  {}", tail(address), paint(DIM, kind), owned.id);
        add(address, format!("{} {what}  {}\n", paint(GREEN, "   +"), paint(YELLOW, "not in the state")));
    }
    let sorted = |mut rows: Vec<(String, String)>| {
        rows.sort();
        rows.into_iter().map(|(_, row)| row).collect()
    };
    rows.into_iter().map(|(layer, rows)| (layer, sorted(rows))).collect()
}

fn changed(changed: &Changed) -> String {
    let Changed { address, kind, id, fields, .. } = changed;
    let name = tail(address.as_str());
    let fields: String = fields.iter().map(field).collect();
    format!("{} {name}  {}  {}\n{fields}", paint(YELLOW, "   ~"), paint(DIM, kind), paint(DIM, id.as_str()))
}

/// From what was applied to what is there.
fn field(Deviation { field, applied, live }: &Deviation) -> String {
    let leaves = value::leaves(field, applied, live);
    let line = |(path, applied, live): &value::Leaf<'_>| match (applied, live) {
        (Some(applied), Some(live)) => format!("{path}: {}", value::pair(applied, live)),
        (Some(applied), None) => format!("{path}: without {}", value::short(applied)),
        (None, Some(live)) => format!("{path}: with {}", value::short(live)),
        (None, None) => path.clone(),
    };
    let mut shown: Vec<String> = leaves.iter().take(LEAVES).map(line).collect();
    if leaves.len() > LEAVES {
        shown.push(format!("… and {}", count(leaves.len() - LEAVES, "more difference")));
    }
    shown.iter().map(|line| format!("         {line}\n")).collect()
}

fn summary(drift: &Drift) -> String {
    let counts = [
        (drift.changed.len(), "changed"),
        (drift.deleted.len(), "deleted"),
        (drift.added.len(), "added"),
        (drift.untagged.len(), "untagged"),
    ];
    let parts = counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    format!("Drift: {}.", parts.collect::<Vec<_>>().join(", "))
}

/// What can be done about a drift.
pub(crate) fn advice(drift: &Drift, next: &Next) -> String {
    let mut text = String::new();
    let put_back = next.command("provision --refresh full");
    if drift.changed.is_empty() && drift.deleted.is_empty() && !drift.untagged.is_empty() {
        text.push_str(&format!("  = next: put the tags back: {put_back}\n"));
    } else if !drift.changed.is_empty() || !drift.deleted.is_empty() {
        text.push_str(&format!("  = next: put it back: {put_back}\n"));
        text.push_str(&format!(
            "          or take for right what the partner file allows: {}\n",
            next.command("drift --accept")
        ));
    }
    if !drift.added.is_empty() {
        let lead = if text.is_empty() { "  = next:" } else { "         " };
        let import = next.command("import ADDRESS ID");
        text.push_str(&format!("{lead} what is not in the state: take it up, {import}, or delete it in AWS\n"));
    }
    text
}

/// What was taken for right and what not, as text.
pub(crate) fn acceptance(acceptance: &Acceptance, next: &Next) -> String {
    let accepted = acceptance.accepted.iter().map(|(address, field)| match field {
        Some(field) => format!("  {address}: {field}\n"),
        None => format!("  {address}: it is gone\n"),
    });
    let accepted: String = accepted.collect();
    let refused: String =
        acceptance.refused.iter().map(|refusal| format!("  {}\n", self::refusal(refusal, next))).collect();
    let section = |style, title, lines: String| {
        if lines.is_empty() { lines } else { format!("\n{}\n{lines}", paint(style, title)) }
    };
    section(GREEN.bold(), "Taken for right", accepted) + &section(YELLOW.bold(), "Not taken for right", refused)
}

fn refusal(Refusal { address, field, why }: &Refusal, next: &Next) -> String {
    let what = address.as_ref().map_or("a resource without an address", |address| address.as_str());
    let field = field.as_ref().map(|field| format!(": {field}")).unwrap_or_default();
    let provision = next.command("provision --refresh full");
    match why {
        Why::WantsAnother { wanted } => format!(
            "{what}{field}: wanted is {}. Change the partner file first, if it decides that, or put it back: {provision}",
            value::short(wanted)
        ),
        Why::WantsIt => format!("{what}: it is gone, and the partner file describes it. To make it again: {provision}"),
        Why::WantsItsTags => {
            format!("{what}: its ownership tags are what rcm finds it by. To put them back: {provision}")
        }
        Why::Unknown { kind, id } => {
            let address = address.as_ref().map_or("ADDRESS", |address| address.as_str());
            let import = next.command(&format!("import {address} {id}"));
            format!("{what}: {kind} {id} is not in the state. Take it up, {import}, or delete it in AWS")
        }
    }
}

/// The drift as JSON, with what became of it.
pub(crate) fn to_json(drift: &Drift, at: &Deployment, acceptance: Option<&Acceptance>) -> String {
    let mut text = json!({
        "partner": at.partner, "environment": at.environment, "account": at.account, "region": at.region,
        "drift": !drift.is_empty(),
        "changed": drift.changed, "deleted": drift.deleted, "added": drift.added, "untagged": drift.untagged,
        "unfinished": drift.unfinished,
    });
    if let Some(Acceptance { accepted, refused, .. }) = acceptance {
        let accepted = accepted.iter().map(|(address, field)| json!({ "address": address, "field": field }));
        text["accepted"] = accepted.collect();
        text["refused"] = json!(refused);
    }
    lines::line(&text)
}

/// What a run has put right of what others had done.
pub(crate) fn repaired(report: &Report) -> Vec<Repair> {
    if matches!(report.outcome, Outcome::Done) { report.plan.repairs() } else { Vec::new() }
}

/// The same as text.
pub(crate) fn repairs(report: &Report) -> String {
    let line = |Repair { address, deleted, fields }: &Repair| match deleted {
        true => format!("  {address}: made again, it was deleted\n"),
        false => format!("  {address}: {}\n", fields.join(", ")),
    };
    let lines: String = repaired(report).iter().map(line).collect();
    if lines.is_empty() { lines } else { format!("\n{}\n{lines}", paint(BOLD, "Changed outside rcm, and put back")) }
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;
    use clap::Parser;
    use rcm::engine::model::{Address, Id, Owned};
    use serde_json::Value;

    use super::*;
    use crate::args::Cli;

    fn next() -> Next {
        Next::of(&Cli::parse_from(["rcm", "drift", "--partner", "acme"]).globals)
    }

    fn at() -> Deployment {
        Deployment {
            project: "acme-rcm".into(),
            partner: "acme".into(),
            environment: "prod".into(),
            account: "123456789012".into(),
            region: "us-east-1".into(),
            partition: "aws".into(),
        }
    }

    fn address(text: &str) -> Address {
        Address::new(text).unwrap()
    }

    fn a_drift() -> Drift {
        let field = |field: &str, applied: Value, live: Value| Deviation { field: field.into(), applied, live };
        let changed = Changed {
            address: address("network/vpc"),
            kind: "ec2/vpc".into(),
            generation: 1,
            id: Id::from("vpc-1"),
            fields: vec![
                field("dns_support", json!(true), json!(false)),
                field("tags", json!(["a"]), json!(["a", "b"])),
            ],
        };
        let deleted = Deleted {
            address: address("storage/log-group/application"),
            kind: "logs/group".into(),
            generation: 1,
            id: Id::from("/ecs/acme"),
        };
        let owned = |address| Owned { address, generation: 1, id: Id::from("subnet-9") };
        let added = |address| Added { kind: "ec2/subnet".into(), owned: owned(address) };
        let untagged = |name: &str, says| Untagged {
            address: address(name),
            kind: "ec2/subnet".into(),
            generation: 1,
            id: Id::from("subnet-1"),
            says,
        };
        Drift {
            changed: vec![changed],
            deleted: vec![deleted],
            added: vec![added(Some(address("network/subnet/private-c"))), added(None)],
            untagged: vec![
                untagged("network/subnet/private-a", None),
                untagged("network/subnet/private-b", Some(address("network/subnet/private-a"))),
            ],
            unfinished: vec![address("compute/service")],
        }
    }

    #[test]
    fn a_drift_is_shown_by_layer_field_by_field() {
        let text = drift(&a_drift(), &at(), 52) + &advice(&a_drift(), &next());
        insta::assert_snapshot!(strip_str(&text).to_string(), @r#"
        Drift of acme/prod (account 123456789012, us-east-1)

        network
           ~ subnet/private-a  ec2/subnet  subnet-1  its ownership tags were changed or taken away
           ~ subnet/private-b  ec2/subnet  subnet-1  its ownership tags say that it is network/subnet/private-a
           + subnet/private-c  ec2/subnet  subnet-9  not in the state
           ~ vpc  ec2/vpc  vpc-1
                 dns_support: true → false
                 tags: with "b"

        storage
           - log-group/application  logs/group  /ecs/acme  deleted outside rcm

        elsewhere
           + ?  ec2/subnet  subnet-9  not in the state

        Drift: 1 changed, 1 deleted, 2 added, 2 untagged.
        compute/service was left unfinished by an earlier run, and was not compared
          = next: put it back: rcm provision --refresh full --partner acme
                  or take for right what the partner file allows: rcm drift --accept --partner acme
                  what is not in the state: take it up, rcm import ADDRESS ID --partner acme, or delete it in AWS
        "#);
    }

    #[test]
    fn no_drift_is_said_in_a_line() {
        let text = drift(&Drift::default(), &at(), 52) + &advice(&Drift::default(), &next());
        assert_eq!(strip_str(&text).to_string(), "acme/prod is as rcm left it: 52 resources compared, every field.\n");
    }

    #[test]
    fn what_is_not_taken_for_right_says_why_and_what_to_type() {
        let refusal = |name: &str, field: Option<&str>, why| Refusal {
            address: Some(address(name)),
            field: field.map(str::to_owned),
            why,
        };
        let taken = Acceptance {
            entries: Vec::new(),
            accepted: vec![(address("network/vpc"), Some("dns_support".into())), (address("network/old"), None)],
            refused: vec![
                refusal("compute/cluster", Some("container_insights"), Why::WantsAnother { wanted: json!("enabled") }),
                refusal("network/nat/a", None, Why::WantsIt),
                refusal("network/nat/b", None, Why::WantsItsTags),
                refusal(
                    "network/subnet/private-c",
                    None,
                    Why::Unknown { kind: "ec2/subnet".into(), id: Id::from("subnet-9") },
                ),
            ],
        };
        insta::assert_snapshot!(strip_str(&acceptance(&taken, &next())).to_string(), @r#"

        Taken for right
          network/vpc: dns_support
          network/old: it is gone

        Not taken for right
          compute/cluster: container_insights: wanted is "enabled". Change the partner file first, if it decides that, or put it back: rcm provision --refresh full --partner acme
          network/nat/a: it is gone, and the partner file describes it. To make it again: rcm provision --refresh full --partner acme
          network/nat/b: its ownership tags are what rcm finds it by. To put them back: rcm provision --refresh full --partner acme
          network/subnet/private-c: ec2/subnet subnet-9 is not in the state. Take it up, rcm import network/subnet/private-c subnet-9 --partner acme, or delete it in AWS
        "#);
    }
}
