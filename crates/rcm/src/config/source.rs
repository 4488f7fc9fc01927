//! A partner file's text, and how a piece of it is shown: the line, the column, and never a secret.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::error::{Location, Problem};
use super::settings;
use super::values::Refusal;

/// The text of a partner file, with the places in it that must never be shown.
pub(super) struct Source<'a> {
    file: PathBuf,
    text: &'a str,
    hidden: Vec<Range<usize>>,
    /// Whether the parser made no sense of it, so that the places of secrets are not known.
    broken: bool,
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
    pub(super) fn new(file: &Path, text: &'a str, broken: bool) -> Self {
        Source { file: file.to_owned(), text, hidden: Vec::new(), broken }
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Never show this part of the text.
    pub(super) fn hide(&mut self, span: Range<usize>) {
        self.hidden.push(span);
    }

    /// A problem with the text at `span`, or with the file as a whole.
    pub(super) fn problem(&self, span: Option<Range<usize>>, key: Option<&str>, refusal: Refusal) -> Problem {
        Problem {
            file: self.file.clone(),
            location: span.map(|span| self.locate(span)),
            key: key.map(str::to_owned),
            message: printable(&refusal.message),
            help: refusal.help.as_deref().map(printable),
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

    /// A line as it may be shown: secrets left out.
    fn shown(&self, start: usize, end: usize) -> String {
        let overlapping = self.hidden.iter().filter(|span| span.start < end && span.end > start);
        let known = overlapping.map(|span| span.start.max(start)).min();
        let guessed = if self.broken { self.possible_secret(start, end) } else { None };
        let shown = match known.into_iter().chain(guessed).min() {
            Some(from) => format!("{}{HIDDEN}", &self.text[start..from]),
            None => self.text[start..end].to_owned(),
        };
        printable(&shown)
    }

    /// Where in a line of a broken file a secret may begin: after its name, or at once where the lines above can be its beginning.
    fn possible_secret(&self, start: usize, end: usize) -> Option<usize> {
        if let Some(after_name) = end_of_secret_name(&self.text[start..end]) {
            return Some(start + after_name);
        }
        if begins_a_setting(&self.text[start..end]) {
            return None;
        }
        let mut above = self.text[..start].lines().rev();
        let owner = above.find(|line| begins_a_setting(line) || end_of_secret_name(line).is_some())?;
        end_of_secret_name(owner).map(|_| start)
    }
}

/// Whether a line surely is no continuation of the one above: a known setting, or a table's header.
fn begins_a_setting(line: &str) -> bool {
    let key = line.split('=').next().unwrap_or(line).trim();
    settings::find(key).is_some() || (key.starts_with("[environments.") && key.ends_with(']'))
}

/// Where a secret's name ends in a line, with what belongs to the name and the `=` after it.
fn end_of_secret_name(line: &str) -> Option<usize> {
    let line = line.to_ascii_lowercase().replace('-', "_");
    let word_end = SECRET_WORDS.iter().filter_map(|word| line.find(word).map(|at| at + word.len())).min()?;
    let rest = line[word_end..].trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
    let value = rest.trim_start_matches([' ', '\t', '=']);
    Some(line.len() - value.len())
}

/// The text with control characters made harmless to a terminal; each keeps its one column.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn floor_boundary(text: &str, index: usize) -> usize {
    (0..=index.min(text.len())).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, span: Range<usize>) -> (usize, usize, usize, String) {
        let location = Source::new(Path::new("p.toml"), text, false).locate(span);
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
