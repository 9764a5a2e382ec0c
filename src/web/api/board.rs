//! The whole board in one answer: what `mailpulse top --url` shows.

use crate::analysis::backlog::{BacklogQuestion, QueueBacklog, backlog};
use crate::analysis::overview::{BoardSnapshot, SnapshotClock};
use crate::web::answers::{QuestionKey, StoreAnswer, end_of_time};
use crate::web::app::App;
use crate::web::failure::Failure;
use crate::web::json::{failed, json};
use crate::web::pages::now::overview;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use std::sync::Arc;

/// Mails that may wait at once: more are not counted here, and `mailpulse queue` says how to.
const MAILS_MAX: usize = 500_000;

/// The board.
pub(super) async fn board(State(app): State<Arc<App>>) -> Response {
    let overview = match overview(&app).await {
        Ok(answer) => answer,
        Err(failure) => return failed(&failure),
    };
    let (waiting, lacks) = match waiting(&app).await {
        Ok(answer) => (Some(answer), None),
        Err(failure) => (None, Some(format!("The backlog is not known: {}", failure.words()))),
    };
    let now_ms = app.answers.now_ms();
    let clock = SnapshotClock::of(overview.value.end_ms, now_ms, app.answers.is_standing());
    let empty = QueueBacklog::default();
    let backlog = waiting.as_ref().map_or(&empty, |answer| &answer.value);
    let mut snapshot = BoardSnapshot::of(&overview.value, backlog, (now_ms, clock));
    snapshot.lacks = overview.lacks.iter().cloned().chain(lacks).collect();
    match serde_json::to_value(&snapshot) {
        Ok(value) => json(&value),
        Err(why) => {
            tracing::warn!("{why}");
            crate::web::json::failure_json(StatusCode::INTERNAL_SERVER_ERROR, "internal", "The log has the reason.")
        }
    }
}

async fn waiting(app: &App) -> Result<Arc<StoreAnswer<QueueBacklog>>, Failure> {
    let key = QuestionKey::until("board's backlog", app.answers.now_ms());
    let question = |asker: &crate::web::answers::Asker<'_>| {
        let at_ms = end_of_time(asker)?.at_ms;
        Ok(backlog(asker.store(), BacklogQuestion::at(at_ms, MAILS_MAX))?)
    };
    app.answers.ask(key, question).await
}
