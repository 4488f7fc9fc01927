//! The built `rcm` with partner files of its own and the sandbox for an AWS.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    process::Command,
};

use rcm::{
    Goal,
    aws::{Aws, Connect},
    compliance::{Scope, controls},
    engine::store::{State, Store, write_atomically},
};
use rcm_sandbox::Sandbox;
use rcm_testkit::{Ran, Rcm, Running};
use serde_json::Value;

/// The partner file that comes with rcm.
pub(crate) const SHIPPED: &str = include_str!("../../partners/acme.toml");

/// The same, without what is added to a stack in tests of its own.
pub(crate) const ACME: &str = concat!(include_str!("../../partners/acme.toml"), include_str!("reliability/bare.toml"));

/// Every control that production could be refused for, with a reason: for tests about something else.
pub(crate) fn risks() -> BTreeMap<String, String> {
    let stack = controls().iter().filter(|control| control.scope == Scope::Stack);
    stack.map(|control| (control.id.to_owned(), "a test".to_owned())).collect()
}

/// `goal`, whatever production asks.
pub(crate) fn at_any_risk(goal: &Goal) -> Goal {
    Goal { accepted: risks(), ..goal.clone() }
}

/// The same as options of the command.
fn at_any_risk_typed() -> String {
    let controls: String = risks().into_keys().map(|control| format!(" --accept-risk {control}")).collect();
    format!("--reason test{controls}")
}

/// Acme's partner file in a directory, and an `rcm` that reads it.
pub(crate) struct Bench {
    pub(crate) rcm: Rcm,
    partners: tempfile::TempDir,
    /// Whether production's controls stand, as they do for everybody; the bare stack would break some.
    strict: bool,
}

impl Bench {
    pub(crate) fn new() -> Self {
        // With `--sandbox` nothing is sent anywhere; a test that forgets it is refused by this port.
        Self::at("http://127.0.0.1:9")
    }

    /// One that sends its calls to `endpoint` unless it is told `--sandbox`.
    pub(crate) fn at(endpoint: &str) -> Self {
        let partners = tempfile::tempdir().unwrap();
        let bench = Self { rcm: Rcm::new(endpoint, partners.path()), partners, strict: false };
        bench.partner("acme", ACME);
        bench
    }

    /// With the partner file as it is shipped, and no risk accepted that a test does not name.
    pub(crate) fn strict() -> Self {
        let bench = Self { strict: true, ..Self::new() };
        bench.partner("acme", SHIPPED);
        bench
    }

    /// Writes a partner file.
    pub(crate) fn partner(&self, name: &str, text: &str) {
        write_atomically(&self.partners.path().join(format!("{name}.toml")), text.as_bytes()).unwrap();
    }

    /// Runs `rcm` with these arguments, `acme` for the partner.
    pub(crate) fn run(&self, arguments: &str) -> Ran {
        self.run_as("acme", arguments)
    }

    /// Runs it for another partner.
    pub(crate) fn run_as(&self, partner: &str, arguments: &str) -> Ran {
        self.rcm.run(self.split(partner, arguments))
    }

    /// Starts it.
    pub(crate) fn start(&self, arguments: &str) -> Running {
        self.rcm.start(self.split("acme", arguments))
    }

    /// The command with these arguments.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        self.rcm.command(self.split("acme", arguments))
    }

    fn split(&self, partner: &str, arguments: &str) -> Vec<String> {
        let risks = if !self.strict && arguments.starts_with("provision") && !arguments.contains("--accept-risk") {
            format!(" {}", at_any_risk_typed())
        } else {
            String::new()
        };
        format!("{arguments}{risks} --partner {partner}").split(' ').map(str::to_owned).collect()
    }

    /// The same with one environment variable more, or another value for it.
    pub(crate) fn env(self, name: &str, value: &str) -> Self {
        Self { rcm: self.rcm.env(name, value), ..self }
    }

    /// Where Acme's state outside the sandbox is.
    pub(crate) fn store(&self) -> Store {
        Store::new(&self.rcm.state_dir(), "acme", "prod")
    }

    /// What rcm knows of Acme outside the sandbox.
    pub(crate) fn rcm_state(&self) -> State {
        self.store().load().unwrap().unwrap()
    }

    /// Acme's state directory in the sandbox.
    pub(crate) fn state(&self) -> PathBuf {
        self.rcm.state_dir().join("sandbox/acme")
    }

    /// Acme's state file in the sandbox.
    pub(crate) fn state_file(&self) -> String {
        fs::read_to_string(self.state().join("prod.json")).unwrap()
    }

    /// A path for a file of the test's own.
    pub(crate) fn file(&self, name: &str) -> String {
        self.partners.path().join(name).to_str().unwrap().to_owned()
    }
}

/// Does something to the bench's cloud that rcm does not know of.
pub(crate) async fn behind_its_back(bench: &Bench, change: impl AsyncFnOnce(Aws)) {
    let cloud = bench.rcm.state_dir().join("sandbox/cloud/123456789012-us-east-1");
    let sandbox = Sandbox::open(&cloud, "123456789012", "us-east-1").await.unwrap();
    let connect = Connect { region: "us-east-1".into(), in_process: Some(sandbox.http_client()), ..Connect::default() };
    change(Aws::connect(&connect).await).await;
}

/// The JSON objects of an output, one a line.
pub(crate) fn lines(output: &str) -> Vec<Value> {
    output.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// No two things in an inventory are the same resource of rcm's.
#[track_caller]
pub(crate) fn assert_nothing_is_double(inventory: &Value) {
    for (service, kinds) in inventory.as_object().unwrap() {
        for (kind, entries) in kinds.as_object().unwrap() {
            let mut seen = BTreeSet::new();
            // A key that awaits its end has been deleted.
            let live = entries.as_array().unwrap().iter().filter(|entry| entry["KeyState"] != "PendingDeletion");
            for address in live.filter_map(|entry| entry["tags"]["rcm:address"].as_str()) {
                assert!(seen.insert(address), "{service}.{kind} has two of {address}: {entries:#}");
            }
        }
    }
}
