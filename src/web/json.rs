//! JSON as an answer.

use super::failure::Failure;
use axum::http::StatusCode;
use axum::http::header::{self, CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json as object};

/// JSON whose text steers nothing, wherever it is printed.
pub(super) fn json(value: &Value) -> Response {
    let text = mailpulse_parsers::harmless::safe_json(&value.to_string());
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}

/// Why a request is refused.
pub(super) fn failure_json(status: StatusCode, code: &str, why: &str) -> Response {
    (status, json(&object!({ "error": { "code": code, "reason": why } }))).into_response()
}

/// Why there is no answer.
pub(super) fn failed(failure: &Failure) -> Response {
    let mut response = failure_json(failure.status(), failure.code(), failure.words());
    if let Some(after) = failure.retry_after() {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs()));
    }
    response
}
