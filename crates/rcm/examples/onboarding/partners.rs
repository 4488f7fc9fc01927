//! The partners: their files and states in a directory, and the run that each may have.

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rcm::{Environment, PartnerConfig, Settings, config::ConfigError, engine::store::write_atomically};
use serde_json::{Map, Value};
use tokio::task::JoinSet;

use crate::{clouds::Clouds, run::Run};

/// All partners. Copies are the same.
#[derive(Clone)]
pub(crate) struct Partners(Arc<Inner>);

struct Inner {
    dir: PathBuf,
    clouds: Clouds,
    runs: Mutex<Runs>,
}

#[derive(Default)]
struct Runs {
    /// The last of each partner.
    last: BTreeMap<String, Arc<Run>>,
    /// Those under way.
    tasks: JoinSet<()>,
    /// Whether none begins any more.
    closed: bool,
}

/// Why no run was begun.
pub(crate) enum Refusal {
    /// What was posted is no partner.
    Unreadable(String),
    /// It is one, and has mistakes.
    Config(ConfigError),
    /// One is under way.
    Busy,
    /// The service is about to end.
    Closing,
    /// The file cannot be kept.
    Disk(io::Error),
}

impl Partners {
    pub(crate) fn new(dir: PathBuf, clouds: Clouds) -> Self {
        Self(Arc::new(Inner { dir, clouds, runs: Mutex::default() }))
    }

    fn files(&self) -> PathBuf {
        self.0.dir.join("partners")
    }

    fn settings(&self) -> Settings {
        let (user, command) = ("onboarding".into(), "onboarding".into());
        Settings { user, command, ..Settings::new(self.0.dir.join("state")) }
    }

    fn runs(&self) -> MutexGuard<'_, Runs> {
        self.0.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks what was posted as a partner file is checked, keeps it as one, and begins to provision. The partner's name.
    pub(crate) fn post(&self, posted: &str) -> Result<String, Refusal> {
        let (name, text) = partner_file(posted).map_err(Refusal::Unreadable)?;
        let path = PartnerConfig::path(&self.files(), &name).map_err(Refusal::Config)?;
        let config = PartnerConfig::parse(&path, &text, None).map_err(Refusal::Config)?;
        let mut runs = self.runs();
        if runs.closed {
            return Err(Refusal::Closing);
        }
        if runs.last.get(&name).is_some_and(|run| run.end().is_none()) {
            return Err(Refusal::Busy);
        }
        write_atomically(&path, text.as_bytes()).map_err(Refusal::Disk)?;
        while runs.tasks.try_join_next().is_some() {}
        let run = Arc::new(Run::new());
        runs.last.insert(name.clone(), Arc::clone(&run));
        let (settings, clouds) = (self.settings(), self.0.clouds.clone());
        runs.tasks.spawn(async move { run.provision(config, settings, clouds).await });
        Ok(name)
    }

    /// The partner's last run since the service was started.
    pub(crate) fn run(&self, name: &str) -> Option<Arc<Run>> {
        self.runs().last.get(name).cloned()
    }

    /// The partner's environment, to be looked at.
    pub(crate) async fn environment(&self, name: &str) -> Result<Environment, rcm::Error> {
        let config = PartnerConfig::load(&self.files(), name, None)?;
        Environment::open(config, self.settings()).await
    }

    /// Stops all runs at their next safe points, and waits for them.
    pub(crate) async fn stop(&self) {
        let mut tasks = {
            let mut runs = self.runs();
            runs.closed = true;
            runs.last.values().for_each(|run| run.cancel.cancel());
            std::mem::take(&mut runs.tasks)
        };
        while tasks.join_next().await.is_some() {}
    }
}

/// The name, and everything else as the text of a partner file.
fn partner_file(posted: &str) -> Result<(String, String), String> {
    let mut settings: Map<String, Value> = serde_json::from_str(posted).map_err(|error| error.to_string())?;
    let Some(Value::String(name)) = settings.remove("name") else { return Err("`name` names no partner".into()) };
    let text = toml::to_string(&settings).map_err(|error| error.to_string())?;
    Ok((name, text))
}
