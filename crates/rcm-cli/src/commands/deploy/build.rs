//! `--build`: an image out of a directory with a Dockerfile, by whichever builder is there.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

use crate::error::{CommandError, Exit};

/// What tasks run on.
const PLATFORM: &str = "linux/amd64";
/// What the image is called until it has its digest.
const NAME: &str = "localhost/rcm-deploy:latest";

/// An image that was built. It goes when this is dropped.
pub(super) struct Built(TempDir);

impl Built {
    pub(super) fn archive(&self) -> PathBuf {
        self.0.path().join("image.tar")
    }
}

/// Builds `context` and saves the image to an archive. What the builder says goes to stderr.
pub(super) fn build(context: &Path) -> Result<Built, CommandError> {
    if !context.is_dir() {
        return Err(CommandError::new(Exit::Failed, format!("{} is no directory", context.display()))
            .hint("--build takes the directory with the Dockerfile"));
    }
    let builder = ["docker", "podman", "buildah"].into_iter().find(|name| is_there(name)).ok_or_else(|| {
        CommandError::new(Exit::Failed, "there is nothing to build with: none of docker, podman and buildah is in PATH")
            .hint("install one (Debian: apt install buildah), or build elsewhere and give --image FILE|REF")
    })?;
    let scratch =
        TempDir::new().map_err(|error| CommandError::new(Exit::Failed, format!("no temporary directory: {error}")))?;
    let built = Built(scratch);
    for arguments in commands(builder, context, &built.archive()) {
        run(builder, &arguments)?;
    }
    Ok(built)
}

/// What is run, the build first.
fn commands(builder: &str, context: &Path, archive: &Path) -> [Vec<String>; 2] {
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let (context, archive) = (context.display().to_string(), archive.display().to_string());
    let mut build = words(&format!("build --platform {PLATFORM} --tag {NAME}"));
    build.push(context);
    let save = match builder {
        "buildah" => vec!["push".to_owned(), NAME.to_owned(), format!("oci-archive:{archive}")],
        "podman" => [words("save --format oci-archive --output"), vec![archive, NAME.to_owned()]].concat(),
        _ => [words("save --output"), vec![archive, NAME.to_owned()]].concat(),
    };
    [build, save]
}

fn run(builder: &str, arguments: &[String]) -> Result<(), CommandError> {
    // Standard output is the command's own.
    let status = Command::new(builder).args(arguments).stdin(Stdio::null()).stdout(std::io::stderr()).status();
    let line = format!("{builder} {}", arguments.join(" "));
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(CommandError::new(Exit::Failed, format!("`{line}` ended with {status}"))
            .hint("mend what it says above; nothing was pushed and nothing changed in AWS")),
        Err(error) => Err(CommandError::new(Exit::Failed, format!("`{line}` does not start: {error}"))),
    }
}

fn is_there(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|dir: PathBuf| dir.join(OsStr::new(name)).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_builder_is_told_the_platform_and_saves_an_archive() {
        for builder in ["docker", "podman", "buildah"] {
            let [build, save] = commands(builder, Path::new("my app"), Path::new("/tmp/image.tar"));
            assert_eq!(build[..3], ["build", "--platform", "linux/amd64"]);
            assert_eq!(build.last().unwrap(), "my app");
            assert!(save.iter().any(|word| word.ends_with("/tmp/image.tar")), "{builder}: {save:?}");
        }
    }
}
