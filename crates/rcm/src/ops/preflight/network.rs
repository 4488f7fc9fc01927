//! The VPC's addresses beside those of others.

use ipnet::Ipv4Net;
use rcm_aws::{questions::VpcSeen, resources::ec2_vpc::Vpc};
use rcm_engine::model::Resource;

use super::{Ahead, Check, Verdict, seen::Seen, unseen};

const NAME: &str = "network/cidr";

/// AWS lets VPCs overlap. Two that do can never be peered, and no route tells them apart.
pub(super) fn check(ahead: &Ahead<'_>, seen: &Seen) -> Option<Check> {
    let step = ahead.made_of(Vpc::KIND).next()?;
    let vpcs = match seen.vpcs.as_ref()? {
        Ok(vpcs) => vpcs,
        Err(fault) => return Some(unseen(NAME, fault)),
    };
    let wanted: Ipv4Net = step.spec.get("cidr")?.as_str()?.parse().ok()?;
    let own = ahead.id(Vpc::KIND);
    Some(judge(wanted, vpcs.iter().filter(|vpc| Some(vpc.id.as_str()) != own)))
}

fn judge<'a>(wanted: Ipv4Net, others: impl Iterator<Item = &'a VpcSeen>) -> Check {
    let overlaps =
        |cidr: &&String| cidr.parse::<Ipv4Net>().is_ok_and(|other| other.contains(&wanted) || wanted.contains(&other));
    let shared = others.filter_map(|vpc| {
        let cidr = vpc.cidrs.iter().find(overlaps)?;
        let name = vpc.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        Some(format!("{}{name} has {cidr}", vpc.id))
    });
    let shared: Vec<String> = shared.collect();
    if shared.is_empty() {
        return Check::good(NAME, format!("no other VPC of the Region has addresses of {wanted}"));
    }
    let evidence = format!("{wanted} overlaps: {}", shared.join(", "));
    let mend = "if this VPC is ever to be peered with one of them, choose another vpc_cidr now: it cannot change later";
    Check::found(NAME, Verdict::Warn, evidence, mend)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_inside_the_other_overlaps_and_one_beside_it_does_not() {
        let vpc = |cidr: &str| VpcSeen { id: "vpc-1".into(), name: Some("old".into()), cidrs: vec![cidr.into()] };
        let verdict = |cidr: &str| judge("10.20.0.0/16".parse().unwrap(), [vpc(cidr)].iter()).verdict;
        assert_eq!((verdict("10.20.8.0/24"), verdict("10.0.0.0/8")), (Verdict::Warn, Verdict::Warn));
        assert_eq!(verdict("10.21.0.0/16"), Verdict::Ok);
        let found = judge("10.20.0.0/16".parse().unwrap(), [vpc("10.20.8.0/24")].iter());
        assert_eq!(found.evidence, "10.20.0.0/16 overlaps: vpc-1 (old) has 10.20.8.0/24");
    }
}
