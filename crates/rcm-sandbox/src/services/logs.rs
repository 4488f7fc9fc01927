//! CloudWatch Logs: log groups, their key, retention, protection, tags and metric filters, and what is written to their streams. Nothing is
//! counted.
//!
//! | What | As on AWS |
//! |---|---|
//! | keys | `AccessDeniedException` unless the key's policy names CloudWatch Logs |
//! | retention | the numbers of days that AWS has |
//! | deletion | refused under deletion protection |
//! | metric filters | putting is an upsert; of a group that is there, with a pattern of at most 1024 characters and one metric; at most 100 a group |
//! | streams | events in the order in which they came; read from the end, without pages |
//! | events of a group | all streams in the order of their times, each with an id, in pages; filtered by terms, `?any` `-none` `"a phrase"`, and not by JSON or columns |

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::emulator::{Emulated, Emulator};
use crate::json::{self, Answer, Input, one_or_many, without_nulls};
use crate::neighbours;
use crate::service::{ApiRequest, ApiResponse, Context, Tags};
use crate::time;
use crate::wire::Fault;

/// All log groups of the account, by name.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Logs {
    groups: BTreeMap<String, Group>,
}

#[derive(Serialize, Deserialize)]
struct Group {
    /// Milliseconds since 1970.
    created: i64,
    class: String,
    retention_days: Option<i64>,
    kms_key: Option<String>,
    protected: bool,
    tags: Tags,
    /// By name.
    #[serde(default)]
    filters: BTreeMap<String, Filter>,
    /// By name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    streams: BTreeMap<String, Vec<Event>>,
}

#[derive(Serialize, Deserialize)]
struct Event {
    /// Milliseconds since 1970.
    at: i64,
    message: String,
}

#[derive(Serialize, Deserialize)]
struct Filter {
    /// Milliseconds since 1970.
    created: i64,
    pattern: String,
    metrics: Vec<Value>,
}

/// How many filters a group may have.
const FILTERS: usize = 100;

/// The retentions that `PutRetentionPolicy` takes, in days.
const RETENTIONS: [i64; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

impl Emulated for Logs {
    const NAME: &'static str = "logs";

    async fn answer(emulator: &Emulator<Self>, cx: &Context, request: &ApiRequest) -> ApiResponse {
        json::reply(operation(emulator, cx, request).await)
    }
}

async fn operation(emulator: &Emulator<Logs>, cx: &Context, request: &ApiRequest) -> Answer {
    let (operation, input) = Input::of(request)?;
    let takes_key = ["CreateLogGroup", "AssociateKmsKey"].contains(&operation.as_str());
    if let Some(key) = input.text("kmsKeyId").filter(|_| takes_key)
        && !key_lets_logs_in(cx, key).await
    {
        let message = "The specified KMS key does not exist or is not allowed to be used with Arn";
        return Err(Fault::new("AccessDeniedException", message));
    }
    emulator.lock().operate(cx, &operation, &input)
}

/// Whether the key exists and its policy names the CloudWatch Logs service of this region.
async fn key_lets_logs_in(cx: &Context, key: &str) -> bool {
    let Some(policy) = neighbours::key_policy(cx, key).await else { return false };
    let regional = format!("logs.{}.amazonaws.com", cx.region);
    let names_us = |statement: &Value| {
        let services = one_or_many(statement.pointer("/Principal/Service"));
        let named = services.iter().filter_map(|it| it.as_str()).any(|it| it == regional || it == "logs.amazonaws.com");
        named && statement.get("Effect").and_then(Value::as_str) == Some("Allow")
    };
    one_or_many(policy.get("Statement")).into_iter().any(names_us)
}

impl Logs {
    fn operate(&mut self, cx: &Context, operation: &str, input: &Input) -> Answer {
        match operation {
            "CreateLogGroup" => self.create(input),
            "DescribeLogGroups" => self.describe(cx, input),
            "DeleteLogGroup" => self.delete(input),
            "PutRetentionPolicy" => self.put_retention(input),
            "DeleteRetentionPolicy" => self.change(input, |group| group.retention_days = None),
            "AssociateKmsKey" => {
                let key = input.string("kmsKeyId");
                self.change(input, |group| group.kms_key = key)
            }
            "DisassociateKmsKey" => self.change(input, |group| group.kms_key = None),
            "PutLogGroupDeletionProtection" => {
                let protected = input.flag("deletionProtectionEnabled").unwrap_or(false);
                self.change(input, |group| group.protected = protected)
            }
            "PutMetricFilter" => self.put_filter(input),
            "DescribeMetricFilters" => self.describe_filters(input),
            "DeleteMetricFilter" => {
                let name = input.need("filterName")?;
                let missing = || Fault::new("ResourceNotFoundException", "The specified metric filter does not exist.");
                self.group(input)?.filters.remove(name).ok_or_else(missing)?;
                Ok(json!({}))
            }
            "TagResource" | "TagLogGroup" => {
                let tags = tag_map(input);
                self.change(input, |group| group.tags.extend(tags))
            }
            "CreateLogStream" => self.create_stream(input),
            "PutLogEvents" => self.put_events(input),
            "GetLogEvents" => self.events(input),
            "FilterLogEvents" => self.filtered(input),
            "UntagResource" => self.untag(input, "tagKeys"),
            "UntagLogGroup" => self.untag(input, "tags"),
            "ListTagsForResource" | "ListTagsLogGroup" => Ok(json!({"tags": self.group(input)?.tags})),
            other => json::unknown_operation(other),
        }
    }

    /// The group that the input names, by name or ARN, in whichever member the operation has for it.
    fn group(&mut self, input: &Input) -> Result<&mut Group, Fault> {
        let members = ["logGroupName", "logGroupIdentifier", "resourceIdentifier", "resourceArn"];
        let given = members.iter().find_map(|member| input.text(member)).unwrap_or_default();
        let missing = || Fault::new("ResourceNotFoundException", "The specified log group does not exist.");
        self.groups.get_mut(name_of(given)).ok_or_else(missing)
    }

    fn change(&mut self, input: &Input, change: impl FnOnce(&mut Group)) -> Answer {
        change(self.group(input)?);
        Ok(json!({}))
    }

    fn create(&mut self, input: &Input) -> Answer {
        let name = input.need("logGroupName")?;
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || "_-/.#".contains(letter);
        if name.len() > 512 || !name.chars().all(allowed) {
            return Err(Fault::new("InvalidParameterException", format!("{name} is not a valid log group name.")));
        }
        if self.groups.contains_key(name) {
            return Err(Fault::new("ResourceAlreadyExistsException", "The specified log group already exists"));
        }
        let group = Group {
            created: time::milliseconds(),
            class: input.string("logGroupClass").unwrap_or_else(|| "STANDARD".into()),
            retention_days: None,
            kms_key: input.string("kmsKeyId"),
            protected: input.flag("deletionProtectionEnabled").unwrap_or(false),
            tags: tag_map(input),
            filters: BTreeMap::new(),
            streams: BTreeMap::new(),
        };
        self.groups.insert(name.to_owned(), group);
        Ok(json!({}))
    }

    fn describe(&self, cx: &Context, input: &Input) -> Answer {
        let prefix = input.text("logGroupNamePrefix").unwrap_or_default();
        let pattern = input.text("logGroupNamePattern").unwrap_or_default().to_lowercase();
        let named = input.texts("logGroupIdentifiers");
        let limit = usize::try_from(input.number("limit").unwrap_or(50)).unwrap_or(50).clamp(1, 50);
        let after = input.text("nextToken").unwrap_or_default();
        let mut wanted = self.groups.iter().filter(|(name, _)| {
            name.starts_with(prefix)
                && name.to_lowercase().contains(&pattern)
                && (named.is_empty() || named.iter().any(|it| name_of(it) == *name))
                && name.as_str() > after
        });
        let page: Vec<_> = wanted.by_ref().take(limit).collect();
        let next = wanted.next().and(page.last()).map(|(name, _)| *name);
        let groups: Vec<Value> = page.iter().map(|(name, group)| group.described(cx, name)).collect();
        Ok(without_nulls(json!({"logGroups": groups, "nextToken": next})))
    }

    fn delete(&mut self, input: &Input) -> Answer {
        if self.group(input)?.protected {
            let message = "The log group cannot be deleted because deletion protection is enabled.";
            return Err(Fault::new("ValidationException", message));
        }
        self.groups.remove(input.need("logGroupName")?);
        Ok(json!({}))
    }

    fn put_retention(&mut self, input: &Input) -> Answer {
        let days = input.number("retentionInDays").filter(|days| RETENTIONS.contains(days));
        let Some(days) = days else {
            return Err(Fault::new("InvalidParameterException", "retentionInDays is not one of the allowed values."));
        };
        self.change(input, |group| group.retention_days = Some(days))
    }

    fn put_filter(&mut self, input: &Input) -> Answer {
        let invalid = |what: &str| Err(Fault::new("InvalidParameterException", format!("{what} is not valid.")));
        let name = input.need("filterName")?.to_owned();
        let pattern = input.string("filterPattern").unwrap_or_default();
        let metrics = input.objects("metricTransformations").to_vec();
        let whole = |metric: &Value| {
            ["metricName", "metricNamespace", "metricValue"].iter().all(|member| metric[*member].is_string())
        };
        if name.len() > 512 || name.contains([':', '*']) {
            return invalid("filterName");
        }
        if pattern.len() > 1024 || pattern.matches('(').count() != pattern.matches(')').count() {
            return invalid("filterPattern");
        }
        if metrics.len() != 1 || !metrics.iter().all(whole) {
            return invalid("metricTransformations");
        }
        let filters = &mut self.group(input)?.filters;
        if filters.len() >= FILTERS && !filters.contains_key(&name) {
            return Err(Fault::new("LimitExceededException", "Resource limit exceeded."));
        }
        let created = filters.get(&name).map_or_else(time::milliseconds, |filter| filter.created);
        filters.insert(name, Filter { created, pattern, metrics });
        Ok(json!({}))
    }

    fn describe_filters(&mut self, input: &Input) -> Answer {
        let group = input.need("logGroupName")?.to_owned();
        let prefix = input.text("filterNamePrefix").unwrap_or_default();
        let limit = usize::try_from(input.number("limit").unwrap_or(50)).unwrap_or(50).clamp(1, 50);
        let after = input.text("nextToken").unwrap_or_default();
        let filters = &self.group(input)?.filters;
        let mut wanted = filters.iter().filter(|(name, _)| name.starts_with(prefix) && name.as_str() > after);
        let page: Vec<_> = wanted.by_ref().take(limit).collect();
        let next = wanted.next().and(page.last()).map(|(name, _)| *name);
        let shown = page.iter().map(|(name, filter)| {
            json!({
                "filterName": name,
                "filterPattern": filter.pattern,
                "metricTransformations": filter.metrics,
                "creationTime": filter.created,
                "logGroupName": group,
            })
        });
        Ok(without_nulls(json!({"metricFilters": shown.collect::<Vec<_>>(), "nextToken": next})))
    }

    fn create_stream(&mut self, input: &Input) -> Answer {
        let name = input.need("logStreamName")?.to_owned();
        let group = self.group(input)?;
        if group.streams.contains_key(&name) {
            return Err(Fault::new("ResourceAlreadyExistsException", "The specified log stream already exists"));
        }
        group.streams.insert(name, Vec::new());
        Ok(json!({}))
    }

    fn stream(&mut self, input: &Input) -> Result<&mut Vec<Event>, Fault> {
        let name = input.need("logStreamName")?.to_owned();
        let missing = || Fault::new("ResourceNotFoundException", "The specified log stream does not exist.");
        self.group(input)?.streams.get_mut(&name).ok_or_else(missing)
    }

    fn put_events(&mut self, input: &Input) -> Answer {
        let event = |event: &Value| Event {
            at: event["timestamp"].as_i64().unwrap_or_default(),
            message: event["message"].as_str().unwrap_or_default().to_owned(),
        };
        let events: Vec<Event> = input.objects("logEvents").iter().map(event).collect();
        self.stream(input)?.extend(events);
        Ok(json!({}))
    }

    fn events(&mut self, input: &Input) -> Answer {
        let limit = usize::try_from(input.number("limit").unwrap_or(10_000)).unwrap_or(10_000);
        let from_head = input.flag("startFromHead").unwrap_or(false);
        let events = self.stream(input)?;
        let skipped = if from_head { 0 } else { events.len().saturating_sub(limit) };
        let shown = events.iter().skip(skipped).take(limit);
        let shown =
            shown.map(|Event { at, message }| json!({"timestamp": at, "ingestionTime": at, "message": message}));
        Ok(json!({"events": shown.collect::<Vec<_>>()}))
    }

    fn filtered(&mut self, input: &Input) -> Answer {
        let pattern = input.text("filterPattern").unwrap_or_default();
        let Some(terms) = Terms::of(pattern) else {
            let message = format!("Invalid filter pattern, or one that the sandbox does not play: {pattern}");
            return Err(Fault::new("InvalidParameterException", message));
        };
        let limit = usize::try_from(input.number("limit").unwrap_or(PAGE)).unwrap_or_default();
        if limit == 0 || limit > 10_000 {
            return Err(Fault::new("InvalidParameterException", "limit must be from 1 to 10000."));
        }
        let from = input.number("startTime").unwrap_or(0);
        let until = input.number("endTime").unwrap_or(i64::MAX);
        let prefix = input.text("logStreamNamePrefix").unwrap_or_default();
        let named = input.texts("logStreamNames");
        let after = input.text("nextToken").unwrap_or_default().to_owned();
        let group = self.group(input)?;
        let streams = group
            .streams
            .iter()
            .filter(|(name, _)| name.starts_with(prefix) && (named.is_empty() || named.contains(*name)));
        let events = streams.flat_map(|(name, events)| {
            events.iter().enumerate().map(move |(at, event)| (event.at, event_id(name, at, event), name, event))
        });
        let mut events: Vec<_> = events.filter(|(at, ..)| (from..=until).contains(at)).collect();
        events.sort_by(|one, other| one.1.cmp(&other.1));
        // As on AWS a page is what was looked at: one where nothing matches has no events, and a token all the same.
        let mut looked_at = events.into_iter().filter(|(_, id, ..)| *id > after);
        let page: Vec<_> = looked_at.by_ref().take(limit).collect();
        let next = looked_at.next().and(page.last()).map(|(_, id, ..)| id.clone());
        let shown = page.into_iter().filter(|(.., event)| terms.has_all_in(&event.message)).map(|(at, id, stream, event)| {
            json!({"eventId": id, "timestamp": at, "ingestionTime": at, "logStreamName": stream, "message": event.message})
        });
        Ok(without_nulls(json!({"events": shown.collect::<Vec<_>>(), "searchedLogStreams": [], "nextToken": next})))
    }

    fn untag(&mut self, input: &Input, member: &str) -> Answer {
        let gone = input.texts(member);
        self.change(input, |group| group.tags.retain(|key, _| !gone.contains(key)))
    }
}

impl Group {
    fn described(&self, cx: &Context, name: &str) -> Value {
        let arn = format!("arn:aws:logs:{}:{}:log-group:{name}", cx.region, cx.account);
        without_nulls(json!({
            "logGroupName": name,
            "creationTime": self.created,
            "retentionInDays": self.retention_days,
            "metricFilterCount": self.filters.len(),
            "arn": format!("{arn}:*"),
            "logGroupArn": arn,
            "storedBytes": 0,
            "kmsKeyId": self.kms_key,
            "logGroupClass": self.class,
            "deletionProtectionEnabled": self.protected,
        }))
    }
}

/// How many events are looked at for a page, unless the request says.
const PAGE: i64 = 10_000;

/// 56 digits, as AWS has them; of two events the later one's are greater.
fn event_id(stream: &str, position: usize, event: &Event) -> String {
    let digest = Sha256::digest(stream);
    let stream = digest.iter().take(6).fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    format!("{:020}{stream:020}{position:016}", event.at)
}

/// An unstructured filter pattern
/// ([syntax](https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html)).
#[derive(Default)]
struct Terms {
    all: Vec<String>,
    any: Vec<String>,
    none: Vec<String>,
}

impl Terms {
    /// `None` for patterns of JSON, of columns and regular expressions.
    fn of(pattern: &str) -> Option<Self> {
        let mut terms = Self::default();
        let mut rest = pattern.trim();
        while !rest.is_empty() {
            let (kind, after) = match rest.chars().next()? {
                '{' | '[' | '%' => return None,
                '?' => (&mut terms.any, &rest[1..]),
                '-' => (&mut terms.none, &rest[1..]),
                _ => (&mut terms.all, rest),
            };
            let (term, left) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"')?,
                None => after.split_once(char::is_whitespace).unwrap_or((after, "")),
            };
            kind.push(term.to_owned());
            rest = left.trim_start();
        }
        Some(terms)
    }

    fn has_all_in(&self, message: &str) -> bool {
        let has = |term: &String| message.contains(term.as_str());
        self.all.iter().all(has) && (self.any.is_empty() || self.any.iter().any(has)) && !self.none.iter().any(has)
    }
}

/// The name in a log group's ARN, with or without the final `:*`; a name is itself.
fn name_of(identifier: &str) -> &str {
    let name = identifier.split_once(":log-group:").map_or(identifier, |(_, name)| name);
    name.trim_end_matches(":*")
}

fn tag_map(input: &Input) -> Tags {
    let tags = input.value("tags").and_then(Value::as_object);
    let pair = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
    tags.map(|tags| tags.iter().filter_map(pair).collect()).unwrap_or_default()
}
