//! A value as text.

use crate::model::time::{UtcMs, rfc3339};
use crate::store::columnar::Values;

pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

pub(super) fn cell(values: &Values, row: usize, time: bool) -> String {
    match values {
        Values::Int(v) if time => v[row].map(|ms| rfc3339(UtcMs::new(ms))).unwrap_or_default(),
        Values::Int(v) => v[row].map(|v| v.to_string()).unwrap_or_default(),
        Values::Float(v) => v[row].map(number).unwrap_or_default(),
        Values::Text(v) => v[row].clone().unwrap_or_default(),
        Values::Bool(v) => v[row].map(|v| v.to_string()).unwrap_or_default(),
    }
}
