//! The phases of `cargo xtask test`, as a table, and the loop over it.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use clap::builder::PossibleValuesParser;

use crate::{actionlint, registry, venv};

/// One cargo command, and what it needs beforehand.
pub(crate) struct Phase {
    /// What `--only` and `--skip` call it.
    pub(crate) name: &'static str,
    /// What is true once it has passed.
    pub(crate) about: &'static str,
    set_up: fn() -> Result<(), String>,
    /// Its tests wait for disks, processes and deadlines more than they compute: twice as many of them run at once as there are cores.
    waits: bool,
    env: &'static [(&'static str, &'static str)],
    cargo: &'static [&'static str],
}

/// In the order of what fails most cheaply.
///
/// Wherever it is possible a phase selects the whole workspace: cargo unifies the features of shared dependencies over the
/// packages selected, so that `-p` compiles every AWS SDK anew with other features.
pub(crate) const PHASES: &[Phase] = &[
    Phase {
        name: "format",
        about: "the code is formatted",
        set_up: nothing,
        waits: false,
        env: &[],
        cargo: &["fmt", "--all", "--check"],
    },
    Phase {
        name: "lint",
        about: "clippy has nothing to say, and Cargo.lock is up to date",
        set_up: nothing,
        waits: false,
        env: &[],
        cargo: &["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"],
    },
    Phase {
        name: "docs",
        about: "the documentation builds without a warning",
        set_up: nothing,
        waits: false,
        env: &[("RUSTDOCFLAGS", "-D warnings")],
        cargo: &["doc", "--workspace", "--no-deps", "--lib"],
    },
    Phase {
        name: "test",
        about: "unit, integration and documentation tests pass",
        set_up: nothing,
        waits: true,
        env: &[],
        cargo: &[
            "test",
            "--workspace",
            "--no-fail-fast",
            "--",
            "--skip",
            "moto::",
            "--skip",
            "registry::",
            "--skip",
            "reliability::",
            "--skip",
            "workflow::",
        ],
    },
    Phase {
        name: "reliability",
        about: "the whole stack, killed and failed at every call, ends as if nothing had happened",
        set_up: nothing,
        waits: false,
        env: &[],
        // What is printed is how many points were tried.
        cargo: &["test", "--workspace", "--test", "e2e", "--no-fail-fast", "--", "reliability::", "--nocapture"],
    },
    Phase {
        name: "e2e",
        about: "the rcm command does what it says, over HTTP, against moto, and pushes to a registry; the example of a workflow is one",
        set_up: what_others_made,
        waits: true,
        env: &[],
        cargo: &["test", "--workspace", "--test", "e2e", "--no-fail-fast", "--", "moto::", "registry::", "workflow::"],
    },
    Phase {
        name: "package",
        about: "the library's crates make packages; that these compile alone is not tried, which would take every AWS SDK once more",
        set_up: nothing,
        waits: false,
        env: &[],
        // All in one, since none is in a registry where the next could find it.
        cargo: &[
            "package",
            "--no-verify",
            "--allow-dirty",
            "-p",
            "rcm-engine",
            "-p",
            "rcm-aws",
            "-p",
            "rcm-sandbox",
            "-p",
            "rcm",
        ],
    },
    Phase {
        name: "lean",
        about: "the command compiles without the sandbox",
        set_up: nothing,
        waits: false,
        env: &[],
        cargo: &["check", "--workspace", "--bins", "--no-default-features"],
    },
];

/// How many tests run at once: what libtest asks for first.
const THREADS: &str = "RUST_TEST_THREADS";

fn nothing() -> Result<(), String> {
    Ok(())
}

fn what_others_made() -> Result<(), String> {
    registry::ensure()?;
    venv::ensure()?;
    actionlint::ensure()
}

impl Phase {
    /// The command as one types it.
    pub(crate) fn command_line(&self) -> String {
        let env = self.env.iter().map(|(name, value)| format!("{name}='{value}' ")).collect::<String>();
        format!("{env}cargo {}", self.cargo.join(" "))
    }

    fn run(&self) -> Result<(), String> {
        (self.set_up)()?;
        let mut command = cargo();
        if self.waits && std::env::var_os(THREADS).is_none() {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            command.env(THREADS, (2 * cores).to_string());
        }
        let status = command
            .args(self.cargo)
            .envs(self.env.iter().copied())
            .current_dir(root())
            .status()
            .map_err(|error| format!("cargo does not start: {error}"))?;
        if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", self.command_line())) }
    }
}

/// The names that `--only` and `--skip` accept.
pub(crate) fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(PHASES.iter().map(|phase| phase.name))
}

/// The cargo that runs this task.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The root of the workspace that cargo runs this task for, which need not be the one that it was compiled in.
pub(crate) fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(PathBuf::new, PathBuf::from);
    package.ancestors().nth(2).unwrap_or(Path::new(".")).to_path_buf()
}

/// Runs the phases that are included until one fails, and sums up what ran, what did not and how long it took.
pub(crate) fn run(included: impl Fn(&Phase) -> bool) -> ExitCode {
    let begun = Instant::now();
    let mut summary = Vec::new();
    let mut failed = None;
    for phase in PHASES {
        if failed.is_some() || !included(phase) {
            summary.push(format!("{:<8} not run", phase.name));
            continue;
        }
        println!("\n=== {}: {}", phase.name, phase.command_line());
        let start = Instant::now();
        let result = phase.run();
        let verdict = if result.is_ok() { "ok" } else { "FAILED" };
        summary.push(format!("{:<8} {verdict:<7} {:>8}", phase.name, seconds(start.elapsed())));
        failed = result.err().map(|why| (phase.name, why));
    }
    summary.push(format!("{:<8} {:<7} {:>8}", "total", "", seconds(begun.elapsed())));
    println!("\n=== summary\n{}", summary.join("\n"));
    match failed {
        None => ExitCode::SUCCESS,
        Some((name, why)) => {
            println!("\n{name} failed: {why}\nThis phase alone: cargo xtask test --only {name}");
            ExitCode::FAILURE
        }
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
