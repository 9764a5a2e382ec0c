//! `mailpulse routes`: through which relays each service reaches the outside, and what became of that when one of them
//! stood still. One relay is a single point of failure before it fails.

use super::output::{self, Format};
use crate::analysis::failovers as failover;
use crate::analysis::failovers::{Failover, failovers};
use crate::analysis::routes::{Route, routes};
use crate::cli::direction::DirectionArgs;
use crate::cli::window::WindowArgs;
use crate::clock::now_ms;
use crate::config::Redundancy;
use crate::query::history::MailHistory;
use crate::setup::Setup;
use crate::setup::detection::{Overrides, kept, options};
use crate::setup::redundancy::short;
use crate::store::columnar::{Table, Values};
use anyhow::Result;
use serde_json::{Value, json};
use std::process::ExitCode;

/// Arguments of `routes`.
#[derive(Debug, clap::Args)]
pub(super) struct RoutesArgs {
    #[command(flatten)]
    direction: DirectionArgs,
    #[command(flatten)]
    window: WindowArgs<7>,
    /// Exit with code 1 if a service's mail leaves through fewer relays than `relays_min` in the configuration (two by
    /// default)
    #[arg(long)]
    check: bool,
    /// Show only the failovers: a line per service and silence of a relay
    #[arg(long)]
    failovers: bool,
    /// Output format
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Tells.
pub(super) fn run(setup: &Setup, args: &RoutesArgs) -> Result<ExitCode> {
    let config = setup.config()?;
    let engine = setup.engine(&config)?;
    let store = engine.history();
    let window = args.window.resolve(store)?;
    let mut routes = routes(store, window, args.direction.view)?;
    let options = options(&config, &Overrides::default());
    let failovers = failovers(store, &kept(&config), options, window, now_ms())?;
    for one in &failovers {
        // Without a way out in the window, its failover is all there is to tell.
        if routes.iter().all(|route| route.service != one.service) {
            routes.push(Route::none(&one.service));
        }
    }
    let short = short(&routes, &config.redundancy);
    match args.format {
        Format::Json => {
            let all = json(&routes, &failovers, &config.redundancy);
            output::json(&all)?;
        }
        format if args.failovers => output::table(&failover::table(&failovers), &failover::TIMES, format)?,
        format => {
            output::table(&table(&routes), &[], format)?;
            if matches!(format, Format::Table) && !failovers.is_empty() {
                output::line("\nwhile a relay was silent:")?;
                output::table(&failover::table(&failovers), &failover::TIMES, format)?;
            }
        }
    }
    said(store, &routes, &failovers)?;
    if !args.check {
        return Ok(ExitCode::SUCCESS);
    }
    for (service, wanted) in config.redundancy.own() {
        if !routes
            .iter()
            .any(|route| route.service == service && !route.last_hops.is_empty())
        {
            output::talk(&format!(
                "{service}: no mail in this window, so no verdict on its {} relays",
                wanted.relays_min
            ));
        }
    }
    short.iter().for_each(|why| output::talk(why));
    Ok(if short.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn said(store: &dyn MailHistory, routes: &[Route], failovers: &[Failover]) -> Result<()> {
    let out = routes.iter().filter(|route| !route.last_hops.is_empty()).count();
    let single = routes.iter().filter(|route| route.is_single()).count();
    output::talk(&format!(
        "{single} of {out} services depend on a single relay (logs of {} hosts read; relays whose logs are not read \
         do not appear)",
        store.hosts()?.len()
    ));
    let count = |moved: Option<bool>| failovers.iter().filter(|one| one.moved == moved).count();
    if !failovers.is_empty() {
        output::talk(&format!(
            "failovers: {} seen, {} that did not happen, {} unknown",
            count(Some(true)),
            count(Some(false)),
            count(None)
        ));
    }
    Ok(())
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

fn json(routes: &[Route], failovers: &[Failover], redundancy: &Redundancy) -> Value {
    let route = |route: &Route| {
        let wanted = redundancy.of_service(&route.service).relays_min;
        let own = failovers.iter().filter(|one| one.service == route.service);
        let last_hop = |(relay, messages): &(String, u64)| json!({"relay": relay, "messages": messages, "share_percent": percent(*messages, route.messages)});
        let path = |path: &crate::analysis::routes::Path| {
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
            "relays_min": wanted,
            "redundant": (!route.last_hops.is_empty()).then_some(route.last_hops.len() >= wanted as usize),
            "last_hops": route.last_hops.iter().map(last_hop).collect::<Vec<_>>(),
            "paths": route.paths.iter().map(path).collect::<Vec<_>>(),
            "failovers": own.map(Failover::json).collect::<Vec<_>>(),
        })
    };
    routes.iter().map(route).collect()
}
