//! What an application's log says, one shape for all of them.

use super::time::Time;
use crate::odd::Odd;
use crate::{Found, Reject};
use std::borrow::Cow;

/// Bytes of the record, or a repaired copy of them (an escape decoded, a broken character replaced).
pub type Text<'a> = Cow<'a, [u8]>;

/// One record: its first line and the lines that belong to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppRecord<'a> {
    /// When, as far as the record says so.
    pub time: Time,
    /// The host that the record names, as JSON logs do.
    pub host: Option<Text<'a>>,
    /// Level as printed: `ERROR`, `error`, `40`.
    pub level: Option<Text<'a>>,
    /// Logger, class, channel or module.
    pub logger: Option<Text<'a>>,
    /// Index of the template or condition that matched, for kinds that the configuration describes: into the list of
    /// templates, or into the failed conditions followed by the submitted ones.
    pub matched: Option<usize>,
    /// A value that is not of its form, and was left out; the first, if there are several.
    pub odd: Option<Odd<'a>>,
    /// What it says about mail.
    pub body: AppBody<'a>,
}

/// What a record says about mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppBody<'a> {
    /// A mail server took the mail.
    Submitted(Mail<'a>),
    /// It did not, or was not reached.
    SubmitFailed(Mail<'a>),
    /// Understood, and says nothing about a mail's fate.
    Other,
}

/// The mail of a record. What the record does not say is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mail<'a> {
    /// Identity of the mail or of the task that sends it: records of one source with one key are retries or copies of
    /// one mail.
    pub key: Option<Text<'a>>,
    /// The application tries again by itself: delayed, not lost.
    pub will_retry: bool,
    /// The record names the task but not what it was for: it is about mail only when `key` failed as mail before.
    pub needs_known_key: bool,
    /// Envelope or header sender.
    pub sender: Option<Text<'a>>,
    /// Address of the first recipient.
    pub recipient: Option<Text<'a>>,
    /// How many recipients the record lists.
    pub recipients: Option<u32>,
    /// The mail server that was talked to.
    pub relay: Option<Text<'a>>,
    /// Message-ID, without its angle brackets.
    pub message_id: Option<Text<'a>>,
    /// Why it failed, to be read by [`classify`](crate::reply::classify); empty if nothing is said.
    pub reason: Text<'a>,
}

/// What a record about mail lacks that has no time where all have one.
pub const UNDATED: &str = "a record with its time field";

impl<'a> AppRecord<'a> {
    /// A record that says nothing about mail yet.
    pub(super) fn other(time: Time) -> Self {
        AppRecord {
            time,
            host: None,
            level: None,
            logger: None,
            matched: None,
            odd: None,
            body: AppBody::Other,
        }
    }

    /// The record, which must have a time if it is about mail: the time of the record before it would be a wrong one, in a
    /// log whose records all have their own.
    ///
    /// # Errors
    /// It has none.
    pub(super) fn dated(self, line: &[u8]) -> Result<Self, Reject> {
        if self.time != Time::Undated || self.body == AppBody::Other {
            return Ok(self);
        }
        Err(Reject {
            offset: 0,
            expected: UNDATED,
            found: line.first().map_or(Found::End, |byte| Found::Byte(*byte)),
        })
    }

    /// The mail, of a success or a failure.
    ///
    /// ```
    /// use mailpulse_parsers::app::Format;
    /// let record = Format::Hue.parse(b"[06/Jun/2018 19:02:14] tasks WARNING Could not send mail to bob@example.net")?;
    /// assert_eq!(record.mail().unwrap().recipient.as_deref(), Some(&b"bob@example.net"[..]));
    /// # Ok::<(), mailpulse_parsers::Reject>(())
    /// ```
    #[must_use]
    pub fn mail(&self) -> Option<&Mail<'a>> {
        match &self.body {
            AppBody::Submitted(mail) | AppBody::SubmitFailed(mail) => Some(mail),
            AppBody::Other => None,
        }
    }
}

impl<'a> Mail<'a> {
    /// A failure that says why.
    pub(super) fn failed(reason: impl Into<Text<'a>>) -> Self {
        Mail {
            reason: reason.into(),
            ..Mail::default()
        }
    }

    /// The same mail with nothing borrowed.
    pub(super) fn into_owned(self) -> Mail<'static> {
        Mail {
            key: owned(self.key),
            will_retry: self.will_retry,
            needs_known_key: self.needs_known_key,
            sender: owned(self.sender),
            recipient: owned(self.recipient),
            recipients: self.recipients,
            relay: owned(self.relay),
            message_id: owned(self.message_id),
            reason: Cow::Owned(self.reason.into_owned()),
        }
    }
}

fn owned(text: Option<Text<'_>>) -> Option<Text<'static>> {
    text.map(|text| Cow::Owned(text.into_owned()))
}
