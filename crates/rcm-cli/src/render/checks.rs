//! What was looked at before a run or after trouble, for people and for programs.

use rcm::{Check, Verdict};
use serde_json::{Value, json};

use super::{
    count, paint,
    status::{plain, word},
};
use crate::session::Next;

/// A line for each check, and below those that are not well what mends them.
pub(crate) fn checks(checks: &[Check], next: &Next) -> String {
    let width = checks.iter().map(|check| check.check.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for Check { check, verdict, evidence, mend } in checks {
        let (word, style) = word(*verdict);
        text.push_str(&format!("  {}  {check:width$}  {}\n", paint(style, &format!("{word:7}")), plain(evidence)));
        if let Some(mend) = mend {
            text.push_str(&format!("           {:width$}  = next: {}\n", "", self::mend(mend, next)));
        }
    }
    text
}

/// `2 bad, 1 unknown, 20 ok`, the worst first.
pub(crate) fn summary(checks: &[Check]) -> String {
    let worst_first = [Verdict::Bad, Verdict::Warn, Verdict::Unknown, Verdict::Ok];
    let counted = worst_first.map(|verdict| (verdict, checks.iter().filter(|check| check.verdict == verdict).count()));
    let said = counted.into_iter().filter(|(_, count)| *count > 0);
    let said: Vec<String> = said.map(|(verdict, count)| format!("{count} {}", word(verdict).0)).collect();
    if said.is_empty() { count(0, "check") } else { said.join(", ") }
}

/// What mends it, as it is typed here: a command of rcm's own gets the partner and what else this one was given.
pub(crate) fn mend(mend: &str, next: &Next) -> String {
    match mend.strip_prefix("rcm ") {
        Some(verb) => next.command(verb),
        None => plain(mend),
    }
}

/// The worst verdict, and the checks.
pub(crate) fn to_json(checks: &[Check]) -> Value {
    let verdict = checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Ok);
    json!({ "verdict": verdict, "checks": checks })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::Cli;

    fn found() -> Vec<Check> {
        vec![
            Check::good("identity", "arn:aws:iam::123456789012:user/me"),
            Check::found("permissions", Verdict::Bad, "ec2:CreateVpc is denied", "rcm permissions --verb provision"),
            Check::found("quota/vpcs", Verdict::Warn, "4 of 5\u{1b}[2J", "aws service-quotas \u{7}…"),
            Check::unseen("quota/buckets", "servicequotas:ListServiceQuotas: AccessDenied: no"),
        ]
    }

    #[test]
    fn each_check_is_a_line_and_what_mends_it_is_below() {
        let next = Next::of(&Cli::parse_from(["rcm", "status", "--partner", "acme"]).globals);
        insta::assert_snapshot!(anstream::adapter::strip_str(&checks(&found(), &next)).to_string(), @"
          ok       identity       arn:aws:iam::123456789012:user/me
          bad      permissions    ec2:CreateVpc is denied
                                  = next: rcm permissions --verb provision --partner acme
          warn     quota/vpcs     4 of 5 [2J
                                  = next: aws service-quotas  …
          unknown  quota/buckets  servicequotas:ListServiceQuotas: AccessDenied: no
        ");
        assert_eq!(summary(&found()), "1 bad, 1 warn, 1 unknown, 1 ok");
        assert_eq!(summary(&[]), "0 checks");
    }

    #[test]
    fn programs_read_the_worst_verdict_first() {
        let told = to_json(&found());
        assert_eq!((&told["verdict"], told["checks"].as_array().map(Vec::len)), (&json!("bad"), Some(4)));
        assert_eq!(to_json(&[])["verdict"], "ok");
    }
}
