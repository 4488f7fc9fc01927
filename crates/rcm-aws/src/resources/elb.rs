//! What the Elastic Load Balancing kinds share: tags in its own types, attributes, and whether something is ours.

use aws_sdk_elasticloadbalancingv2::types::Tag;
use rcm_engine::model::{Cx, Deployment, Fault, Id, Identity, Owned};

use crate::{Aws, classify::fault, identity};

/// The tags of a new resource, to be sent within its create so that it is never without them.
pub(super) fn tagged(identity: &Identity) -> Vec<Tag> {
    identity::tags(identity).into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// The ARN among `arns` whose resource is ours.
pub(super) async fn ours(aws: &Aws, identity: &Identity, arns: Vec<String>) -> Result<Option<String>, Fault> {
    let found = tags_of(aws, &arns).await?;
    Ok(found.into_iter().find(|(_, tags)| identity::owns(identity, pairs(tags))).map(|(arn, _)| arn))
}

/// Those of `arns` whose resources are the deployment's.
pub(super) async fn listed(aws: &Aws, deployment: &Deployment, arns: Vec<String>) -> Result<Vec<Owned>, Fault> {
    let found = tags_of(aws, &arns).await?;
    Ok(found.into_iter().filter_map(|(arn, tags)| identity::belongs(deployment, arn, pairs(&tags))).collect())
}

/// Puts the ownership tags on a resource that exists, unless it is another deployment's.
pub(super) async fn claim(cx: &Cx<'_, Aws>, id: &Id) -> Result<(), Fault> {
    for (_, tags) in tags_of(cx.cloud, &[id.to_string()]).await? {
        identity::unclaimed(cx.identity, pairs(&tags))?;
    }
    let request = cx.cloud.elb.add_tags().resource_arns(id.as_str()).set_tags(Some(tagged(cx.identity)));
    request.send().await.map(drop).map_err(fault("elasticloadbalancing", "AddTags"))
}

/// Elastic Load Balancing tells tags by ARN alone, twenty at a time.
async fn tags_of(aws: &Aws, arns: &[String]) -> Result<Vec<(String, Vec<Tag>)>, Fault> {
    let mut found = Vec::new();
    for arns in arns.chunks(20) {
        let request = aws.elb.describe_tags().set_resource_arns(Some(arns.to_vec()));
        let answer = request.send().await.map_err(fault("elasticloadbalancing", "DescribeTags"))?;
        let described = answer.tag_descriptions.unwrap_or_default().into_iter();
        found.extend(described.filter_map(|one| Some((one.resource_arn?, one.tags.unwrap_or_default()))));
    }
    Ok(found)
}

fn pairs(tags: &[Tag]) -> impl Iterator<Item = (&str, &str)> {
    tags.iter().filter_map(|tag| Some((tag.key()?, tag.value()?)))
}
