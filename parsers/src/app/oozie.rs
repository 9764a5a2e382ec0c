//! Oozie: `%d{ISO8601} %5p %c{1}:%L - %m%n`.
//!
//! ```text
//! record = timestamp " " level " " class ":" line " - " {name "[" value "] "} message {"\n" trace}
//! ```
//!
//! A mail that failed has one of the e-mail action's codes, EM001 to EM007, and the ID of its action: the retries of
//! one action are one mail. What works is not logged as mail.

use super::cause::{self, first_line};
use super::record::{AppBody, AppRecord, Mail, Text};
use super::time::{Time, iso};
use crate::Reject;
use crate::cut::Cut;
use crate::prim::{Parsed, fail, word};
use crate::reject::finish;
use memchr::{memchr, memmem};
use std::borrow::Cow;

/// A dated line.
pub(super) fn starts(line: &[u8]) -> bool {
    iso(line).is_ok()
}

/// Parses a record.
pub(super) fn parse(record: &[u8]) -> Result<AppRecord<'_>, Reject> {
    let (line, trace) = first_line(record);
    let (time, level, class, message) = finish(line, header(line))?;
    let mut parsed = AppRecord {
        level: Some(Cow::Borrowed(level)),
        logger: Some(Cow::Borrowed(class)),
        ..AppRecord::other(time)
    };
    if cause::is_failure(level) && (has_code(message) || has_code(trace)) {
        parsed.body = AppBody::SubmitFailed(Mail {
            key: bracketed(message, b" ACTION[")
                .filter(|action| *action != b"-")
                .map(Cow::Borrowed),
            ..Mail::failed(why(message, trace))
        });
    }
    Ok(parsed)
}

type Header<'a> = (Time, &'a [u8], &'a [u8], &'a [u8]);

fn header(line: &[u8]) -> Parsed<'_, Header<'_>> {
    let (rest, stamp) = iso(line)?;
    if !rest.starts_with(b" ") {
        return fail(rest, "a space after the timestamp");
    }
    let (rest, level) = word(rest.trim_ascii_start())?;
    if level.is_empty() || !level.iter().all(u8::is_ascii_uppercase) {
        return fail(rest, "a level after the timestamp");
    }
    let Some(dash) = memmem::find(rest, b" - ") else {
        return fail(rest, "` - ` before the message");
    };
    let class = rest.until(dash).trim_ascii();
    let class = class.until(memchr(b':', class).unwrap_or(class.len()));
    Ok((&[], (Time::Full(stamp), level, class, rest.past(dash + 3))))
}

/// `[EM007]` or `EM007: `, 1 to 7.
fn has_code(text: &[u8]) -> bool {
    memmem::find_iter(text, b"EM00").any(|at| matches!(text.past(at + 4), [b'1'..=b'7', b']' | b':', ..]))
}

/// The inside of the bracket that `opening` opens.
fn bracketed<'a>(text: &'a [u8], opening: &[u8]) -> Option<&'a [u8]> {
    let at = memmem::find(text, opening)? + opening.len();
    let end = memchr(b']', text.past(at))?;
    (end > 0).then(|| text.until(at + end).past(at))
}

/// The root cause of the trace if it says more than the code; else the code and its message.
fn why<'a>(message: &'a [u8], trace: &'a [u8]) -> Text<'a> {
    if memmem::find(trace, b"Caused by: ").is_some()
        && let Some(root) = cause::java(trace)
    {
        return root;
    }
    match memmem::find(message, b"Message [EM0") {
        Some(at) => {
            let text = message.past(at + 9);
            cause::reason(text.strip_suffix(b"]").unwrap_or(text))
        }
        None => cause::java(trace).unwrap_or_else(|| {
            let at = memmem::find(message, b"EM00").unwrap_or(0);
            cause::reason(message.past(at))
        }),
    }
}
