//! A busy series that falls silent: certain within minutes, by the time since its last mail in expected mails.

use super::adaptive_threshold::AdaptiveThreshold;
use super::alarm::{LayerFinding, Turn};
use super::civil::LocalMinute;
use super::weekly::Weekly;
use serde::{Deserialize, Serialize};

/// Expectation is taken this much lower, so that a slow day is no silence.
const CAUTION: f64 = 0.7;
/// How much a witness's word is worth, in nats of evidence.
const WITNESS: f64 = 7.0;
/// What a holiday leaves of the expectation.
const HOLIDAY: f64 = 0.2;
/// Where most of the mail is one service's that has stopped, so much of the others' must be missing, in nats: as much as
/// a service that leads by little leaves of the usual limit.
const OTHERS: f64 = 4.0;
/// Silences shorter than this are deployments and restarts, minutes.
const RESTART: i64 = 2;
/// After so many days a silence is the new normal.
const ACCEPT: i64 = 5 * 1440;
/// Shorter silences belong together if they come within so many minutes.
const FLAP: i64 = 3;

/// What a minute tells.
#[derive(Debug, Clone, Copy)]
pub struct RelayMinute {
    /// Mails.
    pub count: u32,
    /// Whether a mail, had there been one, would have been counted.
    pub seen: bool,
    /// Hour and day.
    pub day: LocalMinute,
    /// Somebody else says that nobody is there.
    pub witnessed: bool,
    /// Whose mail is asked for.
    pub others: Others,
}

/// The mail by which a silence is to be judged: all, or what is not a service's that has fallen silent.
#[derive(Debug, Clone, Copy)]
pub struct Others {
    /// Its part of the usual mail, 0 to 1.
    pub part: f64,
    /// The service is known to be silent: for days there may be many such moments.
    pub known: bool,
}

impl Default for Others {
    fn default() -> Self {
        Others {
            part: 1.0,
            known: false,
        }
    }
}

impl Others {
    /// Without a part that is known to be missing for another reason.
    pub fn without(self, part: f64) -> Others {
        Others {
            part: (self.part - part).max(0.0),
            known: true,
        }
    }

    fn are_all(self) -> bool {
        self.part >= 1.0
    }

    /// Whether they are missing, if `gap` mails are missing in all.
    fn are_missing(self, gap: f64, rate: f64) -> bool {
        let least = if self.known { least(self.part * rate) } else { OTHERS };
        self.are_all() || self.part * gap > least
    }
}

/// Expected mails that must be missing of a series of this rate, whatever its habits.
fn least(rate: f64) -> f64 {
    (90.0 * 1440.0 * rate.clamp(0.001, 1000.0)).ln().max(8.0)
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct OpenSilence {
    onset: i64,
    /// First minute with mail again, and mails since.
    back: Option<(i64, f64)>,
}

/// One series.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Silence {
    /// What is usual.
    pub weekly: Weekly,
    threshold: AdaptiveThreshold,
    gap: f64,
    /// First minute after the last mail.
    since: Option<i64>,
    open: Option<OpenSilence>,
}

impl Silence {
    /// Expected mails since the last one.
    pub fn gap(&self) -> f64 {
        self.gap
    }

    /// Whether it is silent.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// First minute after the last mail.
    pub fn since(&self) -> Option<i64> {
        self.since
    }

    /// How many expected mails must be missing.
    fn limit(&self, rate: f64, witnessed: bool) -> f64 {
        let limit = self.threshold.limit(least(rate));
        if witnessed { (limit - WITNESS).max(4.0) } else { limit }
    }

    /// Takes a minute without judging it: nights and weekends that come before anything is known are learnt too. Whatever is
    /// missing of what is `known` is a habit: at the end of office hours some mail always is.
    pub fn learn(&mut self, at: i64, heard: RelayMinute, known: bool) {
        if !heard.seen {
            return;
        }
        if heard.count > 0 {
            if known {
                self.threshold.note(at, self.gap);
            }
            (self.gap, self.since) = (0.0, Some(at + 1));
        } else {
            self.gap += CAUTION * self.weekly.rate(heard.day.wall);
        }
        if !heard.day.holiday {
            self.weekly.add(heard.day.wall, f64::from(heard.count));
        }
    }

    /// Takes a minute.
    pub fn step(&mut self, at: i64, heard: RelayMinute) -> Option<Turn> {
        if !heard.seen {
            return None;
        }
        let rate = self.weekly.rate(heard.day.wall);
        if self.open.is_some() {
            return self.follow(at, heard, rate);
        }
        if heard.count > 0 {
            // What a service that stopped leaves is no habit of the relay's.
            if heard.others.are_all() || self.gap < self.limit(rate, false) {
                self.threshold.note(at, self.gap);
            }
            (self.gap, self.since) = (0.0, Some(at + 1));
        } else {
            self.gap += CAUTION * rate * if heard.day.holiday { HOLIDAY } else { 1.0 };
        }
        let (limit, since) = (self.limit(rate, heard.witnessed), self.since?);
        let is_others = heard.witnessed || heard.others.are_missing(self.gap, rate);
        if self.gap > limit && is_others && at - since >= RESTART - 1 && self.weekly.is_supported() {
            self.open = Some(OpenSilence {
                onset: since,
                back: None,
            });
            self.threshold.forget_today();
            return Some(Turn::Opened(LayerFinding {
                onset: since,
                expected: self.gap / CAUTION,
                observed: 0.0,
                score: (self.gap - limit) / std::f64::consts::LN_10,
                provisional: !heard.witnessed && self.weekly.days() < 2.0,
            }));
        }
        // Minutes of a silence in the making are not learnt: neither way does it matter much if they are few.
        if self.gap < 0.5 * limit && !heard.day.holiday {
            self.weekly.add(heard.day.wall, f64::from(heard.count));
        }
        None
    }

    fn follow(&mut self, at: i64, heard: RelayMinute, rate: f64) -> Option<Turn> {
        let open = self.open.as_mut()?;
        if heard.count == 0 {
            if let Some((back, mails)) = open.back
                && at - back >= FLAP.max((3.0 / rate.max(0.01)) as i64)
            {
                // A single mail after hours of silence is a test, not a recovery.
                let is_back = mails >= 0.2 * rate * (at - back) as f64;
                open.back = None;
                return is_back.then(|| self.close(back, at));
            }
            if at - open.onset > ACCEPT {
                return Some(self.close(at, at));
            }
            return None;
        }
        let (back, mails) = open.back.unwrap_or((at, 0.0));
        let mails = mails + f64::from(heard.count);
        open.back = Some((back, mails));
        let enough = mails >= 3.0 && mails >= 0.2 * rate * (at - back + 1) as f64;
        (enough && at - back >= FLAP).then(|| self.close(back, at))
    }

    fn close(&mut self, back: i64, at: i64) -> Turn {
        (self.open, self.gap, self.since) = (None, 0.0, Some(at + 1));
        Turn::Closed(back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mail_in_the_first_minute_is_no_rate() {
        let mut silence = Silence::default();
        for at in 59..3 * 1440 {
            let turn = silence.step(
                at,
                RelayMinute {
                    count: u32::from(at == 59),
                    seen: true,
                    day: LocalMinute {
                        wall: at,
                        holiday: false,
                    },
                    witnessed: false,
                    others: Others::default(),
                },
            );
            assert_eq!(turn, None, "{at}");
        }
    }
}
