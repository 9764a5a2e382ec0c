//! The head of every line: `YYYY-MM-DD HH:MM:SS[.mmm][ ±hhmm][ [pid]][ msgid]`.

use super::message_id::message_id;
use super::record::MessageId;
use crate::odd::Odd;
use crate::prim::{Parsed, decimal, fail, word};
use crate::stamp::{LastMinute, Stamp, exim_stamp};

/// Process ID and message ID.
#[derive(Clone, Copy)]
pub(super) struct Header<'a> {
    pub pid: Option<u32>,
    pub id: Option<MessageId<'a>>,
}

/// The head, its timestamp into `stamp`; the rest is the body, without the space before it.
#[inline]
pub(super) fn header<'a>(
    line: &'a [u8],
    last: &mut LastMinute,
    stamp: &mut Stamp,
    odd: &mut Option<Odd<'a>>,
) -> Parsed<'a, Header<'a>> {
    let (rest, ()) = last.exim_stamp(line, stamp)?;
    match rest {
        [b' ', rest @ ..] => after_stamp(rest, odd),
        _ => fail(rest, "a space and text after the timestamp"),
    }
}

/// Process ID and message ID, for a line whose time is known.
#[inline]
pub(super) fn after_stamp<'a>(input: &'a [u8], odd: &mut Option<Odd<'a>>) -> Parsed<'a, Header<'a>> {
    let (rest, pid) = pid(input);
    let header = Header { pid, id: None };
    Ok(match message_id(rest) {
        Some((rest, id)) => (
            rest.strip_prefix(b" ").unwrap_or(rest),
            Header { id: Some(id), ..header },
        ),
        None if rest.first() == Some(&b'[') => behind_odd_pid(rest, &header, odd).unwrap_or((rest, header)),
        None => (rest, header),
    })
}

/// A process ID that is none, before a message ID.
#[cold]
fn behind_odd_pid<'a>(
    input: &'a [u8],
    header: &Header<'a>,
    odd: &mut Option<Odd<'a>>,
) -> Option<(&'a [u8], Header<'a>)> {
    let (rest, pid) = word(input).ok().filter(|_| input.starts_with(b"["))?;
    let (rest, id) = message_id(rest.strip_prefix(b" ")?)?;
    *odd = Some(Odd {
        field: "pid",
        value: pid,
    });
    let header = Header {
        id: Some(id),
        ..*header
    };
    Some((rest.strip_prefix(b" ").unwrap_or(rest), header))
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
