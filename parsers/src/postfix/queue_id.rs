//! Queue IDs: short hexadecimal (microseconds and inode), or long base-52 (`enable_long_queue_ids`).
//!
//! ```text
//! short = 5 hex digits of microseconds, inode in hex         4F1A23B5C7
//! long  = seconds (6), microseconds (4), "z", inode          4WkVnc6sMSz9rtKh
//! ```
//!
//! The alphabet of the long form is digits and consonants, so that no ID is a word. Read in `global/mail_queue.h`.

use crate::cut::{Alphabet, Cut};
use memchr::memchr;

/// The digits of the short form.
static HEX: Alphabet = Alphabet::new(b"0123456789ABCDEF");

/// The digits of Postfix's base 52.
static BASE52: Alphabet = Alphabet::new(b"0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz");

/// Shortest and longest short form: five digits of microseconds, and an inode of one to sixteen.
const SHORT: std::ops::RangeInclusive<usize> = 6..=21;
/// Place of the `z` that ends the time of a long ID.
const LONG_MARK: usize = 10;
/// Longest long form: an inode of 64 bits takes twelve characters.
const LONG_MAX: usize = LONG_MARK + 1 + 12;

/// Whether this is a queue ID of either form.
///
/// ```
/// use mailpulse_parsers::postfix::is_queue_id;
/// assert!(is_queue_id(b"4F1A23B5C7") && is_queue_id(b"4WkVnc6sMSz9rtKh"));
/// assert!(!is_queue_id(b"NOQUEUE"));
/// ```
#[must_use]
#[inline]
pub fn is_queue_id(text: &[u8]) -> bool {
    is_short(text) || is_long(text)
}

#[inline]
fn is_short(text: &[u8]) -> bool {
    SHORT.contains(&text.len()) && text.iter().all(|byte| HEX.has(*byte))
}

#[inline]
fn is_long(text: &[u8]) -> bool {
    text.len() > LONG_MARK + 1
        && text.len() <= LONG_MAX
        && text.get(LONG_MARK) == Some(&b'z')
        && text.iter().all(|&byte| BASE52.has(byte))
}

/// The arrival's time in seconds since 1970, UTC, out of a long queue ID; `None` for a short one, which has none.
///
/// A header without a year or zone can be checked against it.
///
/// ```
/// use mailpulse_parsers::postfix::arrival_epoch;
/// assert_eq!(arrival_epoch(b"4jZ55c4FT3z1VTnv"), Some(1_795_577_972));
/// assert_eq!(arrival_epoch(b"4F1A23B5C7"), None);
/// ```
#[must_use]
pub fn arrival_epoch(queue_id: &[u8]) -> Option<i64> {
    if !is_long(queue_id) {
        return None;
    }
    let digit = |byte: &u8| i64::from(BASE52.place(*byte));
    Some(queue_id.until(6).iter().fold(0, |epoch, byte| epoch * 52 + digit(byte)))
}

/// What may stand before `: ` at the start of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head<'a> {
    /// A queue ID.
    Id(&'a [u8]),
    /// `NOQUEUE`.
    NoQueue,
    /// Nothing of the kind.
    None,
}

/// Queue ID or `NOQUEUE` before `: `, and the text behind it.
#[inline]
pub(super) fn head(text: &[u8]) -> (Head<'_>, &[u8]) {
    let window = text.until(LONG_MAX + 1);
    if let Some(colon) = memchr(b':', window)
        && text.get(colon + 1) == Some(&b' ')
    {
        let (word, rest) = (text.until(colon), text.past(colon + 2));
        if is_queue_id(word) {
            return (Head::Id(word), rest);
        }
        if word == b"NOQUEUE" {
            return (Head::NoQueue, rest);
        }
    }
    (Head::None, text)
}

/// The queue ID at the start of a text that names one, as far as its characters go; at least one.
#[inline]
pub(super) fn leading(text: &[u8]) -> Option<&[u8]> {
    let end = text
        .iter()
        .position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')))
        .unwrap_or(text.len());
    let id = text.until(end);
    let id = id.strip_suffix(b".").unwrap_or(id);
    (!id.is_empty()).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for id in [
            "4F1A2",
            "4F1A2g",
            "4f1a23b5c7",
            "warning",
            "4WkVnc6sMSa9rtKh",
            "4WkVnc6sMSz",
            "NOQUEUE",
            "",
        ] {
            assert!(!is_queue_id(id.as_bytes()), "{id}");
        }
        for id in ["4F1A23", "4F1A23B5C7", "4WkVnc6sMSz9rtKh", "4jZ55c4FT3z1VTnv"] {
            assert!(is_queue_id(id.as_bytes()), "{id}");
        }
        // Written by a Postfix 3.7 at 2026-11-25T03:39:32Z.
        assert_eq!(arrival_epoch(b"4jZ55c4FT3z1VTnv"), Some(1_795_577_972));
        assert_eq!(arrival_epoch(b"4F1A23B5C7"), None);
        assert_eq!(head(b"4F1A23B5C7: removed"), (Head::Id(b"4F1A23B5C7"), &b"removed"[..]));
        assert_eq!(head(b"NOQUEUE: reject: x"), (Head::NoQueue, &b"reject: x"[..]));
        assert_eq!(head(b"warning: 4F1A23: x").0, Head::None);
        assert_eq!(head(b"4F1A23B5C7:removed").0, Head::None);
    }
}
