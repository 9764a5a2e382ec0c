//! `mailpulse check`: is the configuration right, are the logs there, and do both fit?

use super::output;
use crate::config::Config;
use crate::model::human::counted;
use crate::setup::alerts::kept_path;
use crate::setup::check::{blind, past_schedules, problems};
use crate::setup::plan::{Plan, UnnamedArgs, plan};
use crate::setup::{Setup, listed};
use crate::source::Limits;
use anyhow::{Result, bail};
use std::process::ExitCode;

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub(super) struct CheckArgs {}

/// Checks.
pub(super) fn run(setup: &Setup, _args: &CheckArgs) -> Result<ExitCode> {
    let Some(path) = setup.config_path() else {
        bail!("no configuration: name one with --config, or write one with `mailpulse init`");
    };
    let config = match Config::load(&path) {
        Ok(config) => config,
        Err(errors) => {
            output::talk(&listed(&errors));
            return Ok(ExitCode::from(2));
        }
    };
    let limits = Limits::default();
    let plan = plan(&config, &[], &UnnamedArgs::default(), &limits)?;
    describe(&config, &plan)?;
    if let Some(blind) = blind(setup, &config) {
        output::line(&blind)?;
    }
    let past = past_schedules(setup, &config);
    for line in &past.lines {
        output::line(line)?;
    }
    for warning in &past.warnings {
        output::talk(&format!("warning: {warning}"));
    }
    let problems = problems(setup, &config, &plan, &limits);
    for warning in &problems.warnings {
        output::talk(&format!("warning: {}", warning.words));
    }
    for error in &problems.errors {
        output::talk(error);
    }
    Ok(match problems.errors.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(2),
    })
}

/// Prints what is configured, and which files each source has.
fn describe(config: &Config, plan: &Plan) -> Result<()> {
    for file in &config.files {
        output::line(&format!("{}: good", file.display()))?;
    }
    output::line(&format!(
        "{}, {}, {}, store {}",
        counted(config.sources.len() as u64, "source"),
        counted(config.services.names().len() as u64, "service"),
        counted(config.hostgroups.names().len() as u64, "hostgroup"),
        config.store.folder.display()
    ))?;
    output::line(unnamed(config))?;
    if let Some(place) = &config.store.remote {
        output::line(&format!(
            "`watch` of {}: its state is in {}. A second `watch` of this ClickHouse needs {} `owner` in [detect], and sends \
             every alarm again",
            place.host,
            kept_path(config).display(),
            if config.detect.owner.is_some() { "another" } else { "an" },
        ))?;
    }
    for job in &plan.jobs {
        let files: usize = job.families.iter().map(|(_, family)| family.files.len()).sum();
        if files > 0 || job.journals.is_empty() {
            let files = counted(files as u64, "file");
            output::line(&format!("{} ({}): {files}", job.host, job.kind))?;
        }
        for (_, journal) in &job.journals {
            output::line(&format!("{} ({}): {}", job.host, job.kind, journal.name().display()))?;
        }
    }
    Ok(())
}

/// What becomes of mail that no rule names, and how to change it where nobody has said.
fn unnamed(config: &Config) -> &'static str {
    match (config.store.derive, config.services.is_empty()) {
        (Some(true), _) => {
            "mail that matches no [[service]]: a service derived from its sender or client (`derive = true`)"
        }
        (Some(false), _) => "mail that matches no [[service]]: `unattributed` (`derive = false`)",
        (None, false) => {
            "mail that matches no [[service]]: `unattributed`, because there are rules and [store] does not set `derive`. With \
             `derive = true`, it gets a service derived from its sender or client, as without rules; `derive = \
             false` states that this is intended"
        }
        (None, true) => {
            "mail: services derived from senders and clients, because there is no [[service]]. With the first [[service]], mail \
             that matches none is `unattributed`, unless [store] has `derive = true`"
        }
    }
}
