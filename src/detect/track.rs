//! One service's counts before, in and after a window: what [`impact`](super::impact) judges by.

use super::civil::CivilClock;
use super::fleet::Id;
use super::holidays::{DayKind, Holidays};
use super::impact_question::{ImpactQuestion, Masked};
use super::rhythm::Rhythm;
use super::weekly::Weekly;
use mailpulse_time::Minute;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a holiday leaves of the expectation.
const HOLIDAY: f64 = 0.2;
/// The recovery is watched for so many minutes at most.
const WATCHED: usize = 240;

/// A service's counts.
#[derive(Debug, Clone)]
pub(super) struct Track {
    clock: CivilClock,
    holidays: Arc<Holidays>,
    /// The civil day and whether it is a holiday.
    day: (i32, bool),
    weekly: Weekly,
    /// The fleet's first minute.
    first: Minute,
    /// The first minute that is its own.
    pub begin: Minute,
    expected: f64,
    /// Minutes of the window that are holidays.
    pub holiday: i64,
    pub observed: u64,
    /// By host, in the window.
    pub through: BTreeMap<Id, u64>,
    pub failed: u64,
    pub retried: u64,
    pub first_failure: Option<Minute>,
    pub last_before: Option<Minute>,
    pub recovered: Option<Minute>,
    /// Minutes after the trouble: expected and observed.
    pub after: Vec<(f64, u64)>,
    /// The first of them, where it lies in the window.
    pub after_from: Option<Minute>,
    /// Mails before the window.
    pub usual: u64,
    /// From this minute on the name is other mail's, or nobody's.
    pub renamed: Option<Minute>,
}

impl Track {
    pub(crate) fn new(rhythm: &Rhythm, first: Minute) -> Track {
        Track {
            clock: CivilClock::new(rhythm.zone.clone()),
            holidays: Arc::clone(&rhythm.holidays),
            day: (i32::MIN, false),
            weekly: Weekly::default(),
            first,
            begin: first,
            expected: 0.0,
            holiday: 0,
            observed: 0,
            through: BTreeMap::new(),
            failed: 0,
            retried: 0,
            first_failure: None,
            last_before: None,
            recovered: None,
            after: Vec::new(),
            after_from: None,
            usual: 0,
            renamed: None,
        }
    }

    /// Mails that were to be expected in the window, with their standard error. Where the error is the larger, they are
    /// the mean of all that came before, which no masked minute can inflate.
    pub(crate) fn expectation(&self, question: &ImpactQuestion) -> (f64, f64) {
        let relative = self.weekly.relative_error();
        if relative < 1.0 {
            return (self.expected, relative * self.expected);
        }
        let part = (question.to - question.from) as f64 / (question.from - self.first).max(1) as f64;
        (self.usual as f64 * part, f64::INFINITY)
    }

    /// Its mail bears other names from a minute on: nothing is expected any more.
    pub(crate) fn rename(&mut self, at: Minute) {
        self.renamed.get_or_insert(at);
    }

    fn is_holiday(&mut self, at: Minute) -> bool {
        let day = self.clock.at(at.first_second().get()).day;
        if day != self.day.0 {
            self.day = (day, self.holidays.kind(day) == DayKind::Holiday);
        }
        self.day.1
    }

    /// Takes a minute: mails, mails that could not be handed in, and further attempts for them.
    pub(crate) fn minute(
        &mut self,
        at: Minute,
        [mails, failed, retried]: [u64; 3],
        masked: Option<Masked>,
        question: &ImpactQuestion,
    ) {
        let (wall, holiday) = (self.clock.wall(at.get()), self.is_holiday(at));
        let part = match (self.renamed, holiday) {
            (Some(_), _) => 0.0,
            (None, true) => HOLIDAY,
            (None, false) => 1.0,
        };
        let rate = self.weekly.rate(wall) * part;
        if at < question.from {
            match (masked, holiday) {
                (Some(Masked { seen: true, .. }), _) => self.weekly.pass(mails as f64),
                (Some(_), _) | (None, true) => {}
                (None, false) => self.weekly.add(wall, mails as f64),
            }
            self.usual += mails;
            self.last_before = if mails > 0 { Some(at) } else { self.last_before };
            return;
        }
        if at < question.to {
            self.expected += rate;
            self.holiday += i64::from(holiday);
            self.observed += mails;
            self.failed += failed;
            self.retried += retried;
            if failed > 0 {
                self.first_failure.get_or_insert(at);
            }
            // Where no relay says when it was over, the last failure does.
            if question.relay.is_none() && failed + retried > 0 {
                (self.recovered, self.after_from) = (None, Some(at + 1));
                self.after.clear();
                return;
            }
        }
        if at >= question.to || self.after_from.is_some() {
            if self.after.len() < WATCHED {
                self.after.push((rate, mails));
            }
            if mails > 0 {
                self.recovered.get_or_insert(at);
            }
        }
    }
}
