//! The entries of a network ACL: seeing them, and turning the live ones into the wanted ones without a moment in which what
//! both allow is cut off.
//!
//! API: [CreateNetworkAclEntry](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNetworkAclEntry.html),
//! [ReplaceNetworkAclEntry](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceNetworkAclEntry.html).

use aws_sdk_ec2::types::{IcmpTypeCode, NetworkAclEntry as Live, PortRange, RuleAction};
use rcm_engine::model::{Fault, FaultKind, Id};
use serde_json::{Value, json};

use super::ec2_network_acl::{Direction, Entry, Traffic};
use crate::{
    Aws,
    classify::{absent, fault},
};

/// The number of the entry that AWS ends every ACL with.
const LAST: i32 = 32767;

/// [Protocol numbers](https://www.iana.org/assignments/protocol-numbers/protocol-numbers.xhtml).
const ALL: &str = "-1";
const ICMP: &str = "1";
const TCP: &str = "6";

/// The entries that somebody made, as a spec says them, or in words that no spec says.
pub(super) fn live_entries(entries: &[Live]) -> Vec<Value> {
    made(entries).map(said).collect()
}

fn made(entries: &[Live]) -> impl Iterator<Item = &Live> {
    entries.iter().filter(|entry| entry.rule_number() != Some(LAST))
}

fn said(entry: &Live) -> Value {
    json!({
        "number": entry.rule_number(),
        "direction": direction(entry),
        "traffic": traffic(entry),
        "cidr": entry.cidr_block().or(entry.ipv6_cidr_block()),
        "allow": entry.rule_action() == Some(&RuleAction::Allow),
    })
}

fn direction(entry: &Live) -> Direction {
    if entry.egress() == Some(true) { Direction::Out } else { Direction::In }
}

fn traffic(entry: &Live) -> Value {
    let ports = entry.port_range().map(|range| (range.from(), range.to()));
    let icmp = entry.icmp_type_code().map(|icmp| (icmp.r#type(), icmp.code()));
    match (entry.protocol(), ports, icmp) {
        (Some(ALL), ..) => json!("all"),
        (Some(TCP), Some((Some(from), Some(to))), _) => json!({"tcp": {"from": from, "to": to}}),
        (Some(ICMP), _, Some((Some(kind), Some(code)))) => json!({"icmp": {"kind": kind, "code": code}}),
        (protocol, ports, _) => json!({"other": format!("protocol {protocol:?}, ports {ports:?}")}),
    }
}

/// One call on the way.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    Create(&'a Entry),
    Replace(&'a Entry),
    Delete(i32, Direction),
}

/// What turns the live entries into the wanted ones: what is allowed comes first, then what is denied, and last goes what is not
/// wanted any more.
pub(super) fn steps<'a>(live: &[Live], wanted: &'a [Entry]) -> Vec<Step<'a>> {
    let place = |entry: &Live| (entry.rule_number().unwrap_or(LAST), direction(entry));
    let there = |entry: &Entry| made(live).find(|live| place(live) == (entry.number.into(), entry.direction));
    let mut steps = Vec::new();
    for allow in [true, false] {
        for entry in wanted.iter().filter(|entry| entry.allow == allow) {
            match there(entry) {
                None => steps.push(Step::Create(entry)),
                Some(live) if said(live) != json!(entry) => steps.push(Step::Replace(entry)),
                Some(_) => {}
            }
        }
    }
    let kept = |place: (i32, Direction)| wanted.iter().any(|entry| (entry.number.into(), entry.direction) == place);
    let surplus = made(live).map(place).filter(|place| !kept(*place));
    steps.extend(surplus.map(|(number, direction)| Step::Delete(number, direction)));
    steps
}

/// Sends one step for the ACL `id`.
pub(super) async fn take(aws: &Aws, id: &Id, step: Step<'_>) -> Result<(), Fault> {
    match step {
        Step::Create(entry) => match create(aws, id, entry).await {
            // Made by a call whose answer was lost, and not shown yet when the ACL was described.
            Err(fault) if fault.kind == FaultKind::Exists => replace(aws, id, entry).await,
            other => other,
        },
        Step::Replace(entry) => replace(aws, id, entry).await,
        Step::Delete(number, direction) => delete(aws, id, number, direction).await,
    }
}

/// Protocol, ports, and type and code, as EC2 wants them.
fn sent(traffic: &Traffic) -> (&'static str, Option<PortRange>, Option<IcmpTypeCode>) {
    match traffic {
        Traffic::All => (ALL, None, None),
        Traffic::Tcp { from, to } => {
            (TCP, Some(PortRange::builder().from((*from).into()).to((*to).into()).build()), None)
        }
        Traffic::Icmp { kind, code } => (ICMP, None, Some(IcmpTypeCode::builder().r#type(*kind).code(*code).build())),
    }
}

fn action(entry: &Entry) -> RuleAction {
    if entry.allow { RuleAction::Allow } else { RuleAction::Deny }
}

async fn create(aws: &Aws, id: &Id, entry: &Entry) -> Result<(), Fault> {
    let (protocol, ports, icmp) = sent(&entry.traffic);
    let request = aws.ec2.create_network_acl_entry().network_acl_id(id.as_str()).rule_number(entry.number.into());
    let request = request.egress(entry.direction == Direction::Out).rule_action(action(entry)).protocol(protocol);
    let request = request.set_port_range(ports).set_icmp_type_code(icmp).cidr_block(&entry.cidr);
    request.send().await.map(drop).map_err(fault("ec2", "CreateNetworkAclEntry"))
}

async fn replace(aws: &Aws, id: &Id, entry: &Entry) -> Result<(), Fault> {
    let (protocol, ports, icmp) = sent(&entry.traffic);
    let request = aws.ec2.replace_network_acl_entry().network_acl_id(id.as_str()).rule_number(entry.number.into());
    let request = request.egress(entry.direction == Direction::Out).rule_action(action(entry)).protocol(protocol);
    let request = request.set_port_range(ports).set_icmp_type_code(icmp).cidr_block(&entry.cidr);
    request.send().await.map(drop).map_err(fault("ec2", "ReplaceNetworkAclEntry"))
}

async fn delete(aws: &Aws, id: &Id, number: i32, direction: Direction) -> Result<(), Fault> {
    let request = aws.ec2.delete_network_acl_entry().network_acl_id(id.as_str()).rule_number(number);
    let request = request.egress(direction == Direction::Out);
    absent(request.send().await.map_err(fault("ec2", "DeleteNetworkAclEntry"))).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(number: i32, egress: bool, action: RuleAction, port: i32) -> Live {
        let ports = PortRange::builder().from(port).to(port).build();
        let entry = Live::builder().rule_number(number).egress(egress).rule_action(action).protocol(TCP);
        entry.port_range(ports).cidr_block("0.0.0.0/0").build()
    }

    fn entry(number: u16, port: u16, allow: bool) -> Entry {
        let traffic = Traffic::Tcp { from: port, to: port };
        Entry { number, direction: Direction::In, traffic, cidr: "0.0.0.0/0".into(), allow }
    }

    #[test]
    fn what_is_allowed_comes_first_and_nothing_goes_before_all_is_there() {
        let there = [
            live(100, false, RuleAction::Allow, 443),
            live(110, false, RuleAction::Allow, 80),
            live(120, false, RuleAction::Allow, 22),
            live(120, true, RuleAction::Allow, 22),
            live(LAST, false, RuleAction::Deny, 0),
        ];
        let wanted = [entry(90, 22, false), entry(100, 443, true), entry(110, 8080, true), entry(130, 80, true)];
        assert_eq!(
            steps(&there, &wanted),
            [
                Step::Replace(&wanted[2]),
                Step::Create(&wanted[3]),
                Step::Create(&wanted[0]),
                Step::Delete(120, Direction::In),
                Step::Delete(120, Direction::Out),
            ]
        );
    }

    #[test]
    fn a_live_entry_reads_as_a_spec_says_it_and_one_that_none_says_is_seen_too() {
        assert_eq!(live_entries(&[live(100, false, RuleAction::Allow, 443)]), [json!(entry(100, 443, true))]);
        let icmp = IcmpTypeCode::builder().r#type(3).code(4).build();
        let icmp = Live::builder().rule_number(7).protocol(ICMP).icmp_type_code(icmp).ipv6_cidr_block("::/0").build();
        assert_eq!(traffic(&icmp), json!(Traffic::Icmp { kind: 3, code: 4 }));
        assert_eq!(said(&icmp)["cidr"], "::/0");
        assert_eq!(traffic(&Live::builder().protocol(ALL).build()), json!(Traffic::All));
        assert!(traffic(&Live::builder().protocol("17").build())["other"].is_string());
        assert_eq!(live_entries(&[live(LAST, true, RuleAction::Deny, 0)]), Vec::<Value>::new());
    }
}
