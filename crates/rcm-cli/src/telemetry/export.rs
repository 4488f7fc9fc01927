//! Spans to a collector: one request, one deadline, no second try.

use std::{error::Error as StdError, time::Duration};

use aws_smithy_http_client::{
    Connector,
    proxy::ProxyConfig,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, SharedHttpConnector},
    orchestrator::HttpRequest,
};
use aws_smithy_types::body::SdkBody;
use http::{Request, header};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{settings::Settings, spans::listed};

/// The run is over and somebody waits for the process to end.
const DEADLINE: Duration = Duration::from_secs(5);

/// Sends them. The error is a sentence without the headers, which may be secrets.
pub(super) async fn send(settings: &Settings, spans: &[Value]) -> Result<(), String> {
    let place = settings.endpoint.host().unwrap_or_default();
    let sent = timeout(DEADLINE, post(settings, spans)).await;
    let status = match sent {
        Err(_) => return Err(format!("{place} did not answer within {} seconds", DEADLINE.as_secs())),
        Ok(Err(why)) => return Err(format!("{place}: {why}")),
        Ok(Ok(status)) => status,
    };
    if (200..300).contains(&status) { Ok(()) } else { Err(format!("{place} answered with status {status}")) }
}

/// By the HTTP client of the AWS SDK, with its certificates and the proxies that the environment names.
async fn post(settings: &Settings, spans: &[Value]) -> Result<u16, String> {
    let connector = Connector::builder().proxy_config(ProxyConfig::from_env());
    let connector = SharedHttpConnector::new(connector.tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build());
    let mut request = Request::post(settings.endpoint.clone()).header(header::CONTENT_TYPE, "application/json");
    for (name, value) in &settings.headers {
        request = request.header(name, value);
    }
    let request = request.body(SdkBody::from(body(settings, spans).to_string()));
    let request = request.map_err(|_| "a header of OTEL_EXPORTER_OTLP_HEADERS is not one".to_owned())?;
    let request = HttpRequest::try_from(request).map_err(|error| innermost(&error))?;
    let answer = connector.call(request).await.map_err(|error| innermost(&error))?;
    Ok(answer.status().as_u16())
}

/// An `ExportTraceServiceRequest` in JSON.
fn body(settings: &Settings, spans: &[Value]) -> Value {
    let resource = settings.resource.iter().map(|(name, value)| (name, json!(value))).collect();
    json!({ "resourceSpans": [{
        "resource": { "attributes": listed(&resource) },
        "scopeSpans": [{
            "scope": { "name": "rcm", "version": env!("CARGO_PKG_VERSION") },
            "spans": spans,
        }],
    }] })
}

/// The cause that the others only wrap.
fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
