//! The two streams that people and programs read, and the one question that is asked.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    ops::ControlFlow,
};

use anstream::{AutoStream, ColorChoice, adapter::strip_str};
use tracing_subscriber::EnvFilter;

use crate::{
    args::Globals,
    error::{CommandError, Exit},
    render::{ERROR, paint},
};

/// Nothing that is printed has colours from now on.
pub(crate) fn without_color() {
    ColorChoice::Never.write_global();
}

/// Starts logging, as the options say.
pub(crate) fn set_up(globals: &Globals) {
    // Never more than this: at its lowest levels the SDK logs requests as they are sent, secrets and all.
    let filter = match globals.verbose {
        0 => return,
        1 => "warn,rcm=debug,rcm_aws=debug,rcm_engine=debug,rcm_sandbox=debug",
        _ => "info,rcm=trace,rcm_aws=trace,rcm_engine=trace,rcm_sandbox=trace",
    };
    let subscriber = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(filter)).with_writer(io::stderr);
    // It can only fail when there is a subscriber already, and there is none.
    let _ = subscriber.with_ansi(stderr_has_color()).try_init();
}

/// Whether a person sees what is written to stderr.
pub(crate) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// Whether there is a person to ask.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Whether what is written to stdout is drawn on a terminal.
pub(crate) fn shows_screens() -> bool {
    io::stdout().is_terminal()
}

/// Whether stderr takes colours.
pub(crate) fn stderr_has_color() -> bool {
    AutoStream::choice(&io::stderr()) != ColorChoice::Never
}

/// Writes to stdout, with colours where they are wanted. A reader that has gone away (`rcm … | head`) is no failure.
pub(crate) fn out(text: &str) -> Result<(), CommandError> {
    feed(text).map(|_| ())
}

/// The same, for what has no end by itself: breaks off once the reader has gone away.
pub(crate) fn feed(text: &str) -> Result<ControlFlow<()>, CommandError> {
    let mut stdout = anstream::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(error) => Err(CommandError::new(Exit::Failed, format!("cannot write to the standard output: {error}"))),
    }
}

/// Writes to stderr. Whoever closes stderr does not want to know.
pub(crate) fn tell(text: &str) {
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}

/// Writes an error to stderr.
pub(crate) fn error(text: &str) {
    tell(&format!("{}{text}\n", paint(ERROR, "error: ")));
}

/// Asks on the terminal and returns what was typed, without the line's end; `None` at the end of the input.
pub(crate) fn ask(question: &str) -> Option<String> {
    tell(question);
    let mut answer = String::new();
    match io::stdin().lock().read_line(&mut answer) {
        Ok(0) | Err(_) => {
            tell("\n");
            None
        }
        Ok(_) => Some(answer.trim().to_owned()),
    }
}

/// Asks on the terminal for what nobody is to see, and returns what was typed.
pub(crate) fn ask_hidden(question: &str) -> io::Result<String> {
    tell(question);
    console::Term::stderr().read_secure_line()
}

/// The text as stderr takes it.
pub(crate) fn for_stderr(text: &str) -> String {
    if stderr_has_color() { text.to_owned() } else { strip_str(text).to_string() }
}
