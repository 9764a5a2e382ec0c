//! `mailpulse status`: what has been read, what did not parse, how large the store is.

use super::context::Context;
use super::output::{self, Format};
use crate::alert::state::{FILE, State};
use crate::query::time::rfc3339;
use crate::store::Store;
use crate::store::columnar::{Table, Values};
use crate::store::state::SourceState;
use anyhow::{Context as _, Result};
use std::process::ExitCode;

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    /// One line and exit codes as Nagios wants them: 0 ok, 1 warning, 2 critical, 3 unknown
    #[arg(long)]
    nagios: bool,
    /// Form of the answer
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Unparsed lines of a source above this share are worth a warning.
const UNPARSED_SHARE_MAX: f64 = 0.01;

/// Tells.
pub fn run(context: &Context, args: &StatusArgs) -> Result<ExitCode> {
    if args.nagios {
        return nagios(context);
    }
    let store = context.open_store()?;
    let sources = store.sources()?;
    output::table(&table(&sources), &["first", "last"], args.format)?;
    if args.format == Format::Table {
        talk(&store, &sources)?;
    }
    Ok(ExitCode::SUCCESS)
}

struct Sums {
    lines: u64,
    events: u64,
    ignored: u64,
    unparsed: u64,
    first_ms: Option<i64>,
    last_ms: Option<i64>,
    damaged: u64,
}

fn sums(source: &SourceState) -> Sums {
    let sum = |pick: fn(&crate::store::commit::Counts) -> u64| source.logs.iter().map(|log| pick(&log.counts)).sum();
    Sums {
        lines: sum(|c| c.lines),
        events: sum(|c| c.events),
        ignored: sum(|c| c.ignored),
        unparsed: sum(|c| c.unparsed),
        first_ms: source
            .logs
            .iter()
            .filter_map(|log| log.span_ms)
            .map(|span| span.0)
            .min(),
        last_ms: source
            .logs
            .iter()
            .filter_map(|log| log.span_ms)
            .map(|span| span.1)
            .max(),
        damaged: source.logs.iter().filter(|log| log.damaged.is_some()).count() as u64,
    }
}

fn table(sources: &[SourceState]) -> Table {
    let sums: Vec<Sums> = sources.iter().map(sums).collect();
    let int = |pick: &dyn Fn(&Sums) -> u64| Values::Int(sums.iter().map(|s| Some(pick(s) as i64)).collect());
    let text =
        |pick: fn(&SourceState) -> &String| Values::Text(sources.iter().map(|s| Some(pick(s).clone())).collect());
    let columns = [
        ("host", text(|source| &source.host)),
        ("source", text(|source| &source.kind)),
        (
            "logs",
            Values::Int(sources.iter().map(|source| Some(source.logs.len() as i64)).collect()),
        ),
        ("first", Values::Int(sums.iter().map(|s| s.first_ms).collect())),
        ("last", Values::Int(sums.iter().map(|s| s.last_ms).collect())),
        ("lines", int(&|s| s.lines)),
        ("events", int(&|s| s.events)),
        ("ignored", int(&|s| s.ignored)),
        ("unparsed", int(&|s| s.unparsed)),
        ("damaged_logs", int(&|s| s.damaged)),
        (
            "open_messages",
            Values::Int(sources.iter().map(|source| Some(source.open_messages as i64)).collect()),
        ),
    ];
    Table::of(columns)
}

fn talk(store: &Store, sources: &[SourceState]) -> Result<()> {
    let segments = store.segments(i64::MIN, i64::MAX)?;
    let (rows, bytes) = segments.iter().fold((0, 0), |(rows, bytes), segment| {
        (rows + segment.rows, bytes + segment.events_bytes + segment.rates_bytes)
    });
    output::line("")?;
    for alarm in &alerts(store)?.firing {
        output::line(&format!("firing: {}", super::safe_lines(&alarm.summary)))?;
    }
    output::line(&format!(
        "store {}: {rows} events in {} segments, {:.1} MB",
        store.path().display(),
        segments.len(),
        bytes as f64 / 1e6
    ))?;
    if let Some((first, last)) = store.span()? {
        output::line(&format!("events from {} to {}", rfc3339(first), rfc3339(last)))?;
    }
    for source in sources {
        for log in source.logs.iter().filter(|log| log.damaged.is_some()) {
            output::line(&format!("damaged: {}", log.damaged.as_deref().unwrap_or_default()))?;
        }
        for shape in store.unparsed(source.id, 5)? {
            output::line(&format!(
                "unparsed on {}: {} x `{}` ({})",
                source.host, shape.count, shape.sample, shape.why
            ))?;
        }
    }
    Ok(())
}

/// What `watch` left.
fn alerts(store: &Store) -> Result<State> {
    let path = store.path().join(FILE);
    State::load(&path).with_context(|| path.display().to_string())
}

fn nagios(context: &Context) -> Result<ExitCode> {
    let store = match context.open_store() {
        Ok(store) => store,
        Err(error) => {
            output::line(&format!("MAILPULSE UNKNOWN - {}", super::safe_error(&error)))?;
            return Ok(ExitCode::from(3));
        }
    };
    let sources = store.sources()?;
    let all: Vec<Sums> = sources.iter().map(sums).collect();
    let sum = |pick: fn(&Sums) -> u64| all.iter().map(pick).sum::<u64>();
    let (lines, unparsed, damaged) = (sum(|s| s.lines), sum(|s| s.unparsed), sum(|s| s.damaged));
    let numbers = format!(
        "{} sources, {lines} lines, {unparsed} unparsed | lines={lines}c unparsed={unparsed}c damaged={damaged}",
        all.len()
    );
    let share = unparsed as f64 / lines.max(1) as f64;
    let firing = alerts(&store)?.firing;
    let alarms: Vec<String> = firing
        .iter()
        .map(|alarm| {
            super::safe_lines(&format!("{} {} {}", alarm.kind, alarm.name, alarm.state)).replace(['|', '\n'], "?")
        })
        .collect();
    let critical = format!("{}, ", alarms.join(", "));
    let (word, why, code) = match () {
        () if !firing.is_empty() => ("CRITICAL", critical.as_str(), 2),
        () if all.is_empty() => ("UNKNOWN", "nothing has been read yet, ", 3),
        () if share > UNPARSED_SHARE_MAX => ("WARNING", "many lines do not parse, ", 1),
        () if damaged > 0 => ("WARNING", "a log is damaged, ", 1),
        () => ("OK", "", 0),
    };
    output::line(&format!("MAILPULSE {word} - {why}{numbers}"))?;
    Ok(ExitCode::from(code))
}
