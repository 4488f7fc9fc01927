//! HTTP/1.1 for the router, and an orderly end. (With axum's feature `tokio`, `axum::serve` does this.)

use std::{io, pin::pin};

use axum::Router;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Mutex, watch},
    task::JoinSet,
};
use tower_service::Service;

pub(crate) struct Server {
    router: Router,
    closing: watch::Sender<bool>,
    connections: Mutex<JoinSet<()>>,
}

impl Server {
    pub(crate) fn start(router: Router) -> Self {
        Self { router, closing: watch::Sender::new(false), connections: Mutex::default() }
    }

    /// Takes connections until `stop`.
    pub(crate) async fn accept_until(
        &self,
        listener: &TcpListener,
        stop: impl Future<Output = io::Result<()>>,
    ) -> io::Result<()> {
        let mut connections = self.connections.lock().await;
        let mut stop = pin!(stop);
        loop {
            tokio::select! {
                stopped = &mut stop => return stopped,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(connection(self.router.clone(), stream, self.closing.subscribe()));
                    }
                    // Whoever knocked has gone.
                    Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                    Err(error) => return Err(error),
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    /// Lets every connection finish what it is at.
    pub(crate) async fn drain(&self) {
        self.closing.send_replace(true);
        let mut connections = self.connections.lock().await;
        while connections.join_next().await.is_some() {}
    }
}

async fn connection(router: Router, stream: TcpStream, mut closing: watch::Receiver<bool>) {
    let service = service_fn(move |request: hyper::Request<Incoming>| router.clone().call(request));
    let mut connection = pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    let closing = async { drop(closing.wait_for(|closing| *closing).await) };
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = closing => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    // Somebody who hangs up while they are told something has heard enough.
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
