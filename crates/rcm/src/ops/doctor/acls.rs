//! Network ACLs: whether they let through what has to get there, and the answers back.
//!
//! They are judged as EC2 does it, packet by packet; a few packets stand for all.

use std::{collections::BTreeSet, net::Ipv4Addr};

use ipnet::Ipv4Net;
use rcm_aws::AclEntries;

use super::PUT_BACK;
use crate::{Check, Verdict};

/// Ports that answers go back to: the ends of what load balancers and NAT gateways use, and of what Linux does
/// (<https://docs.aws.amazon.com/vpc/latest/userguide/custom-network-acl.html#nacl-ephemeral-ports>).
const EPHEMERAL: [u16; 4] = [1024, 32_768, 60_999, 65_535];
/// How many of what is kept out are named.
const NAMED: usize = 3;

/// A subnet, if it is in one, and an address.
pub(super) type End = (Option<String>, Ipv4Addr);

/// Something that has to get there, and its answer back.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) from: End,
    pub(super) to: End,
    pub(super) port: u16,
}

/// `ours` when rcm has made the ACLs, and so can put them back.
pub(super) fn judge_acls(flows: &[Flow], acls: &[AclEntries], ours: bool) -> Check {
    let check = "network/acls";
    let acl = |subnet: &str| acls.iter().find(|acl| acl.subnets.iter().any(|its| its == subnet));
    let ends = flows.iter().flat_map(|flow| [&flow.from, &flow.to]).filter_map(|(subnet, _)| subnet.as_deref());
    if let Some(subnet) = ends.clone().find(|subnet| acl(subnet).is_none()) {
        return Check::unseen(check, format!("AWS tells of no network ACL of {subnet}"));
    }
    let shut: BTreeSet<String> = flows.iter().flat_map(|flow| kept_out(flow, acl)).collect();
    if shut.is_empty() {
        let judges: BTreeSet<&str> = ends.filter_map(acl).map(|acl| acl.id.as_str()).collect();
        let judges: Vec<&str> = judges.into_iter().collect();
        return Check::good(check, format!("{} let everything through that has to get there", judges.join(", ")));
    }
    let more = shut.len().saturating_sub(NAMED);
    let named: Vec<String> = shut.into_iter().take(NAMED).collect();
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    let by_hand =
        "allow it in the VPC's own network ACL, which rcm does not make; or set network_acls = true and provision";
    Check::found(check, Verdict::Bad, format!("{}{more}", named.join("; ")), if ours { PUT_BACK } else { by_hand })
}

/// What of a flow is kept out, and by which ACL. Nothing judges what stays within a subnet.
fn kept_out<'a>(flow: &Flow, acl: impl Fn(&str) -> Option<&'a AclEntries>) -> Vec<String> {
    let Flow { from, to, port } = flow;
    let there = [(from, to, *port)].into_iter();
    let back = EPHEMERAL.into_iter().map(|port| (to, from, port));
    let mut shut = Vec::new();
    for ((from_subnet, from), (to_subnet, to), port) in there.chain(back) {
        if from_subnet == to_subnet {
            continue;
        }
        let sides = [(from_subnet, true, to, "out to"), (to_subnet, false, from, "in from")];
        for (subnet, outward, peer, way) in sides {
            let Some(subnet) = subnet else { continue };
            if let Some(acl) = acl(subnet).filter(|acl| !passes(acl, outward, *peer, port)) {
                shut.push(format!("{} lets port {port} of {subnet} not {way} {peer}", acl.id));
            }
        }
    }
    shut
}

/// What EC2 does: the first entry that fits decides, and what none fits is denied.
fn passes(acl: &AclEntries, outward: bool, peer: Ipv4Addr, port: u16) -> bool {
    let first = acl.entries.iter().find(|entry| {
        entry.outward == outward
            && entry.ports.is_none_or(|(from, to)| (from..=to).contains(&port))
            && entry.block.parse::<Ipv4Net>().is_ok_and(|block| block.contains(&peer))
    });
    first.is_some_and(|entry| entry.allow)
}

#[cfg(test)]
mod tests {
    use rcm_aws::AclEntry;

    use super::*;

    fn entry(number: i32, outward: bool, allow: bool, block: &str, ports: Option<(u16, u16)>) -> AclEntry {
        AclEntry { number, outward, allow, block: block.into(), ports }
    }

    fn acl(id: &str, entries: Vec<AclEntry>) -> AclEntries {
        AclEntries { id: format!("acl-{id}"), subnets: vec![format!("subnet-{id}")], entries }
    }

    fn open(id: &str) -> AclEntries {
        acl(id, [true, false].map(|outward| entry(100, outward, true, "0.0.0.0/0", None)).into())
    }

    fn judge(service: AclEntries, database: AclEntries) -> Check {
        let end = |id: &str, address: &str| (Some(format!("subnet-{id}")), address.parse().unwrap());
        let flow = Flow { from: end("service", "10.0.64.10"), to: end("database", "10.0.128.10"), port: 5432 };
        judge_acls(&[flow], &[service, database], true)
    }

    #[test]
    fn the_first_entry_that_fits_decides() {
        assert_eq!(judge(open("service"), open("database")).verdict, Verdict::Ok);
        let mut denied = open("database");
        denied.entries.insert(0, entry(90, false, false, "10.0.64.0/20", Some((5432, 5432))));
        let check = judge(open("service"), denied);
        assert_eq!((check.verdict, check.mend.as_deref()), (Verdict::Bad, Some(PUT_BACK)));
        assert_eq!(check.evidence, "acl-database lets port 5432 of subnet-database not in from 10.0.64.10");
        let mut later = open("database");
        later.entries.push(entry(110, false, false, "10.0.64.0/20", Some((5432, 5432))));
        assert_eq!(judge(open("service"), later).verdict, Verdict::Ok);
    }

    #[test]
    fn answers_have_to_get_back_too() {
        let narrow = acl(
            "service",
            vec![
                entry(100, true, true, "0.0.0.0/0", None),
                entry(100, false, true, "0.0.0.0/0", Some((32_768, 65_535))),
            ],
        );
        let check = judge(narrow, open("database"));
        assert!(check.verdict == Verdict::Bad && check.evidence.contains("port 1024 of subnet-service"), "{check:?}");
        let none = judge(open("service"), open("another"));
        assert_eq!(none.verdict, Verdict::Unknown, "{none:?}");
    }
}
