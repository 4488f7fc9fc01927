//! The registry that pushes are tested against: Debian's package `docker-registry`, unpacked and not installed.

use std::fs;
use std::path::Path;

use crate::tools::{discard, install, run, target_directory};

/// The directory below cargo's target directory, which `rcm-testkit` knows too.
const HOME: &str = "docker-registry";
const PACKAGE: &str = "docker-registry";

/// Downloads and unpacks the package, unless it is there.
///
/// It is unpacked beside its place and renamed into it, so that what looks finished is.
///
/// # Errors
/// No Debian, no network, no such package: how to get it by hand.
pub(crate) fn ensure() -> Result<(), String> {
    let target = target_directory()?;
    let home = target.join(HOME);
    if works(&home) {
        return Ok(());
    }
    let building = target.join(format!("{HOME}-unpacking-{}", std::process::id()));
    fs::create_dir_all(&building).map_err(|error| format!("{}: {error}", building.display()))?;
    let unpacked = unpack(&building).inspect_err(|_| discard(&building)).map_err(|error| {
        format!(
            "{error}\nThe registry for the tests of pushes cannot be had by apt. Get it by hand: download Debian's package {PACKAGE}\n\
             (https://packages.debian.org/docker-registry) and unpack it: dpkg -x docker-registry_*.deb {}",
            home.display()
        )
    });
    unpacked?;
    let installed = install(&building.join("unpacked"), &home, works);
    discard(&building);
    installed
}

fn works(home: &Path) -> bool {
    run(home.join("usr/bin/docker-registry"), ["--version"]).is_ok()
}

fn unpack(directory: &Path) -> Result<(), String> {
    let download = format!("cd '{}' && apt-get download {PACKAGE}", directory.display());
    // On a machine that has never asked for its list of packages there is none.
    if run("sh", ["-c", &download]).is_err() {
        run("sh", ["-c", &format!("apt-get update && {download}")])?;
    }
    run("sh", ["-c", &format!("cd '{}' && dpkg -x {PACKAGE}_*.deb unpacked", directory.display())])
}
