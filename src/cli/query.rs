//! `mailpulse query`: a named query, the list of them, or SQL of one's own.

use super::context::Context;
use super::output::{self, Format};
use super::window::{WindowArgs, now_ms};
use crate::query::Window;
use crate::query::history::History;
use crate::query::named::{self, NamedQuery, ParamKind};
use crate::store::columnar::{Table, Values};
use anyhow::{Result, anyhow, bail};
use std::process::ExitCode;

/// Arguments of `query`.
#[derive(Debug, clap::Args)]
pub struct QueryArgs {
    /// Name of a query; --list tells them
    name: Option<String>,
    /// Describe the named queries
    #[arg(long)]
    list: bool,
    /// One SELECT over events, rates and sources
    #[arg(long, value_name = "TEXT", conflicts_with = "name")]
    sql: Option<String>,
    /// A parameter of the query, as name=value
    #[arg(long = "param", value_name = "NAME=VALUE", allow_hyphen_values = true)]
    params: Vec<String>,
    #[command(flatten)]
    window: WindowArgs,
    /// Form of the answer
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Answers.
pub fn run(context: &Context, args: &QueryArgs) -> Result<ExitCode> {
    if args.list {
        output::table(&list(), &[], args.format)?;
        return Ok(ExitCode::SUCCESS);
    }
    let engine = context.engine()?;
    let store = engine.history();
    let (table, times) = match (&args.sql, &args.name) {
        (Some(sql), _) => {
            if !args.params.is_empty() {
                bail!("--param is for named queries; with --sql write the value into the text");
            }
            let given = args.window.since.is_some() || args.window.until.is_some();
            let window = if given {
                args.window.resolve(store)?
            } else {
                Window::ALL
            };
            (store.sql(sql, window)?, vec!["ts"])
        }
        (None, Some(name)) => {
            let query = named::find(name).map_err(|why| anyhow!(why))?;
            let values = values(&query, args, store)?;
            let times = query
                .columns
                .iter()
                .filter(|column| column.kind == "time")
                .map(|column| column.name)
                .collect();
            let at = |name: &str| {
                values.iter().find_map(|(known, value)| match value {
                    named::Value::Int(ms) if *known == name => Some(*ms),
                    _ => None,
                })
            };
            let window = Window {
                since_ms: at("since").unwrap_or(i64::MIN),
                until_ms: at("until").unwrap_or(i64::MAX),
            };
            (store.named(&query, &values, window)?, times)
        }
        (None, None) => bail!("name a query (--list tells them), or give --sql"),
    };
    output::table(&table, &times, args.format)?;
    Ok(ExitCode::SUCCESS)
}

/// Parameters: `--param`, then `--since` and `--until`, then the window that suits the store, then the defaults.
fn values(query: &NamedQuery, args: &QueryArgs, store: &dyn History) -> Result<Vec<(&'static str, named::Value)>> {
    let mut given = Vec::new();
    let takes = |name: &str| {
        query
            .params
            .iter()
            .any(|param| param.name == name && param.kind == ParamKind::Time)
    };
    if takes("since") && takes("until") {
        let own = |name: &str| args.params.iter().any(|param| param.starts_with(&format!("{name}=")));
        if !own("since") && !own("until") {
            let all = query
                .params
                .iter()
                .any(|param| param.name == "since" && param.default == "-3650d");
            let window = match (all, &args.window.since) {
                (true, None) => Window {
                    since_ms: 0,
                    until_ms: now_ms(),
                },
                _ => args.window.resolve(store)?,
            };
            given.push(("since".to_owned(), crate::query::time::rfc3339(window.since_ms)));
            given.push(("until".to_owned(), crate::query::time::rfc3339(window.until_ms)));
        }
    } else if args.window.since.is_some() || args.window.until.is_some() {
        bail!("query {} takes no --since and --until", query.name);
    }
    for param in &args.params {
        let (name, value) = param
            .split_once('=')
            .ok_or_else(|| anyhow!("--param {param}: write name=value"))?;
        given.push((name.to_owned(), value.to_owned()));
    }
    query.values(&given, now_ms()).map_err(|why| anyhow!(why))
}

fn list() -> Table {
    let queries = named::all();
    let text = |pick: &dyn Fn(&NamedQuery) -> String| Values::Text(queries.iter().map(|q| Some(pick(q))).collect());
    let params = |query: &NamedQuery| {
        let params = query
            .params
            .iter()
            .map(|param| format!("{}={}", param.name, param.default));
        params.collect::<Vec<_>>().join(" ")
    };
    let columns = |query: &NamedQuery| query.columns.iter().map(|c| c.name).collect::<Vec<_>>().join(",");
    let columns = [
        ("query", text(&|query| query.name.to_owned())),
        ("description", text(&|query| query.description.to_owned())),
        ("parameters", text(&params)),
        ("columns", text(&columns)),
    ];
    Table::of(columns)
}
