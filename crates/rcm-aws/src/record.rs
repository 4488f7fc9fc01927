//! A record of every request that changes something, for whoever keeps the audit log.
//!
//! Each attempt is told for itself: one that got no answer may have been executed all the same. What is told is who answered what
//! to which operation, and never what was in the request.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{
            Intercept,
            context::{BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef},
            dyn_dispatch_hint,
        },
        orchestrator::{HttpRequest, HttpResponse, Metadata},
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use aws_types::{SigningName, request_id::RequestId};
use jiff::Timestamp;
use rcm_engine::{model::Address, run::acts_for, store::Fence};
use tokio::time::Instant;

/// Operations with these beginnings read. One that is in no list counts as a change: better a line too many than one too few.
const READING: &[&str] =
    &["BatchCheck", "BatchGet", "Describe", "Filter", "Get", "Head", "List", "Lookup", "Search", "Simulate"];
/// Operations that read, or leave no trace, without saying so in their name.
const TRACELESS: &[&str] = &["AssumeRole", "Decrypt", "Encrypt", "GenerateDataKey", "GenerateRandom"];

/// A request that changes something, or would have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// When it was sent.
    pub at: Timestamp,
    /// How long until its answer was there, or until it was given up.
    pub took: Duration,
    /// The node that it was sent for; `None` where it is for the deployment as a whole.
    pub address: Option<Address>,
    /// The service, by the name in its signature (`ec2`, `elasticloadbalancing`).
    pub service: String,
    /// The API's name of the operation (`CreateVpc`).
    pub operation: String,
    /// The HTTP status; `None` without an answer.
    pub status: Option<u16>,
    /// The AWS error code of a refusal.
    pub code: Option<String>,
    /// AWS's name for the request, which CloudTrail has too.
    pub request_id: Option<String>,
}

type Sink = Arc<dyn Fn(Sent) + Send + Sync>;

/// Where [`Sent`] requests are told to: nowhere at first. Copies are the same.
#[derive(Clone, Default)]
pub struct Recorder(Arc<RwLock<Option<Sink>>>);

impl Recorder {
    /// From now on `sink` is told; it must not block for long.
    pub fn tell(&self, sink: impl Fn(Sent) + Send + Sync + 'static) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(sink));
    }

    /// From now on nobody is told.
    pub fn stop(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Tells of a request that did not go through the SDK.
    pub fn sent(&self, sent: Sent) {
        let sink = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(sink) = sink {
            sink(sent);
        }
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recorder")
    }
}

/// Tells a [`Recorder`] of each attempt that changes something and was let out by the fence.
#[derive(Debug)]
pub(crate) struct Recorded(pub(crate) Recorder, pub(crate) Fence);

/// An attempt that is under way.
#[derive(Debug, Clone)]
struct UnderWay {
    at: Timestamp,
    since: Instant,
    over: bool,
}

impl Storable for UnderWay {
    type Storer = StoreReplace<Self>;
}

#[dyn_dispatch_hint]
impl Intercept for Recorded {
    fn name(&self) -> &'static str {
        "Recorded"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let changes = config.load::<Metadata>().is_some_and(|operation| changes(operation.name(), context.request()));
        if changes && self.1.check().is_ok() {
            let under_way = UnderWay { at: Timestamp::now(), since: Instant::now(), over: false };
            config.interceptor_state().store_put(under_way);
        }
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.over(context.response(), config);
        Ok(())
    }

    // An attempt that the limit of the whole operation has ended does not come to its own end.
    fn read_after_execution(
        &self,
        _: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.over(None, config);
        Ok(())
    }
}

impl Recorded {
    fn over(&self, response: Option<&HttpResponse>, config: &mut ConfigBag) {
        let Some(under_way) = config.load::<UnderWay>().filter(|under_way| !under_way.over).cloned() else { return };
        self.0.sent(Sent {
            at: under_way.at,
            took: under_way.since.elapsed(),
            address: acts_for(),
            service: config.load::<SigningName>().map(|name| name.as_ref().to_owned()).unwrap_or_default(),
            operation: config.load::<Metadata>().map(|operation| operation.name().to_owned()).unwrap_or_default(),
            status: response.map(|response| response.status().as_u16()),
            code: response.and_then(code),
            request_id: response.and_then(|response| response.request_id()).map(str::to_owned),
        });
        config.interceptor_state().store_put(UnderWay { over: true, ..under_way });
    }
}

/// Whether a request may change something.
fn changes(operation: &str, request: &HttpRequest) -> bool {
    let reads = ["GET", "HEAD"].contains(&request.method())
        || TRACELESS.contains(&operation)
        || READING.iter().any(|beginning| operation.starts_with(beginning));
    let asks_only = |body: &[u8]| body.windows(11).any(|part| part == b"DryRun=true");
    !reads && !request.body().bytes().is_some_and(asks_only)
}

/// The error code of an answer, in whichever place the service's protocol has it.
fn code(response: &HttpResponse) -> Option<String> {
    if response.status().as_u16() < 400 {
        return None;
    }
    let in_header = response.headers().get("x-amzn-errortype").map(str::to_owned);
    let code = in_header.or_else(|| in_body(response.body().bytes()?))?;
    // "com.amazonaws.ecs#ClientException:http://…" says no more than "ClientException".
    let code = code.split(':').next()?.rsplit('#').next()?.trim().to_owned();
    Some(code).filter(|code| !code.is_empty())
}

fn in_body(body: &[u8]) -> Option<String> {
    if let Ok(json) = serde_json::from_slice::<serde_json::Value>(body) {
        return ["__type", "code", "Code"].iter().find_map(|key| json[key].as_str()).map(str::to_owned);
    }
    let text = String::from_utf8_lossy(body);
    if let Some((_, rest)) = text.split_once("<Code>") {
        return rest.split_once("</Code>").map(|(code, _)| code.to_owned());
    }
    in_cbor(body)
}

/// The text after the key `__type`: its length in the low bits of the byte before it, or in one of its own from 24 on.
fn in_cbor(body: &[u8]) -> Option<String> {
    let at = body.windows(6).position(|part| part == b"__type")? + 6;
    let (length, start) = match *body.get(at)? {
        head @ 0x60..0x78 => (usize::from(head - 0x60), at + 1),
        0x78 => (usize::from(*body.get(at + 1)?), at + 2),
        _ => return None,
    };
    body.get(start..start + length).map(|text| String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::body::SdkBody;

    use super::*;

    #[test]
    fn what_is_not_known_to_read_counts_as_a_change() {
        let post = |body: &str| HttpRequest::new(SdkBody::from(body));
        let mut novel = post("Action=Novel");
        novel.set_method("POST").unwrap();
        assert!(changes("Novel", &novel));
        assert!(!changes("DescribeVpcs", &novel));
        let mut dry = post("Action=CreateVpc&DryRun=true");
        dry.set_method("POST").unwrap();
        assert!(!changes("CreateVpc", &dry));
    }

    #[test]
    fn the_code_of_a_refusal_is_found_in_every_protocol() {
        let json = br#"{"__type":"com.amazonaws.ecs#ClientException","message":"no"}"#;
        assert_eq!(in_body(json).as_deref(), Some("com.amazonaws.ecs#ClientException"));
        let xml = b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>";
        assert_eq!(in_body(xml).as_deref(), Some("AccessDenied"));
        // {"__type": "LimitExceeded"}, and one that is longer than 23 characters.
        assert_eq!(in_body(b"\xa1\x66__type\x6dLimitExceeded").as_deref(), Some("LimitExceeded"));
        assert_eq!(
            in_body(b"\xa1\x66__type\x78\x18InternalServiceException").as_deref(),
            Some("InternalServiceException")
        );
        assert_eq!(in_body(b"<html>"), None);
    }
}
