//! The detection itself: one step a minute, all layers in the order of their certainty, findings grouped into alarms.
//! Strictly causal, and without a clock: the same minutes give the same alarms, replayed or live.

use super::alarm::{Change, Layer, LayerFinding, Scope, State, Turn};
use super::burst::Burst;
use super::civil::LocalMinute;
use super::clock_change::ClockRule;
use super::days::Days;
use super::declared::{DeclaredState, DeclaredTime};
pub(super) use super::finding::{finding, told};
use super::fleet::{Fleet, FleetMinute, Id, Names, Renamed};
use super::forecast::Forecast;
use super::group::{GroupFinding, Groups};
use super::host::{Around, HostState};
use super::leading::Leading;
use super::membership::EXPLAINS;
use super::outcomes::Outcomes;
use super::queue::Queue;
use super::refusals::{self, Refusals};
use super::rhythm::Rhythms;
use super::routes::Routes;
use super::sums::Sums;
use super::tuning::Tuning;
use super::volume::{Complete, Volumes};
use mailpulse_time::Minute;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the operator may say.
#[derive(Debug, Clone)]
pub struct Options {
    /// Constants of the statistical layer, with the budget of false alarms.
    pub tuning: Tuning,
    /// Whose clocks and holidays the services follow.
    pub rhythms: Rhythms,
    /// Whether volumes below expectation alarm at all.
    pub volume: bool,
    /// Mail that is promised for set times.
    pub declared: Arc<[DeclaredTime]>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            tuning: Tuning::default(),
            rhythms: Rhythms::default(),
            volume: true,
            declared: Arc::default(),
        }
    }
}

impl Options {
    /// Services that are known before their first mail: it may be the one that does not come.
    #[must_use]
    pub fn known_names(&self) -> Names {
        let mut services: Vec<String> = self.declared.iter().map(|time| time.service.clone()).collect();
        services.sort_unstable();
        services.dedup();
        Names {
            services,
            ..Names::default()
        }
    }
}

/// A service at a host.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Pair {
    queue: Queue,
    rejects: Burst,
}

/// Everything that is remembered.
#[derive(Debug, Serialize, Deserialize)]
pub struct Engine {
    #[serde(skip)]
    pub(super) options: Options,
    pub(super) days: Days,
    /// Ways of the mail.
    pub routes: Routes,
    /// Alarms.
    pub groups: Groups,
    hosts: Vec<HostState>,
    /// By host.
    leading: Vec<Leading>,
    refusals: Vec<Refusals>,
    failures: Vec<Burst>,
    pairs: BTreeMap<(Id, Id), Pair>,
    pub(super) volumes: Volumes,
    outcomes: Outcomes,
    pub(super) declared: DeclaredState,
}

impl Engine {
    /// Knows nothing yet.
    pub fn new(options: Options) -> Self {
        let days = Days::new(options.rhythms.clone());
        let volumes = Volumes::new(Engine::config(&options));
        Engine {
            options,
            days,
            routes: Routes::default(),
            groups: Groups::default(),
            hosts: Vec::new(),
            leading: Vec::new(),
            refusals: Vec::new(),
            failures: Vec::new(),
            pairs: BTreeMap::new(),
            volumes,
            outcomes: Outcomes::default(),
            declared: DeclaredState::default(),
        }
    }

    /// Replays a fleet's history; afterwards `groups.told()` says what would have alarmed.
    pub fn replay(fleet: &Fleet, options: Options) -> Engine {
        let mut engine = Engine::new(options);
        for minute in &fleet.minutes {
            engine.step(&fleet.names, minute);
        }
        engine
    }

    /// Takes the next minute; minutes come in order without holes.
    pub fn step(&mut self, names: &Names, minute: &FleetMinute) -> Vec<Change> {
        let at = minute.at;
        self.hosts
            .resize_with(names.hosts.len().max(self.hosts.len()), HostState::default);
        self.leading.resize_with(self.hosts.len(), Leading::default);
        self.refusals.resize_with(self.hosts.len(), Refusals::default);
        self.failures
            .resize_with(names.services.len().max(self.failures.len()), Burst::default);
        let mut changes = self.rename(at, &minute.renamed, names);
        self.days.step(at.get(), names, &self.routes);
        let sums = Sums::of(minute, names, self.hosts.len());
        let mut turns = Vec::new();
        self.hosts_step(at.get(), &sums, names, &mut turns);
        self.witnesses_step(at.get(), &sums, names, &mut turns);
        turns.extend(self.outcomes.step(at.get(), &minute.outcomes, names));
        self.pairs_step(at.get(), &sums, names, &mut turns);
        self.explain_queues(&mut turns);
        let ends = self.declared_step(at, &sums, names, &mut turns);
        if self.options.volume {
            self.volumes_step(at.get(), &sums, names, &mut turns);
        }
        self.routes.add(at, &minute.flows);
        changes.extend(self.apply(at, turns, names));
        for (service, words) in ends {
            self.groups.say_end(at, Scope::Service(service), words);
        }
        for worse in self.volumes.take_worse() {
            let worse = self.worse(at.get(), worse);
            changes.extend(self.groups.worsen(at, worse, &self.routes, names));
        }
        changes
    }

    /// Names that end have lost no mail, and those that other mail bears are new: what was learnt of both is forgotten.
    fn rename(&mut self, at: Minute, renamed: &Renamed, names: &Names) -> Vec<Change> {
        let mut changes = Vec::new();
        let services = |ids: &[Id]| ids.iter().map(|id| Scope::Service(*id)).collect::<Vec<_>>();
        let groups = |ids: &[Id]| ids.iter().map(|id| Scope::Hostgroup(*id)).collect::<Vec<_>>();
        let ended = [services(&renamed.ended), groups(&renamed.groups_ended)].concat();
        let anew = [services(&renamed.anew), groups(&renamed.groups_anew)].concat();
        for (scope, is_over) in ended
            .iter()
            .map(|scope| (*scope, true))
            .chain(anew.iter().map(|scope| (*scope, false)))
        {
            let (kind, name) = scope.named(names);
            let why = match is_over {
                true => {
                    format!("attribution changed: no mail is given to {kind} {name} any more, so that none is missing")
                }
                false => {
                    format!("attribution changed: other mail is given to {kind} {name} now, which is counted anew")
                }
            };
            changes.extend(self.groups.rename(at, scope, &why, &self.routes));
            self.volumes.forget(scope);
            match scope {
                Scope::Service(id) => self.forget_service(id),
                Scope::Hostgroup(id) => self.routes.forget_group(id),
                Scope::Fleet | Scope::Relay(_) | Scope::Host(_) | Scope::Provider(_) => {}
            }
        }
        changes
    }

    fn forget_service(&mut self, id: Id) {
        if let Some(burst) = self.failures.get_mut(id as usize) {
            *burst = Burst::default();
        }
        self.pairs.retain(|(service, _), _| *service != id);
        let of_it = |leading: &&mut Leading| leading.service() == Some(id);
        self.leading
            .iter_mut()
            .filter(of_it)
            .for_each(|leading| *leading = Leading::default());
        self.routes.forget(id);
        self.outcomes.forget(id);
    }

    fn apply(&mut self, at: Minute, turns: Vec<(GroupFinding, Turn)>, names: &Names) -> Vec<Change> {
        let mut changes = Vec::new();
        // What ends first makes room, services before what carries their mail; what begins comes surest first, so that the
        // sure ones take the others in.
        let closed = turns.iter().filter_map(|(finding, turn)| match turn {
            Turn::Closed(ended) => Some((finding.scope, finding.layer, finding.relay, Minute::new(*ended))),
            Turn::Opened(_) => None,
        });
        let mut closed: Vec<_> = closed.collect();
        closed.sort_by_key(|(scope, ..)| std::cmp::Reverse(*scope));
        for (scope, layer, relay, ended) in closed {
            changes.extend(self.groups.close((layer, scope, relay), ended, &self.routes));
        }
        let mut opened: Vec<GroupFinding> = Vec::new();
        for (mut finding, turn) in turns {
            if let Turn::Opened(found) = turn {
                finding.found = found;
                opened.push(finding);
            }
        }
        opened.sort_by_key(|finding| (finding.layer, finding.scope));
        for finding in opened {
            changes.extend(self.groups.open(at, finding, &self.routes, names));
        }
        changes
    }

    /// Logs, silence, and queues of hosts.
    fn hosts_step(&mut self, at: i64, sums: &Sums, names: &Names, turns: &mut Vec<(GroupFinding, Turn)>) {
        // All at once, and by reference: to leave an empty state in the place of one costs its tables, at each minute.
        let mut hosts = std::mem::take(&mut self.hosts);
        for (host, (heard, state)) in sums.hosts.iter().zip(&mut hosts).enumerate() {
            let id = host as Id;
            let leads = self.leading[host].service();
            let failing = if state.is_quiet() {
                self.failing_at(at, id, leads, sums)
            } else {
                0.0
            };
            let day = LocalMinute {
                wall: self.days.wall(at, id),
                holiday: self.days.is_quiet(id),
            };
            let seen = state.is_seen() && !heard.unreadable;
            let sent = |service| sums.accepted.get(&Scope::Service(service)).copied().unwrap_or(0);
            let leading = &mut self.leading[host];
            let days = &mut self.days;
            let day_of = |service| days.of_service(at, service, names);
            leading.look(at, self.routes.parts_of_host(id));
            if let Some((service, turn)) = leading.step(at, seen, day_of, sent) {
                let (who, relay) = (names.service(service), names.host(id));
                let told = told(turn, |found| {
                    format!(
                        "{who} sent no mail where {:.0} were due, and {relay} lacks no other mail",
                        found.expected
                    )
                });
                let scope = Scope::Service(service);
                turns.push((finding(Layer::Silence, scope, State::Dropped, Some(id), told), turn));
            }
            let part = leading.others(state.since());
            let refused = sums.refused.iter().filter(|(_, at)| *at == id);
            self.refusals[host].note(at, refused.map(|(service, _)| *service));
            let theirs = self.refusals[host].theirs();
            let around = Around {
                failing,
                unexplained: theirs.map_or(part, |theirs| part.without(theirs)),
                refusals_explained: theirs.is_some(),
            };
            for (layer, turn) in state.step(at, day, *heard, around) {
                let (scope, word) = match layer {
                    Layer::Sight => (Scope::Host(id), State::Blind),
                    Layer::Parse => (Scope::Host(id), State::Unreadable),
                    Layer::Silence => (Scope::Relay(id), State::Dropped),
                    Layer::Witness => (self.refusal(host, state, turn), State::Stuck),
                    _ => (Scope::Relay(id), State::Stuck),
                };
                // What tells of a service tells it at this host.
                let relay = matches!(scope, Scope::Service(_)).then_some(id);
                let evidence = match turn {
                    Turn::Opened(found) => state.evidence(layer, found, failing, names.host(id)),
                    Turn::Closed(_) => Vec::new(),
                };
                turns.push((finding(layer, scope, word, relay, evidence), turn));
            }
        }
        self.hosts = hosts;
    }

    /// Whose trouble it is that others find nobody at a host.
    fn refusal(&mut self, host: usize, state: &HostState, turn: Turn) -> Scope {
        let id = host as Id;
        let refusals = &mut self.refusals[host];
        match turn {
            Turn::Opened(found) => {
                let host = refusals::RefusingHost {
                    id,
                    since: state.since(),
                    gap: state.gap(),
                };
                refusals.about(host, found.onset, &self.routes)
            }
            Turn::Closed(_) => refusals.over().unwrap_or(Scope::Relay(id)),
        }
    }

    /// Failures of services that hang on a host, in the last ten minutes. The one that leads speaks for itself.
    fn failing_at(&self, at: i64, host: Id, leads: Option<Id>, sums: &Sums) -> f64 {
        let services = self.routes.through(host, super::routes::ONLY).into_iter();
        let services = services.filter(|service| Some(*service) != leads);
        let failing = services.map(|service| {
            let before = self
                .failures
                .get(service as usize)
                .map_or(0.0, |burst| burst.within(at, 10));
            before + f64::from(sums.failed.get(&service).copied().unwrap_or(0))
        });
        failing.sum()
    }

    /// Applications that fail to hand mail in.
    fn witnesses_step(&mut self, at: i64, sums: &Sums, names: &Names, turns: &mut Vec<(GroupFinding, Turn)>) {
        for (service, burst) in self.failures.iter_mut().enumerate() {
            let id = service as Id;
            let failed = sums.failed.get(&id).copied().unwrap_or(0);
            let taken = sums.accepted.get(&Scope::Service(id)).copied().unwrap_or(0);
            let tries = failed + taken.max(sums.handed_in.get(&id).copied().unwrap_or(0));
            let Some(turn) = burst.step(at, failed, tries) else {
                continue;
            };
            let evidence = match turn {
                Turn::Opened(found) => vec![format!(
                    "{} could not hand in {:.0} mails ({:.1} are usual in that time)",
                    names.service(id),
                    found.observed,
                    found.expected
                )],
                Turn::Closed(_) => Vec::new(),
            };
            let scope = Scope::Service(id);
            turns.push((finding(Layer::Witness, scope, State::Refused, None, evidence), turn));
        }
    }

    /// Services at hosts: rejects and queues.
    fn pairs_step(&mut self, at: i64, sums: &Sums, names: &Names, turns: &mut Vec<(GroupFinding, Turn)>) {
        for key in sums.pairs.keys() {
            self.pairs.entry(*key).or_default();
        }
        for ((service, host), pair) in &mut self.pairs {
            if self.hosts.get(*host as usize).is_some_and(|state| !state.is_seen()) {
                continue;
            }
            let (queued, rejected) = sums.pairs.get(&(*service, *host)).copied().unwrap_or_default();
            let (who, relay) = (names.service(*service), names.host(*host));
            let tries = rejected + queued.arrived as u32;
            if let Some(turn) = pair.rejects.step(at, rejected, tries) {
                let told = told(turn, |found| {
                    format!(
                        "{relay} rejected {:.0} of {who} ({:.1} are usual in that time)",
                        found.observed, found.expected
                    )
                });
                let scope = Scope::Service(*service);
                turns.push((finding(Layer::Rejects, scope, State::Refused, Some(*host), told), turn));
            }
            if let Some(turn) = pair.queue.step(at, queued) {
                let told = told(turn, |found| {
                    format!(
                        "{relay} took mail of {who} and passed on {:.0} copies where {:.0} were due",
                        found.observed, found.expected
                    )
                });
                let scope = Scope::Service(*service);
                turns.push((finding(Layer::Queue, scope, State::Stuck, Some(*host), told), turn));
            }
        }
    }

    /// A queue that waits for a provider that throttles is that provider's trouble.
    fn explain_queues(&self, turns: &mut [(GroupFinding, Turn)]) {
        for (finding, turn) in turns {
            if finding.layer == Layer::Queue && matches!(turn, Turn::Opened(_)) {
                finding.about = self.outcomes.throttles(finding.scope);
            }
        }
    }

    /// Volumes of services, hostgroups and relays.
    fn volumes_step(&mut self, at: i64, sums: &Sums, names: &Names, turns: &mut Vec<(GroupFinding, Turn)>) {
        let relays = sums.hosts.iter().enumerate().filter(|(_, heard)| heard.accepted > 0);
        let relays = relays.map(|(host, _)| Scope::Relay(host as Id));
        for scope in sums.accepted.keys().copied().chain(relays) {
            if !self.volumes.knows(scope)
                && let Some(rhythm) = self.days.rhythm(at, scope, names, &self.routes)
            {
                self.volumes.begin(scope, &rhythm);
            }
        }
        let blind = self.blind_hosts();
        for scope in self.volumes.scopes() {
            let count = match scope {
                Scope::Relay(host) => sums.hosts.get(host as usize).map_or(0, |heard| heard.accepted),
                _ => sums.accepted.get(&scope).copied().unwrap_or(0),
            };
            // Where other days than its own keep its mail away, a count says nothing.
            let seen = self.is_seen_at(scope, &blind) && !self.days.lacks(scope);
            turns.extend(self.gap_step(at, scope, seen.then_some(count), names));
            let found = self.volumes.step(at, scope, seen.then_some(count));
            if let Scope::Service(service) = scope
                && self
                    .declared
                    .covers(Minute::new(at), &self.options.declared, names.service(service))
            {
                self.volumes.excuse(at, scope);
            }
            for turn in found {
                let (kind, name) = scope.named(names);
                let explained = match turn {
                    Turn::Opened(found) => self.explained(at, scope, found),
                    Turn::Closed(_) => None,
                };
                let told = told(turn, |found| {
                    format!(
                        "{kind} {name} brought {:.0} mails where {:.0} are usual",
                        found.observed, found.expected
                    )
                });
                let finding = GroupFinding {
                    explained,
                    ..finding(Layer::Volume, scope, State::Dropped, None, told)
                };
                turns.push(self.with_family(at, finding, turn, names));
            }
        }
        self.overdue_step(names, turns);
    }

    /// Mail that is promised for set times; what there is to say of services whose mail has come.
    fn declared_step(
        &mut self,
        at: Minute,
        sums: &Sums,
        names: &Names,
        turns: &mut Vec<(GroupFinding, Turn)>,
    ) -> Vec<(Id, String)> {
        let times = Arc::clone(&self.options.declared);
        if times.is_empty() {
            return Vec::new();
        }
        let blind = self.blind_hosts();
        let id = |service: &str| names.services.iter().position(|name| name == service);
        let mut declared = std::mem::take(&mut self.declared);
        let mut ends = Vec::new();
        let said = declared.step(at, &times, |service| {
            let id = id(service)? as Id;
            let scope = Scope::Service(id);
            // A service that nobody has seen may send through any host.
            let is_seen = match self.routes.of(id).is_empty() {
                true => blind.is_empty(),
                false => self.is_seen_at(scope, &blind),
            };
            is_seen.then(|| sums.accepted.get(&scope).copied().unwrap_or(0))
        });
        for turn in said {
            let Some(service) = id(&times[turn.time].service).map(|id| id as Id) else {
                continue;
            };
            let told = match turn.turn {
                Turn::Opened(_) => vec![turn.words],
                Turn::Closed(_) => {
                    ends.push((service, turn.words));
                    Vec::new()
                }
            };
            let scope = Scope::Service(service);
            turns.push((finding(Layer::Declared, scope, State::Overdue, None, told), turn.turn));
        }
        self.declared = declared;
        ends
    }

    /// Hosts whose logs are not seen.
    fn blind_hosts(&self) -> Vec<Id> {
        let hosts = 0..self.hosts.len() as Id;
        hosts.filter(|host| !self.hosts[*host as usize].is_seen()).collect()
    }

    /// Whether nearly all of something's mail is seen.
    fn is_seen_at(&self, scope: Scope, blind: &[Id]) -> bool {
        blind.iter().all(|host| self.part_at(scope, *host) < 0.05)
    }

    /// Mail of set times. What several services send at theirs is told by each of them.
    fn overdue_step(&mut self, names: &Names, turns: &mut Vec<(GroupFinding, Turn)>) {
        for (scope, turn) in self.volumes.take_overdue() {
            let Scope::Service(service) = scope else { continue };
            let told = told(turn, |found| {
                format!(
                    "{} sends mail at set times, and {} of them did not come, the first of which was due at {}",
                    names.service(service),
                    found.expected,
                    super::schedule::utc(found.onset)
                )
            });
            turns.push((finding(Layer::Schedule, scope, State::Overdue, None, told), turn));
        }
    }

    /// Services that follow the clock of a part of the world that nobody configured for them.
    pub fn clock_rules(&self) -> Vec<(Id, ClockRule)> {
        self.volumes.clock_rules()
    }

    /// From when on volume alarms are complete; `None` before the first mail.
    pub fn complete(&self) -> Option<Complete> {
        self.volumes.complete()
    }

    /// The service whose own alarm explains what a relay or hostgroup misses.
    fn explained(&self, at: i64, scope: Scope, found: LayerFinding) -> Option<Id> {
        let missing = found.expected - found.observed;
        let minutes = at + 1 - found.onset;
        let part = |service: Id| match scope {
            Scope::Relay(host) => self.routes.share(service, host),
            Scope::Hostgroup(group) => self.routes.group_share(service, group),
            Scope::Fleet | Scope::Host(_) | Scope::Service(_) | Scope::Provider(_) => 0.0,
        };
        // What waits in a sender's queue is counted there, and missing here.
        let kept = |service: Id| match scope {
            Scope::Relay(host) => self.routes.part_of_host(service, host) * found.expected,
            _ => 0.0,
        };
        let own = self.groups.told().filter(|alarm| alarm.ended.is_none());
        let lacks = own.flat_map(|alarm| {
            let services: Vec<Id> = match alarm.scope {
                Scope::Service(service) => vec![service],
                // A sender's own MTA.
                Scope::Relay(host) if alarm.state == State::Stuck && scope != alarm.scope => {
                    self.routes.through(host, super::routes::ONLY)
                }
                _ => Vec::new(),
            };
            let is_stuck = alarm.state == State::Stuck;
            services.into_iter().map(move |service| {
                let missing = part(service) * self.volumes.missing(Scope::Service(service), minutes);
                let missing = if is_stuck { missing.max(kept(service)) } else { missing };
                (service, missing)
            })
        });
        let most = lacks.max_by(|a, b| a.1.total_cmp(&b.1));
        most.filter(|(_, lacks)| *lacks >= EXPLAINS * missing)
            .map(|(service, _)| service)
    }

    /// What is expected of something in a minute that was not taken yet, for a look at windows of so many minutes.
    pub fn forecast(&mut self, at: Minute, scope: Scope, window_min: i64) -> Option<Forecast> {
        self.forecasts(at, scope, [window_min]).map(|[forecast]| forecast)
    }

    /// The same for looks at windows of several lengths.
    pub fn forecasts<const N: usize>(
        &mut self,
        at: Minute,
        scope: Scope,
        windows_min: [i64; N],
    ) -> Option<[Forecast; N]> {
        self.volumes.forecasts(at.get(), scope, windows_min)
    }

    /// The part of something's mail that a host's log tells of.
    fn part_at(&self, scope: Scope, host: Id) -> f64 {
        match scope {
            Scope::Service(service) => self.routes.share(service, host),
            Scope::Hostgroup(group) => self.routes.group_through(group, host),
            Scope::Relay(own) | Scope::Host(own) => f64::from(u8::from(own == host)),
            Scope::Fleet => 1.0,
            // No log tells of it.
            Scope::Provider(_) => 0.0,
        }
    }
}
