//! `mailpulse detect --csv`: the same for any count series. Causal: each finding rests on what was known at its time.

use super::super::output::{self, Format};
use super::{RuleArgs, counts, findings, holidays, zone};
use crate::detect::detector::Config;
use crate::detect::replay::replay;
use crate::detect::tuning::Tuning;
use crate::store::columnar::{Column, Table, Values};
use anyhow::{Context as _, Result, bail};
use findings::Finding;
use jiff::tz::TimeZone;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// Arguments for count series.
#[derive(Debug, clap::Args)]
pub struct CsvArgs {
    /// Instead of the store: count series with columns series, ts, count
    #[arg(long, value_name = "FILE", conflicts_with_all = ["since", "until"])]
    pub csv: Option<PathBuf>,
    /// False alarms allowed per series and 90 days
    #[arg(long, value_name = "N", default_value_t = 1.0, requires = "csv")]
    budget: f64,
    /// Rows that are missing between others are zeros, not missing data
    #[arg(long, requires = "csv")]
    missing_is_zero: bool,
}

/// Replays.
pub fn run(path: &Path, args: &CsvArgs, rules: &RuleArgs, format: Format) -> Result<ExitCode> {
    if !(0.001..=1_000.0).contains(&args.budget) {
        bail!("--budget: expected a number from 0.001 to 1000");
    }
    let zone = zone(rules)?.unwrap_or(TimeZone::UTC);
    let config = Config {
        tuning: Tuning {
            budget: args.budget,
            ..rules.tuning()
        },
        holidays: Arc::new(holidays(rules)?.unwrap_or_default()),
    };
    let name = path.display();
    let file = File::open(path).with_context(|| format!("{name}"))?;
    let all = counts::read(BufReader::new(file), args.missing_is_zero).with_context(|| format!("{name}"))?;
    let mut found = Vec::new();
    for series in all {
        if series.zeros == 0 && series.missing > series.samples.len() as i64 {
            output::talk(&format!(
                "{:?} has no row that says zero, and {} missing: if those are zeros, say --missing-is-zero",
                series.name, series.missing
            ));
        }
        let drops = replay(&config, zone.clone(), series.grain_s, series.samples)?;
        found.extend(drops.into_iter().map(|drop| Finding {
            series: series.name.clone(),
            drop,
        }));
    }
    found.sort_by(|a, b| (a.drop.detected, &a.series).cmp(&(b.drop.detected, &b.series)));
    print(&found, format)?;
    // A series that is too young never pages alone.
    let alarm = found.iter().any(|finding| !finding.drop.provisional);
    Ok(if alarm { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn print(found: &[Finding], format: Format) -> Result<()> {
    if format != Format::Json {
        output::table(&table(found), &["onset", "detected", "ended"], format)?;
        return Ok(());
    }
    output::array(found.iter().map(findings::json))?;
    Ok(())
}

fn table(found: &[Finding]) -> Table {
    let text = |of: &dyn Fn(&Finding) -> Option<String>| Values::Text(found.iter().map(of).collect());
    let time = |of: &dyn Fn(&Finding) -> Option<i64>| {
        Values::Int(
            found
                .iter()
                .map(|f| of(f).map(|seconds| seconds.saturating_mul(1_000)))
                .collect(),
        )
    };
    let number = |of: &dyn Fn(&Finding) -> f64| Values::Float(found.iter().map(|f| Some(of(f))).collect());
    let columns = [
        ("service", text(&|f| Some(f.series.clone()))),
        ("onset", time(&|f| Some(f.drop.onset))),
        ("detected", time(&|f| Some(f.drop.detected))),
        ("ended", time(&|f| f.drop.ended)),
        ("expected", number(&|f| f.drop.expected)),
        ("observed", number(&|f| f.drop.observed)),
        ("score", number(&|f| f.drop.score)),
        ("channel", text(&|f| Some(f.drop.channel.to_string()))),
        ("end", text(&|f| f.drop.end.map(findings::end))),
        (
            "provisional",
            Values::Bool(found.iter().map(|f| Some(f.drop.provisional)).collect()),
        ),
    ];
    Table {
        columns: columns
            .map(|(name, values)| Column {
                name: name.to_owned(),
                values,
            })
            .into(),
    }
}
