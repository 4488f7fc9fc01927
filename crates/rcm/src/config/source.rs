//! A partner file's text, and how a piece of it is shown: the line, the column, and never a secret.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::error::{Location, Problem};

/// The text of a partner file, with the places in it that must never be shown.
pub(super) struct Source<'a> {
    file: PathBuf,
    text: &'a str,
    hidden: Vec<Range<usize>>,
}

/// What a hidden value is shown as.
const HIDDEN: &str = "(not shown)";

/// Key fragments that mean the value is nobody's business. Wider than need be: hiding too much costs nothing.
const SECRET_WORDS: &[&str] =
    &["password", "passwd", "secret", "token", "credential", "private_key", "access_key", "api_key", "database_url"];

/// Whether a key's name says that its value is a secret.
pub(super) fn names_a_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace('-', "_");
    SECRET_WORDS.iter().any(|word| key.contains(word))
}

impl<'a> Source<'a> {
    pub(super) fn new(file: &Path, text: &'a str) -> Self {
        Source { file: file.to_owned(), text, hidden: Vec::new() }
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Never show this part of the text.
    pub(super) fn hide(&mut self, span: Range<usize>) {
        self.hidden.push(span);
    }

    /// A problem with the text at `span`, or with the file as a whole.
    pub(super) fn problem(&self, span: Option<Range<usize>>, key: Option<&str>, message: String) -> Problem {
        Problem {
            file: self.file.clone(),
            location: span.map(|span| self.locate(span)),
            key: key.map(str::to_owned),
            message,
            help: None,
        }
    }

    fn locate(&self, span: Range<usize>) -> Location {
        let start = floor_boundary(self.text, span.start);
        let line_start = self.text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let rest = &self.text[line_start..];
        let line_text = rest.split('\n').next().unwrap_or(rest).trim_end();
        let line_end = line_start + line_text.len();

        let start = start.min(line_end);
        let end = floor_boundary(self.text, span.end.clamp(start, line_end));
        let source = self.shown(line_start, line_end);
        let column = self.text[line_start..start].chars().count() + 1;
        // A hidden value is shorter or longer on screen than in the file: the caret stays under what is shown.
        let shown_after = source.chars().count().saturating_sub(column - 1).max(1);
        let width = self.text[start..end].chars().count().clamp(1, shown_after);
        Location { line: self.text[..start].matches('\n').count() + 1, column, width, source }
    }

    /// A line as it may be shown: secrets left out, control characters made harmless (a tab keeps its one column).
    fn shown(&self, start: usize, end: usize) -> String {
        let line = &self.text[start..end];
        let shown =
            match self.hidden.iter().filter(|span| span.start < end && span.end > start).map(|span| span.start).min() {
                Some(from) => format!("{}{HIDDEN}", &self.text[start..from.max(start)]),
                None => hide_assigned_secret(line),
            };
        shown.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
    }
}

/// A line that the parser could not make sense of can still hold a secret: nothing after its `=` is shown.
fn hide_assigned_secret(line: &str) -> String {
    let mut from = 0;
    for (at, _) in line.match_indices('=') {
        if names_a_secret(&line[from..at]) {
            return format!("{}= {HIDDEN}", &line[..at]);
        }
        from = at + 1;
    }
    line.to_owned()
}

fn floor_boundary(text: &str, index: usize) -> usize {
    (0..=index.min(text.len())).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, span: Range<usize>) -> (usize, usize, usize, String) {
        let location = Source::new(Path::new("p.toml"), text).locate(span);
        (location.line, location.column, location.width, location.source)
    }

    #[test]
    fn columns_are_counted_in_characters() {
        let text = "a = 1\r\nbrand = \"Zoë\" x\r\n";
        let x = text.find('x').unwrap();
        assert_eq!(at(text, x..x + 1), (2, 15, 1, "brand = \"Zoë\" x".to_owned()));
    }

    #[test]
    fn a_span_over_several_lines_marks_the_first() {
        assert_eq!(at("a = [1,\n2]\n", 4..10), (1, 5, 3, "a = [1,".to_owned()));
    }

    #[test]
    fn the_end_of_the_file_is_a_place_too() {
        assert_eq!(at("a =", 3..3), (1, 4, 1, "a =".to_owned()));
        assert_eq!(at("", 0..0), (1, 1, 1, String::new()));
    }
}
