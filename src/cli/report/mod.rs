//! `mailpulse report`: what a day was like, in one file for people who were not there.

mod data;
mod page;
mod sections;

use super::output;
use crate::analysis::expected::{Picture, draw};
use crate::analysis::planned_work::graph_marks;
use crate::analysis::present::end_of;
use crate::analysis::report::{MailReport, ReportQuestion, mail_report};
use crate::cli::direction::DirectionArgs;
use crate::cli::window::WindowArgs;
use crate::clock::now_ms;
use crate::config::Config;
use crate::model::time::{DAY_MS, MINUTE_MS, UtcMs};
use crate::planned::Planned;
use crate::query::Window;
use crate::query::history::MailHistory;
use crate::query::rates::RateQuestion;
use crate::query::viewed::ViewedHistory;
use crate::setup::Setup;
use crate::setup::detection::{Overrides, kept, options};
use crate::setup::planned::planned;
use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Longest time of a report.
const DAYS_MAX: i64 = 100;

/// Arguments of `report`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code 1 if there were alarms.")]
pub(super) struct ReportArgs {
    /// Whole days before the end of time, in UTC, instead of a window [default: 1 if there is
    /// neither --since nor --until]
    #[arg(long, value_name = "N", conflicts_with_all = ["since", "until"], value_parser = clap::value_parser!(u32).range(1..=100))]
    days: Option<u32>,
    #[command(flatten)]
    window: WindowArgs,
    #[command(flatten)]
    direction: DirectionArgs,
    /// File to write, .html, .md, or .json [default: print]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Output format [default: that of --out, otherwise markdown]
    #[arg(long, value_enum)]
    format: Option<ReportForm>,
}

/// Forms of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ReportForm {
    /// A page with a graph, in one file
    Html,
    /// The same without a graph
    Markdown,
    /// Data
    Json,
}

/// Makes it. Exit code 1 if there were alarms.
pub(super) fn run(setup: &Setup, args: &ReportArgs) -> Result<ExitCode> {
    let form = form(args)?;
    let config = setup.config()?;
    let engine = setup.engine(&config)?;
    let store = &ViewedHistory {
        inner: engine.history(),
        view: args.direction.view,
    };
    let end_ms = end_of(store, now_ms())?.at_ms;
    let window = match args.window.is_given() {
        true => args.window.resolve(store)?,
        false => whole_days(end_ms, args.days.unwrap_or(1)),
    };
    let question = ReportQuestion {
        window: in_minutes(window)?,
        end_ms,
    };
    let planned = planned(&config)?;
    let options = options(&config, &Overrides::default());
    let report = mail_report(store, &kept(&config), options, question, &planned)?;
    let text = match form {
        ReportForm::Html => html(&report, store, &config, &planned)?,
        ReportForm::Markdown => page::markdown(&report),
        ReportForm::Json => format!("{}\n", output::compact(&data::json(&report))),
    };
    match (&args.out, form) {
        (Some(path), _) => std::fs::write(path, text).with_context(|| path.display().to_string())?,
        (None, ReportForm::Json) => output::json(&data::json(&report))?,
        (None, _) => output::line(text.trim_end())?,
    }
    Ok(match report.alarms.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn form(args: &ReportArgs) -> Result<ReportForm> {
    let end = |path: &Path| path.extension().and_then(|end| end.to_str().map(str::to_lowercase));
    Ok(match (args.format, &args.out) {
        (Some(form), _) => form,
        (None, None) => ReportForm::Markdown,
        (None, Some(path)) => match end(path).as_deref() {
            Some("html" | "htm") => ReportForm::Html,
            Some("md" | "markdown") => ReportForm::Markdown,
            Some("json") => ReportForm::Json,
            _ => bail!("--out {}: write .html, .md, or .json, or add --format", path.display()),
        },
    })
}

/// So many whole days in UTC, the last of which is over.
fn whole_days(end_ms: UtcMs, days: u32) -> Window {
    let until_ms = end_ms.floor_to(DAY_MS);
    Window {
        since_ms: until_ms - i64::from(days) * DAY_MS,
        until_ms,
    }
}

/// The minutes that a window touches.
fn in_minutes(window: Window) -> Result<Window> {
    let since_ms = window.since_ms.floor_to(MINUTE_MS);
    let until_ms = (window.until_ms + MINUTE_MS - 1).floor_to(MINUTE_MS);
    if until_ms - since_ms > DAYS_MAX * DAY_MS {
        bail!("a report is of {DAYS_MAX} days at most; choose a later --since");
    }
    Ok(Window { since_ms, until_ms })
}

/// A bucket with which the window has some 100 of them: the file stays small.
fn bucket_ms(window: Window) -> i64 {
    super::graph::bucket_ms(Window {
        until_ms: window.since_ms + 3 * (window.until_ms - window.since_ms),
        ..window
    })
}

/// The page, with what was expected and the alarms in its graph.
fn html(report: &MailReport, store: &dyn MailHistory, config: &Config, planned: &Planned) -> Result<String> {
    let question = RateQuestion {
        window: report.window,
        step_ms: bucket_ms(report.window),
        only: page::drawn(report),
        ..report.rates_question.clone()
    };
    if question.only.is_empty() {
        return Ok(page::html(report, &report.rates, &[]));
    }
    let mut set = store.rates(&question)?;
    let picture = Picture {
        question: &question,
        set: &mut set,
    };
    let options = options(config, &Overrides::default());
    let mut marks = draw(store, &kept(config), options, picture, report.known_ms)?;
    let drawn: Vec<&str> = question.only.iter().map(String::as_str).collect();
    marks.extend(graph_marks(planned, &question, &drawn));
    Ok(page::html(report, &set, &marks))
}
