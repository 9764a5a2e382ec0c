//! What a verdict is made of, and what it says.

use super::missing::MissingMail;
use crate::analysis::incident::Incident;
use crate::detect::alarm::Alarm;
use crate::detect::fleet::Names;
use crate::model::time::Minute;
use jiff::tz::TimeZone;

/// How it stands, worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum MailStanding {
    /// Mail flows as expected.
    Flowing,
    /// Nobody can say: what would show it is missing, old, or not judged.
    Unknown,
    /// Something is wrong with the mail.
    Trouble,
}

impl MailStanding {
    /// The word in answers.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            MailStanding::Flowing => "flowing",
            MailStanding::Unknown => "unknown",
            MailStanding::Trouble => "trouble",
        }
    }
}

/// What the sentence is made of.
#[derive(Debug)]
pub(crate) struct VerdictFacts<'a> {
    /// The minute up to which was judged, since 1970; none where nothing was.
    pub until: Option<Minute>,
    /// Alarms that fire.
    pub firing: &'a [&'a Alarm],
    /// Their names.
    pub names: &'a Names,
    /// Services that have sent mail of late.
    pub services: usize,
    /// What the alarms about mail cost so far.
    pub incident: Option<&'a Incident>,
    /// Why what is seen is not all there is, a line each: logs that are old or cannot be read.
    pub doubts: &'a [String],
    /// The newest event is so old that it says nothing of now, milliseconds.
    pub silent_ms: Option<i64>,
    /// The zone in which it names times.
    pub zone: &'a TimeZone,
}

/// How the mail stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MailVerdict {
    /// In a word.
    pub standing: MailStanding,
    /// In a sentence.
    pub sentence: String,
    /// What else there is to say.
    pub more: Vec<String>,
    /// What to do next.
    pub next: Option<String>,
    /// The alarm to open, by its ID.
    pub alarm: Option<String>,
    /// The services whose mail is affected.
    pub affected: Vec<String>,
    /// The relay that is the cause.
    pub relay: Option<String>,
    /// Since when.
    pub since: Option<Minute>,
    /// How much is missing.
    pub missing: MissingMail,
}
