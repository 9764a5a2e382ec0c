//! `mailpulse store reclassify`: stored rows get the reasons that today's table gives to the words of their replies.

use super::output::{self, Format};
use crate::cli::window::{EVERYTHING, WindowArgs};
use crate::model::human;
use crate::model::time::UtcMs;
use crate::setup::Setup;
use crate::store::columnar::{Table, Values};
use crate::store::maintenance::reclassify;
use anyhow::Result;
use std::process::ExitCode;

/// Arguments of `store reclassify`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Rows keep the words of a reply only if they were read with `[privacy] replies = \"keep\"`; all others keep their reason.\n\
                  Stop `tail` first: nothing else may write to the store. If the command is interrupted, run it again."
)]
pub(super) struct ReclassifyArgs {
    #[command(flatten)]
    window: WindowArgs<EVERYTHING>,
    /// Only report what would change
    #[arg(long)]
    dry_run: bool,
    /// Output format
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Classifies anew, and tells from which reason to which rows went.
pub(super) fn run(setup: &Setup, args: &ReclassifyArgs) -> Result<ExitCode> {
    let config = setup.config()?;
    let store = match args.dry_run {
        true => setup.open_store(&config)?,
        false => setup.create_store(&config)?,
    };
    let window_ms = match args.window.is_given() {
        true => {
            let window = args.window.resolve(&store)?;
            (window.since_ms, window.until_ms)
        }
        false => (UtcMs::MIN, UtcMs::MAX),
    };
    let done = reclassify(&store, window_ms, args.dry_run)?;
    let text = |values: Vec<&String>| Values::Text(values.into_iter().map(|value| Some(value.clone())).collect());
    let table = Table::of([
        ("from", text(done.moved.keys().map(|(from, _)| from).collect())),
        ("to", text(done.moved.keys().map(|(_, to)| to).collect())),
        (
            "rows",
            Values::Int(done.moved.values().map(|rows| Some(*rows as i64)).collect()),
        ),
    ]);
    output::table(&table, &[], args.format)?;
    let verb = if args.dry_run { "would get" } else { "got" };
    output::talk(&format!(
        "{} of {} whose words are kept {verb} another reason",
        human::counted(done.moved.values().sum(), "row"),
        human::count(done.rows as i64)
    ));
    Ok(ExitCode::SUCCESS)
}
