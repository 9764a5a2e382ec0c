//! Logs of applications that hand mail to a mail server: witnesses of failures, and of success where one is logged.
//!
//! A record is a line and the lines that belong to it (stack traces, wrapped messages, the mail itself). The caller
//! cuts a log into records with [`Format::starts`] and gives each to [`Format::parse`]:
//!
//! ```
//! use mailpulse_parsers::app::{AppBody, Format};
//!
//! let log = b"[06/Jun/2018 19:02:11 +0000] views        ERROR    Failed to send query completion notification \
//!             via e-mail: [Errno 111] Connection refused";
//! let format = Format::named("hue").unwrap();
//! assert!(format.starts(log));
//! let record = format.parse(log).unwrap();
//! let AppBody::SubmitFailed(mail) = record.body else { panic!() };
//! assert_eq!(mail.reason, &b"[Errno 111] Connection refused"[..]);
//! ```
//!
//! Left to the caller: lines before the first record and empty ones (they belong to nothing), the zone, the date of a
//! [`Time::TimeOfDay`], the time of a [`Time::Undated`], records that stand in two
//! files (Hue: equal in time and text), and records that
//! are retries of one mail ([`Mail::key`]).
//!
//! A record that says nothing about mail is [`AppBody::Other`], also when another part of the application failed. A first
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

use crate::Reject;
use crate::cut::Cut;
pub use description::BuildError;
pub use record::{AppBody, AppRecord, Mail, Text, UNDATED};
pub use time::{Time, TimeOfDay};

/// The format of an application's log: what `kind` of a source names.
#[derive(Debug, Clone)]
pub enum Format {
    /// Gerrit's `error_log` and `error_log.json`. The cause is the root of the stack trace.
    ///
    /// ```
    /// # use mailpulse_parsers::app::{AppBody, Format};
    /// let record = b"[2018-06-06 19:02:11,123] [SendEmail-1] ERROR com.google.gerrit.EmailReviewComments : Cannot email 4,3\n\
    ///     com.google.gerrit.common.errors.EmailException: Connection refused\n\tat com.google.gerrit.Smtp(Smtp.java:3)";
    /// let AppBody::SubmitFailed(mail) = Format::Gerrit.parse(record)?.body else { panic!() };
    /// assert_eq!(&*mail.reason, b"Connection refused");
    /// # Ok::<(), mailpulse_parsers::Reject>(())
    /// ```
    Gerrit,
    /// Phabricator's `daemons.log`. The mail's identity is its task, which is tried again.
    ///
    /// ```
    /// # use mailpulse_parsers::app::{AppBody, Format};
    /// let record = b"[06-Jun-2018 19:02:11 UTC] [2018-06-06 19:02:11] EXCEPTION: (PhutilProxyException) Error while \
    ///     executing Task ID 7654321. {>} (phpmailerException) SMTP Error: data not accepted. at [<phabricator>/x.php:8]";
    /// let AppBody::SubmitFailed(mail) = Format::Phabricator.parse(record)?.body else { panic!() };
    /// assert_eq!((mail.key.as_deref(), mail.will_retry), (Some(&b"7654321"[..]), true));
    /// assert_eq!(&*mail.reason, b"SMTP Error: data not accepted.");
    /// # Ok::<(), mailpulse_parsers::Reject>(())
    /// ```
    Phabricator,
    /// Hue's `runcpserver.log`, `error.log` and the logs of its other processes; the module's documentation has an example.
    Hue,
    /// Oozie's `oozie.log`: failures of its e-mail action, by their codes `EM001` to `EM007`.
    ///
    /// ```
    /// # use mailpulse_parsers::app::{AppBody, Format};
    /// let record = b"2018-06-06 19:02:10,123  WARN ActionStartXCommand:523 - USER[hdfs] ACTION[000123-W@mail] Error \
    ///     starting action [mail]. ErrorType [ERROR], ErrorCode [EM002], Message [EM002: Bad from address specified.]";
    /// let AppBody::SubmitFailed(mail) = Format::Oozie.parse(record)?.body else { panic!() };
    /// assert_eq!(mail.key.as_deref(), Some(&b"000123-W@mail"[..]));
    /// assert_eq!(&*mail.reason, b"EM002: Bad from address specified.");
    /// # Ok::<(), mailpulse_parsers::Reject>(())
    /// ```
    Oozie,
    /// Sentry's log: human, celery's or machine form. The human one prints no date.
    ///
    /// ```
    /// # use mailpulse_parsers::app::{AppBody, Format, Time};
    /// let record = b"05:40:47 [INFO] sentry.mail: mail.sent (message_id=u'<2018.1@sentry.example.org>' size=2345)";
    /// let record = Format::Sentry.parse(record)?;
    /// assert!(matches!(record.time, Time::TimeOfDay(time) if time.hour == 5));
    /// let AppBody::Submitted(mail) = record.body else { panic!() };
    /// assert_eq!(mail.message_id.as_deref(), Some(&b"2018.1@sentry.example.org"[..]));
    /// # Ok::<(), mailpulse_parsers::Reject>(())
    /// ```
    Sentry,
    /// Slim applications: Monolog's logstash JSON, with the texts of PHPMailer.
    ///
    /// ```
    /// # use mailpulse_parsers::app::{AppBody, Format};
    /// let record = br#"{"@timestamp":"2018-06-06T19:02:11Z","host":"web1","message":"SMTP connect() failed.","#;
    /// let rest = br#""channel":"grants","level":"ERROR","method":"Wikimedia\\Slimapp\\Mailer::mail"}"#;
    /// let line = [&record[..], rest].concat();
    /// let record = Format::Slimapp.parse(&line)?;
    /// assert_eq!(record.host.as_deref(), Some(&b"web1"[..]));
    /// assert!(matches!(record.body, AppBody::SubmitFailed(mail) if *mail.reason == *b"SMTP connect() failed."));
    /// # Ok::<(), mailpulse_parsers::Reject>(())
    /// ```
    Slimapp,
    /// The log of a dumps host, which prints the mail that it could not send.
    ///
    /// ```
    /// # use mailpulse_parsers::app::{Format, Time};
    /// let record = b"MAIL SEND FAILED! Was sending this mail:\nFrom: root@snapshot1.example.org\nTo: ops@example.org\n\nHi";
    /// let record = Format::Dumps.parse(record)?;
    /// assert_eq!(record.time, Time::Undated);
    /// assert_eq!(record.mail().unwrap().recipient.as_deref(), Some(&b"ops@example.org"[..]));
    /// # Ok::<(), mailpulse_parsers::Reject>(())
    /// ```
    Dumps,
    /// JSON objects, by a mapping that the caller gives: see [`json`].
    Json(Box<json::Mapping>),
    /// Text, by templates that the caller gives: see [`pattern`].
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
    ///
    /// ```
    /// use mailpulse_parsers::app::Format;
    /// assert!(Format::named("oozie").is_some() && Format::named("json").is_none());
    /// ```
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
    ///
    /// ```
    /// use mailpulse_parsers::app::Format;
    /// assert!(Format::Oozie.starts(b"2018-06-06 19:02:10,123  WARN ActionStartXCommand:523 - x"));
    /// assert!(!Format::Oozie.starts(b"\tat org.apache.oozie.Action(Action.java:7)"));
    /// ```
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
    /// ```
    /// use mailpulse_parsers::app::{AppBody, Format};
    ///
    /// let record = Format::Hue.parse(b"[06/Jun/2018 19:02:11 +0000] views  INFO  Saved a query")?;
    /// assert_eq!((record.level.as_deref(), record.body), (Some(&b"INFO"[..]), AppBody::Other));
    /// let reject = Format::Hue.parse(b"[06/Jun/2018 19:02] views  INFO  Saved a query").unwrap_err();
    /// assert_eq!(reject.offset, 1);
    /// # Ok::<(), mailpulse_parsers::Reject>(())
    /// ```
    ///
    /// # Errors
    /// The first line is not of the format's shape; the offset counts from its start.
    pub fn parse<'a>(&self, record: &'a [u8]) -> Result<AppRecord<'a>, Reject> {
        let text = after_nuls(record);
        self.parse_text(text).map_err(|reject| Reject {
            offset: reject.offset + record.len() - text.len(),
            ..reject
        })
    }

    fn parse_text<'a>(&self, record: &'a [u8]) -> Result<AppRecord<'a>, Reject> {
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
