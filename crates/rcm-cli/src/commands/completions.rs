//! `rcm completions`: what a shell needs to complete command lines.

use clap::CommandFactory;

use crate::{
    args::{Cli, Completions},
    error::{CommandError, Exit},
    terminal,
};

pub(super) fn run(args: &Completions) -> Result<Exit, CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "rcm", &mut script);
    terminal::out(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
