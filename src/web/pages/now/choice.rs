//! Which rows a reader wants to see, and in which order.

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
    /// `name`, `last`, `hour`, one of them behind a `-`, or empty.
    pub(super) sort: String,
}

/// What a board's rows are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowOrder {
    /// What is wrong first, then who sends most.
    State,
    Name,
    /// Who sent last.
    Last,
    /// Who sent most in the last hour.
    Hour,
}

impl RowOrder {
    /// The word in an address.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            RowOrder::State => "",
            RowOrder::Name => "name",
            RowOrder::Last => "last",
            RowOrder::Hour => "hour",
        }
    }
}

/// The order of a board's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RowSort {
    pub(super) by: RowOrder,
    /// From the other end.
    pub(super) is_reversed: bool,
}

impl RowSort {
    /// The word in an address.
    pub(super) fn word(self) -> String {
        let sign = if self.is_reversed { "-" } else { "" };
        format!("{sign}{}", self.by.as_str())
    }
}

impl Choice {
    /// The order that was chosen.
    pub(super) fn order(&self) -> RowSort {
        let all = [RowOrder::Name, RowOrder::Last, RowOrder::Hour];
        let (word, is_reversed) = match self.sort.strip_prefix('-') {
            Some(word) => (word, true),
            None => (self.sort.as_str(), false),
        };
        match all.into_iter().find(|order| order.as_str() == word) {
            Some(by) => RowSort { by, is_reversed },
            None => RowSort {
                by: RowOrder::State,
                is_reversed: false,
            },
        }
    }
}

pub(super) const STATES: [(&str, &str); 3] = [
    ("", "with mail in 24 hours"),
    ("alarm", "alarms only"),
    ("all", "all, also without mail"),
];
