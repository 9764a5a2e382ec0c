//! The lines below the tables of `status`: what is not as it should be, each with what to do.

use crate::alert::state::AlertState;
use crate::analysis::completeness::CompleteFrom;
use crate::analysis::health::UnreadableCause;
use crate::analysis::planned_work::said_in;
use crate::analysis::sources::SourceStatus;
use crate::cli::output;
use crate::cli::written_twice::WRITTEN_TWICE;
use crate::clock::now_ms;
use crate::config::Config;
use crate::model::human;
use crate::model::time::{UtcMs, rfc3339};
use crate::query::history::Backend;
use crate::store::catalogue::{LastingTrouble, OutboxState};
use crate::store::clickhouse::ship::{CLOCKS_APART_MS, clocks_apart};
use crate::store::{Store, StoreError};
use anyhow::Result;

/// Odd fields of a source that are named; JSON has all.
const ODD_FIELDS_SHOWN: usize = 5;

pub(super) fn print(store: &Backend, config: &Config, alerts: &AlertState, rows: &[SourceStatus]) -> Result<()> {
    output::line("")?;
    for line in unsent(alerts) {
        output::line(&line)?;
    }
    match store {
        Backend::Embedded(store) => {
            let contents = store.segments().totals()?;
            output::line(&format!(
                "store {}: {} events in {}, {}",
                store.path().display(),
                human::count(i64::try_from(contents.events).unwrap_or(i64::MAX)),
                human::counted(contents.segments as u64, "segment"),
                human::size(contents.bytes)
            ))?;
        }
        Backend::ClickHouse(client) => output::line(&format!("store {}", client.endpoint()))?,
    }
    let span = store.history().span(UtcMs::MAX)?;
    if let Some((first, last)) = span {
        output::line(&format!("events from {} to {}", rfc3339(first), rfc3339(last)))?;
    }
    if let Some(complete) = CompleteFrom::of(alerts.complete, span.map(|(first, _)| first)) {
        output::line(&complete.words())?;
    }
    if let Backend::Embedded(store) = store {
        embedded(store, config)?;
    }
    for row in rows {
        source(row)?;
    }
    Ok(())
}

/// What only an embedded store knows of itself.
fn embedded(store: &Store, config: &Config) -> Result<()> {
    for one in store.positions().missing(None)? {
        output::line(&format!("missing: {}", one.words()))?;
    }
    let (services, services_max) = (store.services().derived_max()?, config.store.services_max as u64);
    if services >= services_max {
        output::line(&format!(
            "services: all {services_max} of store.services_max are in use. Mail of further senders is unattributed \
             until they send more than the least active of these; write [[service]] rules (`mailpulse services \
             discover`), or raise it"
        ))?;
    }
    if store.attribution().is_half_relabelled()? {
        output::line(
            "services: `services relabel` is running or was interrupted, so names change in the middle of the \
             history. Run it again",
        )?;
    }
    if let Some(waiting) = store.outbox().waiting()? {
        output::line(&shipping(&waiting, now_ms()))?;
    }
    aside(store)?;
    for trouble in store.troubles().all()? {
        output::line(&trouble_line(&trouble))?;
    }
    Ok(())
}

/// What is wrong with a source.
fn source(row: &SourceStatus) -> Result<()> {
    for doubt in row.clock_doubts() {
        output::line(&format!(
            "unreadable: {} ({}): {}",
            row.source.host, row.source.kind, doubt
        ))?;
    }
    if let Some(what) = row.unreadable_lines() {
        let kind = &row.source.kind;
        let hint = match row.health.cause() {
            UnreadableCause::Foreign => format!(
                "if {kind} logs under another name, give the source `syslog_tag`: `mailpulse check` proposes it"
            ),
            UnreadableCause::Unparsed => {
                "its format has changed, or it is not a log of this kind: `mailpulse parse --explain` \
                 shows where parsing stops"
                    .to_owned()
            }
        };
        output::line(&format!("unreadable: {} ({kind}): {what}; {hint}", row.source.host))?;
    }
    if let Some(path) = row.source.local.as_ref().and_then(|local| local.twice_in.as_deref()) {
        output::line(&format!(
            "{} ({}): {} of {} lines, most of them in {}: {WRITTEN_TWICE}",
            row.source.host, row.source.kind, row.source.counts.duplicates, row.source.counts.lines, path
        ))?;
    }
    for what in row.damaged() {
        output::line(&format!("damaged: {}", what))?;
    }
    for odd in row.odd_fields().iter().take(ODD_FIELDS_SHOWN) {
        output::line(&format!(
            "odd field on {}: {} x {} is malformed and was left out, as in `{}` ({})",
            row.source.host, odd.count, odd.field, odd.sample, odd.path
        ))?;
    }
    for shape in row.shapes() {
        output::line(&format!(
            "unparsed on {}: {} x `{}` ({})",
            row.source.host, shape.count, shape.sample, shape.why
        ))?;
    }
    Ok(())
}

/// Alarms that nobody has been told of: those that a silence holds back, and those that a channel does not take.
fn unsent(alerts: &AlertState) -> Vec<String> {
    let silenced = alerts.silenced.iter();
    let silenced = silenced.map(|alarm| match said_in(&alarm.alarm) {
        Some(why) => format!("silenced: {} ({why})", alarm.summary),
        None => format!("silenced: {}", alarm.summary),
    });
    let mut lines: Vec<String> = silenced.collect();
    let provisional = alerts.provisional.iter();
    lines.extend(provisional.map(|alarm| format!("provisional, not sent: {}", alarm.summary)));
    let failing = alerts.channels().into_iter();
    lines.extend(failing.filter_map(|channel| {
        Some(format!(
            "not delivered: {} notices wait for {} and {} were refused, since {}: {}",
            channel.waiting,
            channel.name,
            channel.refused,
            rfc3339(channel.since?.start()),
            channel.why?
        ))
    }));
    lines
}

/// What waits for a decision of the operator's.
fn aside(store: &Store) -> Result<()> {
    if store.outbox().is_undecided()? {
        let path = store.path().to_owned();
        output::line(&format!("ship: {}", StoreError::ShipUndecided { path }))?;
    }
    crate::cli::lost_found::print(store)?;
    Ok(())
}

/// How far the sending has come.
fn shipping(waiting: &OutboxState, now_ms: UtcMs) -> String {
    let lag = human::duration(
        waiting
            .oldest_ms
            .map_or(0, |oldest| (now_ms - oldest).max(0) / 1_000 * 1_000),
    );
    let sent = waiting.sent_ms.map_or("never".to_owned(), rfc3339);
    let mut text = format!(
        "ship: {} payloads wait ({}), the oldest for {lag}; last sent: {sent}",
        waiting.payloads,
        human::size(waiting.bytes)
    );
    if waiting.clock_ahead_ms.abs() > CLOCKS_APART_MS {
        text += &format!("\nship: {}", clocks_apart(waiting.clock_ahead_ms));
    }
    if waiting.refused > 0 {
        let why = waiting.why.as_deref().unwrap_or_default();
        text += &format!("\nship: {} payloads were refused and set aside: {why}", waiting.refused);
    }
    text
}

/// A trouble that lasts.
fn trouble_line(trouble: &LastingTrouble) -> String {
    format!(
        "{}: {} (since {}, last seen {}, {} times)",
        trouble.topic,
        trouble.what,
        rfc3339(trouble.since_ms),
        rfc3339(trouble.last_ms),
        trouble.count
    )
}
