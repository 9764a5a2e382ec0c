//! Sources and how they do: is each read, recent, parsed, undamaged?

use super::health::{self, Health, Readability, UnreadableCause, unparsed_share};
use crate::model::time::{DAY_MS, UtcMs};
use crate::query::QueryError;
use crate::query::history::{MailHistory, SourceSummary};
use crate::store::catalogue::{ClockDoubt, Counts, OddField, UnparsedShape};
use crate::store::retention::HeldSource;

/// History that the newest lines are held against.
const HISTORY_MS: i64 = 7 * DAY_MS;

/// What is wrong with a source, worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SourceVerdict {
    /// It is read, and its newest line is recent.
    Ok,
    /// Its newest line is too old.
    Stale,
    /// A log of it is damaged.
    Damaged,
    /// Its lines do not parse, or its clock is in doubt: it waits.
    Unreadable,
}

impl SourceVerdict {
    /// The word in answers.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            SourceVerdict::Ok => "ok",
            SourceVerdict::Stale => "stale",
            SourceVerdict::Damaged => "damaged",
            SourceVerdict::Unreadable => "unreadable",
        }
    }
}

/// One source and how it does.
#[derive(Debug)]
pub(crate) struct SourceStatus {
    /// What is known of it.
    pub source: SourceSummary,
    /// Whether its lines parse.
    pub health: Health,
    /// All in one word.
    pub state: SourceVerdict,
    /// Age of its newest line.
    pub age_ms: Option<i64>,
    /// How old its last line was when it was read.
    pub lag_ms: Option<i64>,
    /// What of it is older than the retention and stays all the same.
    pub held: Option<HeldSource>,
}

impl SourceStatus {
    /// What is wrong with those of its logs that are damaged.
    pub(crate) fn damaged(&self) -> &[String] {
        self.source.local.as_ref().map_or(&[], |local| &local.damaged)
    }

    /// Shapes of its lines that did not parse.
    pub(crate) fn shapes(&self) -> &[UnparsedShape] {
        self.source.local.as_ref().map_or(&[], |local| &local.shapes)
    }

    /// Fields that were left out of its lines.
    pub(crate) fn odd_fields(&self) -> &[OddField] {
        self.source.local.as_ref().map_or(&[], |local| &local.odd_fields)
    }

    /// Its logs that wait, because their lines make this machine's clock doubtful.
    pub(crate) fn clock_doubts(&self) -> &[ClockDoubt] {
        self.source.local.as_ref().map_or(&[], |local| &local.clock_doubts)
    }

    /// Why it is unreadable.
    pub(crate) fn reason(&self) -> Option<&'static str> {
        match self.state {
            SourceVerdict::Unreadable if self.clock_doubts().is_empty() => Some("format"),
            SourceVerdict::Unreadable => Some("clock"),
            _ => None,
        }
    }

    /// What is wrong with its lines, if it is unreadable for their sake.
    pub(crate) fn unreadable_lines(&self) -> Option<String> {
        let is_foreign = self.health.cause() == UnreadableCause::Foreign;
        if self.state != SourceVerdict::Unreadable || !is_foreign && self.reason() != Some("format") {
            return None;
        }
        let Health {
            recent,
            history,
            last_hour,
            ..
        } = &self.health;
        Some(match is_foreign {
            true => format!(
                "all {} lines of its last hour were written by other programs",
                last_hour.lines
            ),
            false => format!(
                "{:.0} % of the newest {} lines do not parse, {:.1} % of those before",
                percent(recent),
                recent.lines,
                percent(history)
            ),
        })
    }

    /// When something of it was last committed, UTC milliseconds.
    pub(crate) fn read_ms(&self) -> Option<UtcMs> {
        self.source.local.as_ref().and_then(|local| local.read_ms)
    }
}

/// All sources as of now; one whose newest line is older than `stale_ms` is stale.
///
/// # Errors
/// The store cannot be read.
pub(crate) fn statuses(store: &dyn MailHistory, now_ms: UtcMs, stale_ms: i64) -> Result<Vec<SourceStatus>, QueryError> {
    let row = |source: SourceSummary| {
        let health = health::assess(&source.minutes);
        let damaged = source.local.as_ref().is_some_and(|local| !local.damaged.is_empty());
        let age_ms = source.span_ms.map(|(_, last)| now_ms - last);
        let state = match () {
            () if health.readability == Readability::Unreadable => SourceVerdict::Unreadable,
            () if source
                .local
                .as_ref()
                .is_some_and(|local| !local.clock_doubts.is_empty()) =>
            {
                SourceVerdict::Unreadable
            }
            () if damaged => SourceVerdict::Damaged,
            () if age_ms.is_none_or(|age| age > stale_ms) => SourceVerdict::Stale,
            () => SourceVerdict::Ok,
        };
        let read_ms = source.local.as_ref().and_then(|local| local.read_ms);
        let lag_ms = read_ms.zip(source.span_ms).map(|(read, (_, last))| read - last);
        SourceStatus {
            health,
            state,
            age_ms,
            // The age of an archive is no lag.
            lag_ms: lag_ms.filter(|lag| (0..DAY_MS).contains(lag)),
            held: None,
            source,
        }
    };
    Ok(store.summaries(HISTORY_MS)?.into_iter().map(row).collect())
}

/// Lines that did not parse, of a hundred.
pub(crate) fn percent(counts: &Counts) -> f64 {
    100.0 * unparsed_share(counts)
}
