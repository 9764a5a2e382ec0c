//! The service that makes most of a relay's mail. If it falls silent, so nearly does the relay's total: that is the service's
//! trouble as long as the others' mail is not missing too.

use super::alarm::Turn;
use super::civil::LocalMinute;
use super::fleet::Id;
use super::membership::EXPLAINS;
use super::silence::{Others, RelayMinute, Silence};
use serde::{Deserialize, Serialize};

/// A relay that has no other mail worth the name is as silent as its one service.
pub(super) const ALONE: f64 = 0.995;
/// Minutes that are only learnt: a service keeps office hours and weekends, and each day of the week must have come twice.
const LEARN: i64 = 14 * 1440;
/// How often the parts are looked at, minutes.
const LOOK: i64 = 60;

/// A relay's leading service, if it has one.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Leading {
    service: Option<Id>,
    /// The minute since which it leads.
    since: i64,
    part: f64,
    silence: Silence,
    /// It has sent nothing since it fell silent.
    stopped: bool,
}

impl Leading {
    /// Which service leads.
    pub(crate) fn service(&self) -> Option<Id> {
        self.service
    }

    /// The part of the relay's mail by which its silence is to be judged: what is not the leading service's, if that sends
    /// nothing, here or elsewhere, since `since`, the relay's first minute without mail.
    pub(crate) fn others(&self, since: Option<i64>) -> Others {
        let last = self.silence.since();
        let is_silent = last.is_some_and(|last| since.is_some_and(|since| last <= since));
        if self.service.is_some() && (self.stopped || is_silent) {
            Others {
                part: 1.0 - self.part,
                known: self.stopped,
            }
        } else {
            Others::default()
        }
    }

    /// Takes a minute: mails of every service as `count` says, whether they would have been seen, and what the minute is to
    /// those who send.
    pub(crate) fn step(
        &mut self,
        at: i64,
        seen: bool,
        day: impl FnOnce(Id) -> LocalMinute,
        count: impl Fn(Id) -> u32,
    ) -> Option<(Id, Turn)> {
        let service = self.service?;
        let count = count(service);
        let heard = RelayMinute {
            count,
            seen,
            day: day(service),
            witnessed: false,
            others: Others::default(),
        };
        if at - self.since < LEARN {
            self.silence.learn(at, heard, at - self.since >= LEARN / 2);
            return None;
        }
        let turn = self.silence.step(at, heard)?;
        self.stopped = match turn {
            Turn::Opened(_) => true,
            // Over because it is the new usual, not because there is mail.
            Turn::Closed(_) => false,
        };
        Some((service, turn))
    }

    /// Takes the parts of the relay's mail, by service: which of them leads is asked once an hour.
    pub(crate) fn look(&mut self, at: i64, parts: impl Iterator<Item = (Id, f64)>) {
        if at % LOOK != 0 || self.stopped {
            return;
        }
        let most = parts.max_by(|a, b| a.1.total_cmp(&b.1));
        let leading = most.filter(|(_, part)| (EXPLAINS..ALONE).contains(part));
        let service = leading.map(|(service, _)| service);
        self.part = leading.map_or(0.0, |(_, part)| part);
        if service != self.service {
            (self.service, self.since, self.silence) = (service, at, Silence::default());
        }
    }
}
