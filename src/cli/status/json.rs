//! `status --format json`: all that `status` knows, raw; units stand in the keys.

use super::kept_alerts::alerts_said;
use super::limits;
use crate::alert::Notice;
use crate::alert::state::ChannelState;
use crate::analysis::completeness::CompleteFrom;
use crate::analysis::sources::{SourceStatus, percent};
use crate::cli::output;
use crate::config::Config;
use crate::model::time::{UtcMs, UtcS, rfc3339};
use crate::query::history::Backend;
use crate::setup::limits::limits_in_use;
use crate::store::Store;
use crate::store::catalogue::OutboxState;
use anyhow::Result;
use serde_json::{Value, json};

/// Changes of attribution that are told.
const CHANGES: usize = 20;

/// All of it: `sources`, `alarms`, `silenced`, `provisional`, `channels`, `store`, `ship`, `troubles`, `limits`.
pub(super) fn answer(engine: &Backend, config: &Config, rows: &[SourceStatus], now_ms: UtcMs) -> Result<Value> {
    let alerts = alerts_said(config)?;
    let first_ms = engine.history().span(UtcMs::MAX)?.map(|(first, _)| first);
    let alarms = |all: &[Notice]| all.iter().map(alarm).collect::<Vec<_>>();
    Ok(json!({
        "sources": sources(rows),
        "alarms": alarms(&alerts.firing),
        "silenced": alarms(&alerts.silenced),
        "provisional": alarms(&alerts.provisional),
        "channels": alerts.channels().iter().map(|one| channel(one, now_ms)).collect::<Vec<_>>(),
        "alarms_judged_until": alerts.judged.map(|judged| rfc3339(judged.start())),
        "volume_complete_from": CompleteFrom::of(alerts.complete, first_ms).map(CompleteFrom::time),
        "store": store(engine)?,
        "ship": ship(engine, now_ms)?,
        "troubles": troubles(engine)?,
        "limits": output::json_rows(&limits::table(&limits_in_use(engine, config, rows)?), &[]),
    }))
}

fn alarm(notice: &Notice) -> Value {
    let about = notice.about();
    json!({
        "id": notice.id,
        "kind": about.kind,
        "name": about.name,
        "state": about.state,
        "relay": notice.relay,
        "onset": rfc3339(notice.starts.start()),
        "summary": notice.summary,
        "description": notice.description,
        "alarm": notice.alarm,
    })
}

fn channel(one: &ChannelState, now_ms: UtcMs) -> Value {
    let time = |at: Option<UtcS>| at.map(|at| rfc3339(at.start()));
    json!({
        "channel": one.name,
        "waiting": one.waiting,
        "refused": one.refused,
        "failing_since": time(one.since),
        "failing_s": one.since.map(|since| (now_ms.second() - since).max(0)),
        "tried": time(one.tried),
        "why": one.why,
    })
}

fn store(engine: &Backend) -> Result<Value> {
    let span = engine.history().span(UtcMs::MAX)?;
    let (first, last) = (span.map(|span| rfc3339(span.0)), span.map(|span| rfc3339(span.1)));
    let store = match engine {
        Backend::ClickHouse(client) => {
            return Ok(json!({ "url": client.endpoint().to_string(), "first": first, "last": last }));
        }
        Backend::Embedded(store) => store,
    };
    let contents = store.segments().totals()?;
    let lost = store.lost_found();
    Ok(json!({
        "path": store.path(),
        "first": first,
        "last": last,
        "events": contents.events,
        "segments": contents.segments,
        "bytes": contents.bytes,
        "lost_found_files": lost.files,
        "lost_found_bytes": lost.bytes,
        "missing": store.positions().missing(None)?.iter().map(|one| one.words()).collect::<Vec<_>>(),
        "attribution_changes": changes(store)?,
        "half_relabelled": store.attribution().is_half_relabelled()?,
    }))
}

/// The newest notes of mail that is given to other services than before; services alone.
fn changes(store: &Store) -> Result<Vec<Value>> {
    let all = store.attribution().changes()?;
    let newest = all.iter().rev().take(CHANGES).rev();
    let told = newest.map(|change| {
        json!({
            "last_minute_before": rfc3339(change.minute.start()),
            "version": change.version,
            "reason": change.note.reason.as_str(),
            "ended": change.note.services.ended,
            "begun_anew": change.note.services.changed,
        })
    });
    Ok(told.collect())
}

fn ship(engine: &Backend, now_ms: UtcMs) -> Result<Option<Value>> {
    let Backend::Embedded(store) = engine else {
        return Ok(None);
    };
    let undecided = store.outbox().is_undecided()?;
    let of = |waiting: OutboxState| {
        json!({
            "payloads": waiting.payloads,
            "bytes": waiting.bytes,
            "lag_s": waiting.oldest_ms.map(|oldest| (now_ms - oldest).max(0) / 1_000),
            "sent": waiting.sent_ms.map(rfc3339),
            "refused": waiting.refused,
            "why": waiting.why,
            "undecided": undecided,
        })
    };
    Ok(store.outbox().waiting()?.map(of))
}

fn troubles(engine: &Backend) -> Result<Vec<Value>> {
    let Backend::Embedded(store) = engine else {
        return Ok(Vec::new());
    };
    let all = store.troubles().all()?.into_iter().map(|trouble| {
        json!({
            "topic": trouble.topic,
            "what": trouble.what,
            "since": rfc3339(trouble.since_ms),
            "last": rfc3339(trouble.last_ms),
            "count": trouble.count,
        })
    });
    Ok(all.collect())
}

/// The sources, as they were told before there was anything else.
fn sources(rows: &[SourceStatus]) -> Value {
    let row = |row: &SourceStatus| {
        let local = row.source.local.as_ref();
        json!({
            "host": row.source.host,
            "source": row.source.kind,
            "state": row.state.as_str(),
            "logs": local.map(|local| local.logs),
            "first": row.source.span_ms.map(|span| rfc3339(span.0)),
            "last": row.source.span_ms.map(|span| rfc3339(span.1)),
            "age_s": row.age_ms.map(|age| age / 1000),
            "read": row.read_ms().map(rfc3339),
            "lag_s": row.lag_ms.map(|lag| lag / 1000),
            "lines": row.source.counts.lines,
            "events": row.source.counts.events,
            "ignored": row.source.counts.ignored,
            "duplicates": local.map(|local| local.duplicates),
            "unparsed": row.source.counts.unparsed,
            "unparsed_percent": percent(&row.source.counts),
            "hour_unparsed_percent": percent(&row.health.last_hour),
            "damaged_logs": local.map(|local| local.damaged.len()),
            "open_messages": local.map(|local| local.open_messages),
            "odd_fields": local.map(|local| local.odd_fields.iter().map(|field| field.count).sum::<u64>()),
            "odd_field_samples": row.odd_fields().iter().map(|field| json!({
                "field": field.field,
                "count": field.count,
                "sample": field.sample,
                "path": field.path,
            })).collect::<Vec<_>>(),
            "reason": row.reason(),
            "clock_doubts": row.clock_doubts().iter().map(ToString::to_string).collect::<Vec<_>>(),
            "held_back": row.held.as_ref().map(|held| json!({
                "events": held.events,
                "first": rfc3339(held.span_ms.0),
                "last": rfc3339(held.span_ms.1),
            })),
            "unparsed_shapes": row.shapes().iter().map(|shape| json!({
                "shape": shape.shape,
                "count": shape.count,
                "sample": shape.sample,
                "why": shape.why,
                "path": shape.path,
            })).collect::<Vec<_>>(),
        })
    };
    rows.iter().map(row).collect()
}
