//! Gerrit's `error_log` (text) and `error_log.json`; one file may hold both forms.
//!
//! ```text
//! record = "[" timestamp "] [" thread "] " level " " logger [" " context] ": " message {"\n" trace}
//! ```
//!
//! Gerrit writes nothing when it sends a mail. A failure is an error about e-mail, or any error with an
//! `EmailException` under it; the cause is the root cause of its stack trace.

use super::cause::{self, address, first_line};
use super::document::{Paths, take, take_value};
use super::json::time_field;
use super::record::{AppBody, AppRecord, Mail, Text};
use super::time::{Time, iso};
use crate::Reject;
use crate::cut::Cut;
use crate::prim::{Parsed, fail, word};
use crate::reject::finish;
use memchr::memmem;
use std::borrow::Cow;
use std::sync::LazyLock;

/// `[2018…` or a JSON object. Anything else is a stack trace or a wrapped message.
pub(super) fn starts(line: &[u8]) -> bool {
    line.starts_with(b"{\"") || (line.first() == Some(&b'[') && iso(line.past(1)).is_ok())
}

/// Parses a record.
pub(super) fn parse(record: &[u8]) -> Result<AppRecord<'_>, Reject> {
    let (line, trace) = first_line(record);
    if line.starts_with(b"{\"") {
        return json(line);
    }
    let header = finish(line, header(line))?;
    let mut parsed = AppRecord {
        level: Some(Cow::Borrowed(header.level)),
        logger: Some(Cow::Borrowed(header.logger)),
        ..AppRecord::other(header.time)
    };
    if cause::is_failure(header.level) && is_about_mail(header.message, trace) {
        let why = cause::java(trace).unwrap_or_else(|| cause::reason(header.message));
        parsed.body = AppBody::SubmitFailed(mail(Cow::Borrowed(header.message), why));
    }
    Ok(parsed)
}

struct Header<'a> {
    time: Time,
    level: &'a [u8],
    logger: &'a [u8],
    message: &'a [u8],
}

fn header(line: &[u8]) -> Parsed<'_, Header<'_>> {
    let Some(rest) = line.strip_prefix(b"[") else {
        return fail(line, "`[` before the timestamp, or a JSON object");
    };
    let (rest, stamp) = iso(rest)?;
    let Some(rest) = rest.strip_prefix(b"] [") else {
        return fail(rest, "`] [` before the thread");
    };
    // A thread's name holds the request, brackets and all: it ends where a level follows.
    let Some(end) = memmem::find_iter(rest, b"] ").find(|at| is_level(rest.past(at + 2))) else {
        return fail(rest, "`] ` and a level after the thread");
    };
    let (rest, level) = word(rest.past(end + 2))?;
    let (rest, logger) = word(rest.trim_ascii_start())?;
    let Some(colon) = memmem::find(rest, b": ") else {
        return fail(rest, "`: ` before the message");
    };
    let message = rest.past(colon + 2);
    Ok((
        &[],
        Header {
            time: Time::Full(stamp),
            level,
            logger,
            message,
        },
    ))
}

#[inline]
fn is_level(text: &[u8]) -> bool {
    [&b"ERROR "[..], b"WARN ", b"INFO ", b"DEBUG ", b"TRACE ", b"FATAL "]
        .iter()
        .any(|level| text.starts_with(level))
}

/// How messages begin that report a mail that was not sent.
const MESSAGES: [&[u8]; 9] = [
    b"Cannot email ",
    b"Cannot send email",
    b"Cannot send e-mail",
    b"Cannot send outgoing email",
    b"Could not send email",
    b"Unable to send email",
    b"Unable to email",
    b"Failed to send email",
    b"Error sending email",
];

fn is_about_mail(message: &[u8], trace: &[u8]) -> bool {
    MESSAGES.iter().any(|words| message.starts_with(words)) || memmem::find(trace, b"EmailException").is_some()
}

/// What message and cause name: `Server H rejected recipient A: …`, `Cannot send email to A`.
fn mail<'a>(message: Text<'a>, why: Text<'a>) -> Mail<'a> {
    let mut mail = Mail::default();
    if let Some(words) = why.strip_prefix(b"Server ")
        && let Some(end) = memmem::find(words, b" rejected ")
    {
        let what = words.past(end + 10);
        mail.relay = Some(Cow::Owned(words.until(end).to_vec()));
        let kept = |text: &[u8]| address(text).map(|text| Cow::Owned(text.to_vec()));
        if what.starts_with(b"recipient ") {
            mail.recipient = kept(what);
        } else if what.starts_with(b"from address ") {
            mail.sender = kept(what);
        }
    }
    if mail.recipient.is_none() && message.starts_with(b"Cannot send email to ") {
        mail.recipient = address(&message).map(|text| Cow::Owned(text.to_vec()));
    }
    mail.reason = spaced_code(why);
    mail
}

/// `SMTP server rejected connection: 554: 554 text` → `554 text`, as a reply is written.
fn spaced_code(why: Text<'_>) -> Text<'_> {
    let reply = why
        .strip_prefix(b"SMTP server rejected connection: ")
        .and_then(|reply| {
            let (code, rest) = reply.split_at_checked(3)?;
            let text = rest.strip_prefix(b": ")?;
            let text = text.strip_prefix(code).unwrap_or(text).trim_ascii_start();
            code.iter().all(u8::is_ascii_digit).then(|| [code, b" ", text].concat())
        });
    reply.map_or(why, Cow::Owned)
}

static PATHS: LazyLock<Paths> = LazyLock::new(|| {
    Paths::of(&[
        "@timestamp",
        "source_host",
        "message",
        "level",
        "logger_name",
        "exception.exception_class",
        "exception.exception_message",
        "exception.stacktrace",
    ])
});

fn json(line: &[u8]) -> Result<AppRecord<'_>, Reject> {
    let mut odd = None;
    let mut values = PATHS.read(line, &mut odd)?;
    let time = time_field(line, take_value(&mut values, 0))?;
    let mut parsed = AppRecord {
        host: take(&mut values, 1),
        level: take(&mut values, 3),
        logger: take(&mut values, 4),
        odd,
        ..AppRecord::other(time)
    };
    let message = take(&mut values, 2).unwrap_or_default();
    let class = take(&mut values, 5).unwrap_or_default();
    let text = take(&mut values, 6).unwrap_or_default();
    let trace = take(&mut values, 7).unwrap_or_default();
    let failed = parsed.level.as_deref().is_some_and(cause::is_failure);
    if failed && (is_about_mail(&message, &trace) || class.ends_with(b"EmailException")) {
        let root = memmem::find(&trace, b"Caused by: ").and_then(|_| cause::java(&trace));
        let why = match root {
            Some(root) => Cow::Owned(root.into_owned()),
            None if !text.is_empty() => text,
            None if !class.is_empty() => class,
            None => message.clone(),
        };
        parsed.body = AppBody::SubmitFailed(mail(message, why));
    }
    parsed.dated(line)
}
