//! Pages as answers, and the page that stands in the place of one.

use super::frame::PageFrame;
use crate::web::app::App;
use crate::web::failure::Failure;
use askama::Template;
use axum::http::StatusCode;
use axum::http::header::{self, HeaderValue};
use axum::response::{Html, IntoResponse as _, Response};

#[derive(Template)]
#[template(path = "failure.html", config = "src/web/askama.toml")]
struct FailurePage {
    frame: PageFrame,
    title: &'static str,
    why: String,
}

/// A page that says why there is no answer, and comes again by itself where that helps.
pub(crate) fn failure_page(app: &App, status: StatusCode, failure: &Failure) -> Response {
    let title = match (failure, status) {
        (Failure::Store(_), _) => "The store does not answer",
        (Failure::Busy, _) => "Too many questions at once",
        (Failure::Late, _) => "Still computing",
        (Failure::Parameter(_), _) => "This question cannot be answered",
        (Failure::Unknown(_), StatusCode::NOT_FOUND) => "Not found",
        (Failure::Unknown(_), _) => "Refused",
    };
    let retry_s = failure.retry_after().map(|after| after.as_secs());
    let page = FailurePage {
        frame: PageFrame {
            refresh_s: retry_s,
            ..PageFrame::new(app, &app.links, title, "")
        },
        title,
        why: failure.words().to_owned(),
    };
    let mut response = (status, rendered(&page)).into_response();
    if let Some(seconds) = retry_s {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// A page as an answer.
pub(crate) fn rendered(page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => Html(text).into_response(),
        Err(error) => {
            tracing::warn!("a page is not rendered: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
