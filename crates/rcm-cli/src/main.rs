//! The `rcm` command: the only place where rcm reads the environment, asks and prints.
//!
//! `args` says what can be typed; `commands` has one file a verb; `render` turns plans, events and reports into text; `error`
//! has the exit codes. `session` opens an environment the way the options say; `telemetry` makes traces of what happens in it.

mod args;
mod commands;
mod error;
mod render;
mod session;
mod signals;
mod telemetry;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // Help and mistakes are printed while the arguments are read.
    if std::env::args_os().any(|argument| argument == "--no-color") {
        terminal::without_color();
    }
    let cli = args::Cli::parse();
    terminal::set_up(&cli.globals);
    let exit = commands::run(&cli).unwrap_or_else(|error| {
        terminal::error(&error.to_string());
        error.exit
    });
    ExitCode::from(exit.code())
}
