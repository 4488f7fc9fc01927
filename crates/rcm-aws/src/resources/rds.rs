//! What the RDS kinds share: tags in RDS's own types, filters, and whether something that was found by its name is ours.

use aws_sdk_rds::types::{Filter, Tag};
use rcm_engine::model::{Fault, Identity};

use crate::{Aws, classify::fault, identity};

/// The tags of a new resource, to be sent within its create so that it is never without them.
pub(super) fn tagged(identity: &Identity) -> Vec<Tag> {
    identity::tags(identity).into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// Whether these tags say that the resource is ours.
pub(super) fn ours(identity: &Identity, tags: &[Tag]) -> bool {
    identity::owns(identity, tags.iter().filter_map(|tag| Some((tag.key()?, tag.value()?))))
}

/// Whether the resource with this ARN is ours, for kinds whose Describe does not tell the tags.
pub(super) async fn owned(aws: &Aws, identity: &Identity, arn: &str) -> Result<bool, Fault> {
    let request = aws.rds.list_tags_for_resource().resource_name(arn);
    let answer = request.send().await.map_err(fault("rds", "ListTagsForResource"))?;
    Ok(ours(identity, answer.tag_list()))
}

/// One filter.
pub(super) fn filter(name: &str, values: impl IntoIterator<Item = String>) -> Filter {
    Filter::builder().name(name).set_values(Some(values.into_iter().collect())).build()
}
