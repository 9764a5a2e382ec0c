//! Connections: accepted up to a limit, with a time for the head of a request and for its answer, and ended when the process
//! ends.

use super::app::{App, Ends};
use super::router::router;
use super::timed_stream::TimedStream;
use anyhow::{Context as _, Result, anyhow};
use axum::Extension;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

/// For the head of a request, and between two requests of a connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// Bytes of a request's head.
const HEAD_MAX: usize = 16 << 10;
/// For answers that are being written when the process ends.
const END_TIMEOUT: Duration = Duration::from_millis(1_500);
/// After an error that has nothing to do with one connection, as when no file can be opened.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Listens at an address.
///
/// # Errors
/// Another process listens there, or the address is not this machine's.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => anyhow!(
            "{address}: another process listens on this port, perhaps another `mailpulse serve`; choose another one with \
             --listen or `listen` in [serve]"
        ),
        ErrorKind::AddrNotAvailable => anyhow!("{address}: this machine does not have this address"),
        ErrorKind::PermissionDenied => anyhow!("{address}: ports below 1024 need privileges; choose another one"),
        _ => anyhow!(error).context(format!("{address}: cannot listen")),
    })
}

/// Answers requests until it is told to stop; connections that are open then end within two seconds.
///
/// # Errors
/// The address of the listener is unknown.
pub(crate) async fn serve(app: Arc<App>, listener: TcpListener) -> Result<()> {
    let local = listener.local_addr().context("the listener")?;
    let places = Arc::new(Semaphore::new(app.access.connections_max));
    let mut stop = app.stop.clone();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = listener.accept() => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, peer)) => {
                // One too many is closed at once: whoever holds the others lets go in time.
                if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
                    let ends = Ends {
                        peer,
                        local: stream.local_addr().unwrap_or(local),
                    };
                    connections.spawn(connection(Arc::clone(&app), stream, ends, place));
                }
            }
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!("{local}: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(END_TIMEOUT, all).await.is_err() {
        tracing::info!("{} connections are cut", connections.len());
    }
    Ok(())
}

async fn connection(app: Arc<App>, stream: TcpStream, ends: Ends, _place: OwnedSemaphorePermit) {
    let mut stop = app.stop.clone();
    let service = TowerToHyperService::new(router(app).layer(Extension(ends)));
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_MAX)
        .half_close(false);
    let connection = builder.serve_connection(TokioIo::new(TimedStream::new(stream)), service);
    tokio::pin!(connection);
    let stopped = async { stop.wait_for(|stop| *stop).await.is_ok() };
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        _ = stopped => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("{}: {error}", ends.peer);
    }
}
