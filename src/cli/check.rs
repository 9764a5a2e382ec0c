//! `mailpulse check`: is the configuration right, are the logs there, and do both fit?

mod files;
mod survey;

use super::output;
use super::routes::{WEEK_MS, short};
use crate::analysis::routes::{Route, routes};
use crate::clock::now_ms;
use crate::config::Config;
use crate::model::human::counted;
use crate::query::Window;
use crate::query::history::present;
use crate::setup::plan::{UnnamedArgs, plan};
use crate::setup::{Setup, listed};
use crate::source::Limits;
use anyhow::{Result, bail};
use std::process::ExitCode;

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {}

/// Checks.
pub fn run(setup: &Setup, _args: &CheckArgs) -> Result<ExitCode> {
    let Some(path) = setup.config_path() else {
        bail!("no configuration: name one with --config, or let `mailpulse init` write one");
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
    output::line(unnamed(&config))?;
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
    for warning in &config.warnings {
        warn(&warning.to_string());
    }
    if config.sources.is_empty() && config.store.remote.is_none() {
        warn(
            "no [[source]] is configured: `tail` has nothing to follow, and `backfill` reads only what it is given; \
             `mailpulse init` writes the sources of this machine",
        );
    }
    // What is wrong with a path is told once, with the place where it is written.
    let mut problems = plan.problems.clone();
    for source in &config.sources {
        for glob in &source.paths {
            if plan.files().any(|file| glob.matches(&file.path)) {
                continue;
            }
            let named = format!("{:?}: ", glob.as_str());
            let why = problems.iter().position(|problem| problem.starts_with(&named));
            match why.map(|at| problems.remove(at)) {
                Some(why) => warn(&format!("{}: {why}", source.place)),
                None => warn(&format!("{}: no file matches {}", source.place, glob.as_str())),
            }
        }
        let files = plan
            .files()
            .map(|file| file.path.as_path())
            // Of two sources that name a file, the first reads it.
            .filter(|path| config.source_of(path).is_some_and(|owner| std::ptr::eq(owner, source)));
        for warning in survey::of(source, files, &limits) {
            warn(&warning);
        }
    }
    for problem in &problems {
        warn(problem);
    }
    for service in redundancy(setup, &config) {
        warn(&service);
    }
    let found = files::check(setup, &config);
    found.warnings.iter().for_each(|warning| warn(warning));
    let mut errors: Vec<String> = config.faults.iter().map(ToString::to_string).collect();
    errors.extend(found.errors);
    for error in &errors {
        output::talk(error);
    }
    Ok(match errors.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(2),
    })
}

/// What becomes of mail that no rule names, and how to change it where nobody has said.
fn unnamed(config: &Config) -> &'static str {
    match (config.store.derive, config.services.is_empty()) {
        (Some(true), _) => {
            "mail that no [[service]] names: a service derived from its sender or client (`derive = true`)"
        }
        (Some(false), _) => "mail that no [[service]] names: `unattributed` (`derive = false`)",
        (None, false) => {
            "mail that no [[service]] names: `unattributed`, because there are rules and [store] does not set `derive`. With \
             `derive = true` it gets a service derived from its sender or client, as without rules; `derive = false` says that \
             this is meant"
        }
        (None, true) => {
            "mail: services derived from senders and clients, because there is no [[service]]. From the first one on what none \
             names is `unattributed`, unless [store] has `derive = true`"
        }
    }
}

/// Services that have fewer relays than somebody wrote they should, by the last week that is stored.
fn redundancy(setup: &Setup, config: &Config) -> Vec<String> {
    // Without a store nothing is known yet; one that does not open is told by the commands that need it.
    let Ok(store) = setup.open_store(config) else {
        return Vec::new();
    };
    let present = present(&store, now_ms()).unwrap_or(i64::MAX);
    let Ok(Some((_, newest))) = store.coverage().span_until(present) else {
        return Vec::new();
    };
    let window = Window {
        since_ms: newest - WEEK_MS,
        until_ms: newest + 1,
    };
    let written = |route: &Route| config.redundancy.of_service(&route.service).place.is_some();
    let routes: Vec<Route> = routes(&store, window)
        .unwrap_or_default()
        .into_iter()
        .filter(written)
        .collect();
    short(&routes, &config.redundancy)
}

fn warn(text: &str) {
    output::talk(&format!("warning: {text}"));
}
