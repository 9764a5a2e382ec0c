//! The parameters of a request; what is wrong with them is told as the path's answers are.

use super::app::App;
use super::failure::Failure;
use super::guard::is_data;
use super::json::failed;
use super::pages::failure_page;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::response::Response;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// Parameters.
pub(super) struct Chosen<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Arc<App>> for Chosen<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        Query::try_from_uri(&parts.uri)
            .map(|Query(chosen)| Chosen(chosen))
            .map_err(|error| {
                let failure = Failure::Parameter(error.body_text());
                match is_data(app, &parts.uri) {
                    true => failed(&failure),
                    false => failure_page(app, failure.status(), &failure),
                }
            })
    }
}
