//! Roll-ups of what was on a server before they were: made of what is there, a day at a time. A day is done when both add up
//! to the same, so one that was filled before a kill is not filled again, and rows that a host sends meanwhile are in both, or
//! seen to be missing.

use super::{ClickHouseClient, ClickHouseError};
use crate::model::time::{CivilDay, DAY_MS, HOUR_MS, MINUTE_MS, rfc3339};
use std::time::Duration;

/// A table that is filled.
struct RollUpTable {
    name: &'static str,
    /// What it sums up.
    of: &'static str,
    /// Length of a stretch that becomes one row, milliseconds.
    length_ms: i64,
    /// None for that of rates.
    key: Option<&'static str>,
    /// Its sums, and what they are made of.
    measures: &'static [(&'static str, &'static str)],
    /// Which rows count.
    only: &'static str,
}

/// Before 008 and since.
const RATES_KEYS: [&str; 2] = [
    "service, hostgroup, relay, kind, destination, first_hop",
    "service, hostgroup, relay, kind, destination, first_hop, origin, direction, provider",
];
const RATES: &[(&str, &str)] = &[
    ("messages", "messages"),
    ("recipients", "recipients"),
    ("attempts", "attempts"),
    ("bytes", "bytes"),
    ("events", "events"),
];

const TABLES: [RollUpTable; 3] = [
    RollUpTable {
        name: "rates_hour",
        of: "rates_minute",
        length_ms: HOUR_MS,
        key: None,
        measures: RATES,
        only: "1",
    },
    RollUpTable {
        name: "rates_day",
        of: "rates_minute",
        length_ms: DAY_MS,
        key: None,
        measures: RATES,
        only: "1",
    },
    RollUpTable {
        name: "witnesses_minute",
        of: "events_log",
        length_ms: MINUTE_MS,
        key: Some("service, host, remote_host, kind"),
        measures: &[("events", "toInt64(sign)")],
        only: "(kind = 'delivered' AND destination = 'relay') OR (kind = 'deferred' AND reason IN ('connection_refused', 'timeout')) \
               OR (kind = 'submit_failed' AND messages = 0)",
    },
];

/// How often a day is filled again because rows came in between.
const TRIES: u32 = 20;

/// Fills what is missing.
///
/// # Errors
/// The server; a day that changes whenever it is filled.
pub(super) fn fill(client: &ClickHouseClient, cluster: Option<&str>) -> Result<(), ClickHouseError> {
    let filling = Filling {
        client,
        on_cluster: cluster.map_or(String::new(), |name| format!(" ON CLUSTER '{name}'")),
        front: if cluster.is_some() { "all_" } else { "" },
        rates_key: RATES_KEYS[usize::from(has_directions(client)?)],
    };
    for day in filling.days()? {
        for table in &TABLES {
            filling.day(table, day)?;
        }
    }
    Ok(())
}

struct Filling<'c> {
    client: &'c ClickHouseClient,
    on_cluster: String,
    /// How tables that read all shards begin.
    front: &'static str,
    /// What tells rates apart.
    rates_key: &'static str,
}

/// Whether all rates tell directions and providers apart: 008 changes those by minute first.
fn has_directions(client: &ClickHouseClient) -> Result<bool, ClickHouseError> {
    let database = &client.endpoint().database;
    let sql = format!(
        "SELECT table FROM system.columns WHERE database = '{database}' AND name = 'provider' \
         AND table IN ('rates_hour', 'rates_day')"
    );
    let answer = client.rows(&sql, &[])?;
    Ok(answer["data"].as_array().is_some_and(|rows| rows.len() == 2))
}

impl Filling<'_> {
    fn table(&self, name: &str) -> String {
        format!("{}.{}{name}", self.client.endpoint().database, self.front)
    }

    /// Days of which there are rates.
    fn days(&self) -> Result<Vec<CivilDay>, ClickHouseError> {
        let sql = format!(
            "SELECT DISTINCT intDiv(ts_ms, {DAY_MS}) AS day FROM {} ORDER BY day",
            self.table("rates_minute")
        );
        let answer = self.client.rows(&sql, &[])?;
        let rows = answer["data"].as_array().cloned().unwrap_or_default();
        Ok(rows
            .iter()
            .filter_map(|row| row[0].as_i64().map(CivilDay::new))
            .collect())
    }

    fn day(&self, table: &RollUpTable, day: CivilDay) -> Result<(), ClickHouseError> {
        let made: Vec<(&str, &str)> = table.measures.iter().map(|(name, _)| (*name, *name)).collect();
        for pause in 0..TRIES {
            // What a host has just sent reaches one table before the other.
            std::thread::sleep(Duration::from_millis(u64::from(pause) * 100));
            let wanted = self.sums(table, table.of, (table.measures, table.only), day)?;
            if wanted == self.sums(table, table.name, (&made, "1"), day)? {
                return Ok(());
            }
            self.make(table, day)?;
        }
        Err(ClickHouseError::Schema {
            endpoint: self.client.endpoint().clone(),
            what: format!(
                "the roll-ups of {} in {} differ from what they sum up whenever they are filled: hosts keep correcting that \
                 day. Run `mailpulse store migrate` again",
                date(day),
                table.name
            ),
        })
    }

    /// A number that two tables have in common if they add up to the same, and hardly ever else: the measures of each key times
    /// a hash of it. Like the measures, it does not depend on how many rows they stand in.
    fn sums(
        &self,
        table: &RollUpTable,
        from: &str,
        (measures, only): (&[(&str, &str)], &str),
        day: CivilDay,
    ) -> Result<String, ClickHouseError> {
        let measures = measures.iter().enumerate();
        let weighted: Vec<String> = measures
            .map(|(at, (_, made))| format!("{} * ({made})", 2 * at + 1))
            .collect();
        let sql = format!(
            "SELECT toString(sum(w * h)) FROM (SELECT reinterpretAsInt64(cityHash64(ts_ms - ts_ms % {}, {})) AS h, \
             toInt64({}) AS w FROM {} WHERE {} AND ({only}))",
            table.length_ms,
            table.key.unwrap_or(self.rates_key),
            weighted.join(" + "),
            self.table(from),
            within(day)
        );
        let answer = self.client.rows(&sql, &[])?;
        Ok(answer["data"][0][0].as_str().unwrap_or_default().to_owned())
    }

    fn make(&self, table: &RollUpTable, day: CivilDay) -> Result<(), ClickHouseError> {
        let database = &self.client.endpoint().database;
        let RollUpTable { name, key, .. } = table;
        let key = key.unwrap_or(self.rates_key);
        self.client.execute(&format!(
            "ALTER TABLE {database}.{name}{} DROP PARTITION '{}'",
            self.on_cluster,
            date(day)
        ))?;
        let list = |part: fn(&(&str, &str)) -> String| table.measures.iter().map(part).collect::<Vec<_>>().join(", ");
        // The same rows once more are meant.
        self.client.execute(&format!(
            "INSERT INTO {into} (ts_ms, {key}, {names}) SETTINGS insert_deduplicate = 0, insert_distributed_sync = 1 \
             SELECT start, {key}, {sums} FROM (SELECT ts_ms - ts_ms % {length_ms} AS start, {key}, {made} FROM {from} \
             WHERE {within} AND ({only})) GROUP BY start, {key}",
            into = self.table(name),
            names = list(|(name, _)| (*name).to_owned()),
            sums = list(|(name, _)| format!("sum(m_{name})")),
            made = list(|(name, made)| format!("{made} AS m_{name}")),
            length_ms = table.length_ms,
            from = self.table(table.of),
            within = within(day),
            only = table.only
        ))
    }
}

fn within(day: CivilDay) -> String {
    format!("ts_ms >= {} AND ts_ms < {}", day.start().get(), (day + 1).start().get())
}

fn date(day: CivilDay) -> String {
    rfc3339(day.start()).chars().take(10).collect()
}
