//! The pages of one service, relay, hostgroup, or provider: the headline here, and what stands below it in `details`.

mod choice;
mod details;
mod queues;
mod relay_blocks;
mod service_blocks;
mod words;

pub(crate) use details::learn_tables;
pub(crate) use words::alarm_table;

use self::choice::{ALARM_DAYS, PageSubject, SubjectChoice};
use self::details::details;
use self::queues::{queue_graph, queue_table};
use self::words::{now_words, provider_words, row_words};
use super::blocks::{BlockPage, PageBlock, RangeForm};
use super::frame::PageFrame;
use super::marks::StateMark;
use super::range::PageRange;
use super::reply::{failure_page, rendered};
use crate::analysis::alarms::notice_id;
use crate::analysis::board::BoardRow;
use crate::detect::alarm::Alarm;
use crate::model::time::{DAY_MS, End};
use crate::query::Window;
use crate::web::app::App;
use crate::web::chosen::Chosen;
use crate::web::failure::Failure;
use crate::web::links::Links;
use crate::web::overview::{Overview, overview};
use crate::web::waiting_mail::waiting;
use axum::extract::State;
use axum::response::Response;
use std::sync::Arc;

pub(crate) async fn service(state: State<Arc<App>>, links: Links, choice: Chosen<SubjectChoice>) -> Response {
    page(PageSubject::Service, &state, &links, choice.0).await
}

pub(crate) async fn relay(state: State<Arc<App>>, links: Links, choice: Chosen<SubjectChoice>) -> Response {
    page(PageSubject::Relay, &state, &links, choice.0).await
}

pub(crate) async fn hostgroup(state: State<Arc<App>>, links: Links, choice: Chosen<SubjectChoice>) -> Response {
    page(PageSubject::Hostgroup, &state, &links, choice.0).await
}

pub(crate) async fn provider(state: State<Arc<App>>, links: Links, choice: Chosen<SubjectChoice>) -> Response {
    page(PageSubject::Provider, &state, &links, choice.0).await
}

async fn page(subject: PageSubject, app: &Arc<App>, links: &Links, choice: SubjectChoice) -> Response {
    match view(subject, app, links, choice).await {
        Ok(page) => rendered(&page),
        Err(failure) => failure_page(app, failure.status(), &failure),
    }
}

async fn view(
    subject: PageSubject,
    app: &Arc<App>,
    links: &Links,
    choice: SubjectChoice,
) -> Result<BlockPage, Failure> {
    if choice.name.is_empty() {
        return Err(Failure::Parameter(format!("name: which {}?", subject.word())));
    }
    let range = PageRange::of(&choice.from, &choice.to, "-24h");
    // What is wrong whatever the store says is told at once.
    range.window_in(links.zone(), End::clock(app.answers.now_ms()))?;
    let known = overview(app).await?;
    let details = details(subject, app, links, &choice).await?;
    let overview = &known.value;
    let name = &choice.name;
    let row = row_of(subject, overview, name);
    let provider = (subject == PageSubject::Provider).then(|| overview.providers.contains_key(name));
    let alarms: Vec<&Alarm> = alarms(subject, overview, name);
    if row.is_none() && provider != Some(true) && alarms.is_empty() && !details.value.is_any {
        return Err(Failure::Unknown(format!(
            "No {} of this name has sent or taken mail of late.",
            subject.word()
        )));
    }
    let mut frame = PageFrame::new(
        app,
        links,
        &format!("{} {}", subject.word(), crate::web::html::short(name)),
        "",
    )
    .live();
    frame.notes.extend(details.lacks.iter().cloned());
    frame.is_ended(overview.end_ms, app.answers.now_ms());
    let mut page = BlockPage::new(frame, subject.word(), name);
    let firing = alarms.iter().find(|alarm| alarm.ended.is_none());
    page.mark = match (firing, row) {
        (Some(alarm), _) => Some(StateMark::of_alarm(alarm.state, alarm.provisional)),
        (None, Some(row)) => Some(StateMark::of_row(&row.state)),
        (None, None) => None,
    };
    page.lead
        .extend(firing.map(|alarm| now_words(alarm, overview, links.zone())));
    page.lead
        .extend(row.map(|row| row_words(row, overview.end_ms, links.zone())));
    let sum = overview.providers.get(name).filter(|_| provider == Some(true));
    page.lead
        .extend(sum.and_then(|sum| provider_words(sum, overview.end_ms, links.zone())));
    page.lead.extend(details.value.lead.iter().cloned());
    page.links.extend(firing.map(|alarm| {
        let id = notice_id(alarm, &overview.judgement.names);
        (links.to("incident", &[("alarm", &id)]), "Open the incident".to_owned())
    }));
    page.range = Some(RangeForm::of(
        &range,
        (subject.word(), name),
        details.value.window,
        links,
    ));
    page.blocks.clone_from(&details.value.blocks);
    if matches!(subject, PageSubject::Service | PageSubject::Relay) {
        let asked = (subject, &choice, &range);
        page.blocks
            .extend(queue_blocks(asked, details.value.window, app, links).await);
    }
    page.blocks
        .push(PageBlock::Table(alarm_table(&alarms, overview, links)));
    Ok(page)
}

/// What is in the queues: of another end than the present, it is counted for itself.
async fn queue_blocks(
    (subject, choice, range): (PageSubject, &SubjectChoice, &PageRange),
    window: Window,
    app: &Arc<App>,
    links: &Links,
) -> Vec<PageBlock> {
    let at_ms = (range.to != "now").then_some(window.until_ms);
    let counted = waiting(app, at_ms).await;
    let mut blocks = Vec::new();
    if let Some(counted) = &counted {
        let graph = queue_graph((subject, choice, window), counted, (app, links)).await;
        blocks.extend(graph.map(PageBlock::Graph));
    }
    let counted = counted.as_ref().map(|answer| &answer.value);
    let table = queue_table((subject, &choice.name), counted, links);
    blocks.push(PageBlock::Table(table));
    blocks
}

fn row_of<'o>(subject: PageSubject, overview: &'o Overview, name: &str) -> Option<&'o BoardRow> {
    let rows = match subject {
        PageSubject::Service => &overview.boards.services,
        PageSubject::Relay => &overview.boards.relays,
        PageSubject::Hostgroup => &overview.boards.hostgroups,
        PageSubject::Provider => return None,
    };
    rows.iter().find(|row| row.name == name)
}

/// Alarms of the last weeks, the newest first.
fn alarms<'o>(subject: PageSubject, overview: &'o Overview, name: &str) -> Vec<&'o Alarm> {
    let from = (overview.end_ms - ALARM_DAYS * DAY_MS).minute();
    let shown = overview
        .judgement
        .groups
        .shown()
        .filter(|alarm| alarm.ended.is_none_or(|ended| ended > from));
    let mut alarms: Vec<&Alarm> = shown.filter(|alarm| subject.is_of(alarm, name, overview)).collect();
    alarms.sort_by_key(|alarm| std::cmp::Reverse((alarm.ended.is_none(), alarm.onset)));
    alarms
}
