//! The secrets of an environment: listing them, and giving one another value.
//!
//! A new value is first a version that is not in force (`AWSPENDING`), then put in force wherever it counts, then `AWSCURRENT`, and then
//! the tasks are replaced, which read secrets when they start. For the database's password that is: the password and the URLs that hold
//! it get their new versions; the database takes the password; the URLs become current, the password last.
//!
//! `AWSCURRENT` of the password is what decides. Whatever is touched counts as not ready in the state until all of it is done, so after
//! a crash the next run gives the database the current password and the URLs too, which is either the old pair or the new one; and
//! another `secrets rotate` goes on with the version that is pending. What a service still has to be told is a tag of the service.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rcm_aws::{
    Aws,
    resources::{
        ecs_service::{self, Service},
        rds_instance::{self, Instance},
        secrets_secret,
        secrets_versions::{self, Look},
    },
    secret::Secret,
};
use rcm_engine::{
    model::{Address, EventKind, Fault, Id, Resource},
    run::{Engine, Options},
    store::{Phase, Record, State, StoreError, Undo},
};
use serde::Serialize;

use super::{Environment, record::word, run::end};
use crate::Error;

/// The longest text that Secrets Manager keeps, in bytes.
const LONGEST: usize = 65_536;

/// A secret, without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SecretInfo {
    /// What `rotate` and `set` take.
    pub name: String,
    /// The node.
    pub address: Address,
    /// The name in Secrets Manager.
    pub aws_name: String,
    /// The ARN.
    pub arn: String,
    /// The version that readers get.
    pub version_id: Option<String>,
    /// When anything of it has changed last.
    pub last_changed: Option<Timestamp>,
    /// Whether Secrets Manager changes it by itself.
    pub aws_rotation: bool,
    /// Whether its value is put together from other secrets, so that it can neither be rotated nor set.
    pub derived: bool,
    /// Whether a change of it was begun and did not come to its end.
    pub unfinished: bool,
}

/// A secret has another value now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Renewed {
    /// Which.
    pub name: String,
    /// The ARN.
    pub arn: String,
    /// The version that readers get now.
    pub version_id: String,
    /// The version that they got before, which is `AWSPREVIOUS` now.
    pub previous_version_id: Option<String>,
    /// What else was changed for it, in that order.
    pub with: Vec<Address>,
    /// The service whose tasks were replaced; `None` where there is none.
    pub redeployed: Option<Address>,
}

impl Environment {
    /// The secrets that rcm knows. Sends only calls that read, and asks for no value.
    pub async fn secrets(&self) -> Result<Vec<SecretInfo>, Error> {
        let state = self.state_aside().await?;
        self.check_state(&state.deployment)?;
        self.check_account().await?;
        let mut secrets = Vec::new();
        for record in secrets_in(&state) {
            let Some(arn) = &record.id else { continue };
            let look = secrets_versions::look(&self.aws, arn.as_str()).await?;
            secrets.push(SecretInfo {
                name: short(&record.address).to_owned(),
                address: record.address.clone(),
                derived: !is_generated(record),
                unfinished: record.phase != Phase::Ready,
                version_id: look.current,
                last_changed: look.last_changed,
                aws_rotation: look.rotates,
                aws_name: look.name,
                arn: look.arn,
            });
        }
        Ok(secrets)
    }

    /// Gives a secret a new value from the operating system's random source.
    ///
    /// # Errors
    /// What keeps a run from beginning does so here too; [`Error::NoSuchSecret`], and [`Error::Unfinished`] where an earlier run has to
    /// be brought to its end first. After any other, the same call goes on where this one was.
    pub async fn rotate_secret(&self, name: &str) -> Result<Renewed, Error> {
        self.renew("secrets rotate", name, None).await
    }

    /// Gives a secret this value. Errors as for [`rotate_secret`](Self::rotate_secret), and [`Error::NoSecret`] where it cannot be one.
    pub async fn set_secret(&self, name: &str, value: Secret) -> Result<Renewed, Error> {
        self.renew("secrets set", name, Some(value)).await
    }

    async fn renew(&self, verb: &str, name: &str, given: Option<Secret>) -> Result<Renewed, Error> {
        let (ledger, caller) = self.begin().await?;
        let state = ledger.state().clone();
        let renewal = Renewal::of(&state, name)?;
        renewal.check(&state, given.as_ref())?;
        let recording = self.record(verb, Some(caller.arn), Some(&state)).await?;
        let options = Options { parallelism: self.settings.parallelism, ..Options::default() };
        let engine = self.engine(options, &ledger);
        let tell = |address: &Address, what: &str| {
            self.settings.events.step(address, EventKind::Progress { message: what.to_owned() });
        };
        let result = Box::pin(renewal.run(&engine, &self.aws, given, tell)).await.map_err(Error::from);
        drop(engine);
        recording.end(result.as_ref().err().map_or("done", word), BTreeMap::new()).await;
        match (end(ledger).await, result) {
            (Err(lost @ Error::Store(StoreError::Lost(_))), _) => Err(lost),
            (_, Err(error)) => Err(error),
            (saved, Ok(renewed)) => saved.map(|_| renewed),
        }
    }
}

fn secrets_in(state: &State) -> impl Iterator<Item = &Record> {
    state.resources.values().filter(|record| record.kind == secrets_secret::Secret::KIND)
}

/// `jwt-secret` of `secrets/jwt-secret`.
fn short(address: &Address) -> &str {
    address.as_str().rsplit('/').next().unwrap_or_default()
}

fn is_generated(record: &Record) -> bool {
    record.spec["value"]["generated"].is_object()
}

/// What has to change along with a secret.
struct Renewal {
    secret: Record,
    /// The databases whose password it is.
    databases: Vec<Record>,
    /// The secrets that hold a URL with it.
    urls: Vec<Record>,
    service: Option<Record>,
}

impl Renewal {
    fn of(state: &State, name: &str) -> Result<Self, Error> {
        let is_meant = |record: &&Record| {
            [short(&record.address), record.address.as_str(), record.outputs["name"].as_str().unwrap_or_default()]
                .contains(&name)
        };
        let secret = secrets_in(state).filter(|record| is_generated(record)).find(is_meant);
        let Some(secret) = secret.cloned() else {
            let allowed = secrets_in(state).filter(|record| is_generated(record));
            return Err(Error::NoSuchSecret {
                name: name.to_owned(),
                derived: secrets_in(state).any(|record| is_meant(&record)),
                allowed: allowed.map(|record| short(&record.address).to_owned()).collect(),
            });
        };
        let it = serde_json::json!({"$ref": secret.address});
        let all = |kind: &str, of: &str| -> Vec<Record> {
            let holds = |record: &&Record| record.kind == kind && record.spec.pointer(of) == Some(&it);
            state.resources.values().filter(holds).cloned().collect()
        };
        Ok(Self {
            databases: all(Instance::KIND, "/master_password"),
            urls: all(secrets_secret::Secret::KIND, "/value/database_url/password"),
            service: state.resources.values().find(|record| record.kind == Service::KIND).cloned(),
            secret,
        })
    }

    /// Every resource that is touched, with the field that counts as changed.
    fn touched(&self) -> impl Iterator<Item = (&Record, &'static str)> {
        let databases = self.databases.iter().map(|record| (record, "master_password"));
        let urls = self.urls.iter().map(|record| (record, "value"));
        let service = self.service.iter().map(|record| (record, "secrets"));
        [(&self.secret, "value")].into_iter().chain(databases).chain(urls).chain(service)
    }

    /// Refuses what would be in the way of somebody else's work, and values that AWS would refuse half-way.
    fn check(&self, state: &State, given: Option<&Secret>) -> Result<(), Error> {
        let ours = |address: &Address| self.touched().find(|(record, _)| record.address == *address);
        let is_ours = |undo: &Undo| match undo {
            Undo::Update { before, changed: Some(changed) } => {
                ours(&before.address).is_some_and(|(_, field)| changed.iter().all(|changed| changed == field))
            }
            _ => false,
        };
        let unready = |record: &&Record| record.phase != Phase::Ready && ours(&record.address).is_none();
        let stranger = state.undo.iter().find(|undo| !is_ours(undo)).map(|undo| undo.key().0);
        if let Some(address) = stranger.or_else(|| state.records().find(unready).map(|record| &record.address)) {
            return Err(Error::Unfinished(address.clone()));
        }
        if let Some(other) = state.resources.values().find(|record| record.kind == "apprunner/service") {
            return Err(Error::NoSecret {
                name: short(&self.secret.address).to_owned(),
                why: format!(
                    "{} reads it and rcm does not replace App Runner's instances; only ECS tasks",
                    other.address
                ),
            });
        }
        given.map_or(Ok(()), |given| self.check_value(given.expose()))
    }

    fn check_value(&self, value: &str) -> Result<(), Error> {
        let no = |why: &str| Err(Error::NoSecret { name: short(&self.secret.address).to_owned(), why: why.to_owned() });
        // Master passwords of RDS for PostgreSQL: printable ASCII without these four.
        let fits = |character: char| character.is_ascii_graphic() && !"/@\"".contains(character);
        match value {
            "" => no("it is empty"),
            value if value.len() > LONGEST => no("it is longer than Secrets Manager keeps, 65536 bytes"),
            value if self.databases.is_empty() || (8..=128).contains(&value.len()) && value.chars().all(fits) => Ok(()),
            _ => no("a database takes 8 to 128 printable ASCII characters, without space, `/`, `@` and `\"`"),
        }
    }

    async fn run(
        &self,
        engine: &Engine,
        aws: &Aws,
        given: Option<Secret>,
        tell: impl Fn(&Address, &str),
    ) -> Result<Renewed, Fault> {
        let before = self.look(engine, aws, &self.secret).await?;
        // Cut off when only the tasks were still to be replaced: it is not made once more.
        let goes_on = self.secret.phase == Phase::Updating && given.is_none();
        let in_force = goes_on && before.pending.is_some() && before.pending == before.current;
        for (record, field) in self.touched() {
            engine.touch(&record.address, &[field]).await?;
        }
        let version = match before.pending.clone().filter(|_| in_force) {
            Some(version) => version,
            None => Box::pin(self.put_in_force(engine, aws, &before, given, &tell)).await?,
        };
        self.redeploy(engine, aws, &tell).await?;
        let arn = id(&self.secret)?;
        engine.send(&self.secret.address, || secrets_versions::no_longer_pending(aws, arn.as_str(), &version)).await?;
        for (record, _) in self.touched() {
            engine.settle(&record.address).await?;
        }
        engine.commit().await?;
        Ok(Renewed {
            name: short(&self.secret.address).to_owned(),
            arn: before.arn,
            previous_version_id: before.current.filter(|previous| *previous != version),
            version_id: version,
            with: self.databases.iter().chain(&self.urls).map(|record| record.address.clone()).collect(),
            redeployed: self.service.as_ref().map(|service| service.address.clone()),
        })
    }

    async fn look(&self, engine: &Engine, aws: &Aws, record: &Record) -> Result<Look, Fault> {
        let arn = id(record)?;
        engine.send(&record.address, || secrets_versions::look(aws, arn.as_str())).await
    }

    /// Everything but the tasks. At each call between, what is current is a pair that works, or is made one by the next run.
    async fn put_in_force(
        &self,
        engine: &Engine,
        aws: &Aws,
        before: &Look,
        given: Option<Secret>,
        tell: &impl Fn(&Address, &str),
    ) -> Result<String, Fault> {
        let (version, value) = self.pending(engine, aws, before, given).await?;
        let mut urls = Vec::new();
        for record in &self.urls {
            let look = self.look(engine, aws, record).await?;
            let url = secrets_versions::url(&record.inputs["value"], &value)?;
            urls.push((record, pend(engine, aws, record, &look, &url).await?, look.current));
        }
        if let Some(service) = &self.service {
            let service_id = id(service)?;
            engine.send(&service.address, || ecs_service::ask_for_redeployment(aws, service_id)).await?;
        }
        for database in &self.databases {
            tell(&database.address, "takes the new password");
            let database_id = id(database)?;
            engine.send(&database.address, || rds_instance::set_password(aws, database_id, &value)).await?;
            engine.ready(&database.address).await?;
        }
        for (record, version, current) in &urls {
            promote(engine, aws, record, version, current.as_deref()).await?;
        }
        promote(engine, aws, &self.secret, &version, before.current.as_deref()).await?;
        tell(&self.secret.address, "has its new value");
        Ok(version)
    }

    /// The version that is to come into force: the one that an earlier call has made, if it has not.
    async fn pending(
        &self,
        engine: &Engine,
        aws: &Aws,
        before: &Look,
        given: Option<Secret>,
    ) -> Result<(String, Secret), Fault> {
        let begun = before.pending.as_ref().filter(|pending| Some(*pending) != before.current.as_ref());
        let value = match (given, begun) {
            (None, Some(begun)) => {
                let arn = id(&self.secret)?;
                let value =
                    engine.send(&self.secret.address, || secrets_versions::value(aws, arn.as_str(), begun)).await?;
                return Ok((begun.clone(), value));
            }
            (Some(given), _) => given,
            (None, None) => Secret::generate(self.length())?,
        };
        Ok((pend(engine, aws, &self.secret, before, &value).await?, value))
    }

    fn length(&self) -> usize {
        self.secret.spec["value"]["generated"]["length"]
            .as_u64()
            .and_then(|length| length.try_into().ok())
            .unwrap_or(48)
    }

    /// Replaces the tasks, and waits until the new ones run.
    async fn redeploy(&self, engine: &Engine, aws: &Aws, tell: &impl Fn(&Address, &str)) -> Result<(), Fault> {
        let Some(service) = &self.service else { return Ok(()) };
        tell(&service.address, "replaces its tasks");
        let service_id = id(service)?;
        // Asked for again: an earlier run may have done it before the value was in force.
        engine.send(&service.address, || ecs_service::ask_for_redeployment(aws, service_id)).await?;
        engine.settle(&service.address).await
    }
}

/// A version with this value that is not in force yet, made unless it is there.
async fn pend(engine: &Engine, aws: &Aws, record: &Record, look: &Look, value: &Secret) -> Result<String, Fault> {
    let arn = id(record)?;
    if let Some(pending) = look.pending.as_ref().filter(|pending| Some(*pending) != look.current.as_ref()) {
        let there = engine.send(&record.address, || secrets_versions::value(aws, arn.as_str(), pending)).await?;
        if there.expose() == value.expose() {
            return Ok(pending.clone());
        }
    }
    engine.send(&record.address, || secrets_versions::put_pending(aws, arn.as_str(), value)).await
}

async fn promote(
    engine: &Engine,
    aws: &Aws,
    record: &Record,
    version: &str,
    current: Option<&str>,
) -> Result<(), Fault> {
    if current == Some(version) {
        return Ok(());
    }
    let arn = id(record)?;
    engine.send(&record.address, || secrets_versions::promote(aws, arn.as_str(), version, current)).await
}

fn id(record: &Record) -> Result<&Id, Fault> {
    record.id.as_ref().ok_or_else(|| Fault::invalid("state", format!("{} has no id", record.address)))
}
