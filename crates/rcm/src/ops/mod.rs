//! The operations on one environment of one partner.

mod account;
mod aside;
mod certificate;
mod check;
mod compliance;
mod cost;
mod deploy;
mod dns;
mod doctor;
mod drift;
mod exec;
mod fixed;
mod hosted_zone;
mod import;
mod links;
mod logs;
mod outputs;
mod own;
mod permissions;
mod preflight;
mod rebuild;
mod record;
mod rollback;
mod run;
mod secrets;
mod state;
mod status;
mod zones;

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use rcm_aws::{
    Aws, Caller, Connect,
    aws::{SdkConfig, SharedHttpClient},
    record::Recorder,
};
use rcm_engine::{
    model::{Deployment, Events, Registry},
    plan::Depth,
    run::{Cancel, OnFailure},
    store::{Backend, Fence, Holder, Lock, Store},
};

pub use certificate::{Certificate, Destroyed, Retained};
pub use check::Check;
pub use deploy::{Component, DEPLOY_ACTIONS, Deployed, Origin};
pub use dns::{Dns, Purpose, Seen, Wanted};
pub use doctor::DOCTOR_ACTIONS;
pub use exec::{EXEC_ACTIONS, ExecQuery, NoSession, Place, Session};
pub use links::Link;
pub use logs::{LOGS_ACTIONS, LogQuery};
pub use outputs::{Output, Outputs};
pub use own::{OwnBlueprint, OwnKinds};
pub use preflight::PREFLIGHT_ACTIONS;
pub use record::Run;
pub use rollback::RolledBack;
pub use run::{Goal, Report};
pub use secrets::{Renewed, SecretInfo};
pub use status::{Part, STATUS_ACTIONS, Status, Verdict};

use crate::{Error, PartnerConfig};

/// Cloud the requests go.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Cloud {
    /// To AWS, or to whatever endpoint the SDK's configuration names.
    #[default]
    Aws,
    /// To AWS, by the program's own configuration: its credentials, retries and time-outs are taken as they are, and `aws_profile` and
    /// `aws_role_arn` of the partner file mean nothing. Its region must be the partner file's, or none.
    Config(Box<SdkConfig>),
    /// To a cloud inside this process.
    InProcess(SharedHttpClient),
}

/// How operations behave. [`Settings::new`] gives the defaults of the command; end a literal by `..Settings::new(dir)`, since there will be
/// more fields.
#[derive(Clone)]
pub struct Settings {
    /// The directory that states are kept in, unless there is a `store`.
    pub state_dir: PathBuf,
    /// Cloud the requests go.
    pub cloud: Cloud,
    /// Cloud events go.
    pub events: Events,
    /// How a person stops a run.
    pub cancel: Cancel,
    /// Who runs it, for the lock.
    pub user: String,
    /// What is run, for the lock and the journal.
    pub command: String,
    /// How long to wait for another run's lock.
    pub lock_timeout: Duration,
    /// How many calls may be under way at once.
    pub parallelism: usize,
    /// What happens after a failure; `None` to roll a first provision back and to keep what later ones have done.
    pub on_failure: Option<OnFailure>,
    /// How long to wait for a certificate to be validated before the rest of the run is left for later.
    pub certificate_timeout: Duration,
    /// How closely the cloud is read before planning.
    pub depth: Depth,
    /// Fields (kind, field) that the endpoint is known not to report: emulators have such.
    pub unreported: BTreeSet<(String, String)>,
    /// Kinds of resources beside rcm's own: [`with_kinds`](Self::with_kinds).
    pub kinds: Option<OwnKinds>,
    /// What is made of the graph that rcm's blueprint gives: [`with_blueprint`](Self::with_blueprint).
    pub blueprint: Option<OwnBlueprint>,
    /// Where states are kept instead of in `state_dir`: [`with_store`](Self::with_store).
    pub store: Option<Arc<dyn Backend>>,
}

impl Settings {
    /// The defaults, with states in `state_dir`.
    pub fn new(state_dir: impl Into<PathBuf>) -> Self {
        Self {
            state_dir: state_dir.into(),
            cloud: Cloud::Aws,
            events: Events::none(),
            cancel: Cancel::new(),
            user: "unknown".into(),
            command: "rcm".into(),
            lock_timeout: Duration::ZERO,
            parallelism: 32,
            on_failure: None,
            certificate_timeout: Duration::from_mins(30),
            depth: Depth::Quick,
            unreported: BTreeSet::new(),
            kinds: None,
            blueprint: None,
            store: None,
        }
    }
}

/// One environment of one partner, ready to be worked on.
pub struct Environment {
    config: PartnerConfig,
    settings: Settings,
    deployment: Deployment,
    aws: Arc<Aws>,
    registry: Registry,
    store: Store,
    fence: Fence,
    recorder: Recorder,
}

impl Environment {
    /// Makes the clients. Sends nothing.
    ///
    /// # Errors
    /// [`Error::WrongRegion`] where a configuration of the program's own is of another region than the partner file's;
    /// [`Error::KindTaken`] where a kind of its own has the name of one of rcm's.
    pub async fn open(config: PartnerConfig, mut settings: Settings) -> Result<Self, Error> {
        settings.events = hosted_zone::asking_nobody(&config, settings.events);
        let (fence, recorder) = (Fence::default(), Recorder::default());
        let connect = Connect {
            region: config.aws_region.as_str().to_owned(),
            profile: config.aws_profile.clone(),
            role_arn: config.aws_role_arn.as_ref().map(|role| role.as_str().to_owned()),
            external_id: config.aws_external_id.clone(),
            in_process: match &settings.cloud {
                Cloud::Aws | Cloud::Config(_) => None,
                Cloud::InProcess(client) => Some(client.clone()),
            },
            sdk: own::config(&config, &settings.cloud)?,
            fence: fence.clone(),
            recorder: recorder.clone(),
        };
        let aws = Arc::new(Aws::connect(&connect).await);
        Ok(Self {
            deployment: deployment(&config),
            registry: own::registry(&aws, settings.kinds.as_ref())?,
            store: own::store(&config, &settings),
            config,
            settings,
            aws,
            fence,
            recorder,
        })
    }

    /// The partner file's settings.
    pub fn config(&self) -> &PartnerConfig {
        &self.config
    }

    /// The kinds of resources.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    fn holder(&self) -> Holder {
        Holder::this_process(self.settings.user.clone(), self.settings.command.clone())
    }

    /// Takes the lock. From then on nothing is sent without it.
    async fn lock(&self) -> Result<Lock, Error> {
        let lock = self.store.lock(&self.holder(), self.settings.lock_timeout, &self.settings.events).await?;
        lock.arm(&self.fence);
        Ok(lock)
    }

    /// Refuses any account but the partner file's, before anything is written; whose the credentials are otherwise.
    async fn check_account(&self) -> Result<Caller, Error> {
        self.check_caller(self.aws.caller().await?)
    }

    /// The same of who AWS has said we are.
    fn check_caller(&self, caller: Caller) -> Result<Caller, Error> {
        let wanted = self.config.aws_account_id.as_str();
        if caller.account == wanted {
            return Ok(caller);
        }
        Err(Error::WrongAccount { wanted: wanted.to_owned(), found: caller.account, arn: caller.arn })
    }

    /// Refuses a state of another account, region, partition or prefix.
    fn check_state(&self, state: &Deployment) -> Result<(), Error> {
        let file = &self.deployment;
        let pairs = [
            ("account", &state.account, &file.account),
            ("region", &state.region, &file.region),
            ("partition", &state.partition, &file.partition),
            ("project_prefix", &state.project, &file.project),
        ];
        match pairs.into_iter().find(|(_, state, file)| state != file) {
            None => Ok(()),
            Some((what, state, file)) => Err(Error::WrongState { what, state: state.clone(), file: file.clone() }),
        }
    }
}

fn deployment(config: &PartnerConfig) -> Deployment {
    Deployment {
        project: config.project_prefix.clone(),
        partner: config.partner.clone(),
        environment: config.environment.clone(),
        account: config.aws_account_id.as_str().to_owned(),
        region: config.aws_region.as_str().to_owned(),
        partition: config.aws_region.partition().to_owned(),
    }
}
