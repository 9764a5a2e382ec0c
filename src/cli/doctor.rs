//! `mailpulse doctor`: is something wrong with this installation, and what is to be done first?

use super::next::next_command;
use super::output::{self, Format};
use crate::clock::now_ms;
use crate::config::DEFAULT_PATH;
use crate::model::human::{ago, counted};
use crate::model::time::{DAY_MS, UtcMs, parse_duration_ms};
use crate::setup::Setup;
use crate::setup::doctor::{DoctorOptions, Examination, Finding, NextStep, examine};
use crate::store::columnar::{Table, Values};
use anyhow::{Result, anyhow};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Where systemd runs; sd_booted(3).
const SYSTEMD: &str = "/run/systemd/system";

/// Arguments of `doctor`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Looks at configuration, permissions, freshness, parsing, clocks, store, and alert channels, in this order, and changes\n\
nothing. The first line is the fault to repair first. Exit codes: 0 nothing is wrong, 1 something is.")]
pub(super) struct DoctorArgs {
    /// User of the daemons, whose permissions are tried; only root can [default: that of mailpulse.service, or mailpulse]
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Age of the last line from which a source is `stale`
    #[arg(long, value_name = "TIME", default_value = "24h")]
    stale_after: String,
    /// Free space below which the store's disk is nearly full [default: a twentieth of the disk, at most 16384]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(..=1 << 40))]
    free_mib_min: Option<u64>,
    /// Output format
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Looks.
pub(super) fn run(setup: &Setup, args: &DoctorArgs) -> Result<ExitCode> {
    let options = DoctorOptions {
        user: args.user.clone(),
        stale_ms: parse_duration_ms(&args.stale_after).map_err(|why| anyhow!("--stale-after: {why}"))?,
        free_bytes_min: args.free_mib_min.map(|mib| mib << 20),
        now_ms: now_ms(),
    };
    let found = examine(setup, &options);
    match args.format {
        Format::Json => output::json(&json_of(setup, &found))?,
        Format::Csv => output::table(&table(setup, &found.findings), &[], Format::Csv)?,
        Format::Table => print(setup, &found, options.now_ms)?,
    }
    // What answers lack is among the findings already.
    setup.incomplete.clear();
    Ok(match found.findings.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(1),
    })
}

fn print(setup: &Setup, found: &Examination, now_ms: UtcMs) -> Result<()> {
    let Some((first, others)) = found.findings.split_first() else {
        output::line(&healthy(found, now_ms))?;
        return Ok(());
    };
    output::line(&format!("{}: {}", first.area.as_str(), first.what))?;
    output::line(&format!("next: {}", next(setup, first)))?;
    if others.is_empty() {
        return Ok(());
    }
    output::line(&format!("\n{} more:", counted(others.len() as u64, "fault")))?;
    for finding in others {
        output::line(&format!("  {}: {}", finding.area.as_str(), finding.what))?;
        output::line(&format!("    next: {}", next(setup, finding)))?;
    }
    Ok(())
}

/// One line that says what was found to be right.
fn healthy(found: &Examination, now_ms: UtcMs) -> String {
    let mut words = format!("nothing is wrong: {}", counted(found.sources as u64, "source"));
    if let Some(newest) = found.newest_ms {
        words += &format!(", newest line {}", ago((now_ms - newest).clamp(0, 10_000 * DAY_MS)));
    }
    if let Some(judged) = found.judged_ms {
        words += &format!("; judged until {}", ago((now_ms - judged).clamp(0, 10_000 * DAY_MS)));
    }
    words
        + &match found.channels {
            0 => "; no [[alert]]: alarms are shown, and sent to nobody".to_owned(),
            channels => format!("; {}", counted(channels as u64, "alert channel")),
        }
}

fn next(setup: &Setup, finding: &Finding) -> String {
    match &finding.next {
        NextStep::Command(command) => next_command(setup, command),
        NextStep::Start => start(setup, Path::new(SYSTEMD).exists()),
        NextStep::Words(words) => words.clone(),
    }
}

/// The packaged service is for the usual configuration, on a machine with systemd.
fn start(setup: &Setup, has_systemd: bool) -> String {
    let is_usual = |path: &PathBuf| path == Path::new(DEFAULT_PATH);
    match has_systemd && setup.store.is_none() && setup.config.as_ref().is_none_or(is_usual) {
        true => "systemctl enable --now mailpulse".to_owned(),
        false => next_command(setup, "run"),
    }
}

fn json_of(setup: &Setup, found: &Examination) -> Value {
    let findings = found.findings.iter().map(|finding| {
        json!({
            "area": finding.area.as_str(),
            "id": finding.id,
            "what": finding.what,
            "next": next(setup, finding),
        })
    });
    json!({ "ok": found.findings.is_empty(), "findings": findings.collect::<Vec<Value>>() })
}

fn table(setup: &Setup, findings: &[Finding]) -> Table {
    let text = |pick: &dyn Fn(&Finding) -> String| Values::Text(findings.iter().map(|one| Some(pick(one))).collect());
    Table::of([
        ("area", text(&|one| one.area.as_str().to_owned())),
        ("id", text(&|one| one.id.to_owned())),
        ("what", text(&|one| one.what.clone())),
        ("next", text(&|one| next(setup, one))),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_is_started_as_it_is_started_there() {
        let with = |config: Option<&str>| Setup {
            config: config.map(PathBuf::from),
            ..Setup::default()
        };
        assert_eq!(start(&with(None), true), "systemctl enable --now mailpulse");
        assert_eq!(
            start(&with(Some(DEFAULT_PATH)), true),
            "systemctl enable --now mailpulse"
        );
        assert_eq!(
            start(&with(Some("mailpulse.toml")), true),
            "mailpulse --config mailpulse.toml run"
        );
        assert_eq!(start(&with(None), false), "mailpulse run");
    }
}
