//! The named queries of `sql/queries/`: one file a query, compiled in. A header of comments states what it is for,
//! its parameters with types and defaults, and its result columns; the text below runs on every engine.

use super::coarsest::SumsOf;
use super::sql::quoted;
use crate::model::direction::DirectionView;
use crate::model::event;
use crate::model::time::{End, parse_duration_ms};

macro_rules! queries {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../sql/queries/", $name, ".sql")))),*]
    };
}

const TEXTS: [(&str, &str); 14] = queries![
    "rate_by_service",
    "rate_by_hostgroup",
    "rate_by_relay",
    "rate_by_kind",
    "top_services",
    "outcome_per_service",
    "latency",
    "deferral_reasons",
    "bounce_reasons",
    "rejection_reasons",
    "relays_per_service",
    "providers",
    "freshness",
    "tried_accepted_delivered",
];

/// A query that the program brings along.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedQuery {
    /// Its name.
    pub name: &'static str,
    /// What it answers.
    pub description: &'static str,
    /// Parameters, in order.
    pub params: Vec<Param>,
    /// Result columns, in order.
    pub columns: Vec<ResultColumn>,
    /// What it adds up: `rates`, `peers` or `latencies`; nothing if roll-ups do not answer it.
    sums: &'static str,
    /// SQL with `{name:Type}` where parameters go.
    pub sql: &'static str,
}

/// A parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    /// Name.
    pub name: &'static str,
    /// Type.
    pub kind: ParamKind,
    /// Default, as one would write it.
    pub default: &'static str,
    /// What it means.
    pub description: &'static str,
}

/// Types of parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamKind {
    /// A point in time.
    Time,
    /// A length of time above zero.
    Duration,
    /// A whole number from 1.
    Int,
    /// A kind of event: one of a closed set.
    Kind,
    /// Which mail, by its direction.
    Direction,
    /// Text.
    Text,
}

/// A result column.
#[derive(Debug, Clone, PartialEq)]
pub struct ResultColumn {
    /// Name.
    pub name: &'static str,
    /// `time`, `text`, `int` or `float`; a `time` is milliseconds inside and RFC 3339 in answers.
    pub kind: &'static str,
    /// Unit or meaning.
    pub description: &'static str,
}

/// All named queries.
pub fn all() -> Vec<NamedQuery> {
    TEXTS.iter().map(|(name, text)| parse(name, text)).collect()
}

/// The query with this name, or the names that there are.
pub fn find(name: &str) -> Result<NamedQuery, String> {
    all().into_iter().find(|query| query.name == name).ok_or_else(|| {
        let near = TEXTS
            .iter()
            .max_by_key(|(known, _)| (strsim::jaro_winkler(known, name) * 1000.0) as u64);
        let near = near.map(|(known, _)| *known).unwrap_or_default();
        format!(
            "no query `{}`; did you mean `{near}`? `mailpulse query --list` names them all",
            name.escape_debug()
        )
    })
}

fn parse(name: &'static str, text: &'static str) -> NamedQuery {
    let mut query = NamedQuery {
        name,
        description: "",
        params: Vec::new(),
        columns: Vec::new(),
        sums: "",
        sql: text,
    };
    let mut rest = text;
    while let Some(line) = rest.lines().next().filter(|line| line.starts_with("--")) {
        let words = line.trim_start_matches("--").trim();
        let mut parts = words.splitn(5, ' ');
        match parts.next() {
            Some("param") => {
                let mut next = || parts.next().unwrap_or_default();
                let (name, kind, default, description) = (next(), next(), next(), next());
                query.params.push(Param {
                    name,
                    kind: param_kind(kind),
                    default,
                    description,
                });
            }
            Some("column") => {
                let mut parts = words.splitn(4, ' ').skip(1);
                let mut next = || parts.next().unwrap_or_default();
                query.columns.push(ResultColumn {
                    name: next(),
                    kind: next(),
                    description: next(),
                });
            }
            Some("sums") => query.sums = parts.next().unwrap_or_default(),
            _ => query.description = words,
        }
        rest = rest.strip_prefix(line).unwrap_or_default().trim_start_matches('\n');
    }
    query.sql = rest;
    query
}

fn param_kind(kind: &str) -> ParamKind {
    match kind {
        "time" => ParamKind::Time,
        "duration" => ParamKind::Duration,
        "int" => ParamKind::Int,
        "kind" => ParamKind::Kind,
        "direction" => ParamKind::Direction,
        _ => ParamKind::Text,
    }
}

/// A value for a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Time in UTC milliseconds, duration in milliseconds, or number.
    Int(i64),
    /// Text.
    Text(String),
    /// Which mail: a condition.
    Direction(DirectionView),
}

impl NamedQuery {
    /// Values of all parameters: what was given, else the default. `given` are pairs of name and text.
    pub fn values(&self, given: &[(String, String)], end: End) -> Result<Vec<(&'static str, Value)>, String> {
        if let Some((unknown, _)) = given
            .iter()
            .find(|(name, _)| !self.params.iter().any(|p| p.name == name))
        {
            let names: Vec<&str> = self.params.iter().map(|param| param.name).collect();
            let unknown = unknown.escape_debug();
            return Err(format!(
                "query {} has no parameter `{unknown}`; it has {}",
                self.name,
                names.join(", ")
            ));
        }
        self.params
            .iter()
            .map(|param| {
                let given = given
                    .iter()
                    .rfind(|(name, _)| name == param.name)
                    .map(|(_, text)| text.as_str());
                let value = param.value(given.unwrap_or(param.default), end);
                Ok((
                    param.name,
                    value.map_err(|why| format!("--param {}: {why}", param.name))?,
                ))
            })
            .collect()
    }

    /// What it adds up with these values.
    pub fn sums(&self, values: &[(&'static str, Value)]) -> Option<SumsOf> {
        let bucket = values.iter().find_map(|(name, value)| match value {
            Value::Int(step_ms) if *name == "bucket" => Some(*step_ms),
            _ => None,
        });
        match self.sums {
            "rates" => Some(SumsOf::Rates { step_ms: bucket }),
            "peers" => Some(SumsOf::Peers),
            "latencies" => Some(SumsOf::Latencies),
            _ => None,
        }
    }

    /// The query's text with the values in it, quoted so that no value can become SQL.
    pub fn bind(&self, values: &[(&'static str, Value)]) -> String {
        let mut sql = self.sql.to_owned();
        for (name, value) in values {
            let (text, number) = match value {
                Value::Int(number) => (String::new(), number.to_string()),
                Value::Text(text) => (quoted(text), String::new()),
                Value::Direction(view) => {
                    sql = sql.replace(&format!("{{{name}:Condition}}"), &view.condition());
                    continue;
                }
            };
            sql = sql
                .replace(&format!("{{{name}:Int64}}"), &number)
                .replace(&format!("{{{name}:String}}"), &text);
        }
        sql
    }
}

impl Param {
    fn value(&self, text: &str, end: End) -> Result<Value, String> {
        match self.kind {
            ParamKind::Time => end.parse(text).map(|at| Value::Int(at.get())),
            ParamKind::Duration => match parse_duration_ms(text)? {
                0 => Err("a bucket must be longer than nothing".to_owned()),
                ms => Ok(Value::Int(ms)),
            },
            ParamKind::Int => match text.parse::<i64>() {
                Ok(number) if number > 0 => Ok(Value::Int(number)),
                _ => Err(format!("`{}` is no whole number above zero", text.escape_debug())),
            },
            ParamKind::Kind => event::Kind::named(text).map(|kind| Value::Text(kind.as_str().to_owned())),
            ParamKind::Direction => DirectionView::parse(text).map(Value::Direction),
            ParamKind::Text => Ok(Value::Text(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::UtcMs;

    #[test]
    fn every_query_states_its_parameters_and_columns() {
        for query in all() {
            assert!(
                !query.description.is_empty() && !query.columns.is_empty(),
                "{}",
                query.name
            );
            let values = query.values(&[], End::clock(UtcMs::new(1_000_000_000_000))).unwrap();
            let sql = query.bind(&values);
            assert!(!sql.contains('{'), "{}: a parameter is not declared: {sql}", query.name);
            super::super::guard::check(&sql, &["events", "rates", "sources"]).unwrap();
        }
    }

    #[test]
    fn a_value_cannot_become_sql() {
        let query = find("rate_by_service").unwrap();
        let hostile = Value::Text("x' OR '1'='1".to_owned());
        let sql = query.bind(&[("kind", hostile)]);
        assert!(sql.contains("kind = 'x'' OR ''1''=''1'"), "{sql}");
        let given = [("kind".to_owned(), "x' OR '1'='1".to_owned())];
        assert!(query.values(&given, End::clock(UtcMs::new(0))).is_err());
    }

    #[test]
    fn mistakes_are_named() {
        assert!(
            find("rate_by_servce")
                .unwrap_err()
                .contains("did you mean `rate_by_service`")
        );
        let query = find("top_services").unwrap();
        assert!(
            query
                .values(&[("x".into(), "1".into())], End::clock(UtcMs::new(0)))
                .unwrap_err()
                .contains("has no parameter `x`")
        );
        assert!(
            query
                .values(&[("limit".into(), "many".into())], End::clock(UtcMs::new(0)))
                .unwrap_err()
                .contains("no whole number")
        );
        let why = find("rate_by_kind")
            .unwrap()
            .values(&[("kind".into(), "x".into())], End::clock(UtcMs::new(0)));
        assert!(why.unwrap_err().contains("has no parameter `kind`"));
        for name in ["rate_by_service", "rate_by_hostgroup", "rate_by_relay"] {
            let why = find(name)
                .unwrap()
                .values(&[("kind".into(), "nosuch".into())], End::clock(UtcMs::new(0)));
            let why = why.unwrap_err();
            assert!(
                why.starts_with("--param kind: `nosuch` is no kind of event; there are accepted, "),
                "{why}"
            );
        }
        assert!(
            query
                .values(&[("since".into(), "soon".into())], End::clock(UtcMs::new(0)))
                .unwrap_err()
                .contains("is no time")
        );
    }
}
