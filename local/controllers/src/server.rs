//! The HTTPS server of one controller. Stopping it cuts its connections, as a machine going down does.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tower::{ServiceExt as _, service_fn};

use crate::api::{self, Lost};
use crate::certificate;
use crate::machine::{Machine, Stage};

/// How long a client may take to shake hands.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);
/// After the system had no socket to give.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// A server that runs.
pub(crate) struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    /// Listens on a port of the loopback, a free one if it is 0.
    pub(crate) async fn start(machine: Arc<Machine>, port: u16) -> io::Result<Self> {
        let (certificate, key) = machine.pems();
        let tls = certificate::server_config(&certificate, &key).map_err(io::Error::other)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        Ok(Self { address, task: tokio::spawn(serve(listener, tls, machine)) })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops; the port is free afterwards.
    pub(crate) async fn stop(mut self) {
        self.task.abort();
        // Only ever the error that says it was aborted.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, tls: Arc<ServerConfig>, machine: Arc<Machine>) {
    let acceptor = TlsAcceptor::from(tls);
    let router = api::router(Arc::clone(&machine));
    // Ends with this task, and every connection with it.
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            // Nothing listens yet: as near to that as a bound port can be.
            Ok((stream, _)) if machine.stage() == Stage::Dark => drop(stream),
            Ok((stream, _)) => {
                connections.spawn(converse(stream, acceptor.clone(), router.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "a simulated controller cannot accept a connection");
                pause().await;
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "out of file descriptors: there is no condition to wait for")]
async fn pause() {
    tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
}

/// The answer, or an error that cuts the connection where the answer would be.
async fn answer(router: Router, request: Request<Incoming>) -> io::Result<Response> {
    // A router does not fail: everything is an answer.
    let Ok(answer) = router.oneshot(request.map(Body::new)).await;
    if answer.extensions().get::<Lost>().is_some() {
        return Err(io::Error::from(io::ErrorKind::ConnectionAborted));
    }
    Ok(answer)
}

async fn converse(stream: TcpStream, acceptor: TlsAcceptor, router: Router) {
    // Clients who give up are no news: one that refuses the certificate is one of them.
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_WITHIN, acceptor.accept(stream)).await else { return };
    let service =
        TowerToHyperService::new(service_fn(move |request: Request<Incoming>| answer(router.clone(), request)));
    let served = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection to a simulated controller ended early");
    }
}
