//! `/metrics`: classic text by default, OpenMetrics where it is asked for.
//!
//! A counter counts rows of the last quarter of an hour as they come: it never falls, whatever is corrected later. A process that
//! stores rows itself counts what it commits; one that only reads a store counts what has come between two looks, from the first
//! scrape on. Label sets are bounded; what is beyond the bound counts as `other`, and a metric says so.

pub(super) mod commits;
pub(super) mod counters;
mod exposition;
mod firing;
mod mail;
mod process;
mod reading;
mod store_health;
mod store_numbers;
mod storing;

use super::answers::QuestionKey;
use super::app::App;
use super::failure::Failure;
use super::json::failed;
use super::overview::overview;
use super::pages::sources::all as all_sources;
use super::waiting_mail::waiting;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use commits::of_commits;
use exposition::MetricFamilies;
use firing::{of_alarms, of_watch};
use mail::{of_boards, of_late_messages, of_limit, of_messages, of_queues};
use process::of_process;
use reading::{of_health, of_sources};
use std::sync::{Arc, PoisonError};
use store_numbers::{RecentMessages, StoreNumbers};
use storing::of_store;

/// Everything that a store tells.
pub(super) async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let mut families = MetricFamilies::default();
    match of_reading(&app, &mut families).await {
        Ok(()) => {}
        Err(failure) => return failed(&failure),
    }
    match overview(&app).await {
        Ok(overview) => {
            of_boards(&overview.value, &mut families);
            of_alarms(&overview.value, &mut families);
        }
        Err(failure) => return failed(&failure),
    }
    if let Some(counted) = waiting(&app, None).await {
        of_queues(&counted.value, &mut families);
    }
    written(&families, &headers)
}

/// What a tail alone on a host tells: how it reads and stores. It judges nothing, so that it needs no history.
pub(super) async fn metrics_of_tail(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let mut families = MetricFamilies::default();
    match of_reading(&app, &mut families).await {
        Ok(()) => written(&families, &headers),
        Err(failure) => failed(&failure),
    }
}

/// The process, the logs, and the store.
async fn of_reading(app: &Arc<App>, families: &mut MetricFamilies) -> Result<(), Failure> {
    let key = |name| QuestionKey::until(name, app.answers.now_ms());
    let numbers = app.answers.ask(key("metrics"), StoreNumbers::ask).await?;
    let sources = all_sources(app).await?;
    of_process(app.started_ms, families);
    of_sources(&sources.value, families);
    let configured = app.answers.config().services.names();
    match &app.commits {
        Some(commits) => {
            let mut counted = commits.counted();
            of_messages(&mut counted.recent, configured, families);
            of_late_messages(&counted, families);
            of_limit(counted.recent.is_full || counted.late.is_full, families);
            of_commits(&counted, families);
        }
        None => {
            let recent = app.answers.ask(key("recent messages"), RecentMessages::ask).await?;
            let mut counted = app.counted.lock().unwrap_or_else(PoisonError::into_inner);
            counted.take(&recent.value.rows, recent.value.minute);
            of_messages(&mut counted.sets, configured, families);
            of_limit(counted.sets.is_full, families);
        }
    }
    of_store(&numbers.value, families);
    of_watch(&numbers.value, families);
    of_health(&numbers.value.health, families);
    Ok(())
}

fn written(families: &MetricFamilies, headers: &HeaderMap) -> Response {
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
