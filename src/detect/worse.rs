//! A volume that falls further while its alarm is open: the alarm says so, once. Out of an alarm of what everyone does, it
//! becomes one of its own.

use super::alarm::{Change, Layer, LayerFinding, Scope, State};
use super::engine::finding;
use super::fleet::Names;
use super::group::{GroupFinding, Groups, Held, SAID_MAX};
use super::routes::Routes;
use mailpulse_time::Minute;

/// What the sentence begins with.
const MARK: &str = "worse:";

/// A volume that fell further.
#[derive(Debug, Clone, Copy)]
pub struct Worse {
    pub scope: Scope,
    /// Against what the drop had left.
    pub found: LayerFinding,
    /// All its relatives fell further.
    pub with_family: bool,
}

impl Groups {
    /// Adds what got worse to the open alarm of a volume, if the volume is what the alarm is about.
    pub fn worsen(&mut self, at: Minute, worse: Worse, routes: &Routes, names: &Names) -> Vec<Change> {
        let Worse { scope, found, .. } = worse;
        let is_it = |held: &Held| held.layer == Layer::Volume && held.scope == scope && held.own;
        let Some(position) = self.held.iter().position(is_it) else {
            return Vec::new();
        };
        let id = self.held[position].alarm;
        let (kind, name) = scope.named(names);
        let evidence = format!(
            "{MARK} {kind} {name} brought {:.0} of the {:.0} mails that it still had left",
            found.observed, found.expected
        );
        let alarm = &mut self.alarms[id];
        if alarm.ended.is_some() || alarm.provisional {
            return Vec::new();
        }
        let is_member = alarm.everyone && alarm.scope != scope;
        if is_member && !worse.with_family {
            self.held.swap_remove(position);
            let finding = GroupFinding {
                found,
                ..finding(Layer::Volume, scope, State::Dropped, None, vec![evidence])
            };
            return self.open(at, finding, routes, names);
        }
        // Once there is room for it, whatever was said before. A hostgroup's fall and that of its service are one.
        let said = |said: &String| said.starts_with(MARK);
        let is_said = alarm.evidence.iter().any(said);
        if alarm.evidence.last().is_some_and(said) || is_said && (is_member || alarm.evidence.len() >= SAID_MAX) {
            return Vec::new();
        }
        alarm.evidence.push(evidence);
        vec![Change::Changed(id)]
    }
}
