//! Text logs of any application, by templates that the configuration gives.
//!
//! ```
//! use mailpulse_parsers::app::pattern::{PatternDescription, Outcome, Patterns, Template};
//! use mailpulse_parsers::app::{AppBody, Format};
//!
//! let patterns = Patterns::new(&PatternDescription {
//!     templates: vec![Template {
//!         text: "{time:%Y-%m-%d %H:%M:%S,%3f} ERROR {logger}: mail to {recipient} failed: {reason}".into(),
//!         outcome: Outcome::Failed,
//!         retried: false,
//!     }],
//!     ..PatternDescription::default()
//! })
//! .unwrap();
//! let line = b"2018-06-06 19:02:11,123 ERROR shop: mail to a@example.org failed: Connection refused";
//! let record = Format::from(patterns).parse(line).unwrap();
//! assert!(matches!(record.body, AppBody::SubmitFailed(mail) if mail.reason == &b"Connection refused"[..]));
//! ```
//!
//! The first template that matches wins. A template describes a record's first line, all of it; `{…:rest}`,
//! `{…:lines}` and a newline in the template reach into the lines below. A record that begins as the first template
//! does, and matches none, is [`AppBody::Other`]: there is no need to describe what is not about mail.

use super::cause::{self, address, bare_id, count_addresses, first_line};
use super::description::BuildError;
use super::record::{AppBody, AppRecord, Mail, Text};
use super::template::{self, compile};
use super::time::Time;
use super::time_format::TimeFormat;
use crate::odd::Odd;
use crate::{Found, Reject};
use regex::bytes::{Captures, Regex, RegexBuilder, RegexSet, RegexSetBuilder};
use std::borrow::Cow;

/// Templates of a source at most.
const TEMPLATES_MAX: usize = 50;

/// Bytes that a compiled expression, and the cache of its matcher, may take.
const COMPILED_MAX: usize = 4 << 20;

/// Ambiguous records that a survey lists.
const AMBIGUOUS_MAX: usize = 10;

/// Templates of a source.
#[derive(Debug, Clone, Default)]
pub struct PatternDescription {
    /// In the order they are tried.
    pub templates: Vec<Template>,
    /// How a record begins, if it is not with the time of the first template and what stands before it.
    pub starts: Option<String>,
    /// The log has no time: templates need no `{time}`.
    pub undated: bool,
}

/// One template, and what a record of its shape means.
#[derive(Debug, Clone)]
pub struct Template {
    /// As in the configuration.
    pub text: String,
    /// What it means.
    pub outcome: Outcome,
    /// A failure of this shape is tried again by the application.
    pub retried: bool,
}

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A mail was handed in.
    Submitted,
    /// A mail was not handed in.
    Failed,
    /// Nothing about mail.
    Other,
}

/// Templates that were checked and compiled.
#[derive(Debug, Clone)]
pub struct Patterns {
    templates: Vec<Compiled>,
    /// All of them in one pass.
    set: RegexSet,
    start: Start,
}

#[derive(Debug, Clone)]
struct Compiled {
    regex: Regex,
    time: Option<TimeFormat>,
    outcome: Outcome,
    retried: bool,
}

/// How a record begins.
#[derive(Debug, Clone)]
enum Start {
    /// With this; the time is that of the form.
    With(Regex, Option<TimeFormat>),
    /// With anything that is not indented.
    Unindented,
}

/// How templates fit a sample of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// Records that were looked at.
    pub records: usize,
    /// How many each template matched, as the first that did.
    pub matches: Vec<usize>,
    /// Records that begin as they should and match no template.
    pub unmatched: usize,
    /// Records that do not even begin as they should, or have no valid time.
    pub rejected: usize,
    /// The first records that match templates of different outcomes: number of the record, and both templates.
    pub ambiguous: Vec<(usize, usize, usize)>,
}

impl Patterns {
    /// Checks and compiles a description.
    ///
    /// # Errors
    /// What is wrong, in which template and column, and the cure.
    pub fn new(description: &PatternDescription) -> Result<Self, BuildError> {
        let count = description.templates.len();
        if count == 0 || count > TEMPLATES_MAX {
            let problem = format!("{count} templates: a source has 1 to {TEMPLATES_MAX}");
            return Err(BuildError::new("template", None, problem));
        }
        let parts = |at: usize| format!("template {}", at + 1);
        let mut parsed = Vec::with_capacity(count);
        for (at, template) in description.templates.iter().enumerate() {
            let compiled = compile(&parts(at), &template.text)?;
            if compiled.time.is_none() && !description.undated {
                let problem = "no `{time:…}` in it: add one, as in `{time:%Y-%m-%d %H:%M:%S}`, or set `undated = \
                true` if the log has no times";
                return Err(BuildError::new(parts(at), Some(1), problem));
            }
            parsed.push(compiled);
        }
        let start = start(description, parsed.first())?;
        let whole: Vec<String> = parsed
            .iter()
            .map(|template| format!(r"\A(?s-u:{}\r?(?:\n.*)?)\z", template.regex))
            .collect();
        let set = RegexSetBuilder::new(&whole)
            .size_limit(COMPILED_MAX)
            .dfa_size_limit(COMPILED_MAX)
            .build()
            .map_err(|_| BuildError::new("template", None, "the templates are too long together: shorten them"))?;
        let mut templates = Vec::with_capacity(count);
        let described = parsed.into_iter().zip(&whole).zip(&description.templates);
        for (at, ((compiled, whole), template)) in described.enumerate() {
            templates.push(Compiled {
                regex: regex(&parts(at), whole)?,
                time: compiled.time,
                outcome: template.outcome,
                retried: template.retried,
            });
        }
        Ok(Patterns { templates, set, start })
    }

    /// Whether a line begins a record.
    pub(super) fn starts(&self, line: &[u8]) -> bool {
        match &self.start {
            Start::With(regex, _) => regex.is_match(line),
            Start::Unindented => line.first().is_some_and(|byte| !byte.is_ascii_whitespace()),
        }
    }

    /// Parses a record.
    pub(super) fn parse<'a>(&self, record: &'a [u8]) -> Result<AppRecord<'a>, Reject> {
        let first = self.set.matches(record).iter().next();
        let matched = first.and_then(|at| {
            let template = self.templates.get(at)?;
            Some((at, template, template.regex.captures(record)?))
        });
        let Some((at, template, found)) = matched else {
            return self.unmatched(record);
        };
        let time = match (&template.time, found.name("time")) {
            (Some(format), Some(text)) => {
                let time = format.parse(text.as_bytes());
                time.ok_or_else(|| reject(record, text.start(), "a valid time"))?
            }
            _ => Time::Undated,
        };
        let text = |name| capture(&found, name).map(Cow::Borrowed);
        Ok(AppRecord {
            time,
            host: text("host"),
            level: text("level"),
            logger: text("logger"),
            matched: Some(at),
            odd: odd_count(&found),
            body: match template.outcome {
                Outcome::Submitted => AppBody::Submitted(mail(&found)),
                Outcome::Failed => AppBody::SubmitFailed(Mail {
                    will_retry: template.retried,
                    reason: why(&found, record),
                    ..mail(&found)
                }),
                Outcome::Other => AppBody::Other,
            },
        })
    }

    /// A record that matches no template: of this log if it begins as its records do.
    fn unmatched<'a>(&self, record: &'a [u8]) -> Result<AppRecord<'a>, Reject> {
        match &self.start {
            Start::Unindented => Ok(AppRecord::other(Time::Undated)),
            Start::With(regex, None) if regex.is_match(record) => Ok(AppRecord::other(Time::Undated)),
            Start::With(regex, Some(format)) => {
                let time = regex.captures(record).and_then(|found| found.name("time"));
                let time = time.ok_or_else(|| reject(record, 0, "the beginning of the first template"))?;
                match format.parse(time.as_bytes()) {
                    Some(time) => Ok(AppRecord::other(time)),
                    None => Err(reject(record, time.start(), "a valid time")),
                }
            }
            Start::With(..) => Err(reject(record, 0, "what `starts` describes")),
        }
    }

    /// Tries the templates on a sample of records, for telling whoever wrote them how they fit.
    #[must_use]
    pub fn survey<'r>(&self, records: impl IntoIterator<Item = &'r [u8]>) -> Survey {
        let mut survey = Survey {
            matches: vec![0; self.templates.len()],
            ..Survey::default()
        };
        for record in records {
            let number = survey.records;
            survey.records += 1;
            let matched: Vec<usize> = self.set.matches(record).iter().collect();
            match self.parse(record) {
                Err(_) => survey.rejected += 1,
                Ok(parsed) => match parsed.matched.and_then(|at| survey.matches.get_mut(at)) {
                    Some(count) => *count += 1,
                    None => survey.unmatched += 1,
                },
            }
            let Some((first, others)) = matched.split_first() else {
                continue;
            };
            let outcome = |at: &usize| self.templates.get(*at).map(|template| template.outcome);
            let other = others.iter().find(|at| outcome(at) != outcome(first));
            if let Some(other) = other
                && survey.ambiguous.len() < AMBIGUOUS_MAX
            {
                survey.ambiguous.push((number, *first, *other));
            }
        }
        survey
    }
}

/// The beginning: as described, else the first template's up to its time.
fn start(description: &PatternDescription, first: Option<&template::Template>) -> Result<Start, BuildError> {
    let timed = first.and_then(|first| Some((first.until_time.clone()?, first.time.clone())));
    let (part, text, time) = match (&description.starts, timed) {
        (Some(text), _) if text.is_empty() => {
            return Err(BuildError::new(
                "starts",
                None,
                "empty, so every line would start a record: remove it",
            ));
        }
        (Some(text), _) => {
            let compiled = compile("starts", text)?;
            ("starts", compiled.regex, compiled.time)
        }
        (None, Some((prefix, time))) => ("template 1", prefix, time),
        (None, None) => return Ok(Start::Unindented),
    };
    Ok(Start::With(regex(part, &format!(r"\A(?s-u:{text})"))?, time))
}

fn regex(part: &str, text: &str) -> Result<Regex, BuildError> {
    RegexBuilder::new(text)
        .size_limit(COMPILED_MAX)
        .dfa_size_limit(COMPILED_MAX)
        .build()
        .map_err(|_| BuildError::new(part, None, "too long when compiled: shorten it"))
}

#[cold]
fn reject(record: &[u8], offset: usize, expected: &'static str) -> Reject {
    Reject {
        offset,
        expected,
        found: record.get(offset).map_or(Found::End, |byte| Found::Byte(*byte)),
    }
}

/// What a name captured, without blanks around it; `None` if that is nothing.
fn capture<'a>(found: &Captures<'a>, name: &str) -> Option<&'a [u8]> {
    let text = found.name(name)?.as_bytes().trim_ascii();
    (!text.is_empty()).then_some(text)
}

fn mail<'a>(found: &Captures<'a>) -> Mail<'a> {
    let text = |name| capture(found, name);
    let bare = |text: &'a [u8]| Cow::Borrowed(address(text).unwrap_or(text));
    let counted = text("recipients").and_then(|count| std::str::from_utf8(count).ok()?.parse().ok());
    let id = |name| capture(found, name).map(|id| bare_id(Cow::Borrowed(id)));
    Mail {
        key: id("key").or_else(|| id("message_id")),
        sender: text("sender").map(bare),
        recipient: text("recipient").map(bare),
        recipients: counted.or_else(|| count_addresses(text("recipient")?)),
        relay: text("relay").map(Cow::Borrowed),
        message_id: id("message_id"),
        ..Mail::default()
    }
}

/// `{recipients:int}` that is no number of recipients.
fn odd_count<'a>(found: &Captures<'a>) -> Option<Odd<'a>> {
    let value = capture(found, "recipients")?;
    let count: Option<u32> = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
    let field = "recipients";
    count.is_none().then_some(Odd { field, value })
}

/// `{reason}`, else the exception under the first line, else `{message}`, else the first line itself.
fn why<'a>(found: &Captures<'a>, record: &'a [u8]) -> Text<'a> {
    let (line, trace) = first_line(record);
    match capture(found, "reason") {
        Some(text) => cause::reason(text),
        None => cause::python(trace)
            .or_else(|| cause::java(trace))
            .or_else(|| capture(found, "message").map(cause::reason))
            .unwrap_or_else(|| cause::reason(line)),
    }
}

#[cfg(test)]
mod tests;
