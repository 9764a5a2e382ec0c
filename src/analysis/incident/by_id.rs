//! An incident by the id of its alarm.

use crate::analysis::alarms::notice_id;
use crate::detect::alarm::{Alarm, Named};
use crate::detect::fleet::Names;
use crate::detect::group::Groups;
use crate::model::time::MINUTE_MS;
use crate::query::Window;
use anyhow::{Result, anyhow};

/// What a larger history or a later hour may shift an alarm's onset by, minutes.
const SHIFT: i64 = 3 * 60;

pub(super) fn of_alarm(groups: &Groups, id: &str, names: &Names, end: i64) -> Result<Window> {
    let alarm = find(groups, id.trim(), names).ok_or_else(|| {
        let last: Vec<String> = groups.told().map(|alarm| notice_id(alarm, names)).collect();
        let last = last.iter().rev().take(5).map(String::as_str).collect::<Vec<_>>();
        let last = match last.is_empty() {
            true => "there is none in this store".to_owned(),
            false => format!("the last are {}", last.join(", ")),
        };
        anyhow!(
            "--alarm {}: there is no such alarm; {last}. `mailpulse alarms` lists them",
            id.escape_debug()
        )
    })?;
    let until = alarm.ended.unwrap_or(end);
    Ok(Window {
        since_ms: alarm.onset * MINUTE_MS,
        until_ms: until.max(alarm.onset + 1) * MINUTE_MS,
    })
}

/// An alarm by its number, or by an id that a notice bore: the onset may have become better known since, and a larger alarm
/// may have taken it in.
fn find<'g>(groups: &'g Groups, id: &str, known: &Names) -> Option<&'g Alarm> {
    let mut alarm = match id.parse::<usize>() {
        Ok(number) => groups.alarms.get(number)?,
        Err(_) => {
            let (scope, onset) = id.rsplit_once('/')?;
            let onset = onset
                .parse::<jiff::Timestamp>()
                .ok()?
                .as_millisecond()
                .div_euclid(MINUTE_MS);
            // How far from an alarm's name the id is, or from what it turned out to be about.
            let off = |alarm: &Alarm| {
                let is_it = |(about, _): &Named| {
                    let (kind, name) = about.named(known);
                    scope.split_once('/') == Some((kind, name))
                };
                let names = [alarm.named, (alarm.scope, alarm.onset)];
                let offs = names
                    .iter()
                    .filter(|named| is_it(named))
                    .map(|(_, at)| (at - onset).abs());
                offs.min().filter(|off| *off <= SHIFT)
            };
            let near = groups.alarms.iter().filter_map(|alarm| Some((off(alarm)?, alarm)));
            let nearest = near.min_by_key(|(off, alarm)| (*off, alarm.part_of.is_some(), alarm.provisional));
            nearest?.1
        }
    };
    while let Some(whole) = alarm.part_of.and_then(|id| groups.alarms.get(id)) {
        alarm = whole;
    }
    Some(alarm)
}
