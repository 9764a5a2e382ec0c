//! `mailpulse services relabel`: stored rows get the services that today's rules give to their mail.

use crate::cli::output::{self, Format};
use crate::cli::window::{EVERYTHING, WindowArgs};
use crate::model::human;
use crate::model::time::UtcMs;
use crate::query::history::MailHistory;
use crate::setup::{Setup, services_of_logs};
use crate::store::attribution::{Relabel, Relabelled, relabel};
use crate::store::columnar::{Table, Values};
use crate::store::linker::link_hops;
use anyhow::Result;
use std::process::ExitCode;

/// What `--help` ends with.
pub(super) const HELP: &str = "\
Rows are judged by the columns that are stored: client, address, sender, host. Authenticated accounts, local users, Message-IDs, \
routers, transports, and plain local parts are not stored. If a rule depends on one of these, rows keep their service and are \
counted. Stop `tail` first: nothing else may write to the store. If the command is interrupted, run it again.";

/// Arguments of `services relabel`.
#[derive(Debug, clap::Args)]
pub(super) struct RelabelArgs {
    #[command(flatten)]
    window: WindowArgs<EVERYTHING>,
    /// Only report what would change
    #[arg(long)]
    dry_run: bool,
    /// Output format
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Attributes anew, and tells from which service to which rows went.
pub(super) fn run(setup: &Setup, args: &RelabelArgs) -> Result<ExitCode> {
    let mut config = setup.config()?;
    let of_logs = services_of_logs(&config);
    let store = match args.dry_run {
        true => setup.open_store(&config)?,
        false => setup.create_store(&config)?,
    };
    setup.refuse_lost_key(&config, &store)?;
    let with = setup.attribution(&mut config)?;
    let told = relabel(
        &store,
        &Relabel {
            with: &with,
            of_logs: &of_logs,
            window_ms: window(&args.window, &store)?,
            is_dry: args.dry_run,
        },
    )?;
    if !args.dry_run {
        link_hops(&store)?;
    }
    tell(&told, args)?;
    Ok(ExitCode::SUCCESS)
}

/// Without ends where none is given: rows that are in the future by mistake have a service too.
fn window(args: &WindowArgs<EVERYTHING>, store: &dyn MailHistory) -> Result<(UtcMs, UtcMs)> {
    if !args.is_given() {
        return Ok((UtcMs::MIN, UtcMs::MAX));
    }
    let window = args.resolve(store)?;
    let since = args.since.as_ref().map_or(UtcMs::MIN, |_| window.since_ms);
    let until = args.until.as_ref().map_or(UtcMs::MAX, |_| window.until_ms);
    Ok((since, until))
}

fn tell(told: &Relabelled, args: &RelabelArgs) -> Result<()> {
    let moved = told
        .moved
        .iter()
        .map(|((from, to), rows)| (from.as_str(), to.as_str(), *rows, ""));
    let kept = told
        .unjudged
        .iter()
        .map(|((service, lacks), rows)| (service.as_str(), service.as_str(), *rows, lacks.as_str()));
    let rows: Vec<_> = moved.chain(kept).collect();
    let text = |values: Vec<&str>| Values::Text(values.into_iter().map(|value| Some(value.to_owned())).collect());
    let table = Table::of([
        ("from", text(rows.iter().map(|row| row.0).collect())),
        ("to", text(rows.iter().map(|row| row.1).collect())),
        ("rows", Values::Int(rows.iter().map(|row| Some(row.2 as i64)).collect())),
        ("not_judged", text(rows.iter().map(|row| row.3).collect())),
    ]);
    output::table(&table, &[], args.format)?;
    let changed: u64 = told.moved.values().sum();
    let kept: u64 = told.unjudged.values().sum();
    let verb = if args.dry_run { "would get" } else { "got" };
    let mut said = format!(
        "{} of {} {verb} another service; ",
        human::counted(changed, "row"),
        told.rows
    );
    said += &match kept {
        0 => "all could be judged".to_owned(),
        kept => format!(
            "{} could not be judged and {} their service",
            human::counted(kept, "row"),
            if args.dry_run { "would keep" } else { "kept" }
        ),
    };
    output::talk(&said);
    Ok(())
}
