//! Whether the log is as it was written.

use std::ops::Range;

use rcm_engine::store::State;
use serde::Serialize;

use super::{
    AuditError, Began, Entry,
    log::{AuditLog, NOTHING, follows, read},
    writer::gap,
};

/// What a look at the whole log has shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// How many lines there are.
    pub lines: usize,
    /// How many runs have begun.
    pub runs: usize,
    /// The hash of the last line. Kept elsewhere, it shows later whether this line is still there.
    pub head: String,
    /// What is wrong; nothing if the log is as it was written.
    pub problems: Vec<Problem>,
    /// The run that has no end: it is under way, or its process died.
    pub open: Option<String>,
    /// How many bytes a line has that was never finished.
    pub torn_bytes: u64,
}

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The line where it shows, from 1; `None` where it is the end.
    pub line: Option<usize>,
    /// What shows it.
    pub what: String,
}

impl AuditLog {
    /// Checks every line, the head, and that no run is missing that has made a state.
    pub(crate) fn verify(&self, state: Option<&State>) -> Result<Verified, AuditError> {
        // First: a run that is under way may add lines meanwhile.
        let head = self.head()?;
        let text = self.text()?;
        let mut found = Verified {
            lines: 0,
            runs: 0,
            head: NOTHING.to_owned(),
            problems: Vec::new(),
            open: None,
            torn_bytes: text.torn(),
        };
        let mut last: Option<Began> = None;
        for (at, text) in text.lines().enumerate() {
            found.lines += 1;
            let line = match read(text) {
                Ok(line) => line,
                Err(why) => {
                    found.problem(at, why);
                    found.head = serde_json::from_slice::<super::Line>(text).map(|line| line.hash).unwrap_or_default();
                    continue;
                }
            };
            if let Err(why) = follows(&line, &found.head) {
                found.problem(at, why);
            }
            found.head = line.hash;
            found.entry(at, line.entry, &mut last);
        }
        if let Some(why) = gap(&text, head.as_ref()) {
            found.problems.push(Problem { line: None, what: format!("it {why}") });
        }
        let missing = state.zip(last.as_ref()).and_then(|(state, last)| missing(last, state.lineage, state.serial));
        if let Some(missing) = missing {
            found.problems.push(Problem { line: None, what: untold(&missing) });
        }
        Ok(found)
    }
}

impl Verified {
    fn problem(&mut self, at: usize, what: String) {
        self.problems.push(Problem { line: Some(at + 1), what });
    }

    fn entry(&mut self, at: usize, entry: Entry, last: &mut Option<Began>) {
        match entry {
            Entry::RunBegan(began) => {
                self.runs += 1;
                let next = began.lineage.zip(began.serial);
                let missing =
                    last.as_ref().zip(next).and_then(|(last, (lineage, serial))| missing(last, lineage, serial));
                if let Some(missing) = missing {
                    self.problem(at, untold(&missing));
                }
                self.open = Some(began.run.clone());
                *last = Some(began);
            }
            Entry::RunEnded(_) => self.open = None,
            Entry::Gap(gap) => self.problem(at, format!("found at {:.0}: it {}", gap.at, gap.why)),
            Entry::AcceptedRisk(_) | Entry::Call(_) | Entry::SessionOpened(_) | Entry::Mended(_) | Entry::Unknown => {}
        }
    }
}

/// The states that runs after `last` must have made for there to be this one.
fn missing(last: &Began, lineage: uuid::Uuid, serial: u64) -> Option<Range<u64>> {
    let begun = last.serial.filter(|_| last.lineage == Some(lineage))?;
    (serial > begun + 1).then(|| begun + 2..serial + 1)
}

fn untold(states: &Range<u64>) -> String {
    let (first, last) = (states.start, states.end - 1);
    let which = if first == last { format!("state {first} was") } else { format!("states {first} to {last} were") };
    format!("{which} made by runs that have no lines")
}
