//! Log events, for people.

use anstream::adapter::strip_str;
use rcm::{LogQuery, aws::LogEvent};

use super::{DIM, paint};
use crate::session::Next;

/// A line for each; what has several lines goes on indented.
pub(crate) fn event(event: &LogEvent) -> String {
    let LogEvent { at, stream, message, .. } = event;
    let message = plain(message.trim_end()).replace('\n', "\n    ");
    format!("{} {} {message}\n", paint(DIM, &format!("{at:.3}")), paint(DIM, &plain(stream)))
}

/// Where there were none.
pub(crate) fn none(query: &LogQuery, name: &str, next: &Next) -> String {
    let (since, matching) = (query.since, query.pattern.as_ref().map(|_| " that matches").unwrap_or_default());
    let hint = next.command("logs --since 24h");
    paint(DIM, &format!("{name} has written nothing{matching} since {since:.0}; to look farther back: {hint}")) + "\n"
}

/// Without what would move the cursor, change colours or the title: whoever can write to the log is not to write to the terminal.
fn plain(text: &str) -> String {
    let is_kept = |c: char| !c.is_control() || c == '\n' || c == '\t';
    let text = strip_str(text).to_string().replace("\r\n", "\n");
    text.chars().map(|c| if is_kept(c) { c } else { '\u{fffd}' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_application_writes_does_not_move_the_cursor() {
        let shown = |message: &str| {
            let at = "2026-11-28T09:00:00.25Z".parse().unwrap();
            let event = LogEvent { at, stream: "api/api/1".into(), message: message.into(), id: "1".into() };
            strip_str(&super::event(&event)).to_string()
        };
        assert_eq!(shown("hello\n"), "2026-11-28T09:00:00.250Z api/api/1 hello\n");
        assert_eq!(shown("a\r\n\tb"), "2026-11-28T09:00:00.250Z api/api/1 a\n    \tb\n");
        assert_eq!(shown("\u{1b}[31mred\u{1b}[0m"), "2026-11-28T09:00:00.250Z api/api/1 red\n");
        for bad in ["\u{1b}]0;title\u{7}x", "a\rb", "a\u{9b}2Jb", "a\u{8}b"] {
            assert!(shown(bad).trim_end().chars().all(|c| !c.is_control()), "{bad:?}: {:?}", shown(bad));
        }
    }
}
