//! CloudWatch: metric alarms, their tags, and dashboards. No metric is kept: an alarm is `INSUFFICIENT_DATA` until `SetAlarmState`.
//!
//! | What | As on AWS |
//! |---|---|
//! | protocol | RPC v2 CBOR alone, and errors with the code of the query protocol beside it |
//! | alarms | putting is an upsert that leaves the tags of one that is there; one statistic; periods, comparisons and treatments that AWS has |
//! | deletion | of an alarm that is not there is no error, of a dashboard it is `ResourceNotFound` |
//!
//! API: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/>

use std::collections::BTreeMap;

use http::HeaderValue;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::arn::arn;
use crate::cbor;
use crate::emulator::{Emulated, Emulator};
use crate::json::{Answer, Input, tag_list};
use crate::service::{ApiRequest, ApiResponse, Context, Tags};
use crate::wire::{self, Fault};

/// All alarms and dashboards of the account, by name.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct CloudWatch {
    alarms: BTreeMap<String, Alarm>,
    dashboards: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct Alarm {
    /// As it was put, but for the tags.
    settings: Map<String, Value>,
    tags: Tags,
    /// And why; nothing is measured, so it is what `SetAlarmState` has made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<(String, String)>,
}

const COMPARISONS: [&str; 4] =
    ["GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold"];
const TREATMENTS: [&str; 4] = ["breaching", "notBreaching", "ignore", "missing"];

impl Emulated for CloudWatch {
    /// What requests are signed for.
    const NAME: &'static str = "monitoring";

    async fn answer(emulator: &Emulator<Self>, cx: &Context, request: &ApiRequest) -> ApiResponse {
        reply(emulator.lock().operate(cx, request))
    }
}

/// The operation in the path of an RPC v2 request.
pub(crate) fn operation(uri: &str) -> Option<&str> {
    uri.split_once("/operation/").map(|(_, operation)| operation.split(['?', '/']).next().unwrap_or_default())
}

fn reply(answer: Answer) -> ApiResponse {
    match answer {
        Ok(output) => wire::cbor_reply(200, &output),
        Err(fault) => {
            let mut response = fault.cbor();
            // The code of the older protocol, by which the SDKs go on naming the error.
            if let Ok(code) = HeaderValue::from_str(&format!("{};Sender", fault.code())) {
                response.headers.insert("x-amzn-query-error", code);
            }
            response
        }
    }
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("ValidationError", message)
}

fn not_found(what: &str) -> Fault {
    Fault::new("ResourceNotFound", format!("{what} does not exist")).status(404)
}

impl CloudWatch {
    fn operate(&mut self, cx: &Context, request: &ApiRequest) -> Answer {
        let members = match cbor::to_json(&request.body) {
            Some(Value::Object(members)) => members,
            None if request.body.is_empty() => Map::new(),
            _ => return Err(Fault::new("SerializationException", "The body is not a CBOR map.")),
        };
        let input = Input(members);
        match operation(&request.uri).unwrap_or_default() {
            "PutMetricAlarm" => self.put_alarm(input),
            "DescribeAlarms" => Ok(self.describe_alarms(cx, &input)),
            "SetAlarmState" => {
                let (name, state) = (input.text("AlarmName").unwrap_or_default(), input.text("StateValue"));
                let state = state.filter(|state| ["OK", "ALARM", "INSUFFICIENT_DATA"].contains(state));
                let state = state.ok_or_else(|| invalid("StateValue is none of OK, ALARM and INSUFFICIENT_DATA"))?;
                let alarm = self.alarms.get_mut(name).ok_or_else(|| not_found(name))?;
                alarm.state = Some((state.to_owned(), input.string("StateReason").unwrap_or_default()));
                Ok(json!({}))
            }
            "DeleteAlarms" => {
                input.texts("AlarmNames").iter().for_each(|name| drop(self.alarms.remove(name)));
                Ok(json!({}))
            }
            "ListTagsForResource" => Ok(json!({"Tags": tag_list(&self.alarm(&input)?.tags, "Key", "Value")})),
            "TagResource" => {
                let tags = input.tags("Tags", "Key", "Value");
                self.alarm(&input)?.tags.extend(tags);
                Ok(json!({}))
            }
            "UntagResource" => {
                let gone = input.texts("TagKeys");
                self.alarm(&input)?.tags.retain(|key, _| !gone.contains(key));
                Ok(json!({}))
            }
            "PutDashboard" => self.put_dashboard(&input),
            "GetDashboard" => self.dashboard(cx, &input),
            "DeleteDashboards" => self.delete_dashboards(&input),
            other => Err(Fault::new("UnknownOperationException", format!("The sandbox does not play {other}."))),
        }
    }

    /// The alarm that an ARN names.
    fn alarm(&mut self, input: &Input) -> Result<&mut Alarm, Fault> {
        let arn = input.text("ResourceARN").unwrap_or_default();
        let name = arn.split_once(":alarm:").map_or(arn, |(_, name)| name);
        self.alarms.get_mut(name).ok_or_else(|| not_found(arn))
    }

    fn put_alarm(&mut self, input: Input) -> Answer {
        let name = input.string("AlarmName").filter(|name| !name.is_empty() && name.len() <= 255);
        let name = name.ok_or_else(|| invalid("AlarmName must have 1 to 255 characters"))?;
        check(&input)?;
        let tags = input.tags("Tags", "Key", "Value");
        let mut settings = input.0;
        settings.remove("Tags");
        match self.alarms.get_mut(&name) {
            Some(alarm) => alarm.settings = settings,
            None => drop(self.alarms.insert(name, Alarm { settings, tags, state: None })),
        }
        Ok(json!({}))
    }

    fn describe_alarms(&self, cx: &Context, input: &Input) -> Value {
        let (names, prefix) = (input.texts("AlarmNames"), input.text("AlarmNamePrefix").unwrap_or_default());
        let wanted = self
            .alarms
            .iter()
            .filter(|(name, _)| (names.is_empty() || names.contains(name)) && name.starts_with(prefix));
        let described = wanted.map(|(name, alarm)| {
            let mut shown = alarm.settings.clone();
            shown.insert("AlarmArn".into(), arn(cx, "cloudwatch", &format!("alarm:{name}")).into());
            let (state, reason) = alarm
                .state
                .clone()
                .unwrap_or_else(|| ("INSUFFICIENT_DATA".into(), "Unchecked: Initial alarm creation".into()));
            shown.insert("StateValue".into(), state.into());
            shown.insert("StateReason".into(), reason.into());
            Value::Object(shown)
        });
        json!({"MetricAlarms": described.collect::<Vec<_>>(), "CompositeAlarms": []})
    }

    fn put_dashboard(&mut self, input: &Input) -> Answer {
        let (name, body) = (input.text("DashboardName"), input.text("DashboardBody"));
        let body = body.filter(|body| serde_json::from_str::<Value>(body).is_ok_and(|body| body["widgets"].is_array()));
        let (Some(name), Some(body)) = (name, body) else {
            return Err(Fault::new("InvalidParameterInput", "The field DashboardBody must be a valid JSON object"));
        };
        self.dashboards.insert(name.to_owned(), body.to_owned());
        Ok(json!({"DashboardValidationMessages": []}))
    }

    fn dashboard(&self, cx: &Context, input: &Input) -> Answer {
        let name = input.text("DashboardName").unwrap_or_default();
        let body = self.dashboards.get(name).ok_or_else(|| not_found(&format!("Dashboard {name}")))?;
        let arn = format!("arn:aws:cloudwatch::{}:dashboard/{name}", cx.account);
        Ok(json!({"DashboardArn": arn, "DashboardName": name, "DashboardBody": body}))
    }

    /// All of them or none.
    fn delete_dashboards(&mut self, input: &Input) -> Answer {
        let names = input.texts("DashboardNames");
        if let Some(missing) = names.iter().find(|name| !self.dashboards.contains_key(*name)) {
            return Err(not_found(&format!("Dashboard {missing}")));
        }
        names.iter().for_each(|name| drop(self.dashboards.remove(name)));
        Ok(json!({}))
    }
}

/// What AWS refuses of an alarm.
fn check(input: &Input) -> Result<(), Fault> {
    let one_of = |member: &str, allowed: &[&str]| match input.text(member) {
        Some(value) if !allowed.contains(&value) => Err(invalid(format!("{value} is no value of {member}"))),
        _ => Ok(()),
    };
    one_of("ComparisonOperator", &COMPARISONS)?;
    one_of("TreatMissingData", &TREATMENTS)?;
    if input.text("Statistic").is_some() == input.text("ExtendedStatistic").is_some() {
        return Err(invalid("Exactly one of Statistic and ExtendedStatistic must be specified"));
    }
    let period = input.number("Period").unwrap_or_default();
    if ![10, 20, 30].contains(&period) && (period <= 0 || period % 60 != 0) {
        return Err(invalid("Period must be 10, 20, 30 or a multiple of 60"));
    }
    let evaluated = input.number("EvaluationPeriods").unwrap_or_default();
    if input.number("DatapointsToAlarm").is_some_and(|points| points > evaluated) || evaluated < 1 {
        return Err(invalid("DatapointsToAlarm must be less than or equal to EvaluationPeriods"));
    }
    Ok(())
}
