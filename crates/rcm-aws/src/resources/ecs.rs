//! What the ECS kinds share: tags in ECS's own types, and whether something that was found by its name is ours.

use aws_sdk_ecs::types::Tag;
use rcm_engine::model::Identity;

use crate::identity;

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
    identity::owns(identity, tags.iter().filter_map(|tag| Some((tag.key()?, tag.value()?))))
}
