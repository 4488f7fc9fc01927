//! `rcm man`: manual pages, made of what `--help` says.

use std::{fs, io, path::Path};

use clap::CommandFactory;

use crate::{
    args::{Cli, Man},
    error::{CommandError, Exit},
    terminal,
};

pub(super) fn run(args: &Man) -> Result<Exit, CommandError> {
    match &args.out {
        Some(directory) => {
            let pages = written(directory).map_err(|error| {
                CommandError::new(Exit::Failed, format!("cannot write to {}: {error}", directory.display()))
            })?;
            terminal::out(&format!("{pages} pages in {}\n", directory.display()))?;
        }
        None => {
            let mut page = Vec::new();
            let rendered = clap_mangen::Man::new(Cli::command()).render(&mut page);
            rendered.map_err(|error| CommandError::new(Exit::Failed, format!("no page can be made: {error}")))?;
            terminal::out(&String::from_utf8_lossy(&page))?;
        }
    }
    Ok(Exit::Done)
}

fn written(directory: &Path) -> io::Result<usize> {
    fs::create_dir_all(directory)?;
    clap_mangen::generate_to(Cli::command(), directory)?;
    Ok(fs::read_dir(directory)?.filter(|entry| entry.as_ref().is_ok_and(is_page)).count())
}

fn is_page(entry: &fs::DirEntry) -> bool {
    entry.file_name().to_str().is_some_and(|name| name.starts_with("rcm") && name.ends_with(".1"))
}
