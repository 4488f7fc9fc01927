//! The project's own tasks. `cargo xtask test` is the one definition of "works": what CI runs is what a developer runs.
#![expect(clippy::print_stdout, reason = "a task runner talks to the terminal")]

mod actionlint;
mod phase;
mod registry;
mod tools;
mod venv;

use std::process::ExitCode;

use clap::Parser;

/// Tasks of the project.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {
    /// Checks everything: format, lints, docs, every test, and the end-to-end tests against moto. Sets up what it needs.
    Test(Selection),
}

/// Which of the phases to run; all of them, when nothing is said.
#[derive(clap::Args)]
struct Selection {
    /// Run only these phases.
    #[arg(long, value_name = "PHASE", value_parser = phase::names())]
    only: Vec<String>,
    /// Leave these phases out. The summary says so.
    #[arg(long, value_name = "PHASE", value_parser = phase::names(), conflicts_with = "only")]
    skip: Vec<String>,
    /// Show the phases and their commands, run nothing.
    #[arg(long)]
    list: bool,
}

impl Selection {
    fn includes(&self, phase: &phase::Phase) -> bool {
        let named = |list: &[String]| list.iter().any(|name| name == phase.name);
        if self.only.is_empty() { !named(&self.skip) } else { named(&self.only) }
    }
}

fn main() -> ExitCode {
    let Task::Test(selection) = Task::parse();
    if selection.list {
        for phase in phase::PHASES {
            println!("{:<8} {}\n{:<8} {}", phase.name, phase.about, "", phase.command_line());
        }
        return ExitCode::SUCCESS;
    }
    phase::run(|phase| selection.includes(phase))
}
