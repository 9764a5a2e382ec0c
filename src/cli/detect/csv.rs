//! `mailpulse detect --csv`: the same for any count series. Causal: each finding rests on what was known at its time.

use super::super::output::{self, Format};
use super::{RuleArgs, counts, findings};
use crate::analysis::completeness::Completeness;
use crate::config::{Config as Configuration, DetectConfig};
use crate::detect::detector::DetectorConfig;
use crate::detect::replay::replay;
use crate::detect::tuning::Tuning;
use crate::detect::volume::Complete;
use crate::model::time::Minute;
use crate::setup::detection::options;
use crate::store::columnar::{Column, Table, Values};
use anyhow::{Context as _, Result, bail};
use findings::CsvFinding;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// Arguments for count series.
#[derive(Debug, clap::Args)]
pub(super) struct CsvArgs {
    /// Read count series from a file instead of the store, with the columns series, ts, count; - for standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["since", "until"])]
    pub csv: Option<PathBuf>,
    /// With --csv: target number of false alarms per series in 90 days (for the store, see [detect] in the configuration)
    #[arg(long, value_name = "N", default_value_t = default_budget(), requires = "csv")]
    budget: f64,
    /// Treat rows that are missing between others as zero, for exports that omit zeros
    #[arg(long, requires = "csv")]
    missing_is_zero: bool,
}

/// The same as that of a store.
fn default_budget() -> f64 {
    DetectConfig::default().false_alarms_per_service_per_90_days
}

/// Replays.
pub(super) fn run(
    config: &Configuration,
    path: &Path,
    args: &CsvArgs,
    rules: &RuleArgs,
    format: Format,
) -> Result<ExitCode> {
    if !(0.001..=1_000.0).contains(&args.budget) {
        bail!("--budget: expected a number from 0.001 to 1000");
    }
    let options = options(config, &rules.overrides()?);
    let rhythms = options.rhythms;
    let tuning = Tuning {
        budget: args.budget,
        ..options.tuning
    };
    let (input, name): (Box<dyn Read>, String) = match path.to_str() {
        Some("-") => (Box::new(std::io::stdin().lock()), "standard input".to_owned()),
        _ => {
            let name = path.display().to_string();
            (Box::new(File::open(path).with_context(|| name.clone())?), name)
        }
    };
    let all = counts::read(BufReader::new(input), args.missing_is_zero).context(name)?;
    let mut found = Vec::new();
    let mut complete: Option<Complete> = None;
    for series in all {
        if series.zeros == 0 && series.missing > series.samples.len() as i64 {
            output::talk(&format!(
                "{:?} has no row with a count of zero, and {} missing: if those are zeros, use --missing-is-zero",
                series.name, series.missing
            ));
        }
        let rhythm = rhythms.of(&series.name);
        let config = DetectorConfig {
            tuning: tuning.clone(),
            holidays: Arc::clone(&rhythm.holidays),
        };
        let replayed = replay(&config, rhythm.zone.clone(), series.grain_s, series.samples)?;
        let before = complete.unwrap_or(Complete {
            from: Minute::MIN,
            series: 0,
            young: 0,
        });
        complete = Some(Complete {
            from: before.from.max(replayed.sure_from.minute()),
            series: before.series + 1,
            young: before.young + usize::from(replayed.young),
        });
        found.extend(replayed.drops.into_iter().map(|drop| CsvFinding {
            series: series.name.clone(),
            drop,
        }));
    }
    found.sort_by(|a, b| (a.drop.detected, &a.series).cmp(&(b.drop.detected, &b.series)));
    print(&found, format)?;
    output::talk(&Completeness::new(complete).words());
    // A series that is too young never pages alone.
    let alarm = found.iter().any(|finding| !finding.drop.provisional);
    Ok(if alarm { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn print(found: &[CsvFinding], format: Format) -> Result<()> {
    if format != Format::Json {
        output::table(&table(found), &["onset", "detected", "ended"], format)?;
        return Ok(());
    }
    output::array(found.iter().map(findings::json))?;
    Ok(())
}

fn table(found: &[CsvFinding]) -> Table {
    let text = |of: &dyn Fn(&CsvFinding) -> Option<String>| Values::Text(found.iter().map(of).collect());
    let time = |of: &dyn Fn(&CsvFinding) -> Option<i64>| {
        Values::Int(
            found
                .iter()
                .map(|f| of(f).map(|seconds| seconds.saturating_mul(1_000)))
                .collect(),
        )
    };
    let number = |of: &dyn Fn(&CsvFinding) -> f64| Values::Float(found.iter().map(|f| Some(of(f))).collect());
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
