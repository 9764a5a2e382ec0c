//! Whether a question asks of the time of a row only in which bucket it lies: times of a bucket are then alike, and so are most rows.

use crate::store::columnar::{Reduction, TableScan};

/// The length of the buckets, milliseconds: every time may be taken for the beginning of its bucket, and the answer is the same.
pub(super) fn bucket_ms(scan: &TableScan) -> Option<i64> {
    let is_summed = matches!(scan.fold, Reduction::Groups { .. } | Reduction::Distinct);
    // What hands all columns on may be asked for anything later.
    if !is_summed || scan.steps.iter().any(|step| step.sql.starts_with("SELECT *")) {
        return None;
    }
    let mut text = scan.steps.first()?.sql.clone();
    let times = scan
        .columns
        .iter()
        .filter(|(column, _)| column == "ts" || column == "ts_ms");
    let names: Vec<&str> = times.map(|(_, own)| own.as_str()).collect();
    let mut length = 0;
    for name in &names {
        // A time before the beginning of a bucket is one before the beginning of its own, and no other comparison is like that.
        for (begin, end) in [
            (format!("({name} - ({name} % "), "))"),
            (format!("({name} >= "), ")"),
            (format!("({name} < "), ")"),
        ] {
            length = without(&mut text, &begin, end, length)?;
        }
    }
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let is_asked_for = words.any(|word| names.contains(&word));
    (length > 1 && !is_asked_for).then_some(length)
}

/// Takes numbers between two texts out, and says by what they and `length` can all be divided; none where something else stands
/// there.
fn without(text: &mut String, begin: &str, end: &str, mut length: i64) -> Option<i64> {
    while let Some(at) = text.find(begin) {
        let number = text.get(at + begin.len()..)?.split_once(end)?.0;
        length = divisor(length, number.parse().ok()?);
        let whole = at..at + begin.len() + number.len() + end.len();
        text.replace_range(whole, "0");
    }
    Some(length)
}

/// The greatest common divisor; of 0 and a number, that number.
pub(super) fn divisor(mut a: i64, mut b: i64) -> i64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.saturating_abs()
}
