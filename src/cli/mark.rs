//! `mailpulse mark`: what somebody did, for graphs and the timeline of incidents.

use super::output::{self, Format};
use crate::clock::now_ms;
use crate::config::Config;
use crate::model::time::{End, rfc3339};
use crate::planned::{PlannedList, TEXT_MAX, WorkMark, checked};
use crate::query::rates::By;
use crate::setup::Setup;
use crate::setup::known_names;
use crate::setup::planned::{change, entries, marks_path};
use crate::store::columnar::{Table, Values};
use anyhow::{Result, anyhow};
use std::io;
use std::process::ExitCode;

/// Arguments of `mark`.
#[derive(Debug, clap::Args)]
pub(super) struct MarkArgs {
    /// What was done, such as "gerrit 3.12 deployed"
    #[arg(value_name = "TEXT", required_unless_present_any = ["list", "remove"])]
    text: Option<String>,
    /// When: 2018-06-06T18:00Z, "2018-06-06 18:00" (UTC), -10m
    #[arg(long, allow_hyphen_values = true, value_name = "TIME", default_value = "now")]
    at: String,
    /// The service that it concerns [default: all]
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// List the marks
    #[arg(long, conflicts_with_all = ["text", "at", "service", "remove"])]
    list: bool,
    /// Remove a mark by its ID
    #[arg(long, value_name = "ID", conflicts_with_all = ["text", "at", "service"])]
    remove: Option<String>,
    /// Output format of --list
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Marks, lists or removes.
pub(super) fn run(setup: &Setup, args: &MarkArgs) -> Result<ExitCode> {
    let config = setup.config()?;
    match (&args.text, &args.remove) {
        (Some(text), _) => add(setup, &config, args, text)?,
        (None, Some(id)) => remove(&config, id)?,
        (None, None) => list(&config, args.format)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn add(setup: &Setup, config: &Config, args: &MarkArgs, text: &str) -> Result<()> {
    let now = now_ms();
    let text = checked(text, TEXT_MAX).map_err(|why| anyhow!("the text {why}"))?;
    let at_ms = End::clock(now).parse(&args.at).map_err(|why| anyhow!("--at: {why}"))?;
    if let Some(service) = &args.service {
        let engine = setup.engine(config)?;
        known_names::check(
            engine.history(),
            config,
            By::Service,
            "--service",
            std::slice::from_ref(service),
        )?;
    }
    let mark = WorkMark {
        id: 0,
        at_ms,
        text: text.clone(),
        service: args.service.clone(),
    };
    let id = change(&marks_path(config), |list: &mut PlannedList<WorkMark>| {
        list.add(mark, now)
    })?;
    output::line(&format!("m{id}: {} {text}", rfc3339(at_ms)))?;
    Ok(())
}

fn remove(config: &Config, id: &str) -> Result<()> {
    let number = id.strip_prefix('m').unwrap_or(id).parse::<u64>().ok();
    let removed = change(&marks_path(config), |list: &mut PlannedList<WorkMark>| {
        match list.entries.iter().position(|one| Some(one.id) == number) {
            Some(at) => Ok(list.entries.remove(at)),
            None => {
                let what = format!(
                    "there is no mark {}; `mailpulse mark --list` shows them",
                    id.escape_debug()
                );
                Err(io::Error::new(io::ErrorKind::NotFound, what))
            }
        }
    })?;
    output::line(&format!("m{} is removed: {}", removed.id, removed.text))?;
    Ok(())
}

fn list(config: &Config, format: Format) -> Result<()> {
    let mut marks = entries::<WorkMark>(&marks_path(config))?.entries;
    marks.sort_by_key(|mark| (mark.at_ms, mark.id));
    let text = |say: &dyn Fn(&WorkMark) -> Option<String>| Values::Text(marks.iter().map(say).collect());
    let table = Table::of([
        ("id", text(&|mark| Some(format!("m{}", mark.id)))),
        (
            "at",
            Values::Int(marks.iter().map(|mark| Some(mark.at_ms.get())).collect()),
        ),
        ("service", text(&|mark| mark.service.clone())),
        ("text", text(&|mark| Some(mark.text.clone()))),
    ]);
    output::table(&table, &["at"], format)?;
    Ok(())
}
