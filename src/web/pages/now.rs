//! The overview: what whoever was just paged opens first.

use super::frame::PageFrame;
use super::marks::StateMark;
use super::reply::{failure_page, rendered};
use crate::analysis::board::{BoardRow, RowState};
pub(crate) use crate::analysis::overview::{Overview, ProviderSum};
use crate::analysis::providers::Attempts;
use crate::analysis::verdict::MailVerdict;
use crate::detect::alarm::{Alarm, Scope};
use crate::model::human;
use crate::model::time::{MINUTE_MS, Minute, rfc3339};
use crate::setup::overview::{OverviewAsked, overview_of};
use crate::web::answers::{Asker, QuestionKey, StoreAnswer};
use crate::web::app::App;
use crate::web::chosen::Chosen;
use crate::web::failure::Failure;
use crate::web::html::short;
use crate::web::links::Links;
use crate::web::spark::spark;
use anyhow::Result;
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use std::sync::Arc;

/// Rows of a board that are shown unless all are asked for.
const ROWS_SHOWN: usize = 400;

/// The overview as of now, computed once a minute or when rows come.
///
/// # Errors
/// The store does not answer.
pub(crate) async fn overview(app: &App) -> Result<Arc<StoreAnswer<Overview>>, Failure> {
    let now_ms = app.answers.now_ms();
    app.answers.ask(QuestionKey::until("overview", now_ms), ask).await
}

fn ask(asker: &Asker<'_>) -> Result<Overview> {
    let asked = OverviewAsked {
        now_ms: asker.now_ms,
        is_standing: asker.is_standing(),
        has_day_ranges: true,
    };
    overview_of(asker.store(), asker.config, asker.kept, asker.judgement()?, asked)
}

/// What a reader chooses.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Choice {
    /// Part of a name.
    q: String,
    /// `all`, `alarm`, or empty.
    state: String,
}

const STATES: [(&str, &str); 3] = [
    ("", "with mail in 24 hours"),
    ("alarm", "alarms only"),
    ("all", "all, also without mail"),
];

#[derive(Template)]
#[template(path = "now.html", config = "src/web/askama.toml")]
struct NowPage {
    frame: PageFrame,
    mark: StateMark,
    lasts: Option<String>,
    sentence: String,
    affected: Vec<(String, String)>,
    more: Vec<String>,
    next: Option<String>,
    incident: Option<String>,
    relay: Option<String>,
    relay_name: String,
    firing: Vec<FiringLine>,
    query: String,
    state: String,
    states: [(&'static str, &'static str); 3],
    boards: Vec<BoardView>,
    providers: Vec<ProviderLine>,
}

struct FiringLine {
    mark: StateMark,
    about: String,
    link: String,
    since: String,
    detected: String,
    words: String,
}

/// A board as its table shows it.
pub(super) struct BoardView {
    id: &'static str,
    title: &'static str,
    what: &'static str,
    empty: &'static str,
    rows: Vec<RowLine>,
    hidden: usize,
    all: String,
}

struct RowLine {
    id: String,
    mark: StateMark,
    alarm: Option<String>,
    since: String,
    name: String,
    link: String,
    last: String,
    last_at: Option<String>,
    hour: String,
    usual: String,
    spark: String,
    peak: String,
}

struct ProviderLine {
    id: String,
    mark: StateMark,
    name: String,
    link: String,
    attempts: String,
    deferred: String,
    usual_deferred: String,
    bounced: String,
    usual_bounced: String,
    reason: String,
}

/// The page.
pub(crate) async fn page(State(app): State<Arc<App>>, links: Links, Chosen(choice): Chosen<Choice>) -> Response {
    match overview(&app).await {
        Ok(answer) => rendered(&view(&app, &links, &answer, choice)),
        Err(failure) => failure_page(&app, failure.status(), &failure),
    }
}

fn view(app: &App, links: &Links, answer: &StoreAnswer<Overview>, choice: Choice) -> NowPage {
    let overview = &answer.value;
    let MailVerdict {
        standing,
        sentence,
        more,
        next,
        alarm,
        affected,
        relay,
        since,
        ..
    } = overview.verdict_in(links.zone().zone());
    let mut frame = PageFrame::new(app, links, "Now", "")
        .live()
        .of_answer(answer.as_of_ms());
    frame.notes.extend(answer.lacks.iter().cloned());
    frame.is_ended(overview.end_ms, app.answers.now_ms());
    let until = overview.judgement.until.unwrap_or(Minute::EPOCH);
    NowPage {
        mark: StateMark::of_standing(standing),
        lasts: since.map(|since| human::duration((until - since) * MINUTE_MS)),
        sentence,
        affected: affected
            .iter()
            .map(|name| (short(name), links.to("service", &[("name", name)])))
            .collect(),
        more,
        next,
        incident: alarm.map(|id| links.to("incident", &[("alarm", &id)])),
        relay_name: relay.clone().unwrap_or_default(),
        relay: relay.map(|name| links.to("relay", &[("name", &name)])),
        firing: firing_lines(overview, links),
        boards: board_views(overview, links, &choice),
        providers: provider_lines(overview, links, &choice),
        query: choice.q,
        state: choice.state,
        states: STATES,
        frame,
    }
}

fn firing_lines(overview: &Overview, links: &Links) -> Vec<FiringLine> {
    let names = &overview.judgement.names;
    let line = |alarm: &Alarm| {
        let (kind, name) = alarm.scope.named(names);
        let id = crate::analysis::alarms::notice_id(alarm, names);
        let members: Vec<String> = alarm
            .members
            .iter()
            .map(|member| short(names.service(member.service)))
            .collect();
        let affected = match members.is_empty() {
            true => String::new(),
            false => format!("Affected: {}. ", members.join(", ")),
        };
        FiringLine {
            mark: StateMark::of_alarm(alarm.state, alarm.provisional),
            about: format!("{kind} {}", short(name)),
            link: links.to("incident", &[("alarm", &id)]),
            since: links.zone().clock_near(alarm.onset.start(), overview.end_ms),
            detected: links.zone().clock_near(alarm.detected.start(), overview.end_ms),
            words: affected + &alarm.evidence.join("; "),
        }
    };
    overview.judgement.firing().into_iter().map(line).collect()
}

fn board_views(overview: &Overview, links: &Links, choice: &Choice) -> Vec<BoardView> {
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
fn row_id(what: &str, name: &str) -> String {
    let hash = blake3::hash(name.as_bytes()).to_hex();
    format!("{what}-{}", hash.get(..12).unwrap_or_default())
}

fn provider_lines(overview: &Overview, links: &Links, choice: &Choice) -> Vec<ProviderLine> {
    let names = &overview.judgement.names;
    let firing = overview.judgement.firing();
    let mut rows: Vec<(&String, &ProviderSum)> = overview.providers.iter().collect();
    rows.retain(|(name, _)| name.to_lowercase().contains(&choice.q.to_lowercase()));
    rows.sort_by_key(|(name, sum)| (-sum.attempts.all, *name));
    let percent = |attempts: Attempts, pick: fn((f64, f64)) -> f64| {
        attempts
            .percents()
            .map_or_else(|| "not known".to_owned(), |both| format!("{:.1} %", pick(both)))
    };
    let line = |(name, sum): (&String, &ProviderSum)| {
        let alarm = firing
            .iter()
            .find(|alarm| matches!(alarm.scope, Scope::Provider(id) if names.provider(id) == name));
        ProviderLine {
            id: row_id("provider", name),
            mark: alarm.map_or_else(
                || StateMark::of_row(&RowState::Ok),
                |alarm| StateMark::of_alarm(alarm.state, alarm.provisional),
            ),
            link: links.to("provider", &[("name", name)]),
            name: short(name),
            attempts: human::count(sum.attempts.all),
            deferred: percent(sum.attempts, |both| both.0),
            usual_deferred: percent(sum.usual, |both| both.0),
            bounced: percent(sum.attempts, |both| both.1),
            usual_bounced: percent(sum.usual, |both| both.1),
            reason: match &sum.reason {
                Some((reason, times)) => format!("{reason} ({} times)", human::count(*times)),
                None => String::new(),
            },
        }
    };
    let is_wanted = |line: &ProviderLine| choice.state != "alarm" || line.mark.class != "ok";
    rows.into_iter().map(line).filter(is_wanted).take(ROWS_SHOWN).collect()
}
