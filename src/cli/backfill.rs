//! `mailpulse backfill`: archives in. A second run adds nothing; a killed one goes on where it was committed.

use super::output;
use super::progress::Display;
use super::written_twice::WRITTEN_TWICE;
use crate::config::Config;
use crate::ingest::Reread;
use crate::ingest::report::SourceReport;
use crate::model::human;
use crate::model::log_kinds::KIND_NAMES;
use crate::model::time::rfc3339;
use crate::service::backfill;
use crate::setup::Setup;
use crate::setup::plan::{Plan, UnnamedArgs, plan};
use crate::source::stdin::Spool;
use crate::store::Store;
use crate::store::catalogue::Counts;
use anyhow::{Result, bail};
use mailpulse_parsers::harmless::safe_text;
use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of `backfill`.
#[derive(Debug, clap::Args)]
pub(super) struct BackfillArgs {
    /// Files, folders, or globs, or - for standard input; plain, .gz, .zst, .bz2, .xz [default: all configured sources,
    /// including the systemd journal]
    paths: Vec<PathBuf>,
    /// Host of logs that match no configured source; `from-log` takes the host that each line names [default: this host; in
    /// a log with lines of several hosts, the host that each line names]
    #[arg(long)]
    host: Option<String>,
    /// Time zone of those logs: UTC, Europe/Berlin, +02:00 [default: UTC]
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// Kind of those logs [default: detected from the content]
    #[arg(long, value_parser = KIND_NAMES)]
    kind: Option<String>,
    /// Service that those logs belong to, if an application wrote them
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// Year of those logs, if their timestamps have none [default: derived from the files' times]
    #[arg(long, value_parser = clap::value_parser!(i16).range(1970..=9999))]
    year: Option<i16>,
    /// Read logs that are in the store under another host: their mail counts twice
    #[arg(long)]
    anyway: bool,
    /// Print only the totals
    #[arg(short, long)]
    quiet: bool,
}

/// Reads.
pub(super) fn run(setup: &Setup, args: &BackfillArgs) -> Result<ExitCode> {
    let config = setup.config()?;
    let limits = setup.limits(&config);
    let mut paths = args.paths.clone();
    let mut spool = None;
    for path in paths.iter_mut().filter(|path| path.as_os_str() == "-") {
        if spool.is_none() {
            let folder = config.store.folder.join("spool");
            spool = Some(Spool::of(&mut std::io::stdin().lock(), &folder, &limits.source)?);
        }
        path.clone_from(&spool.as_ref().map(|spool| spool.path().to_owned()).unwrap_or_default());
    }
    let plan = plan(
        &config,
        &paths,
        &UnnamedArgs {
            host: args.host.as_deref(),
            zone: args.timezone.as_deref(),
            kind: args.kind.as_deref(),
            service: args.service.as_deref(),
            year: args.year,
        },
        &limits.source,
    )?;
    for problem in &plan.problems {
        output::talk(&problem.words);
    }
    if plan.jobs.is_empty() {
        if plan.problems.is_empty() {
            bail!("no logs found; name files, folders or globs, or add [[source]]s to the configuration");
        }
        return Ok(ExitCode::from(2));
    }
    let (_, reports) = read(setup, config, &plan, args.quiet, args.anyway)?;
    let failed = !plan.problems.is_empty() || reports.iter().flat_map(|r| &r.problems).any(|problem| problem.error);
    Ok(if failed { ExitCode::from(2) } else { ExitCode::SUCCESS })
}

/// Reads the logs of a plan into the store, and prints the summary.
pub(super) fn read(
    setup: &Setup,
    config: Config,
    plan: &Plan,
    quiet: bool,
    anyway: bool,
) -> Result<(Store, Vec<SourceReport>)> {
    let display = Display::new(plan.files().map(|file| file.size).sum());
    let done = backfill::read(setup, config, plan, anyway, &display);
    display.finish();
    let done = done?;
    told_again(&done.reread)?;
    print(&done.reports, &display, quiet)?;
    Ok((done.store, done.reports))
}

/// What came back of rows that the store had lost.
fn told_again(reread: &Reread) -> Result<()> {
    if *reread != Reread::default() {
        output::line(&format!(
            "read again: {} missing rows are back; {} are still missing, and {} are lost because their logs are gone",
            reread.rows, reread.missing, reread.lost
        ))?;
    }
    Ok(())
}

/// The summary: by source, lines = events + ignored + unparsed, with samples of what did not parse.
fn print(reports: &[SourceReport], display: &Display, quiet: bool) -> Result<()> {
    let mut all = Counts::default();
    for report in reports {
        all.add(&report.counts);
        for problem in &report.problems {
            let level = if problem.error { "error" } else { "note" };
            // Most problems name their file themselves.
            let path = problem.path.display().to_string();
            let named = if problem.what.contains(&path) {
                String::new()
            } else {
                format!("{path}: ")
            };
            output::talk(&format!("{level}: {named}{}", problem.what));
        }
        if let Some(words) = crate::setup::zones::warning(report.zone) {
            output::talk(&format!("warning: {} ({}): {words}", report.host, report.kind));
        }
        if !quiet {
            source(report)?;
        }
    }
    let (seconds, bytes) = display.totals();
    output::line(&format!(
        "total: {}; {} of log text in {seconds:.1} s ({}/s)",
        balance(&all),
        human::size(bytes),
        human::size((bytes as f64 / seconds.max(0.001)) as u64)
    ))?;
    Ok(())
}

/// What became of lines; it always adds up.
fn balance(counts: &Counts) -> String {
    let twice = match counts.duplicates {
        0 => String::new(),
        some => format!(" ({some} of them written twice)"),
    };
    format!(
        "{} lines = {} events + {} ignored{twice} + {} unparsed",
        counts.lines, counts.events, counts.ignored, counts.unparsed
    )
}

fn source(report: &SourceReport) -> Result<()> {
    let c = &report.counts;
    let span = report
        .span_ms
        .map(|(a, b)| format!(", {} to {}", rfc3339(a), rfc3339(b)))
        .unwrap_or_default();
    output::line(&format!(
        "{} ({}): {}; {} files read, {} known, {} empty{span}",
        safe_text(report.host.as_bytes()),
        report.kind,
        balance(c),
        report.files_read,
        report.files_known,
        report.files_empty
    ))?;
    if c.duplicates > 0 {
        output::line(&format!("  {}", WRITTEN_TWICE))?;
    }
    if report.skipped_bytes > 0 {
        output::line(&format!(
            "  left out: {} bytes in {} over-long lines and blocks of NULs",
            report.skipped_bytes, report.overlong_lines
        ))?;
    }
    for shape in report.unparsed.iter().take(5) {
        output::line(&format!("  unparsed {} x: {}", shape.count, shape.sample))?;
        output::line(&format!("    {}", safe_text(shape.why.as_bytes())))?;
    }
    if report.unparsed.len() > 5 {
        output::line(&format!(
            "  and {} more shapes; `mailpulse status` has them",
            report.unparsed.len() - 5
        ))?;
    }
    Ok(())
}
