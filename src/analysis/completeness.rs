//! From when on volume alarms are complete: two weeks of history make no week, and whoever reads "no alarm" has to know.

use crate::analysis::alarms::minute;
use crate::detect::engine::Engine;
use crate::detect::tuning::Tuning;
use crate::detect::volume::Complete;
use crate::model::time::{DAY_MS, UtcMs, UtcS, rfc3339};

/// From when on volume alarms are complete, as every command that tells alarms says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Completeness(Option<Complete>);

impl Completeness {
    /// Of a replay.
    pub(crate) fn of(engine: &Engine) -> Completeness {
        Completeness(engine.complete())
    }

    /// Of what is known otherwise.
    pub(crate) fn new(complete: Option<Complete>) -> Completeness {
        Completeness(complete)
    }

    /// The minute's first second; `None` before the first mail.
    pub(crate) fn second(self) -> Option<UtcS> {
        self.0.map(|complete| complete.from.first_second())
    }

    /// RFC 3339, for JSON.
    pub(crate) fn time(self) -> Option<String> {
        self.0.map(|complete| minute(complete.from))
    }

    /// One sentence.
    pub(crate) fn words(self) -> String {
        let Some(Complete { from, series, young }) = self.0 else {
            return "volume alarms are complete after 14 days of history; there is no mail yet".to_owned();
        };
        let from = minute(from);
        match young {
            0 => {
                format!("volume alarms are complete from {from} on (14 days of history); before, they are provisional")
            }
            _ => format!(
                "volume alarms are complete from {from} on (14 days of history); until then those of {young} of {series} series \
                 are provisional"
            ),
        }
    }
}

/// From when on volume alarms are complete, as far as that is known without a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CompleteFrom {
    /// The time.
    pub at: UtcS,
    /// `watch` has not judged this store: by the age of its first event alone.
    is_guess: bool,
}

impl CompleteFrom {
    /// As `watch` has found, or by the first event; `None` for a store without mail.
    pub(crate) fn of(found: Option<UtcS>, first_ms: Option<UtcMs>) -> Option<CompleteFrom> {
        let young_ms = i64::from(Tuning::default().provisional_d) * DAY_MS;
        let guess = first_ms.map(|first| CompleteFrom {
            at: (first.floor_to(DAY_MS) + DAY_MS + young_ms).second(),
            is_guess: true,
        });
        let found = found.map(|at| CompleteFrom { at, is_guess: false });
        found.or(guess)
    }

    /// RFC 3339, for JSON.
    pub(crate) fn time(self) -> String {
        rfc3339(self.at.start())
    }

    /// One sentence.
    pub(crate) fn words(self) -> String {
        let by = match self.is_guess {
            true => ", by the age of the first event",
            false => "",
        };
        format!(
            "volume alarms are complete from {} on (14 days of history{by}); before, they are provisional",
            self.time()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_replay_the_first_event_says_when_alarms_are_complete() {
        // 2018-06-06 11:00: fourteen days from the next midnight on.
        let first_ms = Some(1_528_282_800_000);
        let guess = CompleteFrom::of(None, first_ms.map(UtcMs::new)).unwrap();
        assert_eq!(guess.time(), "2018-06-21T00:00:00Z");
        assert!(guess.words().contains("by the age of the first event"));
        let found = CompleteFrom::of(Some(UtcS::new(1_528_300_000)), first_ms.map(UtcMs::new)).unwrap();
        assert_eq!(found.at, UtcS::new(1_528_300_000));
        assert!(!found.words().contains("by the age"));
        assert_eq!(CompleteFrom::of(None, None), None);
    }
}
