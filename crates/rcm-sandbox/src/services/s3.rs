//! S3: buckets and their settings, objects and their versions, multipart uploads.
//!
//! | What | As on AWS |
//! |---|---|
//! | new buckets | SSE-S3, all public access blocked, owner enforced |
//! | settings | `MalformedXML` for what is no such document, `MalformedPolicy` for a policy that speaks of another bucket, `AccessDenied` for a public one |
//! | objects | versions and delete markers, conditional writes, tags, multipart uploads |
//! | account | the block of public access of S3 Control, which is answered here: it signs with the same name |
//! | deletion | `BucketNotEmpty` while there is any version or delete marker |
//!
//! Settings are kept as the documents that came. Bodies are kept with the state, so this is no place for large objects.
//! Uploads that are not complete do not keep a bucket from being deleted, as on AWS.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use crate::emulator::{Emulated, Emulator};
use crate::service::{ApiRequest, ApiResponse, Context};
use crate::wire::{self, Fault, Params, Xml};

mod account;
mod bucket;
mod listing;
mod multipart;
mod object;
mod policy;
mod setting;

use bucket::Bucket;

/// All buckets of the account, by name.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct S3 {
    buckets: BTreeMap<String, Bucket>,
    /// The block of public access for all of them.
    #[serde(default)]
    account: account::Block,
}

type Answer = Result<ApiResponse, Fault>;

impl Emulated for S3 {
    const NAME: &'static str = "s3";

    async fn answer(emulator: &Emulator<Self>, cx: &Context, request: &ApiRequest) -> ApiResponse {
        if let Some(path) = account::path(request) {
            return emulator.lock().account.answer(cx, request, path);
        }
        let call = Call::of(request);
        let mut response = emulator.lock().operate(cx, &call).unwrap_or_else(|fault| fault.s3());
        if call.method == "HEAD" && response.status >= 400 {
            // The SDK tells a missing bucket or object by the status, and only when there is no body.
            response.body = Default::default();
        }
        set(&mut response.headers, "x-amz-request-id", &wire::request_id());
        response
    }
}

/// A request taken apart: whose bucket, which key, what is asked about it.
struct Call<'a> {
    method: &'a str,
    bucket: String,
    key: String,
    query: Params,
    request: &'a ApiRequest,
}

impl<'a> Call<'a> {
    /// Reads a path-style URI.
    fn of(request: &'a ApiRequest) -> Call<'a> {
        let after_host = request.uri.split_once("://").map_or(request.uri.as_str(), |(_, rest)| rest);
        let target = after_host.split_once('/').map_or("", |(_, target)| target);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        // Sub-resources come without a value.
        let pairs = query.split('&').map(|pair| if pair.contains('=') { pair.into() } else { format!("{pair}=") });
        let decoded = |text: &str| urlencoding::decode(text).map_or(text.to_owned(), |text| text.into_owned());
        Call {
            method: request.method.as_str(),
            bucket: decoded(bucket),
            key: decoded(key),
            query: Params::parse(pairs.collect::<Vec<_>>().join("&").as_bytes()),
            request,
        }
    }

    fn asks(&self, name: &str) -> bool {
        self.query.get(name).is_some()
    }

    fn header(&self, name: &str) -> Option<&str> {
        wire::header(&self.request.headers, name)
    }

    fn text(&self) -> Result<&str, Fault> {
        std::str::from_utf8(&self.request.body).map_err(|_| malformed_xml())
    }
}

impl S3 {
    fn operate(&mut self, cx: &Context, call: &Call<'_>) -> Answer {
        match (call.method, call.bucket.is_empty(), call.key.is_empty()) {
            ("GET", true, _) => self.list_buckets(cx, call),
            (_, true, _) => Err(not_allowed()),
            (_, false, true) => self.about_bucket(cx, call),
            (_, false, false) => self.about_object(call),
        }
    }

    fn about_bucket(&mut self, cx: &Context, call: &Call<'_>) -> Answer {
        if let Some(setting) = setting::asked_for(call) {
            return self.about_setting(call, setting);
        }
        match call.method {
            "PUT" => self.create_bucket(cx, call),
            "HEAD" => self.head_bucket(cx, call),
            "DELETE" => self.delete_bucket(call),
            "POST" if call.asks("delete") => self.delete_objects(call),
            "GET" if call.asks("location") => self.location(cx, call),
            "GET" if call.asks("versions") => self.list_versions(call),
            "GET" if call.asks("uploads") => self.list_uploads(call),
            "GET" if call.query.get("list-type") == Some("2") => self.list_objects_v2(call),
            "GET" => self.list_objects(call),
            _ => Err(not_allowed()),
        }
    }

    fn about_object(&mut self, call: &Call<'_>) -> Answer {
        let upload = call.asks("uploadId");
        match call.method {
            "PUT" if call.asks("tagging") => self.put_object_tags(call),
            "PUT" if upload => self.put_part(call),
            "PUT" if call.header("x-amz-copy-source").is_some() => self.copy_object(call),
            "PUT" => self.put_object(call),
            "GET" if call.asks("tagging") => self.get_object_tags(call),
            "GET" if upload => self.list_parts(call),
            "GET" | "HEAD" => self.get_object(call),
            "DELETE" if call.asks("tagging") => self.delete_object_tags(call),
            "DELETE" if upload => self.abort_upload(call),
            "DELETE" => self.delete_object(call),
            "POST" if call.asks("uploads") => self.create_upload(call),
            "POST" if upload => self.complete_upload(call),
            _ => Err(not_allowed()),
        }
    }

    fn bucket(&mut self, call: &Call<'_>) -> Result<&mut Bucket, Fault> {
        self.bucket_named(&call.bucket)
    }

    fn bucket_named(&mut self, name: &str) -> Result<&mut Bucket, Fault> {
        let missing = || Fault::new("NoSuchBucket", "The specified bucket does not exist").status(404);
        self.buckets.get_mut(name).ok_or_else(missing)
    }
}

fn not_allowed() -> Fault {
    Fault::new("MethodNotAllowed", "The specified method is not allowed against this resource.").status(405)
}

fn malformed_xml() -> Fault {
    let message = "The XML you provided was not well-formed or did not validate against our published schema";
    Fault::new("MalformedXML", message)
}

fn invalid_argument(message: &str) -> Fault {
    Fault::new("InvalidArgument", message)
}

fn precondition_failed() -> Fault {
    let message = "At least one of the pre-conditions you specified did not hold";
    Fault::new("PreconditionFailed", message).status(412)
}

fn empty(status: u16) -> ApiResponse {
    ApiResponse { status, headers: HeaderMap::new(), body: Default::default() }
}

/// A document under its root, in S3's namespace.
fn document(root: &str, content: &Xml) -> ApiResponse {
    let mut response = empty(200);
    set(&mut response.headers, "content-type", "application/xml");
    response.body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{}</{root}>",
        content.content()
    )
    .into();
    response
}

/// Sets a header; a value that is none is left out.
fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// Milliseconds since 1970, as documents write times.
fn iso(milliseconds: i64) -> String {
    at(milliseconds).strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

/// Milliseconds since 1970, as headers write times.
fn http_date(milliseconds: i64) -> String {
    at(milliseconds).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn at(milliseconds: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(milliseconds).unwrap_or_default()
}
