//! A run on a terminal: a line for each step under way, a bar for the whole, and what waits for what.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use rcm::engine::{
    model::{Address, Event, EventKind},
    plan::Plan,
};

use super::{
    DIM, doing, duration, paint,
    plain::{self, Detail, Seen},
};
use crate::terminal;

/// How often what runs is drawn.
const TICK: Duration = Duration::from_millis(120);

/// The live picture.
pub(crate) struct Progress {
    screen: MultiProgress,
    live: Mutex<Live>,
    seen: Seen,
}

#[derive(Default)]
struct Live {
    /// Steps under way.
    rows: BTreeMap<Address, ProgressBar>,
    /// The whole.
    total: Option<ProgressBar>,
    /// What cannot start yet, just below the whole.
    waiting: Option<ProgressBar>,
    /// What each step that has not started waits for.
    open: BTreeMap<Address, BTreeSet<Address>>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let screen = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(12));
        Self { screen, live: Mutex::default(), seen: Seen::default() }
    }

    /// The plan that is about to run.
    pub(crate) fn plan(&self, plan: &Plan) {
        let mut live = self.live();
        // A resource can have a step in either list; the later one comes after everything anyway.
        for step in plan.cleanup.iter().chain(&plan.forward) {
            live.open.insert(step.address.clone(), step.waits_for.keys().cloned().collect());
        }
    }

    pub(crate) fn event(&self, event: &Event) {
        if let Some(line) = plain::line(event, Detail::Lasting, &self.seen) {
            self.say(&line);
        }
        let mut live = self.live();
        match &event.address {
            None => self.run(&mut live, &event.kind),
            Some(address) => self.step(&mut live, address, &event.kind),
        }
    }

    /// A line above what moves.
    pub(crate) fn say(&self, line: &str) {
        // A terminal that has gone away is no reason to stop.
        let _ = self.screen.println(terminal::for_stderr(line));
    }

    /// Takes the live part off the screen.
    pub(crate) fn finish(&self) {
        let mut live = self.live();
        let bars = std::mem::take(&mut live.rows).into_values();
        bars.chain(live.total.take()).chain(live.waiting.take()).for_each(|bar| bar.finish_and_clear());
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, live: &mut Live, kind: &EventKind) {
        match kind {
            EventKind::RefreshStarted { resources } => {
                let bar = self.bar(live, "{spinner} {msg}  {took}", 0);
                bar.set_message(plain::reading(*resources));
                live.total = Some(bar);
            }
            EventKind::RefreshDone { .. } | EventKind::RunFinished { .. } => {
                live.total.iter().chain(&live.waiting).for_each(ProgressBar::finish_and_clear);
                (live.total, live.waiting) = (None, None);
            }
            EventKind::RunStarted { steps } | EventKind::RollbackStarted { steps } => {
                let rolling_back = matches!(kind, EventKind::RollbackStarted { .. });
                live.total.take().iter().for_each(ProgressBar::finish_and_clear);
                let bar = self.bar(live, "{bar:30} {pos}/{len} {msg}  {took}", *steps as u64);
                bar.set_message(if rolling_back { "undone" } else { "done" });
                live.total = Some(bar);
                if rolling_back {
                    live.open.clear();
                }
                self.show_waiting(live);
            }
            _ => {}
        }
    }

    fn step(&self, live: &mut Live, address: &Address, kind: &EventKind) {
        match kind {
            EventKind::StepStarted { action, .. } => {
                live.open.remove(address);
                self.row(live, address, doing(action));
            }
            EventKind::UndoStarted { undo } => self.row(live, address, plain::undoing(*undo)),
            EventKind::Progress { message } => live.say(address, message),
            EventKind::Awaiting { what, .. } => live.say(address, &format!("waiting for {what}")),
            EventKind::Retry { fault, .. } => live.say(address, &format!("trying again: {}", fault.code)),
            EventKind::StepDone { .. } | EventKind::UndoDone => {
                for needs in live.open.values_mut() {
                    needs.remove(address);
                }
                live.total.iter().for_each(|total| total.inc(1));
                live.end(address);
            }
            EventKind::StepFailed { .. } | EventKind::StepParked { .. } | EventKind::UndoFailed { .. } => {
                live.end(address);
            }
            _ => return,
        }
        self.show_waiting(live);
    }

    fn row(&self, live: &mut Live, address: &Address, doing: &str) {
        let bar = self.bar(live, "{spinner} {prefix:40}  {took:>6}  {wide_msg}", 0);
        bar.set_prefix(address.to_string());
        bar.set_message(doing.to_owned());
        live.rows.insert(address.clone(), bar);
    }

    /// A bar below the others. The total comes first: where there is not room for all, the last are not shown.
    fn bar(&self, live: &Live, template: &str, length: u64) -> ProgressBar {
        let bar = ProgressBar::new(length);
        // The templates are constants; if one were wrong, the plain default is shown.
        if let Ok(style) = ProgressStyle::with_template(template) {
            let took = |state: &ProgressState, text: &mut dyn fmt::Write| {
                // Writing to the bar's own buffer does not fail.
                let _ = text.write_str(&duration(state.elapsed()));
            };
            bar.set_style(style.with_key("took", took).tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ").progress_chars("━━─"));
        }
        let bar = if live.total.is_none() { self.screen.insert(0, bar) } else { self.screen.add(bar) };
        bar.enable_steady_tick(TICK);
        bar
    }

    fn show_waiting(&self, live: &mut Live) {
        let text = live.waiting_text();
        let Some(text) = text else {
            live.waiting.take().iter().for_each(ProgressBar::finish_and_clear);
            return;
        };
        if live.waiting.is_none() {
            let bar = match &live.total {
                Some(total) => self.screen.insert_after(total, ProgressBar::new(0)),
                None => self.screen.add(ProgressBar::new(0)),
            };
            if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
                bar.set_style(style);
            }
            live.waiting = Some(bar);
        }
        let text = terminal::for_stderr(&paint(DIM, &text));
        live.waiting.iter().for_each(|bar| bar.set_message(text.clone()));
    }
}

impl Live {
    fn say(&self, address: &Address, message: &str) {
        self.rows.get(address).into_iter().for_each(|row| row.set_message(message.to_owned()));
    }

    fn end(&mut self, address: &Address) {
        self.rows.remove(address).iter().for_each(ProgressBar::finish_and_clear);
    }

    /// `12 wait: compute/service for edge/listener, database/instance; …`, those nearest to starting first.
    fn waiting_text(&self) -> Option<String> {
        let mut waiting: Vec<(&Address, &BTreeSet<Address>)> =
            self.open.iter().filter(|(_, needs)| !needs.is_empty()).collect();
        waiting.sort_by_key(|(address, needs)| (needs.len(), (*address).clone()));
        let some = waiting.iter().take(4).map(|(address, needs)| {
            let needs: Vec<&str> = needs.iter().take(3).map(Address::as_str).collect();
            format!("{address} for {}", needs.join(", "))
        });
        let some: Vec<String> = some.collect();
        (!waiting.is_empty()).then(|| format!("{} waiting: {}", waiting.len(), some.join("; ")))
    }
}
