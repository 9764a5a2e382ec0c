//! `mailpulse services`: who sends how much; `services discover` proposes rules for what has none, `services relabel`
//! attributes stored rows anew.

pub(in crate::cli) mod discover;
mod relabel;

use super::output::{self, Format};
use crate::analysis::blindness::shortest_outages;
use crate::cli::direction::DirectionArgs;
use crate::cli::window::WindowArgs;
use crate::model::human;
use crate::model::time::MINUTE_MS;
use crate::query::SumsOf;
use crate::setup::Setup;
use crate::store::columnar::{Column, Table, Values};
use anyhow::{Result, bail};
use clap::Subcommand;
use std::collections::BTreeMap;
use std::process::ExitCode;

/// Arguments of `services`.
#[derive(Debug, clap::Args)]
pub(super) struct ServicesArgs {
    #[command(subcommand)]
    what: Option<ServicesCommand>,
    /// List hostgroups instead of services
    #[arg(long)]
    hostgroups: bool,
    #[command(flatten)]
    direction: DirectionArgs,
    #[command(flatten)]
    window: WindowArgs<7>,
    /// Output format
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum ServicesCommand {
    /// Propose rules, as TOML to paste, for mail that matches no rule
    Discover {
        #[command(flatten)]
        window: WindowArgs<7>,
        /// Maximum number of rules
        #[arg(long, default_value_t = 20)]
        max: usize,
    },
    /// Attribute stored rows by the current rules
    #[command(after_help = relabel::HELP)]
    Relabel(relabel::RelabelArgs),
}

/// Tells.
pub(super) fn run(setup: &Setup, args: &ServicesArgs) -> Result<ExitCode> {
    if let Some(ServicesCommand::Relabel(relabel)) = &args.what {
        if args.window.is_given() || args.hostgroups {
            bail!("options of `services` do not apply to `services relabel`: write them after `relabel`");
        }
        return relabel::run(setup, relabel);
    }
    let config = setup.config()?;
    let engine = setup.engine(&config)?;
    let store = engine.history();
    if let Some(ServicesCommand::Discover { window, max }) = &args.what {
        if args.window.is_given() || args.hostgroups {
            bail!("options of `services` do not apply to `services discover`: write them after `discover`");
        }
        let window = window.resolve(store)?;
        return discover::run(&config, store, window, *max);
    }
    let window = args.window.resolve(store)?;
    let name = if args.hostgroups { "hostgroup" } else { "service" };
    let sql = format!(
        "SELECT {name},
                SUM(CASE WHEN kind = 'accepted' AND first_hop THEN m ELSE 0 END) AS messages,
                SUM(CASE WHEN kind = 'delivered' AND destination = 'remote' THEN r ELSE 0 END) AS delivered,
                SUM(CASE WHEN kind = 'bounced' OR kind = 'expired' THEN r ELSE 0 END) AS bounced,
                SUM(CASE WHEN kind = 'rejected' THEN m ELSE 0 END) AS rejected,
                SUM(CASE WHEN kind = 'accepted' AND first_hop THEN b ELSE 0 END) AS bytes,
                MAX(CASE WHEN kind = 'accepted' THEN ts_ms END) AS last_minute
         FROM (SELECT {name}, kind, destination, first_hop, ts_ms, messages AS m, recipients AS r, bytes AS b
               FROM rates WHERE {direction}) AS minutes
         GROUP BY {name} ORDER BY messages DESC, {name}",
        direction = args.direction.view.condition()
    );
    let mut table = store.add_up(&sql, window, SumsOf::RatesAndNewest)?;
    let budget = config.detect.false_alarms_per_service_per_90_days;
    add_blindness(
        &mut table,
        name,
        &shortest_outages(store, window, (name, args.direction.view), budget)?,
        args.format,
    );
    if args.format == Format::Table {
        name_the_nameless(&mut table, name);
        add_rates(&mut table, (window.until_ms - window.since_ms) as f64 / 60_000.0);
    }
    output::table(&table, &["last_minute"], args.format)?;
    Ok(ExitCode::SUCCESS)
}

/// The shortest outage that a volume shows: minutes for programs, words for people.
fn add_blindness(table: &mut Table, what: &str, outages: &BTreeMap<String, i64>, format: Format) {
    let Some(Values::Text(names)) = table
        .columns
        .iter()
        .find(|column| column.name == what)
        .map(|c| &c.values)
    else {
        return;
    };
    let of = |name: &Option<String>| outages.get(name.as_deref().unwrap_or_default()).copied();
    let (name, values) = match format {
        Format::Table => {
            let words = |minutes| human::duration(minutes * MINUTE_MS);
            let words = names.iter().map(|name| of(name).map(words));
            ("shortest outage", Values::Text(words.collect()))
        }
        _ => ("shortest_outage_min", Values::Int(names.iter().map(of).collect())),
    };
    table.columns.push(Column {
        name: name.to_owned(),
        values,
    });
}

/// Hosts that no group names have none; a row needs a name all the same, for people.
fn name_the_nameless(table: &mut Table, what: &str) {
    let names = table.columns.iter_mut().filter(|column| column.name == what);
    for column in names {
        if let Values::Text(names) = &mut column.values {
            let nameless = names
                .iter_mut()
                .filter(|name| name.as_deref().is_none_or(str::is_empty));
            nameless.for_each(|name| *name = Some(format!("(no {what})")));
        }
    }
}

/// Beside the messages, for people: how many that is a minute, an hour or a day.
fn add_rates(table: &mut Table, minutes: f64) {
    let Some(at) = table.columns.iter().position(|column| column.name == "messages") else {
        return;
    };
    if let Values::Int(counts) = &table.columns[at].values {
        let rates = counts
            .iter()
            .map(|count| count.map(|count| human::rate(count as f64 / minutes)));
        let column = Column {
            name: "rate".to_owned(),
            values: Values::Text(rates.collect()),
        };
        table.columns.insert(at + 1, column);
    }
}
