//! A topic: where alarms are told, and from where they reach people.
//!
//! API: [CreateTopic](https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html),
//! [SetTopicAttributes](https://docs.aws.amazon.com/sns/latest/api/API_SetTopicAttributes.html),
//! [CloudWatch alarms and encrypted topics](https://docs.aws.amazon.com/sns/latest/dg/sns-enable-encryption-for-topic.html).
//!
//! Surprises: creating a topic that is there already gives that one, whoever made it; only if its tags or attributes differ is it
//! refused, and ours always differ from a stranger's by their tags. A topic that is encrypted tells nobody anything unless the key's
//! own policy lets CloudWatch use it. Deleting a topic deletes its subscriptions.

use aws_sdk_sns::types::Tag;
use rcm_engine::model::{Actions, Deployment, Fault, Id, Observed, Owned, Ref, Resource};
use serde::{Deserialize, Serialize};

use super::{kms_key::Key, policy::Policy};
use crate::{
    Aws,
    classify::{absent, fault, missing, unbuilt},
    identity,
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// The longest name.
pub(crate) const NAME_LIMIT: usize = 256;
const KEY: &str = "KmsMasterKeyId";
const POLICY: &str = "Policy";

/// What a topic should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The name. Part of the id, so it cannot drift.
    pub name: String,
    /// What messages are encrypted with.
    pub kms_key: Ref<Key>,
    /// Who may publish, and how.
    pub policy: Policy,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `arn:aws:sns:…`
    pub topic_arn: String,
}

/// A topic.
pub struct Topic;

impl Resource for Topic {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "sns/topic";
    const REPLACE_ON: &'static [&'static str] = &["name"];
    const TAGGED: bool = true;

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let request = cx.cloud.sns.create_topic().name(identity::physical_name(cx.identity, &spec.name, NAME_LIMIT));
        let request = request.attributes(KEY, cx.id(&spec.kms_key)?.as_str());
        let request = request.attributes(POLICY, spec.policy.text(cx)?).set_tags(Some(tags(cx)?));
        let answer = request.send().await.map_err(fault("sns", "CreateTopic"))?;
        answer.topic_arn().map(Id::from).ok_or_else(|| missing("sns", "CreateTopic", "TopicArn"))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        // The create has said it all.
        if cx.creating() {
            return Ok(());
        }
        if cx.changes("kms_key") {
            set(cx.cloud, id, KEY, cx.id(&spec.kms_key)?.as_str()).await?;
        }
        if cx.changes("policy") {
            set(cx.cloud, id, POLICY, &spec.policy.text(cx)?).await?;
        }
        Ok(())
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let request = cx.cloud.sns.get_topic_attributes().topic_arn(id.as_str());
        let Some(answer) = absent(request.send().await.map_err(fault("sns", "GetTopicAttributes")))? else {
            return Ok(None);
        };
        let attribute = |name: &str| answer.attributes().and_then(|all| all.get(name));
        Ok(Some(
            Observed::new(Outputs { topic_arn: id.to_string() })
                .see("kms_key", attribute(KEY))
                .see("policy", attribute(POLICY).map(|text| Policy::parse(text))),
        ))
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let Deployment { partition, region, account, .. } = &*cx.identity.deployment;
        let name = identity::physical_name(cx.identity, &spec.name, NAME_LIMIT);
        let arn = format!("arn:{partition}:sns:{region}:{account}:{name}");
        let tags = tags_of(cx.cloud, &arn).await?;
        Ok(identity::owns(cx.identity, pairs(&tags)).then(|| Id::from(arn.as_str())))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let request = cx.cloud.sns.delete_topic().topic_arn(id.as_str());
        request.send().await.map(drop).map_err(fault("sns", "DeleteTopic"))
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let stem = identity::stem(deployment);
        let pages = aws.sns.list_topics().into_paginator().items().send();
        let topics = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("sns", "ListTopics"))?;
        let mut found = Vec::new();
        for arn in topics.iter().filter_map(|topic| topic.topic_arn()).filter(|arn| arn.contains(&stem)) {
            found.extend(identity::belongs(deployment, arn, pairs(&tags_of(aws, arn).await?)));
        }
        Ok(found)
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        identity::unclaimed(cx.identity, pairs(&tags_of(cx.cloud, id.as_str()).await?))?;
        let request = cx.cloud.sns.tag_resource().resource_arn(id.as_str()).set_tags(Some(tags(cx)?));
        request.send().await.map(drop).map_err(fault("sns", "TagResource"))
    }

    fn fits(cx: &Cx<'_>, id: &Id, spec: &Spec) -> bool {
        id.as_str().rsplit(':').next() == Some(&identity::physical_name(cx.identity, &spec.name, NAME_LIMIT))
    }

    fn actions() -> Actions {
        Actions {
            write: &["sns:CreateTopic", "sns:SetTopicAttributes", "sns:TagResource", "kms:Decrypt", "kms:GenerateDataKey"],
            read: &["sns:GetTopicAttributes", "sns:ListTagsForResource", "sns:ListTopics"],
            delete: &["sns:DeleteTopic"],
        }
    }
}

async fn set(aws: &Aws, id: &Id, name: &str, value: &str) -> Result<(), Fault> {
    let request = aws.sns.set_topic_attributes().topic_arn(id.as_str()).attribute_name(name).attribute_value(value);
    request.send().await.map(drop).map_err(fault("sns", "SetTopicAttributes"))
}

fn tags(cx: &Cx<'_>) -> Result<Vec<Tag>, Fault> {
    let tags = identity::tags(cx.identity).into_iter();
    let tags = tags.map(|(key, value)| Tag::builder().key(key).value(value).build());
    tags.collect::<Result<_, _>>().map_err(unbuilt("sns", "CreateTopic"))
}

async fn tags_of(aws: &Aws, arn: &str) -> Result<Vec<Tag>, Fault> {
    let request = aws.sns.list_tags_for_resource().resource_arn(arn);
    let answer = absent(request.send().await.map_err(fault("sns", "ListTagsForResource")))?;
    Ok(answer.and_then(|answer| answer.tags).unwrap_or_default())
}

fn pairs(tags: &[Tag]) -> impl Iterator<Item = (&str, &str)> {
    tags.iter().map(|tag| (tag.key(), tag.value()))
}
