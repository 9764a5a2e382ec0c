//! Postfix through syslog, journald, or its own `maillog_file`.
//!
//! ```text
//! line     = envelope text                                     envelope: crate::syslog, or the caller's
//! text     = [id ": "] body | level ": " [id ": "] words       level: warning error fatal panic
//! id       = queue-id | "NOQUEUE"
//! body     = "client=" … | "uid=" … | "message-id=" … | "from=<" … | "to=<" … | "removed"
//!          | action ": " … | notification | words
//! ```
//!
//! The tag of the envelope (`postfix/smtp`) names the program; the text says what happened. The forms are those of a
//! real Postfix 3.7 (`tests/lab`, `corpus/postfix`) and of older and newer releases as far as their manuals and logs
//! show them. A text with words that nobody knows is [`PostfixNoticeKind::Chatter`]; one that
//! begins as a field does and goes on otherwise is a [`Reject`]: a change of Postfix's format must never show as a
//! count of zero.

mod arrival;
mod delivery;
mod field;
mod notice;
mod program;
mod queue_id;
pub mod record;
mod rejection;
mod unqueued;

pub use program::{Program, is_mailscanner, is_postfix};
pub use queue_id::{arrival_epoch, is_queue_id};

use crate::Reject;
use crate::cut::Cut;
use crate::odd::Odd;
use crate::prim::{Parsed, fail};
use crate::reject::finish;
use crate::syslog::{self, Envelope};
use queue_id::{Head, head};
use record::{PostfixBody, PostfixHost, PostfixNotice, PostfixNoticeKind, PostfixRecord};

/// Parses what follows `tag[pid]: `. Leave the tag's process ID away.
///
/// For lines whose envelope comes from elsewhere, as the journal's does.
///
/// ```
/// use mailpulse_parsers::postfix::{self, Program, record::{PostfixBody, Status}};
///
/// let text = b"4F1A23B5C7: to=<ann@example.org>, relay=mx.example.org[192.0.2.1]:25, delay=1.5, \
///              delays=0.1/0/0.4/1, dsn=4.7.1, status=deferred (host mx.example.org said: 451 4.7.1 later)";
/// let record = postfix::parse(b"postfix/smtp", text)?;
/// assert_eq!((record.program, record.queue_id), (Program::Smtp, Some(&b"4F1A23B5C7"[..])));
/// let PostfixBody::Delivery(delivery) = record.body else { panic!() };
/// assert_eq!((delivery.status, delivery.delay_ms), (Status::Deferred, Some(1500)));
/// assert_eq!(delivery.relay.port, Some(25));
/// # Ok::<(), mailpulse_parsers::Reject>(())
/// ```
///
/// # Errors
/// The text begins like a line with fields and its required parts are broken; the offset counts from the start of
/// `text`.
#[inline]
pub fn parse<'a>(tag: &'a [u8], text: &'a [u8]) -> Result<PostfixRecord<'a>, Reject> {
    finish(text, record(tag, text))
}

/// Parses a line with its syslog envelope, RFC 3164 or RFC 3339.
///
/// ```
/// use mailpulse_parsers::postfix::{self, record::PostfixBody};
///
/// let line = b"Jun  6 18:55:01 mx1 postfix/qmgr[812]: 4F1A23B5C7: from=<a@example.org>, size=812, nrcpt=2 (queue active)";
/// let (envelope, record) = postfix::parse_line(line)?;
/// assert_eq!((envelope.host, envelope.pid), (&b"mx1"[..], Some(812)));
/// assert!(matches!(record.body, PostfixBody::QueueActive(active) if active.nrcpt == Some(2)));
///
/// let reject = postfix::parse_line(b"Jun  6 18:55:01 mx1 sshd[9]: Invalid user postfix/qmgr").unwrap_err();
/// assert_eq!((reject.offset, reject.expected), (20, "a Postfix program's name"));
/// # Ok::<(), mailpulse_parsers::Reject>(())
/// ```
///
/// # Errors
/// The envelope is broken, the tag is not a Postfix program's, or as [`parse`]; the offset counts from the start of
/// `line`.
#[inline]
pub fn parse_line(line: &[u8]) -> Result<(Envelope<'_>, PostfixRecord<'_>), Reject> {
    let envelope = syslog::envelope(line)?;
    if !is_postfix(envelope.tag) {
        let tag_at = envelope.tag.as_ptr().addr() - line.as_ptr().addr();
        return finish(line, fail(line.past(tag_at), "a Postfix program's name"));
    }
    let record = finish(line, record(envelope.tag, envelope.rest))?;
    Ok((envelope, record))
}

#[inline]
fn record<'a>(tag: &'a [u8], text: &'a [u8]) -> Parsed<'a, PostfixRecord<'a>> {
    let (syslog_name, name) = program::split(tag);
    let program = Program::named(name);
    if program::is_mailscanner(tag) {
        return Ok((&[], mailscanner(text)));
    }
    let mut odd = None;
    let (mut id, rest) = head(text);
    let (_, body) = if id == Head::None
        && let Some((severity, words)) = notice::severity(rest)
    {
        let (inner, words) = head(words);
        id = inner;
        notice::problem(program, severity, words)?
    } else {
        body(rest, program, &id, &mut odd)?
    };
    let queue_id = match id {
        Head::Id(id) => Some(id),
        Head::NoQueue | Head::None => None,
    };
    Ok((
        &[],
        PostfixRecord {
            program,
            syslog_name,
            queue_id,
            odd,
            body,
        },
    ))
}

/// A line of MailScanner: `Requeue: AB3116645BB.AE4DF to 9E02D664D3C`, or nothing about a mail's way.
fn mailscanner(text: &[u8]) -> PostfixRecord<'_> {
    let ids = text.strip_prefix(b"Requeue: ").and_then(|ids| {
        let at = memchr::memmem::find(ids, b" to ")?;
        let (before, next) = (ids.until(at), ids.past(at + 4).trim_ascii_end());
        // Behind the dot stands what makes the name of its file unique.
        let before = before.until(memchr::memchr(b'.', before).unwrap_or(before.len()));
        (is_queue_id(before) && is_queue_id(next)).then_some((before, next))
    });
    let notice = PostfixNotice {
        kind: PostfixNoticeKind::Chatter,
        host: PostfixHost::default(),
        text,
        reason: b"",
    };
    PostfixRecord {
        program: Program::Other,
        syslog_name: b"",
        queue_id: ids.map(|(before, _)| before),
        odd: None,
        body: match ids {
            Some((_, next)) => PostfixBody::Requeued { next },
            None => PostfixBody::Notice(notice),
        },
    }
}

/// What stands after the queue ID.
#[inline]
fn body<'a>(text: &'a [u8], program: Program, id: &Head<'a>, odd: &mut Option<Odd<'a>>) -> Parsed<'a, PostfixBody<'a>> {
    if let Some((field, value)) = keyed(text) {
        // smtpd names the client of a proxied connection without an ID; other programs under Postfix's name talk as
        // they like.
        let needs_id = field != Field::Client || *id == Head::None;
        return match id {
            Head::Id(_) => field.parse(value, program, odd),
            Head::NoQueue if !needs_id => field.parse(value, program, odd),
            _ if program == Program::Other && field != Field::To => notice::notice(text, program, false),
            _ => fail(text, "a queue ID before the field"),
        };
    }
    if let Some(found) = rejection::rejection(text, program, odd) {
        return match id {
            Head::None if program == Program::Other || program == Program::Postlog => {
                notice::notice(text, program, false)
            }
            // The proxy's client has no queue file.
            Head::None if text.starts_with(b"proxy-") => found,
            Head::None => fail(text, "a queue ID or NOQUEUE before the decision"),
            _ => found,
        };
    }
    if *id == Head::None {
        if misread_id(text) && program != Program::Other {
            return fail(text, "a queue ID");
        }
        return notice::notice(text, program, false);
    }
    if let Some((severity, words)) = notice::severity(text) {
        return notice::problem(program, severity, words);
    }
    match notice::notification(text) {
        Some(found) => found,
        None => notice::notice(text, program, true),
    }
}

/// The fields that a line can begin with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    To,
    From,
    Client,
    Uid,
    MessageId { resent: bool },
    Removed,
}

impl Field {
    #[inline]
    fn parse<'a>(self, value: &'a [u8], program: Program, odd: &mut Option<Odd<'a>>) -> Parsed<'a, PostfixBody<'a>> {
        match self {
            Field::To => delivery::delivery(value, program, odd),
            Field::From => arrival::from(value, odd),
            Field::Client => arrival::client(value, odd),
            Field::Uid => arrival::pickup(value, odd),
            Field::MessageId { resent } => arrival::message_id(value, resent),
            Field::Removed => Ok((
                &[],
                PostfixBody::Removed {
                    by_admin: program == Program::Postsuper,
                },
            )),
        }
    }
}

/// The field that a text begins with, and its value.
#[inline]
fn keyed(text: &[u8]) -> Option<(Field, &[u8])> {
    match text {
        [b't', b'o', b'=', value @ ..] => Some((Field::To, value)),
        [b'f', b'r', b'o', b'm', b'=', value @ ..] => Some((Field::From, value)),
        [b'c', b'l', b'i', b'e', b'n', b't', b'=', value @ ..] => Some((Field::Client, value)),
        [b'u', b'i', b'd', b'=', value @ ..] => Some((Field::Uid, value)),
        b"removed" => Some((Field::Removed, b"")),
        _ => {
            let (resent, rest) = match text.strip_prefix(b"resent-") {
                Some(rest) => (true, rest),
                None => (false, text),
            };
            let value = rest.strip_prefix(b"message-id=")?;
            Some((Field::MessageId { resent }, value))
        }
    }
}

/// Whether this is a line with fields behind something that should have been a queue ID: `xyz: to=<…`.
fn misread_id(text: &[u8]) -> bool {
    let window = text.until(80);
    match memchr::memchr(b':', window) {
        Some(colon) => match text.past(colon) {
            [b':', b' ', rest @ ..] => {
                memchr::memchr(b' ', text.until(colon)).is_none()
                    && matches!(
                        keyed(rest),
                        Some((Field::To | Field::From | Field::MessageId { .. } | Field::Removed, _))
                    )
            }
            _ => false,
        },
        None => false,
    }
}
