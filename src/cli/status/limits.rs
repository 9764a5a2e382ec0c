//! `status --limits`: the limits of the configuration, and how much of each is in use.

use crate::setup::limits::LimitUse;
use crate::store::columnar::{Table, Values};

/// All limits: `limit`, `value`, `used` (nothing where only the process that reads knows), `unit`, `bounds`.
pub(super) fn table(limits: &[LimitUse]) -> Table {
    let text = |pick: fn(&LimitUse) -> &'static str| {
        let texts = limits.iter().map(|limit| Some(pick(limit).to_owned()));
        Values::Text(texts.collect())
    };
    let number = |pick: fn(&LimitUse) -> Option<u64>| {
        let numbers = limits.iter().map(|limit| pick(limit).map(|number| number as i64));
        Values::Int(numbers.collect())
    };
    Table::of([
        ("limit", text(|limit| limit.key)),
        ("value", number(|limit| Some(limit.value))),
        ("used", number(|limit| limit.used)),
        ("unit", text(|limit| limit.unit)),
        ("bounds", text(|limit| limit.bounds)),
    ])
}
