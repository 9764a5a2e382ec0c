//! The history that a ClickHouse holds.

use super::history::{MailHistory, SourceSummary};
use super::history_version::{Digests, HistoryVersion};
use super::named::{NamedQuery, Value};
use super::rates::{RateQuestion, checked, collect};
use super::series::SeriesSet;
use super::witnesses;
use crate::model::time::{CivilDay, DAY_MS, HOUR_MS, MINUTE_MS, Minute, UtcMs};
use crate::query::answer::{QueryAnswer, QueryError};
use crate::query::coarsest::{SumsOf, on_server};
use crate::query::sql;
use crate::query::window::Window;
use crate::store::catalogue::AttributionChange;
use crate::store::catalogue::Counts;
use crate::store::catalogue::{Covered, SourceMinute};
use crate::store::clickhouse::{ClickHouseClient, migrate, query};
use crate::store::columnar::{
    Column, FlowBlock, FlowGrain, LookupKey, MailKinds, MailRow, RateBlock, StayRow, Table, TextColumn, Values,
};
use std::collections::{BTreeMap, HashSet};

/// Rates are asked for by the day: an answer is held in memory as a whole.
const SLICE_MS: i64 = DAY_MS;

/// Queue IDs that one question names: a server takes a statement of 256 kB.
const IDS_A_QUESTION: usize = 2_000;

impl MailHistory for ClickHouseClient {
    fn identity(&self) -> Result<String, QueryError> {
        let place = self.endpoint();
        Ok(format!("{}:{}/{}", place.host, place.port, place.database))
    }

    fn version(&self, window: Window) -> Result<HistoryVersion, QueryError> {
        let (from, to) = (window.since_ms.minute(), window.until_ms.minute());
        Ok(HistoryVersion::Digests(digests(self, from, to)?))
    }

    fn first_change(&self, version: &HistoryVersion, from: Minute, to: Minute) -> Result<Option<Minute>, QueryError> {
        match version {
            HistoryVersion::Digests(known) => Ok(known.first_difference(&digests(self, from, to)?, from, to)),
            HistoryVersion::Commits(_) => Ok(Some(from)),
        }
    }

    fn newest(&self, window: Window) -> Result<Option<UtcMs>, QueryError> {
        let text = "SELECT max(ts_ms) AS newest FROM rates WHERE ts_ms >= {since:Int64} AND ts_ms < {until:Int64}";
        let table = query::select(self, text, &range(window))?;
        Ok(newest_of(&table))
    }

    fn bytes(&self) -> Result<Option<u64>, QueryError> {
        let text = "SELECT toInt64(sum(bytes_on_disk)) AS bytes FROM system.parts \
                    WHERE active AND database = currentDatabase()";
        // Who may only read the views is not told.
        let table = query::select(self, text, &[]).ok();
        let bytes = table.and_then(|table| numbers(&table, "bytes").first().copied());
        Ok(bytes
            .and_then(|bytes| u64::try_from(bytes).ok())
            .filter(|bytes| *bytes > 0))
    }

    fn hosts_in(&self, window: Window) -> Result<Vec<String>, QueryError> {
        let text = "SELECT host FROM sources WHERE ts_ms >= {since:Int64} AND ts_ms < {until:Int64} \
                    GROUP BY host ORDER BY host";
        Ok(words(&query::select(self, text, &range(window))?, "host"))
    }

    fn span(&self, until_ms: UtcMs) -> Result<Option<(UtcMs, UtcMs)>, QueryError> {
        let text = "SELECT min(ts_ms) AS first, max(ts_ms) AS last FROM rates WHERE ts_ms <= {until:Int64}";
        let table = query::select(self, text, &[("until", until_ms.get().to_string())])?;
        let [first, last] = ["first", "last"].map(|name| times(&table, name).first().copied());
        // Of no rows the server says 0.
        Ok(first.zip(last).filter(|(_, last)| *last > UtcMs::EPOCH))
    }

    fn line_ms(&self, since_ms: UtcMs, until_ms: UtcMs) -> Result<Option<UtcMs>, QueryError> {
        newest_minute(self, "lines > 0", (since_ms, until_ms))
    }

    fn heartbeat_ms(&self, since_ms: UtcMs, until_ms: UtcMs) -> Result<Option<UtcMs>, QueryError> {
        newest_minute(self, "heartbeats > 0", (since_ms, until_ms))
    }

    fn horizon_ms(&self) -> Result<Option<UtcMs>, QueryError> {
        Ok(None)
    }

    fn hosts(&self) -> Result<Vec<String>, QueryError> {
        let mut hosts: Vec<String> = self.kinds()?.into_iter().map(|(host, _)| host).collect();
        hosts.dedup();
        Ok(hosts)
    }

    fn hosts_of_logs(&self) -> Result<Vec<String>, QueryError> {
        Ok(Vec::new())
    }

    fn kinds(&self) -> Result<Vec<(String, String)>, QueryError> {
        let text = "SELECT host, source FROM sources GROUP BY host, source ORDER BY host, source";
        let table = query::select(self, text, &[])?;
        Ok(words(&table, "host").into_iter().zip(words(&table, "source")).collect())
    }

    fn summaries(&self, length_ms: i64) -> Result<Vec<SourceSummary>, QueryError> {
        let text = format!(
            "SELECT host, source, {COUNTS}, min(ts_ms) AS first, max(ts_ms) AS last \
             FROM (SELECT * FROM sources WHERE lines > 0) \
             GROUP BY host, source ORDER BY host, source"
        );
        let table = query::select(self, &text, &[])?;
        let (hosts, kinds) = (words(&table, "host"), words(&table, "source"));
        let (first, last) = (times(&table, "first"), times(&table, "last"));
        let mut all = Vec::new();
        for (row, (host, kind)) in hosts.into_iter().zip(kinds).enumerate() {
            let since = last[row] - length_ms;
            all.push(SourceSummary {
                counts: counts(&table, row),
                span_ms: Some((first[row], last[row] + MINUTE_MS - 1)),
                minutes: minutes_of(self, &host, &kind, since)?,
                local: None,
                host,
                kind,
            });
        }
        Ok(all)
    }

    fn source_minutes(&self, window: Window) -> Result<Vec<SourceMinute>, QueryError> {
        let text = "SELECT ts_ms, host, source, lines, events, ignored, unparsed, bytes, heartbeats, lag_ms, foreign_lines FROM sources";
        let table = self.select(text, window)?;
        let (times, beats) = (times(&table, "ts_ms"), numbers(&table, "heartbeats"));
        let (hosts, kinds) = (words(&table, "host"), words(&table, "source"));
        let lags = match column(&table, "lag_ms").map(|column| &column.values) {
            Some(Values::Int(lags)) => lags.clone(),
            _ => vec![None; times.len()],
        };
        let rows = hosts.into_iter().zip(kinds).enumerate();
        Ok(rows
            .map(|(row, (host, kind))| SourceMinute {
                ts_ms: times[row],
                host,
                kind,
                counts: counts(&table, row),
                heartbeats: u64::try_from(beats[row]).unwrap_or(0),
                lag_ms: lags[row],
            })
            .collect())
    }

    fn coverage(&self, since_ms: UtcMs) -> Result<Vec<Covered>, QueryError> {
        coverage(self, since_ms)
    }

    fn attribution_changes(&self) -> Result<Vec<AttributionChange>, QueryError> {
        Ok(Vec::new())
    }

    fn flow_names(&self, window: Window) -> Result<[Vec<String>; 3], QueryError> {
        let names = |column: &str| {
            let text = format!("SELECT {column} FROM rates GROUP BY {column}");
            Ok::<_, QueryError>(words(&self.select(&text, window)?, column))
        };
        Ok([names("service")?, names("hostgroup")?, names("relay")?])
    }

    fn flows(&self, window: Window, each: &mut dyn FnMut(&FlowBlock)) -> Result<(), QueryError> {
        flows_where(self, "", window, each)
    }

    fn mail_flows(
        &self,
        window: Window,
        (_, kinds): (FlowGrain, MailKinds),
        each: &mut dyn FnMut(&FlowBlock),
    ) -> Result<(), QueryError> {
        let names: Vec<String> = kinds.names().iter().map(|name| format!("'{name}'")).collect();
        flows_where(self, &format!(" WHERE kind IN ({})", names.join(", ")), window, each)
    }

    fn witnesses(&self, window: Window) -> Result<Vec<Table>, QueryError> {
        if migrate::has_rollups(self) {
            let text = witnesses::on_server(window);
            return Ok(vec![query::select(self, &text, &[])?]);
        }
        let ask = |text| self.select(text, window);
        witnesses::OF_EVENTS.into_iter().map(ask).collect()
    }

    fn mails(&self, kinds: &[&str], window: Window, each: &mut dyn FnMut(MailRow<'_>)) -> Result<(), QueryError> {
        let wanted: Vec<String> = kinds.iter().map(|kind| format!("kind = '{kind}'")).collect();
        let text = format!(
            "SELECT ts_ms, service, host, queue_id, kind FROM events WHERE {}",
            wanted.join(" OR ")
        );
        let (mut since_ms, until_ms) = (window.since_ms, window.until_ms);
        while since_ms < until_ms {
            let end_ms = (since_ms.floor_to(HOUR_MS) + HOUR_MS).min(until_ms);
            let table = self.select(
                &text,
                Window {
                    since_ms,
                    until_ms: end_ms,
                },
            )?;
            let [services, hosts, ids, kinds] = ["service", "host", "queue_id", "kind"].map(|name| words(&table, name));
            for (row, ts_ms) in times(&table, "ts_ms").into_iter().enumerate() {
                each(MailRow {
                    ts_ms,
                    service: &services[row],
                    host: &hosts[row],
                    queue_id: &ids[row],
                    kind: &kinds[row],
                });
            }
            since_ms = end_ms;
        }
        Ok(())
    }

    fn stays(
        &self,
        queue_ids: &HashSet<String>,
        window: Window,
        each: &mut dyn FnMut(StayRow<'_>),
    ) -> Result<(), QueryError> {
        let mut all: Vec<&String> = queue_ids.iter().collect();
        all.sort_unstable();
        for some in all.chunks(IDS_A_QUESTION) {
            let list: Vec<String> = some.iter().map(|id| super::quoted(id)).collect();
            let text = format!(
                "SELECT ts_ms, log_offset, service, host, queue_id, kind, recipients, recipient_local, recipient_domain, provider \
                 FROM events WHERE queue_id IN ({})",
                list.join(", ")
            );
            let table = self.select(&text, window)?;
            let names = [
                "service",
                "host",
                "queue_id",
                "kind",
                "recipient_local",
                "recipient_domain",
                "provider",
            ];
            let [services, hosts, ids, kinds, locals, domains, providers] = names.map(|name| words(&table, name));
            let [offsets, recipients] = ["log_offset", "recipients"].map(|name| numbers(&table, name));
            for (row, ts_ms) in times(&table, "ts_ms").into_iter().enumerate() {
                each(StayRow {
                    ts_ms,
                    offset: offsets[row],
                    service: &services[row],
                    host: &hosts[row],
                    queue_id: &ids[row],
                    kind: &kinds[row],
                    recipients: recipients[row],
                    recipient_local: &locals[row],
                    recipient_domain: &domains[row],
                    provider: &providers[row],
                });
            }
        }
        Ok(())
    }

    fn select(&self, text: &str, window: Window) -> Result<Table, QueryError> {
        let text = sql::trusted_for_server(text, window).map_err(QueryError::Question)?;
        Ok(query::select(self, &text, &[])?)
    }

    fn look_up(&self, text: &str, window: Window, _keys: &[LookupKey]) -> Result<Table, QueryError> {
        // The server has indexes.
        self.select(text, window)
    }

    fn add_up(&self, text: &str, window: Window, sums: SumsOf) -> Result<Table, QueryError> {
        match rates_of(self, sums, window) {
            Some(rates) => {
                let text = sql::trusted_with_rates(text, window, &rates).map_err(QueryError::Question)?;
                Ok(query::select(self, &text, &[])?)
            }
            None => self.select(text, window),
        }
    }

    fn ask(&self, text: &str, window: Window) -> Result<QueryAnswer, QueryError> {
        let (text, times) = sql::for_server(text, window).map_err(QueryError::Question)?;
        let table = query::ask(self, &text)?;
        Ok(QueryAnswer { table, times })
    }

    fn named(&self, query: &NamedQuery, values: &[(&'static str, Value)], window: Window) -> Result<Table, QueryError> {
        let text = query.bind(values);
        let text = match query.sums(values).and_then(|sums| rates_of(self, sums, window)) {
            Some(rates) => sql::trusted_with_rates(&text, Window::ALL, &rates),
            None => sql::trusted_for_server(&text, Window::ALL),
        };
        Ok(query::select(self, &text.map_err(QueryError::Question)?, &[])?)
    }

    fn rates(&self, question: &RateQuestion) -> Result<SeriesSet, QueryError> {
        let (start, _) = checked(question)?;
        let block = block(self, question, start)?;
        collect(&[block], &coverage(self, start)?, question)
    }
}

/// Rates of a window that fulfill a condition, a slice of time at a time.
fn flows_where(
    client: &ClickHouseClient,
    condition: &str,
    window: Window,
    each: &mut dyn FnMut(&FlowBlock),
) -> Result<(), QueryError> {
    let text = format!(
        "SELECT ts_ms, service, hostgroup, relay, kind, destination, origin, direction, provider, first_hop, messages, \
         attempts, recipients FROM rates{condition}"
    );
    let (mut since_ms, until_ms) = (window.since_ms, window.until_ms);
    while since_ms < until_ms {
        let end_ms = (since_ms.floor_to(SLICE_MS) + SLICE_MS).min(until_ms);
        let slice = Window {
            since_ms,
            until_ms: end_ms,
        };
        let table = client.select(&text, slice)?;
        each(&FlowBlock {
            ts_ms: numbers(&table, "ts_ms"),
            service: texts(&table, "service"),
            hostgroup: texts(&table, "hostgroup"),
            relay: texts(&table, "relay"),
            kind: texts(&table, "kind"),
            destination: texts(&table, "destination"),
            provider: texts(&table, "provider"),
            origin: texts(&table, "origin"),
            direction: texts(&table, "direction"),
            first_hop: flags(&table, "first_hop"),
            messages: numbers(&table, "messages"),
            attempts: numbers(&table, "attempts"),
            recipients: numbers(&table, "recipients"),
        });
        since_ms = end_ms;
    }
    Ok(())
}

/// A window as parameters.
fn range(window: Window) -> [(&'static str, String); 2] {
    [
        ("since", window.since_ms.get().to_string()),
        ("until", window.until_ms.get().to_string()),
    ]
}

/// Sums over the rows of minutes, which do not depend on how the server has merged its parts: by minute for the newest days,
/// by day before.
fn digests(client: &ClickHouseClient, from: Minute, to: Minute) -> Result<Digests, QueryError> {
    let fine = Digests::fine_from(to).first_minute().clamp(from, to);
    Ok(Digests {
        minutes: sums_of(client, (fine, to), (MINUTE_MS, Minute::new))?,
        days: sums_of(client, (from, fine), (DAY_MS, CivilDay::new))?,
    })
}

/// Weighted sums of the counts of each row, by buckets of so many milliseconds.
const DIGESTS: [&str; 2] = [
    "SELECT intDiv(ts_ms, {length:Int64}) AS at, reinterpretAsInt64(sum( \
         cityHash64(ts_ms, service, hostgroup, relay, kind, destination, first_hop, origin, direction) \
         * reinterpretAsUInt64(messages + 1009 * recipients + 100003 * attempts + 1000003 * bytes))) AS digest \
     FROM rates WHERE ts_ms >= {since:Int64} AND ts_ms < {until:Int64} GROUP BY at",
    "SELECT intDiv(ts_ms, {length:Int64}) AS at, reinterpretAsInt64(sum( \
         cityHash64(ts_ms, host, source) \
         * reinterpretAsUInt64(toInt64(lines) + 1009 * unparsed + 100003 * foreign_lines + 1000003 * (heartbeats > 0)))) \
         AS digest \
     FROM sources WHERE ts_ms >= {since:Int64} AND ts_ms < {until:Int64} GROUP BY at",
];

fn sums_of<K: Ord>(
    client: &ClickHouseClient,
    (from, to): (Minute, Minute),
    (length_ms, bucket): (i64, fn(i64) -> K),
) -> Result<BTreeMap<K, i64>, QueryError> {
    let mut sums = BTreeMap::new();
    if from >= to {
        return Ok(sums);
    }
    let window = Window {
        since_ms: from.start(),
        until_ms: to.start(),
    };
    let [since, until] = range(window);
    let params = [since, until, ("length", length_ms.to_string())];
    for text in DIGESTS {
        let table = query::select(client, text, &params)?;
        for (at, digest) in numbers(&table, "at").into_iter().zip(numbers(&table, "digest")) {
            let sum: &mut i64 = sums.entry(bucket(at)).or_default();
            *sum = sum.wrapping_add(digest);
        }
    }
    Ok(sums)
}

/// What stands in the place of the rates by minute in a question that adds them up.
fn rates_of(client: &ClickHouseClient, sums: SumsOf, window: Window) -> Option<String> {
    on_server(sums, window).filter(|_| migrate::has_rollups(client))
}

/// The newest minute of a source of which this is true: its start.
fn newest_minute(
    client: &ClickHouseClient,
    what: &str,
    (since_ms, until_ms): (UtcMs, UtcMs),
) -> Result<Option<UtcMs>, QueryError> {
    let text = format!(
        "SELECT max(ts_ms) AS newest FROM sources WHERE ts_ms >= {{since:Int64}} AND ts_ms <= {{until:Int64}} AND {what}"
    );
    let params = [
        ("since", since_ms.get().to_string()),
        ("until", until_ms.get().to_string()),
    ];
    let table = query::select(client, &text, &params)?;
    Ok(newest_of(&table))
}

const COUNTS: &str = "sum(lines) AS lines, sum(events) AS events, sum(ignored) AS ignored, sum(unparsed) AS unparsed, \
                      sum(bytes) AS bytes, sum(foreign_lines) AS foreign_lines";

/// The counts in a row of an answer.
fn counts(table: &Table, row: usize) -> Counts {
    let number = |name: &str| match column(table, name).map(|column| &column.values) {
        Some(Values::Int(numbers)) => numbers[row].map_or(0, |number| u64::try_from(number).unwrap_or(0)),
        _ => 0,
    };
    Counts {
        lines: number("lines"),
        events: number("events"),
        ignored: number("ignored"),
        unparsed: number("unparsed"),
        duplicates: 0,
        bytes: number("bytes"),
        foreign: number("foreign_lines"),
    }
}

/// A source's minutes with lines, oldest first.
fn minutes_of(
    client: &ClickHouseClient,
    host: &str,
    kind: &str,
    since_ms: UtcMs,
) -> Result<Vec<(UtcMs, Counts)>, QueryError> {
    let params = [
        ("host", host.to_owned()),
        ("source", kind.to_owned()),
        ("since", since_ms.get().to_string()),
    ];
    let text = "SELECT ts_ms, lines, events, ignored, unparsed, bytes, foreign_lines FROM sources \
                WHERE host = {host:String} AND source = {source:String} AND ts_ms > {since:Int64} AND lines > 0 ORDER BY ts_ms";
    let table = query::select(client, text, &params)?;
    let times = times(&table, "ts_ms").into_iter().enumerate();
    Ok(times.map(|(row, ts_ms)| (ts_ms, counts(&table, row))).collect())
}

/// The rates of a window in one block.
fn block(client: &ClickHouseClient, question: &RateQuestion, start: UtcMs) -> Result<RateBlock, QueryError> {
    let mut params = vec![
        ("since", start.get().to_string()),
        ("until", question.window.until_ms.get().to_string()),
    ];
    let mut only = "";
    if let Some(service) = &question.service {
        params.push(("service", service.clone()));
        only = "AND service = {service:String}";
    }
    let sums = SumsOf::Rates {
        step_ms: Some(question.grain_ms()),
    };
    let rates = rates_of(client, sums, question.window).map_or("rates".to_owned(), |rates| format!("({rates})"));
    let text = format!(
        "SELECT ts_ms, {by} AS name, kind, destination, origin, direction, first_hop, sum({measure}) AS value FROM {rates} \
         WHERE ts_ms >= {{since:Int64}} AND ts_ms < {{until:Int64}} {only} \
         GROUP BY ts_ms, {by}, kind, destination, origin, direction, first_hop",
        by = question.by.column(),
        measure = question.measure
    );
    let table = query::select(client, &text, &params)?;
    Ok(RateBlock {
        ts_ms: numbers(&table, "ts_ms"),
        by: texts(&table, "name"),
        kind: texts(&table, "kind"),
        destination: texts(&table, "destination"),
        origin: texts(&table, "origin"),
        direction: texts(&table, "direction"),
        first_hop: flags(&table, "first_hop"),
        value: numbers(&table, "value"),
    })
}

/// From each host's first line to its last, and the minutes with heartbeats, those in a row together; of hosts that wrote
/// since `since_ms`. A server does not know where logs begin and end: an archive that is missing in between shows as silence
/// there.
fn coverage(client: &ClickHouseClient, since_ms: UtcMs) -> Result<Vec<Covered>, QueryError> {
    let last = "SELECT host, max(ts_ms) AS last FROM sources WHERE ts_ms >= {since:Int64} AND lines > 0 \
                GROUP BY host ORDER BY host";
    let heard = "SELECT host, min(ts_ms) AS first, max(ts_ms) AS last \
                 FROM (SELECT host, source, ts_ms, \
                              ts_ms - 60000 * row_number() OVER (PARTITION BY host, source ORDER BY ts_ms) AS run \
                       FROM sources WHERE heartbeats > 0 AND ts_ms >= {since:Int64}) \
                 GROUP BY host, source, run ORDER BY host, source, first";
    let since = [("since", since_ms.floor_to(MINUTE_MS).get().to_string())];
    let mut all = Vec::new();
    let cover = |host: String, from_ms: UtcMs, last: UtcMs| Covered {
        host,
        from_ms,
        to_ms: last + MINUTE_MS - 1,
    };
    let table = query::select(client, last, &since)?;
    for (host, last) in words(&table, "host").into_iter().zip(times(&table, "last")) {
        let first = client.first_line_ms(&host, || first_lines(client))?;
        all.push(cover(host, first.unwrap_or(since_ms).min(last), last));
    }
    let table = query::select(client, heard, &since)?;
    let (first, last) = (times(&table, "first"), times(&table, "last"));
    let spans = words(&table, "host").into_iter().zip(first).zip(last);
    all.extend(spans.map(|((host, from_ms), last)| cover(host, from_ms, last)));
    Ok(all)
}

/// The minutes of all hosts' first lines.
fn first_lines(client: &ClickHouseClient) -> Result<Vec<(String, UtcMs)>, QueryError> {
    let text = "SELECT host, min(ts_ms) AS first FROM sources WHERE lines > 0 GROUP BY host";
    let table = query::select(client, text, &[])?;
    Ok(words(&table, "host").into_iter().zip(times(&table, "first")).collect())
}

fn column<'t>(table: &'t Table, name: &str) -> Option<&'t Column> {
    table.columns.iter().find(|column| column.name == name)
}

fn numbers(table: &Table, name: &str) -> Vec<i64> {
    match column(table, name).map(|column| &column.values) {
        Some(Values::Int(numbers)) => numbers.iter().map(|number| number.unwrap_or_default()).collect(),
        _ => Vec::new(),
    }
}

fn times(table: &Table, name: &str) -> Vec<UtcMs> {
    numbers(table, name).into_iter().map(UtcMs::new).collect()
}

/// The one time in an answer; of no rows the server says 0.
fn newest_of(table: &Table) -> Option<UtcMs> {
    times(table, "newest").first().copied().filter(|at| *at > UtcMs::EPOCH)
}

fn flags(table: &Table, name: &str) -> Vec<bool> {
    match column(table, name).map(|column| &column.values) {
        Some(Values::Bool(flags)) => flags.iter().map(|flag| flag.unwrap_or_default()).collect(),
        _ => Vec::new(),
    }
}

fn words(table: &Table, name: &str) -> Vec<String> {
    match column(table, name).map(|column| &column.values) {
        Some(Values::Text(values)) => values.iter().map(|value| value.clone().unwrap_or_default()).collect(),
        _ => Vec::new(),
    }
}

fn texts(table: &Table, name: &str) -> TextColumn {
    let mut texts = TextColumn::default();
    if let Some(Values::Text(values)) = column(table, name).map(|column| &column.values) {
        for value in values {
            let code = texts.code(value.as_deref().unwrap_or_default());
            texts.codes.push(code);
        }
    }
    texts
}
