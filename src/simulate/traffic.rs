//! Which mails are handed in when, at which relay, and how the outage bends that.
//!
//! Every relay runs the same traffic for itself and takes what is its own, so that relays can be written side by
//! side and the result still depends on the seed alone.

use std::collections::{BTreeMap, VecDeque};

use super::clock::{MINUTE, RESTARTED, STOPPED};
use super::impact::{Fate, OutageImpact};
use super::prng::Rng;
use super::roster::SERVICES;
use super::services::Routing;

/// A mail that is handed in.
#[derive(Clone)]
pub(super) struct PlannedMail {
    /// When the client connects.
    pub(super) t: i64,
    /// Index of the service.
    pub(super) service: usize,
    /// Index of the relay.
    pub(super) relay: usize,
    /// Seed of all its details.
    pub(super) key: u64,
}

/// The mails of all services, minute by minute.
pub(super) struct Traffic {
    seed: u64,
    scale: f64,
    /// Index and stream of each service that takes part.
    services: Vec<(usize, Rng)>,
    /// Whether mx1001 stops.
    outage: bool,
    /// Mails that wait for the restart, in order.
    held: VecDeque<PlannedMail>,
    /// Mails whose first try met the stopped relay, at the time of that try; in no order.
    pub(super) refused: Vec<PlannedMail>,
    impact: BTreeMap<usize, OutageImpact>,
}

impl Traffic {
    /// Traffic of the services that `takes_part` names.
    pub(super) fn new(seed: u64, scale: f64, outage: bool, takes_part: impl Fn(&str) -> bool) -> Self {
        let services = SERVICES
            .iter()
            .enumerate()
            .filter(|(_, service)| takes_part(service.name));
        let services = services
            .map(|(index, _)| (index, Rng::stream(seed, &[index as u64])))
            .collect();
        Self {
            seed,
            scale,
            services,
            outage,
            held: VecDeque::new(),
            refused: Vec::new(),
            impact: BTreeMap::new(),
        }
    }

    /// The mails of the minute that starts at `start`, in order.
    pub(super) fn minute(&mut self, start: i64) -> Vec<PlannedMail> {
        if self.outage && start == RESTARTED {
            self.settle();
        }
        let mut mails = Vec::new();
        let mut all = std::mem::take(&mut self.services);
        for (index, rng) in &mut all {
            let (index, service) = (*index, &SERVICES[*index]);
            let scale = if service.scales { self.scale } else { 1.0 };
            for _ in 0..service.rhythm.draw(start, scale, (self.seed, index as u64), rng) {
                let first = match service.routing {
                    Routing::Single(_) => true,
                    Routing::Balanced(share) => rng.chance(share),
                };
                let t = start + rng.secs(MINUTE);
                let mail = PlannedMail {
                    t,
                    service: index,
                    relay: usize::from(!first),
                    key: rng.bits(),
                };
                mails.extend(self.route(mail));
            }
        }
        self.services = all;
        while self.held.front().is_some_and(|mail| mail.t < start + MINUTE) {
            mails.extend(self.held.pop_front());
        }
        mails.sort_by_key(|mail| (mail.t, mail.key));
        mails
    }

    /// What the outage makes of a mail.
    fn route(&mut self, mut mail: PlannedMail) -> Option<PlannedMail> {
        if !self.outage || !(STOPPED..RESTARTED + 3).contains(&mail.t) {
            return Some(mail);
        }
        if mail.t >= RESTARTED {
            mail.t = RESTARTED + 3;
            return Some(mail);
        }
        let fate = match SERVICES[mail.service].routing {
            Routing::Single(fate) => fate,
            Routing::Balanced(_) => Fate::Rerouted,
        };
        let impact = self.impact.entry(mail.service).or_insert(OutageImpact {
            fate,
            tried: Vec::new(),
            untouched: 0,
        });
        if mail.relay != 0 {
            impact.untouched += 1;
            return Some(mail);
        }
        impact.tried.push(mail.t);
        match fate {
            Fate::Lost => {
                self.refused.push(mail);
                None
            }
            Fate::Rerouted => {
                mail.relay = 1;
                Some(mail)
            }
            Fate::Delayed => {
                self.refused.push(mail.clone());
                mail.t = retried_at(&mail);
                self.held.push_back(mail);
                None
            }
        }
    }

    /// At the restart: sorts what was held back, and sees to it that every service that hangs on mx1001 had tried
    /// at least once.
    fn settle(&mut self) {
        self.held.make_contiguous().sort_by_key(|mail| (mail.t, mail.key));
        for (index, _) in &self.services {
            let Routing::Single(fate) = SERVICES[*index].routing else {
                continue;
            };
            let impact = self.impact.entry(*index).or_insert(OutageImpact {
                fate,
                tried: Vec::new(),
                untouched: 0,
            });
            if impact.tried.is_empty() && fate == Fate::Lost {
                let mut rng = Rng::stream(self.seed, &[*index as u64, 3]);
                let (t, service) = (STOPPED + rng.secs(RESTARTED - STOPPED), *index);
                impact.tried.push(t);
                let (relay, key) = (0, rng.bits());
                self.refused.push(PlannedMail { t, service, relay, key });
            }
            impact.tried.sort_unstable();
        }
    }

    /// What the outage did, by service.
    pub(super) fn into_impact(self) -> BTreeMap<String, OutageImpact> {
        self.impact
            .into_iter()
            .map(|(index, impact)| (SERVICES[index].name.to_owned(), impact))
            .collect()
    }
}

/// When Phabricator's daemons get a mail through that they first tried at `mail.t`: after n failures a task waits n × 15 s,
/// so after hours some minutes pass between two attempts.
pub(super) fn retried_at(mail: &PlannedMail) -> i64 {
    let (t, mut rng) = (mail.t, Rng::stream(mail.key, &[1]));
    let failures = ((RESTARTED - t) as f64 * 2.0 / 15.0).sqrt().min(250.0) as i64;
    RESTARTED + 3 + rng.secs(15 * (failures + 1))
}
