//! Boards of services, relays, and hostgroups.

use super::choice::{Choice, ROWS_SHOWN, RowOrder, RowSort};
use crate::analysis::board::{BoardRow, MailSince, RowState};
use crate::model::human;
use crate::model::time::rfc3339;
use crate::web::html::short;
use crate::web::links::Links;
use crate::web::overview::Overview;
use crate::web::pages::marks::StateMark;
use crate::web::spark::spark;
use std::cmp::Ordering;

/// A board as its table shows it.
pub(super) struct BoardView {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) heads: Vec<ColumnHead>,
    pub(super) empty: &'static str,
    pub(super) rows: Vec<RowLine>,
    /// Messages of the last hour of all rows, where they are not counted twice: a mail has one service, and may pass two relays.
    pub(super) sum: Option<String>,
    pub(super) hidden: usize,
    pub(super) all: String,
}

/// The head of a column; rows are sorted by those that have a link.
pub(super) struct ColumnHead {
    pub(super) word: &'static str,
    pub(super) is_number: bool,
    pub(super) link: Option<String>,
    /// What `aria-sort` says.
    pub(super) sorted: Option<&'static str>,
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
            let mut found: Vec<&BoardRow> = rows.iter().filter(named).collect();
            sort(&mut found, choice.order());
            let shown: Vec<&&BoardRow> = found.iter().filter(|row| wanted(row)).take(ROWS_SHOWN).collect();
            let hour: f64 = shown.iter().map(|row| row.hour).sum();
            // Rows that say what came since a trouble began are not of an hour.
            let is_additive = what == "service" && shown.len() > 1 && shown.iter().all(|row| row.since.is_none());
            BoardView {
                sum: is_additive.then(|| human::count(hour.round() as i64)),
                hidden: if choice.state.is_empty() {
                    found.len() - shown.len()
                } else {
                    0
                },
                rows: shown
                    .into_iter()
                    .map(|row| row_line(row, (what, overview), links))
                    .collect(),
                all: links.to("", &[("state", "all"), ("q", &choice.q), ("sort", &choice.sort)]),
                id,
                title,
                heads: heads(what, choice, links),
                empty,
            }
        };
    let is_grouped = !boards.hostgroups.is_empty();
    all.into_iter()
        .filter(|board| is_grouped || board.0 != "hostgroups")
        .map(view)
        .collect()
}

/// Rows that are alike stay in the order of what is wrong.
fn sort(rows: &mut [&BoardRow], order: RowSort) {
    let by = |one: &BoardRow, other: &BoardRow| match order.by {
        RowOrder::State => Ordering::Equal,
        RowOrder::Name => one.name.to_lowercase().cmp(&other.name.to_lowercase()),
        RowOrder::Last => other.last_ms.cmp(&one.last_ms),
        RowOrder::Hour => other.hour.total_cmp(&one.hour),
    };
    rows.sort_by(|one, other| {
        if order.is_reversed {
            by(other, one)
        } else {
            by(one, other)
        }
    });
}

fn heads(what: &'static str, choice: &Choice, links: &Links) -> Vec<ColumnHead> {
    vec![
        head(("state", false), Some((RowOrder::State, "other")), choice, links),
        head((what, false), Some((RowOrder::Name, "ascending")), choice, links),
        head(("last mail", true), Some((RowOrder::Last, "descending")), choice, links),
        head(("last hour", true), Some((RowOrder::Hour, "descending")), choice, links),
        head(("expected", true), None, choice, links),
        head(("last 24 h", false), None, choice, links),
    ]
}

/// A head, and its order at first with what `aria-sort` calls it. The head of the order that is chosen turns it around.
fn head(
    (word, is_number): (&'static str, bool),
    order: Option<(RowOrder, &'static str)>,
    choice: &Choice,
    links: &Links,
) -> ColumnHead {
    let chosen = choice.order();
    let next = |by| RowSort {
        by,
        is_reversed: by == chosen.by && !chosen.is_reversed,
    };
    let is_last = |by| by == RowOrder::State && chosen.by == RowOrder::State;
    let link = order.filter(|(by, _)| !is_last(*by)).map(|(by, _)| {
        let sort = next(by).word();
        links.to("", &[("state", &choice.state), ("q", &choice.q), ("sort", &sort)])
    });
    let is_chosen = order.filter(|(by, _)| *by == chosen.by);
    ColumnHead {
        word,
        is_number,
        link,
        sorted: is_chosen.map(|(_, first)| match (first, chosen.is_reversed) {
            ("ascending", true) => "descending",
            ("descending", true) => "ascending",
            _ => first,
        }),
    }
}

fn row_line(row: &BoardRow, (what, overview): (&str, &Overview), links: &Links) -> RowLine {
    let end_ms = overview.end_ms;
    let range = |(low, high): (f64, f64)| format!("{} to {}", human::decimal(low.floor()), human::decimal(high.ceil()));
    let alarm = row.alarm.as_ref();
    let since = alarm
        .map(|(_, onset)| links.zone().clock_near(onset.start(), end_ms))
        .unwrap_or_default();
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
        hour: match row.since {
            Some(MailSince { came, .. }) => format!(
                "{} since {since}",
                human::count(i64::try_from(came).unwrap_or(i64::MAX))
            ),
            None => human::count(row.hour.round() as i64),
        },
        usual: match (row.since, row.usual) {
            (Some(MailSince { expected, .. }), _) => format!("about {}", human::decimal(expected)),
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
