//! What stands in the place of an answer.

use axum::http::StatusCode;
use std::time::Duration;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// A parameter is wrong: which, and what it may be.
    Parameter(String),
    /// There is no such page or thing.
    Unknown(String),
    /// The store does not answer.
    Store(String),
    /// Too many questions wait already.
    Busy,
    /// It takes longer than a request may; the answer will be there soon.
    Late,
}

impl Failure {
    /// The status of the answer.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Failure::Parameter(_) => StatusCode::BAD_REQUEST,
            Failure::Unknown(_) => StatusCode::NOT_FOUND,
            Failure::Store(_) | Failure::Busy | Failure::Late => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// A word for programs.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Failure::Parameter(_) => "parameter",
            Failure::Unknown(_) => "not_found",
            Failure::Store(_) => "store",
            Failure::Busy => "busy",
            Failure::Late => "late",
        }
    }

    /// A sentence for people.
    pub(super) fn words(&self) -> &str {
        match self {
            Failure::Parameter(why) | Failure::Unknown(why) | Failure::Store(why) => why,
            Failure::Busy => "Too many questions wait for the store. Try again in a moment.",
            Failure::Late => "The answer is still being computed. It will be there in a moment.",
        }
    }

    /// When to try again, where that helps.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Failure::Parameter(_) | Failure::Unknown(_) => None,
            Failure::Store(_) => Some(Duration::from_secs(5)),
            Failure::Busy | Failure::Late => Some(Duration::from_secs(2)),
        }
    }
}
