//! Who asks, and where.

use rcm_aws::Caller;

use super::{Ahead, Check, Verdict, seen::Seen, unseen};

/// The account was compared with the partner file's before anything else was asked.
pub(super) fn check(ahead: &Ahead<'_>, caller: &Caller, seen: &Seen) -> Vec<Check> {
    vec![Check::good("identity", format!("{} in account {}", caller.arn, caller.account)), region(ahead, seen)]
}

fn region(ahead: &Ahead<'_>, seen: &Seen) -> Check {
    const NAME: &str = "region";
    let region = ahead.region();
    let enable = format!("aws account enable-region --region-name {region}");
    match seen.region.as_deref() {
        Ok(status @ ("ENABLED" | "ENABLED_BY_DEFAULT")) => Check::good(NAME, format!("{region} is {status}")),
        Ok("ENABLING") => {
            Check::found(NAME, Verdict::Warn, format!("{region} is being enabled"), "wait until AWS has done so")
        }
        Ok(status @ ("DISABLED" | "DISABLING")) => {
            Check::found(NAME, Verdict::Bad, format!("{region} is {status} in this account"), enable)
        }
        Ok(status) => Check::unseen(NAME, format!("AWS says that {region} is {status}")),
        Err(fault) => unseen(NAME, fault),
    }
}
