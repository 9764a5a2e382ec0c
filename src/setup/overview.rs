//! The overview of a configured store: what the configuration names, and what `watch` left, joined with what the store answers.

use super::alerts::alert_state;
use super::detection::{Overrides, options};
use crate::analysis::judgement::DetectionState;
use crate::analysis::kept::Kept;
use crate::analysis::overview::{Overview, OverviewQuestion, WatchSeen, overview};
use crate::analysis::present::end_of;
use crate::config::Config;
use crate::model::time::UtcMs;
use crate::query::history::MailHistory;
use anyhow::Result;
use std::collections::BTreeSet;
use std::sync::Arc;

/// As of when an overview is, and what of it is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OverviewAsked {
    /// The time on the clock, UTC milliseconds.
    pub now_ms: UtcMs,
    /// It stands still: what comes later is not known.
    pub is_standing: bool,
    /// Pictures of the day have the range that was expected. Without them, a `watch` that runs leaves little to replay.
    pub has_day_ranges: bool,
}

/// The overview; `kept` is what the detection has found out before.
///
/// # Errors
/// The store does not answer, or what `watch` left cannot be read.
pub(crate) fn overview_of(
    store: &dyn MailHistory,
    config: &Config,
    kept: &Kept,
    judgement: Arc<DetectionState>,
    asked: OverviewAsked,
) -> Result<Overview> {
    let watched = match asked.is_standing {
        true => WatchSeen::NotAsked,
        false => match alert_state(config)?.0.judged {
            Some(judged) => WatchSeen::Last(judged.start()),
            None => WatchSeen::Never,
        },
    };
    let question = OverviewQuestion {
        judgement,
        kept,
        options: options(config, &Overrides::default()),
        configured: configured(config),
        end_ms: end_of(store, asked.now_ms)?.at_ms,
        now_ms: asked.now_ms,
        watched,
        has_day_ranges: asked.has_day_ranges,
    };
    overview(store, question)
}

/// Names that have a row without any mail.
fn configured(config: &Config) -> [BTreeSet<String>; 3] {
    let services = config.services.names().map(str::to_owned).collect();
    let groups = config.hostgroups.names().map(str::to_owned).collect();
    [services, BTreeSet::new(), groups]
}
