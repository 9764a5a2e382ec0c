//! UnparsedShapes of lines that did not parse: what varies is replaced, so that a thousand alike lines are one entry.

use crate::normalise::redact::Redactor;
use crate::normalise::scrub::shapeless;
use crate::store::catalogue::UnparsedShape;
use mailpulse_parsers::Reject;
use mailpulse_parsers::harmless::safe_text;
use std::collections::HashMap;

/// UnparsedShapes kept between two commits.
const SHAPES_MAX: usize = 200;
const SHAPE_CHARS_MAX: usize = 80;
const SAMPLE_BYTES_MAX: usize = 300;

/// Collects shapes of unparsed lines.
#[derive(Debug, Default)]
pub struct UnparsedShapes {
    by_shape: HashMap<String, UnparsedShape>,
}

impl UnparsedShapes {
    /// Takes a line that did not parse.
    pub fn add(&mut self, line: &[u8], why: &str, path: &str, redactor: &Redactor) {
        let shape = shape(line);
        if let Some(known) = self.by_shape.get_mut(&shape) {
            known.count += 1;
            return;
        }
        if self.by_shape.len() < SHAPES_MAX {
            let sample = safe_text(&redactor.sample(line, SAMPLE_BYTES_MAX));
            let entry = UnparsedShape {
                shape: shape.clone(),
                count: 1,
                sample,
                why: why.to_owned(),
                path: path.to_owned(),
            };
            self.by_shape.insert(shape, entry);
        }
    }

    /// All shapes so far; the collection starts anew.
    pub fn take(&mut self) -> Vec<UnparsedShape> {
        let mut shapes: Vec<_> = std::mem::take(&mut self.by_shape).into_values().collect();
        shapes.sort_unstable_by(|a, b| b.count.cmp(&a.count).then_with(|| a.shape.cmp(&b.shape)));
        shapes
    }
}

/// Why a line did not parse, for a report.
pub fn why(reject: &Reject) -> String {
    reject.to_string()
}

/// Digits become `0`, runs of letters and digits that hold both become `x`, as do local parts; the rest stays.
fn shape(line: &[u8]) -> String {
    let mut out = String::new();
    for word in safe_text(&shapeless(line, SAMPLE_BYTES_MAX)).split_inclusive(|c: char| !c.is_alphanumeric()) {
        let core = word.trim_end_matches(|c: char| !c.is_alphanumeric());
        let digits = core.chars().filter(char::is_ascii_digit).count();
        match digits {
            0 => out.push_str(core),
            _ if digits == core.chars().count() => out.push('0'),
            _ => out.push('x'),
        }
        out.push_str(word.strip_prefix(core).unwrap_or_default());
        if out.chars().count() > SHAPE_CHARS_MAX {
            out = out.chars().take(SHAPE_CHARS_MAX).collect::<String>() + "…";
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normalise::redact::LocalParts;

    #[test]
    fn alike_lines_have_one_shape() {
        let mut shapes = UnparsedShapes::default();
        for line in ["2018-06-06 12:00:01 ab1 oops", "2019-07-07 01:02:03 cd2 oops", "other"] {
            shapes.add(line.as_bytes(), "why", "f", &Redactor::new(LocalParts::Keep, [0; 32]));
        }
        let taken = shapes.take();
        assert_eq!(taken.len(), 2);
        assert_eq!((taken[0].count, taken[0].shape.as_str()), (2, "0-0-0 0:0:0 x oops"));
    }

    #[test]
    fn samples_have_no_local_parts_and_shapes_do_not_vary_with_them() {
        let mut shapes = UnparsedShapes::default();
        let redactor = Redactor::new(LocalParts::Hash, [7; 32]);
        for line in ["oops <jane.doe@example.org>", "oops <bob@example.org>"] {
            shapes.add(line.as_bytes(), "why", "f", &redactor);
        }
        let taken = shapes.take();
        assert_eq!((taken.len(), taken[0].count), (1, 2));
        assert_eq!(taken[0].shape, "oops <x@example.org>");
        let pseudonym = String::from_utf8(redactor.stored(b"jane.doe@example.org")).unwrap();
        assert_eq!(taken[0].sample, format!("oops <{pseudonym}@example.org>"));
    }

    #[test]
    fn shapes_are_bounded() {
        assert!(shape(&b"word ".repeat(1000)).chars().count() <= SHAPE_CHARS_MAX + 1);
    }
}
