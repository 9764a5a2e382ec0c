//! A busy series that is too young for its weeks to be known, and sends nothing at all: held against its longest gap so far.
//!
//! After a day that was seen in full, silence for ten times that gap is an alarm. The gap that is open when the day is
//! full counts as one. If it is itself more than ten times the longest before it, the series may send in batches, and
//! how long it rests between two of them is not known before the second one has come.
//!
//! The night of an office is a gap of that first day, so that neither a night nor a weekend of 62 hours (with a night of
//! 14) is ten times as long. A series without nights that rests at weekends alarms once, at its first.

use super::alarm::{LayerFinding, Turn};
use serde::{Deserialize, Serialize};

/// Minutes that must have been seen since the first mail: a day.
const COVERED: i64 = 1440;
/// So many times the longest gap is too long.
const TIMES: i64 = 10;
/// A series is busy from so many mails a day on, over the minutes that were seen up to its last mail.
pub const BUSY_PER_DAY: f64 = 100.0;
/// Mails after which a silence is over: one after hours is a test.
const BACK: u32 = 3;

/// A silence that was told.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct OpenGap {
    /// First minute with mail again, the last one since, and mails.
    back: Option<(i64, i64, u32)>,
    onset: i64,
}

/// One series.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Gap {
    /// Minutes that were seen since the first mail.
    covered: i64,
    mails: f64,
    /// Seen minutes from mail to mail, at most.
    longest: i64,
    /// Seen minutes without mail since the last one.
    open: i64,
    /// First minute after the last mail.
    since: Option<i64>,
    /// It rests between batches, who knows how long.
    rests: bool,
    told: Option<OpenGap>,
}

impl Gap {
    /// Whether a silence goes on that was told.
    pub fn is_told(&self) -> bool {
        self.told.is_some()
    }

    /// Takes a minute; `None` where a mail would not have been seen, or where its absence would be no wonder. Minutes come
    /// in order. A silence that lasts `retire` minutes is the end of the series.
    pub fn step(&mut self, at: i64, count: Option<u32>, retire: i64) -> Option<Turn> {
        let count = count?;
        if self.since.is_none() && count == 0 {
            return None;
        }
        self.covered += 1;
        self.mails += f64::from(count);
        if self.told.is_some() {
            return self.follow(at, count, retire);
        }
        if count == 0 {
            self.open += 1;
        } else {
            if self.since.is_some() {
                self.longest = self.longest.max(self.open + 1);
            }
            (self.open, self.since, self.rests) = (0, Some(at + 1), false);
        }
        if self.covered == COVERED {
            self.rests = self.is_too_long();
            if !self.rests {
                self.longest = self.longest.max(self.open);
            }
        }
        self.judge()
    }

    fn is_too_long(&self) -> bool {
        self.open > TIMES * self.longest.max(1)
    }

    /// Mails a seen minute, up to the last one.
    fn rate(&self) -> f64 {
        self.mails / (self.covered - self.open).max(1) as f64
    }

    fn judge(&mut self) -> Option<Turn> {
        let is_busy = self.rate() * 1440.0 >= BUSY_PER_DAY;
        if self.covered <= COVERED || self.rests || !is_busy || !self.is_too_long() {
            return None;
        }
        let onset = self.since?;
        self.told = Some(OpenGap { back: None, onset });
        Some(Turn::Opened(LayerFinding {
            onset,
            expected: self.rate() * self.open as f64,
            observed: 0.0,
            score: (self.open as f64 / (TIMES * self.longest.max(1)) as f64).log10(),
            provisional: false,
        }))
    }

    /// What led to an alarm is no usual gap, and is not learnt.
    fn follow(&mut self, at: i64, count: u32, retire: i64) -> Option<Turn> {
        let longest = self.longest.max(1);
        let told = self.told.as_mut()?;
        if count == 0 {
            told.back = told.back.filter(|(_, last, _)| at - last <= longest);
            let is_retired = told.back.is_none() && at - told.onset >= retire;
            return is_retired.then(|| self.close(at, at));
        }
        let (first, _, mails) = told.back.unwrap_or((at, at, 0));
        let mails = mails.saturating_add(count);
        told.back = Some((first, at, mails));
        (mails >= BACK && at > first).then(|| self.close(first, at))
    }

    fn close(&mut self, ended: i64, at: i64) -> Turn {
        (self.told, self.open, self.since) = (None, 0, Some(at + 1));
        Turn::Closed(ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 1440;
    const RETIRE: i64 = 28 * DAY;

    /// What a series of so many days tells, minute by minute.
    fn turns(days: i64, count: impl Fn(i64) -> Option<u32>) -> Vec<(i64, Turn)> {
        let mut gap = Gap::default();
        let step = |at| gap.step(at, count(at), RETIRE).map(|turn| (at, turn));
        (0..days * DAY).filter_map(step).collect()
    }

    fn opened(turns: &[(i64, Turn)]) -> Vec<i64> {
        let opened = |(at, turn): &(i64, Turn)| matches!(turn, Turn::Opened(_)).then_some(*at);
        turns.iter().filter_map(opened).collect()
    }

    #[test]
    fn a_busy_series_is_silent_after_ten_times_its_longest_gap_and_not_before_a_day_was_seen() {
        // Three minutes without mail at most, so that its gaps are of four.
        let mail = |at: i64| u32::from(at % 4 == 0);
        for (stop, opens) in [
            (1200, None),
            (2 * DAY, Some(2 * DAY + 37)),
            (5 * DAY, Some(5 * DAY + 37)),
        ] {
            let told = turns(7, |at| Some(if at < stop { mail(at) } else { 0 }));
            assert_eq!(opened(&told).first().copied(), opens, "{stop}: {told:?}");
        }
        // A silence that began on the first day and is no rest yet counts as a gap.
        let told = turns(3, |at| Some(if at < DAY - 20 { mail(at) } else { 0 }));
        assert!((DAY + 100..DAY + 300).contains(&opened(&told)[0]), "{told:?}");
    }

    #[test]
    fn the_end_is_the_first_mail_of_a_recovery_and_a_test_is_none() {
        let (stop, back) = (3 * DAY, 3 * DAY + 360);
        let told = turns(5, |at| {
            let mails = !(stop..back).contains(&at) || at == stop + 200;
            Some(u32::from(mails && at % 4 == 0))
        });
        assert_eq!(opened(&told), [stop + 37]);
        let Turn::Opened(found) = told[0].1 else {
            panic!("{told:?}")
        };
        assert_eq!((found.onset, found.provisional), (stop - 3, false));
        assert!((9.0..12.0).contains(&found.expected), "{found:?}");
        assert_eq!(told[1].1, Turn::Closed(back), "{told:?}");
    }

    #[test]
    fn a_minute_that_nobody_saw_is_neither_silence_nor_experience() {
        let mail = |at: i64| Some(u32::from(at % 4 == 0));
        let told = turns(5, |at| if at < 3 * DAY { mail(at) } else { None });
        assert_eq!(told, [], "blind");
        // Eleven hours a day are seen: the day is full in the third.
        let seen = |at: i64| at % DAY < 11 * 60;
        for (stop, is_told) in [(2 * DAY, false), (3 * DAY, true)] {
            let told = turns(stop / DAY + 1, |at| match seen(at) {
                true if at >= stop => Some(0),
                true => mail(at),
                false => None,
            });
            // One that is silent from before the full day on has a gap of hours.
            assert_eq!(!told.is_empty(), is_told, "{stop}: {told:?}");
        }
    }

    #[test]
    fn batches_speak_after_the_second_one_and_offices_rest_at_night_and_at_weekends() {
        // Two hundred mails at two in the night, from whatever minute on it is seen.
        for first in [0, 120, 700] {
            let batch = |at: i64| Some(if (at + first) % DAY == 125 { 200 } else { 0 });
            assert_eq!(turns(14, batch), [], "{first}");
            let once = |at: i64| batch(at).filter(|_| at + first < DAY).or(Some(0));
            assert_eq!(turns(14, once), [], "{first}: one batch is no rhythm");
            let twice = |at: i64| batch(at).filter(|_| at + first < 2 * DAY).or(Some(0));
            let told = opened(&turns(14, twice));
            assert_eq!(told.len(), usize::from(first < 700), "{first}: {told:?}");
            assert!(told.iter().all(|at| *at > 10 * DAY), "{told:?}");
        }
        // An office with days of ten hours, seen first at any hour of any day of its week.
        for start in (0..7 * DAY).step_by(95) {
            let told = turns(14, |at| {
                let at = at + start;
                let works = at / DAY % 7 < 5 && (8 * 60..18 * 60).contains(&(at % DAY));
                Some(u32::from(works && at % 3 == 0))
            });
            assert_eq!(told, [], "begun {start}");
        }
    }

    #[test]
    fn few_mails_are_no_busy_series_and_a_silence_for_weeks_is_an_end() {
        let rare = turns(10, |at| Some(u32::from(at % 30 == 0 && at < 3 * DAY)));
        assert_eq!(rare, [], "48 a day");
        let told = turns(40, |at| Some(u32::from(at % 4 == 0 && at < 3 * DAY)));
        assert_eq!(told.len(), 2, "{told:?}");
        let Turn::Closed(ended) = told[1].1 else {
            panic!("{told:?}")
        };
        assert!((ended - 3 * DAY - RETIRE).abs() < 5, "{ended}");
    }
}
