//! Connections: how many, how long one may take to say what it wants, and how they end when the program
//! is told to stop. axum's own server has no timer, so a slow client would never be cut off.

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// Connections at the same time; more wait in the system's queue.
const MAX_CONNECTIONS: usize = 10_000;
/// How long a client may take to send its headers.
const HEADER_TIME_LIMIT: Duration = Duration::from_secs(15);
/// How long requests that are under way may go on once the program is told to stop.
const DRAIN_TIME_LIMIT: Duration = Duration::from_secs(30);
/// How long to wait after the system has refused a connection, as when there are too many files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stop` is cancelled, then lets what is under way finish.
pub async fn serve(listener: TcpListener, app: Router, stop: CancellationToken) {
    // HTTP/1 alone: browsers speak HTTP/2 only over TLS, which a proxy ends, and guessing the version would
    // wait for the first bytes without a limit.
    let mut builder = Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADER_TIME_LIMIT);
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &places) => match accepted {
                Ok((stream, address, place)) => attend(&builder, &graceful, app.clone(), stream, address, place),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_TIME_LIMIT, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not finish in time and were cut off");
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, address) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, address, place))
}

fn attend(
    builder: &Builder,
    graceful: &GracefulShutdown,
    app: Router,
    stream: TcpStream,
    address: SocketAddr,
    place: OwnedSemaphorePermit,
) {
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(address));
        app.clone().oneshot(request.map(Body::new))
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let watched = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = watched.await {
            tracing::debug!(%error, "a connection ended early");
        }
        drop(place);
    });
}
