//! The domain: its certificate, and what the world's DNS says.

use std::future::Future;

use jiff::Timestamp;
use rcm_aws::resources::acm_certificate::Certificate;
use rcm_engine::model::Resource;

use super::{Case, of_part, seen};
use crate::{
    Check, Dns, Error, Purpose, Verdict,
    ops::{
        dns::{Seen, Wanted},
        status,
    },
};

pub(super) async fn look(case: Case<'_>, dns: impl Future<Output = Result<Dns, Error>>) -> Vec<Check> {
    if case.config.domain_name.is_none() {
        return Vec::new();
    }
    let certificate = async {
        let arn = case.ids(Certificate::KIND).into_iter().next()?;
        let found = case.aws.certificate_health(&arn).await;
        Some(seen("certificate", found, |found| {
            of_part("certificate", status::judge_certificate(found, Timestamp::now()))
        }))
    };
    let (certificate, dns) = tokio::join!(certificate, dns);
    let records = match dns {
        Ok(dns) => dns.records.iter().filter_map(record).collect(),
        Err(error) => vec![Check::unseen("dns", error.to_string())],
    };
    certificate.into_iter().chain(records).collect()
}

/// What the world sees of a record; none where nobody was asked.
fn record(wanted: &Wanted) -> Option<Check> {
    let Wanted { purpose, name, kind, value, seen } = wanted;
    let (check, without) = match purpose {
        Purpose::Validation => ("dns/validation", "the certificate is not issued, or not renewed, without it"),
        Purpose::Address => ("dns/address", "nobody finds the application without it"),
    };
    let bad = |evidence: String| Check::found(check, Verdict::Bad, format!("{evidence}; {without}"), "rcm dns");
    Some(match seen.as_ref()? {
        Seen::Right => Check::good(check, format!("{name} is {kind} {value}")),
        Seen::Missing => bad(format!("{name} says nothing, and should be {kind} {value}")),
        Seen::Other { values } => bad(format!("{name} says {}, and should be {kind} {value}", values.join(", "))),
        Seen::Unknown { why } => Check::unseen(check, format!("{name}: {why}")),
    })
}
