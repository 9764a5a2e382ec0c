//! One trouble, one alarm: findings that share a relay, a hostgroup or a service in one window belong together, and the
//! alarm is told at the smallest set that explains them.

use super::alarm::{Alarm, Change, Found, Layer, Scope, State};
use super::belong::{explains, hang, is_inside, note_member, smallest};
use super::fleet::{Id, Names};
use super::routes::{ONLY, Routes};

/// Onsets of one trouble differ by so many minutes at most, where they are known well.
const WINDOW: i64 = 30;
/// An alarm that comes back within so many minutes goes on.
const AGAIN: i64 = 60;
/// The same of what is provisional: a series' first weekend is one finding, not ten.
const AGAIN_YOUNG: i64 = 1440;
/// A volume below expectation may look back this far, minutes: what it finds after an outage is the outage.
const TAIL: i64 = 3 * 1440;
/// An alarm that lasts would say the same for ever.
const SAID_MAX: usize = 24;

/// What a layer found, and about what.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Which layer.
    pub layer: Layer,
    /// About what.
    pub scope: Scope,
    /// Why.
    pub state: State,
    /// The relay at which it shows, if it is one.
    pub relay: Option<Id>,
    /// Numbers.
    pub found: Found,
    /// Sentences.
    pub evidence: Vec<String>,
    /// The service whose own loss is most of what is missing.
    pub explained: Option<Id>,
}

/// What a layer calls a finding: layer, scope, relay.
type Key = (Layer, Scope, Option<Id>);

/// A finding that lasts.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Held {
    layer: Layer,
    scope: Scope,
    relay: Option<Id>,
    alarm: usize,
    /// It speaks of what the alarm is about, not of a part of it.
    own: bool,
}

/// All alarms so far.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    /// Alarms, by number.
    pub alarms: Vec<Alarm>,
    held: Vec<Held>,
}

/// Within how many minutes an alarm comes back.
fn again(alarm: &Alarm) -> i64 {
    if alarm.provisional { AGAIN_YOUNG } else { AGAIN }
}

impl Groups {
    /// Takes a new finding.
    pub fn open(&mut self, at: i64, finding: Finding, routes: &Routes, names: &Names) -> Vec<Change> {
        let about = smallest(finding.scope, routes);
        let key = (finding.layer, finding.scope, finding.relay);
        let finding = Finding {
            scope: about,
            ..finding
        };
        let changes = self.place(at, finding, key, routes, names);
        // Back within the hour: the same episode goes on.
        for change in &changes {
            if let Change::Changed(id) = *change
                && self.held.iter().any(|held| held.alarm == id && held.own)
                && self.alarms[id]
                    .ended
                    .is_some_and(|ended| at - ended <= again(&self.alarms[id]) && ended <= at)
            {
                (self.alarms[id].ended, self.alarms[id].end) = (None, None);
                if let Some(cause) = &mut self.alarms[id].cause {
                    cause.silent_to = None;
                }
            }
        }
        changes
    }

    fn place(&mut self, at: i64, finding: Finding, key: Key, routes: &Routes, names: &Names) -> Vec<Change> {
        let provisional = finding.found.provisional;
        let home = self.home(at, &finding, false, routes);
        if home.is_some() && provisional && finding.layer == Layer::Volume {
            // Two weeks of history make no week: it adds nothing to what is sure.
            return Vec::new();
        }
        // What is provisional never speaks for what is sure, nor moves when that began.
        let home = home.or_else(|| provisional.then(|| self.home(at, &finding, true, routes))?);
        if let Some(id) = home {
            self.join(id, at, &finding, key, routes, names);
            return vec![Change::Changed(id)];
        }
        let id = self.create(at, &finding);
        let mut changes = vec![Change::Opened(id)];
        self.join(id, at, &finding, key, routes, names);
        if !provisional {
            self.confirm(id, routes);
        }
        match finding.scope {
            Scope::Service(_) if provisional => {}
            Scope::Service(service) => changes.extend(self.pool(id, service, at, routes, names)),
            Scope::Relay(_) | Scope::Hostgroup(_) => {
                self.absorb(id, at, routes, names).into_iter().for_each(|part| {
                    changes.push(Change::Merged(part, id));
                });
            }
            Scope::Host(_) => {}
        }
        changes
    }

    /// A finding is over since `ended`.
    pub fn close(&mut self, layer: Layer, scope: Scope, relay: Option<Id>, ended: i64) -> Vec<Change> {
        let is_it = |held: &Held| held.layer == layer && held.scope == scope && held.relay == relay;
        let Some(at) = self.held.iter().position(is_it) else {
            return Vec::new();
        };
        let Held {
            alarm: id,
            own: has_own,
            ..
        } = self.held.swap_remove(at);
        let own = |held: &&Held| held.alarm == id && held.own;
        let sure = |layer: Layer| layer != Layer::Volume;
        let was_sure = self.alarms[id].layers.iter().any(|(layer, _)| sure(*layer));
        let lasts = if has_own {
            self.held.iter().filter(own).any(|held| !was_sure || sure(held.layer))
        } else {
            self.held.iter().any(|held| held.alarm == id)
        };
        let alarm = &mut self.alarms[id];
        if lasts || alarm.ended.is_some() || alarm.part_of.is_some() {
            return Vec::new();
        }
        // What is found when it is over was found in its last minute.
        alarm.ended = Some(ended.max(alarm.detected));
        if let Some(cause) = &mut alarm.cause {
            cause.silent_to = Some(ended.max(cause.silent_from));
        }
        vec![Change::Closed(id)]
    }

    /// What bears a name is another thing from a minute on: findings about it are over, and its alarms say why.
    pub fn rename(&mut self, at: i64, scope: Scope, why: &str) -> Vec<Change> {
        let mut changes = Vec::new();
        let about = |alarm: &&mut Alarm| alarm.scope == scope && alarm.ended.is_none() && alarm.part_of.is_none();
        for alarm in self.alarms.iter_mut().filter(about) {
            alarm.ended = Some(at.max(alarm.detected));
            alarm.end = Some(why.to_owned());
            alarm.evidence.push(why.to_owned());
            if let Some(cause) = &mut alarm.cause {
                cause.silent_to = Some(at.max(cause.silent_from));
            }
            self.held.retain(|held| held.alarm != alarm.id);
            changes.push(Change::Closed(alarm.id));
        }
        let of_it = self.held.iter().filter(|held| held.scope == scope);
        let of_it: Vec<Key> = of_it.map(|held| (held.layer, held.scope, held.relay)).collect();
        for (layer, scope, relay) in of_it {
            changes.extend(self.close(layer, scope, relay, at));
        }
        changes
    }

    /// Takes from what is known later when alarms were over, if that was up to the minute `until`: an end is known some
    /// minutes after it.
    pub fn learn_ends(&mut self, later: &Groups, until: i64) {
        for alarm in self.alarms.iter_mut().filter(|alarm| alarm.ended.is_none()) {
            let mut known = &later.alarms[alarm.id];
            while let Some(whole) = known.part_of {
                known = &later.alarms[whole];
            }
            alarm.ended = known.ended.filter(|ended| *ended <= until);
            alarm.end = known.end.clone().filter(|_| alarm.ended.is_some());
            if let Some(cause) = alarm.cause.as_mut().filter(|_| alarm.ended.is_some()) {
                cause.silent_to = known.cause.as_ref().map_or(alarm.ended, |known| known.silent_to);
            }
        }
    }

    /// Alarms that are told: not part of a larger one, and more than provisional.
    pub fn told(&self) -> impl Iterator<Item = &Alarm> {
        self.shown().filter(|alarm| !alarm.provisional)
    }

    /// The same with those that are provisional: they are shown, marked, and page nobody.
    pub fn shown(&self) -> impl Iterator<Item = &Alarm> {
        self.alarms.iter().filter(|alarm| alarm.part_of.is_none())
    }

    /// Whether an alarm about a scope lasts.
    pub fn is_open(&self, scope: Scope) -> bool {
        self.held.iter().any(|held| held.scope == scope)
    }

    fn create(&mut self, at: i64, finding: &Finding) -> usize {
        let id = self.alarms.len();
        let found = finding.found;
        self.alarms.push(Alarm {
            id,
            scope: finding.scope,
            state: finding.state,
            onset: found.onset.min(at),
            // What a minute brought is known at its end.
            detected: at + 1,
            ended: None,
            end: None,
            expected: found.expected,
            observed: found.observed,
            score: found.score,
            provisional: found.provisional,
            cause: None,
            members: Vec::new(),
            layers: Vec::new(),
            evidence: Vec::new(),
            part_of: None,
        });
        id
    }

    /// What was provisional is this alarm's: it says what those that are open about the same mail were not sure of.
    fn confirm(&mut self, id: usize, routes: &Routes) {
        let (scope, state) = (self.alarms[id].scope, self.alarms[id].state);
        for part in &mut self.alarms[..id] {
            let is_open = part.provisional && part.part_of.is_none() && part.ended.is_none();
            let is_about = part.scope == scope
                || is_inside(part.scope, None, scope, routes)
                || explains(scope, part.scope, routes);
            if is_open && is_about && part.state.is_about_mail() == state.is_about_mail() {
                part.part_of = Some(id);
            }
        }
        let alarms = &self.alarms;
        self.held
            .retain(|held| alarms[held.alarm].part_of != Some(id) || !alarms[held.alarm].provisional);
    }

    /// The alarm that a finding belongs to, among those that are provisional or among the others.
    fn home(&self, at: i64, finding: &Finding, provisional: bool, routes: &Routes) -> Option<usize> {
        let told = self.alarms.iter().rev();
        let told = told.filter(|alarm| alarm.part_of.is_none() && alarm.provisional == provisional);
        let mut fitting = told.filter(|alarm| {
            let is_tail = finding.layer == Layer::Volume || finding.layer == Layer::Queue;
            let in_time = match alarm.ended {
                None => true,
                Some(ended) if finding.scope == alarm.scope && at - ended <= again(alarm) => true,
                Some(ended) => is_tail && finding.found.onset < ended + WINDOW && finding.found.onset > ended - TAIL,
            };
            in_time && self.fits(finding, alarm, routes)
        });
        fitting.next().map(|alarm| alarm.id)
    }

    fn fits(&self, finding: &Finding, alarm: &Alarm, routes: &Routes) -> bool {
        if finding.scope == alarm.scope {
            return finding.state.is_about_mail() == alarm.state.is_about_mail();
        }
        if !finding.state.is_about_mail() || !alarm.state.is_about_mail() {
            return false;
        }
        let late_enough = finding.layer == Layer::Volume || finding.found.onset >= alarm.onset - WINDOW;
        late_enough && is_inside(finding.scope, finding.relay, alarm.scope, routes)
            // A relay's silence is told only where others' mail is missing too.
            || finding.layer != Layer::Silence && explains(alarm.scope, finding.scope, routes)
            || finding
                .explained
                .is_some_and(|service| alarm.scope == Scope::Service(service))
    }

    fn join(&mut self, id: usize, at: i64, finding: &Finding, key: Key, routes: &Routes, names: &Names) {
        let (layer, scope, relay) = key;
        let own = finding.scope == self.alarms[id].scope;
        self.held.push(Held {
            layer,
            scope,
            relay,
            alarm: id,
            own,
        });
        let alarm = &mut self.alarms[id];
        if finding.scope == alarm.scope {
            let surest = alarm.layers.iter().all(|(other, _)| layer < *other);
            if surest {
                alarm.state = finding.state;
                // What began after the alarm is more of the same, and not its beginning.
                if finding.found.onset <= alarm.detected {
                    alarm.onset = finding.found.onset.min(at);
                    (alarm.expected, alarm.observed) = (finding.found.expected, finding.found.observed);
                }
            }
            if alarm.layers.iter().all(|(other, _)| *other != layer) {
                alarm.layers.push((layer, at));
            }
            alarm.score = alarm.score.max(finding.found.score);
            alarm.provisional &= finding.found.provisional;
        }
        let room = SAID_MAX.saturating_sub(alarm.evidence.len());
        alarm.evidence.extend(finding.evidence.iter().take(room).cloned());
        if let Scope::Service(service) = finding.scope
            && finding.scope != alarm.scope
        {
            let reason = finding.evidence.first().cloned().unwrap_or_default();
            note_member(alarm, service, Some((layer, finding.state)), reason);
        }
        if let Scope::Relay(relay) = alarm.scope {
            hang(alarm, relay, routes, names);
        }
    }

    /// Takes open alarms into the larger one that explains them.
    fn absorb(&mut self, id: usize, at: i64, routes: &Routes, names: &Names) -> Vec<usize> {
        let (scope, onset) = (self.alarms[id].scope, self.alarms[id].onset);
        let parts: Vec<usize> = self
            .alarms
            .iter()
            .filter(|part| {
                let volume = part.layers.iter().all(|(layer, _)| *layer == Layer::Volume);
                part.id != id
                    && part.part_of.is_none()
                    && part.provisional == self.alarms[id].provisional
                    && part.ended.is_none()
                    && part.state.is_about_mail()
                    && (volume || part.onset >= onset - WINDOW)
                    && is_inside(part.scope, None, scope, routes)
            })
            .map(|part| part.id)
            .collect();
        for part in &parts {
            self.take_in(*part, id, at, names);
        }
        parts
    }

    fn take_in(&mut self, part: usize, id: usize, at: i64, names: &Names) {
        self.held
            .iter_mut()
            .filter(|held| held.alarm == part)
            .for_each(|held| (held.alarm, held.own) = (id, false));
        let taken = self.alarms[part].clone();
        self.alarms[part].part_of = Some(id);
        let alarm = &mut self.alarms[id];
        if taken.layers.iter().any(|(layer, _)| *layer != Layer::Volume) {
            alarm.detected = alarm.detected.min(taken.detected);
            if alarm.onset > alarm.detected {
                alarm.onset = taken.onset;
            }
        }
        let (kind, name) = taken.scope.named(names);
        alarm.evidence.push(format!(
            "{kind} {name} alone was found {} {} min before",
            taken.state.as_str(),
            at + 1 - taken.detected
        ));
        alarm.evidence.extend(taken.evidence);
        if let Scope::Service(service) = taken.scope {
            let layer = taken.layers.iter().map(|(layer, _)| *layer).min();
            let reason = alarm.evidence.last().cloned().unwrap_or_default();
            note_member(alarm, service, layer.map(|layer| (layer, taken.state)), reason);
        }
        for member in taken.members {
            note_member(alarm, member.service, member.judged, member.reason);
        }
    }

    /// Several services that hang on one relay fail in one window: one alarm, at the relay.
    fn pool(&mut self, id: usize, service: Id, at: i64, routes: &Routes, names: &Names) -> Vec<Change> {
        for (relay, share) in routes.of(service) {
            if share < ONLY || self.alarms[id].part_of.is_some() {
                continue;
            }
            let hanging = routes.through(relay, ONLY);
            let onset = self.alarms[id].onset;
            let failing: Vec<usize> = self
                .alarms
                .iter()
                .filter(|other| {
                    let open = other.ended.is_none() && other.part_of.is_none() && !other.provisional;
                    let open = open && other.state.is_about_mail();
                    let near = (other.onset - onset).abs() <= 2 * WINDOW;
                    open && near && matches!(other.scope, Scope::Service(s) if hanging.contains(&s))
                })
                .map(|other| other.id)
                .collect();
            if failing.len() < 2 || failing.len() * 2 < hanging.len() {
                continue;
            }
            return self.raise(relay, &failing, at, routes, names);
        }
        Vec::new()
    }

    fn raise(&mut self, relay: Id, failing: &[usize], at: i64, routes: &Routes, names: &Names) -> Vec<Change> {
        let first = failing.iter().map(|id| self.alarms[*id].onset).min().unwrap_or(at);
        let surest = failing
            .iter()
            .copied()
            .min_by_key(|id| self.alarms[*id].layers.first().map(|l| l.0));
        let Some(surest) = surest.map(|id| self.alarms[id].clone()) else {
            return Vec::new();
        };
        let id = self.alarms.len();
        self.alarms.push(Alarm {
            id,
            scope: Scope::Relay(relay),
            onset: first,
            detected: at + 1,
            layers: Vec::new(),
            evidence: vec![format!(
                "{} services fail that use only {}",
                failing.len(),
                names.host(relay)
            )],
            part_of: None,
            ..surest
        });
        self.alarms[id].members.clear();
        let mut changes = vec![Change::Opened(id)];
        for part in failing {
            self.take_in(*part, id, at, names);
            changes.push(Change::Merged(*part, id));
        }
        hang(&mut self.alarms[id], relay, routes, names);
        changes
    }
}
