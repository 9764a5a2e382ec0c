//! Logs of applications that hand mail to a mail server: witnesses of failures, and of success where one is logged.
//!
//! A record is a line and the lines that belong to it (stack traces, wrapped messages, the mail itself). The caller
//! cuts a log into records with [`Format::starts`] and gives each to [`Format::parse`]:
//!
//! ```
//! use mailpulse_parsers::app::{Body, Format};
//!
//! let log = b"[06/Jun/2018 19:02:11 +0000] views        ERROR    Failed to send query completion notification \
//!             via e-mail: [Errno 111] Connection refused";
//! let format = Format::named("hue").unwrap();
//! assert!(format.starts(log));
//! let record = format.parse(log).unwrap();
//! let Body::SubmitFailed(mail) = record.body else { panic!() };
//! assert_eq!(mail.reason, &b"[Errno 111] Connection refused"[..]);
//! ```
//!
//! Left to the caller: lines before the first record and empty ones (they belong to nothing), the zone, the date of a
//! [`Time::TimeOfDay`], the time of a [`Time::Undated`], records that stand in two
//! files (Hue: equal in time and text), and records that
//! are retries of one mail ([`Mail::key`]).
//!
//! A record that says nothing about mail is [`Body::Other`], also when another part of the application failed. A first
//! line that is not of the format's shape is a [`Reject`], so that a new format never shows as a count of zero.

mod cause;
mod condition;
mod description;
mod document;
mod dumps;
mod gerrit;
mod hue;
pub mod json;
mod oozie;
pub mod pattern;
mod phabricator;
mod phpmailer;
mod record;
mod repair;
mod sentry;
mod slimapp;
mod template;
mod time;
mod time_format;

use crate::cut::Cut;
use crate::prim::Parsed;
use crate::{Found, Reject};
pub use description::BuildError;
pub use record::{Body, Mail, Record, Text, UNDATED};
pub use time::{Time, TimeOfDay};

/// The format of an application's log: what `kind` of a source names.
#[derive(Debug, Clone)]
pub enum Format {
    /// Gerrit's `error_log` and `error_log.json`.
    Gerrit,
    /// Phabricator's `daemons.log`.
    Phabricator,
    /// Hue's logs.
    Hue,
    /// Oozie's `oozie.log`.
    Oozie,
    /// Sentry's log: human, celery's or machine form.
    Sentry,
    /// Slim applications: Monolog's logstash JSON.
    Slimapp,
    /// The log of a dumps host.
    Dumps,
    /// JSON objects, by a mapping of the configuration.
    Json(Box<json::Mapping>),
    /// Text, by templates of the configuration.
    Pattern(Box<pattern::Patterns>),
}

impl Format {
    /// Every format that needs no description, by the name of its `kind`.
    pub const BUILT_IN: [Format; 7] = [
        Format::Gerrit,
        Format::Phabricator,
        Format::Hue,
        Format::Oozie,
        Format::Sentry,
        Format::Slimapp,
        Format::Dumps,
    ];

    /// The built-in format of that name.
    #[must_use]
    pub fn named(kind: &str) -> Option<Format> {
        Format::BUILT_IN.into_iter().find(|format| format.as_str() == kind)
    }

    /// Its name in the configuration.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Format::Gerrit => "gerrit",
            Format::Phabricator => "phabricator",
            Format::Hue => "hue",
            Format::Oozie => "oozie",
            Format::Sentry => "sentry",
            Format::Slimapp => "slimapp",
            Format::Dumps => "dumps",
            Format::Json(_) => "json",
            Format::Pattern(_) => "pattern",
        }
    }

    /// Whether every record is one line: its end needs no line after it to be known.
    #[must_use]
    pub fn is_one_line(&self) -> bool {
        matches!(self, Format::Slimapp | Format::Json(_))
    }

    /// Whether a line begins a record; one that does not belongs to the record before it.
    #[inline]
    #[must_use]
    pub fn starts(&self, line: &[u8]) -> bool {
        let line = after_nuls(line);
        match self {
            Format::Gerrit => gerrit::starts(line),
            Format::Phabricator => phabricator::starts(line),
            Format::Hue => hue::starts(line),
            Format::Oozie => oozie::starts(line),
            Format::Sentry => sentry::starts(line),
            Format::Slimapp => slimapp::starts(line),
            Format::Dumps => dumps::starts(line),
            Format::Json(_) => json::starts(line),
            Format::Pattern(patterns) => patterns.starts(line),
        }
    }

    /// Whether a dated line that begins no record is a part of one: Phabricator dates every line of a stack trace.
    #[must_use]
    pub fn continues_dated(&self, line: &[u8]) -> bool {
        matches!(self, Format::Phabricator) && phabricator::parse(after_nuls(line)).is_ok()
    }

    /// Parses a record: its first line and the lines that belong to it, joined by `\n`, without a newline at the end.
    ///
    /// # Errors
    /// The first line is not of the format's shape; the offset counts from its start.
    pub fn parse<'a>(&self, record: &'a [u8]) -> Result<Record<'a>, Reject> {
        let text = after_nuls(record);
        self.parse_text(text).map_err(|reject| Reject {
            offset: reject.offset + record.len() - text.len(),
            ..reject
        })
    }

    fn parse_text<'a>(&self, record: &'a [u8]) -> Result<Record<'a>, Reject> {
        match self {
            Format::Gerrit => gerrit::parse(record),
            Format::Phabricator => phabricator::parse(record),
            Format::Hue => hue::parse(record),
            Format::Oozie => oozie::parse(record),
            Format::Sentry => sentry::parse(record),
            Format::Slimapp => slimapp::parse(record),
            Format::Dumps => dumps::parse(record),
            Format::Json(mapping) => mapping.parse(record),
            Format::Pattern(patterns) => patterns.parse(record),
        }
    }
}

/// A crash leaves blocks of NUL bytes before the line that is written next.
#[inline]
fn after_nuls(line: &[u8]) -> &[u8] {
    match line.first() {
        Some(0) => line.past(line.iter().position(|byte| *byte != 0).unwrap_or(line.len())),
        _ => line,
    }
}

impl From<json::Mapping> for Format {
    fn from(mapping: json::Mapping) -> Self {
        Format::Json(Box::new(mapping))
    }
}

impl From<pattern::Patterns> for Format {
    fn from(patterns: pattern::Patterns) -> Self {
        Format::Pattern(Box::new(patterns))
    }
}

/// The value of a grammar function, or its fault as a place in `line`.
#[inline]
fn finish<T>(line: &[u8], parsed: Parsed<'_, T>) -> Result<T, Reject> {
    match parsed {
        Ok((_, value)) => Ok(value),
        Err(nom::Err::Error(fault) | nom::Err::Failure(fault)) => Err(Reject::new(line, fault)),
        Err(nom::Err::Incomplete(_)) => Err(Reject {
            offset: 0,
            expected: "a whole line",
            found: Found::End,
        }),
    }
}
