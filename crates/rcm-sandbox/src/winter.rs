//! A `winterbaume` service behind the sandbox's seam, as it is. Overlays embed one and mend around it.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use serde_json::Value;
use winterbaume_core::{DEFAULT_ACCOUNT_ID, StatefulService};

use crate::service::{Context, MockRequest, MockResponse, Service};

/// A `winterbaume` service, passed through.
///
/// `winterbaume` plays one account in a process, and the first one named wins. Here it always plays its default one, and this
/// wrapper puts the sandbox's account in its place in everything that goes in and comes out.
pub(crate) struct Winter<S> {
    name: &'static str,
    service: Arc<S>,
}

impl<S: StatefulService> Winter<S> {
    /// `name` is the one in the credential scope.
    pub(crate) fn new(name: &'static str, service: S) -> Self {
        Self { name, service: Arc::new(service) }
    }

    /// Answers as the service does.
    pub(crate) async fn call(&self, cx: &Context, mut request: MockRequest) -> MockResponse {
        request.body = replaced(request.body, &cx.account, DEFAULT_ACCOUNT_ID);
        request.uri = request.uri.replace(&cx.account, DEFAULT_ACCOUNT_ID);
        let mut response = self.service.handle(request).await;
        response.body = replaced(response.body, DEFAULT_ACCOUNT_ID, &cx.account);
        response
    }

    /// What the service holds, as its state view.
    pub(crate) async fn snapshot(&self, cx: &Context) -> Result<Value, String> {
        let (service, region) = (Arc::clone(&self.service), cx.region.clone());
        // Its futures are not known to be `Send` for every service: they are made and driven on one blocking thread.
        let runtime = tokio::runtime::Handle::current();
        let snapshot = move || {
            let view = runtime.block_on(service.snapshot(DEFAULT_ACCOUNT_ID, &region));
            serde_json::to_value(view).map_err(|error| error.to_string())
        };
        tokio::task::spawn_blocking(snapshot).await.map_err(|error| error.to_string())?
    }

    /// Replaces what the service holds by a state view.
    pub(crate) async fn restore(&self, cx: &Context, view: Value) -> Result<(), String> {
        let (service, region) = (Arc::clone(&self.service), cx.region.clone());
        let runtime = tokio::runtime::Handle::current();
        let restore = move || {
            let view = serde_json::from_value(view).map_err(|error| error.to_string())?;
            runtime.block_on(service.restore(DEFAULT_ACCOUNT_ID, &region, view)).map_err(|error| error.to_string())
        };
        tokio::task::spawn_blocking(restore).await.map_err(|error| error.to_string())?
    }
}

impl<S: StatefulService> Service for Winter<S> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn handle<'a>(&'a self, cx: &'a Context, request: MockRequest) -> BoxFuture<'a, MockResponse> {
        Box::pin(self.call(cx, request))
    }

    fn save<'a>(&'a self, cx: &'a Context) -> BoxFuture<'a, Result<Value, String>> {
        Box::pin(self.snapshot(cx))
    }

    fn load<'a>(&'a self, cx: &'a Context, saved: Value) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(self.restore(cx, saved))
    }
}

/// `body` with one account in the place of another, where it is text.
fn replaced(body: Bytes, account: &str, by: &str) -> Bytes {
    if account == by {
        return body;
    }
    match std::str::from_utf8(&body) {
        Ok(text) if text.contains(account) => text.replace(account, by).into(),
        _ => body,
    }
}
