//! What the ECS kinds share: tags in ECS's own types, and whether something that was found by its name is ours.

use aws_sdk_ecs::types::Tag;
use rcm_engine::model::{Cx, Deployment, Fault, Id, Identity, Owned};

use crate::{Aws, classify::fault, identity};

/// The tags of a new resource, to be sent within its create so that it is never without them.
pub(super) fn tagged(identity: &Identity) -> Vec<Tag> {
    identity::tags(identity).into_iter().map(|(key, value)| tag(key, value)).collect()
}

/// One tag.
pub(super) fn tag(key: &str, value: impl Into<String>) -> Tag {
    Tag::builder().key(key).value(value).build()
}

/// Whether these tags say that the resource is ours.
pub(super) fn ours(identity: &Identity, tags: &[Tag]) -> bool {
    identity::owns(identity, pairs(tags))
}

/// What a resource of the deployment is, by its tags.
pub(super) fn listed(deployment: &Deployment, arn: &str, tags: &[Tag]) -> Option<Owned> {
    identity::belongs(deployment, arn, pairs(tags))
}

/// Puts the ownership tags on a resource that exists, unless it is another deployment's.
pub(super) async fn claim(cx: &Cx<'_, Aws>, id: &Id) -> Result<(), Fault> {
    let answer = cx.cloud.ecs.list_tags_for_resource().resource_arn(id.as_str()).send().await;
    let answer = answer.map_err(fault("ecs", "ListTagsForResource"))?;
    identity::unclaimed(cx.identity, pairs(answer.tags()))?;
    let request = cx.cloud.ecs.tag_resource().resource_arn(id.as_str()).set_tags(Some(tagged(cx.identity)));
    request.send().await.map(drop).map_err(fault("ecs", "TagResource"))
}

fn pairs(tags: &[Tag]) -> impl Iterator<Item = (&str, &str)> {
    tags.iter().filter_map(|tag| Some((tag.key()?, tag.value()?)))
}
