//! Both sides of the services' mail: what their own logs tried, what the relays took, what left for outside.

use super::super::output::{self, Format};
use crate::model::time::End;
use crate::query::{Window, named};
use crate::simulate::service_names;
use crate::store::Store;
use crate::store::columnar::{Column, Table, Values};
use anyhow::{Context as _, Result, anyhow};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

/// SumsOf of one service in a window.
#[derive(Debug, Default, Clone, Copy)]
struct Sides {
    tried: i64,
    submit_failed: i64,
    accepted: i64,
    delivered: i64,
}

/// Prints the sums over the window of the services that failed to hand mail in, and writes every minute of every service
/// to a file.
pub(super) fn print(store: &Store, window: Window, minutes: &Path) -> Result<()> {
    let table = per_minute(store, window)?;
    let mut file = File::create(minutes).with_context(|| minutes.display().to_string())?;
    output::print(&mut file, &table, &["ts"], Format::Csv).with_context(|| minutes.display().to_string())?;
    let sides = sums(&table);
    output::line(&format!(
        "   {:<24}{:>8}{:>10}{:>10}{:>11}",
        "service", "tried", "failed", "accepted", "delivered"
    ))?;
    for service in service_names() {
        let Some(sides) = sides.get(service).filter(|sides| sides.submit_failed > 0) else {
            continue;
        };
        output::line(&format!(
            "   {service:<24}{:>8}{:>10}{:>10}{:>11}",
            sides.tried, sides.submit_failed, sides.accepted, sides.delivered
        ))?;
    }
    output::line(&format!("   every minute of it: {}", minutes.display()))?;
    Ok(())
}

fn per_minute(store: &Store, window: Window) -> Result<Table> {
    let query = named::find("tried_accepted_delivered").map_err(|why| anyhow!(why))?;
    let given = [
        ("since".to_owned(), crate::model::time::rfc3339(window.since_ms)),
        ("until".to_owned(), crate::model::time::rfc3339(window.until_ms)),
        ("bucket".to_owned(), "1m".to_owned()),
    ];
    let values = query
        .values(&given, End::clock(window.until_ms))
        .map_err(|why| anyhow!(why))?;
    Ok(crate::query::select(store, &query.bind(&values), window)?)
}

fn sums(table: &Table) -> BTreeMap<String, Sides> {
    let mut sums: BTreeMap<String, Sides> = BTreeMap::new();
    let ints = |name: &str| match table.columns.iter().find(|column| column.name == name) {
        Some(Column {
            values: Values::Int(values),
            ..
        }) => values.iter().map(|value| value.unwrap_or(0)).collect(),
        _ => Vec::new(),
    };
    let columns = ["tried", "submit_failed", "accepted", "delivered"].map(ints);
    let services = table.columns.iter().find(|column| column.name == "service");
    if let Some(Column {
        values: Values::Text(services),
        ..
    }) = services
    {
        for (row, service) in services.iter().enumerate() {
            let sum = sums.entry(service.clone().unwrap_or_default()).or_default();
            let [tried, submit_failed, accepted, delivered] = columns.each_ref().map(|column| column[row]);
            sum.tried += tried;
            sum.submit_failed += submit_failed;
            sum.accepted += accepted;
            sum.delivered += delivered;
        }
    }
    sums
}
