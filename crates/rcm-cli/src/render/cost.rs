//! What an environment costs: for people, with bars, and as one page.

use rcm::{
    Error,
    cost::{Beside, Change, Cost, Line, Quantity, Service, Tiered, Usd},
};
use serde_json::{Value, json};

use super::{
    BLUE, BOLD, DIM, YELLOW, count,
    html::{self, escaped},
    paint,
    table::table,
};

/// How long the longest bar is, in characters.
const BAR: i64 = 30;

/// The report as text.
pub(crate) fn report(name: &str, cost: &Cost) -> String {
    let mut text = format!("{} {}\n", paint(BOLD, &format!("What {name} costs a month")), paint(DIM, &basis(cost)));
    let most = cost.services.iter().map(|service| service.monthly_usd.cents()).max().unwrap_or(1).max(1);
    for service in &cost.services {
        text.push_str(&format!("\n{}\n", heading(service, most)));
        text.push_str(&table("  ", &summed(cost, service).iter().map(row).collect::<Vec<_>>()));
    }
    text.push_str(&format!("\n{}\n", paint(BOLD, &format!("{:<20} {:>12}", "Total", cost.monthly_usd))));
    text.push_str(&missing(cost));
    text.push_str(&asked(cost));
    text + &assumed(cost)
}

fn basis(cost: &Cost) -> String {
    let prices = match &cost.live {
        Some(live) => format!("prices of {:.0} as AWS tells them, else of {}", live.at, cost.as_of),
        None => format!("prices of {}", cost.as_of),
    };
    format!("({}, on demand, {prices}; no taxes, no free tiers)", cost.region)
}

fn heading(service: &Service, most: i64) -> String {
    let cents = service.monthly_usd.cents();
    let bar = "█".repeat(usize::try_from((cents * BAR / most).max(1)).unwrap_or(1));
    let title = paint(BOLD, &format!("{:<20} {:>12}", service.name, service.monthly_usd));
    format!("{title}  {}", paint(BLUE, &bar))
}

/// The lines of a service, equal ones of several resources as one.
struct Summed<'c> {
    line: &'c Line,
    quantity: Quantity,
    monthly: Usd,
}

fn summed<'c>(cost: &'c Cost, service: &Service) -> Vec<Summed<'c>> {
    let mut all: Vec<Summed<'c>> = Vec::new();
    for line in cost.lines.iter().filter(|line| line.service == service.name) {
        let alike = |other: &&mut Summed<'_>| (other.line.what, other.line.assumption) == (line.what, line.assumption);
        match all.iter_mut().find(alike) {
            Some(other) => {
                other.quantity = other.quantity + line.quantity;
                other.monthly = other.monthly + line.monthly_usd;
            }
            None => all.push(Summed { line, quantity: line.quantity, monthly: line.monthly_usd }),
        }
    }
    all
}

fn row(summed: &Summed<'_>) -> [String; 5] {
    let Summed { line, quantity, monthly } = summed;
    [
        line.what.to_owned(),
        format!("{quantity} {}", line.unit),
        format!("at ${}{}", line.unit_usd.exact(), mark(line)),
        monthly.to_string(),
        line.assumption.map(|name| format!("by {name}")).unwrap_or_default(),
    ]
}

fn mark(line: &Line) -> &'static str {
    match (line.live, line.verified) {
        (true, _) => " live",
        (false, true) => "",
        (false, false) => " ?",
    }
}

/// What AWS says of the prices now: what differs from the table, and what it did not tell.
fn asked(cost: &Cost) -> String {
    let Some(live) = &cost.live else { return String::new() };
    let differs =
        live.prices.iter().filter_map(|now| Some((now, now.live_usd?))).filter(|(now, usd)| now.table_usd != *usd);
    let differs = differs.map(|(now, usd)| {
        [now.what.to_owned(), format!("${} → ${} per {}", now.table_usd.exact(), usd.exact(), now.unit)]
    });
    let kept = live.prices.iter().filter_map(|now| Some([now.what.to_owned(), now.why.clone()?]));
    let told = live.prices.iter().filter(|now| now.live_usd.is_some()).count();
    let part = |title: String, rows: Vec<[String; 2]>| match rows.is_empty() {
        true => String::new(),
        false => format!("\n{}\n{}", paint(BOLD, &title), table("  ", &rows)),
    };
    format!("live: a price as AWS's Price List tells it now; {} of {}\n", told, count(live.prices.len(), "price"))
        + &part(format!("Other than in the table of {}", cost.as_of), differs.collect())
        + &part("Of the table all the same".to_owned(), kept.collect())
}

/// What the sum lacks, and what is uncertain about it.
fn missing(cost: &Cost) -> String {
    let mut text = String::new();
    for unpriced in &cost.unpriced {
        let line = format!("not in it: {} ({}), of which rcm knows no price", unpriced.what, unpriced.address);
        text.push_str(&format!("{}\n", paint(YELLOW, &line)));
    }
    if cost.unverified() > 0 {
        text.push_str(&paint(DIM, "?: a price that was not compared with AWS's own list\n"));
    }
    text
}

fn assumed(cost: &Cost) -> String {
    let rows = cost.assumptions.iter().map(|assumption| {
        let set = if assumption.set { " (set)" } else { "" };
        [
            assumption.name.to_owned(),
            format!("{} {}{set}", assumption.value, assumption.unit),
            assumption.meaning.to_owned(),
        ]
    });
    format!(
        "\n{} {}\n{}",
        paint(BOLD, "Assumed"),
        paint(DIM, "(another number: --assume NAME=VALUE)"),
        table("  ", &rows.collect::<Vec<_>>())
    )
}

/// The tiers side by side, then why each line differs from the old tables.
pub(crate) fn tiers(name: &str, tiers: &[Tiered]) -> String {
    let Some(first) = tiers.first() else { return String::new() };
    let mut text = format!(
        "{} {}\n\n",
        paint(BOLD, &format!("What {name} would cost a month in each tier")),
        paint(DIM, &basis(&first.cost))
    );
    let mut rows = vec![[String::new(), head(tiers, 0), head(tiers, 1), head(tiers, 2)]];
    rows.extend(services(tiers).into_iter().map(|service| {
        let cell = |index| tiers.get(index).map(|tier| cell(tier, service)).unwrap_or_default();
        [service.to_owned(), cell(0), cell(1), cell(2)]
    }));
    text.push_str(&table("  ", &rows));
    text.push_str(&format!(
        "\nIn brackets what the cost tables of the Terraform setup say.\n\n{}\n",
        paint(BOLD, "Why they differ")
    ));
    let whys = services(tiers)
        .into_iter()
        .filter_map(|service| Some([service.to_owned(), found(tiers, service)?.why.to_owned()]));
    text.push_str(&table("  ", &whys.collect::<Vec<_>>()));
    tiers.iter().for_each(|tier| text.push_str(&missing_in(tier)));
    text
}

fn missing_in(tier: &Tiered) -> String {
    let line = |what: &str| {
        format!("{}\n", paint(YELLOW, &format!("not in {}: {what}, of which rcm knows no price", tier.tier)))
    };
    tier.cost.unpriced.iter().map(|unpriced| line(&unpriced.what)).collect()
}

fn head(tiers: &[Tiered], index: usize) -> String {
    tiers.get(index).map(|tier| tier.tier.to_owned()).unwrap_or_default()
}

/// Every service of any tier, in the order of the tables; the total is the last.
fn services(tiers: &[Tiered]) -> Vec<&'static str> {
    let mut all: Vec<&'static str> = Vec::new();
    for beside in tiers.iter().rev().flat_map(|tier| &tier.beside) {
        if !all.contains(&beside.service) {
            all.push(beside.service);
        }
    }
    all.sort_by_key(|service| *service == "Total");
    all
}

fn found<'t>(tiers: &'t [Tiered], service: &str) -> Option<&'t Beside> {
    tiers.iter().flat_map(|tier| &tier.beside).find(|beside| beside.service == service)
}

fn cell(tier: &Tiered, service: &str) -> String {
    let Some(beside) = tier.beside.iter().find(|beside| beside.service == service) else { return "-".to_owned() };
    match beside.table {
        None => beside.monthly_usd.to_string(),
        Some((least, most)) if least == most => format!("{} (${least})", beside.monthly_usd),
        Some((least, most)) => format!("{} (${least}-{most})", beside.monthly_usd),
    }
}

/// What a plan changes of the costs, in a line; nothing where it changes nothing.
pub(crate) fn of_plan(change: &Option<Result<Change, Error>>) -> String {
    match change {
        Some(Ok(change)) if change.difference_usd.cents() != 0 || change.incomplete => {
            let lacks = if change.incomplete { ", and what rcm knows no price of" } else { "" };
            format!("{} a month{lacks}\n", change.difference_usd.signed())
        }
        Some(Err(error)) => paint(DIM, &format!("What it costs is not known: {error}\n")),
        _ => String::new(),
    }
}

/// The same for programs; `null` where it is not known.
pub(crate) fn of_plan_json(change: Option<Result<Change, Error>>) -> Value {
    change.and_then(Result::ok).map_or(Value::Null, |change| json!(change))
}

const STYLE: &str = "td:nth-child(n+2){white-space:nowrap}.why td:nth-child(n+2){white-space:normal}.n{text-align:right}\
    .total td{font-weight:bold}small,.note{color:#607080}svg text{font:13px system-ui,sans-serif;fill:#1c2733}";

/// The report as one page that needs nothing else; with the tiers, if there are any.
pub(crate) fn html(name: &str, cost: &Cost, tiers: &[Tiered]) -> String {
    let mut body = format!("<p>{} a month {}</p>\n{}", cost.monthly_usd, escaped(&basis(cost)), chart(cost));
    body.push_str("<table><tr><th>Service<th>What<th class=\"n\">How much<th class=\"n\">Price of one<th class=\"n\">A month<th>Decided by</tr>\n");
    for service in &cost.services {
        summed(cost, service).iter().for_each(|summed| body.push_str(&html_row(service, summed)));
    }
    body.push_str(&format!(
        "<tr class=\"total\"><td>Total<td><td><td><td class=\"n\">{}<td></tr></table>\n",
        cost.monthly_usd
    ));
    for unpriced in &cost.unpriced {
        body.push_str(&format!("<p>Not in it: {}, of which no price is known</p>\n", escaped(&unpriced.what)));
    }
    if cost.unverified() > 0 {
        body.push_str("<p class=\"note\">?: a price that was not compared with AWS's own list</p>\n");
    }
    for now in cost.live.iter().flat_map(|live| &live.prices) {
        if let Some(why) = &now.why {
            body.push_str(&format!("<p class=\"note\">{}: the table's price, as {}</p>\n", now.what, escaped(why)));
        }
    }
    body.push_str("<h2>Assumed <small>what usage decides</small></h2>\n<table class=\"why\">");
    for assumption in &cost.assumptions {
        body.push_str(&format!(
            "<tr><td>{}<td>{} {}<td>{}</tr>\n",
            assumption.name,
            assumption.value,
            assumption.unit,
            escaped(assumption.meaning)
        ));
    }
    body.push_str("</table>\n");
    body.push_str(&html_tiers(tiers));
    html::page(&format!("What {name} costs a month"), STYLE, &body)
}

fn html_row(service: &Service, summed: &Summed<'_>) -> String {
    let [what, quantity, price, monthly, decided] = row(summed).map(|cell| escaped(&cell));
    format!(
        "<tr><td>{}<td><a href=\"{}\">{what}</a><td class=\"n\">{quantity}<td class=\"n\">{price}<td class=\"n\">{monthly}<td>{decided}</tr>\n",
        service.name,
        escaped(summed.line.source)
    )
}

fn html_tiers(tiers: &[Tiered]) -> String {
    if tiers.is_empty() {
        return String::new();
    }
    let heads: String = tiers.iter().map(|tier| format!("<th class=\"n\">{}", tier.tier)).collect();
    let mut body = format!(
        "<h2>In each tier <small>in brackets the Terraform setup's tables</small></h2>\n<table class=\"why\"><tr><th>Service{heads}<th>Why they differ</tr>\n"
    );
    for service in services(tiers) {
        let cells: String =
            tiers.iter().map(|tier| format!("<td class=\"n\">{}", escaped(&cell(tier, service)))).collect();
        let why = found(tiers, service).map_or("", |beside| beside.why);
        body.push_str(&format!("<tr><td>{service}{cells}<td>{}</tr>\n", escaped(why)));
    }
    body + "</table>\n"
}

/// A bar for each service.
fn chart(cost: &Cost) -> String {
    const ROW: usize = 24;
    const WIDEST: i64 = 560;
    let most = cost.services.iter().map(|service| service.monthly_usd.cents()).max().unwrap_or(1).max(1);
    let bar = |(index, service): (usize, &Service)| {
        let (y, width) = (index * ROW, (service.monthly_usd.cents() * WIDEST / most).max(1));
        format!(
            "<text x=\"0\" y=\"{text}\">{name}</text><rect x=\"160\" y=\"{bar}\" width=\"{width}\" height=\"16\" \
             fill=\"#0b57a4\"/><text x=\"{end}\" y=\"{text}\">{amount}</text>\n",
            text = y + 17,
            bar = y + 4,
            name = service.name,
            end = 166 + width,
            amount = service.monthly_usd,
        )
    };
    let bars: String = cost.services.iter().enumerate().map(bar).collect();
    let height = cost.services.len() * ROW;
    format!(
        "<svg viewBox=\"0 0 800 {height}\" width=\"800\" role=\"img\" aria-label=\"{} by month\">\n{bars}</svg>\n",
        count(cost.services.len(), "service")
    )
}
