//! What the EC2 kinds share: tags in EC2's own types, and finding by tag.

use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};
use rcm_engine::model::Identity;

use crate::identity;

/// The tags of a new resource, to be sent within its create so that it is never without them.
pub(super) fn tagged(kind: ResourceType, identity: &Identity) -> TagSpecification {
    let tags = identity::tags(identity).into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    TagSpecification::builder().resource_type(kind).set_tags(Some(tags.collect())).build()
}

/// Filters that only the resource itself passes: every ownership tag.
pub(super) fn owned(identity: &Identity) -> Vec<Filter> {
    identity::ownership(identity).into_iter().map(|(key, value)| filter(&format!("tag:{key}"), [value])).collect()
}

/// One filter.
pub(super) fn filter(name: &str, values: impl IntoIterator<Item = String>) -> Filter {
    Filter::builder().name(name).set_values(Some(values.into_iter().collect())).build()
}
