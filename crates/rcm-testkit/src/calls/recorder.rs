//! The proxy that records.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::thread::JoinHandle;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::book::Book;
use super::reply::{error_code, refusal};
use super::rule::Trouble;
use super::wire::pass_time;
use super::{Call, Calls, Fault, Outcome};

/// Why a connection ends without an answer.
type Broken = Box<dyn std::error::Error + Send + Sync>;

/// An HTTP proxy on a free loopback port that passes every request on to one endpoint and keeps what it saw.
///
/// Requests reach the endpoint byte for byte but for the connection's own headers. It ends when it is dropped.
pub struct Recorder {
    endpoint: String,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    upstream: String,
    book: Book,
}

impl Recorder {
    /// A recorder in front of `upstream`, such as `http://127.0.0.1:5000`.
    ///
    /// # Panics
    /// When there is no port to listen on.
    #[must_use]
    pub fn start(upstream: &str) -> Self {
        let upstream = upstream.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let shared = Arc::new(Shared { upstream, book: Book::new() });
        let (stop, stopped) = oneshot::channel();
        let (port, thread) =
            listen(Arc::clone(&shared), stopped).unwrap_or_else(|error| panic!("no recorder: {error}"));
        Self { endpoint: format!("http://127.0.0.1:{port}"), shared, stop: Some(stop), thread: Some(thread) }
    }

    /// The URL to give to an SDK.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    /// Everything recorded so far.
    #[must_use]
    pub fn calls(&self) -> Calls {
        self.shared.book.calls()
    }

    /// Forgets the calls, so that the next run is counted alone. Rules and hook stay.
    pub fn clear(&self) {
        self.shared.book.clear();
    }

    /// From now on `look` sees every mutating call when it has arrived and before the endpoint gets it; the call waits for it.
    /// What it objects to is kept for [`objections`](Self::objections), and the call goes on.
    pub fn before_mutation(&self, look: impl Fn(&Call) -> Result<(), String> + Send + Sync + 'static) {
        self.shared.book.set_objector(Arc::new(look));
    }

    /// What the hook objected to, each with its call.
    #[must_use]
    pub fn objections(&self) -> Vec<String> {
        self.shared.book.objections()
    }

    /// From now on calls may meet `trouble`.
    pub fn trouble(&self, trouble: impl Trouble + 'static) {
        self.shared.book.trouble(trouble);
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It panics nowhere, and a panic of a task of its is that connection's end.
            let _ = thread.join();
        }
    }
}

/// Serves from a thread of its own, so that tests need no runtime and may block theirs.
fn listen(shared: Arc<Shared>, stopped: oneshot::Receiver<()>) -> io::Result<(u16, JoinHandle<()>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    let port = listener.local_addr()?.port();
    let serve = async move {
        tokio::select! {
            () = accept(listener, shared) => {}
            _ = stopped => {}
        }
    };
    Ok((port, std::thread::spawn(move || runtime.block_on(serve))))
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&shared), request));
            // An error of the service ends the connection without an answer, and that is all there is to do about it.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Broken> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let (call, fault) = shared.book.enter(&head, &body);
    let note = |outcome| shared.book.note(&call, outcome);
    match fault {
        Some(Fault::Refuse { status, code, message }) => {
            let reply = refusal(call.operation.protocol, status, &code, &message);
            note(Outcome::Refused { code });
            return Ok(reply.map(Full::new));
        }
        Some(Fault::Reset | Fault::Timeout) => {
            note(Outcome::Unreachable { reason: "reset by a rule of the test".to_owned() });
            return Err("reset by a rule of the test".into());
        }
        Some(Fault::Delay(delay)) => pass_time(delay).await,
        Some(Fault::Cut) | None => {}
    }
    let reply = forward(&shared.upstream, head, body).await;
    let mut reply = reply.inspect_err(|error| note(Outcome::Unreachable { reason: error.to_string() }))?;
    let status = reply.status().as_u16();
    let retold = shared.book.executed(&call, status < 400, reply.body());
    if fault == Some(Fault::Cut) {
        note(Outcome::Cut);
        return Err("the answer is cut off".into());
    }
    let type_header = reply.headers().get("x-amzn-errortype").and_then(|value| value.to_str().ok());
    note(Outcome::Answered { status, code: error_code(status, type_header, reply.body()) });
    if let Some(retold) = retold {
        reply.headers_mut().remove(header::CONTENT_LENGTH);
        *reply.body_mut() = Bytes::from(retold);
    }
    Ok(reply.map(Full::new))
}

async fn forward(upstream: &str, mut head: Parts, body: Bytes) -> Result<Response<Bytes>, Broken> {
    let stream = TcpStream::connect(upstream).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    // Of this connection, not of the message. Whoever sent "Expect" has been told to continue already.
    for name in [header::CONNECTION, header::EXPECT, header::TRANSFER_ENCODING] {
        head.headers.remove(name);
    }
    let (mut head, body) = sender.send_request(Request::from_parts(head, Full::new(body))).await?.into_parts();
    for name in [header::CONNECTION, header::TRANSFER_ENCODING] {
        head.headers.remove(name);
    }
    let body = body.collect().await?.to_bytes();
    Ok(Response::from_parts(head, body))
}
