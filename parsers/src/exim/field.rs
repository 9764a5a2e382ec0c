//! `key=value` fields: what is a field at all, and how to walk over one that nobody keeps.
//!
//! Exim gains fields with every release, so an unknown key is walked over by the same rules as a known one.

use super::host::after_host;
use crate::cut::{Alphabet, Cut};
use crate::odd::{self, Odd};
use crate::prim::{Parsed, angle, decimal, fail, near, quoted, word};

/// Longest key looked for. Exim's longest are `DMARC`, `M8S`.
const KEY_MAX: usize = 16;

/// Whether `KEY=` stands here: a letter, then letters, digits, `_`, `-`, `*`.
#[inline]
pub(super) fn is_field(input: &[u8]) -> bool {
    key_length(input).is_some()
}

/// Length of the key before `=`.
#[inline]
pub(super) fn key_length(input: &[u8]) -> Option<usize> {
    if !input.first()?.is_ascii_alphabetic() {
        return None;
    }
    // Nearly all keys.
    match input {
        [_, b'=', ..] => return Some(1),
        [_, second, b'=', ..] if IN_KEY.has(*second) => return Some(2),
        _ => {}
    }
    let key = input.until(KEY_MAX);
    let at = key.iter().position(|byte| !IN_KEY.has(*byte))?;
    (key.get(at) == Some(&b'=')).then_some(at)
}

/// Bytes of a key.
static IN_KEY: Alphabet = Alphabet::new(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz*_-");

/// Words that stand alone among the fields: `DS K L L- L* L. PRDR TFO TFO* ARC`.
#[inline]
pub(super) fn is_bare(token: &[u8]) -> bool {
    matches!(
        token,
        b"DS" | b"K" | b"L" | b"L-" | b"L*" | b"L*-" | b"L." | b"L.-" | b"PRDR" | b"TFO" | b"TFO*" | b"ARC"
    )
}

/// Fields that are walked over and have no quotes: one in its place is damage, and its other half would be a later field's.
#[inline]
fn is_never_quoted(key: &[u8]) -> bool {
    matches!(
        key,
        b"I" | b"X" | b"CV" | b"Ci" | b"U" | b"P" | b"D" | b"Q" | b"S" | b"PRX"
    )
}

/// Walks over one token: a bare word, `key=value`, `key="value with spaces"`.
#[inline]
pub(super) fn skip_token(input: &[u8]) -> Parsed<'_, ()> {
    match key_length(input) {
        Some(key) if !is_never_quoted(input.until(key)) => skip_value(input.past(key + 1)),
        _ => skip_word(input),
    }
}

/// Walks over a value, which may be quoted.
#[inline]
pub(super) fn skip_value(input: &[u8]) -> Parsed<'_, ()> {
    if let [b'"', inner @ ..] = input
        && let Ok((rest, _)) = quoted(inner)
    {
        return Ok((rest, ()));
    }
    skip_word(input)
}

/// Walks over a value that has no quotes.
#[inline]
pub(super) fn skip_word(input: &[u8]) -> Parsed<'_, ()> {
    let (rest, _) = word(input)?;
    Ok((rest, ()))
}

/// A field that most lines have at this place, if it is there and whole; all others are left to the loop over fields.
///
/// Exim prints fields in one order. To ask for each in its turn is a branch that the processor predicts; a jump by the key
/// is one that it does not, and that was a fifth of what a line's grammar costs.
#[inline(always)]
pub(super) fn usual<'a, const N: usize>(
    rest: &'a [u8],
    key: &[u8; N],
    read: impl FnOnce(&'a [u8]) -> Parsed<'a, ()>,
) -> &'a [u8] {
    match rest.split_first_chunk::<N>() {
        Some((found, value)) if found == key => match read(value) {
            Ok((after @ ([] | [b' ', ..]), ())) => after,
            _ => rest,
        },
        _ => rest,
    }
}

/// Stores what was read.
#[inline]
pub(super) fn keep<'a, T>((rest, value): (&'a [u8], T), into: &mut Option<T>) -> (&'a [u8], ()) {
    *into = Some(value);
    (rest, ())
}

/// Names of the fields that are read, for those that are left out.
const NAMES: [&str; 15] = [
    "H", "P", "X", "U", "S", "id", "R", "T", "RT", "A", "C", "F", "DT", "QT", "ST",
];

/// Walks over a field whose value is not of its form, and notes it. In a line that ends in `: text` the colon is not the
/// value's. What is quoted and not closed is all of the line: it was cut, and a stranger's text must not pass for fields.
#[cold]
pub(super) fn leave_out<'a>(token: &'a [u8], into: &mut Option<Odd<'a>>) -> &'a [u8] {
    let key = key_length(token);
    let value = key.map_or(token, |key| token.past(key + 1));
    let name = key.and_then(|key| NAMES.into_iter().find(|name| name.as_bytes() == token.until(key)));
    let rest = match (name, value) {
        (Some("H"), _) => after_host(value),
        // Only these are ever printed in quotes.
        (None | Some("T" | "C"), [b'"', inner @ ..]) => match quoted(inner) {
            Ok((rest, _)) => after_word(rest),
            Err(_) => &[],
        },
        _ => after_word(value),
    };
    let name = match name {
        Some(name) => name,
        None if token.starts_with(b"from <") => "from",
        None => "other",
    };
    odd::note(into, name, value.until(value.len() - rest.len()));
    rest
}

fn after_word(input: &[u8]) -> &[u8] {
    let end = near(b' ', input).unwrap_or(input.len());
    match input.until(end).strip_suffix(b":") {
        Some(bare) if end < input.len() => input.past(bare.len()),
        _ => input.past(end),
    }
}

/// `<address>` of a field. A second bracket in it is another field's: this one was never closed.
#[inline]
pub(super) fn bracketed(input: &[u8]) -> Parsed<'_, &[u8]> {
    let (rest, address) = angle(input)?;
    if address.first() != Some(&b'"') && memchr::memchr(b'<', address).is_some() {
        return fail(input, "`>` after the address");
    }
    Ok((rest, address))
}

/// A value that runs to the next space. In a line that ends in `: text` the colon is not the value's.
#[inline]
pub(super) fn value(input: &[u8]) -> Parsed<'_, &[u8]> {
    let end = near(b' ', input).unwrap_or(input.len());
    match input.until(end).strip_suffix(b":") {
        Some(bare) if end < input.len() => Ok((input.past(end - 1), bare)),
        _ => Ok((input.past(end), input.until(end))),
    }
}

/// A value in quotes (without them), or up to the next space if it has none.
#[inline]
pub(super) fn text_value(input: &[u8]) -> Parsed<'_, &[u8]> {
    match input {
        [b'"', inner @ ..] => quoted(inner),
        _ => value(input),
    }
}

/// `S=`: bytes.
#[inline]
pub(super) fn size(input: &[u8]) -> Parsed<'_, u64> {
    match decimal(input) {
        Ok((rest @ ([] | [b' ' | b':', ..]), bytes)) => Ok((rest, bytes)),
        _ => fail(input, "a size in bytes"),
    }
}
