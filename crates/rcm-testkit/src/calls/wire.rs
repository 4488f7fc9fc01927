//! The way to a cloud inside this process, with a book and troubles on it.

use std::fmt;
use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::Response;

use super::book::Book;
use super::reply::{error_code, refusal};
use super::rule::Trouble;
use super::{Call, Calls, Fault, Moment, Outcome};

/// An HTTP client for the SDK in front of another one: it numbers and records every call, and lets calls meet [`Trouble`].
///
/// The SDK's own code runs as it does against AWS: what is injected here is an answer in the service's wire format, or the end
/// of a connection. Delays and timeouts pass in tokio's time, which a test may pause.
#[derive(Clone)]
pub struct Wire {
    inner: SharedHttpClient,
    book: Arc<Book>,
}

impl Wire {
    /// A wire to `inner`.
    #[must_use]
    pub fn new(inner: SharedHttpClient) -> Self {
        Self { inner, book: Arc::new(Book::new()) }
    }

    /// The client to give to an SDK.
    #[must_use]
    pub fn http_client(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }

    /// Everything recorded so far.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.book.calls()
    }

    /// From now on calls may meet `trouble`.
    pub fn trouble(&self, trouble: impl Trouble + 'static) {
        self.book.trouble(trouble);
    }

    /// From now on `see` is told of every call when it has arrived and when the cloud has executed it; the call waits for it.
    pub fn witness(&self, see: impl Fn(&Call, Moment) + Send + Sync + 'static) {
        self.book.set_witness(Arc::new(see));
    }
}

impl HttpClient for Wire {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Connector { inner, book: Arc::clone(&self.book) })
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

#[derive(Clone)]
struct Connector {
    inner: SharedHttpConnector,
    book: Arc<Book>,
}

impl Connector {
    async fn pass(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let body = request.body().bytes().unwrap_or_default().to_vec();
        let copy = request.try_clone().ok_or_else(|| ConnectorError::user("a streaming body".into()))?;
        let (head, _) = copy.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?.into_parts();
        let (call, fault) = self.book.enter(&head, &body);
        match fault {
            Some(Fault::Refuse { status, code, message }) => {
                let reply = refusal(call.operation.protocol, status, &code, &message);
                self.book.note(&call, Outcome::Refused { code });
                return to_sdk(reply);
            }
            Some(Fault::Reset) => return Err(self.broken(&call, "reset by a rule of the test", ConnectorError::io)),
            Some(Fault::Timeout) => {
                return Err(self.broken(&call, "timed out by a rule of the test", ConnectorError::timeout));
            }
            Some(Fault::Delay(delay)) => pass_time(delay).await,
            Some(Fault::Cut) | None => {}
        }
        let mut reply = self.inner.call(request).await.inspect_err(|error| {
            self.book.note(&call, Outcome::Unreachable { reason: error.to_string() });
        })?;
        let status = reply.status().as_u16();
        let answer = reply.body().bytes().unwrap_or_default().to_vec();
        let retold = self.book.executed(&call, status < 400, &answer);
        if fault == Some(Fault::Cut) {
            self.book.note(&call, Outcome::Cut);
            return Err(ConnectorError::io("the answer is cut off".into()));
        }
        let type_header = reply.headers().get("x-amzn-errortype");
        let id = ["x-amzn-requestid", "x-amz-request-id"].iter().find_map(|name| reply.headers().get(*name));
        self.book.note_id(&call, id);
        self.book.note(&call, Outcome::Answered { status, code: error_code(status, type_header, &answer) });
        if let Some(retold) = retold {
            *reply.body_mut() = SdkBody::from(retold);
        }
        Ok(reply)
    }

    fn broken(
        &self,
        call: &Call,
        reason: &str,
        error: impl Fn(Box<dyn std::error::Error + Send + Sync>) -> ConnectorError,
    ) -> ConnectorError {
        self.book.note(call, Outcome::Unreachable { reason: reason.to_owned() });
        error(reason.into())
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.clone().pass(request))
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

#[expect(clippy::disallowed_methods, reason = "the delay is what the rule asks for, not a wait for something")]
pub(super) async fn pass_time(delay: std::time::Duration) {
    tokio::time::sleep(delay).await;
}

fn to_sdk(reply: Response<Bytes>) -> Result<HttpResponse, ConnectorError> {
    HttpResponse::try_from(reply.map(SdkBody::from)).map_err(|error| ConnectorError::other(error.into(), None))
}
