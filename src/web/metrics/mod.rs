//! `/metrics`: classic text by default, OpenMetrics where it is asked for.
//!
//! A counter counts rows of the last quarter of an hour as they come, from the first scrape on: it never falls, whatever is
//! corrected later. Label sets are bounded; what is beyond the bound counts as `other`, and a metric says so.

mod alarms;
pub(super) mod counters;
mod exposition;
mod mail;
mod process;
mod reading;
mod store_health;
mod store_numbers;
mod storing;

use super::answers::QuestionKey;
use super::app::App;
use super::json::failed;
use super::pages::now::overview;
use super::pages::sources::all as all_sources;
use super::waiting::waiting;
use alarms::{of_alarms, of_watch};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use exposition::MetricFamilies;
use mail::{of_boards, of_messages, of_queues};
use process::of_process;
use reading::{of_health, of_sources};
use std::sync::{Arc, PoisonError};
use store_numbers::StoreNumbers;
use storing::of_store;

/// The metrics.
pub(super) async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let key = QuestionKey::until("metrics", app.answers.now_ms());
    let numbers = match app.answers.ask(key, StoreNumbers::ask).await {
        Ok(numbers) => numbers,
        Err(failure) => return failed(&failure),
    };
    let (overview, sources) = match (overview(&app).await, all_sources(&app).await) {
        (Ok(overview), Ok(sources)) => (overview, sources),
        (Err(failure), _) | (_, Err(failure)) => return failed(&failure),
    };
    let mut families = MetricFamilies::default();
    of_process(app.started_ms, &mut families);
    of_sources(&sources.value, &mut families);
    {
        let mut counted = app.counted.lock().unwrap_or_else(PoisonError::into_inner);
        counted.take(&numbers.value.rows, numbers.value.minute);
        of_messages(&mut counted, app.answers.config().services.names(), &mut families);
    }
    of_boards(&overview.value, &mut families);
    of_alarms(&overview.value, &mut families);
    of_store(&numbers.value, &mut families);
    of_watch(&numbers.value, &mut families);
    of_health(&numbers.value.health, &mut families);
    if let Some(counted) = waiting(&app, None).await {
        of_queues(&counted.value, &mut families);
    }
    let accepts = headers
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let is_open = accepts.contains("application/openmetrics-text");
    let kind = match is_open {
        true => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        false => "text/plain; version=0.0.4; charset=utf-8",
    };
    ([(CONTENT_TYPE, kind)], families.text(is_open)).into_response()
}
