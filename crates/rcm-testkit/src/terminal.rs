//! A command on a terminal of its own, with somebody at the keyboard.

use std::ffi::OsStr;
use std::io::Write;
use std::process::{ChildStdin, Command, Stdio};
use std::time::Duration;

use crate::command::Running;
use crate::{Ran, poll};

const PATIENCE: Duration = Duration::from_secs(120);

/// A process whose input, output and errors are one terminal, 160 columns wide. It is killed when this is dropped.
pub struct Terminal {
    running: Running,
    keyboard: ChildStdin,
}

impl Terminal {
    /// Starts `command` by `script` of util-linux, which lends it the terminal.
    ///
    /// # Panics
    /// When it does not start.
    #[track_caller]
    #[must_use]
    pub fn start(command: &Command) -> Self {
        let words: Vec<String> = std::iter::once(command.get_program()).chain(command.get_args()).map(quoted).collect();
        let line = format!("stty cols 160 rows 50; exec {}", words.join(" "));
        let mut script = Command::new("script");
        script.args(["--quiet", "--return", "--flush", "--command", &line, "/dev/null"]);
        script.env_clear().env("SHELL", "/bin/sh").env("TERM", "xterm-256color");
        script.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        if let Some(dir) = command.get_current_dir() {
            script.current_dir(dir);
        }
        let mut running = Running::reading(Stdio::piped(), &mut script);
        let keyboard = running.stdin().unwrap_or_else(|| panic!("{line} has no keyboard"));
        Self { running, keyboard }
    }

    /// Waits until the terminal shows `text`.
    ///
    /// # Panics
    /// When it does not within two minutes, saying what it shows.
    #[track_caller]
    pub fn wait_until_it_shows(&self, text: &str) {
        let shown = poll(PATIENCE, || self.running.stdout().contains(text).then_some(()));
        assert!(shown.is_some(), "never showed {text:?}: {}", self.running.stdout());
    }

    /// Types a line and the key at its end.
    ///
    /// # Panics
    /// When nobody reads it any more.
    #[track_caller]
    pub fn type_line(&mut self, line: &str) {
        self.press(&format!("{line}\n"));
    }

    /// Types the key that ends the input.
    ///
    /// # Panics
    /// As [`type_line`](Self::type_line).
    #[track_caller]
    pub fn type_end(&mut self) {
        self.press("\u{4}");
    }

    #[track_caller]
    fn press(&mut self, keys: &str) {
        let typed = self.keyboard.write_all(keys.as_bytes()).and_then(|()| self.keyboard.flush());
        typed.unwrap_or_else(|error| panic!("{keys:?} cannot be typed: {error}: {}", self.running.stdout()));
    }

    /// Waits for its end. All that it has shown is its standard output, with the codes by which a terminal is drawn.
    ///
    /// # Panics
    /// When it has not ended after two minutes, saying what it shows.
    #[track_caller]
    #[must_use]
    pub fn finish(self) -> Ran {
        self.running.finish(PATIENCE)
    }
}

/// As a shell takes it.
fn quoted(word: &OsStr) -> String {
    format!("'{}'", word.to_string_lossy().replace('\'', "'\\''"))
}
