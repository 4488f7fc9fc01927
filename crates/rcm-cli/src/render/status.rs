//! How an environment is, for people.

use anstyle::Style;
use rcm::{Part, Status, Verdict};

use super::{BOLD, DIM, GREEN, RED, YELLOW, paint};
use crate::session::Next;

/// A line for each part, and below those that are not well what to do.
pub(crate) fn status(status: &Status, name: &str, next: &Next) -> String {
    let mut text = format!("{}\n", paint(BOLD, &format!("{name} at {:.0}", status.at)));
    let width = status.parts.iter().map(|part| part.part.len()).max().unwrap_or(0);
    for Part { part, verdict, evidence, next: verb } in &status.parts {
        let (word, style) = word(*verdict);
        text.push_str(&format!("  {}  {part:width$}  {}\n", paint(style, &format!("{word:7}")), plain(evidence)));
        if let Some(verb) = verb {
            text.push_str(&format!("           {:width$}  = next: {}\n", "", next.command(verb)));
        }
    }
    if status.verdict == Verdict::Bad {
        text.push_str(&format!("Why: {}\n", next.command("doctor")));
    }
    text
}

/// The same on a screen that is wiped first.
pub(crate) fn screen(found: &Status, name: &str, next: &Next) -> String {
    let foot = paint(DIM, "again every 5s, until Ctrl-C");
    format!("\u{1b}[H\u{1b}[2J{}{foot}\n", status(found, name, next))
}

/// A verdict as it is shown.
pub(crate) fn word(verdict: Verdict) -> (&'static str, Style) {
    match verdict {
        Verdict::Ok => ("ok", GREEN),
        Verdict::Warn => ("warn", YELLOW),
        Verdict::Unknown => ("unknown", YELLOW),
        Verdict::Bad => ("bad", RED),
    }
}

/// On one line, whatever AWS says.
pub(crate) fn plain(evidence: &str) -> String {
    evidence.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::Cli;

    #[test]
    fn what_is_not_well_says_what_to_type() {
        let part = |part, verdict, evidence: &str, next: Option<&str>| Part {
            part,
            verdict,
            evidence: evidence.into(),
            next: next.map(str::to_owned),
        };
        let parts = vec![
            part("service", Verdict::Bad, "0 of 2 tasks run", Some("logs --since 1h")),
            part("load-balancer", Verdict::Ok, "active", None),
            part("key", Verdict::Unknown, "kms:DescribeKey: AccessDenied: no\u{1b}[2J", None),
        ];
        let at = "2026-11-28T12:00:00Z".parse().unwrap();
        let found = Status { at, verdict: Verdict::Bad, holder: None, last_run: None, parts };
        let next = Next::of(&Cli::parse_from(["rcm", "status", "--partner", "acme"]).globals);
        insta::assert_snapshot!(anstream::adapter::strip_str(&status(&found, "acme/prod", &next)).to_string(), @"
        acme/prod at 2026-11-28T12:00:00Z
          bad      service        0 of 2 tasks run
                                  = next: rcm logs --since 1h --partner acme
          ok       load-balancer  active
          unknown  key            kms:DescribeKey: AccessDenied: no [2J
        Why: rcm doctor --partner acme
        ");
    }
}
