//! Reading a cloud with boto3: what rcm says it made is checked by something that is not rcm.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::command::{Running, loopback};
use crate::project;

const PATIENCE: Duration = Duration::from_secs(120);

/// Everything in the account behind `endpoint` that a partner's environment may consist of, in `us-east-1`.
///
/// The shape is `{"service": {"kind": [entry]}}`; `tests/moto/inventory.py` says what an entry is. A deleted thing that AWS
/// still shows, such as a secret that awaits its end, is in it.
///
/// # Panics
/// When the endpoint does not answer, or lacks one of the calls.
#[track_caller]
pub fn inventory(endpoint: &str) -> Value {
    let script = project::root().join("tests/moto/inventory.py");
    json(python(endpoint).arg(Path::new(&script)).arg(endpoint))
}

/// Runs a few lines of Python, for which `client("s3")` is a boto3 client of `endpoint`, and gives what they `say()`.
///
/// # Panics
/// When the script fails, showing what it printed.
#[track_caller]
pub fn boto3(endpoint: &str, script: &str) -> Value {
    let prelude = "import boto3, json
from botocore.config import Config
config = Config(retries={'total_max_attempts': 1}, s3={'addressing_style': 'path'})
def client(service): return boto3.client(service, config=config)
def say(value): print(json.dumps(value, default=str))
";
    json(python(endpoint).arg("-c").arg(format!("{prelude}{script}")))
}

fn python(endpoint: &str) -> Command {
    let mut command = Command::new(project::python());
    command.env_clear().envs(loopback(endpoint)).env("AWS_DEFAULT_REGION", "us-east-1");
    command
}

#[track_caller]
fn json(command: &mut Command) -> Value {
    let ran = Running::start(command).finish(PATIENCE).expect_code(0);
    serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|error| panic!("{error} in what {command:?} printed: {}", ran.stdout))
}
