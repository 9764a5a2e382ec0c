//! The overview as of now: pages, metrics, the API, and streams show the same one.

use super::answers::{Asker, QuestionKey, StoreAnswer};
use super::app::App;
use super::failure::Failure;
pub(super) use crate::analysis::overview::{Overview, ProviderSum};
use crate::setup::overview::{OverviewAsked, overview_of};
use anyhow::Result;
use std::sync::Arc;

/// The overview as of now, computed once a minute or when rows come.
///
/// # Errors
/// The store does not answer.
pub(super) async fn overview(app: &App) -> Result<Arc<StoreAnswer<Overview>>, Failure> {
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
