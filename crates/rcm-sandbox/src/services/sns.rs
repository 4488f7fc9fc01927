//! SNS: topics and their subscriptions. Nothing is sent.
//!
//! | What | As on AWS |
//! |---|---|
//! | topics | creating one that is there gives the same one, unless attributes or tags differ; a key that is not there is refused |
//! | subscriptions | of an e-mail address are `PendingConfirmation` until somebody confirms; subscribing again gives the same one |
//! | deletion | of a topic takes its subscriptions along, and is no error when it is gone; a pending subscription has no ARN to unsubscribe by |
//!
//! The token that confirms a subscription, which AWS sends by mail, is the last part of its ARN.
//!
//! API: <https://docs.aws.amazon.com/sns/latest/api/>

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::arn::arn;
use crate::emulator::{Emulated, Emulator};
use crate::neighbours;
use crate::service::{ApiRequest, ApiResponse, Context, Tags};
use crate::wire::{self, Fault, Params, Xml};

const NAMESPACE: &str = "http://sns.amazonaws.com/doc/2010-03-31/";
/// What a list says in place of the ARN of a subscription that nobody has confirmed.
const PENDING: &str = "PendingConfirmation";
const KEY: &str = "KmsMasterKeyId";

/// All topics of the account, by ARN.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Sns {
    topics: BTreeMap<String, Topic>,
}

#[derive(Serialize, Deserialize)]
struct Topic {
    attributes: BTreeMap<String, String>,
    tags: Tags,
    subscriptions: Vec<Subscription>,
}

#[derive(Serialize, Deserialize)]
struct Subscription {
    arn: String,
    protocol: String,
    endpoint: String,
    confirmed: bool,
}

impl Subscription {
    /// The ARN as lists tell it.
    fn told(&self) -> &str {
        if self.confirmed { &self.arn } else { PENDING }
    }
}

impl Emulated for Sns {
    const NAME: &'static str = "sns";

    async fn answer(emulator: &Emulator<Self>, cx: &Context, request: &ApiRequest) -> ApiResponse {
        let params = Params::parse(&request.body);
        let answer = operation(emulator, cx, &params).await;
        wire::query_reply(params.action(), NAMESPACE, answer)
    }
}

async fn operation(emulator: &Emulator<Sns>, cx: &Context, params: &Params) -> Result<Xml, Fault> {
    let set = (params.get("AttributeName") == Some(KEY)).then(|| params.get("AttributeValue")).flatten();
    let given = attributes(params);
    if let Some(key) = set.or_else(|| given.get(KEY).map(String::as_str)).filter(|key| !key.is_empty())
        && neighbours::key_arn(cx, key).await.is_none()
    {
        return Err(invalid(format!("{KEY} Reason: Key '{key}' does not exist")));
    }
    emulator.lock().operate(cx, params)
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameter", format!("Invalid parameter: {}", message.into()))
}

fn attributes(params: &Params) -> BTreeMap<String, String> {
    let entries = params.structs("Attributes.entry").into_iter();
    entries.filter_map(|entry| Some((entry.get("key")?.to_owned(), entry.get("value")?.to_owned()))).collect()
}

fn tags(params: &Params) -> Tags {
    let tags = params.structs("Tags.member").into_iter();
    tags.filter_map(|tag| Some((tag.get("Key")?.to_owned(), tag.get("Value")?.to_owned()))).collect()
}

impl Sns {
    fn operate(&mut self, cx: &Context, params: &Params) -> Result<Xml, Fault> {
        match params.action() {
            "CreateTopic" => self.create(cx, params),
            "GetTopicAttributes" => self.describe(params),
            "SetTopicAttributes" => {
                let (name, value) =
                    (params.require("AttributeName")?, params.get("AttributeValue").unwrap_or_default());
                check(name, value)?;
                self.topic(params, "TopicArn")?.attributes.insert(name.to_owned(), value.to_owned());
                Ok(Xml::default())
            }
            "DeleteTopic" => {
                self.topics.remove(params.require("TopicArn")?);
                Ok(Xml::default())
            }
            "ListTopics" => {
                let mut xml = Xml::default();
                xml.list("Topics", "member", self.topics.keys(), |topic, arn| {
                    topic.text("TopicArn", arn);
                });
                Ok(xml)
            }
            "ListTagsForResource" => {
                let mut xml = Xml::default();
                xml.list("Tags", "member", &self.topic(params, "ResourceArn")?.tags, |tag, (key, value)| {
                    tag.text("Key", key).text("Value", value);
                });
                Ok(xml)
            }
            "TagResource" => {
                self.topic(params, "ResourceArn")?.tags.extend(tags(params));
                Ok(Xml::default())
            }
            "UntagResource" => {
                let gone = params.list("TagKeys.member");
                self.topic(params, "ResourceArn")?.tags.retain(|key, _| !gone.contains(&key.as_str()));
                Ok(Xml::default())
            }
            "Subscribe" => self.subscribe(params),
            "ConfirmSubscription" => self.confirm(params),
            "Unsubscribe" => self.unsubscribe(params),
            "ListSubscriptionsByTopic" => self.subscriptions(cx, params),
            other => Err(Fault::new("InvalidAction", format!("the sandbox does not play sns:{other}"))),
        }
    }

    fn topic(&mut self, params: &Params, parameter: &str) -> Result<&mut Topic, Fault> {
        let arn = params.require(parameter)?;
        self.topics.get_mut(arn).ok_or_else(|| Fault::new("NotFound", "Topic does not exist").status(404))
    }

    fn create(&mut self, cx: &Context, params: &Params) -> Result<Xml, Fault> {
        let name = params.require("Name")?;
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
        if name.len() > 256 || !name.chars().all(allowed) {
            return Err(invalid("Topic Name"));
        }
        let (arn, attributes, tags) = (arn(cx, "sns", name), attributes(params), tags(params));
        attributes.iter().try_for_each(|(name, value)| check(name, value))?;
        match self.topics.get(&arn) {
            Some(topic) if topic.tags != tags => {
                return Err(invalid("Tags Reason: Topic already exists with different tags"));
            }
            Some(topic) if attributes.iter().any(|(name, value)| topic.attributes.get(name) != Some(value)) => {
                return Err(invalid("Attributes Reason: Topic already exists with different attributes"));
            }
            Some(_) => {}
            None => drop(self.topics.insert(arn.clone(), Topic { attributes, tags, subscriptions: Vec::new() })),
        }
        let mut xml = Xml::default();
        xml.text("TopicArn", arn);
        Ok(xml)
    }

    fn describe(&mut self, params: &Params) -> Result<Xml, Fault> {
        let arn = params.require("TopicArn")?.to_owned();
        let topic = self.topic(params, "TopicArn")?;
        let own = [("TopicArn".to_owned(), arn)];
        let mut xml = Xml::default();
        xml.list("Attributes", "entry", topic.attributes.clone().into_iter().chain(own), |entry, (key, value)| {
            entry.text("key", key).text("value", value);
        });
        Ok(xml)
    }

    fn subscribe(&mut self, params: &Params) -> Result<Xml, Fault> {
        let (protocol, endpoint) = (params.require("Protocol")?.to_owned(), params.require("Endpoint")?.to_owned());
        if !["email", "email-json"].contains(&protocol.as_str()) {
            return Err(invalid(format!("the sandbox plays no subscriptions of {protocol}")));
        }
        if !endpoint.contains('@') {
            return Err(invalid("Email address"));
        }
        let of = params.require("TopicArn")?.to_owned();
        let subscriptions = &mut self.topic(params, "TopicArn")?.subscriptions;
        let same = |one: &&Subscription| one.protocol == protocol && one.endpoint == endpoint;
        if !subscriptions.iter().any(|one| same(&one)) {
            let arn = format!("{of}:{}", Uuid::new_v4());
            subscriptions.push(Subscription {
                arn,
                protocol: protocol.clone(),
                endpoint: endpoint.clone(),
                confirmed: false,
            });
        }
        let mut xml = Xml::default();
        if let Some(subscription) = subscriptions.iter().find(same) {
            let tell = params.get("ReturnSubscriptionArn") == Some("true") || subscription.confirmed;
            xml.text("SubscriptionArn", if tell { &subscription.arn } else { "pending confirmation" });
        }
        Ok(xml)
    }

    fn confirm(&mut self, params: &Params) -> Result<Xml, Fault> {
        let token = params.require("Token")?.to_owned();
        let subscriptions = &mut self.topic(params, "TopicArn")?.subscriptions;
        let meant = subscriptions.iter_mut().find(|one| one.arn.ends_with(&format!(":{token}")));
        let subscription = meant.ok_or_else(|| invalid("Token"))?;
        subscription.confirmed = true;
        let mut xml = Xml::default();
        xml.text("SubscriptionArn", &subscription.arn);
        Ok(xml)
    }

    fn unsubscribe(&mut self, params: &Params) -> Result<Xml, Fault> {
        let arn = params.require("SubscriptionArn")?;
        if arn == PENDING {
            return Err(invalid("SubscriptionArn Reason: An ARN must have at least 6 elements, not 1"));
        }
        for topic in self.topics.values_mut() {
            topic.subscriptions.retain(|one| one.arn != arn || !one.confirmed);
        }
        Ok(Xml::default())
    }

    fn subscriptions(&mut self, cx: &Context, params: &Params) -> Result<Xml, Fault> {
        let of = params.require("TopicArn")?.to_owned();
        let mut xml = Xml::default();
        xml.list("Subscriptions", "member", &self.topic(params, "TopicArn")?.subscriptions, |member, one| {
            member.text("TopicArn", &of).text("Protocol", &one.protocol).text("Endpoint", &one.endpoint);
            member.text("SubscriptionArn", one.told()).text("Owner", &cx.account);
        });
        Ok(xml)
    }
}

/// What AWS refuses of an attribute.
fn check(name: &str, value: &str) -> Result<(), Fault> {
    match name {
        "Policy" if serde_json::from_str::<serde_json::Value>(value).is_err() => Err(invalid("Policy")),
        "Policy" | "KmsMasterKeyId" | "DisplayName" => Ok(()),
        other => Err(invalid(format!("AttributeName {other}"))),
    }
}
