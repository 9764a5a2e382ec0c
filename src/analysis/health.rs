//! Can a source still be read? A program's new version writes lines of a new shape, and every count of mail goes to zero
//! while the mail flows. So before any verdict on mail: do this source's lines parse as they always did?
//!
//! A pure function of a source's counts by minute, oldest first. Causal: give it the minutes up to a moment, and it says
//! what could be known then. Unparsed lines have no time of their own; they are counted in the minute of the last line
//! that had one. So the newest part of a log is taken by lines, not by the clock alone.
//!
//! A log in which all lines of an hour are other programs' says nothing of this one's mail either: the program may log
//! elsewhere by now, or under a name that nobody told us.

use crate::model::time::{HOUR_MS, UtcMs};
use crate::store::catalogue::Counts;

/// Lines that are judged: the newest minutes that hold as many together.
pub(crate) const RECENT_LINES: u64 = 500;
/// They reach back no further than this, milliseconds of the log's own time.
pub(crate) const RECENT_MS: i64 = HOUR_MS;
/// Of fewer lines nobody can say anything.
pub(crate) const LINES_MIN: u64 = 20;
/// Unparsed lines below this share are the odd lines that every log has.
pub(crate) const SHARE_MIN: f64 = 0.1;
/// So many times its own history is a jump.
pub(crate) const JUMP: f64 = 5.0;
/// From here on a log is unreadable, whatever its history.
pub(crate) const SHARE_UNREADABLE: f64 = 0.5;

/// Whether a source's lines parse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readability {
    /// As they always did.
    Ok,
    /// They do not: no verdict on the mail is possible.
    Unreadable,
    /// There are too few to say.
    Unknown,
}

/// Why a source cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnreadableCause {
    /// Its lines do not parse.
    Unparsed,
    /// They are all of other programs.
    Foreign,
}

/// How well a source parses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Health {
    /// The verdict.
    pub readability: Readability,
    /// Newest lines, as many as are judged.
    pub recent: Counts,
    /// The lines before these.
    pub history: Counts,
    /// Lines of the last hour of the log's own time.
    pub last_hour: Counts,
}

impl Health {
    /// Why it is unreadable.
    #[must_use]
    pub(crate) fn cause(&self) -> UnreadableCause {
        if is_foreign(self.last_hour.lines, self.last_hour.foreign) {
            UnreadableCause::Foreign
        } else {
            UnreadableCause::Unparsed
        }
    }
}

/// Whether the lines of an hour are all other programs', so that nothing is known of the log's own one.
#[must_use]
pub(crate) fn is_foreign(lines: u64, foreign: u64) -> bool {
    lines >= LINES_MIN && foreign == lines
}

/// Share of the lines that did not parse; 0 of none.
#[must_use]
pub(crate) fn unparsed_share(counts: &Counts) -> f64 {
    if counts.lines == 0 {
        return 0.0;
    }
    counts.unparsed as f64 / counts.lines as f64
}

/// Judges a source by its minutes (start, counts), oldest first.
#[must_use]
pub(crate) fn assess(minutes: &[(UtcMs, Counts)]) -> Health {
    let newest_ms = minutes.last().map_or(UtcMs::EPOCH, |(at, _)| *at);
    let (mut recent, mut history, mut last_hour) = (Counts::default(), Counts::default(), Counts::default());
    for (at, counts) in minutes.iter().rev() {
        let in_hour = newest_ms.since(*at) < RECENT_MS;
        if in_hour {
            last_hour.add(counts);
        }
        let wanted = in_hour && recent.lines < RECENT_LINES;
        if wanted { &mut recent } else { &mut history }.add(counts);
    }
    Health {
        readability: if is_foreign(last_hour.lines, last_hour.foreign) {
            Readability::Unreadable
        } else {
            verdict(&recent, &history)
        },
        recent,
        history,
        last_hour,
    }
}

fn verdict(recent: &Counts, history: &Counts) -> Readability {
    if recent.lines < LINES_MIN {
        return Readability::Unknown;
    }
    let share = unparsed_share(recent);
    let usual = unparsed_share(history);
    let jumped = share >= SHARE_MIN && share >= JUMP * usual && history.lines >= LINES_MIN;
    if share >= SHARE_UNREADABLE || jumped {
        Readability::Unreadable
    } else {
        Readability::Ok
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::model::time::MINUTE_MS;

    fn minutes(parts: &[(usize, u64, u64)]) -> Vec<(UtcMs, Counts)> {
        let each = parts.iter().flat_map(|(times, lines, unparsed)| {
            let counts = Counts {
                lines: *lines,
                events: lines - unparsed,
                unparsed: *unparsed,
                ..Counts::default()
            };
            std::iter::repeat_n(counts, *times)
        });
        each.enumerate()
            .map(|(at, counts)| (UtcMs::new(at as i64 * MINUTE_MS), counts))
            .collect()
    }

    fn readability(parts: &[(usize, u64, u64)]) -> Readability {
        assess(&minutes(parts)).readability
    }

    #[test]
    fn a_log_that_parses_is_ok_and_a_new_format_is_not() {
        assert_eq!(readability(&[(600, 50, 0)]), Readability::Ok);
        assert_eq!(readability(&[(600, 50, 0), (1, 400, 350)]), Readability::Unreadable);
        // Half of the lines of a new shape, such as one program of several.
        assert_eq!(readability(&[(600, 50, 0), (30, 50, 10)]), Readability::Unreadable);
        // It is repaired: what was is history.
        assert_eq!(readability(&[(600, 50, 0), (30, 50, 50), (60, 50, 0)]), Readability::Ok);
    }

    #[test]
    fn odd_lines_and_a_usual_share_are_no_jump() {
        assert_eq!(readability(&[(600, 50, 0), (10, 50, 2)]), Readability::Ok);
        assert_eq!(readability(&[(600, 50, 8)]), Readability::Ok);
        assert_eq!(readability(&[(600, 50, 8), (10, 50, 12)]), Readability::Ok);
    }

    #[test]
    fn most_lines_unparsed_is_unreadable_without_any_history() {
        assert_eq!(readability(&[(1, 600, 400)]), Readability::Unreadable);
        assert_eq!(readability(&[(600, 50, 40)]), Readability::Unreadable);
        assert_eq!(readability(&[(1, 600, 100)]), Readability::Ok);
    }

    #[test]
    fn a_few_lines_say_nothing() {
        assert_eq!(readability(&[]), Readability::Unknown);
        assert_eq!(readability(&[(1, 10, 10)]), Readability::Unknown);
        // Old lines are not judged with the new ones.
        let mut quiet = minutes(&[(600, 50, 0), (1, 5, 5)]);
        quiet.last_mut().unwrap().0 += 7 * 24 * RECENT_MS;
        assert_eq!(assess(&quiet).readability, Readability::Unknown);
    }

    #[test]
    fn an_hour_of_other_programs_lines_is_unreadable() {
        let hour = |foreign: u64, lines: u64| {
            let counts = Counts {
                lines,
                ignored: lines,
                foreign,
                ..Counts::default()
            };
            let mut all = minutes(&[(600, 50, 0)]);
            all.extend((600..660).map(|at| (UtcMs::new(at * MINUTE_MS), counts)));
            assess(&all)
        };
        let health = hour(2, 2);
        assert_eq!(
            (health.readability, health.cause()),
            (Readability::Unreadable, UnreadableCause::Foreign)
        );
        // The program speaks, if only of itself.
        assert_eq!(hour(1, 2).readability, Readability::Ok);
        // A few lines say nothing.
        let few = Counts {
            lines: 5,
            ignored: 5,
            foreign: 5,
            ..Counts::default()
        };
        assert_eq!(assess(&[(UtcMs::EPOCH, few)]).readability, Readability::Unknown);
    }

    #[test]
    fn every_line_is_in_one_part() {
        let health = assess(&minutes(&[(600, 50, 1)]));
        assert_eq!(health.recent.lines + health.history.lines, 600 * 50);
        assert_eq!(health.recent.lines, RECENT_LINES);
        assert_eq!(health.last_hour.lines, 60 * 50);
        assert!((unparsed_share(&health.last_hour) - 0.02).abs() < 1e-9);
    }
}
