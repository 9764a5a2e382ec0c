//! A volume that falls further while its alarm is open: the alarm says so, once.

use super::alarm::{Change, Layer, LayerFinding, Scope};
use super::fleet::Names;
use super::group::{Groups, Held, SAID_MAX};

impl Groups {
    /// Adds what got worse to the open alarm of a volume, if the volume is what the alarm is about.
    pub fn worsen(&mut self, scope: Scope, found: LayerFinding, names: &Names) -> Option<Change> {
        let is_it = |held: &&Held| held.layer == Layer::Volume && held.scope == scope && held.own;
        let id = self.held.iter().find(is_it)?.alarm;
        let alarm = &mut self.alarms[id];
        if alarm.ended.is_some() || alarm.provisional || alarm.evidence.len() >= SAID_MAX {
            return None;
        }
        let (kind, name) = scope.named(names);
        alarm.evidence.push(format!(
            "worse: {kind} {name} brought {:.0} of the {:.0} mails that it still had left",
            found.observed, found.expected
        ));
        Some(Change::Changed(id))
    }
}
