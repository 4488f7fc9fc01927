//! How an environment stands, control by control: for people, and as one page for auditors.

use rcm::compliance::{Breach, Compliance, Finding, Judged, Verdict};

use super::{
    BLUE, BOLD, DIM, GREEN, RED, YELLOW, count,
    html::{self, escaped},
    paint,
    table::table,
};
use crate::session::Next;

/// The verdicts in the order of the report, each with its heading and what it means.
const PARTS: [(Verdict, &str, &str); 5] = [
    (Verdict::Fail, "Failed", "not as it is asked for"),
    (Verdict::Open, "Open", "nobody has shown it"),
    (Verdict::Deviates, "By design", "not as AWS's pack asks, and why"),
    (Verdict::Pass, "Passed", "as it is asked for"),
    (Verdict::NotApplicable, "Not applicable", "there is nothing that it is about"),
];

/// The report as text.
pub(crate) fn report(compliance: &Compliance) -> String {
    let at = &compliance.deployment;
    let mut text = format!(
        "Compliance of {}/{} (account {}, {}), by what AWS says is there\n",
        at.partner, at.environment, at.account, at.region
    );
    for (verdict, heading, meaning) in PARTS {
        let of: Vec<&Judged> = compliance.of(verdict).collect();
        if of.is_empty() {
            continue;
        }
        text.push_str(&format!("\n{} {}\n", paint(BOLD, heading), paint(DIM, &format!("({meaning})"))));
        match verdict {
            Verdict::Pass | Verdict::NotApplicable => text.push_str(&brief(&of)),
            Verdict::Fail | Verdict::Open | Verdict::Deviates => {
                of.iter().for_each(|judged| text.push_str(&whole(judged, verdict)));
            }
        }
    }
    text + &format!("\n{}\n", summary(compliance))
}

fn brief(of: &[&Judged]) -> String {
    let row = |judged: &&Judged| {
        let resources = judged.findings.iter().filter(|finding| finding.resource.is_some()).count();
        let resources = if resources == 0 { String::new() } else { count(resources, "resource") };
        [judged.control.id.to_owned(), resources, judged.control.title.to_owned()]
    };
    table("  ", &of.iter().map(row).collect::<Vec<_>>())
}

fn whole(judged: &Judged, verdict: Verdict) -> String {
    let style = match verdict {
        Verdict::Fail => RED,
        Verdict::Open => YELLOW,
        _ => BLUE,
    };
    let control = &judged.control;
    let mut text = format!("  {}  {}\n", paint(style, control.id), control.title);
    text.push_str(&format!("      {}\n", paint(DIM, &format!("45 CFR {}", control.cites.join(", ")))));
    for finding in judged.findings.iter().filter(|finding| finding.verdict == verdict) {
        text.push_str(&format!("      {}\n", evidence(finding)));
    }
    if let Some(accepted) = &judged.accepted {
        text.push_str(&format!("      accepted {} by {}: {}\n", day(accepted.at), accepted.user, accepted.reason));
    }
    text
}

fn evidence(finding: &Finding) -> String {
    match &finding.resource {
        Some(resource) => format!("{resource}: {}", finding.evidence),
        None => finding.evidence.clone(),
    }
}

fn day(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

fn summary(compliance: &Compliance) -> String {
    let parts = PARTS.iter().filter_map(|(verdict, heading, _)| {
        let number = compliance.count(*verdict);
        (number > 0).then(|| format!("{number} {}", heading.to_lowercase()))
    });
    let style = if compliance.count(Verdict::Fail) == 0 { GREEN } else { RED };
    paint(style, &format!("{}.", parts.collect::<Vec<_>>().join(", ")))
}

/// What a plan would break, as a section of the plan; nothing if it breaks nothing.
pub(crate) fn breaches(breaches: &[Breach]) -> String {
    if breaches.is_empty() {
        return String::new();
    }
    let lines: String = breaches.iter().map(|breach| format!("  {}\n", told(breach))).collect();
    format!("\n{}\n{lines}", paint(RED, "Not allowed in production"))
}

/// One breach in a line.
pub(crate) fn told(breach: &Breach) -> String {
    let place = breach.resource.as_ref().map(|resource| format!("{resource}: ")).unwrap_or_default();
    format!("{} ({}): {place}{}", breach.control, breach.cites.join(", "), breach.evidence)
}

/// What to type to accept them.
pub(crate) fn accepting(breaches: &[Breach], next: &Next) -> String {
    let mut controls: Vec<&str> = breaches.iter().map(|breach| breach.control).collect();
    controls.dedup();
    let flags: String = controls.iter().map(|control| format!(" --accept-risk {control}")).collect();
    format!("{}{flags} --reason TEXT", next.command("provision"))
}

/// The report as one page that needs nothing else.
pub(crate) fn html(compliance: &Compliance) -> String {
    let at = &compliance.deployment;
    let title = format!("Compliance of {}/{}", at.partner, at.environment);
    let mut body = format!(
        "<p>Account {}, {}, on {}, by what AWS says is there. {}</p>\n{}\n",
        escaped(&at.account),
        escaped(&at.region),
        compliance.at.strftime("%Y-%m-%d %H:%M UTC"),
        "A list of controls makes no environment compliant: what is open is for people to show.",
        bar(compliance),
    );
    for (verdict, heading, meaning) in PARTS {
        let of: Vec<&Judged> = compliance.of(verdict).collect();
        if of.is_empty() {
            continue;
        }
        body.push_str(&format!("<h2 class=\"{}\">{heading} <small>{meaning}</small></h2>\n", class(verdict)));
        body.push_str("<table><tr><th>Control<th>What is asked for<th>45 CFR<th>Evidence</tr>\n");
        of.iter().for_each(|judged| body.push_str(&row(judged)));
        body.push_str("</table>\n");
    }
    html::page(&title, STYLE, &body)
}

const STYLE: &str = "td:first-child{font-family:ui-monospace,monospace;font-size:13px;white-space:nowrap}\
    td ul{margin:0;padding-left:1.1rem}.fail{color:#b3261e}.open{color:#9a6700}.deviates{color:#0b57a4}.pass{color:#1a7f37}\
    .none{color:#607080}svg{width:100%;height:2.2rem}.accepted{color:#607080}";

fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Fail => "fail",
        Verdict::Open => "open",
        Verdict::Deviates => "deviates",
        Verdict::Pass => "pass",
        Verdict::NotApplicable => "none",
    }
}

/// How many controls ended how, as a bar.
fn bar(compliance: &Compliance) -> String {
    let (mut x, mut parts) = (0, String::new());
    for (verdict, heading, _) in PARTS {
        let number = compliance.count(verdict);
        if number > 0 {
            parts.push_str(&format!(
                "<rect class=\"{class}\" x=\"{x}\" width=\"{number}\" height=\"10\" fill=\"currentColor\"><title>{number} \
                 {heading}</title></rect>",
                class = class(verdict)
            ));
            x += number;
        }
    }
    let legend = PARTS.iter().filter(|(verdict, ..)| compliance.count(*verdict) > 0).map(|(verdict, heading, _)| {
        format!("<b class=\"{}\">{} {}</b>", class(*verdict), compliance.count(*verdict), heading.to_lowercase())
    });
    format!(
        "<svg viewBox=\"0 0 {x} 10\" preserveAspectRatio=\"none\" role=\"img\">{parts}</svg>\n<p>{}</p>",
        legend.collect::<Vec<_>>().join(" · ")
    )
}

fn row(judged: &Judged) -> String {
    let control = &judged.control;
    let findings: String =
        judged.findings.iter().map(|finding| format!("<li>{}</li>", escaped(&evidence(finding)))).collect();
    let accepted = judged.accepted.as_ref().map(|accepted| {
        let told = format!("accepted {} by {}: {}", day(accepted.at), accepted.user, accepted.reason);
        format!("<p class=\"accepted\">{}</p>", escaped(&told))
    });
    format!(
        "<tr><td class=\"{}\">{}<td>{}<td>{}<td><ul>{findings}</ul>{}</tr>\n",
        class(judged.verdict),
        control.id,
        escaped(control.title),
        control.cites.join(", "),
        accepted.unwrap_or_default()
    )
}
