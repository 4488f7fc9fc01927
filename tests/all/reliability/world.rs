//! A cloud and a state directory that can be copied at any instant and run on from there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcm::{Cloud, Environment, Goal, PartnerConfig, Report, Settings};
use rcm_sandbox::Sandbox;
use rcm_testkit::calls::Wire;
use serde_json::Value;

const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-east-1";
const STATE: &str = "state/acme/prod.json";
const JOURNAL: &str = "state/acme/prod.journal.jsonl";

/// Everything that survives a process: the cloud, the state and the journal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Disk(BTreeMap<PathBuf, Arc<Vec<u8>>>);

impl Disk {
    /// A copy of what is below `dir` now, without locks and files that are not whole yet.
    pub(super) fn read(dir: &Path) -> Self {
        let mut files = BTreeMap::new();
        collect(dir, Path::new(""), &mut files);
        Self(files)
    }

    pub(super) fn write(&self, dir: &Path) {
        for (path, bytes) in &self.0 {
            let path = dir.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::File::create(&path).and_then(|mut file| std::io::Write::write_all(&mut file, bytes)).unwrap();
        }
    }

    fn file(&self, path: &str) -> &[u8] {
        self.0.get(Path::new(path)).map_or(&[], |bytes| bytes)
    }

    pub(super) fn journal(&self) -> &[u8] {
        self.file(JOURNAL)
    }

    pub(super) fn with_journal(&self, journal: &[u8]) -> Self {
        let mut copy = self.clone();
        copy.0.insert(JOURNAL.into(), Arc::new(journal.to_vec()));
        copy
    }

    /// The state file, `null` if there is none.
    pub(super) fn state(&self) -> Value {
        serde_json::from_slice(self.file(STATE)).unwrap_or_default()
    }

    /// What each service of the cloud holds.
    pub(super) fn cloud(&self) -> BTreeMap<String, Value> {
        let files = self.0.iter().filter(|(path, _)| path.starts_with("cloud") && !path.ends_with("sandbox.json"));
        files
            .map(|(path, bytes)| {
                (path.file_stem().unwrap().to_str().unwrap().to_owned(), serde_json::from_slice(bytes).unwrap())
            })
            .collect()
    }

    pub(super) fn same_cloud(&self, other: &Self) -> bool {
        let cloud = |disk: &Self| -> Vec<_> {
            disk.0
                .iter()
                .filter(|(path, _)| path.starts_with("cloud"))
                .map(|(path, bytes)| (path.clone(), Arc::clone(bytes)))
                .collect()
        };
        cloud(self) == cloud(other)
    }
}

fn collect(root: &Path, below: &Path, files: &mut BTreeMap<PathBuf, Arc<Vec<u8>>>) {
    let Ok(entries) = fs::read_dir(root.join(below)) else { return };
    for entry in entries {
        let name = entry.unwrap().file_name();
        let path = below.join(&name);
        let name = name.to_string_lossy();
        if root.join(&path).is_dir() {
            collect(root, &path, files);
        } else if !name.ends_with(".lock") && !name.starts_with('.') {
            // Renamed away since the directory was listed: then the next copy has it.
            let Ok(bytes) = fs::read(root.join(&path)) else { continue };
            files.insert(path, Arc::new(bytes));
        }
    }
}

/// A run that ended, however it did.
pub(super) struct Ran {
    pub(super) result: Result<Report, rcm::Error>,
}

/// What a run is given beside the disk.
#[derive(Clone)]
pub(super) struct Order<'a> {
    pub(super) file: &'a str,
    pub(super) goal: Goal,
    pub(super) polls: u32,
}

/// Runs rcm over what is in `dir`, in virtual time. `arrange` may put troubles on the wire and change the settings.
pub(super) fn run(dir: &Path, order: &Order<'_>, arrange: impl FnOnce(&Wire, &mut Settings)) -> Ran {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let sandbox = Sandbox::open(&dir.join("cloud"), ACCOUNT, REGION).await.unwrap().with_polls(order.polls);
        let wire = Wire::new(sandbox.http_client());
        let config = PartnerConfig::parse("acme.toml", order.file, None).unwrap();
        let mut settings = Settings { cloud: Cloud::InProcess(wire.http_client()), ..Settings::new(dir.join("state")) };
        arrange(&wire, &mut settings);
        let result = match Environment::open(config, settings).await {
            Ok(environment) => environment.run(&order.goal, |_| true).await,
            Err(error) => Err(error),
        };
        sandbox.settle().unwrap();
        Ran { result }
    })
}
