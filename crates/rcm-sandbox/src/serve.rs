//! The way in over HTTP, for `aws --endpoint-url`, boto3 and a curious browser.

use std::convert::Infallible;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::SandboxError;
use crate::cloud::Cloud;
use crate::route::refuse;
use crate::service::{ApiRequest, ApiResponse};
use crate::wire::Fault;

/// Bytes of one request. The stack's largest is an object of a few megabytes.
const LARGEST_BODY: usize = 256 << 20;

/// Answers connections until `shutdown` resolves, then lets those open finish the request they are at.
pub(crate) async fn serve(
    cloud: Arc<Cloud>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), SandboxError> {
    let (stop, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    let accepted = loop {
        tokio::select! {
            () = &mut shutdown => break Ok(()),
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { connections.spawn(connection(Arc::clone(&cloud), stream, stopped.clone())); }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => break Err(error),
            },
            Some(_) = connections.join_next() => {}
        }
    };
    stop.send_replace(());
    while connections.join_next().await.is_some() {}
    accepted.map_err(|source| {
        let path = listener.local_addr().map(|address| PathBuf::from(address.to_string())).unwrap_or_default();
        SandboxError::Io { action: "serve on", path, source }
    })
}

fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted)
}

async fn connection(cloud: Arc<Cloud>, stream: TcpStream, mut stopped: watch::Receiver<()>) {
    let service = service_fn(move |request| exchange(Arc::clone(&cloud), request));
    let mut connection = pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = &mut connection => ended,
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended early");
    }
}

async fn exchange(cloud: Arc<Cloud>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let mut request = ApiRequest {
        method: parts.method.to_string(),
        uri: parts.uri.to_string(),
        headers: parts.headers,
        body: Bytes::new(),
    };
    let response = match Limited::new(body, LARGEST_BODY).collect().await {
        Ok(body) => {
            request.body = body.to_bytes();
            // A task of its own: a client that hangs up does not cut a change off from its save.
            let answer = tokio::spawn(async move { cloud.answer(request).await }).await;
            answer.unwrap_or_else(|error| Fault::new("InternalFailure", error.to_string()).status(500).s3())
        }
        Err(error) => refuse(&request, &Fault::new("RequestEntityTooLarge", error.to_string()).status(413)),
    };
    Ok(to_http(response))
}

fn to_http(response: ApiResponse) -> Response<Full<Bytes>> {
    let mut http = Response::new(Full::new(response.body));
    *http.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *http.headers_mut() = response.headers;
    http
}
