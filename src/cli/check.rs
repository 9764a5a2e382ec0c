//! `mailpulse check`: is the configuration right, and are the logs there?

use super::context::{Context, listed};
use super::output;
use crate::config::Config;
use crate::source::Limits;
use anyhow::{Result, bail};
use std::process::ExitCode;

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {}

/// Checks.
pub fn run(context: &Context, _args: &CheckArgs) -> Result<ExitCode> {
    let Some(path) = context.config_path() else {
        bail!("no configuration: name one with --config, or let `mailpulse init` write one");
    };
    let config = match Config::load(&path) {
        Ok(config) => config,
        Err(errors) => {
            eprintln!("{}", super::safe_lines(&listed(&errors)));
            return Ok(ExitCode::from(2));
        }
    };
    let plan = context.plan(&config, &[], None, None, &Limits::default())?;
    for file in &config.files {
        output::line(&format!("{}: good", file.display()))?;
    }
    output::line(&format!(
        "{} sources, {} services, {} hostgroups, store {}",
        config.sources.len(),
        config.services.names().len(),
        config.hostgroups.names().len(),
        config.store.folder.display()
    ))?;
    for job in &plan.jobs {
        let files: usize = job.families.iter().map(|(_, family)| family.files.len()).sum();
        if files > 0 || job.journals.is_empty() {
            output::line(&format!("{} ({}): {files} files", job.host, job.kind))?;
        }
        for (_, journal) in &job.journals {
            output::line(&format!("{} ({}): {}", job.host, job.kind, journal.name().display()))?;
        }
    }
    for source in &config.sources {
        for glob in &source.paths {
            if !plan.files().any(|file| glob.matches(&file.path)) {
                eprintln!("warning: no file matches {}", super::safe_lines(glob.as_str()));
            }
        }
    }
    for problem in &plan.problems {
        eprintln!("warning: {}", super::safe_lines(problem));
    }
    Ok(ExitCode::SUCCESS)
}
