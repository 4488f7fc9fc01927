//! For tests: a cloud that gives every request one answer, and counts.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use aws_smithy_runtime_api::{
    client::{
        http::{
            HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
            SharedHttpConnector,
        },
        orchestrator::{HttpRequest, HttpResponse},
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
    shared::IntoShared,
};
use aws_smithy_types::body::SdkBody;

/// Copies count together.
#[derive(Debug, Clone)]
pub(crate) struct Counter {
    status: u16,
    body: &'static str,
    /// What it says that time it is, if it does.
    date: Option<&'static str>,
    sent: Arc<AtomicUsize>,
}

impl Counter {
    /// One that answers this.
    pub(crate) fn answering(status: u16, body: &'static str) -> Self {
        Self { status, body, date: None, sent: Arc::default() }
    }

    /// One that says that it is then.
    pub(crate) fn at(self, date: Option<&'static str>) -> Self {
        Self { date, ..self }
    }

    /// What the clients send their requests by.
    pub(crate) fn client(&self) -> SharedHttpClient {
        self.clone().into_shared()
    }

    /// How many requests came since this was asked last.
    pub(crate) fn sent(&self) -> usize {
        self.sent.swap(0, Ordering::SeqCst)
    }
}

impl HttpConnector for Counter {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        self.sent.fetch_add(1, Ordering::SeqCst);
        let status = StatusCode::try_from(self.status).expect("a status");
        let mut response = HttpResponse::new(status, SdkBody::from(self.body));
        if let Some(date) = self.date {
            response.headers_mut().insert("date", date);
        }
        HttpConnectorFuture::ready(Ok(response))
    }
}

impl HttpClient for Counter {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        self.clone().into_shared()
    }
}
