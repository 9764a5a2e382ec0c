//! `mailpulse query`: a named query, the list of them, or SQL of one's own.

use super::limited::{self, Stage};
use super::output::{self, Format};
use crate::analysis::present::end_of;
use crate::cli::window::WindowArgs;
use crate::clock::now_ms;
use crate::config::Config;
use crate::model::direction::DirectionView;
use crate::model::time::UtcMs;
use crate::query::Window;
use crate::query::history::MailHistory;
use crate::query::named::{self, NamedQuery, ParamKind};
use crate::setup::Setup;
use crate::store::columnar::{Table, Values};
use anyhow::{Result, anyhow, bail};
use std::process::ExitCode;

/// Arguments of `query`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Without --since, `freshness` and --sql query everything that is stored.")]
pub(super) struct QueryArgs {
    /// Name of a query; see --list
    name: Option<String>,
    /// Describe the named queries, with their parameters and defaults
    #[arg(long)]
    list: bool,
    /// A SELECT over events, rates, and sources: everything that is stored, unless --since or --until is set
    #[arg(long, value_name = "TEXT", conflicts_with = "name")]
    sql: Option<String>,
    /// Parameter of the query
    #[arg(long = "param", value_name = "NAME=VALUE", allow_hyphen_values = true)]
    params: Vec<String>,
    /// This process was started for the query, to be within its limits
    #[arg(long, hide = true)]
    within_limits: Option<Stage>,
    /// Mail to count in a named query: outbound, inbound, internal, transit, or all [default: outbound]
    #[arg(long, value_name = "DIRECTION", value_parser = DirectionView::parse, conflicts_with = "sql")]
    direction: Option<DirectionView>,
    #[command(flatten)]
    window: WindowArgs,
    /// Output format
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Answers.
pub(super) fn run(setup: &Setup, args: &QueryArgs) -> Result<ExitCode> {
    if args.list {
        match args.format {
            Format::Table => describe()?,
            format => output::table(&list(), &[], format)?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    let config = setup.config()?;
    if args.sql.is_some() {
        return match args.within_limits {
            None => limited::start(&config),
            Some(Stage::Enter) => limited::enter(&config),
            Some(Stage::Within) => limited::run(config.store.query_s_max, || answer(setup, &config, args)),
        };
    }
    answer(setup, &config, args)
}

fn answer(setup: &Setup, config: &Config, args: &QueryArgs) -> Result<ExitCode> {
    let engine = setup.engine(config)?;
    let store = engine.history();
    let (table, times) = match (&args.sql, &args.name) {
        (Some(sql), _) => {
            if !args.params.is_empty() {
                bail!("--param is for named queries; with --sql write the value into the text");
            }
            let window = if args.window.is_given() {
                args.window.resolve(store)?
            } else {
                Window::ALL
            };
            let answer = store.ask(sql, window)?;
            let times: Vec<&str> = answer.times.iter().map(String::as_str).collect();
            output::raw_table(&answer.table, &times, args.format)?;
            return Ok(ExitCode::SUCCESS);
        }
        (None, Some(name)) => {
            let query = named::find(name).map_err(|why| anyhow!(why))?;
            let values = values(&query, args, store)?;
            let times: Vec<&str> = query
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
                since_ms: UtcMs::new(at("since").unwrap_or(i64::MIN)),
                until_ms: UtcMs::new(at("until").unwrap_or(i64::MAX)),
            };
            (store.named(&query, &values, window)?, times)
        }
        (None, None) => bail!("name a query (--list shows them), or use --sql"),
    };
    output::table(&table, &times, args.format)?;
    Ok(ExitCode::SUCCESS)
}

/// Parameters: `--param`, then `--since` and `--until`, then the window that suits the store, then the defaults.
fn values(query: &NamedQuery, args: &QueryArgs, store: &dyn MailHistory) -> Result<Vec<(&'static str, named::Value)>> {
    let mut given = Vec::new();
    let takes = |name: &str| {
        query
            .params
            .iter()
            .any(|param| param.name == name && param.kind == ParamKind::Time)
    };
    let own = |name: &str| {
        let pairs = args.params.iter().filter_map(|param| param.split_once('='));
        pairs
            .filter(|(known, _)| *known == name)
            .map(|(_, text)| text.to_owned())
            .next_back()
    };
    if takes("since") && takes("until") {
        // A parameter and the option of its name are one thing.
        let asked: WindowArgs = WindowArgs {
            since: own("since").or_else(|| args.window.since.clone()),
            until: own("until").or_else(|| args.window.until.clone()),
        };
        let all = query
            .params
            .iter()
            .any(|param| param.name == "since" && param.default == "-3650d");
        let window = match all && !asked.is_given() {
            true => Window {
                since_ms: UtcMs::EPOCH,
                until_ms: now_ms(),
            },
            false => asked.resolve(store)?,
        };
        given.push(("since".to_owned(), crate::model::time::rfc3339(window.since_ms)));
        given.push(("until".to_owned(), crate::model::time::rfc3339(window.until_ms)));
    } else if args.window.is_given() {
        bail!("query {} takes no --since and --until", query.name);
    }
    if let Some(view) = args.direction {
        if query.params.iter().all(|param| param.kind != ParamKind::Direction) {
            bail!("query {} takes no --direction", query.name);
        }
        given.push(("direction".to_owned(), view.as_str().to_owned()));
    }
    for param in &args.params {
        let (name, value) = param
            .split_once('=')
            .ok_or_else(|| anyhow!("--param {param}: write name=value"))?;
        if !given.iter().any(|(known, _)| known == name && takes(name)) {
            given.push((name.to_owned(), value.to_owned()));
        }
    }
    query
        .values(&given, end_of(store, now_ms())?)
        .map_err(|why| anyhow!(why))
}

/// The named queries, a paragraph each: parameters and columns are too many for a line of a terminal.
fn describe() -> Result<()> {
    for query in named::all() {
        output::line(&format!("{}\n    {}", query.name, query.description))?;
        for param in &query.params {
            let (name, default, what) = (param.name, param.default, param.description);
            output::line(&format!("    --param {name}={default}  {what}"))?;
        }
        let columns: Vec<&str> = query.columns.iter().map(|column| column.name).collect();
        output::line(&format!("    columns: {}", columns.join(", ")))?;
    }
    Ok(())
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
