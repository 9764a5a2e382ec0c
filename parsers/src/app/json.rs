//! JSON logs of any application, by a field mapping that the configuration gives: one object a line.
//!
//! ```
//! use mailpulse_parsers::app::json::{Condition, Description, Mapping};
//! use mailpulse_parsers::app::{Body, Format};
//!
//! let mapping = Mapping::new(&Description {
//!     time: Some("time".into()),
//!     reason: Some("error.message".into()),
//!     failed_when: vec![vec![Condition::pattern("error.class", "Net::SMTP*")]],
//!     ..Description::default()
//! })
//! .unwrap();
//! let line = br#"{"time":"2018-06-06T19:02:11Z","error":{"class":"Net::SMTPServerBusy","message":"450 4.7.1 later"}}"#;
//! let record = Format::from(mapping).parse(line).unwrap();
//! assert!(matches!(record.body, Body::SubmitFailed(mail) if mail.reason == &b"450 4.7.1 later"[..]));
//! ```

use super::cause::{self, address, bare_id, count_addresses};
use super::description::BuildError;
use super::document::{Paths, Value, Values};
use super::record::{Body, Mail, Record, Text};
use super::time::{Time, from_epoch_ms, iso};
use super::time_format::TimeFormat;
use crate::{Found, Reject};
use regex::bytes::{Regex, RegexBuilder};
use std::borrow::Cow;

/// Where a mapping finds what. Every field is a path: names joined by dots, as in `context.mail.to`.
#[derive(Debug, Clone, Default)]
pub struct Description {
    /// The time; without it records are undated.
    pub time: Option<String>,
    /// Its form: `rfc3339`, `epoch` (seconds), `epoch_ms`, or directives of strftime. Default: RFC 3339 for a string,
    /// seconds or milliseconds since 1970, by size, for a number.
    pub time_format: Option<String>,
    /// The level.
    pub level: Option<String>,
    /// The logger or class.
    pub logger: Option<String>,
    /// The host that wrote.
    pub host: Option<String>,
    /// The message: the reason where `reason` says nothing.
    pub message: Option<String>,
    /// What identifies the mail or its task across retries; without it, the Message-ID does.
    pub key: Option<String>,
    /// The sender.
    pub sender: Option<String>,
    /// The recipient: an address, a text with addresses, or a list.
    pub recipient: Option<String>,
    /// The mail server.
    pub relay: Option<String>,
    /// The Message-ID.
    pub message_id: Option<String>,
    /// Why it failed.
    pub reason: Option<String>,
    /// A mail was handed in if all conditions of one of these lists hold, and no failure's do.
    pub submitted_when: Vec<Vec<Condition>>,
    /// A mail failed if all conditions of one of these lists hold.
    pub failed_when: Vec<Vec<Condition>>,
    /// Such a failure will be tried again if all conditions of one of these lists hold.
    pub retried_when: Vec<Vec<Condition>>,
}

/// One field and what must hold for it. A field that is absent or `null` fails every test but [`Test::Absent`].
#[derive(Debug, Clone)]
pub struct Condition {
    /// Its path.
    pub field: String,
    /// What must hold.
    pub test: Test,
}

/// What must hold for a field; upper and lower case differ.
#[derive(Debug, Clone)]
pub enum Test {
    /// The whole text, number or truth value is this.
    Equals(String),
    /// This stands in it.
    Contains(String),
    /// The whole text matches: `*` is any text, `?` one byte.
    Glob(String),
    /// The field is there.
    Present,
    /// It is not.
    Absent,
}

impl Condition {
    /// A text with `*` or `?` is a glob, any other must be equal.
    #[must_use]
    pub fn pattern(field: &str, text: &str) -> Self {
        let test = if text.contains(['*', '?']) {
            Test::Glob
        } else {
            Test::Equals
        };
        Condition {
            field: field.to_owned(),
            test: test(text.to_owned()),
        }
    }
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

#[derive(Debug, Clone)]
struct Check {
    slot: usize,
    matcher: Matcher,
}

#[derive(Debug, Clone)]
enum Matcher {
    Equals(Vec<u8>),
    Contains(Box<memchr::memmem::Finder<'static>>),
    Glob(Regex),
    Present,
    Absent,
}

impl Mapping {
    /// Checks and compiles a description.
    ///
    /// # Errors
    /// A path that is none, a list of conditions that is empty, no condition at all, a form of time that is none.
    pub fn new(description: &Description) -> Result<Self, BuildError> {
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
                "no condition says which records are about mail: give `failed_when`, `submitted_when` or both",
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

    /// Parses a line.
    pub(super) fn parse<'a>(&self, line: &'a [u8]) -> Result<Record<'a>, Reject> {
        let mut values = self.paths.read(line)?;
        let verdict = self.verdict(&values);
        let retried = matches!(verdict, Some((false, _))) && any_holds(&self.retried, &values).is_some();
        let mut parsed = Record {
            level: text(&values, self.slots.level),
            logger: text(&values, self.slots.logger),
            host: text(&values, self.slots.host),
            matched: verdict.map(|(_, index)| index),
            ..Record::other(Time::Undated)
        };
        if let Some((submitted, _)) = verdict {
            let mut mail = self.mail(&values);
            if submitted {
                mail.reason = Cow::Borrowed(b"");
                parsed.body = Body::Submitted(mail);
            } else {
                mail.will_retry = retried;
                parsed.body = Body::SubmitFailed(mail);
            }
        }
        let time = self.slots.time.and_then(|slot| values[slot].take());
        parsed.time = read_or_reject(line, &self.time_form, time)?;
        Ok(parsed)
    }

    /// Whether it is a success, and which condition says so: the failed ones count first.
    fn verdict(&self, values: &Values<'_>) -> Option<(bool, usize)> {
        let failed = any_holds(&self.failed, values).map(|index| (false, index));
        failed.or_else(|| any_holds(&self.submitted, values).map(|index| (true, self.failed.len() + index)))
    }

    fn mail<'a>(&self, values: &Values<'a>) -> Mail<'a> {
        let slots = &self.slots;
        let recipients = match slots.recipient.and_then(|slot| values[slot].as_ref()) {
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
        expected: "a time of the expected form in the time's field",
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
                "`{text}` is no form of time: rfc3339, epoch, epoch_ms, or directives as in `%Y-%m-%d %H:%M:%S`"
            );
            return Err(BuildError::new("time_format", None, problem));
        }
        Some(text) => {
            TimeForm::Directives(TimeFormat::new(text).map_err(|(at, problem)| {
                BuildError::new("time_format", Some(text[..at].chars().count() + 1), problem)
            })?)
        }
    })
}

fn checks(part: &str, lists: &[Vec<Condition>], paths: &mut Paths) -> Result<Vec<Vec<Check>>, BuildError> {
    let list = |(at, list): (usize, &Vec<Condition>)| {
        let part = format!("{part} {}", at + 1);
        if list.is_empty() {
            return Err(BuildError::new(
                part,
                None,
                "an empty condition would hold for every record: name a field",
            ));
        }
        list.iter().map(|condition| check(&part, condition, paths)).collect()
    };
    lists.iter().enumerate().map(list).collect()
}

fn check(part: &str, condition: &Condition, paths: &mut Paths) -> Result<Check, BuildError> {
    let slot = paths
        .add(&condition.field)
        .map_err(|problem| BuildError::new(part, None, problem))?;
    let empty = |text: &str| text.is_empty() || text.bytes().all(|byte| byte == b'*');
    let matcher = match &condition.test {
        Test::Equals(text) => Matcher::Equals(text.as_bytes().to_vec()),
        Test::Contains(text) | Test::Glob(text) if empty(text) => {
            let problem = format!(
                "`{text}` of `{}` holds for every text: to ask whether the field is there, use `present`",
                condition.field
            );
            return Err(BuildError::new(part, None, problem));
        }
        Test::Contains(text) => Matcher::Contains(Box::new(memchr::memmem::Finder::new(text.as_bytes()).into_owned())),
        Test::Glob(text) => Matcher::Glob(glob(text).map_err(|problem| BuildError::new(part, None, problem))?),
        Test::Present => Matcher::Present,
        Test::Absent => Matcher::Absent,
    };
    Ok(Check { slot, matcher })
}

/// As a regular expression, because those are linear.
fn glob(text: &str) -> Result<Regex, String> {
    let pattern = regex::escape(text).replace(r"\*", ".*").replace(r"\?", ".");
    RegexBuilder::new(&format!(r"\A(?s-u:{pattern})\z"))
        .size_limit(1 << 20)
        .build()
        .map_err(|_| "the glob is too long".to_owned())
}

/// Index of the first list all of whose conditions hold.
fn any_holds(lists: &[Vec<Check>], values: &Values<'_>) -> Option<usize> {
    lists
        .iter()
        .position(|list| list.iter().all(|check| holds(check, values)))
}

fn holds(check: &Check, values: &Values<'_>) -> bool {
    let value = values[check.slot].as_ref().filter(|value| **value != Value::Null);
    match (&check.matcher, value) {
        (Matcher::Present, value) => value.is_some(),
        (Matcher::Absent, value) => value.is_none(),
        (_, None) => false,
        (matcher, Some(Value::Text(text))) => text_holds(matcher, text),
        (matcher, Some(value)) => value.clone().into_text().is_some_and(|text| text_holds(matcher, &text)),
    }
}

fn text_holds(matcher: &Matcher, text: &[u8]) -> bool {
    match matcher {
        Matcher::Equals(want) => text == want.as_slice(),
        Matcher::Contains(finder) => finder.find(text).is_some(),
        Matcher::Glob(glob) => glob.is_match(text),
        Matcher::Present | Matcher::Absent => true,
    }
}

/// A copy of what a slot says; borrowed text stays borrowed.
fn text<'a>(values: &Values<'a>, slot: Option<usize>) -> Option<Text<'a>> {
    values[slot?].clone()?.into_text().filter(|text| !text.is_empty())
}

/// `Ann <ann@example.org>` → `ann@example.org`; what has no address stays.
fn only_address(text: Text<'_>) -> Text<'_> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(address(text).unwrap_or(text)),
        Cow::Owned(text) => Cow::Owned(address(&text).map(<[u8]>::to_vec).unwrap_or(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(change: impl FnOnce(&mut Description)) -> Result<Mapping, BuildError> {
        let mut description = Description {
            time: Some("t".into()),
            level: Some("level".into()),
            recipient: Some("mail.to".into()),
            reason: Some("err".into()),
            submitted_when: vec![vec![Condition::pattern("event", "sent")]],
            failed_when: vec![
                vec![
                    Condition::pattern("level", "ERR*"),
                    Condition::pattern("logger", "*.mail.?"),
                ],
                vec![Condition {
                    field: "err".into(),
                    test: Test::Contains("SMTP".into()),
                }],
            ],
            ..Description::default()
        };
        change(&mut description);
        Mapping::new(&description)
    }

    #[test]
    fn conditions() {
        let mapping = mapping(|d| d.retried_when = vec![vec![Condition::pattern("attempt", "1")]]).unwrap();
        let body = |line: &str| {
            format!(
                "{:?}",
                mapping
                    .parse(line.as_bytes())
                    .map(|r| (r.matched, r.mail().map(|m| m.will_retry)))
            )
        };
        assert_eq!(body(r#"{"event":"sent"}"#), "Ok((Some(2), Some(false)))");
        assert_eq!(body(r#"{"event":"sent","err":"SMTP x"}"#), "Ok((Some(1), Some(false)))");
        assert_eq!(
            body(r#"{"level":"ERROR","logger":"a.mail.b","attempt":1}"#),
            "Ok((Some(0), Some(true)))"
        );
        assert_eq!(body(r#"{"level":"ERROR","logger":"a.mail.bc"}"#), "Ok((None, None))");
        assert_eq!(body(r#"{"event":null}"#), "Ok((None, None))");
    }

    #[test]
    fn times() {
        let read = |format: Option<&str>, value: &str| {
            let mapping = mapping(|d| d.time_format = format.map(str::to_owned)).unwrap();
            let time = mapping
                .parse(format!("{{\"t\":{value}}}").as_bytes())
                .map(|record| record.time);
            time.map(|time| match time {
                Time::Full(stamp) => stamp.utc_ms(),
                _ => -1,
            })
            .map_err(|reject| reject.offset)
        };
        const MS: i64 = 1_528_311_731_500;
        assert_eq!(read(None, "\"2018-06-06T19:02:11.5Z\""), Ok(MS));
        assert_eq!(read(None, "1528311731.5"), Ok(MS));
        assert_eq!(read(None, "1528311731500"), Ok(MS));
        assert_eq!(read(Some("epoch_ms"), "\"1528311731500\""), Ok(MS));
        assert_eq!(read(Some("epoch"), "1528311731.5"), Ok(MS));
        assert_eq!(read(Some("%d/%m/%Y %T.%f"), "\"06/06/2018 19:02:11.5\""), Ok(MS));
        assert_eq!(read(None, "null"), Ok(-1));
        assert_eq!(read(None, "\"yesterday\""), Err(6));
        assert_eq!(read(None, "1e300"), Err(0));
        assert_eq!(read(Some("rfc3339"), "12"), Err(0));
    }

    #[test]
    fn recipients() {
        let mapping = mapping(|_| ()).unwrap();
        for (to, first, count) in [
            (r#"["a@x","b@x"]"#, "a@x", Some(2)),
            (r#""Ann <a@x>, b@x""#, "a@x", Some(2)),
            (r#""nobody""#, "nobody", None),
        ] {
            let line = format!("{{\"event\":\"sent\",\"mail\":{{\"to\":{to}}}}}");
            let record = mapping.parse(line.as_bytes()).unwrap();
            let mail = record.mail().unwrap();
            assert_eq!(
                (mail.recipient.as_deref(), mail.recipients),
                (Some(first.as_bytes()), count)
            );
        }
    }

    #[test]
    fn descriptions_that_cannot_be_used() {
        let empty = |d: &mut Description| d.failed_when[0].clear();
        for (error, words) in [
            (mapping(|d| d.time = Some("a..b".into())), "time: `a..b` is no path"),
            (mapping(empty), "failed_when 1: an empty condition"),
            (
                mapping(|d| (d.failed_when, d.submitted_when) = (vec![], vec![])),
                "no condition says",
            ),
            (
                mapping(|d| d.failed_when[0][0] = Condition::pattern("a", "*")),
                "holds for every text",
            ),
            (
                mapping(|d| d.failed_when[0][0] = Condition::pattern("", "x")),
                "failed_when 1: `` is no path",
            ),
            (
                mapping(|d| d.time_format = Some("iso".into())),
                "`iso` is no form of time",
            ),
            (
                mapping(|d| d.time_format = Some("%Y %Q".into())),
                "time_format, column 4: unknown directive",
            ),
            (
                mapping(|d| (d.time, d.time_format) = (None, Some("epoch".into()))),
                "no `time` says",
            ),
        ] {
            let text = error.unwrap_err().to_string();
            assert!(text.contains(words), "{text}");
        }
    }
}
