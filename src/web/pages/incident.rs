//! An incident: an alarm or a stretch of time, judged; as a page and as Markdown.

use super::blocks::{BlockPage, PageBlock, RangeForm, TableBlock, TableCell};
use super::frame::{PageFrame, sentence};
use super::marks::StateMark;
use super::range::PageRange;
use super::reply::{failure_page, rendered};
use crate::analysis::incident::report::{
    conclusions, hurt, json as report_json, markdown, rows, summary, timeline, title,
};
use crate::analysis::incident::{Asked, Incident, judge};
use crate::graph::GraphKind;
use crate::model::direction::DirectionView;
use crate::model::time::HOUR_MS;
use crate::query::Window;
use crate::query::rates::{By, RateQuestion, bucket_ms};
use crate::setup::planned::planned;
use crate::web::answers::{Asker, QuestionKey, Refusal, StoreAnswer, end_of_time};
use crate::web::app::App;
use crate::web::chosen::Chosen;
use crate::web::failure::Failure;
use crate::web::graphs::{drawn, pictures};
use crate::web::links::Links;
use crate::web::zone::GraphClock;
use anyhow::Result;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// An incident may be asked about for so many days.
const DAYS_MAX: i64 = 31;

/// What a reader chooses: an alarm, or a time.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct IncidentChoice {
    alarm: String,
    from: String,
    to: String,
}

/// An incident in all its forms.
pub(crate) struct JudgedPage {
    window: Window,
    title: String,
    summary: String,
    table: TableBlock,
    evidence: Vec<String>,
    timeline: Vec<(String, String)>,
    conclusions: Vec<String>,
    complete: String,
    graph: super::blocks::GraphBlock,
    markdown: String,
    pub json: Value,
}

/// Judges, or takes what was judged.
pub(crate) async fn judged(
    app: &App,
    choice: &IncidentChoice,
    links: &Links,
) -> Result<Arc<StoreAnswer<JudgedPage>>, Failure> {
    if choice.alarm.is_empty() && choice.from.is_empty() {
        return Err(Failure::Parameter(
            "alarm or from: which alarm, or since when?".to_owned(),
        ));
    }
    let key = QuestionKey::until(
        &format!("incident {choice:?} {}", links.to("", &[])),
        app.answers.now_ms(),
    );
    let (choice, links) = (choice.clone(), links.clone());
    app.answers.ask(key, move |asker| ask(asker, &choice, &links)).await
}

fn ask(asker: &Asker<'_>, choice: &IncidentChoice, links: &Links) -> Result<JudgedPage> {
    let refused = |failure| anyhow::Error::new(Refusal(failure));
    let (asked, until_ms) = match choice.alarm.as_str() {
        "" => {
            let window = PageRange::of(&choice.from, &choice.to, "-24h")
                .window_in(links.zone(), end_of_time(asker)?)
                .map_err(refused)?;
            if window.until_ms - window.since_ms > DAYS_MAX * 24 * HOUR_MS {
                return Err(refused(Failure::Parameter(format!(
                    "from, to: at most {DAYS_MAX} days for an incident"
                ))));
            }
            (Asked::Window(window), window.until_ms)
        }
        id => (of_alarm(asker, id)?, asker.now_ms),
    };
    let store = asker.store();
    let mut incident = judge(store, asker.kept, asker.options(), asked, asker.now_ms)?;
    incident.planned = planned(asker.config)?;
    let around = Window {
        since_ms: incident.window.since_ms - 6 * HOUR_MS,
        until_ms: (incident.window.until_ms + 4 * HOUR_MS).min(incident.end.start()).min(
            // Where the clock stands still, what comes later is not known.
            if asker.is_standing() {
                asker.now_ms
            } else {
                until_ms.max(asker.now_ms)
            },
        ),
    };
    let clock = GraphClock::of(links.zone(), around);
    let question = RateQuestion {
        origin_ms: clock.origin_ms(),
        ..RateQuestion::accepted(around, bucket_ms(around), By::Service, DirectionView::default())
    };
    let drawn = drawn(asker, &question, clock)?;
    let mut graph = pictures(&drawn, GraphKind::Multiples, 1);
    graph.title = "Mail by service".to_owned();
    graph.lead = "From six hours before to four hours after; the band is what was expected.".to_owned();
    graph.rows.clear();
    Ok(told(&incident, graph, links))
}

/// The window of an alarm as far as it is known now.
fn of_alarm(asker: &Asker<'_>, id: &str) -> Result<Asked> {
    let window = asker.judgement()?.window_of(id);
    window.map(Asked::Window).ok_or_else(|| {
        let why = "There is no such alarm. It may be older than the store, or have become part of another one.";
        anyhow::Error::new(Refusal(Failure::Unknown(why.to_owned())))
    })
}

fn told(incident: &Incident, graph: super::blocks::GraphBlock, links: &Links) -> JudgedPage {
    let names = &incident.names;
    let row = |[service, impact, expected, came, missing, late, failed]: [String; 7]| {
        vec![
            TableCell::link(&service, links.to("service", &[("name", &service)])),
            TableCell::mark(StateMark::of_impact(&impact)),
            TableCell::number(expected),
            TableCell::number(came),
            TableCell::number(missing),
            TableCell::number(late),
            TableCell::number(failed),
        ]
    };
    let head = vec![
        ("service", false),
        ("impact", false),
        ("expected", true),
        ("came", true),
        ("missing", true),
        ("late", true),
        ("failed to hand in", true),
    ];
    JudgedPage {
        window: incident.window,
        title: title(incident),
        summary: summary(incident),
        table: TableBlock {
            title: "Services".to_owned(),
            lead: String::new(),
            head,
            rows: rows(incident).into_iter().map(row).collect(),
            empty: "No service sends at this time.",
        },
        evidence: hurt(incident)
            .map(|one| format!("{}: {}", names.service(one.service), one.evidence.join("; ")))
            .collect(),
        timeline: timeline(incident)
            .into_iter()
            .map(|(at, what)| (links.zone().clock(at.start()), what))
            .collect(),
        conclusions: conclusions(incident),
        complete: incident.complete.words(),
        graph,
        markdown: markdown(incident),
        json: report_json(incident),
    }
}

/// The page.
pub(crate) async fn page(
    State(app): State<Arc<App>>,
    links: Links,
    Chosen(choice): Chosen<IncidentChoice>,
) -> Response {
    let found = match judged(&app, &choice, &links).await {
        Ok(found) => found,
        Err(failure) => return failure_page(&app, failure.status(), &failure),
    };
    let JudgedPage {
        window,
        title,
        summary,
        table,
        evidence,
        timeline,
        conclusions,
        complete,
        graph,
        ..
    } = &found.value;
    let mut page = BlockPage::new(PageFrame::new(&app, &links, title, "alarms").live(), "incident", title);
    page.frame.notes.extend(found.lacks.iter().cloned());
    page.lead.extend([summary.clone(), sentence(complete)]);
    let copy = [
        ("alarm", choice.alarm.as_str()),
        ("from", &choice.from),
        ("to", &choice.to),
    ];
    page.links
        .push((links.to("incident.md", &copy), "Copy as Markdown".to_owned()));
    if choice.alarm.is_empty() {
        let range = PageRange::of(&choice.from, &choice.to, "-24h");
        page.range = Some(RangeForm::of(&range, ("incident", ""), *window, &links));
    }
    page.blocks.push(PageBlock::Table(table.clone()));
    page.blocks.push(PageBlock::Timeline(
        format!("Timeline ({})", links.zone().name()),
        timeline.clone(),
    ));
    page.blocks.push(PageBlock::Graph(graph.clone()));
    if !evidence.is_empty() {
        page.blocks.push(PageBlock::List("Evidence", evidence.clone()));
    }
    page.blocks.push(PageBlock::List("Conclusions", conclusions.clone()));
    rendered(&page)
}

/// The report, to be copied into an incident page.
pub(crate) async fn as_markdown(
    State(app): State<Arc<App>>,
    links: Links,
    Chosen(choice): Chosen<IncidentChoice>,
) -> Response {
    match judged(&app, &choice, &links).await {
        Ok(found) => (
            [(CONTENT_TYPE, "text/markdown; charset=utf-8")],
            found.value.markdown.clone(),
        )
            .into_response(),
        Err(failure) => crate::web::json::failed(&failure),
    }
}
