//! Questions and their answers.

use super::board::board;
use super::openapi::{QUESTIONS, document};
use super::written;
use crate::analysis::trace::mail_json_without_addresses;
use crate::model::time::End;
use crate::web::app::App;
use crate::web::chosen::Chosen;
use crate::web::failure::Failure;
use crate::web::graphs;
use crate::web::json::{failed, json};
use crate::web::overview::{Overview, overview};
use crate::web::pages::incident::{IncidentChoice, judged};
use crate::web::pages::range::PageRange;
use crate::web::pages::routes::{TimeChoice, all as all_routes};
use crate::web::pages::sources::all as all_sources;
use crate::web::pages::trace::{TraceChoice, found};
use crate::web::zone::PageZone;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use serde_json::Value;
use std::sync::Arc;

/// All questions, and their description, below a base path.
pub(in crate::web) fn routes(at: &impl Fn(&str) -> String) -> Router<Arc<App>> {
    let mut router = Router::new().route(&at("/api/openapi.json"), get(openapi));
    for endpoint in &QUESTIONS {
        router = router.route(&at(&format!("/api/v1/{}", endpoint.path)), handler(endpoint.path));
    }
    router
}

fn handler(path: &str) -> MethodRouter<Arc<App>> {
    match path {
        "now" => get(now),
        "board" => get(board),
        "services" => get(services),
        "relays" => get(relays),
        "hostgroups" => get(hostgroups),
        "providers" => get(providers),
        "alarms" => get(alarms),
        "incident" => get(incident),
        "rates" => get(graphs::as_json),
        "routes" => get(ways),
        "sources" => get(sources),
        _ => get(trace),
    }
}

async fn openapi(State(app): State<Arc<App>>) -> Response {
    json(&document(app.links.base()))
}

/// The overview as one answer or another.
async fn of_overview(app: &App, written: impl FnOnce(&Overview) -> Value) -> Response {
    match overview(app).await {
        Ok(answer) => json(&written(&answer.value)),
        Err(failure) => failed(&failure),
    }
}

async fn now(State(app): State<Arc<App>>) -> Response {
    of_overview(&app, written::now).await
}

async fn services(State(app): State<Arc<App>>) -> Response {
    of_overview(&app, |overview| written::board(&overview.boards.services)).await
}

async fn relays(State(app): State<Arc<App>>) -> Response {
    of_overview(&app, |overview| written::board(&overview.boards.relays)).await
}

async fn hostgroups(State(app): State<Arc<App>>) -> Response {
    of_overview(&app, |overview| written::board(&overview.boards.hostgroups)).await
}

async fn providers(State(app): State<Arc<App>>) -> Response {
    of_overview(&app, written::providers).await
}

async fn alarms(State(app): State<Arc<App>>, Chosen(choice): Chosen<TimeChoice>) -> Response {
    let answer = match overview(&app).await {
        Ok(answer) => answer,
        Err(failure) => return failed(&failure),
    };
    let end = End {
        now_ms: app.answers.now_ms(),
        at_ms: answer.value.end_ms,
    };
    match PageRange::of(&choice.from, &choice.to, "-7d").window(end) {
        Ok(window) => {
            let minutes = (window.since_ms.minute(), window.until_ms.minute());
            json(&written::alarms(&answer.value, minutes))
        }
        Err(failure) => failed(&failure),
    }
}

async fn incident(State(app): State<Arc<App>>, Chosen(choice): Chosen<IncidentChoice>) -> Response {
    match judged(&app, &choice, &app.links).await {
        Ok(answer) => json(&answer.value.json),
        Err(failure) => failed(&failure),
    }
}

async fn ways(State(app): State<Arc<App>>, Chosen(choice): Chosen<TimeChoice>) -> Response {
    match all_routes(&app, &choice, &PageZone::default()).await {
        Ok(answer) => json(&written::routes(&answer.value.1)),
        Err(failure) => failed(&failure),
    }
}

async fn sources(State(app): State<Arc<App>>) -> Response {
    match all_sources(&app).await {
        Ok(answer) => json(&written::sources(&answer.value)),
        Err(failure) => failed(&failure),
    }
}

async fn trace(State(app): State<Arc<App>>, Chosen(choice): Chosen<TraceChoice>) -> Response {
    match found(&app, &choice).await {
        Ok(answer) if answer.value.mails.is_empty() => {
            failed(&Failure::Unknown("No mail of this ID is in the store.".to_owned()))
        }
        Ok(answer) => json(&answer.value.mails.iter().map(mail_json_without_addresses).collect()),
        Err(failure) => failed(&failure),
    }
}
