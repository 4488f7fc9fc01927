//! What the EC2 kinds share: tags in EC2's own types, and finding by tag.

use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};
use rcm_engine::model::{Cx, Deployment, Fault, Id, Identity, Owned};

use crate::{Aws, classify::fault, identity};

/// The tags of a new resource, to be sent within its create so that it is never without them.
pub(super) fn tagged(kind: ResourceType, identity: &Identity) -> TagSpecification {
    TagSpecification::builder().resource_type(kind).set_tags(Some(all(identity))).build()
}

/// Filters that only the resource itself passes: every ownership tag.
pub(super) fn owned(identity: &Identity) -> Vec<Filter> {
    identity::ownership(identity).into_iter().map(|(key, value)| filter(&format!("tag:{key}"), [value])).collect()
}

/// Filters that everything of the deployment passes.
pub(super) fn of(deployment: &Deployment) -> Vec<Filter> {
    let owner = [(identity::PARTNER, &deployment.partner), (identity::ENVIRONMENT, &deployment.environment)];
    owner.into_iter().map(|(key, value)| filter(&format!("tag:{key}"), [value.clone()])).collect()
}

/// What a resource of the deployment is, by its tags.
pub(super) fn listed(deployment: &Deployment, id: Option<&str>, tags: &[Tag]) -> Option<Owned> {
    identity::belongs(deployment, id?, pairs(tags))
}

/// Puts the ownership tags on a resource that exists, unless it is another deployment's.
pub(super) async fn claim(cx: &Cx<'_, Aws>, id: &Id) -> Result<(), Fault> {
    let request = cx.cloud.ec2.describe_tags().filters(filter("resource-id", [id.to_string()]));
    let found = request.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
    let found = found.map_err(fault("ec2", "DescribeTags"))?;
    identity::unclaimed(cx.identity, found.iter().filter_map(|tag| Some((tag.key()?, tag.value()?))))?;
    let request = cx.cloud.ec2.create_tags().resources(id.as_str()).set_tags(Some(all(cx.identity)));
    request.send().await.map(drop).map_err(fault("ec2", "CreateTags"))
}

fn all(identity: &Identity) -> Vec<Tag> {
    identity::tags(identity).into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

fn pairs(tags: &[Tag]) -> impl Iterator<Item = (&str, &str)> {
    tags.iter().filter_map(|tag| Some((tag.key()?, tag.value()?)))
}

/// One filter.
pub(crate) fn filter(name: &str, values: impl IntoIterator<Item = String>) -> Filter {
    Filter::builder().name(name).set_values(Some(values.into_iter().collect())).build()
}
