//! A customer managed key: encrypts everything that the partner keeps.
//!
//! API: [CreateKey](https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateKey.html),
//! [ScheduleKeyDeletion](https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html),
//! [CancelKeyDeletion](https://docs.aws.amazon.com/kms/latest/APIReference/API_CancelKeyDeletion.html).
//!
//! Surprises: CreateKey takes no client token, and until its alias exists a key has no name: after a lost answer all keys of
//! the account are looked through for our tags. KMS is eventually consistent for minutes, policies and aliases too. A key
//! cannot be deleted, only scheduled for deletion in 7 to 30 days. One that rcm has scheduled is gone as far as rcm is concerned,
//! and a later deployment gets a new one. One that somebody else has scheduled under rcm's feet can still be saved, and with it
//! everything that is encrypted under it: it is not looked for, but the one that the state knows is read, and its deletion
//! cancelled, which leaves it disabled. While it waits, KMS tells that it is not rotated. The alias moves separately and must go first, or it would keep its name from the
//! successor. The policy goes in with the create: a key that its own account may not administer stays forever.

use std::pin::pin;

use aws_sdk_kms::types::{KeyMetadata, KeyState, Tag};
use aws_smithy_types::date_time::Format;
use futures::{StreamExt, TryStreamExt, stream, try_join};
use rcm_engine::model::{Actions, Deployment, Fault, FaultKind, Id, Observed, OnDestroy, Owned, Resource};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::policy::Policy;
use crate::{
    Aws,
    classify::{absent, fault, gone, missing, unbuilt},
    identity,
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// The longest alias, `alias/` included.
pub(crate) const ALIAS_LIMIT: usize = 256;
/// How long a deleted key can still be rescued: the longest that KMS allows.
const RESCUE_DAYS: i32 = 30;
/// How many keys are asked for their tags at a time.
const LOOKS_AT_ONCE: usize = 8;

/// What a key should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The alias, with its `alias/`.
    pub alias: String,
    /// What people read in the console.
    pub description: String,
    /// After how many days KMS makes new key material, 90 to 2560. Old material goes on decrypting what it encrypted.
    pub rotation_days: u16,
    /// The key policy. It has to let the account itself administer the key.
    pub policy: Policy,
    /// Whether it encrypts and decrypts: always. One that does not, and one that waits for its deletion, takes the database away.
    pub enabled: bool,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `arn:aws:kms:…:key/…`
    pub key_arn: String,
    /// The UUID at the end of the ARN.
    pub key_id: String,
}

/// A customer managed key.
pub struct Key;

impl Resource for Key {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "kms/key";
    const REPLACE_ON: &'static [&'static str] = &[];
    const TAGGED: bool = true;
    const HOLDS_DATA: bool = true;
    const ON_DESTROY: OnDestroy = OnDestroy::Retain;

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let request = cx.cloud.kms.create_key().description(&spec.description).policy(spec.policy.text(cx)?);
        let request = request.set_tags(Some(tags(cx)?));
        let answer = request.send().await.map_err(fault("kms", "CreateKey"))?;
        let arn = answer.key_metadata().and_then(|key| key.arn());
        arn.map(Id::from).ok_or_else(|| missing("kms", "CreateKey", "Arn"))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        let kms = &cx.cloud.kms;
        // First: nothing else can be changed of a key that waits for its deletion, nor its rotation while it is disabled.
        if cx.changes("enabled") && !cx.creating() {
            enable(cx, id).await?;
        }
        if cx.changes("description") {
            let request = kms.update_key_description().key_id(id.as_str()).description(&spec.description);
            request.send().await.map_err(fault("kms", "UpdateKeyDescription"))?;
        }
        if cx.changes("policy") {
            let request = kms.put_key_policy().policy_name("default").key_id(id.as_str()).policy(spec.policy.text(cx)?);
            request.send().await.map_err(fault("kms", "PutKeyPolicy"))?;
        }
        if cx.changes("rotation_days") {
            let request = kms.enable_key_rotation().key_id(id.as_str());
            let request = request.rotation_period_in_days(spec.rotation_days.into());
            request.send().await.map_err(fault("kms", "EnableKeyRotation"))?;
        }
        if cx.changes("alias") {
            name(cx, id, &alias(cx, spec)).await?;
        }
        Ok(())
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let Some(key) = metadata(cx.cloud, id.as_str()).await? else { return Ok(None) };
        let outputs = Outputs { key_arn: id.to_string(), key_id: key.key_id().to_owned() };
        let seen = Observed::new(outputs).see("description", key.description().unwrap_or_default());
        let seen = seen.see("enabled", enabled(&key));
        if !cx.reads_everything() {
            return Ok(Some(seen));
        }
        let (rotation, policy, aliases) = try_join!(rotation(cx, id), policy(cx, id), aliases(cx.cloud, id))?;
        let seen = seen.see("policy", policy);
        let seen = match rotation {
            Rotation::Off => seen.see("rotation_days", None::<i32>),
            Rotation::Every(days) => seen.see("rotation_days", days),
            Rotation::OnButUnknown => seen,
        };
        // With several aliases there is no telling which of them is the spec's.
        Ok(Some(match aliases.as_slice() {
            [] => seen.see("alias", None::<&str>),
            [one] => seen.see("alias", base(one, cx.identity.generation)),
            _ => seen,
        }))
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        if let Some(key) = describe(cx.cloud, &alias(cx, spec)).await?
            && let Some(arn) = key.arn()
            && ours(cx, arn).await?
        {
            return Ok(Some(Id::from(arn)));
        }
        find_by_tags(cx).await
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        for alias in aliases(cx.cloud, id).await? {
            remove_alias(cx.cloud, &alias).await?;
        }
        let request = cx.cloud.kms.schedule_key_deletion().key_id(key_id(id)).pending_window_in_days(RESCUE_DAYS);
        request.send().await.map(drop).map_err(fault("kms", "ScheduleKeyDeletion"))
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let looks = stream::iter(all(aws).await?).map(|arn| async move {
            let tags = tags_of(aws, &arn).await?;
            let pairs = tags.iter().map(|tag| (tag.tag_key(), tag.tag_value()));
            let Some(owned) = identity::belongs(deployment, arn.as_str(), pairs) else { return Ok(None) };
            Ok::<_, Fault>(can_be_had(aws, &owned.id).await?.then_some(owned))
        });
        let found: Vec<_> = looks.buffer_unordered(LOOKS_AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let live = tags_of(cx.cloud, id.as_str()).await?;
        identity::unclaimed(cx.identity, live.iter().map(|tag| (tag.tag_key(), tag.tag_value())))?;
        let request = cx.cloud.kms.tag_resource().key_id(id.as_str()).set_tags(Some(tags(cx)?));
        request.send().await.map(drop).map_err(fault("kms", "TagResource"))
    }

    fn effect(field: &str, before: &Value, _: &Value) -> Option<&'static str> {
        let waits = field == "enabled" && before.is_string();
        waits.then_some("its deletion is cancelled, before everything that is encrypted under it is lost")
    }

    fn recoverable_days(_: bool) -> u32 {
        RESCUE_DAYS.unsigned_abs()
    }

    fn actions() -> Actions {
        Actions {
            write: &[
                "kms:CancelKeyDeletion",
                "kms:CreateAlias",
                "kms:CreateKey",
                "kms:DeleteAlias",
                "kms:EnableKey",
                "kms:EnableKeyRotation",
                "kms:PutKeyPolicy",
                "kms:TagResource",
                "kms:UpdateKeyDescription",
            ],
            read: &[
                "kms:DescribeKey",
                "kms:GetKeyPolicy",
                "kms:GetKeyRotationStatus",
                "kms:ListAliases",
                "kms:ListKeys",
                "kms:ListResourceTags",
            ],
            delete: &["kms:DeleteAlias", "kms:ListAliases", "kms:ScheduleKeyDeletion"],
        }
    }
}

/// The alias that this generation of the key goes by.
fn alias(cx: &Cx<'_>, spec: &Spec) -> String {
    identity::physical_name(cx.identity, &spec.alias, ALIAS_LIMIT)
}

/// The alias as a spec would say it.
fn base(alias: &str, generation: u32) -> &str {
    let suffix = format!("-g{generation}");
    alias.strip_suffix(&suffix).filter(|_| generation > 1).unwrap_or(alias)
}

/// The last part of the ARN.
fn key_id(id: &Id) -> &str {
    id.as_str().rsplit('/').next().unwrap_or_default()
}

fn tags(cx: &Cx<'_>) -> Result<Vec<Tag>, Fault> {
    let tags = identity::tags(cx.identity).into_iter();
    let tags = tags.map(|(key, value)| Tag::builder().tag_key(key).tag_value(value).build());
    tags.collect::<Result<_, _>>().map_err(unbuilt("kms", "CreateKey"))
}

/// Gives the key its alias, and then takes away those that it went by before.
async fn name(cx: &Cx<'_>, id: &Id, wanted: &str) -> Result<(), Fault> {
    let existing = aliases(cx.cloud, id).await?;
    if !existing.iter().any(|alias| alias == wanted) {
        create_alias(cx.cloud, id, wanted).await?;
    }
    for old in existing.iter().filter(|alias| *alias != wanted) {
        remove_alias(cx.cloud, old).await?;
    }
    Ok(())
}

/// ListAliases may not show an alias that was made a moment ago, so one that exists is asked where it points.
async fn create_alias(aws: &Aws, id: &Id, alias: &str) -> Result<(), Fault> {
    let answer = aws.kms.create_alias().alias_name(alias).target_key_id(key_id(id)).send().await;
    match answer.map_err(fault("kms", "CreateAlias")) {
        Err(fault) if fault.kind == FaultKind::Exists => {
            let target = describe(aws, alias).await?;
            target.filter(|key| key.key_id() == key_id(id)).map(drop).ok_or(fault)
        }
        other => other.map(drop),
    }
}

async fn remove_alias(aws: &Aws, alias: &str) -> Result<(), Fault> {
    let answer = aws.kms.delete_alias().alias_name(alias).send().await;
    answer.map(drop).map_err(fault("kms", "DeleteAlias")).or_else(gone)
}

/// The names that the key goes by.
async fn aliases(aws: &Aws, id: &Id) -> Result<Vec<String>, Fault> {
    let pages = aws.kms.list_aliases().key_id(key_id(id)).into_paginator().items().send();
    let aliases = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("kms", "ListAliases"))?;
    Ok(aliases.into_iter().filter_map(|alias| alias.alias_name).collect())
}

/// The key of that ARN, id or alias, unless it is gone or going.
async fn describe(aws: &Aws, key: &str) -> Result<Option<KeyMetadata>, Fault> {
    Ok(metadata(aws, key).await?.filter(|key| !is_going(key)))
}

/// The key of that ARN, id or alias, also when it waits for its deletion.
async fn metadata(aws: &Aws, key: &str) -> Result<Option<KeyMetadata>, Fault> {
    let answer = aws.kms.describe_key().key_id(key).send().await.map_err(fault("kms", "DescribeKey"));
    Ok(absent(answer)?.and_then(|answer| answer.key_metadata))
}

fn is_going(key: &KeyMetadata) -> bool {
    matches!(key.key_state(), Some(KeyState::PendingDeletion | KeyState::PendingReplicaDeletion))
}

/// Whether it is there, or could be had back: rcm takes the names of a key away before it schedules its deletion, and nobody else does.
async fn can_be_had(aws: &Aws, id: &Id) -> Result<bool, Fault> {
    Ok(match metadata(aws, id.as_str()).await? {
        Some(key) => !is_going(&key) || !aliases(aws, id).await?.is_empty(),
        None => false,
    })
}

/// Whether it is enabled, as a spec says it; and where it is about to be deleted, when.
fn enabled(key: &KeyMetadata) -> Value {
    if !is_going(key) {
        return (key.key_state() != Some(&KeyState::Disabled)).into();
    }
    let day = key.deletion_date().and_then(|date| date.fmt(Format::DateTime).ok());
    let day = day.and_then(|date| date.split_once('T').map(|(day, _)| day.to_owned()));
    format!("to be deleted by AWS on {}", day.as_deref().unwrap_or("an unknown day")).into()
}

/// Saves a key that somebody has disabled or scheduled for deletion.
async fn enable(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
    let Some(key) = metadata(cx.cloud, id.as_str()).await? else {
        return Err(missing("kms", "DescribeKey", "KeyMetadata"));
    };
    if is_going(&key) {
        let request = cx.cloud.kms.cancel_key_deletion().key_id(key_id(id));
        request.send().await.map_err(fault("kms", "CancelKeyDeletion"))?;
    }
    if is_going(&key) || key.key_state() == Some(&KeyState::Disabled) {
        cx.cloud.kms.enable_key().key_id(key_id(id)).send().await.map_err(fault("kms", "EnableKey"))?;
    }
    Ok(())
}

enum Rotation {
    Off,
    Every(i32),
    OnButUnknown,
}

async fn rotation(cx: &Cx<'_>, id: &Id) -> Result<Rotation, Fault> {
    let request = cx.cloud.kms.get_key_rotation_status().key_id(id.as_str());
    let answer = request.send().await.map_err(fault("kms", "GetKeyRotationStatus"))?;
    Ok(match (answer.key_rotation_enabled(), answer.rotation_period_in_days()) {
        (false, _) => Rotation::Off,
        (true, Some(days)) => Rotation::Every(days),
        (true, None) => Rotation::OnButUnknown,
    })
}

async fn policy(cx: &Cx<'_>, id: &Id) -> Result<Policy, Fault> {
    let request = cx.cloud.kms.get_key_policy().policy_name("default").key_id(id.as_str());
    let answer = request.send().await.map_err(fault("kms", "GetKeyPolicy"))?;
    Ok(Policy::parse(answer.policy().unwrap_or_default()))
}

/// The ARNs of all keys of the account and region.
async fn all(aws: &Aws) -> Result<Vec<String>, Fault> {
    let pages = aws.kms.list_keys().limit(1000).into_paginator().items().send();
    let keys = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("kms", "ListKeys"))?;
    Ok(keys.into_iter().filter_map(|key| key.key_arn).collect())
}

/// Looks through all keys of the account and region.
async fn find_by_tags(cx: &Cx<'_>) -> Result<Option<Id>, Fault> {
    let looks = stream::iter(all(cx.cloud).await?).map(|arn| async move { Ok(usable(cx, &arn).await?.then(|| Id::from(arn))) });
    let found = looks.buffer_unordered(LOOKS_AT_ONCE).try_filter_map(|found| async move { Ok(found) });
    pin!(found).try_next().await
}

async fn usable(cx: &Cx<'_>, arn: &str) -> Result<bool, Fault> {
    Ok(ours(cx, arn).await? && describe(cx.cloud, arn).await?.is_some())
}

/// Whether the key carries our tags.
async fn ours(cx: &Cx<'_>, arn: &str) -> Result<bool, Fault> {
    let tags = tags_of(cx.cloud, arn).await?;
    Ok(identity::owns(cx.identity, tags.iter().map(|tag| (tag.tag_key(), tag.tag_value()))))
}

/// The key's tags. One that we may not look at (AWS's own, another team's) has none.
async fn tags_of(aws: &Aws, arn: &str) -> Result<Vec<Tag>, Fault> {
    let answer = aws.kms.list_resource_tags().key_id(arn).send().await;
    let answer = match absent(answer.map_err(fault("kms", "ListResourceTags"))) {
        Err(fault) if fault.kind == FaultKind::Denied => None,
        other => other?,
    };
    Ok(answer.and_then(|answer| answer.tags).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_is_compared_without_its_generation() {
        assert_eq!(base("alias/acme-rcm-prod", 1), "alias/acme-rcm-prod");
        assert_eq!(base("alias/acme-rcm-prod-g2", 2), "alias/acme-rcm-prod");
        assert_eq!(base("alias/acme-rcm-prod-g2", 1), "alias/acme-rcm-prod-g2");
    }

    #[test]
    fn the_key_id_is_the_last_part_of_the_arn() {
        let id = Id::from("arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555");
        assert_eq!(key_id(&id), "11111111-2222-3333-4444-555555555555");
    }
}
