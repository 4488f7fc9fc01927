//! The proxy that records.

use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::reply::{error_code, refusal};
use super::rule::Rule;
use super::{Call, Calls, Fault, Operation, Outcome};

/// Why a connection ends without an answer.
type Broken = Box<dyn std::error::Error + Send + Sync>;
type Hook = Arc<dyn Fn(&Call) -> Result<(), String> + Send + Sync>;

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
    started: Instant,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    calls: Vec<Call>,
    rules: Vec<Rule>,
    hook: Option<Hook>,
    objections: Vec<String>,
}

impl Recorder {
    /// A recorder in front of `upstream`, such as `http://127.0.0.1:5000`.
    ///
    /// # Panics
    /// When there is no port to listen on.
    #[must_use]
    pub fn start(upstream: &str) -> Self {
        let upstream = upstream.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let shared = Arc::new(Shared { upstream, started: Instant::now(), book: Mutex::default() });
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
        Calls(self.shared.book().calls.clone())
    }

    /// Forgets the calls, so that the next run is counted alone. Rules and hook stay.
    pub fn clear(&self) {
        self.shared.book().calls.clear();
    }

    /// From now on `look` sees every mutating call when it has arrived and before the endpoint gets it; the call waits for it.
    /// What it objects to is kept for [`objections`](Self::objections), and the call goes on.
    pub fn before_mutation(&self, look: impl Fn(&Call) -> Result<(), String> + Send + Sync + 'static) {
        self.shared.book().hook = Some(Arc::new(look));
    }

    /// What the hook objected to, each with its call.
    #[must_use]
    pub fn objections(&self) -> Vec<String> {
        self.shared.book().objections.clone()
    }

    /// From now on the `nth` call (counted from 1) of `operation`, such as `CreateKey`, meets `fault`.
    pub fn fault(&self, operation: &str, nth: usize, fault: Fault) {
        self.shared.book().rules.push(Rule::new(operation, nth, fault));
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

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a request in the book; its number, what was asked, and the fault that it shall meet.
    fn enter(&self, head: &Parts, body: &Bytes) -> (Call, Option<Fault>) {
        let body = String::from_utf8_lossy(body).into_owned();
        let operation = Operation::of(head, &body);
        let target = head.uri.to_string();
        let arrived = self.started.elapsed();
        let mut book = self.book();
        let faults = book.rules.iter_mut().filter_map(|rule| rule.apply(&operation.name)).collect::<Vec<_>>();
        let sequence = book.calls.len();
        let call = Call { sequence, arrived, operation, target, body, outcome: Outcome::Pending };
        book.calls.push(call.clone());
        (call, faults.into_iter().next())
    }

    /// Shows a mutating call to the hook, with the book open to it.
    fn inspect(&self, call: &Call) {
        let hook = self.book().hook.clone();
        if let Some(hook) = hook.filter(|_| call.operation.mutating)
            && let Err(objection) = hook(call)
        {
            self.book().objections.push(format!("{}: {objection}", call.operation));
        }
    }

    fn note(&self, call: &Call, outcome: Outcome) {
        // Found by arrival, because `clear` may have taken it.
        let mut book = self.book();
        if let Some(entry) =
            book.calls.iter_mut().find(|entry| entry.arrived == call.arrived && entry.sequence == call.sequence)
        {
            entry.outcome = outcome;
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
    let (call, fault) = shared.enter(&head, &body);
    shared.inspect(&call);
    if let Some(Fault::Refuse { status, code }) = fault {
        let reply = refusal(call.operation.protocol, status, &code);
        shared.note(&call, Outcome::Refused { code });
        return Ok(reply);
    }
    let reply = forward(&shared.upstream, head, body).await.inspect_err(|error| {
        shared.note(&call, Outcome::Unreachable { reason: error.to_string() });
    })?;
    if fault == Some(Fault::Cut) {
        shared.note(&call, Outcome::Cut);
        return Err("the answer is cut off".into());
    }
    let code = error_code(reply.status(), reply.headers(), reply.body());
    shared.note(&call, Outcome::Answered { status: reply.status().as_u16(), code });
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
