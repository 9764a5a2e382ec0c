//! All files as one tree: tables merge, lists append, a value set twice must be the same.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::errors::shown;
use super::report::Report;
use super::text::ConfigTexts;

/// Parses all files and merges them. Spans in the tree are offsets over all texts. What does not parse is left out.
pub(super) fn parse<'t>(texts: &'t ConfigTexts, report: &mut Report<'_>) -> DeTable<'t> {
    let mut tree = DeTable::new();
    for text in &texts.files {
        let (table, errors) = DeTable::parse_recoverable(&text.content);
        for error in errors {
            let at = error.span().unwrap_or_default();
            let hint = "see https://toml.io for how it is written";
            report.add(
                &shifted(at, text.base),
                format!("invalid TOML: {}", error.message().replace('\n', ", ")),
                hint,
            );
        }
        merge(&mut tree, shift_table(table.into_inner(), text.base), "", report);
    }
    tree
}

fn shifted(span: Range<usize>, base: usize) -> Range<usize> {
    span.start + base..span.end + base
}

fn shift_table(table: DeTable<'_>, base: usize) -> DeTable<'_> {
    let entry = |(key, value): (Spanned<_>, _)| {
        let at = shifted(key.span(), base);
        (Spanned::new(at, key.into_inner()), shift_value(value, base))
    };
    table.into_iter().map(entry).collect()
}

fn shift_value(value: Spanned<DeValue<'_>>, base: usize) -> Spanned<DeValue<'_>> {
    let at = shifted(value.span(), base);
    let value = match value.into_inner() {
        DeValue::Table(table) => DeValue::Table(shift_table(table, base)),
        DeValue::Array(array) => DeValue::Array(array.into_iter().map(|item| shift_value(item, base)).collect()),
        scalar => scalar,
    };
    Spanned::new(at, value)
}

fn merge<'t>(into: &mut DeTable<'t>, from: DeTable<'t>, path: &str, report: &mut Report<'_>) {
    for (key, value) in from {
        let name = if path.is_empty() {
            key.get_ref().to_string()
        } else {
            format!("{path}.{}", key.get_ref())
        };
        let Some(known) = into.get_mut(&key) else {
            into.insert(key, value);
            continue;
        };
        let first = known.span();
        match (known.get_mut(), value.into_inner()) {
            (DeValue::Table(known), DeValue::Table(further)) => merge(known, further, &name, report),
            (DeValue::Array(known), DeValue::Array(further)) => further.into_iter().for_each(|item| known.push(item)),
            (known, further) => {
                let (one, other) = (written(known), written(&further));
                if one != other {
                    let what = format!(
                        "`{}` is {other} here, and {one} at {}",
                        shown(&name),
                        report.place(&first)
                    );
                    report.add(&key.span(), what, "remove one of the two");
                }
            }
        }
    }
}

/// A value for people; equal texts mean equal values.
fn written(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("\"{}\"", shown(text)),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}
