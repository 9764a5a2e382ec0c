//! How serious the state of a store is, and why: what a monitoring system asks.

use super::health::unparsed_share;
use super::sources::{SourceStatus, SourceVerdict};
use crate::model::time::UtcMs;
use crate::store::catalogue::{Counts, LastingTrouble};

/// Unparsed lines of all sources above this share are worth a warning.
pub(crate) const UNPARSED_SHARE_MAX: f64 = 0.01;
/// A server that is away for a moment is no trouble yet.
const LASTS_MS: i64 = 600_000;
/// Troubles that are named.
const TROUBLES_SHOWN: usize = 5;

/// How serious it is, worst last but for `Unknown`, which says nothing of mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    /// Nothing is wrong.
    Good,
    /// Somebody should look at it today.
    Warning,
    /// Mail is affected, or nothing is known of it.
    Critical,
    /// Nothing has been read yet.
    Unknown,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Concern {
    /// Alarms fire.
    Alarms,
    /// Sources cannot be read.
    Unreadable,
    /// The ClickHouse refused so many payloads.
    Refused(u64),
    /// Nothing is sent before the operator decides.
    Undecided,
    /// Troubles that last, by their topics.
    Troubles(Vec<String>),
    /// Channels do not take alarms.
    Undelivered,
    /// No source has brought a line since then.
    Silent(UtcMs),
    /// Sources are stale.
    Stale,
    /// Many lines do not parse.
    Unparsed,
    /// Logs are damaged.
    Damaged,
    /// Nothing has been read yet.
    NothingRead,
}

impl Concern {
    /// How serious it is by itself.
    pub(crate) fn severity(&self) -> Severity {
        match self {
            Concern::Alarms | Concern::Unreadable => Severity::Critical,
            Concern::NothingRead => Severity::Unknown,
            _ => Severity::Warning,
        }
    }
}

/// What is known beside the sources.
#[derive(Debug, Default)]
pub(crate) struct Surroundings {
    /// Alarms that fire.
    pub alarms: usize,
    /// Channels that do not take alarms.
    pub undelivered: usize,
    /// Payloads that the ClickHouse refused.
    pub refused: u64,
    /// Nothing is sent before the operator decides.
    pub undecided: bool,
    /// Troubles of the store.
    pub troubles: Vec<LastingTrouble>,
    /// Since when nothing has come in, if that is too long.
    pub silent_since_ms: Option<UtcMs>,
}

/// What is wrong, the gravest first.
pub(crate) fn concerns(rows: &[SourceStatus], around: &Surroundings) -> Vec<Concern> {
    let mut sum = Counts::default();
    rows.iter().for_each(|row| sum.add(&row.source.counts));
    let has = |state: SourceVerdict| rows.iter().any(|row| row.state == state);
    let troubles = lasting(&around.troubles);
    let (is_stale, silent) = (has(SourceVerdict::Stale), around.silent_since_ms);
    let age = match silent {
        Some(since) if !is_stale => Concern::Silent(since),
        _ => Concern::Stale,
    };
    let all = [
        (around.alarms > 0, Concern::Alarms),
        (has(SourceVerdict::Unreadable), Concern::Unreadable),
        (around.refused > 0, Concern::Refused(around.refused)),
        (around.undecided, Concern::Undecided),
        (!troubles.is_empty(), Concern::Troubles(troubles)),
        (around.undelivered > 0, Concern::Undelivered),
        (is_stale || silent.is_some(), age),
        (unparsed_share(&sum) > UNPARSED_SHARE_MAX, Concern::Unparsed),
        (rows.iter().any(|row| !row.damaged().is_empty()), Concern::Damaged),
        (rows.is_empty(), Concern::NothingRead),
    ];
    all.into_iter()
        .filter_map(|(holds, concern)| holds.then_some(concern))
        .collect()
}

/// All in one word. Of a store that has read nothing, only an alarm says more than that.
pub(crate) fn severity(concerns: &[Concern]) -> Severity {
    let has = |severity: Severity| concerns.iter().any(|concern| concern.severity() == severity);
    match () {
        () if concerns.contains(&Concern::Alarms) => Severity::Critical,
        () if has(Severity::Unknown) => Severity::Unknown,
        () if has(Severity::Critical) => Severity::Critical,
        () if has(Severity::Warning) => Severity::Warning,
        () => Severity::Good,
    }
}

/// Since when no source has brought a line and no tail has read, if that is longer ago than `stale_ms`.
pub(crate) fn quiet_since(
    rows: &[SourceStatus],
    heartbeat_ms: Option<UtcMs>,
    now_ms: UtcMs,
    stale_ms: i64,
) -> Option<UtcMs> {
    let last = rows.iter().filter_map(|row| Some(row.source.span_ms?.1)).max();
    last.max(heartbeat_ms)
        .filter(|last| !rows.is_empty() && now_ms - *last > stale_ms)
}

/// The topics of troubles that have lasted for a while, a few.
fn lasting(troubles: &[LastingTrouble]) -> Vec<String> {
    let lasts = troubles
        .iter()
        .filter(|trouble| trouble.last_ms - trouble.since_ms >= LASTS_MS || trouble.is_proved());
    lasts
        .take(TROUBLES_SHOWN)
        .map(|trouble| trouble.topic.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::health::assess;
    use crate::model::time::UtcMs;
    use crate::query::history::SourceSummary;

    fn row(state: SourceVerdict, last_ms: UtcMs) -> SourceStatus {
        let source = SourceSummary {
            host: "mx1001".to_owned(),
            kind: "exim".to_owned(),
            span_ms: Some((UtcMs::EPOCH, last_ms)),
            counts: Counts {
                lines: 1_000,
                ..Counts::default()
            },
            minutes: Vec::new(),
            local: None,
        };
        SourceStatus {
            source,
            health: assess(&[]),
            state,
            age_ms: None,
            lag_ms: None,
            held: None,
        }
    }

    #[test]
    fn a_store_without_sources_is_unknown_unless_an_alarm_fires() {
        let mut around = Surroundings::default();
        assert_eq!(severity(&concerns(&[], &around)), Severity::Unknown);
        around.refused = 1;
        assert_eq!(
            concerns(&[], &around),
            [Concern::Refused(1), Concern::NothingRead],
            "what is known is told all the same"
        );
        assert_eq!(severity(&concerns(&[], &around)), Severity::Unknown);
        around.alarms = 1;
        assert_eq!(severity(&concerns(&[], &around)), Severity::Critical);
    }

    #[test]
    fn the_gravest_decides_and_comes_first() {
        let rows = [
            row(SourceVerdict::Ok, UtcMs::EPOCH),
            row(SourceVerdict::Stale, UtcMs::EPOCH),
        ];
        let around = Surroundings::default();
        assert_eq!(severity(&concerns(&rows[..1], &around)), Severity::Good);
        assert_eq!(concerns(&rows, &around), [Concern::Stale]);
        assert_eq!(severity(&concerns(&rows, &around)), Severity::Warning);
        let rows = [
            row(SourceVerdict::Stale, UtcMs::EPOCH),
            row(SourceVerdict::Unreadable, UtcMs::EPOCH),
        ];
        assert_eq!(concerns(&rows, &around), [Concern::Unreadable, Concern::Stale]);
        assert_eq!(severity(&concerns(&rows, &around)), Severity::Critical);
    }

    #[test]
    fn many_lines_that_do_not_parse_are_a_warning() {
        let mut rows = [row(SourceVerdict::Ok, UtcMs::EPOCH)];
        rows[0].source.counts.unparsed = 10;
        assert!(concerns(&rows, &Surroundings::default()).is_empty());
        rows[0].source.counts.unparsed = 11;
        assert_eq!(concerns(&rows, &Surroundings::default()), [Concern::Unparsed]);
    }

    #[test]
    fn a_store_is_quiet_when_neither_lines_nor_heartbeats_come() {
        let rows = [
            row(SourceVerdict::Ok, UtcMs::new(1_000)),
            row(SourceVerdict::Ok, UtcMs::new(2_000)),
        ];
        assert_eq!(quiet_since(&rows, None, UtcMs::new(2_010), 10), None);
        assert_eq!(quiet_since(&rows, None, UtcMs::new(2_011), 10), Some(UtcMs::new(2_000)));
        assert_eq!(quiet_since(&rows, Some(UtcMs::new(2_005)), UtcMs::new(2_011), 10), None);
        assert_eq!(
            quiet_since(&[], Some(UtcMs::EPOCH), UtcMs::new(2_011), 10),
            None,
            "nothing has been read yet"
        );
        let around = Surroundings {
            silent_since_ms: Some(UtcMs::new(2_000)),
            ..Surroundings::default()
        };
        assert_eq!(concerns(&rows, &around), [Concern::Silent(UtcMs::new(2_000))]);
        let stale = [row(SourceVerdict::Stale, UtcMs::new(2_000))];
        assert_eq!(concerns(&stale, &around), [Concern::Stale], "the sources have names");
    }

    #[test]
    fn a_trouble_counts_once_it_lasts() {
        let trouble = |topic: &str, lasts_ms: i64| LastingTrouble {
            topic: topic.to_owned(),
            what: String::new(),
            since_ms: UtcMs::EPOCH,
            last_ms: UtcMs::new(lasts_ms),
            count: 1,
        };
        assert_eq!(lasting(&[trouble("ship", LASTS_MS - 1)]), [""; 0]);
        let many: Vec<LastingTrouble> = (0..9).map(|n| trouble(&n.to_string(), LASTS_MS)).collect();
        assert_eq!(lasting(&many), ["0", "1", "2", "3", "4"]);
    }
}
