//! Fleets for tests: seeded, with a rhythm, and with troubles of one's choice.

use super::bounced::CopyCounts;
use super::fleet::{Fleet, FleetMinute, Flow, FlowKind, Id, LogMinute, NONE, Names};
use super::impact::{Assessment, ServiceImpact};
use super::impact_question::ImpactQuestion;
use super::mail_part::{MailPart, MinuteCounts};
use mailpulse_time::Minute;

/// 2018-05-07 00:00 UTC, a Monday, in minutes.
pub(crate) const MONDAY: i64 = 25_427_520;
/// Minutes of a day.
pub(crate) const DAY: i64 = 1440;

/// A service of a sample.
#[derive(Clone, Copy)]
pub(crate) struct Sender {
    pub name: &'static str,
    pub group: Id,
    /// Mails a day.
    pub daily: f64,
    /// Share by the first relay; the rest goes by the second.
    pub first: f64,
    /// Its own log tells of failures.
    pub tells: bool,
}

/// What becomes of a mail.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Fate {
    Fine,
    /// The other relay takes it.
    Rerouted,
    /// Nobody takes it, and the application says so if it can.
    Refused,
    /// It is not even tried.
    Unsent,
    /// Taken, and set aside.
    Frozen,
    /// The relay rejects it.
    Rejected,
    /// Handed in again at that minute.
    Held(i64),
}

/// What differs from an ordinary fleet.
pub(crate) struct Trouble<'t> {
    /// FleetMinute, service, relay → fate.
    pub fate: Box<dyn Fn(i64, Id, Id) -> Fate + 't>,
    /// FleetMinute → factor on all volumes.
    pub volume: Box<dyn Fn(i64) -> f64 + 't>,
    /// FleetMinute, host → whether its log arrives.
    pub arrives: Box<dyn Fn(i64, Id) -> bool + 't>,
    /// FleetMinute, host → share of lines that do not parse (and give no counts).
    pub unparsed: Box<dyn Fn(i64, Id) -> f64 + 't>,
    /// FleetMinute, relay → copies that other hosts say they gave it.
    pub handed: Box<dyn Fn(i64, Id) -> u32 + 't>,
}

impl Default for Trouble<'_> {
    fn default() -> Self {
        Trouble {
            fate: Box::new(|_, _, _| Fate::Fine),
            volume: Box::new(|_| 1.0),
            arrives: Box::new(|_, _| true),
            unparsed: Box::new(|_, _| 0.0),
            handed: Box::new(|_, _| 0),
        }
    }
}

/// The relays.
pub(crate) const ONE: Id = 0;
pub(crate) const TWO: Id = 1;

/// The eight of the outage and three that survive, scaled to some 8 mails a minute at the first relay.
pub(crate) const NIGHT: [Sender; 11] = [
    sender("phabricator", 0, 3000.0, 1.0, true),
    sender("gerrit", 1, 1400.0, 1.0, true),
    sender("hue", 2, 6.0, 1.0, true),
    sender("iegreview", 3, 5.0, 1.0, true),
    sender("oozie", 2, 140.0, 1.0, true),
    sender("wikimania_scholarships", 3, 4.0, 1.0, true),
    sender("sentry", 3, 250.0, 1.0, true),
    sender("snapshot", 4, 8.0, 1.0, true),
    sender("wiki", 5, 12_000.0, 0.5, false),
    sender("mailman", 6, 1500.0, 0.85, false),
    sender("otrs", 7, 700.0, 0.6, false),
];

pub(crate) const fn sender(name: &'static str, group: Id, daily: f64, first: f64, tells: bool) -> Sender {
    Sender {
        name,
        group,
        daily,
        first,
        tells,
    }
}

pub(crate) struct Rng(pub u64);

impl Rng {
    pub(crate) fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    pub(crate) fn poisson(&mut self, mean: f64) -> u32 {
        if mean > 60.0 {
            return (mean + mean.sqrt() * self.normal()).max(0.0) as u32;
        }
        let (limit, mut product, mut n) = ((-mean).exp(), self.unit(), 0);
        while product > limit {
            product *= self.unit();
            n += 1;
        }
        n
    }
}

/// Hours of a day (UTC), mean 1.
fn hour(at: i64) -> f64 {
    let turn = (at.rem_euclid(DAY) as f64 / DAY as f64 - 0.66) * std::f64::consts::TAU;
    1.0 + 0.6 * turn.cos()
}

/// Weekends are quieter; Saturday begins over four hours, and so does Monday.
fn weekday(at: i64) -> f64 {
    let into = (at - MONDAY).rem_euclid(7 * DAY);
    let ramp = |from: i64| ((into - from) as f64 / 240.0 + 0.5).clamp(0.0, 1.0);
    1.0 - 0.55 * (ramp(5 * DAY) - ramp(7 * DAY - 120))
}

/// A fleet of two relays over `days` from [`MONDAY`] on.
pub(crate) fn fleet(seed: u64, days: i64, senders: &[Sender], trouble: &Trouble<'_>) -> Fleet {
    fleet_from(MONDAY, seed, days, senders, trouble)
}

/// The same from another minute on.
pub(crate) fn fleet_from(first: i64, seed: u64, days: i64, senders: &[Sender], trouble: &Trouble<'_>) -> Fleet {
    let mut names = Names {
        hosts: vec!["mx1001".to_owned(), "mx2001".to_owned()],
        ..Names::default()
    };
    names.services = senders.iter().map(|sender| sender.name.to_owned()).collect();
    names.hostgroups = (0..8).map(|n| format!("group{n}")).collect();
    let mut rng = Rng(seed);
    let mut moods = vec![1.0; senders.len()];
    let mut minutes = Vec::new();
    let mut held: Vec<(i64, Id, Id)> = Vec::new();
    for at in first..first + days * DAY {
        if at.rem_euclid(30) == 0 {
            moods.iter_mut().for_each(|mood| *mood = (0.12 * rng.normal()).exp());
        }
        let mut flows = Vec::new();
        for (id, sender) in senders.iter().enumerate() {
            let rate = sender.daily / DAY as f64 * hour(at) * weekday(at) * moods[id] * (trouble.volume)(at);
            for _ in 0..rng.poisson(rate) {
                let relay = if rng.unit() < sender.first { ONE } else { TWO };
                mail(&mut flows, &mut held, (at, id as Id, relay), sender, trouble);
            }
        }
        for (_, id, relay) in held.extract_if(.., |mail| mail.0 == at) {
            taken(&mut flows, id, relay, senders[id as usize].group, FlowKind::Delivered);
        }
        minutes.push(logs(at, flows, &mut rng, trouble));
    }
    Fleet { names, minutes }
}

fn flow(service: Id, hostgroup: Id, host: Id, what: FlowKind) -> Flow {
    Flow {
        service,
        hostgroup,
        host,
        what,
        count: 1,
    }
}

fn taken(flows: &mut Vec<Flow>, id: Id, relay: Id, group: Id, then: FlowKind) {
    flows.push(flow(id, group, relay, FlowKind::Accepted));
    flows.push(flow(id, group, relay, then));
}

fn mail(flows: &mut Vec<Flow>, held: &mut Vec<(i64, Id, Id)>, mail: (i64, Id, Id), sender: &Sender, t: &Trouble<'_>) {
    let (at, id, relay) = mail;
    let fate = (t.fate)(at, id, relay);
    if sender.tells && matches!(fate, Fate::Refused | Fate::Held(_)) {
        flows.push(flow(id, NONE, NONE, FlowKind::SubmitFailed));
    }
    match fate {
        Fate::Fine => taken(flows, id, relay, sender.group, FlowKind::Delivered),
        Fate::Rerouted => taken(flows, id, 1 - relay, sender.group, FlowKind::Delivered),
        Fate::Frozen => taken(flows, id, relay, sender.group, FlowKind::Frozen),
        Fate::Rejected => flows.push(flow(id, sender.group, relay, FlowKind::Rejected)),
        Fate::Held(until) => held.push((until, id, relay)),
        Fate::Refused | Fate::Unsent => {}
    }
}

/// Adds the logs to a minute; what does not arrive or does not parse is not counted.
fn logs(at: i64, mut flows: Vec<Flow>, rng: &mut Rng, trouble: &Trouble<'_>) -> FleetMinute {
    let mut logs = Vec::new();
    for host in [ONE, TWO] {
        let mails = flows
            .iter()
            .filter(|f| f.host == host && f.what == FlowKind::Accepted)
            .count() as u32;
        let (readable, bad) = ((trouble.arrives)(at, host), (trouble.unparsed)(at, host));
        let lines = if mails > 0 { 3 * mails + rng.poisson(1.0) } else { 0 };
        let unparsed = (bad * f64::from(lines)).round() as u32;
        if !readable || bad > 0.5 {
            flows.retain(|flow| flow.host != host);
        }
        logs.push(LogMinute {
            host,
            readable,
            lines: if readable { lines } else { 0 },
            unparsed: if readable { unparsed } else { 0 },
        });
        let handed = (trouble.handed)(at, host);
        if handed > 0 {
            flows.push(Flow {
                count: handed,
                ..flow(0, NONE, host, FlowKind::HandedTo)
            });
        }
    }
    FleetMinute {
        at: Minute::new(at),
        flows,
        logs,
        ..FleetMinute::default()
    }
}

/// Services whose applications' logs have told of mail, failed or not.
pub(crate) fn telling(fleet: &Fleet) -> Vec<Id> {
    let own = |what: FlowKind| matches!(what, FlowKind::Submitted | FlowKind::SubmitFailed | FlowKind::Retried);
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

impl MailPart {
    /// Of minutes that follow one another.
    fn of(minutes: &[FleetMinute]) -> MailPart {
        let first = minutes.first().map_or(0, |minute| minute.at.get());
        let mut part = MailPart {
            span: (Minute::new(first), Minute::new(first + minutes.len() as i64)),
            ..MailPart::default()
        };
        for minute in minutes {
            for flow in &minute.flows {
                let service = flow.service as usize;
                part.counts.resize(part.counts.len().max(service + 1), Vec::new());
                let counts = &mut part.counts[service];
                let place = match flow.what {
                    FlowKind::Accepted => 0,
                    FlowKind::SubmitFailed => 1,
                    FlowKind::Retried => 2,
                    _ => continue,
                };
                counts.resize(minutes.len(), MinuteCounts::default());
                counts[(minute.at - first).get() as usize][place] += i64::from(flow.count);
            }
            let taken = |flow: &&Flow| matches!(flow.what, FlowKind::Accepted | FlowKind::Passed | FlowKind::Foreign);
            part.ways.extend(minute.flows.iter().filter(taken));
            for outcome in minute.outcomes.iter().filter(|outcome| outcome.done > 0) {
                let counts = CopyCounts {
                    done: u64::from(outcome.done),
                    failed: u64::from(outcome.failed),
                    first: (outcome.failed > 0).then_some(minute.at),
                };
                part.copies.entry(outcome.service).or_default().add(counts);
            }
            if minute.at == Minute::new(first) {
                part.renamed = minute.renamed.clone();
            }
        }
        part
    }
}

/// Judged of parts of so many minutes at most, which begin anew where the question or a change of names asks for it.
pub(crate) fn assess_in(fleet: &Fleet, question: &ImpactQuestion, length: i64) -> Vec<ServiceImpact> {
    let (first, end) = fleet.span();
    let end = end.min(Assessment::end(question));
    let mut assessment = Assessment::new(first, question);
    let mut from = first;
    while from < end {
        let minutes = fleet.between(from, end);
        let is_cut = |minute: &&FleetMinute| {
            let at = minute.at;
            at.get() % length == 0
                || at.get() % DAY == 0
                || at == question.from
                || at == question.to
                || !(minute.renamed.ended.is_empty() && minute.renamed.anew.is_empty())
        };
        let to = minutes.iter().skip(1).find(is_cut).map_or(end, |minute| minute.at);
        assessment.take(&fleet.names, &MailPart::of(fleet.between(from, to)));
        from = to;
    }
    assessment.finish(&fleet.names)
}

/// Judged of a day at a time.
pub(crate) fn assess(fleet: &Fleet, question: &ImpactQuestion) -> Vec<ServiceImpact> {
    assess_in(fleet, question, DAY)
}
