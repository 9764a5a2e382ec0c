//! Lines that are JSON but for their characters (Latin-1 bytes, and half surrogate pairs as Python writes them), or but for
//! a number (`NaN`, `1e999`).

use crate::cut::Cut;

/// The line with U+FFFD for bytes that are no UTF-8 and for escaped surrogates without their other half; `None` if it
/// has neither.
#[cold]
pub(super) fn repair(line: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(line.len() + 16);
    let mut changed = false;
    for chunk in line.utf8_chunks() {
        changed |= lone_surrogates(chunk.valid().as_bytes(), &mut out);
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
            changed = true;
        }
    }
    changed.then_some(out)
}

/// Copies `text`; says whether an escape had to be replaced.
fn lone_surrogates(text: &[u8], out: &mut Vec<u8>) -> bool {
    let mut rest = text;
    let mut changed = false;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(rest.until(at));
        rest = rest.past(at);
        let used = match (surrogate(rest), rest.get(6..).and_then(surrogate)) {
            (None, _) => rest.len().min(2),
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(_), _) => {
                out.extend_from_slice(br"\ufffd");
                changed = true;
                rest = rest.past(6);
                continue;
            }
        };
        out.extend_from_slice(rest.until(used));
        rest = rest.past(used);
    }
    out.extend_from_slice(rest);
    changed
}

/// The value of `\ud800` to `\udfff` at the start.
fn surrogate(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(br"\u")?.get(..4)?;
    let value = u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    (0xd800..=0xdfff).contains(&value).then_some(value)
}

/// The line with `null` for bare words that are no value of JSON, and the first of them; `None` if it has none.
#[cold]
pub(super) fn without_odd_numbers(line: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut out = Vec::with_capacity(line.len());
    let mut first = None;
    let mut rest = line;
    while let Some(byte) = rest.first() {
        let used = match byte {
            b'"' => string_length(rest),
            b'{' | b'}' | b'[' | b']' | b',' | b':' | b' ' | b'\t' | b'\r' | b'\n' => 1,
            _ => {
                let used = rest
                    .iter()
                    .position(|b| b"{}[],:\" \t\r\n".contains(b))
                    .unwrap_or(rest.len());
                let word = rest.until(used);
                if !is_value(word) {
                    first.get_or_insert(word);
                    out.extend_from_slice(b"null");
                    rest = rest.past(used);
                    continue;
                }
                used
            }
        };
        out.extend_from_slice(rest.until(used));
        rest = rest.past(used);
    }
    Some((out, first?))
}

fn is_value(word: &[u8]) -> bool {
    matches!(word, b"true" | b"false" | b"null") || serde_json::from_slice::<f64>(word).is_ok_and(f64::is_finite)
}

/// Length of the string that begins here, with its quotes.
fn string_length(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(hit) = text.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += hit;
        if text.get(at) == Some(&b'"') {
            return at + 1;
        }
        at += 2;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_none() {
        for (line, fixed, first) in [
            (r#"{"a":NaN,"b":1}"#, r#"{"a":null,"b":1}"#, "NaN"),
            (
                r#"{"a":"NaN, \" 1e999","b":1e999}"#,
                r#"{"a":"NaN, \" 1e999","b":null}"#,
                "1e999",
            ),
            (r#"{"a":[-Infinity,007] }"#, r#"{"a":[null,null] }"#, "-Infinity"),
        ] {
            let (out, word) = without_odd_numbers(line.as_bytes()).unwrap();
            assert_eq!((out.as_slice(), word), (fixed.as_bytes(), first.as_bytes()));
        }
        for line in [r#"{"a":1.5e3,"b":[true,null,-0]}"#, "", "\"", "{\"a\\"] {
            assert_eq!(without_odd_numbers(line.as_bytes()), None, "{line}");
        }
    }
}
