//! What can be wrong with a partner file, said so that the reader can mend it without looking anything up.

use std::fmt;
use std::path::PathBuf;

/// Why a partner's configuration could not be had. `Display` is plain text of one or more lines.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The partner's name is not one that can safely be a file name.
    #[error(
        "`{}` cannot be a partner's name\n  = help: use lowercase letters, digits and hyphens, beginning with a letter or digit, at most 40 characters: partners/NAME.toml",
        name.escape_debug()
    )]
    PartnerName {
        /// The name as it was asked for.
        name: String,
    },
    /// There is no folder with partner files.
    #[error(
        "there is no directory `{}`, where the partner files are looked for\n  = help: run rcm where it is, or name it with --partners-dir DIR or RCM_PARTNERS_DIR=DIR",
        path.display()
    )]
    NoDirectory {
        /// The folder that was looked for.
        path: PathBuf,
    },
    /// There is no file for this partner.
    #[error("there is no partner `{name}`: {} does not exist{}", path.display(), Choices { what: "partner", names: partners, nearest: nearest.as_deref() })]
    NotFound {
        /// The name as it was asked for.
        name: String,
        /// The file that was looked for.
        path: PathBuf,
        /// The partners that do exist in the folder, sorted.
        partners: Vec<String>,
        /// The one of them that was probably meant.
        nearest: Option<String>,
    },
    /// The file is there but cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said (or that it is not UTF-8).
        source: std::io::Error,
    },
    /// The file describes several environments, and none was chosen.
    #[error("{} describes several environments: {}\n  = help: choose one with --env, for example --env {}", file.display(), environments.join(", "), environments.first().map_or("prod", String::as_str))]
    EnvironmentNeeded {
        /// The partner file.
        file: PathBuf,
        /// The environments it describes, sorted.
        environments: Vec<String>,
    },
    /// The file does not describe the environment that was asked for.
    #[error("{} has no environment `{asked}`{}", file.display(), Choices { what: "environment", names: environments, nearest: nearest.as_deref() })]
    UnknownEnvironment {
        /// The partner file.
        file: PathBuf,
        /// The environment that was asked for.
        asked: String,
        /// The environments it describes, sorted.
        environments: Vec<String>,
        /// The one of them that was probably meant.
        nearest: Option<String>,
    },
    /// The file has mistakes: all of them, in the order of the file.
    #[error("{}", Report { file, problems })]
    Invalid {
        /// The partner file.
        file: PathBuf,
        /// At least one.
        problems: Vec<Problem>,
    },
}

/// One mistake in a partner file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The partner file.
    pub file: PathBuf,
    /// Where in the file; `None` for what is missing from it.
    pub location: Option<Location>,
    /// The setting that is at fault, where it is one.
    pub key: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What is allowed, or what to write instead.
    pub help: Option<String>,
}

/// A place in a partner file, with the line it is on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Location {
    /// Line number, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// How many characters are at fault, at least 1.
    pub width: usize,
    /// The line as it stands in the file, but with anything that looks like a secret left out.
    pub source: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.message)?;
        let gutter = self.location.as_ref().map_or(1, |at| at.line.to_string().len());
        match &self.location {
            None => write!(f, "{:gutter$}--> {}", "", self.file.display())?,
            Some(at) => {
                writeln!(f, "{:gutter$}--> {}:{}:{}", "", self.file.display(), at.line, at.column)?;
                writeln!(f, "{:gutter$} |", "")?;
                writeln!(f, "{} | {}", at.line, at.source)?;
                write!(f, "{:gutter$} | {:indent$}{:^<width$}", "", "", "", indent = at.column - 1, width = at.width)?;
            }
        }
        match &self.help {
            Some(help) => write!(f, "\n{:gutter$} = help: {help}", ""),
            None => Ok(()),
        }
    }
}

/// All problems of a file, below a line that counts them.
struct Report<'a> {
    file: &'a PathBuf,
    problems: &'a [Problem],
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, plural) = (self.problems.len(), if self.problems.len() == 1 { "" } else { "s" });
        write!(f, "{} has {count} problem{plural}", self.file.display())?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n\n{problem}"))
    }
}

/// The help below a name that does not exist: which one was probably meant, and which there are.
struct Choices<'a> {
    what: &'a str,
    names: &'a [String],
    nearest: Option<&'a str>,
}

impl fmt::Display for Choices<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(nearest) = self.nearest {
            write!(f, "\n  = help: did you mean `{nearest}`?")?;
        }
        match self.names {
            [] => write!(f, "\n  = note: there is no {} yet", self.what),
            [only] => write!(f, "\n  = note: the only {} is {only}", self.what),
            names => write!(f, "\n  = note: the {}s are {}", self.what, names.join(", ")),
        }
    }
}
