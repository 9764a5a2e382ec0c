//! `mailpulse incident`: what an outage did to each service, as data or as an incident page.

pub mod html;

use super::output;
use crate::analysis::incident::{Asked, judge, report};
use crate::cli::detect::RuleArgs;
use crate::cli::window::WindowArgs;
use crate::clock::now_ms;
use crate::setup::Setup;
use crate::setup::detection::{kept, options};
use anyhow::Result;
use std::process::ExitCode;

/// Arguments of `incident`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code 1 if mail was lost or delayed.")]
pub struct IncidentArgs {
    #[command(flatten)]
    window: WindowArgs,
    /// An alarm instead of a window: its ID from `alarms`, `detect`, or a notification, such as
    /// relay/mx1001/2018-06-06T18:55:00Z, or its number in `detect --format json`
    #[arg(long, value_name = "ID", conflicts_with_all = ["since", "until"])]
    alarm: Option<String>,
    #[command(flatten)]
    rules: RuleArgs,
    /// Output format
    #[arg(long, value_enum, default_value = "markdown")]
    format: Form,
}

/// Forms of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// Data
    Json,
    /// An incident page
    Markdown,
    /// A page with graphs, in one file
    Html,
}

/// Judges and tells. Exit code 1 if mail was lost or delayed, or is missing so far.
pub fn run(setup: &Setup, args: &IncidentArgs) -> Result<ExitCode> {
    let config = setup.config()?;
    let engine = setup.engine(&config)?;
    let store = engine.history();
    let asked = match &args.alarm {
        Some(id) => Asked::Alarm(id.clone()),
        None => Asked::Window(args.window.resolve(store)?),
    };
    let (kept, options) = (kept(&config), options(&config, &args.rules.overrides()?));
    let incident = judge(store, &kept, options.clone(), asked, now_ms())?;
    match args.format {
        Form::Json => output::json(&report::json(&incident))?,
        Form::Markdown => output::line(report::markdown(&incident).trim_end())?,
        Form::Html => output::line(&html::html(&incident, store, &kept, options)?)?,
    }
    output::talk(&incident.complete.words());
    let hurt = report::hurt(&incident).count();
    Ok(if hurt > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
