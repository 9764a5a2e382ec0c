//! `mailpulse routes`: through which relays each service reaches the outside. One relay is a single point of failure
//! before it fails.

use super::context::Context;
use super::output::{self, Format};
use super::window::WindowArgs;
use crate::query::Window;
use crate::store::Store;
use crate::store::columnar::{Column, Table, Values};
use anyhow::Result;
use std::collections::BTreeMap;
use std::process::ExitCode;

/// A week, so that rare services are in it.
const WEEK_MS: i64 = 7 * 86_400_000;

/// Arguments of `routes`.
#[derive(Debug, clap::Args)]
pub struct RoutesArgs {
    #[command(flatten)]
    window: WindowArgs,
    /// Exit code 1 when a service hangs on a single relay
    #[arg(long)]
    check: bool,
    /// Form of the answer
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// One service's routes.
#[derive(Debug)]
pub struct Route {
    /// Service.
    pub service: String,
    /// Messages in the window.
    pub messages: u64,
    /// Relays with their messages, most first.
    pub relays: Vec<(String, u64)>,
}

impl Route {
    /// All of the service's mail went through one relay.
    pub fn is_single(&self) -> bool {
        self.relays.len() == 1
    }
}

/// Tells.
pub fn run(context: &Context, args: &RoutesArgs) -> Result<ExitCode> {
    let store = context.open_store()?;
    let window = args.window.resolve_with(&store, WEEK_MS)?;
    let routes = routes(&store, window)?;
    output::table(&table(&routes), &[], args.format)?;
    let relays = store.hosts()?.len();
    let single = routes.iter().filter(|route| route.is_single()).count();
    eprintln!(
        "{single} of {} services hang on a single relay (logs of {relays} relays read)",
        routes.len()
    );
    Ok(if args.check && single > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Routes of all services in a window, busiest first.
pub fn routes(store: &Store, window: Window) -> Result<Vec<Route>> {
    let mut all: BTreeMap<String, Route> = BTreeMap::new();
    let table = crate::query::sql(
        store,
        "SELECT service, relay, SUM(messages) AS messages FROM rates WHERE kind = 'accepted' AND messages > 0 \
         GROUP BY service, relay ORDER BY messages DESC, service, relay",
        window,
    )?;
    if let [
        Column {
            values: Values::Text(services),
            ..
        },
        Column {
            values: Values::Text(relays),
            ..
        },
        Column {
            values: Values::Int(counts),
            ..
        },
    ] = table.columns.as_slice()
    {
        for ((service, relay), count) in services.iter().flatten().zip(relays.iter().flatten()).zip(counts) {
            let messages = count.unwrap_or(0) as u64;
            let route = all.entry(service.clone()).or_insert_with(|| Route {
                service: service.clone(),
                messages: 0,
                relays: Vec::new(),
            });
            route.messages += messages;
            route.relays.push((relay.clone(), messages));
        }
    }
    let mut routes: Vec<Route> = all.into_values().collect();
    routes.sort_by(|a, b| b.messages.cmp(&a.messages).then_with(|| a.service.cmp(&b.service)));
    Ok(routes)
}

fn table(routes: &[Route]) -> Table {
    let share = |route: &Route| {
        let parts = route
            .relays
            .iter()
            .map(|(relay, n)| format!("{relay} {:.0}%", 100.0 * *n as f64 / route.messages as f64));
        parts.collect::<Vec<_>>().join(", ")
    };
    let columns = [
        (
            "service",
            Values::Text(routes.iter().map(|route| Some(route.service.clone())).collect()),
        ),
        (
            "messages",
            Values::Int(routes.iter().map(|route| Some(route.messages as i64)).collect()),
        ),
        (
            "relays",
            Values::Int(routes.iter().map(|route| Some(route.relays.len() as i64)).collect()),
        ),
        (
            "single_point_of_failure",
            Values::Text(
                routes
                    .iter()
                    .map(|r| r.is_single().then(|| r.relays[0].0.clone()))
                    .collect(),
            ),
        ),
        (
            "shares",
            Values::Text(routes.iter().map(|route| Some(share(route))).collect()),
        ),
    ];
    Table::of(columns)
}
