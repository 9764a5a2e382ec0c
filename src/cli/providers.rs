//! `mailpulse providers`: what each provider does with our mail, by relay, against what is usual.

use super::output::{self, Format};
use crate::analysis::providers::{ProviderAt, ProviderOutcome, providers};
use crate::cli::direction::DirectionArgs;
use crate::cli::window::WindowArgs;
use crate::setup::Setup;
use crate::store::columnar::{Table, Values};
use anyhow::Result;
use std::process::ExitCode;

/// Arguments of `providers`.
#[derive(Debug, clap::Args)]
pub(super) struct ProvidersArgs {
    #[command(flatten)]
    direction: DirectionArgs,
    #[command(flatten)]
    window: WindowArgs<1>,
    /// Output format
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Tells.
pub(super) fn run(setup: &Setup, args: &ProvidersArgs) -> Result<ExitCode> {
    let config = setup.config()?;
    let engine = setup.engine(&config)?;
    let store = engine.history();
    let window = args.window.resolve(store)?;
    let all = providers(store, window, args.direction.view)?;
    let mut rows: Vec<(ProviderAt, ProviderOutcome)> = all.into_iter().collect();
    rows.sort_by(|(a, one), (b, other)| (other.attempts.all, a).cmp(&(one.attempts.all, b)));
    output::table(&table(&rows), &[], args.format)?;
    Ok(ExitCode::SUCCESS)
}

/// One line for a provider at a relay, those with the most attempts first.
fn table(rows: &[(ProviderAt, ProviderOutcome)]) -> Table {
    let text = |of: fn(&ProviderAt, &ProviderOutcome) -> Option<String>| {
        Values::Text(rows.iter().map(|(at, one)| of(at, one)).collect())
    };
    let int = |of: fn(&ProviderOutcome) -> Option<i64>| Values::Int(rows.iter().map(|(_, one)| of(one)).collect());
    let float = |of: fn(&ProviderOutcome) -> Option<f64>| Values::Float(rows.iter().map(|(_, one)| of(one)).collect());
    Table::of([
        ("provider", text(|(provider, _), _| Some(provider.clone()))),
        ("relay", text(|(_, relay), _| Some(relay.clone()))),
        ("attempts", int(|one| Some(one.attempts.all))),
        ("delivered_at_first", int(|one| Some(one.at_first))),
        ("delivered_later", int(|one| Some(one.later))),
        ("deferred", int(|one| Some(one.attempts.deferred))),
        ("bounced", int(|one| Some(one.attempts.bounced))),
        ("deferred_percent", float(|one| Some(one.attempts.percents()?.0))),
        ("usual_deferred_percent", float(|one| Some(one.usual.percents()?.0))),
        ("bounced_percent", float(|one| Some(one.attempts.percents()?.1))),
        ("usual_bounced_percent", float(|one| Some(one.usual.percents()?.1))),
        ("p50_ms", int(|one| one.quantile(0.5))),
        ("p95_ms", int(|one| one.quantile(0.95))),
        ("reason", text(|_, one| Some(one.reason.clone()?.0))),
        ("reason_times", int(|one| Some(one.reason.clone()?.1))),
    ])
}
