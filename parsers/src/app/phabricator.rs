//! Phabricator's `daemons.log`.
//!
//! ```text
//! record   = ["[" php-date " " zone "] "] (dated | overseer) {"\n" ["[" php-date "] "] (versions | "  #" frame)}
//! dated    = "[" timestamp "] " text
//! overseer = timestamp-of-12-hours " [" TYPE "] " text
//! text     = … "EXCEPTION: " {"(" class ") " message " {>} "} "(" class ") " message " at [" place "]"
//! ```
//!
//! PHP puts its own date before every line, stack frames too: those belong to the exception above them. A failed mail
//! is not lost, the task is tried again; its ID is the mail's identity, because lines grow with the retries. A
//! permanent failure ends the retries. Nothing is logged when a mail is sent.

use super::cause::{self, first_line};
use super::phpmailer;
use super::record::{AppBody, AppRecord, Mail};
use super::time::{Time, day_first, iso, twelve_hours};
use crate::Reject;
use crate::cut::Cut;
use crate::prim::{Parsed, fail};
use crate::reject::finish;
use memchr::{memchr, memmem};
use std::borrow::Cow;

/// A dated line that is neither a stack frame nor the libraries' versions, which stand above the frames.
pub(super) fn starts(line: &[u8]) -> bool {
    header(line).is_ok_and(|(_, header)| {
        let text = header.text.trim_ascii_start();
        !text.starts_with(b"#") && !is_versions(text)
    })
}

/// `arcanist(head=stable, ref.stable=2f1e), phabricator(head=…)`.
fn is_versions(text: &[u8]) -> bool {
    let name = text
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-')
        .count();
    name > 0 && (text.past(name).starts_with(b"(head=") || text.past(name).starts_with(b"(ref."))
}

/// Parses a record.
pub(super) fn parse(record: &[u8]) -> Result<AppRecord<'_>, Reject> {
    let (line, trace) = first_line(record);
    let header = finish(line, header(line))?;
    let mut parsed = AppRecord {
        level: header.kind.map(Cow::Borrowed),
        ..AppRecord::other(header.time)
    };
    // A daemon's standard error goes through its overseer, with the exception's own dates before it.
    let text = header.text;
    let exception = memmem::find(text, b"EXCEPTION: ").map(|at| text.past(at + 11));
    if exception.is_some() {
        parsed.level = Some(Cow::Borrowed(b"EXCEPTION"));
    }
    if let Some(mail) = failure(exception.unwrap_or(text), exception.is_some(), trace) {
        parsed.body = AppBody::SubmitFailed(mail);
    }
    Ok(parsed)
}

struct Header<'a> {
    time: Time,
    kind: Option<&'a [u8]>,
    text: &'a [u8],
}

fn header(line: &[u8]) -> Parsed<'_, Header<'_>> {
    let (rest, time) = match line {
        [b'[', date @ ..] => {
            let (rest, time) = match day_first(date, b'-') {
                Ok((rest, stamp)) => (rest, stamp),
                Err(_) => iso(date)?,
            };
            let Some(close) = memchr(b']', rest) else {
                return fail(rest, "`]` after the timestamp");
            };
            let mut stamp = time;
            if matches!(rest.until(close).trim_ascii(), b"UTC" | b"GMT" | b"Z") {
                stamp.offset_seconds = Some(0);
            }
            (rest.past(close + 1), stamp)
        }
        _ => twelve_hours(line)?,
    };
    let mut header = Header {
        time: Time::Full(time),
        kind: None,
        text: rest.strip_prefix(b" ").unwrap_or(rest),
    };
    // The daemon's own date behind PHP's says the same second in an unknown zone.
    if let Some(own) = header.text.strip_prefix(b"[") {
        if let Ok((after, _)) = iso(own)
            && let Some(text) = after.strip_prefix(b"] ")
        {
            header.text = text;
        } else if let Some(close) = memchr(b']', own).filter(|at| own.until(*at).iter().all(u8::is_ascii_uppercase)) {
            header.kind = Some(own.until(close));
            header.text = own.past(close + 1).trim_ascii_start();
        }
    }
    Ok((&[], header))
}

/// The mail that this text reports as failed.
fn failure<'a>(text: &'a [u8], is_exception: bool, trace: &[u8]) -> Option<Mail<'a>> {
    let permanent = [&b"ermanent failure"[..], b"failed permanently"]
        .iter()
        .any(|words| memmem::find(text, words).is_some());
    if !is_exception && !permanent {
        return None;
    }
    let key = task_id(text);
    let about_mail = is_about_mail(text) || is_about_mail(trace);
    // A bare `Task "N" encountered a permanent failure` does not say what the task was for.
    let unsaid = permanent && !is_exception && key.is_some() && !says_class(text, trace);
    if !about_mail && !unsaid {
        return None;
    }
    Some(Mail {
        key: key.map(Cow::Borrowed),
        will_retry: !permanent,
        needs_known_key: !about_mail,
        ..phpmailer::failed(innermost(text))
    })
}

/// The digits of `Task ID 7654321` or `Task "7654321"`.
fn task_id(text: &[u8]) -> Option<&[u8]> {
    let digits = |words: &[u8]| {
        memmem::find_iter(text, words).find_map(|at| {
            let rest = text.past(at + words.len());
            let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            (length > 0).then(|| rest.until(length))
        })
    };
    digits(b"Task ID ").or_else(|| digits(b"Task \""))
}

/// PHPMailer or one of Phabricator's mail classes, in the chain of exceptions or in a stack frame.
fn is_about_mail(text: &[u8]) -> bool {
    const CLASSES: [&[u8]; 4] = [b"etaMTA", b"ailImplementation", b"ailAdapter", b"ailSMTPAdapter"];
    // Most texts name none of them, and each search goes through all of a text.
    memmem::find_iter(text, b"PhabricatorM").any(|at| {
        let name = text.past(at + b"PhabricatorM".len());
        CLASSES.iter().any(|class| name.starts_with(class))
    }) || memmem::find(text, b"PHPMailer").is_some()
        || memmem::find(text, b"phpmailerException").is_some()
        || phpmailer::is_own(text)
}

/// Whether a chain of exceptions or a stack shows what failed.
fn says_class(text: &[u8], trace: &[u8]) -> bool {
    memmem::find(text, b"{>}").is_some() || memmem::find(trace, b"#0").is_some()
}

/// The message of the last exception in the chain, without its class and place.
fn innermost(text: &[u8]) -> &[u8] {
    let last = match memmem::rfind(text, b"{>} ") {
        Some(at) => text.past(at + 4),
        None => text,
    };
    let last = match memmem::rfind(last, b" at [") {
        Some(place) => last.until(place),
        None => last,
    };
    match last {
        [b'(', rest @ ..] => memmem::find(rest, b") ").map_or(last, |close| rest.past(close + 2)),
        _ => cause::trim_end(last),
    }
}
