//! `mailpulse alarms`: the last days' alarms with their ids, by a replay of the detection.

use super::output::{self, Format};
use crate::analysis::alarms::{counted, ordered};
use crate::analysis::completeness::Completeness;
use crate::analysis::present::{ReplayedHistory, replay, whole};
use crate::cli::detect::{self, RuleArgs};
use crate::cli::next::next_command;
use crate::cli::window::WindowArgs;
use crate::clock::now_ms;
use crate::detect::alarm::Alarm;
use crate::model::human;
use crate::setup::Setup;
use crate::setup::detection::{kept, options};
use crate::setup::planned::planned;
use anyhow::Result;
use std::process::ExitCode;

/// Arguments of `alarms`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code 1 if an alarm still fires at the end of the window.")]
pub(super) struct AlarmsArgs {
    #[command(flatten)]
    window: WindowArgs<7>,
    #[command(flatten)]
    rules: RuleArgs,
    /// Output format
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Lists what fired in the window, in the order of time; what is provisional comes last.
pub(super) fn run(setup: &Setup, args: &AlarmsArgs) -> Result<ExitCode> {
    let config = setup.config()?;
    let engine = setup.engine(&config)?;
    let store = engine.history();
    whole(store)?;
    let window = args.window.resolve(store)?;
    let options = options(&config, &args.rules.overrides()?);
    let ReplayedHistory { engine, names, .. } = replay(store, &kept(&config), options, window.until_ms, now_ms())?;
    // One that began before and went on is one of these days too.
    let from = window.since_ms.minute();
    let fired = |alarm: &&Alarm| alarm.detected >= from || alarm.ended.is_none_or(|ended| ended > from);
    let alarms = ordered(engine.groups.shown().filter(fired).collect());
    detect::print(&alarms, &names, &planned(&config)?, args.format)?;
    let lasting = alarms
        .iter()
        .filter(|alarm| alarm.ended.is_none() && !alarm.provisional);
    let lasting = lasting.count();
    let length = human::duration(window.until_ms - window.since_ms);
    let (sure, beside) = counted(&alarms);
    output::talk(&format!(
        "{sure} in {length}, {lasting} of them still firing; `{}` says what one of them cost{beside}",
        next_command(setup, "incident --alarm ID")
    ));
    output::talk(&Completeness::of(&engine).words());
    Ok(if lasting == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
