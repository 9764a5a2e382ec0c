//! Mail that the operator promised for set times: "one mail by 06:10, 20 minutes sooner or later, on weekdays". What is declared
//! needs no history, and no chance is weighed: a mail that has not come when its time is over is overdue.
//!
//! A time on a wall that does not exist on a day, or exists twice, is due from the first to the last moment that may be meant.
//! Of a time in which the log was not seen throughout, nothing is said.

use super::alarm::{LayerFinding, Turn};
use super::holidays::{DayKind, Holidays};
use jiff::civil::{Date, Time, date};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use mailpulse_time::{Minute, UtcS};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How sure a declared mail is that does not come: the operator said it.
const SCORE: f64 = 3.0;
/// Days ahead in which the next mail is looked for: holidays do not last longer.
const AHEAD_D: usize = 400;
/// A learned time this close to a declared one is the same, minutes.
const SAME: i64 = 10;

/// A mail that is promised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredTime {
    /// Whose.
    pub service: String,
    /// On the wall.
    pub time: Time,
    /// Minutes by which it may be early or late.
    pub grace_min: i64,
    /// A bit for each weekday, from Monday.
    pub weekdays: u8,
    /// Whose wall.
    pub zone: TimeZone,
    /// Days on which it is not due.
    pub holidays: Option<Arc<Holidays>>,
}

/// One mail that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DueMail {
    /// From when on it may come.
    pub from: Minute,
    /// When it is promised; of two moments, the later one.
    pub due: Minute,
    /// The last minute in which it is on time.
    pub until: Minute,
}

impl DeclaredTime {
    /// The mail of a day, if one is due.
    fn on(&self, day: Date) -> Option<DueMail> {
        let weekday = day.weekday().to_monday_zero_offset();
        if self.weekdays & (1 << weekday) == 0 {
            return None;
        }
        if let Some(holidays) = &self.holidays {
            let number = day.since(date(1970, 1, 1)).ok()?.get_days();
            if holidays.kind(number) == DayKind::Holiday {
                return None;
            }
        }
        let moment = self.zone.to_ambiguous_timestamp(day.to_datetime(self.time));
        let minute = |moment: Timestamp| UtcS::from(moment).minute();
        let (first, last) = (minute(moment.earlier().ok()?), minute(moment.later().ok()?));
        Some(DueMail {
            from: first - self.grace_min,
            due: last,
            until: last + self.grace_min,
        })
    }

    /// The first mail that is wholly due from a minute on.
    #[must_use]
    pub fn next(&self, at: Minute) -> Option<DueMail> {
        let moment = at.start().timestamp().ok()?;
        // Its time may have begun on the day before.
        let mut day = moment.to_zoned(self.zone.clone()).date().yesterday().ok()?;
        for _ in 0..AHEAD_D {
            match self.on(day) {
                Some(mail) if mail.from >= at => return Some(mail),
                _ => day = day.checked_add(1.day()).ok()?,
            }
        }
        None
    }

    /// A minute as its wall shows it: `06:30 Europe/Berlin`.
    fn clock(&self, at: Minute) -> String {
        let moment = at.start().timestamp().unwrap_or_default();
        let zoned = moment.to_zoned(self.zone.clone());
        format!(
            "{} {}",
            zoned.strftime("%H:%M"),
            self.zone.iana_name().unwrap_or("local time")
        )
    }

    /// What was promised: `06:10 ± 20 min`.
    #[must_use]
    pub fn promise(&self) -> String {
        format!("{} ± {} min", self.time.strftime("%H:%M"), self.grace_min)
    }
}

/// What became of a mail when its time was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DueOutcome {
    /// It came.
    OnTime,
    /// It did not.
    Missed,
    /// Nobody saw all of its time.
    Unknown,
}

/// A mail whose time has come or will come, and what was seen so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Watched {
    mail: DueMail,
    came: bool,
    blind: bool,
}

impl Watched {
    fn see(&mut self, at: Minute, count: Option<u32>) {
        if at >= self.mail.from {
            self.came |= count.is_some_and(|count| count > 0);
            self.blind |= count.is_none();
        }
    }

    /// What became of it, once its time is over.
    fn outcome(&self, at: Minute) -> Option<DueOutcome> {
        (at >= self.mail.until).then_some(match (self.came, self.blind) {
            (true, _) => DueOutcome::OnTime,
            (false, true) => DueOutcome::Unknown,
            (false, false) => DueOutcome::Missed,
        })
    }
}

/// What is overdue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct OverdueMail {
    /// When the last one that is missing was due.
    due: Minute,
    /// How many are missing.
    mails: u32,
}

/// One declared time as it is watched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct TimeState {
    next: Option<Watched>,
    overdue: Option<OverdueMail>,
}

/// What a minute brings of a declared time.
#[derive(Debug, Clone, PartialEq)]
pub struct DeclaredTurn {
    /// The number of the time.
    pub time: usize,
    /// What turns.
    pub turn: Turn,
    /// What there is to say of it.
    pub words: String,
}

/// All declared times as they are watched, in the order of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclaredState(Vec<TimeState>);

impl DeclaredState {
    /// How many times are watched.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes a minute: `count` says how many mails a service sent in it, nothing where that is not known.
    pub fn step(
        &mut self,
        at: Minute,
        times: &[DeclaredTime],
        count: impl Fn(&str) -> Option<u32>,
    ) -> Vec<DeclaredTurn> {
        self.0.resize(times.len(), TimeState::default());
        let mut turns = Vec::new();
        for (number, (time, state)) in times.iter().zip(&mut self.0).enumerate() {
            let said = state.step(at, time, count(&time.service));
            turns.extend(said.map(|(turn, words)| DeclaredTurn {
                time: number,
                turn,
                words,
            }));
        }
        turns
    }

    /// Whether a time that is learned would be one that is declared: a mail of this service is due in a minute, or nearly.
    pub fn covers(&self, at: Minute, times: &[DeclaredTime], service: &str) -> bool {
        let is_near = |mail: &DueMail| (mail.from - SAME..=mail.until + SAME).contains(&at);
        let mut of_it = times.iter().zip(&self.0).filter(|(time, _)| time.service == service);
        of_it.any(|(_, state)| state.next.is_some_and(|next| is_near(&next.mail)))
    }
}

impl TimeState {
    fn step(&mut self, at: Minute, time: &DeclaredTime, count: Option<u32>) -> Option<(Turn, String)> {
        if self.next.is_none_or(|next| next.mail.until < at) {
            let watched = |mail| Watched {
                mail,
                came: false,
                blind: false,
            };
            self.next = time.next(at).map(watched);
        }
        let said = match count {
            Some(1..) => self.comes(at, time),
            _ => None,
        };
        let Some(next) = self.next.as_mut() else { return said };
        next.see(at, count);
        if next.outcome(at) != Some(DueOutcome::Missed) {
            return said;
        }
        let mail = next.mail;
        let mails = self.overdue.map_or(0, |overdue| overdue.mails) + 1;
        self.overdue = Some(OverdueMail { due: mail.due, mails });
        if mails > 1 {
            return None;
        }
        let found = LayerFinding {
            onset: mail.due.get(),
            expected: 1.0,
            observed: 0.0,
            score: SCORE,
            provisional: false,
        };
        let words = format!(
            "{} was to send mail at {} (declared), and none came by {}",
            time.service,
            time.promise(),
            time.clock(mail.until)
        );
        Some((Turn::Opened(found), words))
    }

    /// A mail comes: what was overdue is so no more.
    fn comes(&mut self, at: Minute, time: &DeclaredTime) -> Option<(Turn, String)> {
        let overdue = self.overdue.take()?;
        let is_next = self.next.is_some_and(|next| at >= next.mail.from);
        let words = match (is_next, overdue.mails) {
            (false, 1) => format!("it came {} late, at {}", length(at - overdue.due), time.clock(at)),
            (false, mails) => format!(
                "it came {} late, at {}; {} did not come at all",
                length(at - overdue.due),
                time.clock(at),
                mails - 1
            ),
            (true, mails) => format!("{mails} did not come at all; the next came at {}", time.clock(at)),
        };
        Some((Turn::Closed(at.get()), words))
    }
}

/// Minutes in words.
fn length(minutes: i64) -> String {
    match minutes {
        0..120 => format!("{minutes} min"),
        _ => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}

/// What a declared time would have said of minutes that are past: each mail that was due with what became of it.
pub fn look_back(
    time: &DeclaredTime,
    (from, to): (Minute, Minute),
    count: impl Fn(Minute) -> Option<u32>,
) -> Vec<(DueMail, DueOutcome)> {
    let mut found = Vec::new();
    let mut at = from;
    while let Some(mail) = time.next(at).filter(|mail| mail.until < to) {
        let mut watched = Watched {
            mail,
            came: false,
            blind: false,
        };
        mail.from
            .up_to(mail.until + 1)
            .for_each(|minute| watched.see(minute, count(minute)));
        found.extend(watched.outcome(mail.until).map(|outcome| (mail, outcome)));
        at = mail.until + 1;
    }
    found
}
