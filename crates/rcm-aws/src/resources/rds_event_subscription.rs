//! An event subscription: which of RDS's events reach a topic, and of what.
//!
//! API: [CreateEventSubscription](https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateEventSubscription.html),
//! [categories](https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.Messages.html),
//! [what the topic's policy needs](https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.GrantingPermissions.html).
//!
//! Surprises: a subscription has one type of source, so each type is another one. Its sources are not part of a modification:
//! they are added and removed one by one. RDS looks at the topic's policy when it is told the topic, and refuses one that it may
//! not publish to; it says so only by the status when that comes later. The Describe has no filter and tells no tags.

use std::collections::BTreeSet;

use aws_sdk_rds::types::EventSubscription as Described;
use rcm_engine::model::{Actions, Deployment, Fault, Id, Known, Observed, Owned, Pace, Readiness, Ref, Resource};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    batch::in_order,
    rds::{claim, listed_by_arn, owned, tagged},
    sns_topic::Topic,
};
use crate::{
    Aws,
    classify::{absent, fault, missing},
    identity::physical_name,
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// The longest name.
const NAME_LIMIT: usize = 254;

/// What a subscription should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The name. It is the id, so it cannot drift.
    pub name: String,
    /// Where the events are told.
    pub topic: Ref<Topic>,
    /// What they are about: `db-instance`, `db-parameter-group`, `db-security-group`, …
    pub source_type: String,
    /// The identifiers of the sources, as text or as references; all of the account and region if there are none.
    pub sources: Vec<Value>,
    /// The categories of events.
    pub categories: BTreeSet<String>,
    /// Whether anything is told.
    pub enabled: bool,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `arn:aws:rds:…:es:…`
    pub subscription_arn: String,
}

/// An event subscription.
pub struct EventSubscription;

impl Resource for EventSubscription {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "rds/event-subscription";
    const REPLACE_ON: &'static [&'static str] = &["name"];
    const TAGGED: bool = true;
    const PACE: Pace = Pace::slow(60, 600);

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let request = cx.cloud.rds.create_event_subscription().set_tags(Some(tagged(cx.identity)));
        let request = request.subscription_name(physical_name(cx.identity, &spec.name, NAME_LIMIT));
        let request = request.sns_topic_arn(cx.id(&spec.topic)?.as_str()).source_type(&spec.source_type);
        let request = request.set_source_ids(Some(sources(cx, spec)?.into_iter().collect()));
        let request = request.set_event_categories(Some(spec.categories.iter().cloned().collect()));
        let answer = request.enabled(spec.enabled).send().await.map_err(fault("rds", "CreateEventSubscription"))?;
        let name = answer.event_subscription().and_then(|made| made.cust_subscription_id());
        name.map(Id::from).ok_or_else(|| missing("rds", "CreateEventSubscription", "CustSubscriptionId"))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        // The create has said it all.
        if cx.creating() {
            return Ok(());
        }
        if ["topic", "source_type", "categories", "enabled"].iter().any(|field| cx.changes(field)) {
            let request = cx.cloud.rds.modify_event_subscription().subscription_name(id.as_str());
            let request = request.sns_topic_arn(cx.id(&spec.topic)?.as_str()).source_type(&spec.source_type);
            let request = request.set_event_categories(Some(spec.categories.iter().cloned().collect()));
            let request = request.enabled(spec.enabled);
            request.send().await.map_err(fault("rds", "ModifyEventSubscription"))?;
        }
        if cx.changes("sources") { set_sources(cx, id, &sources(cx, spec)?).await } else { Ok(()) }
    }

    async fn ready(cx: &Cx<'_>, id: &Id) -> Result<Readiness, Fault> {
        let status = one(cx.cloud, id).await?.and_then(|found| found.status);
        Ok(match status.as_deref() {
            None => Readiness::Pending("not visible yet".to_owned()),
            Some("no-permission") => Readiness::Failed("RDS may not publish to the topic".to_owned()),
            Some("topic-not-exist") => Readiness::Failed("the topic is gone".to_owned()),
            Some(busy @ ("creating" | "modifying")) => Readiness::Pending(busy.to_owned()),
            Some(_) => Readiness::Ready,
        })
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        Ok(one(cx.cloud, id).await?.as_ref().map(observe))
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        let Some(first) = known.first() else { return Ok(Vec::new()) };
        let ids: Vec<_> = known.iter().map(|known| known.id).collect();
        let all = all(first.cx.cloud).await?.into_iter().filter(stays).collect();
        Ok(in_order(&ids, all, |found| found.cust_subscription_id(), observe))
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let id = Id::new(physical_name(cx.identity, &spec.name, NAME_LIMIT));
        let Some(found) = one(cx.cloud, &id).await? else { return Ok(None) };
        let arn = found.event_subscription_arn().unwrap_or_default();
        Ok(owned(cx.cloud, cx.identity, arn).await?.then_some(id))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let request = cx.cloud.rds.delete_event_subscription().subscription_name(id.as_str());
        request.send().await.map(drop).map_err(fault("rds", "DeleteEventSubscription"))
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let all = all(aws).await?;
        let stay = all.iter().filter(|found| stays(found));
        let pairs = stay.filter_map(|found| Some((found.cust_subscription_id()?, found.event_subscription_arn()?)));
        listed_by_arn(aws, deployment, pairs).await
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        claim(cx, "es", id).await
    }

    fn fits(cx: &Cx<'_>, id: &Id, spec: &Spec) -> bool {
        id.as_str() == physical_name(cx.identity, &spec.name, NAME_LIMIT)
    }

    fn actions() -> Actions {
        Actions {
            write: &[
                "rds:AddSourceIdentifierToSubscription",
                "rds:AddTagsToResource",
                "rds:CreateEventSubscription",
                "rds:ModifyEventSubscription",
                "rds:RemoveSourceIdentifierFromSubscription",
            ],
            read: &["rds:DescribeEventSubscriptions", "rds:ListTagsForResource"],
            delete: &["rds:DeleteEventSubscription"],
        }
    }
}

/// What the sources' references stand for.
fn sources(cx: &Cx<'_>, spec: &Spec) -> Result<BTreeSet<String>, Fault> {
    let source = |value: &Value| -> Result<_, Fault> {
        let source = cx.resolve(value)?;
        let name = source.as_str().map(str::to_owned);
        name.ok_or_else(|| Fault::invalid("sources", format!("{source} is no identifier")))
    };
    spec.sources.iter().map(source).collect()
}

/// Adds before it removes: without a source it would be about all of them.
async fn set_sources(cx: &Cx<'_>, id: &Id, wanted: &BTreeSet<String>) -> Result<(), Fault> {
    let live: BTreeSet<String> =
        one(cx.cloud, id).await?.map(|found| found.source_ids_list().iter().cloned().collect()).unwrap_or_default();
    for source in wanted.difference(&live) {
        let request = cx.cloud.rds.add_source_identifier_to_subscription().subscription_name(id.as_str());
        let request = request.source_identifier(source);
        request.send().await.map_err(fault("rds", "AddSourceIdentifierToSubscription"))?;
    }
    for source in live.difference(wanted) {
        let request = cx.cloud.rds.remove_source_identifier_from_subscription().subscription_name(id.as_str());
        let request = request.source_identifier(source);
        request.send().await.map_err(fault("rds", "RemoveSourceIdentifierFromSubscription"))?;
    }
    Ok(())
}

fn stays(found: &Described) -> bool {
    found.status() != Some("deleting")
}

async fn one(aws: &Aws, id: &Id) -> Result<Option<Described>, Fault> {
    let request = aws.rds.describe_event_subscriptions().subscription_name(id.as_str());
    let answer = absent(request.send().await.map_err(fault("rds", "DescribeEventSubscriptions")))?;
    let found = answer.and_then(|answer| answer.event_subscriptions_list).unwrap_or_default();
    Ok(found.into_iter().next().filter(stays))
}

async fn all(aws: &Aws) -> Result<Vec<Described>, Fault> {
    let pages = aws.rds.describe_event_subscriptions().into_paginator().items().send();
    pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("rds", "DescribeEventSubscriptions"))
}

fn observe(found: &Described) -> Observed<Outputs> {
    Observed::new(Outputs { subscription_arn: found.event_subscription_arn().unwrap_or_default().to_owned() })
        .see("topic", found.sns_topic_arn())
        .see("source_type", found.source_type())
        .see("sources", found.source_ids_list())
        .see("categories", found.event_categories_list())
        .see("enabled", found.enabled().unwrap_or(false))
}
