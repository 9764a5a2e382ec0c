//! What the text of a deferral, bounce or reject says: SMTP code, enhanced code, and a reason out of a bounded set.
//!
//! The reason is found in this order, the surest witness first: an enhanced status code with one meaning, the
//! strongest phrase in the text, the errno, a bare SMTP code with one meaning.

mod phrases;
mod reason;

use crate::cut::Cut;
use memchr::{memchr_iter, memmem};
use phrases::{by_beginning, by_phrase};

pub use reason::Reason;

/// What a text says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    /// The SMTP code, 200 to 599.
    pub smtp_code: Option<u16>,
    /// The enhanced status code behind it (RFC 3463).
    pub enhanced: Option<Enhanced>,
    /// Why, as one of a few; [`Reason::Other`] if the text does not say.
    pub reason: Reason,
}

/// `class.subject.detail` of RFC 3463.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Enhanced {
    /// 2 for success, 4 for a failure that may pass, 5 for one that stays.
    pub class: u8,
    /// What it is about, 0 to 999: 1 the address, 2 the mailbox, 3 the system, 4 the network, 5 the protocol, 6 the
    /// content, 7 security.
    pub subject: u16,
    /// Which of the subject's states, 0 to 999; the IANA registry of enhanced status codes lists them.
    pub detail: u16,
}

/// Classifies a text. Never fails: what says nothing is [`Reason::Other`].
///
/// ```
/// use mailpulse_parsers::reply::{Reason, classify};
///
/// let reply = classify(b"SMTP error from remote mail server after RCPT TO:<ann@example.org>: 550 5.1.1 User unknown");
/// assert_eq!((reply.smtp_code, reply.reason), (Some(550), Reason::NoSuchUser));
/// assert_eq!(reply.enhanced.map(|code| (code.class, code.subject, code.detail)), Some((5, 1, 1)));
/// assert_eq!(classify(b"451 Greylisted, please come back later").reason.as_str(), "greylisted");
/// ```
#[must_use]
pub fn classify(text: &[u8]) -> Reply {
    classify_with_errno(text, None)
}

/// Classifies a text that came with the number of `defer (…)`: a system's errno, or negative for Exim's own.
///
/// ```
/// use mailpulse_parsers::reply::{Reason, classify_with_errno};
/// assert_eq!(classify_with_errno(b"", Some(110)).reason, Reason::Timeout);
/// assert_eq!(classify_with_errno(b"Connection refused", Some(110)).reason, Reason::ConnectionRefused);
/// ```
#[must_use]
pub fn classify_with_errno(text: &[u8], errno: Option<i32>) -> Reply {
    let (smtp_code, reply) = match smtp_code(text) {
        Some((code, at)) => (Some(code), text.past(at)),
        None => (None, text),
    };
    let enhanced = smtp_code.and_then(|code| enhanced_in(reply, code));
    let reason = match smtp_code {
        Some(code) => enhanced
            .and_then(by_enhanced)
            .or_else(|| by_phrase(reply))
            .or_else(|| by_code(code)),
        // Exim's own words go first: behind them may stand a name that contains any phrase.
        None => by_beginning(text).or_else(|| by_phrase(text)),
    };
    let reason = reason.or_else(|| errno.and_then(by_errno)).unwrap_or(Reason::Other);
    Reply {
        smtp_code,
        enhanced,
        reason,
    }
}

/// Classifies a text of Postfix, which prints its own verdict as an enhanced code beside it (`dsn=`).
///
/// That code speaks where the text has none of its own: `dsn=4.4.3 … (Host not found)`, `5.7.1 message content rejected`.
///
/// ```
/// use mailpulse_parsers::reply::{Enhanced, Reason, classify_with_dsn};
/// let dsn = Enhanced { class: 4, subject: 4, detail: 3 };
/// assert_eq!(classify_with_dsn(b"try again", Some(dsn)).reason, Reason::Dns);
/// ```
#[must_use]
pub fn classify_with_dsn(text: &[u8], dsn: Option<Enhanced>) -> Reply {
    let mut reply = classify(text);
    if reply.smtp_code.is_none()
        && reply.reason == Reason::Other
        && let Some(reason) = dsn.and_then(|dsn| by_enhanced(dsn).or_else(|| by_own_dsn(dsn)))
    {
        reply.reason = reason;
    }
    reply.enhanced = reply.enhanced.or(dsn);
    reply
}

/// What Postfix means by a code of its own; another host's may mean anything.
fn by_own_dsn(dsn: Enhanced) -> Option<Reason> {
    match (dsn.subject, dsn.detail) {
        _ if dsn.class == 2 => None,
        (4, 1) => Some(Reason::ConnectionRefused),
        (4, 2) => Some(Reason::ConnectionLost),
        (4, 3 | 4) => Some(Reason::Dns),
        (4, 6) => Some(Reason::Routing),
        (4, 7) => Some(Reason::RetryTimeout),
        (3, _) => Some(Reason::LocalError),
        (7, _) => Some(Reason::Policy),
        _ => None,
    }
}

/// The code and its offset: at the start, or after a `: ` that is not inside the address of `RCPT TO:<…>`.
fn smtp_code(text: &[u8]) -> Option<(u16, usize)> {
    if let Some(code) = code_at(text) {
        return Some((code, 0));
    }
    // The address is the remote side's to choose, and a quoted one may hold `: 550 `.
    let from = match memmem::find(text, b":<") {
        Some(at) => crate::prim::angle(text.past(at + 1)).map_or(0, |(rest, _)| text.len() - rest.len()),
        None => 0,
    };
    memchr_iter(b':', text.past(from))
        .map(|at| from + at)
        .find_map(|at| match text.get(at + 1) {
            Some(b' ') => code_at(text.past(at + 2)).map(|code| (code, at + 2)),
            _ => None,
        })
}

/// Three digits, 2xx to 5xx, before a space, a dash or the end.
fn code_at(text: &[u8]) -> Option<u16> {
    let [a @ b'2'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] = text else {
        return None;
    };
    let value = |digit: &u8| u16::from(digit - b'0');
    matches!(rest.first(), None | Some(b' ' | b'-' | b'\\')).then(|| value(a) * 100 + value(b) * 10 + value(c))
}

/// The enhanced code of the reply's first line that has one; Exim prints inner newlines as `\n`.
fn enhanced_in(reply: &[u8], code: u16) -> Option<Enhanced> {
    let first = enhanced_at(reply.get(4..)?);
    first.or_else(|| {
        memmem::find_iter(reply, br"\n")
            .take(8)
            .map(|at| reply.past(at + 2))
            .filter(|line| code_at(line) == Some(code))
            .find_map(|line| enhanced_at(line.get(4..)?))
    })
}

/// `5.1.1` or `#5.1.1`.
pub(crate) fn enhanced_at(text: &[u8]) -> Option<Enhanced> {
    let text = text.strip_prefix(b"#").unwrap_or(text);
    let [class @ (b'2' | b'4' | b'5'), b'.', rest @ ..] = text else {
        return None;
    };
    let (rest, subject) = small_number(rest)?;
    let (rest, detail) = small_number(rest.strip_prefix(b".")?)?;
    if matches!(rest.first(), Some(b'.' | b'0'..=b'9')) {
        return None;
    }
    Some(Enhanced {
        class: class - b'0',
        subject,
        detail,
    })
}

fn small_number(text: &[u8]) -> Option<(&[u8], u16)> {
    let (rest, value) = crate::prim::decimal(text).ok()?;
    (value <= 999).then_some((rest, value as u16))
}

/// Codes that mean one thing wherever they are used.
fn by_enhanced(code: Enhanced) -> Option<Reason> {
    match (code.subject, code.detail) {
        (1, 1 | 6 | 10) | (2, 1) => Some(Reason::NoSuchUser),
        (1, 2) => Some(Reason::Dns),
        (2, 2) => Some(Reason::MailboxFull),
        (2, 3) | (3, 4) => Some(Reason::Size),
        (7, 8 | 9) => Some(Reason::Auth),
        (7, 10 | 11) => Some(Reason::Tls),
        (7, 20..=27) => Some(Reason::Policy),
        _ => None,
    }
}

/// Codes that say enough when the words do not.
fn by_code(code: u16) -> Option<Reason> {
    match code {
        452 | 552 => Some(Reason::MailboxFull),
        454 | 530 | 534 | 535 | 538 => Some(Reason::Auth),
        _ => None,
    }
}

/// Linux errnos and Exim's own (`macros.h` of 4.96; the retry numbers were one lower before 4.95).
fn by_errno(errno: i32) -> Option<Reason> {
    match errno {
        101 | 111 | 112 | 113 => Some(Reason::ConnectionRefused),
        32 | 103 | 104 | -18 => Some(Reason::ConnectionLost),
        110 | -43 => Some(Reason::Timeout),
        122 | -22 => Some(Reason::MailboxFull),
        2 | 12 | 13 | 28 | -9..=-2 | -34..=-33 | -31..=-26 | -40..=-39 | -51 => Some(Reason::LocalError),
        -32 | -36 => Some(Reason::Dns),
        -37 | -38 => Some(Reason::Tls),
        -42 | -48 => Some(Reason::Auth),
        -54..=-52 | -57 => Some(Reason::RetryTimeout),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
