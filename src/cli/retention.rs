//! `store compact`, and what is said of events that the retention holds back.

use super::output;
use crate::model::time::{DAY_MS, UtcMs, rfc3339};
use crate::setup::Setup;
use crate::setup::clock::retention;
use crate::store::maintenance;
use crate::store::retention::{HeldBack, Retention};
use anyhow::Result;

/// `mailpulse store compact`.
pub(super) fn compact(setup: &Setup, force: bool) -> Result<()> {
    let config = setup.config()?;
    let store = setup.create_store(&config)?;
    let retention = Retention {
        force,
        ..retention(config.store.retain_days)
    };
    let done = maintenance::compact(&store, Some(&retention))?;
    crate::service::catalogue_copies::copy_catalogue(&store);
    output::line(&format!(
        "{} segments became {}; {} beyond the retention were removed",
        done.merged, done.into, done.expired
    ))?;
    if done.rolled_up > 0 {
        output::line(&format!(
            "{} segments of an older version were given roll-ups",
            done.rolled_up
        ))?;
    }
    if let Some(words) = held_back(&crate::store::retention::held_back(&store, &retention)?, retention.days) {
        output::talk(&words);
    }
    Ok(())
}

/// What retention does not remove, why, and what to do; None if there is nothing.
pub(super) fn held_back(held: &HeldBack, days: u32) -> Option<String> {
    let events = held.events();
    if events == 0 {
        return None;
    }
    let first = held.sources.iter().map(|source| source.span_ms.0).min();
    let last = held.sources.iter().map(|source| source.span_ms.1).max();
    let (first, last) = (
        rfc3339(first.unwrap_or(UtcMs::EPOCH)),
        rfc3339(last.unwrap_or(UtcMs::EPOCH)),
    );
    let why = match held.step_ms {
        0 => "they were that old when they were stored, or the clock has jumped".to_owned(),
        step => format!(
            "the clock and the newest event are {:.1} days ahead of the store's time, but this machine has not run \
             that long",
            step as f64 / DAY_MS as f64
        ),
    };
    Some(format!(
        "held back: {events} events from {first} to {last} are older than {days} days (retain_days) and are kept: \
         {why}. If the clock is right and you want to remove them: mailpulse store compact --force"
    ))
}
