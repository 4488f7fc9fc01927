//! From plans, events and reports to text. Nothing here writes: every function returns a string, with colours in it that the
//! terminal's writer takes out where they are not wanted.

pub(crate) mod checks;
pub(crate) mod compliance;
pub(crate) mod cost;
pub(crate) mod deploy;
pub(crate) mod dns;
pub(crate) mod drift;
pub(crate) mod graph;
pub(crate) mod history;
pub(crate) mod html;
pub(crate) mod json;
pub(crate) mod logs;
pub(crate) mod outputs;
pub(crate) mod plain;
pub(crate) mod plan;
pub(crate) mod progress;
pub(crate) mod report;
pub(crate) mod rollback;
pub(crate) mod status;
pub(crate) mod svg;
pub(crate) mod table;
pub(crate) mod value;

use std::time::Duration;

use anstyle::{AnsiColor, Style};

/// What is created, and what went well.
pub(crate) const GREEN: Style = AnsiColor::Green.on_default();
/// What is changed in place, and what waits.
pub(crate) const YELLOW: Style = AnsiColor::Yellow.on_default();
/// What goes, and what failed.
pub(crate) const RED: Style = AnsiColor::Red.on_default();
/// What is kept or taken up again.
pub(crate) const BLUE: Style = AnsiColor::Blue.on_default();
/// Headings.
pub(crate) const BOLD: Style = Style::new().bold();
/// What need not be read.
pub(crate) const DIM: Style = Style::new().dimmed();
/// The word `error`.
pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();

/// The text in a style.
pub(crate) fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// `0.4s`, `12s`, `4m05s`, `1h02m`.
pub(crate) fn duration(duration: Duration) -> String {
    let tenths = duration.as_millis() / 100;
    let seconds = duration.as_secs();
    match (tenths, seconds) {
        (..100, _) => format!("{}.{}s", tenths / 10, tenths % 10),
        (_, ..60) => format!("{seconds}s"),
        (_, ..3600) => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// `1 resource`, `2 resources`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// The layers of the blueprint, in the order in which they stand on each other; others come after these.
const LAYERS: [&str; 10] =
    ["security", "network", "identity", "secrets", "storage", "database", "edge", "compute", "watching", "baseline"];

/// What layers are sorted by.
pub(crate) fn layer_rank(layer: &str) -> (usize, &str) {
    (LAYERS.iter().position(|known| *known == layer).unwrap_or(LAYERS.len()), layer)
}

/// An address without its layer.
pub(crate) fn tail(address: &str) -> &str {
    address.split_once('/').map_or(address, |(_, tail)| tail)
}

/// What is being done by an action of the plan.
pub(crate) fn doing(action: &str) -> &'static str {
    match action {
        "create" => "creating",
        "adopt" => "adopting",
        "complete" => "completing",
        "update" => "updating",
        "replace" => "replacing",
        "delete" => "deleting",
        "retain" => "keeping",
        _ => "working",
    }
}

/// What has been done by an action of the plan.
pub(crate) fn done(action: &str) -> &'static str {
    match action {
        "create" => "created",
        "adopt" => "adopted",
        "complete" => "completed",
        "update" => "updated",
        "replace" => "replaced",
        "delete" => "deleted",
        "retain" => "kept",
        "leave" => "left to the account",
        _ => "done",
    }
}

/// The colour of an action of the plan.
pub(crate) fn action_style(action: &str) -> Style {
    match action {
        "create" | "complete" => GREEN,
        "update" | "replace" => YELLOW,
        "delete" => RED,
        _ => BLUE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_as_precise_as_they_are_short() {
        let shown = |millis| duration(Duration::from_millis(millis));
        assert_eq!(shown(0), "0.0s");
        assert_eq!(shown(449), "0.4s");
        assert_eq!(shown(9_960), "9.9s");
        assert_eq!(shown(59_960), "59s");
        assert_eq!(shown(61_000), "1m01s");
        assert_eq!(shown(3_725_000), "1h02m");
    }
}
