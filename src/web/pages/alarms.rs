//! All alarms of the last weeks.

use super::blocks::{BlockPage, PageBlock};
use super::frame::{PageFrame, sentence};
use super::reply::{failure_page, rendered};
use super::subject::alarm_table;
use crate::detect::alarm::Alarm;
use crate::model::human;
use crate::web::app::App;
use crate::web::links::Links;
use crate::web::overview::overview;
use axum::extract::State;
use axum::response::Response;
use std::cmp::Reverse;
use std::sync::Arc;

/// The most that are shown.
const SHOWN_MAX: usize = 500;

pub(crate) async fn page(State(app): State<Arc<App>>, links: Links) -> Response {
    let found = match overview(&app).await {
        Ok(found) => found,
        Err(failure) => return failure_page(&app, failure.status(), &failure),
    };
    let overview = &found.value;
    let mut alarms: Vec<&Alarm> = overview.judgement.groups.shown().collect();
    alarms.sort_by_key(|alarm| Reverse((alarm.ended.is_none(), alarm.onset)));
    let firing = alarms.iter().filter(|alarm| alarm.ended.is_none()).count();
    let all = alarms.len();
    alarms.truncate(SHOWN_MAX);
    let mut page = BlockPage::new(
        PageFrame::new(&app, &links, "Alarms", "alarms").live(),
        "alarms",
        "Alarms",
    );
    page.frame.notes.extend(found.lacks.iter().cloned());
    page.frame.is_ended(overview.end_ms, app.answers.now_ms());
    page.lead.push(format!(
        "{} in the history; {} of them firing.",
        human::counted(all as u64, "alarm"),
        firing
    ));
    page.lead.push(sentence(&overview.judgement.complete.words()));
    let mut table = alarm_table(&alarms, overview, &links);
    table.title = "History".to_owned();
    page.blocks.push(PageBlock::Table(table));
    let silences = app.answers.config().silences.len();
    if silences > 0 {
        let words = format!(
            "{} in the configuration: such alarms are shown, and not sent.",
            human::counted(silences as u64, "silence")
        );
        page.blocks.push(PageBlock::List("Silences", vec![words]));
    }
    rendered(&page)
}
