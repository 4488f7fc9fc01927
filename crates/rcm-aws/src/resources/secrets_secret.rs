//! A secret: text that only Secrets Manager keeps.
//!
//! API: [CreateSecret](https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html),
//! [DeleteSecret](https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html),
//! [PutResourcePolicy](https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutResourcePolicy.html),
//! [RotateSecret](https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html).
//!
//! Surprises: a deleted secret keeps its name until its recovery window ends, so `create` answers that it exists; `find` then
//! returns ours, deleted or not, and `configure` restores it with the value that it had. ListSecrets may lack what changed
//! in the last five minutes, so one that it does not mention is asked for by itself. The ARN ends in six random
//! characters. A value that was generated once is never generated again, whatever the spec says. Setting a schedule of rotation
//! rotates at once unless it is told not to, and then the function is only tried; cancelling it keeps function and schedule on
//! display, switched off.

use std::collections::HashMap;

use aws_sdk_secretsmanager::{
    operation::describe_secret::DescribeSecretOutput,
    types::{Filter, FilterNameStringType, RotationRulesType, SecretListEntry, Tag},
};
use futures::future::try_join_all;
use rcm_engine::model::{Actions, Deployment, Fault, Holds, Id, Known, Observed, Owned, Ref, Resource};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    batch::{each, in_order, stems},
    kms_key::Key,
    policy::Policy,
};
use crate::{
    Aws,
    classify::{absent, fault, missing},
    identity, secret,
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// The longest name.
pub(crate) const NAME_LIMIT: usize = 512;
/// How long a deleted secret can still be restored: the longest that Secrets Manager allows.
const RECOVERY_DAYS: u32 = 30;
/// The stage of the version that readers get.
pub(super) const CURRENT: &str = "AWSCURRENT";

/// What a secret should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The name (`acme-rcm/jwt-secret`). Part of the id, so it cannot drift.
    pub name: String,
    /// What people read in the console.
    pub description: String,
    /// What the value is encrypted with.
    pub kms_key: Ref<Key>,
    /// Where the value comes from.
    pub value: Source,
    /// Who may do what with it, over what IAM allows; nobody says if `None`.
    #[serde(default)]
    pub policy: Option<Policy>,
    /// Who changes the value, and how often; nobody does by himself if `None`.
    #[serde(default)]
    pub rotation: Option<Rotation>,
}

/// A schedule by which Secrets Manager has a function change the value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// The ARN of the Lambda function.
    pub function: String,
    /// Every how many days, 1 to 1000.
    pub days: i64,
}

/// Where the value of a secret comes from. Never the value itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Source {
    /// Letters and digits from the operating system's random source, made once.
    Generated {
        /// How many.
        length: usize,
    },
    /// `postgresql://user:password@host:port/database?sslmode=require`.
    DatabaseUrl {
        /// The host name: text, or a reference to an output that is.
        host: Value,
        /// The port: a number, or a reference to an output that is.
        port: Value,
        /// The user's name.
        user: String,
        /// The database's name.
        database: String,
        /// The user's password.
        password: Ref<Secret>,
    },
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `arn:aws:secretsmanager:…:secret:…-AbCdEf`
    pub secret_arn: String,
    /// The name that it has in AWS.
    pub name: String,
    /// Which version of the value readers get.
    pub version_id: Option<String>,
}

/// A secret.
pub struct Secret;

impl Resource for Secret {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "secretsmanager/secret";
    const REPLACE_ON: &'static [&'static str] = &["name"];
    const TAGGED: bool = true;
    const HOLDS_DATA: bool = true;

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let value = make(cx, &spec.value).await?;
        let request = cx.cloud.secrets.create_secret().client_request_token(&cx.identity.token);
        let request = request.name(name(cx, spec)).description(&spec.description).secret_string(value.expose());
        let request = request.kms_key_id(cx.id(&spec.kms_key)?.as_str()).set_tags(Some(tags(cx)));
        let answer = request.send().await.map_err(fault("secretsmanager", "CreateSecret"))?;
        answer.arn().map(Id::from).ok_or_else(|| missing("secretsmanager", "CreateSecret", "ARN"))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        let live = Live::from(describe(cx.cloud, id.as_str()).await?);
        if live.deleted {
            let request = cx.cloud.secrets.restore_secret().secret_id(id.as_str());
            request.send().await.map_err(fault("secretsmanager", "RestoreSecret"))?;
        }
        let key = cx.id(&spec.kms_key)?;
        let planned = !cx.creating() && (cx.changes("description") || cx.changes("kms_key"));
        if planned || live.description != spec.description || live.kms_key.as_deref() != Some(key.as_str()) {
            let request = cx.cloud.secrets.update_secret().secret_id(id.as_str());
            let request = request.description(&spec.description).kms_key_id(key.as_str());
            request.send().await.map_err(fault("secretsmanager", "UpdateSecret"))?;
        }
        if cx.changes("policy") {
            set_policy(cx, id, spec.policy.as_ref()).await?;
        }
        match spec.value {
            Source::Generated { .. } if live.version_id.is_some() => {}
            Source::DatabaseUrl { .. } if !cx.changes("value") => {}
            _ => put_if_different(cx, id, &spec.value).await?,
        }
        if cx.changes("rotation") { rotate(cx, id, live.rotation.as_ref(), spec.rotation.as_ref()).await } else { Ok(()) }
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let live = absent(describe(cx.cloud, id.as_str()).await)?.map(Live::from);
        match live.filter(|live| !live.deleted) {
            Some(live) if cx.reads_everything() => Ok(Some(live.observed().see("policy", policy(cx, id).await?))),
            live => Ok(live.map(|live| live.observed())),
        }
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        let Some(Known { cx, .. }) = known.first() else { return Ok(Vec::new()) };
        if cx.reads_everything() {
            return each::<Self>(known).await;
        }
        let stems = stems(known.iter().map(|known| name_in(known.id)), &cx.identity.deployment.project);
        let live = try_join_all(stems.into_iter().map(|stem| list(cx.cloud, stem))).await?;
        let live: Vec<_> = live.into_iter().flatten().map(Live::from).filter(|live| !live.deleted).collect();
        let ids: Vec<_> = known.iter().map(|known| known.id).collect();
        let mut seen = in_order(&ids, live, |live| Some(live.arn.as_str()), Live::observed);
        for (known, seen) in known.iter().zip(&mut seen).filter(|(_, seen)| seen.is_none()) {
            *seen = Self::read(&known.cx, known.id).await?;
        }
        Ok(seen)
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let Some(secret) = absent(describe(cx.cloud, &name(cx, spec)).await)? else { return Ok(None) };
        Ok(secret.arn().filter(|_| identity::owns(cx.identity, pairs(secret.tags()))).map(Id::from))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let request = cx.cloud.secrets.delete_secret().secret_id(id.as_str());
        let request = match cx.purges() {
            true => request.force_delete_without_recovery(true),
            false => request.recovery_window_in_days(RECOVERY_DAYS.into()),
        };
        request.send().await.map(drop).map_err(fault("secretsmanager", "DeleteSecret"))
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let filter = |key, value: &str| Filter::builder().key(key).values(value).build();
        let request = aws.secrets.list_secrets().filters(filter(FilterNameStringType::TagKey, identity::PARTNER));
        let request = request.filters(filter(FilterNameStringType::TagValue, &deployment.partner)).max_results(100);
        let pages = request.into_paginator().send().collect::<Result<Vec<_>, _>>().await;
        let pages = pages.map_err(fault("secretsmanager", "ListSecrets"))?;
        let all = pages.iter().flat_map(|page| page.secret_list()).filter(|secret| secret.deleted_date().is_none());
        Ok(all.filter_map(|secret| identity::belongs(deployment, secret.arn()?, pairs(secret.tags()))).collect())
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        identity::unclaimed(cx.identity, pairs(describe(cx.cloud, id.as_str()).await?.tags()))?;
        let request = cx.cloud.secrets.tag_resource().secret_id(id.as_str()).set_tags(Some(tags(cx)));
        request.send().await.map(drop).map_err(fault("secretsmanager", "TagResource"))
    }

    fn fits(cx: &Cx<'_>, id: &Id, spec: &Spec) -> bool {
        name_in(id) == name(cx, spec)
    }

    /// A URL is put together from what is elsewhere.
    fn holds(applied: &Spec, _: &Map<String, Value>) -> Holds {
        match applied.value {
            Source::Generated { .. } => Holds::Data,
            Source::DatabaseUrl { .. } => Holds::Nothing,
        }
    }

    fn recoverable_days(purge: bool) -> u32 {
        if purge { 0 } else { RECOVERY_DAYS }
    }

    fn actions() -> Actions {
        Actions {
            write: &[
                "kms:Decrypt",
                "kms:GenerateDataKey",
                // Secrets Manager tries the function of a rotation on the caller's behalf.
                "lambda:InvokeFunction",
                "secretsmanager:CancelRotateSecret",
                "secretsmanager:CreateSecret",
                "secretsmanager:DeleteResourcePolicy",
                "secretsmanager:DescribeSecret",
                "secretsmanager:GetSecretValue",
                "secretsmanager:PutResourcePolicy",
                "secretsmanager:PutSecretValue",
                "secretsmanager:RestoreSecret",
                "secretsmanager:RotateSecret",
                "secretsmanager:TagResource",
                "secretsmanager:UpdateSecret",
                // A rotation moves the labels of its versions.
                "secretsmanager:UpdateSecretVersionStage",
            ],
            read: &[
                "secretsmanager:DescribeSecret",
                "secretsmanager:GetResourcePolicy",
                "secretsmanager:ListSecrets",
            ],
            delete: &["secretsmanager:DeleteSecret"],
        }
    }
}

/// The current value of the secret with that ARN; a `NotFound` if it has none.
pub(crate) async fn value(aws: &Aws, arn: &str) -> Result<secret::Secret, Fault> {
    let request = aws.secrets.get_secret_value().secret_id(arn);
    let answer = request.send().await.map_err(fault("secretsmanager", "GetSecretValue"))?;
    let text = answer.secret_string().ok_or_else(|| missing("secretsmanager", "GetSecretValue", "SecretString"))?;
    Ok(secret::Secret::new(text))
}

/// What is known of a secret without its value.
struct Live {
    arn: String,
    name: String,
    description: String,
    kms_key: Option<String>,
    version_id: Option<String>,
    rotation: Option<Rotation>,
    deleted: bool,
}

impl Live {
    fn observed(&self) -> Observed<Outputs> {
        let (secret_arn, name) = (self.arn.clone(), self.name.clone());
        Observed::new(Outputs { secret_arn, name, version_id: self.version_id.clone() })
            .see("description", &self.description)
            .see("kms_key", &self.kms_key)
            .see("rotation", &self.rotation)
    }
}

impl From<DescribeSecretOutput> for Live {
    fn from(secret: DescribeSecretOutput) -> Self {
        Self {
            version_id: current(secret.version_ids_to_stages()),
            rotation: rotation(secret.rotation_enabled(), secret.rotation_lambda_arn(), secret.rotation_rules()),
            deleted: secret.deleted_date().is_some(),
            arn: secret.arn.unwrap_or_default(),
            name: secret.name.unwrap_or_default(),
            description: secret.description.unwrap_or_default(),
            kms_key: secret.kms_key_id,
        }
    }
}

impl From<SecretListEntry> for Live {
    fn from(secret: SecretListEntry) -> Self {
        Self {
            version_id: current(secret.secret_versions_to_stages()),
            rotation: rotation(secret.rotation_enabled(), secret.rotation_lambda_arn(), secret.rotation_rules()),
            deleted: secret.deleted_date().is_some(),
            arn: secret.arn.unwrap_or_default(),
            name: secret.name.unwrap_or_default(),
            description: secret.description.unwrap_or_default(),
            kms_key: secret.kms_key_id,
        }
    }
}

/// The version in the stage that readers get.
fn current(stages: Option<&HashMap<String, Vec<String>>>) -> Option<String> {
    let is_current = |(_, stages): &(&String, &Vec<String>)| stages.iter().any(|stage| stage == CURRENT);
    stages?.iter().find(is_current).map(|(version, _)| version.clone())
}

fn name(cx: &Cx<'_>, spec: &Spec) -> String {
    identity::physical_name(cx.identity, &spec.name, NAME_LIMIT)
}

/// The name inside an ARN: what stands between `:secret:` and the six random characters.
fn name_in(arn: &Id) -> &str {
    let tail = arn.as_str().rsplit(':').next().unwrap_or_default();
    tail.rsplit_once('-').map_or(tail, |(name, _)| name)
}

/// Looks at a secret by ARN or name, deleted or not.
pub(super) async fn describe(aws: &Aws, secret: &str) -> Result<DescribeSecretOutput, Fault> {
    aws.secrets.describe_secret().secret_id(secret).send().await.map_err(fault("secretsmanager", "DescribeSecret"))
}

/// All secrets whose names begin with `stem`, but for deleted ones.
async fn list(aws: &Aws, stem: &str) -> Result<Vec<SecretListEntry>, Fault> {
    let filter = Filter::builder().key(FilterNameStringType::Name).values(stem).build();
    let pages = aws.secrets.list_secrets().filters(filter).max_results(100).into_paginator().send();
    let pages = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("secretsmanager", "ListSecrets"))?;
    Ok(pages.into_iter().flat_map(|page| page.secret_list.unwrap_or_default()).collect())
}

/// A new secret has no policy, so there is nothing to take away from it.
async fn set_policy(cx: &Cx<'_>, id: &Id, policy: Option<&Policy>) -> Result<(), Fault> {
    let Some(policy) = policy else {
        if cx.creating() {
            return Ok(());
        }
        let request = cx.cloud.secrets.delete_resource_policy().secret_id(id.as_str());
        return request.send().await.map(drop).map_err(fault("secretsmanager", "DeleteResourcePolicy"));
    };
    let request = cx.cloud.secrets.put_resource_policy().secret_id(id.as_str()).resource_policy(policy.text(cx)?);
    let request = request.block_public_policy(true);
    request.send().await.map(drop).map_err(fault("secretsmanager", "PutResourcePolicy"))
}

async fn policy(cx: &Cx<'_>, id: &Id) -> Result<Option<Policy>, Fault> {
    let request = cx.cloud.secrets.get_resource_policy().secret_id(id.as_str());
    let answer = request.send().await.map_err(fault("secretsmanager", "GetResourcePolicy"))?;
    Ok(answer.resource_policy().map(Policy::parse))
}

/// A schedule that is in force.
fn rotation(enabled: Option<bool>, function: Option<&str>, rules: Option<&RotationRulesType>) -> Option<Rotation> {
    let function = function.filter(|_| enabled == Some(true))?.to_owned();
    // A schedule that somebody has written as an expression has no days: none that a spec could say.
    Some(Rotation { function, days: rules.and_then(RotationRulesType::automatically_after_days).unwrap_or_default() })
}

/// Brings the schedule in line, and rotates nothing: what runs has the value that it was started with.
async fn rotate(cx: &Cx<'_>, id: &Id, live: Option<&Rotation>, wanted: Option<&Rotation>) -> Result<(), Fault> {
    let secrets = &cx.cloud.secrets;
    match wanted {
        wanted if wanted == live => Ok(()),
        Some(Rotation { function, days }) => {
            let request = secrets.rotate_secret().secret_id(id.as_str()).rotation_lambda_arn(function);
            let rules = RotationRulesType::builder().automatically_after_days(*days).build();
            let request = request.rotation_rules(rules).rotate_immediately(false);
            request.send().await.map(drop).map_err(fault("secretsmanager", "RotateSecret"))
        }
        None => {
            let request = secrets.cancel_rotate_secret().secret_id(id.as_str());
            request.send().await.map(drop).map_err(fault("secretsmanager", "CancelRotateSecret"))
        }
    }
}

/// The value that `source` stands for now.
async fn make(cx: &Cx<'_>, source: &Source) -> Result<secret::Secret, Fault> {
    match source {
        Source::Generated { length } => secret::Secret::generate(*length),
        Source::DatabaseUrl { host, port, user, database, password } => {
            let password = value(cx.cloud, cx.id(password)?.as_str()).await?;
            let (host, port) = (plain(&cx.resolve(host)?), plain(&cx.resolve(port)?));
            Ok(database_url(user, &password, &host, &port, database))
        }
    }
}

pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

pub(super) fn database_url(user: &str, password: &secret::Secret, host: &str, port: &str, database: &str) -> secret::Secret {
    let (user, password) = (urlencoding::encode(user), urlencoding::encode(password.expose()));
    secret::Secret::new(format!("postgresql://{user}:{password}@{host}:{port}/{database}?sslmode=require"))
}

async fn put_if_different(cx: &Cx<'_>, id: &Id, source: &Source) -> Result<(), Fault> {
    let wanted = make(cx, source).await?;
    let current = absent(value(cx.cloud, id.as_str()).await)?;
    if current.is_some_and(|current| current.expose() == wanted.expose()) {
        return Ok(());
    }
    let request = cx.cloud.secrets.put_secret_value().secret_id(id.as_str()).secret_string(wanted.expose());
    request.send().await.map(drop).map_err(fault("secretsmanager", "PutSecretValue"))
}

fn tags(cx: &Cx<'_>) -> Vec<Tag> {
    let tags = identity::tags(cx.identity).into_iter();
    tags.map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

fn pairs(tags: &[Tag]) -> impl Iterator<Item = (&str, &str)> {
    tags.iter().filter_map(|tag| Some((tag.key()?, tag.value()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_in_the_arn() {
        let id = Id::from("arn:aws:secretsmanager:us-east-1:123456789012:secret:acme-rcm/jwt-secret-AbCdEf");
        assert_eq!(name_in(&id), "acme-rcm/jwt-secret");
    }

    #[test]
    fn a_database_url_wants_tls_and_survives_odd_passwords() {
        let url = database_url("rcm", &secret::Secret::new("a/b@c"), "db.example.com", "5432", "rcm");
        assert_eq!(url.expose(), "postgresql://rcm:a%2Fb%40c@db.example.com:5432/rcm?sslmode=require");
    }

    #[test]
    fn only_the_current_version_counts() {
        let stages = |stage: &str| HashMap::from([("v1".to_owned(), vec![stage.to_owned()])]);
        assert_eq!(current(Some(&stages("AWSCURRENT"))).as_deref(), Some("v1"));
        assert_eq!(current(Some(&stages("AWSPENDING"))), None);
        assert_eq!(current(None), None);
    }

    #[test]
    fn a_schedule_counts_only_while_it_is_in_force() {
        let rules = RotationRulesType::builder().automatically_after_days(30).build();
        let function = "arn:aws:lambda:us-east-1:123456789012:function:rotate";
        let on = rotation(Some(true), Some(function), Some(&rules));
        assert_eq!(on, Some(Rotation { function: function.into(), days: 30 }));
        assert_eq!(rotation(Some(false), Some(function), Some(&rules)), None);
        assert_eq!(rotation(None, None, None), None);
    }

    #[test]
    fn a_port_may_be_a_number_or_text() {
        assert_eq!(plain(&Value::from(5432)), "5432");
        assert_eq!(plain(&Value::from("5432")), "5432");
    }
}
