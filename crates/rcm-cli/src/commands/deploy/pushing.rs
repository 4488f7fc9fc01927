//! A push as it happens: a bar for each layer on a terminal, a line for each elsewhere, JSON for programs.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use rcm::image::{Digest, Happening};

use crate::{
    args::Format,
    render::{deploy, json},
    terminal,
};

/// How a push is told.
pub(super) enum Pushing {
    Live(MultiProgress, Mutex<BTreeMap<Digest, ProgressBar>>),
    Lines,
    Json,
}

impl Pushing {
    pub(super) fn new(format: Format) -> Self {
        match format {
            Format::Json => Self::Json,
            Format::Human if terminal::is_watched() => {
                let screen = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(12));
                Self::Live(screen, Mutex::default())
            }
            Format::Human => Self::Lines,
        }
    }

    pub(super) fn tell(&self, happening: &Happening) {
        match self {
            // What cannot be written now cannot be written at the end either, and there it is an error.
            Self::Json => drop(json::layer(happening).map(|line| terminal::out(&line))),
            Self::Lines => {
                if let Some(line) = deploy::layer(happening) {
                    terminal::tell(&line);
                }
            }
            Self::Live(screen, bars) => {
                if let Happening::Sending { digest, sent, size } = happening {
                    let mut bars = bars.lock().unwrap_or_else(PoisonError::into_inner);
                    let bar = bars.entry(digest.clone()).or_insert_with(|| screen.add(bar(digest, *size)));
                    bar.set_position(*sent);
                    return;
                }
                if let Happening::Sent { digest, .. } = happening
                    && let Some(bar) = bars.lock().unwrap_or_else(PoisonError::into_inner).remove(digest)
                {
                    bar.finish_and_clear();
                }
                if let Some(line) = deploy::layer(happening) {
                    // A terminal that has gone away is no reason to stop.
                    let _ = screen.println(terminal::for_stderr(line.trim_end()));
                }
            }
        }
    }

    /// Takes the bars off the screen.
    pub(super) fn finish(&self) {
        if let Self::Live(_, bars) = self {
            let bars = std::mem::take(&mut *bars.lock().unwrap_or_else(PoisonError::into_inner));
            bars.into_values().for_each(|bar| bar.finish_and_clear());
        }
    }
}

fn bar(digest: &Digest, size: u64) -> ProgressBar {
    let bar = ProgressBar::new(size);
    // The template is a constant; if it were wrong, the plain default is shown.
    if let Ok(style) = ProgressStyle::with_template("  {prefix} {bar:30} {bytes}/{total_bytes} {bytes_per_sec}") {
        bar.set_style(style.progress_chars("━━─"));
    }
    bar.set_prefix(digest.short().to_owned());
    bar
}
