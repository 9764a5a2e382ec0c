//! One stream of server-sent events a page: it says that something changed, and the page asks for itself again. What changed is
//! computed once a tick, whoever listens.

use super::answers::StoreAnswer;
use super::app::{App, Ends};
use super::failure::Failure;
use super::guard::client;
use super::json::failed;
use super::overview::{Overview, overview};
use super::streams::StreamPlace;
use axum::Extension;
use axum::body::Body as AnyBody;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::response::{IntoResponse as _, Response};
use hyper::body::{Body, Bytes, Frame};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// From look to look.
const TICK: Duration = Duration::from_secs(3);
/// A comment, so that proxies and pages see that the stream is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// What a stream sends, until the process ends or the reader goes.
struct EventBody(mpsc::Receiver<Bytes>);

impl Body for EventBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0
            .poll_recv(context)
            .map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// The stream.
pub(super) async fn events(
    State(app): State<Arc<App>>,
    Extension(ends): Extension<Ends>,
    headers: HeaderMap,
) -> Response {
    let Some(place) = app.streams.take(client(&app, ends, &headers), app.access.streams_max) else {
        return failed(&Failure::Busy);
    };
    let (sender, receiver) = mpsc::channel(4);
    tokio::spawn(send(app, place, sender));
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, AnyBody::new(EventBody(receiver))).into_response()
}

async fn send(app: Arc<App>, _place: StreamPlace, sender: mpsc::Sender<Bytes>) {
    let mut stop = app.stop.clone();
    let mut shown: Option<Arc<StoreAnswer<Overview>>> = None;
    let mut beat = Instant::now();
    if sender.send(Bytes::from_static(b"retry: 3000\n\n")).await.is_err() {
        return;
    }
    loop {
        let asked = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = sender.closed() => return,
            asked = overview(&app) => asked,
        };
        let event = match asked {
            Ok(now) if shown.as_ref().is_some_and(|shown| Arc::ptr_eq(shown, &now)) => None,
            Ok(now) => {
                shown = Some(now);
                Some("event: change\ndata: overview\n\n")
            }
            // The page that asks for itself says why.
            Err(Failure::Late | Failure::Busy) => None,
            Err(_) => shown.take().map(|_| "event: change\ndata: failure\n\n"),
        };
        let event =
            event.or_else(|| (beat.elapsed() >= HEARTBEAT).then_some(": alive\n\nevent: beat\ndata: alive\n\n"));
        if let Some(event) = event {
            beat = Instant::now();
            if sender.send(Bytes::from_static(event.as_bytes())).await.is_err() {
                return;
            }
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = sender.closed() => return,
            () = tokio::time::sleep(TICK) => {}
        }
    }
}
