//! Which mails an application tried to hand in, and how that went: those of the relays' logs, those that the outage
//! refused, and a few that failed for reasons of every day.

use std::collections::HashSet;

use super::super::clock::{DAY, HOUR, MINUTE, RESTARTED, STOPPED, UNTIL};
use super::super::impact::Phase;
use super::super::letter;
use super::super::prng::Rng;
use super::super::roster::SERVICES;
use super::super::scenario::Outage2018;
use super::super::traffic::{PlannedMail, Traffic, retried_at};
use super::submissions::Submissions;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AttemptOutcome {
    /// The relay took the mail.
    Accepted,
    /// Nothing listened: the relay was stopped.
    Refused,
    /// The connection came to nothing.
    TimedOut,
    /// The relay would not have the recipient. It is the application's own story: the relays' logs are the same
    /// whether applications are simulated or not, and so do not tell of it.
    Rejected,
}

/// The first attempt for a mail.
pub(super) struct Attempt {
    /// When, in seconds.
    pub(super) t: i64,
    pub(super) mail: PlannedMail,
    pub(super) outcome: AttemptOutcome,
    /// When the relay took it after all.
    pub(super) accepted: Option<i64>,
}

/// What there is to log about one service's mails, in no order, and what became of all of them by phase.
pub(super) struct AttemptPlan {
    pub(super) attempts: Vec<Attempt>,
    /// `tried` and `accepted` alone; the rest is counted when it is written.
    pub(super) counts: [Submissions; 3],
}

/// A service's everyday failures.
struct Everyday {
    /// Mails a day that are lost.
    lost: f64,
    /// Share of the accepted mails whose first attempt timed out.
    late: f64,
    /// Share of the lost ones that the relay rejected; the others timed out.
    rejected: f64,
}

impl Everyday {
    fn of(service: &str) -> Self {
        let (lost, late, rejected) = match service {
            // What times out is tried again, and goes through.
            "phabricator" => (0.4, 0.004, 1.0),
            "gerrit" => (0.9, 0.0, 0.5),
            "oozie" => (0.4, 0.0, 0.3),
            "sentry" => (0.6, 0.0, 0.4),
            "hue" => (0.25, 0.0, 0.5),
            _ => (0.12, 0.0, 0.4),
        };
        Self { lost, late, rejected }
    }
}

/// Plans the attempts of a service.
pub(super) fn plan(spec: &Outage2018, service: &str, from: i64) -> AttemptPlan {
    let mut traffic = Traffic::new(spec.seed, spec.mails_per_day_scale, true, |name| name == service);
    let everyday = Everyday::of(service);
    // Only these say anything about a mail that went well.
    let witness = matches!(service, "sentry" | "oozie");
    let mut plan = AttemptPlan {
        attempts: Vec::new(),
        counts: Default::default(),
    };
    let mut late = HashSet::new();
    for minute in (from..UNTIL).step_by(MINUTE as usize) {
        for mail in traffic.minute(minute) {
            if minute >= RESTARTED && late.is_empty() {
                late = traffic.refused.iter().map(|mail| mail.key).collect();
            }
            if mail.t < UNTIL - 3 || letter::draft(&mail, true).t < UNTIL {
                plan.counts[Phase::at(mail.t) as usize].accepted += 1;
            }
            if !late.contains(&mail.key) {
                plan.took(mail, &everyday, witness);
            }
        }
    }
    let refused = std::mem::take(&mut traffic.refused);
    let is_delayed = service == "phabricator";
    for mail in refused {
        let (t, outcome) = (mail.t, AttemptOutcome::Refused);
        let accepted = is_delayed.then(|| retried_at(&mail));
        plan.first(Attempt {
            t,
            mail,
            outcome,
            accepted,
        });
    }
    let index = SERVICES.iter().position(|s| s.name == service).unwrap_or_default();
    plan.lose(&everyday, spec.seed, index, from);
    plan
}

impl AttemptPlan {
    /// Counts a first attempt and keeps it.
    fn first(&mut self, attempt: Attempt) {
        self.counts[Phase::at(attempt.t) as usize].tried += 1;
        self.attempts.push(attempt);
    }

    /// A mail that the relay took, at once or, rarely, at the second try.
    fn took(&mut self, mail: PlannedMail, everyday: &Everyday, witness: bool) {
        let mut rng = Rng::stream(mail.key, &[72]);
        let t = mail.t;
        let before = t - 15 - rng.secs(45);
        if rng.chance(everyday.late) && is_calm(before) {
            let (outcome, accepted) = (AttemptOutcome::TimedOut, Some(t));
            return self.first(Attempt {
                t: before,
                mail,
                outcome,
                accepted,
            });
        }
        if witness {
            let (outcome, accepted) = (AttemptOutcome::Accepted, Some(t));
            return self.first(Attempt {
                t,
                mail,
                outcome,
                accepted,
            });
        }
        self.counts[Phase::at(t) as usize].tried += 1;
    }

    /// Mails that were lost on ordinary days.
    fn lose(&mut self, everyday: &Everyday, seed: u64, service: usize, from: i64) {
        let mut rng = Rng::stream(seed, &[73, service as u64]);
        for day in (from..UNTIL).step_by(DAY as usize) {
            for _ in 0..rng.poisson(everyday.lost) {
                let (t, key) = (day + 7 * HOUR + rng.secs(16 * HOUR), rng.bits());
                let outcome = match rng.chance(everyday.rejected) {
                    true => AttemptOutcome::Rejected,
                    false => AttemptOutcome::TimedOut,
                };
                if is_calm(t) {
                    let mail = PlannedMail {
                        t,
                        service,
                        relay: 0,
                        key,
                    };
                    self.first(Attempt {
                        t,
                        mail,
                        outcome,
                        accepted: None,
                    });
                }
            }
        }
    }
}

/// Whether an instant is well away from the outage and the end.
fn is_calm(t: i64) -> bool {
    t < STOPPED - HOUR || (RESTARTED + HOUR..UNTIL - HOUR).contains(&t)
}
