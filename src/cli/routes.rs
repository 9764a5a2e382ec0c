//! `mailpulse routes`: through which relays each service reaches the outside. One relay is a single point of failure
//! before it fails.

use super::context::Context;
use super::output::{self, Format};
use super::window::WindowArgs;
use crate::query::routes::{Route, routes};
use crate::store::columnar::{Table, Values};
use anyhow::Result;
use serde_json::{Value, json};
use std::process::ExitCode;

/// A week, so that rare services are in it.
const WEEK_MS: i64 = 7 * 86_400_000;

/// Arguments of `routes`.
#[derive(Debug, clap::Args)]
pub struct RoutesArgs {
    #[command(flatten)]
    window: WindowArgs,
    /// Exit code 1 when all mail of a service reaches the outside through one relay
    #[arg(long)]
    check: bool,
    /// Form of the answer
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Tells.
pub fn run(context: &Context, args: &RoutesArgs) -> Result<ExitCode> {
    let store = context.open_store()?;
    let window = args.window.resolve_with(&store, WEEK_MS)?;
    let routes = routes(&store, window)?;
    match args.format {
        Format::Json => output::line(&serde_json::to_string_pretty(&json(&routes))?)?,
        Format::Table | Format::Csv => output::table(&table(&routes), &[], args.format)?,
    }
    let single = routes.iter().filter(|route| route.is_single()).count();
    eprintln!(
        "{single} of {} services hang on a single relay (logs of {} hosts read; relays whose logs are not read are not \
         seen)",
        routes.len(),
        store.hosts()?.len()
    );
    Ok(if args.check && single > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn percent(part: u64, whole: u64) -> f64 {
    (1000.0 * part as f64 / whole.max(1) as f64).round() / 10.0
}

/// All messages of a service's paths, those that wait on the way included.
fn sent(route: &Route) -> u64 {
    route.paths.iter().map(|path| path.messages).sum()
}

/// The relay that a service hangs on.
fn single(route: &Route) -> Option<String> {
    route.is_single().then(|| route.last_hops[0].0.clone())
}

/// One line a path.
fn table(routes: &[Route]) -> Table {
    let rows = || {
        routes
            .iter()
            .flat_map(|route| route.paths.iter().map(move |path| (route, path)))
    };
    let columns = [
        (
            "service",
            Values::Text(rows().map(|(route, _)| Some(route.service.clone())).collect()),
        ),
        (
            "path",
            Values::Text(
                rows()
                    .map(|(_, path)| {
                        let end = if path.outside { "outside" } else { "(not passed on)" };
                        Some(format!("{} > {end}", path.hops.join(" > ")))
                    })
                    .collect(),
            ),
        ),
        (
            "messages",
            Values::Int(rows().map(|(_, path)| Some(path.messages as i64)).collect()),
        ),
        (
            "share_percent",
            Values::Float(
                rows()
                    .map(|(route, path)| Some(percent(path.messages, sent(route))))
                    .collect(),
            ),
        ),
        (
            "single_point_of_failure",
            Values::Text(rows().map(|(route, _)| single(route)).collect()),
        ),
    ];
    Table::of(columns)
}

fn json(routes: &[Route]) -> Value {
    let route = |route: &Route| {
        let last_hop = |(relay, messages): &(String, u64)| json!({"relay": relay, "messages": messages, "share_percent": percent(*messages, route.messages)});
        let path = |path: &crate::query::routes::Path| {
            json!({
                "hops": path.hops,
                "outside": path.outside,
                "messages": path.messages,
                "share_percent": percent(path.messages, sent(route)),
            })
        };
        json!({
            "service": route.service,
            "messages": route.messages,
            "single_point_of_failure": single(route),
            "last_hops": route.last_hops.iter().map(last_hop).collect::<Vec<_>>(),
            "paths": route.paths.iter().map(path).collect::<Vec<_>>(),
        })
    };
    routes.iter().map(route).collect()
}
