//! The Python environment of the end-to-end tests: moto (the AWS they run against) and boto3 (the eyes that look at it).

use std::ffi::OsStr;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::phase;
use crate::tools::{discard, install, run, target_directory};

/// Makes the environment that `tests/moto/requirements.txt` names, unless it is there.
///
/// It lives under cargo's target directory, named by a hash of the requirements, which `rcm-testkit` derives in the same way.
/// It is built beside its place and renamed into it, so an interrupted build leaves nothing that looks finished, and
/// two builds at once do not disturb each other. After the rename only `python -m …` works, not the scripts in `bin`.
///
/// # Errors
/// No Python 3.11 with `venv`, or a package that cannot be installed.
pub(crate) fn ensure() -> Result<(), String> {
    let requirements = phase::root().join("tests/moto/requirements.txt");
    let text = fs::read_to_string(&requirements).map_err(|error| format!("{}: {error}", requirements.display()))?;
    let target = target_directory()?;
    let home = target.join(name(&text));
    if works(&home) {
        return Ok(());
    }
    let building = target.join(format!("moto-venv-building-{}", std::process::id()));
    build(&building, &requirements).inspect_err(|_| discard(&building))?;
    install(&building, &home, works)
}

/// The Python of the environment that [`ensure`] has made.
pub(crate) fn python() -> Result<PathBuf, String> {
    let requirements = phase::root().join("tests/moto/requirements.txt");
    let text = fs::read_to_string(&requirements).map_err(|error| format!("{}: {error}", requirements.display()))?;
    Ok(python_in(&target_directory()?.join(name(&text))))
}

/// The directory's name: it changes with the requirements.
fn name(requirements: &str) -> String {
    let mut hasher = DefaultHasher::new();
    requirements.hash(&mut hasher);
    format!("moto-venv-{:016x}", hasher.finish())
}

/// Whether the environment is there and its Python, which a system upgrade may have taken away, still runs.
fn works(home: &Path) -> bool {
    let python = python_in(home);
    python.exists() && run(python, ["-c", "import boto3, moto.server"]).is_ok()
}

fn build(home: &Path, requirements: &Path) -> Result<(), String> {
    let python = std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    run(python, [OsStr::new("-m"), "venv".as_ref(), home.as_ref()]).map_err(|error| {
        format!("{error}\nPython 3.11 or newer with venv is needed (Debian: apt install python3-venv; another one: PYTHON=…)")
    })?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
    run(python_in(home), pip.iter().map(OsStr::new).chain([requirements.as_os_str()]))
}

fn python_in(home: &Path) -> PathBuf {
    home.join("bin/python")
}
