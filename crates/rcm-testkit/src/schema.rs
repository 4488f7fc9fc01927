//! JSON held against the schemas in `docs/schemas`, by Python's `jsonschema`.

use std::fs::File;
use std::io::Write;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::command::Running;
use crate::project;

const PATIENCE: Duration = Duration::from_secs(120);

/// In what `documents` differ from `docs/schemas/SCHEMA.schema.json`. A field that the schema does not name is a difference here.
///
/// # Panics
/// When there is no such schema, one of them is none, or `cargo xtask test` has not made the Python environment.
#[track_caller]
#[must_use]
pub fn disagreements(schema: &str, documents: &[Value]) -> Vec<String> {
    let directory = TempDir::new().unwrap_or_else(|error| panic!("no temporary directory: {error}"));
    let file = directory.path().join("documents.json");
    let text = Value::from(documents).to_string();
    let written = File::create(&file).and_then(|mut opened| opened.write_all(text.as_bytes()));
    written.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let root = project::root();
    let mut command = Command::new(project::python());
    command.arg(root.join("tests/moto/validate.py")).arg(root.join("docs/schemas")).arg(schema).arg(&file);
    let ran = Running::start(&mut command).finish(PATIENCE).expect_code(0);
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stdout))
}
