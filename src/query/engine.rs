//! Who answers: the embedded store, or a ClickHouse that holds what was sent to it. The same questions, the same rows.

use super::named::{NamedQuery, Value};
use super::rates::{RateQuestion, checked, collect, rates};
use super::series::SeriesSet;
use super::{Error, TABLES, Window, guard, sql};
use crate::store::Store;
use crate::store::clickhouse::{Client, query as clickhouse};
use crate::store::columnar::{Column, RateBlock, Table, Texts, Values};
use crate::store::state::Covered;

/// An engine.
pub enum Engine {
    /// Segments on this disk.
    Embedded(Store),
    /// A server.
    ClickHouse(Box<Client>),
}

const MINUTE_MS: i64 = 60_000;

impl Engine {
    /// Time of the newest event, UTC milliseconds; on a server, of its minute.
    pub fn newest(&self) -> Result<Option<i64>, Error> {
        match self {
            Engine::Embedded(store) => Ok(store.span()?.map(|(_, last)| last)),
            Engine::ClickHouse(client) => {
                let table = clickhouse::select(client, "SELECT max(ts_ms) AS newest FROM rates", &[])?;
                let newest = numbers(&table, "newest").first().copied();
                Ok(newest.filter(|newest| *newest > 0))
            }
        }
    }

    /// SQL of one's own: parsed first, whoever answers.
    pub fn sql(&self, text: &str, window: Window) -> Result<Table, Error> {
        match self {
            Engine::Embedded(store) => sql(store, text, window),
            Engine::ClickHouse(client) => {
                guard::check(text, &TABLES).map_err(Error::Question)?;
                if window != Window::ALL {
                    let what = "with --sql on a ClickHouse, write the window into the text: WHERE ts_ms >= …";
                    return Err(Error::Question(what.to_owned()));
                }
                Ok(clickhouse::select(client, text, &[])?)
            }
        }
    }

    /// A named query. A server gets its parameters beside the text.
    pub fn named(&self, query: &NamedQuery, values: &[(&'static str, Value)], window: Window) -> Result<Table, Error> {
        match self {
            Engine::Embedded(store) => sql(store, &query.bind(values), window),
            Engine::ClickHouse(client) => {
                let text = |value: &Value| match value {
                    Value::Int(number) => number.to_string(),
                    Value::Text(text) => text.clone(),
                };
                let params: Vec<(&str, String)> = values.iter().map(|(name, value)| (*name, text(value))).collect();
                Ok(clickhouse::select(client, query.sql, &params)?)
            }
        }
    }

    /// Sums per bucket, as [`rates`].
    pub fn rates(&self, question: &RateQuestion) -> Result<SeriesSet, Error> {
        match self {
            Engine::Embedded(store) => rates(store, question),
            Engine::ClickHouse(client) => {
                let (start, _) = checked(question)?;
                let block = block(client, question, start)?;
                let coverage = coverage(client)?;
                collect(&[block], &coverage, question)
            }
        }
    }
}

/// The rates of a window in one block.
fn block(client: &Client, question: &RateQuestion, start: i64) -> Result<RateBlock, Error> {
    let mut params = vec![
        ("since", start.to_string()),
        ("until", question.window.until_ms.to_string()),
    ];
    let mut only = "";
    if let Some(service) = &question.service {
        params.push(("service", service.clone()));
        only = "AND service = {service:String}";
    }
    let text = format!(
        "SELECT ts_ms, {by} AS name, kind, destination, first_hop, sum({measure}) AS value FROM rates \
         WHERE ts_ms >= {{since:Int64}} AND ts_ms < {{until:Int64}} {only} \
         GROUP BY ts_ms, {by}, kind, destination, first_hop",
        by = question.by.column(),
        measure = question.measure
    );
    let table = clickhouse::select(client, &text, &params)?;
    let flags = match column(&table, "first_hop").map(|column| &column.values) {
        Some(Values::Bool(flags)) => flags.iter().map(|flag| flag.unwrap_or_default()).collect(),
        _ => Vec::new(),
    };
    Ok(RateBlock {
        ts_ms: numbers(&table, "ts_ms"),
        by: texts(&table, "name"),
        kind: texts(&table, "kind"),
        destination: texts(&table, "destination"),
        first_hop: flags,
        value: numbers(&table, "value"),
    })
}

/// From each host's first line to its last. A server does not know where logs begin and end: an archive that is missing in
/// between shows as silence there.
fn coverage(client: &Client) -> Result<Vec<Covered>, Error> {
    let text =
        "SELECT host, min(ts_ms) AS first, max(ts_ms) AS last FROM sources WHERE lines > 0 GROUP BY host ORDER BY host";
    let table = clickhouse::select(client, text, &[])?;
    let (hosts, first, last) = (texts(&table, "host"), numbers(&table, "first"), numbers(&table, "last"));
    let spans = hosts.codes.iter().zip(first).zip(last);
    Ok(spans
        .map(|((host, from_ms), last)| Covered {
            host: hosts.values[*host as usize].clone(),
            from_ms,
            to_ms: last + MINUTE_MS - 1,
        })
        .collect())
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

fn texts(table: &Table, name: &str) -> Texts {
    let mut texts = Texts::default();
    if let Some(Values::Text(values)) = column(table, name).map(|column| &column.values) {
        for value in values {
            let code = texts.code(value.as_deref().unwrap_or_default());
            texts.codes.push(code);
        }
    }
    texts
}
