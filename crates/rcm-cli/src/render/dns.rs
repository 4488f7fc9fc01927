//! DNS records and what the world sees of them, for people.

use rcm::{Dns, Purpose, Seen, Wanted};

use super::{BOLD, paint, table::table};
use crate::session::Next;

/// The records, how far the certificate is, and what to do next.
pub(crate) fn dns(dns: &Dns, name: &str, next: &Next) -> String {
    let mut text = format!("{}\n", paint(BOLD, &format!("DNS of {} ({name})", dns.domain)));
    let mut rows = vec![["for", "type", "name", "value", "seen"].map(str::to_owned)];
    rows.extend(dns.records.iter().map(row));
    if dns.records.is_empty() {
        text.push_str("  AWS has not said yet which records it wants\n");
    } else {
        text.push_str(&table("  ", &rows));
    }
    let status = dns.certificate.as_deref().unwrap_or("there is none yet");
    text.push_str(&format!("Certificate: {status}\n"));
    text.push_str(&match &dns.hosted_zone_id {
        Some(zone) => format!("Records: rcm makes them in the hosted zone {zone}\n"),
        None => "Records: whoever keeps the domain makes them, in DNS\n".to_owned(),
    });
    for advice in advice(dns, next) {
        let lead = if text.contains("= next:") { "          " } else { "  = next: " };
        text.push_str(&format!("{lead}{advice}\n"));
    }
    text
}

fn row(wanted: &Wanted) -> [String; 5] {
    let purpose = match wanted.purpose {
        Purpose::Validation => "validation",
        Purpose::Address => "address",
    };
    let seen = match &wanted.seen {
        None => "not asked".to_owned(),
        Some(Seen::Right) => "yes".to_owned(),
        Some(Seen::Missing) => "no".to_owned(),
        Some(Seen::Other { values }) => format!("no: it says {}", values.join(", ")),
        Some(Seen::Unknown { why }) => format!("unknown: {why}"),
    };
    [purpose.to_owned(), wanted.kind.clone(), wanted.name.clone(), wanted.value.clone(), seen]
}

fn advice(dns: &Dns, next: &Next) -> Vec<String> {
    let is = |purpose: Purpose, seen: fn(&Seen) -> bool| {
        let mut of = dns.records.iter().filter(|wanted| wanted.purpose == purpose);
        of.any(|wanted| wanted.seen.as_ref().is_some_and(seen))
    };
    let wrong = |purpose| is(purpose, |seen| matches!(seen, Seen::Missing | Seen::Other { .. }));
    let right = |purpose| is(purpose, |seen| *seen == Seen::Right);
    let unknown = |purpose| is(purpose, |seen| matches!(seen, Seen::Unknown { .. }));
    let mut advice = Vec::new();
    if dns.certificate.is_none() {
        return vec![format!("make it: {}", next.command("provision"))];
    }
    if dns.is_pending() {
        advice.push(match &dns.hosted_zone_id {
            _ if right(Purpose::Validation) => "nothing: AWS sees the record within half an hour".to_owned(),
            Some(zone) => format!(
                "if provision has made the record in the zone {zone} and the world sees none, the domain is not delegated to \
                 that zone's name servers: have whoever keeps the domain do it"
            ),
            None => "add the validation record; AWS looks for it for 72 hours".to_owned(),
        });
        advice.push(format!("to wait and go on then: {}", next.command("dns --wait")));
    } else if wrong(Purpose::Validation) {
        advice.push("the certificate is renewed by the validation record: put it back, and let it stay".to_owned());
    }
    if wrong(Purpose::Address) && !dns.is_pending() {
        advice.push(match dns.hosted_zone_id {
            Some(_) => format!("make the address record: {}", next.command("provision")),
            None => {
                "add the address record; at the top of a zone, where a CNAME cannot be, one of the kind ALIAS or ANAME"
                    .to_owned()
            }
        });
    }
    if unknown(Purpose::Validation) || unknown(Purpose::Address) {
        advice.push(format!("ask another resolver: {}", next.command("dns --resolver 1.1.1.1")));
    }
    advice
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::Cli;

    fn shown(certificate: &str, zone: Option<&str>, seen: [Option<Seen>; 2]) -> String {
        let [validation, address] = seen;
        let record = |purpose, kind: &str, name: &str, value: &str, seen| Wanted {
            purpose,
            name: name.into(),
            kind: kind.into(),
            value: value.into(),
            seen,
        };
        let records = vec![
            record(Purpose::Validation, "CNAME", "_1.rcm.acme.com.", "_2.acm-validations.aws.", validation),
            record(Purpose::Address, "CNAME", "rcm.acme.com.", "alb.elb.amazonaws.com", address),
        ];
        let (domain, certificate) = ("rcm.acme.com".into(), Some(certificate.into()));
        let found = Dns { domain, hosted_zone_id: zone.map(str::to_owned), certificate, records };
        let next = Next::of(&Cli::parse_from(["rcm", "dns", "--partner", "acme"]).globals);
        anstream::adapter::strip_str(&dns(&found, "acme/prod", &next)).to_string()
    }

    #[test]
    fn who_has_to_add_a_record_is_told_which() {
        insta::assert_snapshot!(shown("PENDING_VALIDATION", None, [Some(Seen::Missing), Some(Seen::Missing)]), @"
        DNS of rcm.acme.com (acme/prod)
          for         type   name              value                    seen
          validation  CNAME  _1.rcm.acme.com.  _2.acm-validations.aws.  no
          address     CNAME  rcm.acme.com.     alb.elb.amazonaws.com    no
        Certificate: PENDING_VALIDATION
        Records: whoever keeps the domain makes them, in DNS
          = next: add the validation record; AWS looks for it for 72 hours
                  to wait and go on then: rcm dns --wait --partner acme
        ");
    }

    #[test]
    fn a_zone_that_the_world_does_not_ask_is_not_delegated() {
        let seen = [Some(Seen::Missing), Some(Seen::Right)];
        assert!(shown("PENDING_VALIDATION", Some("Z1"), seen).contains("not delegated to that zone's name servers"));
    }

    #[test]
    fn where_all_is_well_there_is_nothing_to_do() {
        assert!(!shown("ISSUED", None, [Some(Seen::Right), Some(Seen::Right)]).contains("next"));
        let gone = shown("ISSUED", None, [Some(Seen::Missing), Some(Seen::Right)]);
        assert!(gone.contains("let it stay"), "{gone}");
        let unknown = Seen::Unknown { why: "no resolver is known".into() };
        assert!(shown("ISSUED", None, [Some(Seen::Right), Some(unknown)]).contains("--resolver 1.1.1.1"));
    }
}
