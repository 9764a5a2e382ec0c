//! The head of every line: `YYYY-MM-DD HH:MM:SS[.mmm][ ±hhmm][ [pid]][ msgid]`.

use super::message_id::message_id;
use super::record::MessageId;
use crate::prim::{Parsed, decimal, fail};
use crate::stamp::{LastSecond, Stamp, exim_stamp};

/// Timestamp, process ID and message ID.
pub(super) struct Header<'a> {
    pub stamp: Stamp,
    pub pid: Option<u32>,
    pub id: Option<MessageId<'a>>,
}

/// The head; the rest is the body, without the space before it.
#[inline]
pub(super) fn header<'a>(line: &'a [u8], last: &mut LastSecond) -> Parsed<'a, Header<'a>> {
    let (rest, stamp) = last.exim_stamp(line)?;
    match rest {
        [b' ', rest @ ..] => after_stamp(rest, stamp),
        _ => fail(rest, "a space and text after the timestamp"),
    }
}

/// Process ID and message ID, for a line whose time is known.
#[inline]
pub(super) fn after_stamp(input: &[u8], stamp: Stamp) -> Parsed<'_, Header<'_>> {
    let (rest, pid) = pid(input);
    Ok(match message_id(rest) {
        Some((rest, id)) => (
            rest.strip_prefix(b" ").unwrap_or(rest),
            Header {
                stamp,
                pid,
                id: Some(id),
            },
        ),
        None => (rest, Header { stamp, pid, id: None }),
    })
}

/// Whether the text begins with a timestamp of its own.
pub(super) fn has_stamp(input: &[u8]) -> bool {
    exim_stamp(input).is_ok()
}

/// `[123] `: a lone `[1.2.3.4]` at this place is the text of a notice.
#[inline]
fn pid(input: &[u8]) -> (&[u8], Option<u32>) {
    if let [b'[', digits @ ..] = input
        && let Ok((rest, value)) = decimal(digits)
        && let Some(after) = rest.strip_prefix(b"]")
        && matches!(after.first(), None | Some(b' '))
        && let Ok(pid) = u32::try_from(value)
    {
        return (after.strip_prefix(b" ").unwrap_or(after), Some(pid));
    }
    (input, None)
}
