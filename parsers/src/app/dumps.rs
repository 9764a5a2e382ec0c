//! The log of a dumps host, where a failed mail is an undated `print` and the message itself.
//!
//! ```text
//! record = dated-line {undated-line} | "MAIL SEND FAILED! …" "\n" MIME-message
//! ```
//!
//! The marker has no time: it is the time of the dated record before or after it, or the file's. The message ends at
//! the next dated line or the next marker.

use super::cause::{address, count_addresses, first_line, trim_end};
use super::record::{AppBody, AppRecord, Mail};
use super::time::{Time, iso};
use crate::Reject;
use crate::cut::Cut;
use std::borrow::Cow;

const MARKER: &[u8] = b"MAIL SEND FAILED!";

/// Header lines of a message that are looked at.
const HEADERS_MAX: usize = 200;

/// A dated line or the marker.
pub(super) fn starts(line: &[u8]) -> bool {
    line.starts_with(MARKER) || iso(line).is_ok()
}

/// Parses a record.
pub(super) fn parse(record: &[u8]) -> Result<AppRecord<'_>, Reject> {
    let (line, rest) = first_line(record);
    if line.starts_with(MARKER) {
        let body = AppBody::SubmitFailed(mail(line, rest));
        return Ok(AppRecord {
            body,
            ..AppRecord::other(Time::Undated)
        });
    }
    // Undated talk of other scripts in the same log is understood as just that.
    Ok(AppRecord::other(
        iso(line).map_or(Time::Undated, |(_, stamp)| Time::Full(stamp)),
    ))
}

/// Sender, recipients and Message-ID out of the headers.
fn mail<'a>(marker: &'a [u8], message: &'a [u8]) -> Mail<'a> {
    let mut mail = Mail::failed(marker);
    let mut rest = message;
    for _ in 0..HEADERS_MAX {
        let (header, after) = unfolded(rest);
        if header.is_empty() {
            break;
        }
        rest = after;
        let Some(colon) = memchr::memchr(b':', header) else {
            continue;
        };
        let (name, value) = (header.until(colon), header.past(colon + 1));
        if name.eq_ignore_ascii_case(b"to") {
            mail.recipient = address(value).map(Cow::Borrowed);
            mail.recipients = count_addresses(value);
        } else if name.eq_ignore_ascii_case(b"from") {
            mail.sender = address(value).map(Cow::Borrowed);
        } else if name.eq_ignore_ascii_case(b"message-id") {
            mail.message_id = Some(super::cause::bare_id(Cow::Borrowed(value.trim_ascii())));
        }
    }
    mail
}

/// A header with its folded lines, and what follows; empty at the blank line that ends the headers.
fn unfolded(text: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr::memchr_iter(b'\n', text)
        .find(|at| !matches!(text.get(at + 1), Some(b' ' | b'\t')))
        .unwrap_or(text.len());
    (trim_end(text.until(end)), text.get(end + 1..).unwrap_or_default())
}
