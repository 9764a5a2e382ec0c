//! Mail that goes out and does not arrive: services, relays and providers whose mail bounces, expires or is discarded far
//! more than usual (`failing`), and providers that put far more of it off (`throttled`). How much mail there is does not matter.
//!
//! One trouble shows in several series: a provider that refuses everything is seen in the services that write to it, and in
//! the relays. What was bad in the last hours is kept by service, relay and provider at once, so that an alarm is told at the
//! smallest set that explains it. A relay of which all providers put off alike is the trouble itself, or its network is.

use super::alarm::{Layer, LayerFinding, Scope, State, Turn};
use super::finding::{finding, told};
use super::fleet::{Id, NONE, Names, Outcome};
use super::group::GroupFinding;
use super::outcome_ratio::{FAILING, OutcomeRatio, Sensitivity, THROTTLED};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Half-life of what is remembered of causes, minutes.
const HALF_LIFE: f64 = 60.0;
/// A set explains a trouble that has so much of its bad outcomes.
const EXPLAINS: f64 = 0.6;
/// A larger set fails as a whole if its share of bad outcomes is so much of the smaller one's.
const WHOLE: f64 = 0.5;
/// Of two sets that explain the same the service is taken.
const TIE: f64 = 1.05;
/// Providers put off alike if the others' share beyond the usual is so much of the one's.
const ALIKE: f64 = 0.5;
/// Mails of others that say so.
const ALIKE_TRIES: f64 = 2.0;
/// A provider that refuses so much of its mail does not refuse addresses.
const REFUSES: f64 = 0.8;
/// Attempts that the usual share of all providers is worth at first.
const PRIOR: f64 = 50.0;
/// Less than this is forgotten.
const NOTHING: f64 = 0.02;

/// Service, relay and provider of an outcome.
type Way = (Id, Id, Id);

/// Attempts of the last hours, the newest counting most.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct RecentWays {
    /// Bad ones and all.
    ways: BTreeMap<Way, (f64, f64)>,
    at: i64,
}

/// Bad outcomes and all.
type BadOfAll = (f64, f64);

fn is_in(way: Way, scope: Scope) -> bool {
    match scope {
        Scope::Service(id) => way.0 == id,
        Scope::Relay(id) | Scope::Host(id) => way.1 == id,
        Scope::Provider(id) => way.2 == id,
        Scope::Fleet => true,
        Scope::Hostgroup(_) => false,
    }
}

impl RecentWays {
    /// Forgets a part; to be called every minute.
    fn age(&mut self, at: i64) {
        // Five minutes at a time: forgetting takes a look at all ways.
        if at - self.at < 5 {
            return;
        }
        let passed = (at - std::mem::replace(&mut self.at, at)) as f64;
        let keep = (-std::f64::consts::LN_2 * passed / HALF_LIFE).exp();
        self.ways.retain(|_, (bad, all)| {
            (*bad, *all) = (*bad * keep, *all * keep);
            *all >= NOTHING
        });
    }

    fn add(&mut self, way: Way, bad: u32, all: u32) {
        let sum = self.ways.entry(way).or_default();
        sum.0 += f64::from(bad);
        sum.1 += f64::from(all);
    }

    fn sum(&self, is_meant: impl Fn(Way) -> bool) -> BadOfAll {
        let meant = self.ways.iter().filter(|(way, _)| is_meant(**way));
        meant.fold((0.0, 0.0), |sum, (_, way)| (sum.0 + way.0, sum.1 + way.1))
    }

    /// The part of a scope's bad outcomes that another one has, 0 to 1.
    fn part(&self, of: Scope, within: Scope) -> f64 {
        let whole = self.sum(|way| is_in(way, of)).0;
        let part = self.sum(|way| is_in(way, of) && is_in(way, within)).0;
        if whole > 0.0 { part / whole } else { 0.0 }
    }

    /// All scopes that have bad outcomes in common with one.
    fn near(&self, scope: Scope) -> Vec<Scope> {
        let bad = self
            .ways
            .iter()
            .filter(|(way, (bad, _))| is_in(**way, scope) && *bad > 0.0);
        let mut near: Vec<Scope> = bad
            .flat_map(|(way, _)| [Scope::Service(way.0), Scope::Relay(way.1), Scope::Provider(way.2)])
            .filter(|scope| !matches!(scope, Scope::Service(NONE) | Scope::Relay(NONE) | Scope::Provider(NONE)))
            .collect();
        near.sort_unstable();
        near.dedup();
        near
    }

    /// The smallest set that explains what shows in a scope: first the largest that fails as a whole, then the one that has
    /// most of its bad outcomes and the fewest others.
    fn smallest(&self, scope: Scope) -> Scope {
        let of = |scope: Scope| self.sum(|way| is_in(way, scope));
        let share = |(bad, all): BadOfAll| if all > 0.0 { bad / all } else { 0.0 };
        let own = share(of(scope));
        let fails_whole = |other: &Scope| self.part(scope, *other) >= EXPLAINS && share(of(*other)) >= WHOLE * own;
        let larger = self.near(scope).into_iter().filter(fails_whole);
        let grown = larger.max_by(|a, b| of(*a).1.total_cmp(&of(*b).1)).unwrap_or(scope);
        let explains = |other: Scope| {
            let part = self.part(grown, other);
            // A relay or a provider with one service is that service.
            let tie = if matches!(other, Scope::Service(_)) { TIE } else { 1.0 };
            (part >= EXPLAINS).then(|| (other, tie * part * share(of(other))))
        };
        let best = self.near(grown).into_iter().filter_map(explains);
        let best = best.max_by(|a, b| a.1.total_cmp(&b.1));
        best.map_or(scope, |(scope, _)| scope)
    }

    /// Whose bad outcomes are mostly a scope's.
    fn covered(&self, scope: Scope) -> Vec<Scope> {
        let near = self.near(scope).into_iter();
        near.filter(|other| *other != scope && self.part(*other, scope) >= EXPLAINS)
            .collect()
    }
}

/// Which outcomes are bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bad {
    Failed,
    Deferred,
}

impl Bad {
    fn sensitivity(self) -> Sensitivity {
        match self {
            Bad::Failed => FAILING,
            Bad::Deferred => THROTTLED,
        }
    }

    /// Bad ones of all.
    fn counts(self, outcome: &Outcome) -> (u32, u32) {
        match self {
            Bad::Failed => (outcome.failed, outcome.done),
            Bad::Deferred => (outcome.deferred, outcome.tried),
        }
    }
}

/// Series of one kind of bad outcome: by what they are about, and the relay where only a part of it is meant.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct OutcomeSeries {
    series: BTreeMap<(Scope, Id), OutcomeRatio>,
    recent: RecentWays,
}

/// Usual shares, for series that have learned nothing yet.
struct Priors {
    /// Of all providers.
    all: Option<f64>,
    providers: BTreeMap<Scope, f64>,
}

impl Priors {
    fn usual(&self, scope: Scope, otherwise: f64) -> f64 {
        self.providers.get(&scope).copied().unwrap_or(otherwise)
    }

    /// A provider is like all of them, and at one relay like itself at all of them.
    fn of(&self, (scope, relay): (Scope, Id), how: Sensitivity) -> Sensitivity {
        let usual = self.all.unwrap_or(how.usual);
        let usual = if relay == NONE { usual } else { self.usual(scope, usual) };
        Sensitivity { usual, ..how }
    }
}

fn is_named(scope: &Scope) -> bool {
    *scope != Scope::Provider(NONE)
}

/// All of them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Outcomes {
    failing: OutcomeSeries,
    throttled: OutcomeSeries,
    /// Relays that a provider's mail was seen at.
    relays: BTreeMap<Id, Vec<Id>>,
}

impl Outcomes {
    /// Takes a minute.
    pub(super) fn step(&mut self, at: i64, minute: &[Outcome], names: &Names) -> Vec<(GroupFinding, Turn)> {
        for outcome in minute.iter().filter(|outcome| outcome.provider != NONE) {
            let relays = self.relays.entry(outcome.provider).or_default();
            if !relays.contains(&outcome.host) {
                relays.push(outcome.host);
            }
        }
        let mut turns = Vec::new();
        for bad in [Bad::Failed, Bad::Deferred] {
            let counts = self.counts(bad, minute);
            let (series, layer) = match bad {
                Bad::Failed => (&mut self.failing, Layer::Outcome),
                Bad::Deferred => (&mut self.throttled, Layer::Deferral),
            };
            for outcome in minute {
                let (bad, all) = bad.counts(outcome);
                if all > 0 {
                    series
                        .recent
                        .add((outcome.service, outcome.host, outcome.provider), bad, all);
                }
            }
            turns.extend(series.step(at, counts, (bad, layer), names));
            series.recent.age(at);
        }
        turns
    }

    /// A minute's counts by series.
    fn counts(&self, bad: Bad, minute: &[Outcome]) -> BTreeMap<(Scope, Id), (u32, u32)> {
        let mut counts: BTreeMap<(Scope, Id), (u32, u32)> = BTreeMap::new();
        for outcome in minute {
            let (failed, all) = bad.counts(outcome);
            if all == 0 {
                continue;
            }
            let mut add = |scope: Scope, relay: Id| {
                let sum = counts.entry((scope, relay)).or_default();
                (sum.0, sum.1) = (sum.0 + failed, sum.1 + all);
            };
            match bad {
                Bad::Failed => {
                    add(Scope::Service(outcome.service), NONE);
                    add(Scope::Relay(outcome.host), NONE);
                }
                // What is usual of those without a name is known too, so that a relay's trouble is told from a provider's.
                Bad::Deferred if outcome.provider == NONE => add(Scope::Provider(NONE), NONE),
                Bad::Deferred => {}
            }
            if outcome.provider != NONE {
                add(Scope::Provider(outcome.provider), NONE);
                // With one relay it would say the same twice.
                if self
                    .relays
                    .get(&outcome.provider)
                    .is_some_and(|relays| relays.len() > 1)
                {
                    add(Scope::Provider(outcome.provider), outcome.host);
                }
            }
        }
        counts.retain(|(scope, _), _| !matches!(scope, Scope::Service(NONE) | Scope::Relay(NONE)));
        counts
    }

    /// Forgets what is known of a service that is another one from now on.
    pub(super) fn forget(&mut self, service: Id) {
        for part in [&mut self.failing, &mut self.throttled] {
            part.series.retain(|(scope, _), _| *scope != Scope::Service(service));
            part.recent.ways.retain(|way, _| way.0 != service);
        }
    }

    /// The provider that puts off most of what a scope's queue waits for, if its alarm lasts; where all of them do, the relay.
    pub(super) fn throttles(&self, scope: Scope) -> Option<Scope> {
        let open = self.throttled.series.iter().filter(|(_, series)| series.is_open());
        let mut providers = open.map(|((provider, _), _)| *provider).filter(is_named);
        let found = providers.find(|provider| self.throttled.recent.part(scope, *provider) >= EXPLAINS)?;
        Some(self.throttled.relay_of_all(found).unwrap_or(found))
    }
}

impl OutcomeSeries {
    fn step(
        &mut self,
        at: i64,
        counts: BTreeMap<(Scope, Id), (u32, u32)>,
        (bad, layer): (Bad, Layer),
        names: &Names,
    ) -> Vec<(GroupFinding, Turn)> {
        let mut turns = Vec::new();
        for key in counts.keys() {
            self.series.entry(*key).or_default();
        }
        let priors = self.priors(bad);
        let mut found = Vec::new();
        for (key, series) in &mut self.series {
            let (failed, all) = counts.get(key).copied().unwrap_or_default();
            // Most series have no mail in most minutes.
            if all == 0 && !series.is_open() {
                continue;
            }
            let how = priors.of(*key, bad.sensitivity());
            if let Some(turn) = series.step(at, failed, all, how)
                && is_named(&key.0)
            {
                let tries = series.since_onset().map_or(0.0, |(_, tries)| tries);
                found.push((*key, turn, tries, series.usual_share(how)));
            }
        }
        for ((scope, relay), turn, tries, usual) in found {
            let at_relay = (relay != NONE).then_some(relay);
            let mut told = told(turn, |found| {
                let share = found.observed / tries.max(1.0);
                say(bad, (scope, at_relay), (share, usual), found, names)
            });
            let (about, covers) = match (bad, turn) {
                (_, Turn::Closed(_)) => (None, Vec::new()),
                (Bad::Failed, Turn::Opened(_)) => {
                    let about = self.recent.smallest(scope);
                    (Some(about), self.recent.covered(about))
                }
                (Bad::Deferred, Turn::Opened(_)) => {
                    let about = self.relay_of_all(scope).unwrap_or(scope);
                    (Some(about), self.recent.covered(about))
                }
            };
            let share = match turn {
                Turn::Opened(found) => found.observed / tries.max(1.0),
                Turn::Closed(_) => 0.0,
            };
            let state = match (bad, about) {
                (Bad::Failed, Some(Scope::Provider(_))) if share >= REFUSES => State::Throttled,
                (Bad::Failed, _) => State::Failing,
                (Bad::Deferred, Some(Scope::Relay(relay))) => {
                    let relay = names.host(relay);
                    let why = format!(", as the other providers of {relay} do: it is the relay, or its network");
                    told.iter_mut().for_each(|told| told.push_str(&why));
                    State::Stuck
                }
                (Bad::Deferred, _) => State::Throttled,
            };
            let finding = GroupFinding {
                about,
                covers,
                ..finding(layer, scope, state, at_relay, told)
            };
            turns.push((finding, turn));
        }
        turns
    }

    /// What is usual of series that have learned nothing yet.
    fn priors(&self, bad: Bad) -> Priors {
        let how = bad.sensitivity();
        let mut priors = Priors {
            all: None,
            providers: BTreeMap::new(),
        };
        if bad == Bad::Failed {
            return priors;
        }
        let mut all = (PRIOR * how.usual, PRIOR);
        for ((scope, relay), series) in &self.series {
            if *relay == NONE && is_named(scope) {
                let learned = series.learned();
                all = (all.0 + learned.0, all.1 + learned.1);
            }
        }
        let usual = all.0 / all.1;
        priors.all = Some(usual);
        let how = Sensitivity { usual, ..how };
        for ((scope, relay), series) in &self.series {
            if *relay == NONE {
                priors.providers.insert(*scope, series.usual_share(how));
            }
        }
        priors
    }

    /// The relay of which all other providers put off as much beyond the usual as one does.
    fn relay_of_all(&self, provider: Scope) -> Option<Scope> {
        let priors = self.priors(Bad::Deferred);
        let usual = |id: Id| priors.usual(Scope::Provider(id), THROTTLED.usual);
        // Bad ones beyond the usual, and all.
        let beyond = |is_meant: &dyn Fn(Way) -> bool| {
            let meant = self.recent.ways.iter().filter(|(way, _)| is_meant(**way));
            meant.fold((0.0, 0.0), |sum, (way, (bad, all))| {
                (sum.0 + bad - usual(way.2) * all, sum.1 + all)
            })
        };
        let share = |(bad, all): BadOfAll| if all > 0.0 { bad / all } else { 0.0 };
        let is_alike = |relay: &Id| {
            let own = beyond(&|way| way.1 == *relay && is_in(way, provider));
            let others = beyond(&|way| way.1 == *relay && !is_in(way, provider));
            others.1 >= ALIKE_TRIES && share(own) > 0.0 && share(others) >= ALIKE * share(own)
        };
        let mut relays: Vec<(Id, f64)> = Vec::new();
        for (way, (bad, _)) in self.recent.ways.iter().filter(|(way, _)| is_in(**way, provider)) {
            match relays.iter_mut().find(|(relay, _)| *relay == way.1) {
                Some(relay) => relay.1 += bad,
                None => relays.push((way.1, *bad)),
            }
        }
        let largest = relays.into_iter().max_by(|a, b| a.1.total_cmp(&b.1));
        let largest = largest.map(|(relay, _)| relay).filter(|relay| *relay != NONE);
        largest.filter(is_alike).map(Scope::Relay)
    }
}

/// Stands between what is usual and how much there was.
const USUALLY_ENDS: &str = " %): ";

/// Adds the reply that came most often to the first sentence that says how much fails and what is usual:
/// `google defers 64 % of our mail since 14:10 (usually 2 %): 421 4.7.28 rate_limited, 37 messages`.
pub fn add_reply(evidence: &mut [String], reply: &str) {
    let said = evidence
        .iter_mut()
        .find_map(|said| said.find(USUALLY_ENDS).map(|at| (at + USUALLY_ENDS.len(), said)));
    if let Some((at, said)) = said {
        said.insert_str(at, &format!("{reply}, "));
    }
}

/// `google defers 64 % of our mail since 14:10 (usually 2 %): 37 messages`.
fn say(
    bad: Bad,
    (scope, relay): (Scope, Option<Id>),
    (share, usual): (f64, f64),
    found: LayerFinding,
    names: &Names,
) -> String {
    let (kind, name) = scope.named(names);
    let of_relay = relay.map_or_else(String::new, |relay| format!(" from {}", names.host(relay)));
    let (share, usual, count) = (percent(share), percent(usual), found.observed);
    let since = format!(
        "{:02}:{:02}",
        found.onset.rem_euclid(1440) / 60,
        found.onset.rem_euclid(60)
    );
    match (bad, scope) {
        (Bad::Deferred, _) => {
            format!("{name} defers {share} of our mail{of_relay} since {since} (usually {usual}): {count:.0} messages")
        }
        (Bad::Failed, Scope::Provider(_)) => {
            format!("{name} refuses {share} of our mail{of_relay} since {since} (usually {usual}): {count:.0} copies")
        }
        (Bad::Failed, _) => {
            format!("{share} of the mail of {kind} {name} fails since {since} (usually {usual}): {count:.0} copies")
        }
    }
}

/// `64 %`, `0.4 %`.
fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    match percent < 1.0 {
        true => format!("{percent:.1} %"),
        false => format!("{percent:.0} %"),
    }
}
