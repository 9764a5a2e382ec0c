//! Which rows a reader wants to see.

use serde::Deserialize;

/// Rows of a board that are shown unless all are asked for.
pub(super) const ROWS_SHOWN: usize = 400;

/// What a reader chooses.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Choice {
    /// Part of a name.
    pub(super) q: String,
    /// `all`, `alarm`, or empty.
    pub(super) state: String,
}

pub(super) const STATES: [(&str, &str); 3] = [
    ("", "with mail in 24 hours"),
    ("alarm", "alarms only"),
    ("all", "all, also without mail"),
];
