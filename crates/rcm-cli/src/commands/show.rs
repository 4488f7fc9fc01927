//! How commands that run for long tell what happens.

use std::sync::Arc;

use rcm::engine::{model::Event, plan::Plan};
use serde_json::Value;

use crate::{
    args::Format,
    render::{
        json,
        plain::{self, Lines},
        progress::Progress,
    },
    terminal,
};

/// Tells what has been under way for long, until the command ends.
pub(super) async fn keep_telling(show: Arc<Show>) {
    let mut minute = tokio::time::interval(plain::STILL);
    loop {
        minute.tick().await;
        if let Show::Lines(lines) = &*show
            && let Some(line) = lines.still()
        {
            terminal::tell(&format!("{line}\n"));
        }
    }
}

/// What happens, told in one of three ways.
pub(super) enum Show {
    /// Live, on a terminal.
    Live(Progress),
    /// As lines on stderr.
    Lines(Lines),
    /// As JSON lines on stdout.
    Json,
}

impl Show {
    pub(super) fn new(format: Format) -> Self {
        match format {
            Format::Json => Self::Json,
            Format::Human if terminal::is_watched() => Self::Live(Progress::new()),
            Format::Human => Self::Lines(Lines::default()),
        }
    }

    pub(super) fn event(&self, event: &Event) {
        match self {
            Self::Live(progress) => progress.event(event),
            Self::Lines(lines) => {
                if let Some(line) = lines.event(event) {
                    terminal::tell(&format!("{line}\n"));
                }
            }
            // What cannot be written now cannot be written at the end either, and there it is an error.
            Self::Json => drop(terminal::out(&json::event(event))),
        }
    }

    /// The plan, before it is approved. Programs get it as data; a person who is asked sees it all the same.
    pub(super) fn plan(&self, plan: &Plan, text: &str, monthly_cost: &Value, approved: bool) {
        match self {
            Self::Live(progress) => {
                progress.plan(plan);
                drop(terminal::out(text));
            }
            Self::Lines(_) => drop(terminal::out(text)),
            Self::Json => {
                drop(terminal::out(&json::plan(plan, monthly_cost)));
                if !approved && terminal::can_ask() {
                    terminal::tell(text);
                }
            }
        }
    }

    pub(super) fn say(&self, line: &str) {
        match self {
            Self::Live(progress) => progress.say(line),
            Self::Lines(_) | Self::Json => terminal::tell(&format!("{} {line}\n", plain::now())),
        }
    }

    pub(super) fn finish(&self) {
        if let Self::Live(progress) = self {
            progress.finish();
        }
    }
}
