//! A repository: the container images of one part of the application.
//!
//! API: [CreateRepository](https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html),
//! [PutLifecyclePolicy](https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutLifecyclePolicy.html).
//!
//! Surprises: no client token, but the name is unique in the account. The key cannot be changed afterwards. Describing
//! several fails altogether if one of them is gone. A repository with images is deleted only by force.

use aws_sdk_ecr::types::{
    EncryptionConfiguration, EncryptionType, ImageScanningConfiguration, ImageTagMutability, Repository as Described,
    Tag,
};
use rcm_engine::model::{Actions, Deployment, Fault, Id, Known, Observed, Owned, Ref, Resource};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{batch::{each, in_order}, kms_key::Key};
use crate::{
    Aws,
    classify::{absent, fault, unbuilt},
    identity,
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// The longest name.
pub(crate) const NAME_LIMIT: usize = 256;

/// What a repository should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The name (`acme-rcm-prod-api`). It is the id, so it cannot drift.
    pub name: String,
    /// What images are encrypted with.
    pub kms_key: Ref<Key>,
    /// Whether a tag stays on the image that it was first given to.
    pub immutable_tags: bool,
    /// Whether an image is scanned for known vulnerabilities when it arrives.
    pub scan_on_push: bool,
    /// Which images expire, as a [lifecycle policy](https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html).
    pub lifecycle: Value,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `arn:aws:ecr:…:repository/…`
    pub repository_arn: String,
    /// What images are pushed to: host and name, without a scheme.
    pub repository_uri: String,
}

/// A repository.
pub struct Repository;

impl Resource for Repository {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "ecr/repository";
    const REPLACE_ON: &'static [&'static str] = &["name", "kms_key"];
    const TAGGED: bool = true;
    const HOLDS_DATA: bool = true;

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let name = identity::physical_name(cx.identity, &spec.name, NAME_LIMIT);
        let encryption = EncryptionConfiguration::builder().encryption_type(EncryptionType::Kms);
        let encryption = encryption.kms_key(cx.id(&spec.kms_key)?.as_str()).build();
        let request = cx.cloud.ecr.create_repository().repository_name(&name).set_tags(Some(tags(cx)?));
        let request = request
            .encryption_configuration(encryption.map_err(unbuilt("ecr", "CreateRepository"))?)
            .image_tag_mutability(mutability(spec))
            .image_scanning_configuration(scanning(spec));
        request.send().await.map_err(fault("ecr", "CreateRepository"))?;
        Ok(Id::from(name))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        let ecr = &cx.cloud.ecr;
        if cx.changes("immutable_tags") {
            let request = ecr.put_image_tag_mutability().repository_name(id.as_str());
            let request = request.image_tag_mutability(mutability(spec));
            request.send().await.map_err(fault("ecr", "PutImageTagMutability"))?;
        }
        if cx.changes("scan_on_push") {
            let request = ecr.put_image_scanning_configuration().repository_name(id.as_str());
            let request = request.image_scanning_configuration(scanning(spec));
            request.send().await.map_err(fault("ecr", "PutImageScanningConfiguration"))?;
        }
        if cx.changes("lifecycle") {
            let request = ecr.put_lifecycle_policy().repository_name(id.as_str());
            let request = request.lifecycle_policy_text(spec.lifecycle.to_string());
            request.send().await.map_err(fault("ecr", "PutLifecyclePolicy"))?;
        }
        Ok(())
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let repositories = absent(describe(cx.cloud, &[id]).await)?.unwrap_or_default();
        let Some(repository) = repositories.first() else { return Ok(None) };
        let seen = observe(repository);
        Ok(Some(if cx.reads_everything() { seen.see("lifecycle", lifecycle(cx.cloud, id).await?) } else { seen }))
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        let Some(Known { cx, .. }) = known.first() else { return Ok(Vec::new()) };
        let ids: Vec<_> = known.iter().map(|known| known.id).collect();
        if !cx.reads_everything()
            && let Some(repositories) = absent(describe(cx.cloud, &ids).await)?
        {
            return Ok(in_order(&ids, repositories, Described::repository_name, observe));
        }
        each::<Self>(known).await
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let id = Id::from(identity::physical_name(cx.identity, &spec.name, NAME_LIMIT));
        let repositories = absent(describe(cx.cloud, &[&id]).await)?.unwrap_or_default();
        let Some(arn) = repositories.first().and_then(|repository| repository.repository_arn()) else { return Ok(None) };
        Ok(identity::owns(cx.identity, pairs(&tags_of(cx.cloud, arn).await?)).then_some(id))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let request = cx.cloud.ecr.delete_repository().repository_name(id.as_str()).force(cx.purges());
        request.send().await.map(drop).map_err(fault("ecr", "DeleteRepository"))
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let stem = identity::stem(deployment);
        let mut found = Vec::new();
        for repository in describe(aws, &[]).await? {
            let name = repository.repository_name().unwrap_or_default();
            if name.starts_with(&stem) {
                let tags = tags_of(aws, repository.repository_arn().unwrap_or_default()).await?;
                found.extend(identity::belongs(deployment, name, pairs(&tags)));
            }
        }
        Ok(found)
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let Deployment { partition, region, account, .. } = &*cx.identity.deployment;
        let arn = format!("arn:{partition}:ecr:{region}:{account}:repository/{id}");
        identity::unclaimed(cx.identity, pairs(&tags_of(cx.cloud, &arn).await?))?;
        let request = cx.cloud.ecr.tag_resource().resource_arn(arn).set_tags(Some(tags(cx)?));
        request.send().await.map(drop).map_err(fault("ecr", "TagResource"))
    }

    fn fits(cx: &Cx<'_>, id: &Id, spec: &Spec) -> bool {
        id.as_str() == identity::physical_name(cx.identity, &spec.name, NAME_LIMIT)
    }

    fn actions() -> Actions {
        Actions {
            write: &[
                "ecr:CreateRepository",
                "ecr:PutImageScanningConfiguration",
                "ecr:PutImageTagMutability",
                "ecr:PutLifecyclePolicy",
                "ecr:TagResource",
                // ECR lets itself use the key, in the name of who makes the repository.
                "kms:CreateGrant",
                "kms:DescribeKey",
            ],
            read: &["ecr:DescribeRepositories", "ecr:GetLifecyclePolicy", "ecr:ListTagsForResource"],
            delete: &["ecr:DeleteRepository", "kms:RetireGrant"],
        }
    }
}

fn tags(cx: &Cx<'_>) -> Result<Vec<Tag>, Fault> {
    let tags = identity::tags(cx.identity).into_iter();
    let tags = tags.map(|(key, value)| Tag::builder().key(key).value(value).build());
    tags.collect::<Result<_, _>>().map_err(unbuilt("ecr", "CreateRepository"))
}

async fn tags_of(aws: &Aws, arn: &str) -> Result<Vec<Tag>, Fault> {
    let request = aws.ecr.list_tags_for_resource().resource_arn(arn);
    let answer = absent(request.send().await.map_err(fault("ecr", "ListTagsForResource")))?;
    Ok(answer.and_then(|answer| answer.tags).unwrap_or_default())
}

fn pairs(tags: &[Tag]) -> impl Iterator<Item = (&str, &str)> {
    tags.iter().map(|tag| (tag.key(), tag.value()))
}

fn mutability(spec: &Spec) -> ImageTagMutability {
    if spec.immutable_tags { ImageTagMutability::Immutable } else { ImageTagMutability::Mutable }
}

fn scanning(spec: &Spec) -> ImageScanningConfiguration {
    ImageScanningConfiguration::builder().scan_on_push(spec.scan_on_push).build()
}

/// Those of these names, or all if there are none. A `NotFound` if one of them is gone.
async fn describe(aws: &Aws, names: &[&Id]) -> Result<Vec<Described>, Fault> {
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    let names = Some(names).filter(|names| !names.is_empty());
    let pages = aws.ecr.describe_repositories().set_repository_names(names).into_paginator().items().send();
    pages.collect::<Result<_, _>>().await.map_err(fault("ecr", "DescribeRepositories"))
}

fn observe(repository: &Described) -> Observed<Outputs> {
    let outputs = Outputs {
        repository_arn: repository.repository_arn().unwrap_or_default().to_owned(),
        repository_uri: repository.repository_uri().unwrap_or_default().to_owned(),
    };
    let scanning = repository.image_scanning_configuration().is_some_and(|scanning| scanning.scan_on_push());
    Observed::new(outputs)
        .see("kms_key", repository.encryption_configuration().and_then(|encryption| encryption.kms_key()))
        .see("immutable_tags", repository.image_tag_mutability() == Some(&ImageTagMutability::Immutable))
        .see("scan_on_push", scanning)
}

/// The lifecycle policy; text if it is not JSON.
async fn lifecycle(aws: &Aws, id: &Id) -> Result<Option<Value>, Fault> {
    let request = aws.ecr.get_lifecycle_policy().repository_name(id.as_str());
    let answer = absent(request.send().await.map_err(fault("ecr", "GetLifecyclePolicy")))?;
    let text = answer.and_then(|answer| answer.lifecycle_policy_text);
    Ok(text.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_that_is_immutable_only_for_some_tags_has_drifted() {
        let mutability = ImageTagMutability::from("IMMUTABLE_WITH_EXCLUSION");
        let repository = Described::builder().repository_arn("arn").image_tag_mutability(mutability).build();
        let expected = Observed::new(observe(&repository).outputs().clone())
            .see("kms_key", None::<&str>)
            .see("immutable_tags", false)
            .see("scan_on_push", false);
        assert_eq!(format!("{:?}", observe(&repository)), format!("{expected:?}"));
    }
}
