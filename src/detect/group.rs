//! One trouble, one alarm: findings that share a relay, a hostgroup or a service in one window belong together, and the
//! alarm is told at the smallest set that explains them.

use super::alarm::{Alarm, Change, Layer, LayerFinding, Scope, State};
use super::fleet::{Id, Names};
use super::membership::{explains, hang, is_inside, note_member, smallest};
use super::relatives::Relatives;
use super::routes::Routes;
use mailpulse_time::Minute;
use serde::{Deserialize, Serialize};

/// Onsets of one trouble differ by so many minutes at most, where they are known well.
pub(super) const WINDOW: i64 = 30;
/// An alarm that comes back within so many minutes goes on.
const AGAIN: i64 = 60;
/// The same of what is provisional, and of what everyone does: a series' first weekend is one finding, not ten.
const AGAIN_YOUNG: i64 = 1440;
/// A volume below expectation may look back this far, minutes: what it finds after an outage is the outage.
const TAIL: i64 = 3 * 1440;
/// An alarm that lasts would say the same for ever.
pub(super) const SAID_MAX: usize = 24;

/// What a layer found, and about what.
#[derive(Debug, Clone)]
pub struct GroupFinding {
    /// Which layer.
    pub layer: Layer,
    /// About what.
    pub scope: Scope,
    /// Why.
    pub state: State,
    /// The relay at which it shows, if it is one.
    pub relay: Option<Id>,
    /// Numbers.
    pub found: LayerFinding,
    /// Sentences.
    pub evidence: Vec<String>,
    /// The service whose own loss is most of what is missing.
    pub explained: Option<Id>,
    /// What all its relatives do.
    pub family: Option<Relatives>,
    /// The smallest set that explains it, where the layer knows.
    pub about: Option<Scope>,
    /// Scopes whose own trouble it explains, where the layer knows.
    pub covers: Vec<Scope>,
}

/// In which minute a finding is placed, and what is known in it.
#[derive(Clone, Copy)]
pub(super) struct FindingMoment<'a> {
    pub at: Minute,
    pub routes: &'a Routes,
    pub names: &'a Names,
}

/// What a layer calls a finding: layer, scope, relay.
type Key = (Layer, Scope, Option<Id>);

/// A finding that lasts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Held {
    pub layer: Layer,
    pub scope: Scope,
    relay: Option<Id>,
    pub alarm: usize,
    /// It speaks of what the alarm is about, not of a part of it.
    pub own: bool,
}

/// All alarms so far.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Groups {
    /// Alarms, by number.
    pub alarms: Vec<Alarm>,
    pub(super) held: Vec<Held>,
}

/// Within how many minutes an alarm comes back.
fn again(alarm: &Alarm) -> i64 {
    // What everyone does wavers with each of them.
    if alarm.provisional || alarm.everyone {
        AGAIN_YOUNG
    } else {
        AGAIN
    }
}

impl Groups {
    /// Takes a new finding.
    pub fn open(&mut self, at: Minute, finding: GroupFinding, routes: &Routes, names: &Names) -> Vec<Change> {
        let about = match &finding.family {
            Some(family) => family.parent,
            None => finding.about.unwrap_or_else(|| smallest(finding.scope, routes)),
        };
        let key = (finding.layer, finding.scope, finding.relay);
        let finding = GroupFinding {
            scope: about,
            ..finding
        };
        let changes = self.place(FindingMoment { at, routes, names }, finding, key);
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

    fn place(&mut self, now: FindingMoment<'_>, finding: GroupFinding, key: Key) -> Vec<Change> {
        let FindingMoment { at, routes, names } = now;
        let provisional = finding.found.provisional;
        let home = self.home(at, &finding, false, routes);
        if home.is_some() && provisional && finding.layer == Layer::Volume {
            // Two weeks of history make no week: it adds nothing to what is sure.
            return Vec::new();
        }
        // What is provisional never speaks for what is sure, nor moves when that began.
        let home = home.or_else(|| provisional.then(|| self.home(at, &finding, true, routes))?);
        if let Some(id) = home {
            self.join(id, now, &finding, key);
            return vec![Change::Changed(id)];
        }
        let parts = match finding.scope {
            Scope::Fleet | Scope::Relay(_) | Scope::Hostgroup(_) | Scope::Provider(_) => self.parts(&finding, routes),
            Scope::Host(_) | Scope::Service(_) => Vec::new(),
        };
        // What has been told of this trouble goes on, and is about more now.
        let eldest = self.eldest(&parts, finding.found.began().min(at));
        let before = eldest.map(|id| self.widen(id, at, &finding));
        let id = eldest.unwrap_or_else(|| self.create(at, &finding));
        let mut changes = vec![eldest.map_or(Change::Opened(id), Change::Changed)];
        self.join(id, now, &finding, key);
        if let Some(before) = before {
            self.note_part(id, before, at, names);
        }
        for part in parts.into_iter().filter(|part| *part != id) {
            self.take_in(part, id, at, names);
            changes.push(Change::Merged(part, id));
        }
        if !provisional {
            self.confirm(id, at, routes);
        }
        match finding.scope {
            Scope::Service(service) if !provisional && !finding.layer.is_of_outcomes() => {
                changes.extend(self.pool(id, service, now))
            }
            _ => {}
        }
        changes
    }

    /// A finding is over since `ended`.
    pub fn close(&mut self, key: Key, ended: Minute, routes: &Routes) -> Vec<Change> {
        let (layer, scope, relay) = key;
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
        let alarm = &self.alarms[id];
        if lasts || alarm.ended.is_some() || alarm.part_of.is_some() {
            return Vec::new();
        }
        if has_own && self.narrow(id, routes) {
            return vec![Change::Changed(id)];
        }
        let alarm = &mut self.alarms[id];
        // What is found when it is over was found in its last minute.
        alarm.ended = Some(ended.max(alarm.detected));
        if let Some(cause) = &mut alarm.cause {
            cause.silent_to = Some(ended.max(cause.silent_from));
        }
        vec![Change::Closed(id)]
    }

    /// Says how the alarm about something ended that ended in this minute.
    pub fn say_end(&mut self, at: Minute, scope: Scope, words: String) {
        let is_it = |alarm: &&mut Alarm| alarm.scope == scope && alarm.part_of.is_none() && alarm.ended == Some(at);
        if let Some(alarm) = self.alarms.iter_mut().rev().find(is_it) {
            alarm.evidence.push(words);
        }
    }

    /// What bears a name is another thing from a minute on: findings about it are over, and its alarms say why.
    pub fn rename(&mut self, at: Minute, scope: Scope, why: &str, routes: &Routes) -> Vec<Change> {
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
        for key in of_it {
            changes.extend(self.close(key, at, routes));
        }
        changes
    }

    /// Takes from what is known later when alarms were over, if that was up to the minute `until`: an end is known some
    /// minutes after it.
    pub fn learn_ends(&mut self, later: &Groups, until: Minute) {
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

    /// Whether what began at `onset` has a surer cause: more than volumes speak of a relay, or of mail that is refused.
    pub(super) fn is_explained(&self, onset: Minute) -> bool {
        let sure = |alarm: &&Alarm| {
            let is_sure = alarm.layers.iter().any(|(layer, _)| *layer < Layer::Gap);
            is_sure && matches!(alarm.scope, Scope::Relay(_)) && alarm.state.is_about_mail()
        };
        self.told()
            .filter(sure)
            .any(|alarm| alarm.ended.is_none_or(|ended| onset < ended + WINDOW))
    }

    /// Whether something has an open alarm of its own, which is not that of all of its kind.
    pub(super) fn is_told(&self, scope: Scope) -> bool {
        self.told()
            .any(|alarm| alarm.scope == scope && !alarm.everyone && alarm.ended.is_none())
    }

    /// Whether an alarm lasts, or was over within the day, which says that all of something send less.
    pub(super) fn is_everyone(&self, parent: Scope, at: Minute) -> bool {
        let of_it = self.told().filter(|alarm| alarm.everyone && alarm.scope == parent);
        of_it
            .into_iter()
            .any(|alarm| alarm.ended.is_none_or(|ended| at - ended <= again(alarm)))
    }

    fn create(&mut self, at: Minute, finding: &GroupFinding) -> usize {
        let id = self.alarms.len();
        let found = finding.found;
        let mut named = (finding.scope, found.began().min(at));
        // No two have one name.
        while self.alarms.iter().any(|alarm| alarm.named == named) {
            named.1 += 1;
        }
        self.alarms.push(Alarm {
            id,
            named,
            scope: finding.scope,
            state: finding.state,
            onset: found.began().min(at),
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
            everyone: false,
            part_of: None,
            whole: None,
            took_in: Vec::new(),
        });
        id
    }

    /// What was provisional is this alarm's: it says what those that are open about the same mail were not sure of.
    fn confirm(&mut self, id: usize, at: Minute, routes: &Routes) {
        let (scope, state, named) = (self.alarms[id].scope, self.alarms[id].state, self.alarms[id].named);
        for part in &mut self.alarms {
            let is_open = part.provisional && part.part_of.is_none() && part.ended.is_none();
            let is_about = part.scope == scope
                || is_inside(part.scope, None, scope, routes)
                || explains(scope, part.scope, routes);
            if is_open && is_about && part.state.is_about_mail() == state.is_about_mail() {
                (part.part_of, part.whole) = (Some(id), Some(named));
                part.ended = Some(part.detected.max(at + 1));
            }
        }
        let alarms = &self.alarms;
        self.held
            .retain(|held| alarms[held.alarm].part_of != Some(id) || !alarms[held.alarm].provisional);
    }

    /// The alarm that a finding belongs to, among those that are provisional or among the others.
    fn home(&self, at: Minute, finding: &GroupFinding, provisional: bool, routes: &Routes) -> Option<usize> {
        let told = self.alarms.iter().rev();
        let told = told.filter(|alarm| alarm.part_of.is_none() && alarm.provisional == provisional);
        let mut fitting = told.filter(|alarm| {
            let is_tail = finding.layer == Layer::Volume || finding.layer == Layer::Queue;
            let in_time = match alarm.ended {
                None => true,
                Some(ended) if finding.scope == alarm.scope && at - ended <= again(alarm) => true,
                Some(ended) => {
                    // What the same mail lacks since then is another drop.
                    let until = ended + if finding.scope == alarm.scope { 0 } else { WINDOW };
                    is_tail && finding.found.began() < until && finding.found.began() > ended - TAIL
                }
            };
            in_time && self.fits(finding, alarm, routes)
        });
        fitting.next().map(|alarm| alarm.id)
    }

    fn fits(&self, finding: &GroupFinding, alarm: &Alarm, routes: &Routes) -> bool {
        if finding.scope == alarm.scope {
            return finding.state.is_about_mail() == alarm.state.is_about_mail();
        }
        if !finding.state.is_about_mail() || !alarm.state.is_about_mail() {
            return false;
        }
        let late_enough = finding.layer == Layer::Volume || finding.found.began() >= alarm.onset - WINDOW;
        late_enough && is_inside(finding.scope, finding.relay, alarm.scope, routes)
            // A relay's silence is told only where others' mail is missing too.
            || finding.layer != Layer::Silence && explains(alarm.scope, finding.scope, routes)
            || finding
                .explained
                .is_some_and(|service| alarm.scope == Scope::Service(service))
    }

    fn join(&mut self, id: usize, now: FindingMoment<'_>, finding: &GroupFinding, key: Key) {
        let FindingMoment { at, routes, names } = now;
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
                if finding.found.began() <= alarm.detected {
                    alarm.onset = finding.found.began().min(at);
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
        alarm.everyone |= finding.family.is_some() && finding.scope == alarm.scope;
        if let Scope::Service(service) = scope
            && scope != alarm.scope
        {
            let reason = finding.evidence.first().cloned().unwrap_or_default();
            note_member(alarm, service, Some((layer, finding.state)), reason);
        }
        // What fails at a relay does not stand still there.
        if let Scope::Relay(relay) = alarm.scope
            && !alarm.state.is_of_outcomes()
            && !layer.is_of_outcomes()
        {
            hang(alarm, relay, routes, names);
        }
    }
}
