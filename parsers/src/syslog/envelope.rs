//! What syslog puts around a line, and the parts that all its forms share.

use super::priority::is_priority;
use crate::cut::{Alphabet, Cut};
use crate::prim::{Parsed, decimal, fail};
use crate::stamp::Stamp;
use memchr::memchr;

/// What syslog put around a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// When syslog took the line; the year is 0 unless `year_known`.
    pub stamp: Stamp,
    /// False for RFC 3164, whose timestamps have no year.
    pub year_known: bool,
    /// The host that wrote; empty where the head has none.
    pub host: &'a [u8],
    /// The program, without process ID.
    pub tag: &'a [u8],
    /// Its process ID.
    pub pid: Option<u32>,
    /// The message: what the program logged.
    pub rest: &'a [u8],
}

/// `exim[123]:` or `exim:`.
pub(super) fn tag(input: &[u8]) -> Parsed<'_, (&[u8], Option<u32>)> {
    static ENDS: Alphabet = Alphabet::new(b"[: ");
    let end = input.iter().position(|byte| ENDS.has(*byte)).unwrap_or(input.len());
    let (tag, rest) = input.cut(end);
    if tag.is_empty() {
        return fail(input, "a program's name");
    }
    if let [b'[', digits @ ..] = rest {
        let (after, pid) = decimal(digits)?;
        let Ok(pid) = u32::try_from(pid) else {
            return fail(digits, "a process ID");
        };
        let [b']', b':', rest @ ..] = after else {
            return fail(after, "`]:` after the process ID");
        };
        return Ok((rest, (tag, Some(pid))));
    }
    let [b':', rest @ ..] = rest else {
        return fail(rest, "`:` after the program's name");
    };
    Ok((rest, (tag, None)))
}

/// What follows Solaris' `[ID 197553 mail.info] `, if that is there.
pub(super) fn after_message_id(text: &[u8]) -> &[u8] {
    let after = || {
        let (rest, _) = decimal(text.strip_prefix(b"[ID ")?).ok()?;
        let rest = rest.strip_prefix(b" ")?;
        let close = memchr(b']', rest.until(32))?;
        let rest_after = rest.past(close + 1).strip_prefix(b" ")?;
        is_priority(rest.until(close)).then_some(rest_after)
    };
    after().unwrap_or(text)
}

/// A process ID in decimal, if it is one.
pub(super) fn pid_of(text: &[u8]) -> Option<u32> {
    let (rest, pid) = decimal(text).ok()?;
    u32::try_from(pid).ok().filter(|_| rest.is_empty())
}
