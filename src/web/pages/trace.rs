//! One mail's story. A queue ID, a Message-ID, or the hash of an address, never an address: who may see the pages need not know
//! who writes to whom.

use super::blocks::{BlockPage, PageBlock, TableBlock, TableCell};
use super::frame::PageFrame;
use super::reply::{failure_page, rendered};
use crate::analysis::trace::{Trace, TraceEvent, TraceQuestion, TracedMail, trace};
use crate::model::human;
use crate::query::Window;
use crate::web::answers::{QuestionKey, StoreAnswer};
use crate::web::app::App;
use crate::web::chosen::Chosen;
use crate::web::failure::Failure;
use crate::web::links::Links;
use crate::web::zone::PageZone;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use std::sync::Arc;

/// Mails that a page shows.
const MAILS_MAX: usize = 20;

/// What a reader looks for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TraceChoice {
    pub id: String,
}

/// Looks a mail up.
pub(crate) async fn found(app: &App, choice: &TraceChoice) -> Result<Arc<StoreAnswer<Trace>>, Failure> {
    // Without the key of the pseudonyms no address is looked up, only IDs and hashes.
    let mut question = TraceQuestion::of(&choice.id, None).map_err(|why| Failure::Parameter(format!("id: {why}")))?;
    if !app.answers.config().privacy.hashes_local_parts() {
        // What looks like a hash is an address then.
        question.address = None;
    }
    let now_ms = app.answers.now_ms();
    let key = QuestionKey::until(&format!("trace {}", choice.id), now_ms);
    let window = match app.answers.is_standing() {
        true => Window {
            until_ms: now_ms,
            ..Window::ALL
        },
        false => Window::ALL,
    };
    app.answers
        .ask(key, move |asker| {
            Ok(trace(asker.store(), &question, window, MAILS_MAX)?)
        })
        .await
}

pub(crate) async fn page(State(app): State<Arc<App>>, links: Links, Chosen(choice): Chosen<TraceChoice>) -> Response {
    let zone = links.zone();
    let mut page = BlockPage::new(
        PageFrame::new(&app, &links, "Trace", "trace"),
        "trace",
        "Follow one mail over all hosts",
    );
    page.ask = Some(("Queue ID, Message-ID, or hash", "id", choice.id.clone()));
    if choice.id.is_empty() {
        let hash = "By its queue ID on any host, its Message-ID, or an address with the hash that answers show in place of its \
                    local part: ~AbCdEfGh@example.org.";
        page.lead.push(hash.to_owned());
        return rendered(&page);
    }
    let found = match found(&app, &choice).await {
        Ok(found) => found,
        Err(failure) => return failure_page(&app, failure.status(), &failure),
    };
    page.frame.notes.extend(found.lacks.iter().cloned());
    let trace = &found.value;
    if trace.mails.is_empty() {
        page.lead.push(match trace.searched {
            Some((since, until)) => format!(
                "Unknown. Searched in all events from {} to {}.",
                zone.clock(since),
                zone.clock(until)
            ),
            None => "Unknown: the store has no events.".to_owned(),
        });
    }
    if trace.is_cut {
        page.lead
            .push("There are older ones: `mailpulse trace --limit` shows them.".to_owned());
    }
    page.blocks = trace
        .mails
        .iter()
        .map(|mail| PageBlock::Table(table(mail, zone)))
        .collect();
    rendered(&page)
}

fn table(mail: &TracedMail, zone: &PageZone) -> TableBlock {
    let recipients: Vec<String> = mail
        .recipients
        .iter()
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    let lead = [
        format!("{} over {}.", human::duration(mail.took_ms()), mail.hosts().join(" → ")),
        format!("Recipients: {}.", recipients.join(", ")),
        mail.next.join(" "),
    ];
    TableBlock {
        title: format!(
            "{}: {}",
            crate::web::html::short(&mail.service),
            mail.state.replace('_', " ")
        ),
        lead: lead.join(" "),
        head: vec![
            ("time", false),
            ("host", false),
            ("queue ID", false),
            ("event", false),
            ("next hop", false),
            ("reply", false),
            ("in the queue", true),
        ],
        rows: mail.events.iter().map(|event| row(event, zone)).collect(),
        empty: "",
    }
}

fn row(event: &TraceEvent, zone: &PageZone) -> Vec<TableCell> {
    vec![
        TableCell::text(zone.exact(event.ts_ms)),
        TableCell::text(&event.host),
        TableCell::text(&event.queue_id),
        TableCell::text(&event.kind),
        TableCell::text(event.next_hop()),
        TableCell::text(event.reply_codes()),
        TableCell::number(event.queue_ms.map(human::duration).unwrap_or_default()),
    ]
}
