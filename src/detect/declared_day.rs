//! A day as holidays count it, and what is wrong with a line that should name one.

use jiff::civil::Date;

/// A line that is no date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadHoliday {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: &'static str,
}

impl std::fmt::Display for BadHoliday {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

impl std::error::Error for BadHoliday {}

/// Days since 1970-01-01.
pub(crate) fn day_number(date: Date) -> i32 {
    const EPOCH: Date = jiff::civil::date(1970, 1, 1);
    date.duration_since(EPOCH).as_hours() as i32 / 24
}
