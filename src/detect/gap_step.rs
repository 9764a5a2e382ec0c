//! The step for series that are too young for a verdict on their volume: whether they send at all.

use super::alarm::{Layer, Scope, State, Turn};
use super::engine::{Engine, finding, told};
use super::fleet::Names;
use super::group::GroupFinding;
use super::leading::ALONE;
use super::membership::EXPLAINS;

impl Engine {
    /// A series that is too young for a verdict on its volume, by its gaps.
    pub(super) fn gap_step(
        &mut self,
        at: i64,
        scope: Scope,
        seen: Option<u32>,
        names: &Names,
    ) -> Option<(GroupFinding, Turn)> {
        if !self.volumes.is_young(scope) {
            return None;
        }
        let seen = seen.filter(|count| *count > 0 || !self.days.is_holiday(at, scope, names));
        let turn = self.volumes.step_gap(at, scope, seen)?;
        // Where one service makes most of the mail, its own silence is told.
        if matches!(turn, Turn::Opened(_)) && self.is_led(scope) {
            return None;
        }
        let (kind, name) = scope.named(names);
        let told = told(turn, |found| {
            format!(
                "{kind} {name} has sent nothing for {}, over ten times its longest gap before; {:.0} mails are usual in that time",
                length(at + 1 - found.onset),
                found.expected
            )
        });
        Some((finding(Layer::Gap, scope, State::Dropped, None, told), turn))
    }

    /// Whether one service makes most of the mail of a relay or hostgroup, but not all of it.
    fn is_led(&self, scope: Scope) -> bool {
        let leads = |part: f64| (EXPLAINS..ALONE).contains(&part);
        match scope {
            Scope::Relay(host) => self.routes.parts_of_host(host).any(|(_, part)| leads(part)),
            Scope::Hostgroup(group) => self.routes.parts_of_group(group).any(|(_, part)| leads(part)),
            Scope::Fleet | Scope::Host(_) | Scope::Service(_) | Scope::Provider(_) => false,
        }
    }
}

/// Minutes in words.
fn length(minutes: i64) -> String {
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}
