//! The parameters of a request; what is wrong with them is told as the path's answers are.

use super::app::App;
use super::failure::Failure;
use super::guard::is_data;
use super::json::failed;
use super::links::Links;
use super::pages::failure_page;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::response::Response;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// Characters of a parameter; the API's description has the same number.
pub(super) const VALUE_MAX: usize = 1_000;

pub(super) struct Chosen<T>(pub T);

/// The links of a page that is asked for, with the zone that its reader has chosen.
impl FromRequestParts<Arc<App>> for Links {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        let asked = Query::try_from_uri(&parts.uri).map(|Query(asked)| asked);
        app.links
            .of_page(asked.unwrap_or_default())
            .map_err(|why| refused(app, parts, &Failure::Parameter(format!("tz: {why}"))))
    }
}

fn refused(app: &App, parts: &Parts, failure: &Failure) -> Response {
    match is_data(app, &parts.uri) {
        true => failed(failure),
        false => failure_page(app, failure.status(), failure),
    }
}

impl<T: DeserializeOwned> FromRequestParts<Arc<App>> for Chosen<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        let bad = |why: String| refused(app, parts, &Failure::Parameter(why));
        let all = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).map_err(|error| bad(error.body_text()))?;
        if let Some((name, _)) = all.iter().find(|(_, value)| value.chars().count() > VALUE_MAX) {
            return Err(bad(format!("{}: at most {VALUE_MAX} characters", name.escape_debug())));
        }
        Query::try_from_uri(&parts.uri)
            .map(|Query(chosen)| Chosen(chosen))
            .map_err(|error| bad(error.body_text()))
    }
}
