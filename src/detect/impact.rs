//! What an outage did to each service: how much is missing, how much came late, how much is lost.

use super::civil::CivilClock;
use super::fleet::{Fleet, Flow, Id, NONE, What};
use super::holidays::{DayKind, Holidays};
use super::rhythm::{Rhythm, Rhythms};
use super::routes::{ONLY, Routes};
use super::verdict::{Catch, catch_up};
use super::weekly::Weekly;
use std::collections::BTreeMap;
use std::sync::Arc;

/// With so many mails expected, nine windows of ten have at least one.
const SOME: f64 = 2.3;

/// Of fewer mails, one or two that come after the recovery may be any: a backlog must be so much likelier, in nats.
const FEW: u64 = 5;
const FEW_ODDS: f64 = 3.0;

/// So many standard deviations are no chance.
const SURE: f64 = 3.5;

/// What happened to a service's mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Impact {
    /// It was not sent.
    Lost,
    /// It was sent after the recovery.
    Delayed,
    /// It went another way meanwhile.
    Rerouted,
    /// There was none, or it went as always.
    None,
    /// Nobody can say.
    Unknown,
}

impl Impact {
    /// The word in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Impact::Lost => "lost",
            Impact::Delayed => "delayed",
            Impact::Rerouted => "rerouted",
            Impact::None => "none",
            Impact::Unknown => "unknown",
        }
    }
}

/// What is asked.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// First minute of the trouble.
    pub from: i64,
    /// First minute after it.
    pub to: i64,
    /// The relay that stood still, if one did.
    pub relay: Option<Id>,
    /// Earlier troubles, which no expectation may be learnt from.
    pub masked: Vec<(i64, i64)>,
    /// By service, exactly: mails that were taken or put off in the window and left their queue after it.
    pub queued: BTreeMap<Id, u64>,
    /// Services whose own logs tell of failures.
    pub tells: Vec<Id>,
    /// Services that an alarm names.
    pub alarmed: Vec<Id>,
    /// Services whose mail was taken and not passed on, as an alarm says.
    pub stuck: Vec<Id>,
    /// Whose clocks and holidays the services follow.
    pub rhythms: Rhythms,
}

/// One service's part.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceImpact {
    /// Which.
    pub service: Id,
    /// Verdict.
    pub impact: Impact,
    /// First missing or failed mail, estimated.
    pub onset: Option<i64>,
    /// First minute with mail after the window.
    pub recovered: Option<i64>,
    /// When the backlog was gone.
    pub drained: Option<i64>,
    /// Mails that were to be expected, and the interval that holds 95 of 100 windows.
    pub expected: f64,
    /// Low and high end.
    pub interval: (f64, f64),
    /// Mails in the window.
    pub observed: u64,
    /// Mails that are missing in the window.
    pub missing: u64,
    /// Of those, sent after it.
    pub delivered_late: u64,
    /// Mails that the application could not hand in.
    pub submit_failed: u64,
    /// By host: mails that passed it in the window.
    pub through: Vec<(Id, u64)>,
    /// Of those, hosts that took more of its mail than before, while the relay stood still.
    pub instead: Vec<(Id, u64)>,
    /// The part of its mail before that went through the relay, 0 to 1.
    pub share: f64,
    /// What the verdict rests on.
    pub evidence: Vec<String>,
}

/// What a holiday leaves of the expectation.
const HOLIDAY: f64 = 0.2;

/// A service's counts.
#[derive(Debug, Clone)]
struct Track {
    clock: CivilClock,
    holidays: Arc<Holidays>,
    /// The civil day and whether it is a holiday.
    day: (i32, bool),
    weekly: Weekly,
    expected: f64,
    /// Minutes of the window that are holidays.
    holiday: i64,
    observed: u64,
    /// By host, in the window.
    through: BTreeMap<Id, u64>,
    failed: u64,
    retried: u64,
    first_failure: Option<i64>,
    first_mail: Option<i64>,
    last_before: Option<i64>,
    recovered: Option<i64>,
    /// Minutes after the window: expected and observed.
    after: Vec<(f64, u64)>,
    usual: u64,
}

/// The recovery is watched for half the outage's length, one hour at least and four at most.
pub fn watched(from: i64, to: i64) -> i64 {
    ((to - from) / 2).clamp(60, 240)
}

/// Judges every service that sent mail before, in, or just after the window; most missing first.
pub fn assess(fleet: &Fleet, question: &Question) -> Vec<ServiceImpact> {
    let mut routes = Routes::default();
    let mut tracks: BTreeMap<Id, Track> = BTreeMap::new();
    let end = question.to + watched(question.from, question.to);
    for minute in fleet.between(i64::MIN, end) {
        let mut counts: BTreeMap<Id, [u64; 3]> = BTreeMap::new();
        for flow in &minute.flows {
            let sums = counts.entry(flow.service).or_default();
            match flow.what {
                What::Accepted => sums[0] += u64::from(flow.count),
                What::SubmitFailed => sums[1] += u64::from(flow.count),
                What::Retried => sums[2] += u64::from(flow.count),
                _ => {}
            }
        }
        for (service, sums) in &counts {
            if sums.iter().any(|sum| *sum > 0) {
                let begin = || Track::new(question.rhythms.of(fleet.names.service(*service)));
                tracks.entry(*service).or_insert_with(begin);
            }
        }
        let masked = question
            .masked
            .iter()
            .any(|(from, to)| (*from..*to).contains(&minute.at));
        for (service, track) in &mut tracks {
            let sums = counts.get(service).copied().unwrap_or_default();
            track.minute(minute.at, sums, masked, question);
        }
        if minute.at < question.from {
            routes.add(minute.at, &minute.flows);
        } else if minute.at < question.to {
            pass(&mut tracks, &minute.flows);
        }
    }
    let mut all: Vec<ServiceImpact> = tracks
        .iter()
        .map(|(service, track)| track.judge(*service, fleet, &routes, question))
        .collect();
    all.sort_by_key(|one| (std::cmp::Reverse(one.missing), one.service));
    all
}

/// Notes the hosts that mail passes.
fn pass(tracks: &mut BTreeMap<Id, Track>, flows: &[Flow]) {
    for flow in flows
        .iter()
        .filter(|flow| matches!(flow.what, What::Accepted | What::Passed))
    {
        if let Some(track) = tracks.get_mut(&flow.service) {
            *track.through.entry(flow.host).or_default() += u64::from(flow.count);
        }
    }
}

impl Track {
    fn new(rhythm: &Rhythm) -> Track {
        Track {
            clock: CivilClock::new(rhythm.zone.clone()),
            holidays: Arc::clone(&rhythm.holidays),
            day: (i32::MIN, false),
            weekly: Weekly::default(),
            expected: 0.0,
            holiday: 0,
            observed: 0,
            through: BTreeMap::new(),
            failed: 0,
            retried: 0,
            first_failure: None,
            first_mail: None,
            last_before: None,
            recovered: None,
            after: Vec::new(),
            usual: 0,
        }
    }

    fn is_holiday(&mut self, at: i64) -> bool {
        let day = self.clock.at(at.saturating_mul(60)).day;
        if day != self.day.0 {
            self.day = (day, self.holidays.kind(day) == DayKind::Holiday);
        }
        self.day.1
    }

    fn minute(&mut self, at: i64, [mails, failed, retried]: [u64; 3], masked: bool, question: &Question) {
        let (wall, holiday) = (self.clock.wall(at), self.is_holiday(at));
        let rate = self.weekly.rate(wall) * if holiday { HOLIDAY } else { 1.0 };
        if at < question.from {
            if !masked && !holiday {
                self.weekly.add(wall, mails as f64);
            }
            self.usual += mails;
            self.last_before = if mails > 0 { Some(at) } else { self.last_before };
        } else if at < question.to {
            self.expected += rate;
            self.holiday += i64::from(holiday);
            self.observed += mails;
            self.failed += failed;
            self.retried += retried;
            if failed > 0 {
                self.first_failure.get_or_insert(at);
            }
            if mails > 0 {
                self.first_mail.get_or_insert(at);
            }
        } else {
            self.after.push((rate, mails));
            if mails > 0 {
                self.recovered.get_or_insert(at);
            }
        }
    }

    fn judge(&self, service: Id, fleet: &Fleet, routes: &Routes, question: &Question) -> ServiceImpact {
        let expected = self.expected;
        let spread = 1.96 * (expected + 0.05 * expected * expected).sqrt();
        let interval = ((expected - spread).max(0.0), expected + spread + 1.0);
        let queued = question.queued.get(&service).copied().unwrap_or(0);
        let short = (expected - self.observed as f64).max(0.0);
        let missing = if self.failed > 0 {
            self.failed
        } else {
            short.round() as u64
        };
        let tries = (self.failed > 0).then_some(self.retried > 0);
        let catch = catch_up(missing as f64, tries, &self.after);
        let mut one = ServiceImpact {
            service,
            impact: Impact::Unknown,
            onset: None,
            recovered: self.recovered,
            drained: None,
            expected,
            interval,
            observed: self.observed,
            missing,
            delivered_late: 0,
            submit_failed: self.failed,
            through: self.through.iter().map(|(host, count)| (*host, *count)).collect(),
            instead: Vec::new(),
            share: question.relay.map_or(0.0, |relay| routes.share(service, relay)),
            evidence: self.counted(interval, question),
        };
        one.impact = self.verdict(&mut one, catch, queued, fleet, routes, question);
        if matches!(one.impact, Impact::Rerouted | Impact::None) {
            (one.missing, one.onset) = (0, None);
        } else {
            one.onset = self.first_failure.or_else(|| self.onset(question));
        }
        if one.impact == Impact::Unknown {
            one.missing = 0;
        }
        if one.impact == Impact::Delayed {
            let late = catch.late.round() as u64;
            one.delivered_late = late.max(queued).min(one.missing.max(queued));
            one.missing = one.missing.max(queued);
            one.drained = Some(question.to + catch.drained as i64);
        }
        one
    }

    /// When the first mail was due that did not come: one expected interval after the last one.
    fn onset(&self, question: &Question) -> Option<i64> {
        let rate = self.expected / (question.to - question.from).max(1) as f64;
        let due = self.last_before? + (1.0 / rate.max(1e-6)).min(1e6) as i64;
        Some(due.clamp(question.from, question.to))
    }

    fn counted(&self, interval: (f64, f64), question: &Question) -> Vec<String> {
        let mut said = vec![format!(
            "{} mails in {} min, where {:.1} are usual ({:.0} to {:.0})",
            self.observed,
            question.to - question.from,
            self.expected,
            interval.0,
            interval.1
        )];
        if self.holiday > 0 {
            said.push(format!(
                "{} of these minutes are a declared holiday, on which a fifth of the usual is expected",
                self.holiday
            ));
        }
        if self.failed > 0 {
            said.push(format!("its own log: {} mails could not be handed in", self.failed));
        }
        if self.retried > 0 {
            said.push(format!(
                "its own log: {} further attempts for the same mails",
                self.retried
            ));
        }
        said
    }

    fn verdict(
        &self,
        one: &mut ServiceImpact,
        catch: Catch,
        queued: u64,
        fleet: &Fleet,
        routes: &Routes,
        question: &Question,
    ) -> Impact {
        let service = one.service;
        let share = one.share;
        // Without its only relay nothing could come; what is open is whether there was anything.
        let cut_off = share >= ONLY && one.observed == 0 && one.expected >= SOME;
        // Nothing else is known: of many services one always has a week that one of forty has.
        let low = if question.relay.is_some() || question.alarmed.contains(&service) {
            one.interval.0
        } else {
            one.expected - SURE / 1.96 * (one.expected - one.interval.0)
        };
        let is_short = cut_off || (one.observed as f64) < low;
        let relay = question.relay.map_or("", |relay| fleet.names.host(relay));
        if question.relay.is_some() {
            one.evidence.push(format!(
                "{:.0} % of its mail before went through {relay}",
                100.0 * share
            ));
        }
        // Failures against this service's own: one a day is no outage, however its relay is.
        let hurt = self.failed > 0 && (share >= ONLY || self.failed as f64 > 0.1 * one.expected || is_short);
        one.instead = self.instead(service, routes, question);
        if share >= 0.1 && !one.instead.is_empty() && !is_short && !hurt {
            let ways: Vec<String> = one
                .instead
                .iter()
                .map(|(host, count)| format!("{count} through {}", fleet.names.host(*host)))
                .collect();
            one.evidence.push(format!(
                "nothing through {relay} meanwhile, and the usual volume by other ways: {}",
                ways.join(", ")
            ));
            return Impact::Rerouted;
        }
        if self.waited(queued, share >= ONLY, one.missing) {
            one.evidence.push(format!(
                "{queued} mails were taken meanwhile and passed on only after it, by their queue IDs"
            ));
            return Impact::Delayed;
        }
        if question.stuck.contains(&service) {
            one.evidence
                .push("what was taken meanwhile has not left the queue since".to_owned());
            return Impact::Unknown;
        }
        if !hurt && !is_short {
            return self.unhurt(one, share, question);
        }
        if one.missing == 0 {
            return Impact::Unknown;
        }
        one.evidence.push(catch.say());
        let is_sure = self.failed > 0 || one.missing >= FEW || catch.odds >= FEW_ODDS;
        match (catch.odds > 0.0, is_sure) {
            (true, true) => Impact::Delayed,
            (true, false) => {
                let why = "too few mails to tell a backlog from the usual";
                one.evidence.push(why.to_owned());
                Impact::Unknown
            }
            (false, _) => Impact::Lost,
        }
    }

    /// Hosts that took the relay's part of a service's mail while it stood still: what they gained is at least half of
    /// what went through it. A sender's own MTA has its whole mail before and after, and gains nothing.
    fn instead(&self, service: Id, routes: &Routes, question: &Question) -> Vec<(Id, u64)> {
        let Some(relay) = question.relay else { return Vec::new() };
        if self.observed == 0 || self.through.contains_key(&relay) {
            return Vec::new();
        }
        let gain = |host: Id, count: u64| count as f64 / self.observed as f64 - routes.share(service, host);
        let gained = self.through.iter().filter(|(host, count)| gain(**host, **count) > 0.0);
        let gained: Vec<(Id, u64)> = gained.map(|(host, count)| (*host, *count)).collect();
        let sum: f64 = gained.iter().map(|(host, count)| gain(*host, *count)).sum();
        if sum >= 0.5 * routes.share(service, relay) {
            gained
        } else {
            Vec::new()
        }
    }

    /// Whether the mails that waited in a queue are more than those that always do.
    fn waited(&self, queued: u64, hangs: bool, missing: u64) -> bool {
        let (waited, taken) = (queued as f64, self.observed as f64);
        let many = waited >= 0.2 * taken && (queued >= 3 || hangs && waited >= 0.5 * taken);
        queued > 0 && many && waited >= 0.5 * missing as f64
    }

    /// Neither failures nor too few mails.
    fn unhurt(&self, one: &mut ServiceImpact, share: f64, question: &Question) -> Impact {
        if one.observed > 0 || self.expected < 0.05 && self.failed == 0 {
            one.evidence.push("no fewer mails than usual".to_owned());
            return Impact::None;
        }
        if question.tells.contains(&one.service) {
            one.evidence
                .push("its own log tells of failures, and of none meanwhile: there was nothing to send".to_owned());
            return Impact::None;
        }
        let reason = if share >= ONLY {
            "its only relay stood still, and it sends too little to say whether it had mail"
        } else {
            "it sends too little to say whether mail is missing"
        };
        one.evidence.push(reason.to_owned());
        Impact::Unknown
    }
}

/// Services whose applications' logs have told of mail, failed or not.
pub fn telling(fleet: &Fleet) -> Vec<Id> {
    let own = |what: What| matches!(what, What::Submitted | What::SubmitFailed | What::Retried);
    let flows = fleet
        .minutes
        .iter()
        .flat_map(|minute| &minute.flows)
        .filter(|flow| own(flow.what));
    let mut services: Vec<Id> = flows.map(|flow| flow.service).filter(|id| *id != NONE).collect();
    services.sort_unstable();
    services.dedup();
    services
}
