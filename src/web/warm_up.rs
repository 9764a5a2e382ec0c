//! The first page is asked for by whoever was just paged: what it takes is computed when the process begins, not then.

use super::app::{App, ServedPaths};
use super::failure::Failure;
use super::overview::overview;
use super::pages::sources;
use std::sync::Arc;

/// Computes the overview; over when it is there, or cannot be had.
pub async fn warm_up(app: Arc<App>) {
    // A question that is late goes on by itself, and whoever asks again waits for the same answer.
    while app.paths == ServedPaths::All
        && let Err(Failure::Late) = overview(&app).await
    {}
    let _ = sources::all(&app).await;
}
