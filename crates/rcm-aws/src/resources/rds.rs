//! What the RDS kinds share: tags in RDS's own types, filters, and whether something that was found by its name is ours.

use aws_sdk_rds::types::{Filter, Tag};
use rcm_engine::model::{Cx, Deployment, Fault, Id, Identity, Owned};

use crate::{
    Aws,
    classify::{absent, fault},
    identity,
};

/// What [`identity::ROLE`] says of a read replica.
const REPLICA: &str = "read-replica";

/// The tags of a new resource, to be sent within its create so that it is never without them.
pub(super) fn tagged(identity: &Identity) -> Vec<Tag> {
    identity::tags(identity).into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// The tags of a new read replica: that it is one stays said when somebody promotes it.
pub(super) fn tagged_as_replica(identity: &Identity) -> Vec<Tag> {
    let mark = Tag::builder().key(identity::ROLE).value(REPLICA).build();
    tagged(identity).into_iter().chain([mark]).collect()
}

/// Whether these are the tags of what was made as a read replica.
pub(super) fn is_replica(tags: &[Tag]) -> bool {
    pairs(tags).any(|tag| tag == (identity::ROLE, REPLICA))
}

/// Whether these tags say that the resource is ours.
pub(super) fn ours(identity: &Identity, tags: &[Tag]) -> bool {
    identity::owns(identity, pairs(tags))
}

/// What a resource of the deployment is, by its tags.
pub(super) fn listed(deployment: &Deployment, id: &str, tags: &[Tag]) -> Option<Owned> {
    identity::belongs(deployment, id, pairs(tags))
}

/// Those of these names and ARNs that are the deployment's, for kinds whose Describe does not tell the tags. Only its own
/// names are looked at, so that a stranger's do not cost a call each.
pub(super) async fn listed_by_arn(
    aws: &Aws,
    deployment: &Deployment,
    found: impl Iterator<Item = (&str, &str)>,
) -> Result<Vec<Owned>, Fault> {
    let stem = identity::stem(deployment);
    let mut ours = Vec::new();
    for (name, arn) in found.filter(|(name, _)| name.starts_with(&stem)) {
        ours.extend(listed(deployment, name, &tags_of(aws, arn).await?));
    }
    Ok(ours)
}

/// Puts the ownership tags on a resource that exists, unless it is another deployment's. `kind` as ARNs say it.
pub(super) async fn claim(cx: &Cx<'_, Aws>, kind: &str, id: &Id) -> Result<(), Fault> {
    claim_with(cx, kind, id, tagged(cx.identity)).await
}

/// The same with `tags`.
pub(super) async fn claim_with(cx: &Cx<'_, Aws>, kind: &str, id: &Id, tags: Vec<Tag>) -> Result<(), Fault> {
    let Deployment { partition, region, account, .. } = &*cx.identity.deployment;
    let arn = format!("arn:{partition}:rds:{region}:{account}:{kind}:{id}");
    identity::unclaimed(cx.identity, pairs(&tags_of(cx.cloud, &arn).await?))?;
    let request = cx.cloud.rds.add_tags_to_resource().resource_name(arn).set_tags(Some(tags));
    request.send().await.map(drop).map_err(fault("rds", "AddTagsToResource"))
}

async fn tags_of(aws: &Aws, arn: &str) -> Result<Vec<Tag>, Fault> {
    let answer = aws.rds.list_tags_for_resource().resource_name(arn).send().await;
    let answer = absent(answer.map_err(fault("rds", "ListTagsForResource")))?;
    Ok(answer.and_then(|answer| answer.tag_list).unwrap_or_default())
}

fn pairs(tags: &[Tag]) -> impl Iterator<Item = (&str, &str)> {
    tags.iter().filter_map(|tag| Some((tag.key()?, tag.value()?)))
}

/// Whether the resource with this ARN is ours, for kinds whose Describe does not tell the tags.
pub(super) async fn owned(aws: &Aws, identity: &Identity, arn: &str) -> Result<bool, Fault> {
    Ok(ours(identity, &tags_of(aws, arn).await?))
}

/// One filter.
pub(super) fn filter(name: &str, values: impl IntoIterator<Item = String>) -> Filter {
    Filter::builder().name(name).set_values(Some(values.into_iter().collect())).build()
}
