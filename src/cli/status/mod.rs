//! `mailpulse status`: what has been read, how old it is, what did not parse, how large the store is.

mod details;
mod json;
mod kept_alerts;
mod limits;
mod nagios;
mod summary;

use kept_alerts::alerts_said;

use super::output::{self, Format};
use super::retention::held_back;
use crate::analysis::sources::{SourceStatus, percent, statuses};
use crate::clock::now_ms;
use crate::config::Config;
use crate::model::time::{DAY_MS, UtcMs, parse_duration_ms};
use crate::query::history::{Backend, LocalSource};
use crate::setup::Setup;
use crate::setup::clock::retention;
use crate::setup::limits::limits_in_use;
use crate::store::columnar::{Table, Values};
use crate::store::retention::{HeldBack, HeldSource};
use anyhow::{Result, anyhow};
use std::process::ExitCode;

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
pub(super) struct StatusArgs {
    /// One line and the exit codes of a Nagios plugin: 0 OK, 1 warning, 2 critical, 3 unknown
    #[arg(long)]
    nagios: bool,
    /// Age of the last line from which a source is `stale`; if set, --nagios warns about each stale source, otherwise only
    /// if all sources are stale [default: 24h]
    #[arg(long, value_name = "TIME")]
    stale_after: Option<String>,
    /// Show the limits of the configuration and their current use instead
    #[arg(long, conflicts_with = "nagios")]
    limits: bool,
    /// Output format
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Tells.
pub(super) fn run(setup: &Setup, args: &StatusArgs) -> Result<ExitCode> {
    let now = now_ms();
    let stale_ms = match &args.stale_after {
        Some(text) => parse_duration_ms(text).map_err(|why| anyhow!("--stale-after: {why}"))?,
        None => DAY_MS,
    };
    if args.nagios {
        return nagios::run(setup, now, args.stale_after.as_ref().map(|_| stale_ms));
    }
    let config = setup.config()?;
    let store = setup.engine(&config)?;
    let mut rows = statuses(store.history(), now, stale_ms)?;
    let held = held(&store, &config)?;
    for row in &mut rows {
        let of_it = |one: &&HeldSource| (&one.host, &one.kind) == (&row.source.host, &row.source.kind);
        row.held = held.sources.iter().find(of_it).cloned();
    }
    if args.limits {
        output::table(
            &limits::table(&limits_in_use(&store, &config, &rows)?),
            &[],
            args.format,
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    match args.format {
        Format::Json => output::json(&json::answer(&store, &config, &rows, now)?)?,
        Format::Csv => output::table(&table(&rows), &["first", "last", "read"], args.format)?,
        Format::Table => {
            let alerts = alerts_said(&config)?;
            summary::print(setup, &alerts, &rows, now)?;
            output::line("")?;
            output::table(&summary::table(&rows), &[], args.format)?;
            details::print(&store, &config, &alerts, &rows)?;
            if let Some(words) = held_back(&held, config.store.retain_days) {
                output::line(&words)?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn held(store: &Backend, config: &Config) -> Result<HeldBack> {
    Ok(match store {
        Backend::Embedded(store) => crate::store::retention::held_back(store, &retention(config.store.retain_days))?,
        Backend::ClickHouse(_) => HeldBack::default(),
    })
}

fn table(rows: &[SourceStatus]) -> Table {
    let text = |pick: &dyn Fn(&SourceStatus) -> String| Values::Text(rows.iter().map(|row| Some(pick(row))).collect());
    let int =
        |pick: &dyn Fn(&SourceStatus) -> u64| Values::Int(rows.iter().map(|row| Some(pick(row) as i64)).collect());
    let maybe = |pick: &dyn Fn(&SourceStatus) -> Option<i64>| Values::Int(rows.iter().map(pick).collect());
    let local = |pick: &dyn Fn(&LocalSource) -> u64| {
        let values = rows
            .iter()
            .map(|row| row.source.local.as_ref().map(|local| pick(local) as i64));
        Values::Int(values.collect())
    };
    let share = |pick: &dyn Fn(&SourceStatus) -> f64| Values::Float(rows.iter().map(|row| Some(pick(row))).collect());
    let columns = [
        ("host", text(&|row| row.source.host.clone())),
        ("source", text(&|row| row.source.kind.clone())),
        ("state", text(&|row| row.state.as_str().to_owned())),
        ("logs", local(&|local| local.logs)),
        (
            "first",
            maybe(&|row| row.source.span_ms.map(|span| span.0).map(UtcMs::get)),
        ),
        (
            "last",
            maybe(&|row| row.source.span_ms.map(|span| span.1).map(UtcMs::get)),
        ),
        ("age_s", maybe(&|row| row.age_ms.map(|age| age / 1000))),
        ("read", maybe(&|row| row.read_ms().map(UtcMs::get))),
        ("lag_s", maybe(&|row| row.lag_ms.map(|lag| lag / 1000))),
        ("lines", int(&|row| row.source.counts.lines)),
        ("events", int(&|row| row.source.counts.events)),
        ("ignored", int(&|row| row.source.counts.ignored)),
        ("duplicates", local(&|local| local.duplicates)),
        ("unparsed", int(&|row| row.source.counts.unparsed)),
        ("unparsed_percent", share(&|row| percent(&row.source.counts))),
        (
            "odd_fields",
            local(&|local| local.odd_fields.iter().map(|field| field.count).sum()),
        ),
        ("hour_unparsed_percent", share(&|row| percent(&row.health.last_hour))),
        ("damaged_logs", local(&|local| local.damaged.len() as u64)),
        ("open_messages", local(&|local| local.open_messages)),
        ("held_back", int(&|row| row.held.as_ref().map_or(0, |held| held.events))),
    ];
    Table::of(columns)
}
