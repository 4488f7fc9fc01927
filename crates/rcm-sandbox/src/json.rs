//! What awsJson services share: reading an input, tags, and answers.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::service::{ApiRequest, ApiResponse, Tags};
use crate::wire::{self, Fault, Params};

/// What an operation gives: its output, or the refusal that AWS words so.
pub(crate) type Answer = Result<Value, Fault>;

/// Reads the operation and its input, and puts the answer on the wire.
pub(crate) fn respond(request: &ApiRequest, answer: impl FnOnce(&str, &Input) -> Answer) -> ApiResponse {
    reply(Input::of(request).and_then(|(operation, input)| answer(&operation, &input)))
}

/// An answer on the wire.
pub(crate) fn reply(answer: Answer) -> ApiResponse {
    match answer {
        Ok(output) => wire::json_reply(&output),
        Err(fault) => fault.json(),
    }
}

/// The input of an operation as a type of its own. What the type does not know is refused, not dropped.
pub(crate) fn input<T: DeserializeOwned>(body: Value) -> Result<T, Fault> {
    serde_json::from_value(body)
        .map_err(|error| Fault::new("ValidationException", format!("The input is invalid: {error}.")))
}

/// A request of a service whose operations are a method and a path, and which speaks JSON.
pub(crate) struct Rest {
    /// The parts of the path, decoded.
    pub(crate) parts: Vec<String>,
    /// The query.
    pub(crate) query: Params,
    /// The members of the body.
    pub(crate) body: Input,
}

impl Rest {
    /// Takes a request apart.
    pub(crate) fn of(request: &ApiRequest) -> Result<Rest, Fault> {
        let target = request.uri.split_once(".amazonaws.com/").map_or("", |(_, target)| target);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let decoded = |part: &str| urlencoding::decode(part).map_or(part.to_owned(), |part| part.into_owned());
        let parts = path.trim_matches('/').split('/').map(decoded).collect();
        let (_, body) = Input::of(request)?;
        Ok(Rest { parts, query: Params::parse(query.as_bytes()), body })
    }

    /// The method and the parts, to tell operations by.
    pub(crate) fn asked<'a>(&'a self, request: &'a ApiRequest) -> (&'a str, Vec<&'a str>) {
        (request.method.as_str(), self.parts.iter().map(String::as_str).collect())
    }
}

/// A member that is a map of strings: tags, in services of this kind.
pub(crate) fn string_map(value: Option<&Value>) -> Tags {
    let pair = |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
    value.and_then(Value::as_object).map(|map| map.iter().filter_map(pair).collect()).unwrap_or_default()
}

/// The refusal of an operation that we do not emulate.
pub(crate) fn unknown_operation(operation: &str) -> Answer {
    Err(Fault::new("UnknownOperationException", format!("The sandbox does not play {operation}.")))
}

/// An object without the members that have no value, as AWS leaves them out.
pub(crate) fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(members.into_iter().filter(|(_, value)| !value.is_null()).collect()),
        other => other,
    }
}

/// A member of a policy document: one value, or a list of them.
pub(crate) fn one_or_many(value: Option<&Value>) -> Vec<&Value> {
    match value {
        Some(Value::Array(items)) => items.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    }
}

/// Tags as a list of objects, with the member names of the service.
pub(crate) fn tag_list(tags: &Tags, key: &str, value: &str) -> Value {
    tags.iter().map(|(name, content)| json!({key: name, value: content})).collect()
}

/// The input of an operation, member by member.
#[derive(Debug, Default)]
pub(crate) struct Input(pub(crate) Map<String, Value>);

impl Input {
    /// The operation that a request names, and its input.
    pub(crate) fn of(request: &ApiRequest) -> Result<(String, Input), Fault> {
        match wire::json_request(request)? {
            (operation, Value::Object(members)) => Ok((operation, Input(members))),
            _ => Err(Fault::new("SerializationException", "The body is not a JSON object.")),
        }
    }

    /// A member that is a string.
    pub(crate) fn text(&self, member: &str) -> Option<&str> {
        self.0.get(member)?.as_str()
    }

    /// As [`text`](Self::text), owned.
    pub(crate) fn string(&self, member: &str) -> Option<String> {
        self.text(member).map(str::to_owned)
    }

    /// A string without which the operation makes no sense.
    pub(crate) fn need(&self, member: &str) -> Result<&str, Fault> {
        self.text(member)
            .filter(|text| !text.is_empty())
            .ok_or_else(|| Fault::new("InvalidParameterException", format!("{member} must not be empty.")))
    }

    /// A member that is a whole number.
    pub(crate) fn number(&self, member: &str) -> Option<i64> {
        self.0.get(member)?.as_i64()
    }

    /// A flag; absent is `None`.
    pub(crate) fn flag(&self, member: &str) -> Option<bool> {
        self.0.get(member)?.as_bool()
    }

    /// A member as it came.
    pub(crate) fn value(&self, member: &str) -> Option<&Value> {
        self.0.get(member).filter(|value| !value.is_null())
    }

    /// A list of strings; absent is empty.
    pub(crate) fn texts(&self, member: &str) -> Vec<String> {
        let items = self.0.get(member).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
    }

    /// A list of objects; absent is empty.
    pub(crate) fn objects(&self, member: &str) -> &[Value] {
        self.0.get(member).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }

    /// A list of tags, with the member names of the service.
    pub(crate) fn tags(&self, member: &str, key: &str, value: &str) -> Tags {
        let pair = |tag: &Value| Some((tag.get(key)?.as_str()?.to_owned(), tag.get(value)?.as_str()?.to_owned()));
        self.objects(member).iter().filter_map(pair).collect()
    }
}
