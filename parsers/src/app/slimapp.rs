//! Slim applications (IEG grant review, Wikimania scholarships): Monolog's logstash V1 JSON, one object a line.
//!
//! PHPMailer's text overwrites the message of the call that failed, so that only `method` says that it was about mail:
//! the class before `::` ends in `Mailer`. The channel does not matter. Nothing is logged when a mail is sent.

use super::cause;
use super::document::{Paths, take, take_value};
use super::json::time_field;
use super::phpmailer;
use super::record::{AppBody, AppRecord, Mail, Text};
use crate::Reject;
use crate::cut::Cut;
use memchr::memmem;
use std::borrow::Cow;
use std::sync::LazyLock;

static PATHS: LazyLock<Paths> =
    LazyLock::new(|| Paths::of(&["@timestamp", "host", "message", "level", "channel", "method"]));

/// Every line is a record: what is no JSON object is a reject of its own.
pub(super) fn starts(line: &[u8]) -> bool {
    !line.trim_ascii().is_empty()
}

/// Parses a record.
pub(super) fn parse(record: &[u8]) -> Result<AppRecord<'_>, Reject> {
    let mut odd = None;
    let mut values = PATHS.read(record, &mut odd)?;
    let time = time_field(record, take_value(&mut values, 0))?;
    let mut parsed = AppRecord {
        host: take(&mut values, 1),
        level: take(&mut values, 3),
        logger: take(&mut values, 4),
        odd,
        ..AppRecord::other(time)
    };
    let method = take(&mut values, 5);
    if method.is_some_and(|method| is_mailer(&method)) && parsed.level.as_deref().is_some_and(cause::is_failure) {
        parsed.body = AppBody::SubmitFailed(mail(take(&mut values, 2).unwrap_or_default()));
    }
    parsed.dated(record)
}

/// `Wikimedia\Slimapp\Mailer::mail`.
fn is_mailer(method: &[u8]) -> bool {
    memmem::find(method, b"::").is_some_and(|at| method.until(at).ends_with(b"Mailer"))
}

fn mail(message: Text<'_>) -> Mail<'_> {
    match message {
        Cow::Borrowed(text) => phpmailer::failed(text),
        Cow::Owned(text) => phpmailer::failed(&text).into_owned(),
    }
}
