//! The Exim main log.
//!
//! ```text
//! line     = timestamp [" [" pid "]"] [" " message-id] " " body
//! body     = arrival | delivery | "Completed" [" QT=" duration] | notice
//! arrival  = ("<=" | "(=") " " sender {" " field}
//! delivery = ("=>" | "->" | ">>" | "*>" | "**" | "==") " " address {" " field} [": " text]
//! ```
//!
//! The names are those of the Exim specification, chapter "Log files"; the exact forms were read in `deliver.c`,
//! `receive.c`, `smtp_in.c` and `log.c` of Exim 4.96. A line with a good header that says something unknown is
//! [`EximNoticeKind::Chatter`](record::EximNoticeKind::Chatter), unless it looks like a line with a flag: a change of Exim's
//! format must show as a [`Reject`], never as a count of zero.

mod address;
mod arrival;
mod delivery;
mod field;
mod foreground;
mod header;
mod host;
mod message_id;
mod notice;
pub mod record;

pub use foreground::{Foreground, foreground};

use crate::Reject;
use crate::cut::Cut;
use crate::odd::{self, Odd};
use crate::prim::{Fault, Parsed, duration_ms, fail};
use crate::stamp::LastMinute;
use crate::syslog::Envelope;
use record::{EximBody, EximRecord, Flag, MessageId};

/// Parses one main-log line, without its newline.
///
/// ```
/// use mailpulse_parsers::exim::{self, record::{EximBody, Flag}};
///
/// let line = b"2018-06-06 18:55:02 1fQdLN-0001Ab-Cd == bob@example.net R=dnslookup T=remote_smtp \
///              defer (-46) H=mx.example.net [2001:db8::25]:25: SMTP error from remote mail server after \
///              RCPT TO:<bob@example.net>: 451 4.7.1 Greylisted";
/// let record = exim::parse(line)?;
/// assert_eq!(record.id.unwrap().0, b"1fQdLN-0001Ab-Cd");
/// let EximBody::Delivery(delivery) = record.body else { panic!() };
/// assert_eq!((delivery.flag, delivery.errno), (Flag::Deferred, Some(-46)));
/// assert_eq!(delivery.host.name, Some(&b"mx.example.net"[..]));
/// assert!(delivery.text.unwrap().ends_with(b"451 4.7.1 Greylisted"));
///
/// let reject = exim::parse(b"2018-06-06 18:55 1fQdLN-0001Ab-Cd Completed").unwrap_err();
/// assert_eq!(reject.to_string(), "at byte 0: expected a timestamp (YYYY-MM-DD HH:MM:SS), found `2`");
/// # Ok::<(), mailpulse_parsers::Reject>(())
/// ```
///
/// # Errors
/// The header is broken, or the line has a flag and its required parts are broken.
pub fn parse(line: &[u8]) -> Result<EximRecord<'_>, Reject> {
    let mut record = EximRecord::default();
    Parser::default().parse(line, &mut record)?;
    Ok(record)
}

/// Parses the lines of a log one after the other, into one record: saves reading a minute again that the line before
/// has too, and a copy of three hundred bytes a line.
///
/// ```
/// use mailpulse_parsers::exim::{Parser, record::{EximBody, EximRecord}};
///
/// let log = b"2018-06-06 18:55:01 1fQdLN-0001Ab-Cd <= a@example.org U=www-data P=local S=812\n\
///             2018-06-06 18:55:02 1fQdLN-0001Ab-Cd => b@example.net R=dnslookup T=remote_smtp\n\
///             2018-06-06 18:55:02 1fQdLN-0001Ab-Cd Completed QT=1s";
/// let (mut parser, mut record) = (Parser::default(), EximRecord::default());
/// let mut deliveries = 0;
/// for line in log.split(|byte| *byte == b'\n') {
///     parser.parse(line, &mut record)?;
///     deliveries += usize::from(matches!(record.body, EximBody::Delivery(_)));
/// }
/// assert_eq!(deliveries, 1);
/// assert_eq!(record.body, EximBody::Completed { queue_ms: Some(1000) });
/// # Ok::<(), mailpulse_parsers::Reject>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Parser {
    last: LastMinute,
}

impl Parser {
    /// [`parse`], into a record that is there. After an error what stands in it is of no use.
    ///
    /// # Errors
    /// As [`parse`].
    #[inline]
    pub fn parse<'a>(&mut self, line: &'a [u8], record: &mut EximRecord<'a>) -> Result<(), Reject> {
        record.odd = None;
        match header::header(line, &mut self.last, &mut record.stamp, &mut record.odd) {
            Ok((rest, header)) => with_body(line, rest, &header, record),
            Err(fault) => Err(reject(line, fault)),
        }
    }
}

/// Parses what an Exim wrote to syslog: `envelope.rest` with its own timestamp (which wins), or without one
/// (`syslog_timestamp = no`), when time and process ID are the envelope's.
///
/// ```
/// use mailpulse_parsers::{exim, syslog};
///
/// let line = b"<22>2018-06-06T18:55:02+02:00 mx1 exim[4242]: 1fQdLN-0001Ab-Cd Completed";
/// let record = exim::parse_in_syslog(&syslog::envelope(line)?)?;
/// assert_eq!((record.pid, record.stamp.offset_seconds), (Some(4242), Some(7200)));
/// assert_eq!(record.id.unwrap().0, b"1fQdLN-0001Ab-Cd");
/// # Ok::<(), mailpulse_parsers::Reject>(())
/// ```
///
/// # Errors
/// As [`parse`]; the offset counts from the start of `envelope.rest`.
pub fn parse_in_syslog<'a>(envelope: &Envelope<'a>) -> Result<EximRecord<'a>, Reject> {
    let line = envelope.rest;
    let mut record = EximRecord::default();
    if header::has_stamp(line) {
        Parser::default().parse(line, &mut record)?;
    } else {
        record.stamp = envelope.stamp;
        let (rest, header) = header::after_stamp(line, &mut record.odd).map_err(|fault| reject(line, fault))?;
        with_body(line, rest, &header, &mut record)?;
    }
    record.pid = record.pid.or(envelope.pid);
    Ok(record)
}

/// Whether a text without a time is a line with a message ID and a flag, or one that ends a message.
pub(crate) fn is_flagged(text: &[u8]) -> bool {
    header::after_stamp(text, &mut None)
        .is_ok_and(|(rest, header)| header.id.is_some() && (flag(rest).is_some() || rest.starts_with(b"Completed")))
}

/// Whether a line belongs to the line before it: the reject log prints envelope and headers under a reject, and a text
/// with a newline in it goes on in the next line. Such lines have no header of their own.
///
/// ```
/// use mailpulse_parsers::exim::is_continuation;
/// assert!(is_continuation(b"Envelope-from: <a@example.org>"));
/// assert!(is_continuation(b"I Message-ID: <1@example.org>"));
/// assert!(!is_continuation(b"2018-06-06 18:55:02 1fQdLN-0001Ab-Cd Completed"));
/// ```
#[must_use]
pub fn is_continuation(line: &[u8]) -> bool {
    match line {
        [] => true,
        [b' ' | b'\t', ..] => true,
        [b'A'..=b'Z' | b'*', b' ', name @ ..] => {
            memchr::memchr(b':', name).is_some_and(|at| at > 0 && name.until(at).iter().all(|b| b.is_ascii_graphic()))
        }
        _ => line.starts_with(b"Envelope-from: <") || line.starts_with(b"Envelope-to: <") || line.starts_with(b"-----"),
    }
}

#[cold]
fn reject(line: &[u8], fault: nom::Err<Fault>) -> Reject {
    match fault {
        nom::Err::Error(fault) | nom::Err::Failure(fault) => Reject::new(line, fault),
        nom::Err::Incomplete(_) => Reject {
            offset: 0,
            expected: "a whole line",
            found: crate::Found::End,
        },
    }
}

/// Fills in the record of a line whose header is read, and its timestamp there. A body is filled in where it stands: each level that handed it on
/// would copy it.
#[inline]
fn with_body<'a>(
    line: &[u8],
    rest: &'a [u8],
    header: &header::Header<'a>,
    record: &mut EximRecord<'a>,
) -> Result<(), Reject> {
    record.pid = header.pid;
    record.id = header.id;
    match body(rest, header.id, &mut record.body, &mut record.odd) {
        Ok(_) => Ok(()),
        Err(fault) => Err(reject(line, fault)),
    }
}

/// What stands after the header. Every flag needs the message that it is about.
#[inline]
fn body<'a>(
    input: &'a [u8],
    id: Option<MessageId<'a>>,
    into: &mut EximBody<'a>,
    odd: &mut Option<Odd<'a>>,
) -> Parsed<'a, ()> {
    let fakereject = input.starts_with(b"(=");
    if let Some((flag, rest)) = flag(input) {
        if id.is_none() {
            return fail(input, "a message ID before the flag");
        }
        return match flag {
            AnyFlag::Arrival => arrival::arrival(rest, fakereject, into, odd),
            AnyFlag::Delivery(flag) => delivery::delivery(rest, flag, into, odd),
        };
    }
    if let Some(rest) = input.strip_prefix(b"Completed")
        && matches!(rest, [] | [b' ', ..])
    {
        if id.is_none() {
            return fail(input, "a message ID before `Completed`");
        }
        let queue_ms = match rest {
            // Most say no more.
            [] => None,
            _ => completed(rest, odd),
        };
        *into = EximBody::Completed { queue_ms };
        return Ok((&[], ()));
    }
    notice::notice(input, into, odd)
}

/// `Completed`, after that word: an optional `QT=`, in milliseconds.
fn completed<'a>(rest: &'a [u8], odd: &mut Option<Odd<'a>>) -> Option<u64> {
    let text = rest.trim_ascii_end();
    if text.is_empty() {
        return None;
    }
    let time = text.strip_prefix(b" QT=").map(duration_ms);
    match time {
        Some(Ok(([] | [b' ', ..], queue_ms))) => Some(queue_ms),
        _ => {
            odd::note(odd, "QT", text.strip_prefix(b" QT=").unwrap_or(text));
            None
        }
    }
}

enum AnyFlag {
    Arrival,
    Delivery(Flag),
}

/// The two characters of a flag, alone or before a space.
#[inline]
fn flag(input: &[u8]) -> Option<(AnyFlag, &[u8])> {
    let [first, second, rest @ ..] = input else { return None };
    if !matches!(rest.first(), None | Some(b' ')) {
        return None;
    }
    let flag = match [*first, *second] {
        [b'<' | b'(', b'='] => AnyFlag::Arrival,
        [b'=', b'>'] => AnyFlag::Delivery(Flag::Delivered),
        [b'-', b'>'] => AnyFlag::Delivery(Flag::Additional),
        [b'>', b'>'] => AnyFlag::Delivery(Flag::CutThrough),
        [b'*', b'>'] => AnyFlag::Delivery(Flag::Suppressed),
        [b'*', b'*'] => AnyFlag::Delivery(Flag::Failed),
        [b'=', b'='] => AnyFlag::Delivery(Flag::Deferred),
        _ => return None,
    };
    Some((flag, rest))
}
