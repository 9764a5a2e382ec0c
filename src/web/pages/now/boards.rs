//! Boards of services, relays, and hostgroups.

use super::choice::{Choice, ROWS_SHOWN};
use crate::analysis::board::{BoardRow, RowState};
use crate::model::human;
use crate::model::time::rfc3339;
use crate::web::html::short;
use crate::web::links::Links;
use crate::web::overview::Overview;
use crate::web::pages::marks::StateMark;
use crate::web::spark::spark;

/// A board as its table shows it.
pub(super) struct BoardView {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) what: &'static str,
    pub(super) empty: &'static str,
    pub(super) rows: Vec<RowLine>,
    pub(super) hidden: usize,
    pub(super) all: String,
}

pub(super) struct RowLine {
    pub(super) id: String,
    pub(super) mark: StateMark,
    pub(super) alarm: Option<String>,
    pub(super) since: String,
    pub(super) name: String,
    pub(super) link: String,
    pub(super) last: String,
    pub(super) last_at: Option<String>,
    pub(super) hour: String,
    pub(super) usual: String,
    pub(super) spark: String,
    pub(super) peak: String,
}

pub(super) fn board_views(overview: &Overview, links: &Links, choice: &Choice) -> Vec<BoardView> {
    let boards = &overview.boards;
    let all = [
        (
            "services",
            "Services",
            "service",
            &boards.services,
            "No service has sent mail.",
        ),
        ("relays", "Relays", "relay", &boards.relays, "No relay has taken mail."),
        (
            "hostgroups",
            "Hostgroups",
            "hostgroup",
            &boards.hostgroups,
            "No host of a group has sent mail.",
        ),
    ];
    let view =
        |(id, title, what, rows, empty): (&'static str, &'static str, &'static str, &Vec<BoardRow>, &'static str)| {
            let named = |row: &&BoardRow| row.name.to_lowercase().contains(&choice.q.to_lowercase());
            let wanted = |row: &&BoardRow| match choice.state.as_str() {
                "all" => true,
                "alarm" => matches!(row.state, RowState::Alarm(_) | RowState::Provisional(_)),
                _ => row.state != RowState::Quiet,
            };
            let found: Vec<&BoardRow> = rows.iter().filter(named).collect();
            let shown: Vec<&&BoardRow> = found.iter().filter(|row| wanted(row)).take(ROWS_SHOWN).collect();
            BoardView {
                hidden: if choice.state.is_empty() {
                    found.len() - shown.len()
                } else {
                    0
                },
                rows: shown
                    .into_iter()
                    .map(|row| row_line(row, (what, overview), links))
                    .collect(),
                all: links.to("", &[("state", "all"), ("q", &choice.q)]),
                id,
                title,
                what,
                empty,
            }
        };
    let is_grouped = !boards.hostgroups.is_empty();
    all.into_iter()
        .filter(|board| is_grouped || board.0 != "hostgroups")
        .map(view)
        .collect()
}

fn row_line(row: &BoardRow, (what, overview): (&str, &Overview), links: &Links) -> RowLine {
    let end_ms = overview.end_ms;
    let range = |(low, high): (f64, f64)| format!("{} to {}", human::decimal(low.floor()), human::decimal(high.ceil()));
    let alarm = row.alarm.as_ref();
    let since = alarm
        .map(|(_, onset)| links.zone().clock_near(onset.start(), end_ms))
        .unwrap_or_default();
    // Of a service in trouble the time since it began says more than an hour that was good for the most part.
    let impact = alarm.and(overview.impacts.get(&row.name)).filter(|_| what == "service");
    RowLine {
        id: row_id(what, &row.name),
        mark: StateMark::of_row(&row.state),
        since: since.clone(),
        alarm: alarm.map(|(id, _)| links.to("incident", &[("alarm", id)])),
        link: links.to(what, &[("name", &row.name)]),
        name: short(&row.name),
        last: match row.last_ms {
            Some(ms) => human::ago((end_ms - ms).max(0)),
            None => "over 30 d ago".to_owned(),
        },
        last_at: row.last_ms.map(rfc3339),
        hour: match impact {
            Some((came, _)) => format!(
                "{} since {since}",
                human::count(i64::try_from(*came).unwrap_or(i64::MAX))
            ),
            None => human::count(row.hour.round() as i64),
        },
        usual: match (impact, row.usual) {
            (Some((_, expected)), _) => format!("about {}", human::decimal(*expected)),
            (None, Some(usual)) => range(usual),
            (None, None) => "not known".to_owned(),
        },
        spark: spark(&row.day, overview.boards.day, alarm.map(|(_, onset)| onset.start())),
        peak: match row.day.stats().peak {
            Some(peak) if peak > 0.0 => format!("peak {}", human::rate(peak)),
            _ => String::new(),
        },
    }
}

/// An ID for a row, so that an update finds it: names are text of strangers.
pub(super) fn row_id(what: &str, name: &str) -> String {
    let hash = blake3::hash(name.as_bytes()).to_hex();
    format!("{what}-{}", hash.get(..12).unwrap_or_default())
}
