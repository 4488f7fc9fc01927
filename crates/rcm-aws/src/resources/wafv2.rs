//! What the WAF kinds share: tags in its own types, and what an ARN says.

use aws_sdk_wafv2::types::Tag;
use rcm_engine::model::{Fault, Identity};

use crate::{
    Aws,
    classify::{absent, fault, unbuilt},
    identity,
};

/// The tags of a new resource, to be sent within its create so that it is never without them.
pub(super) fn tagged(identity: &Identity, operation: &'static str) -> Result<Vec<Tag>, Fault> {
    let tags = identity::tags(identity).into_iter();
    let tags = tags.map(|(key, value)| Tag::builder().key(key).value(value).build());
    tags.collect::<Result<_, _>>().map_err(unbuilt("wafv2", operation))
}

/// The tags of a web ACL; none where there is no such ACL.
pub(super) async fn tags_of(aws: &Aws, arn: &str) -> Result<Vec<Tag>, Fault> {
    let sent = aws.wafv2.list_tags_for_resource().resource_arn(arn).send().await;
    let answer = absent(sent.map_err(fault("wafv2", "ListTagsForResource")))?;
    let tags = answer.and_then(|answer| answer.tag_info_for_resource).and_then(|info| info.tag_list);
    Ok(tags.unwrap_or_default())
}

pub(super) fn pairs(tags: &[Tag]) -> impl Iterator<Item = (&str, &str)> {
    tags.iter().map(|tag| (tag.key(), tag.value()))
}

/// Name and id in `arn:aws:wafv2:…:regional/webacl/NAME/ID`: most calls want these two.
pub(super) fn name_and_id(arn: &str) -> (&str, &str) {
    let mut parts = arn.rsplit('/');
    let id = parts.next().unwrap_or_default();
    (parts.next().unwrap_or_default(), id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_says_name_and_id() {
        let arn = "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/acme-rcm-prod-web/1a2b";
        assert_eq!(name_and_id(arn), ("acme-rcm-prod-web", "1a2b"));
    }
}
