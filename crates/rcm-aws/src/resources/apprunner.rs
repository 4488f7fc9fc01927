//! What the App Runner kinds share: tags in App Runner's own type, and whether something that was found by its name is ours.
//!
//! AWS takes no new customers of App Runner since 30 April 2026; whoever had a service before may still make others
//! ([availability change](https://docs.aws.amazon.com/apprunner/latest/dg/apprunner-availability-change.html)).

use aws_sdk_apprunner::types::Tag;
use rcm_engine::model::{Cx, Deployment, Fault, Id, Identity, Owned};

use crate::{
    Aws,
    classify::{absent, fault},
    identity,
};

/// The tags of a new resource, to be sent within its create so that it is never without them.
pub(super) fn tagged(identity: &Identity) -> Vec<Tag> {
    identity::tags(identity).into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

async fn tags(aws: &Aws, arn: &str) -> Result<Vec<Tag>, Fault> {
    let answer = aws.apprunner.list_tags_for_resource().resource_arn(arn).send().await;
    let answer = absent(answer.map_err(fault("apprunner", "ListTagsForResource")))?;
    Ok(answer.and_then(|answer| answer.tags).unwrap_or_default())
}

fn pairs(tags: &[Tag]) -> impl Iterator<Item = (&str, &str)> {
    tags.iter().filter_map(|tag| Some((tag.key()?, tag.value()?)))
}

/// The first of these ARNs that is ours. No list of App Runner's tells tags.
pub(super) async fn first_of_ours(cx: &Cx<'_, Aws>, arns: Vec<String>) -> Result<Option<Id>, Fault> {
    for arn in arns {
        if identity::owns(cx.identity, pairs(&tags(cx.cloud, &arn).await?)) {
            return Ok(Some(Id::new(arn)));
        }
    }
    Ok(None)
}

/// Those of these names and ARNs that are the deployment's. Only its own names are looked at, so that a stranger's do not cost a
/// call each.
pub(super) async fn listed(
    aws: &Aws,
    deployment: &Deployment,
    found: Vec<(String, String)>,
) -> Result<Vec<Owned>, Fault> {
    let stem = identity::stem(deployment);
    let mut ours = Vec::new();
    for (_, arn) in found.into_iter().filter(|(name, _)| name.starts_with(&stem)) {
        let tags = tags(aws, &arn).await?;
        ours.extend(identity::belongs(deployment, arn, pairs(&tags)));
    }
    Ok(ours)
}

/// Puts the ownership tags on a resource that exists, unless it is another deployment's.
pub(super) async fn claim(cx: &Cx<'_, Aws>, id: &Id) -> Result<(), Fault> {
    identity::unclaimed(cx.identity, pairs(&tags(cx.cloud, id.as_str()).await?))?;
    let request = cx.cloud.apprunner.tag_resource().resource_arn(id.as_str()).set_tags(Some(tagged(cx.identity)));
    request.send().await.map(drop).map_err(fault("apprunner", "TagResource"))
}

/// The name in an ARN: `arn:…:service/NAME/ID`.
pub(super) fn name_in(arn: &Id) -> &str {
    arn.as_str().split('/').nth(1).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_in_the_arn() {
        let arn = Id::from("arn:aws:apprunner:us-east-1:123456789012:vpcconnector/acme-rcm-prod-api/1/0123abcd");
        assert_eq!(name_in(&arn), "acme-rcm-prod-api");
    }
}
