//! JSON logs of any application, by a field mapping that the configuration gives: one object a line.
//!
//! ```
//! use mailpulse_parsers::app::json::{Condition, JsonDescription, Mapping};
//! use mailpulse_parsers::app::{AppBody, Format};
//!
//! let mapping = Mapping::new(&JsonDescription {
//!     time: Some("time".into()),
//!     reason: Some("error.message".into()),
//!     failed_when: vec![vec![Condition::pattern("error.class", "Net::SMTP*")]],
//!     ..JsonDescription::default()
//! })
//! .unwrap();
//! let line = br#"{"time":"2018-06-06T19:02:11Z","error":{"class":"Net::SMTPServerBusy","message":"450 4.7.1 later"}}"#;
//! let record = Format::from(mapping).parse(line).unwrap();
//! assert!(matches!(record.body, AppBody::SubmitFailed(mail) if mail.reason == &b"450 4.7.1 later"[..]));
//! ```

use super::cause::{self, address, bare_id, count_addresses};
use super::condition::{Check, any_holds, checks};
pub use super::condition::{Condition, Test};
use super::description::BuildError;
use super::document::{Paths, Value, Values, take_value, value_at};
use super::record::{AppBody, AppRecord, Mail, Text};
use super::time::{Time, from_epoch_ms, iso};
use super::time_format::TimeFormat;
use crate::odd::{self, Odd};
use crate::{Found, Reject};
use std::borrow::Cow;

/// Where a mapping finds what. Every field is a path: names joined by dots, as in `context.mail.to`.
#[derive(Debug, Clone, Default)]
pub struct JsonDescription {
    /// The time; without it records are undated.
    pub time: Option<String>,
    /// Its form: `rfc3339`, `epoch` (seconds), `epoch_ms`, or directives of strftime. Default: RFC 3339 for a string,
    /// seconds or milliseconds since 1970, by size, for a number.
    pub time_format: Option<String>,
    /// The level, kept as it is printed (`ERROR`, `40`).
    pub level: Option<String>,
    /// The logger or class.
    pub logger: Option<String>,
    /// The host that wrote.
    pub host: Option<String>,
    /// The message: the reason where `reason` says nothing.
    pub message: Option<String>,
    /// What identifies the mail or its task across retries; without it, the Message-ID does.
    pub key: Option<String>,
    /// The sender: an address, or a text with one in it.
    pub sender: Option<String>,
    /// The recipient: an address, a text with addresses, or a list.
    pub recipient: Option<String>,
    /// The mail server that the application talked to.
    pub relay: Option<String>,
    /// The Message-ID, with or without its angle brackets.
    pub message_id: Option<String>,
    /// Why it failed, to be read by [`classify`](crate::reply::classify).
    pub reason: Option<String>,
    /// A mail was handed in if all conditions of one of these lists hold, and no failure's do.
    pub submitted_when: Vec<Vec<Condition>>,
    /// A mail failed if all conditions of one of these lists hold.
    pub failed_when: Vec<Vec<Condition>>,
    /// Such a failure will be tried again if all conditions of one of these lists hold.
    pub retried_when: Vec<Vec<Condition>>,
}

/// A description that was checked and compiled.
#[derive(Debug, Clone)]
pub struct Mapping {
    paths: Paths,
    slots: Slots,
    time_form: TimeForm,
    failed: Vec<Vec<Check>>,
    submitted: Vec<Vec<Check>>,
    retried: Vec<Vec<Check>>,
}

#[derive(Debug, Clone, Default)]
struct Slots {
    time: Option<usize>,
    level: Option<usize>,
    logger: Option<usize>,
    host: Option<usize>,
    message: Option<usize>,
    key: Option<usize>,
    sender: Option<usize>,
    recipient: Option<usize>,
    relay: Option<usize>,
    message_id: Option<usize>,
    reason: Option<usize>,
}

#[derive(Debug, Clone)]
enum TimeForm {
    ByType,
    Rfc3339,
    Epoch,
    EpochMs,
    Directives(TimeFormat),
}

impl Mapping {
    /// Checks and compiles a description.
    ///
    /// # Errors
    /// A path that is none, a list of conditions that is empty, no condition at all, a form of time that is none.
    pub fn new(description: &JsonDescription) -> Result<Self, BuildError> {
        let mut paths = Paths::new();
        let mut slot = |part: &str, path: &Option<String>| match path {
            None => Ok(None),
            Some(path) => paths
                .add(path)
                .map(Some)
                .map_err(|problem| BuildError::new(part, None, problem)),
        };
        let slots = Slots {
            time: slot("time", &description.time)?,
            level: slot("level", &description.level)?,
            logger: slot("logger", &description.logger)?,
            host: slot("host", &description.host)?,
            message: slot("message", &description.message)?,
            key: slot("key", &description.key)?,
            sender: slot("sender", &description.sender)?,
            recipient: slot("recipient", &description.recipient)?,
            relay: slot("relay", &description.relay)?,
            message_id: slot("message_id", &description.message_id)?,
            reason: slot("reason", &description.reason)?,
        };
        if description.submitted_when.is_empty() && description.failed_when.is_empty() {
            return Err(BuildError::new(
                "failed_when",
                None,
                "no condition selects the records about mail: set `failed_when`, `submitted_when` or both",
            ));
        }
        if slots.time.is_none() && description.time_format.is_some() {
            return Err(BuildError::new(
                "time_format",
                None,
                "a form, but no `time` says which field has it",
            ));
        }
        Ok(Mapping {
            failed: checks("failed_when", &description.failed_when, &mut paths)?,
            submitted: checks("submitted_when", &description.submitted_when, &mut paths)?,
            retried: checks("retried_when", &description.retried_when, &mut paths)?,
            time_form: time_form(description.time_format.as_deref())?,
            paths,
            slots,
        })
    }

    /// How many conditions tell failures, and how many successes: a record's `matched` counts through both.
    #[must_use]
    pub fn conditions(&self) -> (usize, usize) {
        (self.failed.len(), self.submitted.len())
    }

    /// Parses a line.
    pub(super) fn parse<'a>(&self, line: &'a [u8]) -> Result<AppRecord<'a>, Reject> {
        let record = self.parse_undated(line)?;
        match self.slots.time {
            // A log without times: its records have that of the file, or of the lines around them.
            None => Ok(record),
            Some(_) => record.dated(line),
        }
    }

    /// Parses a line, also one about mail that lacks its time's field: for those who look at the mapping.
    ///
    /// # Errors
    /// It is no JSON object, or a time is not of the form.
    pub fn parse_undated<'a>(&self, line: &'a [u8]) -> Result<AppRecord<'a>, Reject> {
        let mut odd = None;
        let mut values = self.paths.read(line, &mut odd)?;
        let verdict = self.verdict(&values);
        let retried = matches!(verdict, Some((false, _))) && any_holds(&self.retried, &values).is_some();
        let mut parsed = AppRecord {
            level: text(&values, self.slots.level),
            logger: text(&values, self.slots.logger),
            host: text(&values, self.slots.host),
            matched: verdict.map(|(_, index)| index),
            ..AppRecord::other(Time::Undated)
        };
        if let Some((submitted, _)) = verdict {
            let mut mail = self.mail(&values);
            self.note_objects(&values, &mut odd);
            if submitted {
                mail.reason = Cow::Borrowed(b"");
                parsed.body = AppBody::Submitted(mail);
            } else {
                mail.will_retry = retried;
                parsed.body = AppBody::SubmitFailed(mail);
            }
        }
        let time = self.slots.time.and_then(|slot| take_value(&mut values, slot));
        parsed.time = read_or_reject(line, &self.time_form, time)?;
        parsed.odd = odd;
        Ok(parsed)
    }

    /// Values of a mail that are objects where text is meant.
    fn note_objects<'a>(&self, values: &Values<'a>, odd: &mut Option<Odd<'a>>) {
        let slots = &self.slots;
        for (name, slot) in [
            ("sender", slots.sender),
            ("recipient", slots.recipient),
            ("relay", slots.relay),
            ("message_id", slots.message_id),
            ("reason", slots.reason),
            ("key", slots.key),
        ] {
            if slot.and_then(|slot| value_at(values, slot)) == Some(&Value::Object) {
                odd::note(odd, name, b"an object");
            }
        }
    }

    /// Whether it is a success, and which condition says so: the failed ones count first.
    fn verdict(&self, values: &Values<'_>) -> Option<(bool, usize)> {
        let failed = any_holds(&self.failed, values).map(|index| (false, index));
        failed.or_else(|| any_holds(&self.submitted, values).map(|index| (true, self.failed.len() + index)))
    }

    fn mail<'a>(&self, values: &Values<'a>) -> Mail<'a> {
        let slots = &self.slots;
        let recipients = match slots.recipient.and_then(|slot| value_at(values, slot)) {
            Some(Value::List(_, length)) => Some(*length),
            Some(Value::Text(text)) => count_addresses(text),
            _ => None,
        };
        let reason = text(values, slots.reason)
            .or_else(|| text(values, slots.message))
            .unwrap_or_default();
        Mail {
            key: text(values, slots.key)
                .or_else(|| text(values, slots.message_id))
                .map(bare_id),
            sender: text(values, slots.sender).map(only_address),
            recipient: text(values, slots.recipient).map(only_address),
            recipients,
            relay: text(values, slots.relay),
            message_id: text(values, slots.message_id).map(bare_id),
            reason: match reason {
                Cow::Borrowed(text) => cause::reason(text),
                Cow::Owned(text) => Cow::Owned(cause::reason(&text).into_owned()),
            },
            ..Mail::default()
        }
    }
}

/// Every line is a record: what is no JSON object is a reject of its own.
pub(super) fn starts(line: &[u8]) -> bool {
    !line.trim_ascii().is_empty()
}

/// The time by its type: RFC 3339 in a string; in a number, seconds since 1970, or milliseconds from 10^11 on.
///
/// # Errors
/// The field is there, and is none.
pub(super) fn time_field(line: &[u8], value: Option<Value<'_>>) -> Result<Time, Reject> {
    read_or_reject(line, &TimeForm::ByType, value)
}

fn read_or_reject(line: &[u8], form: &TimeForm, value: Option<Value<'_>>) -> Result<Time, Reject> {
    match value {
        None | Some(Value::Null) => Ok(Time::Undated),
        Some(value) => read_time(form, &value).ok_or_else(|| not_a_time(line, &value)),
    }
}

/// A reject at the time's place, if it is written as it is meant.
#[cold]
fn not_a_time(line: &[u8], value: &Value<'_>) -> Reject {
    let offset = match value {
        Value::Text(Cow::Borrowed(text)) => (text.as_ptr() as usize).saturating_sub(line.as_ptr() as usize),
        _ => 0,
    };
    let offset = if offset < line.len() { offset } else { 0 };
    Reject {
        offset,
        expected: "a time of the expected form in the time field",
        found: line.get(offset).map_or(Found::End, |byte| Found::Byte(*byte)),
    }
}

fn read_time(form: &TimeForm, value: &Value<'_>) -> Option<Time> {
    /// Seconds beyond this are milliseconds: the year 5138, or March 1973.
    const SECONDS_MAX: f64 = 1e11;
    let number = match value {
        Value::Int(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        Value::Text(text) if !matches!(form, TimeForm::ByType) => std::str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    };
    let ms = match (form, value) {
        (TimeForm::Directives(format), Value::Text(text)) => return format.parse(text),
        (TimeForm::ByType | TimeForm::Rfc3339, Value::Text(text)) => {
            return iso(text)
                .ok()
                .filter(|(rest, _)| rest.is_empty())
                .map(|(_, stamp)| Time::Full(stamp));
        }
        (TimeForm::ByType, _) => number.map(|n| if n.abs() < SECONDS_MAX { n * 1000.0 } else { n })?,
        (TimeForm::Epoch, _) => number? * 1000.0,
        (TimeForm::EpochMs, _) => number?,
        (TimeForm::Rfc3339 | TimeForm::Directives(_), _) => return None,
    };
    // A cast saturates, and what saturates is out of range.
    from_epoch_ms(ms.round() as i64).map(Time::Full)
}

fn time_form(text: Option<&str>) -> Result<TimeForm, BuildError> {
    Ok(match text {
        None => TimeForm::ByType,
        Some("rfc3339") => TimeForm::Rfc3339,
        Some("epoch") => TimeForm::Epoch,
        Some("epoch_ms") => TimeForm::EpochMs,
        Some(text) if !text.contains('%') => {
            let problem = format!(
                "`{text}` is not a time format: use rfc3339, epoch, epoch_ms, or directives as in `%Y-%m-%d %H:%M:%S`"
            );
            return Err(BuildError::new("time_format", None, problem));
        }
        Some(text) => TimeForm::Directives(
            TimeFormat::new(text).map_err(|(at, problem)| BuildError::new("time_format", Some(at + 1), problem))?,
        ),
    })
}

/// A copy of what a slot says; borrowed text stays borrowed.
fn text<'a>(values: &Values<'a>, slot: Option<usize>) -> Option<Text<'a>> {
    value_at(values, slot?)?
        .clone()
        .into_text()
        .filter(|text| !text.is_empty())
}

/// `Ann <ann@example.org>` → `ann@example.org`; what has no address stays.
fn only_address(text: Text<'_>) -> Text<'_> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(address(text).unwrap_or(text)),
        Cow::Owned(text) => Cow::Owned(address(&text).map(<[u8]>::to_vec).unwrap_or(text)),
    }
}

#[cfg(test)]
mod tests;
