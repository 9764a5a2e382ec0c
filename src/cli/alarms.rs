//! `mailpulse alarms`: the last days' alarms with their ids, by a replay of the detection.

use super::complete::Completeness;
use super::context::Context;
use super::detect::{self, MINUTE_MS, RuleArgs};
use super::output::{self, Format};
use super::window::WindowArgs;
use crate::detect::alarm::Alarm;
use crate::query::human;
use anyhow::Result;
use std::process::ExitCode;

/// Arguments of `alarms`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit code 1 if one of them lasts at the end of the window.")]
pub struct AlarmsArgs {
    #[command(flatten)]
    window: WindowArgs<7>,
    #[command(flatten)]
    rules: RuleArgs,
    /// Form of the answer
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Lists what fired in the window, in the order of time; what is provisional comes last.
pub fn run(context: &Context, args: &AlarmsArgs) -> Result<ExitCode> {
    let engine = context.engine()?;
    let store = engine.history();
    detect::whole(store)?;
    let window = args.window.resolve(store)?;
    let (engine, fleet) = detect::replayed(store, &context.config()?, &args.rules, window.until_ms)?;
    // One that began before and went on is one of these days too.
    let from = window.since_ms.div_euclid(MINUTE_MS);
    let fired = |alarm: &&Alarm| alarm.detected >= from || alarm.ended.is_none_or(|ended| ended > from);
    let alarms = detect::ordered(engine.groups.shown().filter(fired).collect());
    detect::print(&alarms, &fleet.names, args.format)?;
    let lasting = alarms
        .iter()
        .filter(|alarm| alarm.ended.is_none() && !alarm.provisional);
    let lasting = lasting.count();
    let length = human::duration(window.until_ms - window.since_ms);
    let (sure, beside) = detect::counted(&alarms);
    output::talk(&format!(
        "{sure} in {length}, {lasting} of them still firing; `{}` says what one of them cost{beside}",
        context.command("incident --alarm ID")
    ));
    Completeness::of(&engine).talk();
    Ok(if lasting == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
