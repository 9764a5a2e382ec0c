//! The first page is asked for by whoever was just paged: what it takes is computed when the process begins, not then.

use super::answers::QuestionKey;
use super::app::{App, ServedPaths};
use super::failure::Failure;
use super::graphs::learn_ranges;
use super::overview::overview;
use super::pages::{sources, subject};
use super::waiting_mail::waiting;
use std::sync::Arc;

/// Learns what was expected in the last weeks, what pages of services and relays are cut from, and what waits in the queues: they
/// are quick then. It takes seconds of processor time where much was sent, so that it comes after the first page.
pub(crate) async fn warm_up_graphs(app: Arc<App>) {
    if app.paths == ServedPaths::All {
        let (key, zone) = (
            QuestionKey::until("ranges", app.answers.now_ms()),
            app.links.zone().clone(),
        );
        let learned = app.answers.ask(key, move |asker| learn_ranges(asker, &zone)).await;
        if let Err(failure) = learned {
            tracing::debug!("graphs of weeks are not prepared: {}", failure.words());
        }
        let (key, links) = (QuestionKey::until("tables", app.answers.now_ms()), app.links.clone());
        let learned = app
            .answers
            .ask(key, move |asker| subject::learn_tables(asker, &links))
            .await;
        if let Err(failure) = learned {
            tracing::debug!("pages of services are not prepared: {}", failure.words());
        }
        // Over a large store the first page of a service would wait for it.
        let _ = waiting(&app, None).await;
    }
}

/// Computes the overview; over when it is there, or cannot be had.
pub(crate) async fn warm_up(app: Arc<App>) {
    // A question that is late goes on by itself, and whoever asks again waits for the same answer.
    while app.paths == ServedPaths::All
        && let Err(Failure::Late) = overview(&app).await
    {}
    let _ = sources::all(&app).await;
}
