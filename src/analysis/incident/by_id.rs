//! An incident by the id of its alarm.

use crate::analysis::alarms::{find, notice_id};
use crate::detect::fleet::Names;
use crate::detect::group::Groups;
use crate::model::time::Minute;
use crate::query::Window;
use anyhow::{Result, anyhow};

pub(super) fn of_alarm(groups: &Groups, id: &str, names: &Names, end: Minute) -> Result<Window> {
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
        since_ms: alarm.onset.start(),
        until_ms: until.max(alarm.onset + 1).start(),
    })
}
