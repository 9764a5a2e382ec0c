//! Which path leads where.

use super::api;
use super::app::{App, ServedPaths};
use super::failure::Failure;
use super::graphs;
use super::guard::guard;
use super::json::failure_json;
use super::live;
use super::metrics;
use super::pages::{alarms, failure_page, incident, now, routes, sources, statics, subject, trace};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::{Redirect, Response};
use axum::routing::get;
use std::sync::Arc;

/// All that is served, behind the guard.
pub(super) fn router(app: Arc<App>) -> Router {
    let paths = match app.paths {
        ServedPaths::All => all(&app),
        ServedPaths::Metrics => Router::new()
            .route("/healthz", get(healthz))
            .route("/metrics", get(metrics::metrics_of_tail)),
    };
    paths
        .fallback(unknown)
        .layer(from_fn_with_state(Arc::clone(&app), guard))
        .with_state(app)
}

/// Pages, API, and metrics, below the base path.
fn all(app: &App) -> Router<Arc<App>> {
    let at = |path: &str| format!("{}{path}", app.links.base());
    let mut pages = Router::new()
        .route(&at("/"), get(now::page))
        .route(&at("/service"), get(subject::service))
        .route(&at("/relay"), get(subject::relay))
        .route(&at("/hostgroup"), get(subject::hostgroup))
        .route(&at("/provider"), get(subject::provider))
        .route(&at("/incident"), get(incident::page))
        .route(&at("/incident.md"), get(incident::as_markdown))
        .route(&at("/alarms"), get(alarms::page))
        .route(&at("/routes"), get(routes::page))
        .route(&at("/sources"), get(sources::page))
        .route(&at("/trace"), get(trace::page))
        .route(&at("/healthz"), get(healthz))
        .route(&at("/static/style.css"), get(statics::style))
        .route(&at("/static/dark.css"), get(statics::dark_style))
        .route(&at("/static/theme.js"), get(statics::theme_script))
        .route(&at("/static/live.js"), get(statics::script))
        .route(&at("/static/page.js"), get(statics::page_script))
        .route(&at("/static/icon.svg"), get(statics::icon))
        .route(&at("/graph.svg"), get(graphs::as_svg))
        .route(&at("/graph.png"), get(graphs::as_png))
        .route(&at("/graph.json"), get(graphs::as_json))
        .route(&at("/graph.csv"), get(graphs::as_csv))
        .route(&at("/metrics"), get(metrics::metrics))
        .route(&at("/events"), get(live::events))
        .merge(api::routes(&at));
    if !app.links.base().is_empty() {
        let overview = app.links.to("", &[]);
        pages = pages.route(app.links.base(), get(|| async move { Redirect::permanent(&overview) }));
    }
    pages
}

/// Whether the process answers; nothing of the mail.
async fn healthz() -> &'static str {
    "ok\n"
}

async fn unknown(State(app): State<Arc<App>>, uri: Uri) -> Response {
    let why = "There is no such page.";
    match app.paths == ServedPaths::Metrics || uri.path().starts_with(&app.links.to("api/", &[])) {
        true => failure_json(StatusCode::NOT_FOUND, "not_found", why),
        false => failure_page(&app, StatusCode::NOT_FOUND, &Failure::Unknown(why.to_owned())),
    }
}
