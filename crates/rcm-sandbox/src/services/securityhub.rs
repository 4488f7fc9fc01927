//! Security Hub: the hub, its tags and its standards. Nothing is checked, so there are no findings.
//!
//! | Operation | As on AWS |
//! |---|---|
//! | `EnableSecurityHub`, `DescribeHub`, `DisableSecurityHub` | one a region (`ResourceConflictException`); everything else is an `InvalidAccessException` before |
//! | `BatchEnableStandards`, `GetEnabledStandards`, `BatchDisableStandards` | by ARN; one that is on already stays; `PENDING` for some polls |
//! | `ListTagsForResource` | of the hub |
//!
//! API: <https://docs.aws.amazon.com/securityhub/1.0/APIReference/Welcome.html>.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::arn::arn;
use crate::countdown::Countdown;
use crate::emulator::{Emulated, Emulator};
use crate::json::{self, Answer, Rest};
use crate::service::{ApiRequest, ApiResponse, Context, Tags};
use crate::time::timestamp;
use crate::wire::Fault;

/// The hub of the region, if it is enabled.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct SecurityHub {
    hub: Option<Hub>,
    /// The standards that are on, by ARN.
    standards: BTreeMap<String, Countdown>,
}

#[derive(Serialize, Deserialize)]
struct Hub {
    subscribed: String,
    generator: String,
    tags: Tags,
}

/// The standards that AWS enables by itself.
const BY_DEFAULT: [&str; 2] =
    ["standards/aws-foundational-security-best-practices/v/1.0.0", "ruleset/cis-aws-foundations-benchmark/v/1.2.0"];

impl Emulated for SecurityHub {
    const NAME: &'static str = "securityhub";

    async fn answer(emulator: &Emulator<Self>, cx: &Context, request: &ApiRequest) -> ApiResponse {
        json::reply(Rest::of(request).and_then(|rest| emulator.lock().operate(cx, request, &rest)))
    }

    fn arrive(&mut self) {
        self.standards.values_mut().for_each(|countdown| *countdown = Countdown::default());
    }
}

impl SecurityHub {
    fn operate(&mut self, cx: &Context, request: &ApiRequest, rest: &Rest) -> Answer {
        let (method, parts) = rest.asked(request);
        if let ("POST", ["accounts"]) = (method, parts.as_slice()) {
            return self.enable(cx, rest);
        }
        let Some(hub) = &self.hub else {
            let message = format!("Account {} is not subscribed to AWS Security Hub", cx.account);
            return Err(Fault::new("InvalidAccessException", message).status(401));
        };
        match (method, parts.as_slice()) {
            ("GET", ["accounts"]) => Ok(json!({
                "HubArn": hub_arn(cx),
                "SubscribedAt": hub.subscribed,
                "AutoEnableControls": true,
                "ControlFindingGenerator": hub.generator,
            })),
            ("DELETE", ["accounts"]) => {
                *self = Self::default();
                Ok(json!({}))
            }
            ("GET", ["tags", ..]) => Ok(json!({"Tags": hub.tags})),
            ("POST", ["standards", "register"]) => self.register(cx, rest),
            ("POST", ["standards", "deregister"]) => {
                let gone = rest.body.texts("StandardsSubscriptionArns");
                self.standards.retain(|standard, _| !gone.contains(&subscription(cx, standard)));
                Ok(json!({"StandardsSubscriptions": []}))
            }
            ("POST", ["standards", "get"]) => {
                let shown = self.standards.iter_mut().map(|(standard, countdown)| {
                    let status = if countdown.poll() { "READY" } else { "PENDING" };
                    shown(cx, standard, status)
                });
                Ok(json!({"StandardsSubscriptions": shown.collect::<Vec<_>>()}))
            }
            (method, _) => json::unknown_operation(&format!("{method} {}", request.uri)),
        }
    }

    fn enable(&mut self, cx: &Context, rest: &Rest) -> Answer {
        if self.hub.is_some() {
            let message = format!("Account {} is already subscribed to AWS Security Hub", cx.account);
            return Err(Fault::new("ResourceConflictException", message).status(409));
        }
        let generator = rest.body.string("ControlFindingGenerator").unwrap_or_else(|| "SECURITY_CONTROL".to_owned());
        let tags = json::string_map(rest.body.value("Tags"));
        self.hub = Some(Hub { subscribed: timestamp(), generator, tags });
        if rest.body.flag("EnableDefaultStandards").unwrap_or(true) {
            for standard in BY_DEFAULT {
                let region = if standard.starts_with("ruleset") { "" } else { &cx.region };
                let standard = format!("arn:aws:securityhub:{region}::{standard}");
                self.standards.insert(standard, Countdown::new(cx.polls()));
            }
        }
        Ok(json!({}))
    }

    fn register(&mut self, cx: &Context, rest: &Rest) -> Answer {
        let asked = rest.body.objects("StandardsSubscriptionRequests").iter();
        let asked: Vec<&str> = asked.filter_map(|one| one["StandardsArn"].as_str()).collect();
        let known = |standard: &&str| standard.starts_with("arn:aws:securityhub:") && standard.contains("/v/");
        if asked.is_empty() || !asked.iter().all(known) {
            return Err(Fault::new("InvalidInputException", "Invalid parameter: StandardsArn"));
        }
        for standard in &asked {
            self.standards.entry((*standard).to_owned()).or_insert_with(|| Countdown::new(cx.polls()));
        }
        let shown = asked.iter().map(|standard| shown(cx, standard, "PENDING"));
        Ok(json!({"StandardsSubscriptions": shown.collect::<Vec<_>>()}))
    }
}

fn hub_arn(cx: &Context) -> String {
    arn(cx, "securityhub", "hub/default")
}

/// `arn:aws:securityhub:us-east-1:123456789012:subscription/aws-foundational-security-best-practices/v/1.0.0`
fn subscription(cx: &Context, standard: &str) -> String {
    let (_, name) = standard.split_once('/').unwrap_or(("", standard));
    arn(cx, "securityhub", &format!("subscription/{name}"))
}

fn shown(cx: &Context, standard: &str, status: &str) -> Value {
    json!({
        "StandardsSubscriptionArn": subscription(cx, standard),
        "StandardsArn": standard,
        "StandardsInput": {},
        "StandardsStatus": status,
    })
}
