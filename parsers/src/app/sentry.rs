//! Sentry: the human format (time of day only), celery's worker lines (dated), and the machine format (JSON).
//!
//! ```text
//! record = [date " "] HH:MM:SS " [" LEVEL "] " logger ": " message [" (" key "=" repr {" " key "=" repr} ")"] {"\n" trace}
//!        | "[" timestamp ": " LEVEL "/" process "] " message {"\n" trace}
//!        | JSON object
//! ```
//!
//! `mail.sent` comes after the SMTP call: a true success. `mail.queued` is none yet. The key is the Message-ID where it
//! is logged, else the celery task's ID, which its retries keep.

use super::cause::{self, bare_id, first_line};
use super::document::{Paths, take};
use super::json::time_field;
use super::record::{AppBody, AppRecord, Mail, Text};
use super::time::{Time, iso, time_of_day};
use crate::Reject;
use crate::cut::Cut;
use crate::prim::{Parsed, fail, word};
use crate::reject::finish;
use memchr::{memchr, memchr2, memmem};
use std::borrow::Cow;
use std::sync::LazyLock;

/// Letters of an exception's name at most.
const NAME_MAX: usize = 40;

/// A time of day, a date (bracketed or not), or a JSON object.
pub(super) fn starts(line: &[u8]) -> bool {
    match line.first() {
        Some(b'{') => line.starts_with(b"{\""),
        Some(b'[') => iso(line.past(1)).is_ok(),
        Some(b'0'..=b'2') => time_of_day(line).is_ok_and(|(rest, _)| rest.starts_with(b" [")) || iso(line).is_ok(),
        _ => false,
    }
}

/// Parses a record.
pub(super) fn parse(record: &[u8]) -> Result<AppRecord<'_>, Reject> {
    let (line, trace) = first_line(record);
    if line.starts_with(b"{\"") {
        return json(line);
    }
    let header = finish(line, header(line))?;
    Ok(AppRecord {
        level: Some(Cow::Borrowed(header.level)),
        logger: header.logger.map(Cow::Borrowed),
        body: body(header.level, header.logger.unwrap_or_default(), header.message, trace),
        ..AppRecord::other(header.time)
    })
}

struct Header<'a> {
    time: Time,
    level: &'a [u8],
    logger: Option<&'a [u8]>,
    message: &'a [u8],
}

fn header(line: &[u8]) -> Parsed<'_, Header<'_>> {
    if let Some(celery) = line.strip_prefix(b"[") {
        let (rest, stamp) = iso(celery)?;
        let Some(rest) = rest.strip_prefix(b": ") else {
            return fail(rest, "`: ` and a level after the timestamp");
        };
        let Some(close) = memchr(b']', rest) else {
            return fail(rest, "`]` after level and process");
        };
        let level = rest.until(memchr2(b'/', b']', rest).unwrap_or(close));
        let header = Header {
            time: Time::Full(stamp),
            level,
            logger: None,
            message: rest.past(close + 1).trim_ascii_start(),
        };
        return Ok((&[], header));
    }
    let (rest, time) = match iso(line) {
        Ok((rest, stamp)) => (rest, Time::Full(stamp)),
        Err(_) => time_of_day(line).map(|(rest, time)| (rest, Time::TimeOfDay(time)))?,
    };
    let Some(rest) = rest.strip_prefix(b" [") else {
        return fail(rest, "` [` before the level");
    };
    let Some(close) = memchr(b']', rest) else {
        return fail(rest, "`]` after the level");
    };
    let level = rest.until(close);
    let (rest, logger) = word(rest.past(close + 1).trim_ascii_start())?;
    let Some(logger) = logger.strip_suffix(b":") else {
        return fail(rest, "`: ` after the logger");
    };
    Ok((
        &[],
        Header {
            time,
            level,
            logger: Some(logger),
            message: rest.trim_ascii_start(),
        },
    ))
}

/// What level, logger, message and the lines under it say about mail.
fn body<'a>(level: &[u8], logger: &[u8], message: &'a [u8], trace: &'a [u8]) -> AppBody<'a> {
    let id = || keyed(message, b"message_id=").map(|id| bare_id(Cow::Borrowed(id)));
    if logger == b"sentry.mail" && message.starts_with(b"mail.sent") {
        return AppBody::Submitted(Mail {
            key: id(),
            message_id: id(),
            ..Mail::default()
        });
    }
    let task = task(message);
    let retries = task
        .as_ref()
        .is_some_and(|task| task.is_mail && task.tail.starts_with(b" retry"));
    let failed = retries || (cause::is_failure(level) && is_about_mail(logger, message, task.as_ref(), trace));
    if !failed {
        return AppBody::Other;
    }
    let message_id = id();
    AppBody::SubmitFailed(Mail {
        key: message_id
            .clone()
            .or_else(|| task.as_ref().map(|task| Cow::Borrowed(task.id))),
        message_id,
        will_retry: retries,
        recipient: keyed(message, b"message_to=")
            .and_then(cause::address)
            .map(Cow::Borrowed),
        ..Mail::failed(why(message, task.as_ref(), trace))
    })
}

/// `Task sentry.tasks.email.send_email[5b0…] raised unexpected: …`.
struct Task<'a> {
    is_mail: bool,
    id: &'a [u8],
    tail: &'a [u8],
}

fn task(message: &[u8]) -> Option<Task<'_>> {
    let rest = message.strip_prefix(b"Task ")?;
    let open = memchr(b'[', rest)?;
    let close = memchr(b']', rest.past(open))? + open;
    let name = rest.until(open);
    Some(Task {
        is_mail: name.starts_with(b"sentry.tasks.email.") && !name.ends_with(b"process_inbound_email"),
        id: rest.until(close).past(open + 1),
        tail: rest.past(close + 1),
    })
}

fn is_about_mail(logger: &[u8], message: &[u8], task: Option<&Task<'_>>, trace: &[u8]) -> bool {
    task.is_some_and(|task| task.is_mail)
        || logger.starts_with(b"sentry.mail")
        || logger.starts_with(b"sentry.plugins.mail")
        || memmem::find(message, b"'MailPlugin'").is_some()
        || memmem::find(message, b"smtplib.").is_some()
        || is_smtp_exception(message)
        || memmem::find(trace, b"smtplib.SMTP").is_some()
}

/// `SMTPServerDisconnected(…`, an exception of smtplib by its name alone.
fn is_smtp_exception(text: &[u8]) -> bool {
    memmem::find_iter(text, b"SMTP").any(|at| {
        let rest = text.past(at + 4);
        let name = rest
            .iter()
            .take(NAME_MAX)
            .take_while(|byte| byte.is_ascii_alphabetic())
            .count();
        name > 0 && rest.get(name) == Some(&b'(')
    })
}

/// The exception that the message names, else the trace's, else the message.
fn why<'a>(message: &'a [u8], task: Option<&Task<'a>>, trace: &'a [u8]) -> Text<'a> {
    let message = message.until(memmem::find(message, b" (data={").unwrap_or(message.len()));
    let after = match task {
        Some(task) => memmem::find(task.tail, b": ").map(|at| task.tail.past(at + 2)),
        None => memmem::find(message, b"': ").map(|at| message.past(at + 3)),
    };
    match after.map(|text| text.until(memmem::find(text, b" (data={").unwrap_or(text.len()))) {
        Some(text) => cause::reason(text),
        None => cause::python(trace).unwrap_or_else(|| cause::reason(message)),
    }
}

/// The value of `key=` as Python prints it: `'text'`, `u'text'`, or a bare word.
fn keyed<'a>(message: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let value = message.past(memmem::find(message, key)? + key.len());
    let value = value
        .strip_prefix(b"u")
        .filter(|rest| matches!(rest.first(), Some(b'\'' | b'"')))
        .unwrap_or(value);
    match value {
        [quote @ (b'\'' | b'"'), text @ ..] => memchr(*quote, text).map(|end| text.until(end)),
        _ => Some(value.until(memchr2(b' ', b')', value).unwrap_or(value.len()))),
    }
    .filter(|text| !text.is_empty())
}

static PATHS: LazyLock<Paths> = LazyLock::new(|| {
    Paths::of(&[
        "timestamp",
        "@timestamp",
        "time",
        "event",
        "message",
        "msg",
        "level",
        "logger",
        "name",
        "message_id",
        "message_to",
        "exception",
        "exc_info",
        "host",
        "hostname",
    ])
});

fn json(line: &[u8]) -> Result<AppRecord<'_>, Reject> {
    let mut odd = None;
    let mut values = PATHS.read(line, &mut odd)?;
    let time = time_field(line, values.iter_mut().take(3).find_map(Option::take))?;
    let mut first = |slots: std::ops::Range<usize>| slots.into_iter().find_map(|slot| take(&mut values, slot));
    let message = first(3..6).unwrap_or_default();
    let level = first(6..7).map(level_name);
    let logger = first(7..9);
    let (id, to, trace, host) = (first(9..10).map(bare_id), first(10..11), first(11..13), first(13..15));
    let body = body(
        level.as_deref().unwrap_or_default(),
        logger.as_deref().unwrap_or_default(),
        &message,
        trace.as_deref().unwrap_or_default(),
    );
    // Message and trace may be decoded copies, which end here: what is said of the mail must not point into them.
    let with_fields = |mail: Mail<'_>| {
        let mut mail = mail.into_owned();
        mail.message_id = mail
            .message_id
            .or_else(|| id.clone().map(|id| Cow::Owned(id.into_owned())));
        mail.key = mail.message_id.clone().or(mail.key);
        mail.recipient = to
            .as_deref()
            .and_then(|to| Some(Cow::Owned(cause::address(to)?.to_vec())))
            .or(mail.recipient);
        mail
    };
    let body = match body {
        AppBody::Submitted(mail) => AppBody::Submitted(with_fields(mail)),
        AppBody::SubmitFailed(mail) => AppBody::SubmitFailed(with_fields(mail)),
        AppBody::Other => AppBody::Other,
    };
    Ok(AppRecord {
        host,
        level,
        logger,
        odd,
        body,
        ..AppRecord::other(time)
    })
}

/// Python's level numbers by name.
fn level_name(level: Text<'_>) -> Text<'_> {
    let name: &[u8] = match &*level {
        b"10" => b"DEBUG",
        b"20" => b"INFO",
        b"30" => b"WARNING",
        b"40" => b"ERROR",
        b"50" => b"CRITICAL",
        _ => return level,
    };
    Cow::Borrowed(name)
}
