//! What a person on call reads first: what fires, for whom since when, and the command to type next. Below it the sources,
//! with the numbers that matter; JSON and CSV have all of them.

use super::super::output::{self, tables::cut};
use crate::alert::Notice;
use crate::alert::state::AlertState;
use crate::analysis::sources::{SourceStatus, SourceVerdict, percent};
use crate::cli::next::next_command;
use crate::model::human;
use crate::model::shell::quoted;
use crate::model::time::{UtcMs, rfc3339};
use crate::setup::Setup;
use crate::store::columnar::{Table, Values};
use anyhow::Result;
use mailpulse_parsers::harmless::safe_lines;
use serde_json::Value;

/// Prints the three lines.
pub(super) fn print(setup: &Setup, alerts: &AlertState, rows: &[SourceStatus], now_ms: UtcMs) -> Result<()> {
    for line in lines(setup, alerts, rows, now_ms) {
        let line = safe_lines(&line);
        output::line(&output::columns().map_or(line.clone(), |width| cut(&line, width)))?;
    }
    Ok(())
}

/// What fires; for whom since when; the next command.
fn lines(setup: &Setup, alerts: &AlertState, rows: &[SourceStatus], now_ms: UtcMs) -> [String; 3] {
    let next = |command: &str| format!("next:   {}", next_command(setup, command));
    // What began first is what the others may come from.
    if let Some(first) = alerts.firing.iter().min_by_key(|notice| (notice.starts, &notice.id)) {
        let more = alerts.firing.len() - 1;
        let command = match (more, first.kind == "store") {
            // Nothing comes in: no incident of the mail's.
            (_, true) => "check".to_owned(),
            (0, false) => format!("incident --alarm {}", quoted(&first.id)),
            (_, false) => format!("incident --alarm {}   # all: alarms", quoted(&first.id)),
        };
        return [
            format!("firing: {}", fires(first, more)),
            format!(
                "since:  {} ({}); affected: {}",
                rfc3339(first.starts.start()),
                human::ago(now_ms - first.starts.start()),
                affected(first)
            ),
            next(&command),
        ];
    }
    let (fires, as_of) = match alerts.judged {
        None => (
            "unknown: `mailpulse watch` has not evaluated this store yet".to_owned(),
            "as of:  never".to_owned(),
        ),
        Some(judged) => {
            let at_ms = judged.start();
            let as_of = format!("as of:  {} ({})", rfc3339(at_ms), human::ago(now_ms - at_ms));
            let nothing = match alerts
                .provisional
                .iter()
                .min_by_key(|notice| (notice.starts, &notice.id))
            {
                Some(first) => format!("nothing; provisional: {}", fires(first, alerts.provisional.len() - 1)),
                None => "nothing".to_owned(),
            };
            (nothing, as_of)
        }
    };
    let worst = rows.iter().map(|row| row.state).max();
    let sources = match worst {
        None => "; nothing has been read yet".to_owned(),
        Some(SourceVerdict::Ok) => format!("; {} ok", human::counted(rows.len() as u64, "source")),
        Some(worst) => {
            let count = rows.iter().filter(|row| row.state == worst).count();
            let all = human::counted(rows.len() as u64, "source");
            format!("; {count} of {all} {}", worst.as_str())
        }
    };
    let command = match worst {
        None => "backfill",
        Some(SourceVerdict::Unreadable) => "check",
        Some(SourceVerdict::Damaged) => "store verify",
        Some(_) if alerts.judged.is_none() => "alarms",
        Some(SourceVerdict::Stale) => "check",
        Some(SourceVerdict::Ok) => "services",
    };
    [format!("firing: {fires}"), as_of + &sources, next(command)]
}

/// `relay mx1001 dropped, and 2 more`.
fn fires(first: &Notice, more: usize) -> String {
    let more = if more > 0 {
        format!(", and {more} more")
    } else {
        String::new()
    };
    let about = first.about();
    format!("{} {} {}{more}", about.kind, about.name, about.state)
}

/// The services of an alarm; of one that names none, what it is about.
fn affected(notice: &Notice) -> String {
    let members = notice.alarm.get("members").and_then(Value::as_array);
    let services = members
        .into_iter()
        .flatten()
        .filter_map(|member| member["service"].as_str());
    let services: Vec<&str> = services.collect();
    match (services.is_empty(), notice.kind.as_str()) {
        (false, _) => services.join(", "),
        (true, "store") => "all mail: nothing is known of it".to_owned(),
        (true, _) => notice.about().name,
    }
}

/// Sources for people: numbers that are zero everywhere have no column.
pub(super) fn table(rows: &[SourceStatus]) -> Table {
    let text = |pick: &dyn Fn(&SourceStatus) -> String| Values::Text(rows.iter().map(|row| Some(pick(row))).collect());
    let int = |pick: &dyn Fn(&SourceStatus) -> Option<u64>| {
        Values::Int(rows.iter().map(|row| pick(row).map(|number| number as i64)).collect())
    };
    let share = |pick: &dyn Fn(&SourceStatus) -> f64| Values::Float(rows.iter().map(|row| Some(pick(row))).collect());
    let local =
        |row: &SourceStatus, pick: fn(&crate::query::history::LocalSource) -> u64| row.source.local.as_ref().map(pick);
    let age = |row: &SourceStatus| row.age_ms.map_or("never".to_owned(), human::ago);
    let counts = [
        ("lines", int(&|row| Some(row.source.counts.lines))),
        ("events", int(&|row| Some(row.source.counts.events))),
        ("unparsed", int(&|row| Some(row.source.counts.unparsed))),
        ("unparsed_percent", share(&|row| percent(&row.source.counts))),
        ("hour_unparsed_percent", share(&|row| percent(&row.health.last_hour))),
        ("ignored", int(&|row| Some(row.source.counts.ignored))),
        ("duplicates", int(&|row| local(row, |local| local.duplicates))),
        (
            "odd_fields",
            int(&|row| local(row, |local| local.odd_fields.iter().map(|field| field.count).sum())),
        ),
        (
            "damaged_logs",
            int(&|row| local(row, |local| local.damaged.len() as u64)),
        ),
        ("held_back", int(&|row| row.held.as_ref().map(|held| held.events))),
        ("open_messages", int(&|row| local(row, |local| local.open_messages))),
        (
            "lag_s",
            int(&|row| row.lag_ms.and_then(|lag| u64::try_from(lag / 1_000).ok())),
        ),
    ];
    let says = |values: &Values| match values {
        Values::Int(values) => values.iter().flatten().any(|value| *value != 0),
        Values::Float(values) => values.iter().flatten().any(|value| *value > 0.0),
        _ => true,
    };
    let names = [
        ("host", text(&|row| row.source.host.clone())),
        ("source", text(&|row| row.source.kind.clone())),
        ("state", text(&|row| row.state.as_str().to_owned())),
        ("last_line", text(&age)),
    ];
    Table::of(
        names
            .into_iter()
            .chain(counts.into_iter().filter(|(_, values)| says(values))),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::UtcS;
    use serde_json::json;

    const NOW_MS: i64 = 1_528_308_000_000;

    fn notice(kind: &str, name: &str, starts: i64, members: &[&str]) -> Notice {
        let members: Vec<Value> = members.iter().map(|name| json!({ "service": name })).collect();
        Notice {
            id: format!("{kind}/{name}/2018-06-06T11:00:00Z"),
            kind: kind.to_owned(),
            name: name.to_owned(),
            state: "dropped".to_owned(),
            relay: None,
            summary: String::new(),
            description: String::new(),
            starts: UtcS::new(starts),
            ends: None,
            alarm: json!({ "members": members }),
            now: None,
        }
    }

    #[test]
    fn the_first_three_lines_say_what_fires_for_whom_since_when_and_what_to_type() {
        let setup = Setup {
            store: Some("a store".to_owned()),
            ..Setup::default()
        };
        let mut alerts = AlertState::default();
        alerts.judged = Some(UtcMs::new(NOW_MS).second());
        alerts.firing = vec![
            notice("service", "wiki", 1_528_300_000, &[]),
            notice("relay", "mx1001", 1_528_282_800, &["gerrit", "hue"]),
        ];
        assert_eq!(
            lines(&setup, &alerts, &[], UtcMs::new(NOW_MS)),
            [
                "firing: relay mx1001 dropped, and 1 more",
                "since:  2018-06-06T11:00:00Z (7 h ago); affected: gerrit, hue",
                "next:   mailpulse --store 'a store' incident --alarm relay/mx1001/2018-06-06T11:00:00Z   # all: alarms",
            ]
        );
        alerts.provisional = std::mem::take(&mut alerts.firing);
        assert_eq!(
            lines(&setup, &alerts, &[], UtcMs::new(NOW_MS))[0],
            "firing: nothing; provisional: relay mx1001 dropped, and 1 more"
        );
        alerts.provisional.clear();
        assert_eq!(
            lines(&Setup::default(), &alerts, &[], UtcMs::new(NOW_MS + 180_000)),
            [
                "firing: nothing",
                "as of:  2018-06-06T18:00:00Z (3 min ago); nothing has been read yet",
                "next:   mailpulse backfill",
            ]
        );
        let unknown = lines(&Setup::default(), &AlertState::default(), &[], UtcMs::new(NOW_MS));
        assert!(unknown[0].starts_with("firing: unknown"), "{unknown:?}");
    }
}
