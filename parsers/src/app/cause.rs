//! Why a mail failed, as exceptions of Java, Python and PHP print it.

use super::record::Text;
use crate::cut::Cut;
use crate::prim::decimal;
use crate::reply::{Reason, classify};
use memchr::{memchr, memmem};
use std::borrow::Cow;

/// Bytes of a reason that are kept.
const REASON_MAX: usize = 1000;

/// Lines above the first exception that are looked at.
const WRAPPED_MAX: usize = 20;

/// The first line, and the lines that belong to it.
#[inline]
pub(super) fn first_line(record: &[u8]) -> (&[u8], &[u8]) {
    match memchr(b'\n', record) {
        Some(end) => (trim_end(record.until(end)), record.past(end + 1)),
        None => (trim_end(record), b""),
    }
}

/// Without the carriage return and blanks that may close a line.
#[inline]
pub(super) fn trim_end(text: &[u8]) -> &[u8] {
    text.trim_ascii_end()
}

/// A reason of bounded length; a Python reply `(550, b'5.1.1 …')` in it, or `550, 5.1.1 …`, becomes `550 5.1.1 …`.
pub(super) fn reason(text: &[u8]) -> Text<'_> {
    let text = text.trim_ascii();
    let text = text.until(REASON_MAX);
    let spaced = match decimal(text) {
        Ok((rest, code @ 200..=599)) => rest.strip_prefix(b", ").map(|words| (code, words)),
        _ => None,
    };
    match spaced.or_else(|| python_reply(text)) {
        Some((code, words)) => Cow::Owned([code.to_string().as_bytes(), b" ", words].concat()),
        None => Cow::Borrowed(text),
    }
}

/// `(550, b'5.1.1 …'`, the reply in smtplib's exceptions: code and words.
fn python_reply(text: &[u8]) -> Option<(u64, &[u8])> {
    for at in memchr::memchr_iter(b'(', text) {
        let Ok((rest, code @ 200..=599)) = decimal(text.past(at + 1)) else {
            continue;
        };
        let Some(rest) = rest.strip_prefix(b", ") else { continue };
        let rest = rest.strip_prefix(b"b").unwrap_or(rest);
        let [quote @ (b'\'' | b'"'), words @ ..] = rest else {
            continue;
        };
        let end = memchr(*quote, words).unwrap_or(words.len());
        return Some((code, words.until(end)));
    }
    None
}

/// The root cause in the lines under a Java log line: the last `Caused by:`, else the first exception.
pub(super) fn java(trace: &[u8]) -> Option<Text<'_>> {
    let root = match memmem::rfind(trace, b"Caused by: ") {
        Some(at) if matches!(trace.until(at), [] | [.., b'\n' | b'\t' | b' ']) => trace.past(at + 11),
        _ => first_exception(trace)?,
    };
    let text = until_frame(root);
    let (class, message) = class_and_message(text)?;
    Some(exception(text, class, message))
}

/// From the first line that begins with a class on: wrapped lines of the message may stand above it.
fn first_exception(trace: &[u8]) -> Option<&[u8]> {
    let starts = memchr::memchr_iter(b'\n', trace).map(|at| at + 1);
    [0].into_iter()
        .chain(starts)
        .take(WRAPPED_MAX)
        .map(|at| trace.past(at))
        .find(|rest| class_and_message(first_line(rest).0).is_some())
}

/// The message of an exception, or both class and message where the class says more: `UnknownHostException: mx1001`.
pub(super) fn exception<'a>(text: &'a [u8], class: &[u8], message: &'a [u8]) -> Text<'a> {
    let words = reason(message);
    if message.is_empty() || (classify(&words).reason == Reason::Other && classify(class).reason != Reason::Other) {
        reason(text)
    } else {
        words
    }
}

/// `java.net.ConnectException: Connection refused` → class and message; `None` if it begins with no class.
pub(super) fn class_and_message(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text
        .iter()
        .position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$')))
        .unwrap_or(text.len());
    let (class, rest) = text.split_at(end);
    let message = match rest {
        [b':', message @ ..] => message.trim_ascii(),
        [] | [b'\n' | b'\r', ..] => b"",
        _ => return None,
    };
    let named = class.ends_with(b"Exception") || class.ends_with(b"Error") || memchr(b'.', class).is_some();
    (named && class.first()?.is_ascii_alphabetic()).then_some((class, message))
}

/// Lines up to the first stack frame: a message may have several.
fn until_frame(text: &[u8]) -> &[u8] {
    let text = text.until(2 * REASON_MAX);
    let mut end = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let words = line.trim_ascii_start();
        let frame = [&b"at "[..], b"... ", b"Caused by: "]
            .iter()
            .any(|mark| words.starts_with(mark));
        if end > 0 && frame {
            break;
        }
        end += line.len();
    }
    trim_end(text.until(end))
}

/// The exception at the end of a Python traceback: the last line `class: message` that is not indented.
pub(super) fn python(trace: &[u8]) -> Option<Text<'_>> {
    let at = memmem::find(trace, b"Traceback (most recent call last):")?;
    let last = trace
        .past(at)
        .rsplit(|byte| *byte == b'\n')
        .map(trim_end)
        .find(|line| {
            let name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_');
            let used = line.iter().take_while(name).count();
            used > 0 && (used == line.len() || line.past(used).starts_with(b": "))
        })?;
    let (class, message) = match memchr(b':', last) {
        Some(colon) => (last.until(colon), last.past(colon + 1).trim_ascii()),
        None => (last, &b""[..]),
    };
    Some(exception(last, class, message))
}

/// The first mail address in a text: what stands around an `@` and can be part of one.
pub(super) fn address(text: &[u8]) -> Option<&[u8]> {
    let part = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b'-' | b'_' | b'+' | b'=' | b'~' | b'/' | b'%')
            || *byte >= 0x80
    };
    memchr::memchr_iter(b'@', text).take(8).find_map(|at| {
        let before = text
            .until(at)
            .iter()
            .rev()
            .take(255)
            .take_while(|byte| part(byte))
            .count();
        let after = text.past(at + 1).iter().take(255).take_while(|byte| part(byte)).count();
        let address = text.until(at + 1 + after).past(at - before);
        let address = address.strip_suffix(b".").unwrap_or(address);
        (before > 0 && after > 0).then_some(address)
    })
}

/// How many addresses a list has: its `@` signs.
pub(super) fn count_addresses(text: &[u8]) -> Option<u32> {
    u32::try_from(memchr::memchr_iter(b'@', text).count())
        .ok()
        .filter(|count| *count > 0)
}

/// Without the angle brackets of a Message-ID.
pub(super) fn bare_id(text: Text<'_>) -> Text<'_> {
    fn bare(text: &[u8]) -> Option<&[u8]> {
        let inside = text.strip_prefix(b"<")?.strip_suffix(b">")?;
        (!inside.is_empty()).then_some(inside)
    }
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(bare(text).unwrap_or(text)),
        Cow::Owned(text) => Cow::Owned(bare(&text).map(<[u8]>::to_vec).unwrap_or(text)),
    }
}

/// Whether a level is one of failures; warnings count, as Oozie and Python report lost mail with them.
pub(super) fn is_failure(level: &[u8]) -> bool {
    const LEVELS: [&[u8]; 10] = [
        b"ERROR",
        b"WARN",
        b"WARNING",
        b"CRITICAL",
        b"FATAL",
        b"SEVERE",
        b"ALERT",
        b"EMERGENCY",
        b"EXCEPTION",
        b"EMERG",
    ];
    LEVELS.iter().any(|name| level.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(found: Option<Text<'_>>) -> String {
        crate::harmless::safe_text(&found.unwrap_or_default())
    }

    #[test]
    fn root_causes() {
        for (trace, want) in [
            (
                "a.EmailException: Connection refused (Connection refused)\n\tat a.B(C.java:1)",
                "Connection refused (Connection refused)",
            ),
            (
                "a.EmailException: Cannot send outgoing email\n\tat x\nCaused by: java.net.SocketTimeoutException: connect timed out\n\tat y\n\t... 12 more",
                "connect timed out",
            ),
            (
                "a.E: x\n\tat b\nCaused by: java.net.UnknownHostException: mx1001\n\tat c",
                "java.net.UnknownHostException: mx1001",
            ),
            (
                "java.net.SocketTimeoutException\n\tat c",
                "java.net.SocketTimeoutException",
            ),
            ("no class here", ""),
            ("", ""),
        ] {
            assert_eq!(text(java(trace.as_bytes())), want, "{trace}");
        }
        assert_eq!(
            text(python(b"x\nTraceback (most recent call last):\n  File \"a\"\n    b()\nsmtplib.SMTPRecipientsRefused: {u'a@b': (550, '5.1.1 <a@b>: User unknown')}\n")),
            "550 5.1.1 <a@b>: User unknown"
        );
        assert_eq!(text(python(b"no trace")), "");
    }

    #[test]
    fn replies_in_python() {
        for (given, want) in [
            (
                "SMTPSenderRefused(530, b'5.7.0 Must issue STARTTLS', 'a@b')",
                "530 5.7.0 Must issue STARTTLS",
            ),
            (
                "SMTPRecipientsRefused({'a@b': (450, \"4.2.0 can't\")})",
                "450 4.2.0 can't",
            ),
            (
                "ConnectionRefusedError(111, 'Connection refused')",
                "ConnectionRefusedError(111, 'Connection refused')",
            ),
            ("(550, b'cut", "550 cut"),
        ] {
            assert_eq!(text(Some(reason(given.as_bytes()))), want);
        }
    }

    #[test]
    fn addresses() {
        for (given, want) in [
            ("to <a.b+c@example.org>, d@e", "a.b+c@example.org"),
            ("mail to a@example.org.", "a@example.org"),
            ("@ b@ @c", ""),
        ] {
            assert_eq!(text(address(given.as_bytes()).map(Cow::Borrowed)), want, "{given}");
        }
    }
}
