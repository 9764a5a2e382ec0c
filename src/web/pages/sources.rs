//! Logs, and whether they can be relied on.

use super::blocks::{BlockPage, PageBlock, TableBlock, TableCell};
use super::frame::PageFrame;
use super::marks::StateMark;
use super::reply::{failure_page, rendered};
use crate::analysis::sources::{SourceStatus, percent, statuses};
use crate::model::human;
use crate::model::time::{DAY_MS, MINUTE_MS};
use crate::web::answers::{QuestionKey, StoreAnswer};
use crate::web::app::App;
use crate::web::failure::Failure;
use crate::web::links::Links;
use crate::web::zone::PageZone;
use axum::extract::State;
use axum::response::Response;
use std::sync::Arc;

/// Sources as of now.
pub(crate) async fn all(app: &App) -> Result<Arc<StoreAnswer<Vec<SourceStatus>>>, Failure> {
    let key = QuestionKey::until("sources", app.answers.now_ms());
    app.answers
        .ask(key, |asker| Ok(statuses(asker.store(), asker.now_ms, DAY_MS)?))
        .await
}

pub(crate) async fn page(State(app): State<Arc<App>>, links: Links) -> Response {
    let found = match all(&app).await {
        Ok(found) => found,
        Err(failure) => return failure_page(&app, failure.status(), &failure),
    };
    let mut page = BlockPage::new(
        PageFrame::new(&app, &links, "Sources", "sources").live(),
        "sources",
        "Logs that are read",
    );
    page.frame.notes.extend(found.lacks.iter().cloned());
    if app.answers.is_standing() {
        page.frame
            .notes
            .push("Sources are shown as the store knows them today.".to_owned());
    }
    page.blocks.push(PageBlock::Table(table(&found.value, links.zone())));
    let samples: Vec<Vec<TableCell>> = found.value.iter().flat_map(samples).collect();
    page.blocks.push(PageBlock::Table(TableBlock {
        title: "Lines that do not parse".to_owned(),
        lead: "A sample of each shape, the most frequent first. `mailpulse parse --explain` shows where parsing stops."
            .to_owned(),
        head: vec![
            ("host", false),
            ("source", false),
            ("lines", true),
            ("sample", false),
            ("why", false),
        ],
        rows: samples,
        empty: "All lines parse.",
    }));
    rendered(&page)
}

fn table(sources: &[SourceStatus], zone: &PageZone) -> TableBlock {
    let count = |number: u64| TableCell::count(i64::try_from(number).unwrap_or(i64::MAX));
    let row = |one: &SourceStatus| {
        let counts = &one.source.counts;
        let words = match one.reason() {
            Some("clock") => "its clock is in doubt".to_owned(),
            Some(_) => format!("{:.0} % of its last hour do not parse", percent(&one.health.last_hour)),
            None if !one.damaged().is_empty() => human::counted(one.damaged().len() as u64, "damaged log"),
            None => String::new(),
        };
        vec![
            TableCell::mark(StateMark::of_source(one.state.as_str())),
            TableCell::text(&one.source.host),
            TableCell::text(&one.source.kind),
            TableCell::text(match (one.age_ms, one.source.span_ms) {
                // Of a clock that stands still, later lines have no age.
                (Some(age), Some((_, last))) if age < -MINUTE_MS => zone.clock(last),
                (Some(age), _) => human::ago(age.max(0)),
                (None, _) => "never".to_owned(),
            }),
            TableCell::text(one.read_ms().map(|ms| zone.clock(ms)).unwrap_or_default()),
            TableCell::text(one.lag_ms.map(human::duration).unwrap_or_default()),
            count(counts.lines),
            count(counts.events),
            count(counts.ignored),
            count(counts.unparsed),
            TableCell::text(words),
        ]
    };
    TableBlock {
        title: "Sources".to_owned(),
        lead: "Lines are events, ignored, or unparsed: none is without an outcome.".to_owned(),
        head: vec![
            ("state", false),
            ("host", false),
            ("source", false),
            ("last line", false),
            ("last read", false),
            ("lag", false),
            ("lines", true),
            ("events", true),
            ("ignored", true),
            ("unparsed", true),
            ("remark", false),
        ],
        rows: sources.iter().map(row).collect(),
        empty: "Nothing has been read yet.",
    }
}

fn samples(one: &SourceStatus) -> Vec<Vec<TableCell>> {
    let row = |shape: &crate::store::catalogue::UnparsedShape| {
        vec![
            TableCell::text(&one.source.host),
            TableCell::text(&one.source.kind),
            TableCell::count(i64::try_from(shape.count).unwrap_or(i64::MAX)),
            TableCell::text(&shape.sample),
            TableCell::text(&shape.why),
        ]
    };
    one.shapes().iter().map(row).collect()
}
