//! Answers as JSON: raw numbers with the unit in their key, and times as RFC 3339.

use crate::analysis::alarms::{alarm_json, minute, rounded};
use crate::analysis::board::BoardRow;
use crate::analysis::routes::{Path, Route};
use crate::analysis::sources::{SourceStatus, percent};
use crate::analysis::verdict::{MailVerdict, MissingMail};
use crate::detect::alarm::Alarm;
use crate::model::time::{Minute, rfc3339};
use crate::web::overview::{Overview, ProviderSum};
use serde_json::{Value, json};

/// The verdict.
pub(super) fn now(overview: &Overview) -> Value {
    let MailVerdict {
        standing,
        sentence,
        more,
        next,
        alarm,
        affected,
        relay,
        since,
        missing,
    } = &overview.verdict;
    let MissingMail {
        all,
        lost,
        late,
        waiting,
        bounced,
        open,
    } = missing;
    let names = &overview.judgement.names;
    json!({
        "standing": standing.as_str(),
        "sentence": sentence,
        "more": more,
        "next": next,
        "alarm": alarm,
        "affected": affected,
        "relay": relay,
        "since": since.map(minute),
        "missing": { "all": all, "lost": lost, "late": late, "waiting": waiting, "bounced": bounced, "open": open },
        "alarms": overview.judgement.firing().into_iter().map(|alarm| alarm_json(alarm, names)).collect::<Vec<_>>(),
        "as_of": rfc3339(overview.end_ms),
        "judged_until": overview.judgement.until.map(minute),
    })
}

/// Rows of a board.
pub(super) fn board(rows: &[BoardRow]) -> Value {
    let row = |row: &BoardRow| {
        json!({
            "name": row.name,
            "state": row.state.as_str(),
            "alarm": row.alarm.as_ref().map(|(id, _)| id),
            "last": row.last_ms.map(rfc3339),
            "hour": row.hour.round(),
            "expected_low": row.usual.map(|(low, _)| rounded(low)),
            "expected_high": row.usual.map(|(_, high)| rounded(high)),
        })
    };
    rows.iter().map(row).collect()
}

/// Providers over all relays.
pub(super) fn providers(overview: &Overview) -> Value {
    let row = |(name, sum): (&String, &ProviderSum)| {
        json!({
            "provider": name,
            "attempts": sum.attempts.all,
            "deferred": sum.attempts.deferred,
            "bounced": sum.attempts.bounced,
            "usual_attempts": sum.usual.all,
            "usual_deferred": sum.usual.deferred,
            "usual_bounced": sum.usual.bounced,
            "reason": sum.reason.as_ref().map(|(reason, _)| reason),
        })
    };
    overview.providers.iter().map(row).collect()
}

/// Alarms that fired or lasted in the minutes `[from, to)`.
pub(super) fn alarms(overview: &Overview, (from, to): (Minute, Minute)) -> Value {
    let names = &overview.judgement.names;
    let inside = |alarm: &&Alarm| alarm.overlaps(from, to) || (from..to).contains(&alarm.detected);
    let shown = overview.judgement.groups.shown().filter(inside);
    shown.map(|alarm| alarm_json(alarm, names)).collect()
}

pub(super) fn routes(all: &[Route]) -> Value {
    let share = |part: u64, whole: u64| (1000.0 * part as f64 / whole.max(1) as f64).round() / 10.0;
    let route = |route: &Route| {
        let sent: u64 = route.paths.iter().map(|path| path.messages).sum();
        let hop = |(relay, messages): &(String, u64)| json!({ "relay": relay, "messages": messages, "share_percent": share(*messages, route.messages) });
        let path = |path: &Path| {
            json!({
                "hops": path.hops,
                "outside": path.outside,
                "messages": path.messages,
                "share_percent": share(path.messages, sent),
            })
        };
        json!({
            "service": route.service,
            "messages": route.messages,
            "single_point_of_failure": route.is_single().then(|| &route.last_hops[0].0),
            "last_hops": route.last_hops.iter().map(hop).collect::<Vec<_>>(),
            "paths": route.paths.iter().map(path).collect::<Vec<_>>(),
        })
    };
    all.iter().map(route).collect()
}

pub(super) fn sources(all: &[SourceStatus]) -> Value {
    let source = |one: &SourceStatus| {
        json!({
            "host": one.source.host,
            "source": one.source.kind,
            "state": one.state.as_str(),
            "reason": one.reason(),
            "last": one.source.span_ms.map(|(_, last)| rfc3339(last)),
            "age_s": one.age_ms.map(|age| age.max(0) / 1_000),
            "read": one.read_ms().map(rfc3339),
            "lag_s": one.lag_ms.map(|lag| lag / 1_000),
            "lines": one.source.counts.lines,
            "events": one.source.counts.events,
            "ignored": one.source.counts.ignored,
            "unparsed": one.source.counts.unparsed,
            "unparsed_percent": percent(&one.source.counts),
        })
    };
    all.iter().map(source).collect()
}
