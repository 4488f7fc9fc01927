//! A bucket: private, versioned, encrypted, reached over TLS alone.
//!
//! API: [CreateBucket](https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html),
//! [PutBucketPolicy](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html).
//!
//! Surprises: names are shared by the whole partition. In us-east-1 alone, creating a bucket that this account already has
//! answers 200, as if it were new, so there we look first; and us-east-1 alone may not be named as location. A setting that
//! was never made answers 404, like a bucket that does not exist. Two settings at the same time abort each other. Load
//! balancers can write their logs only to a bucket without a customer key. Every call names the account that has to own the
//! bucket, so that a name that somebody else took is refused instead of configured.

use aws_sdk_s3::types::{
    Bucket as Listed, BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration, ObjectOwnership,
    OwnershipControls, OwnershipControlsRule, PublicAccessBlockConfiguration, ServerSideEncryption,
    ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tag, Tagging,
    VersioningConfiguration,
};
use futures::{future::try_join_all, try_join};
use rcm_engine::model::{Actions, Deployment, Fault, FaultKind, Id, Known, Observed, OnDestroy, Owned, Ref, Resource};
use serde::{Deserialize, Serialize};

pub use super::{s3_lifecycle::Lifecycle, s3_watching::AccessLogs};
use super::{
    batch::{each, in_order, stems},
    kms_key::Key,
    policy::Policy,
    s3_content,
    s3_watching::{access_logs, event_bridge, set_access_logs, set_event_bridge},
};
use crate::{
    Aws,
    classify::{absent, fault, unbuilt},
    identity,
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// The longest name.
pub(crate) const NAME_LIMIT: usize = 63;
/// What a policy says for the bucket's own name, which is not known before the bucket has its generation.
pub const OWN_NAME: &str = "${bucket}";

/// What a bucket should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The name. It is the id, so it cannot drift.
    pub name: String,
    /// What objects are encrypted with; S3's own key if it is `None`.
    pub kms_key: Option<Ref<Key>>,
    /// Whether overwritten and deleted objects are kept as old versions.
    pub versioned: bool,
    /// Whether nothing that anybody writes into a policy or an ACL can make it public: all four switches.
    pub public_access_blocked: bool,
    /// Whether the bucket's owner owns all objects and ACLs mean nothing.
    pub owner_enforced: bool,
    /// The whole bucket policy. The bucket's own ARN is `arn:<partition>:s3:::${bucket}` in it ([`OWN_NAME`]).
    pub policy: Policy,
    /// When objects move and when they go.
    pub lifecycle: Lifecycle,
    /// Where S3 writes down who asked for what; nowhere if it is `None`.
    #[serde(default)]
    pub access_logs: Option<AccessLogs>,
    /// Whether EventBridge is told of every new, changed and deleted object.
    #[serde(default)]
    pub event_bridge: bool,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `arn:aws:s3:::…`
    pub bucket_arn: String,
    /// The name that it has in AWS.
    pub name: String,
}

/// A bucket.
pub struct Bucket;

impl Resource for Bucket {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "s3/bucket";
    const REPLACE_ON: &'static [&'static str] = &["name"];
    const TAGGED: bool = true;
    const HOLDS_DATA: bool = true;
    const ON_DESTROY: OnDestroy = OnDestroy::Retain;

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let id = Id::from(identity::physical_name(cx.identity, &spec.name, NAME_LIMIT));
        if cx.identity.deployment.region == "us-east-1" && in_this_account(cx, &id).await? {
            let message = format!("this account already has a bucket {id}");
            return Err(Fault::ours(FaultKind::Exists, "CreateBucket", "BucketAlreadyOwnedByYou", message));
        }
        let request = cx.cloud.s3.create_bucket().bucket(id.as_str()).create_bucket_configuration(placed(cx)?);
        let request = request.object_ownership(ObjectOwnership::BucketOwnerEnforced);
        request.send().await.map_err(fault("s3", "CreateBucket"))?;
        Ok(id)
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        if cx.changes("public_access_blocked") {
            block_public_access(cx, id, spec.public_access_blocked).await?;
        }
        if cx.changes("owner_enforced") {
            set_ownership(cx, id, spec.owner_enforced).await?;
        }
        if cx.changes("kms_key") {
            set_encryption(cx, id, spec.kms_key.as_ref()).await?;
        }
        if cx.changes("versioned") {
            set_versioning(cx, id, spec.versioned).await?;
        }
        if cx.changes("lifecycle") {
            set_lifecycle(cx, id, &spec.lifecycle).await?;
        }
        if cx.changes("policy") {
            set_policy(cx, id, &spec.policy).await?;
        }
        // What a new bucket has not is not worth a call to take away.
        if cx.changes("access_logs") && (spec.access_logs.is_some() || !cx.creating()) {
            set_access_logs(cx, id, spec.access_logs.as_ref()).await?;
        }
        if cx.changes("event_bridge") && (spec.event_bridge || !cx.creating()) {
            set_event_bridge(cx, id, spec.event_bridge).await?;
        }
        Ok(())
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let Some(versioned) = versioning(cx, id).await? else { return Ok(None) };
        let seen = Observed::new(outputs(cx, id)).see("versioned", versioned);
        if !cx.reads_everything() {
            return Ok(Some(seen));
        }
        let (kms_key, public, owner) = try_join!(encryption(cx, id), public_access(cx, id), ownership(cx, id))?;
        let (policy, lifecycle) = try_join!(policy(cx, id), lifecycle(cx, id))?;
        let (access_logs, event_bridge) = try_join!(access_logs(cx, id), event_bridge(cx, id))?;
        Ok(Some(
            seen.see("kms_key", kms_key)
                .see("public_access_blocked", public)
                .see("owner_enforced", owner)
                .see("policy", policy)
                .see("lifecycle", lifecycle)
                .see("access_logs", access_logs)
                .see("event_bridge", event_bridge),
        ))
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        let Some(Known { cx, .. }) = known.first() else { return Ok(Vec::new()) };
        if cx.reads_everything() {
            return each::<Self>(known).await;
        }
        let ids: Vec<_> = known.iter().map(|known| known.id).collect();
        let stems = stems(ids.iter().map(|id| id.as_str()), &identity::prefix(cx.identity));
        let buckets = try_join_all(stems.into_iter().map(|stem| list(cx.cloud, stem))).await?;
        Ok(in_order(&ids, buckets.into_iter().flatten().collect(), Listed::name, |bucket| {
            Observed::new(outputs(cx, &Id::from(bucket.name().unwrap_or_default())))
        }))
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let name = identity::physical_name(cx.identity, &spec.name, NAME_LIMIT);
        let tags = match tags_of(cx.cloud, &name, account(cx)).await {
            // Somebody else's, unless it is among our own.
            Err(fault) if fault.kind == FaultKind::Denied && !lists(cx.cloud, &name).await? => Vec::new(),
            other => other?,
        };
        Ok(identity::owns(cx.identity, pairs(&tags)).then(|| Id::from(name)))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        if cx.purges() {
            s3_content::empty(cx.cloud, id.as_str(), account(cx)).await?;
        }
        let request = cx.cloud.s3.delete_bucket().bucket(id.as_str()).expected_bucket_owner(account(cx));
        request.send().await.map(drop).map_err(fault("s3", "DeleteBucket"))
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let mut found = Vec::new();
        for bucket in list(aws, &identity::stem(deployment)).await? {
            let name = bucket.name.unwrap_or_default();
            let tags = tags_of(aws, &name, &deployment.account).await?;
            found.extend(identity::belongs(deployment, name, pairs(&tags)));
        }
        Ok(found)
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let live = tags_of(cx.cloud, id.as_str(), account(cx)).await?;
        identity::unclaimed(cx.identity, pairs(&live))?;
        // Putting tags replaces all of them.
        let mut wanted = tags(cx)?;
        let kept = live.into_iter().filter(|tag| wanted.iter().all(|ours| ours.key() != tag.key()));
        let kept: Vec<_> = kept.collect();
        wanted.extend(kept);
        let wanted = Tagging::builder().set_tag_set(Some(wanted)).build().map_err(unbuilt("s3", "PutBucketTagging"))?;
        let request = cx.cloud.s3.put_bucket_tagging().bucket(id.as_str()).expected_bucket_owner(account(cx));
        request.tagging(wanted).send().await.map(drop).map_err(fault("s3", "PutBucketTagging"))
    }

    fn fits(cx: &Cx<'_>, id: &Id, spec: &Spec) -> bool {
        id.as_str() == identity::physical_name(cx.identity, &spec.name, NAME_LIMIT)
    }

    fn expires_after_days(spec: &Spec) -> Option<u32> {
        // What expires becomes a version that is not current any more, and that one expires too.
        let days = spec.lifecycle.expire_after_days?.checked_add(spec.lifecycle.expire_noncurrent_after_days?)?;
        u32::try_from(days).ok()
    }

    fn actions() -> Actions {
        Actions {
            write: &[
                "s3:CreateBucket",
                "s3:GetBucketNotification",
                "s3:PutBucketLogging",
                "s3:PutBucketNotification",
                "s3:PutBucketOwnershipControls",
                "s3:PutBucketPolicy",
                "s3:PutBucketPublicAccessBlock",
                "s3:PutBucketVersioning",
                "s3:PutEncryptionConfiguration",
                "s3:PutLifecycleConfiguration",
                "s3:PutBucketTagging",
                "s3:TagResource",
            ],
            read: &[
                "s3:GetBucketLogging",
                "s3:GetBucketNotification",
                "s3:GetBucketOwnershipControls",
                "s3:GetBucketPolicy",
                "s3:GetBucketPublicAccessBlock",
                "s3:GetBucketTagging",
                "s3:GetBucketVersioning",
                "s3:GetEncryptionConfiguration",
                "s3:GetLifecycleConfiguration",
                "s3:ListAllMyBuckets",
            ],
            delete: &[
                "s3:AbortMultipartUpload",
                "s3:DeleteBucket",
                "s3:DeleteObject",
                "s3:DeleteObjectVersion",
                "s3:ListBucketMultipartUploads",
                "s3:ListBucketVersions",
            ],
        }
    }
}

pub(super) fn account<'a>(cx: &'a Cx<'_>) -> &'a str {
    &cx.identity.deployment.account
}

fn outputs(cx: &Cx<'_>, id: &Id) -> Outputs {
    Outputs { bucket_arn: format!("arn:{}:s3:::{id}", cx.identity.deployment.partition), name: id.to_string() }
}

/// Where a new bucket lives and what tags it carries.
fn placed(cx: &Cx<'_>) -> Result<CreateBucketConfiguration, Fault> {
    let region = Some(cx.identity.deployment.region.as_str()).filter(|region| *region != "us-east-1");
    let region = region.map(BucketLocationConstraint::from);
    Ok(CreateBucketConfiguration::builder().set_location_constraint(region).set_tags(Some(tags(cx)?)).build())
}

fn tags(cx: &Cx<'_>) -> Result<Vec<Tag>, Fault> {
    let tags = identity::tags(cx.identity).into_iter();
    let tags = tags.map(|(key, value)| Tag::builder().key(key).value(value).build());
    tags.collect::<Result<_, _>>().map_err(unbuilt("s3", "CreateBucket"))
}

async fn tags_of(aws: &Aws, name: &str, account: &str) -> Result<Vec<Tag>, Fault> {
    let request = aws.s3.get_bucket_tagging().bucket(name).expected_bucket_owner(account);
    let answer = absent(request.send().await.map_err(fault("s3", "GetBucketTagging")))?;
    Ok(answer.map(|answer| answer.tag_set).unwrap_or_default())
}

fn pairs(tags: &[Tag]) -> impl Iterator<Item = (&str, &str)> {
    tags.iter().map(|tag| (tag.key(), tag.value()))
}

/// All buckets of the account whose names begin with `stem`.
async fn list(aws: &Aws, stem: &str) -> Result<Vec<Listed>, Fault> {
    let pages = aws.s3.list_buckets().prefix(stem).max_buckets(1000).into_paginator().send();
    let pages = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("s3", "ListBuckets"))?;
    Ok(pages.into_iter().flat_map(|page| page.buckets.unwrap_or_default()).collect())
}

async fn lists(aws: &Aws, name: &str) -> Result<bool, Fault> {
    Ok(list(aws, name).await?.iter().any(|bucket| bucket.name() == Some(name)))
}

/// Whether this account has a bucket of that name, ours by its tags or not. Somebody else's is for S3 to refuse.
async fn in_this_account(cx: &Cx<'_>, id: &Id) -> Result<bool, Fault> {
    match versioning(cx, id).await {
        Err(fault) if fault.kind == FaultKind::Denied => Ok(false),
        other => other.map(|versioned| versioned.is_some()),
    }
}

async fn block_public_access(cx: &Cx<'_>, id: &Id, on: bool) -> Result<(), Fault> {
    let switches = PublicAccessBlockConfiguration::builder()
        .block_public_acls(on)
        .block_public_policy(on)
        .ignore_public_acls(on)
        .restrict_public_buckets(on)
        .build();
    let request = cx.cloud.s3.put_public_access_block().bucket(id.as_str()).expected_bucket_owner(account(cx));
    let request = request.public_access_block_configuration(switches);
    request.send().await.map(drop).map_err(fault("s3", "PutPublicAccessBlock"))
}

async fn set_ownership(cx: &Cx<'_>, id: &Id, enforced: bool) -> Result<(), Fault> {
    let ownership = if enforced { ObjectOwnership::BucketOwnerEnforced } else { ObjectOwnership::BucketOwnerPreferred };
    let rule = OwnershipControlsRule::builder().object_ownership(ownership).build();
    let controls = rule.and_then(|rule| OwnershipControls::builder().rules(rule).build());
    let controls = controls.map_err(unbuilt("s3", "PutBucketOwnershipControls"))?;
    let request = cx.cloud.s3.put_bucket_ownership_controls().bucket(id.as_str()).expected_bucket_owner(account(cx));
    let request = request.ownership_controls(controls);
    request.send().await.map(drop).map_err(fault("s3", "PutBucketOwnershipControls"))
}

async fn set_encryption(cx: &Cx<'_>, id: &Id, key: Option<&Ref<Key>>) -> Result<(), Fault> {
    let default = ServerSideEncryptionByDefault::builder();
    let default = match key {
        Some(key) => default.sse_algorithm(ServerSideEncryption::AwsKms).kms_master_key_id(cx.id(key)?.as_str()),
        None => default.sse_algorithm(ServerSideEncryption::Aes256),
    };
    let default = default.build().map_err(unbuilt("s3", "PutBucketEncryption"))?;
    // One data key a bucket instead of one an object: a hundredth of the calls to KMS.
    let rule = ServerSideEncryptionRule::builder().bucket_key_enabled(key.is_some());
    let rule = rule.apply_server_side_encryption_by_default(default).build();
    let rules = ServerSideEncryptionConfiguration::builder().rules(rule).build();
    let rules = rules.map_err(unbuilt("s3", "PutBucketEncryption"))?;
    let request = cx.cloud.s3.put_bucket_encryption().bucket(id.as_str()).expected_bucket_owner(account(cx));
    let request = request.server_side_encryption_configuration(rules);
    request.send().await.map(drop).map_err(fault("s3", "PutBucketEncryption"))
}

async fn set_versioning(cx: &Cx<'_>, id: &Id, on: bool) -> Result<(), Fault> {
    let status = if on { BucketVersioningStatus::Enabled } else { BucketVersioningStatus::Suspended };
    let request = cx.cloud.s3.put_bucket_versioning().bucket(id.as_str()).expected_bucket_owner(account(cx));
    let request = request.versioning_configuration(VersioningConfiguration::builder().status(status).build());
    request.send().await.map(drop).map_err(fault("s3", "PutBucketVersioning"))
}

async fn set_lifecycle(cx: &Cx<'_>, id: &Id, lifecycle: &Lifecycle) -> Result<(), Fault> {
    let rules = lifecycle.to_rules().map_err(unbuilt("s3", "PutBucketLifecycleConfiguration"))?;
    let request = cx.cloud.s3.put_bucket_lifecycle_configuration().bucket(id.as_str());
    let request = request.expected_bucket_owner(account(cx)).lifecycle_configuration(rules);
    request.send().await.map(drop).map_err(fault("s3", "PutBucketLifecycleConfiguration"))
}

async fn set_policy(cx: &Cx<'_>, id: &Id, policy: &Policy) -> Result<(), Fault> {
    let text = policy.text(cx)?.replace(OWN_NAME, id.as_str());
    let request = cx.cloud.s3.put_bucket_policy().bucket(id.as_str()).expected_bucket_owner(account(cx)).policy(text);
    request.send().await.map(drop).map_err(fault("s3", "PutBucketPolicy"))
}

/// Whether old versions are kept; `None` when there is no such bucket. The one setting that does not answer 404 when it was
/// never made.
async fn versioning(cx: &Cx<'_>, id: &Id) -> Result<Option<bool>, Fault> {
    let request = cx.cloud.s3.get_bucket_versioning().bucket(id.as_str()).expected_bucket_owner(account(cx));
    let answer = absent(request.send().await.map_err(fault("s3", "GetBucketVersioning")))?;
    Ok(answer.map(|answer| answer.status() == Some(&BucketVersioningStatus::Enabled)))
}

/// The customer key, if there is one.
async fn encryption(cx: &Cx<'_>, id: &Id) -> Result<Option<String>, Fault> {
    let request = cx.cloud.s3.get_bucket_encryption().bucket(id.as_str()).expected_bucket_owner(account(cx));
    let answer = absent(request.send().await.map_err(fault("s3", "GetBucketEncryption")))?;
    let rules = answer.and_then(|answer| answer.server_side_encryption_configuration);
    let rule = rules.and_then(|rules| rules.rules.into_iter().next());
    let default = rule.and_then(|rule| rule.apply_server_side_encryption_by_default);
    Ok(default.and_then(|default| default.kms_master_key_id))
}

async fn public_access(cx: &Cx<'_>, id: &Id) -> Result<bool, Fault> {
    let request = cx.cloud.s3.get_public_access_block().bucket(id.as_str()).expected_bucket_owner(account(cx));
    let answer = absent(request.send().await.map_err(fault("s3", "GetPublicAccessBlock")))?;
    let switches = answer.and_then(|answer| answer.public_access_block_configuration);
    Ok(switches.is_some_and(|switches| {
        let acls = (switches.block_public_acls(), switches.ignore_public_acls());
        let policies = (switches.block_public_policy(), switches.restrict_public_buckets());
        (acls, policies) == ((Some(true), Some(true)), (Some(true), Some(true)))
    }))
}

async fn ownership(cx: &Cx<'_>, id: &Id) -> Result<bool, Fault> {
    let request = cx.cloud.s3.get_bucket_ownership_controls().bucket(id.as_str()).expected_bucket_owner(account(cx));
    let answer = absent(request.send().await.map_err(fault("s3", "GetBucketOwnershipControls")))?;
    let rules = answer.and_then(|answer| answer.ownership_controls).map(|controls| controls.rules).unwrap_or_default();
    Ok(rules.iter().any(|rule| rule.object_ownership() == &ObjectOwnership::BucketOwnerEnforced))
}

async fn policy(cx: &Cx<'_>, id: &Id) -> Result<Option<Policy>, Fault> {
    let request = cx.cloud.s3.get_bucket_policy().bucket(id.as_str()).expected_bucket_owner(account(cx));
    let answer = absent(request.send().await.map_err(fault("s3", "GetBucketPolicy")))?;
    Ok(answer.and_then(|answer| answer.policy).map(|text| Policy::parse(&impersonal(&text, id.as_str()))))
}

/// A policy as a spec would say it: with [`OWN_NAME`] for the bucket's name wherever an ARN says it.
fn impersonal(policy: &str, bucket: &str) -> String {
    let named = |end| format!(":::{bucket}{end}");
    policy.replace(&named('"'), &format!(":::{OWN_NAME}\"")).replace(&named('/'), &format!(":::{OWN_NAME}/"))
}

async fn lifecycle(cx: &Cx<'_>, id: &Id) -> Result<Option<Lifecycle>, Fault> {
    let request = cx.cloud.s3.get_bucket_lifecycle_configuration().bucket(id.as_str());
    let request = request.expected_bucket_owner(account(cx));
    let answer = absent(request.send().await.map_err(fault("s3", "GetBucketLifecycleConfiguration")))?;
    Ok(answer.and_then(|answer| Lifecycle::from_rules(answer.rules())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_reads_back_without_the_buckets_name() {
        let live = r#"{"Resource":["arn:aws:s3:::logs-g2","arn:aws:s3:::logs-g2/*","arn:aws:s3:::logs-g20"]}"#;
        let said = r#"{"Resource":["arn:aws:s3:::${bucket}","arn:aws:s3:::${bucket}/*","arn:aws:s3:::logs-g20"]}"#;
        assert_eq!(impersonal(live, "logs-g2"), said);
    }
}
