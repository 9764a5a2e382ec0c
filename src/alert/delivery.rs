//! What becomes of notices that a channel was given, and what is done about those that it does not take.
//!
//! A receiver that cannot be reached, or that asks to wait, holds up all of its notices: they keep their order. One notice
//! that it refuses holds up no other: it goes aside, and is tried again later and later.

use super::Notice;
use crate::model::time::UtcS;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Most notices that are aside for a channel; beyond it the oldest are given up, and said.
const ASIDE_MAX: usize = 100;
/// A notice that was refused for so long is given up, and said.
const GIVEN_UP_S: i64 = 7 * 86_400;
/// From refusal to the next try: doubled each time, up to the second.
const AGAIN_S: (i64, i64) = (60, 3_600);
/// So often in a row an error that may be the receiver's own holds up the others.
const STUCK_MAX: u32 = 5;
/// Longest time that a receiver may ask to be left alone.
pub(super) const WAIT_MAX_S: i64 = 600;
/// Characters that are kept of a reason.
const WHY_MAX: usize = 600;
/// Reasons that are reported of one round and channel.
const REASONS_MAX: usize = 5;

/// Whose fault it is that a notice was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeliveryFault {
    /// The channel's: no other notice would be taken either.
    Channel,
    /// The notice's: the receiver says that it will not take it.
    Notice,
    /// It may be either's: an error inside the receiver.
    Unclear,
}

/// Why something was not delivered, for people; a later round tries again.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{why}")]
pub(crate) struct Undelivered {
    /// Why, and what to do.
    pub why: String,
    /// Whose fault it is.
    pub fault: DeliveryFault,
    /// The receiver asks for so many seconds.
    pub wait_s: Option<i64>,
}

impl Undelivered {
    /// A fault of the channel.
    pub(crate) fn channel(why: impl Into<String>) -> Self {
        Undelivered {
            why: why.into(),
            fault: DeliveryFault::Channel,
            wait_s: None,
        }
    }

    /// With another fault.
    pub(crate) fn with(self, fault: DeliveryFault) -> Self {
        Undelivered { fault, ..self }
    }
}

/// What became of each notice, in their order; `None` was not tried.
pub(crate) type Results = Vec<Option<Result<(), Undelivered>>>;

/// Delivers one by one, and stops where the others would not be taken either.
pub(super) fn one_by_one(notices: &[Notice], mut send: impl FnMut(&Notice) -> Result<(), Undelivered>) -> Results {
    let mut results = Vec::with_capacity(notices.len());
    for notice in notices {
        let result = send(notice);
        let goes_on = !matches!(&result, Err(why) if why.fault != DeliveryFault::Notice);
        results.push(Some(result));
        if !goes_on {
            break;
        }
    }
    results.resize_with(notices.len(), || None);
    results
}

/// A notice that was refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Aside {
    notice: Notice,
    /// How often it was refused.
    tries: u32,
    since: UtcS,
    next: UtcS,
}

/// Deliveries that fail, as they were tried last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Failing {
    /// Seconds since 1970.
    pub since: UtcS,
    /// When it was tried last.
    pub last: UtcS,
    /// Why the last try failed.
    pub why: String,
}

/// What a channel is not through with, beside the queue.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Backlog {
    /// Refused, oldest first.
    pub aside: Vec<Aside>,
    /// Until when the receiver asked to be left alone.
    pub wait_until: UtcS,
    /// How often in a row the first of the queue met an error that may be the receiver's own.
    stuck: u32,
    /// What was tried last and not delivered; gone when all that was tried is taken and nothing is aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    failing: Option<Failing>,
}

impl Backlog {
    /// Nothing worth keeping.
    pub(super) fn is_empty(&self) -> bool {
        *self == Backlog::default()
    }

    /// Why something is not delivered.
    pub(super) fn failing(&self) -> Option<&Failing> {
        self.failing.as_ref()
    }

    fn note(&mut self, results: &Results, now: UtcS) {
        let failed = results.iter().flatten().find_map(|result| result.as_ref().err());
        match (failed, &mut self.failing) {
            (Some(why), Some(failing)) => (failing.last, failing.why) = (now, super::safe(&why.why, WHY_MAX)),
            (Some(why), None) => {
                self.failing = Some(Failing {
                    since: now,
                    last: now,
                    why: super::safe(&why.why, WHY_MAX),
                });
            }
            (None, _) if self.aside.is_empty() && results.iter().any(Option::is_some) => self.failing = None,
            (None, _) => {}
        }
    }

    /// Whether the receiver asked to be left alone still. A clock that was set back must not make it wait longer.
    pub(super) fn waits(&self, now: UtcS) -> bool {
        (now..=now + WAIT_MAX_S).contains(&self.wait_until) && self.wait_until > now
    }

    /// Whether this is aside.
    pub(super) fn holds(&self, notice: &Notice) -> bool {
        self.aside.iter().any(|aside| is_same(&aside.notice, notice))
    }

    /// What is tried in this round: what is aside and due, then the queue, then what fires and is sent again.
    pub(super) fn round<'n>(
        &self,
        now: UtcS,
        queue: impl Iterator<Item = &'n Notice>,
        again: &[Notice],
    ) -> DeliveryRound {
        let due = |aside: &&Aside| aside.next <= now || aside.next > now + AGAIN_S.1;
        let mut notices: Vec<Notice> = self
            .aside
            .iter()
            .filter(due)
            .map(|aside| aside.notice.clone())
            .collect();
        let from_aside = notices.len();
        notices.extend(queue.cloned());
        let from_queue = notices.len() - from_aside;
        // What waits is reported in this round anyway.
        let queued: Vec<Notice> = notices[from_aside..].to_vec();
        let is_new = |notice: &&Notice| !self.holds(notice) && !queued.iter().any(|one| is_same(one, notice));
        notices.extend(again.iter().filter(is_new).cloned());
        DeliveryRound {
            notices,
            from_aside,
            from_queue,
        }
    }

    /// Takes over what became of a round; what there is to tell.
    pub(super) fn settle(
        &mut self,
        round: &DeliveryRound,
        results: &Results,
        queue: &mut VecDeque<Notice>,
        now: UtcS,
    ) -> Vec<Undelivered> {
        let mut failures = FailureReasons::default();
        let mut stays = VecDeque::new();
        for (at, (notice, result)) in round.notices.iter().zip(results).enumerate() {
            let is_queued = (round.from_aside..round.from_aside + round.from_queue).contains(&at);
            match result {
                Some(Ok(())) => {
                    self.taken(notice);
                    self.stuck = if is_queued { 0 } else { self.stuck };
                }
                Some(Err(why)) => {
                    if let Some(wait_s) = why.wait_s {
                        self.wait_until = now + wait_s.clamp(1, WAIT_MAX_S);
                    }
                    let goes_aside = match why.fault {
                        DeliveryFault::Channel => false,
                        DeliveryFault::Notice => true,
                        DeliveryFault::Unclear if is_queued => {
                            self.stuck += 1;
                            self.stuck >= STUCK_MAX
                        }
                        DeliveryFault::Unclear => at < round.from_aside,
                    };
                    match goes_aside {
                        true => {
                            let next_s = self.refuse(notice, now);
                            self.stuck = 0;
                            failures.refused(notice, why, next_s);
                        }
                        false => {
                            failures.add(why.clone());
                            stays.extend(is_queued.then(|| notice.clone()));
                        }
                    }
                }
                None => stays.extend(is_queued.then(|| notice.clone())),
            }
        }
        *queue = stays;
        let lost = self.give_up(now, &mut failures);
        self.note(results, now);
        if lost > 0 && self.aside.is_empty() && queue.is_empty() {
            self.failing = None;
        }
        failures.all
    }

    /// It is delivered: the same need not be tried again, and an end goes before a beginning that was refused.
    fn taken(&mut self, notice: &Notice) {
        self.aside.retain(|aside| {
            aside.notice.id != notice.id || aside.notice.status() != notice.status() && notice.ends.is_none()
        });
    }

    /// Puts it aside, or leaves it there for longer; in how many seconds it is tried again.
    fn refuse(&mut self, notice: &Notice, now: UtcS) -> i64 {
        let known = self.aside.iter_mut().find(|aside| is_same(&aside.notice, notice));
        let tries = known.as_ref().map_or(0, |aside| aside.tries);
        let next_s = AGAIN_S.1.min(AGAIN_S.0 << tries.min(10));
        match known {
            Some(aside) => (aside.tries, aside.next) = (tries + 1, now + next_s),
            None => self.aside.push(Aside {
                notice: notice.clone(),
                tries: 1,
                since: now,
                next: now + next_s,
            }),
        }
        next_s
    }

    /// Gives up what is aside for too long, or is too much; how many.
    fn give_up(&mut self, now: UtcS, failures: &mut FailureReasons) -> usize {
        let before = self.aside.len();
        self.aside.retain(|aside| now - aside.since <= GIVEN_UP_S);
        let over = self.aside.len().saturating_sub(ASIDE_MAX);
        self.aside.drain(..over);
        let lost = before - self.aside.len();
        if lost > 0 {
            let why = format!("gave up {lost} refused notices");
            failures.all.push(Undelivered::channel(why));
        }
        lost
    }
}

/// The same word of the same episode.
fn is_same(one: &Notice, other: &Notice) -> bool {
    one.id == other.id && one.status() == other.status()
}

/// What is given to a channel.
#[derive(Debug, Default)]
pub(super) struct DeliveryRound {
    /// Notices, in the order in which they are to be sent.
    pub notices: Vec<Notice>,
    from_aside: usize,
    from_queue: usize,
}

/// Reasons, each once, a few.
#[derive(Default)]
struct FailureReasons {
    all: Vec<Undelivered>,
}

impl FailureReasons {
    fn add(&mut self, why: Undelivered) {
        if self.all.len() < REASONS_MAX && self.all.iter().all(|failures| failures.why != why.why) {
            self.all.push(why);
        }
    }

    fn refused(&mut self, notice: &Notice, why: &Undelivered, next_s: i64) {
        let id = super::safe(&notice.id, 200);
        self.add(Undelivered {
            why: format!(
                "{} (notice {id}; the others are sent, and this one is tried again in {next_s} s)",
                why.why
            ),
            ..why.clone()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(id: &str, ends: Option<i64>) -> Notice {
        Notice {
            id: id.to_owned(),
            kind: "service".to_owned(),
            name: id.to_owned(),
            state: "dropped".to_owned(),
            relay: None,
            summary: String::new(),
            description: String::new(),
            starts: UtcS::new(1),
            ends: ends.map(UtcS::new),
            alarm: serde_json::Value::Null,
            now: None,
        }
    }

    fn queue(ids: &[&str]) -> VecDeque<Notice> {
        ids.iter().map(|id| notice(id, None)).collect()
    }

    fn ids<'n>(notices: impl IntoIterator<Item = &'n Notice>) -> Vec<&'n str> {
        notices.into_iter().map(|notice| notice.id.as_str()).collect()
    }

    /// One round in which the receiver answers by the notice.
    fn run(
        backlog: &mut Backlog,
        queue: &mut VecDeque<Notice>,
        now: UtcS,
        mut answer: impl FnMut(&Notice) -> Result<(), DeliveryFault>,
    ) -> Vec<String> {
        let round = backlog.round(now, queue.iter(), &[]);
        let send = |notice: &Notice| answer(notice).map_err(|fault| Undelivered::channel("no").with(fault));
        let results = one_by_one(&round.notices, send);
        let failures = backlog.settle(&round, &results, queue, now);
        failures.into_iter().map(|why| why.why).collect()
    }

    #[test]
    fn a_receiver_that_is_away_keeps_the_order_and_one_notice_that_is_refused_goes_aside() {
        let (mut backlog, mut waiting) = (Backlog::default(), queue(&["a", "b", "c"]));
        run(&mut backlog, &mut waiting, UtcS::EPOCH, |_| Err(DeliveryFault::Channel));
        assert_eq!(ids(&waiting), ["a", "b", "c"]);
        let refuse_b = |notice: &Notice| {
            if notice.id == "b" {
                Err(DeliveryFault::Notice)
            } else {
                Ok(())
            }
        };
        let failures = run(&mut backlog, &mut waiting, UtcS::EPOCH, refuse_b);
        assert!(
            failures[0].contains("notice b; the others are sent, and this one is tried again in 60 s"),
            "{failures:?}"
        );
        assert!(waiting.is_empty() && backlog.holds(&notice("b", None)));
        // Later and later, and at last not at all.
        let mut tries = Vec::new();
        for now in 0..8 * 86_400 {
            let before = backlog.aside.first().map_or(0, |aside| aside.tries);
            run(&mut backlog, &mut waiting, UtcS::new(now), refuse_b);
            if backlog.aside.first().is_some_and(|aside| aside.tries > before) {
                tries.push(now);
            }
        }
        assert_eq!(tries[..4], [60, 180, 420, 900]);
        assert!(
            tries.windows(2).all(|pair| pair[1] - pair[0] <= 3_600) && tries.len() > 160,
            "{}",
            tries.len()
        );
        assert!(backlog.is_empty(), "given up after a week");
    }

    #[test]
    fn a_refusal_keeps_its_words_while_it_is_aside() {
        let (mut backlog, mut waiting) = (Backlog::default(), queue(&["a", "b"]));
        run(&mut backlog, &mut waiting, UtcS::new(5), |notice| {
            if notice.id == "a" {
                Err(DeliveryFault::Notice)
            } else {
                Ok(())
            }
        });
        waiting.push_back(notice("c", None));
        // Another notice that is taken does not say that the first one was.
        run(&mut backlog, &mut waiting, UtcS::new(6), |_| Ok(()));
        let failing = backlog.failing().unwrap();
        assert_eq!((failing.since, failing.why.as_str()), (UtcS::new(5), "no"));
        run(&mut backlog, &mut waiting, UtcS::new(65), |_| Ok(()));
        assert!(backlog.failing().is_none() && backlog.is_empty(), "{backlog:?}");
    }

    #[test]
    fn an_error_inside_the_receiver_holds_up_five_times() {
        let (mut backlog, mut waiting) = (Backlog::default(), queue(&["a", "b"]));
        let poison = |notice: &Notice| {
            if notice.id == "a" {
                Err(DeliveryFault::Unclear)
            } else {
                Ok(())
            }
        };
        for round in 1..STUCK_MAX {
            run(&mut backlog, &mut waiting, UtcS::EPOCH, poison);
            assert_eq!(ids(&waiting), ["a", "b"], "{round}");
        }
        run(&mut backlog, &mut waiting, UtcS::EPOCH, poison);
        assert_eq!(ids(&waiting), ["b"]);
        run(&mut backlog, &mut waiting, UtcS::EPOCH, poison);
        assert!(waiting.is_empty() && backlog.holds(&notice("a", None)));
    }

    #[test]
    fn an_end_that_was_taken_takes_its_beginning_along() {
        let (mut backlog, mut waiting) = (Backlog::default(), queue(&["a"]));
        run(&mut backlog, &mut waiting, UtcS::EPOCH, |_| Err(DeliveryFault::Notice));
        waiting.push_back(notice("a", Some(9)));
        run(&mut backlog, &mut waiting, UtcS::new(1), |_| Ok(()));
        assert!(backlog.is_empty(), "told after its end, it would fire on: {backlog:?}");
    }

    #[test]
    fn patience_is_bounded_whatever_the_clock_does() {
        let (mut backlog, mut waiting) = (Backlog::default(), queue(&["a"]));
        let round = backlog.round(UtcS::new(1_000), waiting.iter(), &[]);
        let ask = Undelivered {
            wait_s: Some(i64::MAX),
            ..Undelivered::channel("later")
        };
        backlog.settle(&round, &vec![Some(Err(ask))], &mut waiting, UtcS::new(1_000));
        assert!(backlog.waits(UtcS::new(1_000)) && backlog.waits(UtcS::new(1_599)) && !backlog.waits(UtcS::new(1_600)));
        assert!(!backlog.waits(UtcS::EPOCH), "the clock was set back");
    }

    #[test]
    fn what_is_aside_is_bounded() {
        let names: Vec<String> = (0..300).map(|n| n.to_string()).collect();
        let mut waiting: VecDeque<Notice> = names.iter().map(|name| notice(name, None)).collect();
        let mut backlog = Backlog::default();
        let failures = run(&mut backlog, &mut waiting, UtcS::EPOCH, |_| Err(DeliveryFault::Notice));
        assert_eq!((backlog.aside.len(), failures.len()), (ASIDE_MAX, REASONS_MAX + 1));
        assert_eq!(backlog.aside[0].notice.id, "200");
    }
}
