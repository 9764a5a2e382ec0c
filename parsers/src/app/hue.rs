//! Hue: `[%(asctime)s] %(module)-12s %(levelname)-8s %(message)s`.
//!
//! ```text
//! record = "[" dd "/" Mmm "/" YYYY " " HH:MM:SS [" " zone] "] " module " " level " " message {"\n" trace}
//! ```
//!
//! Hue writes the same record into the file of its process and into `error.log`, byte for byte: the caller counts
//! records of one host that are equal in time and text once.

use super::cause::{self, first_line};
use super::record::{AppBody, AppRecord, Mail};
use super::time::{Time, day_first, spaced_offset};
use crate::Reject;
use crate::cut::Cut;
use crate::prim::{Parsed, fail, word};
use crate::reject::finish;
use memchr::memmem;
use std::borrow::Cow;

/// `[06/Jun/2018 19:02:11`.
pub(super) fn starts(line: &[u8]) -> bool {
    line.first() == Some(&b'[') && day_first(line.past(1), b'/').is_ok()
}

/// Parses a record.
pub(super) fn parse(record: &[u8]) -> Result<AppRecord<'_>, Reject> {
    let (line, trace) = first_line(record);
    let (time, module, level, message) = finish(line, header(line))?;
    let mut parsed = AppRecord {
        level: Some(Cow::Borrowed(level)),
        logger: Some(Cow::Borrowed(module)),
        ..AppRecord::other(time)
    };
    if cause::is_failure(level) && is_about_mail(message, trace) {
        parsed.body = AppBody::SubmitFailed(mail(message, trace));
    }
    Ok(parsed)
}

type Header<'a> = (Time, &'a [u8], &'a [u8], &'a [u8]);

fn header(line: &[u8]) -> Parsed<'_, Header<'_>> {
    let Some(rest) = line.strip_prefix(b"[") else {
        return fail(line, "`[` before the timestamp");
    };
    let (rest, mut stamp) = day_first(rest, b'/')?;
    let (rest, offset) = spaced_offset(rest);
    stamp.offset_seconds = offset;
    let Some(rest) = rest.strip_prefix(b"] ") else {
        return fail(rest, "`] ` after the timestamp");
    };
    let (rest, module) = word(rest)?;
    let (rest, level) = word(rest.trim_ascii_start())?;
    if level.is_empty() || !level.iter().all(u8::is_ascii_uppercase) {
        return fail(rest, "a level after the module");
    }
    Ok((&[], (Time::Full(stamp), module, level, rest.trim_ascii_start())))
}

/// A message that says that mail was not sent, or an exception of smtplib under a record.
fn is_about_mail(message: &[u8], trace: &[u8]) -> bool {
    let failed = [
        &b"ailed to send"[..],
        b"ould not send",
        b"nable to send",
        b"rror sending",
        b"annot send",
    ]
    .iter()
    .find_map(|words| memmem::find(message, words));
    let mail = failed.is_some_and(|at| {
        let after = message.past(at);
        [&b"mail"[..], b"Mail"]
            .iter()
            .any(|words| memmem::find(after, words).is_some())
    });
    mail || memmem::find(trace, b"\nsmtplib.").is_some() || trace.starts_with(b"smtplib.")
}

/// `… via e-mail: [Errno 111] Connection refused`: the cause follows the colon, or is the trace's exception.
fn mail<'a>(message: &'a [u8], trace: &'a [u8]) -> Mail<'a> {
    let said = memmem::find(message, b"mail").and_then(|mail| {
        let colon = memmem::find(message.past(mail), b": ")?;
        Some(cause::reason(message.past(mail + colon + 2)))
    });
    let mut mail = Mail::failed(
        said.or_else(|| cause::python(trace))
            .unwrap_or_else(|| cause::reason(message)),
    );
    mail.recipient = cause::address(message).map(Cow::Borrowed);
    mail
}
