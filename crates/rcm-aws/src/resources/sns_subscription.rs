//! A subscription: who gets what a topic is told, by e-mail.
//!
//! API: [Subscribe](https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html),
//! [ListSubscriptionsByTopic](https://docs.aws.amazon.com/sns/latest/api/API_ListSubscriptionsByTopic.html).
//!
//! Surprises: an address gets nothing before a person confirms by the link in AWS's mail. Until then lists tell
//! `PendingConfirmation` in place of an ARN, nobody can delete the subscription, and AWS drops it by itself after 48 hours. It goes
//! with its topic, too. Whoever gets the mails can unsubscribe by a link in each. What has been dropped is asked for again by the next
//! run. There are no tags and, while it is pending, no id; so the id is the topic, the protocol and the address.

use rcm_engine::model::{Actions, Fault, Id, Known, Observed, Ref, Resource};
use serde::{Deserialize, Serialize};

use aws_sdk_sns::types::Subscription as Live;

use super::sns_topic::Topic;
use crate::{
    Aws,
    classify::{absent, fault},
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// What a list says in place of an ARN.
const PENDING: &str = "PendingConfirmation";
/// What stands between the topic and the address in an id.
const TO: &str = "/email/";

/// What a subscription should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// What is told.
    pub topic: Ref<Topic>,
    /// The e-mail address that is told it.
    pub email: String,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// Whether a person has confirmed the address.
    pub confirmed: bool,
}

/// A subscription.
pub struct Subscription;

impl Resource for Subscription {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "sns/subscription";
    const REPLACE_ON: &'static [&'static str] = &["topic", "email"];

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let topic = cx.id(&spec.topic)?;
        let request = cx.cloud.sns.subscribe().topic_arn(topic.as_str()).protocol("email").endpoint(&spec.email);
        request.send().await.map_err(fault("sns", "Subscribe"))?;
        Ok(id(topic.as_str(), &spec.email))
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let (topic, email) = place(id)?;
        let live = of(&subscriptions(cx.cloud, topic).await?, email).map(|live| {
            let confirmed = arn(live).is_some();
            Observed::new(Outputs { confirmed }).see("topic", topic).see("email", email)
        });
        Ok(live)
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        super::batch::each::<Self>(known).await
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        find(cx.cloud, cx.id(&spec.topic)?.as_str(), &spec.email).await
    }

    /// One that is pending cannot be deleted: it gets nothing, and AWS drops it.
    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let (topic, email) = place(id)?;
        let live = subscriptions(cx.cloud, topic).await?;
        let Some(arn) = of(&live, email).and_then(arn) else { return Ok(()) };
        cx.cloud.sns.unsubscribe().subscription_arn(arn).send().await.map(drop).map_err(fault("sns", "Unsubscribe"))
    }

    fn fits(_: &Cx<'_>, id: &Id, spec: &Spec) -> bool {
        place(id).is_ok_and(|(_, email)| email == spec.email)
    }

    fn actions() -> Actions {
        Actions {
            write: &["sns:Subscribe"],
            read: &["sns:ListSubscriptionsByTopic"],
            delete: &["sns:ListSubscriptionsByTopic", "sns:Unsubscribe"],
        }
    }
}

/// The id of the subscription of `topic` that `email` has.
pub(super) async fn find(aws: &Aws, topic: &str, email: &str) -> Result<Option<Id>, Fault> {
    let live = subscriptions(aws, topic).await?;
    Ok(of(&live, email).map(|_| id(topic, email)))
}

/// None where the topic is gone: they go with it.
async fn subscriptions(aws: &Aws, topic: &str) -> Result<Vec<Live>, Fault> {
    let pages = aws.sns.list_subscriptions_by_topic().topic_arn(topic).into_paginator().items().send();
    let all = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("sns", "ListSubscriptionsByTopic"));
    Ok(absent(all)?.unwrap_or_default())
}

fn of<'l>(live: &'l [Live], email: &str) -> Option<&'l Live> {
    live.iter().find(|live| live.protocol() == Some("email") && live.endpoint() == Some(email))
}

fn arn(live: &Live) -> Option<&str> {
    live.subscription_arn().filter(|arn| *arn != PENDING)
}

fn id(topic: &str, email: &str) -> Id {
    Id::from(format!("{topic}{TO}{email}").as_str())
}

/// The topic and the address in an id.
fn place(id: &Id) -> Result<(&str, &str), Fault> {
    let place = id.as_str().split_once(TO);
    place.ok_or_else(|| Fault::invalid("id", format!("{id} is not TOPIC{TO}ADDRESS of a subscription")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_topic_and_address() {
        let topic = "arn:aws:sns:us-east-1:123456789012:acme-rcm-prod-alarms";
        assert_eq!(place(&id(topic, "support@acme.com")).unwrap(), (topic, "support@acme.com"));
        assert!(place(&Id::from(topic)).is_err());
    }

    #[test]
    fn one_that_waits_for_its_confirmation_has_no_arn() {
        let live = |arn: &str| Live::builder().protocol("email").endpoint("support@acme.com").subscription_arn(arn).build();
        assert_eq!(arn(&live(PENDING)), None);
        assert_eq!(of(&[live(PENDING)], "support@acme.com").map(|live| arn(live).is_some()), Some(false));
        assert!(arn(&live("arn:aws:sns:us-east-1:123456789012:alarms:0f")).is_some());
    }
}
