//! The way in that never leaves the process: an HTTP client for the SDK.

use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt;

use crate::cloud::Cloud;
use crate::service::{ApiRequest, ApiResponse};

/// Hands the SDK's requests to the cloud.
#[derive(Clone)]
pub(crate) struct InProcess {
    cloud: Arc<Cloud>,
}

impl InProcess {
    pub(crate) fn new(cloud: Arc<Cloud>) -> Self {
        Self { cloud }
    }

    async fn answer(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(ConnectorError::user)?.to_bytes();
        let request =
            ApiRequest { method: parts.method.to_string(), uri: parts.uri.to_string(), headers: parts.headers, body };
        // A task of its own: a caller that stops listening does not undo what AWS was told.
        let cloud = self.cloud;
        let answer = tokio::spawn(async move { cloud.answer(request).await }).await;
        let response = answer.map_err(|error| ConnectorError::other(error.into(), None))?;
        to_sdk(response)
    }
}

fn to_sdk(response: ApiResponse) -> Result<HttpResponse, ConnectorError> {
    let mut sdk = http::Response::new(SdkBody::from(response.body));
    *sdk.status_mut() =
        http::StatusCode::from_u16(response.status).map_err(|error| ConnectorError::other(error.into(), None))?;
    *sdk.headers_mut() = response.headers;
    HttpResponse::try_from(sdk).map_err(|error| ConnectorError::other(error.into(), None))
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.clone().answer(request))
    }
}

impl HttpClient for InProcess {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl std::fmt::Debug for InProcess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InProcess")
    }
}
