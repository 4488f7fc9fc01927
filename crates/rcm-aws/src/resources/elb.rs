//! What the Elastic Load Balancing kinds share: tags in its own types, attributes, and whether something is ours.

use aws_sdk_elasticloadbalancingv2::types::Tag;
use rcm_engine::model::{Fault, Identity};

use crate::{Aws, classify::fault, identity};

/// The tags of a new resource, to be sent within its create so that it is never without them.
pub(super) fn tagged(identity: &Identity) -> Vec<Tag> {
    identity::tags(identity).into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// The ARN among `arns` whose resource is ours. Elastic Load Balancing tells tags by ARN alone, twenty at a time.
pub(super) async fn ours(aws: &Aws, identity: &Identity, arns: Vec<String>) -> Result<Option<String>, Fault> {
    for arns in arns.chunks(20) {
        let request = aws.elb.describe_tags().set_resource_arns(Some(arns.to_vec()));
        let answer = request.send().await.map_err(fault("elasticloadbalancing", "DescribeTags"))?;
        let ours = answer.tag_descriptions().iter().find(|found| {
            let tags = found.tags().iter().filter_map(|tag| Some((tag.key()?, tag.value()?)));
            identity::owns(identity, tags)
        });
        if let Some(arn) = ours.and_then(|found| found.resource_arn()) {
            return Ok(Some(arn.to_owned()));
        }
    }
    Ok(None)
}
