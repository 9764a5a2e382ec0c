//! The whole board in one answer: what `mailpulse top --url` shows.

use crate::analysis::backlog::QueueBacklog;
use crate::analysis::overview::{BoardSnapshot, SnapshotClock};
use crate::web::app::App;
use crate::web::json::{failed, failure_json, json};
use crate::web::overview::overview;
use crate::web::waiting_mail::first_count;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use std::sync::Arc;

/// The board.
pub(super) async fn board(State(app): State<Arc<App>>) -> Response {
    let overview = match overview(&app).await {
        Ok(answer) => answer,
        Err(failure) => return failed(&failure),
    };
    let counted = first_count(&app).await;
    let lacks = match &counted {
        None => Some("What waits in the queues has not been counted yet."),
        Some(found) if found.value.backlog.is_none() => {
            Some("More mails wait than are counted here; `mailpulse queue --mails-max` counts them.")
        }
        Some(_) => None,
    };
    let counted = counted.as_ref().and_then(|answer| answer.value.backlog.as_ref());
    let now_ms = app.answers.now_ms();
    let clock = SnapshotClock::of(overview.value.end_ms, now_ms, app.answers.is_standing());
    let empty = QueueBacklog::default();
    let mut snapshot = BoardSnapshot::of(&overview.value, counted.unwrap_or(&empty), (now_ms, clock));
    snapshot.lacks = overview.lacks.iter().cloned().chain(lacks.map(str::to_owned)).collect();
    match serde_json::to_value(&snapshot) {
        Ok(value) => json(&value),
        Err(why) => {
            tracing::warn!("{why}");
            failure_json(StatusCode::INTERNAL_SERVER_ERROR, "internal", "The log has the reason.")
        }
    }
}
