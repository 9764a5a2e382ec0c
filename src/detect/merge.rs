//! An alarm that is out goes on when it turns out to be about more or less: it keeps its number, its name and its first
//! minute. Others of the same trouble end in it.

use super::alarm::{Alarm, Change, Layer, LayerFinding, Scope, State};
use super::fleet::{Id, Names};
use super::group::{FindingMoment, GroupFinding, Groups, Held, WINDOW};
use super::membership::{explains, hang, is_inside, note_member};
use super::routes::{ONLY, Routes};
use mailpulse_time::Minute;

/// Whether more than a volume speaks for an alarm.
fn is_sure(alarm: &Alarm) -> bool {
    alarm.layers.iter().any(|(layer, _)| *layer != Layer::Volume)
}

impl Groups {
    /// Open alarms that a larger one explains.
    pub(super) fn parts(&self, finding: &GroupFinding, routes: &Routes) -> Vec<usize> {
        let is_part = |part: &&Alarm| {
            part.part_of.is_none()
                && part.provisional == finding.found.provisional
                && part.ended.is_none()
                && part.state.is_about_mail()
                && finding.state.is_about_mail()
                && match &finding.family {
                    Some(family) => !is_sure(part) && family.falls_with(part.scope),
                    // One volume more does not make it a relay's trouble.
                    None if part.everyone && finding.layer == Layer::Volume => false,
                    None if finding.layer.is_of_outcomes() => {
                        finding.covers.contains(&part.scope) && part.state.is_about_outcomes()
                    }
                    None => {
                        (!is_sure(part) || part.onset >= finding.found.began() - WINDOW)
                            && is_inside(part.scope, None, finding.scope, routes)
                    }
                }
        };
        let parts = self.alarms.iter().filter(is_part);
        parts.map(|part| part.id).collect()
    }

    /// The first of some alarms to be told of a trouble that began at `onset`. A volume that was low before is another.
    pub(super) fn eldest(&self, parts: &[usize], onset: Minute) -> Option<usize> {
        let of_it = parts.iter().map(|part| &self.alarms[*part]);
        let of_it = of_it.filter(|part| is_sure(part) || part.detected >= onset);
        let first = of_it.min_by_key(|part| (part.detected, part.id));
        first.map(|part| part.id)
    }

    /// Lets an alarm be about something larger; what it was before.
    pub(super) fn widen(&mut self, id: usize, at: Minute, finding: &GroupFinding) -> Alarm {
        let of_it = self.held.iter_mut().filter(|held| held.alarm == id);
        of_it.for_each(|held| held.own = false);
        let before = self.alarms[id].clone();
        let onset = finding.found.began().min(at);
        self.alarms[id] = Alarm {
            scope: finding.scope,
            state: finding.state,
            // It was not told before it began.
            everyone: false,
            onset: if onset <= before.detected { onset } else { before.onset },
            expected: finding.found.expected,
            observed: finding.found.observed,
            score: before.score.max(finding.found.score),
            cause: None,
            members: Vec::new(),
            layers: Vec::new(),
            evidence: Vec::new(),
            ..before.clone()
        };
        before
    }

    /// Lets an alarm be about the one service that still sends nothing, if that makes most of what came back.
    pub(super) fn narrow(&mut self, id: usize, routes: &Routes) -> bool {
        let alarm = &self.alarms[id];
        let is_silent = |held: &&Held| {
            let by_itself =
                matches!(held.layer, Layer::Silence | Layer::Gap) && matches!(held.scope, Scope::Service(_));
            held.alarm == id && by_itself && explains(held.scope, alarm.scope, routes)
        };
        let Some(scope) = self.held.iter().find(is_silent).map(|held| held.scope) else {
            return false;
        };
        for held in self.held.iter_mut().filter(|held| held.alarm == id) {
            held.own = held.scope == scope;
        }
        let alarm = &mut self.alarms[id];
        (alarm.scope, alarm.state, alarm.cause) = (scope, State::Dropped, None);
        alarm.members.clear();
        true
    }

    pub(super) fn take_in(&mut self, part: usize, id: usize, at: Minute, names: &Names) {
        self.held
            .iter_mut()
            .filter(|held| held.alarm == part)
            .for_each(|held| (held.alarm, held.own) = (id, false));
        let taken = self.alarms[part].clone();
        let ended = taken.detected.max(at + 1);
        let whole = self.alarms[id].named;
        let gone = &mut self.alarms[part];
        (gone.part_of, gone.whole, gone.ended) = (Some(id), Some(whole), Some(ended));
        let alarm = &mut self.alarms[id];
        alarm.took_in.push(taken.named);
        if is_sure(&taken) {
            alarm.detected = alarm.detected.min(taken.detected);
            if alarm.onset > alarm.detected {
                alarm.onset = taken.onset;
            }
        }
        self.note_part(id, taken, at, names);
    }

    /// Says in an alarm what another one said, or itself while it was about less.
    pub(super) fn note_part(&mut self, id: usize, part: Alarm, at: Minute, names: &Names) {
        let alarm = &mut self.alarms[id];
        let (kind, name) = part.scope.named(names);
        alarm.evidence.push(format!(
            "{kind} {name} alone was found {} {} min before",
            part.state.as_str(),
            at + 1 - part.detected
        ));
        alarm.evidence.extend(part.evidence);
        if let Scope::Service(service) = part.scope {
            let layer = part.layers.iter().map(|(layer, _)| *layer).min();
            let reason = alarm.evidence.last().cloned().unwrap_or_default();
            note_member(alarm, service, layer.map(|layer| (layer, part.state)), reason);
        }
        for member in part.members {
            note_member(alarm, member.service, member.judged, member.reason);
        }
    }

    /// Several services that hang on one relay fail in one window: one alarm, at the relay.
    pub(super) fn pool(&mut self, id: usize, service: Id, now: FindingMoment<'_>) -> Vec<Change> {
        let routes = now.routes;
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
                    let open = open && other.state.is_about_mail() && !other.state.is_of_outcomes();
                    let near = (other.onset - onset).abs() <= 2 * WINDOW;
                    open && near && matches!(other.scope, Scope::Service(s) if hanging.contains(&s))
                })
                .map(|other| other.id)
                .collect();
            if failing.len() < 2 || failing.len() * 2 < hanging.len() {
                continue;
            }
            return self.raise(relay, &failing, now);
        }
        Vec::new()
    }

    fn raise(&mut self, relay: Id, failing: &[usize], now: FindingMoment<'_>) -> Vec<Change> {
        let FindingMoment { at, routes, names } = now;
        let first = failing.iter().map(|id| self.alarms[*id].onset).min().unwrap_or(at);
        let surest = failing
            .iter()
            .copied()
            .min_by_key(|id| self.alarms[*id].layers.first().map(|l| l.0));
        let eldest = self.eldest(failing, Minute::MIN);
        let (Some(surest), Some(id)) = (surest.map(|id| self.alarms[id].clone()), eldest) else {
            return Vec::new();
        };
        let finding = GroupFinding {
            layer: Layer::Witness,
            scope: Scope::Relay(relay),
            state: surest.state,
            relay: None,
            found: LayerFinding {
                onset: first.get(),
                expected: surest.expected,
                observed: surest.observed,
                score: surest.score,
                provisional: false,
            },
            evidence: Vec::new(),
            explained: None,
            family: None,
            about: None,
            covers: Vec::new(),
        };
        let before = self.widen(id, at, &finding);
        self.alarms[id].evidence.push(format!(
            "{} services fail that use only {}",
            failing.len(),
            names.host(relay)
        ));
        self.note_part(id, before, at, names);
        let mut changes = vec![Change::Changed(id)];
        for part in failing.iter().filter(|part| **part != id) {
            self.take_in(*part, id, at, names);
            changes.push(Change::Merged(*part, id));
        }
        hang(&mut self.alarms[id], relay, routes, names);
        changes
    }
}
