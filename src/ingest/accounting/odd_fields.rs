//! Fields that were left out of lines, because their values are not of their form: counted and sampled by name.

use crate::model::text::text;
use crate::normalise::redact::Redactor;
use crate::store::catalogue::OddField;
use mailpulse_parsers::Odd;
use mailpulse_parsers::harmless::safe_text;

/// Names kept between two commits; the parsers have fewer.
const FIELDS_MAX: usize = 64;
const SAMPLE_BYTES_MAX: usize = 80;

/// Collects odd fields.
#[derive(Debug, Default)]
pub(crate) struct OddFields {
    fields: Vec<OddField>,
}

impl OddFields {
    /// Takes a field of a line of the log at `path`.
    pub(crate) fn add(&mut self, odd: &Odd<'_>, path: &[u8], redactor: &Redactor) {
        if let Some(known) = self.fields.iter_mut().find(|known| known.field == odd.field) {
            known.count += 1;
        } else if self.fields.len() < FIELDS_MAX {
            self.fields.push(OddField {
                field: odd.field.to_owned(),
                count: 1,
                sample: safe_text(&redactor.field_sample(odd.field, odd.value, SAMPLE_BYTES_MAX)),
                path: text(path),
            });
        }
    }

    /// All fields so far; the collection starts anew.
    pub(crate) fn take(&mut self) -> Vec<OddField> {
        std::mem::take(&mut self.fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normalise::redact::LocalParts;

    #[test]
    fn odd_fields_are_counted_and_bounded() {
        let mut fields = OddFields::default();
        let redactor = Redactor::new(LocalParts::Hash, [0; 32]);
        let value = [b'9'; 500];
        for _ in 0..3 {
            fields.add(
                &Odd {
                    field: "S",
                    value: &value,
                },
                b"/var/log/mainlog",
                &redactor,
            );
        }
        for n in 0..100 {
            let field: &'static str = Box::leak(format!("x{n}").into_boxed_str());
            fields.add(
                &Odd {
                    field,
                    value: b"\x1b[2J",
                },
                b"x",
                &redactor,
            );
        }
        let taken = fields.take();
        assert_eq!(
            (taken.len(), taken[0].count, taken[0].sample.len()),
            (FIELDS_MAX, 3, SAMPLE_BYTES_MAX)
        );
        assert_eq!(taken[1].sample, r"\u{1b}[2J");
        assert!(fields.take().is_empty());
    }
}
