//! What the kinds of AWS Backup share: tags, which it keeps as a map and gives by ARN.

use std::collections::HashMap;

use rcm_engine::model::{Cx, Fault};

use crate::{
    Aws,
    classify::{absent, fault},
    identity,
};

/// The tags of a new resource.
pub(super) fn tags(cx: &Cx<'_, Aws>) -> HashMap<String, String> {
    identity::tags(cx.identity).into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The tags of what has this ARN; none if it is not there.
pub(super) async fn tags_of(aws: &Aws, arn: &str) -> Result<HashMap<String, String>, Fault> {
    let pages = aws.backup.list_tags().resource_arn(arn).into_paginator().send();
    let pages = absent(pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("backup", "ListTags")))?;
    Ok(pages.into_iter().flatten().filter_map(|page| page.tags).flatten().collect())
}

/// Puts the ownership tags on what has this ARN, unless it is another deployment's.
pub(super) async fn claim(cx: &Cx<'_, Aws>, arn: &str) -> Result<(), Fault> {
    identity::unclaimed(cx.identity, pairs(&tags_of(cx.cloud, arn).await?))?;
    let request = cx.cloud.backup.tag_resource().resource_arn(arn).set_tags(Some(tags(cx)));
    request.send().await.map(drop).map_err(fault("backup", "TagResource"))
}

pub(super) fn pairs(tags: &HashMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    tags.iter().map(|(key, value)| (key.as_str(), value.as_str()))
}
