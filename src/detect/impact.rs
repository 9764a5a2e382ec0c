//! What an outage did to each service: how much is missing, how much waits, how much came late, how much is lost.

use super::bounced::{Bounced, CopiesByService, CopiesOfWindow};
use super::fleet::{Flow, FlowKind, Id, Names};
use super::impact_question::{ImpactQuestion, Masked};
use super::mail_part::MailPart;
use super::routes::{ONLY, Routes};
use super::track::Track;
use super::verdict::{Catch, catch_up};
use mailpulse_time::Minute;
use std::collections::BTreeMap;

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
    /// Its application still tries, or a queue still holds it: nothing is decided.
    Waiting,
    /// It left and was sent back, expired, or was discarded.
    Bounced,
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
            Impact::Waiting => "waiting",
            Impact::Bounced => "bounced",
            Impact::Rerouted => "rerouted",
            Impact::None => "none",
            Impact::Unknown => "unknown",
        }
    }
}

/// One service's part.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceImpact {
    /// Which.
    pub service: Id,
    /// Verdict.
    pub impact: Impact,
    /// First missing or failed mail, estimated.
    pub onset: Option<Minute>,
    /// First minute with mail after the window.
    pub recovered: Option<Minute>,
    /// When the backlog was gone.
    pub drained: Option<Minute>,
    /// Mails that were to be expected, and the interval that holds 95 of 100 windows.
    pub expected: f64,
    /// Standard error of what was to be expected; infinite if its history does not say what is.
    pub error: f64,
    /// Low and high end.
    pub interval: (f64, f64),
    /// Mails in the window.
    pub observed: u64,
    /// Mails that are missing in the window.
    pub missing: u64,
    /// They are missing for sure, and the time that decides on them has not passed.
    pub open: bool,
    /// Of those, sent after it.
    pub delivered_late: u64,
    /// Mails that the application could not hand in.
    pub submit_failed: u64,
    /// Copies that bounced, expired, or were discarded in the window.
    pub bounced: u64,
    /// By host: mails that passed it in the window.
    pub through: Vec<(Id, u64)>,
    /// Of those, hosts that took more of its mail than before, while the relay stood still.
    pub instead: Vec<(Id, u64)>,
    /// The part of its mail before that went through the relay, 0 to 1.
    pub share: f64,
    /// What the verdict rests on.
    pub evidence: Vec<String>,
}

/// The recovery is watched for half the outage's length, one hour at least and four at most.
pub fn watched(from: Minute, to: Minute) -> i64 {
    ((to - from) / 2).clamp(60, 240)
}

/// Minutes after the recovery without which nobody can say whether there was a backlog.
const HOUR: usize = 60;

/// Judges every service that sent mail before, in, or just after a window. It is shown all the mail since the first minute, a part
/// at a time.
pub struct Assessment<'q> {
    question: &'q ImpactQuestion,
    /// The first minute of the history.
    first: Minute,
    routes: Routes,
    tracks: BTreeMap<Id, Track>,
    /// First minutes of names that began anew.
    begins: BTreeMap<Id, Minute>,
    copies: CopiesOfWindow,
}

impl<'q> Assessment<'q> {
    /// Of a history that begins with the minute `first`.
    pub fn new(first: Minute, question: &'q ImpactQuestion) -> Self {
        Assessment {
            question,
            first,
            routes: Routes::default(),
            tracks: BTreeMap::new(),
            begins: BTreeMap::new(),
            copies: CopiesOfWindow::default(),
        }
    }

    /// Takes what became of copies before the question's first minute, if the parts do not tell it.
    pub fn take_copies_before(&mut self, copies: &CopiesByService) {
        self.copies.add_before(copies);
    }

    /// The minute from which on nothing is asked for.
    pub fn end(question: &ImpactQuestion) -> Minute {
        question.to + watched(question.from, question.to)
    }

    /// Takes the next minutes. A part ends with its day, before the question's first minute and its end, and before a minute with
    /// which names change.
    pub fn take(&mut self, names: &Names, part: &MailPart) {
        let (from, to) = part.span;
        for service in part.renamed.ended.iter().chain(&part.renamed.anew) {
            match self.tracks.get_mut(service) {
                // What bore the name before is not what is looked at.
                _ if from <= self.question.from => _ = self.tracks.remove(service),
                Some(track) => track.rename(from),
                None => {}
            }
            self.begins.insert(*service, from);
            self.routes.forget(*service);
        }
        for (service, counts) in part.services() {
            // It is followed from its first minute with anything on.
            let Some(begin) = counts.iter().position(|counts| counts.iter().any(|count| *count > 0)) else {
                continue;
            };
            if self.tracks.contains_key(&service) {
                continue;
            }
            let first = self.begins.get(&service).copied().unwrap_or(self.first);
            let mut track = Track::new(self.question.rhythms.of(names.service(service)), first);
            track.begin = from + begin as i64;
            self.tracks.insert(service, track);
        }
        for (service, track) in &mut self.tracks {
            let counts = part.counts.get(*service as usize).map_or(&[][..], Vec::as_slice);
            for at in from.max(track.begin).up_to(to) {
                let sums = counts.get((at - from) as usize).copied().unwrap_or_default();
                let sums = sums.map(|sum| u64::try_from(sum).unwrap_or(0));
                track.minute(at, sums, self.question.masked_at(*service, at), self.question);
            }
        }
        if from < self.question.from {
            self.routes.add(from, &part.ways);
            self.copies.add_before(&part.copies);
        } else if from < self.question.to {
            pass(&mut self.tracks, &part.ways);
            self.copies.add_within(&part.copies);
        }
    }

    /// The services, most missing first.
    pub fn finish(&self, names: &Names) -> Vec<ServiceImpact> {
        let tracks = self.tracks.iter();
        let mut all: Vec<ServiceImpact> = tracks
            .map(|(service, track)| track.judge(*service, names, &self.routes, self.question))
            .collect();
        for one in &mut all {
            if let Some(bounced) = self.copies.of(one.service) {
                one.bounce(bounced, self.question);
            }
        }
        // By name: numbers depend on when a name was first seen.
        let name = |one: &ServiceImpact| names.service(one.service);
        all.sort_by(|a, b| (b.missing, name(a)).cmp(&(a.missing, name(b))));
        all
    }
}

impl ServiceImpact {
    /// Takes what became of its copies. What is missing besides says more only where it is more.
    fn bounce(&mut self, bounced: Bounced, question: &ImpactQuestion) {
        self.bounced = bounced.failed;
        let is_more = match self.impact {
            Impact::Lost | Impact::Delayed | Impact::Waiting => bounced.failed > self.missing,
            _ => !self.open,
        };
        if !bounced.is_far(question.failing.contains(&self.service)) || !is_more {
            return;
        }
        self.impact = Impact::Bounced;
        self.onset = bounced.first;
        self.missing = bounced.failed;
        self.evidence.push(format!(
            "{} of {} copies bounced, expired, or were discarded, where {:.1} % are usual",
            bounced.failed,
            bounced.done,
            100.0 * bounced.usual
        ));
    }
}

impl ImpactQuestion {
    fn masked_at(&self, service: Id, at: Minute) -> Option<Masked> {
        let own = self.masked.get(&service)?.iter();
        // What was not seen is less than what was unusual.
        own.filter(|span| (span.from..span.to).contains(&at))
            .min_by_key(|span| span.seen)
            .copied()
    }
}

/// Notes the hosts that mail passes.
fn pass(tracks: &mut BTreeMap<Id, Track>, flows: &[Flow]) {
    for flow in flows
        .iter()
        .filter(|flow| matches!(flow.what, FlowKind::Accepted | FlowKind::Passed))
    {
        if let Some(track) = tracks.get_mut(&flow.service) {
            *track.through.entry(flow.host).or_default() += u64::from(flow.count);
        }
    }
}

/// What a service's mail is judged with.
#[derive(Clone, Copy)]
struct Circumstances<'a> {
    question: &'a ImpactQuestion,
    names: &'a Names,
    routes: &'a Routes,
    /// The hour after the recovery.
    catch: Catch,
    /// Mails that were taken in the outage and passed on after it.
    queued: u64,
}

/// Whether fewer mails came than the usual varies.
fn is_below_usual(one: &ServiceImpact, question: &ImpactQuestion) -> bool {
    let cut_off = one.share >= ONLY && one.observed == 0 && one.expected >= SOME;
    // Nothing else is known: of many services one always has a week that one of forty has.
    let low = if question.relay.is_some() || question.alarmed.contains(&one.service) {
        one.interval.0
    } else {
        one.expected - SURE / 1.96 * (one.expected - one.interval.0)
    };
    cut_off || (one.observed as f64) < low
}

impl Track {
    fn judge(&self, service: Id, names: &Names, routes: &Routes, question: &ImpactQuestion) -> ServiceImpact {
        let (expected, error) = self.expectation(question);
        let spread = 1.96 * (expected + 0.05 * expected * expected + error * error).sqrt();
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
            error,
            interval,
            observed: self.observed,
            missing,
            open: false,
            delivered_late: 0,
            submit_failed: self.failed,
            bounced: 0,
            through: self.through.iter().map(|(host, count)| (*host, *count)).collect(),
            instead: Vec::new(),
            share: question.relay.map_or(0.0, |relay| routes.share(service, relay)),
            evidence: self.counted(expected, error, interval, question),
        };
        let with = Circumstances {
            question,
            names,
            routes,
            catch,
            queued,
        };
        one.impact = self.verdict(&mut one, &with);
        if matches!(one.impact, Impact::Rerouted | Impact::None) {
            (one.missing, one.onset) = (0, None);
        } else {
            one.onset = self.first_failure.or_else(|| self.onset(question));
        }
        if one.impact == Impact::Unknown && !one.open {
            one.missing = 0;
        }
        if one.impact == Impact::Delayed {
            let late = catch.late.round() as u64;
            one.delivered_late = late.max(queued).min(one.missing.max(queued));
            one.missing = one.missing.max(queued);
            one.drained = Some(self.after_from.unwrap_or(question.to) + catch.drained as i64);
        }
        one
    }

    /// When the first mail was due that did not come: one expected interval after the last one.
    fn onset(&self, question: &ImpactQuestion) -> Option<Minute> {
        let rate = self.expectation(question).0 / (question.to - question.from).max(1) as f64;
        let due = self.last_before? + (1.0 / rate.max(1e-6)).min(1e6) as i64;
        Some(due.clamp(question.from, question.to))
    }

    fn counted(&self, expected: f64, error: f64, interval: (f64, f64), question: &ImpactQuestion) -> Vec<String> {
        let minutes = question.to - question.from;
        let mut said = vec![if error < expected || expected <= 0.0 {
            format!(
                "{} mails in {minutes} min, where {expected:.1} are usual ({:.0} to {:.0})",
                self.observed, interval.0, interval.1
            )
        } else {
            format!(
                "{} mails in {minutes} min; {} before it do not tell how many are usual",
                self.observed, self.usual
            )
        }];
        if let Some(at) = self.renamed {
            said.push(format!(
                "attribution changed {} min after the beginning: from then on nothing is expected of this name",
                at - question.from
            ));
        }
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

    /// What became of the service's mail; the evidence goes into `one`.
    fn verdict(&self, one: &mut ServiceImpact, with: &Circumstances<'_>) -> Impact {
        let Circumstances { question, names, .. } = *with;
        let relay = question.relay.map_or("", |relay| names.host(relay));
        if question.relay.is_some() {
            one.evidence.push(format!(
                "{:.0} % of its mail before went through {relay}",
                100.0 * one.share
            ));
        }
        // Without its only relay nothing could come; what is open is whether there was anything.
        let is_known = one.error < one.expected;
        let is_short = is_known && is_below_usual(one, question);
        // Failures against this service's own: one a day is no outage, however its relay is.
        let is_failing = self.failed > 0 && (one.share >= ONLY || self.failed as f64 > 0.1 * one.expected || is_short);
        one.instead = self.instead(one.service, with.routes, question);
        if one.share >= 0.1 && !one.instead.is_empty() && !is_short && !is_failing {
            let through = |(host, count): &(Id, u64)| format!("{count} through {}", names.host(*host));
            let ways: Vec<String> = one.instead.iter().map(through).collect();
            one.evidence.push(format!(
                "nothing through {relay} meanwhile, and the usual volume by other ways: {}",
                ways.join(", ")
            ));
            return Impact::Rerouted;
        }
        if let Some(impact) = self.still_under_way(one, with) {
            return impact;
        }
        match is_failing || is_short {
            true => self.missing(one, with),
            false => self.unhurt(one, is_known, question),
        }
    }

    /// What a queue or the application still holds, or held until after the outage.
    fn still_under_way(&self, one: &mut ServiceImpact, with: &Circumstances<'_>) -> Option<Impact> {
        let Circumstances { question, queued, .. } = *with;
        let service = one.service;
        let hangs = one.share >= ONLY;
        let held = question.held.get(&service).copied().unwrap_or(0);
        let is_stuck = question.stuck.contains(&service);
        if held > 0 && (is_stuck || held >= queued && self.waited(held, hangs, one.missing)) {
            one.evidence.push(format!(
                "{held} mails were taken meanwhile and are in the queue still, by their queue IDs"
            ));
            one.missing = one.missing.max(held);
            return Some(Impact::Waiting);
        }
        if self.waited(queued, hangs, one.missing) {
            one.evidence.push(format!(
                "{queued} mails were taken meanwhile and passed on only after it, by their queue IDs"
            ));
            return Some(Impact::Delayed);
        }
        if is_stuck {
            one.evidence
                .push("what was taken meanwhile has not left the queue since".to_owned());
            return Some(Impact::Unknown);
        }
        let tried = question.tried.get(&service).copied().unwrap_or(0);
        if tried > 0 {
            one.evidence
                .push(format!("its own log: {tried} of these mails are still tried again"));
        }
        if tried > 0 && 2 * tried >= self.failed {
            one.missing = one.missing.max(tried);
            return Some(Impact::Waiting);
        }
        None
    }

    /// Whether what is missing came late or is lost.
    fn missing(&self, one: &mut ServiceImpact, with: &Circumstances<'_>) -> Impact {
        let Circumstances { question, catch, .. } = *with;
        if one.missing == 0 {
            return Impact::Unknown;
        }
        if self.failed == 0 && question.tells.contains(&one.service) {
            one.evidence
                .push("its own log is read and names no failure: nothing says that it had mail to send".to_owned());
            return Impact::Unknown;
        }
        if self.after.len() < HOUR {
            one.open = true;
            one.evidence
                .push("whether it is lost or late is open: the hour after the recovery has not passed".to_owned());
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
    fn instead(&self, service: Id, routes: &Routes, question: &ImpactQuestion) -> Vec<(Id, u64)> {
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
    fn unhurt(&self, one: &mut ServiceImpact, is_known: bool, question: &ImpactQuestion) -> Impact {
        if one.observed > 0 || one.expected < 0.05 && self.failed == 0 {
            one.evidence.push("no fewer mails than usual".to_owned());
            return Impact::None;
        }
        if question.tells.contains(&one.service) {
            one.evidence
                .push("its own log tells of failures, and of none meanwhile: there was nothing to send".to_owned());
            return Impact::None;
        }
        let reason = if !is_known {
            "its history is too short or too uneven to say whether it had mail"
        } else if one.share >= ONLY {
            "its only relay stood still, and it sends too little to say whether it had mail"
        } else {
            "it sends too little to say whether mail is missing"
        };
        one.evidence.push(reason.to_owned());
        Impact::Unknown
    }
}
