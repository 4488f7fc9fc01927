//! The HTTP client: the one of the AWS SDK, with its certificates and the proxies that the environment names.

use std::{error::Error as StdError, time::Duration};

use aws_smithy_http_client::{
    Connector,
    proxy::ProxyConfig,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::HttpRequest,
};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Limited};

/// Answers that are read whole: manifests, tokens, errors.
const LARGEST_ANSWER: usize = 8 << 20;
const CONNECT: Duration = Duration::from_secs(10);

/// The client. Cheap to clone; connections are shared.
#[derive(Debug, Clone)]
pub(super) struct Http(SharedHttpConnector);

impl Http {
    pub(super) fn new() -> Self {
        let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT).build();
        let connector = Connector::builder().connector_settings(settings).proxy_config(ProxyConfig::from_env());
        let connector = connector.tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build();
        Self(SharedHttpConnector::new(connector))
    }

    /// Sends a request as it is: no retry, no redirect. The error is what went wrong on the way.
    pub(super) async fn send(&self, request: Request<SdkBody>) -> Result<Response<SdkBody>, String> {
        let request = HttpRequest::try_from(request).map_err(|error| innermost(&error))?;
        let response = self.0.call(request).await.map_err(|error| innermost(&error))?;
        response.try_into_http1x().map_err(|error| innermost(&error))
    }
}

/// An answer's body, if it is not too large to be one.
pub(super) async fn whole(body: SdkBody) -> Result<Bytes, String> {
    let collected = Limited::new(body, LARGEST_ANSWER).collect().await;
    collected.map(|body| body.to_bytes()).map_err(|error| innermost(error.as_ref()))
}

/// The cause that the others only wrap.
pub(super) fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
