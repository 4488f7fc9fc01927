//! A cloud and a state directory that can be copied at any instant and run on from there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use rcm::aws::{Aws, Connect};
use rcm::engine::run::Outcome;
use rcm::engine::store::Store;
use rcm::{Cloud, Environment, Error, Goal, PartnerConfig, Report, RolledBack, Settings};
use rcm_sandbox::Sandbox;
use rcm_testkit::calls::{Calls, Wire};
use serde_json::{Value, json};

use crate::bench::at_any_risk;

const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-east-1";
const STATE: &str = "state/acme/prod.json";
const AUDIT: &str = "state/acme/prod.audit.jsonl";
const JOURNAL: &str = "state/acme/prod.journal.jsonl";
/// A state that is not in its place yet, as the atomic writer calls it.
const HALF_WRITTEN: &str = "state/acme/.rcm-a1B2c3";
/// Another name for a journal, which keeps it when rcm removes it. Hidden, so that it is on no copy of the disk.
const KEPT: &str = ".kept";

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

    /// The audit log.
    pub(super) fn audit_log(&self) -> Vec<u8> {
        self.file(AUDIT).to_vec()
    }

    pub(super) fn journal(&self) -> &[u8] {
        self.file(JOURNAL)
    }

    pub(super) fn with(&self, path: &str, bytes: &[u8]) -> Self {
        let mut copy = self.clone();
        copy.0.insert(path.into(), Arc::new(bytes.to_vec()));
        copy
    }

    pub(super) fn with_journal(&self, journal: &[u8]) -> Self {
        self.with(JOURNAL, journal)
    }

    /// As a process leaves it that was killed when it had just begun its journal: the next one writes on in the same file.
    pub(super) fn just_begun(&self) -> Self {
        let state = self.state();
        let at = "2026-01-01T00:00:00Z";
        let opened = json!({
            "entry": "opened", "lineage": state["lineage"], "serial": state["serial"], "command": "rcm", "at": at,
        });
        self.with_journal(format!("{opened}\n").as_bytes())
    }

    pub(super) fn without_journal(&self) -> Self {
        let mut copy = self.clone();
        copy.0.remove(Path::new(JOURNAL));
        copy
    }

    /// The same, where somebody has changed the tags of everything in the cloud that is the partner's.
    pub(super) fn with_tags(&self, change: fn(&mut serde_json::Map<String, Value>)) -> Self {
        let mut copy = self.clone();
        for (path, bytes) in copy.0.iter_mut().filter(|(path, _)| path.starts_with("cloud")) {
            let mut held: Value = serde_json::from_slice(bytes).unwrap_or_else(|_| panic!("{}", path.display()));
            each_tags(&mut held, change);
            *bytes = Arc::new(held.to_string().into_bytes());
        }
        copy
    }

    /// The same with the audit log of `other`.
    pub(super) fn with_log_of(&self, other: &Self) -> Self {
        let mut copy = self.without_log();
        let log = other.0.iter().filter(|(path, _)| is_log(path));
        copy.0.extend(log.map(|(path, bytes)| (path.clone(), Arc::clone(bytes))));
        copy
    }

    /// The same without the audit log, which decides nothing of what a run does.
    pub(super) fn without_log(&self) -> Self {
        Self(
            self.0
                .iter()
                .filter(|(path, _)| !is_log(path))
                .map(|(path, bytes)| (path.clone(), Arc::clone(bytes)))
                .collect(),
        )
    }

    pub(super) fn with_state(&self, state: &Value) -> Self {
        self.with(STATE, state.to_string().as_bytes())
    }

    pub(super) fn without_state(&self) -> Self {
        self.with_state_of(&Self::default())
    }

    /// The copies of state files that are kept beside them, those of states first.
    pub(super) fn backups(&self) -> Vec<(String, Vec<u8>)> {
        let all = self.0.iter().map(|(path, bytes)| (path.to_str().unwrap().to_owned(), bytes.to_vec()));
        all.filter(|(path, _)| path.contains("backup") && !path.starts_with("cloud")).rev().collect()
    }

    /// The same with the state file of `other`, or none if that has none.
    pub(super) fn with_state_of(&self, other: &Self) -> Self {
        let mut copy = self.clone();
        match other.0.get(Path::new(STATE)) {
            Some(bytes) => copy.0.insert(STATE.into(), Arc::clone(bytes)),
            None => copy.0.remove(Path::new(STATE)),
        };
        copy
    }

    /// What is left of `later`'s state when the process ends while it writes it: half of it, and all of it, but not in its place.
    pub(super) fn while_writing_the_state_of(&self, later: &Self) -> [Self; 2] {
        let state = later.file(STATE);
        [self.with(HALF_WRITTEN, &state[..state.len() / 2]), self.with(HALF_WRITTEN, state)]
    }

    /// rcm's part alone.
    pub(super) fn state_alone(&self) -> Self {
        Self(
            self.0
                .iter()
                .filter(|(path, _)| path.starts_with("state"))
                .map(|(path, bytes)| (path.clone(), Arc::clone(bytes)))
                .collect(),
        )
    }

    /// The same after a snapshot: what rcm knows is all in the state.
    pub(super) fn folded(&self) -> Self {
        let dir = scratch();
        self.state_alone().write(dir.path());
        match store(dir.path()).load().unwrap() {
            Some(state) => self.with(STATE, &serde_json::to_vec(&state).unwrap()).without_journal(),
            None => self.without_journal(),
        }
    }

    /// The same with a state that still knows how to undo the creates of these.
    pub(super) fn with_undo(&self, addresses: &[&str]) -> Self {
        let mut state = self.state();
        let undo = |address: &&str| serde_json::json!({"undo": "create", "address": address, "generation": 1});
        state["undo"] = addresses.iter().map(undo).collect();
        self.with_state(&state)
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

/// Whether it is the audit log, or its head.
fn is_log(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path.contains(".audit."))
}

/// What is wrong with the audit log in `dir`; every run has to have its end, but those that were cut off.
pub(super) fn log_is_whole(dir: &Path) -> Result<(), String> {
    let order = Order { file: ACME, goal: Goal::provision(), polls: 1 };
    let (found, _) = with(dir, &order, |_, _| {}, async |rcm| rcm.verify_audit());
    let found = found.map_err(|error| error.to_string())?;
    if found.problems.is_empty() && found.open.is_none() && found.torn_bytes == 0 {
        return Ok(());
    }
    Err(format!("the audit log: {found:?}"))
}

/// Gives the journal in `dir`, if there is one, a second name: so all of it can be read when rcm has removed it.
pub(super) fn keep_journal(dir: &Path) {
    let kept = dir.join(KEPT);
    if dir.join(JOURNAL).exists() && !kept.exists() {
        fs::hard_link(dir.join(JOURNAL), kept).unwrap();
    }
}

/// All that the journal in `dir` ever got since it was kept; empty if there was none.
pub(super) fn kept_journal(dir: &Path) -> Vec<u8> {
    fs::read(dir.join(KEPT)).unwrap_or_default()
}

/// Where the journal is of the state in `dir`.
pub(super) fn journal_path(dir: &Path) -> PathBuf {
    dir.join(JOURNAL)
}

/// How a run ended, for a message.
pub(super) fn told(result: &Result<Report, Error>) -> String {
    match result {
        Ok(report) => format!("{:?}", report.outcome),
        Err(error) => error.to_string(),
    }
}

/// rcm's store in `dir`.
pub(super) fn store(dir: &Path) -> Store {
    Store::new(&dir.join("state"), "acme", "prod")
}

/// Does `change` to whatever are the tags of something of Acme's.
fn each_tags(value: &mut Value, change: fn(&mut serde_json::Map<String, Value>)) {
    match value {
        Value::Object(tags) if tags.get("rcm:partner").is_some_and(|partner| partner == "acme") => change(tags),
        Value::Object(members) => members.values_mut().for_each(|member| each_tags(member, change)),
        Value::Array(items) => items.iter_mut().for_each(|item| each_tags(item, change)),
        // S3 keeps the document as it came. Without this one tag it says nothing to anybody.
        Value::String(document) if document.contains("<Key>rcm:address</Key>") => {
            *document = document.replace("<Key>rcm:address</Key>", "<Key>by-hand</Key>");
        }
        _ => {}
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
    pub(super) result: Result<Report, Error>,
    pub(super) calls: Calls,
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
    let (result, calls) =
        with(dir, order, arrange, async |environment| environment.run(&at_any_risk(&order.goal), |_| true).await);
    Ran { result, calls }
}

/// Undoes what the last run in `dir` has left.
pub(super) fn roll_back(dir: &Path, order: &Order<'_>) -> Result<RolledBack, Error> {
    with(dir, order, |_, _| {}, async |environment| environment.roll_back(|_| true).await).0
}

/// Opens rcm over what is in `dir`, in virtual time, for any of its operations.
pub(super) fn with<T>(
    dir: &Path,
    order: &Order<'_>,
    arrange: impl FnOnce(&Wire, &mut Settings),
    work: impl AsyncFnOnce(&Environment) -> Result<T, Error>,
) -> (Result<T, Error>, Calls) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let sandbox = Sandbox::open(&dir.join("cloud"), ACCOUNT, REGION).await.unwrap().with_polls(order.polls);
        let wire = Wire::new(sandbox.http_client());
        let config = PartnerConfig::parse("acme.toml", order.file, None).unwrap();
        let mut settings = Settings { cloud: Cloud::InProcess(wire.http_client()), ..Settings::new(dir.join("state")) };
        arrange(&wire, &mut settings);
        let result = match Environment::open(config, settings).await {
            Ok(environment) => work(&environment).await,
            Err(error) => Err(error),
        };
        sandbox.settle().unwrap();
        (result, wire.calls())
    })
}

/// A cloud with a public hosted zone for acme.com and nothing else, and Acme's partner file with the zone in it.
pub(super) fn zoned() -> (&'static Disk, &'static str) {
    static ZONED: LazyLock<(Disk, String)> = LazyLock::new(|| {
        let dir = scratch();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let id = runtime.block_on(async {
            let sandbox = Sandbox::open(&dir.path().join("cloud"), ACCOUNT, REGION).await.unwrap();
            let connect =
                Connect { region: REGION.into(), in_process: Some(sandbox.http_client()), ..Connect::default() };
            let request = Aws::connect(&connect).await.route53.create_hosted_zone().name("acme.com");
            request.caller_reference("a test").send().await.unwrap().hosted_zone.unwrap().id
        });
        let file = format!("{ACME}\nhosted_zone_id = \"{}\"\n", id.trim_start_matches("/hostedzone/"));
        (Disk::read(dir.path()), file)
    });
    (&ZONED.0, &ZONED.1)
}

/// What is there before the first provision of `file`.
pub(super) fn ground(file: &str) -> Disk {
    if file.contains("hosted_zone_id") { zoned().0.clone() } else { Disk::default() }
}

/// A directory for one run: in memory where the system has that, since thousands of runs need not wait for a disk to sync.
pub(super) fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// What an undisturbed provision of `file` leaves.
pub(super) fn made(file: &str) -> Disk {
    let dir = scratch();
    ground(file).write(dir.path());
    let ran = run(dir.path(), &Order { file, goal: Goal::provision(), polls: 1 }, |_, _| {});
    let outcome = ran.result.unwrap().outcome;
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    Disk::read(dir.path())
}

/// Tries each of `points`, each in a directory of its own, on all cores, and fails with what is wrong with the first few.
pub(super) fn each<P: Sync>(what: &str, points: &[P], attempt: impl Fn(&P, &Path) -> Result<(), String> + Sync) {
    let next = AtomicUsize::new(0);
    let wrong: Mutex<Vec<String>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(point) = points.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let dir = scratch();
                    if let Err(why) = attempt(point, dir.path()) {
                        wrong.lock().unwrap().push(why);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    let first: String = wrong.iter().take(8).map(|why| format!("\n{why}")).collect();
    assert!(wrong.is_empty(), "{what}: {} of {} went wrong:{first}", wrong.len(), points.len());
}

/// The partner file that comes with rcm, without what is added to a stack in tests of its own.
pub(super) const ACME: &str = concat!(include_str!("../../../partners/acme.toml"), include_str!("bare.toml"));

/// The same file with other `settings`, one a line, in the place of those that it has; without one that is given no value.
pub(super) fn with_settings(file: &str, settings: &str) -> String {
    let key = |line: &str| line.split_once('=').map(|(key, _)| key.trim().to_owned());
    let set: Vec<_> = settings.lines().filter_map(key).collect();
    let kept = file.lines().filter(|line| key(line).is_none_or(|key| !set.contains(&key)));
    let given = settings.lines().filter(|line| !line.trim_end().ends_with('='));
    let lines: Vec<&str> = kept.chain(given).collect();
    lines.join("\n") + "\n"
}

/// A change that updates, replaces and deletes: the file before and after. The domain's records are made by rcm.
pub(super) fn change() -> (String, String) {
    let (_, acme) = zoned();
    let before = format!("{acme}\nnat_gateways = 2\n");
    let after = format!(
        "{acme}\nnat_gateways = 1\necs_cpu = 2048\necs_memory = 4096\necs_max_count = 12\ndb_instance_class = \"db.t3.large\"\n"
    );
    (before, after.replace("rcm.acme.com", "app.acme.com"))
}
