//! Event subscriptions. No event is told.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Rds, identifier, invalid, tags};
use crate::arn::arn;
use crate::countdown::Countdown;
use crate::page::page;
use crate::service::{Context, Tags};
use crate::time::timestamp;
use crate::wire::{Fault, Params, Xml};

/// Who RDS publishes as.
const PUBLISHER: &str = "events.rds.amazonaws.com";

#[rustfmt::skip]
const OF_INSTANCES: &[&str] = &[
    "availability", "backup", "configuration change", "creation", "deletion", "failover", "failure", "low storage", "maintenance",
    "notification", "read replica", "recovery", "restoration", "security", "security patching",
];

#[derive(Serialize, Deserialize)]
pub(super) struct Subscription {
    name: String,
    arn: String,
    topic: String,
    source_type: Option<String>,
    sources: BTreeSet<String>,
    categories: BTreeSet<String>,
    enabled: bool,
    created: String,
    /// What it is doing until the countdown is over.
    doing: String,
    countdown: Countdown,
    pub(super) tags: Tags,
}

impl Subscription {
    pub(super) fn arrive(&mut self) {
        self.countdown = Countdown::default();
    }

    fn show(&mut self, account: &str, xml: &mut Xml) {
        let status = if self.countdown.poll() { "active" } else { self.doing.as_str() };
        xml.text("CustomerAwsId", account)
            .text("CustSubscriptionId", &self.name)
            .text("SnsTopicArn", &self.topic)
            .text("Status", status)
            .text("SubscriptionCreationTime", &self.created)
            .opt("SourceType", self.source_type.as_deref())
            .texts("SourceIdsList", "SourceId", &self.sources)
            .texts("EventCategoriesList", "EventCategory", &self.categories)
            .text("Enabled", self.enabled)
            .text("EventSubscriptionArn", &self.arn);
    }

    fn shown(&mut self) -> Xml {
        let account = self.arn.split(':').nth(4).unwrap_or_default().to_owned();
        let mut xml = Xml::default();
        xml.node("EventSubscription", |node| self.show(&account, node));
        xml
    }
}

/// Refuses a topic that is not there, or whose policy does not name RDS.
pub(super) fn check_topic(policy: Option<String>) -> Result<(), Fault> {
    let Some(policy) = policy else {
        return Err(Fault::new("SNSTopicArnNotFound", "The SNS topic ARN does not exist.").status(404));
    };
    if policy.contains(PUBLISHER) {
        return Ok(());
    }
    Err(Fault::new("SNSNoAuthorization", "You do not have permission to publish to the SNS topic ARN."))
}

fn check_categories(source_type: Option<&str>, categories: &BTreeSet<String>) -> Result<(), Fault> {
    let known = match source_type {
        Some("db-instance") => OF_INSTANCES,
        Some("db-parameter-group") => &["configuration change"],
        Some("db-security-group") => &["configuration change", "failure"],
        Some(other) => return Err(invalid(format!("The sandbox plays no events of {other}"))),
        None => OF_INSTANCES,
    };
    match categories.iter().find(|category| !known.contains(&category.as_str())) {
        Some(unknown) => {
            Err(Fault::new("SubscriptionCategoryNotFound", format!("Category {unknown} was not found.")).status(404))
        }
        None => Ok(()),
    }
}

fn missing(name: &str) -> Fault {
    Fault::new("SubscriptionNotFound", format!("Event subscription {name} not found.")).status(404)
}

fn texts(params: &Params, name: &str) -> BTreeSet<String> {
    params.list(name).into_iter().map(str::to_owned).collect()
}

impl Rds {
    fn subscription(&mut self, params: &Params) -> Result<&mut Subscription, Fault> {
        let name = params.require("SubscriptionName")?.to_ascii_lowercase();
        self.subscriptions.get_mut(&name).ok_or_else(|| missing(&name))
    }

    fn check_source(&self, source_type: Option<&str>, source: &str) -> Result<(), Fault> {
        let known = match source_type {
            Some("db-instance") => self.instances.contains_key(source),
            Some("db-parameter-group") => self.parameter_groups.contains_key(source),
            _ => false,
        };
        let fault = || Fault::new("SourceNotFound", format!("Could not find source: {source}")).status(404);
        if known { Ok(()) } else { Err(fault()) }
    }

    pub(super) fn create_subscription(&mut self, cx: &Context, params: &Params) -> Result<Xml, Fault> {
        let name = identifier(params, "SubscriptionName")?;
        let source_type = params.get("SourceType").map(str::to_owned);
        let (sources, categories) =
            (texts(params, "SourceIds.SourceId"), texts(params, "EventCategories.EventCategory"));
        sources.iter().try_for_each(|source| self.check_source(source_type.as_deref(), source))?;
        check_categories(source_type.as_deref(), &categories)?;
        if self.subscriptions.contains_key(&name) {
            let message = format!("An event subscription with the name {name} already exists.");
            return Err(Fault::new("SubscriptionAlreadyExist", message));
        }
        let mut subscription = Subscription {
            arn: arn(cx, "rds", &format!("es:{name}")),
            topic: params.require("SnsTopicArn")?.to_owned(),
            source_type,
            sources,
            categories,
            enabled: params.get("Enabled") != Some("false"),
            created: timestamp(),
            doing: "creating".to_owned(),
            countdown: Countdown::new(cx.polls()),
            tags: tags(params)?,
            name: name.clone(),
        };
        let shown = subscription.shown();
        self.subscriptions.insert(name, subscription);
        Ok(shown)
    }

    pub(super) fn describe_subscriptions(&mut self, params: &Params) -> Result<Xml, Fault> {
        let found: Vec<&mut Subscription> = match params.get("SubscriptionName") {
            Some(_) => vec![self.subscription(params)?],
            None => self.subscriptions.values_mut().collect(),
        };
        let (shown, next) = page(found, params.get("Marker"), params.parsed("MaxRecords")?);
        let mut xml = Xml::default();
        xml.list("EventSubscriptionsList", "EventSubscription", shown, |xml, subscription| {
            let account = subscription.arn.split(':').nth(4).unwrap_or_default().to_owned();
            subscription.show(&account, xml);
        });
        xml.opt("Marker", next);
        Ok(xml)
    }

    pub(super) fn modify_subscription(&mut self, cx: &Context, params: &Params) -> Result<Xml, Fault> {
        let polls = cx.polls();
        let subscription = self.subscription(params)?;
        let source_type = params.get("SourceType").map(str::to_owned).or_else(|| subscription.source_type.clone());
        let categories = texts(params, "EventCategories.EventCategory");
        check_categories(source_type.as_deref(), &categories)?;
        subscription.source_type = source_type;
        if !categories.is_empty() {
            subscription.categories = categories;
        }
        if let Some(topic) = params.get("SnsTopicArn") {
            subscription.topic = topic.to_owned();
        }
        if let Some(enabled) = params.get("Enabled") {
            subscription.enabled = enabled == "true";
        }
        "modifying".clone_into(&mut subscription.doing);
        subscription.countdown = Countdown::new(polls);
        Ok(subscription.shown())
    }

    pub(super) fn add_source(&mut self, params: &Params) -> Result<Xml, Fault> {
        let source = params.require("SourceIdentifier")?.to_owned();
        let source_type = self.subscription(params)?.source_type.clone();
        self.check_source(source_type.as_deref(), &source)?;
        let subscription = self.subscription(params)?;
        subscription.sources.insert(source);
        Ok(subscription.shown())
    }

    pub(super) fn remove_source(&mut self, params: &Params) -> Result<Xml, Fault> {
        let source = params.require("SourceIdentifier")?;
        let subscription = self.subscription(params)?;
        if !subscription.sources.remove(source) {
            return Err(Fault::new("SourceNotFound", format!("Could not find source: {source}")).status(404));
        }
        Ok(subscription.shown())
    }

    pub(super) fn delete_subscription(&mut self, params: &Params) -> Result<Xml, Fault> {
        let shown = self.subscription(params)?.shown();
        self.subscriptions.remove(&params.require("SubscriptionName")?.to_ascii_lowercase());
        Ok(shown)
    }
}
