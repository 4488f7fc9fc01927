//! Deploying: an image into the partner's repository, and the service onto that image.
//!
//! Which image is deployed is state like everything else: it is in the spec of the task definition (or of the App Runner service)
//! that was last applied. So a run that deploys is a run like any other, with its journal, its lock, its rollback, and a next run
//! that finishes it; `provision` keeps what is deployed; and a lost state is made again from what AWS runs. A partner file with an
//! `api_image` of its own decides instead, and then nothing else is deployed.

mod follow;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use jiff::Timestamp;
use rcm_aws::{RegistryLogin, Secret, StoppedTask, record::Sent};
use rcm_engine::{
    model::{Address, Fault, Graph},
    plan::Plan,
    run::Outcome,
    store::{Release, State, Undo},
};
use tokio::time::Instant;

use super::{
    Environment, Goal, Outputs, Report,
    aside::{aside, give_back},
    fixed, zones,
};
use crate::{
    Error, PartnerConfig,
    config::ImageRef,
    image::{Happening, Image, Login, Platform, Pushed, Reference, Registry, push},
};

/// The IAM actions that a deploy needs beside those of its resources.
pub const DEPLOY_ACTIONS: &[&str] = &[
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:CompleteLayerUpload",
    "ecr:GetAuthorizationToken",
    "ecr:GetDownloadUrlForLayer",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
    "ecs:DescribeServices",
    "ecs:DescribeTasks",
    "ecs:ListTasks",
    "elasticloadbalancing:DescribeTargetHealth",
    "logs:GetLogEvents",
];

/// What tasks run on: the blueprint's `X86_64`, and all that App Runner has.
const ARCHITECTURE: &str = "amd64";

/// Where the tasks' output goes.
const LOGS: &str = "storage/log-group/application";

/// Stands for an image where none was deployed yet.
pub(super) fn any_image() -> Option<ImageRef> {
    format!("any@sha256:{}", "0".repeat(64)).parse().ok()
}

/// Where an image comes from.
#[derive(Debug, Clone)]
pub enum Origin {
    /// An OCI archive, or the output of `docker save`.
    Archive(PathBuf),
    /// A registry.
    Registry(Reference),
}

/// What an image is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Component {
    /// The API, which runs as the service.
    Api,
    /// The web application. There is a repository for it, and nothing in AWS that runs it.
    Web,
}

/// How a deploy went.
#[derive(Debug)]
pub struct Deployed {
    /// The run.
    pub report: Report,
    /// Where it failed: the tasks that did not come up, the newest first.
    pub stopped: Vec<StoppedTask>,
    /// Whether another image has run before the one that runs now.
    pub has_predecessor: bool,
}

impl Component {
    /// The output with the URL of its repository.
    fn output(self) -> &'static str {
        match self {
            Self::Api => "ecr_api_repository_url",
            Self::Web => "ecr_web_repository_url",
        }
    }

    /// The node of its repository.
    fn repository(self) -> &'static str {
        match self {
            Self::Api => "storage/repository/api",
            Self::Web => "storage/repository/web",
        }
    }
}

impl Environment {
    /// Pushes an image to the partner's repository, unless it is there, and returns the name by which it can be deployed.
    ///
    /// Changes nothing that runs. Has a run of its own in the audit log, with a line for the image; layers have none.
    ///
    /// # Errors
    /// A partner file that names its image; an environment without the repository; what cannot be read or pushed.
    pub async fn push(
        &self,
        origin: &Origin,
        component: Component,
        tell: &(dyn Fn(Happening) + Send + Sync),
    ) -> Result<(Pushed, ImageRef), Error> {
        if component == Component::Api {
            self.check_unpinned(None)?;
        }
        let lock = self.lock().await?;
        let state = self.state_aside().await?;
        self.check_state(&state.deployment)?;
        let uri = repository_uri(&state, component)?;
        let caller = self.check_account().await?;
        let login = self.aws.registry_login().await?;
        let image = self.image(origin, &uri, &login).await?;
        let name = uri.split_once('/').map_or(uri.as_str(), |(_, name)| name);
        let target = Arc::new(Registry::to_push(&login.url, Some(as_user(&login)))?);
        // Tags of the repository are immutable, and what has none goes after two weeks; this one is always the same image's.
        let tag = format!("rcm-{}", image.digest.short());
        let recording = self.record("push", Some(caller.arn), Some(&state)).await?;
        let (at, began) = (Timestamp::now(), Instant::now());
        let pushed = push(&image, &target, name, &tag, tell).await;
        if !matches!(&pushed, Ok(Pushed { known: true, .. })) {
            self.recorder.sent(Sent {
                at,
                took: began.elapsed(),
                address: component.repository().parse().ok(),
                service: "ecr".to_owned(),
                operation: "PutImage".to_owned(),
                status: pushed.is_ok().then_some(201),
                code: None,
                request_id: None,
            });
        }
        let pushed = pushed?;
        recording.end("done", BTreeMap::new()).await;
        give_back(lock).await?;
        let reference = format!("{uri}@{}", pushed.digest);
        let reference = reference.parse().map_err(|_| Fault::invalid("push", format!("{reference} is no image")))?;
        Ok((pushed, reference))
    }

    /// Deploys an image that is in a registry, follows it, and where it fails finds out why. `approve` is asked as by
    /// [`run`](Self::run).
    ///
    /// # Errors
    /// What keeps a run from beginning. A deploy that began and failed is no error but in the report.
    pub async fn deploy(&self, goal: &Goal, approve: impl FnOnce(&Plan) -> bool) -> Result<Deployed, Error> {
        let mut told = self.old_news().await;
        let report = tokio::select! {
            report = self.run(goal, approve) => report?,
            never = self.follow(&mut told) => match never {},
        };
        self.tell_news(&mut told).await;
        let failed = matches!(report.outcome, Outcome::Failed { .. });
        // Why it failed is known already; that nobody can be asked for more is no other failure.
        let stopped = if failed { self.stopped_tasks().await.unwrap_or_default() } else { Vec::new() };
        let has_predecessor = self.load_aside().await?.is_some_and(|state| state.releases.len() > 1);
        Ok(Deployed { report, stopped, has_predecessor })
    }

    async fn stopped_tasks(&self) -> Option<Vec<StoppedTask>> {
        let (service, logs) = (self.known_id(follow::SERVICE).await?, self.known_id(LOGS).await);
        self.aws.stopped_tasks(&service, logs.as_deref()).await.ok()
    }

    /// The image that ran before the present one.
    ///
    /// # Errors
    /// Where there is none, or it is not in its repository any more.
    pub async fn last_good(&self) -> Result<ImageRef, Error> {
        self.check_unpinned(None)?;
        let state = self.state_aside().await?;
        self.check_state(&state.deployment)?;
        let present = fixed::deployed(&self.config, &state);
        let is_present = |release: &&Release| present.as_ref().is_some_and(|image| image.as_str() == release.what);
        let last = state.releases.iter().rev().find(|release| !is_present(release));
        let last = last.ok_or_else(|| {
            let but = present.map(|image| format!(" but {image}")).unwrap_or_default();
            Error::NoRelease(format!("no image{but} is known to have run here"))
        })?;
        let image: ImageRef = last.what.parse().map_err(|_| Error::NoRelease(format!("{} is no image", last.what)))?;
        self.check_account().await?;
        self.check_in_repository(&state, &image).await?;
        Ok(image)
    }

    /// Refuses an image that AWS could not pull any more. Those of other registries are taken as they are.
    async fn check_in_repository(&self, state: &State, image: &ImageRef) -> Result<(), Error> {
        let uri = repository_uri(state, Component::Api)?;
        let Some((name, digest)) = image.as_str().split_once('@').filter(|(name, _)| *name == uri) else {
            return Ok(());
        };
        let name = name.split_once('/').map_or(name, |(_, name)| name);
        match self.aws.has_image(name, digest).await? {
            true => Ok(()),
            false => Err(Error::NoRelease(format!("{image} ran before, and is not in its repository any more"))),
        }
    }

    /// Refuses another image than the partner file's, if that names one.
    fn check_unpinned(&self, image: Option<&ImageRef>) -> Result<(), Error> {
        match &self.config.api_image {
            Some(pinned) if image != Some(pinned) => {
                Err(Error::Pinned { file: self.config.file.clone(), image: pinned.to_string() })
            }
            _ => Ok(()),
        }
    }

    /// Whether a run with this goal may begin: a deploy does not go on with what it would not bring to its end.
    pub(super) async fn check_deployable(&self, goal: &Goal) -> Result<(), Error> {
        let Some(image) = &goal.image else { return Ok(()) };
        self.check_unpinned(Some(image))?;
        let state = self.state_aside().await?;
        repository_uri(&state, Component::Api)?;
        let store = self.store.clone();
        if aside(move || Ok(store.is_unfinished()?)).await? {
            let theirs = self.of_the_image(Some(&state))?;
            let more = |undo: &&Undo| !theirs.contains(undo.key().0);
            if let Some(undo) = state.undo.iter().find(more) {
                return Err(Error::Unfinished(undo.key().0.clone()));
            }
        }
        Ok(())
    }

    /// The resources that are as they are because of the image.
    pub(super) fn of_the_image(&self, state: Option<&State>) -> Result<BTreeSet<Address>, Error> {
        let zones = zones::known(state, &self.config).unwrap_or_else(|| zones::guessed(&self.config));
        let mut config = fixed::as_it_can_be(&self.config, state);
        let mut graph = |image: Option<ImageRef>| {
            config.api_image = image;
            let surroundings = crate::blueprint::Surroundings { zones: zones.clone(), proven_in: None };
            self.designed(&config, &surroundings)
        };
        // Any image will do: what differs from none is what an image has to do with.
        let (with, without) = (graph(any_image())?, graph(None)?);
        Ok(with
            .nodes()
            .filter(|node| without.get(&node.address) != Some(node))
            .map(|node| node.address.clone())
            .collect())
    }

    /// The plan without what has nothing to do with the image.
    pub(super) fn only_what_the_image_changes(
        &self,
        mut plan: Plan,
        state: &State,
        wanted: &Graph,
    ) -> Result<Plan, Error> {
        let ours = self.of_the_image(Some(state))?;
        let is_ours = |address: &Address| ours.contains(address);
        let others: BTreeSet<Address> =
            plan.forward.iter().map(|step| step.address.clone()).filter(|address| !is_ours(address)).collect();
        let needed = plan.forward.iter().filter(|step| is_ours(&step.address));
        let needed: BTreeSet<Address> = needed.flat_map(|step| step.waits_for.keys().cloned()).collect();
        // What is new in the graph and in no step of ours is what our own need by their references.
        let missing: Vec<Address> = needed.intersection(&others).cloned().collect();
        if !missing.is_empty() {
            return Err(Error::NotProvisioned(missing));
        }
        let before = plan.forward.len();
        plan.forward.retain(|step| is_ours(&step.address));
        plan.cleanup.retain(|step| is_ours(&step.address));
        plan.discards.clear();
        plan.blocked.retain(|blocked| is_ours(&blocked.address));
        plan.unchanged = wanted.nodes().len().saturating_sub(plan.forward.len());
        tracing::debug!(left = before - plan.forward.len(), "steps that have nothing to do with the image");
        Ok(plan)
    }

    async fn image(&self, origin: &Origin, uri: &str, login: &RegistryLogin) -> Result<Image, Error> {
        let platform = Platform::linux(ARCHITECTURE);
        match origin {
            Origin::Archive(path) => {
                let path = path.clone();
                let read = tokio::task::spawn_blocking(move || Image::from_archive(&path, &platform)).await;
                Ok(read.map_err(|error| Fault::invalid("image", error.to_string()))??)
            }
            Origin::Registry(reference) => {
                // Of the account's own registry we are a user too.
                let own = uri.split('/').next() == Some(reference.registry.as_str());
                let registry = Arc::new(Registry::of(reference, own.then(|| as_user(login))));
                Ok(Image::from_registry(&registry, reference, &platform).await?)
            }
        }
    }
}

/// The user that ECR has given us.
fn as_user(login: &RegistryLogin) -> Login {
    Login { user: login.user.clone(), password: Secret::new(login.password.expose()) }
}

/// Where images of a component are pushed to.
fn repository_uri(state: &State, component: Component) -> Result<String, Error> {
    let outputs = Outputs::of(state);
    let uri = outputs.get(component.output()).and_then(|uri| uri.as_str()).map(str::to_owned);
    match (uri, Address::new(component.repository())) {
        (Some(uri), _) => Ok(uri),
        (None, Ok(address)) => Err(Error::NothingToDeployTo { address }),
        (None, Err(error)) => Err(Fault::invalid("address", error.to_string()).into()),
    }
}

/// What has come to run, if that is not known yet.
pub(super) fn release(config: &PartnerConfig, state: &State) -> Option<Release> {
    let what = fixed::deployed(config, state)?.to_string();
    let known = state.releases.last().is_some_and(|last| last.what == what);
    (!known).then(|| Release { what, at: Timestamp::now() })
}
