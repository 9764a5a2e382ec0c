//! Alarms after minutes were judged again, because rows came late: what was told of a trouble keeps its name.

use super::alarm::{Alarm, Named, Scope};
use super::fleet::{Id, Names};
use super::group::Groups;
use mailpulse_time::Minute;

/// Alarms as they were before, and the names behind their numbers.
#[derive(Debug, Clone, Copy)]
pub struct FormerAlarms<'g> {
    /// Alarms.
    pub groups: &'g Groups,
    /// Names.
    pub names: &'g Names,
}

impl Groups {
    /// Gives alarms the names that the same troubles had before: those of the same scope and a layer in common, at the same
    /// time, where nothing else has the name now.
    pub fn keep_names(&mut self, names: &Names, before: FormerAlarms<'_>) {
        for old in before.groups.alarms.iter().filter(|old| old.part_of.is_none()) {
            let Some(named) = renumbered(old.named, before.names, names) else {
                continue;
            };
            let Some(scope) = renumbered((old.scope, Minute::EPOCH), before.names, names) else {
                continue;
            };
            if self.alarms.iter().any(|alarm| alarm.named == named) {
                continue;
            }
            let is_it = |alarm: &&Alarm| {
                let layers = alarm.layers.iter().map(|(layer, _)| layer);
                let is_alike = layers
                    .into_iter()
                    .any(|layer| old.layers.iter().any(|(other, _)| other == layer));
                let is_free = renumbered(alarm.named, names, before.names)
                    .is_none_or(|named| before.groups.alarms.iter().all(|other| other.named != named));
                alarm.scope == scope.0
                    && alarm.part_of.is_none()
                    && alarm.provisional == old.provisional
                    && (is_alike || alarm.state == old.state)
                    && is_free
                    && alarm.overlaps(old.onset, old.ended.unwrap_or(Minute::MAX))
            };
            if let Some(id) = self.alarms.iter().find(is_it).map(|alarm| alarm.id) {
                self.rename_alarm(id, named);
            }
        }
    }

    fn rename_alarm(&mut self, id: usize, named: Named) {
        let was = std::mem::replace(&mut self.alarms[id].named, named);
        for other in &mut self.alarms {
            other.whole = other.whole.map(|whole| if whole == was { named } else { whole });
            let parts = other.took_in.iter_mut().filter(|part| **part == was);
            parts.for_each(|part| *part = named);
        }
    }
}

/// The same name under other numbers; none where it has none.
fn renumbered((scope, onset): Named, from: &Names, to: &Names) -> Option<Named> {
    let find = |from: &[String], to: &[String], id: Id| {
        let name = from.get(id as usize)?;
        // Mostly the number is the same.
        let is_same = to.get(id as usize) == Some(name);
        let at = if is_same {
            Some(id as usize)
        } else {
            to.iter().position(|one| one == name)
        };
        at.map(|at| at as Id)
    };
    let scope = match scope {
        Scope::Fleet => Scope::Fleet,
        Scope::Relay(id) => Scope::Relay(find(&from.hosts, &to.hosts, id)?),
        Scope::Host(id) => Scope::Host(find(&from.hosts, &to.hosts, id)?),
        Scope::Hostgroup(id) => Scope::Hostgroup(find(&from.hostgroups, &to.hostgroups, id)?),
        Scope::Service(id) => Scope::Service(find(&from.services, &to.services, id)?),
        Scope::Provider(id) => Scope::Provider(find(&from.providers, &to.providers, id)?),
    };
    Some((scope, onset))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alarm::{Layer, State};

    fn alarm(id: usize, scope: Scope, onset: i64, ended: Option<i64>) -> Alarm {
        let (onset, ended) = (Minute::new(onset), ended.map(Minute::new));
        Alarm {
            id,
            named: (scope, onset),
            scope,
            state: State::Dropped,
            onset,
            detected: onset + 5,
            ended,
            end: None,
            expected: 1.0,
            observed: 0.0,
            score: 0.0,
            provisional: false,
            everyone: false,
            cause: None,
            members: Vec::new(),
            layers: vec![(Layer::Volume, onset)],
            evidence: Vec::new(),
            part_of: None,
            whole: None,
            took_in: Vec::new(),
        }
    }

    fn groups(alarms: Vec<Alarm>) -> Groups {
        Groups {
            alarms,
            ..Groups::default()
        }
    }

    fn names(services: &[&str]) -> Names {
        Names {
            services: services.iter().map(|name| (*name).to_owned()).collect(),
            hosts: vec!["mx1".to_owned()],
            ..Names::default()
        }
    }

    #[test]
    fn the_same_trouble_keeps_its_name_under_other_numbers_and_another_one_has_its_own() {
        let (old, new) = (names(&["a", "b"]), names(&["b", "c", "a"]));
        let before = groups(vec![
            alarm(0, Scope::Service(0), 100, Some(200)),
            alarm(1, Scope::Service(1), 100, None),
            alarm(2, Scope::Relay(0), 500, None),
        ]);
        let mut part = alarm(3, Scope::Service(1), 502, Some(510));
        (part.part_of, part.whole) = (Some(2), Some((Scope::Relay(0), Minute::new(498))));
        let mut whole = alarm(2, Scope::Relay(0), 498, None);
        whole.took_in.push(part.named);
        let mut after = groups(vec![
            // Of a, and begun earlier.
            alarm(0, Scope::Service(2), 97, Some(190)),
            // Of b, but over before the other one began.
            alarm(1, Scope::Service(0), 50, Some(60)),
            whole,
            part,
        ]);
        let judged = FormerAlarms {
            groups: &before,
            names: &old,
        };
        after.keep_names(&new, judged);
        let named: Vec<Named> = after.alarms.iter().map(|alarm| alarm.named).collect();
        assert_eq!(named[0], (Scope::Service(2), Minute::new(100)), "told as a since 100");
        assert_eq!(named[1], (Scope::Service(0), Minute::new(50)));
        assert_eq!(named[2], (Scope::Relay(0), Minute::new(500)));
        assert_eq!(after.alarms[3].whole, Some((Scope::Relay(0), Minute::new(500))));
        assert_eq!(
            (after.alarms[0].onset, after.alarms[2].onset),
            (Minute::new(97), Minute::new(498)),
            "what is known of them is new"
        );
        // Again: nothing changes.
        let once = format!("{after:?}");
        after.keep_names(&new, judged);
        assert_eq!(format!("{after:?}"), once);
    }
}
