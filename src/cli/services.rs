//! `mailpulse services`: who sends how much; `services discover` proposes rules for what has none.

mod discover;

use super::context::Context;
use super::output::{self, Format};
use super::window::WindowArgs;
use anyhow::Result;
use clap::Subcommand;
use std::process::ExitCode;

const WEEK_MS: i64 = 7 * 86_400_000;

/// Arguments of `services`.
#[derive(Debug, clap::Args)]
pub struct ServicesArgs {
    #[command(subcommand)]
    what: Option<What>,
    /// By hostgroup instead of by service
    #[arg(long)]
    hostgroups: bool,
    #[command(flatten)]
    window: WindowArgs,
    /// Form of the answer
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Propose rules, as TOML to paste, for mail that no rule names
    Discover {
        #[command(flatten)]
        window: WindowArgs,
        /// How many rules at the most
        #[arg(long, default_value_t = 20)]
        max: usize,
    },
}

/// Tells.
pub fn run(context: &Context, args: &ServicesArgs) -> Result<ExitCode> {
    let engine = context.engine()?;
    let store = engine.history();
    if let Some(What::Discover { window, max }) = &args.what {
        let window = window.resolve_with(store, WEEK_MS)?;
        let config = context.config()?;
        return discover::run(&config, store, window, *max);
    }
    let window = args.window.resolve_with(store, WEEK_MS)?;
    let name = if args.hostgroups { "hostgroup" } else { "service" };
    let sql = format!(
        "SELECT {name},
                SUM(CASE WHEN kind = 'accepted' AND first_hop THEN m ELSE 0 END) AS messages,
                SUM(CASE WHEN kind = 'delivered' AND destination = 'remote' THEN r ELSE 0 END) AS delivered,
                SUM(CASE WHEN kind = 'bounced' OR kind = 'expired' THEN r ELSE 0 END) AS bounced,
                SUM(CASE WHEN kind = 'rejected' THEN m ELSE 0 END) AS rejected,
                SUM(CASE WHEN kind = 'accepted' AND first_hop THEN b ELSE 0 END) AS bytes,
                MAX(CASE WHEN kind = 'accepted' THEN ts_ms ELSE 0 END) AS last_minute
         FROM (SELECT {name}, kind, destination, first_hop, ts_ms, messages AS m, recipients AS r, bytes AS b
               FROM rates) AS minutes
         GROUP BY {name} ORDER BY messages DESC, {name}"
    );
    let table = store.select(&sql, window)?;
    output::table(&table, &["last_minute"], args.format)?;
    Ok(ExitCode::SUCCESS)
}
