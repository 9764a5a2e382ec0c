//! `mailpulse incident`: what an outage did to each service, as data or as an incident page.

pub(super) mod html;

use super::output::{self, Format};
use crate::analysis::incident::messages::{self, lost_messages};
use crate::analysis::incident::{Asked, Incident, judge, report};
use crate::cli::detect::RuleArgs;
use crate::cli::direction::DirectionArgs;
use crate::cli::window::WindowArgs;
use crate::clock::now_ms;
use crate::query::history::MailHistory;
use crate::query::viewed::ViewedHistory;
use crate::setup::Setup;
use crate::setup::detection::{kept, options};
use crate::setup::planned::planned;
use anyhow::Result;
use std::process::ExitCode;

/// Arguments of `incident`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code 1 if mail was lost or delayed.")]
pub(super) struct IncidentArgs {
    #[command(flatten)]
    window: WindowArgs,
    /// An alarm instead of a window: its ID from `alarms`, `detect`, or a notification, such as
    /// relay/mx1001/2018-06-06T18:55:00Z, or its number in `detect --format json`
    #[arg(long, value_name = "ID", conflicts_with_all = ["since", "until"])]
    alarm: Option<String>,
    #[command(flatten)]
    rules: RuleArgs,
    #[command(flatten)]
    direction: DirectionArgs,
    /// Output format
    #[arg(long, value_enum, default_value = "markdown")]
    format: Form,
    /// List the messages to send again instead: those that bounced, expired, were discarded, or could not be handed in
    #[arg(long, value_name = "FORMAT", value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "table",
          conflicts_with = "format")]
    messages: Option<MessagesForm>,
    /// With --messages: list at most this many rows, the oldest
    #[arg(long, value_name = "N", default_value_t = 1000, requires = "messages", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
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

/// Forms of the list of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum MessagesForm {
    /// Aligned columns
    Table,
    /// An array of objects
    Json,
    /// Comma-separated values with a header
    Csv,
    /// A table for an incident page
    Markdown,
}

/// Judges and tells. Exit code 1 if mail was lost or delayed, or is missing so far.
pub(super) fn run(setup: &Setup, args: &IncidentArgs) -> Result<ExitCode> {
    let config = setup.config()?;
    let engine = setup.engine(&config)?;
    let store = &ViewedHistory {
        inner: engine.history(),
        view: args.direction.view,
    };
    let asked = match &args.alarm {
        Some(id) => Asked::Alarm(id.clone()),
        None => Asked::Window(args.window.resolve(store)?),
    };
    let (kept, options) = (kept(&config), options(&config, &args.rules.overrides()?));
    let mut incident = judge(store, &kept, options.clone(), asked, now_ms())?;
    incident.planned = planned(&config)?;
    if let Some(format) = args.messages {
        list_messages(store, &incident, format, args.limit as usize)?;
    }
    match args.format {
        _ if args.messages.is_some() => {}
        Form::Json => output::json(&report::json(&incident))?,
        Form::Markdown => output::line(report::markdown(&incident).trim_end())?,
        Form::Html => output::line(&html::html(&incident, store, &kept, options)?)?,
    }
    output::talk(&incident.complete.words());
    let hurt = report::hurt(&incident).count();
    Ok(if hurt > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Lists the messages to send again.
fn list_messages(store: &dyn MailHistory, incident: &Incident, form: MessagesForm, limit: usize) -> Result<()> {
    let lost = lost_messages(store, incident, limit)?;
    let as_table = |format| output::raw_table(&messages::table(&lost.all), &["ts"], format);
    match form {
        MessagesForm::Table => as_table(Format::Table)?,
        MessagesForm::Json => as_table(Format::Json)?,
        MessagesForm::Csv => as_table(Format::Csv)?,
        MessagesForm::Markdown => output::line(messages::markdown(&lost.all).trim_end())?,
    }
    if lost.is_cut {
        output::talk(&format!(
            "only the first {limit} rows were looked at: a larger --limit shows more"
        ));
    }
    Ok(())
}
